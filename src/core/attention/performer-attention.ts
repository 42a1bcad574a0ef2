import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
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
  GridCase,
  Inputs,
  Mechanism,
  Options,
  OptionSpec,
  Precision,
  ReferenceTensor,
  Shape,
  TensorSpec,
  Tolerance,
} from './mechanism.js';
import { choiceOption, numberOption, sizesOf, switchOption } from './sizes.js';
import {
  attentionDimensions,
  attentionParts,
  caseScalars,
  gradientTolerance,
  input,
  invalidCase,
  optionalOutput,
  output,
} from './specs.js';

const queryDims = ['batch', 'heads', 'seqlen', 'headDim'];
const keyDims = ['batch', 'heads', 'seqlenK', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlenK', 'headDimV'];
const outputDims = ['batch', 'heads', 'seqlen', 'headDimV'];

/** Features are exponentials of differences, which a float32 knows less well than sums of products. */
const featureTolerance: Tolerance = { kind: 'ratio', bound: 5e-5 };

const inputTensors: readonly TensorSpec[] = [
  input('q', queryDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
  input(
    'projection',
    ['featureDim', 'headDim'],
    'Random directions that queries and keys are projected on, one a row.',
  ),
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  output('o', outputDims, featureTolerance, 'Output.'),
  optionalOutput('qp', ['batch', 'heads', 'seqlen', 'featureDim'], featureTolerance, 'Features of the queries.'),
  optionalOutput('kp', ['batch', 'heads', 'seqlenK', 'featureDim'], featureTolerance, 'Features of the keys.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', outputDims, 'Gradient of the output.'),
  output('dq', queryDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'causal', kind: 'boolean', fallback: true, description: 'A query sees no key after it.' },
  {
    name: 'projectionKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['orthogonal', 'sphere', 'iid'],
    fallback: 'orthogonal',
    description:
      'Which directions the comparison feeds: orthogonal ones as long as normal vectors are, orthogonal ones of length headDim^1/2, or independent normal vectors.',
  },
  {
    name: 'eps',
    kind: 'number',
    fallback: 1e-6,
    description: 'Added to each exponential, so that no feature is zero.',
  },
];

/**
 * Directions as FAVOR+ draws them, [featureDim, headDim]: blocks of headDim orthonormal rows, from normal vectors by
 * Gram and Schmidt, each row then as long as another normal vector is (`orthogonal`) or headDim^1/2 (`sphere`); or the
 * normal vectors themselves (`iid`).
 */
export function performerProjection(kind: string, featureDim: number, headDim: number, seed: number): Float32Array {
  const normal = normalValues(featureDim * headDim, seed, 'projection');
  if (kind === 'iid') return normal;
  const math = arithmetic('f64');
  const rows = new Float64Array(normal);
  const lengths = new Float64Array(normalValues(featureDim * headDim, seed, 'projection lengths'));
  for (let row = 0; row < featureDim; row++) {
    const at = row * headDim;
    for (let other = row - (row % headDim); other < row; other++) {
      math.addScaled(rows, at, -math.dot(rows, at, rows, other * headDim, headDim), rows, other * headDim, headDim);
    }
    math.scale(rows, at, 1 / Math.sqrt(math.dot(rows, at, rows, at, headDim)), headDim);
  }
  for (let row = 0; row < featureDim; row++) {
    const at = row * headDim;
    const length = kind === 'sphere' ? Math.sqrt(headDim) : Math.sqrt(math.dot(lengths, at, lengths, at, headDim));
    math.scale(rows, at, length, headDim);
  }
  return new Float32Array(rows);
}

/** What features are made of: the same for all heads of a case. */
interface Projection {
  readonly math: Arithmetic;
  readonly rows: Float64Array;
  readonly headDim: number;
  readonly featureDim: number;
  readonly eps: number;
}

/** The features of the tokens of a head, and their exponentials without eps. */
interface Features {
  /** φ(x), [tokens, featureDim]. */
  readonly values: Float64Array;
  /** featureDim^-1/2 · exp(u - |x̂|²/2 - c), the derivative of φ(x)_j by u_j, alike. */
  readonly slopes: Float64Array;
  /** x̂ = headDim^-1/4 · x, [tokens, headDim]. */
  readonly scaled: Float64Array;
}

/**
 * φ(x)_j = featureDim^-1/2 (exp(u_j - |x̂|²/2 - c) + eps) with x̂ = headDim^-1/4 x and u = W x̂ (Choromanski et al. 2021).
 * c keeps the exponent at zero or less: the largest u of a query's own features, or of all features of all keys of a head.
 */
function featuresOf(x: Float64Array, { math, rows, headDim, featureDim, eps }: Projection, keys: boolean): Features {
  const tokens = x.length / headDim;
  const factor = math.round(headDim ** -0.25);
  const scaled = x.map((value) => math.round(factor * value));
  const exponents = new Float64Array(tokens * featureDim);
  const largest = new Float64Array(tokens).fill(-Infinity);
  for (let t = 0; t < tokens; t++) {
    const half = math.round(math.dot(scaled, t * headDim, scaled, t * headDim, headDim) / 2);
    for (let j = 0; j < featureDim; j++) {
      const u = math.dot(scaled, t * headDim, rows, j * headDim, headDim);
      largest[t] = Math.max(largest[t]!, u);
      exponents[t * featureDim + j] = math.round(u - half);
    }
  }
  const ofAll = largest.reduce((a, b) => Math.max(a, b), -Infinity);
  const size = math.round(featureDim ** -0.5);
  const exponentials = exponents.map((exponent, at) => {
    const c = keys ? ofAll : largest[Math.floor(at / featureDim)]!;
    return math.round(Math.exp(math.round(exponent - c)));
  });
  return {
    values: exponentials.map((value) => math.round(size * math.round(value + eps))),
    slopes: exponentials.map((value) => math.round(size * value)),
    scaled,
  };
}

/**
 * The gradient of the tokens of a head from that of their features; c counts as a constant, as in the published code:
 * dx = headDim^-1/4 ((t W) - (Σ_j t_j) x̂) with t_j = dφ_j · slope_j.
 */
function tokenGradients(
  dFeatures: Float64Array,
  { slopes, scaled }: Features,
  { math, rows, headDim, featureDim }: Projection,
): Float64Array {
  const factor = math.round(headDim ** -0.25);
  const gradients = new Float64Array(scaled.length);
  for (let t = 0; t < scaled.length / headDim; t++) {
    let sum = 0;
    for (let j = 0; j < featureDim; j++) {
      const weight = math.round(dFeatures[t * featureDim + j]! * slopes[t * featureDim + j]!);
      sum = math.round(sum + weight);
      math.addScaled(gradients, t * headDim, weight, rows, j * headDim, headDim);
    }
    math.addScaled(gradients, t * headDim, -sum, scaled, t * headDim, headDim);
    math.scale(gradients, t * headDim, factor, headDim);
  }
  return gradients;
}

/** A case as linear attention over features, and the features of each head. */
interface Performer {
  readonly problem: LinearProblem;
  readonly projection: Projection;
  readonly queries: (head: number) => Features;
  readonly keys: (head: number) => Features;
}

function performerOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): Performer {
  const math = arithmetic(precision);
  const { seqlen, seqlenK, headDim, headDimV, ...counts } = sizesOf(shape);
  const featureDim = shape.featureDim!;
  const rows = new Float64Array(inputs.projection!);
  const projection = { math, rows, headDim, featureDim, eps: math.round(numberOption(options, 'eps')) };
  const queries = (head: number): Features =>
    featuresOf(inputPart(inputs.q, head, seqlen * headDim), projection, false);
  const keys = (head: number): Features => featuresOf(inputPart(inputs.k, head, seqlenK * headDim), projection, true);
  const head = (index: number): LinearHead => ({
    q: queries(index).values,
    k: keys(index).values,
    v: inputPart(inputs.v, index, seqlenK * headDimV),
    qSlope: new Float64Array(seqlen * featureDim).fill(1),
    kSlope: new Float64Array(seqlenK * featureDim).fill(1),
    s0: new Float64Array(featureDim * headDimV),
    z0: new Float64Array(featureDim),
    decay: 1,
    decays: null,
  });
  const sizes = { ...counts, seqlen, seqlenK, headDim: featureDim, headDimV };
  const problem = { math, sizes, causal: switchOption(options, 'causal'), eps: 0, head };
  return { problem, projection, queries, keys };
}

/** Rows of features, or of gradients through them, head by head: all of them, or those of the same heads as `like`. */
function byHead(
  like: ReferenceTensor,
  tokens: number,
  width: number,
  valuesOf: (head: number, place: number) => Float64Array,
): ReferenceTensor {
  const heads =
    like.rows === null
      ? Array.from({ length: like.dims[0]! * like.dims[1]! }, (_, head) => head)
      : [...new Set(Array.from(like.rows, (row) => Math.floor(row / tokens)))];
  const values = new Float64Array(heads.length * tokens * width);
  heads.forEach((head, place) => values.set(valuesOf(head, place), place * tokens * width));
  return { dims: [...like.dims.slice(0, -1), width], rows: like.rows, values, exactRows: null };
}

function generate(specs: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  const kind = choiceOption(options, 'projectionKind');
  inputs.projection = performerProjection(kind, shape.featureDim!, shape.headDim!, seed);
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
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33, headDim: 32, featureDim: 64 }, options: {} },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63, headDim: 16 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64, headDim: 16, featureDim: 24 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65, headDim: 16, featureDim: 40 }, options: {} },
  { name: 'head of 128', shape: { heads: 1, seqlen: 40, headDim: 128, headDimV: 64, featureDim: 64 }, options: {} },
  { name: 'head of 96, fewer features', shape: { heads: 1, seqlen: 40, headDim: 96, featureDim: 32 }, options: {} },
  {
    name: 'more features than a chunk has tokens',
    shape: { heads: 1, seqlen: 70, headDim: 16, featureDim: 132 },
    options: {},
  },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 16, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  {
    name: 'not causal, more keys than queries',
    shape: { heads: 2, seqlen: 20, seqlenK: 130, headDim: 16 },
    options: full,
  },
  {
    name: 'not causal, more queries than keys',
    shape: { heads: 2, seqlen: 67, seqlenK: 33, headDim: 32 },
    options: full,
  },
  { name: 'a large eps', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { eps: 0.05 } },
  {
    name: 'directions of one length',
    shape: { heads: 2, seqlen: 40, headDim: 16, featureDim: 32 },
    options: { projectionKind: 'sphere' },
  },
  {
    name: 'independent directions, not causal',
    shape: { heads: 2, seqlen: 40, headDim: 16, featureDim: 32 },
    options: { ...full, projectionKind: 'iid' },
  },
  { name: 'many tiles, no multiple of any', shape: { heads: 1, seqlen: 300, headDim: 32 }, options: {} },
];

/** Multiply-adds of projections (`projected` for each token) and of the state (`perQuery` and `perKey`). */
function performerFlops(shape: Shape, projected: number, perQuery: number, perKey: number): number {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = sizesOf(shape);
  const projections = projected * (seqlen + seqlenK) * headDim;
  return 2 * batch * heads * shape.featureDim! * (projections + (perQuery * seqlen + perKey * seqlenK) * headDimV);
}

const forwardComputation: Computation = {
  direction: 'forward',
  tensors: forwardTensors,
  grid,
  generate: (shape, options, seed) => generate(forwardTensors, shape, options, seed),
  reference: (inputs, shape, options, precision, budget) => {
    const { problem, queries, keys } = performerOf(inputs, shape, options, precision);
    const { o } = linearForward(problem, budget);
    const { batch, heads, seqlen, seqlenK } = problem.sizes;
    const featureDim = shape.featureDim!;
    // Where outputs are sampled row by row, features are compared for the first head alone.
    const sampled = o.rows !== null && o.rows.length % seqlen !== 0;
    const rows = (tokens: number): ReferenceTensor => ({
      ...o,
      dims: [batch, heads, tokens, featureDim],
      rows: o.rows === null ? null : headRows(sampled ? [0] : wholeHeads(o.rows, seqlen), tokens),
    });
    return {
      o,
      qp: byHead(rows(seqlen), seqlen, featureDim, (head) => queries(head).values),
      kp: byHead(rows(seqlenK), seqlenK, featureDim, (head) => keys(head).values),
    };
  },
  flops: (shape) => performerFlops(shape, 1, 1, 1),
};

function wholeHeads(rows: Uint32Array, tokens: number): readonly number[] {
  return [...new Set(Array.from(rows, (row) => Math.floor(row / tokens)))];
}

function headRows(heads: readonly number[], tokens: number): Uint32Array {
  return Uint32Array.from(heads.flatMap((head) => Array.from({ length: tokens }, (_, t) => head * tokens + t)));
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, options, seed) => generate(backwardTensors, shape, options, seed),
  reference: (inputs, shape, options, precision, budget) => {
    const { problem, projection, queries, keys } = performerOf(inputs, shape, options, precision);
    const { seqlen, seqlenK, headDim: featureDim, headDimV } = problem.sizes;
    const cotangents = (index: number): LinearCotangents => ({
      o: inputPart(inputs.do, index, seqlen * headDimV),
      s: new Float64Array(featureDim * headDimV),
      z: new Float64Array(featureDim),
    });
    const { dq, dk, dv } = linearBackward(problem, cotangents, budget);
    const through = (d: ReferenceTensor, tokens: number, features: (head: number) => Features): ReferenceTensor => {
      const size = tokens * featureDim;
      return byHead(d, tokens, shape.headDim!, (head, place) =>
        tokenGradients(
          new Float64Array(d.values.subarray(place * size, (place + 1) * size)),
          features(head),
          projection,
        ),
      );
    };
    return { dq: through(dq, seqlen, queries), dk: through(dk, seqlenK, keys), dv };
  },
  flops: (shape) => performerFlops(shape, 2, 2, 3),
};

const dimensions = [
  ...attentionDimensions(2048, ['headsKv']),
  { name: 'featureDim', fallback: 'headDim', description: 'Random features of a query or key; m in the paper.' },
];

/** Performer's FAVOR+ (Choromanski et al. 2021): linear attention over positive random features of the softmax kernel. */
export const performerAttention: Mechanism = {
  id: 'performer-attention',
  title: 'Performer attention',
  summary:
    'o = φ(q) (φ(k)ᵀ v) over φ(q) · Σ φ(k), φ positive random features whose products are exp(q · k / √d) on average: FAVOR+.',
  dimensions,
  options: optionSpecs,
  computations: [forwardComputation, backwardComputation],
  // The largest projection of all keys is in every feature: a part of the sequence has features of its own.
  recurrence: null,
  golden: {
    favor: {
      shape: (inputs) => ({ ...goldenAttentionShape(inputs), featureDim: inputs.proj?.[0] ?? 1 }),
      options: ({ causal, eps }) => ({ ...goldenOption('causal', causal), ...goldenOption('eps', eps) }),
      names: { proj: 'projection' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape, options) => prefixRanges(shape, switchOption(options, 'causal')),
  parts: { ...attentionParts, featureDim: ({ featureDim = 1 }) => featureDim },
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { seqlen, seqlenK } = sizesOf(shape);
    return !switchOption(options, 'causal') || seqlen === seqlenK
      ? null
      : `seqlen is ${seqlen} and seqlenK is ${seqlenK}: causal linear attention reads each query's state after its own key, so both must be equal (or causal false).`;
  },
};
