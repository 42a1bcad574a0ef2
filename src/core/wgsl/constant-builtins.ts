import { roundTo } from '../numerics/ulp.js';
import type { AnyScalar, AnyType } from './abstract-types.js';
import {
  type Folded,
  foldBinary,
  foldBitcast,
  foldDot,
  FoldError,
  settle,
  type TypedConstant,
} from './constant-fold.js';

type Floats = Readonly<Record<string, (a: number, b: number, c: number) => number>>;

/** Nearest integer, ties to even. */
function roundEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

const within = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Functions of numbers that work component by component; their results are rounded to the type afterwards. */
const ofNumbers: Floats = {
  abs: Math.abs,
  sign: Math.sign,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  clamp: (value, low, high) => Math.min(Math.max(value, low), high),
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  atan2: Math.atan2,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  degrees: (value) => (value * 180) / Math.PI,
  exp: Math.exp,
  exp2: (value) => 2 ** value,
  floor: Math.floor,
  fma: (a, b, c) => a * b + c,
  fract: (value) => value - Math.floor(value),
  inverseSqrt: (value) => 1 / Math.sqrt(value),
  log: Math.log,
  log2: Math.log2,
  mix: (a, b, share) => a * (1 - share) + b * share,
  pow: (base, exponent) => base ** exponent,
  radians: (value) => (value * Math.PI) / 180,
  round: roundEven,
  saturate: (value) => within(value, 0, 1),
  sin: Math.sin,
  sinh: Math.sinh,
  smoothstep: (low, high, value) => {
    const t = within((value - low) / (high - low), 0, 1);
    return t * t * (3 - 2 * t);
  },
  sqrt: Math.sqrt,
  step: (edge, value) => (value >= edge ? 1 : 0),
  tan: Math.tan,
  tanh: Math.tanh,
  trunc: Math.trunc,
  ldexp: (value, exponent) => value * 2 ** exponent,
  quantizeToF16: (value) => roundTo('f16', value),
  countLeadingZeros: (value) => Math.clz32(value),
  countTrailingZeros: (value) => (value === 0 ? 32 : 31 - Math.clz32(value & -value)),
  countOneBits: (value) => (value >>> 0).toString(2).replaceAll('0', '').length,
  firstTrailingBit: (value) => (value === 0 ? -1 : 31 - Math.clz32(value & -value)),
  // Of a negative number the first bit that differs from the sign; -1 where there is none.
  firstLeadingBit: (value) => 31 - Math.clz32(value < 0 ? ~value : value),
  reverseBits: (value) => {
    let reversed = 0;
    for (let bit = 0; bit < 32; bit++) reversed = (reversed << 1) | ((value >>> bit) & 1);
    return reversed;
  },
};

/** `abs`, `min`, `max`, `clamp` and `sign` of abstract integers, which have 64 bits. */
function ofIntegers(name: string, [a, b, c]: readonly bigint[]): bigint {
  const lesser = (x: bigint, y: bigint): bigint => (x < y ? x : y);
  const greater = (x: bigint, y: bigint): bigint => (x < y ? y : x);
  switch (name) {
    case 'abs':
      return a! < 0n ? -a! : a!;
    case 'sign':
      return a! > 0n ? 1n : a! < 0n ? -1n : 0n;
    case 'min':
      return lesser(a!, b!);
    case 'max':
      return greater(a!, b!);
    default:
      return lesser(greater(a!, b!), c!);
  }
}

const list = (value: Folded): readonly Folded[] => (typeof value === 'object' ? value : [value]);
const numbers = (value: Folded): readonly number[] => list(value).map(Number);

/** Applies `combine` to the components of all values at once; scalars among them stand for every component. */
function componentwise(values: readonly Folded[], combine: (parts: readonly Folded[]) => Folded): Folded {
  const longest = values.find((value) => typeof value === 'object');
  if (longest === undefined) return combine(values);
  return list(longest).map((_, i) => combine(values.map((value) => (typeof value === 'object' ? value[i]! : value))));
}

function ofNumbersOrIntegers(name: string, values: readonly Folded[], scalar: AnyScalar): Folded {
  return componentwise(values, (parts) => {
    if (scalar === 'abstract-int') return settle(ofIntegers(name, parts as readonly bigint[]), scalar);
    const [a, b, c] = parts.map(Number);
    const result = ofNumbers[name]!(a!, b ?? 0, c ?? 0);
    if (Number.isNaN(result)) {
      const shown = parts.map(String).join(', ');
      throw new FoldError(`${name}(${shown}) has no value.`, 'Keep the arguments in the range of the function.');
    }
    return settle(result, scalar);
  });
}

/** Packs components into the bytes or halves of a word, the first one lowest. */
const pack = (parts: readonly number[], bits: number): number =>
  parts.reduce((word, part, i) => word | ((part & (2 ** bits - 1)) << (bits * i)), 0) >>> 0;

/** The signed or unsigned fields of a word, the lowest first. */
function unpack(word: number, bits: number, isSigned: boolean): number[] {
  return Array.from({ length: 32 / bits }, (_, i) => {
    const raised = word << (32 - bits * (i + 1));
    return isSigned ? raised >> (32 - bits) : raised >>> (32 - bits);
  });
}

/** `round(x)` as packing has it: halves go up. */
const nearest = (value: number): number => Math.floor(0.5 + value);
const half = (parts: number): AnyType => ({ kind: 'vector', width: parts === 2 ? 2 : 4, scalar: 'f16' });
const word: AnyType = { kind: 'scalar', scalar: 'u32' };

function packing(name: string, value: Folded, other: Folded | undefined): Folded | null {
  const parts = numbers(value);
  const bits = name.includes('2x16') ? 16 : 8;
  const largest = { snorm: 2 ** (bits - 1) - 1, unorm: 2 ** bits - 1 };
  const first = parts[0]!;
  switch (name) {
    case 'pack2x16float':
      return foldBitcast(
        parts.map((part) => Number(settle(part, 'f16'))),
        half(2),
        word,
      );
    case 'pack2x16snorm':
    case 'pack4x8snorm':
      return pack(
        parts.map((part) => nearest(largest.snorm * within(part, -1, 1))),
        bits,
      );
    case 'pack2x16unorm':
    case 'pack4x8unorm':
      return pack(
        parts.map((part) => nearest(largest.unorm * within(part, 0, 1))),
        bits,
      );
    case 'pack4xI8':
    case 'pack4xU8':
      return pack(parts, 8);
    case 'pack4xI8Clamp':
      return pack(
        parts.map((part) => within(part, -128, 127)),
        8,
      );
    case 'pack4xU8Clamp':
      return pack(
        parts.map((part) => within(part, 0, 255)),
        8,
      );
    case 'unpack2x16float':
      return foldBitcast(value, word, half(2));
    case 'unpack2x16snorm':
    case 'unpack4x8snorm':
      return unpack(first, bits, true).map((part) => Math.fround(Math.max(part / largest.snorm, -1)));
    case 'unpack2x16unorm':
    case 'unpack4x8unorm':
      return unpack(first, bits, false).map((part) => Math.fround(part / largest.unorm));
    case 'unpack4xI8':
    case 'unpack4xU8':
      return unpack(first, 8, name === 'unpack4xI8');
    case 'dot4I8Packed':
    case 'dot4U8Packed': {
      const isSigned = name === 'dot4I8Packed';
      const [a, b] = [unpack(first, 8, isSigned), unpack(Number(other), 8, isSigned)];
      return a.reduce((sum, part, i) => sum + part * b[i]!, 0);
    }
    default:
      return null;
  }
}

/** A range of bits must lie within a number, where it is constant. */
function checkBits(offset: number, count: number): void {
  if (offset + count <= 32) return;
  throw new FoldError(`Bits ${offset} to ${offset + count} are not all within 32 bits.`, 'Choose a smaller range.');
}

/** Bits `offset` to `offset + count` of a number. */
function extractBits(value: number, offset: number, count: number, isSigned: boolean): number {
  checkBits(offset, count);
  if (count === 0) return 0;
  const raised = value << (32 - offset - count);
  return isSigned ? raised >> (32 - count) : raised >>> (32 - count);
}

function insertBits(value: number, bits: number, offset: number, count: number): number {
  checkBits(offset, count);
  if (count === 0) return value;
  const mask = count === 32 ? -1 : ((1 << count) - 1) << offset;
  return (value & ~mask) | ((bits << offset) & mask);
}

/** Products, lengths and directions of vectors, each step rounded to the scalar. */
function geometry(name: string, args: readonly TypedConstant[], scalar: AnyScalar): Folded | null {
  const typed = (value: Folded): TypedConstant => ({ type: args[0]!.type, value });
  const scalarOne = (value: number): TypedConstant => ({ type: { kind: 'scalar', scalar }, value });
  const [a, b, c] = args;
  const size = (value: Folded): number => {
    if (typeof value !== 'object') return Math.abs(Number(value));
    const parts = list(value);
    return Number(settle(Math.sqrt(Number(foldDot(parts, parts, scalar))), scalar));
  };
  switch (name) {
    case 'dot':
      return foldDot(list(a!.value), list(b!.value), scalar);
    case 'length':
      return size(a!.value);
    case 'distance':
      return size(foldBinary('-', a!, b!, scalar));
    case 'normalize':
      return foldBinary('/', a!, scalarOne(size(a!.value)), scalar);
    case 'cross': {
      const [x, y] = [list(a!.value), list(b!.value)];
      const turned = (u: readonly Folded[], by: number): Folded[] => [0, 1, 2].map((i) => u[(i + by) % 3]!);
      const product = (i: number, j: number): TypedConstant =>
        typed(foldBinary('*', typed(turned(x, i)), typed(turned(y, j)), scalar));
      return foldBinary('-', product(1, 2), product(2, 1), scalar);
    }
    case 'faceForward':
      return Number(foldDot(list(b!.value), list(c!.value), scalar)) < 0
        ? a!.value
        : foldBinary('*', scalarOne(-1), a!, scalar);
    case 'reflect': {
      const twice = settle(2 * Number(foldDot(list(b!.value), list(a!.value), scalar)), scalar);
      return foldBinary('-', a!, typed(foldBinary('*', scalarOne(Number(twice)), b!, scalar)), scalar);
    }
    case 'refract':
      return refract(a!, b!, Number(c!.value), scalar);
    default:
      return null;
  }
}

function refract(incident: TypedConstant, normal: TypedConstant, ratio: number, scalar: AnyScalar): Folded {
  const cosine = Number(foldDot(list(normal.value), list(incident.value), scalar));
  const rest = 1 - ratio * ratio * (1 - cosine * cosine);
  if (rest < 0) return list(incident.value).map(() => 0);
  const along = ratio * cosine + Math.sqrt(rest);
  const bent = numbers(incident.value).map((part, i) => ratio * part - along * numbers(normal.value)[i]!);
  return bent.map((part) => settle(part, scalar));
}

/** `frexp` of a number: a fraction from 0.5 to 1 and the power of two that it is multiplied by. */
function frexp(value: number): { readonly fract: number; readonly exp: number } {
  if (value === 0) return { fract: value, exp: 0 };
  let exp = Math.floor(Math.log2(Math.abs(value))) + 1;
  let fract = value / 2 ** exp;
  // log2 rounds: just below a power of two it may be one too high or low.
  if (Math.abs(fract) >= 1) [fract, exp] = [fract / 2, exp + 1];
  if (Math.abs(fract) < 0.5) [fract, exp] = [fract * 2, exp - 1];
  return { fract, exp };
}

/** The members of `frexp` or `modf` of a float scalar or vector. */
export function foldSplit(name: 'frexp' | 'modf', value: Folded, scalar: AnyScalar): readonly Folded[] {
  const each = (change: (x: number) => Folded): Folded => componentwise([value], ([x]) => change(Number(x)));
  if (name === 'modf') return [each((x) => x % 1), each((x) => Math.trunc(x))];
  const exponent = (x: number): Folded => (scalar === 'abstract-float' ? BigInt(frexp(x).exp) : frexp(x).exp);
  return [each((x) => frexp(x).fract), each(exponent)];
}

/** Sum of the products of a row and the cofactors of its elements. */
function determinant(columns: readonly (readonly number[])[]): number {
  if (columns.length === 1) return columns[0]![0]!;
  return columns.reduce((sum, column, j) => {
    const minor = columns.filter((_, other) => other !== j).map((rest) => rest.slice(1));
    return sum + (j % 2 === 0 ? 1 : -1) * column[0]! * determinant(minor);
  }, 0);
}

/** `determinant` and `transpose` of a constant matrix. */
export function foldMatrix(name: 'determinant' | 'transpose', value: Folded, scalar: AnyScalar): Folded {
  const columns = list(value).map(list);
  if (name === 'determinant') return settle(determinant(columns.map((column) => column.map(Number))), scalar);
  return columns[0]!.map((_, row) => columns.map((column) => column[row]!));
}

/**
 * The value of a built-in function of values with constant arguments, which are of the types its overload takes;
 * `scalar` is the scalar type of that overload. Fails where WGSL has no value.
 */
export function foldBuiltin(name: string, args: readonly TypedConstant[], scalar: AnyScalar): Folded {
  const values = args.map(({ value }) => value);
  const [a, b, c, d] = values;
  switch (name) {
    case 'all':
      return list(a!).every(Boolean);
    case 'any':
      return list(a!).some(Boolean);
    case 'select':
      if (typeof c === 'boolean') return c ? b! : a!;
      return componentwise(values, (parts) => (parts[2] === true ? parts[1]! : parts[0]!));
    case 'extractBits':
      return componentwise([a!], ([x]) =>
        settle(extractBits(Number(x), Number(b), Number(c), scalar === 'i32'), scalar),
      );
    case 'insertBits':
      return componentwise([a!, b!], ([x, y]) =>
        settle(insertBits(Number(x), Number(y), Number(c), Number(d)), scalar),
      );
    default: {
      if (Object.hasOwn(ofNumbers, name)) {
        const result = name === 'quantizeToF16' ? 'f32' : scalar;
        return ofNumbersOrIntegers(name, values, result);
      }
      const found = packing(name, a!, b) ?? geometry(name, args, scalar);
      if (found === null) throw new FoldError(`${name} is not evaluated at compile time here.`, 'Use a let.');
      return found;
    }
  }
}
