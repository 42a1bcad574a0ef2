import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/core/kernel/model.js';
import { packTensor, unpackTensor, type UnpackedTensor } from '../../src/core/kernel/tensor.js';
import { roundTo } from '../../src/core/numerics/ulp.js';
import { compile } from '../../src/gpu/compile.js';
import { load } from '../../src/gpu/run.js';
import type { OpenDevice } from '../../src/gpu/device.js';
import { patience, testDevice } from './dawn.js';
import { planOf } from './plans.js';
import { randomStruct, type RandomStruct } from './structs.js';

const open = await testDevice();

/** Runs a plan whose inputs are all `values` (as far as they need them) and returns the output `o`. */
async function runPlan(device: OpenDevice, plan: Plan, values: Float32Array): Promise<UnpackedTensor> {
  const inputs = new Map<string, ArrayBuffer>();
  for (const { variable, content, byteLength } of plan.buffers) {
    if (content.kind === 'tensor' && content.role === 'input') {
      inputs.set(variable, packTensor(content.view, values, byteLength));
    }
  }
  const compiled = await compile(device, plan, new Map(), patience);
  if (!compiled.ok) throw new Error(`${compiled.failure.message}\n${plan.code}`);
  const loaded = await load(device, compiled.value, inputs, patience);
  if (!loaded.ok) throw new Error(loaded.failure.message);
  try {
    const outputs = await loaded.value.run(patience);
    if (!outputs.ok) throw new Error(outputs.failure.message);
    const [output] = outputs.value;
    if (output?.planned.content.kind !== 'tensor') throw new Error('The kernel has no output.');
    expect(output.guardsTouched).toBe(0);
    return unpackTensor(output.planned.content.view, output.bytes);
  } finally {
    loaded.value.dispose();
  }
}

const frontMatter = (rows: number, more: string): string => `/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 1, seqlen: ${rows}, headDim: 4 }
passes:
  - { entry: main, workgroups: [1, 1, 1] }
${more}
---*/
`;

/** A kernel that writes every leaf of a struct to the output, one after another. */
function leafKernel(struct: RandomStruct, space: 'uniform' | 'storage, read'): string {
  const rows = Math.ceil(struct.leaves.length / 4);
  const values = struct.leaves.map(({ path, value }) => `  "${path}": ${value}`).join('\n');
  const writes = struct.leaves.map(({ access }, index) => `  o[${index}] = f32(params${access});`).join('\n');
  return `${frontMatter(rows, `uniforms:\n${values}`)}
${struct.declarations}
@group(0) @binding(0) var<${space}> params: ${struct.name};
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(1) @binding(0) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(1) fn main() {
  _ = q[0] + k[0] + v[0];
${writes}
}
`;
}

const structsPerSpace = 40;

describe.skipIf(!open)('structs of numbers', () => {
  it.each(['uniform', 'storage, read'] as const)('arrive leaf by leaf in var<%s>', async (space) => {
    let leaves = 0;
    for (let seed = 1; seed <= structsPerSpace; seed++) {
      const struct = randomStruct(seed, space === 'uniform');
      const text = leafKernel(struct, space);
      const { values } = await runPlan(open!, planOf(text).plan, new Float32Array(4));
      const expected = struct.leaves.map(({ value }) => value);
      expect([...values.subarray(0, expected.length)], text).toEqual(expected);
      leaves += expected.length;
    }
    expect(leaves).toBeGreaterThan(structsPerSpace * 4);
  });
});

/** A way to hold scalars in storage, and how a kernel reads and writes the i-th of them. */
interface Form {
  readonly type: string;
  readonly format: 'f32' | 'f16';
  readonly declarations?: string;
  readonly read: (name: string) => string;
  readonly write: (name: string) => string;
}

const plain = (type: string, lanes: string): Form => ({
  type,
  format: 'f32',
  read: (name) => `${name}${lanes}`,
  write: (name) => `${name}${lanes} = x;`,
});

const half = (word: string): Pick<Form, 'format' | 'read' | 'write'> => ({
  format: 'f16',
  read: (name) => `unpack2x16float(${name}${word})[i % 2]`,
  write: (name) =>
    `${name}${word} = select((${name}${word} & 0xffffu) | (pack2x16float(vec2(0, x)) & 0xffff0000u),
      (${name}${word} & 0xffff0000u) | (pack2x16float(vec2(x, 0)) & 0xffffu), i % 2 == 0);`,
});

const forms: readonly Form[] = [
  plain('array<f32>', '[i]'),
  plain('array<f32, 120>', '[i]'),
  plain('array<vec2<f32>>', '[i / 2][i % 2]'),
  plain('array<vec3<f32>>', '[i / 3][i % 3]'),
  plain('array<vec4f>', '[i / 4][i % 4]'),
  plain('array<array<f32, 5>>', '[i / 5][i % 5]'),
  plain('array<mat2x2<f32>>', '[i / 4][i / 2 % 2][i % 2]'),
  plain('array<mat4x4f>', '[i / 16][i / 4 % 4][i % 4]'),
  plain('array<array<vec4f, 2>>', '[i / 8][i / 4 % 2][i % 4]'),
  {
    ...plain('Pairs', '.items[i / 2][i % 2]'),
    declarations: 'struct Pairs { count: u32, origin: vec3<f32>, items: array<vec2<f32>> }',
  },
  {
    ...plain('Trios', '.items[i / 3][i % 3]'),
    declarations: 'struct Trios { @size(20) count: u32, items: array<vec3<f32>> }',
  },
  { type: 'array<u32>', ...half('[i / 2]') },
  { type: 'array<vec4<u32>>', ...half('[i / 8][i / 2 % 4]') },
];

const shape = { batch: 2, heads: 3, seqlen: 5, headDim: 4 } as const;
const dims = [shape.batch, shape.heads, shape.seqlen, shape.headDim] as const;
const layouts = [
  ['batch', 'heads', 'seqlen', 'headDim'],
  ['batch', 'seqlen', 'heads', 'headDim'],
  ['heads', 'batch', 'headDim', 'seqlen'],
] as const;

/** WGSL for the place of element (b, h, n, d) when the dimensions lie in memory in the order of a layout. */
function placeIn(layout: readonly string[]): string {
  const names = ['batch', 'heads', 'seqlen', 'headDim'];
  const letters = ['b', 'h', 'n', 'd'];
  return layout.reduce((text, name) => {
    const axis = names.indexOf(name);
    return text === '' ? letters[axis]! : `((${text}) * ${dims[axis]} + ${letters[axis]})`;
  }, '');
}

function copyKernel(from: Form, to: Form, layoutQ: readonly string[], layoutO: readonly string[]): string {
  const outLayout = layoutO.map((name) => (name === 'headDim' ? 'headDimV' : name));
  return `/*---
mechanism: softmax-attention
shape: { batch: 2, heads: 3, seqlen: 5, headDim: 4 }
passes:
  - { entry: main, workgroups: [1, 1, 1] }
layout: { q: [${layoutQ.join(', ')}], o: [${outLayout.join(', ')}] }
dtype: { q: ${from.format}, o: ${to.format} }
---*/
${[...new Set([from.declarations ?? '', to.declarations ?? ''])].join('\n')}
@group(0) @binding(0) var<storage, read> q: ${from.type};
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> o: ${to.type};
fn load(i: u32) -> f32 { return ${from.read('q')}; }
fn store(i: u32, x: f32) { ${to.write('o')} }
@compute @workgroup_size(1) fn main() {
  _ = k[0] + v[0];
  for (var b = 0u; b < 2; b++) { for (var h = 0u; h < 3; h++) { for (var n = 0u; n < 5; n++) { for (var d = 0u; d < 4; d++) {
    store(${placeIn(layoutO)}, load(${placeIn(layoutQ)}));
  } } } }
}
`;
}

describe.skipIf(!open)('tensors', () => {
  const count = dims.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, (_, index) => (index - 40) / 8 + 1 / 1024);

  it.each(forms.map((form, index) => [form.type, form, index] as const))(
    'are read from and written to %s in any layout',
    async (_, form, index) => {
      const other = forms[(index + 3) % forms.length]!;
      const expected = (...through: Form[]): number[] =>
        [...values].map((value) => through.reduce((kept, { format }) => roundTo(format, kept), value));
      for (const [at, layout] of layouts.entries()) {
        const turned = layouts[(at + 1) % layouts.length]!;
        const there = await runPlan(open!, planOf(copyKernel(form, other, layout, turned)).plan, values);
        expect([...there.values], `${form.type} to ${other.type}`).toEqual(expected(form, other));
        const back = await runPlan(open!, planOf(copyKernel(other, form, turned, layout)).plan, values);
        expect([...back.values], `${other.type} to ${form.type}`).toEqual(expected(other, form));
        expect(back.states.every((state) => state === 0)).toBe(true);
      }
    },
  );
});
