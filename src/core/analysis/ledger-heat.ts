import type { TensorView } from '../kernel/model.js';
import type { AnalysisContext } from './context.js';
import type { ReadHeat } from './ledger.js';
import type { BufferTouch, Touches } from './traffic-touch.js';

/** Most bins along rows and along columns, and most planes of one tensor. */
const mostBins = 64;
const mostPlanes = 8;

/**
 * How often the logged workgroups read each part of the input tensors, in the planes that they read at all (at most
 * eight of each tensor).
 */
export function readHeat({ plan }: AnalysisContext, touches: Touches): readonly ReadHeat[] {
  return plan.buffers.flatMap(({ content }, index) => {
    const touch = touches.buffers[index];
    if (content.kind !== 'tensor' || !touch?.reads) return [];
    return tensorHeat(content.tensor, content.view, touch, touch.reads);
  });
}

function tensorHeat(tensor: string, view: TensorView, touch: BufferTouch, reads: Uint32Array): readonly ReadHeat[] {
  const leading = view.dims.slice(0, -2);
  const planes = leading.reduce((product, size) => product * size, 1);
  const heats: ReadHeat[] = [];
  for (let plane = 0; plane < planes && heats.length < mostPlanes; plane++) {
    const indices: number[] = [];
    let rest = plane;
    for (const size of leading.toReversed()) {
      indices.unshift(rest % size);
      rest = Math.floor(rest / size);
    }
    const heat = planeHeat(view, touch, reads, indices);
    if (heat === null) continue;
    const named = indices.map((index, axis) => ({ name: view.dimNames[axis] ?? '', index }));
    heats.push({ tensor, plane: named, ...heat });
  }
  return heats;
}

/** The bins of one plane, or null where nothing of it was read. A vector is a plane of one column. */
function planeHeat(
  view: TensorView,
  { unitBytes }: BufferTouch,
  reads: Uint32Array,
  indices: readonly number[],
): Omit<ReadHeat, 'tensor' | 'plane'> | null {
  const axes = view.dims.length;
  const rowAxis = Math.max(axes - 2, 0);
  const rows = view.dims[rowAxis] ?? 1;
  const columns = axes > 1 ? view.dims[axes - 1]! : 1;
  const rowStride = view.strides[rowAxis] ?? 1;
  const columnStride = axes > 1 ? view.strides[axes - 1]! : 0;
  const start = indices.reduce((sum, index, axis) => sum + index * view.strides[axis]!, 0);
  const scalarBytes = view.format === 'f16' ? 2 : 4;
  const binRows = Math.ceil(rows / mostBins);
  const binColumns = Math.ceil(columns / mostBins);
  const across = Math.ceil(columns / binColumns);
  const sums = new Float64Array(Math.ceil(rows / binRows) * across);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const bins = Math.floor(row / binRows) * across;
    for (let column = 0; column < columns; column++) {
      const position = start + row * rowStride + column * columnStride;
      const group = Math.floor(position / view.lanes);
      const byte = view.byteOffset + group * view.strideBytes + (position - group * view.lanes) * scalarBytes;
      const count = reads[Math.floor(byte / unitBytes)] ?? 0;
      sums[bins + Math.floor(column / binColumns)]! += count;
      total += count;
    }
  }
  if (total === 0) return null;
  const mean = Array.from(sums, (sum, bin) => {
    const height = Math.min(binRows, rows - Math.floor(bin / across) * binRows);
    const width = Math.min(binColumns, columns - (bin % across) * binColumns);
    return sum / (height * width);
  });
  return { rows, columns, binRows, binColumns, reads: mean };
}
