import type { Arithmetic } from '../numerics/arithmetic.js';
import type { DimensionSpec, OptionSpec, Shape } from './mechanism.js';

/** An activation of a memory. */
export interface Activation {
  /** The function itself. */
  readonly value: (x: number) => number;
  /** Its derivative. */
  readonly slope: (x: number) => number;
}

/** The option that tells which of the two functions called GELU a memory has. */
export const geluOption: OptionSpec = {
  name: 'gelu',
  kind: 'choice',
  choices: ['erf', 'tanh'],
  fallback: 'erf',
  description: 'The activation: erf for x Φ(x) with the normal distribution Φ, tanh for its usual approximation.',
};

/**
 * The error function, to 1e-15: its series 2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (2n+1)!! (Abramowitz and Stegun 7.1.6), all terms of
 * which have one sign. Beyond 6 it is 1 in float64.
 */
export function erf(x: number): number {
  if (Math.abs(x) >= 6) return Math.sign(x);
  const square = x * x;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * square) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-square) * sum;
}

const normalDistribution = (x: number): number => (1 + erf(x * Math.SQRT1_2)) / 2;

const geluErf: Activation = {
  value: (x) => x * normalDistribution(x),
  slope: (x) => normalDistribution(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
};

const tanhScale = Math.sqrt(2 / Math.PI);
const tanhCubic = 0.044715;
const tanhOf = (x: number): number => Math.tanh(tanhScale * (x + tanhCubic * x ** 3));

/** The approximation of Hendrycks and Gimpel (2016). */
const geluTanh: Activation = {
  value: (x) => (x * (1 + tanhOf(x))) / 2,
  slope: (x) => {
    const t = tanhOf(x);
    return (1 + t) / 2 + (x * (1 - t * t) * tanhScale * (1 + 3 * tanhCubic * x * x)) / 2;
  },
};

/** The activation of an option value, `erf` or `tanh`. */
export function geluOf(kind: string): Activation {
  return kind === 'tanh' ? geluTanh : geluErf;
}

/** The dimension that such a memory has beside those of attention. */
export const hiddenDimension: DimensionSpec = {
  name: 'hiddenDim',
  fallback: 128,
  description: 'Width of the layer between the two matrices of weights.',
};

/** Dimensions of the weights W₁ of the first layer: each head of each sequence has a memory of its own. */
export const upDims: readonly string[] = ['batch', 'heads', 'headDim', 'hiddenDim'];

/** Dimensions of the weights W₂ of the second layer. */
export const downDims: readonly string[] = ['batch', 'heads', 'hiddenDim', 'headDim'];

/** The sizes of a complete shape of a mechanism with such memories. */
export interface MlpSizes {
  /** Heads of all batches: memories. */
  readonly memories: number;
  readonly seqlen: number;
  readonly headDim: number;
  readonly hiddenDim: number;
}

/** Reads the sizes of a complete shape. */
export function mlpSizes({ batch, heads, seqlen, headDim, hiddenDim }: Shape): MlpSizes {
  return { memories: batch! * heads!, seqlen: seqlen!, headDim: headDim!, hiddenDim: hiddenDim! };
}

/** A memory M(x) = x + gelu(x W₁) W₂, the residual network of ATLAS (Behrouz et al. 2025, eq. 42). */
export interface MlpMemory {
  readonly headDim: number;
  readonly hiddenDim: number;
  readonly activation: Activation;
  /** [headDim, hiddenDim] */
  readonly w1: Float64Array;
  /** [hiddenDim, headDim] */
  readonly w2: Float64Array;
}

/** What a row of `headDim` numbers makes of a memory. */
export interface MlpPass {
  /** x W₁ */
  readonly hidden: Float64Array;
  /** gelu(x W₁) */
  readonly active: Float64Array;
  /** M(x) */
  readonly answer: Float64Array;
}

/** The way of the row at x[at] through a memory. */
export function mlpPass(math: Arithmetic, memory: MlpMemory, x: Float64Array, at: number): MlpPass {
  const { headDim, hiddenDim, activation, w1, w2 } = memory;
  const hidden = new Float64Array(hiddenDim);
  for (let d = 0; d < headDim; d++) math.addScaled(hidden, 0, x[at + d]!, w1, d * hiddenDim, hiddenDim);
  const active = hidden.map((value) => math.round(activation.value(value)));
  const answer = x.slice(at, at + headDim);
  for (let f = 0; f < hiddenDim; f++) math.addScaled(answer, 0, active[f]!, w2, f * headDim, headDim);
  return { hidden, active, answer };
}

/**
 * What one row has to do with the loss w ‖M(x) − v‖²: the gradients are gelu(x W₁)ᵀ `error` for W₂ and xᵀ `blame` for W₁.
 */
export interface MlpBlame {
  /** 2 w (M(x) − v), [headDim] */
  readonly error: Float64Array;
  /** (error W₂ᵀ) ⊙ gelu′(x W₁), [hiddenDim] */
  readonly blame: Float64Array;
}

/** The error of a row, of weight `weight`, against the value at v[at], and its way back through the memory. */
export function mlpBlame(
  math: Arithmetic,
  memory: MlpMemory,
  { hidden, answer }: MlpPass,
  v: Float64Array,
  at: number,
  weight: number,
): MlpBlame {
  const { headDim, hiddenDim, activation, w2 } = memory;
  const error = answer.slice();
  math.addScaled(error, 0, -1, v, at, headDim);
  math.scale(error, 0, 2 * weight, headDim);
  const blame = new Float64Array(hiddenDim);
  for (let f = 0; f < hiddenDim; f++) {
    const back = math.dot(w2, f * headDim, error, 0, headDim);
    blame[f] = math.round(back * math.round(activation.slope(hidden[f]!)));
  }
  return { error, blame };
}

/** matrix += factor · left rightᵀ, for left[at] of `rows` numbers. */
export function addOuter(
  math: Arithmetic,
  matrix: Float64Array,
  factor: number,
  left: Float64Array,
  at: number,
  rows: number,
  right: Float64Array,
): void {
  for (let row = 0; row < rows; row++) {
    math.addScaled(matrix, row * right.length, math.round(factor * left[at + row]!), right, 0, right.length);
  }
}

/** Weights of a new memory from normal values: each layer then keeps the size of what passes through it, or less. */
export function initialWeights(normal: Float32Array, inputWidth: number): Float32Array {
  const factor = 1 / Math.sqrt(inputWidth);
  return normal.map((x) => factor * x);
}
