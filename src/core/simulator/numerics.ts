import { f16round, setFloat16 } from '@petamoriken/float16';
import { halfValues } from '../numerics/half.js';

const floats = new Float32Array(1);
const integers = new Int32Array(floats.buffer);
const half = new DataView(new ArrayBuffer(2));

/** Every f16 by its bits. */
export const halfTable: Float32Array = halfValues();

/** The nearest f16, ties to even. */
export const f16: (value: number) => number = f16round;

/** The bits of an f16. */
export function f16bits(value: number): number {
  setFloat16(half, 0, value, true);
  return half.getUint16(0, true);
}

/** The bits of an f32, as an int32. */
export function f32bits(value: number): number {
  floats[0] = value;
  return integers[0]!;
}

/** The f32 of these bits. */
export function bitsf32(bits: number): number {
  integers[0] = bits;
  return floats[0]!;
}

/** A float converted to i32: towards zero, saturated to what both formats hold, 0 for NaN. */
export function toI32(value: number): number {
  return value >= 2147483648 ? 2147483520 : value <= -2147483648 ? -2147483648 : value | 0;
}

/** A float converted to u32, as an int32: towards zero, saturated to what both formats hold, 0 for NaN. */
export function toU32(value: number): number {
  return value >= 4294967296 ? 4294967040 | 0 : value > 0 ? value | 0 : 0;
}

/** Rounds to an integer, ties to even. */
export function roundEven(value: number): number {
  if (Math.abs(value) >= 2 ** 52 || !Number.isFinite(value)) return value;
  const floor = Math.floor(value);
  const above = value - floor;
  if (above < 0.5 || (above === 0.5 && floor % 2 === 0)) return floor === 0 && value < 0 ? -0 : floor;
  return floor + 1 === 0 ? -0 : floor + 1;
}

/** value · 2^power; in two steps, so that no power overflows before the product does. */
export function ldexp(value: number, power: number): number {
  const bounded = Math.max(-300, Math.min(300, power));
  return value * 2 ** bounded;
}

/** Powers of two that an f32 may be near to, from 2^-151 on, and those between 1 and 2. */
const wholePowers = Float64Array.from({ length: 279 }, (_, index) => 2 ** (index - 151));
const partPowers = Float64Array.from({ length: 256 }, (_, index) => 2 ** (index / 256));

/** More than the polynomial of `exp2` is wrong by, relative to the result. */
const exp2Error = 1e-12;

/**
 * 2^power rounded to f32, the same as of `Math.pow` in a quarter of its time. A table and three terms of a series for the
 * 1/512 around its entries are good to 13 digits; only where that leaves open to which f32 to round, `Math.pow` decides.
 */
export function exp2(power: number): number {
  if (!(power > -151 && power < 128)) return power < 0 ? 0 : power > 0 ? Infinity : power;
  const at = (power * 256 + (151 * 256 + 0.5)) | 0;
  const rest = (power - (at / 256 - 151)) * Math.LN2;
  const series = 1 + rest * (1 + rest * (0.5 + rest * (1 / 6)));
  const value = wholePowers[at >> 8]! * partPowers[at & 255]! * series;
  const low = Math.fround(value * (1 - exp2Error));
  return low === Math.fround(value * (1 + exp2Error)) ? low : Math.fround(Math.pow(2, power));
}

/** WGSL's smoothstep: t² (3 - 2t) with t = (x - low) / (high - low) clamped to 0 … 1. */
export function smoothstep(low: number, high: number, x: number): number {
  const t = Math.min(Math.max((x - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
}

/** The power of two of `frexp`: value = fraction · 2^exponent with a fraction of 0.5 up to 1. */
export function frexpExponent(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return 0;
  let exponent = Math.max(-1073, Math.floor(Math.log2(Math.abs(value))) + 1);
  let fraction = Math.abs(value) * 2 ** -exponent;
  for (; fraction >= 1; exponent++) fraction /= 2;
  for (; fraction < 0.5; exponent--) fraction *= 2;
  return exponent;
}

/** The fraction of `frexp`. */
export function frexpFraction(value: number): number {
  return value === 0 || !Number.isFinite(value) ? value : value * 2 ** -frexpExponent(value);
}

/** Bits that are one. */
export function countOneBits(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The bits in reverse order. */
export function reverseBits(bits: number): number {
  let word = ((bits >>> 1) & 0x55555555) | ((bits & 0x55555555) << 1);
  word = ((word >>> 2) & 0x33333333) | ((word & 0x33333333) << 2);
  word = ((word >>> 4) & 0x0f0f0f0f) | ((word & 0x0f0f0f0f) << 4);
  word = ((word >>> 8) & 0x00ff00ff) | ((word & 0x00ff00ff) << 8);
  return (word >>> 16) | (word << 16);
}

/** Offset and count of a bit field as WGSL clamps them. */
function fieldOf(offset: number, count: number): readonly [number, number] {
  const start = Math.min(offset >>> 0, 32);
  return [start, Math.min(count >>> 0, 32 - start)];
}

/** `count` bits from `offset` on, sign-extended where the word is an i32. */
export function extractBits(word: number, offset: number, count: number, signed: boolean): number {
  const [start, width] = fieldOf(offset, count);
  if (width === 0) return 0;
  const moved = word << (32 - start - width);
  return signed ? moved >> (32 - width) : (moved >>> (32 - width)) | 0;
}

/** `word` with the low `count` bits of `bits` at `offset`. */
export function insertBits(word: number, bits: number, offset: number, count: number): number {
  const [start, width] = fieldOf(offset, count);
  if (width === 0) return word;
  const mask = (width === 32 ? -1 : (1 << width) - 1) << start;
  return (word & ~mask) | ((bits << start) & mask);
}
