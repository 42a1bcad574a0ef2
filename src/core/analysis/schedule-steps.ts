import type { KeyRange } from '../attention/mechanism.js';
import type { PassTrace, WorkgroupLog } from '../simulator/trace.js';
import type { AnalysisContext } from './context.js';
import type { ProvenanceRecorder } from './provenance.js';
import type { AccessCollector } from './schedule-access.js';
import { orderSegments, segmentEnd } from './segment-order.js';
import { united, uniteStates } from './schedule-merge.js';
import type { ScheduleStep, ScoreTile, StateAccess, TileAccess, TileHeld } from './schedule.js';
import type { HeldContent, PairTile, WorkgroupRecord } from './step-record.js';

/** What the steps of a workgroup are made from. */
export interface StepSources {
  readonly context: AnalysisContext;
  readonly trace: PassTrace;
  readonly log: WorkgroupLog;
  readonly collector: AccessCollector;
  /** What provenance knows of this workgroup; null where values were not followed. */
  readonly record: WorkgroupRecord | null;
  /** Whether the states that the workgroup makes are ever read or stored. */
  readonly keepsState: boolean;
  /** The mask; null where there is none that all sequences share: then no pair counts as masked. */
  readonly range: ((query: number) => KeyRange) | null;
}

/** Segments of a log that belong together: of one phase, or of several of an epoch in their order. */
type Segments = Uint32Array;

/** What some segments touch. */
interface Touched {
  readonly segments: Segments;
  readonly accesses: readonly TileAccess[];
  readonly counts: StepCounts;
}

/** Tiles below this density have holes: an outer loop that goes over the rows of a tile makes no steps of its own. */
const leastDensity = 0.75;

/**
 * The steps of one logged workgroup, in order; those that touch nothing are left out. An epoch is a step, or several
 * where its phases walk over device memory tile by tile: in kernels without barriers, and where each forms pairs of its
 * own. A loop by which the invocations load a tile together is one step.
 */
export function workgroupSteps(sources: StepSources): readonly ScheduleStep[] {
  const { segmentEpoch, segmentPhase } = sources.log;
  const order = orderSegments(sources.log, [segmentPhase, segmentEpoch]);
  return runsOf(order, segmentEpoch).flatMap((segments) => epochSteps(sources, segments));
}

/** Cuts segments where their keys change. */
function runsOf(segments: Segments, keys: Uint32Array): readonly Segments[] {
  const runs: Segments[] = [];
  let first = 0;
  for (let at = 1; at <= segments.length; at++) {
    if (at < segments.length && keys[segments[at]!] === keys[segments[first]!]) continue;
    runs.push(segments.subarray(first, at));
    first = at;
  }
  return runs;
}

function epochSteps(sources: StepSources, epoch: Segments): readonly ScheduleStep[] {
  const step = (touched: Touched, endsEpoch: boolean): readonly ScheduleStep[] =>
    asList(buildStep(sources, touched, endsEpoch));
  const whole = (): readonly ScheduleStep[] => step(touch(sources, epoch), true);
  const phases = runsOf(epoch, sources.log.segmentPhase);
  if (phases.length === 1 || (sources.log.epochs > 1 && !formsByPhase(sources, phases))) return whole();
  const parts = phases.map((segments) => touch(sources, segments));
  if (parts.filter(({ accesses }) => accesses.length > 0).length < 2) return whole();
  const density = leastDensityOf(parts);
  if (density < leastDensity) {
    const together = touch(sources, epoch);
    if (leastDensityOf([together]) > density) return step(together, true);
  }
  const groups = groupParts(parts);
  let end = 0;
  return groups.flatMap((group, index) => {
    const start = end;
    for (const { segments } of group) end += segments.length;
    const touched = group.length === 1 ? group[0]! : touch(sources, epoch.subarray(start, end));
    return step(touched, index === groups.length - 1);
  });
}

/** Whether the phases of an epoch form different pairs or states. */
function formsByPhase({ log, record }: StepSources, phases: readonly Segments[]): boolean {
  const formed = phases.map(([first]) => {
    const tiles = record?.tiles(log.segmentEpoch[first!]!, log.segmentPhase[first!]!) ?? [];
    return tiles.map(({ by, plane, row0, row1, key0, key1 }) => [by, plane, row0, row1, key0, key1].join(' ')).join();
  });
  return new Set(formed.filter((tiles) => tiles !== '')).size > 1;
}

const asList = (step: ScheduleStep | null): readonly ScheduleStep[] => (step === null ? [] : [step]);

function leastDensityOf(parts: readonly Touched[]): number {
  return Math.min(1, ...parts.flatMap(({ accesses }) => accesses.map(({ density }) => density)));
}

/** Phases that do not touch device memory belong to the one before them, or at the beginning to the one after. */
function groupParts(parts: readonly Touched[]): readonly (readonly Touched[])[] {
  const groups: Touched[][] = [];
  let open: Touched[] | null = null;
  let walks = false;
  for (const part of parts) {
    const touches = part.accesses.length > 0;
    if (open === null || (touches && walks)) {
      open = [];
      groups.push(open);
      walks = false;
    }
    open.push(part);
    walks ||= touches;
  }
  return groups;
}

function buildStep(
  sources: StepSources,
  { segments, accesses, counts }: Touched,
  endsEpoch: boolean,
): ScheduleStep | null {
  if (counts.mainSite === null) return null;
  const { log, record, context } = sources;
  const { provenance } = context;
  const epoch = log.segmentEpoch[segments[0]!]!;
  const phases = runsOf(segments, log.segmentPhase).map(([first]) => log.segmentPhase[first!]!);
  const tiles = united(
    phases.flatMap((phase) => record?.tiles(epoch, phase) ?? []),
    ({ by, plane }) => `${by} ${plane}`,
    uniteTiles,
  );
  const { span } = sources.trace.sites[counts.mainSite]!;
  return {
    epoch,
    phase: phases[0]!,
    kind: kindOf(counts, tiles.length > 0),
    barrier: endsEpoch && epoch < log.epochs - 1,
    accesses,
    held: endsEpoch ? (record?.held(epoch) ?? []).map(heldTile) : [],
    scores: provenance === null ? [] : scoreTiles(tiles, sources, provenance),
    states: stateAccesses(tiles, sources),
    deviceAccesses: counts.reads + counts.writes,
    workgroupAccesses: counts.workgroup,
    span,
    line: context.lines.lineAt(span.start),
  };
}

function uniteTiles(a: PairTile, b: PairTile): PairTile {
  return {
    ...a,
    row0: Math.min(a.row0, b.row0),
    row1: Math.max(a.row1, b.row1),
    key0: Math.min(a.key0, b.key0),
    key1: Math.max(a.key1, b.key1),
    products: a.products + b.products,
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

function touch({ log, trace, collector }: StepSources, segments: Segments): Touched {
  const { site: sites, address, segmentStart } = log;
  const bySite = new Uint32Array(trace.sites.length);
  const seen: number[] = [];
  collector.begin();
  for (const segment of segments) {
    const end = segmentEnd(log, segment);
    for (let access = segmentStart[segment]!; access < end; access++) {
      const site = sites[access]!;
      if (bySite[site]!++ === 0) seen.push(site);
      if (collector.collects[site] === 1) collector.add(site, address[access]!);
    }
  }
  const counts = { reads: 0, writes: 0, workgroup: 0 };
  let mainSite: number | null = null;
  // Of sites with equally many accesses the first one counts.
  for (const index of seen) {
    const { kind, space } = trace.sites[index]!;
    const count = bySite[index]!;
    if (space === 'storage') counts[kind === 'read' ? 'reads' : 'writes'] += count;
    else if (space === 'workgroup') counts.workgroup += count;
    else continue;
    if (mainSite === null || count > bySite[mainSite]!) mainSite = index;
  }
  return { segments, accesses: collector.accesses(), counts: { ...counts, mainSite } };
}

function kindOf({ reads, writes }: StepCounts, forms: boolean): ScheduleStep['kind'] {
  if (reads === 0 && writes === 0) return 'compute';
  if (forms || (reads > 0 && writes > 0)) return 'mixed';
  return reads > 0 ? 'load' : 'store';
}

/** What stands for computed contents where a tensor's name would. */
const computedNames: Readonly<Partial<Record<HeldContent['content'], string>>> = {
  keySum: 'sum of keys',
  mixed: 'results',
};

function heldTile({ variable, content, tensor, plane, rect, words }: HeldContent): TileHeld {
  const isTile = content === 'q' || content === 'k' || content === 'v' || content === 'scores';
  const name = tensor ?? computedNames[content] ?? content;
  return { variable, tensor: name, plane, rect: isTile ? rect : null, bytes: 4 * words };
}

/**
 * A tile of scores as the head that uses it has it. Scores that several heads share are formed before any of them says
 * whose they are: the head is the one this workgroup works for, or else the first.
 */
function inPairPlane(tile: PairTile, { record }: StepSources, { space }: ProvenanceRecorder): PairTile {
  const { planes, queryPlanes, queryPlaneOf } = space.sizes;
  if (tile.by !== 'score' || queryPlanes === planes) return tile;
  const own = record?.pairPlanes.find((plane) => queryPlaneOf(plane) === tile.plane);
  const plane = own ?? Array.from({ length: planes }, (_, at) => at).find((at) => queryPlaneOf(at) === tile.plane)!;
  const shift = plane * space.queries - tile.rowLow;
  return {
    ...tile,
    plane,
    rowLow: tile.rowLow + shift,
    rowHigh: tile.rowHigh + shift,
    row0: tile.row0 + shift,
    row1: tile.row1 + shift,
  };
}

function scoreTiles(
  tiles: readonly PairTile[],
  sources: StepSources,
  provenance: ProvenanceRecorder,
): readonly ScoreTile[] {
  const placed = tiles.map((tile) => inPairPlane(tile, sources, provenance));
  return placed.flatMap((tile) => (isDenominator(tile, placed, provenance) ? [] : (scoreTile(tile, sources) ?? [])));
}

/**
 * A denominator q · Σ k that holds one key so far looks like a score of that key; but its queries meet the state in the
 * same step, and it never weighs a value.
 */
function isDenominator(tile: PairTile, tiles: readonly PairTile[], provenance: ProvenanceRecorder): boolean {
  if (tile.by !== 'score' || tile.key1 - tile.key0 !== 1) return false;
  const meets = ({ by, row0, row1 }: PairTile): boolean => by === 'state' && row0 <= tile.row0 && tile.row1 <= row1;
  if (!tiles.some(meets)) return false;
  for (let row = tile.row0; row < tile.row1; row++) if (provenance.used.row(row)[tile.key0]) return false;
  return true;
}

function scoreTile(
  { by, plane, rowLow, row0, row1, key0, key1 }: PairTile,
  { range, context: { provenance } }: StepSources,
): ScoreTile | null {
  if ((by !== 'score' && by !== 'state') || key0 >= key1) return null;
  let masked = 0;
  // The queries of a tile that several heads share lie in one plane for all of them.
  const queryLow = provenance ? provenance.space.sizes.queryPlaneOf(plane) * provenance.space.queries : rowLow;
  for (let row = row0; row < row1; row++) {
    const { from, to } = range?.(row - rowLow) ?? { from: key0, to: key1 };
    const visible = Math.max(0, Math.min(to, key1) - Math.max(from, key0));
    if (by === 'state') masked += key1 - key0 - visible;
    else if (provenance && visible < key1 - key0) {
      const formed = provenance.formed.row(queryLow + row - rowLow);
      for (let key = key0; key < key1; key++) if ((key < from || key >= to) && formed[key]! > 0) masked++;
    }
  }
  return { by, plane, rect: { row0: row0 - rowLow, row1: row1 - rowLow, column0: key0, column1: key1 }, masked };
}

function stateAccesses(tiles: readonly PairTile[], { keepsState }: StepSources): readonly StateAccess[] {
  const accesses = tiles.flatMap(({ by, plane, rowLow, row0, row1, key0, key1 }): readonly StateAccess[] => {
    if (by === 'state') return [{ mode: 'read', plane, keys: { from: Math.min(key0, key1), to: key1 } }];
    if (!keepsState || (by !== 'update' && by !== 'sum')) return [];
    return [{ mode: 'update', plane, keys: { from: row0 - rowLow, to: row1 - rowLow } }];
  });
  return united(accesses, ({ mode, plane }) => `${mode} ${plane}`, uniteStates);
}
