import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
import { decodeGrid } from './decode-grid.js';
import { goldenAttentionShape, goldenOption } from './golden-operation.js';
import { inputPart } from './inputs.js';
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
import { prefixRanges } from './masks.js';
import { spread, tensorOfGroups } from './sampling.js';
import { choiceOption, elementCount, numberOption, sizesOf, tensorDims } from './sizes.js';
import {
  attentionDimensions,
  attentionParts,
  caseScalars,
  forwardTolerance,
  input,
  invalidCase,
  invalidTokenCount,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';
import { stateFlops } from './state-flops.js';

const keyDims = ['batch', 'heads', 'seqlen', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const gateDims = ['batch', 'heads', 'seqlen'];
const memoryDims = ['batch', 'heads', 'headDim', 'headDimV'];

const tokenTensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
  input('theta', gateDims, 'Step sizes of the gradient descent.'),
  input('eta', gateDims, 'Momentum: what is kept of the past surprise.'),
  input('alpha', gateDims, 'Forgetting: what is lost of the memory.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('m0', memoryDims, 'Memory before the first token.'),
  optionalInput('s0', memoryDims, 'Momentum before the first token.'),
  output('o', valueDims, forwardTolerance, 'Output.'),
  optionalOutput('m', memoryDims, forwardTolerance, 'Memory after the last token.'),
  optionalOutput('s', memoryDims, forwardTolerance, 'Momentum after the last token.'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  input('m0', memoryDims, 'Memory before the first of these tokens.'),
  input('s0', memoryDims, 'Momentum before the first of these tokens.'),
  output('o', valueDims, forwardTolerance, 'Output.'),
  output('m', memoryDims, forwardTolerance, 'Memory after the last of these tokens.'),
  output('s', memoryDims, forwardTolerance, 'Momentum after the last of these tokens.'),
];

/** Which gates of a memory that learns the comparison feeds. */
export const gateKindOption: OptionSpec = {
  name: 'gateKind',
  onlyInputs: true,
  kind: 'choice',
  choices: ['usual', 'strong', 'none'],
  fallback: 'usual',
  description:
    'Which gates the comparison feeds: of medium strength, some that forget at once, or neither momentum nor forgetting.',
};

/** How many tokens learn from the same memory, `fallback` of them unless given. */
export function chunkOption(fallback: number): OptionSpec {
  return {
    name: 'chunk',
    kind: 'number',
    fallback,
    description:
      'Tokens whose gradients are all taken at the memory before the first of them; 1 takes each at its own.',
  };
}

const optionSpecs: readonly OptionSpec[] = [
  gateKindOption,
  chunkOption(64),
  {
    name: 'lossCoef',
    kind: 'number',
    fallback: 2,
    description: 'Factor of the gradient k (Mᵀk − v)ᵀ: 2 for a loss that is a sum of squares, 2 / headDimV for a mean.',
  },
];

/** What one head of the recurrence works on; memory and momentum are changed. */
interface Head {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  readonly theta: Float64Array;
  readonly eta: Float64Array;
  readonly alpha: Float64Array;
  readonly m: Float64Array;
  readonly s: Float64Array;
}

function headOf(inputs: Inputs, shape: Shape, index: number): Head {
  const { seqlen, headDim, headDimV } = sizesOf(shape);
  const part = (name: string, count: number): Float64Array => inputPart(inputs[name], index, count);
  return {
    q: part('q', seqlen * headDim),
    k: part('k', seqlen * headDim),
    v: part('v', seqlen * headDimV),
    theta: part('theta', seqlen),
    eta: part('eta', seqlen),
    alpha: part('alpha', seqlen),
    m: part('m0', headDim * headDimV),
    s: part('s0', headDim * headDimV),
  };
}

/**
 * One head, token by token: e_t = κ (Aᵀk_t − v_t), S_t = η_t S_(t−1) − θ_t k_t e_tᵀ, M_t = (1 − α_t) M_(t−1) + S_t,
 * o_t = M_tᵀ q_t, where A is the memory before the chunk of t. Writes o from `at` on; m and s end as the final states.
 */
function runHead(
  math: Arithmetic,
  head: Head,
  shape: Shape,
  chunk: number,
  lossCoef: number,
  o: Float64Array,
  at: number,
): void {
  const { seqlen, headDim, headDimV } = sizesOf(shape);
  const { q, k, v, m, s } = head;
  const error = new Float64Array(headDimV);
  let anchor = m;
  for (let t = 0; t < seqlen; t++) {
    if (t % chunk === 0) anchor = chunk === 1 ? m : m.slice();
    error.fill(0);
    for (let d = 0; d < headDim; d++) math.addScaled(error, 0, k[t * headDim + d]!, anchor, d * headDimV, headDimV);
    math.addScaled(error, 0, -1, v, t * headDimV, headDimV);
    math.scale(error, 0, lossCoef, headDimV);
    math.scale(s, 0, head.eta[t]!, s.length);
    for (let d = 0; d < headDim; d++) {
      const step = math.round(head.theta[t]! * k[t * headDim + d]!);
      math.addScaled(s, d * headDimV, -step, error, 0, headDimV);
    }
    math.scale(m, 0, math.round(1 - head.alpha[t]!), m.length);
    math.addScaled(m, 0, 1, s, 0, s.length);
    for (let d = 0; d < headDim; d++) {
      math.addScaled(o, at + t * headDimV, q[t * headDim + d]!, m, d * headDimV, headDimV);
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
  const { batch, heads, seqlen, headDim, headDimV } = sizesOf(shape);
  const math = arithmetic(precision);
  const total = batch * heads;
  const chosen = spread(total, budget / (5 * seqlen * headDim * headDimV));
  const size = headDim * headDimV;
  const o = new Float64Array(chosen.length * seqlen * headDimV);
  const m = new Float64Array(chosen.length * size);
  const s = new Float64Array(chosen.length * size);
  const lossCoef = math.round(numberOption(options, 'lossCoef'));
  chosen.forEach((index, place) => {
    const head = headOf(inputs, shape, index);
    runHead(math, head, shape, numberOption(options, 'chunk'), lossCoef, o, place * seqlen * headDimV);
    m.set(head.m, place * size);
    s.set(head.s, place * size);
  });
  const tensor = (values: Float64Array, dims: readonly string[], rowsPerHead: number): ReferenceTensor =>
    tensorOfGroups(values, tensorDims(dims, shape), chosen, total, rowsPerHead);
  return { o: tensor(o, valueDims, seqlen), m: tensor(m, memoryDims, headDim), s: tensor(s, memoryDims, headDim) };
}

/** Rows of unit length, as queries and keys of a memory are: a step then moves its prediction by θκ of the error. */
export function unitRows(values: Float32Array, width: number): Float32Array {
  const rows = new Float32Array(values.length);
  for (let first = 0; first < values.length; first += width) {
    let squares = 0;
    for (let d = 0; d < width; d++) squares += values[first + d]! ** 2;
    const factor = 1 / Math.sqrt(squares + 1e-12);
    for (let d = 0; d < width; d++) rows[first + d] = values[first + d]! * factor;
  }
  return rows;
}

/** 1 / (1 + e^-x), which makes gates of normal values. */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** Gates of a kind from normal values; forgetting stays below 1 and momentum above 0, so that both have logarithms. */
export function gatesOf(kind: string, name: 'eta' | 'alpha', normal: Float32Array): Float32Array {
  if (kind === 'none') return new Float32Array(normal.length);
  if (kind === 'strong') return normal.map((x) => Math.min(Math.max(logistic(4 * x), 1e-3), 0.999));
  return normal.map((x) => (name === 'eta' ? logistic(x) : 0.2 * logistic(x)));
}

/** Step sizes below a largest one from normal values. */
export function stepSizes(largest: number, normal: Float32Array): Float32Array {
  return normal.map((x) => largest * logistic(x));
}

function generate(shape: Shape, options: Options, seed: number): Inputs {
  const { headDim } = sizesOf(shape);
  const normal = (name: string, dims: readonly string[]): Float32Array =>
    normalValues(elementCount(tensorDims(dims, shape)), seed, name);
  const kind = choiceOption(options, 'gateKind');
  return {
    q: unitRows(normal('q', keyDims), headDim),
    k: unitRows(normal('k', keyDims), headDim),
    v: normal('v', valueDims),
    theta: stepSizes(0.3, normal('theta', gateDims)),
    eta: gatesOf(kind, 'eta', normal('eta', gateDims)),
    alpha: gatesOf(kind, 'alpha', normal('alpha', gateDims)),
    m0: normal('m0', memoryDims).map((x) => 0.3 * x),
    s0: normal('s0', memoryDims).map((x) => 0.1 * x),
  };
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'every token its own chunk', shape: { heads: 2, seqlen: 20, headDim: 16 }, options: { chunk: 1 } },
  { name: 'one below a chunk of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: { chunk: 16 } },
  {
    name: 'one above a chunk of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: { chunk: 16 },
  },
  { name: 'chunks of 5', shape: { heads: 2, seqlen: 33, headDim: 16 }, options: { chunk: 5 } },
  { name: 'chunks of 50', shape: { heads: 2, seqlen: 120, headDim: 16 }, options: { chunk: 50 } },
  { name: 'one below a chunk of 64', shape: { heads: 2, seqlen: 63, headDim: 32 }, options: {} },
  { name: 'exactly one chunk of 64', shape: { heads: 2, seqlen: 64, headDim: 16 }, options: {} },
  { name: 'one above a chunk of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below two chunks, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'one above two chunks, head of 96', shape: { heads: 1, seqlen: 129, headDim: 96 }, options: {} },
  {
    name: 'values wider than keys',
    shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 },
    options: { chunk: 16 },
  },
  {
    name: 'values narrower than keys',
    shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 },
    options: { chunk: 16 },
  },
  { name: 'heads of 20, values of 36', shape: { heads: 3, seqlen: 40, headDim: 20, headDimV: 36 }, options: {} },
  { name: 'gates that forget at once', shape: { heads: 2, seqlen: 100, headDim: 16 }, options: { gateKind: 'strong' } },
  {
    name: 'neither momentum nor forgetting',
    shape: { heads: 2, seqlen: 70, headDim: 32 },
    options: { gateKind: 'none', chunk: 16 },
  },
  { name: 'a loss of half the squares', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { lossCoef: 1 } },
  { name: 'many chunks, no multiple of any', shape: { heads: 1, seqlen: 300, headDim: 32 }, options: {} },
];

const decodeCases = decodeGrid({ chunk: 1 }, [
  { name: 'gates that forget at once', shape: { heads: 2, seqlen: 4 }, options: { chunk: 1, gateKind: 'strong' } },
  {
    name: 'neither momentum nor forgetting',
    shape: { heads: 2, seqlen: 4, headDim: 32 },
    options: { chunk: 1, gateKind: 'none' },
  },
  { name: 'a loss of half the squares', shape: { heads: 2, seqlen: 3 }, options: { chunk: 1, lossCoef: 1 } },
]);

function computation(direction: Direction, tensors: readonly TensorSpec[], cases: readonly GridCase[]): Computation {
  // The error, two updates, and the reading of both states by the query.
  const flops = (shape: Shape): number => stateFlops(shape, 5);
  return { direction, tensors, grid: cases, generate, reference, flops };
}

/** What is wrong with a number of tokens in a chunk, or null. */
export function invalidChunk(options: Options): string | null {
  return invalidTokenCount('chunk', options);
}

const dimensions = attentionDimensions(2048, ['headsKv', 'seqlenK']);

/**
 * The neural memory of Titans (Behrouz et al. 2025) with a linear memory, which learns each key and value by a step of
 * gradient descent with momentum and forgetting.
 */
export const titans: Mechanism = {
  id: 'titans',
  title: 'Titans memory',
  summary:
    'S ← ηS − θ∇‖Mᵀk − v‖², M ← (1 − α)M + S, o = Mᵀq: a linear memory that learns at test time, with momentum and forgetting.',
  dimensions,
  options: optionSpecs,
  computations: [computation('forward', forwardTensors, grid), computation('decode', decodeTensors, decodeCases)],
  recurrence: {
    states: { m: 'm0', s: 's0' },
    tokens: ['seqlen'],
    options: {},
    grain: (_shape, options) => numberOption(options, 'chunk'),
  },
  golden: {
    titans: {
      shape: goldenAttentionShape,
      options: ({ chunk, loss_coef: lossCoef }) => ({
        ...goldenOption('chunk', chunk),
        ...goldenOption('lossCoef', lossCoef),
      }),
      names: { M0: 'm0', M: 'm' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape) => prefixRanges(shape, true),
  parts: { ...attentionParts, corrected: true },
  validate: (shape, options) => invalidCase(dimensions, optionSpecs, shape, options) ?? invalidChunk(options),
};
