import { describe, expect, it } from 'vitest';
import type { Inputs, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const ids = ['delta-rule', 'gated-delta-rule'] as const;
const size = { batch: 2, heads: 2, headDim: 8, headDimV: 12 };

/** The inputs of tokens [from, to), with the state they start from. */
function cut(inputs: Inputs, { seqlen = 0 }: Shape, from: number, to: number, s0: Float32Array): Inputs {
  const part = (name: string, width: number): Record<string, Float32Array> =>
    inputs[name] ? { [name]: tokens(inputs[name], seqlen, width, from, to) } : {};
  return { ...part('q', 8), ...part('k', 8), ...part('v', 12), ...part('beta', 1), ...part('g', 1), s0 };
}

describe.each(ids)('%s', (id) => {
  it('is fed keys of length 1, beta between 0 and 1, and gates of zero or less', () => {
    const { k, beta, g } = bench(id, 'forward', { ...size, seqlen: 9 }, {}).inputs;
    for (let row = 0; row < k!.length / 8; row++) {
      expect(Math.hypot(...k!.subarray(8 * row, 8 * row + 8))).toBeCloseTo(1, 6);
    }
    expect(beta!.every((value) => value > 0 && value < 1)).toBe(true);
    expect(g === undefined).toBe(id === 'delta-rule');
    expect((g ?? new Float32Array(0)).every((value) => value <= 0)).toBe(true);
  });

  it.each([1, 23, 49])('resumes after %i tokens from the state they left', (first) => {
    const whole = bench(id, 'forward', { ...size, seqlen: 50 }, {});
    const { o, s } = whole.run(whole.inputs);
    const head = bench(id, 'forward', { ...size, seqlen: first }, {});
    const before = head.run(cut(whole.inputs, whole.shape, 0, first, whole.inputs.s0!));
    const rest = cut(whole.inputs, whole.shape, first, 50, Float32Array.from(before.s!.values));
    const after = bench(id, 'forward', { ...size, seqlen: 50 - first }, {}).run(rest);
    const expected = o!.values as Float64Array;
    expect(distance(before.o!.values, tokens(expected, 50, 12, 0, first))).toBeLessThan(1e-14);
    // The state passes through float32, so agreement is to that precision.
    expect(distance(after.o!.values, tokens(expected, 50, 12, first, 50))).toBeLessThan(2e-6);
    expect(distance(after.s!.values, s!.values)).toBeLessThan(1e-6);
  });

  it('decodes token by token what the forward pass gives', () => {
    const whole = bench(id, 'forward', { ...size, seqlen: 11 }, {});
    const { o, s } = whole.run(whole.inputs);
    const step = bench(id, 'decode', { ...size, seqlen: 1 }, {});
    let s0 = whole.inputs.s0!;
    for (let t = 0; t < 11; t++) {
      const next = step.run(cut(whole.inputs, whole.shape, t, t + 1, s0));
      expect(distance(next.o!.values, tokens(o!.values as Float64Array, 11, 12, t, t + 1))).toBeLessThan(2e-6);
      s0 = Float32Array.from(next.s!.values);
    }
    expect(distance(s0, s!.values)).toBeLessThan(2e-6);
  });

  it('is linear in v and the initial state together', () => {
    const { inputs, run } = bench(id, 'forward', { ...size, seqlen: 19 }, {});
    const other = bench(id, 'forward', { ...size, seqlen: 19 }, {}, 8).inputs;
    const sum = (name: string): Float64Array =>
      Float64Array.from(inputs[name]!, (value, at) => 2 * value - 3 * other[name]![at]!);
    const [a, b] = [run(inputs), run({ ...inputs, v: other.v!, s0: other.s0! })];
    // The reference takes typed arrays; the sums are no float32.
    const both = run({ ...inputs, v: sum('v') as unknown as Float32Array, s0: sum('s0') as unknown as Float32Array });
    for (const name of ['o', 's']) {
      const expected = Float64Array.from(a[name]!.values, (value, at) => 2 * value - 3 * b[name]!.values[at]!);
      expect(distance(both[name]!.values, expected)).toBeLessThan(1e-13);
    }
  });

  it('leaves what came before a changed token as it was', () => {
    const { inputs, run } = bench(id, 'forward', { batch: 1, heads: 2, seqlen: 40, headDim: 8 }, {});
    const later = (values: Float32Array, width: number): Float32Array =>
      values.map((value, at) => (Math.floor(at / width) % 40 > 20 ? value / 2 : value));
    const changed = { ...inputs, k: later(inputs.k!, 8), v: later(inputs.v!, 8), beta: later(inputs.beta!, 1) };
    const [before, after] = [run(inputs).o!.values as Float64Array, run(changed).o!.values as Float64Array];
    expect(tokens(after, 40, 8, 0, 21)).toEqual(tokens(before, 40, 8, 0, 21));
    expect(distance(tokens(after, 40, 8, 21, 40), tokens(before, 40, 8, 21, 40))).toBeGreaterThan(1e-2);
  });

  it('recalls each of a set of orthogonal keys exactly, whatever the state held before, where beta is 1', () => {
    const { inputs, run } = bench(id, 'forward', { heads: 1, seqlen: 8, headDim: 8 }, { gateKind: 'zero', scale: 1 });
    const k = Float32Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? 1 : 0));
    const exact: Inputs = { ...inputs, k, beta: new Float32Array(8).fill(1) };
    const { s } = run(exact);
    // Row d of the state is what key d reads.
    expect(distance(s!.values, exact.v!)).toBeLessThan(1e-14);
    expect(distance(run({ ...exact, q: k }).o!.values, exact.v!)).toBeLessThan(1e-14);
    // Half of the way with half of beta.
    const half = run({ ...exact, q: k, beta: new Float32Array(8).fill(0.5) }).o!.values;
    const between = Float64Array.from(exact.v!, (value, at) => (value + exact.s0![at]!) / 2);
    expect(distance(half, between)).toBeLessThan(1e-14);
  });

  it('equals a product with the inverse of a triangular matrix within a chunk', () => {
    const { inputs, options, run } = bench(id, 'forward', { heads: 1, seqlen: 6, headDim: 4, headDimV: 1 }, {});
    const { q, k, v, beta, g } = inputs;
    const dot = (a: Float32Array, i: number, b: Float32Array, j: number): number =>
      [0, 1, 2, 3].reduce((sum, d) => sum + a[4 * i + d]! * b[4 * j + d]!, 0);
    const decay = (from: number, to: number): number =>
      Math.exp((g ?? new Float32Array(6)).subarray(from, to + 1).reduce((sum, gate) => sum + gate, 0));
    // u = (I + A)^-1 β v without an initial state, by rows; then o = scale · ((Q Kᵀ) ⊙ L) u.
    const u: number[] = [];
    for (let r = 0; r < 6; r++) {
      const known = u.reduce((sum, value, c) => sum + dot(k!, r, k!, c) * decay(c + 1, r) * value, 0);
      u.push(beta![r]! * (v![r]! - known));
    }
    const expected = u.map((_, r) =>
      u
        .slice(0, r + 1)
        .reduce((sum, value, c) => sum + (options.scale as number) * dot(q!, r, k!, c) * decay(c + 1, r) * value, 0),
    );
    const { o } = run({ ...inputs, s0: new Float32Array(4) });
    expect(distance(o!.values, expected)).toBeLessThan(1e-14);
  });

  it('calculates whole heads, the first and the last at least, beyond a budget', () => {
    const { inputs, run } = bench(id, 'forward', { heads: 4, seqlen: 10, headDim: 4 }, {});
    const [full, sampled] = [run(inputs), run(inputs, 'f64', 1)];
    expect(Array.from(sampled.o!.rows!)).toEqual([
      ...Array(10).keys(),
      ...[...Array(10).keys()].map((row) => 30 + row),
    ]);
    expect(sampled.o!.values.subarray(40)).toEqual(full.o!.values.subarray(120));
    expect(sampled.s!.values.subarray(16)).toEqual(full.s!.values.subarray(48));
  });
});

describe('the gated delta rule', () => {
  it('with gates of zero is the delta rule, gradients included', () => {
    const gated = bench('gated-delta-rule', 'backward', { ...size, seqlen: 45 }, { gateKind: 'zero' });
    const plain = bench('delta-rule', 'backward', { ...size, seqlen: 45 }, {});
    const { g, ...others } = gated.inputs;
    expect(g!.every((gate) => Math.abs(gate) === 0)).toBe(true);
    const [a, b] = [gated.run(gated.inputs), plain.run(others)];
    for (const name of ['dq', 'dk', 'dv', 'dbeta', 'ds0']) expect(distance(a[name]!.values, b[name]!.values)).toBe(0);
    expect(b.dg).toBeUndefined();
  });

  it('with beta of zero only forgets', () => {
    const { inputs, run } = bench('gated-delta-rule', 'forward', { ...size, seqlen: 5 }, {});
    const { s } = run({ ...inputs, beta: inputs.beta!.map(() => 0) });
    const expected = Float64Array.from(inputs.s0!, (value, at) => {
      const head = Math.floor(at / 96);
      return value * Math.exp(inputs.g!.subarray(5 * head, 5 * head + 5).reduce((sum, gate) => sum + gate, 0));
    });
    expect(distance(s!.values, expected)).toBeLessThan(1e-14);
  });

  it('with gates of -50 sees the current token alone', () => {
    const { inputs, options, run } = bench('gated-delta-rule', 'forward', { heads: 1, seqlen: 256, headDim: 8 }, {});
    const { o, s } = run({ ...inputs, g: new Float32Array(256).fill(-50) });
    const expected = Float64Array.from(o!.values, (_, at) => {
      const row = Math.floor(at / 8);
      let weight = 0;
      for (let d = 0; d < 8; d++) weight += inputs.q![8 * row + d]! * inputs.k![8 * row + d]!;
      return (options.scale as number) * weight * inputs.beta![row]! * inputs.v![at]!;
    });
    expect(distance(o!.values, expected)).toBeLessThan(1e-14);
    expect(s!.values.every(Number.isFinite)).toBe(true);
  });
});
