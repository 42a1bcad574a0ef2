import { arithmetic } from '../numerics/arithmetic.js';
import { normalValues, randomBits } from '../numerics/random.js';
import type { GoldenSizes } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import { linearBackward, linearForward, type LinearHead, type LinearProblem } from './linear-recurrence.js';
import { prefixRanges } from './masks.js';
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
import { spread, tensorOfGroups } from './sampling.js';
import { choiceOption, tensorDims } from './sizes.js';
import { decodeCases, grid } from './state-space-grid.js';
import {
  caseScalars,
  forwardTolerance,
  gateGradientTolerance,
  gradientTolerance,
  input,
  invalidCase,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';

const tokenDims = ['batch', 'heads', 'seqlen', 'headDim'];
const stepDims = ['batch', 'heads', 'seqlen'];
const groupDims = ['batch', 'groups', 'seqlen', 'stateDim'];
const stateDims = ['batch', 'heads', 'stateDim', 'headDim'];

const tokenTensors: readonly TensorSpec[] = [
  input('x', tokenDims, 'Tokens: what values are in attention.'),
  input('dt', stepDims, 'Step sizes, above zero: after bias and softplus.'),
  input('A', ['heads'], 'Rate of each head, below zero: a token multiplies the state by e^(dt A).'),
  input('B', groupDims, 'What each token writes to: the keys of attention, shared by the heads of a group.'),
  input('C', groupDims, 'What each token reads with: the queries of attention, shared by the heads of a group.'),
  optionalInput('D', ['heads'], 'Factor of each head by which a token skips the state.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  output('y', tokenDims, forwardTolerance, 'Output.'),
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  input('dy', tokenDims, 'Gradient of the output.'),
  optionalInput('ds', stateDims, 'Gradient of the final state.'),
  output('dx', tokenDims, gradientTolerance, 'Gradient of the tokens.'),
  output('ddt', stepDims, gateGradientTolerance, 'Gradient of the step sizes.'),
  output('dA', ['heads'], gateGradientTolerance, 'Gradient of the rates.'),
  output('dB', groupDims, gradientTolerance, 'Gradient of B, over the heads of a group.'),
  output('dC', groupDims, gradientTolerance, 'Gradient of C, over the heads of a group.'),
  optionalOutput('dD', ['heads'], gradientTolerance, 'Gradient of D.'),
  optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...tokenTensors,
  input('s0', stateDims, 'State before the first of these tokens.'),
  output('y', tokenDims, forwardTolerance, 'Output.'),
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'stepKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['usual', 'large', 'unit'],
    fallback: 'usual',
    description:
      'Which steps the comparison feeds: spread over 0.001 to 0.1 as models begin with, softplus of a normal number (the state forgets within a few tokens), or 1 with rates near zero.',
  },
];

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'heads', fallback: 16, description: 'Heads, each with a state and a rate of its own.' },
  {
    name: 'groups',
    fallback: 1,
    description:
      'Groups of heads that share B and C, a divisor of heads: head h uses group floor(h / (heads / groups)).',
  },
  { name: 'seqlen', fallback: 2048, description: 'Tokens.' },
  { name: 'headDim', fallback: 64, description: 'Width of a head of x and y.' },
  { name: 'stateDim', fallback: 128, description: 'Width of B and C: rows of the state.' },
];

/** The sizes of a case; the recurrence is one head with keys of stateDim and values of headDim. */
interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  readonly seqlen: number;
  readonly headDim: number;
  readonly stateDim: number;
}

function sizesOf(shape: Shape): Sizes {
  const { batch = 1, heads = 1, groups = 1, seqlen = 1, headDim = 1, stateDim = 1 } = shape;
  return { batch, heads, groups, seqlen, headDim, stateDim };
}

/** The group of an index over batch and heads, counted over batch and groups. */
function groupOf({ heads, groups }: Sizes, index: number): number {
  return Math.floor(index / heads) * groups + Math.floor(((index % heads) * groups) / heads);
}

/** One head as linear attention: queries C, keys B, values dt · x and decays e^(dt A) (Dao & Gu 2024, §5). */
function headOf(inputs: Inputs, sizes: Sizes, precision: Precision, index: number): LinearHead {
  const { round } = arithmetic(precision);
  const { heads, seqlen, headDim, stateDim } = sizes;
  const group = groupOf(sizes, index);
  const dt = inputPart(inputs.dt, index, seqlen);
  const rate = inputs.A![index % heads]!;
  const decays = new Float64Array(seqlen * stateDim);
  dt.forEach((step, t) => decays.fill(round(Math.exp(round(step * rate))), t * stateDim, (t + 1) * stateDim));
  const ones = new Float64Array(seqlen * stateDim).fill(1);
  return {
    q: inputPart(inputs.C, group, seqlen * stateDim),
    k: inputPart(inputs.B, group, seqlen * stateDim),
    v: inputPart(inputs.x, index, seqlen * headDim).map((value, at) => round(value * dt[Math.floor(at / headDim)]!)),
    qSlope: ones,
    kSlope: ones,
    s0: inputPart(inputs.s0, index, stateDim * headDim),
    z0: new Float64Array(stateDim),
    decay: 1,
    decays,
  };
}

/** Chosen heads as one problem without axes of batch: head `index` of it is `heads[index]` of all. */
function problemOf(inputs: Inputs, sizes: Sizes, precision: Precision, heads: readonly number[] | null): LinearProblem {
  const { batch, seqlen, headDim, stateDim } = sizes;
  const shared = { headsKv: sizes.heads, seqlen, seqlenK: seqlen, headDim: stateDim, headDimV: headDim };
  return {
    math: arithmetic(precision),
    sizes: heads === null ? { batch, heads: sizes.heads, ...shared } : { batch: 1, heads: heads.length, ...shared },
    causal: true,
    eps: null,
    head: (index) => headOf(inputs, sizes, precision, heads === null ? index : heads[index]!),
  };
}

function forward(
  inputs: Inputs,
  shape: Shape,
  precision: Precision,
  budget: number,
): { readonly y: ReferenceTensor; readonly s: ReferenceTensor } {
  const sizes = sizesOf(shape);
  const { heads, seqlen, headDim } = sizes;
  const { round } = arithmetic(precision);
  const { o, s } = linearForward(problemOf(inputs, sizes, precision, null), budget);
  const skips = inputs.D;
  if (skips === undefined) return { y: o, s };
  const rows = o.values.length / headDim;
  for (let place = 0; place < rows; place++) {
    const row = o.rows === null ? place : o.rows[place]!;
    const skip = skips[Math.floor(row / seqlen) % heads]!;
    for (let column = 0; column < headDim; column++) {
      const at = place * headDim + column;
      o.values[at] = round(o.values[at]! + skip * inputs.x![row * headDim + column]!);
    }
  }
  return { y: o, s };
}

/** The gradients of one head, from those of it as linear attention. */
interface HeadGradients {
  readonly dx: Float64Array;
  readonly ddt: Float64Array;
  readonly dA: number;
  readonly dD: number;
}

function headGradients(
  inputs: Inputs,
  sizes: Sizes,
  precision: Precision,
  index: number,
  dv: Float64Array,
  dg: Float64Array,
): HeadGradients {
  const math = arithmetic(precision);
  const { heads, seqlen, headDim, stateDim } = sizes;
  const dt = inputPart(inputs.dt, index, seqlen);
  const x = inputPart(inputs.x, index, seqlen * headDim);
  const dy = inputPart(inputs.dy, index, seqlen * headDim);
  const rate = inputs.A![index % heads]!;
  const skip = inputs.D?.[index % heads] ?? 0;
  const ones = new Float64Array(stateDim).fill(1);
  const dx = dy.map((value, at) => {
    const step = dt[Math.floor(at / headDim)]!;
    return math.round(math.round(skip * value) + math.round(step * dv[at]!));
  });
  const gates = Float64Array.from({ length: seqlen }, (_, t) => math.dot(dg, t * stateDim, ones, 0, stateDim));
  const ddt = gates.map((gate, t) =>
    math.round(math.dot(dv, t * headDim, x, t * headDim, headDim) + math.round(gate * rate)),
  );
  return { dx, ddt, dA: math.dot(gates, 0, dt, 0, seqlen), dD: math.dot(dy, 0, x, 0, seqlen * headDim) };
}

/**
 * dx = dt · dv + D dy, ddt = Σ dv · x + A dg, dA = Σ dg dt, dD = Σ dy · x; dB and dC are the sums of dk and dq over the heads
 * of a group. Where the budget does not allow all groups, those that it does in every batch; the sums over batches of the
 * heads left out are not numbers.
 */
function backward(
  inputs: Inputs,
  shape: Shape,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const sizes = sizesOf(shape);
  const { batch, heads, groups, seqlen, headDim, stateDim } = sizes;
  const math = arithmetic(precision);
  const perGroup = heads / groups;
  const chosen = spread(groups, budget / (6 * batch * perGroup * seqlen * stateDim * headDim));
  const everyBatch = (perBatch: number, own: readonly number[]): number[] =>
    Array.from({ length: batch }, (_, b) => own.map((index) => b * perBatch + index)).flat();
  const ownHeads = [...chosen].flatMap((group) => Array.from({ length: perGroup }, (_, h) => group * perGroup + h));
  const headIndices = everyBatch(heads, ownHeads);
  const groupIndices = everyBatch(groups, [...chosen]);
  const cotangents = (at: number): { o: Float64Array; s: Float64Array; z: Float64Array } => ({
    o: inputPart(inputs.dy, headIndices[at]!, seqlen * headDim),
    s: inputPart(inputs.ds, headIndices[at]!, stateDim * headDim),
    z: new Float64Array(stateDim),
  });
  const linear = linearBackward(problemOf(inputs, sizes, precision, headIndices), cotangents, Infinity);
  const { dq, dk, dv, ds0 } = linear;
  const ofHead = (tensor: ReferenceTensor, at: number, count: number): Float64Array =>
    new Float64Array(tensor.values.subarray(at * count, (at + 1) * count));

  const dx = new Float64Array(headIndices.length * seqlen * headDim);
  const ddt = new Float64Array(headIndices.length * seqlen);
  const dA = new Float64Array(heads).fill(Number.NaN);
  const dD = new Float64Array(heads).fill(Number.NaN);
  for (const head of ownHeads) dA[head] = dD[head] = 0;
  headIndices.forEach((index, at) => {
    const dvOfHead = ofHead(dv, at, seqlen * headDim);
    const own = headGradients(inputs, sizes, precision, index, dvOfHead, ofHead(linear.dg!, at, seqlen * stateDim));
    dx.set(own.dx, at * own.dx.length);
    ddt.set(own.ddt, at * seqlen);
    dA[index % heads] = math.round(dA[index % heads]! + own.dA);
    dD[index % heads] = math.round(dD[index % heads]! + own.dD);
  });
  const overHeads = (tensor: ReferenceTensor): Float64Array => {
    const count = seqlen * stateDim;
    const sums = new Float64Array(groupIndices.length * count);
    const values = new Float64Array(tensor.values);
    headIndices.forEach((_, at) => {
      math.addScaled(sums, Math.floor(at / perGroup) * count, 1, values, at * count, count);
    });
    return sums;
  };
  const ofHeads = (values: Float64Array, dims: readonly string[], rowsEach: number): ReferenceTensor =>
    tensorOfGroups(values, tensorDims(dims, shape), Uint32Array.from(headIndices), batch * heads, rowsEach);
  const ofGroups = (values: Float64Array): ReferenceTensor =>
    tensorOfGroups(values, tensorDims(groupDims, shape), Uint32Array.from(groupIndices), batch * groups, seqlen);
  const perHead = (values: Float64Array): ReferenceTensor => ({ dims: [heads], rows: null, values, exactRows: null });
  return {
    dx: ofHeads(dx, tokenDims, seqlen),
    ddt: ofHeads(ddt, stepDims, 1),
    dA: perHead(dA),
    dB: ofGroups(overHeads(dk)),
    dC: ofGroups(overHeads(dq)),
    dD: perHead(dD),
    ds0: ofHeads(new Float64Array(ds0.values), stateDims, stateDim),
  };
}

/** Numbers spread evenly over [0, 1). */
function evenValues(count: number, seed: number, stream: string): Float64Array {
  const next = randomBits(seed, stream);
  return Float64Array.from({ length: count }, () => next() / 2 ** 32);
}

/** Steps of a kind, rounded to float32. `usual` is how Mamba-2 initialises them: log-uniform from 0.001 to 0.1. */
function stepsOf(kind: string, count: number, seed: number): Float32Array {
  switch (kind) {
    case 'unit':
      return new Float32Array(count).fill(1);
    case 'large':
      return normalValues(count, seed, 'dt').map((x) => Math.log1p(Math.exp(x)));
    default:
      return Float32Array.from(evenValues(count, seed, 'dt'), (x) => 0.001 * 100 ** x);
  }
}

function generate(specs: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  const kind = choiceOption(options, 'stepKind');
  inputs.dt = stepsOf(kind, inputs.dt!.length, seed);
  // Mamba-2 begins with rates of -1 to -16; a unit step needs less to remember anything.
  const scale = kind === 'unit' ? 1 / 64 : 1;
  inputs.A = Float32Array.from(evenValues(inputs.A!.length, seed, 'A'), (x) => -scale * (1 + 15 * x));
  return inputs;
}

/** Multiply-adds on a state of stateDim × headDim for every token, whatever chunks a kernel chooses. */
function stateFlops(shape: Shape, productsPerToken: number): number {
  const { batch, heads, seqlen, headDim, stateDim } = sizesOf(shape);
  return 2 * productsPerToken * batch * heads * seqlen * stateDim * headDim;
}

function forwardComputation(
  direction: Direction,
  tensors: readonly TensorSpec[],
  cases: readonly GridCase[],
): Computation {
  return {
    direction,
    tensors,
    grid: cases,
    generate: (shape, options, seed) => generate(tensors, shape, options, seed),
    reference: (inputs, shape, _options, precision, budget) => forward(inputs, shape, precision, budget),
    flops: (shape) => stateFlops(shape, 2),
  };
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, options, seed) => generate(backwardTensors, shape, options, seed),
  reference: (inputs, shape, _options, precision, budget) => backward(inputs, shape, precision, budget),
  // The states again, their gradients, and what dC, dB and dx read from them; ddt and dA follow from these.
  flops: (shape) => stateFlops(shape, 5),
};

function goldenShape({ x = [], Bm = [] }: GoldenSizes): Shape {
  const [batch = 1, heads = 1, seqlen = 1, headDim = 1] = x;
  return { batch, heads, groups: Bm[1] ?? 1, seqlen, headDim, stateDim: Bm[3] ?? 1 };
}

/** Mamba-2's layer (Dao & Gu 2024): a state space model with one rate per head, which is attention under a decaying mask. */
export const stateSpaceDuality: Mechanism = {
  id: 'state-space-duality',
  title: 'Mamba-2 SSD',
  summary:
    'S ← e^(dt A) S + dt B xᵀ, y = Sᵀ C + D x: the state space model of Mamba-2, which is attention with queries C, keys B and values dt x under a decaying mask.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: {} },
  golden: {
    ssd: { shape: goldenShape, options: () => ({}), names: { Bm: 'B', Cm: 'C', dBm: 'dB', dCm: 'dC' } },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: (shape) => prefixRanges(shape, true),
  parts: { query: 'C', key: 'B', value: 'x', output: 'y' },
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { heads, groups } = sizesOf(shape);
    return heads % groups === 0
      ? null
      : `heads is ${heads} and groups is ${groups}: groups must divide heads, because each shares its B and C among as many.`;
  },
};
