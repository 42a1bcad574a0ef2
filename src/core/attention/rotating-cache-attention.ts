import { arithmetic } from '../numerics/arithmetic.js';
import { normalInputs } from './inputs.js';
import type {
  Computation,
  DimensionSpec,
  GridCase,
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
import { joinedSequences } from './sampling.js';
import { choiceOption, numberOption, sizesOf, tensorDims, type Sizes } from './sizes.js';
import { unequalHeads } from './softmax-attention.js';
import { softmaxForward } from './softmax-rows.js';
import {
  attentionDimensions,
  caseScalars,
  forwardTolerance,
  input,
  invalidCase,
  lseTolerance,
  optionalOutput,
  output,
  wholeInput,
} from './specs.js';

const dimensions: readonly DimensionSpec[] = [
  ...attentionDimensions(1, ['seqlenK']).map((dimension) => {
    if (dimension.name === 'batch') return { ...dimension, description: 'Streams, each with a ring of its own.' };
    if (dimension.name === 'seqlen') return { ...dimension, description: 'New tokens of each stream in this step.' };
    return dimension;
  }),
  { name: 'capacity', fallback: 1024, description: 'Slots of a ring: the most tokens that a stream keeps.' },
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => sizesOf(shape).headDim ** -0.5,
    description: 'Factor of the scores, headDim^-1/2 unless given.',
  },
  {
    name: 'streams',
    kind: 'choice',
    choices: ['full', 'mixed', 'empty'],
    fallback: 'full',
    onlyInputs: true,
    description: 'How full the rings come in: all, some of them, or none (after a reset).',
  },
];

const queryDims = ['batch', 'heads', 'seqlen', 'headDim'];
const lseDims = ['batch', 'heads', 'seqlen'];
const keyCacheDims = ['batch', 'headsKv', 'capacity', 'headDim'];
const valueCacheDims = ['batch', 'headsKv', 'capacity', 'headDimV'];

const tensors: readonly TensorSpec[] = [
  input('q', queryDims, 'Queries of the new tokens.'),
  input('k', ['batch', 'headsKv', 'seqlen', 'headDim'], 'Keys of the new tokens.'),
  input('v', ['batch', 'headsKv', 'seqlen', 'headDimV'], 'Values of the new tokens.'),
  input('k_cache', keyCacheDims, 'Keys in their slots; a slot that is not used holds anything, NaN included.'),
  input('v_cache', valueCacheDims, 'Values in their slots; a slot that is not used holds anything, NaN included.'),
  wholeInput('position', ['batch'], 'Slot of the first new token of each stream: after the newest, at the oldest.'),
  wholeInput('fill', ['batch'], 'Tokens that the ring of each stream holds, up to capacity; 0 after a reset.'),
  output('o', ['batch', 'heads', 'seqlen', 'headDimV'], forwardTolerance, 'Output of the new tokens.'),
  optionalOutput('lse', lseDims, lseTolerance, 'Natural logarithm of the sum of exponentials of each row.'),
  output('k_cache_next', keyCacheDims, forwardTolerance, 'Keys with the new ones over the oldest, bit by bit.'),
  output('v_cache_next', valueCacheDims, forwardTolerance, 'Values with the new ones over the oldest, bit by bit.'),
];

/** Where a stream's next token goes, and how many tokens stand before that slot, around the ring. */
interface Ring {
  readonly position: number;
  readonly fill: number;
}

/** The rings that `streams` stands for: of several streams, one is full, one empty, one has a single token, and so on. */
function ringsOf(shape: Shape, options: Options): readonly Ring[] {
  const { batch } = sizesOf(shape);
  const capacity = capacityOf(shape);
  const fills = {
    full: [capacity],
    mixed: [capacity, 0, Math.ceil(capacity / 2), 1, capacity - 1],
    empty: [0],
  }[choiceOption(options, 'streams')] ?? [capacity];
  return Array.from({ length: batch }, (_, stream) => ({
    position: (3 + 7 * stream) % capacity,
    fill: fills[stream % fills.length]!,
  }));
}

function capacityOf({ capacity }: Shape): number {
  if (capacity === undefined) throw new Error('Bug in Tilescope: a shape reached the rings without a capacity.');
  return capacity;
}

/** The slot of the token that `later` others follow. */
function slotOf({ position }: Ring, capacity: number, later: number): number {
  return (position + capacity - 1 - later) % capacity;
}

/** Normal inputs, with NaN in every slot that holds no token. */
function generate(shape: Shape, options: Options, seed: number): Inputs {
  const { headsKv, headDim, headDimV } = sizesOf(shape);
  const capacity = capacityOf(shape);
  const inputs = normalInputs(tensors, shape, seed);
  const rings = ringsOf(shape, options);
  rings.forEach((ring, stream) => {
    for (let later = ring.fill; later < capacity; later++) {
      for (let head = stream * headsKv; head < (stream + 1) * headsKv; head++) {
        const row = head * capacity + slotOf(ring, capacity, later);
        inputs.k_cache!.fill(Number.NaN, row * headDim, (row + 1) * headDim);
        inputs.v_cache!.fill(Number.NaN, row * headDimV, (row + 1) * headDimV);
      }
    }
  });
  inputs.position = Float32Array.from(rings, ({ position }) => position);
  inputs.fill = Float32Array.from(rings, ({ fill }) => fill);
  return inputs;
}

/** Everything the parts of one reference share. */
interface Problem {
  readonly inputs: Inputs;
  readonly sizes: Sizes;
  readonly capacity: number;
  readonly rings: readonly Ring[];
}

/** The tokens of a stream from the oldest on, the new ones last: [headsKv, fill + seqlen, width]. */
function inOrder({ inputs, sizes, capacity, rings }: Problem, stream: number, name: 'k' | 'v'): Float64Array {
  const { headsKv, seqlen } = sizes;
  const width = name === 'k' ? sizes.headDim : sizes.headDimV;
  const [cache, fresh] = [inputs[`${name}_cache`]!, inputs[name]!];
  const ring = rings[stream]!;
  const count = ring.fill + seqlen;
  const rows = new Float64Array(headsKv * count * width);
  for (let head = 0; head < headsKv; head++) {
    const owner = stream * headsKv + head;
    for (let at = 0; at < count; at++) {
      const cached = owner * capacity + slotOf(ring, capacity, ring.fill - 1 - at);
      const [source, row] = at < ring.fill ? [cache, cached] : [fresh, owner * seqlen + at - ring.fill];
      rows.set(source.subarray(row * width, (row + 1) * width), (head * count + at) * width);
    }
  }
  return rows;
}

/** A cache after the step; NaN, which is not compared, where a slot still holds no token. */
function cacheAfter({ inputs, sizes, capacity, rings }: Problem, shape: Shape, name: 'k' | 'v'): ReferenceTensor {
  const { batch, headsKv, seqlen } = sizes;
  const width = name === 'k' ? sizes.headDim : sizes.headDimV;
  const [cache, fresh] = [inputs[`${name}_cache`]!, inputs[name]!];
  const values = new Float64Array(batch * headsKv * capacity * width).fill(Number.NaN);
  for (let owner = 0; owner < batch * headsKv; owner++) {
    const ring = rings[Math.floor(owner / headsKv)]!;
    const put = (slot: number, source: Float32Array, row: number): void => {
      values.set(source.subarray(row * width, (row + 1) * width), (owner * capacity + slot) * width);
    };
    for (let later = 0; later < ring.fill; later++) {
      const slot = slotOf(ring, capacity, later);
      put(slot, cache, owner * capacity + slot);
    }
    for (let token = 0; token < seqlen; token++) {
      put((ring.position + token) % capacity, fresh, owner * seqlen + token);
    }
  }
  const exactRows = Uint32Array.from({ length: batch * headsKv * capacity }, (_, row) => row);
  const dims = tensorDims(name === 'k' ? keyCacheDims : valueCacheDims, shape);
  return { dims, rows: null, values, exactRows };
}

/**
 * o and lse as softmax attention of each stream over its cached tokens, in order of age, and the new ones, and the caches
 * after the step. Rows of o and lse are sampled beyond `budget` multiply-adds.
 */
function reference(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const sizes = sizesOf(shape);
  const { batch, heads, seqlen } = sizes;
  const math = arithmetic(precision);
  const rings = Array.from(inputs.position!, (position, stream) => ({ position, fill: inputs.fill![stream]! }));
  const problem: Problem = { inputs, sizes, capacity: capacityOf(shape), rings };
  const queries = heads * seqlen;
  const streams = rings.map(({ fill }, stream) =>
    softmaxForward(
      {
        math,
        sizes: { ...sizes, batch: 1, seqlenK: fill + seqlen },
        scale: math.round(numberOption(options, 'scale')),
        range: (query) => ({ from: 0, to: fill + query + 1 }),
        q: new Float64Array(
          inputs.q!.subarray(stream * queries * sizes.headDim, (stream + 1) * queries * sizes.headDim),
        ),
        k: inOrder(problem, stream, 'k'),
        v: inOrder(problem, stream, 'v'),
      },
      budget / batch,
    ),
  );
  return {
    o: joinedSequences(streams.map(({ o }) => o)),
    lse: joinedSequences(streams.map(({ lse }) => lse)),
    k_cache_next: cacheAfter(problem, shape, 'k'),
    v_cache_next: cacheAfter(problem, shape, 'v'),
  };
}

/** The slots each query sees: all of a full ring. Where rings differ, each stream has a mask of its own, around its ring. */
function visibleKeys(shape: Shape, options: Options): (() => KeyRange) | null {
  const slots = { from: 0, to: capacityOf(shape) };
  return choiceOption(options, 'streams') === 'full' ? () => slots : null;
}

const small = { batch: 2, heads: 4, headsKv: 2, headDim: 16 };
const mixed: Options = { streams: 'mixed' };

const grid: readonly GridCase[] = [
  { name: 'a ring of one slot', shape: { ...small, capacity: 1 }, options: {} },
  { name: 'empty rings', shape: { ...small, seqlen: 3, capacity: 20 }, options: { streams: 'empty' } },
  { name: 'streams of every fill', shape: { ...small, batch: 5, capacity: 20 }, options: mixed },
  {
    name: 'several tokens to streams of every fill',
    shape: { ...small, batch: 5, seqlen: 4, capacity: 20 },
    options: mixed,
  },
  { name: 'as many tokens as slots', shape: { ...small, seqlen: 16, capacity: 16 }, options: mixed },
  { name: 'one below a step of 16 keys', shape: { ...small, capacity: 14 }, options: {} },
  { name: 'one above a step of 16 keys', shape: { ...small, capacity: 16 }, options: {} },
  { name: 'one below a part of 128 keys', shape: { ...small, capacity: 126 }, options: {} },
  { name: 'exactly a part of 128 keys', shape: { ...small, capacity: 127 }, options: {} },
  { name: 'one above a part of 128 keys', shape: { ...small, capacity: 128 }, options: {} },
  { name: 'several parts', shape: { ...small, batch: 5, seqlen: 3, capacity: 150 }, options: mixed },
  {
    name: 'one key head for all (MQA)',
    shape: { ...small, heads: 6, headsKv: 1, seqlen: 2, capacity: 33 },
    options: {},
  },
  { name: 'a key head for each', shape: { ...small, heads: 3, headsKv: 3, capacity: 33 }, options: mixed },
  { name: 'more rows than a tile of 8', shape: { ...small, heads: 12, seqlen: 3, capacity: 20 }, options: mixed },
  { name: 'values wider than keys', shape: { ...small, headDimV: 64, seqlen: 2, capacity: 33 }, options: mixed },
  {
    name: 'values narrower than keys, scale 1/4',
    shape: { ...small, headDim: 64, headDimV: 20, capacity: 33 },
    options: { scale: 0.25 },
  },
  {
    name: 'a head of 96',
    shape: { ...small, heads: 2, headsKv: 1, headDim: 96, seqlen: 2, capacity: 24 },
    options: mixed,
  },
  { name: 'a head of 128', shape: { ...small, heads: 2, headsKv: 1, headDim: 128, capacity: 40 }, options: {} },
];

const computation: Computation = {
  direction: 'decode',
  tensors,
  grid,
  generate,
  reference,
  flops: (shape, options) => {
    const { heads, seqlen, headDim, headDimV } = sizesOf(shape);
    const own = (seqlen * (seqlen + 1)) / 2;
    const pairs = ringsOf(shape, options).reduce((sum, { fill }) => sum + seqlen * fill + own, 0);
    return 2 * heads * pairs * (headDim + headDimV);
  },
};

/**
 * Softmax attention of several streams, each against a ring of the tokens it saw last: new tokens overwrite the oldest
 * (rotating KV caches; Bornschein et al. 2024, arXiv:2403.01554).
 *
 * It has no recurrence in the sense of a sequence that may be cut anywhere: the tokens of a step see all that the ring held
 * before it, so that two steps see less than one once the ring is full.
 */
export const rotatingCacheAttention: Mechanism = {
  id: 'rotating-cache-attention',
  title: 'Rotating KV caches',
  summary:
    'o = softmax(scale · q [k_cache ‖ k]ᵀ) [v_cache ‖ v] for each stream, whose new k, v then replace the oldest.',
  dimensions,
  options: optionSpecs,
  computations: [computation],
  recurrence: null,
  golden: {},
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys,
  parts: { query: 'q', key: 'k_cache', value: 'v_cache', output: 'o' },
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options) ?? unequalHeads(shape);
    if (problem !== null) return problem;
    const { seqlen } = sizesOf(shape);
    const capacity = capacityOf(shape);
    return seqlen <= capacity
      ? null
      : `seqlen is ${seqlen} and capacity is ${capacity}: the new tokens of a step must all find a slot, so seqlen must be at most capacity.`;
  },
};
