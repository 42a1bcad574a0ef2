import { arithmetic } from '../numerics/arithmetic.js';
import type { GoldenSizes } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import { blockRanges, pairsIn } from './masks.js';
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
import { spread, tensorOfGroups } from './sampling.js';
import { numberOption, switchOption } from './sizes.js';
import {
  attentionParts,
  caseScalars,
  forwardTolerance,
  gradientTolerance,
  input,
  invalidCase,
  output,
} from './specs.js';
import {
  addGradients,
  addWeighedValues,
  biasDimension,
  gatedSizes,
  gateGradient,
  invalidBias,
  type SquaredRelu,
} from './squared-relu.js';

const keyDims = ['batch', 'seqlen', 'headDim'];
const valueDims = ['batch', 'seqlen', 'headDimV'];

const inputTensors: readonly TensorSpec[] = [
  input('q', keyDims, 'Queries.'),
  input('k', keyDims, 'Keys.'),
  input('v', valueDims, 'Values.'),
  input('u', valueDims, 'Gates: factors of the output, number by number.'),
  input('bias', ['biasDim'], 'Bias of the score of each distance j - i of key and query; 0 stands in the middle.'),
];

const forwardTensors: readonly TensorSpec[] = [...inputTensors, output('o', valueDims, forwardTolerance, 'Output.')];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', valueDims, 'Gradient of the output.'),
  output('dq', keyDims, gradientTolerance, 'Gradient of the queries.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
  output('du', valueDims, gradientTolerance, 'Gradient of the gates.'),
  output('dbias', ['biasDim'], gradientTolerance, 'Gradient of the biases, over all sequences.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'causal', kind: 'boolean', fallback: true, description: 'A query sees no key after it.' },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape) => 1 / gatedSizes(shape).seqlen,
    description: 'Factor of q · k before the bias, 1 / seqlen unless given.',
  },
];

function visibleKeys(shape: Shape, options: Options): (query: number) => KeyRange {
  const { seqlen } = gatedSizes(shape);
  return blockRanges(seqlen, seqlen, switchOption(options, 'causal'));
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): SquaredRelu {
  const math = arithmetic(precision);
  return {
    math,
    sizes: gatedSizes(shape),
    scale: math.round(numberOption(options, 'scale')),
    range: visibleKeys(shape, options),
    q: new Float64Array(inputs.q!),
    k: new Float64Array(inputs.k!),
    v: new Float64Array(inputs.v!),
    bias: new Float64Array(inputs.bias!),
  };
}

function pairsOf(shape: Shape, options: Options): number {
  return pairsIn(visibleKeys(shape, options), gatedSizes(shape).seqlen);
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { seqlen: 15, headDim: 16 }, options: {} },
  { name: 'one above a tile of 16, several batches', shape: { batch: 3, seqlen: 17, headDim: 32 }, options: {} },
  { name: 'one below a tile of 32', shape: { seqlen: 31, headDim: 64 }, options: {} },
  { name: 'exactly one tile of 32, not causal', shape: { seqlen: 32, headDim: 32 }, options: { causal: false } },
  { name: 'one above a tile of 32', shape: { seqlen: 33, headDim: 64 }, options: {} },
  { name: 'one below a tile of 64', shape: { seqlen: 63, headDim: 32 }, options: {} },
  { name: 'exactly one tile of 64', shape: { seqlen: 64, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { seqlen: 65, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'one below a tile of 128, queries of 128', shape: { seqlen: 127, headDim: 128, headDimV: 32 }, options: {} },
  {
    name: 'no multiple of any tile, not causal',
    shape: { batch: 2, seqlen: 100, headDim: 96, headDimV: 32 },
    options: { causal: false },
  },
  { name: 'values of three slices', shape: { seqlen: 40, headDim: 32, headDimV: 288 }, options: {} },
  {
    name: 'values just wider than a slice, not causal',
    shape: { batch: 2, seqlen: 37, headDim: 16, headDimV: 132 },
    options: { causal: false },
  },
  { name: 'values narrower than keys', shape: { seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  { name: 'more biases than distances', shape: { seqlen: 40, headDim: 16, biasDim: 255 }, options: {} },
  { name: 'scores larger than biases', shape: { seqlen: 70, headDim: 32 }, options: { scale: 0.5 } },
  { name: 'many tiles', shape: { seqlen: 300, headDim: 16 }, options: {} },
];

function forward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'o', ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { batch, seqlen, headDim, headDimV } = problem.sizes;
  const total = batch * seqlen;
  const perRow = (pairsOf(shape, options) / seqlen) * (headDim + headDimV);
  const rows = spread(total, budget / perRow);
  const o = new Float64Array(rows.length * headDimV);
  rows.forEach((row, place) => {
    const m = new Float64Array(headDimV);
    addWeighedValues(problem, row, m);
    m.forEach((sum, e) => {
      o[place * headDimV + e] = problem.math.round(inputs.u![row * headDimV + e]! * sum);
    });
  });
  return { o: tensorOfGroups(o, [batch, seqlen, headDimV], rows, total, 1) };
}

/** The gradients of whole sequences, the first and the last at least; dbias is a sum over all and needs every one. */
function backward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'dq' | 'dk' | 'dv' | 'du' | 'dbias', ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { batch, seqlen, headDim, headDimV, biasDim } = problem.sizes;
  const chosen = spread(batch, budget / (pairsOf(shape, options) * (3 * headDim + 3 * headDimV)));
  const count = chosen.length * seqlen;
  const gradients = {
    dq: new Float64Array(count * headDim),
    dk: new Float64Array(count * headDim),
    dv: new Float64Array(count * headDimV),
    dbias: new Float64Array(biasDim),
  };
  const du = new Float64Array(count * headDimV);
  chosen.forEach((sequence, place) => {
    for (let query = 0; query < seqlen; query++) {
      const row = sequence * seqlen + query;
      const target = place * seqlen + query;
      const m = new Float64Array(headDimV);
      addWeighedValues(problem, row, m);
      const dm = gateGradient(problem, inputs, row, m, du, target);
      addGradients(problem, row, dm, gradients, { query: target, firstKey: place * seqlen });
    }
  });
  if (chosen.length < batch) gradients.dbias.fill(Number.NaN);
  const tensor = (values: Float64Array, width: number): ReferenceTensor =>
    tensorOfGroups(values, [batch, seqlen, width], chosen, batch, seqlen);
  return {
    dq: tensor(gradients.dq, headDim),
    dk: tensor(gradients.dk, headDim),
    dv: tensor(gradients.dv, headDimV),
    du: tensor(du, headDimV),
    dbias: { dims: [biasDim], rows: null, values: gradients.dbias, exactRows: null },
  };
}

function flops(shape: Shape, options: Options, keyProducts: number, valueProducts: number): number {
  const { batch, headDim, headDimV } = gatedSizes(shape);
  return 2 * batch * pairsOf(shape, options) * (keyProducts * headDim + valueProducts * headDimV);
}

const computations: readonly Computation[] = [
  {
    direction: 'forward',
    tensors: forwardTensors,
    grid,
    generate: (shape, _options, seed) => normalInputs(forwardTensors, shape, seed),
    reference: forward,
    flops: (shape, options) => flops(shape, options, 1, 1),
  },
  {
    direction: 'backward',
    tensors: backwardTensors,
    grid,
    generate: (shape, _options, seed) => normalInputs(backwardTensors, shape, seed),
    reference: backward,
    // Scores and sums anew (du needs them), then dq and dk, and the gradients of weights and values.
    flops: (shape, options) => flops(shape, options, 3, 3),
  },
];

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'seqlen', fallback: 1024, description: 'Tokens.' },
  { name: 'headDim', fallback: 128, description: 'Width of queries and keys, of which there is one head.' },
  { name: 'headDimV', fallback: 'headDim', description: 'Width of values, gates and output.' },
  biasDimension('seqlen'),
];

/** The gated attention unit, GAU (Hua et al. 2022): one head of squared ReLU attention, gated number by number. */
export const gatedAttentionUnit: Mechanism = {
  id: 'gated-attention-unit',
  title: 'Gated attention unit (GAU)',
  summary: 'o = u ⊙ (relu(scale · q kᵀ + bias)² v): one head with squared ReLU weights, gated number by number.',
  dimensions,
  options: optionSpecs,
  computations,
  recurrence: null,
  golden: {
    gau: {
      shape: ({ q = [], v = [], bias = [] }: GoldenSizes) => ({
        batch: q[0] ?? 1,
        seqlen: q[1] ?? 1,
        headDim: q[2] ?? 1,
        headDimV: v[2] ?? 1,
        biasDim: bias[0] ?? 1,
      }),
      options: ({ causal }) => ({ causal: causal === true }),
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys,
  parts: attentionParts,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { biasDim, seqlen } = gatedSizes(shape);
    return invalidBias(biasDim, seqlen);
  },
};
