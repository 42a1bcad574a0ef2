import { getFloat16, setFloat16 } from '@petamoriken/float16';
import { roundTo } from '../numerics/ulp.js';
import {
  type AnyScalar,
  type AnyType,
  elementCount,
  elementType,
  isFloat,
  type MatrixType,
  sameType,
  scalarOf,
  typeText,
} from './abstract-types.js';
import type { BinaryOperator, ConstantValue, UnaryOperator } from './program.js';

/**
 * A value known before the program runs, at full precision: abstract integers are bigints (WGSL gives them 64 bits),
 * all other numbers are numbers, composites are lists of their parts (a matrix of its columns).
 */
export type Folded = number | bigint | boolean | readonly Folded[];

/** A value together with its type. */
export interface TypedConstant {
  readonly type: AnyType;
  readonly value: Folded;
}

/** Why a constant expression has no value. Caught where the expression's place is known. */
export class FoldError extends Error {
  constructor(
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}

const fail = (message: string, remedy: string): never => {
  throw new FoldError(message, remedy);
};

const lowestInt = { i32: -(2 ** 31), u32: 0 } as const;
const highestInt = { i32: 2 ** 31 - 1, u32: 2 ** 32 - 1 } as const;
const widen = 'Write one operand as f32(…), i32(…) or u32(…), or use smaller numbers.';

/** The exact or float64 result of an operation brought into its scalar type; fails where WGSL has no value for it. */
export function settle(value: number | bigint, scalar: AnyScalar): number | bigint {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) === value) return value;
    return fail(`The constant ${value} does not fit into 64 bits.`, widen);
  }
  switch (scalar) {
    case 'i32':
      return value | 0;
    case 'u32':
      return value >>> 0;
    case 'f32':
    case 'f16': {
      const rounded = roundTo(scalar, value);
      return Number.isFinite(rounded)
        ? rounded
        : fail(`${value} is not a finite ${scalar}.`, 'Keep the value in range.');
    }
    default:
      return Number.isFinite(value) ? value : fail(`This constant is ${value}.`, 'Keep the value finite.');
  }
}

/** An abstract or equal scalar taken as another type, which must be able to hold it. */
function convertedScalar(value: Folded, from: AnyScalar, to: AnyScalar): Folded {
  if (from === to || typeof value === 'boolean' || typeof value === 'object') return value;
  if (to === 'i32' || to === 'u32') {
    const number = Number(value);
    if (number >= lowestInt[to] && number <= highestInt[to]) return number;
    return fail(`${value} does not fit into ${to}.`, `Use a number from ${lowestInt[to]} to ${highestInt[to]}.`);
  }
  return to === 'abstract-int' || to === 'bool' ? value : settle(Number(value), to);
}

/** Lists that were converted, by the type they were converted to: a table is one list wherever it is used. */
const converted = new WeakMap<readonly Folded[], Map<string, Folded>>();

/** A constant taken as another type by the conversions that need not be written; types as `converts` allows them. */
export function convertedConstant({ type, value }: TypedConstant, to: AnyType): Folded {
  if (sameType(type, to)) return value;
  if (typeof value !== 'object') return convertedParts({ type, value }, to);
  const known = converted.get(value) ?? new Map<string, Folded>();
  converted.set(value, known);
  const key = typeText(to);
  const result = known.get(key) ?? convertedParts({ type, value }, to);
  known.set(key, result);
  return result;
}

function convertedParts({ type, value }: TypedConstant, to: AnyType): Folded {
  const [from, target] = [scalarOf(type), scalarOf(to)];
  if (from !== null && target !== null) return mapLeaves(value, (leaf) => convertedScalar(leaf, from, target));
  const parts = value as readonly Folded[];
  if (type.kind === 'struct' && to.kind === 'struct') {
    return parts.map((part, index) =>
      convertedConstant({ type: type.members[index]!.type, value: part }, to.members[index]!.type),
    );
  }
  if (type.kind === 'array' && to.kind === 'array') {
    return parts.map((part) => convertedConstant({ type: type.element, value: part }, to.element));
  }
  return value;
}

/** A scalar through a conversion that is written: `u32(x)`, `f16(x)`, `bool(x)`. */
function castScalar(value: Folded, from: AnyScalar, to: AnyScalar): Folded {
  if (typeof value === 'object' || from === to) return value;
  if (to === 'bool') return Boolean(value);
  if (typeof value === 'boolean') return to === 'abstract-int' ? BigInt(value) : Number(value);
  if (from === 'abstract-int') return convertedScalar(value, from, to);
  const number = Number(value);
  if (to === 'i32' || to === 'u32') {
    if (!isFloat(from)) return settle(number, to);
    return Math.min(Math.max(Math.trunc(number), lowestInt[to]), highestInt[to]) + 0;
  }
  return settle(number, to);
}

/** Converts each component of a scalar, vector or matrix to another scalar type, as a written conversion does. */
export function castConstant(value: Folded, from: AnyScalar, to: AnyScalar): Folded {
  return mapLeaves(value, (leaf) => castScalar(leaf, from, to));
}

/** The value as a program holds it; its type must be concrete. */
export function concreteValue(value: Folded): ConstantValue {
  if (typeof value === 'bigint') return Number(value);
  // Concrete values hold no bigint, so that the list is one of constant values already.
  return value as ConstantValue;
}

function mapLeaves(value: Folded, change: (leaf: Folded) => Folded): Folded {
  return typeof value === 'object' ? value.map((part) => mapLeaves(part, change)) : change(value);
}

/** Applies an operation component by component; a scalar stands for as many as the other operand has. */
export function zip(a: Folded, b: Folded, combine: (x: Folded, y: Folded) => Folded): Folded {
  if (typeof a === 'object') return a.map((x, i) => zip(x, typeof b === 'object' ? b[i]! : b, combine));
  return typeof b === 'object' ? b.map((y) => zip(a, y, combine)) : combine(a, b);
}

const largestComposite = 65_536;

/** Scalars in a value of a constructible type. */
function leafCount(type: AnyType): number {
  switch (type.kind) {
    case 'vector':
      return type.width;
    case 'matrix':
      return type.columns * type.rows;
    case 'array':
      return Number(type.count) * leafCount(type.element);
    case 'struct':
      return type.members.reduce((sum, member) => sum + leafCount(member.type), 0);
    default:
      return 1;
  }
}

/** The zero value of a constructible type. Fails where it has more than 65536 scalars. */
export function zeroValue(type: AnyType): Folded {
  if (leafCount(type) > largestComposite) {
    return fail(`A value of type ${typeText(type)} is too large to be written down.`, 'Declare a var without it.');
  }
  switch (type.kind) {
    case 'scalar':
      return type.scalar === 'bool' ? false : type.scalar === 'abstract-int' ? 0n : 0;
    case 'vector':
    case 'matrix':
    case 'array': {
      const one = zeroValue(elementType(type)!);
      return Array.from({ length: elementCount(type) ?? 0 }, () => one);
    }
    case 'struct':
      return type.members.map((member) => zeroValue(member.type));
    default:
      return fail(`${typeText(type)} has no zero value.`, 'Use a type that can be constructed.');
  }
}

/** `-x`, `!x` and `~x` of a scalar or vector. */
export function foldUnary(operator: UnaryOperator, value: Folded, scalar: AnyScalar): Folded {
  return mapLeaves(value, (leaf) => {
    if (typeof leaf === 'boolean') return !leaf;
    if (typeof leaf === 'bigint') return settle(operator === '-' ? -leaf : ~leaf, scalar);
    return settle(operator === '-' ? -Number(leaf) : ~Number(leaf), scalar);
  });
}

const byZero = (): never => fail('This constant expression divides by zero.', 'Make sure that the divisor is not 0.');

function abstractArithmetic(operator: BinaryOperator, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0n ? byZero() : a / b;
    case '%':
      return b === 0n ? byZero() : a % b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    default:
      return a ^ b;
  }
}

function arithmetic(operator: BinaryOperator, a: number, b: number, scalar: AnyScalar): number {
  const isWhole = !isFloat(scalar);
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return isWhole ? Math.imul(a, b) : a * b;
    case '/':
    case '%':
      if (b === 0) return byZero();
      if (scalar === 'i32' && a === lowestInt.i32 && b === -1) {
        return fail(`${a} ${operator} -1 does not fit into i32.`, 'Use another divisor.');
      }
      return operator === '%' ? a % b : isWhole ? Math.trunc(a / b) : a / b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    default:
      return a ^ b;
  }
}

/** A shift of constants. Bits that are lost are an error in WGSL, as is a shift by the width or more. */
function shift(operator: BinaryOperator, a: Folded, by: number, scalar: AnyScalar): Folded {
  const width = scalar === 'abstract-int' ? 64 : 32;
  if (by >= width) {
    return fail(`A shift by ${by} is too far for ${scalar}.`, `Shift by less than ${width}.`);
  }
  const value = BigInt(a as number | bigint);
  if (operator === '>>') return scalar === 'abstract-int' ? value >> BigInt(by) : Number(value >> BigInt(by));
  const shifted = value << BigInt(by);
  const kept = scalar === 'u32' ? BigInt.asUintN(32, shifted) : BigInt.asIntN(width, shifted);
  if (kept !== shifted) return fail(`${value} << ${by} does not fit into ${scalar}.`, 'Shift less far.');
  return scalar === 'abstract-int' ? kept : Number(kept);
}

function compare(operator: BinaryOperator, a: Folded, b: Folded): boolean {
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}

const comparisons: readonly BinaryOperator[] = ['==', '!=', '<', '<=', '>', '>='];

/** Whether the operator compares, so that its result is bool. */
export const isComparison = (operator: BinaryOperator): boolean => comparisons.includes(operator);

/** One operation on two scalars of the same type (for shifts: by a u32). */
function foldScalars(operator: BinaryOperator, a: Folded, b: Folded, scalar: AnyScalar): Folded {
  if (isComparison(operator)) return compare(operator, a, b);
  if (operator === '<<' || operator === '>>') return shift(operator, a, Number(b), scalar);
  if (typeof a === 'boolean') return operator === '&' ? a && Boolean(b) : a || Boolean(b);
  if (typeof a === 'bigint') return settle(abstractArithmetic(operator, a, b as bigint), scalar);
  return settle(arithmetic(operator, Number(a), Number(b), scalar), scalar);
}

/** Sum over i of a[i] · b[i], every step rounded to the scalar. */
export function foldDot(a: readonly Folded[], b: readonly Folded[], scalar: AnyScalar): Folded {
  return a
    .map((x, i) => foldScalars('*', x, b[i]!, scalar))
    .reduce((sum, product) => foldScalars('+', sum, product, scalar));
}

const rowsOf = (matrix: Folded, rows: number): Folded[][] =>
  Array.from({ length: rows }, (_, row) => (matrix as readonly (readonly Folded[])[]).map((column) => column[row]!));

function foldProduct(left: TypedConstant, right: TypedConstant, scalar: AnyScalar): Folded {
  const times = (a: TypedConstant & { readonly type: MatrixType }, column: Folded): Folded =>
    rowsOf(a.value, a.type.rows).map((row) => foldDot(row, column as readonly Folded[], scalar));
  if (left.type.kind === 'matrix' && right.type.kind !== 'scalar') {
    const matrix = { type: left.type, value: left.value };
    const columns = right.value as readonly Folded[];
    return right.type.kind === 'vector' ? times(matrix, columns) : columns.map((column) => times(matrix, column));
  }
  if (left.type.kind === 'vector' && right.type.kind === 'matrix') {
    const row = left.value as readonly Folded[];
    return (right.value as readonly (readonly Folded[])[]).map((column) => foldDot(row, column, scalar));
  }
  return zip(left.value, right.value, (a, b) => foldScalars('*', a, b, scalar));
}

/**
 * The value of `left operator right`. Both are of the scalar `scalar` already (the right of a shift is u32), and of
 * types that the operator takes.
 */
export function foldBinary(
  operator: BinaryOperator,
  left: TypedConstant,
  right: TypedConstant,
  scalar: AnyScalar,
): Folded {
  if (operator === '*') return foldProduct(left, right, scalar);
  return zip(left.value, right.value, (a, b) => foldScalars(operator, a, b, scalar));
}

/** The words that a scalar or vector fills in memory are read as another type: `bitcast`. Types are concrete. */
export function foldBitcast(value: Folded, from: AnyType, to: AnyType): Folded {
  const view = new DataView(new ArrayBuffer(16));
  const fromScalar = scalarOf(from);
  const toScalar = scalarOf(to);
  const parts = typeof value === 'object' ? value : [value];
  let at = 0;
  for (const part of parts) {
    if (fromScalar === 'f16') setFloat16(view, at, Number(part), true);
    else if (fromScalar === 'f32') view.setFloat32(at, Number(part), true);
    else view.setUint32(at, Number(part), true);
    at += fromScalar === 'f16' ? 2 : 4;
  }
  const read = (offset: number): number => {
    if (toScalar === 'f16') return checked(getFloat16(view, offset, true));
    if (toScalar === 'f32') return checked(view.getFloat32(offset, true));
    return toScalar === 'i32' ? view.getInt32(offset, true) : view.getUint32(offset, true);
  };
  if (to.kind !== 'vector') return read(0);
  return Array.from({ length: to.width }, (_, i) => read(i * (toScalar === 'f16' ? 2 : 4)));
}

const checked = (value: number): number =>
  Number.isFinite(value) ? value : fail(`These bits are ${value}.`, 'WGSL has no constants that are not finite.');
