import type { ScheduleStep, TileAccess } from './schedule.js';

/** The keys [from, to) that one of several workgroups meets its queries with. */
export interface KeySplit {
  /** Index of the workgroup among those given. */
  readonly workgroup: number;
  readonly plane: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The traced workgroups of a pass that have their queries in common and divide the keys between them (split-KV, as in
 * Flash-Decoding), in the order of their keys. Nothing where workgroups finish their queries alone. Only those that read
 * `values` count: without them scores are formed for others, tile by tile.
 */
export function keySplits(
  workgroups: readonly (readonly ScheduleStep[])[],
  values: ReadonlySet<string>,
): readonly KeySplit[] {
  const groups = new Map<string, KeySplit[]>();
  for (const [workgroup, steps] of workgroups.entries()) {
    const reads = ({ tensor, mode }: TileAccess): boolean => mode === 'read' && values.has(tensor);
    if (!steps.some(({ accesses }) => accesses.some(reads))) continue;
    const tiles = steps.flatMap(({ scores }) => scores);
    const [first] = tiles;
    if (!first || !tiles.every(({ by, rect }) => by === 'score' && sameQueries(rect, first.rect))) continue;
    const key = `${first.plane} ${first.rect.row0} ${first.rect.row1}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    const own = tiles.filter(({ plane }) => plane === first.plane).map(({ rect }) => rect);
    group.push({
      workgroup,
      plane: first.plane,
      from: Math.min(...own.map(({ column0 }) => column0)),
      to: Math.max(...own.map(({ column1 }) => column1)),
    });
  }
  return [...groups.values()]
    .map((group) => group.toSorted((a, b) => a.from - b.from))
    .filter((group) => group.length > 1 && group.every(({ from }, i) => i === 0 || from >= group[i - 1]!.to))
    .flat();
}

interface Rows {
  readonly row0: number;
  readonly row1: number;
}

function sameQueries(a: Rows, b: Rows): boolean {
  return a.row0 === b.row0 && a.row1 === b.row1;
}
