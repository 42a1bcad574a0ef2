import type { ExpressionElem } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { scalarType, typeText } from './abstract-types.js';
import { type BuiltinCall, noOverload, pointerArgument } from './builtin-call.js';
import { type Lowering, reject, unsupported } from './lower-context.js';
import { computed, constant, expressionOf, type Loaded, type Operand, spanOf, typeOf } from './lower-operands.js';
import { typeParameter, wordParameter } from './lower-types.js';
import type { Expression, PointerType, Statement, SubgroupMatrixType } from './program.js';

/**
 * A call of a function on subgroup matrices that gives a value. A load has the arguments pointer, offset, whether the
 * matrix lies column by column, and stride, in whichever of the two forms of the extension it is written.
 */
export function lowerSubgroupMatrixCall(lowering: Lowering, call: BuiltinCall): Operand {
  switch (call.name) {
    case 'subgroupMatrixLoad':
      return lowerLoad(lowering, call);
    case 'subgroupMatrixMultiply':
    case 'subgroupMatrixMultiplyAccumulate':
      return lowerMultiply(lowering, call);
    default:
      return unsupported(
        call.span,
        `The simulator does not know the function ${call.name}.`,
        'Use subgroupMatrixLoad, subgroupMatrixStore, subgroupMatrixMultiply or subgroupMatrixMultiplyAccumulate.',
      );
  }
}

function lowerLoad(lowering: Lowering, call: BuiltinCall): Operand {
  const { args, templates, span, name } = call;
  const [first, second] = templates;
  const type = first === undefined ? null : typeParameter(lowering, first);
  if (type?.kind !== 'subgroup-matrix') {
    return reject(
      span,
      `${name} does not say which matrix it loads.`,
      `Write ${name}<subgroup_matrix_left<f32, 8, 8>>.`,
    );
  }
  const pointer = elementsPointer(call, type, 'read');
  const [offset, columnMajor, stride] = layoutArguments(args, [1, 2, 3], second, span);
  return computed({ kind: 'subgroup-matrix', name, args: [pointer, offset, columnMajor, stride], type, span });
}

/** `subgroupMatrixStore` as a statement, its arguments pointer, offset, matrix, column by column, and stride. */
export function lowerSubgroupMatrixStore(call: BuiltinCall): Statement {
  const { args, templates, span } = call;
  const matrix = args[2];
  const type = matrix === undefined ? null : typeOf(matrix);
  if (matrix === undefined || type?.kind !== 'subgroup-matrix') return noOverload(call);
  const pointer = elementsPointer(call, type, 'read_write');
  const [offset, columnMajor, stride] = layoutArguments(args, [1, 3, 4], templates[0], span);
  const value = expressionOf(matrix);
  return { kind: 'subgroup-matrix-store', args: [pointer, offset, value, columnMajor, stride], span };
}

/** The pointer to the array of scalars that a matrix is loaded from or stored to. */
function elementsPointer(call: BuiltinCall, { scalar }: SubgroupMatrixType, access: PointerType['access']): Expression {
  const accepts = (type: PointerType): boolean => {
    const { target, space } = type;
    const isShared = space === 'workgroup' || space === 'storage';
    const isWritable = access === 'read' || type.access === 'read_write';
    const holds = target.kind === 'array' && target.element.kind === 'scalar' && target.element.scalar === scalar;
    return isShared && isWritable && holds;
  };
  return pointerArgument(call, 0, accepts, `a pointer to an array<${scalar}> in storage or workgroup memory`);
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

function lowerMultiply(lowering: Lowering, call: BuiltinCall): Operand {
  const { args, templates, span, name } = call;
  const [left, right, result] = args.map(typeOf);
  if (left?.kind !== 'subgroup-matrix' || right?.kind !== 'subgroup-matrix') return noOverload(call);
  const [template] = templates;
  const scalar = template === undefined ? null : typeParameter(lowering, template);
  const type: SubgroupMatrixType = {
    kind: 'subgroup-matrix',
    use: 'result',
    scalar: scalar?.kind === 'scalar' ? (scalar.scalar as SubgroupMatrixType['scalar']) : left.scalar,
    columns: right.columns,
    rows: left.rows,
  };
  const isAccumulating = name === 'subgroupMatrixMultiplyAccumulate';
  const sum = isAccumulating ? result : type;
  const fits =
    left.use === 'left' && right.use === 'right' && left.columns === right.rows && left.scalar === right.scalar;
  const isSum =
    sum?.kind === 'subgroup-matrix' && sum.use === 'result' && sum.columns === type.columns && sum.rows === type.rows;
  if (!fits || !isSum || args.length !== (isAccumulating ? 3 : 2)) return noOverload(call);
  return computed({ kind: 'subgroup-matrix', name, args: args.map((arg) => expressionOf(arg)), type: sum, span });
}
