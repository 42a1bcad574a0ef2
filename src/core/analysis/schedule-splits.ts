import type { KeySplit, ScheduleStep, TileAccess } from './schedule.js';

/**
 * For each traced workgroup of a pass its part of the keys, where some have their queries in common and divide the keys
 * between them (split-KV, as in Flash-Decoding); null for those that finish their queries alone. Only workgroups that read
 * `values` count: without them scores are formed for others, tile by tile.
 */
export function keySplits(
  workgroups: readonly (readonly ScheduleStep[])[],
  values: ReadonlySet<string>,
): readonly (KeySplit | null)[] {
  const owned = workgroups.map((steps) => ownKeys(steps, values));
  const divides = (queries: string): boolean => {
    const parts = owned.flatMap((own) => (own?.queries === queries ? own.split : []));
    const ascending = parts.toSorted((a, b) => a.from - b.from);
    return parts.length > 1 && ascending.every(({ from }, i) => i === 0 || from >= ascending[i - 1]!.to);
  };
  return owned.map((own) => (own !== null && divides(own.queries) ? own.split : null));
}

/** The keys that a workgroup meets its queries with, where all its tiles are scores of the same queries. */
function ownKeys(
  steps: readonly ScheduleStep[],
  values: ReadonlySet<string>,
): { readonly queries: string; readonly split: KeySplit } | null {
  const reads = ({ tensor, mode }: TileAccess): boolean => mode === 'read' && values.has(tensor);
  if (!steps.some(({ accesses }) => accesses.some(reads))) return null;
  const tiles = steps.flatMap(({ scores }) => scores);
  const [first] = tiles;
  if (!first) return null;
  const { plane, rect } = first;
  const same = tiles.every(
    (tile) => tile.by === 'score' && tile.rect.row0 === rect.row0 && tile.rect.row1 === rect.row1,
  );
  if (!same) return null;
  const own = tiles.filter((tile) => tile.plane === plane).map((tile) => tile.rect);
  const from = Math.min(...own.map(({ column0 }) => column0));
  const to = Math.max(...own.map(({ column1 }) => column1));
  return { queries: `${plane} ${rect.row0} ${rect.row1}`, split: { plane, from, to } };
}
