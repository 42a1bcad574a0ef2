import type { Arithmetic } from '../numerics/arithmetic.js';

/** What turns the keys and values of one head of a Memory Mosaic into those that it compares and averages. */
export interface MosaicHead {
  readonly math: Arithmetic;
  /** λ = e^(-leak): what a step keeps of the average of keys. */
  readonly kept: number;
  /** c: how much of a token's own value goes into its pair, the rest is the next token's. */
  readonly mix: number;
  readonly keyScale: number;
  readonly valueScale: number;
  readonly eps: number;
}

/** Values before and after a norm, row by row. */
export interface NormedRows {
  readonly raw: Float64Array;
  readonly normed: Float64Array;
}

/** scale / (‖x‖ + eps) of the `width` numbers from x[at]: what the norm multiplies them by. */
function rowFactor(math: Arithmetic, x: Float64Array, at: number, width: number, scale: number, eps: number): number {
  const length = math.round(Math.sqrt(math.dot(x, at, x, at, width)));
  return math.round(scale / math.round(length + eps));
}

/** Every row of `width` numbers as long as `scale`: scale · x / (‖x‖ + eps). */
function normed(math: Arithmetic, x: Float64Array, width: number, scale: number, eps: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width)
    math.addScaled(y, at, rowFactor(math, x, at, width, scale, eps), x, at, width);
  return y;
}

/** dx = scale (r dy - x (dy · x) r² / ‖x‖) with r = 1 / (‖x‖ + eps): the gradient of `normed`, row by row. */
function normedBackward(
  math: Arithmetic,
  x: Float64Array,
  dy: Float64Array,
  width: number,
  scale: number,
  eps: number,
): Float64Array {
  const dx = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const length = math.round(Math.sqrt(math.dot(x, at, x, at, width)));
    const inverse = math.round(1 / math.round(length + eps));
    math.addScaled(dx, at, math.round(scale * inverse), dy, at, width);
    if (length === 0) continue;
    const along = math.round(math.round(math.dot(dy, at, x, at, width) / length) * math.round(inverse * inverse));
    math.addScaled(dx, at, -math.round(scale * along), x, at, width);
  }
  return dx;
}

/**
 * The leaky averages k̄_t = λ k̄_(t-1) + k_t of rows of keys, from `before`, and the keys k̂ = σ k̄ / (‖k̄‖ + eps) that a
 * head compares (nanoMosaics, KeyFeatureExtractor).
 */
export function mosaicKeys(head: MosaicHead, k: Float64Array, before: Float64Array): NormedRows {
  const { math, kept, keyScale, eps } = head;
  const width = before.length;
  const raw = new Float64Array(k);
  for (let at = 0; at < raw.length; at += width) {
    if (at === 0) math.addScaled(raw, 0, kept, before, 0, width);
    else math.addScaled(raw, at, kept, raw, at - width, width);
  }
  return { raw, normed: normed(math, raw, width, keyScale, eps) };
}

/**
 * The values v̂_t = τ v′ / (‖v′‖ + eps) with v′ = (1 - c) v_(t+1) + c v_t that a head averages, one for each row of `v` but
 * the last, which is only looked ahead at (nanoMosaics, ValFeatureExtractor).
 */
export function mosaicValues(head: MosaicHead, v: Float64Array, width: number): NormedRows {
  const { math, mix, valueScale, eps } = head;
  const raw = new Float64Array(v.length - width);
  math.addScaled(raw, 0, math.round(1 - mix), v, width, raw.length);
  math.addScaled(raw, 0, mix, v, 0, raw.length);
  return { raw, normed: normed(math, raw, width, valueScale, eps) };
}

/** The gradient of the keys from that of k̂: through the norm, then through the averages from the last token back. */
export function mosaicKeysBackward(
  head: MosaicHead,
  raw: Float64Array,
  gradient: Float64Array,
  width: number,
): Float64Array {
  const { math, kept, keyScale, eps } = head;
  const dk = normedBackward(math, raw, gradient, width, keyScale, eps);
  for (let at = dk.length - 2 * width; at >= 0; at -= width) math.addScaled(dk, at, kept, dk, at + width, width);
  return dk;
}

/** The gradient of the values from that of v̂: a token's value is in its own pair and in that of the token before it. */
export function mosaicValuesBackward(
  head: MosaicHead,
  raw: Float64Array,
  gradient: Float64Array,
  width: number,
): Float64Array {
  const { math, mix, valueScale, eps } = head;
  const through = normedBackward(math, raw, gradient, width, valueScale, eps);
  const dv = new Float64Array(through.length);
  math.addScaled(dv, 0, mix, through, 0, through.length);
  math.addScaled(dv, width, math.round(1 - mix), through, 0, through.length - width);
  return dv;
}
