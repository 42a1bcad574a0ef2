import type { Span } from '../diagnostic.js';
import {
  type AnyScalar,
  type AnyType,
  type ArrayType,
  commonScalar,
  commonType,
  concreteType,
  converts,
  holdsSubgroupMatrix,
  isAbstract,
  isConstructible,
  isFloat,
  type MatrixType,
  scalarOf,
  scalarType,
  type ScalarType,
  type StructureType,
  typeText,
  type VectorType,
  vectorType,
  type Width,
} from './abstract-types.js';
import { castConstant, type Folded, zeroValue } from './constant-fold.js';
import { folding, reject } from './lower-context.js';
import {
  computed,
  type Constant,
  constant,
  convertedTo,
  expressionOf,
  type Loaded,
  type Operand,
  typeOf,
} from './lower-operands.js';
import { shaderScalar } from './subgroup-matrix-type.js';
import type { SubgroupMatrixType } from './types.js';

/** A value of the type from arguments: zero, a conversion, or its parts. */
export function construct(type: AnyType, args: readonly Loaded[], span: Span): Operand {
  if (!isConstructible(type)) return reject(span, `A value of type ${typeText(type)} cannot be made.`, 'Use a var.');
  if (type.kind === 'subgroup-matrix') return constructSubgroupMatrix(type, args, span);
  if (args.length === 0) return zero(type, span);
  switch (type.kind) {
    case 'scalar':
      return args.length === 1 && args[0] !== undefined && typeOf(args[0]).kind === 'scalar'
        ? convert(args[0], type, span)
        : wrongParts(type, args, span);
    case 'vector':
      return constructVector(type, args, span);
    case 'matrix':
      return constructMatrix(type, args, span);
    case 'array':
      if (args.length !== type.count) return wrongParts(type, args, span);
      return compose(
        type,
        args,
        args.map(() => type.element),
        span,
      );
    case 'struct':
      return constructStruct(type, args, span);
    default:
      return reject(span, `A value of type ${typeText(type)} cannot be made.`, 'Use another type.');
  }
}

function wrongParts(type: AnyType, args: readonly Loaded[], span: Span): never {
  const given = args.map((arg) => typeText(typeOf(arg))).join(', ');
  return reject(span, `${typeText(type)} cannot be made from (${given}).`, 'Give one value for each of its parts.');
}

/** A written conversion of a scalar, vector or matrix to the scalar of `type`. */
function convert(arg: Loaded, type: ScalarType | VectorType | MatrixType, span: Span): Operand {
  const from = scalarOf(typeOf(arg))!;
  if (from === type.scalar) return arg;
  if (arg.kind === 'constant') {
    return constant(
      type,
      folding(span, () => castConstant(arg.value, from, type.scalar)),
      span,
    );
  }
  return computed({ kind: 'convert', operand: arg.expression, type: concreteType(type), span });
}

/** A composite from one argument for each part, each converted to the type of its part. */
function compose(type: AnyType, args: readonly Loaded[], partTypes: readonly AnyType[], span: Span): Operand {
  for (const [index, arg] of args.entries()) {
    if (!converts(typeOf(arg), partTypes[index]!)) return wrongParts(type, args, span);
  }
  const constants = allConstant(args);
  if (constants !== null) {
    return constant(
      type,
      constants.map((arg, index) => convertedTo(arg, partTypes[index]!).value),
      span,
    );
  }
  const parts = args.map((arg, index) => expressionOf(arg, partTypes[index]));
  return computed({ kind: 'construct', parts, type: concreteType(type), span });
}

function allConstant(args: readonly Loaded[]): readonly Constant[] | null {
  const constants = args.filter((arg) => arg.kind === 'constant');
  return constants.length === args.length ? constants : null;
}

const withScalarOf = (type: AnyType, scalar: AnyScalar): AnyType =>
  type.kind === 'vector' ? vectorType(type.width, scalar) : scalarType(scalar);

function constructVector(type: VectorType, args: readonly Loaded[], span: Span): Operand {
  const [first] = args;
  const only = args.length === 1 && first !== undefined ? typeOf(first) : null;
  if (only?.kind === 'vector' && only.width === type.width && first !== undefined) return convert(first, type, span);
  const widths = args.map((arg) => {
    const part = typeOf(arg);
    return part.kind === 'vector' ? part.width : part.kind === 'scalar' ? 1 : NaN;
  });
  const total = widths.reduce((sum, width) => sum + width, 0);
  const isSplat = only?.kind === 'scalar';
  if (!isSplat && total !== type.width) return wrongParts(type, args, span);
  const partTypes = args.map((arg) => withScalarOf(typeOf(arg), type.scalar));
  const composed = compose(type, args, partTypes, span);
  if (composed.kind !== 'constant') return composed;
  const parts = (composed.value as readonly Folded[]).flat();
  return constant(type, isSplat ? Array.from({ length: type.width }, () => parts[0]!) : parts, span);
}

function constructMatrix(type: MatrixType, args: readonly Loaded[], span: Span): Operand {
  const [first] = args;
  const only = args.length === 1 && first !== undefined ? typeOf(first) : null;
  if (only?.kind === 'matrix' && only.columns === type.columns && only.rows === type.rows && first !== undefined) {
    return convert(first, type, span);
  }
  const column = vectorType(type.rows, type.scalar);
  if (args.length === type.columns)
    return compose(
      type,
      args,
      args.map(() => column),
      span,
    );
  if (args.length !== type.columns * type.rows) return wrongParts(type, args, span);
  const composed = compose(
    type,
    args,
    args.map(() => scalarType(type.scalar)),
    span,
  );
  if (composed.kind !== 'constant') return composed;
  const scalars = composed.value as readonly Folded[];
  const columns = Array.from({ length: type.columns }, (_, i) => scalars.slice(i * type.rows, (i + 1) * type.rows));
  return constant(type, columns, span);
}

function constructStruct(type: StructureType, args: readonly Loaded[], span: Span): Operand {
  if (args.length !== type.members.length) return wrongParts(type, args, span);
  return compose(
    type,
    args,
    type.members.map((member) => member.type),
    span,
  );
}

/** The zero value of a type. What holds subgroup matrices is no constant: it is made of its parts. */
function zero(type: AnyType, span: Span): Operand {
  if (!holdsSubgroupMatrix(type)) {
    return constant(
      type,
      folding(span, () => zeroValue(type)),
      span,
    );
  }
  const parts =
    type.kind === 'array'
      ? Array.from({ length: Number(type.count) }, () => type.element)
      : type.kind === 'struct'
        ? type.members.map((member) => member.type)
        : [];
  const zeros = parts.map((part) => expressionOf(construct(part, [], span), part));
  return computed({ kind: 'construct', parts: zeros, type: concreteType(type), span });
}

/** Every element of a subgroup matrix is one scalar, zero where none is given: its value has that one part. */
function constructSubgroupMatrix(type: SubgroupMatrixType, args: readonly Loaded[], span: Span): Operand {
  if (args.length > 1) return wrongParts(type, args, span);
  const element = scalarType(shaderScalar(type.scalar));
  const [scalar] = args;
  const part = scalar ?? constant(element, 0, span);
  return computed({ kind: 'construct', parts: [expressionOf(part, element)], type, span });
}

/** `vec4(…)`, `mat2x2(…)` and `array(…)`, whose scalar or element type follows from the arguments. */
export function constructInferred(name: string, args: readonly Loaded[], span: Span): Operand {
  if (name === 'array') return constructInferredArray(args, span);
  const [, width, columns, rows] = /^(?:vec([234])|mat([234])x([234]))$/.exec(name)!;
  const scalars = args.map((arg) => scalarOf(typeOf(arg)));
  const known = scalars.filter((scalar) => scalar !== null);
  const scalar = known.length === args.length ? commonScalar(known) : null;
  if (width !== undefined) {
    const of = args.length === 0 ? 'abstract-int' : scalar;
    if (of === null) return wrongParts({ kind: 'unknown', text: name }, args, span);
    return construct(vectorType(Number(width) as Width, inferredScalar(of, args)), args, span);
  }
  const of = scalar === 'abstract-int' ? 'abstract-float' : scalar;
  if (of === null || !isFloat(of)) return wrongParts({ kind: 'unknown', text: name }, args, span);
  const type: MatrixType = {
    kind: 'matrix',
    columns: Number(columns) as Width,
    rows: Number(rows) as Width,
    scalar: inferredScalar(of, args) as MatrixType['scalar'],
  };
  return construct(type, args, span);
}

/** An abstract scalar stays one only where every argument is constant, and abstract arguments always are. */
function inferredScalar(scalar: AnyScalar, args: readonly Loaded[]): AnyScalar {
  return isAbstract(scalar) && allConstant(args) === null ? scalarOf(concreteType(scalarType(scalar)))! : scalar;
}

function constructInferredArray(args: readonly Loaded[], span: Span): Operand {
  const element = commonType(args.map(typeOf));
  if (element === null || !isConstructible(element)) {
    return wrongParts({ kind: 'unknown', text: 'array' }, args, span);
  }
  const own = allConstant(args) === null ? concreteType(element) : element;
  const type: ArrayType = { kind: 'array', element: own, count: args.length };
  return construct(type, args, span);
}
