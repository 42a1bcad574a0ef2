import type { Arithmetic } from '../numerics/arithmetic.js';
import type { DimensionSpec, Inputs, KeyRange, Shape } from './mechanism.js';

/** The sizes of a gated unit: one head with queries and keys of headDim and values and gates of headDimV. */
export interface GatedSizes {
  readonly batch: number;
  readonly seqlen: number;
  readonly headDim: number;
  readonly headDimV: number;
  /** Entries of the table of biases. */
  readonly biasDim: number;
}

/** Reads the sizes of a complete shape of a gated unit. */
export function gatedSizes(shape: Shape): GatedSizes {
  const { batch, seqlen, headDim, headDimV, biasDim } = shape;
  if (
    batch === undefined ||
    seqlen === undefined ||
    headDim === undefined ||
    headDimV === undefined ||
    biasDim === undefined
  ) {
    throw new Error('Bug in Tilescope: a shape reached a gated unit incomplete. Complete it with completeShape.');
  }
  return { batch, seqlen, headDim, headDimV, biasDim };
}

/** The table of biases as a dimension: an entry for each distance j - i of two tokens of `dimension`. */
export function biasDimension(dimension: string): DimensionSpec {
  return {
    name: 'biasDim',
    fallback: { from: [dimension], size: (tokens) => 2 * tokens - 1, text: `2 · ${dimension} - 1` },
    description: 'Entries of the table of biases, an odd number: distances j - i from -(biasDim - 1) / 2 on.',
  };
}

/** What is wrong with a table of biases for tokens that are less than `tokens` apart, in words, or null. */
export function invalidBias(biasDim: number, tokens: number): string | null {
  if (biasDim % 2 === 0) return `biasDim is ${biasDim}: a table with as many distances to either side has an odd size.`;
  return biasDim >= 2 * tokens - 1
    ? null
    : `biasDim is ${biasDim}, but keys up to ${tokens - 1} tokens away need a table of ${2 * tokens - 1} biases.`;
}

/**
 * Attention whose weights are squares: a_ij = max(0, scale · q_i · k_j + bias_(j-i))² over the keys each query sees (Hua
 * et al. 2022, section 3.2). Rows count over batch and seqlen.
 */
export interface SquaredRelu {
  readonly math: Arithmetic;
  readonly sizes: GatedSizes;
  readonly scale: number;
  /** The mask: the keys of each query, the same in every sequence. */
  readonly range: (query: number) => KeyRange;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** Bias of each distance j - i, of which 0 stands in the middle. */
  readonly bias: Float64Array;
}

/** Where the gradients of squared ReLU attention are summed, those of keys and values from a row of their own on. */
export interface SquaredReluGradients {
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
  readonly dbias: Float64Array;
}

/** Where a query row's gradients go: its own row in dq, and the row of its sequence's first key in dk and dv. */
export interface GradientPlace {
  readonly query: number;
  readonly firstKey: number;
}

/** max(0, scale · q_i · k_j + bias_(j-i)) of a query row and the keys it sees, and the first of these as a row. */
interface Rectified {
  readonly z: Float64Array;
  readonly from: number;
  readonly firstRow: number;
  /** Place in the table of the bias of the key `from`. */
  readonly firstBias: number;
}

function rectify({ math, sizes, scale, range, q, k, bias }: SquaredRelu, row: number): Rectified {
  const { seqlen, headDim, biasDim } = sizes;
  const query = row % seqlen;
  const { from, to } = range(query);
  const firstRow = row - query + from;
  const firstBias = from - query + (biasDim - 1) / 2;
  const z = new Float64Array(Math.max(to - from, 0));
  for (let n = 0; n < z.length; n++) {
    const inner = math.dot(q, row * headDim, k, (firstRow + n) * headDim, headDim);
    z[n] = Math.max(0, math.round(math.round(scale * inner) + bias[firstBias + n]!));
  }
  return { z, from, firstRow, firstBias };
}

/** m += Σ_j a_ij v_j of one query row, m being headDimV numbers. */
export function addWeighedValues(problem: SquaredRelu, row: number, m: Float64Array): void {
  const { math, sizes, v } = problem;
  const { z, firstRow } = rectify(problem, row);
  z.forEach((root, n) => {
    math.addScaled(m, 0, math.round(root * root), v, (firstRow + n) * sizes.headDimV, sizes.headDimV);
  });
}

/**
 * Adds what one query row gives to the gradients, from the gradient dm of its sum m of weighed values: with the root z of
 * a weight, dz = 2 z (dm · v_j) goes to the score and to the bias.
 */
export function addGradients(
  problem: SquaredRelu,
  row: number,
  dm: Float64Array,
  gradients: SquaredReluGradients,
  place: GradientPlace,
): void {
  const { math, sizes, scale, q, k, v } = problem;
  const { headDim, headDimV } = sizes;
  const { dq, dk, dv, dbias } = gradients;
  const { z, from, firstRow, firstBias } = rectify(problem, row);
  z.forEach((root, n) => {
    const target = place.firstKey + from + n;
    const da = math.dot(dm, 0, v, (firstRow + n) * headDimV, headDimV);
    const dz = math.round(2 * math.round(root * da));
    const ds = math.round(scale * dz);
    math.addScaled(dq, place.query * headDim, ds, k, (firstRow + n) * headDim, headDim);
    math.addScaled(dk, target * headDim, ds, q, row * headDim, headDim);
    math.addScaled(dv, target * headDimV, math.round(root * root), dm, 0, headDimV);
    dbias[firstBias + n] = math.round(dbias[firstBias + n]! + dz);
  });
}

/**
 * The gradient of m, the sum that a gate multiplies, in one row: dm = do ⊙ u. That of the gate, do ⊙ m, goes into row
 * `target` of du.
 */
export function gateGradient(
  { math: { round }, sizes: { headDimV } }: SquaredRelu,
  inputs: Inputs,
  row: number,
  m: Float64Array,
  du: Float64Array,
  target: number,
): Float64Array {
  return m.map((sum, e) => {
    const dOut = inputs.do![row * headDimV + e]!;
    du[target * headDimV + e] = round(dOut * sum);
    return round(dOut * inputs.u![row * headDimV + e]!);
  });
}
