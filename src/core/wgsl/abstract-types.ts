import type { PointerType, ValueType } from './program.js';
import type { Scalar, SubgroupMatrixType } from './types.js';

/** Scalar types that only constants have, until they meet a concrete type or take their default one. */
export type AbstractScalar = 'abstract-int' | 'abstract-float';
export type AnyScalar = Scalar | AbstractScalar;

/** One member of a struct whose type may be abstract: only results of `frexp` and `modf` have such members. */
export interface AnyMember {
  readonly name: string;
  readonly type: AnyType;
  readonly align: number | null;
  readonly size: number | null;
}

/** Every type an expression can have before its abstract parts take a concrete type. {@link ValueType} is a part of it. */
export type AnyType =
  | { readonly kind: 'scalar'; readonly scalar: AnyScalar }
  | { readonly kind: 'vector'; readonly width: 2 | 3 | 4; readonly scalar: AnyScalar }
  | {
      readonly kind: 'matrix';
      readonly columns: 2 | 3 | 4;
      readonly rows: 2 | 3 | 4;
      readonly scalar: 'f32' | 'f16' | 'abstract-float';
    }
  | { readonly kind: 'array'; readonly element: AnyType; readonly count: number | string | null }
  | { readonly kind: 'struct'; readonly name: string; readonly members: readonly AnyMember[] }
  | { readonly kind: 'atomic'; readonly scalar: 'i32' | 'u32' }
  | { readonly kind: 'unknown'; readonly text: string }
  | PointerType
  | SubgroupMatrixType
  | { readonly kind: 'void' };

export type ScalarType = Extract<AnyType, { kind: 'scalar' }>;
export type VectorType = Extract<AnyType, { kind: 'vector' }>;
export type MatrixType = Extract<AnyType, { kind: 'matrix' }>;
export type ArrayType = Extract<AnyType, { kind: 'array' }>;
export type StructureType = Extract<AnyType, { kind: 'struct' }>;
export type Width = 2 | 3 | 4;

/** The one scalar of each type, so that equal scalars are mostly the same object. */
const scalarTypes: Readonly<Record<AnyScalar, ScalarType>> = {
  f32: { kind: 'scalar', scalar: 'f32' },
  f16: { kind: 'scalar', scalar: 'f16' },
  i32: { kind: 'scalar', scalar: 'i32' },
  u32: { kind: 'scalar', scalar: 'u32' },
  bool: { kind: 'scalar', scalar: 'bool' },
  'abstract-int': { kind: 'scalar', scalar: 'abstract-int' },
  'abstract-float': { kind: 'scalar', scalar: 'abstract-float' },
};
export const voidType = { kind: 'void' } as const;

export const scalarType = (scalar: AnyScalar): ScalarType => scalarTypes[scalar];
export const vectorType = (width: Width, scalar: AnyScalar): VectorType => ({ kind: 'vector', width, scalar });

/** A scalar, or a vector where a width is given. */
export const shapedType = (width: Width | null, scalar: AnyScalar): ScalarType | VectorType =>
  width === null ? scalarType(scalar) : vectorType(width, scalar);

export const isAbstract = (scalar: AnyScalar): scalar is AbstractScalar =>
  scalar === 'abstract-int' || scalar === 'abstract-float';
export const isFloat = (scalar: AnyScalar): boolean =>
  scalar === 'f32' || scalar === 'f16' || scalar === 'abstract-float';
export const isInteger = (scalar: AnyScalar): boolean =>
  scalar === 'i32' || scalar === 'u32' || scalar === 'abstract-int';

/** Whether no part of the type is abstract. */
export function isConcrete(type: AnyType): type is ValueType {
  switch (type.kind) {
    case 'scalar':
    case 'vector':
    case 'matrix':
      return !isAbstract(type.scalar);
    case 'array':
      return isConcrete(type.element);
    case 'struct':
      return type.members.every((member) => isConcrete(member.type));
    case 'unknown':
      return false;
    default:
      return true;
  }
}

/** Whether two types are one and the same. Structs have one name each in a module. */
export function sameType(a: AnyType, b: AnyType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'scalar':
      return b.kind === 'scalar' && a.scalar === b.scalar;
    case 'atomic':
      return b.kind === 'atomic' && a.scalar === b.scalar;
    case 'vector':
      return b.kind === 'vector' && a.width === b.width && a.scalar === b.scalar;
    case 'matrix':
      return b.kind === 'matrix' && a.columns === b.columns && a.rows === b.rows && a.scalar === b.scalar;
    case 'array':
      return b.kind === 'array' && a.count === b.count && sameType(a.element, b.element);
    case 'struct':
      return b.kind === 'struct' && a.name === b.name;
    case 'pointer':
      return b.kind === 'pointer' && a.space === b.space && a.access === b.access && sameType(a.target, b.target);
    case 'subgroup-matrix':
      return b.kind === a.kind && typeText(a) === typeText(b);
    case 'void':
      return b.kind === 'void';
    case 'unknown':
      return false;
  }
}

/** The type as people write it; abstract scalars as the specification calls them. */
export function typeText(type: AnyType): string {
  switch (type.kind) {
    case 'scalar':
      return type.scalar;
    case 'atomic':
      return `atomic<${type.scalar}>`;
    case 'vector':
      return `vec${type.width}<${type.scalar}>`;
    case 'matrix':
      return `mat${type.columns}x${type.rows}<${type.scalar}>`;
    case 'array':
      return type.count === null
        ? `array<${typeText(type.element)}>`
        : `array<${typeText(type.element)}, ${type.count}>`;
    case 'struct':
      return type.name;
    case 'pointer':
      return `ptr<${type.space}, ${typeText(type.target)}${type.space === 'storage' ? `, ${type.access}` : ''}>`;
    case 'subgroup-matrix':
      return `subgroup_matrix_${type.use}<${type.scalar}, ${type.columns}, ${type.rows}>`;
    case 'void':
      return 'no value';
    case 'unknown':
      return type.text;
  }
}

/** The concrete scalar that a scalar takes where nothing else is asked of it. */
export const concreteScalar = (scalar: AnyScalar): Scalar =>
  scalar === 'abstract-int' ? 'i32' : scalar === 'abstract-float' ? 'f32' : scalar;

/** The type with the default concrete scalar in place of every abstract one. */
export function concreteType(type: AnyType): ValueType {
  if (isConcrete(type)) return type;
  return withoutAbstract(type) as ValueType;
}

function withoutAbstract(type: AnyType): AnyType {
  switch (type.kind) {
    case 'scalar':
      return scalarType(concreteScalar(type.scalar));
    case 'vector':
      return vectorType(type.width, concreteScalar(type.scalar));
    case 'matrix':
      return { ...type, scalar: type.scalar === 'f16' ? 'f16' : 'f32' };
    case 'array':
      return { ...type, element: withoutAbstract(type.element) };
    case 'struct': {
      const members = type.members.map((member) => ({ ...member, type: withoutAbstract(member.type) }));
      return { kind: 'struct', name: type.name.replace(/abstract$/, 'f32'), members };
    }
    default:
      return type;
  }
}

/** Whether a value of one scalar type is taken where another is asked for, without anything being written. */
export function scalarConverts(from: AnyScalar, to: AnyScalar): boolean {
  if (from === to) return true;
  if (from === 'abstract-int') return to !== 'bool';
  return from === 'abstract-float' && (to === 'f32' || to === 'f16');
}

/** Whether a value of one type is taken where another is asked for ("conversion rank" in the specification). */
export function converts(from: AnyType, to: AnyType): boolean {
  if (sameType(from, to)) return true;
  switch (from.kind) {
    case 'scalar':
      return to.kind === 'scalar' && scalarConverts(from.scalar, to.scalar);
    case 'vector':
      return to.kind === 'vector' && from.width === to.width && scalarConverts(from.scalar, to.scalar);
    case 'matrix': {
      const isSameSize = to.kind === 'matrix' && from.columns === to.columns && from.rows === to.rows;
      return isSameSize && scalarConverts(from.scalar, to.scalar);
    }
    case 'array':
      return to.kind === 'array' && from.count === to.count && converts(from.element, to.element);
    case 'struct':
      // Only the results of `frexp` and `modf` have abstract members, and their names say so.
      return (
        to.kind === 'struct' &&
        from.name.startsWith('__') &&
        from.name.endsWith('_abstract') &&
        from.name.slice(0, -'abstract'.length) === to.name.slice(0, -'f32'.length)
      );
    default:
      return false;
  }
}

/** The scalar that all of these can be taken as, the least far from them; null where there is none. */
export function commonScalar(scalars: readonly AnyScalar[]): AnyScalar | null {
  let common: AnyScalar | null = null;
  for (const scalar of scalars) {
    if (common === null || scalarConverts(common, scalar)) common = scalar;
    else if (!scalarConverts(scalar, common)) return null;
  }
  return common;
}

/** The type that all of these can be taken as, the least far from them; null where there is none. */
export function commonType(types: readonly AnyType[]): AnyType | null {
  let common: AnyType | null = null;
  for (const type of types) {
    if (common === null || converts(common, type)) common = type;
    else if (!converts(type, common)) return null;
  }
  return common;
}

/** The scalar a scalar, vector or matrix is made of, else null. */
export function scalarOf(type: AnyType): AnyScalar | null {
  return type.kind === 'scalar' || type.kind === 'vector' || type.kind === 'matrix' ? type.scalar : null;
}

/** The same scalar, vector or matrix of another scalar. */
export function withScalar<T extends ScalarType | VectorType | MatrixType>(type: T, scalar: AnyScalar): T {
  return type.kind === 'scalar' ? (scalarType(scalar) as T) : { ...type, scalar };
}

/** What indexing gives: the element of an array, the column of a matrix, the component of a vector; else null. */
export function elementType(type: AnyType): AnyType | null {
  switch (type.kind) {
    case 'array':
      return type.element;
    case 'vector':
      return scalarType(type.scalar);
    case 'matrix':
      return vectorType(type.rows, type.scalar);
    default:
      return null;
  }
}

/** How many elements indexing can choose from; null for a runtime-sized array or a type that is not indexed. */
export function elementCount(type: AnyType): number | null {
  switch (type.kind) {
    case 'array':
      return typeof type.count === 'number' ? type.count : null;
    case 'vector':
      return type.width;
    case 'matrix':
      return type.columns;
    default:
      return null;
  }
}

/** Whether the type is a subgroup matrix, or an array or struct with one in it: such values exist in functions alone. */
export function holdsSubgroupMatrix(type: AnyType): boolean {
  switch (type.kind) {
    case 'subgroup-matrix':
      return true;
    case 'array':
      return holdsSubgroupMatrix(type.element);
    case 'struct':
      return type.members.some((member) => holdsSubgroupMatrix(member.type));
    default:
      return false;
  }
}

/** Whether values of the type can be made, loaded and stored: it has a fixed size and holds no atomics. */
export function isConstructible(type: AnyType): boolean {
  switch (type.kind) {
    case 'scalar':
    case 'vector':
    case 'matrix':
    case 'subgroup-matrix':
      return true;
    case 'array':
      return typeof type.count === 'number' && isConstructible(type.element);
    case 'struct':
      return type.members.every((member) => isConstructible(member.type));
    default:
      return false;
  }
}
