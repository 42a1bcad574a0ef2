import { toBase64 } from './base64.js';
import type { ErrorMap } from './verdict.js';

/** Most cells of a map over all its planes: enough for every element of a small case, and small enough to send. */
const mostCells = 65_536;

/** Of the states in one cell the gravest is shown: never written, NaN, infinite, finite, not compared. */
const gravity = [1, 3, 2, 4, 0];

/** What a map is made of: |error| and state of every element in default layout (4 = not compared). */
export interface ElementErrors {
  readonly dims: readonly number[];
  readonly dimNames: readonly string[];
  readonly errors: Float64Array;
  readonly states: Uint8Array;
}

/** The error map of a tensor, or null where even one cell per plane would be too many. */
export function errorMap({ dims, dimNames, errors, states }: ElementErrors): ErrorMap | null {
  const rank = dims.length;
  const columns = dims[rank - 1] ?? 1;
  const rows = dims[rank - 2] ?? 1;
  const planeDims = dims.slice(0, Math.max(rank - 2, 0)).map((size, axis) => ({ name: dimNames[axis]!, size }));
  const planes = planeDims.reduce((product, { size }) => product * size, 1);
  if (planes > mostCells) return null;
  const { rowsPerCell, columnsPerCell } = binning(planes, rows, columns);
  const cellRows = Math.ceil(rows / rowsPerCell);
  const cellColumns = Math.ceil(columns / columnsPerCell);
  const cells = new Float32Array(planes * cellRows * cellColumns).fill(-1);
  const cellStates = new Uint8Array(cells.length).fill(4);
  const cellOfColumn = Uint32Array.from({ length: columns }, (_, column) => Math.floor(column / columnsPerCell));
  for (let row = 0, at = 0; row < planes * rows; row++) {
    const cellRow = Math.floor(row / rows) * cellRows + Math.floor((row % rows) / rowsPerCell);
    for (let column = 0; column < columns; column++, at++) {
      const state = states[at]!;
      if (state === 4) continue;
      const cell = cellRow * cellColumns + cellOfColumn[column]!;
      if (gravity[state]! > gravity[cellStates[cell]!]!) cellStates[cell] = state;
      if (state === 0 && errors[at]! > cells[cell]!) cells[cell] = Math.min(errors[at]!, 1e30);
    }
  }
  return {
    planeDims,
    rowName: dimNames[rank - 2] ?? '',
    columnName: dimNames[rank - 1] ?? '',
    rows,
    columns,
    rowsPerCell,
    columnsPerCell,
    cellRows,
    cellColumns,
    errors: toBase64(littleEndian(cells)),
    states: toBase64(cellStates),
  };
}

function binning(planes: number, rows: number, columns: number): { rowsPerCell: number; columnsPerCell: number } {
  let rowsPerCell = 1;
  let columnsPerCell = 1;
  for (;;) {
    const cellRows = Math.ceil(rows / rowsPerCell);
    const cellColumns = Math.ceil(columns / columnsPerCell);
    if (planes * cellRows * cellColumns <= mostCells) return { rowsPerCell, columnsPerCell };
    if (cellRows >= cellColumns) rowsPerCell *= 2;
    else columnsPerCell *= 2;
  }
}

function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setFloat32(index * 4, value, true);
  });
  return bytes;
}
