import { arithmetic } from '../numerics/arithmetic.js';
import { goldenOption } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import type {
  Computation,
  DimensionSpec,
  GridCase,
  Inputs,
  Mechanism,
  Options,
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
} from './mlp-memory.js';
import { spread, tensorOfGroups } from './sampling.js';
import { choiceOption, tensorDims } from './sizes.js';
import { caseScalars, gradientTolerance, input, invalidCase, output } from './specs.js';
import { logistic } from './titans.js';

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'heads', fallback: 8, description: 'Heads, each with a memory of its own.' },
  { name: 'seqlen', fallback: 1024, description: 'Tokens.' },
  { name: 'headDim', fallback: 64, description: 'Width of a key and of a value.' },
  hiddenDimension,
];

const rowDims = ['batch', 'heads', 'seqlen', 'headDim'];
const tokenDims = ['batch', 'heads', 'seqlen'];
const lossDims = ['batch', 'heads'];

const tensors: readonly TensorSpec[] = [
  input('x', rowDims, 'What the memory is asked: keys.'),
  input('v', rowDims, 'What it should answer: values.'),
  input('w', tokenDims, 'Weight of each token in the loss.'),
  input('w1', upDims, 'Weights of the first layer.'),
  input('w2', downDims, 'Weights of the second layer.'),
  output('loss', lossDims, { kind: 'ratio', bound: 2e-5 }, 'Loss of each head.'),
  output('dw1', upDims, gradientTolerance, 'Gradient of the loss by the weights of the first layer.'),
  output('dw2', downDims, gradientTolerance, 'Gradient of the loss by the weights of the second layer.'),
];

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
  const chosen = spread(memories, budget / (5 * seqlen * size));
  const activation = geluOf(choiceOption(options, 'gelu'));
  const loss = new Float64Array(memories).fill(Number.NaN); // which says of the others that they were not computed
  const dw1 = new Float64Array(chosen.length * size);
  const dw2 = new Float64Array(chosen.length * size);
  chosen.forEach((index, place) => {
    const part = (name: string, count: number): Float64Array => inputPart(inputs[name], index, count);
    const [x, v, w] = [part('x', seqlen * headDim), part('v', seqlen * headDim), part('w', seqlen)];
    const memory = { headDim, hiddenDim, activation, w1: part('w1', size), w2: part('w2', size) };
    loss[index] = 0;
    const own = (all: Float64Array): Float64Array => all.subarray(place * size, (place + 1) * size);
    for (let t = 0; t < seqlen; t++) {
      const pass = mlpPass(math, memory, x, t * headDim);
      const { error, blame } = mlpBlame(math, memory, pass, v, t * headDim, w[t]!);
      addOuter(math, own(dw1), 1, x, t * headDim, headDim, blame);
      addOuter(math, own(dw2), 1, pass.active, 0, hiddenDim, error);
      const miss = pass.answer.slice();
      math.addScaled(miss, 0, -1, v, t * headDim, headDim);
      loss[index] = math.round(loss[index] + w[t]! * math.dot(miss, 0, miss, 0, headDim));
    }
  });
  return {
    loss: { dims: tensorDims(lossDims, shape), rows: null, values: loss, exactRows: null },
    dw1: tensorOfGroups(dw1, tensorDims(upDims, shape), chosen, memories, headDim),
    dw2: tensorOfGroups(dw2, tensorDims(downDims, shape), chosen, memories, hiddenDim),
  };
}

function generate(shape: Shape, _options: Options, seed: number): Inputs {
  const { headDim, hiddenDim } = mlpSizes(shape);
  const normal = normalInputs(tensors, shape, seed);
  return {
    ...normal,
    w: normal.w!.map(logistic),
    w1: initialWeights(normal.w1!, headDim),
    w2: initialWeights(normal.w2!, hiddenDim),
  };
}

const small = { headDim: 16, hiddenDim: 32 };
const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, ...small }, options: {} },
  { name: 'several batches', shape: { batch: 3, heads: 2, seqlen: 7, ...small }, options: {} },
  { name: 'the tanh form', shape: { heads: 1, seqlen: 7, ...small }, options: { gelu: 'tanh' } },
  { name: 'one below 64 tokens', shape: { heads: 4, seqlen: 63, ...small }, options: {} },
  { name: '64 tokens', shape: { heads: 4, seqlen: 64, ...small }, options: {} },
  { name: 'one above 64 tokens', shape: { heads: 4, seqlen: 65, ...small }, options: {} },
  { name: 'one above 128 tokens, tanh', shape: { heads: 2, seqlen: 129, ...small }, options: { gelu: 'tanh' } },
  { name: 'as wide inside as outside', shape: { heads: 3, seqlen: 40, headDim: 32, hiddenDim: 32 }, options: {} },
  { name: 'narrower inside', shape: { heads: 3, seqlen: 40, headDim: 64, hiddenDim: 16 }, options: {} },
  { name: 'four times as wide inside', shape: { heads: 2, seqlen: 20, headDim: 32, hiddenDim: 128 }, options: {} },
  { name: 'a head of 64', shape: { heads: 2, seqlen: 33, headDim: 64, hiddenDim: 128 }, options: {} },
  { name: 'a head of 20, hidden 36', shape: { heads: 3, seqlen: 19, headDim: 20, hiddenDim: 36 }, options: {} },
  { name: 'a head of 96, hidden 68', shape: { heads: 1, seqlen: 10, headDim: 96, hiddenDim: 68 }, options: {} },
  { name: 'a head of 128', shape: { heads: 1, seqlen: 10, headDim: 128, hiddenDim: 128 }, options: {} },
  { name: 'a hidden layer of 4', shape: { heads: 2, seqlen: 5, headDim: 4, hiddenDim: 4 }, options: {} },
];

const computation: Computation = {
  direction: 'forward',
  tensors,
  grid,
  generate,
  reference,
  // Forward through two layers, back through one, and a product of two rows for each gradient.
  flops: (shape) => {
    const { memories, seqlen, headDim, hiddenDim } = mlpSizes(shape);
    return 10 * memories * seqlen * headDim * hiddenDim;
  },
};

/** The gradient of the loss of an MLP memory by its weights: what memories with a hidden layer learn by at test time. */
export const mlpGradient: Mechanism = {
  id: 'mlp-gradient',
  title: 'MLP memory, gradient',
  summary:
    '∇ Σ w ‖M(x) − v‖² with M(x) = x + gelu(x W₁) W₂: how a memory with a hidden layer should change to know v at x.',
  dimensions,
  options: [geluOption],
  computations: [computation],
  recurrence: null,
  golden: {
    mlp_grad: {
      shape: ({ W1 = [], x = [] }) => ({
        heads: 1,
        seqlen: x[0] ?? 1,
        headDim: W1[0] ?? 1,
        hiddenDim: W1[1] ?? 1,
      }),
      options: ({ gelu }) => goldenOption('gelu', gelu),
      names: { W1: 'w1', W2: 'w2', gW1: 'dw1', gW2: 'dw2' },
    },
  },
  scalars: (shape, options) => caseScalars([geluOption], shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) => invalidCase(dimensions, [geluOption], shape, options),
};
