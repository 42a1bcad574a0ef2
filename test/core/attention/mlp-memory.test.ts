import { describe, expect, it } from 'vitest';
import type { Inputs } from '../../../src/core/attention/mechanism.js';
import { erf, geluOf, mlpPass } from '../../../src/core/attention/mlp-memory.js';
import { arithmetic } from '../../../src/core/numerics/arithmetic.js';
import { bench, distance } from './run-reference.js';

const math = arithmetic('f64');

describe('GELU', () => {
  it('has the error function of the tables', () => {
    // Abramowitz and Stegun, table 7.1, and their 7.1.23 for 1 - erf(5).
    expect(erf(0)).toBe(0);
    expect(erf(0.5)).toBeCloseTo(0.5204998778, 10);
    expect(erf(1)).toBeCloseTo(0.8427007929, 10);
    expect(erf(2)).toBeCloseTo(0.9953222650189527, 14);
    expect(1 - erf(5)).toBeCloseTo(1.537e-12, 14);
    expect(erf(-1.3)).toBe(-erf(1.3));
    expect([erf(7), erf(-40)]).toEqual([1, -1]);
  });

  it.each(['erf', 'tanh'])('%s has the slope of its own values', (kind) => {
    const { value, slope } = geluOf(kind);
    for (let x = -5; x <= 5; x += 0.37) {
      expect((value(x + 1e-5) - value(x - 1e-5)) / 2e-5).toBeCloseTo(slope(x), 9);
    }
    expect(value(0)).toBe(0);
    expect(slope(0)).toBe(0.5);
  });

  it('has a tanh form that is near, and another function', () => {
    let apart = 0;
    for (let x = -5; x <= 5; x += 0.1) {
      apart = Math.max(apart, Math.abs(geluOf('erf').value(x) - geluOf('tanh').value(x)));
    }
    expect(apart).toBeGreaterThan(3e-4);
    expect(apart).toBeLessThan(6e-4);
  });
});

const size = { batch: 2, heads: 2, seqlen: 5, headDim: 8, hiddenDim: 12 };

describe('the gradient of an MLP memory', () => {
  for (const gelu of ['erf', 'tanh']) {
    it(`with ${gelu} is what the loss does when the weights move`, () => {
      const { inputs, run } = bench('mlp-gradient', 'forward', size, { gelu });
      const { dw1, dw2 } = run(inputs);
      for (const [name, gradient] of [
        ['w1', Float64Array.from(dw1!.values)],
        ['w2', Float64Array.from(dw2!.values)],
      ] as const) {
        const direction = Float32Array.from({ length: gradient.length }, (_, at) => Math.sin(3 + 5 * at));
        const lossAt = (step: number): number => {
          const moved = inputs[name]!.map((x, at) => x + step * direction[at]!);
          return Float64Array.from(run({ ...inputs, [name]: moved }).loss!.values).reduce((sum, x) => sum + x, 0);
        };
        const slope = gradient.reduce((sum, x, at) => sum + x * direction[at]!, 0);
        // Weights are float32, so that a step is known to 1e-7 of a weight: hence a long one.
        expect((lossAt(2 ** -8) - lossAt(-(2 ** -8))) / 2 ** -7 / slope).toBeCloseTo(1, 4);
      }
    });
  }

  it('is zero, and so is the loss, where the memory knows every value', () => {
    const { inputs, run } = bench('mlp-gradient', 'forward', { heads: 1, seqlen: 3, headDim: 8, hiddenDim: 12 }, {});
    const wide = (name: string): Float64Array => new Float64Array(inputs[name]!);
    const memory = { headDim: 8, hiddenDim: 12, activation: geluOf('erf'), w1: wide('w1'), w2: wide('w2') };
    const v = [0, 1, 2].flatMap((t) => [...mlpPass(math, memory, wide('x'), 8 * t).answer]);
    const { loss, dw1, dw2 } = run({ ...inputs, v: Float32Array.from(v) });
    expect(loss!.values[0]).toBeLessThan(1e-12);
    expect(Math.max(...dw1!.values.map(Math.abs), ...dw2!.values.map(Math.abs))).toBeLessThan(1e-6);
  });

  it('adds up over tokens, in proportion to their weights', () => {
    const { inputs, run } = bench('mlp-gradient', 'forward', size, {});
    const weighted = (w: (token: number) => number): Inputs => ({
      ...inputs,
      w: inputs.w!.map((_, at) => w(at % size.seqlen)),
    });
    const all = run(weighted((token) => 2 + token));
    const parts = Array.from({ length: size.seqlen }, (_, token) =>
      run(weighted((other) => (other === token ? 1 : 0))),
    );
    for (const name of ['loss', 'dw1', 'dw2']) {
      const sum = all[name]!.values.map((_, at) =>
        parts.reduce((total, part, token) => total + (2 + token) * part[name]!.values[at]!, 0),
      );
      expect(distance(all[name]!.values, sum)).toBeLessThan(1e-14);
    }
  });

  it('computes the first and the last head where the budget does not allow all', () => {
    const { inputs, run } = bench('mlp-gradient', 'forward', size, {});
    const [full, sampled] = [run(inputs), run(inputs, 'f64', 1)];
    expect(sampled.loss!.values[0]).toBe(full.loss!.values[0]);
    expect(sampled.loss!.values[1]).toBeNaN();
    expect(Array.from(sampled.dw1!.rows!)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]);
    expect(sampled.dw1!.values.subarray(96)).toEqual(full.dw1!.values.subarray(288));
  });
});
