import type { Rect, ScheduleStep, ScheduleTensor, ScoreTile, StateAccess, TileAccess } from './schedule.js';

/** At most `limit` steps: neighbours are put together, in groups of equal number; pages of `tensors` stay apart. */
export function mergeSteps(
  steps: readonly ScheduleStep[],
  limit: number,
  tensors: readonly ScheduleTensor[],
): readonly ScheduleStep[] {
  if (steps.length <= limit) return steps;
  const size = Math.ceil(steps.length / limit);
  const pageRows = new Map(tensors.map((tensor) => [tensor.name, tensor.pageRows]));
  return Array.from({ length: Math.ceil(steps.length / size) }, (_, index) =>
    merge(steps.slice(index * size, (index + 1) * size), pageRows),
  );
}

function merge(steps: readonly ScheduleStep[], pageRows: ReadonlyMap<string, number | null>): ScheduleStep {
  const first = steps[0]!;
  const last = steps[steps.length - 1]!;
  const accessCount = (step: ScheduleStep): number => step.deviceAccesses + step.workgroupAccesses;
  const main = steps.reduce((most, step) => (accessCount(step) > accessCount(most) ? step : most));
  return {
    epoch: first.epoch,
    phase: first.phase,
    kind: steps.every(({ kind }) => kind === first.kind) ? first.kind : 'mixed',
    barrier: last.barrier,
    accesses: united(
      steps.flatMap(({ accesses }) => accesses),
      ({ tensor, mode, plane, rect }) => {
        const height = pageRows.get(tensor) ?? null;
        return `${tensor} ${mode} ${plane} ${height === null ? '' : Math.floor(rect.row0 / height)}`;
      },
      uniteAccesses,
    ),
    held: steps.findLast(({ held }) => held.length > 0)?.held ?? [],
    scores: united(
      steps.flatMap(({ scores }) => scores),
      ({ by, plane }) => `${by} ${plane}`,
      uniteScores,
    ),
    states: united(
      steps.flatMap(({ states }) => states),
      ({ mode, plane }) => `${mode} ${plane}`,
      uniteStates,
    ),
    deviceAccesses: steps.reduce((sum, step) => sum + step.deviceAccesses, 0),
    workgroupAccesses: steps.reduce((sum, step) => sum + step.workgroupAccesses, 0),
    span: main.span,
    line: main.line,
  };
}

/** Items of the same name put together, in the order they first come. */
export function united<T>(items: readonly T[], nameOf: (item: T) => string, unite: (a: T, b: T) => T): readonly T[] {
  const known = new Map<string, T>();
  for (const item of items) {
    const name = nameOf(item);
    const before = known.get(name);
    known.set(name, before === undefined ? item : unite(before, item));
  }
  return [...known.values()];
}

function around(a: Rect, b: Rect): Rect {
  return {
    row0: Math.min(a.row0, b.row0),
    row1: Math.max(a.row1, b.row1),
    column0: Math.min(a.column0, b.column0),
    column1: Math.max(a.column1, b.column1),
  };
}

const areaOf = ({ row0, row1, column0, column1 }: Rect): number => (row1 - row0) * (column1 - column0);

function contains(outer: Rect, inner: Rect): boolean {
  return areaOf(around(outer, inner)) === areaOf(outer);
}

/** The density of two tiles together is that of tiles apart, unless one lies in the other. */
function uniteAccesses(a: TileAccess, b: TileAccess): TileAccess {
  const rect = around(a.rect, b.rect);
  const elements = a.density * areaOf(a.rect) + b.density * areaOf(b.rect);
  const nested = contains(a.rect, b.rect) ? a : contains(b.rect, a.rect) ? b : null;
  const density = nested?.density ?? Math.min(1, elements / areaOf(rect));
  return {
    ...a,
    rect,
    bytes: a.bytes + b.bytes,
    density: Math.round(density * 1000) / 1000,
    sites: [...new Set([...a.sites, ...b.sites])],
  };
}

/** The same tile formed slice by slice is one; tiles apart are one wide tile with the masked pairs of both. */
function uniteScores(a: ScoreTile, b: ScoreTile): ScoreTile {
  if (contains(a.rect, b.rect)) return a;
  if (contains(b.rect, a.rect)) return b;
  return { ...a, rect: around(a.rect, b.rect), masked: a.masked + b.masked };
}

/** Both states together. */
export function uniteStates(a: StateAccess, b: StateAccess): StateAccess {
  return { ...a, keys: { from: Math.min(a.keys.from, b.keys.from), to: Math.max(a.keys.to, b.keys.to) } };
}
