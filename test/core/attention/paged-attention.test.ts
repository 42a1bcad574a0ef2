import { describe, expect, it } from 'vitest';
import type { Inputs, Options, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, type Bench } from './run-reference.js';

const widths = { heads: 4, headsKv: 2, headDim: 8, headDimV: 6 };
const size = { ...widths, batch: 3, seqlen: 2, seqlenK: 21, pageSize: 4 };

function paged(shape: Shape = size, options: Options = { lengths: 'uneven' }): Bench {
  return bench('paged-attention', 'decode', shape, options);
}

describe('softmax attention with pages', () => {
  it.each([
    ['causal', {}],
    ['in a window', { window: [5, 0] }],
    ['not causal', { causal: false }],
  ] as const)('is softmax attention of each sequence, whatever the size of a page: %s', (_, options) => {
    const { seqlenK } = size;
    const plain = bench('softmax-attention', 'decode', { ...widths, seqlen: 2, seqlenK }, options);
    const expected = plain.run(plain.inputs);
    for (const pageSize of [1, 4, 64]) {
      const { shape, inputs, run } = paged({ ...size, batch: 1, pageSize }, options);
      const intoPages = (values: Float32Array, width: number): Float32Array => {
        const pages = new Float32Array(shape.pages! * pageSize * 2 * width).fill(Number.NaN);
        for (let row = 0; row < 2 * seqlenK; row++) {
          const [head, token] = [Math.floor(row / seqlenK), row % seqlenK];
          const slot = inputs.block_table![Math.floor(token / pageSize)]! * pageSize + (token % pageSize);
          pages.set(values.subarray(row * width, (row + 1) * width), (2 * slot + head) * width);
        }
        return pages;
      };
      const { q, k, v } = plain.inputs;
      const found = run({ ...inputs, q: q!, k_pages: intoPages(k!, 8), v_pages: intoPages(v!, 6) });
      expect(distance(found.o!.values, expected.o!.values), `pages of ${pageSize}`).toBe(0);
      expect(distance(found.lse!.values, expected.lse!.values), `pages of ${pageSize}`).toBe(0);
    }
  });

  it('asks nothing of slots and entries that are no token of a sequence, whatever they hold', () => {
    const { inputs, shape, run } = paged({ ...size, tablePages: 8 });
    const expected = run(inputs);
    expect(expected.o!.values.every(Number.isFinite)).toBe(true);
    // Lengths 21, 14 and 7 in pages of 4: 6, 4 and 2 of 8 entries each, 42 of 96 slots.
    const unused = inputs.block_table!.filter((page) => page >= shape.pages!);
    expect(unused).toHaveLength(24 - 12);
    expect(inputs.k_pages!.filter(Number.isNaN)).toHaveLength((96 - 42) * 16);
    expect(inputs.v_pages!.filter(Number.isNaN)).toHaveLength((96 - 42) * 12);
    const other: Inputs = {
      ...inputs,
      k_pages: inputs.k_pages!.map((value) => (Number.isNaN(value) ? 1e6 : value)),
      v_pages: inputs.v_pages!.map((value) => (Number.isNaN(value) ? -Infinity : value)),
      block_table: inputs.block_table!.map((page) => (page >= shape.pages! ? -1 : page)),
    };
    expect(run(other)).toEqual(expected);
  });

  it('does not care for tokens that a rejected draft leaves behind', () => {
    const { inputs, run } = paged({ ...size, batch: 1 }, {});
    const shorter = paged({ ...size, batch: 1, seqlenK: 20 }, {});
    const rolledBack = { ...inputs, seqlens: Float32Array.of(20) };
    expect(run(rolledBack)).toEqual(shorter.run(rolledBack));
    expect(run(rolledBack).lse!.values).not.toEqual(run(inputs).lse!.values);
  });

  it('makes nothing of an empty sequence', () => {
    const { inputs, run } = paged(size, { lengths: 'empty' });
    const { o, lse } = run(inputs);
    expect(Array.from(inputs.seqlens!)).toEqual([21, 14, 0]);
    expect(Array.from(o!.exactRows!)).toEqual([16, 17, 18, 19, 20, 21, 22, 23]);
    expect(o!.values.subarray(16 * 6).every((value) => value === 0)).toBe(true);
    expect(Array.from(lse!.values, (value) => value === -Infinity)).toEqual(
      Array.from({ length: 24 }, (_, row) => row >= 16),
    );
  });

  it('costs what the lengths of its sequences cost', () => {
    const { computation, shape, options } = paged({ ...size, seqlen: 1 });
    expect(computation.flops(shape, options)).toBe(2 * 4 * (21 + 14 + 7) * (8 + 6));
    const windowed = paged({ ...size, seqlen: 1 }, { lengths: 'uneven', window: [9, 0] });
    expect(windowed.computation.flops(windowed.shape, windowed.options)).toBe(2 * 4 * (10 + 10 + 7) * (8 + 6));
  });
});
