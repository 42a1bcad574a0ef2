import type { Span } from '../diagnostic.js';

/** Device memory is moved in sectors of this many bytes, and cached in lines of `lineBytes`. */
export const sectorBytes = 32;
export const lineBytes = 128;

/** Bytes on their way between two levels of memory, counted over the whole dispatch (scaled up where not all ran). */
export interface TensorTraffic {
  /** The tensor's name; the variable's for scratch and uniforms. */
  readonly name: string;
  readonly variable: string;
  readonly role: 'input' | 'output' | 'scratch' | 'uniform';
  /** The tensor once. 0 for scratch and uniforms, which the mathematics does not ask for. */
  readonly compulsoryBytes: number;
  /** What the kernel asks for: the sum of its accesses. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly atomicBytes: number;
  /**
   * Whole sectors that the subgroups' accesses touch, each access instruction of a subgroup for itself: what moves where
   * no cache helps. Atomic accesses count as written.
   */
  readonly transferredReadBytes: number;
  readonly transferredWrittenBytes: number;
  /** The same in lines. */
  readonly linesRead: number;
  readonly linesWritten: number;
  /**
   * Read bytes for each byte of the tensor that is read at least once (1: nothing is read twice); for what is only
   * written, written bytes. Where not all workgroups were logged, the bytes touched are estimated.
   */
  readonly rereadFactor: number | null;
  /** Requested distinct bytes of each instruction over transferred bytes, 0 to 1; null without accesses. */
  readonly coalescing: number | null;
  /** Read bytes that were put into workgroup memory, as far as the values could be followed. */
  readonly stagedBytes: number;
}

/** The accesses of one source line to one variable, of one kind. */
export interface LineTraffic {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly span: Span;
  readonly pass: number;
  readonly variable: string;
  readonly space: 'storage' | 'uniform' | 'workgroup';
  readonly kind: 'read' | 'write' | 'atomic';
  readonly accesses: number;
  readonly requestedBytes: number;
  /** Sectors for storage; for workgroup memory the bytes of the banks' cycles used (conflicts make it more). */
  readonly transferredBytes: number;
  /** 0 to 1: requested over transferred, broadcasts counted as one. */
  readonly efficiency: number;
  /** Workgroup memory: cycles needed over cycles without conflicts (1: none); null for other spaces. */
  readonly bankConflict: number | null;
  /** Requested bytes over the compulsory bytes of the tensor; null where there are none. */
  readonly timesCompulsory: number | null;
}

/** One thing to fix, in words: the cause with its figures, and the remedy. */
export interface TrafficFinding {
  readonly code:
    | 'uncoalesced'
    | 'reread'
    | 'bank-conflict'
    | 'narrow-access'
    | 'scratch-traffic'
    | 'masked-work'
    | 'imbalance'
    | 'unused-staging';
  readonly severity: 'warning' | 'info';
  readonly message: string;
  readonly remedy: string;
  readonly span: Span | null;
  /** Bytes that would be saved at most. Findings are in the order of this, warnings before the others. */
  readonly bytes: number;
}

/** Every byte that moves. */
export interface Ledger {
  readonly tensors: readonly TensorTraffic[];
  readonly lines: readonly LineTraffic[];
  readonly workgroup: {
    /** Per workgroup, the largest of the passes. */
    readonly capacityBytes: number;
    readonly readBytes: number;
    readonly writtenBytes: number;
    readonly bankConflict: number;
    readonly byVariable: readonly {
      readonly variable: string;
      readonly readBytes: number;
      readonly writtenBytes: number;
    }[];
  };
  /** Tensors and scratch. Uniforms, which compilers keep in registers and constant caches, are left out. */
  readonly totals: {
    readonly compulsoryBytes: number;
    readonly requestedBytes: number;
    readonly transferredBytes: number;
    readonly flops: number;
    /** Floating-point operations per byte at each level; null where no bytes move there. */
    readonly intensity: {
      readonly compulsory: number;
      readonly requested: number | null;
      readonly transferred: number | null;
      readonly workgroup: number | null;
    };
  };
  readonly findings: readonly TrafficFinding[];
  /** The one thing to fix, or that there is none; a sentence. */
  readonly sentence: string;
  /** Totals at other sequence lengths; null where that was not asked for or not possible. */
  readonly scaling: TrafficScaling | null;
  /** Reads of each tensor by element, binned: how often each part is read. */
  readonly heat: readonly ReadHeat[];
}

/** How the traffic grows: accesses are counted at each length, what each moves is taken from the largest one's logs. */
export interface TrafficScaling {
  readonly dimension: 'seqlen';
  readonly points: readonly {
    readonly size: number;
    readonly compulsoryBytes: number;
    readonly requestedBytes: number;
    readonly transferredBytes: number;
  }[];
  /** Exponent of size that fits the requested bytes (1: linear, 2: quadratic). */
  readonly exponent: number;
}

/** How often the elements of one (batch, head) plane of a tensor are read and written, in bins of rows and columns. */
export interface ReadHeat {
  readonly tensor: string;
  /** Names and indices of the plane dimensions, e.g. batch 0, heads 3. */
  readonly plane: readonly { readonly name: string; readonly index: number }[];
  readonly rows: number;
  readonly columns: number;
  readonly binRows: number;
  readonly binColumns: number;
  /** Rows of a page, of a cache in pages, whose bins are whole pages; else null. */
  readonly pageRows: number | null;
  /** Mean reads per element, row-major by bins: ceil(rows / binRows) × ceil(columns / binColumns) numbers. */
  readonly reads: readonly number[];
}
