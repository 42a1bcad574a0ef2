import { describe, expect, it } from 'vitest';
import type { Inputs, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 2, headDim: 8, hiddenDim: 12 };
const stateNames = ['w1', 'w2', 's1', 's2'];

/** Tokens [from, to) of every input that has tokens. */
function cut(inputs: Inputs, { seqlen = 0, headDim = 0 }: Shape, from: number, to: number): Inputs {
  const parts = Object.entries(inputs).map(([name, values]): [string, Float32Array] => {
    if (stateNames.includes(name)) return [name, values];
    return [name, tokens(values, seqlen, ['q', 'k', 'v'].includes(name) ? headDim : 1, from, to)];
  });
  return Object.fromEntries(parts);
}

/** A number for each token. */
function gate(inputs: Inputs, value: number): Float32Array {
  return new Float32Array(inputs.theta!.length).fill(value);
}

describe('the MLP memory of Titans', () => {
  for (const { chunk, first } of [
    { chunk: 1, first: 7 },
    { chunk: 8, first: 8 },
    { chunk: 8, first: 24 },
  ]) {
    it(`in chunks of ${chunk}: ${first} tokens, then the rest from its state, equal one run`, () => {
      const whole = bench('titans-mlp', 'forward', { ...size, seqlen: 30 }, { chunk });
      const full = whole.run(whole.inputs);
      const before = bench('titans-mlp', 'forward', { ...size, seqlen: first }, { chunk }).run(
        cut(whole.inputs, whole.shape, 0, first),
      );
      const states = stateNames.map((name): [string, Float32Array] => [
        name,
        Float32Array.from(before[`${name}Out`]!.values),
      ]);
      const after = bench('titans-mlp', 'forward', { ...size, seqlen: 30 - first }, { chunk }).run({
        ...cut(whole.inputs, whole.shape, first, 30),
        ...Object.fromEntries(states),
      });
      const o = full.o!.values as Float64Array;
      expect(distance(before.o!.values, tokens(o, 30, 8, 0, first))).toBeLessThan(1e-14);
      // The state passes through float32, so agreement is to that precision.
      expect(distance(after.o!.values, tokens(o, 30, 8, first, 30))).toBeLessThan(2e-6);
      for (const name of stateNames) {
        expect(distance(after[`${name}Out`]!.values, full[`${name}Out`]!.values)).toBeLessThan(2e-6);
      }
    });
  }

  it('without forgetting and momentum makes one step of a chunk along the gradient of its loss', () => {
    const seqlen = 6;
    const { inputs, run } = bench('titans-mlp', 'forward', { ...size, seqlen }, { chunk: 8, gateKind: 'none' });
    const zero = { s1: inputs.s1!.map(() => 0), s2: inputs.s2!.map(() => 0) };
    const { w1Out, w2Out } = run({ ...inputs, ...zero });
    const gradient = bench('mlp-gradient', 'forward', { ...size, seqlen }, {});
    // η = 0 forgets each step of the momentum, and the memory keeps them all.
    const { dw1, dw2 } = gradient.run({ ...inputs, x: inputs.k!, w: inputs.theta! });
    const moved = (from: Float32Array, by: ArrayLike<number>): Float64Array =>
      Float64Array.from(from, (x, at) => x - by[at]!);
    expect(distance(w1Out!.values, moved(inputs.w1!, dw1!.values))).toBeLessThan(1e-14);
    expect(distance(w2Out!.values, moved(inputs.w2!, dw2!.values))).toBeLessThan(1e-14);
  });

  it('without steps answers from the memory it was given, faded', () => {
    const seqlen = 3;
    const { inputs, run } = bench('titans-mlp', 'forward', { ...size, seqlen }, { chunk: 1 });
    const still = { ...inputs, theta: gate(inputs, 0), eta: gate(inputs, 0), alpha: gate(inputs, 0.5) };
    const { w1Out, w2Out, s1Out } = run(still);
    expect(
      distance(
        w1Out!.values,
        inputs.w1!.map((x) => x / 8),
      ),
    ).toBeLessThan(1e-7);
    expect(
      distance(
        w2Out!.values,
        inputs.w2!.map((x) => x / 8),
      ),
    ).toBeLessThan(1e-7);
    expect(s1Out!.values.every((x) => x === 0 || Object.is(x, -0))).toBe(true);
    // A memory of zeros is the identity.
    const nothing = { w1: inputs.w1!.map(() => 0), w2: inputs.w2!.map(() => 0) };
    expect(distance(run({ ...still, ...nothing }).o!.values, inputs.q!)).toBe(0);
  });

  it('learns: the answers to the keys of a repeated sequence come nearer to their values', () => {
    const shape = { heads: 1, seqlen: 60, headDim: 8, hiddenDim: 32 };
    const { inputs, run } = bench('titans-mlp', 'forward', shape, { chunk: 1 });
    const repeated = (values: Float32Array): Float32Array => values.map((_, at) => values[at % 32]!);
    const k = repeated(inputs.k!);
    const v = repeated(inputs.v!);
    const given = { ...inputs, k, q: k, v, theta: gate(inputs, 0.1), eta: gate(inputs, 0.5), alpha: gate(inputs, 0) };
    const { o } = run(given);
    const miss = (first: number): number =>
      Math.sqrt(v.subarray(first, first + 32).reduce((sum, x, at) => sum + (o!.values[first + at]! - x) ** 2, 0));
    expect(miss(448)).toBeLessThan(0.3 * miss(0));
  });

  it('is causal: later tokens leave earlier outputs as they are', () => {
    const shape = { ...size, seqlen: 20 };
    const { inputs, run } = bench('titans-mlp', 'forward', shape, { chunk: 8 });
    const width = (name: string): number => (['q', 'k', 'v'].includes(name) ? 8 : 1);
    const changed = Object.entries(inputs).map(([name, values]): [string, Float32Array] => {
      if (stateNames.includes(name)) return [name, values];
      return [name, values.map((x, at) => (Math.floor(at / width(name)) % 20 < 13 ? x : 0.5 * x))];
    });
    const [a, b] = [run(inputs).o!.values as Float64Array, run(Object.fromEntries(changed)).o!.values as Float64Array];
    expect(tokens(b, 20, 8, 0, 13)).toEqual(tokens(a, 20, 8, 0, 13));
    expect(distance(tokens(b, 20, 8, 13, 20), tokens(a, 20, 8, 13, 20))).toBeGreaterThan(1e-2);
  });

  it('computes the first and the last head where the budget does not allow all', () => {
    const { inputs, run } = bench('titans-mlp', 'forward', { ...size, seqlen: 5 }, {});
    const [full, sampled] = [run(inputs), run(inputs, 'f64', 1)];
    expect([sampled.o!.rows![0], sampled.o!.rows!.at(-1), sampled.o!.rows!.length]).toEqual([0, 19, 10]);
    expect(sampled.w2Out!.values.subarray(96)).toEqual(full.w2Out!.values.subarray(288));
  });

  it('says what is wrong with a chunk', () => {
    const { mechanism, shape, options } = bench('titans-mlp', 'forward', {}, { chunk: 2.5 });
    expect(mechanism.validate(shape, options)).toMatch(/chunk is 2.5.*1 or more/);
  });
});
