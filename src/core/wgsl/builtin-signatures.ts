import {
  type AnyScalar,
  type AnyType,
  commonScalar,
  concreteScalar,
  isAbstract,
  scalarConverts,
  scalarType,
  shapedType,
  vectorType,
  type Width,
} from './abstract-types.js';
import type { Scalar } from './types.js';

/** The scalars that the one scalar type of a signature may be; `concrete` ones take no abstract type. */
type ScalarClass = 'number' | 'signed' | 'float' | 'integer' | 'any' | 'concrete-number' | 'none';

/**
 * Parameters and result of one overload, over one scalar type S of a class and one shape (a scalar, or a vector):
 * `T` is S in that shape, `V` the same but a vector only, `S` the scalar alone, `B` bool in that shape, `J` i32 (or an
 * abstract integer) in that shape, `lane` i32 or u32, and all others are concrete types.
 */
interface Signature {
  readonly scalars: ScalarClass;
  readonly parameters: readonly string[];
  readonly result: string;
}

/** A call as an overload takes it: what each argument converts to, and the result. */
export interface Overload {
  readonly parameters: readonly AnyType[];
  readonly result: AnyType;
  /** The scalar type S of the signature. */
  readonly scalar: AnyScalar;
}

/** Name, class of scalars, parameters and result; functions with equal overloads share a line. */
const table: readonly (readonly [names: string, scalars: ScalarClass, parameters: string, result: string])[] = [
  ['abs', 'number', 'T', 'T'],
  ['min max', 'number', 'T T', 'T'],
  ['clamp', 'number', 'T T T', 'T'],
  ['sign', 'signed', 'T', 'T'],
  ['acos acosh asin asinh atan atanh ceil cos cosh degrees exp exp2 floor fract inverseSqrt', 'float', 'T', 'T'],
  ['log log2 radians round saturate sin sinh sqrt tan tanh trunc', 'float', 'T', 'T'],
  ['atan2 pow step', 'float', 'T T', 'T'],
  ['fma mix smoothstep', 'float', 'T T T', 'T'],
  ['mix', 'float', 'V V S', 'V'],
  ['length', 'float', 'T', 'S'],
  ['distance', 'float', 'T T', 'S'],
  ['dot', 'number', 'V V', 'S'],
  ['cross', 'float', 'V3 V3', 'V3'],
  ['normalize', 'float', 'V', 'V'],
  ['reflect', 'float', 'V V', 'V'],
  ['faceForward', 'float', 'V V V', 'V'],
  ['refract', 'float', 'V V S', 'V'],
  ['ldexp', 'float', 'T J', 'T'],
  ['all any', 'none', 'B', 'bool'],
  ['select', 'any', 'T T bool', 'T'],
  ['select', 'any', 'V V B', 'V'],
  ['countLeadingZeros countOneBits countTrailingZeros', 'integer', 'T', 'T'],
  ['firstLeadingBit firstTrailingBit reverseBits', 'integer', 'T', 'T'],
  ['extractBits', 'integer', 'T u32 u32', 'T'],
  ['insertBits', 'integer', 'T T u32 u32', 'T'],
  ['quantizeToF16', 'none', 'F', 'F'],
  ['pack2x16float pack2x16snorm pack2x16unorm', 'none', 'vec2f', 'u32'],
  ['pack4x8snorm pack4x8unorm', 'none', 'vec4f', 'u32'],
  ['pack4xI8 pack4xI8Clamp', 'none', 'vec4i', 'u32'],
  ['pack4xU8 pack4xU8Clamp', 'none', 'vec4u', 'u32'],
  ['unpack2x16float unpack2x16snorm unpack2x16unorm', 'none', 'u32', 'vec2f'],
  ['unpack4x8snorm unpack4x8unorm', 'none', 'u32', 'vec4f'],
  ['unpack4xI8', 'none', 'u32', 'vec4i'],
  ['unpack4xU8', 'none', 'u32', 'vec4u'],
  ['dot4I8Packed', 'none', 'u32 u32', 'i32'],
  ['dot4U8Packed', 'none', 'u32 u32', 'u32'],
];

const subgroupTable: typeof table = [
  ['subgroupAdd subgroupInclusiveAdd subgroupExclusiveAdd', 'concrete-number', 'T', 'T'],
  ['subgroupMul subgroupInclusiveMul subgroupExclusiveMul', 'concrete-number', 'T', 'T'],
  ['subgroupMin subgroupMax subgroupBroadcastFirst', 'concrete-number', 'T', 'T'],
  ['quadSwapX quadSwapY quadSwapDiagonal', 'concrete-number', 'T', 'T'],
  ['subgroupBroadcast subgroupShuffle quadBroadcast', 'concrete-number', 'T lane', 'T'],
  ['subgroupShuffleXor subgroupShuffleUp subgroupShuffleDown', 'concrete-number', 'T u32', 'T'],
  ['subgroupAnd subgroupOr subgroupXor', 'integer', 'T', 'T'],
  ['subgroupAll subgroupAny', 'none', 'bool', 'bool'],
  ['subgroupBallot', 'none', 'bool', 'vec4u'],
  ['subgroupElect', 'none', '', 'bool'],
];

const fixedTypes: Readonly<Record<string, AnyType>> = {
  bool: scalarType('bool'),
  u32: scalarType('u32'),
  i32: scalarType('i32'),
  vec2f: vectorType(2, 'f32'),
  vec4f: vectorType(4, 'f32'),
  vec4i: vectorType(4, 'i32'),
  vec4u: vectorType(4, 'u32'),
};

function signaturesOf(lines: typeof table): ReadonlyMap<string, readonly Signature[]> {
  const byName = new Map<string, Signature[]>();
  for (const [names, scalars, parameters, result] of lines) {
    const signature = { scalars, parameters: parameters === '' ? [] : parameters.split(' '), result };
    for (const name of names.split(' ')) byName.set(name, [...(byName.get(name) ?? []), signature]);
  }
  return byName;
}

const valueFunctions = signaturesOf(table);
const subgroupFunctions = signaturesOf(subgroupTable);

/** Whether the name is a built-in function of values alone whose overloads are listed here. */
export const isValueFunction = (name: string): boolean => valueFunctions.has(name);
/** Whether the name is a built-in function in which the invocations of a subgroup exchange values. */
export const isSubgroupFunction = (name: string): boolean => subgroupFunctions.has(name);

const members: Readonly<Record<ScalarClass, readonly Scalar[]>> = {
  number: ['i32', 'u32', 'f32', 'f16'],
  'concrete-number': ['i32', 'u32', 'f32', 'f16'],
  signed: ['i32', 'f32', 'f16'],
  float: ['f32', 'f16'],
  integer: ['i32', 'u32'],
  any: ['i32', 'u32', 'f32', 'f16', 'bool'],
  none: [],
};

/** The scalar type S that arguments of these scalars give a signature, or null where none will do. */
function chooseScalar(scalars: readonly AnyScalar[], of: ScalarClass): AnyScalar | null {
  const common = commonScalar(scalars);
  if (common === null) return null;
  if (!isAbstract(common)) return members[of].some((scalar) => scalar === common) ? common : null;
  if (of === 'float') return 'abstract-float';
  if (of === 'integer') return common === 'abstract-int' ? 'i32' : null;
  return of === 'concrete-number' ? concreteScalar(common) : common;
}

/** Scalar and width (null for a scalar) of an argument, or null for any other type. */
function shapeOf(type: AnyType): { readonly scalar: AnyScalar; readonly width: Width | null } | null {
  if (type.kind === 'scalar') return { scalar: type.scalar, width: null };
  return type.kind === 'vector' ? { scalar: type.scalar, width: type.width } : null;
}

const shaped: readonly string[] = ['T', 'V', 'V3', 'B', 'J', 'F'];
const ofScalar: readonly string[] = ['T', 'V', 'V3', 'S'];

function match(signature: Signature, args: readonly AnyType[]): Overload | null {
  const { parameters } = signature;
  if (args.length !== parameters.length) return null;
  const shapes = args.map(shapeOf);
  if (shapes.some((shape) => shape === null)) return null;
  const widthAt = (at: number): Width | null => shapes[at]!.width;
  const first = parameters.findIndex((parameter) => shaped.includes(parameter));
  const width = first < 0 ? null : widthAt(first);
  const own = parameters.flatMap((parameter, at) => (ofScalar.includes(parameter) ? [shapes[at]!.scalar] : []));
  const scalar = own.length === 0 ? 'bool' : chooseScalar(own, signature.scalars);
  if (scalar === null) return null;
  const taken: AnyType[] = [];
  for (const [at, parameter] of parameters.entries()) {
    if (shaped.includes(parameter) && widthAt(at) !== width) return null;
    if ((parameter === 'V' && width === null) || (parameter === 'V3' && width !== 3)) return null;
    const type = parameterType(parameter, scalar, width, shapes[at]!.scalar);
    const to = shapeOf(type);
    if (to?.width !== widthAt(at) || !scalarConverts(shapes[at]!.scalar, to.scalar)) return null;
    taken.push(type);
  }
  return { parameters: taken, result: parameterType(signature.result, scalar, width, scalar), scalar };
}

function parameterType(parameter: string, scalar: AnyScalar, width: Width | null, given: AnyScalar): AnyType {
  switch (parameter) {
    case 'T':
    case 'V':
    case 'V3':
      return shapedType(width, scalar);
    case 'S':
      return scalarType(scalar);
    case 'B':
      return shapedType(width, 'bool');
    case 'F':
      return shapedType(width, 'f32');
    case 'J':
      return shapedType(width, isAbstract(scalar) && given === 'abstract-int' ? 'abstract-int' : 'i32');
    case 'lane':
      return scalarType(given === 'u32' ? 'u32' : 'i32');
    default:
      return fixedTypes[parameter]!;
  }
}

/** The overload of a built-in function that takes arguments of these types, or null where none does. */
export function chooseOverload(name: string, args: readonly AnyType[]): Overload | null {
  for (const signature of valueFunctions.get(name) ?? subgroupFunctions.get(name) ?? []) {
    const overload = match(signature, args);
    if (overload !== null) return overload;
  }
  return null;
}

/** What the result of `frexp` or `modf` on a float scalar or vector holds; the struct's name is WGSL's. */
export function splitResult(name: 'frexp' | 'modf', scalar: AnyScalar, width: Width | null): AnyType {
  const value = shapedType(width, scalar);
  const exponent = shapedType(width, scalar === 'abstract-float' ? 'abstract-int' : 'i32');
  const suffix = scalar === 'abstract-float' ? 'abstract' : scalar;
  const structName = `__${name}_result_${width === null ? '' : `vec${width}_`}${suffix}`;
  const parts = name === 'frexp' ? { fract: value, exp: exponent } : { fract: value, whole: value };
  const list = Object.entries(parts).map(([member, type]) => ({ name: member, type, align: null, size: null }));
  return { kind: 'struct', name: structName, members: list };
}

/** What the result of `atomicCompareExchangeWeak` holds. */
export function exchangeResult(scalar: 'i32' | 'u32'): AnyType {
  const parts = { old_value: scalarType(scalar), exchanged: scalarType('bool') };
  const list = Object.entries(parts).map(([name, type]) => ({ name, type, align: null, size: null }));
  return { kind: 'struct', name: `__atomic_compare_exchange_result_${scalar}`, members: list };
}
