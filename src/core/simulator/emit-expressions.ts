import type { BinaryOperator, ConstantValue, Expression, ValueType } from '../wgsl/program.js';
import type { Scalar } from '../wgsl/types.js';
import {
  computed,
  constantOf,
  literal,
  named,
  tagOnly,
  withoutValue,
  type Component,
  type Components,
} from './component.js';
import {
  binaryComponent,
  binaryComponents,
  convertComponent,
  sumOfProducts,
  unaryComponent,
  isFloat,
} from './emit-arithmetic.js';
import { atomicOf, uniformLoad } from './emit-atomics.js';
import { builtinOf } from './emit-builtins.js';
import { callOf } from './emit-calls.js';
import type { FunctionContext } from './emit-context.js';
import { arrayLength, checkedIndex, load, pointerTo } from './emit-memory.js';
import { joinTags } from './emit-tags.js';
import { filledMatrix, subgroupMatrixOf } from './emit-subgroup-matrices.js';
import { subgroupOf } from './emit-subgroups.js';
import { elementsOf, leavesOf, memberLeaves, scalarOf, stackView } from './flatten.js';
import { isOmitted } from './omission.js';

/**
 * The scalars of an expression. Writes whatever has to be done to have them, in WGSL's order; where the variant leaves
 * their values out, what has to be done for their tags.
 */
export function expressionOf(expression: Expression, context: FunctionContext): Components {
  const parts = evaluated(expression, context);
  if (parts.length === 0 || !isOmitted(expression, context)) return parts;
  const leaves = leavesOf(expression.type);
  return parts.map((part, index) => withoutValue(leaves[index]!.scalar, part));
}

function evaluated(expression: Expression, context: FunctionContext): Components {
  switch (expression.kind) {
    case 'constant':
      return constantComponents(expression);
    case 'value':
      return context.values.get(expression.value.id) ?? [];
    case 'load':
      return load(
        pointerTo(expression.place, context),
        expression.type,
        { node: expression, span: expression.place.span },
        context,
      );
    case 'address':
      return [];
    case 'unary': {
      const scalar = scalarOf(expression.type);
      return expressionOf(expression.operand, context).map((part) => unaryComponent(expression.operator, scalar, part));
    }
    case 'binary':
      return binaryOf(expression, context);
    case 'logical':
      return [logicalOf(expression, context)];
    case 'construct':
      return constructOf(expression, context);
    case 'convert':
      return convertOf(expression, context);
    case 'bitcast':
      return bitcastOf(expression, context);
    case 'element':
      return elementOf(expression, context);
    case 'member': {
      const { start, count } = memberLeaves(expression.base.type, expression.member);
      return expressionOf(expression.base, context).slice(start, start + count);
    }
    case 'swizzle':
      return swizzleOf(expression, context);
    case 'call':
      return callOf(expression, context);
    case 'builtin':
      return builtinOf(expression, context);
    case 'array-length':
      return arrayLength(expression.pointer, context);
    case 'atomic':
      return atomicOf(expression, context);
    case 'uniform-load':
      return uniformLoad(expression, context);
    case 'subgroup':
      return subgroupOf(expression, context);
    case 'subgroup-matrix':
      return subgroupMatrixOf(expression, context);
  }
}

/** The one scalar of a scalar expression. */
export function scalarExpression(expression: Expression, context: FunctionContext): Component {
  return expressionOf(expression, context)[0] ?? literal('bool', false);
}

function flattened(value: ConstantValue): readonly (number | boolean)[] {
  return typeof value === 'object' ? value.flatMap(flattened) : [value];
}

function constantComponents({ value, type }: Extract<Expression, { kind: 'constant' }>): Components {
  const flat = flattened(value);
  return leavesOf(type).map(({ scalar }, index) => literal(scalar, flat[index] ?? 0));
}

function binaryOf(expression: Extract<Expression, { kind: 'binary' }>, context: FunctionContext): Components {
  const { operator, left, right } = expression;
  const a = expressionOf(left, context);
  const b = expressionOf(right, context);
  const scalar = scalarOf(left.type);
  if (operator === '*' && (left.type.kind === 'matrix' || right.type.kind === 'matrix')) {
    const product = matrixProduct(left.type, a, right.type, b, scalar, context);
    if (product) return product;
  }
  return pairwiseOperation(operator, scalar, a, b, expression, context);
}

/** The product of matrices and vectors that `place *= value` asks for, or null where it goes by components. */
export function matrixUpdate(
  operator: string,
  leftType: ValueType,
  left: Components,
  rightType: ValueType,
  right: Components,
  context: FunctionContext,
): Components | null {
  return operator === '*' ? matrixProduct(leftType, left, rightType, right, scalarOf(leftType), context) : null;
}

/** A binary operation component by component, in an expression or an update; a scalar beside a vector is repeated. */
export function pairwiseOperation(
  operator: BinaryOperator,
  scalar: Scalar,
  left: Components,
  right: Components,
  at: { readonly span: Expression['span'] },
  context: FunctionContext,
): Components {
  const { writer } = context;
  const [a, b] = [repeated(left, right.length, writer), repeated(right, left.length, writer)];
  if ((operator === '/' || operator === '%') && !isFloat(scalar)) {
    return a.map((part, lane) => {
      noteDivision(b[lane]!, at, context);
      return binaryComponent(operator, scalar, part, b[lane]!, context);
    });
  }
  return binaryComponents(operator, scalar, a, b, context);
}

function repeated(parts: Components, count: number, writer: FunctionContext['writer']): Components {
  if (parts.length >= count) return parts;
  const kept = writer.repeatable(parts[0]!);
  return Array.from({ length: count }, () => kept);
}

/** Notes a divisor of zero, where faults are looked for and the divisor may be zero. */
function noteDivision(divisor: Component, { span }: { span: Expression['span'] }, context: FunctionContext): void {
  const { pass, writer } = context;
  if (!pass.variant.faults || constantOf(divisor) !== null) return;
  if (divisor.range !== null && divisor.range.low > 0) return;
  const fault = pass.addFault({ kind: 'division-by-zero', span, variable: null, limit: null, signed: false });
  writer.line(`if (${divisor.code} === 0) happened(${fault});`);
}

function matrixProduct(
  leftType: ValueType,
  left: Components,
  rightType: ValueType,
  right: Components,
  scalar: Scalar,
  context: FunctionContext,
): Components | null {
  const kept = (parts: Components): Components => parts.map((part) => context.writer.repeatable(part));
  if (leftType.kind === 'matrix' && (rightType.kind === 'matrix' || rightType.kind === 'vector')) {
    const { rows, columns: inner } = leftType;
    const columns = rightType.kind === 'matrix' ? rightType.columns : 1;
    const a = kept(left);
    const b = kept(right);
    return Array.from({ length: columns * rows }, (_, at) => {
      const [column, row] = [Math.floor(at / rows), at % rows];
      const x = Array.from({ length: inner }, (_unused, k) => a[k * rows + row]!);
      const y = Array.from({ length: inner }, (_unused, k) => b[column * inner + k]!);
      return sumOfProducts(scalar, x, y, context);
    });
  }
  if (leftType.kind === 'vector' && rightType.kind === 'matrix') {
    const { rows, columns } = rightType;
    const a = kept(left);
    const b = kept(right);
    return Array.from({ length: columns }, (_, column) =>
      sumOfProducts(scalar, a, b.slice(column * rows, (column + 1) * rows), context),
    );
  }
  return null;
}

function logicalOf(expression: Extract<Expression, { kind: 'logical' }>, context: FunctionContext): Component {
  const { writer } = context;
  const left = scalarExpression(expression.left, context);
  const { lines, result: right } = writer.aside(() => scalarExpression(expression.right, context));
  if (lines.length === 0) return computed(`(${left.code} ${expression.operator} ${right.code})`);
  const name = writer.temporary(left.code);
  writer.block(`if (${expression.operator === '&&' ? name : `!${name}`}) {`, () => {
    writer.append(lines);
    writer.line(`${name} = ${right.code};`);
  });
  return { ...named(name) };
}

function constructOf(expression: Extract<Expression, { kind: 'construct' }>, context: FunctionContext): Components {
  const { type, parts } = expression;
  if (type.kind === 'subgroup-matrix') return filledMatrix(type, expression, context);
  const given = parts.flatMap((part) => expressionOf(part, context));
  const count = leavesOf(type).length;
  if (type.kind === 'vector' && given.length === 1) {
    const kept = context.writer.repeatable(given[0]!);
    return Array.from({ length: count }, () => kept);
  }
  return given;
}

function convertOf(expression: Extract<Expression, { kind: 'convert' }>, context: FunctionContext): Components {
  const from = scalarOf(expression.operand.type);
  const to = scalarOf(expression.type);
  return expressionOf(expression.operand, context).map((part) => {
    const watched = context.pass.variant.faults;
    return convertComponent(from, to, watched ? context.writer.repeatable(part) : part, watched);
  });
}

/** Bits of one scalar as int32 code, or back. */
function bitsOf(scalar: Scalar, code: string): string {
  return scalar === 'f32' ? `f32bits(${code})` : code;
}

function bitcastOf(expression: Extract<Expression, { kind: 'bitcast' }>, context: FunctionContext): Components {
  const { writer } = context;
  const from = scalarOf(expression.operand.type);
  const to = scalarOf(expression.type);
  const parts = expressionOf(expression.operand, context);
  if (from === to) return parts;
  if (from === 'f16') {
    const words = Array.from({ length: parts.length / 2 }, (_, word) => {
      const [low, high] = [parts[2 * word]!, parts[2 * word + 1]!];
      const code = `(f16bits(${low.code}) | f16bits(${high.code}) << 16)`;
      return { ...computed(code), tag: joinTags(low.tag, high.tag, context) };
    });
    return to === 'f32' ? words.map((word) => ({ ...word, code: `bitsf32(${word.code})` })) : words;
  }
  if (to === 'f16') {
    return parts.flatMap((part) => {
      const bits = writer.repeatable({ ...part, code: bitsOf(from, part.code), atomic: part.atomic && from !== 'f32' });
      return [`HT[${bits.code} & 65535]`, `HT[${bits.code} >>> 16]`].map((code) => ({
        ...computed(code),
        tag: part.tag,
      }));
    });
  }
  return parts.map((part) => {
    if (to === 'f32') return { ...computed(`bitsf32(${part.code})`), tag: part.tag };
    if (from === 'f32') return { ...computed(`f32bits(${part.code})`), tag: part.tag };
    return { ...part, range: null };
  });
}

function elementOf(expression: Extract<Expression, { kind: 'element' }>, context: FunctionContext): Components {
  const { base, index } = expression;
  const { count, element } = elementsOf(base.type);
  const size = leavesOf(element).length;
  const parts = expressionOf(base, context);
  const omitted = isOmitted(base, context);
  const at = scalarExpression(index, context);
  const fixed = constantOf(at);
  if (fixed !== null) {
    const inside = Math.min(Math.max(fixed, 0), count - 1);
    return parts.slice(inside * size, (inside + 1) * size);
  }
  const checked = checkedIndex(at, index, count, null, context);
  const offset = base.kind === 'value' ? context.pass.stackOffsetOf(base.value.id) : null;
  if (offset !== null) return fromStack(element, offset, checked, parts, omitted, context);
  if (count <= 4) return Array.from({ length: size }, (_, k) => chosen(parts, checked, count, size, k, context));
  const own = context.pass.allocateStack(parts.length);
  toStack(base.type, own, parts, omitted, context);
  return fromStack(element, own, checked, parts, omitted, context);
}

/** Component k of the element that `index` says, by conditions. */
function chosen(
  parts: Components,
  index: string,
  count: number,
  size: number,
  k: number,
  { writer }: FunctionContext,
): Component {
  const pick = (of: (part: Component) => string): string => {
    let code = of(parts[(count - 1) * size + k]!);
    for (let i = count - 2; i >= 0; i--) code = `${index} === ${i} ? ${of(parts[i * size + k]!)} : ${code}`;
    return `(${code})`;
  };
  const tagged = parts.some(({ tag }) => tag !== '0');
  return {
    ...computed(pick(({ code }) => code)),
    tag: tagged ? writer.temporary(pick(({ tag }) => tag)) : '0',
  };
}

/** Puts the scalars of a value on the stack, so that they can be indexed; of one that is left out its tags. */
export function toStack(
  type: ValueType,
  offset: number,
  parts: Components,
  omitted: boolean,
  { writer }: FunctionContext,
): void {
  for (const [index, { scalar }] of leavesOf(type).entries()) {
    const { code, tag } = parts[index]!;
    const value = scalar === 'bool' ? `${code} ? 1 : 0` : code;
    if (!omitted) writer.line(`${stackView(scalar)}[fp + ${offset + index}] = ${value};`);
    if (parts.some((part) => part.tag !== '0')) writer.line(`ST[fp + ${offset + index}] = ${tag};`);
  }
}

function fromStack(
  element: ValueType,
  offset: number,
  index: string,
  parts: Components,
  omitted: boolean,
  { writer }: FunctionContext,
): Components {
  const leaves = leavesOf(element);
  const place = writer.temporary(
    `fp + ${offset} + ${leaves.length === 1 ? index : `imul(${index}, ${leaves.length})`}`,
  );
  const tagged = parts.some(({ tag }) => tag !== '0');
  return leaves.map(({ scalar }, k) => {
    const word = k === 0 ? place : `${place} + ${k}`;
    const code = scalar === 'bool' ? `SI[${word}] !== 0` : `${stackView(scalar)}[${word}]`;
    const tag = tagged ? writer.temporary(`ST[${word}]`) : '0';
    if (omitted) return tagOnly(scalar, tag);
    return { ...named(writer.temporary(code)), tag };
  });
}

function swizzleOf(expression: Extract<Expression, { kind: 'swizzle' }>, context: FunctionContext): Components {
  const parts = [...expressionOf(expression.base, context)];
  const { components } = expression;
  if (new Set(components).size < components.length) {
    for (const at of new Set(components)) parts[at] = context.writer.repeatable(parts[at]!);
  }
  return components.map((at) => parts[at]!);
}
