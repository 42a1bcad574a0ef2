import type { Computation, Mechanism, Options, Shape } from '../attention/mechanism.js';
import type { Diagnostic, Span } from '../diagnostic.js';
import type { Binding, WgslModule } from '../wgsl/module.js';

/** One pass of a kernel file: an entry point and the expressions for its number of workgroups. */
export interface Pass {
  readonly entry: string;
  readonly workgroups: readonly [string, string, string];
  readonly span: Span;
}

/** How a buffer stores one element. Tensors of whole numbers are i32 or u32, all others f32 or f16. */
export type ElementFormat = 'f32' | 'f16' | 'i32' | 'u32';

/** An intermediate buffer declared in the front matter, e.g. `f32[batch, heads, ceil(seqlen / TILE_N)]`. */
export interface ScratchSpec {
  readonly name: string;
  readonly format: ElementFormat;
  /** Expressions over dimensions and overrides. */
  readonly dims: readonly string[];
  readonly span: Span;
}

/** A case to verify. Shape and options are complete. */
export interface KernelCase {
  readonly name: string;
  readonly shape: Shape;
  readonly options: Options;
}

/** What each binding of the WGSL is for. */
export type BindingUse =
  | {
      readonly kind: 'tensor';
      readonly tensor: string;
      readonly format: ElementFormat;
      readonly layout: readonly string[];
    }
  | { readonly kind: 'scratch'; readonly scratch: string }
  /** Path of each struct member (`params.scale` is `scale`; nested ones are joined by dots) and the expression it takes. */
  | { readonly kind: 'uniform'; readonly members: readonly UniformMember[] };

/** One scalar leaf of a uniform: where it lies in the buffer and the expression that gives its value. */
export interface UniformMember {
  readonly path: string;
  readonly byteOffset: number;
  readonly scalar: ElementFormat;
  readonly expression: string;
}

/**
 * Everything a kernel file promises, read from its front matter and its WGSL together.
 * A kernel whose `diagnostics` hold an error must not be run; all else is filled in as far as it could be read.
 */
export interface Kernel {
  /** Path or title, for people. */
  readonly name: string;
  readonly source: string;
  /** Hash of the source: results carry it, and are stale when it no longer matches. */
  readonly hash: string;
  readonly module: WgslModule;
  /** Range of the YAML between the front matter's fences. */
  readonly frontMatterSpan: Span;
  readonly mechanism: Mechanism | null;
  readonly computation: Computation | null;
  /** The complete shape and options to run and benchmark. */
  readonly shape: Shape;
  readonly options: Options;
  /** The largest sizes the kernel takes, by dimension: a larger shape is an error, a larger case of the grid is left out. */
  readonly limits: Shape;
  readonly cases: readonly KernelCase[];
  readonly passes: readonly Pass[];
  readonly scratch: readonly ScratchSpec[];
  /** Values or expressions for `override`s, from the front matter. */
  readonly constants: Readonly<Record<string, number | string>>;
  /** Values for the preprocessor, from the front matter; text may be an expression over dimensions and options. */
  readonly defines: Readonly<Record<string, number | boolean | string>>;
  readonly tune: Readonly<Record<string, readonly number[]>>;
  readonly features: readonly string[];
  readonly uses: ReadonlyMap<Binding, BindingUse>;
  /**
   * Names of dimensions and option scalars the kernel takes in (by uniform, constant, workgroup or scratch expression).
   * A dimension or option it does not take stays as the file declares it: cases that vary it are left out.
   */
  readonly takes: ReadonlySet<string>;
  readonly diagnostics: readonly Diagnostic[];
}

/** How the logical elements of a tensor lie in its buffer. */
export interface TensorView {
  /** Sizes in default (logical) order, and the names of those dimensions. */
  readonly dims: readonly number[];
  readonly dimNames: readonly string[];
  /** Distance between neighbours along each logical dimension, in elements of the physical order. */
  readonly strides: readonly number[];
  readonly format: ElementFormat;
  /** Bytes before the first element, elements per array stride (1 for scalars, 2 to 4 for vectors), bytes per array stride. */
  readonly byteOffset: number;
  readonly lanes: number;
  readonly strideBytes: number;
}

/** One buffer of a plan, at its place in the bind groups. */
export interface PlannedBuffer {
  readonly variable: string;
  readonly group: number;
  readonly binding: number;
  readonly type: 'uniform' | 'read-only-storage' | 'storage';
  readonly byteLength: number;
  readonly content:
    | { readonly kind: 'tensor'; readonly tensor: string; readonly role: 'input' | 'output'; readonly view: TensorView }
    /** `dims` in the order of the front matter, row-major, with the expressions they come from as `dimNames`. */
    | {
        readonly kind: 'scratch';
        readonly format: ScratchSpec['format'];
        readonly dims: readonly number[];
        readonly dimNames: readonly string[];
      }
    | { readonly kind: 'uniform'; readonly bytes: Uint8Array };
}

/** One dispatch of a plan. */
export interface PlannedPass {
  readonly entry: string;
  readonly workgroups: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
  /** Workgroup memory the entry point uses, in bytes. */
  readonly workgroupBytes: number;
  /** The variables of the buffers it uses. */
  readonly variables: readonly string[];
}

/** A kernel at one shape: everything a device needs to run it, and nothing it has to find out. */
export interface Plan {
  readonly name: string;
  readonly hash: string;
  /** What the driver compiles: preprocessed for this shape. */
  readonly code: string;
  /** Maps an offset in `code` to the offset in the kernel file it came from. */
  readonly toSource: (codeOffset: number) => number;
  readonly shape: Shape;
  readonly options: Options;
  readonly constants: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly buffers: readonly PlannedBuffer[];
  readonly passes: readonly PlannedPass[];
  /** Floating-point operations and compulsory bytes (each tensor once) of this computation at this shape. */
  readonly flops: number;
  readonly compulsoryBytes: number;
}

/** A plan, or why there is none. */
export type PlanResult =
  { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };
