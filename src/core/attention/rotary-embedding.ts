import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
import { goldenOption } from './golden-operation.js';
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
  Tolerance,
} from './mechanism.js';
import { spread } from './sampling.js';
import { choiceOption, elementCount, numberOption, tensorDims } from './sizes.js';
import { caseScalars, input, invalidCase, optionalInput, output } from './specs.js';

/** The bound on rotated rows: with tables from float64, a rotation is four products and two sums. */
const rotationTolerance: Tolerance = { kind: 'ratio', bound: 2e-6 };

const rowDims = ['batch', 'heads', 'seqlen', 'headDim'];
const tableDims = ['seqlen', 'rotaryDim'];

const placeTensors: readonly TensorSpec[] = [
  optionalInput('positions', ['seqlen'], 'Position of each token, for a kernel that has no table.'),
  optionalInput('rotations', tableDims, 'Cosine and sine of the angle of each pair in turn, made from the positions.'),
];

const forwardTensors: readonly TensorSpec[] = [
  input('x', rowDims, 'Rows: queries or keys.'),
  ...placeTensors,
  output('y', rowDims, rotationTolerance, 'Rows rotated by their positions; channels from rotaryDim on as they were.'),
];

const backwardTensors: readonly TensorSpec[] = [
  input('dy', rowDims, 'Gradient of the rotated rows.'),
  ...placeTensors,
  output('dx', rowDims, rotationTolerance, 'Gradient of the rows: dy rotated back.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'pairing',
    kind: 'choice',
    choices: ['half', 'interleaved'],
    fallback: 'half',
    description:
      'Which channels are rotated together: i and i + rotaryDim/2 (GPT-NeoX, Llama in Hugging Face), or 2i and 2i + 1 (GPT-J, RetNet, DeepSeek).',
  },
  { name: 'base', onlyInputs: true, kind: 'number', fallback: 10000, description: 'Base of the frequencies.' },
  {
    name: 'frequencies',
    onlyInputs: true,
    kind: 'choice',
    choices: ['geometric', 'linspace'],
    fallback: 'geometric',
    description:
      'Radians a token of pair i: base^(-2i/rotaryDim), or, as in torchscale, exponents evenly spread from 0 to -1 with both ends.',
  },
  { name: 'offset', onlyInputs: true, kind: 'number', fallback: 0, description: 'Position of the first token.' },
];

/** Radians a token for each pair of `rotaryDim` channels: `geometric` (Su et al. 2021) or `linspace` (torchscale). */
export function rotaryFrequencies(rotaryDim: number, base: number, kind: string): Float64Array {
  const pairs = rotaryDim / 2;
  const steps = kind === 'linspace' ? Math.max(pairs - 1, 1) : pairs;
  return Float64Array.from({ length: pairs }, (_, pair) => base ** (-pair / steps));
}

/**
 * The table by which rows are rotated, [positions, rotaryDim] in float64: cosine and sine of position · frequency for
 * each pair in turn. Kernels get it rounded to float32, because WGSL's own sine may be off by 2^-11, and by anything
 * outside [-π, π].
 */
export function rotationTable(positions: ArrayLike<number>, frequencies: Float64Array): Float64Array {
  const table = new Float64Array(positions.length * frequencies.length * 2);
  for (let token = 0; token < positions.length; token++) {
    frequencies.forEach((frequency, pair) => {
      const angle = positions[token]! * frequency;
      const at = 2 * (token * frequencies.length + pair);
      table[at] = Math.cos(angle);
      table[at + 1] = Math.sin(angle);
    });
  }
  return table;
}

function positionsOf(seqlen: number, options: Options): Float32Array {
  const offset = numberOption(options, 'offset');
  return Float32Array.from({ length: seqlen }, (_, token) => offset + token);
}

function frequenciesOf(shape: Shape, options: Options): Float64Array {
  return rotaryFrequencies(shape.rotaryDim!, numberOption(options, 'base'), choiceOption(options, 'frequencies'));
}

/**
 * Rotates the first `rotaryDim` channels of a row in place. `rotation` holds cosines and sines from `at` on; a `turn` of
 * -1 rotates back.
 */
function rotateRow(
  math: Arithmetic,
  row: Float64Array,
  rotation: Float64Array,
  at: number,
  { rotaryDim, interleaved, turn }: { rotaryDim: number; interleaved: boolean; turn: 1 | -1 },
): void {
  for (let pair = 0; pair < rotaryDim / 2; pair++) {
    const first = interleaved ? 2 * pair : pair;
    const second = interleaved ? 2 * pair + 1 : pair + rotaryDim / 2;
    const cosine = rotation[at + 2 * pair]!;
    const sine = turn * rotation[at + 2 * pair + 1]!;
    const [a, b] = [row[first]!, row[second]!];
    row[first] = math.round(math.round(a * cosine) - b * sine);
    row[second] = math.round(math.round(b * cosine) + a * sine);
  }
}

function rotate(
  values: Float32Array,
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
  turn: 1 | -1,
): ReferenceTensor {
  const math = arithmetic(precision);
  const dims = tensorDims(rowDims, shape);
  const seqlen = shape.seqlen!;
  const headDim = shape.headDim!;
  const rotaryDim = shape.rotaryDim!;
  // Without a table the angles are exact, from the positions given or those that follow the offset.
  const positions = inputs.positions ?? positionsOf(seqlen, options);
  const table =
    inputs.rotations !== undefined && inputs.positions === undefined
      ? new Float64Array(inputs.rotations)
      : rotationTable(positions, frequenciesOf(shape, options)).map(math.round);
  const total = elementCount(dims) / headDim;
  const chosen = spread(total, budget / (2 * headDim));
  const rotated = new Float64Array(chosen.length * headDim);
  const interleaved = choiceOption(options, 'pairing') === 'interleaved';
  chosen.forEach((row, place) => {
    const target = rotated.subarray(place * headDim, (place + 1) * headDim);
    target.set(values.subarray(row * headDim, (row + 1) * headDim));
    rotateRow(math, target, table, (row % seqlen) * rotaryDim, { rotaryDim, interleaved, turn });
  });
  return { dims, rows: chosen.length === total ? null : chosen, values: rotated, exactRows: null };
}

const interleaved: Options = { pairing: 'interleaved' };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: { offset: 3 } },
  {
    name: 'a single token, interleaved',
    shape: { heads: 2, seqlen: 1, headDim: 16 },
    options: { ...interleaved, offset: 3 },
  },
  { name: 'several batches', shape: { batch: 3, heads: 2, seqlen: 9, headDim: 32 }, options: {} },
  { name: 'several batches, interleaved', shape: { batch: 3, heads: 2, seqlen: 9, headDim: 32 }, options: interleaved },
  { name: 'five heads', shape: { heads: 5, seqlen: 17 }, options: {} },
  { name: 'a head of 4', shape: { heads: 2, seqlen: 31, headDim: 4 }, options: {} },
  { name: 'a head of 20', shape: { heads: 3, seqlen: 33, headDim: 20 }, options: interleaved },
  { name: 'a head of 96', shape: { heads: 1, seqlen: 63, headDim: 96 }, options: {} },
  { name: 'a head of 128', shape: { heads: 1, seqlen: 65, headDim: 128 }, options: interleaved },
  { name: 'half of the channels', shape: { heads: 2, seqlen: 40, headDim: 64, rotaryDim: 32 }, options: {} },
  {
    name: 'some of the channels, interleaved',
    shape: { heads: 2, seqlen: 40, headDim: 64, rotaryDim: 20 },
    options: interleaved,
  },
  { name: 'two of the channels', shape: { heads: 2, seqlen: 40, headDim: 16, rotaryDim: 2 }, options: {} },
  { name: 'positions from 4095 on', shape: { heads: 2, seqlen: 40, headDim: 32 }, options: { offset: 4095 } },
  {
    name: 'positions from 100000 on, a base of 160000',
    shape: { heads: 2, seqlen: 40, headDim: 32 },
    options: { offset: 100_000, base: 160_000 },
  },
  {
    name: 'the frequencies of torchscale',
    shape: { heads: 2, seqlen: 40, headDim: 32 },
    options: { ...interleaved, frequencies: 'linspace' },
  },
  { name: 'many tokens, no multiple of any tile', shape: { heads: 1, seqlen: 301, headDim: 32 }, options: {} },
];

function computation(direction: 'forward' | 'backward'): Computation {
  const [tensors, from, to, turn] =
    direction === 'forward' ? ([forwardTensors, 'x', 'y', 1] as const) : ([backwardTensors, 'dy', 'dx', -1] as const);
  return {
    direction,
    tensors,
    grid,
    generate: (shape, options, seed) => {
      const positions = positionsOf(shape.seqlen!, options);
      return {
        [from]: normalValues(elementCount(tensorDims(rowDims, shape)), seed, from),
        positions,
        rotations: new Float32Array(rotationTable(positions, frequenciesOf(shape, options))),
      };
    },
    reference: (inputs, shape, options, precision, budget) => ({
      [to]: rotate(inputs[from]!, inputs, shape, options, precision, budget, turn),
    }),
    // Four products and two sums for each pair.
    flops: ({ batch, heads, seqlen, rotaryDim }) => 3 * batch! * heads! * seqlen! * rotaryDim!,
  };
}

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'heads', fallback: 8, description: 'Heads.' },
  { name: 'seqlen', fallback: 2048, description: 'Tokens.' },
  { name: 'headDim', fallback: 64, description: 'Width of a query or key head.' },
  {
    name: 'rotaryDim',
    fallback: 'headDim',
    description: 'Channels that are rotated, the first ones of a row: an even number, headDim at most.',
  },
];

/** Rotary position embedding (Su et al. 2021), which queries and keys go through before they meet. */
export const rotaryEmbedding: Mechanism = {
  id: 'rotary-embedding',
  title: 'Rotary position embedding',
  summary:
    'y₁ = x₁ cos φ - x₂ sin φ, y₂ = x₂ cos φ + x₁ sin φ for pairs of channels, φ = position · frequency: products of queries and keys then see distances alone.',
  dimensions,
  options: optionSpecs,
  computations: [computation('forward'), computation('backward')],
  recurrence: null,
  golden: {
    rope: {
      shape: ({ x = [] }, { rope_dim: rotaryDim }) => ({
        batch: x[0] ?? 1,
        heads: x[1] ?? 1,
        seqlen: x[2] ?? 1,
        headDim: x[3] ?? 1,
        ...(typeof rotaryDim === 'number' ? { rotaryDim } : {}),
      }),
      options: ({ base, style }) => ({ ...goldenOption('base', base), ...goldenOption('pairing', style) }),
      names: { pos: 'positions' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { headDim = 1, rotaryDim = 1 } = shape;
    return rotaryDim % 2 === 0 && rotaryDim <= headDim
      ? null
      : `rotaryDim is ${rotaryDim} and headDim is ${headDim}: channels are rotated in pairs, so rotaryDim must be even, and at most headDim.`;
  },
};
