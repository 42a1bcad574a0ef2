import type { Coverage } from '../core/analysis/coverage.js';
import type { Hazard } from '../core/analysis/hazard.js';
import type { Ledger } from '../core/analysis/ledger.js';
import type { Schedule } from '../core/analysis/schedule.js';
import type { Diagnostic } from '../core/diagnostic.js';
import type { Options, Shape } from '../core/attention/mechanism.js';
import type { TensorVerdict } from '../core/numerics/verdict.js';
import type { RecordedValue } from '../core/simulator/trace.js';

/** Version of everything on this page and of the CLI's JSON. Raise it with any change that breaks a reader. */
export const schemaVersion = 1;

/** What a lab runs kernels on: a GPU as the browser or Dawn describes it, or the simulator. */
export interface DeviceInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly device: string;
  /** A software adapter, or the simulator: right for comparisons, never for headline speeds. */
  readonly software: boolean;
  readonly host: 'webview' | 'native' | 'simulator';
  readonly features: readonly string[];
  /** The adapter's own limits by name. */
  readonly limits: Readonly<Record<string, number>>;
  readonly timestamps: boolean;
  readonly subgroupMinSize: number | null;
  readonly subgroupMaxSize: number | null;
}

/** A kernel to work on: the text as it stands in the editor, under the name people know it by. */
export interface KernelSource {
  readonly name: string;
  readonly text: string;
}

/** Sizes and options that replace the file's own; names not given keep the file's values. */
export interface CaseOverride {
  readonly shape: Readonly<Record<string, number>>;
  readonly options: Options;
}

/** What stopped a job, in words for people. `kind` lets a program tell them apart. */
export interface LabFailure {
  readonly kind:
    | 'no-device'
    | 'invalid-kernel'
    | 'compile-error'
    | 'validation-error'
    | 'wrong-result'
    | 'limits-exceeded'
    | 'out-of-memory'
    | 'device-lost'
    | 'timeout'
    | 'cancelled'
    | 'internal';
  /** What happened, in one sentence. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string | null;
  /** Findings with their places in the file, where there are any. */
  readonly diagnostics: readonly Diagnostic[];
}

/** A job's answer: its result, or why there is none. A lab never throws for what a kernel does. */
export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: LabFailure };

/** Progress of a running job: what is being done, and how far (0 to 1, null where unknown). */
export interface Progress {
  readonly message: string;
  readonly fraction: number | null;
}

/** The driver's findings on a kernel, mapped back to the file. */
export interface CheckReport {
  readonly hash: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly device: DeviceInfo;
}

/** One run without a comparison: it ended, how long it took, and a first look at the outputs. */
export interface RunReport {
  readonly hash: string;
  readonly kernel: string;
  readonly shape: Shape;
  readonly options: Options;
  /** GPU time of one run where timestamps exist (a single sample: no benchmark), else null. */
  readonly gpuTimeNs: number | null;
  readonly outputs: readonly {
    readonly name: string;
    readonly dims: readonly number[];
    readonly min: number | null;
    readonly max: number | null;
    readonly mean: number | null;
    readonly nan: number;
    readonly infinite: number;
    readonly unwritten: number;
    /** The first elements, null where not finite. */
    readonly head: readonly (number | null)[];
  }[];
  readonly device: DeviceInfo;
}

/** The verdict on one case. */
export interface CaseVerdict {
  readonly name: string;
  readonly shape: Shape;
  readonly options: Options;
  readonly passed: boolean;
  /** One sentence for a row of a table. */
  readonly sentence: string;
  readonly tensors: readonly TensorVerdict[];
  /** Why the case could not be compared (its limits do not suffice, ...), or null. A failed case is not passed. */
  readonly failure: LabFailure | null;
  /** True where only sampled rows were compared. */
  readonly sampled: boolean;
  /** Two runs gave the same bits; null where the kernel was run once. */
  readonly repeatable: boolean | null;
}

/** The verdict on a kernel over all its cases. The first case is the file's own shape (or the one asked for). */
export interface CompareReport {
  readonly hash: string;
  readonly kernel: string;
  readonly mechanism: string;
  readonly direction: string;
  readonly passed: boolean;
  readonly sentence: string;
  readonly cases: readonly CaseVerdict[];
  readonly seed: number;
  readonly device: DeviceInfo;
  /** Tile sizes for drawing: overrides whose value is a tile (name, value). */
  readonly tiles: readonly { readonly name: string; readonly size: number }[];
  readonly elapsedMs: number;
}

/** A measured time. Samples are per run of the kernel (all its passes), in nanoseconds. */
export interface Timing {
  readonly median: number;
  readonly p20: number;
  readonly p80: number;
  readonly samples: readonly number[];
}

/** A measurement that may be shown: there is none without a passing comparison at the same shape. */
export interface BenchmarkReport {
  readonly hash: string;
  readonly kernel: string;
  readonly mechanism: string;
  readonly direction: string;
  readonly shape: Shape;
  readonly options: Options;
  readonly gpuTimeNs: Timing;
  /** `timestamps`: measured on the GPU. `wall-clock`: from the CPU over whole batches. */
  readonly clock: 'timestamps' | 'wall-clock';
  /** Smallest step of the clock seen, in nanoseconds. */
  readonly resolutionNs: number;
  /** Runs of the kernel per sample, and samples discarded until the median settled. */
  readonly runsPerSample: number;
  readonly warmupSamples: number;
  readonly settled: boolean;
  readonly flops: number;
  readonly compulsoryBytes: number;
  /** GPU time of each pass (median), in order, or null where passes could not be timed apart. */
  readonly passes: readonly { readonly entry: string; readonly medianNs: number }[] | null;
  /** The comparison that allowed it. */
  readonly verdict: CaseVerdict;
  readonly device: DeviceInfo;
}

/** What to trace. */
export interface TraceRequest {
  /**
   * `sampled`: the first, middle and last workgroup of each pass, and as many others as are cheap to count. `all`: every
   * workgroup. A list: these, by pass and workgroup id, beside the sampled ones.
   */
  readonly workgroups:
    'sampled' | 'all' | readonly { readonly pass: number; readonly workgroup: readonly [number, number, number] }[];
  /** 4 to 128, a power of two. */
  readonly subgroupSize: number;
  /** Whether to simulate other sequence lengths too, for how traffic scales. */
  readonly scaling: boolean;
}

/** What the simulator saw of a kernel at one shape: where every tile is, and every byte that moves. */
export interface TraceReport {
  readonly hash: string;
  readonly kernel: string;
  readonly mechanism: string;
  readonly direction: string;
  readonly shape: Shape;
  readonly options: Options;
  readonly subgroupSize: number;
  readonly passes: readonly {
    readonly entry: string;
    readonly workgroups: readonly [number, number, number];
    readonly workgroupSize: readonly [number, number, number];
    readonly workgroupBytes: number;
    /** Ids of the workgroups whose accesses were logged. */
    readonly traced: readonly (readonly [number, number, number])[];
    readonly executed: number;
  }[];
  /** True where every workgroup ran: then counts are exact. Else they are scaled up, and `sentence` says so. */
  readonly exact: boolean;
  readonly sentence: string;
  readonly ledger: Ledger;
  readonly schedule: Schedule;
  readonly coverage: Coverage | null;
  /** Executions of memory accesses in the simulation. */
  readonly accesses: number;
  readonly elapsedMs: number;
}

/** The hazards of a kernel over the cases that were simulated. */
export interface HazardReport {
  readonly hash: string;
  readonly kernel: string;
  readonly hazards: readonly Hazard[];
  readonly cases: readonly { readonly name: string; readonly shape: Shape; readonly options: Options }[];
  readonly subgroupSizes: readonly number[];
  readonly sentence: string;
  readonly elapsedMs: number;
}

/** Two ways through the same sequence that must lead to the same outputs and the same state. */
export interface ConsistencyCheck {
  /**
   * `resume`: cut in two, the second part started from the state of the first. `decode`: token by token (or in the smallest
   * steps that the equations allow), after a part in one run where a kernel hands on its state. `decode-blocks`: the same
   * with several tokens a step. `same`: another kernel on the same inputs.
   */
  readonly kind: 'resume' | 'decode' | 'decode-blocks' | 'same';
  /** Names of the kernels that take part; the first one's run is what the others are held to. */
  readonly kernels: readonly string[];
  /** What is held to what, for a row of a table. */
  readonly title: string;
  /** Of the whole sequence. */
  readonly shape: Shape;
  readonly options: Options;
  readonly passed: boolean;
  readonly sentence: string;
  /** The outputs that both ways have; their reference is the one run. Empty where a run gave no result. */
  readonly tensors: readonly TensorVerdict[];
  readonly failure: LabFailure | null;
}

/** Whether kernels of one mechanism agree with each other and with themselves. */
export interface ConsistencyReport {
  /** Of the first kernel. */
  readonly hash: string;
  readonly mechanism: string;
  readonly kernels: readonly { readonly name: string; readonly hash: string; readonly direction: string }[];
  readonly passed: boolean;
  readonly sentence: string;
  readonly checks: readonly ConsistencyCheck[];
  /** What could not be checked, and why. */
  readonly skipped: readonly { readonly kernel: string; readonly reason: string }[];
  readonly seed: number;
  readonly device: DeviceInfo;
  readonly elapsedMs: number;
}

/** What one invocation computed: a value list for each `let`, `var` and assignment it came by. */
export interface ValuesReport {
  readonly hash: string;
  readonly kernel: string;
  readonly shape: Shape;
  readonly options: Options;
  readonly entry: string;
  readonly workgroup: readonly [number, number, number];
  readonly invocation: number;
  readonly values: readonly (RecordedValue & { readonly line: number })[];
  readonly elapsedMs: number;
}

/** The methods of a lab, by which the extension, the panel and the CLI ask for work. */
export interface LabMethods {
  device: (params: null) => Promise<Outcome<DeviceInfo>>;
  check: (params: { kernel: KernelSource }) => Promise<Outcome<CheckReport>>;
  run: (params: { kernel: KernelSource; override: CaseOverride | null }) => Promise<Outcome<RunReport>>;
  /** With an override only that case is compared; else the file's own shape and then its cases. */
  compare: (params: {
    kernel: KernelSource;
    override: CaseOverride | null;
    seed: number;
  }) => Promise<Outcome<CompareReport>>;
  /**
   * The same on the simulator, where all workgroups run. Needs no GPU. Without an override an own shape that is too large
   * is made smaller. `subgroupSize` is 4 to 128, a power of two.
   */
  compareSimulated: (params: {
    kernel: KernelSource;
    override: CaseOverride | null;
    seed: number;
    subgroupSize: number;
  }) => Promise<Outcome<CompareReport>>;
  benchmark: (params: {
    kernel: KernelSource;
    override: CaseOverride | null;
    seed: number;
  }) => Promise<Outcome<BenchmarkReport>>;
  /**
   * Compares one case on given inputs with given outputs, instead of generated ones. Shape and options are complete;
   * inputs are base64 of little-endian float32, expected outputs of float64, in default layout. Inputs that the kernel
   * binds and that are not given are zero.
   */
  verify: (params: {
    kernel: KernelSource;
    theCase: { readonly name: string; readonly shape: Shape; readonly options: Options };
    inputs: Readonly<Record<string, string>>;
    expected: Readonly<Record<string, string>>;
  }) => Promise<Outcome<CaseVerdict>>;
  /**
   * Checks kernels of one mechanism that has a state against each other and themselves: a sequence that is cut and resumed,
   * decoding against one run, one kernel against another. Each on its own case with few heads, or on the override's.
   */
  consistency: (params: {
    kernels: readonly KernelSource[];
    override: CaseOverride | null;
    seed: number;
  }) => Promise<Outcome<ConsistencyReport>>;
  /** The same on the simulator. Needs no GPU. `subgroupSize` is 4 to 128, a power of two. */
  consistencySimulated: (params: {
    kernels: readonly KernelSource[];
    override: CaseOverride | null;
    seed: number;
    subgroupSize: number;
  }) => Promise<Outcome<ConsistencyReport>>;
  /** Simulates the kernel and says where its tiles are and what moves. Needs no GPU. */
  trace: (params: {
    kernel: KernelSource;
    override: CaseOverride | null;
    request: TraceRequest;
  }) => Promise<Outcome<TraceReport>>;
  /** Simulates the kernel's cases whole and looks for hazards. Needs no GPU. */
  hazards: (params: { kernel: KernelSource; override: CaseOverride | null }) => Promise<Outcome<HazardReport>>;
  /** Simulates one invocation's workgroup and writes down its values. Needs no GPU. */
  values: (params: {
    kernel: KernelSource;
    override: CaseOverride | null;
    entry: string | null;
    workgroup: readonly [number, number, number];
    invocation: number;
  }) => Promise<Outcome<ValuesReport>>;
}
