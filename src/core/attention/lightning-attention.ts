import { arithmetic } from '../numerics/arithmetic.js';
import { decodeGrid } from './decode-grid.js';
import { scaledAttention } from './golden-operation.js';
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
  Shape,
  TensorSpec,
} from './mechanism.js';
import { choiceOption, numberOption, sizesOf } from './sizes.js';
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
  input('slopes', ['heads'], 'Decay of each head: a step multiplies the state by e^-slope. Zero or more.'),
  optionalInput('s0', stateDims, 'State before the first token.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  output('o', valueDims, forwardTolerance, 'Output.'),
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

const decodeTensors: readonly TensorSpec[] = [
  ...inputTensors.filter(({ required }) => required),
  input('s0', stateDims, 'State before the first of these tokens.'),
  output('o', valueDims, forwardTolerance, 'Output.'),
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'slopeKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['alibi', 'minimax', 'linear'],
    fallback: 'alibi',
    description: 'How the slopes of the heads are chosen: the original code, MiniMax-01, or TransNormerLLM eq. 10.',
  },
  { name: 'layer', onlyInputs: true, kind: 'number', fallback: 0, description: 'Layer the slopes belong to, from 0.' },
  { name: 'layers', onlyInputs: true, kind: 'number', fallback: 24, description: 'Layers of the model.' },
  { name: 'scale', kind: 'number', fallback: 1, description: 'Factor of the output.' },
];

function powerOfTwoSlopes(heads: number): readonly number[] {
  return Array.from({ length: heads }, (_, head) => 2 ** ((-8 * (head + 1)) / heads));
}

/** ALiBi slopes (Press et al. 2022); other head counts borrow every second slope of the next power of two. */
function alibiSlopes(heads: number): readonly number[] {
  const lower = 2 ** Math.floor(Math.log2(heads));
  const borrowed = powerOfTwoSlopes(2 * lower).filter((_, index) => index % 2 === 0);
  return [...powerOfTwoSlopes(lower), ...borrowed.slice(0, heads - lower)];
}

/**
 * The slope of every head: minus the natural logarithm of its decay. `alibi` follows the code of Lightning Attention,
 * `minimax` that of MiniMax-01, `linear` eq. 10 of the TransNormerLLM paper (whose head 0 never decays).
 */
export function lightningSlopes(kind: string, heads: number, layer: number, layers: number): Float32Array {
  switch (kind) {
    case 'minimax': {
      const factor = 1 - layer / (layers - 1 + 1e-5) + 1e-5;
      return Float32Array.from(powerOfTwoSlopes(heads), (slope) => slope * factor);
    }
    case 'linear':
      return Float32Array.from({ length: heads }, (_, head) => ((8 * head) / heads) * (1 - layer / layers));
    default: {
      const factor = 1 - (layers > 1 ? layer / (layers - 1) : 0) + 1e-5;
      return Float32Array.from(alibiSlopes(heads), (slope) => slope * factor);
    }
  }
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): LinearProblem {
  const math = arithmetic(precision);
  const sizes = sizesOf(shape);
  const { heads, seqlen, headDim, headDimV } = sizes;
  const scale = math.round(numberOption(options, 'scale'));
  const ones = new Float64Array(seqlen * headDim).fill(1);
  const scales = new Float64Array(seqlen * headDim).fill(scale);
  const slopes = inputs.slopes!;
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
      decay: math.round(Math.exp(-slopes[index % heads]!)),
      decays: null,
    }),
  };
}

function generate(names: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const inputs = normalInputs(names, shape, seed);
  const layer = numberOption(options, 'layer');
  const layers = numberOption(options, 'layers');
  inputs.slopes = lightningSlopes(choiceOption(options, 'slopeKind'), sizesOf(shape).heads, layer, layers);
  return inputs;
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  { name: 'exactly one tile of 16', shape: { heads: 2, seqlen: 16, headDim: 32 }, options: {} },
  {
    name: 'one above a tile of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: {},
  },
  { name: 'one below a tile of 32', shape: { heads: 2, seqlen: 31 }, options: {} },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33 }, options: {} },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below a tile of 128, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'one above a tile of 128, head of 96', shape: { heads: 1, seqlen: 129, headDim: 96 }, options: {} },
  { name: 'no multiple of any tile', shape: { heads: 2, seqlen: 100, headDim: 32 }, options: {} },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  { name: 'heads no power of two', shape: { heads: 3, seqlen: 40, headDim: 16 }, options: {} },
  {
    name: 'slopes of MiniMax in a middle layer',
    shape: { heads: 4, seqlen: 70, headDim: 16 },
    options: { slopeKind: 'minimax', layer: 12 },
  },
  { name: 'a head that never decays', shape: { heads: 4, seqlen: 70, headDim: 16 }, options: { slopeKind: 'linear' } },
  { name: 'last layer, scale 1/8', shape: { heads: 2, seqlen: 70, headDim: 32 }, options: { layer: 23, scale: 0.125 } },
  { name: 'many tiles', shape: { heads: 1, seqlen: 300 }, options: {} },
];

const decodeCases = decodeGrid({}, [
  { name: 'a head that never decays', shape: { heads: 4, seqlen: 4 }, options: { slopeKind: 'linear' } },
  {
    name: 'slopes of MiniMax in a middle layer',
    shape: { heads: 4, seqlen: 2, headDim: 16 },
    options: { slopeKind: 'minimax', layer: 12 },
  },
  { name: 'a scale of 1/8', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: { scale: 0.125 } },
]);

function forwardComputation(
  direction: 'forward' | 'decode',
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
    const gradients = linearBackward(problemOf(inputs, shape, options, precision), cotangents, budget);
    return { dq: gradients.dq, dk: gradients.dk, dv: gradients.dv, ds0: gradients.ds0 };
  },
  flops: (shape) => stateFlops(shape, 5),
};

const dimensions = attentionDimensions(2048, ['headsKv', 'seqlenK']);

/** Lightning Attention: causal linear attention with one decay for each head (Qin et al. 2024). */
export const lightningAttention: Mechanism = {
  id: 'lightning-attention',
  title: 'Lightning attention',
  summary: 'S ← e^-slope S + k vᵀ, o = scale · Sᵀ q: causal linear attention with one decay per head and no softmax.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: {} },
  golden: { lightning: scaledAttention },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape) => prefixRanges(shape, true),
  parts: attentionParts,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const layer = numberOption(options, 'layer');
    const layers = numberOption(options, 'layers');
    return Number.isInteger(layer) && Number.isInteger(layers) && layer >= 0 && layer < layers
      ? null
      : `layer is ${layer} of ${layers}: layers count from 0, so layer must be a whole number from 0 to layers - 1.`;
  },
};
