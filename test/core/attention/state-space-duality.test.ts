import { describe, expect, it } from 'vitest';
import type { Inputs, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const id = 'state-space-duality';
const size = { batch: 2, heads: 4, groups: 2, headDim: 6, stateDim: 5 };
const usual = {};

/** The tensors with an axis of tokens, cut to the tokens [from, to). */
function cut(inputs: Inputs, { seqlen = 0, headDim = 0, stateDim = 0 }: Shape, from: number, to: number): Inputs {
  return {
    ...inputs,
    x: tokens(inputs.x!, seqlen, headDim, from, to),
    dt: tokens(inputs.dt!, seqlen, 1, from, to),
    B: tokens(inputs.B!, seqlen, stateDim, from, to),
    C: tokens(inputs.C!, seqlen, stateDim, from, to),
  };
}

const zeros = (values: Float32Array | undefined): Float32Array => new Float32Array(values!.length);

/** Rows of a group for each of its heads: [batch, groups, seqlen, width] to [batch, heads, seqlen, width]. */
function perHead(values: Float32Array, { batch = 1, heads = 1, groups = 1 }: Shape): Float32Array {
  const count = values.length / (batch * groups);
  const spread = new Float32Array(batch * heads * count);
  for (let index = 0; index < batch * heads; index++) {
    const group = Math.floor(index / heads) * groups + Math.floor((index % heads) / (heads / groups));
    spread.set(values.subarray(group * count, (group + 1) * count), index * count);
  }
  return spread;
}

describe('Mamba-2 SSD', () => {
  for (const first of [1, 23, 49]) {
    it(`${first} tokens, then the rest from the state, equal one run`, () => {
      const whole = bench(id, 'forward', { ...size, seqlen: 50 }, usual);
      const full = whole.run(whole.inputs);
      const y = full.y!.values as Float64Array;
      const before = bench(id, 'forward', { ...size, seqlen: first }, usual).run(
        cut(whole.inputs, whole.shape, 0, first),
      );
      const s0 = Float32Array.from(before.s!.values);
      const rest = { ...cut(whole.inputs, whole.shape, first, 50), s0 };
      const after = bench(id, 'forward', { ...size, seqlen: 50 - first }, usual).run(rest);
      expect(distance(before.y!.values, tokens(y, 50, 6, 0, first))).toBeLessThan(1e-14);
      expect(distance(after.y!.values, tokens(y, 50, 6, first, 50))).toBeLessThan(2e-6);
      expect(distance(after.s!.values, full.s!.values)).toBeLessThan(1e-6);
    });
  }

  it('decodes token by token to what the forward pass says', () => {
    const whole = bench(id, 'forward', { ...size, seqlen: 11 }, { stepKind: 'large' });
    const full = whole.run(whole.inputs);
    const step = bench(id, 'decode', { ...size, seqlen: 1 }, usual);
    let s0 = whole.inputs.s0!;
    for (let t = 0; t < 11; t++) {
      const { y, s } = step.run({ ...cut(whole.inputs, whole.shape, t, t + 1), s0 });
      expect(distance(y!.values, tokens(full.y!.values as Float64Array, 11, 6, t, t + 1))).toBeLessThan(2e-6);
      s0 = Float32Array.from(s!.values);
    }
    expect(distance(s0, full.s!.values)).toBeLessThan(2e-6);
  });

  it('is simple gated linear attention of scale 1 where steps are 1 and nothing skips the state', () => {
    const ssd = bench(id, 'forward', { ...size, seqlen: 20 }, { stepKind: 'unit' });
    const { x, A, B, C, D, s0 } = ssd.inputs;
    const { y, s } = ssd.run({ ...ssd.inputs, D: zeros(D) });
    const gated = bench(
      'gated-linear-attention',
      'forward',
      { batch: 2, heads: 4, seqlen: 20, headDim: 5, headDimV: 6, gateDim: 1 },
      { scale: 1 },
    );
    const g = Float32Array.from({ length: 2 * 4 * 20 }, (_, at) => A![Math.floor(at / 20) % 4]!);
    const { o, s: state } = gated.run({
      q: perHead(C!, ssd.shape),
      k: perHead(B!, ssd.shape),
      v: x!,
      g,
      s0: s0!,
    });
    expect(distance(y!.values, o!.values)).toBeLessThan(1e-14);
    expect(distance(s!.values, state!.values)).toBeLessThan(1e-14);
  });

  it('adds D x, and nothing where D is left out', () => {
    const { inputs, run, shape } = bench(id, 'forward', { ...size, seqlen: 9 }, usual);
    const without = { ...inputs };
    delete (without as Record<string, Float32Array>).D;
    const [skipped, plain] = [run(inputs).y!.values, run(without).y!.values];
    const expected = plain.map((value, at) => value + inputs.D![Math.floor(at / (9 * 6)) % 4]! * inputs.x![at]!);
    expect(distance(skipped, expected)).toBeLessThan(1e-15);
    expect(distance(run({ ...inputs, D: zeros(inputs.D) }).y!.values, plain)).toBe(0);
    expect(shape.groups).toBe(2);
  });

  it('sees no later token, and sees each earlier one', () => {
    const { inputs, run } = bench(id, 'forward', { ...size, seqlen: 30 }, usual);
    const before = run(inputs).y!.values as Float64Array;
    for (const name of ['x', 'dt', 'B', 'C']) {
      const values = inputs[name]!.slice();
      const width = values.length / (30 * (name === 'x' || name === 'dt' ? 8 : 4));
      for (let at = 0; at < values.length; at++) if (Math.floor(at / width) % 30 > 20) values[at]! += 0.25;
      const after = run({ ...inputs, [name]: values }).y!.values as Float64Array;
      expect(tokens(after, 30, 6, 0, 21)).toEqual(tokens(before, 30, 6, 0, 21));
      expect(distance(tokens(after, 30, 6, 21, 30), tokens(before, 30, 6, 21, 30))).toBeGreaterThan(1e-6);
    }
  });

  it('is linear in x and the initial state together', () => {
    const { inputs, run } = bench(id, 'forward', { ...size, seqlen: 20 }, usual);
    const other = bench(id, 'forward', { ...size, seqlen: 20 }, usual, 8).inputs;
    const mixed = (name: string): Float32Array =>
      inputs[name]!.map((value, at) => Math.fround(0.5 * value - 2 * other[name]![at]!));
    const sum = run({ ...inputs, x: mixed('x'), s0: mixed('s0') });
    const [a, b] = [run(inputs), run({ ...inputs, x: other.x!, s0: other.s0! })];
    for (const name of ['y', 's']) {
      const expected = a[name]!.values.map((value, at) => 0.5 * value - 2 * b[name]!.values[at]!);
      expect(distance(sum[name]!.values, expected)).toBeLessThan(1e-6);
    }
  });

  it('forgets everything but the current token under steps that are large enough', () => {
    const { inputs, run } = bench(id, 'forward', { ...size, seqlen: 12 }, usual);
    const strong = run({ ...inputs, A: inputs.A!.map(() => -1e6) }).y!.values;
    expect([...strong].every(Number.isFinite)).toBe(true);
    const alone = bench(id, 'forward', { ...size, seqlen: 1 }, usual);
    const last = { ...cut(inputs, { ...size, seqlen: 12 }, 11, 12), s0: zeros(inputs.s0) };
    expect(distance(tokens(strong as Float64Array, 12, 6, 11, 12), alone.run(last).y!.values)).toBeLessThan(1e-14);
  });

  it('has gradients that equal finite differences, and those of whole groups where not all are affordable', () => {
    const shape = { batch: 2, heads: 6, groups: 3, seqlen: 4, headDim: 3, stateDim: 2 };
    const backward = bench(id, 'backward', shape, { stepKind: 'large' });
    const forward = bench(id, 'forward', shape, usual);
    const loss = (inputs: Inputs): number => {
      const { y, s } = forward.run(inputs);
      const against = (values: ArrayLike<number>, weights: Float32Array): number =>
        weights.reduce((sum, weight, at) => sum + weight * values[at]!, 0);
      return against(y!.values, backward.inputs.dy!) + against(s!.values, backward.inputs.ds!);
    };
    const gradients = backward.run(backward.inputs);
    expect(Object.keys(gradients)).toEqual(['dx', 'ddt', 'dA', 'dB', 'dC', 'dD', 'ds0']);
    const cheap = backward.run(backward.inputs, 'f64', 1);
    for (const [name, { values }] of Object.entries(gradients)) {
      const own = name.slice(1);
      for (let at = 0; at < values.length; at++) {
        const nudged = (step: number): Inputs => {
          const moved = new Float64Array(backward.inputs[own]!);
          moved[at]! += step;
          return { ...backward.inputs, [own]: moved as unknown as Float32Array };
        };
        const difference = (loss(nudged(1e-5)) - loss(nudged(-1e-5))) / 2e-5;
        expect(Math.abs(values[at]! - difference), `${name}[${at}]`).toBeLessThan(
          1e-6 * Math.max(1, Math.abs(difference)),
        );
      }
      const { rows, values: sampled } = cheap[name]!;
      if (rows === null) {
        expect([...sampled].filter((value) => !Number.isNaN(value)).length).toBe(4);
        sampled.forEach((value, at) => expect(Number.isNaN(value) || value === values[at]).toBe(true));
        continue;
      }
      const width = sampled.length / rows.length;
      expect(rows.length * width).toBe((2 * values.length) / 3);
      const expected = [...rows].flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]);
      expect([...sampled]).toEqual(expected);
    }
  });
});
