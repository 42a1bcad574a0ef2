import { goldenOption } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import { latentDimensions, latentOptions, unequalGroups } from './latent-attention.js';
import { absorbedForward, latentSizes } from './latent-rows.js';
import { lastQueries, pairsIn } from './masks.js';
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
import { switchOption } from './sizes.js';
import { caseScalars, forwardTolerance, input, invalidCase, lseTolerance, optionalOutput, output } from './specs.js';

const dimensions: readonly DimensionSpec[] = [
  ...latentDimensions(true, 256).flatMap((dimension) => {
    if (dimension.name === 'headDimV') return [];
    return dimension.name === 'seqlenK' ? [longestSequence] : [dimension];
  }),
  ...pagedDimensions,
];

const optionSpecs: readonly OptionSpec[] = [...latentOptions, lengthsOption];

const queryRows = ['batch', 'heads', 'seqlen'];

const tensors: readonly TensorSpec[] = [
  input(
    'q_lat',
    [...queryRows, 'latentDim'],
    'Queries that have absorbed the up-projection of the keys: w_ukᵀ q_nope.',
  ),
  input('q_pe', [...queryRows, 'ropeDim'], 'Rotated part of the queries.'),
  input('c_pages', ['pages', 'pageSize', 'headsKv', 'latentDim'], 'Latents by page: keys and values at once.'),
  input('k_pe_pages', ['pages', 'pageSize', 'ropeDim'], 'Rotated part of the keys by page, one for all heads.'),
  ...pagedTensors,
  output(
    'o_lat',
    [...queryRows, 'latentDim'],
    forwardTolerance,
    'Weighted sum of latents; a row that sees no key is exactly zero.',
  ),
  optionalOutput(
    'lse',
    queryRows,
    lseTolerance,
    'Natural logarithm of the sum of exponentials of each row; -infinity (or at most -1e30) where a row sees no key.',
  ),
];

const small = { heads: 4, headsKv: 2, latentDim: 32, ropeDim: 16, pageSize: 16 };
const uneven: Options = { lengths: 'uneven' };

const grid: readonly GridCase[] = [
  { name: 'a cache of one token', shape: { ...small, seqlenK: 1 }, options: {} },
  { name: 'pages of one token', shape: { ...small, batch: 2, pageSize: 1, seqlenK: 37 }, options: uneven },
  { name: 'exactly one page', shape: { ...small, seqlenK: 16 }, options: {} },
  { name: 'one above a page, several batches', shape: { ...small, batch: 3, seqlenK: 17 }, options: uneven },
  { name: 'pages of 64', shape: { ...small, pageSize: 64, batch: 2, seqlenK: 70 }, options: uneven },
  { name: 'a page of 256', shape: { ...small, pageSize: 256, seqlenK: 40 }, options: {} },
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
  {
    name: 'several splits, the last one without a key of the first query',
    shape: { ...small, seqlen: 4, seqlenK: 258 },
    options: {},
  },
  {
    name: 'a draft, not causal',
    shape: { ...small, batch: 2, seqlen: 4, seqlenK: 21 },
    options: { ...uneven, causal: false },
  },
  { name: 'one latent head for all (MLA)', shape: { ...small, headsKv: 1, seqlen: 2, seqlenK: 30 }, options: {} },
  { name: 'a latent head for each query head', shape: { ...small, headsKv: 4, seqlen: 4, seqlenK: 9 }, options: {} },
  {
    name: 'more rows than a tile of 16',
    shape: { ...small, heads: 12, headsKv: 1, seqlen: 3, seqlenK: 20 },
    options: {},
  },
  {
    name: 'latents of no power of two, scale 1/4',
    shape: { ...small, latentDim: 100, ropeDim: 20, seqlenK: 50 },
    options: { scale: 0.25 },
  },
  { name: 'latents of 256', shape: { ...small, heads: 2, latentDim: 256, ropeDim: 64, seqlenK: 40 }, options: {} },
  { name: 'queries before the first key', shape: { ...small, batch: 2, seqlen: 6, seqlenK: 4 }, options: uneven },
  {
    name: 'a table longer than the sequences',
    shape: { ...small, batch: 2, seqlenK: 20, tablePages: 7 },
    options: uneven,
  },
  { name: 'sequences that share pages', shape: { ...small, batch: 3, seqlenK: 48, pages: 4 }, options: {} },
];

function generate(shape: Shape, options: Options, seed: number): Inputs {
  const { headsKv, latentDim, ropeDim } = latentSizes(shape);
  const floats = normalInputs(
    tensors.filter(({ whole }) => !whole),
    shape,
    seed,
  );
  const tables = pageTables(shape, options, seed);
  return {
    ...floats,
    ...tables,
    c_pages: poisonedPages(floats.c_pages!, headsKv * latentDim, tables, shape),
    k_pe_pages: poisonedPages(floats.k_pe_pages!, ropeDim, tables, shape),
  };
}

/** Every sequence is what absorbed latent attention makes of its own tokens. */
function reference(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'o_lat' | 'lse', ReferenceTensor>> {
  const { batch, heads, headsKv, seqlen, latentDim, ropeDim } = latentSizes(shape);
  const causal = switchOption(options, 'causal');
  const own = (name: string, width: number, sequence: number): Float32Array => {
    const count = heads * seqlen * width;
    return inputs[name]!.subarray(sequence * count, (sequence + 1) * count);
  };
  const sequences = Array.from({ length: batch }, (_, sequence) => {
    const length = inputs.seqlens![sequence]!;
    return absorbedForward(
      {
        q_lat: own('q_lat', latentDim, sequence),
        q_pe: own('q_pe', ropeDim, sequence),
        c: tokensByHead(inputs.c_pages!, headsKv, latentDim, inputs, shape, sequence),
        k_pe: tokensByHead(inputs.k_pe_pages!, 1, ropeDim, inputs, shape, sequence),
      },
      { ...shape, batch: 1, seqlenK: length },
      options,
      precision,
      lastQueries(length, seqlen, causal),
      budget / batch,
    );
  });
  return {
    o_lat: joinedSequences(sequences.map(({ o_lat }) => o_lat)),
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
  flops: (shape, options) => {
    const { heads, seqlen, latentDim, ropeDim } = latentSizes(shape);
    const causal = switchOption(options, 'causal');
    const pairs = sequenceLengths(shape, options).reduce(
      (sum, length) => sum + pairsIn(lastQueries(length, seqlen, causal), seqlen),
      0,
    );
    return 2 * heads * pairs * (2 * latentDim + ropeDim);
  },
};

const golden: GoldenOperation = {
  direction: 'decode',
  names: { kpe_pages: 'k_pe_pages' },
  shape: ({ q_lat = [], q_pe = [], c_pages = [], block_table = [] }) => ({
    batch: q_lat[0] ?? 1,
    heads: q_lat[1] ?? 1,
    headsKv: c_pages[2] ?? 1,
    seqlen: q_lat[2] ?? 1,
    seqlenK: (block_table[1] ?? 1) * (c_pages[1] ?? 1),
    latentDim: q_lat[3] ?? 1,
    ropeDim: q_pe[3] ?? 1,
    pageSize: c_pages[1] ?? 1,
    tablePages: block_table[1] ?? 1,
    pages: c_pages[0] ?? 1,
  }),
  options: ({ causal, scale }) => ({ ...goldenOption('causal', causal), ...goldenOption('scale', scale) }),
};

/**
 * Latent attention (MLA, Grouped Latent Attention) with a cache in pages: sequences of different lengths, whose tokens lie
 * where a table says (Kwon et al. 2023; Zadouri, Strauss, Dao 2025, section 4.2).
 */
export const pagedLatentAttention: Mechanism = {
  id: 'paged-latent-attention',
  title: 'Paged latent attention',
  summary:
    'o_lat = softmax(scale · (q_lat cᵀ + q_pe k_peᵀ)) c with the latents of each sequence in pages that a table names: MLA and Grouped Latent Attention in serving.',
  dimensions,
  options: optionSpecs,
  computations: [decoding],
  recurrence: null,
  golden: { latent_paged: golden },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: ({ seqlen = 1, seqlenK = 1 }, options) => lastQueries(seqlenK, seqlen, switchOption(options, 'causal')),
  parts: { query: 'q_lat', key: 'c_pages', value: 'c_pages', output: 'o_lat' },
  unfollowed:
    'Pairs of queries and keys are followed where all sequences have as many tokens, each in pages of its own.',
  validate: (shape, options) =>
    invalidCase(dimensions, optionSpecs, shape, options) ?? unequalGroups(shape) ?? invalidPages(shape),
};
