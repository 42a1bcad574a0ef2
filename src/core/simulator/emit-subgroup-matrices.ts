import type { Expression, Statement } from '../wgsl/program.js';
import { matrixElementBytes } from '../wgsl/subgroup-matrix-type.js';
import type { SubgroupMatrixType } from '../wgsl/types.js';
import { literal, named, type Component, type Components } from './component.js';
import type { FunctionContext, MatrixAccess, MatrixOperation } from './emit-context.js';
import { scalarExpression } from './emit-expressions.js';
import { byteAddress, countAt, noteOverflow, pointerOf, type AccessNode } from './emit-memory.js';
import { strideOf } from './flatten.js';
import { exchangeWidth } from './subgroups.js';

type MatrixExpression = Extract<Expression, { kind: 'subgroup-matrix' }>;
type MatrixStore = Extract<Statement, { kind: 'subgroup-matrix-store' }>;

/** Numbers and matrices that every invocation of the subgroup brings to an operation, in the order it takes them. */
interface Operands {
  readonly scalars: readonly Component[];
  readonly matrices: readonly Component[];
}

/**
 * An operation on subgroup matrices: each invocation puts its operands into its part of X and XM, waits, and finds the
 * subgroup's matrix there. The scheduler has the operation done once for the subgroup.
 */
export function subgroupMatrixOf(expression: MatrixExpression, context: FunctionContext): Components {
  const { name, type, args, unitBytes } = expression;
  if (type.kind !== 'subgroup-matrix') return [];
  if (name === 'subgroupMatrixLoad') {
    const [pointer, offset, order, stride] = args;
    const layout = { pointer: pointer!, offset: offset!, order: order!, stride: stride!, unitBytes };
    return [accessMatrix(name, type, layout, null, { node: expression, span: expression.span }, context)];
  }
  const operands = args.map((argument) => scalarExpression(argument, context));
  const isScalar = name.startsWith('subgroupMatrixScalar');
  const left = args[0]!.type;
  const inner = left.kind === 'subgroup-matrix' ? left.columns : 0;
  const brought = isScalar
    ? { scalars: operands.slice(1), matrices: operands.slice(0, 1) }
    : { scalars: [], matrices: operands };
  return [perform({ name, type, inner, access: null }, brought, expression, context)];
}

/** A matrix whose elements are all the same scalar; zero needs no operation. */
export function filledMatrix(
  type: SubgroupMatrixType,
  expression: Extract<Expression, { kind: 'construct' }>,
  context: FunctionContext,
): Components {
  const value = scalarExpression(expression.parts[0]!, context);
  if (value.code === '0') return [literal('matrix', 0)];
  return [
    perform({ name: 'fill', type, inner: 0, access: null }, { scalars: [value], matrices: [] }, expression, context),
  ];
}

/** Writes the store of a subgroup matrix. */
export function storeMatrix(statement: MatrixStore, context: FunctionContext): void {
  const [pointer, offset, matrix, order, stride] = statement.args;
  const { type } = matrix!;
  if (type.kind !== 'subgroup-matrix') return;
  const value = scalarExpression(matrix!, context);
  const { unitBytes } = statement;
  const layout = { pointer: pointer!, offset: offset!, order: order!, stride: stride!, unitBytes };
  accessMatrix('subgroupMatrixStore', type, layout, value, { node: statement, span: statement.span }, context);
}

/** Where in memory a matrix lies, as its load or store says. */
interface WrittenLayout {
  readonly pointer: Expression;
  readonly offset: Expression;
  /** A constant bool: column by column. */
  readonly order: Expression;
  readonly stride: Expression;
  readonly unitBytes: number;
}

function accessMatrix(
  name: 'subgroupMatrixLoad' | 'subgroupMatrixStore',
  type: SubgroupMatrixType,
  layout: WrittenLayout,
  stored: Component | null,
  at: AccessNode,
  context: FunctionContext,
): Component {
  const { pass, definition, writer } = context;
  const pointer = pointerOf(layout.pointer, context);
  const scalars = [layout.offset, layout.stride].map((index) => {
    const component = scalarExpression(index, context);
    const isSigned = index.type.kind === 'scalar' && index.type.scalar === 'i32';
    if (component.exact !== null) noteOverflow(component, index, isSigned, pointer.root.name, context);
    return component;
  });
  const residence = pass.residenceOf(pointer.root);
  const target = layout.pointer.type.kind === 'pointer' ? layout.pointer.type.target : null;
  if (residence.kind !== 'memory' || target === null) return literal('matrix', 0);
  const variable = pointer.root.name;
  const { unitBytes } = layout;
  const columnMajor = layout.order.kind === 'constant' && layout.order.value === true;
  const kind = name === 'subgroupMatrixStore' ? 'write' : 'read';
  const bytes = matrixElementBytes(type.scalar);
  const limit = countAt(target, pointer, residence, context);
  const shortest = Math.ceil(((columnMajor ? type.rows : type.columns) * bytes) / unitBytes);
  const site = pass.siteOf(at.node, { kind, bytes, span: at.span, functionName: definition.name }, pointer.root);
  const faultOf = (faultKind: 'out-of-bounds' | 'matrix-stride', { span }: Expression, most: number): number =>
    pass.addFault({ kind: faultKind, span, variable, limit: most, signed: false });
  const access: MatrixAccess = {
    memory: residence.index,
    site,
    block: pass.addBlock([site]),
    elements: limit,
    elementBytes: strideOf(target),
    unitBytes,
    columnMajor,
    outside: faultOf('out-of-bounds', layout.offset, limit),
    shortStride: faultOf('matrix-stride', layout.stride, shortest),
  };
  if (!pass.holdsMatrices) {
    // Nobody asks for the elements: the first invocation of the subgroup counts them all.
    writer.line(`if (S[2] % SG === 0) B[${access.block}] += ${type.rows * type.columns};`);
    return literal('matrix', 0);
  }
  const base = named(writer.temporary(byteAddress(pointer, residence.unitBytes)));
  const operands = { scalars: [base, ...scalars], matrices: stored === null ? [] : [stored] };
  return perform({ name, type, inner: 0, access }, operands, at, context);
}

function perform(
  operation: Omit<MatrixOperation, 'differing'>,
  { scalars, matrices }: Operands,
  { span }: { readonly span: Expression['span'] },
  { writer, pass }: FunctionContext,
): Component {
  if (!pass.holdsMatrices) return literal('matrix', 0);
  const place = { kind: 'non-uniform-operand', span, variable: null, limit: null, signed: false } as const;
  const differing = pass.addFault(place);
  const { name } = operation;
  const matrix = { ...operation, differing };
  const width = scalars.length;
  const point = pass.addSync({ kind: 'subgroup', span, name, width, scalar: 'f32', matrix });
  const first = writer.temporary(`S[2] * ${exchangeWidth}`);
  for (const [index, { code, tag }] of scalars.entries()) {
    writer.line(`X[${first} + ${index}] = +(${code});`);
    if (pass.variant.tags) writer.line(`XT[${first} + ${index}] = ${tag};`);
  }
  for (const [index, { code }] of matrices.entries()) writer.line(`XM[${first} + ${index}] = ${code};`);
  writer.endRegion();
  writer.line(`yield ${point};`);
  return named(writer.temporary(`XM[${first}]`));
}
