import { normalInputs } from './inputs.js';
import { blockRanges, pairsIn } from './masks.js';
import type {
  Computation,
  GridCase,
  KeyRange,
  Mechanism,
  Options,
  OptionSpec,
  Shape,
  TensorSpec,
} from './mechanism.js';
import { numberOption, sizesOf, switchOption } from './sizes.js';
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
  invalidTokenCount,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';

const keyDims = ['batch', 'heads', 'seqlen', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const lseDims = ['batch', 'heads', 'seqlen'];

const inputTensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  output('o', valueDims, forwardTolerance, 'Output.'),
  optionalOutput('lse', lseDims, lseTolerance, 'Natural logarithm of the sum of exponentials of each row.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', valueDims, 'Gradient of the output.'),
  optionalInput('dlse', lseDims, 'Gradient of lse.'),
  output('dq', keyDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'causal', kind: 'boolean', fallback: true, description: 'A query sees no key after it.' },
  {
    name: 'block',
    kind: 'number',
    fallback: 64,
    description: 'Tokens of a block; a query sees the keys of its own block only. The last block may be shorter.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => sizesOf(shape).headDim ** -0.5,
    description: 'Factor of the scores, headDim^-1/2 unless given.',
  },
];

function visibleKeys(shape: Shape, options: Options): (query: number) => KeyRange {
  return blockRanges(sizesOf(shape).seqlen, numberOption(options, 'block'), switchOption(options, 'causal'));
}

function visiblePairs(shape: Shape, options: Options): number {
  return pairsIn(visibleKeys(shape, options), sizesOf(shape).seqlen);
}

const of16: Options = { block: 16 };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'blocks of one token', shape: { heads: 2, seqlen: 17, headDim: 16 }, options: { block: 1 } },
  { name: 'one below a block of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: of16 },
  {
    name: 'one above a block of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: of16,
  },
  {
    name: 'small blocks, not causal',
    shape: { heads: 2, seqlen: 50, headDim: 32 },
    options: { block: 7, causal: false },
  },
  { name: 'one below a block of 64', shape: { heads: 2, seqlen: 63 }, options: {} },
  { name: 'exactly one block of 64, not causal', shape: { heads: 2, seqlen: 64 }, options: { causal: false } },
  { name: 'one above a block of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'blocks of 64, not causal', shape: { heads: 2, seqlen: 130, headDim: 32 }, options: { causal: false } },
  {
    name: 'one below a block of 128, head of 128',
    shape: { heads: 1, seqlen: 127, headDim: 128 },
    options: { block: 128 },
  },
  { name: 'blocks of 100, head of 96', shape: { heads: 1, seqlen: 230, headDim: 96 }, options: { block: 100 } },
  {
    name: 'blocks of 33, not causal',
    shape: { heads: 2, seqlen: 100, headDim: 16 },
    options: { block: 33, causal: false },
  },
  { name: 'a block that holds the sequence', shape: { heads: 2, seqlen: 70, headDim: 32 }, options: { block: 4096 } },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: of16 },
  {
    name: 'values narrower than keys, scale 1',
    shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 },
    options: { scale: 1, block: 16 },
  },
  { name: 'heads no power of two', shape: { heads: 3, seqlen: 40, headDim: 16, headDimV: 20 }, options: of16 },
  { name: 'many blocks', shape: { heads: 2, seqlen: 300, headDim: 32 }, options: { block: 24 } },
];

const forwardComputation: Computation = {
  direction: 'forward',
  tensors: forwardTensors,
  grid,
  generate: (shape, _options, seed) => normalInputs(forwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) =>
    softmaxForward(softmaxProblem(inputs, shape, options, precision, visibleKeys(shape, options)), budget),
  flops: (shape, options) => softmaxFlops(shape, visiblePairs(shape, options), 'forward'),
};

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, _options, seed) => normalInputs(backwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) =>
    softmaxBackward(softmaxProblem(inputs, shape, options, precision, visibleKeys(shape, options)), inputs, budget),
  flops: (shape, options) => softmaxFlops(shape, visiblePairs(shape, options), 'backward'),
};

const dimensions = attentionDimensions(2048, ['headsKv', 'seqlenK']);

/** DiagAttention of TransNormer (Qin et al. 2022): softmax attention inside blocks of tokens that do not overlap. */
export const diagAttention: Mechanism = {
  id: 'diag-attention',
  title: 'DiagAttention (TransNormer)',
  summary: 'o = softmax(scale · q kᵀ) v over the keys of the query’s own block of tokens: time linear in seqlen.',
  dimensions,
  options: optionSpecs,
  computations: [forwardComputation, backwardComputation],
  recurrence: null,
  golden: {},
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys,
  parts: attentionParts,
  validate: (shape, options) =>
    invalidCase(dimensions, optionSpecs, shape, options) ?? invalidTokenCount('block', options),
};
