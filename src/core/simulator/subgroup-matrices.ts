import { matrixElementBytes } from '../wgsl/subgroup-matrix-type.js';
import type { SubgroupMatrixType } from '../wgsl/types.js';
import type { MatrixAccess, MatrixOperation } from './emit-context.js';
import { elementOf, emptyMatrix, operandOf, type HeldMatrix } from './held-matrix.js';
import type { Machine, MemoryViews } from './machine.js';
import { f16bits, halfTable } from './numerics.js';
import { multiplyMatrices } from './subgroup-matrix-product.js';
import { exchangeWidth } from './subgroups.js';
import { logMark } from './writer.js';

/**
 * Does one operation on matrices for the invocations of a subgroup that wait at it together, and leaves its result with
 * each of them. The operands are those of the first; that the others bring the same ones is checked.
 */
export function performMatrixOperation(
  machine: Machine,
  operation: MatrixOperation,
  active: readonly number[],
  phases: Int32Array,
): void {
  const leader = active[0]!;
  checkOperands(machine, operation, active, phases);
  machine.moveTo(leader, machine.position.epoch, phases[leader]!);
  const result = resultOf(machine, operation, active, phases);
  for (const inv of active) machine.exchangeMatrices[inv * exchangeWidth] = result;
}

function resultOf(
  machine: Machine,
  { name, type, inner, access }: MatrixOperation,
  active: readonly number[],
  phases: Int32Array,
): HeldMatrix | null {
  const place = active[0]! * exchangeWidth;
  const { exchange, exchangeMatrices, exchangeTags } = machine;
  const [first, second, third] = exchangeMatrices.slice(place, place + 3);
  const scalar = exchange[place]!;
  const scalarTag = machine.mode.tags ? exchangeTags[place]! : 0;
  switch (name) {
    case 'fill': {
      const data = emptyMatrix(type).fill(elementOf(type.scalar, operandOf(type.scalar, scalar)));
      return { data, tags: scalarTag === 0 ? null : new Int32Array(data.length).fill(scalarTag) };
    }
    case 'subgroupMatrixScalarAdd':
    case 'subgroupMatrixScalarSubtract':
    case 'subgroupMatrixScalarMultiply':
      return withScalar(machine, name, type, first!, scalar, scalarTag);
    case 'subgroupMatrixMultiply':
      return multiplyMatrices(machine, type, inner, first!, second!, null);
    case 'subgroupMatrixMultiplyAccumulate':
      return multiplyMatrices(machine, type, inner, first!, second!, third!);
    case 'subgroupMatrixLoad':
    case 'subgroupMatrixStore': {
      const layout = layoutOfAccess(machine, type, access!, place);
      if (layout === null) return null;
      countAccess(machine, access!, layout, active, phases);
      if (name === 'subgroupMatrixLoad') return loadMatrix(machine, type, access!, layout);
      storeMatrix(machine, type, access!, layout, first!);
      return null;
    }
  }
}

/** Notes where an invocation brings other operands than the first one: what a device makes of that is open. */
function checkOperands(
  { exchange, exchangeMatrices, pass, position, faults }: Machine,
  { differing, access, name }: MatrixOperation,
  active: readonly number[],
  phases: Int32Array,
): void {
  const scalars = access ? 3 : name === 'fill' || name.startsWith('subgroupMatrixScalar') ? 1 : 0;
  const leader = active[0]! * exchangeWidth;
  for (const inv of active) {
    const own = inv * exchangeWidth;
    let same = true;
    for (let at = 0; at < scalars; at++) same &&= Object.is(exchange[own + at], exchange[leader + at]);
    const matrices = matricesOf(name);
    for (let at = 0; at < matrices; at++) same &&= exchangeMatrices[own + at] === exchangeMatrices[leader + at];
    if (same) continue;
    position.invocation = inv;
    position.phase = phases[inv]!;
    const { span } = pass.faults[differing]!;
    faults.add({ kind: 'non-uniform-operand', span, variable: null, limit: null, index: active[0]!, otherSpan: null });
    return;
  }
}

function matricesOf(name: MatrixOperation['name']): number {
  switch (name) {
    case 'fill':
    case 'subgroupMatrixLoad':
      return 0;
    case 'subgroupMatrixMultiply':
      return 2;
    case 'subgroupMatrixMultiplyAccumulate':
      return 3;
    default:
      return 1;
  }
}

function withScalar(
  { provenance }: Machine,
  name: 'subgroupMatrixScalarAdd' | 'subgroupMatrixScalarSubtract' | 'subgroupMatrixScalarMultiply',
  type: SubgroupMatrixType,
  matrix: HeldMatrix | null,
  given: number,
  tag: number,
): HeldMatrix {
  const data = emptyMatrix(type);
  const value = operandOf(type.scalar, given);
  const isFloat = data instanceof Float32Array;
  for (let at = 0; at < data.length; at++) {
    const own = matrix === null ? 0 : matrix.data[at]!;
    const exact =
      name === 'subgroupMatrixScalarAdd'
        ? own + value
        : name === 'subgroupMatrixScalarSubtract'
          ? own - value
          : isFloat
            ? own * value
            : Math.imul(own, value);
    data[at] = elementOf(type.scalar, exact);
  }
  const before = matrix?.tags ?? null;
  if (tag === 0 || !provenance) return { data, tags: before };
  const merge = name === 'subgroupMatrixScalarMultiply' ? provenance.multiply : provenance.join;
  const tags = new Int32Array(data.length).fill(tag);
  if (before) {
    for (const [at, own] of before.entries()) if (own !== 0 && own !== tag) tags[at] = merge(own, tag);
  }
  return { data, tags };
}

/** Where the elements of a matrix lie: (major, minor) at `first` + major · `majorBytes` + minor · element bytes. */
interface ByteLayout {
  readonly first: number;
  readonly majors: number;
  readonly minors: number;
  readonly majorBytes: number;
  readonly minorBytes: number;
}

/**
 * The layout that a load or store asks for, from its operands: array address, offset, stride. As Dawn makes it safe: a
 * stride that is less than a row is taken as that; a matrix that goes past the end of the array is taken from its
 * beginning instead. Null where it does not fit there either.
 */
function layoutOfAccess(
  { exchange, faults }: Machine,
  { rows, columns, scalar }: SubgroupMatrixType,
  access: MatrixAccess,
  place: number,
): ByteLayout | null {
  const { columnMajor, unitBytes, elements, elementBytes, outside, shortStride } = access;
  const [majors, minors] = columnMajor ? [columns, rows] : [rows, columns];
  const minorBytes = matrixElementBytes(scalar);
  const [array, offset, stride] = [exchange[place]!, exchange[place + 1]! >>> 0, exchange[place + 2]! >>> 0];
  const shortest = Math.ceil((minors * minorBytes) / unitBytes);
  if (stride < shortest) faults.note(shortStride, stride);
  const majorBytes = wholeWords(Math.max(stride, shortest) * unitBytes, access);
  const start = wholeWords(offset * unitBytes, access);
  const bytes = (majors - 1) * majorBytes + minors * minorBytes;
  const limit = elements * elementBytes;
  const layout = { majors, minors, minorBytes };
  if (start + bytes <= limit) return { ...layout, first: array + start, majorBytes };
  faults.note(outside, Math.floor((start + bytes - 1) / elementBytes));
  const closeBytes = wholeWords(shortest * unitBytes, access);
  const fits = (majors - 1) * closeBytes + minors * minorBytes <= limit;
  return fits ? { ...layout, first: array, majorBytes: closeBytes } : null;
}

/** The older form counts bytes for 8-bit matrices, of which Dawn takes whole words. */
const wholeWords = (bytes: number, { unitBytes }: MatrixAccess): number =>
  unitBytes === 1 ? Math.floor(bytes / 4) * 4 : bytes;

/** Counts the accesses of a load or store and writes them down for the invocations they are dealt to. */
function countAccess(
  machine: Machine,
  { block, site }: MatrixAccess,
  { first, majors, minors, majorBytes, minorBytes }: ByteLayout,
  active: readonly number[],
  phases: Int32Array,
): void {
  const count = majors * minors;
  machine.blockCounts[block]! += count;
  if (!machine.mode.logs) return;
  const { log, state, position } = machine;
  for (const [lane, inv] of active.entries()) {
    if (lane >= count) return;
    machine.moveTo(inv, position.epoch, phases[inv]!);
    for (let at = lane; at < count; at += active.length) {
      if (state[0]! > logMark) log.empty();
      const entry = state[0]!++;
      log.site[entry] = site;
      log.address[entry] = first + Math.floor(at / minors) * majorBytes + (at % minors) * minorBytes;
    }
  }
}

type Bytes = Int8Array | Uint8Array;

const bytesOf = ({ I }: MemoryViews, scalar: SubgroupMatrixType['scalar']): Bytes =>
  scalar === 'i8' ? new Int8Array(I.buffer) : new Uint8Array(I.buffer);

function loadMatrix(
  machine: Machine,
  type: SubgroupMatrixType,
  { memory, columnMajor }: MatrixAccess,
  { first, majors, minors, majorBytes, minorBytes }: ByteLayout,
): HeldMatrix {
  const views = machine.memories[memory]!;
  const read = readerOf(views, type.scalar);
  const data = emptyMatrix(type);
  const tags = machine.mode.tags ? new Int32Array(data.length) : null;
  for (let major = 0; major < majors; major++) {
    for (let minor = 0; minor < minors; minor++) {
      const at = columnMajor ? minor * majors + major : major * minors + minor;
      const byte = first + major * majorBytes + minor * minorBytes;
      data[at] = read(byte);
      if (tags) tags[at] = views.T[byte >> 2]!;
    }
  }
  return { data, tags: tags?.some((tag) => tag !== 0) ? tags : null };
}

function readerOf(views: MemoryViews, scalar: SubgroupMatrixType['scalar']): (byte: number) => number {
  const { F, H, I } = views;
  switch (scalar) {
    case 'f32':
      return (byte) => F[byte >> 2]!;
    case 'f16':
      return (byte) => halfTable[H[byte >> 1]!]!;
    case 'i8':
    case 'u8': {
      const bytes = bytesOf(views, scalar);
      return (byte) => bytes[byte]!;
    }
    default:
      return (byte) => I[byte >> 2]!;
  }
}

function storeMatrix(
  machine: Machine,
  type: SubgroupMatrixType,
  { memory, columnMajor }: MatrixAccess,
  { first, majors, minors, majorBytes, minorBytes }: ByteLayout,
  matrix: HeldMatrix | null,
): void {
  const views = machine.memories[memory]!;
  const write = writerOf(views, type.scalar);
  const tell = machine.mode.tags ? tagWriter(machine, memory, minorBytes) : null;
  for (let major = 0; major < majors; major++) {
    for (let minor = 0; minor < minors; minor++) {
      const at = columnMajor ? minor * majors + major : major * minors + minor;
      const byte = first + major * majorBytes + minor * minorBytes;
      write(byte, matrix === null ? 0 : matrix.data[at]!);
      tell?.(byte, matrix?.tags?.[at] ?? 0);
    }
  }
}

function writerOf(views: MemoryViews, scalar: SubgroupMatrixType['scalar']): (byte: number, value: number) => void {
  const { F, H, I } = views;
  switch (scalar) {
    case 'f32':
      return (byte, value) => (F[byte >> 2] = value);
    case 'f16':
      return (byte, value) => (H[byte >> 1] = f16bits(value));
    case 'i8':
    case 'u8': {
      const bytes = bytesOf(views, scalar);
      return (byte, value) => (bytes[byte] = value);
    }
    default:
      return (byte, value) => (I[byte >> 2] = value);
  }
}

/**
 * Stores the tag of an element, and tells of it where it has one, as a scalar's store does: in a word of several elements
 * one without a tag leaves that of those before it.
 */
function tagWriter(machine: Machine, memory: number, bytes: number): (byte: number, tag: number) => void {
  const { T } = machine.memories[memory]!;
  return (byte, tag) => {
    if (tag !== 0 || byte % 4 === 0) T[byte >> 2] = tag;
    if (tag !== 0) machine.tagged(memory, tag, bytes);
  };
}
