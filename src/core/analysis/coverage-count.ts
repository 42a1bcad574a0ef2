import type { KeyRange } from '../attention/mechanism.js';
import type { ProvenanceRecorder } from './provenance.js';

/** How often each query of one plane reached each key; row-major by query and key. */
export interface PlaneVisits {
  /** Visits of each pair as its share in the output: by its own score and value, and through a state. */
  readonly byScore: Float32Array;
  readonly throughState: Float32Array;
  /** Queries that a traced workgroup worked on. */
  readonly traced: Uint8Array;
}

/** What the counts are held against. */
export interface VisitSizes {
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly headDimV: number;
}

/** Multiply-adds of query rows with sets, by query row: what of `ThroughCounts` belongs to a plane. */
export type ThroughByRow = ReadonlyMap<number, readonly { readonly set: number; readonly count: number }[]>;

/** Sorts the multiply-adds with states by query row. */
export function throughByRow(provenance: ProvenanceRecorder): ThroughByRow {
  const rows = new Map<number, { set: number; count: number }[]>();
  provenance.through.forEach((queryRow, set, count) => {
    const row = rows.get(queryRow);
    if (row) row.push({ set, count });
    else rows.set(queryRow, [{ set, count }]);
  });
  return rows;
}

/**
 * Visits of one plane. A visit is headDimV multiply-adds of a weight with a value, or headDim · headDimV of a query with
 * a state. Where only a part of the workgroups ran, a query may have been given fewer columns of the output; then most
 * of its pairs agree on a smaller share, which counts as one visit.
 */
export function planeVisits(
  provenance: ProvenanceRecorder,
  through: ThroughByRow,
  plane: number,
  sizes: VisitSizes,
  complete: boolean,
): PlaneVisits {
  const { queries, keys } = sizes;
  const byScore = new Float32Array(queries * keys);
  const throughState = new Float32Array(queries * keys);
  const traced = new Uint8Array(queries);
  const steps = new Float64Array(keys + 1);
  for (let query = 0; query < queries; query++) {
    const queryRow = plane * queries + query;
    const used = provenance.used.row(queryRow);
    const met = through.get(queryRow) ?? [];
    if (!complete && used.length === 0 && met.length === 0) continue;
    traced[query] = 1;
    const at = query * keys;
    for (let key = 0; key < used.length; key++) byScore[at + key] = used[key]! / sizes.headDimV;
    if (met.length > 0) addStates(provenance, met, queryRow, sizes, steps, throughState.subarray(at, at + keys));
    if (!complete) rescale(byScore.subarray(at, at + keys), throughState.subarray(at, at + keys));
  }
  return { byScore, throughState, traced };
}

function addStates(
  provenance: ProvenanceRecorder,
  met: readonly { readonly set: number; readonly count: number }[],
  queryRow: number,
  { headDim, headDimV }: VisitSizes,
  steps: Float64Array,
  visits: Float32Array,
): void {
  const first = provenance.space.keyBase[queryRow]!;
  steps.fill(0);
  for (const { set, count } of met) {
    for (const { from, to, times } of provenance.sets.runs(set)) {
      const share = (count * times) / (headDim * headDimV);
      steps[from - first]! += share;
      steps[to - first]! -= share;
    }
  }
  let sum = 0;
  for (let key = 0; key < visits.length; key++) {
    sum += steps[key]!;
    visits[key] = sum;
  }
}

/** Brings the most frequent share of a row to 1 where it is less. */
function rescale(byScore: Float32Array, throughState: Float32Array): void {
  const shares = new Map<number, number>();
  for (let key = 0; key < byScore.length; key++) {
    const share = Math.round((byScore[key]! + throughState[key]!) * 1024);
    if (share > 0) shares.set(share, (shares.get(share) ?? 0) + 1);
  }
  let usual = 0;
  let most = 0;
  for (const [share, count] of shares) {
    if (count > most) {
      most = count;
      usual = share / 1024;
    }
  }
  if (usual === 0 || usual >= 1) return;
  for (let key = 0; key < byScore.length; key++) {
    byScore[key]! /= usual;
    throughState[key]! /= usual;
  }
}

/** Whether the mask lets a query see a key. */
export const isVisible = ({ from, to }: KeyRange, key: number): boolean => key >= from && key < to;
