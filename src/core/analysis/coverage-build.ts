import { sizesOf, type Sizes } from '../attention/sizes.js';
import { toBase64 } from '../numerics/base64.js';
import type { AnalysisContext } from './context.js';
import { cellStates, type Coverage } from './coverage.js';
import { isVisible, planeVisits, throughByRow, type PlaneVisits } from './coverage-count.js';
import { coverageSentence } from './coverage-sentence.js';
import type { ProvenanceRecorder } from './provenance.js';

/** Most cells of all maps together, so that a trace stays small enough to send and to keep. */
const mostCells = 1 << 18;
const mostSide = 256;
/** A visit counts all columns of the output: a pair that lacks one, or has one twice, is off by more than this. */
const visitSlack = 0.002;

/** The linear indices of the workgroups of each pass that ran with provenance. */
function followedWorkgroups(provenance: ProvenanceRecorder, passes: number): readonly Set<number>[] {
  const followed = Array.from({ length: passes }, () => new Set<number>());
  for (const { pass, workgroup } of provenance.workgroups) followed[pass]?.add(workgroup);
  return followed;
}

/** Pairs in a state other than `outside`, by state. */
export interface CoverageCounts {
  once: number;
  throughState: number;
  wasted: number;
  doubled: number;
  missed: number;
}

/** What the maps of all planes are drawn with, and what is found while drawing. */
interface Survey {
  readonly sizes: Sizes;
  readonly range: ReturnType<AnalysisContext['mechanism']['visibleKeys']>;
  readonly cellQueries: number;
  readonly cellKeys: number;
  /** A pair that was not reached is missed; else some other workgroup may have had it in hand. */
  readonly certain: boolean;
  readonly totals: CoverageCounts;
  firstMissed: Coverage['firstMissed'];
  firstDoubled: Coverage['firstDoubled'];
}

/**
 * Holds what the simulation reached against the mask. Null without provenance, and for backward passes, whose products
 * are others. Queries count where a workgroup that ran with provenance worked on them.
 */
export function buildCoverage(context: AnalysisContext): Coverage | null {
  const { provenance, plan, simulation, mechanism } = context;
  if (!provenance || context.computation.direction !== 'forward') return null;
  const sizes = sizesOf(plan.shape);
  const followed = followedWorkgroups(provenance, simulation.passes.length);
  const whole = simulation.passes.map(({ workgroups: [x, y, z] }, pass) => followed[pass]!.size === x * y * z);
  const complete = whole.every(Boolean) && !provenance.overflowed;
  const through = throughByRow(provenance);
  const planes = tracedPlanes(provenance, through, sizes, complete);
  const side = Math.max(Math.min(mostSide, Math.floor(Math.sqrt(mostCells / Math.max(planes.length, 1)))), 16);
  const survey: Survey = {
    sizes,
    range: mechanism.visibleKeys(plan.shape, plan.options),
    cellQueries: Math.ceil(sizes.seqlen / side),
    cellKeys: Math.ceil(sizes.seqlenK / side),
    certain: whole.slice(0, -1).every(Boolean) && !provenance.overflowed,
    totals: { once: 0, throughState: 0, wasted: 0, doubled: 0, missed: 0 },
    firstMissed: null,
    firstDoubled: null,
  };
  const visitSizes = { queries: sizes.seqlen, keys: sizes.seqlenK, headDim: sizes.headDim, headDimV: sizes.headDimV };
  const maps = planes.map((plane) => {
    const visits = planeVisits(provenance, through, plane, visitSizes, complete);
    const cells = toBase64(mapPlane(survey, provenance, plane, visits));
    return { plane, batch: Math.floor(plane / sizes.heads), head: plane % sizes.heads, cells };
  });
  const { totals } = survey;
  const found = {
    queries: sizes.seqlen,
    keys: sizes.seqlenK,
    planes: maps,
    cellQueries: survey.cellQueries,
    cellKeys: survey.cellKeys,
    totals: { required: totals.once + totals.throughState + totals.doubled + totals.missed, ...totals },
    firstMissed: survey.firstMissed,
    firstDoubled: survey.firstDoubled,
    balance: balanceOf(context, provenance, sizes),
    complete,
  };
  return { ...found, sentence: coverageSentence(found, context, provenance) };
}

function tracedPlanes(
  provenance: ProvenanceRecorder,
  through: ReturnType<typeof throughByRow>,
  { batch, heads, seqlen }: Sizes,
  complete: boolean,
): readonly number[] {
  const planes = new Set<number>();
  for (const queryRow of through.keys()) planes.add(Math.floor(queryRow / seqlen));
  for (let plane = 0; plane < batch * heads; plane++) {
    for (let query = 0; query < seqlen && !planes.has(plane); query++) {
      if (complete || provenance.used.row(plane * seqlen + query).length > 0) planes.add(plane);
    }
  }
  return [...planes].sort((a, b) => a - b);
}

/** The cells of one plane; counts its pairs on the way. */
function mapPlane(survey: Survey, provenance: ProvenanceRecorder, plane: number, visits: PlaneVisits): Uint8Array {
  const { seqlen, seqlenK, headDim } = survey.sizes;
  const columns = Math.ceil(seqlenK / survey.cellKeys);
  const cells = new Uint8Array(Math.ceil(seqlen / survey.cellQueries) * columns);
  // Cells that hold no traced query at all: `untraced` where the mask asks for something there.
  const seen = new Uint8Array(cells.length);
  const cellOfKey = Uint32Array.from({ length: seqlenK }, (_, key) => Math.floor(key / survey.cellKeys));
  for (let query = 0; query < seqlen; query++) {
    const formed = provenance.formed.row(plane * seqlen + query);
    const range = survey.range(query);
    const first = Math.floor(query / survey.cellQueries) * columns;
    for (let key = 0; key < seqlenK; key++) {
      const cell = first + cellOfKey[key]!;
      const at = query * seqlenK + key;
      let state: number = cellStates.untraced;
      const wanted = isVisible(range, key);
      if (visits.traced[query] === 1) {
        const isFormed = 2 * (formed[key] ?? 0) >= headDim;
        state = stateOf(wanted, isFormed, visits.byScore[at]!, visits.throughState[at]!);
        if (state === cellStates.missed && !survey.certain) state = cellStates.untraced;
        else count(survey, state, plane, query, key);
      } else if (!wanted) state = cellStates.outside;
      if (state === cellStates.untraced) {
        if (seen[cell] === 0 && cells[cell] === cellStates.outside) cells[cell] = state;
        continue;
      }
      if (state === cellStates.outside) continue;
      if (seen[cell] === 0 || state > cells[cell]!) cells[cell] = state;
      seen[cell] = 1;
    }
  }
  return cells;
}

/** What became of one pair of a traced query. A pair that reaches only some columns of the output is missed. */
function stateOf(wanted: boolean, isFormed: boolean, byScore: number, throughState: number): number {
  const visits = byScore + throughState;
  if (!wanted) return isFormed || visits >= 0.5 ? cellStates.wasted : cellStates.outside;
  if (visits < 1 - visitSlack) return cellStates.missed;
  if (visits > 1 + visitSlack) return cellStates.doubled;
  return throughState > byScore ? cellStates.throughState : cellStates.once;
}

function count(survey: Survey, state: number, plane: number, query: number, key: number): void {
  const { totals } = survey;
  switch (state) {
    case cellStates.once:
      totals.once++;
      return;
    case cellStates.throughState:
      totals.throughState++;
      return;
    case cellStates.wasted:
      totals.wasted++;
      return;
    case cellStates.doubled:
      totals.doubled++;
      survey.firstDoubled ??= { plane, query, key };
      return;
    case cellStates.missed:
      totals.missed++;
      survey.firstMissed ??= { plane, query, key };
  }
}

/** The logged workgroups, of which the accesses are known too. */
function balanceOf(
  { simulation }: AnalysisContext,
  provenance: ProvenanceRecorder,
  { headDim }: Sizes,
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
