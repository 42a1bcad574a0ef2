import {
  schemaVersion,
  type BenchmarkReport,
  type CaseOverride,
  type CompareReport,
  type ConsistencyReport,
  type HazardReport,
  type LabFailure,
  type RunReport,
  type TraceReport,
} from '../lab/contract.js';
import type { Job, Tab } from '../lab/panel.js';

/** A report and when it was made, in milliseconds since 1970. */
export interface Stamped<T> {
  readonly report: T;
  readonly at: number;
}

/** Why a job gave no result, and the source it was about. */
export interface FailedJob {
  readonly job: Job;
  readonly hash: string;
  readonly failure: LabFailure;
}

/** What the extension remembers about one kernel file, across edits and window reloads. */
export interface KernelRecord {
  /** Sizes and options chosen over the file's own, or null. */
  readonly override: CaseOverride | null;
  /** Earlier choices, the latest first. */
  readonly recent: readonly CaseOverride[];
  readonly tab: Tab;
  readonly run: Stamped<RunReport> | null;
  readonly compare: Stamped<CompareReport> | null;
  readonly benchmark: Stamped<BenchmarkReport> | null;
  readonly trace: Stamped<TraceReport> | null;
  readonly hazards: Stamped<HazardReport> | null;
  readonly consistency: Stamped<ConsistencyReport> | null;
  /** Why the last job gave no result. Not kept across reloads. */
  readonly failed: FailedJob | null;
}

/** The record of a kernel that nothing is known of. */
export const emptyRecord: KernelRecord = {
  override: null,
  recent: [],
  tab: 'compare',
  run: null,
  compare: null,
  benchmark: null,
  trace: null,
  hazards: null,
  consistency: null,
  failed: null,
};

/** Characters of a trace that are worth storing; a larger one is made again faster than it is read. */
const traceLimit = 2_000_000;

const tabs: readonly Tab[] = ['compare', 'schedule', 'traffic', 'benchmark'];

/** A record as the text of a file in the extension's storage. */
export function serializeRecord(uri: string, record: KernelRecord): string {
  const large = JSON.stringify(record.trace).length > traceLimit;
  return JSON.stringify({ schemaVersion, uri, ...record, trace: large ? null : record.trace, failed: null });
}

/** The record in a stored text, or null where it is of another version, of another file, or damaged. */
export function parseRecord(uri: string, text: string): KernelRecord | null {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(stored) || stored.schemaVersion !== schemaVersion || stored.uri !== uri) return null;
  // The version says that this program wrote it: beyond the outline below its shape is trusted.
  const record = stored as unknown as KernelRecord;
  return {
    override: isOverride(record.override) ? record.override : null,
    recent: Array.isArray(record.recent) ? record.recent.filter(isOverride) : [],
    tab: tabs.includes(record.tab) ? record.tab : 'compare',
    run: isStamped(record.run) ? record.run : null,
    compare: isStamped(record.compare) ? record.compare : null,
    benchmark: isStamped(record.benchmark) ? record.benchmark : null,
    trace: isStamped(record.trace) ? record.trace : null,
    hazards: isStamped(record.hazards) ? record.hazards : null,
    consistency: isStamped(record.consistency) ? record.consistency : null,
    failed: null,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isOverride(value: unknown): value is CaseOverride {
  return isObject(value) && isObject(value.shape) && isObject(value.options);
}

function isStamped(value: unknown): boolean {
  return (
    isObject(value) && typeof value.at === 'number' && isObject(value.report) && typeof value.report.hash === 'string'
  );
}

/** The URI of the kernel in the state that a page left for its restoration, or null. */
export function restoredUri(state: unknown): string | null {
  return isObject(state) && typeof state.uri === 'string' ? state.uri : null;
}
