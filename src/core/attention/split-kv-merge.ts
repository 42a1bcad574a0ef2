import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
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
} from './mechanism.js';
import { spread } from './sampling.js';
import { choiceOption, elementCount, tensorDims } from './sizes.js';
import { caseScalars, forwardTolerance, input, invalidCase, lseTolerance, output } from './specs.js';

/** A log-sum-exp that stands for minus infinity: kernels cannot rely on infinities, so they write this or less. */
const emptyLse = -1e30;

const rowDims = ['batch', 'heads', 'seqlen'];
const tensors = [
  input(
    'o_parts',
    ['parts', ...rowDims, 'headDimV'],
    'Output of each part of the keys; of no meaning where it is empty.',
  ),
  input(
    'lse_parts',
    ['parts', ...rowDims],
    'Natural logarithm of the sum of exponentials of each part; at most -1e30 where a row sees no key of it.',
  ),
  output('o', [...rowDims, 'headDimV'], forwardTolerance, 'Output over all parts; exactly zero where all are empty.'),
  output('lse', rowDims, lseTolerance, 'The same of all parts; -infinity (or at most -1e30) where all are empty.'),
];

const dimensions: readonly DimensionSpec[] = [
  { name: 'parts', fallback: 32, description: 'Parts that the keys were split into.' },
  { name: 'batch', fallback: 8, description: 'Independent sequences.' },
  { name: 'heads', fallback: 32, description: 'Query heads.' },
  { name: 'seqlen', fallback: 1, description: 'Query tokens.' },
  { name: 'headDimV', fallback: 128, description: 'Width of an output head.' },
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'partsKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['full', 'holes', 'empty'],
    fallback: 'full',
    description: 'Which parts the comparison feeds: all with keys, some without in every second row, or none with any.',
  },
];

interface Rows {
  readonly parts: number;
  readonly rows: number;
  readonly width: number;
}

function rowsOf(shape: Shape): Rows {
  const [parts, width] = tensorDims(['parts', 'headDimV'], shape);
  return { parts: parts!, rows: elementCount(tensorDims(rowDims, shape)), width: width! };
}

/** Log-sum-exps about as far apart as those of parts of one cache, and numbers that must not count in what is empty. */
function generate(shape: Shape, options: Options, seed: number): Inputs {
  const { parts, rows, width } = rowsOf(shape);
  const kind = choiceOption(options, 'partsKind');
  const values = normalValues(parts * rows * width, seed, 'o_parts');
  const lse = normalValues(parts * rows, seed, 'lse_parts').map((value) => 6 + 2 * value);
  for (let at = 0; at < parts * rows; at++) {
    const [part, row] = [Math.floor(at / rows), at % rows];
    // A row with holes keeps one part, so that the holes stand before and after it.
    const hole = row % 2 === 0 && part !== row % parts;
    if (kind === 'full' || (kind === 'holes' && !hole)) continue;
    lse[at] = emptyLse;
    values.fill(Number.NaN, at * width, (at + 1) * width);
  }
  return { o_parts: values, lse_parts: lse };
}

/** One row of o into `o` from `at` on, and its lse: o = Σ w_p o_p / Σ w_p with w_p = e^(lse_p - max lse). */
function mergeRow(
  math: Arithmetic,
  inputs: Inputs,
  { parts, rows, width }: Rows,
  row: number,
  o: Float64Array,
  at: number,
): number {
  let max = -Infinity;
  for (let part = 0; part < parts; part++) {
    const lse = inputs.lse_parts![part * rows + row]!;
    if (lse > emptyLse) max = Math.max(max, lse);
  }
  if (max === -Infinity) return max;
  let sum = 0;
  for (let part = 0; part < parts; part++) {
    const lse = inputs.lse_parts![part * rows + row]!;
    if (!(lse > emptyLse)) continue;
    const weight = math.round(Math.exp(math.round(lse - max)));
    sum = math.round(sum + weight);
    const from = (part * rows + row) * width;
    math.addScaled(o, at, weight, new Float64Array(inputs.o_parts!.subarray(from, from + width)), 0, width);
  }
  for (let column = at; column < at + width; column++) o[column] = math.round(o[column]! / sum);
  return math.round(max + math.round(Math.log(sum)));
}

function reference(
  inputs: Inputs,
  shape: Shape,
  _options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'o' | 'lse', ReferenceTensor>> {
  const size = rowsOf(shape);
  const { parts, rows: total, width } = size;
  const chosen = spread(total, budget / (parts * (width + 1)));
  const math = arithmetic(precision);
  const o = new Float64Array(chosen.length * width);
  const lse = new Float64Array(total).fill(Number.NaN);
  const empty: number[] = [];
  chosen.forEach((row, place) => {
    lse[row] = mergeRow(math, inputs, size, row, o, place * width);
    if (lse[row] === -Infinity) empty.push(place);
  });
  const rows = chosen.length === total ? null : chosen;
  const exactRows = empty.length > 0 ? Uint32Array.from(empty) : null;
  return {
    o: { dims: tensorDims([...rowDims, 'headDimV'], shape), rows, values: o, exactRows },
    lse: { dims: tensorDims(rowDims, shape), rows: null, values: lse, exactRows: null },
  };
}

const grid: readonly GridCase[] = [
  { name: 'one part', shape: { parts: 1, batch: 1, heads: 2, headDimV: 16 }, options: {} },
  { name: 'two parts', shape: { parts: 2, batch: 1, heads: 3, headDimV: 32 }, options: {} },
  { name: 'three parts, several batches', shape: { parts: 3, batch: 3, heads: 2, headDimV: 64 }, options: {} },
  { name: 'one part below 16', shape: { parts: 15, batch: 1, heads: 2, headDimV: 96 }, options: {} },
  { name: 'one part above 16', shape: { parts: 17, batch: 2, heads: 1, headDimV: 128 }, options: {} },
  { name: 'one part above 64', shape: { parts: 65, batch: 1, heads: 2, headDimV: 32 }, options: {} },
  { name: 'exactly 64 parts', shape: { parts: 64, batch: 1, heads: 1, headDimV: 64 }, options: {} },
  { name: 'a draft in several batches', shape: { parts: 2, batch: 3, heads: 1, seqlen: 3, headDimV: 32 }, options: {} },
  { name: 'values of 100', shape: { parts: 6, batch: 1, heads: 3, headDimV: 100 }, options: {} },
  { name: 'hundreds of parts', shape: { parts: 300, batch: 1, heads: 1, headDimV: 16 }, options: {} },
  { name: 'four query tokens', shape: { parts: 5, batch: 2, heads: 2, seqlen: 4, headDimV: 16 }, options: {} },
  { name: 'values of 20', shape: { parts: 4, batch: 1, heads: 2, seqlen: 3, headDimV: 20 }, options: {} },
  {
    name: 'parts without keys',
    shape: { parts: 5, batch: 2, heads: 3, headDimV: 16 },
    options: { partsKind: 'holes' },
  },
  {
    name: 'many parts without keys',
    shape: { parts: 70, batch: 1, heads: 2, seqlen: 2, headDimV: 64 },
    options: { partsKind: 'holes' },
  },
  { name: 'no part with keys', shape: { parts: 3, batch: 1, heads: 2, headDimV: 32 }, options: { partsKind: 'empty' } },
];

const computation: Computation = {
  direction: 'forward',
  tensors,
  grid,
  generate,
  reference,
  flops: (shape) => {
    const { parts, rows, width } = rowsOf(shape);
    return 2 * parts * rows * width;
  },
};

/** The merge of split-KV decoding: softmax attention over all keys from its results over parts of them. */
export const splitKvMerge: Mechanism = {
  id: 'split-kv-merge',
  title: 'Split-KV merge',
  summary: 'o = Σ w_p o_p / Σ w_p, w_p = exp(lse_p − max lse): attention over all keys from that over parts of them.',
  dimensions,
  options: optionSpecs,
  computations: [computation],
  recurrence: null,
  golden: {
    splitkv_merge: {
      shape: ({ o_parts = [] }) => ({
        parts: o_parts[0] ?? 1,
        batch: o_parts[1] ?? 1,
        heads: o_parts[2] ?? 1,
        seqlen: o_parts[3] ?? 1,
        headDimV: o_parts[4] ?? 1,
      }),
      options: () => ({}),
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) => invalidCase(dimensions, optionSpecs, shape, options),
};
