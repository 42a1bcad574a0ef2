import type { Diagnostic } from '../core/diagnostic.js';
import type { OptionValue } from '../core/attention/mechanism.js';
import type { MeasuredRate } from '../core/stack/prediction.js';
import type {
  BenchmarkReport,
  CaseOverride,
  CompareReport,
  ConsistencyReport,
  DeviceInfo,
  HazardReport,
  LabFailure,
  LabMethods,
  RunReport,
  TraceReport,
} from './contract.js';

/** The jobs a user can start. */
export type Job = 'run' | 'compare' | 'benchmark' | 'trace' | 'hazards' | 'consistency';

/** The tabs of the Kernel Lab. */
export type Tab = 'compare' | 'schedule' | 'traffic' | 'benchmark';

/** A dimension as the shape bar shows it. `follows` names the dimension it equals until it is set. */
export interface DimensionField {
  readonly name: string;
  readonly value: number;
  readonly fileValue: number;
  readonly follows: string | null;
  readonly description: string;
}

/** An option as the shape bar shows it. `taken` is false where the kernel has it fixed. */
export interface OptionField {
  readonly name: string;
  readonly kind: 'boolean' | 'number' | 'choice' | 'window';
  readonly choices: readonly string[];
  readonly value: OptionValue;
  readonly fileValue: OptionValue;
  readonly description: string;
  readonly taken: boolean;
}

/** A finding with its place in words, for the panel's list. */
export interface Problem extends Diagnostic {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** A result as the host keeps it. */
export interface Kept<T> {
  readonly report: T;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The source has changed since. */
  readonly stale: boolean;
}

/** The kernel the panel is about. */
export interface PanelKernel {
  readonly uri: string;
  readonly name: string;
  readonly hash: string;
  readonly mechanismTitle: string | null;
  readonly direction: string;
  readonly dimensions: readonly DimensionField[];
  readonly options: readonly OptionField[];
  readonly problems: readonly Problem[];
}

/** Everything the panel shows that is not its own: the host sends it whole, never in parts. */
export interface PanelSnapshot {
  /** Null where no kernel file is open. */
  readonly kernel: PanelKernel | null;
  readonly tab: Tab;
  readonly running: Job | null;
  readonly run: Kept<RunReport> | null;
  readonly compare: Kept<CompareReport> | null;
  readonly benchmark: Kept<BenchmarkReport> | null;
  readonly trace: Kept<TraceReport> | null;
  readonly hazards: Kept<HazardReport> | null;
  readonly consistency: Kept<ConsistencyReport> | null;
  /** Where the cursor stands in the kernel file (from 1), for lighting up what its line moves; null outside of it. */
  readonly cursorLine: number | null;
  /** Why the last job gave no result; cleared by the next one. */
  readonly failure: { readonly job: Job; readonly failure: LabFailure } | null;
  readonly device: DeviceInfo | null;
  /** False in a restricted workspace: running a kernel executes workspace content. */
  readonly trusted: boolean;
  /** Translated texts by their English key; a missing one is shown in English. */
  readonly strings: Readonly<Record<string, string>>;
}

/** What the page asks of the extension. The page speaks first, with `ready`. */
export interface HostMethods {
  ready: (params: null) => Promise<PanelSnapshot>;
  /** Starts a job on the kernel under edit; the answer comes as a snapshot. */
  start: (params: { job: Job }) => Promise<null>;
  cancel: (params: null) => Promise<null>;
  /** Traces the kernel again with this workgroup beside the sampled ones. */
  traceWorkgroup: (params: { pass: number; workgroup: readonly [number, number, number] }) => Promise<null>;
  setOverride: (params: { override: CaseOverride }) => Promise<null>;
  setTab: (params: { tab: Tab }) => Promise<null>;
  /** Reveals a place of the kernel file in the editor. */
  reveal: (params: { start: number; end: number }) => Promise<null>;
  /** Runs one of the commands the page may offer in an empty or error state. */
  command: (params: {
    command:
      'open-sample' | 'new-kernel' | 'check-gpu' | 'manage-trust' | 'open-lab' | 'show-schedule' | 'show-traffic';
  }) => Promise<null>;
  /** Saves text (SVG, CSV) or base64 bytes (PNG) where the user chooses. */
  save: (params: { suggestedName: string; text: string | null; base64: string | null }) => Promise<null>;
}

/** What the page of caches asks of the extension; it calculates everything itself. */
export interface LayersHostMethods extends Pick<HostMethods, 'save'> {
  ready: (params: null) => Promise<LayersSnapshot>;
}

/** What the page of caches is given. */
export interface LayersSnapshot extends Pick<PanelSnapshot, 'strings'> {
  /** Kernels that a GPU was measured with in this window. */
  readonly rates: readonly MeasuredRate[];
}

/** What the extension asks of a page: to show a snapshot. The page of the side panel does no more. */
export interface ViewMethods {
  show: (params: { snapshot: PanelSnapshot }) => Promise<null>;
  /** Puts another `cursorLine` into the snapshot that is shown: a whole one for each move of the cursor would be too much. */
  point: (params: { line: number | null }) => Promise<null>;
}

/** What the extension asks of the Kernel Lab's page: the lab on its GPU, too. */
export interface PageMethods extends LabMethods, ViewMethods {}
