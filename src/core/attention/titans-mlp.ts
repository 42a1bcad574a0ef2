import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { goldenOption } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import type {
  Computation,
  DimensionSpec,
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
import {
  addOuter,
  downDims,
  geluOf,
  geluOption,
  hiddenDimension,
  initialWeights,
  mlpBlame,
  mlpPass,
  mlpSizes,
  upDims,
  type MlpMemory,
} from './mlp-memory.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import { choiceOption, numberOption, tensorDims } from './sizes.js';
import {
  attentionDimensions,
  caseScalars,
  forwardTolerance,
  input,
  invalidCase,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';
import { chunkOption, gateKindOption, gatesOf, invalidChunk, stepSizes, unitRows } from './titans.js';

const rowDims = ['batch', 'heads', 'seqlen', 'headDim'];
const gateDims = ['batch', 'heads', 'seqlen'];

const tokenTensors: readonly TensorSpec[] = [
  input('q', rowDims, 'Queries.'),
  input('k', rowDims, 'Keys.'),
  input('v', rowDims, 'Values.'),
  input('theta', gateDims, 'Step sizes of the gradient descent.'),
  input('eta', gateDims, 'Momentum: what is kept of the past surprise.'),
  input('alpha', gateDims, 'Forgetting: what is lost of the weights.'),
  input('w1', upDims, 'Weights of the first layer before the first token.'),
  input('w2', downDims, 'Weights of the second layer before the first token.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s1', upDims, 'Momentum of the first layer before the first token.'),
  optionalInput('s2', downDims, 'Momentum of the second layer before the first token.'),
  output('o', rowDims, forwardTolerance, 'Output.'),
  optionalOutput('w1Out', upDims, forwardTolerance, 'Weights of the first layer after the last token.'),
  optionalOutput('w2Out', downDims, forwardTolerance, 'Weights of the second layer after the last token.'),
  optionalOutput('s1Out', upDims, forwardTolerance, 'Momentum of the first layer after the last token.'),
  optionalOutput('s2Out', downDims, forwardTolerance, 'Momentum of the second layer after the last token.'),
];

const decodeTensors: readonly TensorSpec[] = forwardTensors.map((spec) => ({ ...spec, required: true }));

const optionSpecs: readonly OptionSpec[] = [geluOption, chunkOption(64), gateKindOption];

/** A memory that learns, and its momentum: all of it is changed. */
interface Learner {
  readonly memory: MlpMemory;
  /** [headDim, hiddenDim] */
  readonly s1: Float64Array;
  /** [hiddenDim, headDim] */
  readonly s2: Float64Array;
}

/** The tokens of one head. */
interface Tokens {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  readonly theta: Float64Array;
  readonly eta: Float64Array;
  readonly alpha: Float64Array;
}

/** W ← (1 − α) W + S after S ← η S − θ left rightᵀ. */
function descend(
  math: Arithmetic,
  weights: Float64Array,
  momentum: Float64Array,
  left: Float64Array,
  at: number,
  rows: number,
  right: Float64Array,
  [theta, eta, alpha]: readonly [number, number, number],
): void {
  math.scale(momentum, 0, eta, momentum.length);
  addOuter(math, momentum, -theta, left, at, rows, right);
  math.scale(weights, 0, math.round(1 - alpha), weights.length);
  math.addScaled(weights, 0, 1, momentum, 0, weights.length);
}

/**
 * One head, token by token: S_t = η_t S_(t−1) − θ_t ∇‖A(k_t) − v_t‖², W_t = (1 − α_t) W_(t−1) + S_t for both layers,
 * o_t = M_t(q_t), where A is the memory before the chunk of t. Writes o from `place` on.
 */
function runHead(
  math: Arithmetic,
  tokens: Tokens,
  { memory, s1, s2 }: Learner,
  chunk: number,
  o: Float64Array,
  place: number,
): void {
  const { headDim, hiddenDim, w1, w2 } = memory;
  const { q, k, v, theta, eta, alpha } = tokens;
  let anchor = memory;
  for (let t = 0; t < theta.length; t++) {
    const at = t * headDim;
    if (t % chunk === 0) anchor = chunk === 1 ? memory : { ...memory, w1: w1.slice(), w2: w2.slice() };
    const pass = mlpPass(math, anchor, k, at);
    const { error, blame } = mlpBlame(math, anchor, pass, v, at, 1);
    const gates = [theta[t]!, eta[t]!, alpha[t]!] as const;
    descend(math, w1, s1, k, at, headDim, blame, gates);
    descend(math, w2, s2, pass.active, 0, hiddenDim, error, gates);
    o.set(mlpPass(math, memory, q, at).answer, place + at);
  }
}

function reference(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const { memories, seqlen, headDim, hiddenDim } = mlpSizes(shape);
  const math = arithmetic(precision);
  const size = headDim * hiddenDim;
  const chosen = spread(memories, budget / (9 * seqlen * size));
  const activation = geluOf(choiceOption(options, 'gelu'));
  const o = new Float64Array(chosen.length * seqlen * headDim);
  const learners: Learner[] = [];
  chosen.forEach((index, place) => {
    const part = (name: string, count: number): Float64Array => inputPart(inputs[name], index, count);
    const rows = (name: string): Float64Array => part(name, seqlen * headDim);
    const gate = (name: string): Float64Array => part(name, seqlen);
    const tokens = {
      ...{ q: rows('q'), k: rows('k'), v: rows('v') },
      ...{ theta: gate('theta'), eta: gate('eta'), alpha: gate('alpha') },
    };
    const memory = { headDim, hiddenDim, activation, w1: part('w1', size), w2: part('w2', size) };
    const learner = { memory, s1: part('s1', size), s2: part('s2', size) };
    runHead(math, tokens, learner, numberOption(options, 'chunk'), o, place * seqlen * headDim);
    learners.push(learner);
  });
  const state = (of: (learner: Learner) => Float64Array, dims: readonly string[], rows: number): ReferenceTensor =>
    tensorOfGroups(joined(learners.map(of)), tensorDims(dims, shape), chosen, memories, rows);
  return {
    o: tensorOfGroups(o, tensorDims(rowDims, shape), chosen, memories, seqlen),
    w1Out: state(({ memory }) => memory.w1, upDims, headDim),
    w2Out: state(({ memory }) => memory.w2, downDims, hiddenDim),
    s1Out: state(({ s1 }) => s1, upDims, headDim),
    s2Out: state(({ s2 }) => s2, downDims, hiddenDim),
  };
}

/**
 * A step size that keeps the weights of random tokens from running away: the gradients of a chunk add up, and those of a
 * layer grow with the number of hidden units, while the loss is no parabola in both layers.
 */
function largestStep(chunk: number, headDim: number, hiddenDim: number): number {
  return (3.2 / Math.max(chunk, 32)) * Math.min(1, (2 * headDim) / hiddenDim);
}

function generate(shape: Shape, options: Options, seed: number): Inputs {
  const { headDim, hiddenDim } = mlpSizes(shape);
  const normal = normalInputs(decodeTensors, shape, seed);
  const kind = choiceOption(options, 'gateKind');
  return {
    ...normal,
    q: unitRows(normal.q!, headDim),
    k: unitRows(normal.k!, headDim),
    theta: stepSizes(largestStep(numberOption(options, 'chunk'), headDim, hiddenDim), normal.theta!),
    eta: gatesOf(kind, 'eta', normal.eta!),
    // Where both layers have faded, neither has a gradient any more: what is forgotten as usual is little.
    alpha: kind === 'usual' ? stepSizes(0.01, normal.alpha!) : gatesOf(kind, 'alpha', normal.alpha!),
    w1: initialWeights(normal.w1!, headDim),
    w2: initialWeights(normal.w2!, hiddenDim),
    s1: normal.s1!.map((x) => 0.02 * x),
    s2: normal.s2!.map((x) => 0.02 * x),
  };
}

const small = { headDim: 16, hiddenDim: 32 };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, ...small }, options: {} },
  { name: 'every token its own chunk', shape: { heads: 1, seqlen: 9, ...small }, options: { chunk: 1 } },
  { name: 'the tanh form', shape: { heads: 1, seqlen: 9, ...small }, options: { chunk: 4, gelu: 'tanh' } },
  { name: 'one below a chunk of 16', shape: { heads: 1, seqlen: 15, ...small }, options: { chunk: 16 } },
  {
    name: 'one above a chunk of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, ...small },
    options: { chunk: 16 },
  },
  { name: 'chunks of 5', shape: { heads: 3, seqlen: 38, ...small }, options: { chunk: 5 } },
  { name: 'chunks of 50, tanh', shape: { heads: 1, seqlen: 120, ...small }, options: { chunk: 50, gelu: 'tanh' } },
  { name: 'one below a chunk of 64', shape: { heads: 2, seqlen: 63, ...small }, options: {} },
  { name: 'exactly one chunk of 64', shape: { heads: 2, seqlen: 64, ...small }, options: {} },
  { name: 'one above a chunk of 64', shape: { heads: 1, seqlen: 65, headDim: 32, hiddenDim: 64 }, options: {} },
  { name: 'a head of 64', shape: { heads: 2, seqlen: 40, headDim: 64, hiddenDim: 128 }, options: { chunk: 32 } },
  { name: 'a head of 128', shape: { heads: 1, seqlen: 9, headDim: 128, hiddenDim: 128 }, options: { chunk: 8 } },
  {
    name: 'a head of 96, hidden 68',
    shape: { heads: 1, seqlen: 9, headDim: 96, hiddenDim: 68 },
    options: { chunk: 8 },
  },
  { name: 'narrower inside', shape: { heads: 2, seqlen: 20, headDim: 64, hiddenDim: 16 }, options: { chunk: 16 } },
  {
    name: 'four times as wide inside',
    shape: { heads: 2, seqlen: 20, headDim: 32, hiddenDim: 128 },
    options: { chunk: 16 },
  },
  {
    name: 'a head of 20, hidden 36',
    shape: { heads: 3, seqlen: 19, headDim: 20, hiddenDim: 36 },
    options: { chunk: 8 },
  },
  {
    name: 'gates that forget at once',
    shape: { heads: 3, seqlen: 40, ...small },
    options: { gateKind: 'strong', chunk: 16 },
  },
  {
    name: 'neither momentum nor forgetting',
    shape: { heads: 3, seqlen: 40, ...small },
    options: { gateKind: 'none', chunk: 16 },
  },
];

function computation(direction: Direction, tensors: readonly TensorSpec[], cases: readonly GridCase[]): Computation {
  // The key's way forward and back, two updates of each layer, and the reading of weights and momentum by the query.
  const flops = (shape: Shape): number => {
    const { memories, seqlen, headDim, hiddenDim } = mlpSizes(shape);
    return 2 * 11 * memories * seqlen * headDim * hiddenDim;
  };
  return { direction, tensors, grid: cases, generate, reference, flops };
}

const dimensions: readonly DimensionSpec[] = [
  ...attentionDimensions(1024, ['headsKv', 'seqlenK', 'headDimV']),
  hiddenDimension,
];

/** The neural memory of Titans (Behrouz et al. 2025) with a hidden layer: the residual network of ATLAS, learned online. */
export const titansMlp: Mechanism = {
  id: 'titans-mlp',
  title: 'Titans MLP memory',
  summary:
    'S ← ηS − θ∇‖M(k) − v‖², W ← (1 − α)W + S, o = M(q) with M(x) = x + gelu(x W₁) W₂: a memory with a hidden layer that learns at test time.',
  dimensions,
  options: optionSpecs,
  computations: [computation('forward', forwardTensors, grid)],
  recurrence: {
    states: { w1Out: 'w1', w2Out: 'w2', s1Out: 's1', s2Out: 's2' },
    tokens: ['seqlen'],
    options: {},
    grain: (_shape, options) => numberOption(options, 'chunk'),
  },
  golden: {
    titans_mlp: {
      shape: ({ W1 = [], q = [] }) => ({
        heads: 1,
        seqlen: q[0] ?? 1,
        headDim: W1[0] ?? 1,
        hiddenDim: W1[1] ?? 1,
      }),
      options: ({ chunk, gelu }) => ({ ...goldenOption('chunk', chunk), ...goldenOption('gelu', gelu) }),
      names: { W1: 'w1', W2: 'w2', W1_out: 'w1Out', W2_out: 'w2Out' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  // Queries meet keys through a layer that is not linear: no pair of them has a weight.
  visibleKeys: null,
  parts: null,
  validate: (shape, options) => invalidCase(dimensions, optionSpecs, shape, options) ?? invalidChunk(options),
};
