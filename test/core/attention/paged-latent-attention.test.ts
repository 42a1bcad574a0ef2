import { describe, expect, it } from 'vitest';
import type { Inputs, Options, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, type Bench } from './run-reference.js';

const widths = { heads: 4, headsKv: 2, latentDim: 8, ropeDim: 4, headDim: 6 };
const size = { ...widths, batch: 3, seqlen: 2, seqlenK: 21, pageSize: 4 };

function paged(shape: Shape = size, options: Options = { lengths: 'uneven' }): Bench {
  return bench('paged-latent-attention', 'decode', shape, options);
}

/** Pages in another order: page `p` goes to `move(p)`. */
function movedPages(values: Float32Array, perPage: number, move: (page: number) => number): Float32Array {
  const moved = new Float32Array(values.length);
  for (let page = 0; page * perPage < values.length; page++) {
    moved.set(values.subarray(page * perPage, (page + 1) * perPage), move(page) * perPage);
  }
  return moved;
}

describe('latent attention with pages', () => {
  it('gives the same bits wherever the pages lie', () => {
    const { inputs, shape, run } = paged();
    const pages = shape.pages!;
    // 7 has no divisor in common with the 18 pages: a page of its own for each.
    const move = (page: number): number => (7 * page + 5) % pages;
    const moved: Inputs = {
      ...inputs,
      c_pages: movedPages(inputs.c_pages!, 4 * 2 * 8, move),
      k_pe_pages: movedPages(inputs.k_pe_pages!, 4 * 4, move),
      block_table: inputs.block_table!.map((page) => (page < pages ? move(page) : page)),
    };
    expect(pages).toBe(18);
    expect(run(moved)).toEqual(run(inputs));
  });

  it('is Grouped Latent Attention of each sequence, whatever the size of a page', () => {
    const { seqlenK } = size;
    const plain = bench('grouped-latent-attention', 'decode', { ...widths, seqlen: 2, seqlenK }, {});
    const { o_lat, lse } = plain.run(plain.inputs);
    for (const pageSize of [1, 4, 64]) {
      const { shape, inputs, run } = paged({ ...size, batch: 1, pageSize }, {});
      const slot = (token: number): number =>
        inputs.block_table![Math.floor(token / pageSize)]! * pageSize + (token % pageSize);
      const c = new Float32Array(shape.pages! * pageSize * 2 * 8);
      const k = new Float32Array(shape.pages! * pageSize * 4);
      for (let token = 0; token < seqlenK; token++) {
        k.set(plain.inputs.k_pe!.subarray(4 * token, 4 * token + 4), 4 * slot(token));
        for (const head of [0, 1]) {
          const row = head * seqlenK + token;
          c.set(plain.inputs.c!.subarray(8 * row, 8 * row + 8), (2 * slot(token) + head) * 8);
        }
      }
      const { q_lat, q_pe } = plain.inputs;
      const found = run({ ...inputs, q_lat: q_lat!, q_pe: q_pe!, c_pages: c, k_pe_pages: k });
      expect(distance(found.o_lat!.values, o_lat!.values), `pages of ${pageSize}`).toBe(0);
      expect(distance(found.lse!.values, lse!.values), `pages of ${pageSize}`).toBe(0);
    }
  });

  it('asks nothing of slots and entries that are no token of a sequence, which hold poison', () => {
    const { inputs, shape, run } = paged({ ...size, tablePages: 8 });
    // Of 24 pages of 4 slots, 21 + 14 + 7 tokens fill 42 slots; each sequence begins a page of its own.
    expect(inputs.k_pe_pages!.filter(Number.isNaN).length).toBe((24 * 4 - 42) * 4);
    expect(inputs.c_pages!.filter(Number.isNaN).length).toBe((24 * 4 - 42) * 16);
    expect(inputs.block_table!.filter((page) => page >= shape.pages!).length).toBe(24 - (6 + 4 + 2));
    expect(run(inputs).o_lat!.values.every(Number.isFinite)).toBe(true);
  });

  it('makes nothing of an empty sequence', () => {
    const { inputs, run } = paged(size, { lengths: 'empty' });
    const { o_lat, lse } = run(inputs);
    expect(Array.from(inputs.seqlens!)).toEqual([21, 14, 0]);
    const rows = 3 * 4 * 2;
    expect(Array.from(o_lat!.exactRows!)).toEqual(Array.from({ length: 8 }, (_, row) => rows - 8 + row));
    expect(o_lat!.values.subarray((rows - 8) * 8).every((value) => value === 0)).toBe(true);
    expect(lse!.values.subarray(rows - 8).every((value) => value === -Infinity)).toBe(true);
    expect(lse!.values.subarray(0, rows - 8).every(Number.isFinite)).toBe(true);
  });

  it('samples rows of every sequence that equal those of the whole', () => {
    const { inputs, run } = paged(size, {});
    const whole = run(inputs).o_lat!.values;
    const sampled = run(inputs, 'f64', 1).o_lat!;
    const rows = Array.from(sampled.rows!);
    // The first and the last of the 8 rows of each of the three sequences.
    expect(rows).toEqual([0, 7, 8, 15, 16, 23]);
    expect(Array.from(sampled.values)).toEqual(rows.flatMap((row) => Array.from(whole.subarray(8 * row, 8 * row + 8))));
  });

  it('costs what the lengths of its sequences cost', () => {
    const { computation, shape, options } = paged({ ...size, seqlen: 1 });
    expect(computation.flops(shape, options)).toBe(2 * 4 * (21 + 14 + 7) * (2 * 8 + 4));
  });
});

describe('the sizes of pages', () => {
  it('follow the longest sequence and one another', () => {
    expect(paged({ ...size, pageSize: 1 }).shape).toMatchObject({ tablePages: 21, pages: 63 });
    expect(paged({ ...size, pageSize: 64, batch: 5 }).shape).toMatchObject({ tablePages: 1, pages: 5 });
  });

  it('must hold the longest sequence', () => {
    const { mechanism, shape, options } = paged({ ...size, tablePages: 5 });
    expect(mechanism.validate(shape, options)).toMatch(/tablePages is 5 and pageSize is 4.*20 tokens.*seqlenK is 21/);
  });
});
