import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { goldenAttentionShape, goldenOption } from './golden-operation.js';
import { inputPart } from './inputs.js';
import { pairsIn } from './masks.js';
import type {
  Computation,
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
import { decodeCases, grid } from './memory-mosaic-grid.js';
import { mosaicDecodeInputs, mosaicInputs } from './memory-mosaic-inputs.js';
import {
  mosaicKeys,
  mosaicKeysBackward,
  mosaicValues,
  mosaicValuesBackward,
  type MosaicHead,
} from './memory-mosaic-rows.js';
import { joined } from './sampling.js';
import { numberOption, sizesOf } from './sizes.js';
import { softmaxBackward, softmaxForward, type SoftmaxProblem } from './softmax-rows.js';
import {
  attentionDimensions,
  caseScalars,
  forwardTolerance,
  gradientTolerance,
  input,
  invalidCase,
  optionalOutput,
  output,
} from './specs.js';

const keyDims = ['batch', 'heads', 'seqlenK', 'headDim'];
const valueDims = ['batch', 'heads', 'seqlenK', 'headDimV'];
const newKeyDims = ['batch', 'heads', 'seqlen', 'headDim'];
const outputDims = ['batch', 'heads', 'seqlen', 'headDimV'];
const headDims = ['heads'];

const parameters: readonly TensorSpec[] = [
  input('leak', headDims, 'Leak b > 0 of each head: its averages keep λ = e^(-b) of themselves from token to token.'),
  input('mix', headDims, 'How much of a token’s own value goes into its pair; the rest is the next token’s.'),
  input('key_scale', headDims, 'Length σ of the keys of a head.'),
  input('value_scale', headDims, 'Length τ of the values of a head.'),
];

const inputTensors: readonly TensorSpec[] = [
  input('k', keyDims, 'Keys of all tokens.'),
  input('v', valueDims, 'Values of all tokens.'),
  ...parameters,
];

const forwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  output('o', outputDims, forwardTolerance, 'Output of the last seqlen tokens; zero for the first of all.'),
  optionalOutput('k_hat', keyDims, forwardTolerance, 'Keys as they are compared: leaky averages, σ long.'),
  optionalOutput('v_hat', valueDims, forwardTolerance, 'Values as they are averaged: mixed with the next, τ long.'),
];

const backwardTensors: readonly TensorSpec[] = [
  ...inputTensors,
  input('do', outputDims, 'Gradient of the output.'),
  output('dk', keyDims, gradientTolerance, 'Gradient of the keys, through queries and keys alike.'),
  output('dv', valueDims, gradientTolerance, 'Gradient of the values.'),
];

const decodeTensors: readonly TensorSpec[] = [
  input('k', newKeyDims, 'Keys of the new tokens, the last seqlen of seqlenK.'),
  input('v', outputDims, 'Values of the new tokens.'),
  ...parameters,
  input('k_bar0', ['batch', 'heads', 'headDim'], 'Leaky average of the keys before the new tokens.'),
  input('v_last', ['batch', 'heads', 'headDimV'], 'Value of the token before them, whose pair awaits the next value.'),
  input(
    'k_cache',
    keyDims,
    'Keys k_hat of the tokens whose pairs are finished: all before the new ones but the last. Rows after them are room.',
  ),
  input('v_cache', valueDims, 'Their values v_hat, with the same room.'),
  output('o', outputDims, forwardTolerance, 'Output; zero for the first token of all.'),
  output(
    'k_hat',
    newKeyDims,
    forwardTolerance,
    'Keys to append to the cache: of the last token before, and all new but one.',
  ),
  output('v_hat', outputDims, forwardTolerance, 'Values to append, of the same tokens.'),
  output('k_bar', ['batch', 'heads', 'headDim'], forwardTolerance, 'Leaky average of the keys after the new tokens.'),
];

const optionSpecs: readonly OptionSpec[] = [
  { name: 'eps', kind: 'number', fallback: 1e-10, description: 'Added to the length that a row is divided by.' },
  {
    name: 'sharpness',
    kind: 'number',
    onlyInputs: true,
    fallback: 3,
    description: 'The largest key scale the comparison feeds; scores reach its square.',
  },
];

/** The softmax of a case, as that of softmax attention with the k̂ as queries and keys, and what led to them. */
interface MosaicProblem {
  readonly softmax: SoftmaxProblem;
  readonly heads: readonly MosaicHead[];
  /** Leaky averages, and mixed values before their norm, of all heads. */
  readonly rawKeys: Float64Array;
  readonly rawValues: Float64Array;
  readonly keys: Float64Array;
  readonly values: Float64Array;
}

/** Which keys each of the last `seqlen` of `seqlenK` tokens sees: those strictly before it. */
function visibleKeys(shape: Shape): (query: number) => KeyRange {
  const { seqlen, seqlenK } = sizesOf(shape);
  return (query) => ({ from: 0, to: Math.max(query + seqlenK - seqlen, 0) });
}

function headOf(inputs: Inputs, index: number, options: Options, math: Arithmetic): MosaicHead {
  return {
    math,
    kept: math.round(Math.exp(-inputs.leak![index]!)),
    mix: inputs.mix![index]!,
    keyScale: inputs.key_scale![index]!,
    valueScale: inputs.value_scale![index]!,
    eps: math.round(numberOption(options, 'eps')),
  };
}

/** The last `seqlen` of the `seqlenK` rows of each head. */
function lastRows(values: Float64Array, shape: Shape, width: number): Float64Array {
  const { seqlen, seqlenK } = sizesOf(shape);
  const parts: Float64Array[] = [];
  for (let at = 0; at < values.length; at += seqlenK * width)
    parts.push(values.subarray(at + (seqlenK - seqlen) * width, at + seqlenK * width));
  return joined(parts);
}

function softmaxOf(
  math: Arithmetic,
  shape: Shape,
  keys: Float64Array,
  values: Float64Array,
  queries: Float64Array,
): SoftmaxProblem {
  return { math, sizes: sizesOf(shape), scale: 1, range: visibleKeys(shape), q: queries, k: keys, v: values };
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): MosaicProblem {
  const math = arithmetic(precision);
  const { batch, heads: headCount, seqlenK, headDim, headDimV } = sizesOf(shape);
  const heads = Array.from({ length: headCount }, (_, index) => headOf(inputs, index, options, math));
  const rows = Array.from({ length: batch * headCount }, (_, index) => {
    const head = heads[index % headCount]!;
    // What comes after the last token counts as zero.
    const v = new Float64Array((seqlenK + 1) * headDimV);
    v.set(inputPart(inputs.v, index, seqlenK * headDimV));
    return {
      keys: mosaicKeys(head, inputPart(inputs.k, index, seqlenK * headDim), new Float64Array(headDim)),
      values: mosaicValues(head, v, headDimV),
    };
  });
  const keys = joined(rows.map((row) => row.keys.normed));
  const values = joined(rows.map((row) => row.values.normed));
  return {
    softmax: softmaxOf(math, shape, keys, values, lastRows(keys, shape, headDim)),
    heads,
    rawKeys: joined(rows.map((row) => row.keys.raw)),
    rawValues: joined(rows.map((row) => row.values.raw)),
    keys,
    values,
  };
}

function whole(values: Float64Array, dims: readonly number[]): ReferenceTensor {
  return { dims, rows: null, values, exactRows: null };
}

function forward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const { softmax, keys, values } = problemOf(inputs, shape, options, precision);
  const { batch, heads, seqlenK, headDim, headDimV } = softmax.sizes;
  return {
    o: softmaxForward(softmax, budget).o,
    k_hat: whole(keys, [batch, heads, seqlenK, headDim]),
    v_hat: whole(values, [batch, heads, seqlenK, headDimV]),
  };
}

function backward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const { softmax, heads, rawKeys, rawValues } = problemOf(inputs, shape, options, precision);
  const { math } = softmax;
  const { seqlen, seqlenK, headDim, headDimV } = softmax.sizes;
  const { dq, dk, dv } = softmaxBackward(softmax, inputs, budget);
  const queryGradients = new Float64Array(dq.values);
  const keyGradients = new Float64Array(dk.values);
  const valueGradients = new Float64Array(dv.values);
  const places = keyGradients.length / (seqlenK * headDim);
  for (let place = 0; place < places; place++) {
    const index = Math.floor((dk.rows?.[place * seqlenK] ?? place * seqlenK) / seqlenK);
    const head = heads[index % heads.length]!;
    const atKeys = place * seqlenK * headDim;
    const atValues = place * seqlenK * headDimV;
    // k̂ is query and key at once.
    const last = atKeys + (seqlenK - seqlen) * headDim;
    math.addScaled(keyGradients, last, 1, queryGradients, place * seqlen * headDim, seqlen * headDim);
    const part = (values: Float64Array, at: number, width: number): Float64Array =>
      values.slice(at, at + seqlenK * width);
    const k = part(rawKeys, index * seqlenK * headDim, headDim);
    const v = part(rawValues, index * seqlenK * headDimV, headDimV);
    keyGradients.set(mosaicKeysBackward(head, k, part(keyGradients, atKeys, headDim), headDim), atKeys);
    valueGradients.set(mosaicValuesBackward(head, v, part(valueGradients, atValues, headDimV), headDimV), atValues);
  }
  return { dk: { ...dk, values: keyGradients }, dv: { ...dv, values: valueGradients } };
}

/** What decoding makes of the new tokens of one head. */
interface DecodedHead {
  /** Keys and values of all tokens' pairs; the last token has no value yet, which counts as zero and is not read. */
  readonly keys: Float64Array;
  readonly values: Float64Array;
  readonly queries: Float64Array;
  /** The pairs to append. */
  readonly newKeys: Float64Array;
  readonly newValues: Float64Array;
  readonly average: Float64Array;
}

function decodeHead(inputs: Inputs, shape: Shape, head: MosaicHead, index: number): DecodedHead {
  const { seqlen, seqlenK, headDim, headDimV } = sizesOf(shape);
  const average = inputPart(inputs.k_bar0, index, headDim);
  const { raw, normed: queries } = mosaicKeys(head, inputPart(inputs.k, index, seqlen * headDim), average);
  // The pair of the token before the first new one, then of all new ones but the last.
  const last = mosaicKeys({ ...head, kept: 1 }, new Float64Array(headDim), average).normed;
  const newKeys = joined([last, queries.subarray(0, (seqlen - 1) * headDim)]);
  const v = joined([inputPart(inputs.v_last, index, headDimV), inputPart(inputs.v, index, seqlen * headDimV)]);
  const newValues = mosaicValues(head, v, headDimV).normed;
  const before = seqlenK - seqlen;
  const place = (cache: Float32Array | undefined, added: Float64Array, width: number): Float64Array => {
    const rows = inputPart(cache, index, seqlenK * width).fill(0, Math.max(before - 1, 0) * width);
    // Before the first token of all there is no pair.
    if (before > 0) rows.set(added, (before - 1) * width);
    else rows.set(added.subarray(width), 0);
    return rows;
  };
  return {
    keys: place(inputs.k_cache, newKeys, headDim),
    values: place(inputs.v_cache, newValues, headDimV),
    queries,
    newKeys,
    newValues,
    average: raw.slice((seqlen - 1) * headDim),
  };
}

function decode(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const math = arithmetic(precision);
  const { batch, heads, seqlen, headDim, headDimV } = sizesOf(shape);
  const decoded = Array.from({ length: batch * heads }, (_, index) =>
    decodeHead(inputs, shape, headOf(inputs, index % heads, options, math), index),
  );
  const all = (part: (head: DecodedHead) => Float64Array): Float64Array => joined(decoded.map(part));
  const softmax = softmaxOf(
    math,
    shape,
    all((head) => head.keys),
    all((head) => head.values),
    all((head) => head.queries),
  );
  return {
    o: softmaxForward(softmax, budget).o,
    k_hat: whole(
      all((head) => head.newKeys),
      [batch, heads, seqlen, headDim],
    ),
    v_hat: whole(
      all((head) => head.newValues),
      [batch, heads, seqlen, headDimV],
    ),
    k_bar: whole(
      all((head) => head.average),
      [batch, heads, headDim],
    ),
  };
}

/** Averages, norms and mixes of `tokens` tokens in all heads, beside the pairs. */
function preparationFlops(shape: Shape, tokens: number): number {
  const { batch, heads, headDim, headDimV } = sizesOf(shape);
  return batch * heads * tokens * (5 * headDim + 6 * headDimV);
}

function pairFlops(shape: Shape, perPair: number): number {
  const { batch, heads, seqlen } = sizesOf(shape);
  return 2 * batch * heads * pairsIn(visibleKeys(shape), seqlen) * perPair;
}

const computations: readonly Computation[] = [
  {
    direction: 'forward',
    tensors: forwardTensors,
    grid,
    generate: (shape, options, seed) => mosaicInputs(forwardTensors, shape, options, seed),
    reference: forward,
    flops: (shape: Shape): number => {
      const { seqlenK, headDim, headDimV } = sizesOf(shape);
      return pairFlops(shape, headDim + headDimV) + preparationFlops(shape, seqlenK);
    },
  },
  {
    direction: 'backward',
    tensors: backwardTensors,
    grid,
    generate: (shape, options, seed) => mosaicInputs(backwardTensors, shape, options, seed),
    reference: backward,
    // The pairs as in softmax attention; averages and norms again, and twice as much to come back through them.
    flops: (shape: Shape): number => {
      const { seqlenK, headDim, headDimV } = sizesOf(shape);
      return pairFlops(shape, 3 * headDim + 2 * headDimV) + 3 * preparationFlops(shape, seqlenK);
    },
  },
  {
    direction: 'decode',
    tensors: decodeTensors,
    grid: decodeCases,
    generate: (shape, options, seed) => mosaicDecodeInputs(decodeTensors, shape, options, seed),
    reference: decode,
    flops: (shape: Shape): number => {
      const { seqlen, headDim, headDimV } = sizesOf(shape);
      return pairFlops(shape, headDim + headDimV) + preparationFlops(shape, seqlen);
    },
  },
];

const dimensions = attentionDimensions(1024, ['headsKv']);

/** The context memory of Memory Mosaics (Zhang et al. 2024): kernel regression on the tokens before, key equal to query. */
export const memoryMosaic: Mechanism = {
  id: 'memory-mosaic',
  title: 'Memory Mosaics context memory',
  summary:
    'o_t = Σ_{j<t} softmax(k̂_t · k̂_j) v̂_j: keys averaged over the past are compared with each other, and a value looks one token ahead.',
  dimensions,
  options: optionSpecs,
  computations,
  recurrence: null,
  golden: {
    mosaic: {
      shape: ({ k = [], v = [] }) => goldenAttentionShape({ q: k, k, v }),
      options: ({ eps }) => goldenOption('eps', eps),
      names: { coef: 'mix', val_scale: 'value_scale', y: 'o', dy: 'do' },
      // A step that decodes gives the pairs that it ends, not those of its tokens.
      direction: 'forward',
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: null,
  parts: null,
  unfollowed:
    'A key is an average of all keys before it and asks as it is asked, so that a product of two does not tell which pair it is of.',
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, optionSpecs, shape, options);
    if (problem !== null) return problem;
    const { seqlen, seqlenK } = sizesOf(shape);
    return seqlen <= seqlenK
      ? null
      : `seqlen is ${seqlen} and seqlenK is ${seqlenK}: outputs are of the last seqlen of seqlenK tokens, so seqlenK must be no less.`;
  },
};
