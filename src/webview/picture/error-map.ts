import type { ErrorMap, TensorVerdict } from '../../core/numerics/verdict.js';

/** What a cell holds, by the numbers of `ErrorMap.states`. */
export const cellStates = ['finite', 'nan', 'infinite', 'unwritten', 'not-compared'] as const;

/** One of `cellStates`. */
export type CellState = (typeof cellStates)[number];

/** An error map with its cells unpacked, [planes, cellRows, cellColumns]. */
export interface DecodedMap {
  readonly map: ErrorMap;
  readonly planes: number;
  readonly errors: Float32Array;
  readonly states: Uint8Array;
}

/** The part of a plane that is in view, in cells; `end`s are exclusive. */
export interface CellWindow {
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
}

/** A cell and what it holds, with the half-open ranges of elements behind it. */
export interface CellReading {
  readonly plane: number;
  readonly cellRow: number;
  readonly cellColumn: number;
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
  readonly state: CellState;
  readonly error: number;
}

/** Unpacks the base64 cells of an error map; a map whose extents do not agree with its data gives null. */
export function decodeMap(map: ErrorMap): DecodedMap | null {
  const planes = map.planeDims.reduce((product, dim) => product * dim.size, 1);
  const cells = planes * map.cellRows * map.cellColumns;
  const errorBytes = fromBase64(map.errors);
  const states = fromBase64(map.states);
  if (errorBytes.length !== cells * 4 || states.length !== cells) return null;
  const view = new DataView(errorBytes.buffer);
  const errors = new Float32Array(cells);
  for (let i = 0; i < cells; i++) errors[i] = view.getFloat32(i * 4, true);
  return { map, planes, errors, states };
}

/** The whole plane. */
export function fullWindow(map: ErrorMap): CellWindow {
  return { rowStart: 0, rowEnd: map.cellRows, columnStart: 0, columnEnd: map.cellColumns };
}

/**
 * The window after zooming by `factor` (above 1 zooms in) around a cell, kept inside the plane and at least
 * four cells wide and high where the plane has them.
 */
export function zoomed(map: ErrorMap, window: CellWindow, factor: number, row: number, column: number): CellWindow {
  const rows = zoomAxis(map.cellRows, window.rowStart, window.rowEnd, factor, row);
  const columns = zoomAxis(map.cellColumns, window.columnStart, window.columnEnd, factor, column);
  return { rowStart: rows[0], rowEnd: rows[1], columnStart: columns[0], columnEnd: columns[1] };
}

/** The window moved just as far as needed to hold a cell. */
export function revealing(window: CellWindow, row: number, column: number): CellWindow {
  const down = Math.min(0, row - window.rowStart) + Math.max(0, row - (window.rowEnd - 1));
  const right = Math.min(0, column - window.columnStart) + Math.max(0, column - (window.columnEnd - 1));
  if (down === 0 && right === 0) return window;
  return {
    rowStart: window.rowStart + down,
    rowEnd: window.rowEnd + down,
    columnStart: window.columnStart + right,
    columnEnd: window.columnEnd + right,
  };
}

/** The cell under a point of a picture of `width` × `height` pixels, or null outside it. */
export function cellAt(
  window: CellWindow,
  width: number,
  height: number,
  x: number,
  y: number,
): { readonly row: number; readonly column: number } | null {
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const row = window.rowStart + Math.floor((y / height) * (window.rowEnd - window.rowStart));
  const column = window.columnStart + Math.floor((x / width) * (window.columnEnd - window.columnStart));
  return { row, column };
}

/** What stands in a cell of a plane. */
export function readCell(decoded: DecodedMap, plane: number, row: number, column: number): CellReading {
  const { map } = decoded;
  const index = (plane * map.cellRows + row) * map.cellColumns + column;
  return {
    plane,
    cellRow: row,
    cellColumn: column,
    rows: [row * map.rowsPerCell, Math.min(map.rows, (row + 1) * map.rowsPerCell)],
    columns: [column * map.columnsPerCell, Math.min(map.columns, (column + 1) * map.columnsPerCell)],
    state: cellStates[decoded.states[index]!] ?? 'finite',
    error: decoded.errors[index]!,
  };
}

/** Coordinates of a plane along the leading dimensions, last fastest. */
export function planeIndex(map: ErrorMap, plane: number): readonly number[] {
  const index: number[] = [];
  let rest = plane;
  for (const dim of map.planeDims.toReversed()) {
    index.unshift(rest % dim.size);
    rest = Math.floor(rest / dim.size);
  }
  return index;
}

/** The plane with the given coordinates along the leading dimensions. */
export function planeOf(map: ErrorMap, index: readonly number[]): number {
  return map.planeDims.reduce((plane, dim, axis) => plane * dim.size + (index[axis] ?? 0), 0);
}

/** The smallest error above zero and the largest, over all planes; zero where there is none. */
export function errorExtent(decoded: DecodedMap): { readonly smallest: number; readonly largest: number } {
  let smallest = Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < decoded.errors.length; i++) {
    const error = decoded.errors[i]!;
    if (decoded.states[i] !== 0 || !(error > 0) || !Number.isFinite(error)) continue;
    if (error < smallest) smallest = error;
    if (error > largest) largest = error;
  }
  return { smallest: Number.isFinite(smallest) ? smallest : 0, largest };
}

/** How a plane stands: the worst thing in it and how many of its cells are beyond the limit or not finite. */
export function planeSummary(
  decoded: DecodedMap,
  plane: number,
  limit: number,
): { readonly largest: number; readonly wrongCells: number } {
  const size = decoded.map.cellRows * decoded.map.cellColumns;
  let largest = 0;
  let wrongCells = 0;
  for (let i = plane * size; i < (plane + 1) * size; i++) {
    const state = decoded.states[i]!;
    const error = decoded.errors[i]!;
    if (state === 4) continue;
    if (state !== 0 || error > limit) wrongCells++;
    if (state === 0 && error > largest) largest = error;
  }
  return { largest, wrongCells };
}

/**
 * The largest error one element may have: what the verdict held its worst elements to. Where it lists none, a bound on
 * the RMS ratio allows 100 times as much to a single element, measured against the largest reference value; an
 * absolute bound is the same for all.
 */
export function elementLimit(verdict: TensorVerdict): number {
  const held = verdict.worst.find((element) => element.bound > 0);
  if (held) return held.bound;
  const { tolerance, maxReference } = verdict;
  if (tolerance.kind === 'absolute') return tolerance.bound;
  return Math.max(1e-6 * Math.max(1, maxReference), 100 * tolerance.bound * maxReference);
}

function zoomAxis(size: number, start: number, end: number, factor: number, centre: number): readonly [number, number] {
  const extent = Math.min(size, Math.max(Math.min(4, size), Math.round((end - start) / factor)));
  const share = (centre + 0.5 - start) / (end - start);
  const from = Math.round(centre + 0.5 - share * extent);
  const clamped = Math.min(size - extent, Math.max(0, from));
  return [clamped, clamped + extent];
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
