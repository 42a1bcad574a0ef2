import type { Precision } from '../attention/mechanism.js';

/**
 * The few operations all reference mathematics is written in, so that one text gives both the float64 truth and the
 * float32 baseline. Arrays are Float64Arrays in both; at `f32` every stored result is rounded to float32.
 */
export interface Arithmetic {
  readonly precision: Precision;
  /** The result of one operation as this precision stores it. */
  readonly round: (value: number) => number;
  /** Inner product of n elements from a[aStart] and b[bStart]. */
  readonly dot: (a: Float64Array, aStart: number, b: Float64Array, bStart: number, n: number) => number;
  /** y += factor · x over n elements from y[yStart] and x[xStart]. */
  readonly addScaled: (
    y: Float64Array,
    yStart: number,
    factor: number,
    x: Float64Array,
    xStart: number,
    n: number,
  ) => void;
  /** y *= factor over n elements from y[yStart]. */
  readonly scale: (y: Float64Array, yStart: number, factor: number, n: number) => void;
}

const float64: Arithmetic = {
  precision: 'f64',
  round: (value) => value,
  dot: (a, aStart, b, bStart, n) => {
    // Four sums hide the latency of the additions; at float64 their order does not matter to any verdict.
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    let i = 0;
    for (; i + 4 <= n; i += 4) {
      sum0 += a[aStart + i]! * b[bStart + i]!;
      sum1 += a[aStart + i + 1]! * b[bStart + i + 1]!;
      sum2 += a[aStart + i + 2]! * b[bStart + i + 2]!;
      sum3 += a[aStart + i + 3]! * b[bStart + i + 3]!;
    }
    for (; i < n; i++) sum0 += a[aStart + i]! * b[bStart + i]!;
    return sum0 + sum1 + (sum2 + sum3);
  },
  addScaled: (y, yStart, factor, x, xStart, n) => {
    for (let i = 0; i < n; i++) y[yStart + i]! += factor * x[xStart + i]!;
  },
  scale: (y, yStart, factor, n) => {
    for (let i = 0; i < n; i++) y[yStart + i]! *= factor;
  },
};

/** Multiply-adds are fused, as on a GPU: the product of two float32 is exact in float64 and the sum is rounded once. */
const float32: Arithmetic = {
  precision: 'f32',
  round: Math.fround,
  dot: (a, aStart, b, bStart, n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = Math.fround(sum + a[aStart + i]! * b[bStart + i]!);
    return sum;
  },
  addScaled: (y, yStart, factor, x, xStart, n) => {
    for (let i = 0; i < n; i++) y[yStart + i] = Math.fround(y[yStart + i]! + factor * x[xStart + i]!);
  },
  scale: (y, yStart, factor, n) => {
    for (let i = 0; i < n; i++) y[yStart + i] = Math.fround(y[yStart + i]! * factor);
  },
};

/** The operations at a precision. */
export function arithmetic(precision: Precision): Arithmetic {
  return precision === 'f64' ? float64 : float32;
}
