import type { Span } from '../diagnostic.js';
import {
  type AnyScalar,
  type AnyType,
  commonScalar,
  isFloat,
  isInteger,
  type MatrixType,
  scalarConverts,
  scalarOf,
  scalarType,
  type ScalarType,
  shapedType,
  typeText,
  type VectorType,
  vectorType,
  withScalar,
} from './abstract-types.js';
import { foldBinary, foldUnary, isComparison } from './constant-fold.js';
import { folding, reject } from './lower-context.js';
import {
  computed,
  constant,
  convertedTo,
  expressionOf,
  type Loaded,
  loaded,
  type Operand,
  typeOf,
} from './lower-operands.js';
import { concreteType } from './abstract-types.js';
import type { BinaryOperator, UnaryOperator } from './program.js';

/** What a binary operator takes its operands as, and what it gives. */
export interface BinaryTypes {
  readonly left: AnyType;
  readonly right: AnyType;
  readonly result: AnyType;
  /** The scalar that the operation is done in. */
  readonly scalar: AnyScalar;
}

type Flat = ScalarType | VectorType;
const isFlat = (type: AnyType): type is Flat => type.kind === 'scalar' || type.kind === 'vector';
const widthOf = (type: Flat): VectorType['width'] | null => (type.kind === 'vector' ? type.width : null);

/** The types by which an operator takes operands of these types, or null where WGSL has no such operation. */
export function binaryTypes(operator: BinaryOperator, left: AnyType, right: AnyType): BinaryTypes | null {
  if (operator === '<<' || operator === '>>') return shiftTypes(left, right);
  if (left.kind === 'matrix' || right.kind === 'matrix') return matrixTypes(operator, left, right);
  if (!isFlat(left) || !isFlat(right)) return null;
  const scalar = commonScalar([left.scalar, right.scalar]);
  if (scalar === null || !takes(operator, scalar)) return null;
  const [a, b] = [widthOf(left), widthOf(right)];
  const isArithmetic = ['+', '-', '*', '/', '%'].includes(operator);
  // Arithmetic alone lets a scalar stand for every component.
  if (a !== b && !(isArithmetic && (a === null || b === null))) return null;
  const result = shapedType(a ?? b, isComparison(operator) ? 'bool' : scalar);
  return { left: withScalar(left, scalar), right: withScalar(right, scalar), result, scalar };
}

function takes(operator: BinaryOperator, scalar: AnyScalar): boolean {
  switch (operator) {
    case '==':
    case '!=':
      return true;
    case '&':
    case '|':
      return isInteger(scalar) || scalar === 'bool';
    case '^':
      return isInteger(scalar);
    default:
      return scalar !== 'bool';
  }
}

function shiftTypes(left: AnyType, right: AnyType): BinaryTypes | null {
  if (!isFlat(left) || !isFlat(right) || widthOf(left) !== widthOf(right)) return null;
  if (!isInteger(left.scalar) || !scalarConverts(right.scalar, 'u32')) return null;
  return { left, right: withScalar(right, 'u32'), result: left, scalar: left.scalar };
}

function matrixTypes(operator: BinaryOperator, left: AnyType, right: AnyType): BinaryTypes | null {
  const [a, b] = [scalarOf(left), scalarOf(right)];
  const common = a === null || b === null ? null : commonScalar([a, b]);
  if (common === null || !isFloat(common)) return null;
  const [l, r] = [as(left, common), as(right, common)];
  const types = (result: AnyType): BinaryTypes => ({ left: l, right: r, result, scalar: common });
  if (operator === '+' || operator === '-') {
    const isSame = l.kind === 'matrix' && r.kind === 'matrix' && l.columns === r.columns && l.rows === r.rows;
    return isSame ? types(l) : null;
  }
  if (operator !== '*') return null;
  if (l.kind === 'scalar') return types(r);
  if (r.kind === 'scalar') return types(l);
  if (l.kind === 'vector') return matrixOf(r).rows === l.width ? types(vectorType(matrixOf(r).columns, common)) : null;
  if (r.kind === 'vector') return l.columns === r.width ? types(vectorType(l.rows, common)) : null;
  return l.columns === r.rows ? types({ ...l, columns: r.columns }) : null;
}

const as = (type: AnyType, scalar: AnyScalar): Flat | MatrixType => withScalar(type as Flat | MatrixType, scalar);
const matrixOf = (type: Flat | MatrixType): MatrixType => type as MatrixType;

/** `left operator right`; constants are computed at once. */
export function lowerBinary(operator: BinaryOperator, left: Operand, right: Operand, span: Span): Operand {
  const [a, b] = [loaded(left), loaded(right)];
  const types = binaryTypes(operator, typeOf(a), typeOf(b));
  if (types === null) {
    const message = `${operator} does not take ${typeText(typeOf(a))} and ${typeText(typeOf(b))}.`;
    return reject(span, message, 'Convert one of the two to the type of the other.');
  }
  if (a.kind === 'constant' && b.kind === 'constant') {
    const [x, y] = [convertedTo(a, types.left), convertedTo(b, types.right)];
    return constant(
      types.result,
      folding(span, () => foldBinary(operator, x, y, types.scalar)),
      span,
    );
  }
  return computed({
    kind: 'binary',
    operator,
    left: expressionOf(a, types.left),
    right: expressionOf(b, types.right),
    type: concreteType(types.result),
    span,
  });
}

/** `-x`, `!x` and `~x`. */
export function lowerUnary(operator: UnaryOperator, operand: Operand, span: Span): Operand {
  const value = loaded(operand);
  const type = typeOf(value);
  const scalar = isFlat(type) ? type.scalar : null;
  const isTaken =
    scalar !== null &&
    (operator === '!' ? scalar === 'bool' : operator === '~' ? isInteger(scalar) : !['u32', 'bool'].includes(scalar));
  if (!isTaken) {
    const remedy = operator === '-' ? 'Negate a number with a sign.' : 'Use another operator.';
    return reject(span, `${operator} does not take ${typeText(type)}.`, remedy);
  }
  if (value.kind === 'constant') {
    return constant(
      type,
      folding(span, () => foldUnary(operator, value.value, scalar)),
      span,
    );
  }
  return computed({ kind: 'unary', operator, operand: value.expression, type: concreteType(type), span });
}

/** An operand that must be a single boolean. */
export function booleanOperand(operand: Operand): Loaded {
  const value = loaded(operand);
  const type = typeOf(value);
  if (type.kind === 'scalar' && type.scalar === 'bool') return value;
  const span = value.kind === 'constant' ? value.span : value.expression.span;
  return reject(span, `This is of type ${typeText(type)}, and bool is needed.`, 'Compare it with something.');
}

/** `left && right` and `left || right`. Where a constant on the left decides, the right side is not even looked at. */
export function lowerLogical(operator: '&&' | '||', left: Operand, right: () => Operand, span: Span): Operand {
  const a = booleanOperand(left);
  if (a.kind === 'constant') {
    if (a.value === (operator === '||')) return constant(scalarType('bool'), a.value, span);
    return booleanOperand(right());
  }
  const b = booleanOperand(right());
  const type = { kind: 'scalar', scalar: 'bool' } as const;
  return computed({ kind: 'logical', operator, left: a.expression, right: expressionOf(b), type, span });
}
