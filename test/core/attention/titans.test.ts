import { describe, expect, it } from 'vitest';
import type { Inputs, Shape } from '../../../src/core/attention/mechanism.js';
import { arithmetic } from '../../../src/core/numerics/arithmetic.js';
import { bench, distance, tokens } from './run-reference.js';

const math = arithmetic('f64');

/** Tokens [from, to) of every input that has tokens. */
function cut(inputs: Inputs, { seqlen = 0, headDim = 0, headDimV = 0 }: Shape, from: number, to: number): Inputs {
  const widths: Readonly<Record<string, number>> = { q: headDim, k: headDim, v: headDimV, theta: 1, eta: 1, alpha: 1 };
  const parts = Object.entries(widths).map(([name, width]) => [
    name,
    tokens(inputs[name]!, seqlen, width, from, to),
  ]) as [string, Float32Array][];
  return { ...inputs, ...Object.fromEntries(parts) };
}

/** The output of one chunk by its closed form, with products of gates from sums of their logarithms. */
function closedForm(inputs: Inputs, seqlen: number, headDim: number, headDimV: number): Float64Array {
  const wide = (name: string): Float64Array => new Float64Array(inputs[name]!);
  const [q, k, v, theta, m0, s0] = [wide('q'), wide('k'), wide('v'), wide('theta'), wide('m0'), wide('s0')];
  const running = (logs: Float64Array): number[] => {
    let sum = 0;
    return Array.from(logs, (log) => (sum += log));
  };
  const forgotten = running(wide('alpha').map((alpha) => Math.log(1 - alpha)));
  const slowed = running(wide('eta').map(Math.log));
  const product = (sums: number[], from: number, to: number): number => Math.exp(sums[to]! - sums[from]!);
  const row = (t: number, matrix: Float64Array, x: Float64Array): Float64Array => {
    const y = new Float64Array(headDimV);
    for (let d = 0; d < headDim; d++) math.addScaled(y, 0, x[t * headDim + d]!, matrix, d * headDimV, headDimV);
    return y;
  };
  const errors = Array.from({ length: seqlen }, (_, t) =>
    row(t, m0, k).map((value, c) => 2 * (value - v[t * headDimV + c]!)),
  );
  const o = new Float64Array(seqlen * headDimV);
  for (let t = 0; t < seqlen; t++) {
    let f = 0;
    for (let s = 0; s <= t; s++) f += product(forgotten, s, t) * Math.exp(slowed[s]!);
    math.addScaled(o, t * headDimV, Math.exp(forgotten[t]!), row(t, m0, q), 0, headDimV);
    math.addScaled(o, t * headDimV, f, row(t, s0, q), 0, headDimV);
    for (let i = 0; i <= t; i++) {
      let weight = 0;
      for (let j = i; j <= t; j++) weight += product(forgotten, j, t) * product(slowed, i, j) * theta[i]!;
      const score = math.dot(q, t * headDim, k, i * headDim, headDim);
      math.addScaled(o, t * headDimV, -weight * score, errors[i]!, 0, headDimV);
    }
  }
  return o;
}

const size = { batch: 2, heads: 2, headDim: 8, headDimV: 12 };

describe('the memory of Titans', () => {
  it('within one chunk is its closed form', () => {
    const { inputs, run } = bench('titans', 'forward', { heads: 1, seqlen: 30, headDim: 8, headDimV: 12 }, {});
    expect(distance(run(inputs).o!.values, closedForm(inputs, 30, 8, 12))).toBeLessThan(1e-13);
  });

  for (const { chunk, first } of [
    { chunk: 1, first: 1 },
    { chunk: 1, first: 23 },
    { chunk: 16, first: 16 },
    { chunk: 16, first: 48 },
  ]) {
    it(`in chunks of ${chunk}: ${first} tokens, then the rest from its state, equal one run`, () => {
      const whole = bench('titans', 'forward', { ...size, seqlen: 50 }, { chunk });
      const full = whole.run(whole.inputs);
      const head = bench('titans', 'forward', { ...size, seqlen: first }, { chunk });
      const before = head.run(cut(whole.inputs, whole.shape, 0, first));
      const tail = bench('titans', 'forward', { ...size, seqlen: 50 - first }, { chunk });
      const states = { m0: Float32Array.from(before.m!.values), s0: Float32Array.from(before.s!.values) };
      const after = tail.run({ ...cut(whole.inputs, whole.shape, first, 50), ...states });
      const o = full.o!.values as Float64Array;
      expect(distance(before.o!.values, tokens(o, 50, 12, 0, first))).toBeLessThan(1e-14);
      // The state passes through float32, so agreement is to that precision.
      expect(distance(after.o!.values, tokens(o, 50, 12, first, 50))).toBeLessThan(2e-6);
      expect(distance(after.m!.values, full.m!.values)).toBeLessThan(2e-6);
      expect(distance(after.s!.values, full.s!.values)).toBeLessThan(2e-6);
    });
  }

  it('decodes token by token what the forward pass in chunks of one token gives', () => {
    const whole = bench('titans', 'forward', { ...size, seqlen: 9 }, { chunk: 1 });
    const full = whole.run(whole.inputs);
    const step = bench('titans', 'decode', { ...size, seqlen: 1 }, { chunk: 1 });
    let states: Inputs = { m0: whole.inputs.m0!, s0: whole.inputs.s0! };
    for (let t = 0; t < 9; t++) {
      const { o, m, s } = step.run({ ...cut(whole.inputs, whole.shape, t, t + 1), ...states });
      expect(distance(o!.values, tokens(full.o!.values as Float64Array, 9, 12, t, t + 1))).toBeLessThan(2e-6);
      states = { m0: Float32Array.from(m!.values), s0: Float32Array.from(s!.values) };
    }
    expect(distance(states.m0!, full.m!.values)).toBeLessThan(2e-6);
  });

  it('is linear in values, memory and momentum together, and not in the values alone', () => {
    const options = { chunk: 5 };
    const { inputs, run } = bench('titans', 'forward', { ...size, seqlen: 20 }, options);
    const other = bench('titans', 'forward', { ...size, seqlen: 20 }, options, 8).inputs;
    const mixed = (names: readonly string[]): Inputs => {
      const parts = names.map((name) => [name, inputs[name]!.map((x, at) => 2 * x - 3 * other[name]![at]!)]);
      return { ...inputs, ...(Object.fromEntries(parts) as Inputs) };
    };
    const second = { ...inputs, v: other.v!, m0: other.m0!, s0: other.s0! };
    const [a, b] = [run(inputs).o!.values, run(second).o!.values];
    const sum = Float64Array.from(a, (x, at) => 2 * x - 3 * b[at]!);
    expect(distance(run(mixed(['v', 'm0', 's0'])).o!.values, sum)).toBeLessThan(1e-6);
    expect(distance(run(mixed(['v'])).o!.values, sum)).toBeGreaterThan(1e-2);
  });

  it('is causal: later tokens leave earlier outputs as they are', () => {
    const { inputs, run, shape } = bench('titans', 'forward', { ...size, seqlen: 30 }, { chunk: 8 });
    const changed = bench('titans', 'forward', { ...size, seqlen: 30 }, { chunk: 8 }, 9).inputs;
    const early = cut(inputs, shape, 0, 20);
    const late = cut(changed, shape, 20, 30);
    const joined = Object.fromEntries(
      Object.entries(inputs).map(([name, values]) => {
        if (name === 'm0' || name === 's0') return [name, values];
        const width = values.length / (4 * 30);
        const rows = Array.from({ length: 4 }, (_, head) => [
          ...early[name]!.subarray(head * 20 * width, (head + 1) * 20 * width),
          ...late[name]!.subarray(head * 10 * width, (head + 1) * 10 * width),
        ]);
        return [name, Float32Array.from(rows.flat())];
      }),
    );
    const [a, b] = [run(inputs).o!.values as Float64Array, run(joined).o!.values as Float64Array];
    expect(tokens(b, 30, 12, 0, 20)).toEqual(tokens(a, 30, 12, 0, 20));
    expect(distance(tokens(b, 30, 12, 20, 30), tokens(a, 30, 12, 20, 30))).toBeGreaterThan(1e-2);
  });

  it('without momentum and forgetting recalls orthonormal keys exactly where a step is whole', () => {
    const shape = { heads: 1, seqlen: 8, headDim: 8, headDimV: 12 };
    const { inputs, run } = bench('titans', 'forward', shape, { chunk: 1, gateKind: 'none' });
    const k = Float32Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? 1 : 0));
    // θκ = 1: the delta rule with β = 1.
    const given = { ...inputs, k, q: k, theta: new Float32Array(8).fill(0.5), s0: new Float32Array(96) };
    const { o, m } = run(given);
    expect(distance(o!.values, inputs.v!)).toBeLessThan(1e-7);
    expect(distance(m!.values, inputs.v!)).toBeLessThan(1e-7);
  });

  it('computes the first and the last head where the budget does not allow all', () => {
    const { inputs, run } = bench('titans', 'forward', { heads: 4, seqlen: 10, headDim: 8 }, {});
    const full = run(inputs);
    const { rows, values } = run(inputs, 'f64', 1).o!;
    expect([rows![0], rows!.at(-1), rows!.length]).toEqual([0, 39, 20]);
    expect(values.subarray(80)).toEqual(full.o!.values.subarray(240));
  });

  it('says what is wrong with a chunk', () => {
    const { mechanism, shape, options } = bench('titans', 'forward', {}, { chunk: 0 });
    expect(mechanism.validate(shape, options)).toMatch(/chunk is 0.*1 or more/);
  });
});
