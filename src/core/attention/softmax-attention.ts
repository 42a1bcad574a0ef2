import { goldenAttentionShape, goldenOption, goldenWindow } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import { keyRanges, visiblePairs } from './masks.js';
import type { Computation, GridCase, Mechanism, OptionSpec, Shape, TensorSpec } from './mechanism.js';
import { sizesOf } from './sizes.js';
import { softmaxBackward, softmaxFlops, softmaxForward, softmaxProblem } from './softmax-rows.js';
import {
  attentionDimensions,
  attentionParts,
  caseScalars,
  forwardTolerance,
  gradientTolerance,
  input,
  invalidCase,
  lseTolerance,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';

const queryDims = ['batch', 'heads', 'seqlen', 'headDim'];
const keyDims = ['batch', 'headsKv', 'seqlenK', 'headDim'];
const valueDims = ['batch', 'headsKv', 'seqlenK', 'headDimV'];
const outputDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const lseDims = ['batch', 'heads', 'seqlen'];

const q = input('q', queryDims, 'Queries.');
const k = input('k', keyDims, 'Keys.');
const v = input('v', valueDims, 'Values.');

const forwardTensors: readonly TensorSpec[] = [
  q,
  k,
  v,
  output('o', outputDims, forwardTolerance, 'Output; a row that sees no key is exactly zero.'),
  optionalOutput(
    'lse',
    lseDims,
    lseTolerance,
    'Natural logarithm of the sum of exponentials of each row; -infinity (or at most -1e30) where a row sees no key.',
  ),
];

const backwardTensors: readonly TensorSpec[] = [
  q,
  k,
  v,
  input('do', outputDims, 'Gradient of the output.'),
  optionalInput('dlse', lseDims, 'Gradient of lse.'),
  output('dq', queryDims, gradientTolerance, 'Gradient of the queries; zero where a row sees no key.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys, summed over the query heads that share them.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values, summed over the query heads that share them.'),
];

/** The options of softmax attention: causal, window and scale. */
export const softmaxOptions: readonly OptionSpec[] = [
  {
    name: 'causal',
    kind: 'boolean',
    fallback: true,
    description: 'A query sees no key after it; the last query stands at the last key.',
  },
  {
    name: 'window',
    kind: 'window',
    fallback: [-1, -1],
    description: 'How many keys before and after its own position a query sees; -1 is unlimited.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => sizesOf(shape).headDim ** -0.5,
    description: 'Factor of the scores, headDim^-1/2 unless given.',
  },
];

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  { name: 'one above a tile of 16', shape: { heads: 2, seqlen: 17, headDim: 32 }, options: {} },
  { name: 'one below a tile of 32, several batches', shape: { batch: 3, heads: 2, seqlen: 31 }, options: {} },
  { name: 'one above a tile of 32, not causal', shape: { heads: 2, seqlen: 33 }, options: { causal: false } },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below a tile of 128, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  {
    name: 'no multiple of any tile, not causal',
    shape: { heads: 2, seqlen: 100, headDim: 96 },
    options: { causal: false },
  },
  { name: 'grouped queries 4:2', shape: { heads: 4, headsKv: 2, seqlen: 37 }, options: {} },
  { name: 'one key head for all (MQA)', shape: { batch: 2, heads: 4, headsKv: 1, seqlen: 20 }, options: {} },
  { name: 'few queries at the end of many keys', shape: { heads: 2, seqlen: 5, seqlenK: 70 }, options: {} },
  { name: 'queries that see no key', shape: { heads: 2, seqlen: 40, seqlenK: 21, headDim: 32 }, options: {} },
  {
    name: 'fewer keys than queries, not causal',
    shape: { heads: 2, seqlen: 50, seqlenK: 19 },
    options: { causal: false },
  },
  { name: 'causal window of 16 keys', shape: { heads: 2, seqlen: 100, headDim: 32 }, options: { window: [15, 0] } },
  {
    name: 'window on both sides',
    shape: { heads: 2, seqlen: 130, headDim: 16 },
    options: { causal: false, window: [8, 8] },
  },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  {
    name: 'values narrower than keys, scale 1',
    shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 },
    options: { scale: 1 },
  },
  { name: 'many tiles', shape: { heads: 1, seqlen: 300 }, options: {} },
];

const decodeGrid: readonly GridCase[] = [
  { name: 'a single key', shape: { heads: 2, seqlen: 1, seqlenK: 1, headDim: 16 }, options: {} },
  { name: 'one below a step of 16', shape: { heads: 2, seqlen: 1, seqlenK: 15, headDim: 32 }, options: {} },
  {
    name: 'one above a step of 16, not causal',
    shape: { heads: 3, seqlen: 1, seqlenK: 17 },
    options: { causal: false },
  },
  { name: 'one below a part of 64', shape: { heads: 2, seqlen: 1, seqlenK: 63, headDim: 96 }, options: {} },
  { name: 'one below a part of 128', shape: { heads: 1, seqlen: 1, seqlenK: 127, headDim: 128 }, options: {} },
  { name: 'one above a part of 128', shape: { heads: 2, seqlen: 1, seqlenK: 129, headDim: 32 }, options: {} },
  { name: 'four parts, grouped queries 8:2', shape: { heads: 8, headsKv: 2, seqlen: 1, seqlenK: 400 }, options: {} },
  {
    name: 'one key head for twelve (MQA), several batches',
    shape: { batch: 2, heads: 12, headsKv: 1, seqlen: 1, seqlenK: 70, headDim: 32 },
    options: {},
  },
  { name: 'a draft of two', shape: { heads: 4, headsKv: 2, seqlen: 2, seqlenK: 130, headDim: 32 }, options: {} },
  {
    name: 'a draft of four, several batches',
    shape: { batch: 3, heads: 4, headsKv: 2, seqlen: 4, seqlenK: 33, headDim: 16 },
    options: {},
  },
  {
    name: 'a draft of nine, one key head for two',
    shape: { heads: 2, headsKv: 1, seqlen: 9, seqlenK: 31 },
    options: {},
  },
  { name: 'a draft that fills the cache', shape: { heads: 2, seqlen: 5, seqlenK: 5, headDim: 16 }, options: {} },
  { name: 'queries that see no key', shape: { heads: 2, seqlen: 6, seqlenK: 3, headDim: 16 }, options: {} },
  {
    name: 'a window that leaves parts out',
    shape: { heads: 2, seqlen: 3, seqlenK: 300, headDim: 16 },
    options: { window: [60, 0] },
  },
  {
    name: 'a window on both sides',
    shape: { heads: 2, headsKv: 1, seqlen: 4, seqlenK: 150, headDim: 16 },
    options: { causal: false, window: [8, 1] },
  },
  {
    name: 'values wider than keys',
    shape: { heads: 2, seqlen: 2, seqlenK: 40, headDim: 32, headDimV: 64 },
    options: {},
  },
  {
    name: 'values narrower than keys, scale 1',
    shape: { heads: 2, seqlen: 1, seqlenK: 140, headDim: 64, headDimV: 20 },
    options: { scale: 1 },
  },
];

const forwardComputation: Computation = {
  direction: 'forward',
  tensors: forwardTensors,
  grid,
  generate: (shape, _options, seed) => normalInputs(forwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) =>
    softmaxForward(softmaxProblem(inputs, shape, options, precision, keyRanges(shape, options)), budget),
  flops: (shape, options) => softmaxFlops(shape, visiblePairs(shape, options), 'forward'),
};

/** A few queries at the end of a cache: the forward pass at other sizes. */
const decodeComputation: Computation = { ...forwardComputation, direction: 'decode', grid: decodeGrid };

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, _options, seed) => normalInputs(backwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) =>
    softmaxBackward(softmaxProblem(inputs, shape, options, precision, keyRanges(shape, options)), inputs, budget),
  flops: (shape, options) => softmaxFlops(shape, visiblePairs(shape, options), 'backward'),
};

const dimensions = attentionDimensions(1024, []);

/** What is wrong where key heads would serve different numbers of query heads, in words, or null. */
export function unequalHeads(shape: Shape): string | null {
  const { heads, headsKv } = sizesOf(shape);
  return heads % headsKv === 0
    ? null
    : `heads is ${heads} and headsKv is ${headsKv}: every key head serves the same number of query heads, so heads must be a multiple of headsKv.`;
}

/** Softmax attention with causal masks, windows and grouped key heads (Vaswani et al. 2017; Dao et al. 2022). */
export const softmaxAttention: Mechanism = {
  id: 'softmax-attention',
  title: 'Softmax attention',
  summary: 'o = softmax(scale · q kᵀ) v over the keys each query sees: causal or not, windows, grouped key heads.',
  dimensions,
  options: softmaxOptions,
  computations: [forwardComputation, backwardComputation, decodeComputation],
  recurrence: null,
  golden: {
    attn: {
      shape: goldenAttentionShape,
      options: ({ causal, scale, window }) => ({
        causal: causal === true,
        window: goldenWindow(window),
        ...goldenOption('scale', scale),
      }),
    },
  },
  scalars: (shape, options) => caseScalars(softmaxOptions, shape, options),
  visibleKeys: keyRanges,
  parts: attentionParts,
  validate: (shape, options) => invalidCase(dimensions, softmaxOptions, shape, options) ?? unequalHeads(shape),
};
