import type { PlannedBuffer, TensorView } from '../kernel/model.js';
import { layoutOf, memberOffsets } from '../wgsl/layout.js';
import type { WgslType } from '../wgsl/types.js';

/** `(0, 3, 1)`. */
export function tupleText(id: readonly number[]): string {
  return `(${id.join(', ')})`;
}

/** ` (12 times in this case)`, or nothing for once. */
export function timesText(count: number): string {
  return count > 1 ? ` It happens ${count} times in this case.` : '';
}

/** The path from a variable of a type to what lies at a byte of it: `[12]`, `.cells[3][5]`. Vectors are not divided. */
export function elementPath(type: WgslType, byte: number): string {
  if (type.kind === 'array') {
    const stride = layoutOf(type)?.strideBytes;
    if (!stride) return '';
    return `[${Math.floor(byte / stride)}]${elementPath(type.element, byte % stride)}`;
  }
  if (type.kind === 'matrix') {
    const stride = layoutOf(type)?.strideBytes;
    return stride ? `[${Math.floor(byte / stride)}]` : '';
  }
  if (type.kind === 'struct') {
    const member = memberOffsets(type)?.findLast(({ byteOffset }) => byteOffset <= byte);
    return member ? `.${member.name}${elementPath(member.type, byte - member.byteOffset)}` : '';
  }
  return '';
}

/** The coordinates of what lies at a byte of a tensor's buffer: `batch 0, heads 2, seqlen 17, headDim 4`. */
export function coordinatesText(view: TensorView, byte: number): string {
  const scalarBytes = view.format === 'f16' ? 2 : 4;
  const inView = Math.max(0, byte - view.byteOffset);
  const lane = Math.min(view.lanes - 1, Math.floor((inView % view.strideBytes) / scalarBytes));
  let rest = Math.floor(inView / view.strideBytes) * view.lanes + lane;
  const coordinates = view.dims.map(() => 0);
  const byStride = view.dims.map((_, axis) => axis).filter((axis) => view.dims[axis]! > 1);
  byStride.sort((a, b) => view.strides[b]! - view.strides[a]!);
  for (const axis of byStride) {
    coordinates[axis] = Math.floor(rest / view.strides[axis]!);
    rest %= view.strides[axis]!;
  }
  return view.dimNames.map((name, axis) => `${name} ${coordinates[axis]!}`).join(', ');
}

/** How people know a buffer: the tensor's name where the variable has another one. */
export function bufferText(variable: string, buffer: PlannedBuffer | undefined): string {
  const tensor = buffer?.content.kind === 'tensor' ? buffer.content.tensor : variable;
  return tensor === variable ? variable : `${variable} (the tensor ${tensor})`;
}
