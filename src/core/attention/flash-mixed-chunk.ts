import { goldenOption, type GoldenSizes } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import type {
  AttentionParts,
  Computation,
  DimensionSpec,
  GridCase,
  KeyRange,
  Mechanism,
  Options,
  OptionSpec,
  Shape,
  TensorSpec,
} from './mechanism.js';
import { blockRanges } from './masks.js';
import { chunkLength, localPairs, mixedChunkBackward, mixedChunkForward } from './mixed-chunk.js';
import { switchOption } from './sizes.js';
import { caseScalars, forwardTolerance, gradientTolerance, input, invalidCase, output } from './specs.js';
import { biasDimension, gatedSizes, invalidBias } from './squared-relu.js';

const keyDims = ['batch', 'seqlen', 'headDim'];
const valueDims = ['batch', 'seqlen', 'headDimV'];

const inputTensors: readonly TensorSpec[] = [
  input('q_quad', keyDims, 'Queries of the quadratic part, inside the chunks.'),
  input('k_quad', keyDims, 'Keys of the quadratic part.'),
  input('q_lin', keyDims, 'Queries of the linear part, across chunks.'),
  input('k_lin', keyDims, 'Keys of the linear part.'),
  input('v', valueDims, 'Values of both parts.'),
  input('u', valueDims, 'Gates: factors of the output, number by number.'),
  input('bias', ['biasDim'], 'Bias of the score of each distance j - i of key and query; 0 stands in the middle.'),
];

const forwardTensors: readonly TensorSpec[] = [...inputTensors, output('o', valueDims, forwardTolerance, 'Output.')];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', valueDims, 'Gradient of the output.'),
  output('dq_quad', keyDims, gradientTolerance, 'Gradient of the queries of the quadratic part.'),
  output('dk_quad', keyDims, gradientTolerance, 'Gradient of the keys of the quadratic part.'),
  output('dq_lin', keyDims, gradientTolerance, 'Gradient of the queries of the linear part.'),
  output('dk_lin', keyDims, gradientTolerance, 'Gradient of the keys of the linear part.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
  output('du', valueDims, gradientTolerance, 'Gradient of the gates.'),
  output('dbias', ['biasDim'], gradientTolerance, 'Gradient of the biases, over all chunks and sequences.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'causal',
    kind: 'boolean',
    fallback: true,
    description: 'A query sees no key after it in its chunk, and of the others those before it.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => 1 / chunkLength(shape),
    description: 'Factor of q_quad · k_quad before the bias, 1 / chunk unless given.',
  },
  {
    name: 'linScale',
    kind: 'number',
    fallback: (shape) => 1 / chunkLength(shape),
    description: 'Factor of the linear part, 1 / chunk unless given; where not causal, FLASH-pytorch has 1 / seqlen.',
  },
];

function localKeys(shape: Shape, options: Options): (query: number) => KeyRange {
  return blockRanges(gatedSizes(shape).seqlen, chunkLength(shape), switchOption(options, 'causal'));
}

function visibleKeys(shape: Shape, options: Options): (query: number) => KeyRange {
  const { seqlen } = gatedSizes(shape);
  return blockRanges(seqlen, seqlen, switchOption(options, 'causal'));
}

/** Where not causal, the state holds all chunks: a query meets the keys of its own chunk by a score and through it. */
const parts: AttentionParts = {
  query: 'q_quad',
  key: 'k_quad',
  value: 'v',
  output: 'o',
  linear: { query: 'q_lin', key: 'k_lin' },
  mostVisits: (shape, options) => {
    if (switchOption(options, 'causal')) return null;
    const range = localKeys(shape, options);
    return (query, key) => {
      const { from, to } = range(query);
      return key >= from && key < to ? 2 : 1;
    };
  },
};

const full: Options = { causal: false };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { batch: 3, seqlen: 1, chunk: 16, headDim: 16, biasDim: 1 }, options: {} },
  { name: 'one below a chunk of 16', shape: { seqlen: 15, chunk: 16, headDim: 16 }, options: {} },
  {
    name: 'one above a chunk of 16, several batches',
    shape: { batch: 3, seqlen: 17, chunk: 16, headDim: 32 },
    options: {},
  },
  { name: 'chunks of one token', shape: { seqlen: 9, chunk: 1, headDim: 16 }, options: {} },
  { name: 'chunks of 16', shape: { seqlen: 70, chunk: 16, headDim: 16, headDimV: 32 }, options: {} },
  { name: 'chunks of 16, not causal', shape: { seqlen: 70, chunk: 16, headDim: 16, headDimV: 32 }, options: full },
  { name: 'chunks of 7, not causal', shape: { batch: 2, seqlen: 50, chunk: 7, headDim: 32 }, options: full },
  { name: 'chunks of 33', shape: { seqlen: 100, chunk: 33, headDim: 32 }, options: {} },
  { name: 'exactly one chunk of 64', shape: { seqlen: 64, chunk: 64, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'one above a chunk of 64', shape: { seqlen: 65, chunk: 64, headDim: 32, headDimV: 64 }, options: {} },
  {
    name: 'one below two chunks of 64, queries of 128',
    shape: { seqlen: 127, chunk: 64, headDim: 128, headDimV: 32 },
    options: {},
  },
  { name: 'chunks of 100, queries of 96', shape: { seqlen: 230, chunk: 100, headDim: 96, headDimV: 16 }, options: {} },
  {
    name: 'values of three slices',
    shape: { seqlen: 40, chunk: 16, headDim: 32, headDimV: 288 },
    options: { linScale: 0.5 },
  },
  {
    name: 'values just wider than a slice, not causal',
    shape: { batch: 2, seqlen: 37, chunk: 16, headDim: 16, headDimV: 132 },
    options: full,
  },
  { name: 'values narrower than keys', shape: { seqlen: 40, chunk: 16, headDim: 64, headDimV: 16 }, options: {} },
  {
    name: 'a chunk longer than the sequence, not causal',
    shape: { seqlen: 40, chunk: 100, headDim: 32 },
    options: full,
  },
  {
    name: 'more biases than distances, other factors',
    shape: { seqlen: 40, chunk: 16, headDim: 16, biasDim: 63 },
    options: { scale: 0.5, linScale: 0.25 },
  },
  { name: 'many chunks', shape: { seqlen: 300, chunk: 24, headDim: 16 }, options: {} },
];

/** Multiply-adds a pair has for each number of keys and of values, and a token for each number of the state. */
function flops(shape: Shape, options: Options, perPair: number, perState: number): number {
  const { batch, seqlen, headDim, headDimV } = gatedSizes(shape);
  const local = perPair * localPairs(shape, switchOption(options, 'causal')) * (headDim + headDimV);
  return 2 * batch * (local + perState * seqlen * headDim * headDimV);
}

const computations: readonly Computation[] = [
  {
    direction: 'forward',
    tensors: forwardTensors,
    grid,
    generate: (shape, _options, seed) => normalInputs(forwardTensors, shape, seed),
    reference: mixedChunkForward,
    flops: (shape, options) => flops(shape, options, 1, 2),
  },
  {
    direction: 'backward',
    tensors: backwardTensors,
    grid,
    generate: (shape, _options, seed) => normalInputs(backwardTensors, shape, seed),
    reference: mixedChunkBackward,
    // The state and what is read of it anew, dq_lin, dk_lin, and the gradients of the state and of the values.
    flops: (shape, options) => flops(shape, options, 3, 6),
  },
];

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'seqlen', fallback: 2048, description: 'Tokens.' },
  { name: 'chunk', fallback: 256, description: 'Tokens of a chunk; the last one of a sequence may be shorter.' },
  { name: 'headDim', fallback: 128, description: 'Width of queries and keys, of which there is one head.' },
  { name: 'headDimV', fallback: 'headDim', description: 'Width of values, gates and output.' },
  biasDimension('chunk'),
];

/** Mixed chunk attention of FLASH, Fast Linear Attention with a Single Head (Hua et al. 2022); it is not FlashAttention. */
export const flashMixedChunk: Mechanism = {
  id: 'flash-mixed-chunk',
  title: 'FLASH (not FlashAttention)',
  summary:
    'o = u ⊙ (relu(q kᵀ + bias)² v in each chunk + q S across chunks): Fast Linear Attention with a Single Head, a GAU by chunks.',
  dimensions,
  options: optionSpecs,
  computations,
  recurrence: null,
  golden: {
    flash_mca: {
      shape: ({ q_quad: q = [], v = [], bias = [] }: GoldenSizes, { chunk }) => ({
        batch: q[0] ?? 1,
        seqlen: q[1] ?? 1,
        headDim: q[2] ?? 1,
        headDimV: v[2] ?? 1,
        biasDim: bias[0] ?? 1,
        ...(typeof chunk === 'number' ? { chunk } : {}),
      }),
      options: ({ causal, lin_scale: linScale }) => ({
        causal: causal === true,
        ...goldenOption('linScale', linScale),
      }),
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys,
  parts,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { biasDim, seqlen } = gatedSizes(shape);
    return invalidBias(biasDim, Math.min(chunkLength(shape), seqlen));
  },
};
