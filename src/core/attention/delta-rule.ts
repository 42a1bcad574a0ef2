import { arithmetic } from '../numerics/arithmetic.js';
import { decodeGrid } from './decode-grid.js';
import { deltaBackward, deltaForward, type DeltaProblem } from './delta-recurrence.js';
import { scaledAttention } from './golden-operation.js';
import { inputPart, normalInputs } from './inputs.js';
import { prefixRanges } from './masks.js';
import type {
  Computation,
  GridCase,
  Inputs,
  Mechanism,
  Options,
  OptionSpec,
  Precision,
  Shape,
  TensorSpec,
} from './mechanism.js';
import { choiceOption, numberOption, sizesOf } from './sizes.js';
import {
  attentionDimensions,
  attentionParts,
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
import { stateFlops } from './state-flops.js';

const keyDims = ['batch', 'heads', 'seqlen', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const tokenDims = ['batch', 'heads', 'seqlen'];
const stateDims = ['batch', 'heads', 'headDim', 'headDimV'];

/** The gated rule has these beside the tensors of the plain one. */
const gateInput = input('g', tokenDims, 'Gates: natural logarithms of the decays, zero or less.');
const gateGradient = output('dg', tokenDims, gateGradientTolerance, 'Gradient of the gates.');

function tokenTensors(gated: boolean): readonly TensorSpec[] {
  return [
    input('q', keyDims, 'Queries.'),
    input('k', keyDims, 'Keys, each of length 1.'),
    input('v', valueDims, 'Values.'),
    input('beta', tokenDims, 'How much of its error each token corrects, 0 to 1.'),
    ...(gated ? [gateInput] : []),
  ];
}

function forwardTensors(gated: boolean): readonly TensorSpec[] {
  return [
    ...tokenTensors(gated),
    optionalInput('s0', stateDims, 'State before the first token.'),
    output('o', valueDims, forwardTolerance, 'Output.'),
    optionalOutput('s', stateDims, forwardTolerance, 'State after the last token.'),
  ];
}

function backwardTensors(gated: boolean): readonly TensorSpec[] {
  return [
    ...tokenTensors(gated),
    optionalInput('s0', stateDims, 'State before the first token.'),
    input('do', valueDims, 'Gradient of the output.'),
    optionalInput('ds', stateDims, 'Gradient of the final state.'),
    output('dq', keyDims, gradientTolerance, 'Gradient of the queries.'),
    output('dk', keyDims, gradientTolerance, 'Gradient of the keys.'),
    output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
    output('dbeta', tokenDims, gradientTolerance, 'Gradient of beta.'),
    ...(gated ? [gateGradient] : []),
    optionalOutput('ds0', stateDims, gradientTolerance, 'Gradient of the initial state.'),
  ];
}

function decodeTensors(gated: boolean): readonly TensorSpec[] {
  return [
    ...tokenTensors(gated),
    input('s0', stateDims, 'State before the first of these tokens.'),
    output('o', valueDims, forwardTolerance, 'Output.'),
    output('s', stateDims, forwardTolerance, 'State after the last of these tokens.'),
  ];
}

const scaleOption: OptionSpec = {
  name: 'scale',
  kind: 'number',
  fallback: (shape) => (shape.headDim ?? 1) ** -0.5,
  description: 'Factor of the output.',
};

const gateOption: OptionSpec = {
  name: 'gateKind',
  onlyInputs: true,
  kind: 'choice',
  choices: ['tau16', 'tau1', 'strong', 'zero'],
  fallback: 'tau16',
  description: 'Which gates the comparison feeds: logsigmoid(x) / 16, logsigmoid(x), twenty times that, or none.',
};

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): DeltaProblem {
  const math = arithmetic(precision);
  const sizes = sizesOf(shape);
  const { seqlen, headDim, headDimV } = sizes;
  const scale = math.round(numberOption(options, 'scale'));
  return {
    math,
    sizes,
    scale,
    head: (index) => ({
      q: inputPart(inputs.q, index, seqlen * headDim).map((value) => math.round(scale * value)),
      k: inputPart(inputs.k, index, seqlen * headDim),
      v: inputPart(inputs.v, index, seqlen * headDimV),
      beta: inputPart(inputs.beta, index, seqlen),
      decays:
        inputs.g === undefined ? null : inputPart(inputs.g, index, seqlen).map((gate) => math.round(Math.exp(gate))),
      s0: inputPart(inputs.s0, index, headDim * headDimV),
    }),
  };
}

/** Minus softplus: the logarithm of the logistic function. */
function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

/** What the logarithm of a logistic function is multiplied by to make a gate of each kind. */
const gateFactors: Readonly<Record<string, number>> = { tau16: 1 / 16, tau1: 1, strong: 20, zero: 0 };

/** Rows of length 1 in float64, rounded to float32: with longer keys the state can grow without bound. */
function unitRows(rows: Float32Array, width: number): Float32Array {
  const unit = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += width) {
    const length = Math.hypot(...rows.subarray(start, start + width));
    for (let at = start; at < start + width; at++) unit[at] = rows[at]! / length;
  }
  return unit;
}

function generate(specs: readonly TensorSpec[], shape: Shape, options: Options, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  inputs.k = unitRows(inputs.k!, sizesOf(shape).headDim);
  inputs.beta = inputs.beta!.map((x) => 1 / (1 + Math.exp(-x)));
  if (inputs.g) {
    const factor = gateFactors[choiceOption(options, 'gateKind')]!;
    inputs.g = inputs.g.map((x) => factor * logSigmoid(x));
  }
  return inputs;
}

const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'two tokens', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: {} },
  { name: 'one below a block of 16', shape: { heads: 2, seqlen: 15, headDim: 16 }, options: {} },
  { name: 'exactly one block of 16', shape: { heads: 2, seqlen: 16, headDim: 32 }, options: {} },
  {
    name: 'one above a block of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: {},
  },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33 }, options: {} },
  { name: 'one below a chunk of 64', shape: { heads: 2, seqlen: 63, headDim: 32 }, options: {} },
  { name: 'exactly one chunk of 64', shape: { heads: 2, seqlen: 64, headDim: 16 }, options: {} },
  { name: 'one above a chunk of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below two chunks, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'one above two chunks, head of 96', shape: { heads: 1, seqlen: 129, headDim: 96 }, options: {} },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 70, headDim: 64, headDimV: 16 }, options: {} },
  { name: 'widths of 20 and 28', shape: { heads: 2, seqlen: 70, headDim: 20, headDimV: 28 }, options: {} },
  { name: 'heads no power of two', shape: { heads: 3, seqlen: 40, headDim: 16 }, options: {} },
  { name: 'more tokens than dimensions', shape: { heads: 2, seqlen: 100, headDim: 4 }, options: {} },
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { scale: 2 } },
  { name: 'many chunks, no multiple of any', shape: { heads: 1, seqlen: 300, headDim: 32 }, options: {} },
];

/** The cases of the gated rule: those of the plain one, and gates of every strength. */
const gatedGrid: readonly GridCase[] = [
  ...grid.map((theCase, index) => (index % 2 === 0 ? { ...theCase, options: gatedBy('tau1', theCase) } : theCase)),
  {
    name: 'gates that forget within a few tokens',
    shape: { heads: 2, seqlen: 100, headDim: 16 },
    options: { gateKind: 'strong' },
  },
  { name: 'gates that forget nothing', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { gateKind: 'zero' } },
];

function gatedBy(gateKind: string, { options }: GridCase): Options {
  return { ...options, gateKind };
}

const decodeCases = decodeGrid({}, [
  { name: 'eight tokens, a head of 48', shape: { heads: 2, seqlen: 8, headDim: 48 }, options: {} },
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: { scale: 2 } },
]);

const gatedDecodeCases = decodeGrid({ gateKind: 'tau1' }, [
  { name: 'a scale of 2', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: { scale: 2 } },
  { name: 'gates that forget at once', shape: { heads: 2, seqlen: 4 }, options: { gateKind: 'strong' } },
  { name: 'gates that forget nothing', shape: { heads: 2, seqlen: 4, headDim: 32 }, options: { gateKind: 'zero' } },
]);

function forwardComputation(
  direction: 'forward' | 'decode',
  tensors: readonly TensorSpec[],
  cases: readonly GridCase[],
): Computation {
  return {
    direction,
    tensors,
    grid: cases,
    generate: (shape, options, seed) => generate(tensors, shape, options, seed),
    reference: (inputs, shape, options, precision, budget) =>
      deltaForward(problemOf(inputs, shape, options, precision), budget),
    // What the state predicts of the token, what is learnt from the error, and what the query reads.
    flops: (shape) => stateFlops(shape, 3),
  };
}

function backwardComputation(gated: boolean, cases: readonly GridCase[]): Computation {
  const tensors = backwardTensors(gated);
  return {
    direction: 'backward',
    tensors,
    grid: cases,
    generate: (shape, options, seed) => generate(tensors, shape, options, seed),
    reference: (inputs, shape, options, precision, budget) => {
      const { seqlen, headDim, headDimV } = sizesOf(shape);
      const cotangents = (index: number): { o: Float64Array; s: Float64Array } => ({
        o: inputPart(inputs.do, index, seqlen * headDimV),
        s: inputPart(inputs.ds, index, headDim * headDimV),
      });
      return deltaBackward(problemOf(inputs, shape, options, precision), cotangents, budget);
    },
    // The states again (2); dq; their gradients (2); du; dk from the update and from the prediction; dg.
    flops: (shape) => stateFlops(shape, gated ? 9 : 8),
  };
}

const dimensions = attentionDimensions(2048, ['headsKv', 'seqlenK']);

/** What the two rules share. */
function mechanismOf(
  gated: boolean,
  about: Pick<Mechanism, 'id' | 'title' | 'summary' | 'golden'>,
  cases: { readonly sequence: readonly GridCase[]; readonly decode: readonly GridCase[] },
): Mechanism {
  const options = gated ? [gateOption, scaleOption] : [scaleOption];
  return {
    ...about,
    dimensions,
    options,
    computations: [
      forwardComputation('forward', forwardTensors(gated), cases.sequence),
      backwardComputation(gated, cases.sequence),
      forwardComputation('decode', decodeTensors(gated), cases.decode),
    ],
    recurrence: { states: { s: 's0' }, tokens: ['seqlen'], options: {} },
    scalars: (shape, chosen) => caseScalars(options, shape, chosen),
    visibleKeys: (shape) => prefixRanges(shape, true),
    parts: { ...attentionParts, corrected: true },
    validate: (shape, chosen) => invalidCase(dimensions, options, shape, chosen),
  };
}

/** The delta rule (Schlag et al. 2021; in parallel form Yang et al. 2024): the state learns what it gets wrong. */
export const deltaRule: Mechanism = mechanismOf(
  false,
  {
    id: 'delta-rule',
    title: 'Delta rule',
    summary:
      'u = β (v − Sᵀ k), S ← S + k uᵀ, o = scale · Sᵀ q: causal linear attention whose state learns only what it gets wrong of each token (DeltaNet).',
    golden: { delta: scaledAttention },
  },
  { sequence: grid, decode: decodeCases },
);

/** The gated delta rule (Yang, Kautz and Hatamizadeh 2024): the state decays before it is asked and corrected. */
export const gatedDeltaRule: Mechanism = mechanismOf(
  true,
  {
    id: 'gated-delta-rule',
    title: 'Gated delta rule',
    summary:
      'S ← e^g S, u = β (v − Sᵀ k), S ← S + k uᵀ, o = scale · Sᵀ q: the delta rule on a state that each token first lets decay (Gated DeltaNet).',
    golden: { gdelta: scaledAttention },
  },
  { sequence: gatedGrid, decode: gatedDecodeCases },
);
