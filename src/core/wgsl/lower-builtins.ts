import type { Span } from '../diagnostic.js';
import { type AnyType, concreteType, isConstructible, scalarOf, scalarType, shapedType } from './abstract-types.js';
import {
  chooseOverload,
  exchangeResult,
  isSubgroupFunction,
  isValueFunction,
  splitResult,
} from './builtin-signatures.js';
import { foldBuiltin, foldMatrix, foldSplit } from './constant-builtins.js';
import { foldBitcast } from './constant-fold.js';
import { type BuiltinCall, noOverload, pointerArgument } from './builtin-call.js';
import { folding, type Lowering, reject, unsupported } from './lower-context.js';
import {
  computed,
  type Constant,
  constant,
  convertedTo,
  expressionOf,
  type Operand,
  typeOf,
} from './lower-operands.js';
import { lowerSubgroupMatrixCall } from './lower-subgroup-matrix.js';
import { typeParameter } from './lower-types.js';
import type { AtomicOperation, PointerType } from './program.js';
import type { WgslType } from './types.js';

/** Operands that follow the pointer of each atomic operation. */
const atomicOperands: Readonly<Record<AtomicOperation, number>> = {
  atomicLoad: 0,
  atomicStore: 1,
  atomicAdd: 1,
  atomicSub: 1,
  atomicMax: 1,
  atomicMin: 1,
  atomicAnd: 1,
  atomicOr: 1,
  atomicXor: 1,
  atomicExchange: 1,
  atomicCompareExchangeWeak: 2,
};

const isAtomic = (name: string): name is AtomicOperation => Object.hasOwn(atomicOperands, name);

/** A call of one of WGSL's own functions that gives a value, or stores atomically. */
export function lowerBuiltin(lowering: Lowering, call: BuiltinCall): Operand {
  const { name, span } = call;
  if (isValueFunction(name) || isSubgroupFunction(name)) return lowerOverloaded(call);
  if (isAtomic(name)) return lowerAtomic(call, name);
  switch (name) {
    case 'bitcast':
      return lowerBitcast(lowering, call);
    case 'frexp':
    case 'modf':
      return lowerSplit(call, name);
    case 'determinant':
    case 'transpose':
      return lowerMatrixFunction(call, name);
    case 'arrayLength':
      return lowerArrayLength(call);
    case 'workgroupUniformLoad':
      return lowerUniformLoad(call);
    default:
      if (name.startsWith('subgroupMatrix')) return lowerSubgroupMatrixCall(lowering, call);
      return unknownFunction(name, span);
  }
}

function unknownFunction(name: string, span: Span): never {
  if (/^(?:dpd[xy]|fwidth)/.test(name)) {
    return reject(span, `${name} exists in fragment shaders only.`, 'Take the difference of two values yourself.');
  }
  if (/^texture|^input/.test(name)) {
    return unsupported(span, `The simulator has no textures, and so no ${name}.`, 'Pass the data in a buffer.');
  }
  return unsupported(span, `The simulator does not know the function ${name}.`, 'Use a built-in function of WGSL.');
}

function lowerOverloaded(call: BuiltinCall): Operand {
  const { name, args, span } = call;
  const overload = chooseOverload(name, args.map(typeOf));
  if (overload === null) return noOverload(call);
  const { parameters, result, scalar } = overload;
  if (isSubgroupFunction(name)) {
    const values = args.map((arg, index) => expressionOf(arg, parameters[index]));
    return computed({ kind: 'subgroup', name, args: values, type: concreteType(result), span });
  }
  const constants = args.filter((arg) => arg.kind === 'constant');
  if (constants.length === args.length) {
    const typed = constants.map((arg, index) => convertedTo(arg, parameters[index]!));
    return constant(
      result,
      folding(span, () => foldBuiltin(name, typed, scalar)),
      span,
    );
  }
  const values = args.map((arg, index) => expressionOf(arg, parameters[index]));
  return computed({ kind: 'builtin', name, args: values, type: concreteType(result), span });
}

function lowerSplit(call: BuiltinCall, name: 'frexp' | 'modf'): Operand {
  const { args, span } = call;
  // Both take what `floor` takes.
  const overload = chooseOverload('floor', args.map(typeOf));
  const [arg] = args;
  if (overload === null || arg === undefined) return noOverload(call);
  const type = overload.parameters[0]!;
  const result = splitResult(name, overload.scalar, type.kind === 'vector' ? type.width : null);
  if (arg.kind === 'constant') {
    const { value } = convertedTo(arg, type);
    return constant(
      result,
      folding(span, () => foldSplit(name, value, overload.scalar)),
      span,
    );
  }
  return computed({ kind: 'builtin', name, args: [arg.expression], type: concreteType(result), span });
}

function lowerMatrixFunction(call: BuiltinCall, name: 'determinant' | 'transpose'): Operand {
  const { args, span } = call;
  const [arg] = args;
  const type = arg === undefined ? null : typeOf(arg);
  if (arg === undefined || args.length !== 1 || type?.kind !== 'matrix') return noOverload(call);
  if (name === 'determinant' && type.columns !== type.rows) return noOverload(call);
  const result: AnyType =
    name === 'determinant' ? scalarType(type.scalar) : { ...type, columns: type.rows, rows: type.columns };
  if (arg.kind === 'constant') {
    return constant(
      result,
      folding(span, () => foldMatrix(name, arg.value, type.scalar)),
      span,
    );
  }
  return computed({ kind: 'builtin', name, args: [arg.expression], type: concreteType(result), span });
}

const bitsOf = (type: AnyType): number | null => {
  const scalar = scalarOf(type);
  if (scalar === null || scalar === 'bool' || type.kind === 'matrix') return null;
  return (scalar === 'f16' ? 16 : 32) * (type.kind === 'vector' ? type.width : 1);
};

function lowerBitcast(lowering: Lowering, call: BuiltinCall): Operand {
  const { args, templates, span } = call;
  const [arg] = args;
  const [template] = templates;
  if (arg === undefined || args.length !== 1 || template === undefined) return noOverload(call);
  const to = typeParameter(lowering, template);
  const type = typeOf(arg);
  const from = arg.kind === 'constant' ? bitcastSource(arg) : concreteType(type);
  const bits = bitsOf(to);
  if (bits === null || bits !== bitsOf(from)) return noOverload(call);
  if (arg.kind === 'constant') {
    const { value } = convertedTo(arg, from);
    return constant(
      to,
      folding(span, () => foldBitcast(value, from, to)),
      span,
    );
  }
  if (scalarOf(to) === scalarOf(type)) return arg;
  return computed({ kind: 'bitcast', operand: arg.expression, type: concreteType(to), span });
}

/** The type whose bits a constant is read as: u32 for abstract integers that i32 cannot hold. */
function bitcastSource({ type, value }: Constant): AnyType {
  const parts = typeof value === 'object' ? value : [value];
  const isLarge = scalarOf(type) === 'abstract-int' && parts.some((part) => Number(part) >= 2 ** 31);
  return isLarge ? shapedType(type.kind === 'vector' ? type.width : null, 'u32') : concreteType(type);
}

function lowerAtomic(call: BuiltinCall, operation: AtomicOperation): Operand {
  const { args, span } = call;
  const isAtomicPointer = (type: PointerType): boolean => type.target.kind === 'atomic' && type.access === 'read_write';
  const pointer = pointerArgument(call, 0, isAtomicPointer, 'a pointer to an atomic that can be written');
  const { target } = pointer.type;
  if (target.kind !== 'atomic' || args.length !== atomicOperands[operation] + 1) return noOverload(call);
  const scalar = scalarType(target.scalar);
  const operands = args.slice(1).map((arg) => expressionOf(arg, scalar));
  const type =
    operation === 'atomicStore'
      ? ({ kind: 'void' } as const)
      : concreteType(operation === 'atomicCompareExchangeWeak' ? exchangeResult(target.scalar) : scalar);
  return computed({ kind: 'atomic', operation, pointer, args: operands, type, span });
}

function lowerArrayLength(call: BuiltinCall): Operand {
  const isRuntimeArray = ({ target }: PointerType): boolean => target.kind === 'array' && target.count === null;
  const pointer = pointerArgument(call, 0, isRuntimeArray, 'a pointer to an array without a count');
  return computed({ kind: 'array-length', pointer, type: { kind: 'scalar', scalar: 'u32' }, span: call.span });
}

function lowerUniformLoad(call: BuiltinCall): Operand {
  const accepts = ({ space, target }: PointerType): boolean =>
    space === 'workgroup' && (target.kind === 'atomic' || isConstructible(target));
  const pointer = pointerArgument(call, 0, accepts, 'a pointer to workgroup memory');
  const { target } = pointer.type;
  const type: WgslType = target.kind === 'atomic' ? { kind: 'scalar', scalar: target.scalar } : target;
  return computed({ kind: 'uniform-load', pointer, type, span: call.span });
}
