import { arithmetic } from '../numerics/arithmetic.js';
import { decodeGrid } from './decode-grid.js';
import { goldenAttentionShape, goldenOption } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import {
  linearBackward,
  linearForward,
  type LinearCotangents,
  type LinearHead,
  type LinearProblem,
} from './linear-recurrence.js';
import { prefixRanges } from './masks.js';
import type {
  Computation,
  Direction,
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
import { rmsNorm, rmsNormBackward } from './rms-norm.js';
import { numberOption, sizesOf, switchOption } from './sizes.js';
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

const tokenTensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries, rotated by their positions where the model does so.'),
  input('k', keyDims, 'Keys, rotated likewise.'),
  input('v', valueDims, 'Values, in RetNet twice as wide as the keys.'),
];

const outputTensors: readonly TensorSpec[] = [
  output('o', valueDims, forwardTolerance, 'Output.'),
  optionalOutput('y', valueDims, forwardTolerance, 'Output over its root mean square, row by row in each head.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  ...outputTensors,
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  input('do', valueDims, 'Gradient of the output.'),
  optionalInput('dy', valueDims, 'Gradient of the normalised output, which adds to that of the output.'),
  optionalInput('ds', stateDims, 'Gradient of the final state.'),
  output('dq', keyDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
  optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  input('s0', stateDims, 'State before the first of these tokens.'),
  ...outputTensors,
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => (shape.headDim ?? 1) ** -0.5,
    description: 'Factor of the output.',
  },
  { name: 'eps', kind: 'number', fallback: 1e-6, description: 'Added to the mean square of a row in y.' },
  {
    name: 'normalize',
    kind: 'boolean',
    fallback: false,
    description:
      'Divide each row of o as the parallel form of torchscale does: by √Σ γ^(i-j), then by the sum of its absolute weights, held between 1 and 50 000. y and s hardly differ.',
  },
];

/** The decay of a head, counted from 0: γ = 1 - 2^(-5 - head) (Sun et al. 2023). */
export function retentionDecay(head: number): number {
  return 1 - 2 ** (-5 - head);
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): LinearProblem {
  const math = arithmetic(precision);
  const sizes = sizesOf(shape);
  const { heads, seqlen, headDim, headDimV } = sizes;
  const scale = math.round(numberOption(options, 'scale'));
  const ones = new Float64Array(seqlen * headDim).fill(1);
  const scales = new Float64Array(seqlen * headDim).fill(scale);
  return {
    math,
    sizes,
    causal: true,
    eps: null,
    head: (index) => ({
      q: inputPart(inputs.q, index, seqlen * headDim).map((value) => math.round(scale * value)),
      k: inputPart(inputs.k, index, seqlen * headDim),
      v: inputPart(inputs.v, index, seqlen * headDimV),
      qSlope: scales,
      kSlope: ones,
      s0: inputPart(inputs.s0, index, headDim * headDimV),
      z0: new Float64Array(headDim),
      decay: math.round(retentionDecay(index % heads)),
      decays: null,
    }),
  };
}

/**
 * What torchscale's parallel form multiplies row t of a head by (multiscale_retention.py): 1 / √Σ_j γ^(t-j), then one
 * over the sum of the absolute weights that this leaves, held between 1 and 50 000.
 */
function torchscaleFactor({ math, sizes }: LinearProblem, { q, k, decay }: LinearHead, t: number): number {
  const { headDim } = sizes;
  let decays = 0;
  let weights = 0;
  let power = 1;
  for (let j = t; j >= 0; j--) {
    decays = math.round(decays + power);
    weights = math.round(weights + power * Math.abs(math.dot(q, t * headDim, k, j * headDim, headDim)));
    power = math.round(power * decay);
  }
  const mask = math.round(1 / math.round(Math.sqrt(decays)));
  return math.round(mask / Math.min(Math.max(math.round(mask * weights), 1), 5e4));
}

/** Multiplies the computed rows of an output, or of the gradient of one, by torchscale's factors. */
function divideRows(problem: LinearProblem, values: Float64Array, rows: ArrayLike<number>): void {
  const { math, sizes } = problem;
  const { seqlen, headDimV } = sizes;
  let current = -1;
  let head: LinearHead | null = null;
  for (let place = 0; place < rows.length; place++) {
    const index = Math.floor(rows[place]! / seqlen);
    if (head === null || index !== current) head = problem.head(index);
    current = index;
    math.scale(values, place * headDimV, torchscaleFactor(problem, head, rows[place]! % seqlen), headDimV);
  }
}

function everyRow(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

function forward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { batch, heads, seqlen, headDimV } = problem.sizes;
  const normalize = switchOption(options, 'normalize');
  // The weights of a row, seqlen · headDim / 2 of work, against 2 · headDim · headDimV for its part in the state.
  const { o, s } = linearForward(problem, normalize ? budget / (1 + seqlen / (4 * headDimV)) : budget);
  const values = new Float64Array(o.values);
  if (normalize) divideRows(problem, values, o.rows ?? everyRow(batch * heads * seqlen));
  const y = rmsNorm(problem.math, values, headDimV, problem.math.round(numberOption(options, 'eps')));
  return { o: { ...o, values }, y: { ...o, values: y }, s };
}

/** The gradient that reaches the output of one head before rows are divided: do, and dy through the norm. */
function outputGradient(problem: LinearProblem, inputs: Inputs, options: Options, index: number): Float64Array {
  const { math, sizes } = problem;
  const { seqlen, headDimV } = sizes;
  const gradient = inputPart(inputs.do, index, seqlen * headDimV);
  const normalize = switchOption(options, 'normalize');
  const head = problem.head(index);
  const single: LinearProblem = { ...problem, sizes: { ...sizes, batch: 1, heads: 1 }, head: () => head };
  const rows = everyRow(seqlen);
  if (inputs.dy !== undefined) {
    const o = new Float64Array(linearForward(single, Infinity).o.values);
    if (normalize) divideRows(single, o, rows);
    const eps = math.round(numberOption(options, 'eps'));
    const through = rmsNormBackward(math, o, inputPart(inputs.dy, index, seqlen * headDimV), headDimV, eps);
    math.addScaled(gradient, 0, 1, through, 0, gradient.length);
  }
  // torchscale lets no gradient through what it divides by.
  if (normalize) divideRows(single, gradient, rows);
  return gradient;
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16, headDimV: 32 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  { name: 'exactly one tile of 16', shape: { heads: 2, seqlen: 16, headDim: 32 }, options: {} },
  {
    name: 'one above a tile of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: {},
  },
  { name: 'one below a tile of 32', shape: { heads: 2, seqlen: 31, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'one below a tile of 64', shape: { heads: 1, seqlen: 63, headDimV: 128 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 1, seqlen: 65, headDimV: 128 }, options: {} },
  { name: 'one below a tile of 128, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'one above a tile of 128, head of 96', shape: { heads: 1, seqlen: 129, headDim: 96 }, options: {} },
  { name: 'no multiple of any tile', shape: { heads: 2, seqlen: 100, headDim: 32 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  { name: 'heads no power of two', shape: { heads: 3, seqlen: 40, headDim: 16, headDimV: 20 }, options: {} },
  { name: 'many heads, slow ones among them', shape: { heads: 12, seqlen: 70, headDim: 16 }, options: {} },
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 70, headDim: 32 }, options: { scale: 2 } },
  { name: 'many tiles', shape: { heads: 1, seqlen: 300, headDim: 32, headDimV: 64 }, options: {} },
];

const decodeCases = decodeGrid({}, [
  { name: 'many heads, slow ones among them', shape: { heads: 12, seqlen: 4, headDim: 16 }, options: {} },
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: { scale: 2 } },
]);

function forwardComputation(
  direction: Direction,
  tensors: readonly TensorSpec[],
  cases: readonly GridCase[],
): Computation {
  return {
    direction,
    tensors,
    grid: cases,
    generate: (shape, _, seed) => normalInputs(tensors, shape, seed),
    reference: forward,
    flops: (shape) => stateFlops(shape, 2),
  };
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, _, seed) => normalInputs(backwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) => {
    const problem = problemOf(inputs, shape, options, precision);
    const { headDim, headDimV } = problem.sizes;
    const cotangents = (index: number): LinearCotangents => ({
      o: outputGradient(problem, inputs, options, index),
      s: inputPart(inputs.ds, index, headDim * headDimV),
      z: new Float64Array(headDim),
    });
    const { dq, dk, dv, ds0 } = linearBackward(problem, cotangents, budget);
    return { dq, dk, dv, ds0 };
  },
  // The states again, their gradients, and what dq, dk and dv read from them.
  flops: (shape) => stateFlops(shape, 5),
};

const dimensions = attentionDimensions(2048, ['headsKv', 'seqlenK']);

function operation(normalize: boolean): GoldenOperation {
  return {
    shape: goldenAttentionShape,
    options: ({ scale, eps }) => ({ ...goldenOption('scale', scale), ...goldenOption('eps', eps), normalize }),
  };
}

/** Retention (Sun et al. 2023): causal linear attention whose heads forget at rates that are fixed once for all models. */
export const retention: Mechanism = {
  id: 'retention',
  title: 'Retention',
  summary: 'S ← γ S + k vᵀ, o = scale · Sᵀ q, γ = 1 - 2^(-5-head): the token mixing of RetNet, with its norm as y.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: { normalize: false } },
  golden: { retention: operation(false), retnet_ts: operation(true) },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape) => prefixRanges(shape, true),
  parts: attentionParts,
  validate: (shape, options) => invalidCase(dimensions, optionSpecs, shape, options),
};
