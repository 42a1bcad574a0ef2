import type { AnalysisContext } from './context.js';
import { partsOf } from './pair-sizes.js';
import type { KeySplit, Rect, ScheduleStep } from './schedule.js';
import { queriesAndKeys } from './tag-space.js';

/** The tiling of the traced workgroups of one pass. */
interface Tiling {
  readonly entry: string;
  /** Queries of a workgroup, and keys of a score tile: the most frequent sizes. */
  readonly queries: number;
  readonly keys: number;
  /** Queries of a score tile where a workgroup stays with its keys (a gradient of keys); 0 where it stays with its queries. */
  readonly queriesPerStep: number;
  /** Different score tiles of the workgroup that has most. */
  readonly tiles: number;
  readonly throughState: boolean;
  /** Scores of pairs lie in workgroup memory, formed here or read from memory. */
  readonly holdsScores: boolean;
  /** Keys that a workgroup sums into a state, and keys a step; 0 where it does not. */
  readonly summed: number;
  readonly summedPerStep: number;
  /** Where keys are read, products are summed; else states that others made. */
  readonly readsKeys: boolean;
}

/** The most frequent number, the largest of them where several are; 0 of none. */
function usual(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const sorted = [...counts].sort(([a, countA], [b, countB]) => countB - countA || b - a);
  return sorted[0]?.[0] ?? 0;
}

const rectName = ({ row0, row1, column0, column1 }: Rect): string => `${row0} ${row1} ${column0} ${column1}`;

function extent(ranges: readonly { from: number; to: number }[]): number {
  if (ranges.length === 0) return 0;
  return Math.max(...ranges.map(({ to }) => to)) - Math.min(...ranges.map(({ from }) => from));
}

/** Whether tiles of one workgroup share their keys and differ in their queries. */
function walksOverQueries(tiles: readonly Rect[]): boolean {
  const keys = new Set(tiles.map(({ column0, column1 }) => `${column0} ${column1}`));
  const queries = new Set(tiles.map(({ row0, row1 }) => `${row0} ${row1}`));
  return keys.size === 1 && queries.size > 1;
}

function tilingOf(
  entry: string,
  keyTensors: readonly string[],
  workgroups: readonly (readonly ScheduleStep[])[],
): Tiling {
  const scoresOf = workgroups.map((steps) => steps.flatMap(({ scores }) => scores));
  const own = scoresOf.map((scores) => scores.filter(({ by }) => by === 'score').map(({ rect }) => rect));
  const updates = workgroups.map((steps) =>
    steps.flatMap(({ states }) => states.flatMap(({ mode, keys }) => (mode === 'update' ? [keys] : []))),
  );
  const queriesOf = scoresOf.flatMap((scores) =>
    scores.length > 0 ? [extent(scores.map(({ rect }) => ({ from: rect.row0, to: rect.row1 })))] : [],
  );
  return {
    entry,
    queries: usual(queriesOf),
    keys: usual(own.flatMap((rects) => rects.map(({ column0, column1 }) => column1 - column0))),
    queriesPerStep: own.some(walksOverQueries) ? usual(own.flat().map(({ row0, row1 }) => row1 - row0)) : 0,
    tiles: Math.max(0, ...own.map((rects) => new Set(rects.map(rectName)).size)),
    throughState: scoresOf.some((scores) => scores.some(({ by }) => by === 'state')),
    holdsScores: workgroups.some((steps) => steps.some(({ held }) => held.some(({ tensor }) => tensor === 'scores'))),
    summed: usual(updates.flatMap((ranges) => (ranges.length > 0 ? [extent(ranges)] : []))),
    summedPerStep: usual(
      updates.flatMap((ranges) => ranges.map(({ from, to }, index) => to - (index > 0 ? ranges[index - 1]!.to : from))),
    ),
    readsKeys: workgroups.some((steps) =>
      steps.some(({ accesses }) => accesses.some(({ tensor, mode }) => mode === 'read' && keyTensors.includes(tensor))),
    ),
  };
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
const queryCount = (count: number): string => counted(count, 'query', 'queries');
const keyCount = (count: number): string => counted(count, 'key', 'keys');

function describe({
  entry,
  queries,
  keys,
  queriesPerStep,
  tiles,
  throughState,
  holdsScores,
  summed,
  summedPerStep,
  readsKeys,
}: Tiling): string | null {
  if (tiles > 1) {
    const walk =
      queriesPerStep > 0
        ? `Each workgroup of "${entry}" holds ${keyCount(keys)} and walks over the queries, ${queriesPerStep} a step`
        : `Each workgroup of "${entry}" holds ${queryCount(queries)} and walks over the keys, ${keys} a step`;
    return throughState
      ? `${walk}: tiles inside a block by the left product, everything earlier through the state.`
      : `${walk}, by the left product.`;
  }
  if (tiles === 1) {
    const tile = `Each workgroup of "${entry}" forms one tile of ${queryCount(queries)} × ${keyCount(keys)}`;
    return throughState
      ? `${tile} by the left product; everything earlier comes through the state.`
      : `${tile}, by the left product.`;
  }
  if (throughState && holdsScores)
    return `Each workgroup of "${entry}" holds ${queryCount(queries)} and weighs values with scores that were formed before; everything earlier comes through the state.`;
  if (throughState)
    return `Each workgroup of "${entry}" holds ${queryCount(queries)}, which ${queries === 1 ? 'meets its' : 'meet their'} keys through the state.`;
  if (summed === 0) return null;
  if (!readsKeys) return `"${entry}" adds up states over ${keyCount(summed)}.`;
  const pace = summedPerStep < summed ? `, ${summedPerStep} a step` : '';
  return `Each workgroup of "${entry}" sums ${keyCount(summed)} into a state${pace}.`;
}

/** What is said of workgroups that share queries and divide their keys; null where none do. */
function splitSentence(parts: readonly (KeySplit | null)[]): string | null {
  const splits = parts.filter((split) => split !== null);
  if (splits.length === 0) return null;
  return `The keys of a query are split between workgroups, ${usual(splits.map(({ from, to }) => to - from))} each.`;
}

const touched = (workgroups: readonly (readonly ScheduleStep[])[], mode: 'read' | 'write'): ReadonlySet<string> =>
  new Set(
    workgroups.flatMap((steps) =>
      steps.flatMap(({ accesses }) => accesses.flatMap((access) => (access.mode === mode ? [access.tensor] : []))),
    ),
  );

/** What the picture shows, in the field's words, from the steps of the traced workgroups by pass and their parts of the keys. */
export function scheduleSentence(
  { simulation, mechanism, computation, provenance }: AnalysisContext,
  byPass: readonly (readonly (readonly ScheduleStep[])[])[],
  splits: readonly (readonly (KeySplit | null)[])[],
): string {
  const parts = partsOf(mechanism, computation);
  const keyTensors = parts === null ? [] : queriesAndKeys(parts).keys;
  /** What workgroups left behind that had a part of the keys. */
  let partial: ReadonlySet<string> = new Set();
  const sentences = byPass.flatMap((workgroups, pass): readonly string[] => {
    if (workgroups.length === 0) return [];
    const entry = simulation.passes[pass]?.entry ?? '';
    const said = describe(tilingOf(entry, keyTensors, workgroups));
    const split = splitSentence(splits[pass]!);
    if (split !== null) partial = touched(workgroups, 'write');
    if (said === null) {
      const merges = [...touched(workgroups, 'read')].some((tensor) => partial.has(tensor));
      return merges ? [`"${entry}" puts their results together.`] : [];
    }
    return split === null ? [said] : [said, split];
  });
  if (sentences.length > 0) return sentences.join(' ');
  const steps = Math.max(0, ...byPass.flat().map(({ length }) => length));
  const unseen =
    parts === null
      ? `${mechanism.title} has no queries and keys that meet.`
      : 'No products of queries and keys could be followed.';
  const why = (provenance === null ? mechanism.unfollowed : null) ?? unseen;
  return `${why} The longest traced workgroup takes ${counted(steps, 'step', 'steps')}.`;
}
