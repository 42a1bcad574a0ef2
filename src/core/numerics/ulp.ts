import { f16round } from '@petamoriken/float16';

/** A format that tensors are stored in. */
export type StorageFormat = 'f32' | 'f16';

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** Place of a float32 on the line of all float32 values, zero at zero; neighbours differ by one. */
function placeOfF32(value: number): number {
  float[0] = value;
  const word = bits[0]!;
  return word >= 0 ? word : -(word & 0x7fffffff);
}

const smallestNormalF16 = 2 ** -14;

/** Place of a float16 on the line of all float16 values, zero at zero; neighbours differ by one. */
function placeOfF16(value: number): number {
  const size = Math.abs(value);
  float[0] = size;
  const place = size < smallestNormalF16 ? size * 2 ** 24 : (bits[0]! >> 13) - (112 << 10);
  return value < 0 ? -place : place;
}

/** The nearest value of a storage format (ties to even). */
export function roundTo(format: StorageFormat, value: number): number {
  return format === 'f32' ? Math.fround(value) : f16round(value);
}

/**
 * Distance of two finite numbers in units in the last place: how many steps from one to the other over the values of
 * the format, both rounded to it first.
 */
export function ulpDistance(format: StorageFormat, a: number, b: number): number {
  return format === 'f32'
    ? Math.abs(placeOfF32(a) - placeOfF32(b))
    : Math.abs(placeOfF16(f16round(a)) - placeOfF16(f16round(b)));
}
