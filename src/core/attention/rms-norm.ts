import type { Arithmetic } from '../numerics/arithmetic.js';

/** 1 / √(mean(x²) + eps) of the `width` numbers from x[at]: what the norm multiplies them by. */
function rowFactor(math: Arithmetic, x: Float64Array, at: number, width: number, eps: number): number {
  const mean = math.round(math.dot(x, at, x, at, width) / width);
  return math.round(1 / math.round(Math.sqrt(math.round(mean + eps))));
}

/**
 * Every row of `width` numbers over its root mean square, x / √(mean(x²) + eps): RMSNorm (Zhang and Sennrich 2019)
 * without weights, the norm after the heads of RetNet and of TransNormer.
 */
export function rmsNorm(math: Arithmetic, x: Float64Array, width: number, eps: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) math.addScaled(y, at, rowFactor(math, x, at, width, eps), x, at, width);
  return y;
}

/**
 * The gradient of x from that of y = rmsNorm(x): dx = r (dy - x̂ · mean(dy ⊙ x̂)) with r the factor of the row and
 * x̂ = r x.
 */
export function rmsNormBackward(
  math: Arithmetic,
  x: Float64Array,
  dy: Float64Array,
  width: number,
  eps: number,
): Float64Array {
  const dx = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const factor = rowFactor(math, x, at, width, eps);
    const along = math.round(math.round(factor * math.dot(dy, at, x, at, width)) / width);
    math.addScaled(dx, at, factor, dy, at, width);
    math.addScaled(dx, at, -math.round(math.round(factor * factor) * along), x, at, width);
  }
  return dx;
}
