import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { goldenAttentionShape, goldenOption, goldenWindow } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import { keyRanges, visiblePairs } from './masks.js';
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
import { spread, tensorOfGroups } from './sampling.js';
import { numberOption, sizesOf, tensorDims } from './sizes.js';
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
const keyDims = ['batch', 'headsKv', 'seqlenK', 'headDim'];
const valueDims = ['batch', 'headsKv', 'seqlenK', 'headDimV'];
const outputDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const lseDims = ['batch', 'heads', 'seqlen'];
const lseTolerance: Tolerance = { kind: 'absolute', bound: 1e-4 };

const q = input('q', queryDims, 'Queries.');
const k = input('k', keyDims, 'Keys.');
const v = input('v', valueDims, 'Values.');

const forwardTensors: readonly TensorSpec[] = [
  q,
  k,
  v,
  output('o', outputDims, forwardTolerance, 'Output; a row that sees no key is exactly zero.'),
  optionalOutput(
    'lse',
    lseDims,
    lseTolerance,
    'Natural logarithm of the sum of exponentials of each row; -infinity (or at most -1e30) where a row sees no key.',
  ),
];

const backwardTensors: readonly TensorSpec[] = [
  q,
  k,
  v,
  input('do', outputDims, 'Gradient of the output.'),
  optionalInput('dlse', lseDims, 'Gradient of lse.'),
  output('dq', queryDims, gradientTolerance, 'Gradient of the queries; zero where a row sees no key.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys, summed over the query heads that share them.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values, summed over the query heads that share them.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'causal',
    kind: 'boolean',
    fallback: true,
    description: 'A query sees no key after it; the last query stands at the last key.',
  },
  {
    name: 'window',
    kind: 'window',
    fallback: [-1, -1],
    description: 'How many keys before and after its own position a query sees; -1 is unlimited.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => sizesOf(shape).headDim ** -0.5,
    description: 'Factor of the scores, headDim^-1/2 unless given.',
  },
];

/** Everything the rows of one case share: sizes, inputs as float64, mask, and the arithmetic of the precision. */
interface Problem {
  readonly math: Arithmetic;
  readonly sizes: ReturnType<typeof sizesOf>;
  readonly scale: number;
  readonly range: ReturnType<typeof keyRanges>;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): Problem {
  const math = arithmetic(precision);
  return {
    math,
    sizes: sizesOf(shape),
    scale: math.round(numberOption(options, 'scale')),
    range: keyRanges(shape, options),
    q: new Float64Array(inputs.q!),
    k: new Float64Array(inputs.k!),
    v: new Float64Array(inputs.v!),
  };
}

/** First key row of the key head that query row `row` (over batch, heads, seqlen) uses. */
function keyHeadStart({ sizes }: Problem, row: number): number {
  const head = Math.floor(row / sizes.seqlen);
  const batch = Math.floor(head / sizes.heads);
  const headKv = Math.floor(((head % sizes.heads) * sizes.headsKv) / sizes.heads);
  return (batch * sizes.headsKv + headKv) * sizes.seqlenK;
}

interface SoftmaxRow {
  readonly sum: number;
  readonly lse: number;
}

/** Writes the weights e^(score - max) of one query row into p[from..to); returns their sum and the log-sum-exp. */
function softmaxRow(
  problem: Problem,
  row: number,
  keys: number,
  from: number,
  to: number,
  p: Float64Array,
): SoftmaxRow {
  const { math, sizes, scale } = problem;
  let max = -Infinity;
  for (let j = from; j < to; j++) {
    const inner = math.dot(problem.q, row * sizes.headDim, problem.k, (keys + j) * sizes.headDim, sizes.headDim);
    const score = math.round(scale * inner);
    p[j] = score;
    if (score > max) max = score;
  }
  let sum = 0;
  for (let j = from; j < to; j++) {
    const weight = math.round(Math.exp(math.round(p[j]! - max)));
    p[j] = weight;
    sum = math.round(sum + weight);
  }
  return { sum, lse: math.round(max + math.round(Math.log(sum))) };
}

function forward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { math, sizes } = problem;
  const { batch, heads, seqlen, headDim, headDimV } = sizes;
  const total = batch * heads * seqlen;
  const work = batch * heads * visiblePairs(shape, options) * (headDim + headDimV);
  const rows = work > budget ? spread(total, (total * budget) / work) : null;
  const count = rows?.length ?? total;
  const o = new Float64Array(count * headDimV);
  const lse = new Float64Array(total).fill(Number.NaN);
  const empty: number[] = [];
  const p = new Float64Array(sizes.seqlenK);
  for (let index = 0; index < count; index++) {
    const row = rows?.[index] ?? index;
    const { from, to } = problem.range(row % seqlen);
    if (from >= to) {
      empty.push(index);
      lse[row] = -Infinity;
      continue;
    }
    const keys = keyHeadStart(problem, row);
    const softmax = softmaxRow(problem, row, keys, from, to, p);
    for (let j = from; j < to; j++) {
      math.addScaled(o, index * headDimV, p[j]!, problem.v, (keys + j) * headDimV, headDimV);
    }
    for (let column = 0; column < headDimV; column++) {
      const at = index * headDimV + column;
      o[at] = math.round(o[at]! / softmax.sum);
    }
    lse[row] = softmax.lse;
  }
  const exactRows = empty.length > 0 ? Uint32Array.from(empty) : null;
  return {
    o: { dims: tensorDims(outputDims, shape), rows, values: o, exactRows },
    lse: { dims: tensorDims(lseDims, shape), rows: null, values: lse, exactRows: null },
  };
}

/** Gradients of the key heads that fit the budget (first and last at least), with all query heads that share each. */
function backward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { batch, heads, headsKv, seqlen, seqlenK, headDim, headDimV } = problem.sizes;
  const total = batch * headsKv;
  const group = heads / headsKv;
  const perKeyHead = group * visiblePairs(shape, options) * (3 * headDim + 2 * headDimV);
  const chosen = spread(total, perKeyHead > 0 ? budget / perKeyHead : total);
  const gradients: Gradients = {
    do: new Float64Array(inputs.do!),
    dlse: inputs.dlse ? new Float64Array(inputs.dlse) : new Float64Array(batch * heads * seqlen),
    dq: new Float64Array(chosen.length * group * seqlen * headDim),
    dk: new Float64Array(chosen.length * seqlenK * headDim),
    dv: new Float64Array(chosen.length * seqlenK * headDimV),
  };
  const empty: number[] = [];
  const p = new Float64Array(seqlenK);
  chosen.forEach((keyHead, place) => {
    for (let index = 0; index < group * seqlen; index++) {
      const row = keyHead * group * seqlen + index;
      const target = place * group * seqlen + index;
      const { from, to } = problem.range(row % seqlen);
      if (from < to) backwardRow(problem, gradients, { row, target, place, from, to }, p);
      else empty.push(target);
    }
  });
  const tensor = (values: Float64Array, dims: readonly string[], perHead: number): ReferenceTensor =>
    tensorOfGroups(values, tensorDims(dims, shape), chosen, total, perHead);
  const exactRows = empty.length > 0 ? Uint32Array.from(empty) : null;
  return {
    dq: { ...tensor(gradients.dq, queryDims, group * seqlen), exactRows },
    dk: tensor(gradients.dk, keyDims, seqlenK),
    dv: tensor(gradients.dv, valueDims, seqlenK),
  };
}

interface Gradients {
  readonly do: Float64Array;
  readonly dlse: Float64Array;
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
}

/** A query row over batch, heads and seqlen, where its gradient goes, the place of its key head, and the keys it sees. */
interface BackwardRow {
  readonly row: number;
  readonly target: number;
  readonly place: number;
  readonly from: number;
  readonly to: number;
}

/** Adds what one query row gives to dq, dk and dv: dS_j = P_j (do · v_j - Σ_j P_j do · v_j + dlse). */
function backwardRow(problem: Problem, gradients: Gradients, at: BackwardRow, p: Float64Array): void {
  const { math, sizes, scale } = problem;
  const { seqlenK, headDim, headDimV } = sizes;
  const { row, target, place, from, to } = at;
  const keys = keyHeadStart(problem, row);
  const { sum } = softmaxRow(problem, row, keys, from, to, p);
  let mean = 0;
  const dp = new Float64Array(to - from);
  for (let j = from; j < to; j++) {
    p[j] = math.round(p[j]! / sum);
    dp[j - from] = math.dot(gradients.do, row * headDimV, problem.v, (keys + j) * headDimV, headDimV);
    mean = math.round(mean + p[j]! * dp[j - from]!);
  }
  const shift = math.round(gradients.dlse[row]! - mean);
  for (let j = from; j < to; j++) {
    const ds = math.round(scale * math.round(p[j]! * math.round(dp[j - from]! + shift)));
    math.addScaled(gradients.dq, target * headDim, ds, problem.k, (keys + j) * headDim, headDim);
    math.addScaled(gradients.dk, (place * seqlenK + j) * headDim, ds, problem.q, row * headDim, headDim);
    math.addScaled(gradients.dv, (place * seqlenK + j) * headDimV, p[j]!, gradients.do, row * headDimV, headDimV);
  }
}

/** Two multiplications of matrices over the visible pairs forward, five backward (Dao et al. 2022). */
function pairFlops(shape: Shape, options: Options, keyProducts: number, valueProducts: number): number {
  const { batch, heads, headDim, headDimV } = sizesOf(shape);
  const perPair = keyProducts * headDim + valueProducts * headDimV;
  return 2 * batch * heads * visiblePairs(shape, options) * perPair;
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  { name: 'one above a tile of 16', shape: { heads: 2, seqlen: 17, headDim: 32 }, options: {} },
  { name: 'one below a tile of 32, several batches', shape: { batch: 3, heads: 2, seqlen: 31 }, options: {} },
  { name: 'one above a tile of 32, not causal', shape: { heads: 2, seqlen: 33 }, options: { causal: false } },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63 }, options: {} },
  { name: 'exactly one tile of 64', shape: { heads: 2, seqlen: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below a tile of 128, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  {
    name: 'no multiple of any tile, not causal',
    shape: { heads: 2, seqlen: 100, headDim: 96 },
    options: { causal: false },
  },
  { name: 'grouped queries 4:2', shape: { heads: 4, headsKv: 2, seqlen: 37 }, options: {} },
  { name: 'one key head for all (MQA)', shape: { batch: 2, heads: 4, headsKv: 1, seqlen: 20 }, options: {} },
  { name: 'few queries at the end of many keys', shape: { heads: 2, seqlen: 5, seqlenK: 70 }, options: {} },
  { name: 'queries that see no key', shape: { heads: 2, seqlen: 40, seqlenK: 21, headDim: 32 }, options: {} },
  {
    name: 'fewer keys than queries, not causal',
    shape: { heads: 2, seqlen: 50, seqlenK: 19 },
    options: { causal: false },
  },
  { name: 'causal window of 16 keys', shape: { heads: 2, seqlen: 100, headDim: 32 }, options: { window: [15, 0] } },
  {
    name: 'window on both sides',
    shape: { heads: 2, seqlen: 130, headDim: 16 },
    options: { causal: false, window: [8, 8] },
  },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  {
    name: 'values narrower than keys, scale 1',
    shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 },
    options: { scale: 1 },
  },
  { name: 'many tiles', shape: { heads: 1, seqlen: 300 }, options: {} },
];

const forwardComputation: Computation = {
  direction: 'forward',
  tensors: forwardTensors,
  grid,
  generate: (shape, _options, seed) => normalInputs(forwardTensors, shape, seed),
  reference: forward,
  flops: (shape, options) => pairFlops(shape, options, 1, 1),
};

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, _options, seed) => normalInputs(backwardTensors, shape, seed),
  reference: backward,
  flops: (shape, options) => pairFlops(shape, options, 3, 2),
};

const dimensions = attentionDimensions(1024, []);

/** Softmax attention with causal masks, windows and grouped key heads (Vaswani et al. 2017; Dao et al. 2022). */
export const softmaxAttention: Mechanism = {
  id: 'softmax-attention',
  title: 'Softmax attention',
  summary: 'o = softmax(scale · q kᵀ) v over the keys each query sees: causal or not, windows, grouped key heads.',
  dimensions,
  options: optionSpecs,
  computations: [forwardComputation, backwardComputation],
  recurrence: null,
  golden: {
    attn: {
      shape: goldenAttentionShape,
      options: ({ causal, scale, window }) => ({
        causal: causal === true,
        window: goldenWindow(window),
        ...goldenOption('scale', scale),
      }),
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: keyRanges,
  parts: attentionParts,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { heads, headsKv } = sizesOf(shape);
    return heads % headsKv === 0
      ? null
      : `heads is ${heads} and headsKv is ${headsKv}: every key head serves the same number of query heads, so heads must be a multiple of headsKv.`;
  },
};
