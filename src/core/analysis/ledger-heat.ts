import type { TensorView } from '../kernel/model.js';
import type { AnalysisContext } from './context.js';
import type { ReadHeat } from './ledger.js';
import { isPaged, planeShape } from './tensor-places.js';
import type { BufferTouch, Touches } from './traffic-touch.js';

/** Most bins along rows and along columns, and most planes of one tensor. */
const mostBins = 64;
/** Most bins along the pages of a cache. */
const mostPageBins = 128;
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
  const axes = planeAxesOf(view);
  const planes = axes.reduce((product, axis) => product * view.dims[axis]!, 1);
  const heats: ReadHeat[] = [];
  for (let plane = 0; plane < planes && heats.length < mostPlanes; plane++) {
    const indices: number[] = [];
    let rest = plane;
    for (const axis of axes.toReversed()) {
      const size = view.dims[axis]!;
      indices.unshift(rest % size);
      rest = Math.floor(rest / size);
    }
    const start = indices.reduce((sum, index, i) => sum + index * view.strides[axes[i]!]!, 0);
    const heat = planeHeat(view, touch, reads, start);
    if (heat === null) continue;
    const named = indices.map((index, i) => ({ name: view.dimNames[axes[i]!] ?? '', index }));
    heats.push({ tensor, plane: named, ...heat });
  }
  return heats;
}

/** All dimensions but the last two count planes, except in a cache in pages. */
function planeAxesOf({ dimNames, dims }: TensorView): readonly number[] {
  return isPaged(dimNames) ? planeShape(dimNames, dims).planeAxes : dims.slice(0, -2).map((_, axis) => axis);
}

/** Rows of a plane, how many go into a bin, and where each begins. Slots of a cache in pages are binned by whole pages. */
function rowsOf({ dimNames, dims, strides }: TensorView): {
  readonly rows: number;
  readonly binRows: number;
  readonly pageRows: number | null;
  readonly offset: (row: number) => number;
} {
  const { pageRows } = planeShape(dimNames, dims);
  if (pageRows !== null) {
    const [pages = 1] = dims;
    return {
      rows: pages * pageRows,
      binRows: pageRows * Math.ceil(pages / mostPageBins),
      pageRows,
      offset: (row) => Math.floor(row / pageRows) * strides[0]! + (row % pageRows) * strides[1]!,
    };
  }
  const axis = Math.max(dims.length - 2, 0);
  const rows = dims[axis] ?? 1;
  const stride = strides[axis] ?? 1;
  return { rows, binRows: Math.ceil(rows / mostBins), pageRows, offset: (row) => row * stride };
}

/** The bins of the plane that begins at `start`, or null where nothing of it was read. A vector is a plane of one column. */
function planeHeat(
  view: TensorView,
  { unitBytes }: BufferTouch,
  reads: Uint32Array,
  start: number,
): Omit<ReadHeat, 'tensor' | 'plane'> | null {
  const axes = view.dims.length;
  const { rows, binRows, pageRows, offset } = rowsOf(view);
  const columns = axes > 1 ? view.dims[axes - 1]! : 1;
  const columnStride = axes > 1 ? view.strides[axes - 1]! : 0;
  const scalarBytes = view.format === 'f16' ? 2 : 4;
  const gapBytes = view.strideBytes - view.lanes * scalarBytes;
  const unitShift = Math.log2(unitBytes);
  const binColumns = Math.ceil(columns / mostBins);
  const across = Math.ceil(columns / binColumns);
  const sums = new Float64Array(Math.ceil(rows / binRows) * across);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const bins = Math.floor(row / binRows) * across;
    const rowStart = start + offset(row);
    for (let bin = 0; bin < across; bin++) {
      const end = Math.min((bin + 1) * binColumns, columns);
      let sum = 0;
      for (let column = bin * binColumns; column < end; column++) {
        const position = rowStart + column * columnStride;
        let byte = view.byteOffset + position * scalarBytes;
        if (gapBytes > 0) byte += Math.floor(position / view.lanes) * gapBytes;
        sum += reads[byte >>> unitShift] ?? 0;
      }
      sums[bins + bin]! += sum;
      total += sum;
    }
  }
  if (total === 0) return null;
  const mean = Array.from(sums, (sum, bin) => {
    const height = Math.min(binRows, rows - Math.floor(bin / across) * binRows);
    const width = Math.min(binColumns, columns - (bin % across) * binColumns);
    return sum / (height * width);
  });
  return { rows, columns, binRows, binColumns, pageRows, reads: mean };
}
