import { arithmetic } from '../numerics/arithmetic.js';
import { goldenAttentionShape, goldenOption } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import { linearBackward, linearForward, type LinearCotangents, type LinearProblem } from './linear-recurrence.js';
import { prefixRanges } from './masks.js';
import type {
  Computation,
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
import { rmsNorm, rmsNormBackward } from './rms-norm.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import { choiceOption, numberOption, sizesOf, switchOption, tensorDims } from './sizes.js';
import {
  attentionDimensions,
  attentionParts,
  caseScalars,
  forwardTolerance,
  gradientTolerance,
  input,
  invalidCase,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';
import { stateFlops } from './state-flops.js';

const keyDims = ['batch', 'heads', 'seqlen', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const stateDims = ['batch', 'heads', 'headDim', 'headDimV'];

const inputTensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
  optionalInput('s0', stateDims, 'State before the first token.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  output('o', valueDims, forwardTolerance, 'Output: each row of raw over its root mean square.'),
  optionalOutput('raw', valueDims, forwardTolerance, 'Output before the norm.'),
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', valueDims, 'Gradient of the output.'),
  optionalInput('ds', stateDims, 'Gradient of the final state.'),
  output('dq', keyDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
  optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'causal', kind: 'boolean', fallback: true, description: 'A query sees no key after it.' },
  {
    name: 'norm',
    kind: 'choice',
    choices: ['model', 'head'],
    fallback: 'model',
    description: 'What is normalised as one row: a token across all heads (TransNormer), or in each head.',
  },
  { name: 'eps', kind: 'number', fallback: 1e-6, description: 'Added to the mean square of a row.' },
];

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): LinearProblem {
  const sizes = sizesOf(shape);
  const { seqlen, headDim, headDimV } = sizes;
  const ones = new Float64Array(seqlen * headDim).fill(1);
  return {
    math: arithmetic(precision),
    sizes,
    causal: switchOption(options, 'causal'),
    eps: null,
    head: (index) => ({
      q: inputPart(inputs.q, index, seqlen * headDim),
      k: inputPart(inputs.k, index, seqlen * headDim),
      v: inputPart(inputs.v, index, seqlen * headDimV),
      qSlope: ones,
      kSlope: ones,
      s0: inputPart(inputs.s0, index, headDim * headDimV),
      z0: new Float64Array(headDim),
      decay: 1,
      decays: null,
    }),
  };
}

/** The heads of one sequence as a problem of their own. */
function sequenceOf(problem: LinearProblem, batch: number): LinearProblem {
  const { heads } = problem.sizes;
  return {
    ...problem,
    sizes: { ...problem.sizes, batch: 1 },
    head: (index) => problem.head(batch * heads + index),
  };
}

/** [first, second, width] → [second, first, width]: the heads of a token side by side, or apart again. */
function swapped(values: Float64Array, first: number, second: number, width: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let a = 0; a < first; a++) {
    for (let b = 0; b < second; b++) {
      const from = (a * second + b) * width;
      result.set(values.subarray(from, from + width), (b * first + a) * width);
    }
  }
  return result;
}

/** Across heads a row needs all of them: whole sequences are computed, one at least, whatever it costs. */
function forwardAcrossHeads(
  problem: LinearProblem,
  shape: Shape,
  eps: number,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const { math, sizes } = problem;
  const { batch, heads, seqlen, headDim, headDimV } = sizes;
  const chosen = spread(batch, budget / (2 * heads * seqlen * headDim * headDimV));
  const passes = Array.from(chosen, (index) => linearForward(sequenceOf(problem, index), Infinity));
  const raw = passes.map(({ o }) => new Float64Array(o.values));
  const o = raw.map((values) => {
    const rows = rmsNorm(math, swapped(values, heads, seqlen, headDimV), heads * headDimV, eps);
    return swapped(rows, seqlen, heads, headDimV);
  });
  const states = passes.map(({ s }) => new Float64Array(s.values));
  const tensor = (values: readonly Float64Array[], dims: readonly string[], rowsPerHead: number): ReferenceTensor =>
    tensorOfGroups(joined(values), tensorDims(dims, shape), chosen, batch, heads * rowsPerHead);
  return {
    o: tensor(o, valueDims, seqlen),
    raw: tensor(raw, valueDims, seqlen),
    s: tensor(states, stateDims, headDim),
  };
}

function forward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const eps = problem.math.round(numberOption(options, 'eps'));
  if (choiceOption(options, 'norm') === 'model') return forwardAcrossHeads(problem, shape, eps, budget);
  const { o: raw, s } = linearForward(problem, budget);
  const values = rmsNorm(problem.math, new Float64Array(raw.values), problem.sizes.headDimV, eps);
  return { o: { ...raw, values }, raw, s };
}

/** The gradient of raw for one sequence, [heads, seqlen, headDimV], from that of o. */
function rawGradient(problem: LinearProblem, inputs: Inputs, options: Options, batch: number): Float64Array {
  const { math, sizes } = problem;
  const { heads, seqlen, headDimV } = sizes;
  const eps = math.round(numberOption(options, 'eps'));
  const raw = new Float64Array(linearForward(sequenceOf(problem, batch), Infinity).o.values);
  const gradient = inputPart(inputs.do, batch, heads * seqlen * headDimV);
  if (choiceOption(options, 'norm') === 'head') return rmsNormBackward(math, raw, gradient, headDimV, eps);
  const rows = (values: Float64Array): Float64Array => swapped(values, heads, seqlen, headDimV);
  const through = rmsNormBackward(math, rows(raw), rows(gradient), heads * headDimV, eps);
  return swapped(through, seqlen, heads, headDimV);
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  {
    name: 'one above a tile of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: {},
  },
  { name: 'a norm in each head', shape: { batch: 2, heads: 3, seqlen: 17, headDim: 32 }, options: { norm: 'head' } },
  { name: 'one below a tile of 32', shape: { heads: 2, seqlen: 31, headDim: 32 }, options: {} },
  { name: 'not causal', shape: { heads: 2, seqlen: 33, headDim: 32 }, options: { causal: false } },
  {
    name: 'not causal, a norm in each head',
    shape: { heads: 3, seqlen: 70, headDim: 16 },
    options: { causal: false, norm: 'head' },
  },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65 }, options: { norm: 'head' } },
  { name: 'one below a tile of 128, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'one above a tile of 128, head of 96', shape: { heads: 2, seqlen: 129, headDim: 96 }, options: {} },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  { name: 'heads no power of two', shape: { heads: 5, seqlen: 40, headDim: 16, headDimV: 20 }, options: {} },
  { name: 'a large eps', shape: { heads: 2, seqlen: 40, headDim: 16 }, options: { eps: 10 } },
  { name: 'many tiles', shape: { heads: 2, seqlen: 300, headDim: 32 }, options: {} },
];

const forwardComputation: Computation = {
  direction: 'forward',
  tensors: forwardTensors,
  grid,
  generate: (shape, _, seed) => normalInputs(forwardTensors, shape, seed),
  reference: forward,
  flops: (shape) => stateFlops(shape, 2),
};

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, _, seed) => normalInputs(backwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) => {
    const problem = problemOf(inputs, shape, options, precision);
    const { heads, seqlen, headDim, headDimV } = problem.sizes;
    // Heads are asked for in order, so the gradients of one sequence serve all of its heads.
    let known: { readonly batch: number; readonly gradient: Float64Array } | null = null;
    const cotangents = (index: number): LinearCotangents => {
      const batch = Math.floor(index / heads);
      if (known?.batch !== batch) known = { batch, gradient: rawGradient(problem, inputs, options, batch) };
      const from = (index % heads) * seqlen * headDimV;
      return {
        o: known.gradient.slice(from, from + seqlen * headDimV),
        s: inputPart(inputs.ds, index, headDim * headDimV),
        z: new Float64Array(headDim),
      };
    };
    const { dq, dk, dv, ds0 } = linearBackward(problem, cotangents, budget);
    return { dq, dk, dv, ds0 };
  },
  // The states again, their gradients, and what dq, dk and dv read from them.
  flops: (shape) => stateFlops(shape, 5),
};

const dimensions = attentionDimensions(2048, ['headsKv', 'seqlenK']);

/** NormAttention of TransNormer (Qin et al. 2022, 2023): linear attention whose divisor is replaced by a norm of the output. */
export const normAttention: Mechanism = {
  id: 'norm-attention',
  title: 'NormAttention (TransNormer)',
  summary:
    'o = RMSNorm((q kᵀ) v): linear attention without feature map, scale and divisor, and a norm of each row instead.',
  dimensions,
  options: optionSpecs,
  computations: [forwardComputation, backwardComputation],
  recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: { causal: true } },
  golden: {
    normattn: {
      shape: goldenAttentionShape,
      options: ({ causal, norm, eps }) => ({
        causal: causal === true,
        ...goldenOption('norm', norm),
        ...goldenOption('eps', eps),
      }),
      names: { o_raw: 'raw' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape, options) => prefixRanges(shape, switchOption(options, 'causal')),
  parts: attentionParts,
  validate: (shape, options) => invalidCase(dimensions, optionSpecs, shape, options),
};
