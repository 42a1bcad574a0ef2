import type { BinaryOperator, UnaryOperator } from '../wgsl/program.js';
import type { Scalar } from '../wgsl/types.js';
import { computed, constantOf, isSmall, maxI32, type Component, type Components, type Range } from './component.js';
import type { FunctionContext } from './emit-context.js';
import { dotTag, joinedTags, joinTags, multiplyTags, productTag, productTags, sumTag, sumTags } from './emit-tags.js';
import type { LeafScalar } from './flatten.js';

export const isFloat = (scalar: Scalar): scalar is 'f32' | 'f16' => scalar === 'f32' || scalar === 'f16';

/** Code that rounds a float to its format, or wraps an integer. */
export function rounded(scalar: Scalar, code: string): string {
  if (scalar === 'f32') return `fround(${code})`;
  if (scalar === 'f16') return `f16(${code})`;
  return `(${code} | 0)`;
}

/** An integer as the number it stands for. */
export function unsigned(component: Component): string {
  return isSmall(component.range) ? component.code : `(${component.code} >>> 0)`;
}

/** The number that an integer of this type stands for, with no regard to wrapping. */
export function exactOf(component: Component, scalar: LeafScalar): string {
  return component.exact ?? (scalar === 'u32' ? unsigned(component) : component.code);
}

const limits = { i32: [-0x80000000, maxI32], u32: [0, 0xffffffff] } as const;

/** The range, or null where it does not fit the type: the value may have wrapped round. */
export function fitting(scalar: Scalar, low: number, high: number): Range | null {
  if (scalar !== 'i32' && scalar !== 'u32') return null;
  const [least, most] = limits[scalar];
  return low >= least && high <= most ? { low, high } : null;
}

/** One scalar operation of WGSL. Comparisons give booleans; division notes a divisor of zero. */
export function binaryComponent(
  operator: BinaryOperator,
  scalar: Scalar,
  left: Component,
  right: Component,
  context: FunctionContext,
): Component {
  switch (operator) {
    case '==':
      return computed(`(${left.code} === ${right.code})`);
    case '!=':
      return computed(`(${left.code} !== ${right.code})`);
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const small = scalar !== 'u32' || (isSmall(left.range) && isSmall(right.range));
      return computed(
        small ? `(${left.code} ${operator} ${right.code})` : `(${unsigned(left)} ${operator} ${unsigned(right)})`,
      );
    }
    case '+':
    case '-':
    case '*':
      return ring(operator, scalar, left, right, context);
    case '/':
    case '%':
      return division(operator, scalar, left, right, context);
    case '&':
    case '|':
    case '^':
      return bitwise(operator, scalar, left, right, context);
    case '<<':
    case '>>':
      return shift(operator, scalar, left, right, context);
  }
}

/** The same operation on the scalars of two vectors, whose tags are made together where they can be. */
export function binaryComponents(
  operator: BinaryOperator,
  scalar: Scalar,
  left: Components,
  right: Components,
  context: FunctionContext,
): Components {
  const tags = isFloat(scalar) ? laneTags(operator, left, right, context) : null;
  if (tags === null) return left.map((part, lane) => binaryComponent(operator, scalar, part, right[lane]!, context));
  return tags.map((tag, lane) => ({
    ...binaryComponent(operator, scalar, untagged(left[lane]!), untagged(right[lane]!), context),
    ...tag,
  }));
}

function laneTags(
  operator: BinaryOperator,
  left: Components,
  right: Components,
  context: FunctionContext,
): ReturnType<typeof joinedTags> {
  if (operator === '*') return productTags(left, right, context);
  if (operator === '+' || operator === '-') return sumTags(left, right, context);
  return operator === '/' ? joinedTags(left, right, context) : null;
}

const untagged = (part: Component): Component => ({ ...part, tag: '0', pending: null });

function ring(
  operator: '+' | '-' | '*',
  scalar: Scalar,
  left: Component,
  right: Component,
  context: FunctionContext,
): Component {
  if (!isFloat(scalar)) return integerRing(operator, scalar, left, right, context);
  if (operator === '*') {
    const product = `${left.code} * ${right.code}`;
    return { ...computed(rounded(scalar, product)), product, ...productTag(left.tag, right.tag, context) };
  }
  // A product that is an operand of the sum is not rounded by itself: the multiply-add is fused, as WGSL allows and
  // GPUs do. Products of f32 and f16 are exact in a double.
  const code = rounded(scalar, `${left.product ?? left.code} ${operator} ${bracketed(right)}`);
  return { ...computed(code), tag: sumTag(left.tag, right, context) };
}

const bracketed = ({ product, code }: Component): string => (product === null ? code : `(${product})`);

/** Bounds of a sum, difference or product of integers; null where it may wrap round. */
export function ringRange(operator: '+' | '-' | '*', scalar: Scalar, a: Range | null, b: Range | null): Range | null {
  if (a === null || b === null) return null;
  if (operator === '+') return fitting(scalar, a.low + b.low, a.high + b.high);
  if (operator === '-') return fitting(scalar, a.low - b.high, a.high - b.low);
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
  return fitting(scalar, Math.min(...corners), Math.max(...corners));
}

function integerRing(
  operator: '+' | '-' | '*',
  scalar: Scalar,
  left: Component,
  right: Component,
  context: FunctionContext,
): Component {
  const range = ringRange(operator, scalar, left.range, right.range);
  const watched = context.pass.variant.faults && (range === null || left.exact !== null || right.exact !== null);
  const a = watched ? context.writer.repeatable(left) : left;
  const b = watched ? context.writer.repeatable(right) : right;
  const exact = watched ? `(${exactOf(a, scalar)} ${operator} ${exactOf(b, scalar)})` : null;
  const code = operator === '*' ? productCode(a, b) : `(${a.code} ${operator} ${b.code} | 0)`;
  const tag = operator === '*' ? multiplyTags(a.tag, b.tag, context) : joinTags(a.tag, b.tag, context);
  return { ...computed(code), range, exact, tag };
}

function productCode(left: Component, right: Component): string {
  const factor = constantOf(right) ?? constantOf(left);
  const other = constantOf(right) === null ? right : left;
  if (factor !== null && factor > 0) {
    if (factor === 1) return other.code;
    const power = Math.log2(factor);
    if (Number.isInteger(power)) return `(${other.code} << ${power})`;
  }
  return `imul(${left.code}, ${right.code})`;
}

function division(
  operator: '/' | '%',
  scalar: Scalar,
  left: Component,
  right: Component,
  context: FunctionContext,
): Component {
  const tag = joinTags(left.tag, right.tag, context);
  if (isFloat(scalar)) return { ...computed(rounded(scalar, `${left.code} ${operator} ${right.code}`)), tag };
  const divisor = constantOf(right);
  if (scalar === 'u32' && divisor !== null && divisor > 0) return { ...byConstant(operator, left, divisor), tag };
  const a = context.writer.repeatable(left);
  const b = context.writer.repeatable(right);
  const instead = operator === '/' ? a.code : '0';
  const signed = scalar === 'i32';
  const small = isSmall(a.range) && isSmall(b.range);
  const plain =
    signed || small ? `(${a.code} ${operator} ${b.code} | 0)` : `(${unsigned(a)} ${operator} ${unsigned(b)} | 0)`;
  const never = b.range !== null && (b.range.low > 0 || b.range.high < 0);
  const code = never ? plain : `(${b.code} === 0 ? ${instead} : ${plain})`;
  // The only i32 quotient that does not fit, -2147483648 / -1, wraps to itself under `| 0`, as WGSL has it.
  return { ...computed(code), tag, range: dividedRange(operator, a.range, b.range) };
}

function dividedRange(operator: '/' | '%', a: Range | null, b: Range | null): Range | null {
  if (!isSmall(a)) return null;
  if (operator === '/') return isSmall(b) ? { low: 0, high: a.high } : null;
  return isSmall(b) && b.low > 0 ? { low: 0, high: Math.min(a.high, b.high - 1) } : null;
}

function byConstant(operator: '/' | '%', left: Component, divisor: number): Component {
  const high = left.range?.high ?? 0xffffffff;
  const low = left.range?.low ?? 0;
  const power = Math.log2(divisor);
  const range =
    operator === '/'
      ? { low: Math.floor(low / divisor), high: Math.floor(high / divisor) }
      : { low: 0, high: Math.min(high, divisor - 1) };
  const number = unsigned(left);
  const code = Number.isInteger(power)
    ? operator === '/'
      ? `(${left.code} >>> ${power} | 0)`
      : `(${left.code} & ${(divisor - 1) | 0})`
    : `(${number} ${operator} ${divisor} | 0)`;
  return { ...computed(code), range };
}

function bitwise(
  operator: '&' | '|' | '^',
  scalar: Scalar,
  left: Component,
  right: Component,
  context: FunctionContext,
): Component {
  if (scalar === 'bool') {
    const logical = { '&': '&&', '|': '||', '^': '!==' } as const;
    return computed(`(${left.code} ${logical[operator]} ${right.code})`);
  }
  const tag = joinTags(left.tag, right.tag, context);
  const bounds = [left.range, right.range].filter(isSmall).map(({ high }) => high);
  const range = operator === '&' && bounds.length > 0 ? { low: 0, high: Math.min(...bounds) } : null;
  return { ...computed(`(${left.code} ${operator} ${right.code})`), tag, range };
}

function shift(
  operator: '<<' | '>>',
  scalar: Scalar,
  left: Component,
  right: Component,
  context: FunctionContext,
): Component {
  const { tag } = left;
  const by = constantOf(right);
  if (operator === '>>') {
    const code = scalar === 'u32' ? `(${left.code} >>> ${right.code} | 0)` : `(${left.code} >> ${right.code})`;
    const range = by !== null && left.range !== null ? shiftedRange(left.range, 2 ** (by & 31)) : null;
    return { ...computed(code), tag, range };
  }
  const range =
    by !== null && left.range !== null
      ? fitting(scalar, left.range.low * 2 ** (by & 31), left.range.high * 2 ** (by & 31))
      : null;
  const watched = context.pass.variant.faults && (range === null || left.exact !== null);
  const a = watched ? context.writer.repeatable(left) : left;
  const b = watched ? context.writer.repeatable(right) : right;
  const exact = watched ? `(${exactOf(a, scalar)} * 2 ** (${b.code} & 31))` : null;
  return { ...computed(`(${a.code} << ${b.code})`), tag, range, exact };
}

function shiftedRange({ low, high }: Range, factor: number): Range {
  return { low: Math.floor(low / factor), high: Math.floor(high / factor) };
}

/** One scalar of a unary operation. */
export function unaryComponent(operator: UnaryOperator, scalar: Scalar, operand: Component): Component {
  const { tag } = operand;
  if (operator === '!') return computed(`(!${operand.code})`);
  if (operator === '~') return { ...computed(`(~${operand.code})`), tag };
  if (isFloat(scalar)) return { ...computed(`(-${operand.code})`), tag };
  const range = operand.range === null ? null : fitting(scalar, -operand.range.high, -operand.range.low);
  return { ...computed(`(-${operand.code} | 0)`), tag, range };
}

/** x0 y0 + x1 y1 + …: products are added unrounded, each sum is rounded. */
export function sumOfProducts(
  scalar: Scalar,
  left: readonly Component[],
  right: readonly Component[],
  context: FunctionContext,
): Component {
  const tag = isFloat(scalar) ? dotTag(left, right, context) : null;
  const [a, b] = tag === null ? [left, right] : [left.map(untagged), right.map(untagged)];
  let sum = binaryComponent('*', scalar, a[0]!, b[0]!, context);
  for (let i = 1; i < left.length; i++) {
    const product = binaryComponent('*', scalar, a[i]!, b[i]!, context);
    sum = binaryComponent('+', scalar, sum, product, context);
  }
  return tag === null ? sum : { ...sum, tag };
}

/** A scalar converted to another scalar type by WGSL's rules: floats to integers saturate. */
export function convertComponent(from: Scalar, to: Scalar, operand: Component, watched: boolean): Component {
  if (from === to) return operand;
  const { code, tag } = operand;
  if (to === 'bool') return computed(`(${code} !== 0)`);
  if (from === 'bool') {
    const range = isFloat(to) ? null : { low: 0, high: 1 };
    return { ...computed(`(${code} ? 1 : 0)`), range };
  }
  if (isFloat(to)) {
    if (from === 'f16' && to === 'f32') return { ...operand, product: null };
    return { ...computed(rounded(to, from === 'u32' ? unsigned(operand) : code)), tag };
  }
  if (isFloat(from)) return { ...computed(to === 'i32' ? `toI32(${code})` : `toU32(${code})`), tag };
  // i32 and u32 share their bits. What wrapped round as one type may be right as the other: i32(a - b) is.
  const exact = operand.exact ?? (watched && to === 'u32' && !isSmall(operand.range) ? code : null);
  return { ...operand, product: null, range: isSmall(operand.range) ? operand.range : null, exact };
}
