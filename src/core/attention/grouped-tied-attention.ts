import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { goldenOption } from './golden-operation.js';
import { groupedTiedDecodeGrid, groupedTiedGrid } from './grouped-tied-grid.js';
import { normalInputs } from './inputs.js';
import { lastQueries, pairsIn } from './masks.js';
import type {
  Computation,
  DimensionSpec,
  Direction,
  GoldenOperation,
  Inputs,
  KeyRange,
  Mechanism,
  Options,
  OptionSpec,
  Precision,
  ReferenceTensor,
  Shape,
  TensorSpec,
} from './mechanism.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import { numberOption, sizesOf, switchOption, type Sizes } from './sizes.js';
import { softmaxBackward, softmaxFlops, softmaxForward, type SoftmaxProblem } from './softmax-rows.js';
import {
  attentionDimensions,
  caseScalars,
  forwardTolerance,
  gradientTolerance,
  input,
  invalidCase,
  lseTolerance,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';

const queryDims = ['batch', 'heads', 'seqlen', 'headDim'];
const tiedDims = ['batch', 'headsKv', 'seqlenK', 'headDim'];
const ropeDims = ['batch', 'seqlenK', 'ropeDim'];
const lseDims = ['batch', 'heads', 'seqlen'];

const inputs: readonly TensorSpec[] = [
  input('q', queryDims, 'Queries; their last ropeDim channels are rotated.'),
  input('kv', tiedDims, 'Tied state, not rotated: the values, and in all but the last ropeDim channels the keys.'),
  input('k_rope', ropeDims, 'The last ropeDim channels of the keys, rotated, one slice for all heads.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputs,
  output('o', queryDims, forwardTolerance, 'Output; a row that sees no key is exactly zero.'),
  optionalOutput(
    'lse',
    lseDims,
    lseTolerance,
    'Natural logarithm of the sum of exponentials of each row; -infinity (or at most -1e30) where a row sees no key.',
  ),
];

const backwardTensors: readonly TensorSpec[] = [
  ...inputs,
  input('do', queryDims, 'Gradient of the output.'),
  optionalInput('dlse', lseDims, 'Gradient of lse.'),
  output('dq', queryDims, gradientTolerance, 'Gradient of the queries; zero where a row sees no key.'),
  output('dkv', tiedDims, gradientTolerance, 'Gradient of the tied state: what it gets as a value and as a key.'),
  output('dk_rope', ropeDims, gradientTolerance, 'Gradient of the rotated slice, summed over all heads.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'causal',
    kind: 'boolean',
    fallback: true,
    description: 'A query sees no key after it; the last query stands at the last key.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => sizesOf(shape).headDim ** -0.5,
    description: 'Factor of the scores, headDim^-1/2 unless given.',
  },
];

const dimensions: readonly DimensionSpec[] = [
  ...attentionDimensions(1024, ['headDimV']).map((spec) => (spec.name === 'headsKv' ? { ...spec, fallback: 2 } : spec)),
  {
    name: 'ropeDim',
    fallback: { from: ['headDim'], size: (headDim) => Math.floor(headDim / 2), text: 'headDim / 2' },
    description: 'Width of the rotated part of queries and keys, half of headDim unless given.',
  },
];

/** Sizes of Grouped-Tied Attention at a complete shape. */
interface TiedSizes extends Sizes {
  readonly ropeDim: number;
}

function tiedSizes(shape: Shape): TiedSizes {
  const { ropeDim } = shape;
  if (ropeDim === undefined) {
    throw new Error('Bug in Tilescope: a shape reached the reference incomplete. Complete it with completeShape.');
  }
  return { ...sizesOf(shape), ropeDim };
}

/** The keys each query sees: queries are the last `seqlen` of `seqlenK` positions. */
function visibleKeys(shape: Shape, options: Options): (query: number) => KeyRange {
  const { seqlen, seqlenK } = sizesOf(shape);
  return lastQueries(seqlenK, seqlen, switchOption(options, 'causal'));
}

/** K = [kv[..., :headDim - ropeDim] ‖ k_rope], [batch, headsKv, seqlenK, headDim]: the slice k_rope stands in every head. */
function tiedKeys(kv: Float64Array, kRope: Float32Array, sizes: TiedSizes): Float64Array {
  const { headsKv, seqlenK, headDim, ropeDim } = sizes;
  const k = kv.slice();
  for (let row = 0; row < kv.length / headDim; row++) {
    const batch = Math.floor(row / (headsKv * seqlenK));
    const slice = (batch * seqlenK + (row % seqlenK)) * ropeDim;
    for (let d = 0; d < ropeDim; d++) k[(row + 1) * headDim - ropeDim + d] = kRope[slice + d]!;
  }
  return k;
}

/** Grouped-query attention with the tied keys, and with the whole tied state as values. */
function problemOf(given: Inputs, sizes: TiedSizes, shape: Shape, options: Options, math: Arithmetic): SoftmaxProblem {
  const kv = new Float64Array(given.kv!);
  return {
    math,
    sizes,
    scale: math.round(numberOption(options, 'scale')),
    range: visibleKeys(shape, options),
    q: new Float64Array(given.q!),
    k: tiedKeys(kv, given.k_rope!, sizes),
    v: kv,
  };
}

function forward(
  given: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'o' | 'lse', ReferenceTensor>> {
  return softmaxForward(problemOf(given, tiedSizes(shape), shape, options, arithmetic(precision)), budget);
}

/**
 * dq, dkv = dv + [dk[..., :headDim - ropeDim] ‖ 0] and dk_rope, the sum over the heads of the last ropeDim channels of dk.
 * That sum needs all heads, so that whole sequences are sampled where all of them would exceed `budget` multiply-adds.
 */
function backward(
  given: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'dq' | 'dkv' | 'dk_rope', ReferenceTensor>> {
  const sizes = tiedSizes(shape);
  const { batch, heads, headsKv, seqlen, seqlenK, headDim, ropeDim } = sizes;
  const perSequence = heads * pairsIn(visibleKeys(shape, options), seqlen) * 5 * headDim;
  const chosen = spread(batch, perSequence > 0 ? budget / perSequence : batch);
  const found = Array.from(chosen, (sequence) => sequenceBackward(given, sizes, shape, options, precision, sequence));
  const tensor = (name: keyof SequenceGradients, dims: readonly number[]): ReferenceTensor =>
    tensorOfGroups(
      joined(found.map((gradients) => gradients[name])),
      [batch, ...dims],
      chosen,
      batch,
      dims.slice(0, -1).reduce((product, size) => product * size, 1),
    );
  const range = visibleKeys(shape, options);
  const empty = Array.from({ length: chosen.length * heads * seqlen }, (_, row) => row).filter((row) => {
    const { from, to } = range(row % seqlen);
    return from >= to;
  });
  return {
    dq: { ...tensor('dq', [heads, seqlen, headDim]), exactRows: empty.length > 0 ? Uint32Array.from(empty) : null },
    dkv: tensor('dkv', [headsKv, seqlenK, headDim]),
    dk_rope: tensor('dk_rope', [seqlenK, ropeDim]),
  };
}

type SequenceGradients = Readonly<Record<'dq' | 'dkv' | 'dk_rope', Float64Array>>;

/** The gradients of one sequence. */
function sequenceBackward(
  given: Inputs,
  sizes: TiedSizes,
  shape: Shape,
  options: Options,
  precision: Precision,
  sequence: number,
): SequenceGradients {
  const { seqlenK, headDim, ropeDim } = sizes;
  const own: Record<string, Float32Array> = {};
  for (const [name, values] of Object.entries(given)) {
    const count = values.length / sizes.batch;
    own[name] = values.subarray(sequence * count, (sequence + 1) * count);
  }
  const math = arithmetic(precision);
  const { dq, dk, dv } = softmaxBackward(problemOf(own, { ...sizes, batch: 1 }, shape, options, math), own, Infinity);
  const dkv = Float64Array.from(dv.values);
  const dkRope = new Float64Array(seqlenK * ropeDim);
  dk.values.forEach((value, at) => {
    const channel = (at % headDim) - (headDim - ropeDim);
    if (channel < 0) {
      dkv[at] = math.round(dkv[at]! + value);
    } else {
      const place = (Math.floor(at / headDim) % seqlenK) * ropeDim + channel;
      dkRope[place] = math.round(dkRope[place]! + value);
    }
  });
  return { dq: Float64Array.from(dq.values), dkv, dk_rope: dkRope };
}

function flopsOf(direction: 'forward' | 'backward'): Computation['flops'] {
  return (shape, options) =>
    softmaxFlops(shape, pairsIn(visibleKeys(shape, options), sizesOf(shape).seqlen), direction);
}

function outward(direction: Direction, grid: Computation['grid']): Computation {
  return {
    direction,
    tensors: forwardTensors,
    grid,
    generate: (shape, _options, seed) => normalInputs(forwardTensors, shape, seed),
    reference: forward,
    flops: flopsOf('forward'),
  };
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid: groupedTiedGrid,
  generate: (shape, _options, seed) => normalInputs(backwardTensors, shape, seed),
  reference: backward,
  flops: flopsOf('backward'),
};

const golden: GoldenOperation = {
  shape: ({ q = [], kv = [], k_rope: kRope = [] }) => ({
    batch: q[0] ?? 1,
    heads: q[1] ?? 1,
    headsKv: kv[1] ?? 1,
    seqlen: q[2] ?? 1,
    seqlenK: kv[2] ?? 1,
    headDim: q[3] ?? 1,
    ropeDim: kRope[3] ?? 1,
  }),
  options: ({ causal, scale }) => ({ ...goldenOption('causal', causal), ...goldenOption('scale', scale) }),
};

/** Grouped-Tied Attention (Zadouri, Strauss, Dao 2025): one state of a group of heads is its keys and its values. */
export const groupedTiedAttention: Mechanism = {
  id: 'grouped-tied-attention',
  title: 'Grouped-Tied Attention',
  summary:
    'o = softmax(scale · q [kv ‖ k_rope]ᵀ) kv: a tied state is all of the values and the unrotated half of the keys of a group of heads.',
  dimensions,
  options: optionSpecs,
  computations: [outward('forward', groupedTiedGrid), outward('decode', groupedTiedDecodeGrid), backwardComputation],
  recurrence: null,
  golden: { gta: golden },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys,
  parts: { query: 'q', key: 'kv', value: 'kv', output: 'o' },
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { heads, headsKv, headDim, ropeDim } = tiedSizes(shape);
    if (heads % headsKv !== 0) {
      return `heads is ${heads} and headsKv is ${headsKv}: every tied head serves the same number of query heads, so heads must be a multiple of headsKv.`;
    }
    return ropeDim <= headDim
      ? null
      : `ropeDim is ${ropeDim} and headDim is ${headDim}: the rotated channels are some of a key's, so ropeDim must be headDim at most.`;
  },
};
