import { describe, expect, it } from 'vitest';
import { findMechanism } from '../../../src/core/attention/catalogue.js';
import { retentionDecay } from '../../../src/core/attention/retention.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 2, headDim: 8, headDimV: 12 };
const widths = { q: 8, k: 8, v: 12 };

/** The tokens [from, to) of queries, keys and values of a sequence. */
function cut(inputs: Readonly<Record<string, Float32Array>>, seqlen: number, from: number, to: number) {
  const parts: Record<string, Float32Array> = { ...inputs };
  for (const [name, width] of Object.entries(widths)) parts[name] = tokens(inputs[name]!, seqlen, width, from, to);
  return parts;
}

describe('retention', () => {
  it('forgets a part of 2^-5 in its first head and half of that in each next one', () => {
    expect([0, 1, 7].map(retentionDecay)).toEqual([1 - 1 / 32, 1 - 1 / 64, 1 - 1 / 4096]);
  });

  it('is lightning attention with slopes of -ln γ', () => {
    const retention = bench('retention', 'backward', { ...size, seqlen: 45 }, { scale: 0.5 });
    const lightning = bench('lightning-attention', 'backward', { ...size, seqlen: 45 }, { scale: 0.5 });
    const { dy, ...inputs } = retention.inputs;
    expect(dy!.length).toBe(2 * 2 * 45 * 12);
    const slopes = Float32Array.of(-Math.log1p(-1 / 32), -Math.log1p(-1 / 64));
    const [a, b] = [retention.run(inputs), lightning.run({ ...inputs, slopes })];
    // The slopes of lightning attention are float32.
    for (const name of ['dq', 'dk', 'dv', 'ds0']) expect(distance(a[name]!.values, b[name]!.values)).toBeLessThan(1e-7);
  });

  for (const first of [1, 23, 49]) {
    it(`runs ${first} tokens, then the rest from the state, as one sequence`, () => {
      const whole = bench('retention', 'forward', { ...size, seqlen: 50 }, {});
      const full = whole.run(whole.inputs);
      const before = bench('retention', 'forward', { ...size, seqlen: first }, {});
      const { s } = before.run(cut(whole.inputs, 50, 0, first));
      const after = bench('retention', 'forward', { ...size, seqlen: 50 - first }, {});
      const s0 = Float32Array.from(s!.values);
      const rest = after.run({ ...cut(whole.inputs, 50, first, 50), s0 });
      for (const name of ['o', 'y'])
        expect(
          distance(rest[name]!.values, tokens(full[name]!.values as Float64Array, 50, 12, first, 50)),
        ).toBeLessThan(2e-6);
      expect(distance(rest.s!.values, full.s!.values)).toBeLessThan(1e-6);
    });
  }

  it('decodes token by token what the forward pass computes', () => {
    const whole = bench('retention', 'forward', { ...size, seqlen: 11 }, {});
    const full = whole.run(whole.inputs);
    const step = bench('retention', 'decode', { ...size, seqlen: 1 }, {});
    let s0 = whole.inputs.s0!;
    for (let t = 0; t < 11; t++) {
      const { y, s } = step.run({ ...cut(whole.inputs, 11, t, t + 1), s0 });
      expect(distance(y!.values, tokens(full.y!.values as Float64Array, 11, 12, t, t + 1))).toBeLessThan(2e-6);
      s0 = Float32Array.from(s!.values);
    }
    expect(distance(s0, full.s!.values)).toBeLessThan(2e-6);
  });

  it('sees no token after the query, in any of its forms', () => {
    for (const normalize of [false, true]) {
      const { inputs, run } = bench('retention', 'forward', { ...size, seqlen: 40 }, { normalize });
      const changed = { ...inputs };
      for (const [name, width] of Object.entries(widths))
        changed[name] = inputs[name]!.map((value, at) => (Math.floor(at / width) % 40 > 20 ? value + 1 : value));
      const [before, after] = [run(inputs).y!.values as Float64Array, run(changed).y!.values as Float64Array];
      expect(tokens(after, 40, 12, 0, 21)).toEqual(tokens(before, 40, 12, 0, 21));
      expect(distance(tokens(after, 40, 12, 21, 40), tokens(before, 40, 12, 21, 40))).toBeGreaterThan(1e-2);
    }
  });

  it('is linear in values and state, and its norm does not see their size', () => {
    const { inputs, run } = bench('retention', 'forward', { ...size, seqlen: 19 }, { eps: 0 });
    const times = (factor: number) => ({
      ...inputs,
      v: inputs.v!.map((x) => factor * x),
      s0: inputs.s0!.map((x) => factor * x),
    });
    const [once, fourfold] = [run(inputs), run(times(-4))];
    expect(
      distance(
        fourfold.o!.values,
        once.o!.values.map((x) => -4 * x),
      ),
    ).toBe(0);
    expect(
      distance(
        fourfold.y!.values,
        once.y!.values.map((x) => -x),
      ),
    ).toBeLessThan(1e-15);
  });

  it('gives every row of y a mean square of 1', () => {
    const { inputs, run } = bench('retention', 'forward', { ...size, seqlen: 9 }, { eps: 0 });
    const values = run(inputs).y!.values as Float64Array;
    for (let row = 0; row < values.length; row += 12) {
      const square = values.subarray(row, row + 12).reduce((sum, x) => sum + x * x, 0) / 12;
      expect(square).toBeCloseTo(1, 12);
    }
  });

  it('has another o but the same y where rows are divided as in torchscale', () => {
    const plain = bench('retention', 'forward', { ...size, seqlen: 60 }, { eps: 1e-18 });
    const divided = bench('retention', 'forward', { ...size, seqlen: 60 }, { eps: 1e-18, normalize: true });
    const [a, b] = [plain.run(plain.inputs), divided.run(plain.inputs)];
    expect(distance(b.y!.values, a.y!.values)).toBeLessThan(2e-11);
    expect(distance(b.o!.values, a.o!.values)).toBeGreaterThan(1e-2);
    expect(b.s).toEqual(a.s);
  });

  it('computes rows within a budget that equal those of the whole, divided or not', () => {
    for (const normalize of [false, true]) {
      const shape = { batch: 2, heads: 4, seqlen: 100, headDim: 8, headDimV: 16 };
      const { inputs, run } = bench('retention', 'forward', shape, { normalize });
      const full = run(inputs);
      const sampled = run(inputs, 'f64', 9_000);
      expect(sampled.y!.rows!.length).toBeLessThan(100);
      sampled.y!.rows!.forEach((row, place) => {
        for (let column = 0; column < 16; column++)
          expect(sampled.y!.values[place * 16 + column]).toBeCloseTo(full.y!.values[row * 16 + column]!, 10);
      });
    }
  });

  it('does not hand on a state where the sums of torchscale would start again', () => {
    expect(findMechanism('retention')!.recurrence!.options).toEqual({ normalize: false });
  });
});
