import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { decodeGrid } from './decode-grid.js';
import { goldenAttentionShape, goldenOption } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import { linearBackward, linearForward, type LinearCotangents, type LinearProblem } from './linear-recurrence.js';
import { prefixRanges } from './masks.js';
import type {
  Computation,
  Direction,
  GridCase,
  Inputs,
  Mechanism,
  Options,
  OptionSpec,
  Precision,
  Shape,
  TensorSpec,
} from './mechanism.js';
import { choiceOption, numberOption, sizesOf, switchOption } from './sizes.js';
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

const queryDims = ['batch', 'heads', 'seqlen', 'headDim'];
const keyDims = ['batch', 'heads', 'seqlenK', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlenK', 'headDimV'];
const outputDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const stateDims = ['batch', 'heads', 'headDim', 'headDimV'];
const sumDims = ['batch', 'heads', 'headDim'];

const inputTensors: readonly TensorSpec[] = [
  input('q', queryDims, 'Queries, before the feature map.'),
  input('k', keyDims, 'Keys, before the feature map.'),
  input('v', valueDims, 'Values.'),
  optionalInput('s0', stateDims, 'State before the first token: sum of feature(k) vᵀ of what came before.'),
  optionalInput('z0', sumDims, 'Sum of feature(k) of what came before.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  output('o', outputDims, forwardTolerance, 'Output.'),
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
  optionalOutput('z', sumDims, forwardTolerance, 'Sum of feature(k) after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', outputDims, 'Gradient of the output.'),
  optionalInput('ds', stateDims, 'Gradient of the final state.'),
  optionalInput('dz', sumDims, 'Gradient of the final sum of feature(k).'),
  output('dq', queryDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
  optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
  optionalOutput('dz0', sumDims, gradientTolerance, 'Gradient of the initial sum of feature(k).'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...inputTensors.filter(({ required }) => required),
  input('s0', stateDims, 'State before the first of these tokens: sum of feature(k) vᵀ of what came before.'),
  input('z0', sumDims, 'Sum of feature(k) of what came before.'),
  output('o', outputDims, forwardTolerance, 'Output.'),
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
  output('z', sumDims, forwardTolerance, 'Sum of feature(k) after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'causal', kind: 'boolean', fallback: true, description: 'A query sees no key after it.' },
  {
    name: 'feature',
    kind: 'choice',
    choices: ['identity', 'elu1', 'silu'],
    fallback: 'elu1',
    description: 'Map applied to every element of q and k: x, elu(x) + 1, or x · sigmoid(x).',
  },
  {
    name: 'normalize',
    kind: 'boolean',
    fallback: true,
    description: 'Divide by the sum of the weights, q · Σ k + eps.',
  },
  { name: 'scale', kind: 'number', fallback: 1, description: 'Factor of the mapped queries.' },
  { name: 'eps', kind: 'number', fallback: 1e-6, description: 'Added to the divisor where normalised.' },
];

/** A feature map: its value and its derivative. */
interface FeatureMap {
  readonly value: (x: number, math: Arithmetic) => number;
  readonly derivative: (x: number, math: Arithmetic) => number;
}

function sigmoid(x: number, math: Arithmetic): number {
  return math.round(1 / math.round(1 + math.round(Math.exp(-x))));
}

const featureMaps: Readonly<Record<string, FeatureMap>> = {
  identity: { value: (x) => x, derivative: () => 1 },
  elu1: {
    value: (x, math) => math.round(x > 0 ? x + 1 : Math.exp(x)),
    derivative: (x, math) => (x > 0 ? 1 : math.round(Math.exp(x))),
  },
  silu: {
    value: (x, math) => math.round(x * sigmoid(x, math)),
    derivative: (x, math) => {
      const gate = sigmoid(x, math);
      return math.round(gate * math.round(1 + math.round(x * math.round(1 - gate))));
    },
  },
};

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): LinearProblem {
  const math = arithmetic(precision);
  const sizes = sizesOf(shape);
  const { seqlen, seqlenK, headDim, headDimV } = sizes;
  const map = featureMaps[choiceOption(options, 'feature')]!;
  const scale = math.round(numberOption(options, 'scale'));
  return {
    math,
    sizes,
    causal: switchOption(options, 'causal'),
    eps: switchOption(options, 'normalize') ? math.round(numberOption(options, 'eps')) : null,
    head: (index) => {
      const q = inputPart(inputs.q, index, seqlen * headDim);
      const k = inputPart(inputs.k, index, seqlenK * headDim);
      return {
        q: q.map((x) => math.round(scale * map.value(x, math))),
        k: k.map((x) => map.value(x, math)),
        v: inputPart(inputs.v, index, seqlenK * headDimV),
        qSlope: q.map((x) => math.round(scale * map.derivative(x, math))),
        kSlope: k.map((x) => map.derivative(x, math)),
        s0: inputPart(inputs.s0, index, headDim * headDimV),
        z0: inputPart(inputs.z0, index, headDim),
        decay: 1,
        decays: null,
      };
    },
  };
}

/**
 * Normal values; but where the output is divided by a sum of weights, q, k and z0 are such that no weight is negative:
 * a divisor near zero would make every algorithm wrong, and a comparison say nothing.
 */
function generate(specs: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const normalize = switchOption(options, 'normalize');
  const positiveFeatures = choiceOption(options, 'feature') === 'elu1';
  const inputs = normalInputs(specs, shape, seed);
  if (!normalize) return inputs;
  for (const name of positiveFeatures ? ['z0'] : ['z0', 'q', 'k']) {
    const values = inputs[name];
    if (values !== undefined) inputs[name] = values.map(Math.abs);
  }
  return inputs;
}

const plain: Options = { normalize: false };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
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
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  {
    name: 'not causal, more keys than queries',
    shape: { heads: 2, seqlen: 20, seqlenK: 50, headDim: 16 },
    options: { causal: false },
  },
  {
    name: 'not causal, more queries than keys',
    shape: { heads: 2, seqlen: 67, seqlenK: 33, headDim: 32 },
    options: { causal: false },
  },
  {
    name: 'identity without divisor, scale 1/8',
    shape: { heads: 2, seqlen: 70 },
    options: { ...plain, feature: 'identity', scale: 0.125 },
  },
  {
    name: 'silu without divisor',
    shape: { heads: 2, seqlen: 70, headDim: 32 },
    options: { ...plain, feature: 'silu' },
  },
  {
    name: 'silu without divisor, not causal',
    shape: { heads: 2, seqlen: 24, headDim: 32 },
    options: { ...plain, feature: 'silu', causal: false },
  },
  { name: 'elu1 without divisor', shape: { heads: 2, seqlen: 40, headDim: 32 }, options: plain },
  { name: 'a large eps and scale', shape: { heads: 2, seqlen: 40, headDim: 16 }, options: { eps: 10, scale: 0.5 } },
  { name: 'many tiles, no multiple of any', shape: { heads: 1, seqlen: 300 }, options: {} },
];

const decodeCases = decodeGrid({}, [
  { name: 'elu1 without divisor', shape: { heads: 2, seqlen: 4, headDim: 32 }, options: plain },
  {
    name: 'silu without divisor',
    shape: { heads: 2, seqlen: 4, headDim: 32 },
    options: { ...plain, feature: 'silu' },
  },
  {
    name: 'identity without divisor, scale 1/8',
    shape: { heads: 2, seqlen: 2 },
    options: { ...plain, feature: 'identity', scale: 0.125 },
  },
  { name: 'silu with divisor', shape: { heads: 2, seqlen: 3, headDim: 16 }, options: { feature: 'silu' } },
  { name: 'a large eps and scale', shape: { heads: 2, seqlen: 4, headDim: 16 }, options: { eps: 10, scale: 0.5 } },
]);

/** Multiply-adds of the readout (queries) and of the update (keys), as the recurrence asks for. */
function stateFlops(shape: Shape, perQuery: number, perKey: number): number {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = sizesOf(shape);
  return 2 * batch * heads * headDim * headDimV * (perQuery * seqlen + perKey * seqlenK);
}

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
    reference: (inputs, shape, options, precision, budget) => ({
      ...linearForward(problemOf(inputs, shape, options, precision), budget),
    }),
    flops: (shape) => stateFlops(shape, 1, 1),
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
      z: inputPart(inputs.dz, index, headDim),
    });
    const problem = problemOf(inputs, shape, options, precision);
    const { dq, dk, dv, ds0, dz0 } = linearBackward(problem, cotangents, budget);
    return { dq, dk, dv, ds0, dz0 };
  },
  flops: (shape) => stateFlops(shape, 2, 3),
};

const dimensions = attentionDimensions(2048, ['headsKv']);

/** Kernelised linear attention (Katharopoulos et al. 2020), by left or right product, normalised or not. */
export const linearAttention: Mechanism = {
  id: 'linear-attention',
  title: 'Linear attention',
  summary: 'o = φ(q) (φ(k)ᵀ v) over φ(q) · Σ φ(k): a feature map in place of the softmax, linear in the tokens.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: { states: { s: 's0', z: 'z0' }, tokens: ['seqlen', 'seqlenK'], options: { causal: true } },
  golden: {
    linattn: {
      shape: goldenAttentionShape,
      options: ({ causal, scale, feature, denom }) => {
        const [kind, eps] = Array.isArray(denom) ? (denom as readonly unknown[]) : [];
        return {
          causal: causal === true,
          normalize: kind === 'add',
          ...goldenOption('feature', feature),
          ...goldenOption('scale', scale),
          ...(kind === 'add' ? goldenOption('eps', eps) : {}),
        };
      },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape, options) => prefixRanges(shape, switchOption(options, 'causal')),
  parts: attentionParts,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { seqlen, seqlenK } = sizesOf(shape);
    return !switchOption(options, 'causal') || seqlen === seqlenK
      ? null
      : `seqlen is ${seqlen} and seqlenK is ${seqlenK}: causal linear attention reads each query's state after its own key, so both must be equal (or causal false).`;
  },
};
