import { goldenOption, goldenWindow } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import { keyRanges, visiblePairs } from './masks.js';
import type {
  Computation,
  DimensionSpec,
  GoldenOperation,
  GridCase,
  Inputs,
  Mechanism,
  Options,
  OptionSpec,
  Precision,
  ReferenceTensor,
  Shape,
  TensorSpec,
} from './mechanism.js';
import {
  invalidPages,
  lengthsOption,
  longestSequence,
  pagedDimensions,
  pagedKeys,
  pagedTensors,
  pageTables,
  poisonedPages,
  sequenceLengths,
  tokensByHead,
} from './paged-cache.js';
import { joinedSequences } from './sampling.js';
import { sizesOf } from './sizes.js';
import { softmaxOptions, unequalHeads } from './softmax-attention.js';
import { softmaxFlops, softmaxForward, softmaxProblem } from './softmax-rows.js';
import {
  attentionDimensions,
  caseScalars,
  forwardTolerance,
  input,
  invalidCase,
  lseTolerance,
  optionalOutput,
  output,
} from './specs.js';

const dimensions: readonly DimensionSpec[] = [
  ...attentionDimensions(1, []).map((dimension) => (dimension.name === 'seqlenK' ? longestSequence : dimension)),
  ...pagedDimensions,
];

const optionSpecs: readonly OptionSpec[] = [...softmaxOptions, lengthsOption];

const queryRows = ['batch', 'heads', 'seqlen'];
const slots = ['pages', 'pageSize', 'headsKv'];

const tensors: readonly TensorSpec[] = [
  input('q', [...queryRows, 'headDim'], 'Queries: the last tokens of each sequence.'),
  input('k_pages', [...slots, 'headDim'], 'Keys by page.'),
  input('v_pages', [...slots, 'headDimV'], 'Values by page.'),
  ...pagedTensors,
  output('o', [...queryRows, 'headDimV'], forwardTolerance, 'Output; a row that sees no key is exactly zero.'),
  optionalOutput(
    'lse',
    queryRows,
    lseTolerance,
    'Natural logarithm of the sum of exponentials of each row; -infinity (or at most -1e30) where a row sees no key.',
  ),
];

const small = { heads: 4, headsKv: 2, headDim: 16, pageSize: 16 };
const uneven: Options = { lengths: 'uneven' };

const grid: readonly GridCase[] = [
  { name: 'a cache of one token', shape: { ...small, seqlenK: 1 }, options: {} },
  { name: 'pages of one token', shape: { ...small, batch: 2, pageSize: 1, seqlenK: 37 }, options: uneven },
  { name: 'exactly one page', shape: { ...small, headDim: 128, seqlenK: 16 }, options: {} },
  { name: 'one above a page, several batches', shape: { ...small, batch: 3, seqlenK: 17 }, options: uneven },
  { name: 'pages of 64', shape: { ...small, pageSize: 64, batch: 2, seqlenK: 70, headDim: 32 }, options: uneven },
  {
    name: 'a page of 256',
    shape: { ...small, heads: 2, headsKv: 1, pageSize: 256, seqlenK: 40, headDim: 96 },
    options: {},
  },
  { name: 'a draft of two, several batches', shape: { ...small, batch: 3, seqlen: 2, seqlenK: 35 }, options: uneven },
  {
    name: 'a draft of four, pages of one token',
    shape: { ...small, pageSize: 1, seqlen: 4, seqlenK: 21 },
    options: {},
  },
  {
    name: 'an empty sequence',
    shape: { ...small, batch: 3, seqlen: 2, seqlenK: 20 },
    options: { lengths: 'empty' },
  },
  { name: 'one above a split of 128', shape: { ...small, batch: 2, seqlen: 2, seqlenK: 129 }, options: uneven },
  { name: 'several splits', shape: { ...small, seqlenK: 258 }, options: {} },
  {
    name: 'a window that leaves pages and splits out',
    shape: { ...small, batch: 2, seqlen: 3, seqlenK: 300 },
    options: { ...uneven, window: [60, 0] },
  },
  {
    name: 'a draft, not causal, window on both sides',
    shape: { ...small, batch: 2, seqlen: 4, seqlenK: 40 },
    options: { ...uneven, causal: false, window: [8, 1] },
  },
  { name: 'one key head for twelve (MQA)', shape: { ...small, heads: 12, headsKv: 1, seqlenK: 30 }, options: {} },
  { name: 'a key head for each query head', shape: { ...small, headsKv: 4, seqlen: 9, seqlenK: 12 }, options: {} },
  { name: 'queries before the first key', shape: { ...small, batch: 2, seqlen: 6, seqlenK: 4 }, options: uneven },
  {
    name: 'values of 20, scale 1',
    shape: { ...small, headDim: 32, headDimV: 20, seqlenK: 50 },
    options: { scale: 1 },
  },
  {
    name: 'a table longer than the sequences',
    shape: { ...small, batch: 2, seqlenK: 20, tablePages: 7 },
    options: uneven,
  },
  { name: 'sequences that share pages', shape: { ...small, batch: 3, seqlenK: 48, pages: 4 }, options: {} },
];

/** The shape of one sequence by itself, which has as many keys as tokens. */
function sequenceShape(shape: Shape, length: number): Shape {
  return { ...shape, batch: 1, seqlenK: length };
}

function generate(shape: Shape, options: Options, seed: number): Inputs {
  const { headsKv, headDim, headDimV } = sizesOf(shape);
  const floats = normalInputs(
    tensors.filter(({ whole }) => !whole),
    shape,
    seed,
  );
  const tables = pageTables(shape, options, seed);
  return {
    ...floats,
    ...tables,
    k_pages: poisonedPages(floats.k_pages!, headsKv * headDim, tables, shape),
    v_pages: poisonedPages(floats.v_pages!, headsKv * headDimV, tables, shape),
  };
}

/** Every sequence is what softmax attention makes of its own tokens. */
function reference(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'o' | 'lse', ReferenceTensor>> {
  const { batch, heads, headsKv, seqlen, headDim, headDimV } = sizesOf(shape);
  const queries = heads * seqlen * headDim;
  const sequences = Array.from({ length: batch }, (_, sequence) => {
    const own = sequenceShape(shape, inputs.seqlens![sequence]!);
    const contiguous = {
      q: inputs.q!.subarray(sequence * queries, (sequence + 1) * queries),
      k: tokensByHead(inputs.k_pages!, headsKv, headDim, inputs, shape, sequence),
      v: tokensByHead(inputs.v_pages!, headsKv, headDimV, inputs, shape, sequence),
    };
    return softmaxForward(softmaxProblem(contiguous, own, options, precision, keyRanges(own, options)), budget / batch);
  });
  return {
    o: joinedSequences(sequences.map(({ o }) => o)),
    lse: joinedSequences(sequences.map(({ lse }) => lse)),
  };
}

const decoding: Computation = {
  direction: 'decode',
  tensors,
  grid,
  generate,
  paged: pagedKeys,
  reference,
  flops: (shape, options) =>
    sequenceLengths(shape, options).reduce((sum, length) => {
      const own = sequenceShape(shape, length);
      return sum + softmaxFlops(own, visiblePairs(own, options), 'forward');
    }, 0),
};

const golden: GoldenOperation = {
  direction: 'decode',
  shape: ({ q = [], k_pages = [], v_pages = [], block_table = [] }) => ({
    batch: q[0] ?? 1,
    heads: q[1] ?? 1,
    headsKv: k_pages[2] ?? 1,
    seqlen: q[2] ?? 1,
    seqlenK: (block_table[1] ?? 1) * (k_pages[1] ?? 1),
    headDim: q[3] ?? 1,
    headDimV: v_pages[3] ?? 1,
    pageSize: k_pages[1] ?? 1,
    tablePages: block_table[1] ?? 1,
    pages: k_pages[0] ?? 1,
  }),
  options: ({ causal, scale, window }) => ({
    causal: causal === true,
    window: goldenWindow(window),
    ...goldenOption('scale', scale),
  }),
};

/**
 * Softmax attention with a cache in pages: sequences of different lengths, whose tokens lie where a table says (Kwon et
 * al. 2023).
 */
export const pagedAttention: Mechanism = {
  id: 'paged-attention',
  title: 'Paged softmax attention',
  summary: 'o = softmax(scale · q kᵀ) v with the keys and values of each sequence in pages that a table names.',
  dimensions,
  options: optionSpecs,
  computations: [decoding],
  recurrence: null,
  golden: { attn_paged: golden },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: keyRanges,
  parts: { query: 'q', key: 'k_pages', value: 'v_pages', output: 'o' },
  unfollowed:
    'Pairs of queries and keys are followed where all sequences have as many tokens, each in pages of its own.',
  validate: (shape, options) =>
    invalidCase(dimensions, optionSpecs, shape, options) ?? unequalHeads(shape) ?? invalidPages(shape),
};
