import type { ExpressionElem } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { scalarType, typeText } from './abstract-types.js';
import { type BuiltinCall, noOverload, pointerArgument } from './builtin-call.js';
import { layoutOf } from './layout.js';
import { type Lowering, reject, unsupported } from './lower-context.js';
import { computed, constant, expressionOf, type Loaded, type Operand, spanOf, typeOf } from './lower-operands.js';
import { typeParameter, wordParameter } from './lower-types.js';
import type { Expression, PointerType, Statement } from './program.js';
import { matrixElementBytes, shaderScalar } from './subgroup-matrix-type.js';
import type { SubgroupMatrixType } from './types.js';

/**
 * A call of a function on subgroup matrices that gives a value. A load has the arguments pointer, offset, whether the
 * matrix lies column by column, and stride, in whichever of the two forms of the extension it is written.
 */
export function lowerSubgroupMatrixCall(lowering: Lowering, call: BuiltinCall): Operand {
  switch (call.name) {
    case 'subgroupMatrixLoad':
      return lowerLoad(lowering, call);
    case 'subgroupMatrixMultiply':
      return lowerMultiply(lowering, call);
    case 'subgroupMatrixMultiplyAccumulate':
      return lowerMultiplyAccumulate(call);
    case 'subgroupMatrixScalarAdd':
    case 'subgroupMatrixScalarSubtract':
    case 'subgroupMatrixScalarMultiply':
      return lowerScalar(call, call.name);
    default:
      return unsupported(
        call.span,
        `The simulator does not know the function ${call.name}.`,
        'Use subgroupMatrixLoad, -Store, -Multiply, -MultiplyAccumulate, -ScalarAdd, -ScalarSubtract or -ScalarMultiply.',
      );
  }
}

function lowerLoad(lowering: Lowering, call: BuiltinCall): Operand {
  const { args, templates, span, name } = call;
  const [first, order] = templates;
  const type = first === undefined ? null : typeParameter(lowering, first);
  if (type?.kind !== 'subgroup-matrix') {
    return reject(
      span,
      `${name} does not say which matrix it loads.`,
      `Write ${name}<subgroup_matrix_left<f32, 8, 8>, row_major>(…).`,
    );
  }
  const { pointer, unitBytes } = elementsPointer(call, type, order !== undefined, 'read');
  const [offset, columnMajor, stride] = layoutArguments(args, [1, 2, 3], order, span);
  const values = [pointer, offset, columnMajor, stride];
  return computed({ kind: 'subgroup-matrix', name: 'subgroupMatrixLoad', args: values, unitBytes, type, span });
}

/** `subgroupMatrixStore` as a statement, its arguments pointer, offset, matrix, column by column, and stride. */
export function lowerSubgroupMatrixStore(call: BuiltinCall): Statement {
  const { args, templates, span } = call;
  const matrix = args[2];
  const type = matrix === undefined ? null : typeOf(matrix);
  if (matrix === undefined || type?.kind !== 'subgroup-matrix') return noOverload(call);
  const [order] = templates;
  const { pointer, unitBytes } = elementsPointer(call, type, order !== undefined, 'read_write');
  const [offset, columnMajor, stride] = layoutArguments(args, [1, 3, 4], order, span);
  const value = expressionOf(matrix);
  return { kind: 'subgroup-matrix-store', args: [pointer, offset, value, columnMajor, stride], unitBytes, span };
}

/**
 * The pointer to the array that a matrix is loaded from or stored to, and the bytes that offset and stride count in. The
 * older form takes an array of the matrix's scalar (i32 for i8, u32 for u8) and counts elements of the matrix. The newer
 * one takes an array of any scalars or vectors, as bytes, and counts elements of the array, which must be no smaller
 * than those of the matrix.
 */
function elementsPointer(
  call: BuiltinCall,
  { scalar }: SubgroupMatrixType,
  isNewer: boolean,
  access: PointerType['access'],
): { readonly pointer: Expression; readonly unitBytes: number } {
  const elementBytes = matrixElementBytes(scalar);
  const strideOf = ({ target }: PointerType): number => layoutOf(target)?.strideBytes ?? 0;
  const accepts = (type: PointerType): boolean => {
    const { target, space } = type;
    const isShared = space === 'workgroup' || space === 'storage';
    const isWritable = access === 'read' || type.access === 'read_write';
    if (!isShared || !isWritable || target.kind !== 'array') return false;
    const { element } = target;
    if (!isNewer) return element.kind === 'scalar' && element.scalar === shaderScalar(scalar);
    if (element.kind !== 'scalar' && element.kind !== 'vector') return false;
    return element.scalar !== 'bool' && strideOf(type) >= elementBytes;
  };
  const needed = isNewer
    ? `a pointer to an array of scalars or vectors of at least ${elementBytes} bytes in storage or workgroup memory`
    : `a pointer to an array<${shaderScalar(scalar)}> in storage or workgroup memory`;
  const pointer = pointerArgument(call, 0, accepts, needed);
  return { pointer, unitBytes: isNewer ? strideOf(pointer.type) : elementBytes };
}

/**
 * Offset, order and stride. The older form has the order as a constant bool among the arguments, at `at[1]`; the newer
 * one as the template parameter `row_major` or `col_major`, so that the arguments after it stand one place earlier.
 */
function layoutArguments(
  args: readonly Loaded[],
  at: readonly [number, number, number],
  order: ExpressionElem | undefined,
  span: Span,
): [Expression, Expression, Expression] {
  const word = wordParameter(order);
  const offset = args[at[0]];
  const flag = word === null ? args[at[1]] : undefined;
  const stride = args[word === null ? at[2] : at[2] - 1];
  const expected = at[2] + (word === null ? 1 : 0);
  if (offset === undefined || stride === undefined || args.length !== expected) {
    return reject(span, `This call needs ${expected} arguments and has ${args.length}.`, 'Give all arguments.');
  }
  return [whole(offset), columnOrder(word, flag, span), whole(stride)];
}

function columnOrder(word: string | null, flag: Loaded | undefined, span: Span): Expression {
  if (word === 'row_major' || word === 'col_major') {
    return expressionOf(constant(scalarType('bool'), word === 'col_major', span));
  }
  if (flag?.kind === 'constant' && typeof flag.value === 'boolean') return expressionOf(flag);
  return reject(
    span,
    'The order of the matrix in memory must be a constant.',
    'Write true for column by column, or false.',
  );
}

/** An offset or stride, as u32 or i32. */
function whole(operand: Loaded): Expression {
  const type = typeOf(operand);
  if (type.kind === 'scalar' && type.scalar === 'abstract-int') return expressionOf(operand, scalarType('u32'));
  if (type.kind === 'scalar' && (type.scalar === 'u32' || type.scalar === 'i32')) return expressionOf(operand);
  return reject(spanOf(operand), `This is of type ${typeText(type)}, and u32 is needed.`, 'Convert it: u32(…).');
}

/** Scalars of results that the matrix units form of operands of each scalar. */
const resultScalars: Readonly<Record<SubgroupMatrixType['scalar'], readonly SubgroupMatrixType['scalar'][]>> = {
  f32: ['f32'],
  f16: ['f32', 'f16'],
  i32: ['i32', 'u32'],
  u32: ['i32', 'u32'],
  i8: ['i32', 'u32', 'i8', 'u8'],
  u8: ['i32', 'u32', 'i8', 'u8'],
};

/** The type of the product of two operands with elements of `scalar`, or null where they make none. */
function productType(
  left: Loaded | undefined,
  right: Loaded | undefined,
  scalar: string | null,
): SubgroupMatrixType | null {
  const a = left && typeOf(left);
  const b = right && typeOf(right);
  if (a?.kind !== 'subgroup-matrix' || b?.kind !== 'subgroup-matrix') return null;
  const own = resultScalars[a.scalar].find((candidate) => candidate === scalar);
  const fits = a.use === 'left' && b.use === 'right' && a.columns === b.rows && a.scalar === b.scalar;
  if (own === undefined || !fits) return null;
  return { kind: 'subgroup-matrix', use: 'result', scalar: own, columns: b.columns, rows: a.rows };
}

function lowerMultiply(lowering: Lowering, call: BuiltinCall): Operand {
  const { args, templates, span } = call;
  const [template] = templates;
  const word = wordParameter(template);
  const scalar = template === undefined || word === 'i8' || word === 'u8' ? null : typeParameter(lowering, template);
  const type = productType(args[0], args[1], scalar?.kind === 'scalar' ? scalar.scalar : word);
  if (type === null || args.length !== 2) return noOverload(call);
  const values = args.map((arg) => expressionOf(arg));
  return computed({ kind: 'subgroup-matrix', name: 'subgroupMatrixMultiply', args: values, unitBytes: 0, type, span });
}

function lowerMultiplyAccumulate(call: BuiltinCall): Operand {
  const { args, span } = call;
  const sum = args[2] && typeOf(args[2]);
  if (sum?.kind !== 'subgroup-matrix' || args.length !== 3) return noOverload(call);
  const type = productType(args[0], args[1], sum.scalar);
  if (type === null || typeText(type) !== typeText(sum)) return noOverload(call);
  const name = 'subgroupMatrixMultiplyAccumulate';
  return computed({
    kind: 'subgroup-matrix',
    name,
    args: args.map((arg) => expressionOf(arg)),
    unitBytes: 0,
    type,
    span,
  });
}

type ScalarFunction = 'subgroupMatrixScalarAdd' | 'subgroupMatrixScalarSubtract' | 'subgroupMatrixScalarMultiply';

function lowerScalar(call: BuiltinCall, name: ScalarFunction): Operand {
  const { args, span } = call;
  const [matrix, scalar] = args;
  const type = matrix && typeOf(matrix);
  if (type?.kind !== 'subgroup-matrix' || scalar === undefined || args.length !== 2) return noOverload(call);
  const values = [expressionOf(matrix!), expressionOf(scalar, scalarType(shaderScalar(type.scalar)))];
  return computed({ kind: 'subgroup-matrix', name, args: values, unitBytes: 0, type, span });
}
