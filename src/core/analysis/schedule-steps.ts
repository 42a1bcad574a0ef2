import type { KeyRange } from '../attention/mechanism.js';
import type { PassTrace, WorkgroupLog } from '../simulator/trace.js';
import type { AnalysisContext } from './context.js';
import type { ProvenanceRecorder } from './provenance.js';
import type { AccessCollector } from './schedule-access.js';
import type { ScheduleStep, ScoreTile, StateAccess, TileHeld } from './schedule.js';
import type { HeldContent, PairTile, WorkgroupRecord } from './step-record.js';

/** What the steps of a workgroup are made from. */
export interface StepSources {
  readonly context: AnalysisContext;
  readonly trace: PassTrace;
  readonly log: WorkgroupLog;
  readonly collector: AccessCollector;
  /** What provenance knows of this workgroup; null where values were not followed. */
  readonly record: WorkgroupRecord | null;
  readonly range: (query: number) => KeyRange;
}

/** The segments of a log by epoch and phase, in the order of the steps. */
function segmentsByStep(log: WorkgroupLog): readonly (readonly number[])[] {
  const epochs: number[][][] = [];
  for (let segment = 0; segment < log.segments; segment++) {
    const phases = (epochs[log.segmentEpoch[segment]!] ??= []);
    (phases[log.segmentPhase[segment]!] ??= []).push(segment);
  }
  return epochs.flatMap((phases) => phases.flatMap((segments) => [segments]));
}

/** The steps of one logged workgroup, in order; those that touch nothing and form nothing are left out. */
export function workgroupSteps(sources: StepSources): readonly ScheduleStep[] {
  const { log } = sources;
  const groups = segmentsByStep(log);
  return groups.flatMap((segments, index) => {
    const epoch = log.segmentEpoch[segments[0]!]!;
    const next = groups[index + 1];
    const endsEpoch = next === undefined || log.segmentEpoch[next[0]!] !== epoch;
    return buildStep(sources, segments, endsEpoch) ?? [];
  });
}

function buildStep(sources: StepSources, segments: readonly number[], endsEpoch: boolean): ScheduleStep | null {
  const { log, record, collector, context } = sources;
  const { provenance } = context;
  const epoch = log.segmentEpoch[segments[0]!]!;
  const phase = log.segmentPhase[segments[0]!]!;
  const counts = countAccesses(sources, segments);
  const tiles = record?.tiles(epoch, phase) ?? [];
  if (counts.mainSite === null) return null;
  const accesses = collector.accesses();
  const { span } = sources.trace.sites[counts.mainSite]!;
  return {
    epoch,
    phase,
    kind: kindOf(counts, tiles.length > 0),
    barrier: endsEpoch && epoch < log.epochs - 1,
    accesses,
    held: endsEpoch ? (record?.held(epoch) ?? []).map(heldTile) : [],
    scores: provenance === null ? [] : tiles.flatMap((tile) => scoreTile(tile, sources, provenance) ?? []),
    states: tiles.flatMap((tile) => stateAccess(tile) ?? []),
    deviceAccesses: counts.reads + counts.writes,
    workgroupAccesses: counts.workgroup,
    span,
    line: context.lines.lineAt(span.start),
  };
}

/** Accesses of a step by what they touch. */
interface StepCounts {
  readonly reads: number;
  readonly writes: number;
  readonly workgroup: number;
  /** The site with the most accesses outside an invocation's own memory; null where there are none. */
  readonly mainSite: number | null;
}

function countAccesses({ log, trace, collector }: StepSources, segments: readonly number[]): StepCounts {
  const bySite = new Map<number, number>();
  collector.begin();
  for (const segment of segments) {
    const start = log.segmentStart[segment]!;
    const end = segment + 1 < log.segments ? log.segmentStart[segment + 1]! : log.count;
    // Accesses of one site follow each other in the inner loops: they are counted together.
    for (let at = start; at < end;) {
      const site = log.site[at]!;
      const first = at;
      for (; at < end && log.site[at] === site; at++) collector.add(site, log.address[at]!);
      bySite.set(site, (bySite.get(site) ?? 0) + at - first);
    }
  }
  const counts = { reads: 0, writes: 0, workgroup: 0 };
  let mainSite: number | null = null;
  for (const [index, count] of bySite) {
    const { kind, space } = trace.sites[index]!;
    if (space === 'storage') counts[kind === 'read' ? 'reads' : 'writes'] += count;
    else if (space === 'workgroup') counts.workgroup += count;
    else continue;
    if (mainSite === null || count > bySite.get(mainSite)!) mainSite = index;
  }
  return { ...counts, mainSite };
}

function kindOf({ reads, writes }: StepCounts, forms: boolean): ScheduleStep['kind'] {
  if (reads === 0 && writes === 0) return 'compute';
  if (forms || (reads > 0 && writes > 0)) return 'mixed';
  return reads > 0 ? 'load' : 'store';
}

function heldTile({ variable, content, plane, rect, words }: HeldContent): TileHeld {
  const names = { scores: 'scores', state: 'state', keySum: 'sum of keys', initial: 's0', mixed: 'results' } as const;
  const isTile = content === 'q' || content === 'k' || content === 'v' || content === 'scores';
  return {
    variable,
    tensor: content === 'q' || content === 'k' || content === 'v' ? content : names[content],
    plane,
    rect: isTile ? rect : null,
    bytes: 4 * words,
  };
}

function scoreTile(
  { by, plane, rowLow, row0, row1, key0, key1 }: PairTile,
  { range }: StepSources,
  provenance: ProvenanceRecorder,
): ScoreTile | null {
  if ((by !== 'score' && by !== 'state') || key0 >= key1) return null;
  let masked = 0;
  for (let row = row0; row < row1; row++) {
    const { from, to } = range(row - rowLow);
    const visible = Math.max(0, Math.min(to, key1) - Math.max(from, key0));
    if (by === 'state') masked += key1 - key0 - visible;
    else if (visible < key1 - key0) {
      const formed = provenance.formed.row(row);
      for (let key = key0; key < key1; key++) if ((key < from || key >= to) && formed[key]! > 0) masked++;
    }
  }
  return { by, plane, rect: { row0: row0 - rowLow, row1: row1 - rowLow, column0: key0, column1: key1 }, masked };
}

function stateAccess({ by, plane, rowLow, row0, row1, key0, key1 }: PairTile): StateAccess | null {
  if (by === 'update') return { mode: 'update', plane, keys: { from: row0 - rowLow, to: row1 - rowLow } };
  return by === 'state' ? { mode: 'read', plane, keys: { from: Math.min(key0, key1), to: key1 } } : null;
}
