import { elementStates } from '../numerics/element-errors.js';
import { halfBits, halfValues } from '../numerics/half.js';
import type { StorageFormat } from '../numerics/ulp.js';
import type { TensorView } from './model.js';

/** The words an output holds before a run: quiet NaNs that no arithmetic gives, so that "never written" can be told. */
const unwrittenF32 = 0x7fc05eed;
const unwrittenF16 = 0x7e5d;

const wordArrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array } as const;

/** The elements of a tensor in default layout, and what each of them is (`elementStates`). */
export interface UnpackedTensor {
  readonly values: Float32Array;
  readonly states: Uint8Array;
}

const elementsOf = (view: TensorView): number => view.dims.reduce((product, size) => product * size, 1);
const scalarBytes = (view: TensorView): number => (view.format === 'f16' ? 2 : 4);

/** The number format by which the values of a tensor are rounded and judged: whole numbers stand as floats beside it. */
export const floatFormat = ({ format }: TensorView): StorageFormat => (format === 'f16' ? 'f16' : 'f32');

/** Whether the elements lie in the buffer in default layout without a gap. */
export function isPlain(view: TensorView): boolean {
  if (view.strideBytes !== view.lanes * scalarBytes(view)) return false;
  let stride = 1;
  for (let axis = view.dims.length - 1; axis >= 0; axis--) {
    if (view.dims[axis] !== 1 && view.strides[axis] !== stride) return false;
    stride *= view.dims[axis]!;
  }
  return true;
}

/** Calls `visit` for each element with its index in default layout and its index in scalars from the first element. */
export function forEachElement(view: TensorView, visit: (index: number, position: number) => void): void {
  const { dims, strides, lanes } = view;
  const scalarsPerStride = view.strideBytes / scalarBytes(view);
  const last = dims.length - 1;
  const columns = dims[last] ?? 1;
  const columnStride = strides[last] ?? 1;
  const rows = columns === 0 ? 0 : elementsOf(view) / columns;
  const coordinates = dims.map(() => 0);
  let start = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const physical = start + column * columnStride;
      const group = Math.floor(physical / lanes);
      visit(row * columns + column, group * (scalarsPerStride - lanes) + physical);
    }
    // Counts the leading coordinates up like an odometer, keeping the physical start of the row.
    for (let axis = last - 1; axis >= 0; axis--) {
      start += strides[axis]!;
      coordinates[axis]!++;
      if (coordinates[axis]! < dims[axis]!) break;
      start -= strides[axis]! * dims[axis]!;
      coordinates[axis] = 0;
    }
  }
}

/**
 * The bytes of a buffer that holds `values` (default layout) as the view lays them out; f16 is rounded to nearest even,
 * i32 and u32 hold the whole numbers that the values are.
 * Bytes between and after the elements are zero.
 */
export function packTensor(view: TensorView, values: Float32Array, byteLength: number): ArrayBuffer {
  const buffer = new ArrayBuffer(byteLength);
  const count = Math.min(values.length, elementsOf(view));
  if (view.format !== 'f16') {
    const words = new wordArrays[view.format](buffer, view.byteOffset);
    if (isPlain(view)) words.set(values.subarray(0, count));
    else forEachElement(view, (index, position) => (words[position] = values[index]!));
    return buffer;
  }
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(buffer, view.byteOffset);
  if (isPlain(view)) for (let index = 0; index < count; index++) halves[index] = halfBits(words[index]!);
  else forEachElement(view, (index, position) => (halves[position] = halfBits(words[index]!)));
  return buffer;
}

/**
 * The elements of a tensor in default layout from the bytes of its buffer (f16 widened exactly), each with its state:
 * finite, NaN, infinite, or never written since `poisonTensor`.
 */
export function unpackTensor(view: TensorView, bytes: ArrayBuffer | Uint8Array): UnpackedTensor {
  const whole = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  // Typed views need an aligned start, which a slice of another buffer may not have.
  const aligned = whole.byteOffset % 4 === 0 ? whole : whole.slice();
  const { buffer } = aligned;
  const start = aligned.byteOffset + view.byteOffset;
  const size = aligned.byteLength - view.byteOffset;
  switch (view.format) {
    case 'f32':
      return unpackF32(view, new Uint32Array(buffer, start, Math.floor(size / 4)));
    case 'f16':
      return unpackF16(view, new Uint16Array(buffer, start, Math.floor(size / 2)));
    case 'i32':
      return unpackWhole(view, new Int32Array(buffer, start, Math.floor(size / 4)));
    case 'u32':
      return unpackWhole(view, new Uint32Array(buffer, start, Math.floor(size / 4)));
  }
}

/** Whole numbers, to the nearest float: any word of theirs is a number. */
function unpackWhole(view: TensorView, words: ArrayLike<number>): UnpackedTensor {
  const values = new Float32Array(elementsOf(view));
  forEachElement(view, (index, position) => (values[index] = words[position]!));
  return { values, states: new Uint8Array(values.length) };
}

function unpackF32(view: TensorView, words: Uint32Array): UnpackedTensor {
  const count = elementsOf(view);
  const bits = new Uint32Array(count);
  if (isPlain(view)) bits.set(words.subarray(0, count));
  else forEachElement(view, (index, position) => (bits[index] = words[position]!));
  const states = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    const word = bits[index]!;
    if ((word & 0x7f800000) !== 0x7f800000) continue;
    if (word === unwrittenF32) states[index] = elementStates.unwritten;
    else states[index] = (word & 0x007fffff) === 0 ? elementStates.infinite : elementStates.nan;
  }
  return { values: new Float32Array(bits.buffer), states };
}

function unpackF16(view: TensorView, patterns: Uint16Array): UnpackedTensor {
  const count = elementsOf(view);
  const table = halfValues();
  const values = new Float32Array(count);
  const states = new Uint8Array(count);
  const read = (index: number, position: number): void => {
    const pattern = patterns[position]!;
    values[index] = table[pattern]!;
    if ((pattern & 0x7c00) !== 0x7c00) return;
    if (pattern === unwrittenF16) states[index] = elementStates.unwritten;
    else states[index] = (pattern & 0x03ff) === 0 ? elementStates.infinite : elementStates.nan;
  };
  if (isPlain(view)) for (let index = 0; index < count; index++) read(index, index);
  else forEachElement(view, read);
  return { values, states };
}

/** Bytes for the buffer of an output before a run: every element is "never written". */
export function poisonTensor(view: TensorView, byteLength: number): ArrayBuffer {
  const buffer = new ArrayBuffer(byteLength);
  if (view.format !== 'f16') new Uint32Array(buffer).fill(unwrittenF32);
  else new Uint16Array(buffer).fill(unwrittenF16);
  return buffer;
}
