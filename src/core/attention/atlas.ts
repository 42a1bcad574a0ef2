import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
import { goldenAttentionShape, goldenOption } from './golden-operation.js';
import { inputPart } from './inputs.js';
import type {
  Computation,
  DimensionSpec,
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
  invalidSteps,
  lowRankTolerance,
  newtonSchulz,
  newtonSchulzFlops,
  newtonSchulzTolerance,
} from './newton-schulz.js';
import { taylorFeatures, taylorWidth } from './polynomial-features.js';
import { spread, tensorOfGroups } from './sampling.js';
import { elementCount, numberOption, sizesOf, tensorDims } from './sizes.js';
import {
  attentionDimensions,
  caseScalars,
  input,
  invalidCase,
  invalidTokenCount,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';
import { chunkOption, invalidChunk, stepSizes, unitRows } from './titans.js';

const keyDims = ['batch', 'heads', 'seqlen', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const gateDims = ['batch', 'heads', 'seqlen'];
const memoryDims = ['batch', 'heads', 'featureDim', 'headDimV'];

const tensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
  input('gamma', gateDims, 'How much each token counts in the windows it lies in.'),
  input('theta', gateDims, 'Momentum: what is kept of the past surprise.'),
  input('eta', gateDims, 'Step sizes of the memory.'),
  input('alpha', gateDims, 'Retention: what is kept of the memory.'),
  optionalInput('m0', memoryDims, 'Memory before the first token.'),
  optionalInput('s0', memoryDims, 'Momentum before the first token.'),
  output('o', valueDims, newtonSchulzTolerance, 'Output.'),
  optionalOutput('m', memoryDims, newtonSchulzTolerance, 'Memory after the last token.'),
  optionalOutput('s', memoryDims, newtonSchulzTolerance, 'Momentum after the last token.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'window',
    kind: 'number',
    fallback: 4,
    description: 'Tokens whose losses a step learns from (the Omega rule): the last so many, its own among them.',
  },
  chunkOption(1),
  {
    name: 'steps',
    kind: 'number',
    fallback: 5,
    description: 'Newton–Schulz iterations on the momentum before the memory takes it; 0 takes it as it is.',
  },
  {
    name: 'lossCoef',
    kind: 'number',
    fallback: 2,
    description: 'Factor of the gradient k (Mᵀk − v)ᵀ: 2 for a loss that is a sum of squares.',
  },
];

/** What one head works on; memory and momentum are changed. `queries` and `keys` are features of featureDim. */
interface Head {
  readonly queries: Float64Array;
  readonly keys: Float64Array;
  readonly v: Float64Array;
  readonly gates: Readonly<Record<'gamma' | 'theta' | 'eta' | 'alpha', Float64Array>>;
  m: Float64Array;
  readonly s: Float64Array;
}

function headOf(math: Arithmetic, inputs: Inputs, shape: Shape, index: number): Head {
  const { seqlen, headDim, headDimV } = sizesOf(shape);
  const featureDim = shape.featureDim!;
  const part = (name: string, count: number): Float64Array => inputPart(inputs[name], index, count);
  const features = (name: string): Float64Array => {
    const rows = part(name, seqlen * headDim);
    return featureDim === headDim ? rows : taylorFeatures(math, rows, headDim);
  };
  const gates = ['gamma', 'theta', 'eta', 'alpha'].map((name) => [name, part(name, seqlen)] as const);
  return {
    queries: features('q'),
    keys: features('k'),
    v: part('v', seqlen * headDimV),
    gates: Object.fromEntries(gates) as Head['gates'],
    m: part('m0', featureDim * headDimV),
    s: part('s0', featureDim * headDimV),
  };
}

/** The options of a run as numbers. */
interface Run {
  readonly window: number;
  readonly chunk: number;
  readonly steps: number;
  readonly lossCoef: number;
}

/**
 * One head, token by token: S_t = θ_t S_(t−1) + Σ γ_i κ φ(k_i) (Aᵀφ(k_i) − v_i)ᵀ over the window of t, with A the memory
 * before the chunk of t, M_t = α_t M_(t−1) − η_t NS(S_t), o_t = M_tᵀ φ(q_t). Writes o from `at` on.
 */
function runHead(math: Arithmetic, head: Head, shape: Shape, run: Run, o: Float64Array, at: number): void {
  const { seqlen, headDimV } = sizesOf(shape);
  const width = shape.featureDim!;
  const { queries, keys, v, gates, s } = head;
  const error = new Float64Array(headDimV);
  let anchor = head.m;
  for (let t = 0; t < seqlen; t++) {
    if (t % run.chunk === 0) anchor = head.m;
    math.scale(s, 0, gates.theta[t]!, s.length);
    for (let i = Math.max(0, t - run.window + 1); i <= t; i++) {
      error.fill(0);
      for (let f = 0; f < width; f++) math.addScaled(error, 0, keys[i * width + f]!, anchor, f * headDimV, headDimV);
      math.addScaled(error, 0, -1, v, i * headDimV, headDimV);
      math.scale(error, 0, math.round(run.lossCoef * gates.gamma[i]!), headDimV);
      for (let f = 0; f < width; f++) math.addScaled(s, f * headDimV, keys[i * width + f]!, error, 0, headDimV);
    }
    const update = run.steps === 0 ? s : newtonSchulz(math, s, width, headDimV, run.steps);
    head.m = head.m.slice();
    math.scale(head.m, 0, gates.alpha[t]!, head.m.length);
    math.addScaled(head.m, 0, -gates.eta[t]!, update, 0, update.length);
    for (let f = 0; f < width; f++) {
      math.addScaled(o, at + t * headDimV, queries[t * width + f]!, head.m, f * headDimV, headDimV);
    }
  }
}

function reference(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const { batch, heads, seqlen, headDimV } = sizesOf(shape);
  const width = shape.featureDim!;
  const math = arithmetic(precision);
  const total = batch * heads;
  const chosen = spread(total, (2 * budget * total) / flops(shape, options));
  const run: Run = {
    window: numberOption(options, 'window'),
    chunk: numberOption(options, 'chunk'),
    steps: numberOption(options, 'steps'),
    lossCoef: math.round(numberOption(options, 'lossCoef')),
  };
  const size = width * headDimV;
  const o = new Float64Array(chosen.length * seqlen * headDimV);
  const m = new Float64Array(chosen.length * size);
  const s = new Float64Array(chosen.length * size);
  chosen.forEach((index, place) => {
    const head = headOf(math, inputs, shape, index);
    runHead(math, head, shape, run, o, place * seqlen * headDimV);
    m.set(head.m, place * size);
    s.set(head.s, place * size);
  });
  const tensor = (values: Float64Array, dims: readonly string[], rowsPerHead: number): ReferenceTensor =>
    tensorOfGroups(values, tensorDims(dims, shape), chosen, total, rowsPerHead);
  // From an empty momentum the first tokens make one of low rank, whose null space holds nothing but rounding errors.
  const bound = inputs.s0 === undefined && run.steps > 0 ? { tolerance: lowRankTolerance } : {};
  return {
    o: { ...tensor(o, valueDims, seqlen), ...bound },
    m: { ...tensor(m, memoryDims, width), ...bound },
    s: tensor(s, memoryDims, width),
  };
}

/**
 * The error and the gradient of each token of a window, once where a chunk shares its memory, then momentum, memory and
 * reading, and the Newton–Schulz iterations, which are nearly all of it.
 */
function flops(shape: Shape, options: Options): number {
  const { batch, heads, seqlen, headDimV } = sizesOf(shape);
  const size = shape.featureDim! * headDimV;
  const window = numberOption(options, 'chunk') === 1 ? Math.min(numberOption(options, 'window'), seqlen) : 1;
  // The first tokens have shorter windows: 1, 2, … tokens.
  const learned = window * seqlen - (window * (window - 1)) / 2;
  const iterations = newtonSchulzFlops(shape.featureDim!, headDimV, numberOption(options, 'steps'));
  return batch * heads * (4 * learned * size + seqlen * (6 * size + iterations));
}

function generate(shape: Shape, _options: Options, seed: number): Inputs {
  const { headDim } = sizesOf(shape);
  const normal = (name: string, dims: readonly string[]): Float32Array =>
    normalValues(elementCount(tensorDims(dims, shape)), seed, name);
  const between = (name: string, least: number, most: number): Float32Array =>
    stepSizes(most - least, normal(name, gateDims)).map((x) => least + x);
  return {
    q: unitRows(normal('q', keyDims), headDim),
    k: unitRows(normal('k', keyDims), headDim),
    v: normal('v', valueDims),
    gamma: between('gamma', 0, 1),
    theta: between('theta', 0.5, 0.95),
    eta: between('eta', 0.02, 0.2),
    alpha: between('alpha', 0.8, 1),
    m0: normal('m0', memoryDims).map((x) => 0.3 * x),
    // A momentum of full rank: what rounding puts into a null space would grow by 3.4445 at each iteration.
    s0: normal('s0', memoryDims).map((x) => 0.3 * x),
  };
}

const taylorOf8 = { headDim: 8, featureDim: taylorWidth(8) };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'a window longer than the sequence', shape: { heads: 2, seqlen: 3, headDim: 16 }, options: {} },
  { name: 'several batches', shape: { batch: 2, heads: 3, seqlen: 5, headDim: 16 }, options: {} },
  { name: 'each token alone', shape: { heads: 2, seqlen: 5, headDim: 16 }, options: { window: 1 } },
  {
    name: 'a window of seven, one iteration',
    shape: { heads: 2, seqlen: 9, headDim: 16 },
    options: { window: 7, steps: 1 },
  },
  { name: 'two tokens in windows of two', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: { window: 2 } },
  { name: 'momentum as it is', shape: { heads: 2, seqlen: 20, headDim: 16 }, options: { steps: 0 } },
  { name: 'chunks of 8', shape: { heads: 2, seqlen: 11, headDim: 16 }, options: { chunk: 8 } },
  { name: 'chunks shorter than the window', shape: { heads: 2, seqlen: 7, headDim: 16 }, options: { chunk: 3 } },
  { name: 'a square of 64', shape: { heads: 1, seqlen: 3, headDim: 64 }, options: {} },
  { name: 'heads of 20, values of 36', shape: { heads: 2, seqlen: 4, headDim: 20, headDimV: 36 }, options: {} },
  { name: 'heads of 128, narrow values', shape: { heads: 1, seqlen: 3, headDim: 128, headDimV: 20 }, options: {} },
  { name: 'features of degree 2', shape: { heads: 2, seqlen: 4, ...taylorOf8, headDimV: 16 }, options: {} },
  {
    name: 'a loss of half the squares, features of degree 2, chunks of 4',
    shape: { heads: 2, seqlen: 6, headDim: 4, featureDim: taylorWidth(4), headDimV: 32 },
    options: { chunk: 4, lossCoef: 1 },
  },
];

const dimensions: readonly DimensionSpec[] = [
  ...attentionDimensions(32, ['headsKv', 'seqlenK']),
  {
    name: 'featureDim',
    fallback: 'headDim',
    description: 'Rows of the memory: headDim, or 1 + headDim + headDim² for keys and queries in features of degree 2.',
  },
];

const computation: Computation = { direction: 'forward', tensors, grid, generate, reference, flops };

/**
 * ATLAS (Behrouz et al. 2025): a linear memory, of features of its keys if so asked, that learns from a window of tokens
 * at once (the Omega rule) and takes its momentum through Newton–Schulz (Muon).
 */
export const atlas: Mechanism = {
  id: 'atlas',
  title: 'ATLAS memory',
  summary:
    'S ← θS + Σ γ∇‖Mᵀφ(k) − v‖² over a window, M ← αM − η NS(S), o = Mᵀφ(q): a memory that learns from a window, by Muon.',
  dimensions,
  options: optionSpecs,
  computations: [computation],
  recurrence: {
    states: { m: 'm0', s: 's0' },
    tokens: ['seqlen'],
    options: { window: 1 },
    grain: (_shape, options) => numberOption(options, 'chunk'),
  },
  golden: {
    atlas: {
      shape: (inputs) => ({
        ...goldenAttentionShape(inputs),
        featureDim: inputs.M0?.[2] ?? inputs.q?.[3] ?? 1,
      }),
      options: ({ window, chunk, ns_steps: steps, loss_coef: lossCoef }) => ({
        ...goldenOption('window', window),
        ...goldenOption('chunk', chunk),
        ...goldenOption('steps', steps),
        ...goldenOption('lossCoef', lossCoef),
      }),
      names: { M0: 'm0', M: 'm' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) =>
    invalidCase(dimensions, optionSpecs, shape, options) ??
    invalidFeatures(shape) ??
    invalidChunk(options) ??
    invalidTokenCount('window', options) ??
    invalidSteps('steps', numberOption(options, 'steps')),
};

function invalidFeatures({ headDim = 1, featureDim = 1 }: Shape): string | null {
  return featureDim === headDim || featureDim === taylorWidth(headDim)
    ? null
    : `featureDim is ${featureDim}, and must be headDim (${headDim}) or 1 + headDim + headDim² (${taylorWidth(headDim)}).`;
}
