import type { Scalar, StructMember, WgslType } from './types.js';

/** How a type lies in memory. `strideBytes` is the distance between the elements of an array or columns of a matrix. */
export interface Layout {
  /** For a type that ends in a runtime-sized array: the size with no element in that array. */
  readonly sizeBytes: number;
  readonly alignBytes: number;
  readonly strideBytes?: number;
}

/** Where one member of a struct lies. */
export interface MemberOffset {
  readonly name: string;
  readonly type: WgslType;
  readonly byteOffset: number;
  /** Size of the member, its `@size` included. */
  readonly sizeBytes: number;
}

/** One scalar inside a type. Array elements and matrix columns are numbered in the path, vector components x y z w. */
export interface ScalarLeaf {
  readonly path: string;
  readonly byteOffset: number;
  readonly scalar: Scalar;
}

type StructType = Extract<WgslType, { kind: 'struct' }>;

/** Most leaves {@link scalarLeaves} lists: far above any uniform, far below what would stall an editor. */
const mostLeaves = 65_536;
const components = ['x', 'y', 'z', 'w'] as const;

const scalarBytes = (scalar: Scalar): number => (scalar === 'f16' ? 2 : 4);

/** `value` rounded up to a multiple of `multiple`. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

function vectorLayout(width: number, scalar: Scalar): Layout {
  const bytes = scalarBytes(scalar);
  return { sizeBytes: width * bytes, alignBytes: (width === 2 ? 2 : 4) * bytes };
}

const structLayouts = new WeakMap<WgslType, { readonly layout: Layout; readonly members: readonly MemberOffset[] }>();

function structLayout(type: StructType): { layout: Layout; members: readonly MemberOffset[] } | null {
  const known = structLayouts.get(type);
  if (known !== undefined) return known;
  const members: MemberOffset[] = [];
  let end = 0;
  let alignBytes = 1;
  for (const [index, member] of type.members.entries()) {
    const own = layoutOf(member.type);
    if (own === null || (isRuntimeSized(member.type) && index !== type.members.length - 1)) return null;
    const memberAlign = member.align ?? own.alignBytes;
    const byteOffset = roundUp(end, memberAlign);
    const sizeBytes = member.size ?? own.sizeBytes;
    members.push({ name: member.name, type: member.type, byteOffset, sizeBytes });
    end = byteOffset + sizeBytes;
    alignBytes = Math.max(alignBytes, memberAlign);
  }
  if (members.length === 0) return null;
  const sized = { layout: { sizeBytes: roundUp(end, alignBytes), alignBytes }, members };
  structLayouts.set(type, sized);
  return sized;
}

/**
 * Size and alignment in bytes by the rules of WGSL ("Alignment and Size"): the same in every address space, since WGSL
 * restricts types rather than moving them. Null where the type has no fixed place in memory: it is unknown, it holds a
 * subgroup matrix, an array count depends on an override, or a runtime-sized array is not the last member. A bool counts 4 bytes (it may only
 * stand in workgroup memory, where drivers use 4).
 */
export function layoutOf(type: WgslType): Layout | null {
  switch (type.kind) {
    case 'scalar':
    case 'atomic':
      return { sizeBytes: scalarBytes(type.scalar), alignBytes: scalarBytes(type.scalar) };
    case 'vector':
      return vectorLayout(type.width, type.scalar);
    case 'matrix': {
      const column = vectorLayout(type.rows, type.scalar);
      const strideBytes = roundUp(column.sizeBytes, column.alignBytes);
      return { sizeBytes: type.columns * strideBytes, alignBytes: column.alignBytes, strideBytes };
    }
    case 'array': {
      const element = layoutOf(type.element);
      if (element === null || typeof type.count === 'string' || isRuntimeSized(type.element)) return null;
      const strideBytes = roundUp(element.sizeBytes, element.alignBytes);
      return { sizeBytes: (type.count ?? 0) * strideBytes, alignBytes: element.alignBytes, strideBytes };
    }
    case 'struct':
      return structLayout(type)?.layout ?? null;
    case 'subgroup-matrix':
    case 'unknown':
      return null;
  }
}

/** Whether the type is a runtime-sized array, or a struct that ends in one. */
export function isRuntimeSized(type: WgslType): boolean {
  if (type.kind === 'array') return type.count === null;
  const last = type.kind === 'struct' ? type.members.at(-1) : undefined;
  return last !== undefined && isRuntimeSized(last.type);
}

/** Byte offset and size of each member of a struct, or null where the struct has no layout. */
export function memberOffsets(type: StructType): readonly MemberOffset[] | null {
  return structLayout(type)?.members ?? null;
}

/**
 * Every scalar of a type with its path (`dims.0`, `mask.window.x`, `''` for a bare scalar) and byte offset, in the
 * order of memory. Null where the type has no layout, is runtime-sized, or has more than 65536 scalars.
 */
export function scalarLeaves(type: WgslType): readonly ScalarLeaf[] | null {
  if (layoutOf(type) === null || isRuntimeSized(type)) return null;
  const leaves: ScalarLeaf[] = [];
  return collectLeaves(type, '', 0, leaves) ? leaves : null;
}

function collectLeaves(type: WgslType, path: string, byteOffset: number, leaves: ScalarLeaf[]): boolean {
  const inner = (name: string | number): string => (path === '' ? `${name}` : `${path}.${name}`);
  switch (type.kind) {
    case 'scalar':
    case 'atomic':
      leaves.push({ path, byteOffset, scalar: type.scalar });
      return leaves.length <= mostLeaves;
    case 'vector':
      for (let i = 0; i < type.width; i++) {
        const offset = byteOffset + i * scalarBytes(type.scalar);
        leaves.push({ path: inner(components[i]!), byteOffset: offset, scalar: type.scalar });
      }
      return leaves.length <= mostLeaves;
    case 'matrix':
    case 'array': {
      const count = type.kind === 'matrix' ? type.columns : type.count;
      const element: WgslType =
        type.kind === 'matrix' ? { kind: 'vector', width: type.rows, scalar: type.scalar } : type.element;
      const strideBytes = layoutOf(type)?.strideBytes;
      if (typeof count !== 'number' || strideBytes === undefined) return false;
      for (let i = 0; i < count; i++) {
        if (!collectLeaves(element, inner(i), byteOffset + i * strideBytes, leaves)) return false;
      }
      return true;
    }
    case 'struct': {
      const members = memberOffsets(type);
      if (members === null) return false;
      return members.every((m) => collectLeaves(m.type, inner(m.name), byteOffset + m.byteOffset, leaves));
    }
    case 'subgroup-matrix':
    case 'unknown':
      return false;
  }
}

/**
 * What keeps a type from being a uniform buffer by WGSL's rules for that address space: arrays need a stride of 16
 * bytes, and structs and arrays inside a struct must begin at multiples of 16. Null where the type is in order.
 * (Devices with the language feature `uniform_buffer_standard_layout` take such types all the same.)
 */
export function uniformLayoutProblem(type: WgslType): string | null {
  return uniformProblemAt(type, 'this type', new Set());
}

function uniformProblemAt(type: WgslType, where: string, seen: Set<WgslType>): string | null {
  if (seen.has(type)) return null;
  seen.add(type);
  if (type.kind === 'array') {
    const strideBytes = layoutOf(type)?.strideBytes ?? 16;
    if (strideBytes % 16 !== 0) {
      return `${where} is an array with a stride of ${strideBytes} bytes, and a uniform needs a multiple of 16: use vec4 elements, or @size(16) members of a struct`;
    }
    return uniformProblemAt(type.element, where, seen);
  }
  if (type.kind !== 'struct') return null;
  return structProblem(type, seen);
}

function structProblem(type: StructType, seen: Set<WgslType>): string | null {
  const members = memberOffsets(type);
  if (members === null) return null;
  for (const [index, member] of members.entries()) {
    const name = `${type.name}.${member.name}`;
    const composite = member.type.kind === 'struct' || member.type.kind === 'array';
    if (composite && member.byteOffset % 16 !== 0) {
      return `${name} begins at byte ${member.byteOffset}, and a struct or array in a uniform must begin at a multiple of 16: put @align(16) before it`;
    }
    const next = members[index + 1];
    const end = member.byteOffset + roundUp(layoutOf(member.type)?.sizeBytes ?? 0, 16);
    if (member.type.kind === 'struct' && next !== undefined && next.byteOffset < end) {
      return `${type.name}.${next.name} begins at byte ${next.byteOffset}, inside the last 16 bytes of struct ${name}: put @align(16) before it`;
    }
    const inner = uniformProblemAt(member.type, name, seen);
    if (inner !== null) return inner;
  }
  return null;
}

/** The type of the member with this name, or null. */
export function memberNamed(type: StructType, name: string): StructMember | null {
  return type.members.find((member) => member.name === name) ?? null;
}
