import { describe, expect, it } from 'vitest';
import { newtonSchulz } from '../../../src/core/attention/newton-schulz.js';
import { arithmetic } from '../../../src/core/numerics/arithmetic.js';
import { normalValues } from '../../../src/core/numerics/random.js';
import { bench, distance } from './run-reference.js';

const math = arithmetic('f64');

/** `count` orthonormal rows of a width, by Gram–Schmidt on normal numbers. */
function orthonormal(count: number, width: number, stream: string): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let row = 0; row < count; row++) {
    const next = new Float64Array(normalValues(width, row, stream));
    for (const other of rows) math.addScaled(next, 0, -math.dot(next, 0, other, 0, width), other, 0, width);
    math.scale(next, 0, math.dot(next, 0, next, 0, width) ** -0.5, width);
    rows.push(next);
  }
  return rows;
}

/** Σ σ u vᵀ, and what u and v make of a matrix: its values σ where it has the same singular vectors. */
function singular(values: readonly number[], rows: number, columns: number) {
  const left = orthonormal(values.length, rows, 'left');
  const right = orthonormal(values.length, columns, 'right');
  const matrix = new Float64Array(rows * columns);
  values.forEach((value, at) => {
    for (let row = 0; row < rows; row++) {
      math.addScaled(matrix, row * columns, value * left[at]![row]!, right[at]!, 0, columns);
    }
  });
  const valuesOf = (x: Float64Array): number[] =>
    values.map((_, at) => {
      let sum = 0;
      for (let row = 0; row < rows; row++) {
        sum += left[at]![row]! * math.dot(x, row * columns, right[at]!, 0, columns);
      }
      return sum;
    });
  return { matrix, valuesOf };
}

function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    return matrix[(at % rows) * columns + Math.floor(at / rows)]!;
  });
}

describe('Newton–Schulz', () => {
  const spectrum = Array.from({ length: 24 }, (_, at) => 0.01 + (at / 23) ** 2);

  it('brings singular values from a hundredth of the norm into [0.68, 1.14] in five steps', () => {
    const { matrix, valuesOf } = singular(spectrum, 24, 40);
    const values = valuesOf(newtonSchulz(math, matrix, 24, 40, 5));
    const norm = Math.sqrt(math.dot(matrix, 0, matrix, 0, matrix.length));
    const large = values.filter((_, at) => spectrum[at]! / norm >= 0.01);
    expect(large.length).toBeGreaterThan(15);
    expect(Math.min(...large)).toBeGreaterThan(0.68);
    expect(Math.max(...large)).toBeLessThan(1.14);
    // One step is not enough: the bounds are not those of any matrix.
    expect(Math.min(...valuesOf(newtonSchulz(math, matrix, 24, 40, 1)))).toBeLessThan(0.1);
  });

  it('sends each singular value through the same polynomial and leaves the singular vectors', () => {
    const { matrix, valuesOf } = singular(spectrum, 30, 24);
    const norm = Math.sqrt(math.dot(matrix, 0, matrix, 0, matrix.length)) + 1e-7;
    const expected = spectrum.map((value) => {
      let s = value / norm;
      for (let step = 0; step < 3; step++) s = 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5;
      return s;
    });
    const x = newtonSchulz(math, matrix, 30, 24, 3);
    expect(distance(valuesOf(x), expected)).toBeLessThan(1e-12);
    const squares = math.dot(x, 0, x, 0, x.length);
    expect(squares).toBeCloseTo(
      expected.reduce((sum, s) => sum + s * s, 0),
      10,
    );
  });

  it('does not depend on the size of the matrix', () => {
    const { matrix } = singular(spectrum, 24, 24);
    const once = newtonSchulz(math, matrix, 24, 24, 5);
    const scaled = newtonSchulz(
      math,
      matrix.map((value) => 1000 * value),
      24,
      24,
      5,
    );
    expect(distance(scaled, once)).toBeLessThan(1e-6);
  });

  it('of the transposed matrix is the transposed result', () => {
    const { matrix } = singular(spectrum, 24, 40);
    const x = newtonSchulz(math, transpose(matrix, 24, 40), 40, 24, 5);
    expect(distance(x, transpose(newtonSchulz(math, matrix, 24, 40, 5), 24, 40))).toBeLessThan(1e-13);
  });

  it('leaves zero zero', () => {
    const { inputs, run } = bench('newton-schulz', 'forward', { rows: 5, columns: 7 }, { matrixKind: 'zero' });
    expect(run(inputs).x!.values.every((value) => value === 0)).toBe(true);
  });

  it('is held to a wider bound where matrices have rank 2, and only there', () => {
    const given = { batch: 2, rows: 12, columns: 9 };
    const low = bench('newton-schulz', 'forward', given, { matrixKind: 'lowRank' });
    expect(low.run(low.inputs).x!.tolerance?.bound).toBe(1e-3);
    const full = bench('newton-schulz', 'forward', given, {});
    expect(full.run(full.inputs).x!.tolerance).toBeUndefined();
  });

  it('computes the first and the last matrices where the budget does not allow all', () => {
    const { inputs, run } = bench('newton-schulz', 'forward', { batch: 9, rows: 6, columns: 8 }, {});
    const full = run(inputs);
    const { rows, values } = run(inputs, 'f64', 30_000).x!;
    expect(rows!.length).toBeLessThan(54);
    expect([rows![0], rows!.at(-1)]).toEqual([0, 53]);
    rows!.forEach((row, place) => {
      expect(values.subarray(place * 8, place * 8 + 8)).toEqual(full.x!.values.subarray(row * 8, row * 8 + 8));
    });
  });

  it('says what is wrong with a number of steps', () => {
    const { mechanism, shape, options } = bench('newton-schulz', 'forward', {}, { steps: 2.5 });
    expect(mechanism.validate(shape, options)).toMatch(/steps is 2.5.*whole number/);
  });
});
