/** Sizes by dimension name, all positive integers: `batch heads headsKv seqlen seqlenK headDim headDimV`. */
export type Shape = Readonly<Record<string, number>>;

/** A value of an option: a switch, a number, one of several words, or a window `[left, right]` (-1 = unlimited). */
export type OptionValue = boolean | number | string | readonly [number, number];

/** Option values by option name; complete ones hold every option of the mechanism. */
export type Options = Readonly<Record<string, OptionValue>>;

/** Which computation of a mechanism a kernel performs. */
export type Direction = 'forward' | 'backward' | 'decode';

/** The number format a reference calculates in: `f64` is the truth, `f32` the naive baseline beside it. */
export type Precision = 'f64' | 'f32';

/** A size that follows from those of other dimensions: a table with an entry for each distance of two tokens, say. */
export interface DerivedSize {
  /** The other dimensions. */
  readonly from: readonly string[];
  /** The size, from theirs in the order of `from`. */
  readonly size: (...from: number[]) => number;
  /** The same for people: `2 · seqlen - 1`. */
  readonly text: string;
}

/**
 * A dimension of a mechanism. `fallback` is what it has when not given: a size, that of the dimension it names, or one
 * derived from several.
 */
export interface DimensionSpec {
  readonly name: string;
  readonly fallback: number | string | DerivedSize;
  readonly description: string;
  /** True where it only says how large an input is (a pool of pages): a kernel need not know it. */
  readonly onlyInputs?: boolean;
}

/** An option of a mechanism. `fallback` may depend on the shape (a scale of headDim^-1/2, for example). */
export type OptionSpec = {
  readonly name: string;
  readonly description: string;
  /** True where the option shapes the inputs alone (decay slopes that come in as a tensor): a kernel need not know it. */
  readonly onlyInputs?: boolean;
} & (
  | { readonly kind: 'boolean'; readonly fallback: boolean }
  | { readonly kind: 'number'; readonly fallback: number | ((shape: Shape) => number) }
  | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly fallback: string }
  | { readonly kind: 'window'; readonly fallback: readonly [number, number] }
);

/**
 * How far an output may be from the reference.
 * `ratio` bounds the RMS of the error over the RMS of the reference; `absolute` bounds the largest error.
 */
export type Tolerance =
  { readonly kind: 'ratio'; readonly bound: number } | { readonly kind: 'absolute'; readonly bound: number };

/** A tensor that a kernel reads or writes. Its default layout is `dims`, row-major. */
export interface TensorSpec {
  readonly name: string;
  readonly role: 'input' | 'output';
  /** Dimension names, slowest first. */
  readonly dims: readonly string[];
  /** False where a kernel may leave it out: an absent input counts as its neutral value, an absent output is not checked. */
  readonly required: boolean;
  /** True where its elements are whole numbers (pages, lengths): kernels then hold it as i32 or u32, never as floats. */
  readonly whole?: boolean;
  readonly description: string;
  /** For outputs, the bound of the verdict for f32 storage; null for inputs. */
  readonly tolerance: Tolerance | null;
}

/**
 * Input values by tensor name in default layout, exactly representable in the format the kernel stores. Whole numbers
 * stand here as floats too, so one that is used is at most 2^24; one that must not be used may be rounded.
 */
export type Inputs = Readonly<Record<string, Float32Array>>;

/**
 * One output of a reference. A row is one index over all dimensions but the last.
 * `rows` lists the rows that were computed, ascending; null means all. `values` holds those rows one after another.
 * Entries that must be exact (zero rows, minus infinity) are held exactly. An entry that is NaN was not computed
 * (a sampled log-sum-exp) and is not compared.
 */
export interface ReferenceTensor {
  readonly dims: readonly number[];
  readonly rows: Uint32Array | null;
  readonly values: Float64Array | Float32Array;
  /** Rows (indices into the computed rows) whose elements must match the reference bit by bit: zero or -infinity. */
  readonly exactRows: Uint32Array | null;
  /** The bound for these inputs, where it is not the tensor's own (matrices without full rank, say). */
  readonly tolerance?: Tolerance;
}

/** One case of a shape grid: sizes and options that differ from the defaults, and what it is there to catch. */
export interface GridCase {
  readonly name: string;
  readonly shape: Shape;
  readonly options: Options;
}

/** What the analysis needs to know of keys and values that lie in pages, [pages, pageSize, …, width]. */
export interface PagedKeys {
  /**
   * Whether every sequence has `seqlenK` tokens and no two share a page. Else no one mask tells which pairs there are, or a
   * slot is the key of several sequences, and pairs are not followed.
   */
  readonly follows: (shape: Shape, options: Options) => boolean;
  /** The pages of each sequence in the order of its tokens, as the inputs have them. */
  readonly tables: (inputs: Inputs, shape: Shape) => readonly (readonly number[])[];
}

/** One computation (direction) of a mechanism: its tensors, its truth, and what it must cost. */
export interface Computation {
  readonly direction: Direction;
  readonly tensors: readonly TensorSpec[];
  readonly grid: readonly GridCase[];
  /** Where its keys and values lie in pages. */
  readonly paged?: PagedKeys;
  /** The tensors that meet in its products, where they have other names here than in the mechanism's other directions. */
  readonly parts?: AttentionParts;
  /**
   * Inputs for a seed, every value a float32; the same seed, shape and options give the same bits everywhere.
   */
  readonly generate: (shape: Shape, options: Options, seed: number) => Inputs;
  /**
   * The outputs for the inputs, straight from the equations. Absent optional inputs count as neutral.
   * Where the work would exceed `budget` multiply-adds, evenly spread rows (or heads) are computed instead of all.
   */
  readonly reference: (
    inputs: Inputs,
    shape: Shape,
    options: Options,
    precision: Precision,
    budget: number,
  ) => Readonly<Record<string, ReferenceTensor>>;
  /** Floating-point operations the mathematics asks for, 2 per multiply-add, transcendental functions not counted. */
  readonly flops: (shape: Shape, options: Options) => number;
}

/** How an operation of a golden folder (its `op` in index.json) reads in a mechanism's terms. */
export interface GoldenOperation {
  /** The shape, from the sizes of the case's input tensors by their names there, and its parameters. */
  readonly shape: (
    inputs: Readonly<Record<string, readonly number[]>>,
    params: Readonly<Record<string, unknown>>,
  ) => Shape;
  /** The options the case sets, from its parameters. */
  readonly options: (params: Readonly<Record<string, unknown>>) => Options;
  /** Golden name → tensor of the mechanism, where it differs by more than the case of a state's S. */
  readonly names?: Readonly<Record<string, string>>;
  /**
   * Where decoding takes or gives other tensors than a forward pass: which of the two the files hold, beside the gradients.
   */
  readonly direction?: Direction;
  /** Which cases of the operation are this mechanism's, by the sizes of their inputs, where several share it; else all. */
  readonly holds?: (inputs: Readonly<Record<string, readonly number[]>>) => boolean;
  /** Inputs the files leave out because the shape says what they are (tables), by tensor name. */
  readonly inputs?: (shape: Shape) => Inputs;
}

/**
 * How a sequence can be cut in two, with the second part starting from the state that the first one left. Tensors that
 * have a dimension of `tokens` are cut along it; the others (slopes, say) are the same for both parts.
 */
export interface Recurrence {
  /** Output that holds a state after the last token → input by which later tokens start from it (s → s0). */
  readonly states: Readonly<Record<string, string>>;
  /** The dimensions that count tokens, cut alike: seqlen, and seqlenK where queries and keys are counted apart. */
  readonly tokens: readonly string[];
  /** Options without which a sequence cannot be cut (causal: true). */
  readonly options: Options;
  /** Tokens between two places where the equations allow a cut, as where a memory is updated once a chunk; else 1. */
  readonly grain?: (shape: Shape, options: Options) => number;
  /** The options of a part that `before` tokens precede, where an option counts from the first token; else the same. */
  readonly optionsAfter?: (options: Options, before: number) => Options;
}

/** The keys [from, to) a query sees; empty where from >= to. */
export interface KeyRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The tensors that are queries, keys, values and outputs in the equations, by the names the mechanism has for them. Each
 * is [batch, heads, tokens, width], or has no axis of heads where it has one. Neighbouring heads of queries may share one
 * of keys and values (grouped queries), and neighbouring heads of values one of queries and keys (groups of Mamba-2).
 * Keys and values may be one tensor (a latent), and a kernel may write out keys and values that it makes of it.
 */
export interface AttentionParts {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly output: string;
  /**
   * True where the state learns what it got wrong of a value, not the value (delta rules): what is left of a value when
   * something has been taken from it then still counts as the value of its key.
   */
  readonly corrected?: boolean;
  /** Queries and keys of the linear part, rows of the same tokens, where others meet through the state than in a score. */
  readonly linear?: { readonly query: string; readonly key: string };
  /**
   * How often a query may reach a key that it sees: more than once where several terms of a sum hold the same pair, which
   * a kernel may also add up before they meet the value. Null, as where there is no such function, is once for each.
   */
  readonly mostVisits?: (shape: Shape, options: Options) => ((query: number, key: number) => number) | null;
  /** Numbers of a query that meet a state, where features make more (or fewer) of them than it has; else its width. */
  readonly featureDim?: (shape: Shape) => number;
}

/** A mechanism of the catalogue: one file in `core/attention` defines each. Shapes and options passed to it are complete. */
export interface Mechanism {
  readonly id: string;
  readonly title: string;
  /** One sentence for lists and hovers. */
  readonly summary: string;
  readonly dimensions: readonly DimensionSpec[];
  readonly options: readonly OptionSpec[];
  readonly computations: readonly Computation[];
  /** How its state hands on from one run to the next; null for a mechanism without one. */
  readonly recurrence: Recurrence | null;
  /** The operations of golden folders that are this mechanism's, by name. */
  readonly golden: Readonly<Record<string, GoldenOperation>>;
  /**
   * Every number a kernel may ask for by name in a uniform, a constant or a workgroup expression: all dimensions, and the
   * options as numbers (a switch is 0 or 1, a choice its index, a window `windowLeft` and `windowRight`).
   */
  readonly scalars: (shape: Shape, options: Options) => Readonly<Record<string, number>>;
  /**
   * The mask: which keys each query sees, the same in every batch and head. Null where queries meet no keys or no pair of
   * them can be followed, and of a case in which each sequence has a mask of its own: then nothing is held against it.
   */
  readonly visibleKeys: ((shape: Shape, options: Options) => ((query: number) => KeyRange) | null) | null;
  /**
   * Which tensors meet in the products that the tile schedule and the coverage follow; null where queries meet no keys, or
   * no pair of them can be followed. A computation may have parts of its own.
   */
  readonly parts: AttentionParts | null;
  /** Where queries and keys meet, but their pairs are not followed at some shapes or at all: when or why, in a sentence. */
  readonly unfollowed?: string;
  /** What is wrong with a complete shape and options (heads not a multiple of headsKv, ...), or null. */
  readonly validate: (shape: Shape, options: Options) => string | null;
}
