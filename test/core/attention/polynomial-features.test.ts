import { describe, expect, it } from 'vitest';
import { monomialWidth, taylorFeatures, taylorWidth } from '../../../src/core/attention/polynomial-features.js';
import { arithmetic } from '../../../src/core/numerics/arithmetic.js';
import { normalValues } from '../../../src/core/numerics/random.js';
import { bench } from './run-reference.js';

const math = arithmetic('f64');

describe('polynomial features', () => {
  it('of taylor2 have inner products 1 + q·k + (q·k)²/2', () => {
    const width = taylorWidth(12);
    const x = new Float64Array(normalValues(8 * 12, 3, 'x'));
    const y = taylorFeatures(math, x, 12);
    for (let q = 0; q < 8; q++) {
      for (let k = 0; k < 8; k++) {
        const product = math.dot(x, q * 12, x, k * 12, 12);
        const features = math.dot(y, q * width, y, k * width, width);
        expect(features).toBeCloseTo(1 + product + product ** 2 / 2, 9);
      }
    }
  });

  it('of monomial2 hold each product once, in the order of its first factor', () => {
    const shape = { heads: 1, seqlen: 1, headDim: 3, featureDim: monomialWidth(3) };
    const { run } = bench('polynomial-features', 'forward', shape, {});
    const { values } = run({ x: Float32Array.of(2, 3, 5) }).y!;
    expect(Array.from(values)).toEqual([1, 2, 3, 5, 4, 6, 10, 9, 15, 25]);
  });

  it('are told apart by their width', () => {
    const problem = (headDim: number, featureDim: number): string | null => {
      const { mechanism, shape, options } = bench('polynomial-features', 'forward', { headDim, featureDim }, {});
      return mechanism.validate(shape, options);
    };
    expect(problem(8, 73)).toBeNull();
    expect(problem(8, 45)).toBeNull();
    expect(problem(8, 64)).toMatch(/featureDim is 64 and headDim is 8.*73 \(taylor2\) or 45 \(monomial2\)/);
    expect(problem(1, 3)).toMatch(/headDim is 1.*told apart/);
  });

  it('are computed for the first and the last rows where the budget does not allow all', () => {
    const { inputs, run } = bench('polynomial-features', 'forward', { heads: 2, seqlen: 30 }, {});
    const { rows, values } = run(inputs, 'f64', 3000).y!;
    expect(rows!.length).toBeLessThan(60);
    expect([rows![0], rows!.at(-1)]).toEqual([0, 59]);
    expect(values.subarray(-273)).toEqual(run(inputs).y!.values.subarray(-273));
  });
});
