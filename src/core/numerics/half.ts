/**
 * The bits of the float16 nearest to a float32, ties to even, from the bits of that float32: a few integer operations,
 * because tensors of millions of elements are stored by it. A NaN becomes a quiet NaN of the same sign.
 */
export function halfBits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  // Below the smallest normal, 2^-14, halves are the multiples of 2^-24.
  if (magnitude < 0x38800000) return sign | multiplesOfSmallest(magnitude);
  // The exponent's bias falls from 127 to 15; a carry out of the fraction raises the exponent, up to infinity.
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** A small float32 in units of 2^-24, ties to even: what is left of its fraction beside a half, whose last digit that is. */
function multiplesOfSmallest(magnitude: number): number {
  bits[0] = magnitude;
  float[0] = float[0]! + 0.5;
  return bits[0] - 0x3f000000;
}

let table: Float32Array | null = null;

/** The value of every float16 by its bits, made at first use: it makes widening millions of elements cheap. */
export function halfValues(): Float32Array {
  return (table ??= widenAll());
}

/** From the bits, by a few integer operations: the table is made anew in each process, whose first loops run slowly. */
function widenAll(): Float32Array {
  const words = new Int32Array(0x10000);
  const values = new Float32Array(words.buffer);
  for (let half = 0; half < 0x0400; half++) values[half] = half * 2 ** -24;
  for (let half = 0x0400; half < 0x7c00; half++) words[half] = (half << 13) + 0x38000000;
  words[0x7c00] = 0x7f800000;
  // A NaN keeps its payload and is quiet.
  for (let half = 0x7c01; half < 0x8000; half++) words[half] = (half << 13) | 0x7fc00000;
  for (let half = 0; half < 0x8000; half++) words[0x8000 + half] = words[half]! | 0x80000000;
  return values;
}

/** The values as float16 holds them, ties to even. */
export function roundToHalves(values: Float32Array): Float32Array {
  const table = halfValues();
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Float32Array(values.length);
  for (let at = 0; at < words.length; at++) rounded[at] = table[halfBits(words[at]!)]!;
  return rounded;
}
