import { describe, expect, it } from 'vitest';
import { performerProjection } from '../../../src/core/attention/performer-attention.js';
import { bench, distance, tokens } from './run-reference.js';

const id = 'performer-attention';

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!;
  return sum;
}

describe('directions of FAVOR+', () => {
  it('are orthogonal in blocks of headDim, as long as normal vectors are or headDim^1/2', () => {
    const rows = (kind: string): Float32Array[] => {
      const all = performerProjection(kind, 20, 8, 3);
      return Array.from({ length: 20 }, (_, row) => all.subarray(8 * row, 8 * row + 8));
    };
    for (const kind of ['orthogonal', 'sphere']) {
      const directions = rows(kind);
      for (let a = 0; a < 20; a++) {
        for (let b = a - (a % 8); b < a; b++) expect(Math.abs(dot(directions[a]!, directions[b]!))).toBeLessThan(2e-6);
      }
    }
    for (const row of rows('sphere')) expect(dot(row, row)).toBeCloseTo(8, 5);
    const squares = rows('orthogonal').map((row) => dot(row, row));
    expect(Math.max(...squares)).toBeGreaterThan(1.5 * Math.min(...squares));
    expect(Math.abs(dot(rows('iid')[0]!, rows('iid')[1]!))).toBeGreaterThan(1e-2);
  });
});

describe('features of FAVOR+', () => {
  const size = { heads: 1, seqlen: 1, headDim: 8, featureDim: 16 };
  const { inputs, run } = bench(id, 'forward', size, { eps: 0 });
  const q = inputs.q!.map((value) => value / 2);
  const k = inputs.k!.map((value) => value / 2);

  /** φ(q) · φ(k) without the constants that keep the exponents at zero or less. */
  function estimate(projection: Float32Array): number {
    const { qp, kp } = run({ ...inputs, q, k, projection });
    const largest = (x: Float32Array): number => {
      const u = Array.from({ length: 16 }, (_, j) => 8 ** -0.25 * dot(projection.subarray(8 * j, 8 * j + 8), x));
      return Math.max(...u);
    };
    return dot(qp!.values, kp!.values) * Math.exp(largest(q) + largest(k));
  }

  function statistics(kind: string): { mean: number; variance: number } {
    const draws = Array.from({ length: 256 }, (_, seed) => estimate(performerProjection(kind, 16, 8, seed)));
    const mean = draws.reduce((sum, value) => sum + value, 0) / 256;
    return { mean, variance: draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 255 };
  }

  it('have products that are exp(q · k / sqrt(d)) on average, and vary less where directions are orthogonal', () => {
    const truth = Math.exp(dot(q, k) / Math.sqrt(8));
    const [orthogonal, iid] = [statistics('orthogonal'), statistics('iid')];
    for (const { mean, variance } of [orthogonal, iid]) {
      expect(Math.abs(mean - truth)).toBeLessThan(3 * Math.sqrt(variance / 256));
    }
    expect(orthogonal.variance).toBeLessThan(iid.variance);
  });

  it('come near softmax attention where there are many of them', () => {
    const shape = { heads: 2, seqlen: 24, headDim: 8 };
    const performer = bench(id, 'forward', { ...shape, featureDim: 1024 }, { eps: 1e-12 });
    const softmax = bench('softmax-attention', 'forward', shape, {});
    const halved = (name: string): Float32Array => performer.inputs[name]!.map((value) => value / 2);
    const given = { ...performer.inputs, q: halved('q'), k: halved('k') };
    expect(distance(performer.run(given).o!.values, softmax.run(given).o!.values)).toBeLessThan(0.1);
  });
});

describe('causality', () => {
  it('holds but for the largest projection of a key, which spans the sequence', () => {
    const { inputs, run } = bench(id, 'forward', { heads: 1, seqlen: 40, headDim: 8 }, {});
    const later = (values: Float32Array, change: (value: number) => number): Float32Array =>
      values.map((value, at) => (Math.floor(at / 8) > 20 ? change(value) : value));
    const before = run(inputs).o!.values as Float64Array;
    // A key of zeros has projections of zero, which is never the largest.
    const smaller = { ...inputs, k: later(inputs.k!, () => 0), v: later(inputs.v!, (value) => value + 1) };
    const kept = bench(id, 'forward', { heads: 1, seqlen: 40, headDim: 8 }, { eps: 1e-14 });
    const [a, b] = [kept.run(inputs).o!.values as Float64Array, kept.run(smaller).o!.values as Float64Array];
    expect(distance(tokens(b, 40, 8, 0, 21), tokens(a, 40, 8, 0, 21))).toBeLessThan(1e-9);
    expect(distance(tokens(b, 40, 8, 21, 40), tokens(a, 40, 8, 21, 40))).toBeGreaterThan(1e-2);
    const larger = { ...inputs, k: later(inputs.k!, (value) => 4 * value) };
    const shifted = run(larger).o!.values as Float64Array;
    expect(tokens(shifted, 40, 8, 0, 21)).not.toEqual(tokens(before, 40, 8, 0, 21));
  });
});

describe('sampling beyond a budget', () => {
  it('computes outputs and features of the same heads, or rows and one head, as the whole has them', () => {
    const { inputs, run } = bench(id, 'forward', { heads: 4, seqlen: 30, headDim: 8, featureDim: 12 }, {});
    const whole = run(inputs);
    for (const budget of [15_000, 2_000]) {
      const sampled = run(inputs, 'f64', budget);
      for (const name of ['o', 'qp', 'kp']) {
        const { rows, values, dims } = sampled[name]!;
        const width = dims.at(-1)!;
        expect(values.length).toBe(rows!.length * width);
        expect(rows!.length).toBeLessThan(4 * 30);
        rows!.forEach((row, place) => {
          for (let column = 0; column < width; column++) {
            expect(values[place * width + column]).toBeCloseTo(whole[name]!.values[row * width + column]!, 10);
          }
        });
      }
    }
  });
});
