import { cellStates, type Coverage } from '../../core/analysis/coverage.js';
import type { Schedule, ScoreTile } from '../../core/analysis/schedule.js';
import { fromBase64 } from '../../core/numerics/base64.js';
import type { Lane } from './lanes.js';

/** Cells along each side of the square at most; as many as a coverage map has. */
const mostCells = 256;

/** What is drawn in a cell of the score square. `required`: asked for and not done yet. */
export const cellLooks = {
  outside: 0,
  required: 1,
  score: 2,
  state: 3,
  wasted: 4,
  doubled: 5,
  missed: 6,
  untraced: 7,
} as const;

/**
 * One plane of the score matrix over time, in cells of `cellQueries` × `cellKeys` pairs: how and when each cell was first
 * reached. The picture up to any time follows from it in one run over the cells, however many steps there are.
 */
export interface ScoreProgress {
  readonly plane: number;
  readonly queries: number;
  readonly keys: number;
  readonly cellQueries: number;
  readonly cellKeys: number;
  readonly rows: number;
  readonly columns: number;
  /** Time at which a cell is done (the end of its step), infinite where it never is. */
  readonly doneAt: Float64Array;
  /** `cellLooks.score` or `cellLooks.state`, 0 where never reached. */
  readonly by: Uint8Array;
  /** States of the coverage map, or null where there is none for this plane. */
  readonly coverage: Uint8Array | null;
}

/** Follows one plane of the score matrix through the lanes of a pass; null where the schedule has no score matrix. */
export function scoreProgress(
  schedule: Schedule,
  coverage: Coverage | null,
  lanes: readonly Lane[],
  plane: number,
): ScoreProgress | null {
  const { score } = schedule;
  if (!score) return null;
  const map = coverage?.planes.find((item) => item.plane === plane);
  const states = map ? fromBase64(map.cells) : null;
  const cellQueries = coverage && states ? coverage.cellQueries : Math.ceil(score.rows / mostCells);
  const cellKeys = coverage && states ? coverage.cellKeys : Math.ceil(score.columns / mostCells);
  const rows = Math.ceil(score.rows / cellQueries);
  const columns = Math.ceil(score.columns / cellKeys);
  const progress: ScoreProgress = {
    plane,
    queries: score.rows,
    keys: score.columns,
    cellQueries,
    cellKeys,
    rows,
    columns,
    doneAt: new Float64Array(rows * columns).fill(Number.POSITIVE_INFINITY),
    by: new Uint8Array(rows * columns),
    coverage: states?.length === rows * columns ? states : null,
  };
  for (const lane of lanes) {
    lane.schedule.steps.forEach((step, i) => {
      for (const tile of step.scores) if (tile.plane === plane) mark(progress, tile, lane.ends[i]!);
    });
  }
  return progress;
}

function mark(progress: ScoreProgress, { by, rect }: ScoreTile, time: number): void {
  const { cellQueries, cellKeys, rows, columns, doneAt } = progress;
  const rowEnd = Math.min(rows, Math.ceil(rect.row1 / cellQueries));
  const columnEnd = Math.min(columns, Math.ceil(rect.column1 / cellKeys));
  const look = by === 'score' ? cellLooks.score : cellLooks.state;
  for (let row = Math.floor(rect.row0 / cellQueries); row < rowEnd; row++) {
    for (let column = Math.floor(rect.column0 / cellKeys); column < columnEnd; column++) {
      const i = row * columns + column;
      if (time >= doneAt[i]!) continue;
      doneAt[i] = time;
      progress.by[i] = look;
    }
  }
}

/** The look of one cell at a time. */
export function lookAt(progress: ScoreProgress, cell: number, time: number): number {
  const state = progress.coverage?.[cell] ?? -1;
  if (state === cellStates.untraced) return cellLooks.untraced;
  if (state === cellStates.missed) return cellLooks.missed;
  if (progress.doneAt[cell]! > time) {
    return state === cellStates.outside || state === cellStates.wasted || state === -1
      ? cellLooks.outside
      : cellLooks.required;
  }
  if (state === cellStates.outside) return cellLooks.outside;
  if (state === cellStates.wasted) return cellLooks.wasted;
  if (state === cellStates.doubled) return cellLooks.doubled;
  return progress.by[cell]!;
}

/** The look of one cell of the finished map: what became of its pairs. */
export function finalLook(state: number): number {
  switch (state) {
    case cellStates.once:
      return cellLooks.score;
    case cellStates.throughState:
      return cellLooks.state;
    case cellStates.wasted:
      return cellLooks.wasted;
    case cellStates.doubled:
      return cellLooks.doubled;
    case cellStates.missed:
      return cellLooks.missed;
    case cellStates.untraced:
      return cellLooks.untraced;
    default:
      return cellLooks.outside;
  }
}

/** A rectangle of cells that look alike: rows and columns [from, to). */
export interface LookArea {
  readonly look: number;
  readonly row0: number;
  readonly column0: number;
  readonly column1: number;
  row1: number;
}

/** Looks of all cells at a time, into `looks`. With `final` the coverage map alone decides. */
export function looksAt(progress: ScoreProgress, time: number, final: boolean, looks: Uint8Array): void {
  const { coverage } = progress;
  for (let i = 0; i < looks.length; i++) {
    looks[i] = final && coverage ? finalLook(coverage[i]!) : lookAt(progress, i, time);
  }
}

/**
 * Cells that look alike as few large rectangles: runs of a row, joined with the same run of the row above. Cells that
 * look `outside` are left out.
 */
export function areasOf(looks: Uint8Array, rows: number, columns: number): readonly LookArea[] {
  const areas: LookArea[] = [];
  let above = new Map<number, LookArea>();
  for (let row = 0; row < rows; row++) {
    const here = new Map<number, LookArea>();
    let start = row * columns;
    const end = start + columns;
    while (start < end) {
      const look = looks[start]!;
      let stop = start + 1;
      while (stop < end && looks[stop] === look) stop++;
      if (look !== cellLooks.outside) {
        const column0 = start - row * columns;
        const column1 = stop - row * columns;
        const before = above.get(column0);
        if (before?.look === look && before.column1 === column1) {
          before.row1 = row + 1;
          here.set(column0, before);
        } else {
          const area = { look, row0: row, row1: row + 1, column0, column1 };
          areas.push(area);
          here.set(column0, area);
        }
      }
      start = stop;
    }
    above = here;
  }
  return areas;
}
