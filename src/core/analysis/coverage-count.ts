import type { KeyRange } from '../attention/mechanism.js';
import type { ProvenanceRecorder } from './provenance.js';

/** How often one query reached each key, as its share in the output: by score and value, and through a state. */
export interface RowVisits {
  readonly byScore: Float32Array;
  readonly throughState: Float32Array;
}

/** What the counts are held against. */
export interface VisitSizes {
  readonly headDim: number;
  readonly headDimV: number;
}

/** Multiply-adds of pair rows with sets, by pair row: what of `ThroughCounts` belongs to a plane. */
type ThroughByRow = ReadonlyMap<number, readonly { readonly set: number; readonly count: number }[]>;

/** Sorts the multiply-adds with states by pair row. */
function throughByRow(provenance: ProvenanceRecorder): ThroughByRow {
  const rows = new Map<number, { set: number; count: number }[]>();
  provenance.through.forEach((pairRow, set, count) => {
    const row = rows.get(pairRow);
    if (row) row.push({ set, count });
    else rows.set(pairRow, [{ set, count }]);
  });
  return rows;
}

/**
 * Counts the visits of pair rows, one at a time. A visit is headDimV multiply-adds of a weight with a value, or headDim ·
 * headDimV of a query with a state. Where only a part of the workgroups ran, a query may have been given fewer columns
 * of the output; then most of its pairs agree on a smaller share, which counts as one visit.
 */
export class VisitCounter {
  private readonly byScore: Float32Array;
  private readonly throughState: Float32Array;
  private readonly steps: Float64Array;
  private readonly through: ThroughByRow;

  constructor(
    private readonly provenance: ProvenanceRecorder,
    private readonly sizes: VisitSizes,
    private readonly complete: boolean,
  ) {
    const { keys } = provenance.space;
    this.byScore = new Float32Array(keys);
    this.throughState = new Float32Array(keys);
    this.steps = new Float64Array(keys + 1);
    this.through = throughByRow(provenance);
  }

  /** Whether a workgroup that ran with provenance worked on the pair row. */
  isTraced(pairRow: number): boolean {
    return this.complete || this.provenance.used.row(pairRow).length > 0 || this.through.has(pairRow);
  }

  /** The visits of a pair row that sees the keys [from, to), valid until the next call. */
  visits(pairRow: number, { from, to }: KeyRange): RowVisits {
    const { byScore, throughState, provenance, sizes } = this;
    const used = provenance.used.row(pairRow);
    if (used.length === 0) byScore.fill(0);
    for (let key = 0; key < used.length; key++) byScore[key] = used[key]! / sizes.headDimV;
    const met = this.through.get(pairRow);
    if (met) addStates(provenance, met, pairRow, sizes, this.steps, throughState);
    else throughState.fill(0);
    if (!this.complete) rescale(byScore, throughState, from, to);
    return { byScore, throughState };
  }
}

function addStates(
  provenance: ProvenanceRecorder,
  met: readonly { readonly set: number; readonly count: number }[],
  pairRow: number,
  { headDim, headDimV }: VisitSizes,
  steps: Float64Array,
  visits: Float32Array,
): void {
  const first = provenance.space.valueBase[pairRow]!;
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

/** Brings the most frequent share of the keys a query sees to 1 where it is less; that of its scores where it has any. */
function rescale(byScore: Float32Array, throughState: Float32Array, from: number, to: number): void {
  const usual = usualShare(byScore, from, to) || usualShare(throughState, from, to);
  if (usual === 0 || usual >= 1) return;
  for (let key = 0; key < byScore.length; key++) {
    byScore[key]! /= usual;
    throughState[key]! /= usual;
  }
}

/** The most frequent of the shares above 0, in steps of 1/1024; 0 where there is none. */
function usualShare(values: Float32Array, from: number, to: number): number {
  const shares = new Map<number, number>();
  for (let key = from; key < to; key++) {
    const share = Math.round(values[key]! * 1024);
    if (share > 0) shares.set(share, (shares.get(share) ?? 0) + 1);
  }
  let usual = 0;
  let most = 0;
  for (const [share, count] of shares) {
    if (count <= most) continue;
    most = count;
    usual = share / 1024;
  }
  return usual;
}
