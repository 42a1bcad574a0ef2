import { describe, expect, it } from 'vitest';
import { completeShape } from '../../../src/core/attention/catalogue.js';
import type { Inputs } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const id = 'gated-attention-unit';
const size = { batch: 2, seqlen: 23, headDim: 8, headDimV: 12 };

/** Values times a factor that changes from number to number. */
const changed = (values: Float32Array): Float32Array => values.map((value, at) => value * (1 + (at % 5)));

describe('the shape', () => {
  it('has a table for all distances, which grows with the sequence', () => {
    const { mechanism } = bench(id, 'forward', size, {});
    expect(completeShape(mechanism, { seqlen: 23 }).biasDim).toBe(45);
    expect(completeShape(mechanism, { seqlen: 23, biasDim: 101 }).biasDim).toBe(101);
  });

  it('says which tables do not do', () => {
    const { mechanism, shape, options } = bench(id, 'forward', size, {});
    expect(mechanism.validate({ ...shape, biasDim: 46 }, options)).toMatch(/biasDim is 46.*odd/);
    expect(mechanism.validate({ ...shape, biasDim: 43 }, options)).toMatch(/biasDim is 43.*22 tokens away.*45/);
    expect(mechanism.validate({ ...shape, biasDim: 47 }, options)).toBeNull();
  });

  it('counts the products of the pairs a query sees', () => {
    for (const [causal, pairs] of [
      [true, 276],
      [false, 529],
    ] as const) {
      const { computation, shape, options } = bench(id, 'forward', size, { causal });
      expect(computation.flops(shape, options)).toBe(2 * 2 * pairs * (8 + 12));
    }
  });
});

describe('the output', () => {
  for (const causal of [true, false]) {
    it(`${causal ? 'causal' : 'not causal'}: is linear in the values, and in the gates`, () => {
      const { inputs, run } = bench(id, 'forward', size, { causal });
      const other = bench(id, 'forward', size, { causal }, 8).inputs;
      for (const name of ['v', 'u']) {
        const of = (values: Float32Array): ArrayLike<number> => run({ ...inputs, [name]: values }).o!.values;
        const [a, b] = [of(inputs[name]!), of(other[name]!)];
        const sum = of(inputs[name]!.map((value, at) => 2 * value - other[name]![at]!));
        const expected = Float64Array.from(a, (value, at) => 2 * value - b[at]!);
        expect(distance(sum, expected)).toBeLessThan(1e-6);
      }
    });
  }

  it('does not depend on what stands in the table beyond the distances there are', () => {
    const long = bench(id, 'forward', { ...size, biasDim: 65 }, { causal: false });
    const { run } = bench(id, 'forward', size, { causal: false });
    const bias = long.inputs.bias!;
    const cut = run({ ...long.inputs, bias: bias.subarray(10, 55) }).o!.values;
    expect(long.run(long.inputs).o!.values).toEqual(cut);
    const ends = bias.map((value, at) => (at < 10 || at >= 55 ? 9 : value));
    expect(long.run({ ...long.inputs, bias: ends }).o!.values).toEqual(cut);
  });

  it('sees only how far apart tokens are: a piece of a sequence gives what it gives alone', () => {
    const options = { causal: false, scale: 0.1 };
    const whole = bench(id, 'forward', { ...size, batch: 1 }, options);
    const part = bench(id, 'forward', { ...size, batch: 1, seqlen: 10, biasDim: 45 }, options);
    const rows = (name: string, width: number, from: number, to: number): Float32Array =>
      tokens(whole.inputs[name]!, size.seqlen, width, from, to);
    const piece = (from: number, to: number): Inputs => ({
      q: rows('q', 8, from, to),
      k: rows('k', 8, from, to),
      v: rows('v', 12, from, to),
      u: rows('u', 12, from, to),
      bias: whole.inputs.bias!,
    });
    // Values of zero leave only the piece's own keys in the sums of the whole.
    const v = whole.inputs.v!.map((value, at) => (at >= 5 * 12 && at < 15 * 12 ? value : 0));
    const o = whole.run({ ...whole.inputs, v }).o!.values as Float64Array;
    expect(distance(part.run(piece(5, 15)).o!.values, tokens(o, size.seqlen, 12, 5, 15))).toBeLessThan(1e-14);
  });

  it('of keys without a score is the square of their bias, and zero where it is negative', () => {
    const { inputs, run } = bench(id, 'forward', { ...size, batch: 1, headDimV: 4 }, { causal: false });
    const values = { v: new Float32Array(23 * 4).fill(1), u: new Float32Array(23 * 4).fill(2) };
    const o = run({ ...inputs, ...values, k: new Float32Array(23 * 8) }).o!.values;
    for (let i = 0; i < 23; i++) {
      let sum = 0;
      for (let j = 0; j < 23; j++) sum += Math.max(inputs.bias![j - i + 22]!, 0) ** 2;
      expect(o[i * 4]).toBeCloseTo(2 * sum, 12);
    }
  });

  it('keeps its earlier rows to the bit when later tokens change', () => {
    const { inputs, run } = bench(id, 'forward', size, {});
    const later = (name: string, width: number): Float32Array =>
      changed(inputs[name]!).map((value, at) =>
        Math.floor(at / width) % size.seqlen > 12 ? value : inputs[name]![at]!,
      );
    const after = run({ ...inputs, q: later('q', 8), k: later('k', 8), v: later('v', 12), u: later('u', 12) });
    const early = (values: ArrayLike<number>): Float64Array => tokens(values as Float64Array, 23, 12, 0, 13);
    expect(early(after.o!.values)).toEqual(early(run(inputs).o!.values));
    expect(after.o!.values).not.toEqual(run(inputs).o!.values);
  });
});

describe('sampling beyond a budget', () => {
  it('computes rows of the output that equal those of the whole', () => {
    const { inputs, run } = bench(id, 'forward', size, {});
    const full = run(inputs).o!.values;
    const { rows, values } = run(inputs, 'f64', 3_000).o!;
    expect(rows!.length).toBeLessThan(46);
    expect([rows![0], rows!.at(-1)]).toEqual([0, 45]);
    rows!.forEach((row, place) => {
      expect(values.subarray(place * 12, place * 12 + 12)).toEqual(full.subarray(row * 12, row * 12 + 12));
    });
  });

  it('computes whole sequences of a backward pass, and leaves out the sum over all', () => {
    const { inputs, run } = bench(id, 'backward', { ...size, batch: 3 }, {});
    const full = run(inputs);
    const sampled = run(inputs, 'f64', 1);
    expect(sampled.dk!.rows).toHaveLength(46);
    expect(sampled.dv!.values.subarray(23 * 12)).toEqual(full.dv!.values.subarray(2 * 23 * 12));
    expect(sampled.dbias!.values.every(Number.isNaN)).toBe(true);
    expect(full.dbias!.values.every(Number.isFinite)).toBe(true);
  });
});
