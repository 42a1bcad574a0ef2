import type { KeyRange } from '../attention/mechanism.js';
import { toBase64 } from '../numerics/base64.js';
import type { AnalysisContext } from './context.js';
import { cellStates, type Coverage } from './coverage.js';
import { VisitCounter, type RowVisits } from './coverage-count.js';
import { coverageSentence } from './coverage-sentence.js';
import { partsOf, type PairSizes } from './pair-sizes.js';
import type { ProvenanceRecorder } from './provenance.js';

/** Most cells of all maps together, so that a trace stays small enough to send and to keep. */
const mostCells = 1 << 18;
const mostSide = 256;
/** A visit counts all columns of the output: a pair that lacks one, or has one twice, is off by more than this. */
const visitSlack = 0.002;

/** Of the states in one cell the gravest is shown; queries that were not traced only beat pairs outside the mask. */
const byGravity = ['outside', 'untraced', 'once', 'throughState', 'wasted', 'doubled', 'missed'] as const;
/** By state: its place in that order. */
const gravity = new Uint8Array(byGravity.length);
for (const [rank, name] of byGravity.entries()) gravity[cellStates[name]] = rank;

/** The linear indices of the workgroups of each pass that ran with provenance. */
function followedWorkgroups(provenance: ProvenanceRecorder, passes: number): readonly Set<number>[] {
  const followed = Array.from({ length: passes }, () => new Set<number>());
  for (const { pass, workgroup } of provenance.workgroups) followed[pass]?.add(workgroup);
  return followed;
}

/** What the maps of all planes are drawn with, and what is found while drawing. */
interface Survey {
  readonly provenance: ProvenanceRecorder;
  readonly counter: VisitCounter;
  readonly sizes: PairSizes;
  readonly range: (query: number) => KeyRange;
  /** How often a query may reach a key; null where that is once for every pair. */
  readonly most: ((query: number, key: number) => number) | null;
  readonly cellQueries: number;
  readonly cellKeys: number;
  /**
   * All workgroups of the passes before the last ran with provenance. Else a pair that was not reached may only lack the
   * workgroup that had it in hand, and a state may be one that was yet to be added to others: nothing is said of them.
   * Nor where values are corrected, which a matrix may do in ways that cannot be followed.
   */
  readonly certain: boolean;
  /** Pairs of traced queries, by state. */
  readonly totals: Float64Array;
  firstMissed: Coverage['firstMissed'];
  firstDoubled: Coverage['firstDoubled'];
}

/**
 * Holds what the simulation reached against the mask. Null without provenance, for backward passes, whose products
 * are others, and for decoding that carries a state on; decoding from a cache meets its keys as a forward pass does.
 * Queries count where a workgroup that ran with provenance worked on them.
 */
export function buildCoverage(context: AnalysisContext): Coverage | null {
  const { provenance, plan, simulation, mechanism } = context;
  const range = mechanism.visibleKeys?.(plan.shape, plan.options);
  const { direction } = context.computation;
  const readsCache = direction === 'decode' && mechanism.recurrence === null;
  if (!provenance || !range || !(direction === 'forward' || readsCache)) return null;
  const { sizes } = provenance.space;
  const followed = followedWorkgroups(provenance, simulation.passes.length);
  const whole = simulation.passes.map(({ workgroups: [x, y, z] }, pass) => followed[pass]!.size === x * y * z);
  const complete = whole.every(Boolean) && !provenance.overflowed;
  const counter = new VisitCounter(provenance, sizes, complete);
  const planes = tracedPlanes(counter, sizes);
  const parts = partsOf(mechanism, context.computation);
  const side = Math.max(Math.min(mostSide, Math.floor(Math.sqrt(mostCells / Math.max(planes.length, 1)))), 16);
  const survey: Survey = {
    provenance,
    counter,
    sizes,
    range,
    most: parts?.mostVisits?.(plan.shape, plan.options) ?? null,
    cellQueries: cellSize(sizes.queries, side),
    cellKeys: cellSize(sizes.keys, side),
    certain: whole.slice(0, -1).every(Boolean) && !provenance.overflowed && parts?.corrected !== true,
    totals: new Float64Array(Object.keys(cellStates).length),
    firstMissed: null,
    firstDoubled: null,
  };
  const maps = planes.map((plane) => {
    const cells = toBase64(mapPlane(survey, plane));
    return { plane, batch: Math.floor(plane / sizes.heads), head: plane % sizes.heads, cells };
  });
  const found = {
    queries: sizes.queries,
    keys: sizes.keys,
    planes: maps,
    cellQueries: survey.cellQueries,
    cellKeys: survey.cellKeys,
    totals: totalsOf(survey.totals),
    firstMissed: survey.firstMissed,
    firstDoubled: survey.firstDoubled,
    balance: balanceOf(context, provenance, sizes),
    complete,
  };
  const unknown = complete ? survey.totals[cellStates.untraced]! : 0;
  return {
    ...found,
    sentence: coverageSentence({ ...found, unknown, repeats: survey.most !== null }, range, provenance),
  };
}

/** Pairs along one side of a cell: a power of two, as tiles are, so that no cell straddles the edge of one. */
function cellSize(length: number, side: number): number {
  let size = 1;
  while (size * side < length) size *= 2;
  return size;
}

function totalsOf(counts: Float64Array): Coverage['totals'] {
  const of = (state: keyof typeof cellStates): number => counts[cellStates[state]]!;
  const reached = { once: of('once'), throughState: of('throughState'), doubled: of('doubled'), missed: of('missed') };
  const required = reached.once + reached.throughState + reached.doubled + reached.missed;
  return { required, ...reached, wasted: of('wasted') };
}

function tracedPlanes(counter: VisitCounter, { planes, queries }: PairSizes): readonly number[] {
  const isTraced = (plane: number): boolean => {
    for (let query = 0; query < queries; query++) if (counter.isTraced(plane * queries + query)) return true;
    return false;
  };
  return Array.from({ length: planes }, (_, plane) => plane).filter(isTraced);
}

/** The cells of one plane; counts its pairs on the way. */
function mapPlane(survey: Survey, plane: number): Uint8Array {
  const { queries, keys, queryPlaneOf } = survey.sizes;
  const columns = Math.ceil(keys / survey.cellKeys);
  const cells = new Uint8Array(Math.ceil(queries / survey.cellQueries) * columns);
  // Cells are as long as a power of two: a shift finds the one of a pair, of which there are millions.
  const cellShift = Math.log2(survey.cellKeys);
  const states = new Uint8Array(keys);
  for (let query = 0; query < queries; query++) {
    const pairRow = plane * queries + query;
    const range = survey.range(query);
    const { from, to } = range;
    if (survey.counter.isTraced(pairRow)) {
      const formed = survey.provenance.formed.row(queryPlaneOf(plane) * queries + query);
      rowStates(survey, formed, survey.counter.visits(pairRow, range), query, range, states);
      count(survey, plane, query, states);
    } else {
      states.fill(cellStates.outside).fill(cellStates.untraced, Math.max(from, 0), Math.max(to, 0));
    }
    const first = Math.floor(query / survey.cellQueries) * columns;
    for (let key = 0; key < keys; key++) {
      const cell = first + (key >>> cellShift);
      if (gravity[states[key]!]! > gravity[cells[cell]!]!) cells[cell] = states[key]!;
    }
  }
  return cells;
}

/** What became of each pair of a traced query. A pair that reaches only some columns of the output is missed. */
function rowStates(
  { sizes: { headDim }, most, certain }: Survey,
  formed: Uint16Array,
  { byScore, throughState }: RowVisits,
  query: number,
  { from, to }: KeyRange,
  states: Uint8Array,
): void {
  const missed = certain ? cellStates.missed : cellStates.untraced;
  const leastFormed = headDim / 2;
  for (let key = 0; key < states.length; key++) {
    const visits = byScore[key]! + throughState[key]!;
    const limit = (most === null ? 1 : most(query, key)) + visitSlack;
    if (key < from || key >= to) {
      const isWasted = visits >= 0.5 || (formed.length > 0 && formed[key]! >= leastFormed);
      states[key] = isWasted ? cellStates.wasted : cellStates.outside;
    } else if (visits < 1 - visitSlack) states[key] = missed;
    else if (visits > limit) states[key] = certain || byScore[key]! > limit ? cellStates.doubled : missed;
    else states[key] = throughState[key]! > byScore[key]! ? cellStates.throughState : cellStates.once;
  }
}

function count(survey: Survey, plane: number, query: number, states: Uint8Array): void {
  const { totals } = survey;
  for (let key = 0; key < states.length; key++) totals[states[key]!]!++;
  if (!survey.firstMissed && totals[cellStates.missed]! > 0) {
    survey.firstMissed = { plane, query, key: states.indexOf(cellStates.missed) };
  }
  if (!survey.firstDoubled && totals[cellStates.doubled]! > 0) {
    survey.firstDoubled = { plane, query, key: states.indexOf(cellStates.doubled) };
  }
}

/** The logged workgroups, of which the accesses are known too. */
function balanceOf(
  { simulation }: AnalysisContext,
  provenance: ProvenanceRecorder,
  { headDim }: PairSizes,
): Coverage['balance'] {
  return simulation.passes.flatMap(({ logs, workgroups }, pass) =>
    logs.map(({ workgroup, count }) => {
      const index = linearIndex(workgroup, workgroups);
      const record = provenance.workgroups.find((other) => other.pass === pass && other.workgroup === index);
      return { pass, workgroup, accesses: count, pairs: Math.round((record?.scoreProducts ?? 0) / headDim) };
    }),
  );
}

/** Index of a workgroup among all of a dispatch, x fastest. */
export function linearIndex(
  [x, y, z]: readonly [number, number, number],
  [countX, countY]: readonly [number, number, number],
): number {
  return (z * countY + y) * countX + x;
}
