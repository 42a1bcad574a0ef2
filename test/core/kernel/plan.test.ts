import { describe, expect, it } from 'vitest';
import type { Plan, PlannedBuffer } from '../../../src/core/kernel/model.js';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';

const source = `/*---
mechanism: softmax-attention
shape: { batch: 2, heads: 4, seqlen: 128, headDim: 32 }
options: { scale: 0.5, window: [7, -1] }
passes: { workgroups: [ceil(seqlen / TILE_M), max(heads, 1) * batch] }
constants: { TILE_M: headDim / 2 }
scratch:
  part: f32[batch, ceil(seqlen / 3)]
bindings: { keys: k }
uniforms: { dims: [batch, heads, 7], n: seqlen * 2 }
layout: { q: [batch, seqlen, heads, headDim] }
dtype: { k: f16 }
defines: { ROWS: seqlen + 1 }
---*/
enable f16;
override TILE_M: u32 = 64;
override AREA: u32 = TILE_M * TILE_M;
struct Params { n: u32, dims: vec3<u32>, window_left: i32, scale: f16, causal: u32 }
struct Wrapped { count: u32, data: array<vec4<f32>> }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(1) @binding(0) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> v: Wrapped;
@group(0) @binding(3) var<storage, read_write> o: array<vec3<f16>>;
@group(0) @binding(4) var<storage, read_write> part: array<vec3<f32>>;
var<workgroup> tile: array<f32, AREA>;
@compute @workgroup_size(TILE_M, 2)
fn main() { tile[0] = f32(params.n); part[0].x = q[0] + f32(keys[0].x) + v.data[ROWS].x; o[0].x = f16(tile[0]); }
`;

function planAt(shape: Readonly<Record<string, number>>): Plan {
  const kernel = readKernel(source, 'test')!;
  expect(kernel.diagnostics).toEqual([]);
  const result = planKernel(kernel, { ...kernel.shape, ...shape }, kernel.options);
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.plan;
}

const bufferOf = (plan: Plan, variable: string): PlannedBuffer =>
  plan.buffers.find((buffer) => buffer.variable === variable)!;

function viewOf(variable: string): object {
  const { content, byteLength } = bufferOf(planAt({}), variable);
  if (content.kind !== 'tensor') throw new Error(`${variable} is no tensor.`);
  const { strides, format, byteOffset, lanes, strideBytes } = content.view;
  return { strides, format, byteOffset, lanes, strideBytes, byteLength };
}

const elements = 2 * 4 * 128 * 32;
const plainStrides = [16384, 4096, 32, 1];

describe('the plan of a kernel', () => {
  it('packs a uniform by the rules of WGSL', () => {
    const { content, byteLength } = bufferOf(planAt({}), 'params');
    if (content.kind !== 'uniform') throw new Error('params is no uniform.');
    const data = new DataView(content.bytes.buffer);
    expect(byteLength).toBe(48);
    expect(data.getUint32(0, true)).toBe(256);
    expect([16, 20, 24].map((at) => data.getUint32(at, true))).toEqual([2, 4, 7]);
    expect(data.getInt32(28, true)).toBe(7);
    expect(data.getUint16(32, true)).toBe(0x3800);
    expect(data.getUint32(36, true)).toBe(1);
  });

  it.each([
    [
      'q',
      {
        strides: [16384, 32, 128, 1],
        format: 'f32',
        byteOffset: 0,
        lanes: 1,
        strideBytes: 4,
        byteLength: elements * 4,
      },
    ],
    [
      'keys',
      { strides: plainStrides, format: 'f16', byteOffset: 0, lanes: 8, strideBytes: 16, byteLength: elements * 2 },
    ],
    [
      'v',
      {
        strides: plainStrides,
        format: 'f32',
        byteOffset: 16,
        lanes: 4,
        strideBytes: 16,
        byteLength: 16 + elements * 4,
      },
    ],
    [
      'o',
      {
        strides: plainStrides,
        format: 'f16',
        byteOffset: 0,
        lanes: 3,
        strideBytes: 8,
        byteLength: Math.ceil(elements / 3) * 8,
      },
    ],
  ])('lays the tensor in %s out as its type and layout say', (variable, view) => {
    expect(viewOf(variable)).toEqual(view);
  });

  it('sizes scratch by its expressions, gaps of vec3 included', () => {
    expect(bufferOf(planAt({}), 'part').byteLength).toBe(Math.ceil((2 * 43) / 3) * 16);
  });

  it('resolves overrides, workgroups and workgroup memory', () => {
    const plan = planAt({});
    expect(plan.constants).toEqual({ TILE_M: 16, AREA: 256 });
    expect(plan.passes).toEqual([
      {
        entry: 'main',
        workgroups: [8, 8, 1],
        workgroupSize: [16, 2, 1],
        workgroupBytes: 1024,
        variables: ['params', 'q', 'keys', 'v', 'o', 'part'],
      },
    ]);
    expect(plan.features).toEqual(['shader-f16']);
    expect(plan.compulsoryBytes).toBe(elements * (4 + 2 + 4 + 2));
  });

  it('preprocesses the code anew for a shape that its defines depend on', () => {
    expect(planAt({}).code).toContain('v.data[129]');
    expect(planAt({ seqlen: 64, seqlenK: 64 }).code).toContain('v.data[65]');
  });
});

describe('the cases of a kernel', () => {
  const takes = (passes: string): readonly string[] =>
    readKernel(
      source
        .replace(/passes:.*/, passes)
        .replace(/defines:.*/, 'defines: { ROWS: 3 }')
        .replace('n: seqlen * 2', 'n: 1')
        .replace('ceil(seqlen / 3)', '3'),
      'test',
    )!.cases.map(({ shape }) => `${shape.seqlen} ${shape.headDim}`);

  it('leave out those of the grid that vary what the kernel does not take', () => {
    const full = takes('passes: { workgroups: [seqlen, headDim, seqlenK] }');
    const fixed = takes('passes: { workgroups: [headDim, heads, batch] }');
    expect(new Set(full.map((text) => text.split(' ')[0])).size).toBeGreaterThan(5);
    expect(fixed.every((text) => text.startsWith('128 '))).toBe(true);
  });
});
