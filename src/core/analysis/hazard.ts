import type { Diagnostic, Span } from '../diagnostic.js';

export type HazardKind =
  | 'out-of-bounds'
  | 'uninitialised-workgroup'
  | 'uninitialised-private'
  /** A `var` without initializer in a loop, read before it is written: Tint does not zero it again on Vulkan. */
  | 'loop-variable-not-zeroed'
  | 'race-in-workgroup'
  | 'race-between-workgroups'
  | 'non-uniform-barrier'
  | 'non-uniform-subgroup'
  /** An operand of a subgroup's matrix operation that its invocations do not agree on. */
  | 'non-uniform-operand'
  /** A subgroup matrix whose stride is less than its rows or columns are long. */
  | 'matrix-stride'
  | 'never-read'
  | 'subgroup-size'
  | 'index-overflow'
  | 'division-by-zero'
  | 'endless-loop';

/** Text to put in place of a range of the kernel file. */
export interface TextEdit {
  readonly span: Span;
  readonly text: string;
}

/** A change that mends a hazard, for a quick fix. */
export interface HazardFix {
  readonly title: string;
  readonly edits: readonly TextEdit[];
}

/** One hazard: a pair of source places (or one), however often it happens. The `code` is `hazard-` and the kind. */
export interface Hazard extends Diagnostic {
  readonly kind: HazardKind;
  readonly line: number;
  /** The other half: the other access of a race, the barrier that others wait at. */
  readonly other: { readonly span: Span; readonly line: number; readonly label: string } | null;
  readonly variable: string | null;
  readonly count: number;
  readonly example: {
    readonly entry: string;
    readonly workgroup: readonly [number, number, number];
    readonly invocations: readonly number[];
    readonly epoch: number;
    /** The case (shape and options) it was seen in, by name. */
    readonly caseName: string;
  };
  readonly fix: HazardFix | null;
}

/** The hazards of one simulated case, and what the other cases must know to judge theirs. */
export interface CaseHazards {
  readonly caseName: string;
  readonly hazards: readonly Hazard[];
  /**
   * Starts of the spans of writes whose bytes were read in this case. A write that only some cases read (a state that
   * only queries without a mask ask for) is not one that is never read.
   */
  readonly readWrites: readonly number[];
}
