import { layoutOf, memberOffsets } from '../wgsl/layout.js';
import type { ValueType } from '../wgsl/program.js';
import type { Scalar } from '../wgsl/types.js';

/** A scalar, or a whole subgroup matrix: the generated code handles that as one object that all invocations share. */
export type LeafScalar = Scalar | 'matrix';

/** One scalar of a type, and where it lies when the type lies in memory that WGSL lays out. */
export interface Leaf {
  readonly scalar: LeafScalar;
  readonly byteOffset: number;
}

const known = new WeakMap<ValueType, readonly Leaf[]>();

/**
 * The scalars of a type in the order in which the simulator keeps them: components of vectors, columns of matrices,
 * elements of arrays, members of structs. A runtime-sized array counts as empty, a pointer as one u32.
 */
export function leavesOf(type: ValueType): readonly Leaf[] {
  const found = known.get(type);
  if (found) return found;
  const leaves: Leaf[] = [];
  collect(type, 0, leaves);
  known.set(type, leaves);
  return leaves;
}

function collect(type: ValueType, byteOffset: number, leaves: Leaf[]): void {
  switch (type.kind) {
    case 'scalar':
    case 'atomic':
      leaves.push({ scalar: type.scalar, byteOffset });
      return;
    case 'vector': {
      const bytes = type.scalar === 'f16' ? 2 : 4;
      for (let i = 0; i < type.width; i++) leaves.push({ scalar: type.scalar, byteOffset: byteOffset + i * bytes });
      return;
    }
    case 'matrix':
    case 'array': {
      const { count, element } = elementsOf(type);
      const stride = strideOf(type);
      for (let i = 0; i < count; i++) collect(element, byteOffset + i * stride, leaves);
      return;
    }
    case 'struct': {
      // Results of frexp and its like have no place in memory, but members all the same.
      const offsets = memberOffsets(type);
      for (const [index, member] of type.members.entries()) {
        collect(member.type, byteOffset + (offsets?.[index]?.byteOffset ?? 0), leaves);
      }
      return;
    }
    case 'pointer':
      leaves.push({ scalar: 'u32', byteOffset });
      return;
    case 'subgroup-matrix':
      leaves.push({ scalar: 'matrix', byteOffset });
      return;
    case 'void':
    case 'unknown':
  }
}

/** Whether a scalar has a tag of its own: a matrix keeps those of its elements, and booleans have none. */
export function carriesTag(scalar: LeafScalar): boolean {
  return scalar !== 'bool' && scalar !== 'matrix';
}

/** The view of the stack that holds a scalar. */
export function stackView(scalar: LeafScalar): 'SF' | 'SI' | 'SM' {
  if (scalar === 'matrix') return 'SM';
  return scalar === 'f32' || scalar === 'f16' ? 'SF' : 'SI';
}

/** Element type and count of a vector, matrix (its columns) or array; the count of a runtime-sized array is 0. */
export function elementsOf(type: ValueType): { readonly count: number; readonly element: ValueType } {
  switch (type.kind) {
    case 'vector':
      return { count: type.width, element: { kind: 'scalar', scalar: type.scalar } };
    case 'matrix':
      return { count: type.columns, element: { kind: 'vector', width: type.rows, scalar: type.scalar } };
    case 'array':
      return { count: typeof type.count === 'number' ? type.count : 0, element: type.element };
    default:
      return { count: 0, element: { kind: 'void' } };
  }
}

/** Bytes between the elements of a vector, matrix or array in memory. */
export function strideOf(type: ValueType): number {
  if (type.kind === 'vector') return type.scalar === 'f16' ? 2 : 4;
  if (type.kind === 'matrix' || type.kind === 'array') return layoutOf(type)?.strideBytes ?? 4;
  return 0;
}

/** How many scalars stand before a member in its struct, and how many it has. */
export function memberLeaves(type: ValueType, member: number): { readonly start: number; readonly count: number } {
  if (type.kind !== 'struct') return { start: 0, count: 0 };
  let start = 0;
  for (let i = 0; i < member; i++) start += leavesOf(type.members[i]!.type).length;
  return { start, count: leavesOf(type.members[member]!.type).length };
}

/** The scalar type of a scalar, vector, matrix or atomic; bool for everything else. */
export function scalarOf(type: ValueType): Scalar {
  switch (type.kind) {
    case 'scalar':
    case 'atomic':
    case 'vector':
    case 'matrix':
      return type.scalar;
    default:
      return 'bool';
  }
}

/** Bytes that one access of this type moves: a `vec3<f32>` 12, a struct its size with the gaps in it. */
export function accessBytes(type: ValueType): number {
  if (type.kind === 'pointer' || type.kind === 'void') return 4;
  return layoutOf(type)?.sizeBytes ?? 4;
}
