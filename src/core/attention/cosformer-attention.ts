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

const queryDims = ['batch', 'heads', 'seqlen', 'headDim'];
const keyDims = ['batch', 'heads', 'seqlenK', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlenK', 'headDimV'];
const outputDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const stateDims = ['batch', 'heads', 'waves', 'headDim', 'headDimV'];
const sumDims = ['batch', 'heads', 'waves', 'headDim'];

const tokenTensors: readonly TensorSpec[] = [
  input('q', queryDims, 'Queries, before the rectifier.'),
  input('k', keyDims, 'Keys, before the rectifier.'),
  input('v', valueDims, 'Values.'),
  optionalInput('angles', ['maxSeqlen', 'waves'], 'Sine and cosine of the angle of each position, from float64.'),
];

const stateTensors: readonly TensorSpec[] = [
  optionalInput('s0', stateDims, 'State before the first token: sum of k sin a and of k cos a, with v.'),
  optionalInput('z0', sumDims, 'Sum of k sin a and of k cos a of what came before.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  ...stateTensors,
  output('o', outputDims, forwardTolerance, 'Output.'),
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
  optionalOutput('z', sumDims, forwardTolerance, 'Sum of the keys after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  input('do', outputDims, 'Gradient of the output.'),
  output('dq', queryDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  ...stateTensors.map((spec) => ({ ...spec, required: true })),
  output('o', outputDims, forwardTolerance, 'Output.'),
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
  output('z', sumDims, forwardTolerance, 'Sum of the keys after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'causal', kind: 'boolean', fallback: true, description: 'A query sees no key after it.' },
  { name: 'eps', kind: 'number', fallback: 1e-6, description: 'The least divisor: a smaller one is raised to it.' },
  { name: 'offset', kind: 'number', fallback: 0, description: 'Tokens before the first, of which the state tells.' },
];

/**
 * Sine and cosine of π i / (2 · maxSeqlen) for the positions i from 1 to maxSeqlen, [maxSeqlen, 2] in float64. WGSL's own
 * may be off by 2^-11.
 */
export function cosformerAngles(maxSeqlen: number): Float64Array {
  const angles = new Float64Array(2 * maxSeqlen);
  for (let position = 1; position <= maxSeqlen; position++) {
    const angle = (Math.PI * position) / (2 * maxSeqlen);
    angles[2 * position - 2] = Math.sin(angle);
    angles[2 * position - 1] = Math.cos(angle);
  }
  return angles;
}

/** Rows [r(x) sin a, r(x) cos a] of twice the width, r(x) = max(x, 0), or the derivatives of r(x) alike. */
function wavesOf(
  x: Float64Array,
  headDim: number,
  angles: Float64Array,
  offset: number,
  ofElement: (x: number) => number,
): Float64Array {
  return Float64Array.from({ length: 2 * x.length }, (_, at) => {
    const t = Math.floor(at / (2 * headDim));
    const column = at % (2 * headDim);
    const angle = angles[2 * (offset + t) + (column < headDim ? 0 : 1)]!;
    return ofElement(x[t * headDim + (column % headDim)]!) * angle;
  });
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): LinearProblem {
  const math = arithmetic(precision);
  const { seqlen, seqlenK, headDim, headDimV, ...counts } = sizesOf(shape);
  const angles = cosformerAngles(shape.maxSeqlen!).map((value) => math.round(value));
  const offset = numberOption(options, 'offset');
  const rectified = (x: Float64Array): Float64Array =>
    wavesOf(x, headDim, angles, offset, (value) => Math.max(value, 0)).map((value) => math.round(value));
  const slopes = (x: Float64Array): Float64Array => wavesOf(x, headDim, angles, offset, (value) => (value > 0 ? 1 : 0));
  const head = (index: number): LinearHead => {
    const q = inputPart(inputs.q, index, seqlen * headDim);
    const k = inputPart(inputs.k, index, seqlenK * headDim);
    return {
      q: rectified(q),
      k: rectified(k),
      v: inputPart(inputs.v, index, seqlenK * headDimV),
      qSlope: slopes(q),
      kSlope: slopes(k),
      s0: inputPart(inputs.s0, index, 2 * headDim * headDimV),
      z0: inputPart(inputs.z0, index, 2 * headDim),
      decay: 1,
      decays: null,
    };
  };
  return {
    math,
    sizes: { ...counts, seqlen, seqlenK, headDim: 2 * headDim, headDimV },
    causal: switchOption(options, 'causal'),
    eps: math.round(numberOption(options, 'eps')),
    clamp: true,
    head,
  };
}

/** A gradient by both waves of each row, [.., 2 · headDim], as the gradient of the row they were made from. */
function sumOfWaves(d: ReferenceTensor, { math }: LinearProblem): ReferenceTensor {
  const width = d.dims.at(-1)! / 2;
  const values = Float64Array.from({ length: d.values.length / 2 }, (_, at) => {
    const first = Math.floor(at / width) * 2 * width + (at % width);
    return math.round(d.values[first]! + d.values[first + width]!);
  });
  return { ...d, dims: [...d.dims.slice(0, -1), width], values };
}

/** The axis of 2 · headDim of a state or of a sum of keys as the two axes waves and headDim. */
function splitWaves(tensor: ReferenceTensor, shape: Shape): ReferenceTensor {
  const [batch = 1, heads = 1, , ...rest] = tensor.dims;
  const dims = [batch, heads, 2, shape.headDim!, ...rest];
  // The rows of a state keep their numbers; a row of a sum becomes two.
  const rows =
    rest.length > 0 || tensor.rows === null
      ? tensor.rows
      : Uint32Array.from(Array.from(tensor.rows).flatMap((row) => [2 * row, 2 * row + 1]));
  return { ...tensor, dims, rows };
}

/** Normal values, but for the angles; sums of keys are not negative, because rectified keys are not. */
function generate(specs: readonly TensorSpec[], shape: Shape, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  if (inputs.z0 !== undefined) inputs.z0 = inputs.z0.map(Math.abs);
  inputs.angles = Float32Array.from(cosformerAngles(shape.maxSeqlen!));
  return inputs;
}

const full: Options = { causal: false };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  {
    name: 'one above a tile of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: {},
  },
  { name: 'one below a tile of 32', shape: { heads: 2, seqlen: 31, headDim: 32 }, options: {} },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33 }, options: {} },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63, headDim: 16 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64, headDim: 32 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65, headDim: 32 }, options: {} },
  { name: 'head of 128', shape: { heads: 1, seqlen: 70, headDim: 128, headDimV: 32 }, options: {} },
  { name: 'head of 96', shape: { heads: 1, seqlen: 40, headDim: 96 }, options: {} },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 16, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  {
    name: 'not causal, more keys than queries',
    shape: { heads: 2, seqlen: 20, seqlenK: 50, headDim: 16 },
    options: full,
  },
  {
    name: 'not causal, more queries than keys',
    shape: { heads: 2, seqlen: 67, seqlenK: 33, headDim: 32, maxSeqlen: 67 },
    options: full,
  },
  {
    name: 'angles of a longer sequence, and tokens before',
    shape: { heads: 2, seqlen: 40, headDim: 32, maxSeqlen: 200 },
    options: { offset: 77 },
  },
  { name: 'a least divisor that many reach', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { eps: 100 } },
  { name: 'many tiles, no multiple of any', shape: { heads: 1, seqlen: 300, headDim: 32 }, options: {} },
];

/** The decode cases are steps of a sequence of at most 64 tokens, the first of them the eleventh. */
const decodeCases = decodeGrid({ offset: 10 }, [
  { name: 'the first token', shape: { heads: 2, seqlen: 1, headDim: 32 }, options: {} },
  { name: 'the last tokens', shape: { heads: 2, seqlen: 4, headDim: 32 }, options: { offset: 60 } },
  { name: 'a least divisor above all', shape: { heads: 2, seqlen: 3, headDim: 16 }, options: { eps: 1000 } },
]).map((theCase) => ({ ...theCase, shape: { ...theCase.shape, maxSeqlen: 64 } }));

/** Multiply-adds of the readout (queries) and of the update (keys) on a state of 2 · headDim × headDimV. */
function stateFlops(shape: Shape, perQuery: number, perKey: number): number {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = sizesOf(shape);
  return 4 * batch * heads * headDim * headDimV * (perQuery * seqlen + perKey * seqlenK);
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
    generate: (shape, _options, seed) => generate(tensors, shape, seed),
    reference: (inputs, shape, options, precision, budget) => {
      const { o, s, z } = linearForward(problemOf(inputs, shape, options, precision), budget);
      return { o, s: splitWaves(s, shape), z: splitWaves(z, shape) };
    },
    flops: (shape) => stateFlops(shape, 1, 1),
  };
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, _options, seed) => generate(backwardTensors, shape, seed),
  reference: (inputs, shape, options, precision, budget) => {
    const problem = problemOf(inputs, shape, options, precision);
    const { seqlen, headDim: width, headDimV } = problem.sizes;
    const cotangents = (index: number): LinearCotangents => ({
      o: inputPart(inputs.do, index, seqlen * headDimV),
      s: new Float64Array(width * headDimV),
      z: new Float64Array(width),
    });
    const { dq, dk, dv } = linearBackward(problem, cotangents, budget);
    return { dq: sumOfWaves(dq, problem), dk: sumOfWaves(dk, problem), dv };
  },
  flops: (shape) => stateFlops(shape, 2, 3),
};

const dimensions = [
  ...attentionDimensions(2048, ['headsKv']),
  {
    name: 'maxSeqlen',
    fallback: 'seqlenK',
    description:
      'Tokens over which the cosine falls to zero: those of the sequence, or where it grows the most it may get.',
  },
  { name: 'waves', fallback: 2, description: 'Sine and cosine: 2.' },
];

/** cosFormer (Qin et al. 2022): linear attention of rectified queries and keys, weighed by the cosine of their distance. */
export const cosformerAttention: Mechanism = {
  id: 'cosformer-attention',
  title: 'cosFormer attention',
  summary:
    'o = Σ r(q) · r(k) cos(π (i - j) / 2m) v over the sum of the weights: linear attention that favours near keys, by two waves.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: {
    states: { s: 's0', z: 'z0' },
    tokens: ['seqlen', 'seqlenK'],
    options: { causal: true },
    optionsAfter: (options, before) => ({ ...options, offset: numberOption(options, 'offset') + before }),
  },
  golden: {
    cosformer: {
      shape: (inputs) => {
        const shape = goldenAttentionShape(inputs);
        return { ...shape, maxSeqlen: Math.max(shape.seqlen!, shape.seqlenK!) };
      },
      options: ({ causal, eps }) => ({ ...goldenOption('causal', causal), ...goldenOption('eps', eps) }),
      inputs: ({ maxSeqlen }) => ({ angles: Float32Array.from(cosformerAngles(maxSeqlen!)) }),
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape, options) => prefixRanges(shape, switchOption(options, 'causal')),
  parts: { ...attentionParts, featureDim: ({ headDim = 1, waves = 2 }) => waves * headDim },
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { seqlen, seqlenK } = sizesOf(shape);
    const { maxSeqlen = 0, waves = 0 } = shape;
    const offset = numberOption(options, 'offset');
    if (waves !== 2) return `waves is ${waves}, and must be 2: a sine and a cosine.`;
    if (!Number.isInteger(offset) || offset < 0)
      return `offset is ${offset}, and must be a whole number of zero or more.`;
    if (offset + Math.max(seqlen, seqlenK) > maxSeqlen)
      return `maxSeqlen is ${maxSeqlen} and the last token has the position ${offset + Math.max(seqlen, seqlenK)}: raise maxSeqlen.`;
    return !switchOption(options, 'causal') || seqlen === seqlenK
      ? null
      : `seqlen is ${seqlen} and seqlenK is ${seqlenK}: causal linear attention reads each query's state after its own key, so both must be equal (or causal false).`;
  },
};
