import type { Span } from '../diagnostic.js';
import type { AddressSpace } from '../wgsl/program.js';

/** What the simulator is asked to write down beside running the kernel. */
export interface Recording {
  /** Every access to storage, uniform and workgroup memory. */
  readonly accesses: boolean;
  /**
   * What a sanitizer needs: accesses to `var`s of functions and private variables that have no initializer are logged
   * too, integer arithmetic that feeds an index is watched for overflow, and faults are collected.
   */
  readonly faults: boolean;
  /** Where values come from: calls of `Provenance`. */
  readonly provenance: boolean;
  /** Values of `let`s and `var`s of one invocation. */
  readonly values: boolean;
  /**
   * What the kernel leaves in its buffers. Without it, values that no address, no branch and no tag depends on are left
   * out, and buffers that hold nothing else need no contents (`CompiledSimulation.contents`). A recording of nothing at all
   * still counts how often each site is executed: the workgroups to be logged are counted then, and have no log.
   */
  readonly contents: boolean;
}

/**
 * One place in the WGSL that touches memory, for one variable. A function that takes pointers into module-scope
 * variables has sites of its own for each variable it is called with.
 */
export interface Site {
  /** `declare` is the statement that begins the life of a function's variable (only with `Recording.faults`). */
  readonly kind: 'read' | 'write' | 'atomic' | 'declare';
  readonly space: AddressSpace;
  readonly variable: string;
  /** The variable's id in the program of its pass: two variables of functions may have the same name. */
  readonly variableId: number;
  /** Index into `Simulation.buffers` for storage and uniform variables, else null. */
  readonly buffer: number | null;
  /**
   * Bytes of one access: a `vec4<f32>` is one access of 16 bytes, a struct that is loaded whole one of its size. A subgroup
   * matrix is one access for each of its elements.
   */
  readonly bytes: number;
  /** The place expression, in the kernel file; of a subgroup matrix the call that loads or stores it. */
  readonly span: Span;
  readonly functionName: string;
}

/**
 * The accesses of one workgroup. `site[i]` and `address[i]` are the i-th access; the address counts bytes from the
 * beginning of its variable (of the binding, for buffers). Accesses stand in the order in which the simulator made
 * them: it runs one invocation from one sync point (barrier, subgroup operation, end) to the next, then the next one.
 *
 * A subgroup matrix is loaded and stored by a subgroup as one, and WGSL does not say which invocation moves which element.
 * Here the elements are dealt in the order of memory (row by row, or column by column) to the invocations in theirs:
 * the n-th element belongs to invocation n mod the number of those that take part.
 *
 * `segments` divide them: from `segmentStart[s]` up to `segmentStart[s + 1]` (the last up to `count`) they all belong
 * to one invocation, one barrier epoch, and one phase. An epoch begins at the start and at each barrier of the
 * workgroup. A phase is a time round one of the two outermost loops of the entry point, counted from 0 in each epoch
 * per invocation, so that equal phases of different invocations belong together.
 */
export interface WorkgroupLog {
  readonly workgroup: readonly [number, number, number];
  readonly site: Uint16Array;
  readonly address: Uint32Array;
  readonly count: number;
  readonly segmentStart: Uint32Array;
  readonly segmentInvocation: Uint16Array;
  readonly segmentEpoch: Uint32Array;
  readonly segmentPhase: Uint32Array;
  readonly segments: number;
  readonly epochs: number;
  /** For each epoch but the last, what the barrier at its end orders (`barrierOrders`). */
  readonly barriers: Uint8Array;
}

/**
 * The memory that a barrier orders: `workgroupBarrier` and `workgroupUniformLoad` that of the workgroup alone, and
 * `storageBarrier` storage alone. All of them are waited at by all invocations.
 */
export const barrierOrders = { workgroup: 1, storage: 2 } as const;

/** What a kernel did that WGSL hides or forbids. Alike ones (same kind, site and cause) are one, counted. */
export interface Fault {
  readonly kind:
    /** `index` was outside 0 … `limit` - 1; WGSL reads or writes another element instead. */
    | 'out-of-bounds'
    /** Some invocations of a workgroup reached this barrier, others another one, or the end. */
    | 'non-uniform-barrier'
    /** A subgroup operation that only a part of the subgroup's running invocations reached together. */
    | 'non-uniform-subgroup'
    /** An operand of a subgroup's matrix operation that its invocations do not agree on. */
    | 'non-uniform-operand'
    /** The stride of a subgroup matrix is less than its rows (or columns) are long: `index`, where `limit` is the least. */
    | 'matrix-stride'
    /** i32 or u32 arithmetic whose exact result does not fit, on the way to an index. */
    | 'index-overflow'
    | 'division-by-zero'
    /** A loop that goes on for ever: the workgroup was given up, and with it the rest of the pass. */
    | 'endless-loop';
  readonly span: Span;
  /** For `non-uniform-barrier`: where the others were; null for the end of the entry point. */
  readonly otherSpan: Span | null;
  readonly variable: string | null;
  readonly count: number;
  /** The first time it happened. */
  readonly workgroup: readonly [number, number, number];
  readonly invocation: number;
  readonly epoch: number;
  /** The index, or the exact value of an overflowing operation; null where there is none. */
  readonly index: number | null;
  readonly limit: number | null;
}

/** One pass of a simulation. */
export interface PassTrace {
  readonly entry: string;
  readonly workgroups: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
  readonly workgroupBytes: number;
  readonly sites: readonly Site[];
  /** Workgroups whose accesses were logged. */
  readonly logs: readonly WorkgroupLog[];
  /** Workgroups that were run, logged or only counted, and the executions of each site in them. */
  readonly executed: number;
  readonly siteCounts: Float64Array;
  /** The part of `executed` and `siteCounts` that is due to workgroups which were only counted. */
  readonly counted: { readonly workgroups: number; readonly siteCounts: Float64Array };
  /** Linear indices (x fastest) of the workgroups that were run. */
  readonly executedWorkgroups: Uint32Array;
  readonly faults: readonly Fault[];
}

/** A value that a `let`, a `var` or an assignment had in the watched invocation. Vectors are lists. */
export interface RecordedValue {
  readonly name: string;
  readonly span: Span;
  /** How often it was given a value; `samples` are the first few and the last. */
  readonly count: number;
  readonly samples: readonly (number | boolean | readonly number[] | readonly boolean[])[];
}

/** One buffer of the plan after the last pass. Guards are not simulated: accesses out of bounds are faults. */
export interface SimulatedBuffer {
  readonly variable: string;
  readonly bytes: ArrayBuffer;
}

/** Everything a simulation found out. */
export interface Simulation {
  readonly buffers: readonly SimulatedBuffer[];
  readonly passes: readonly PassTrace[];
  readonly values: readonly RecordedValue[];
  readonly subgroupSize: number;
  /** Executions of sites in all, logged or not. */
  readonly accesses: number;
}

/** What is to be done with the workgroups of one pass, by linear index (x fastest); each is run once. */
export interface PassRequest {
  /** Run with everything the program records. They go first. */
  readonly logged: readonly number[];
  /**
   * What to do with the others, once the logged ones are through and it is known what one of them costs. `followed` are
   * run with everything but the log of accesses (faults and provenance too), `counted` only count. The rest is not run.
   */
  readonly others: (accessesPerWorkgroup: number) => {
    readonly followed: readonly number[];
    readonly counted: readonly number[];
  };
}

/** What a simulation runs on. */
export interface SimulationInput {
  /** One for each buffer of the plan, in its order; outputs and scratch are changed in place. */
  readonly buffers: readonly ArrayBuffer[];
  readonly requests: readonly PassRequest[];
  /** 4 to 128, a power of two. Invocations are put into subgroups in the order of their local index. */
  readonly subgroupSize: number;
  /** Given exactly where the program was compiled with provenance. */
  readonly provenance: Provenance | null;
  /** The invocation whose values are recorded. Its workgroup must be among the logged ones. */
  readonly watch: { readonly pass: number; readonly workgroup: number; readonly invocation: number } | null;
}

/** How far a simulation is. */
export interface SimulationProgress {
  readonly pass: number;
  readonly workgroupsDone: number;
  readonly workgroupsToDo: number;
  readonly accesses: number;
}

/**
 * Where a value comes from, as a number that travels with it through registers and memory. 0 says nothing. The words
 * of buffers with a `base` carry `base + word index` (word: 4 bytes) when they are loaded; all other tags are made by
 * `join` and `multiply`. The simulator calls these only where both tags matter: a tag that meets 0 stays as it is.
 */
export interface Provenance {
  /** First tag of each buffer of the plan that holds an input, or 0 for buffers whose values count for nothing. */
  readonly base: Int32Array;
  /** The tags that `join` and `multiply` make are not below it, those of words are. */
  readonly madeFrom: number;
  /**
   * Sum, difference, minimum, maximum, quotient: what a value made from both comes from. Never asked for equal tags.
   * `times` (1 unless it is said): so many values at once that come from the same two.
   */
  readonly join: (a: number, b: number, times?: number) => number;
  /** Product of the two. Asked for equal tags too. */
  readonly multiply: (a: number, b: number, times?: number) => number;
  /** Whether two words, and all between them, make the same products: they are elements of one row. */
  readonly alike: (first: number, last: number) => boolean;
  /** Whether the same product asked for again is the same again; where not, `times` is always 1. */
  readonly repeats: boolean;
  /** A value with a tag other than 0 was stored to workgroup memory: `bytes` of `variable` (its index among `workgroupVariables`). */
  readonly stage: (variable: number, tag: number, bytes: number) => void;
  /** A value with a tag other than 0 was stored to a storage buffer (its index among the plan's buffers). */
  readonly store: (buffer: number, tag: number, bytes: number) => void;
  /** The simulator goes on to another workgroup, invocation, epoch or phase. */
  readonly move: (pass: number, workgroup: number, invocation: number, epoch: number, phase: number) => void;
  /**
   * All invocations of a logged workgroup stand at a barrier or at the end: the tags of workgroup memory, a word each, by
   * variable. `names` and `tags` are in the order of the pass's workgroup variables.
   */
  readonly epochEnd: (names: readonly string[], tags: readonly Int32Array[]) => void;
}
