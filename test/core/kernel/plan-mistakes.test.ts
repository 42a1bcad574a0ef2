import { describe, expect, it } from 'vitest';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { add, kernelWith, shapeText, useExtra, useScratch, type Edit } from './mistake.js';

describe('a mistake that shows at a shape', () => {
  function plan(...edits: readonly Edit[]): readonly [code: string, covers: string, message: string][] {
    const source = kernelWith(...edits);
    const kernel = readKernel(source, 'test')!;
    expect(kernel.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    const result = planKernel(kernel, kernel.shape, kernel.options);
    if (result.ok) return [];
    return result.diagnostics.map(({ code, span, message }) => [code, source.slice(span.start, span.end), message]);
  }

  it.each<[string, readonly Edit[], string, string, RegExp]>([
    [
      'a fraction of a workgroup',
      [['ceil(seqlen / TILE_M)', 'seqlen / 60']],
      'workgroups-value',
      'seqlen / 60',
      /2\.13.*not a whole/,
    ],
    [
      'no workgroups',
      [['ceil(seqlen / TILE_M)', 'floor(seqlen / 1000)']],
      'workgroups-value',
      'floor(seqlen / 1000)',
      /come to 0/,
    ],
    [
      'too many workgroups',
      [['ceil(seqlen / TILE_M)', 'seqlen * 1000']],
      'workgroups-value',
      'seqlen * 1000',
      /128000.*65535/,
    ],
    [
      'a division by zero',
      [['ceil(seqlen / TILE_M)', 'seqlen / (heads - 4)']],
      'workgroups-value',
      'seqlen / (heads - 4)',
      /finite/,
    ],
    [
      'a constant that is no whole number',
      [add('constants: { TILE_M: headDim / 3 }')],
      'constant-value',
      'headDim / 3',
      /not a whole number/,
    ],
    [
      'overrides that need each other',
      [
        ['= 64', '= B'],
        ['struct', 'override B: u32 = TILE_M;\nstruct'],
      ],
      'constant-value',
      'TILE_M',
      /no value/,
    ],
    [
      'a workgroup of no size',
      [add('constants: { TILE_M: 0 }'), ['seqlen / TILE_M', 'seqlen / 64']],
      'workgroup-size',
      'attend',
      /TILE_M/,
    ],
    [
      'more workgroup memory than there is',
      [...useExtra('var<workgroup> tile: array<f32, TILE_M * 2000>;', 'tile[0]')],
      'workgroup-memory',
      'var<workgroup> tile: array<f32, TILE_M * 2000>;',
      /512000 bytes/,
    ],
    [
      'a buffer beyond 2 GiB',
      [
        [shapeText, '{ batch: 64, heads: 64, seqlen: 65536, headDim: 64 }'],
        ['ceil(seqlen / TILE_M)', '1'],
      ],
      'buffer-too-large',
      'q',
      /65536 MiB/,
    ],
    [
      'a fixed array that is too small',
      [['q: array<f32>', 'q: array<f32, 100>']],
      'array-too-small',
      'array<f32, 100>',
      /100 elements/,
    ],
    [
      'scratch of a fractional size',
      [...useScratch, add('scratch:\n  part: f32[seqlen / 3]')],
      'scratch-size',
      'f32[seqlen / 3]',
      /42\.6/,
    ],
  ])('%s is named with its value', (_, edits, code, covers, message) => {
    const found = plan(...edits);
    const [match] = found.filter(([seen, text]) => seen === code && text === covers);
    expect(found.map(([seen, text]) => [seen, text])).toContainEqual([code, covers]);
    expect(match?.[2]).toMatch(message);
  });

  it('stops at a shape the mechanism refuses', () => {
    const kernel = readKernel(kernelWith(), 'test')!;
    const result = planKernel(kernel, { ...kernel.shape, headsKv: 3 }, kernel.options);
    expect(result.ok ? [] : result.diagnostics.map(({ code }) => code)).toEqual(['invalid-shape']);
  });

  it('stops at a shape over the limits of the kernel, says by how much, and leaves such cases of the grid out', () => {
    const free = readKernel(kernelWith(), 'test')!;
    const kernel = readKernel(kernelWith(add('limits: { seqlen: 128 }')), 'test')!;
    const result = planKernel(kernel, { ...kernel.shape, seqlen: 129 }, kernel.options);
    expect(result.ok ? [] : result.diagnostics.map(({ message }) => message)).toEqual([
      'seqlen is 129, and this kernel takes 128 at most.',
    ]);
    expect(planKernel(kernel, { ...kernel.shape, seqlen: 128 }, kernel.options).ok).toBe(true);
    const within = free.cases.filter(({ shape }) => shape.seqlen! <= 128);
    expect(within.length).toBeLessThan(free.cases.length);
    expect(kernel.cases).toEqual(within);
  });
});
