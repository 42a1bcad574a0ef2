import { arithmetic } from '../numerics/arithmetic.js';
import { randomBits } from '../numerics/random.js';
import { diagonalMode, zeroOrderHold } from './hippo.js';
import { inputPart, normalInputs } from './inputs.js';
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
import { decodeCases, grid } from './s4-grid.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import { choiceOption, tensorDims } from './sizes.js';
import {
  caseScalars,
  forwardTolerance,
  gradientTolerance,
  input,
  invalidCase,
  optionalInput,
  optionalOutput,
  output,
} from './specs.js';

const tokenDims = ['batch', 'channels', 'seqlen'];
const modeDims = ['channels', 'stateDim', 'complex'];
const stateDims = ['batch', 'channels', 'stateDim', 'complex'];

const parameterTensors: readonly TensorSpec[] = [
  input('u', tokenDims, 'Input of each channel.'),
  input('Abar', modeDims, 'What a step multiplies each mode by: e^(Δ A), by zero-order hold.'),
  input('Bbar', modeDims, 'What a step adds to each mode for an input of one: (e^(Δ A) - 1) / A · B.'),
  input('C', modeDims, 'What the output reads each mode with. Modes come in conjugate pairs, of which one is kept.'),
  optionalInput('D', ['channels'], 'Factor of each channel by which the input skips the state.'),
];

const forwardTensors: readonly TensorSpec[] = [
  ...parameterTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  output('y', tokenDims, forwardTolerance, 'Output.'),
  optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...parameterTensors,
  optionalInput('s0', stateDims, 'State before the first token.'),
  input('dy', tokenDims, 'Gradient of the output.'),
  optionalInput('ds', stateDims, 'Gradient of the final state, by real and imaginary part as all of these.'),
  output('du', tokenDims, gradientTolerance, 'Gradient of the input.'),
  output('dAbar', modeDims, gradientTolerance, 'Gradient of Abar.'),
  output('dBbar', modeDims, gradientTolerance, 'Gradient of Bbar.'),
  output('dC', modeDims, gradientTolerance, 'Gradient of C.'),
  optionalOutput('dD', ['channels'], gradientTolerance, 'Gradient of D.'),
  optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
];

const decodeTensors: readonly TensorSpec[] = [
  ...parameterTensors,
  input('s0', stateDims, 'State before the first of these tokens.'),
  output('y', tokenDims, forwardTolerance, 'Output.'),
  output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'modeKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['lin', 'inv'],
    fallback: 'lin',
    description:
      'Which modes the comparison feeds: those of S4D-Lin, -½ + iπn, or of S4D-Inv, which are like HiPPO-LegS.',
  },
  {
    name: 'stepKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['usual', 'large'],
    fallback: 'usual',
    description: 'Which steps Δ: spread over 0.001 to 0.1 as models begin with, or a hundred times that.',
  },
];

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'channels', fallback: 256, description: 'Channels, each a system of its own.' },
  { name: 'seqlen', fallback: 2048, description: 'Tokens.' },
  { name: 'stateDim', fallback: 32, description: 'Complex modes of a channel: half of the order of the real system.' },
  { name: 'complex', fallback: 2, description: 'Real and imaginary part: always 2.' },
];

interface Sizes {
  readonly batch: number;
  readonly channels: number;
  readonly seqlen: number;
  readonly stateDim: number;
}

function sizesOf(shape: Shape): Sizes {
  const { batch = 1, channels = 1, seqlen = 1, stateDim = 1 } = shape;
  return { batch, channels, seqlen, stateDim };
}

const zeros = (count: number): Float64Array => new Float64Array(count);

/** One channel of one sequence: its input, and the real and imaginary parts of its modes in turn. */
interface Channel {
  readonly u: Float64Array;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly c: Float64Array;
  readonly d: number;
  readonly s0: Float64Array;
}

function channelOf(inputs: Inputs, { channels, seqlen, stateDim }: Sizes, index: number): Channel {
  const channel = index % channels;
  return {
    u: inputPart(inputs.u, index, seqlen),
    a: inputPart(inputs.Abar, channel, 2 * stateDim),
    b: inputPart(inputs.Bbar, channel, 2 * stateDim),
    c: inputPart(inputs.C, channel, 2 * stateDim),
    d: inputs.D?.[channel] ?? 0,
    s0: inputPart(inputs.s0, index, 2 * stateDim),
  };
}

/** x ← Ā ⊙ x + B̄ u for one token. */
function advance({ a, b }: Channel, x: Float64Array, u: number, round: (value: number) => number): void {
  for (let n = 0; n < x.length; n += 2) {
    const [re, im] = [x[n]!, x[n + 1]!];
    x[n] = round(round(round(a[n]! * re) - a[n + 1]! * im) + b[n]! * u);
    x[n + 1] = round(round(round(a[n]! * im) + a[n + 1]! * re) + b[n + 1]! * u);
  }
}

/** y_t = 2 Re(Σ C x_t) + D u_t over all tokens, and the final state. */
function scan(
  channel: Channel,
  round: (value: number) => number,
): { readonly y: Float64Array; readonly s: Float64Array } {
  const x = channel.s0.slice();
  const y = channel.u.map((u) => {
    advance(channel, x, u, round);
    let sum = 0;
    for (let n = 0; n < x.length; n += 2) {
      sum = round(round(sum + channel.c[n]! * x[n]!) - channel.c[n + 1]! * x[n + 1]!);
    }
    return round(2 * sum + channel.d * u);
  });
  return { y, s: x };
}

function forward(
  inputs: Inputs,
  shape: Shape,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const sizes = sizesOf(shape);
  const { batch, channels, seqlen, stateDim } = sizes;
  const { round } = arithmetic(precision);
  const total = batch * channels;
  const chosen = spread(total, budget / (8 * seqlen * stateDim));
  const outputs = Array.from(chosen, (index) => scan(channelOf(inputs, sizes, index), round));
  const y = joined(outputs.map((output) => output.y));
  const s = joined(outputs.map((output) => output.s));
  return {
    y: tensorOfGroups(y, tensorDims(tokenDims, shape), chosen, total, 1),
    s: tensorOfGroups(s, tensorDims(stateDims, shape), chosen, total, stateDim),
  };
}

interface ChannelGradients {
  readonly du: Float64Array;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly c: Float64Array;
  readonly s0: Float64Array;
  readonly dD: number;
}

/**
 * The scan reversed with conj(Ā): r_t = 2 conj(C) dy_t + conj(Ā) r_(t+1) is the gradient of x_t, and du_t = Re(conj(B̄) r_t) +
 * D dy_t, dB̄ = Σ r_t u_t, dĀ = Σ r_t conj(x_(t-1)), dC = 2 Σ conj(x_t) dy_t. A complex gradient holds those of the real and
 * of the imaginary part.
 */
function channelGradients(
  channel: Channel,
  dy: Float64Array,
  ds: Float64Array,
  round: (value: number) => number,
): ChannelGradients {
  const { u, a, b, c, d, s0 } = channel;
  const width = s0.length;
  const states = [s0];
  for (const value of u) {
    const next = states[states.length - 1]!.slice();
    advance(channel, next, value, round);
    states.push(next);
  }
  const gradients = { a: zeros(width), b: zeros(width), c: zeros(width) };
  const du = zeros(u.length);
  const r = ds.slice();
  let dD = 0;
  for (let t = u.length - 1; t >= 0; t--) {
    const [before, after] = [states[t]!, states[t + 1]!];
    const g = dy[t]!;
    let sum = 0;
    for (let n = 0; n < width; n += 2) {
      const m = n + 1;
      const re = (r[n] = round(r[n]! + 2 * c[n]! * g));
      const im = (r[m] = round(r[m]! - 2 * c[m]! * g));
      sum = round(round(sum + b[n]! * re) + b[m]! * im);
      gradients.b[n] = round(gradients.b[n]! + re * u[t]!);
      gradients.b[m] = round(gradients.b[m]! + im * u[t]!);
      gradients.a[n] = round(round(gradients.a[n]! + re * before[n]!) + im * before[m]!);
      gradients.a[m] = round(round(gradients.a[m]! + im * before[n]!) - re * before[m]!);
      gradients.c[n] = round(gradients.c[n]! + 2 * g * after[n]!);
      gradients.c[m] = round(gradients.c[m]! - 2 * g * after[m]!);
      r[n] = round(round(a[n]! * re) + a[m]! * im);
      r[m] = round(round(a[n]! * im) - a[m]! * re);
    }
    du[t] = round(sum + d * g);
    dD = round(dD + g * u[t]!);
  }
  return { du, ...gradients, s0: r, dD };
}

/** Whole channels in every batch, because gradients of parameters are sums over batches: all, or those the budget allows. */
function backward(
  inputs: Inputs,
  shape: Shape,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const sizes = sizesOf(shape);
  const { batch, channels, seqlen, stateDim } = sizes;
  const { round, addScaled } = arithmetic(precision);
  const width = 2 * stateDim;
  const chosen = spread(channels, budget / (24 * batch * seqlen * stateDim));
  const indices = Array.from({ length: batch }, (_, b) =>
    Array.from(chosen, (channel) => b * channels + channel),
  ).flat();
  const sums = Array.from(chosen, () => ({ a: zeros(width), b: zeros(width), c: zeros(width) }));
  const dD = zeros(channels).fill(Number.NaN);
  for (const channel of chosen) dD[channel] = 0;
  const own = indices.map((index, at) => {
    const dy = inputPart(inputs.dy, index, seqlen);
    const gradients = channelGradients(channelOf(inputs, sizes, index), dy, inputPart(inputs.ds, index, width), round);
    const sum = sums[at % chosen.length]!;
    for (const name of ['a', 'b', 'c'] as const) addScaled(sum[name], 0, 1, gradients[name], 0, width);
    dD[index % channels] = round(dD[index % channels]! + gradients.dD);
    return gradients;
  });
  const ofModes = (name: 'a' | 'b' | 'c'): ReferenceTensor =>
    tensorOfGroups(joined(sums.map((sum) => sum[name])), tensorDims(modeDims, shape), chosen, channels, stateDim);
  const ofChannels = (name: 'du' | 's0', dims: readonly string[], rowsEach: number): ReferenceTensor => {
    const values = joined(own.map((gradients) => gradients[name]));
    return tensorOfGroups(values, tensorDims(dims, shape), Uint32Array.from(indices), batch * channels, rowsEach);
  };
  return {
    du: ofChannels('du', tokenDims, 1),
    dAbar: ofModes('a'),
    dBbar: ofModes('b'),
    dC: ofModes('c'),
    dD: { dims: [channels], rows: null, values: dD, exactRows: null },
    ds0: ofChannels('s0', stateDims, stateDim),
  };
}

/** Steps Δ of the channels, log-uniform from 0.001 to 0.1 (S4's own range), or a hundred times that. */
function stepsOf(kind: string, channels: number, seed: number): readonly number[] {
  const next = randomBits(seed, 'step');
  const scale = kind === 'large' ? 0.1 : 0.001;
  return Array.from({ length: channels }, () => scale * 100 ** (next() / 2 ** 32));
}

function generate(specs: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  const { channels, stateDim } = sizesOf(shape);
  const kind = choiceOption(options, 'modeKind');
  const held = stepsOf(choiceOption(options, 'stepKind'), channels, seed).flatMap((step) =>
    Array.from({ length: stateDim }, (_, n) => zeroOrderHold(step, diagonalMode(kind, n, stateDim))),
  );
  inputs.Abar = Float32Array.from(held.flatMap(({ state }) => state));
  inputs.Bbar = Float32Array.from(held.flatMap(({ input: of }) => of));
  // A state is about as large as the steps let it become; else it would drown what the tokens do.
  inputs.s0 = inputs.s0!.map((value) => value / 16);
  return inputs;
}

/** Eight multiply-adds for each mode and token: Ā x is four of them, B̄ u and the real part of C x two each. */
function modeFlops(shape: Shape, perMode: number): number {
  const { batch, channels, seqlen, stateDim } = sizesOf(shape);
  return 2 * perMode * batch * channels * seqlen * stateDim;
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
    flops: (shape) => modeFlops(shape, 8),
  };
}

const backwardComputation: Computation = {
  direction: 'backward',
  tensors: backwardTensors,
  grid,
  generate: (shape, options, seed) => generate(backwardTensors, shape, options, seed),
  reference: (inputs, shape, _options, precision, budget) => backward(inputs, shape, precision, budget),
  // The states again (6), their gradients (6), du (2), and the sums for Ā (4), B̄ (2) and C (2).
  flops: (shape) => modeFlops(shape, 22),
};

/** S4 in its diagonal form, S4D (Gu et al. 2022): a linear system for each channel, as recurrence or as convolution. */
export const s4: Mechanism = {
  id: 's4',
  title: 'S4D (diagonal S4)',
  summary:
    'x ← Ā ⊙ x + B̄ u, y = 2 Re(Σ C x) + D u: a diagonal state space model for each channel, equal to a convolution whose kernel is a sum of decaying oscillations.',
  dimensions,
  options: optionSpecs,
  computations: [
    forwardComputation('forward', forwardTensors, grid),
    backwardComputation,
    forwardComputation('decode', decodeTensors, decodeCases),
  ],
  recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: {} },
  golden: {},
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    return shape.complex === 2
      ? null
      : `complex is ${shape.complex ?? 'missing'}: a complex number has two parts, and the last axis of a mode is 2.`;
  },
};
