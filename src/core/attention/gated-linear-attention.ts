import { arithmetic } from '../numerics/arithmetic.js';
import { decodeGrid } from './decode-grid.js';
import { goldenAttentionShape, scaledAttention } from './golden-operation.js';
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
import { choiceOption, numberOption, sizesOf } from './sizes.js';
import {
  attentionDimensions,
  attentionParts,
  caseScalars,
  forwardTolerance,
  gateGradientTolerance,
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
const gateDims = ['batch', 'heads', 'seqlen', 'gateDim'];
const stateDims = ['batch', 'heads', 'headDim', 'headDimV'];

const tokenTensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
  input('g', gateDims, 'Gates: natural logarithms of the decays, zero or less.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  output('o', valueDims, forwardTolerance, 'Output.'),
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  input('do', valueDims, 'Gradient of the output.'),
  optionalInput('ds', stateDims, 'Gradient of the final state.'),
  output('dq', keyDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
  output('dg', gateDims, gateGradientTolerance, 'Gradient of the gates.'),
  optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  input('s0', stateDims, 'State before the first of these tokens.'),
  output('o', valueDims, forwardTolerance, 'Output.'),
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'gateKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['tau16', 'tau1', 'strong', 'mixed', 'zero'],
    fallback: 'tau16',
    description:
      'Which gates the comparison feeds: logsigmoid(x) / 16 as in the paper, logsigmoid(x), ten times that, a mixture of none, weak and strong, or none.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => (shape.headDim ?? 1) ** -0.5,
    description: 'Factor of the output.',
  },
];

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): LinearProblem {
  const math = arithmetic(precision);
  const sizes = sizesOf(shape);
  const { seqlen, headDim, headDimV } = sizes;
  const gateDim = shape.gateDim!;
  const scale = math.round(numberOption(options, 'scale'));
  const ones = new Float64Array(seqlen * headDim).fill(1);
  const scales = new Float64Array(seqlen * headDim).fill(scale);
  const head = (index: number): LinearHead => {
    const gates = inputPart(inputs.g, index, seqlen * gateDim);
    return {
      q: inputPart(inputs.q, index, seqlen * headDim).map((value) => math.round(scale * value)),
      k: inputPart(inputs.k, index, seqlen * headDim),
      v: inputPart(inputs.v, index, seqlen * headDimV),
      qSlope: scales,
      kSlope: ones,
      s0: inputPart(inputs.s0, index, headDim * headDimV),
      z0: new Float64Array(headDim),
      decay: 1,
      decays: Float64Array.from(ones, (_, at) => {
        const channel = at % headDim;
        const gate = gates[((at - channel) / headDim) * gateDim + Math.min(channel, gateDim - 1)]!;
        return math.round(Math.exp(gate));
      }),
    };
  };
  return { math, sizes, causal: true, eps: null, head };
}

/** The gradient of each gate: where one stands for all channels of a head, the sum of theirs. */
function gateGradient(dg: ReferenceTensor, shape: Shape, { math, sizes: { headDim } }: LinearProblem): ReferenceTensor {
  if (shape.gateDim === headDim) return dg;
  const ones = new Float64Array(headDim).fill(1);
  const rows = dg.values.length / headDim;
  const channels = new Float64Array(dg.values);
  const values = Float64Array.from({ length: rows }, (_, row) => math.dot(channels, row * headDim, ones, 0, headDim));
  return { ...dg, dims: [...dg.dims.slice(0, -1), 1], values };
}

/** Minus softplus: the logarithm of the logistic function. */
function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

/** Gates of a kind from normal values, rounded to float32. */
function gatesOf(kind: string, normal: Float32Array): Float32Array {
  switch (kind) {
    case 'zero':
      return new Float32Array(normal.length);
    case 'tau1':
      return normal.map(logSigmoid);
    case 'strong':
      return normal.map((x) => 10 * logSigmoid(x));
    case 'mixed':
      // Widths are multiples of four, so that each channel meets all three kinds in turn.
      return normal.map((x, at) => logSigmoid(x) * [0, 1 / 16, 40][at % 3]!);
    default:
      return normal.map((x) => logSigmoid(x) / 16);
  }
}

function generate(specs: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  inputs.g = gatesOf(choiceOption(options, 'gateKind'), inputs.g!);
  return inputs;
}

const tau1: Options = { gateKind: 'tau1' };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a block of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: tau1 },
  { name: 'exactly one block of 16', shape: { heads: 2, seqlen: 16, headDim: 32 }, options: tau1 },
  {
    name: 'one above a block of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: tau1,
  },
  { name: 'one below a tile of 32', shape: { heads: 2, seqlen: 31 }, options: {} },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33, headDim: 32 }, options: tau1 },
  { name: 'one below a chunk of 64', shape: { heads: 2, seqlen: 63, headDim: 32 }, options: {} },
  { name: 'exactly one chunk of 64', shape: { heads: 2, seqlen: 64, headDim: 16 }, options: {} },
  { name: 'one above a chunk of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below two chunks, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'one above two chunks, head of 96', shape: { heads: 1, seqlen: 129, headDim: 96 }, options: tau1 },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: tau1 },
  { name: 'heads no power of two', shape: { heads: 3, seqlen: 40, headDim: 16 }, options: {} },
  {
    name: 'gates that forget within a few tokens',
    shape: { heads: 2, seqlen: 100, headDim: 16 },
    options: { gateKind: 'strong' },
  },
  {
    name: 'gates of no, of weak and of strong decay',
    shape: { heads: 2, seqlen: 100, headDim: 32 },
    options: { gateKind: 'mixed' },
  },
  { name: 'gates that forget nothing', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { gateKind: 'zero' } },
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { scale: 2 } },
  { name: 'one gate per head', shape: { heads: 2, seqlen: 70, headDim: 32, gateDim: 1 }, options: tau1 },
  { name: 'many chunks, no multiple of any', shape: { heads: 1, seqlen: 300, headDim: 32 }, options: {} },
];

const decodeCases = decodeGrid(tau1, [
  { name: 'gates of the usual strength', shape: { heads: 2, seqlen: 4 }, options: {} },
  { name: 'gates that forget at once', shape: { heads: 2, seqlen: 4 }, options: { gateKind: 'strong' } },
  { name: 'gates of every kind', shape: { heads: 2, seqlen: 4, headDim: 32 }, options: { gateKind: 'mixed' } },
  { name: 'gates that forget nothing', shape: { heads: 2, seqlen: 4 }, options: { gateKind: 'zero' } },
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: { scale: 2 } },
  { name: 'one gate per head', shape: { heads: 2, seqlen: 3, headDim: 32, gateDim: 1 }, options: tau1 },
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
    generate: (shape, options, seed) => generate(tensors, shape, options, seed),
    reference: (inputs, shape, options, precision, budget) => {
      const { o, s } = linearForward(problemOf(inputs, shape, options, precision), budget);
      return { o, s };
    },
    flops: (shape) => stateFlops(shape, 2),
  };
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, options, seed) => generate(backwardTensors, shape, options, seed),
  reference: (inputs, shape, options, precision, budget) => {
    const { seqlen, headDim, headDimV } = sizesOf(shape);
    const cotangents = (index: number): LinearCotangents => ({
      o: inputPart(inputs.do, index, seqlen * headDimV),
      s: inputPart(inputs.ds, index, headDim * headDimV),
      z: new Float64Array(headDim),
    });
    const problem = problemOf(inputs, shape, options, precision);
    const { dq, dk, dv, dg, ds0 } = linearBackward(problem, cotangents, budget);
    return { dq, dk, dv, dg: gateGradient(dg!, shape, problem), ds0 };
  },
  // The states again, their gradients, and what dq, dk and dv read from them; dg follows from dq and dk.
  flops: (shape) => stateFlops(shape, 5),
};

const dimensions = [
  ...attentionDimensions(2048, ['headsKv', 'seqlenK']),
  {
    name: 'gateDim',
    fallback: 'headDim',
    description: 'Gates of a head and token: headDim (one for each key channel), or 1 (one for all of them).',
  },
];

/** One gate for each head comes without an axis of channels. */
const gatedOperation: GoldenOperation = {
  ...scaledAttention,
  shape: (inputs) => ({ ...goldenAttentionShape(inputs), gateDim: inputs.g?.[3] ?? 1 }),
};

/**
 * Gated Linear Attention (Yang et al. 2023), whose gates decay each key channel of the state by itself, and its simple
 * form with one gate for each head. Not Grouped Latent Attention, which is called GLA too.
 */
export const gatedLinearAttention: Mechanism = {
  id: 'gated-linear-attention',
  title: 'Gated Linear Attention',
  summary:
    'S ← diag(e^g) S + k vᵀ, o = scale · Sᵀ q: causal linear attention whose gates decay the state token by token. The GLA of Yang et al., not Grouped Latent Attention.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: {} },
  golden: { gla: gatedOperation, sgla: gatedOperation },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape) => prefixRanges(shape, true),
  parts: attentionParts,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { headDim, gateDim } = shape;
    return gateDim === headDim || gateDim === 1
      ? null
      : `gateDim is ${gateDim ?? 'missing'} and headDim is ${headDim ?? 'missing'}: a token has a gate for each key channel (gateDim as headDim) or one for all (gateDim 1).`;
  },
};
