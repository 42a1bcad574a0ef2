import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { pairsIn } from './masks.js';
import type { Inputs, KeyRange, Options, Precision, ReferenceTensor, Shape } from './mechanism.js';
import { spread, tensorOfGroups } from './sampling.js';
import { numberOption, sizesOf, type Sizes } from './sizes.js';

/** Everything the rows of one case of softmax attention share: sizes, inputs as float64, mask, arithmetic. */
export interface SoftmaxProblem {
  readonly math: Arithmetic;
  readonly sizes: Sizes;
  /** Factor of the scores. */
  readonly scale: number;
  /** The mask: the keys of each query, the same in every head. */
  readonly range: (query: number) => KeyRange;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** A case of softmax attention under a mask, from the inputs q, k and v and the option `scale`. */
export function softmaxProblem(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  range: (query: number) => KeyRange,
): SoftmaxProblem {
  const math = arithmetic(precision);
  return {
    math,
    sizes: sizesOf(shape),
    scale: math.round(numberOption(options, 'scale')),
    range,
    q: new Float64Array(inputs.q!),
    k: new Float64Array(inputs.k!),
    v: new Float64Array(inputs.v!),
  };
}

/** First key row of the key head that query row `row` (over batch, heads, seqlen) uses. */
function keyHeadStart({ sizes }: SoftmaxProblem, row: number): number {
  const head = Math.floor(row / sizes.seqlen);
  const batch = Math.floor(head / sizes.heads);
  const headKv = Math.floor(((head % sizes.heads) * sizes.headsKv) / sizes.heads);
  return (batch * sizes.headsKv + headKv) * sizes.seqlenK;
}

interface SoftmaxRow {
  readonly sum: number;
  readonly lse: number;
}

/** Writes the weights e^(score - max) of one query row into p[from..to); returns their sum and the log-sum-exp. */
function softmaxRow(
  problem: SoftmaxProblem,
  row: number,
  keys: number,
  from: number,
  to: number,
  p: Float64Array,
): SoftmaxRow {
  const { math, sizes, scale } = problem;
  let max = -Infinity;
  for (let j = from; j < to; j++) {
    const inner = math.dot(problem.q, row * sizes.headDim, problem.k, (keys + j) * sizes.headDim, sizes.headDim);
    const score = math.round(scale * inner);
    p[j] = score;
    if (score > max) max = score;
  }
  let sum = 0;
  for (let j = from; j < to; j++) {
    const weight = math.round(Math.exp(math.round(p[j]! - max)));
    p[j] = weight;
    sum = math.round(sum + weight);
  }
  return { sum, lse: math.round(max + math.round(Math.log(sum))) };
}

/** o and lse of all rows, or of evenly spread ones where those of all would exceed `budget` multiply-adds. */
export function softmaxForward(
  problem: SoftmaxProblem,
  budget: number,
): Readonly<Record<'o' | 'lse', ReferenceTensor>> {
  const { math, sizes } = problem;
  const { batch, heads, seqlen, headDim, headDimV } = sizes;
  const total = batch * heads * seqlen;
  const work = batch * heads * pairsIn(problem.range, seqlen) * (headDim + headDimV);
  const rows = work > budget ? spread(total, (total * budget) / work) : null;
  const count = rows?.length ?? total;
  const o = new Float64Array(count * headDimV);
  const lse = new Float64Array(total).fill(Number.NaN);
  const empty: number[] = [];
  const p = new Float64Array(sizes.seqlenK);
  for (let index = 0; index < count; index++) {
    const row = rows?.[index] ?? index;
    const { from, to } = problem.range(row % seqlen);
    if (from >= to) {
      empty.push(index);
      lse[row] = -Infinity;
      continue;
    }
    const keys = keyHeadStart(problem, row);
    const softmax = softmaxRow(problem, row, keys, from, to, p);
    for (let j = from; j < to; j++) {
      math.addScaled(o, index * headDimV, p[j]!, problem.v, (keys + j) * headDimV, headDimV);
    }
    for (let column = 0; column < headDimV; column++) {
      const at = index * headDimV + column;
      o[at] = math.round(o[at]! / softmax.sum);
    }
    lse[row] = softmax.lse;
  }
  const exactRows = empty.length > 0 ? Uint32Array.from(empty) : null;
  return {
    o: { dims: [batch, heads, seqlen, headDimV], rows, values: o, exactRows },
    lse: { dims: [batch, heads, seqlen], rows: null, values: lse, exactRows: null },
  };
}

/**
 * dq, dk and dv from the inputs do and dlse, of the key heads that fit the budget of multiply-adds (first and last at
 * least), with all query heads that share each.
 */
export function softmaxBackward(
  problem: SoftmaxProblem,
  inputs: Inputs,
  budget: number,
): Readonly<Record<'dq' | 'dk' | 'dv', ReferenceTensor>> {
  const { batch, heads, headsKv, seqlen, seqlenK, headDim, headDimV } = problem.sizes;
  const total = batch * headsKv;
  const group = heads / headsKv;
  const perKeyHead = group * pairsIn(problem.range, seqlen) * (3 * headDim + 2 * headDimV);
  const chosen = spread(total, perKeyHead > 0 ? budget / perKeyHead : total);
  const gradients: Gradients = {
    do: new Float64Array(inputs.do!),
    dlse: inputs.dlse ? new Float64Array(inputs.dlse) : new Float64Array(batch * heads * seqlen),
    dq: new Float64Array(chosen.length * group * seqlen * headDim),
    dk: new Float64Array(chosen.length * seqlenK * headDim),
    dv: new Float64Array(chosen.length * seqlenK * headDimV),
  };
  const empty: number[] = [];
  const p = new Float64Array(seqlenK);
  chosen.forEach((keyHead, place) => {
    for (let index = 0; index < group * seqlen; index++) {
      const row = keyHead * group * seqlen + index;
      const target = place * group * seqlen + index;
      const { from, to } = problem.range(row % seqlen);
      if (from < to) backwardRow(problem, gradients, { row, target, place, from, to }, p);
      else empty.push(target);
    }
  });
  const tensor = (values: Float64Array, count: number, tokens: number, width: number): ReferenceTensor =>
    tensorOfGroups(values, [batch, count, tokens, width], chosen, total, (count / headsKv) * tokens);
  const exactRows = empty.length > 0 ? Uint32Array.from(empty) : null;
  return {
    dq: { ...tensor(gradients.dq, heads, seqlen, headDim), exactRows },
    dk: tensor(gradients.dk, headsKv, seqlenK, headDim),
    dv: tensor(gradients.dv, headsKv, seqlenK, headDimV),
  };
}

interface Gradients {
  readonly do: Float64Array;
  readonly dlse: Float64Array;
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
}

/** A query row over batch, heads and seqlen, where its gradient goes, the place of its key head, and the keys it sees. */
interface BackwardRow {
  readonly row: number;
  readonly target: number;
  readonly place: number;
  readonly from: number;
  readonly to: number;
}

/** Adds what one query row gives to dq, dk and dv: dS_j = P_j (do · v_j - Σ_j P_j do · v_j + dlse). */
function backwardRow(problem: SoftmaxProblem, gradients: Gradients, at: BackwardRow, p: Float64Array): void {
  const { math, sizes, scale } = problem;
  const { seqlenK, headDim, headDimV } = sizes;
  const { row, target, place, from, to } = at;
  const keys = keyHeadStart(problem, row);
  const { sum } = softmaxRow(problem, row, keys, from, to, p);
  let mean = 0;
  const dp = new Float64Array(to - from);
  for (let j = from; j < to; j++) {
    p[j] = math.round(p[j]! / sum);
    dp[j - from] = math.dot(gradients.do, row * headDimV, problem.v, (keys + j) * headDimV, headDimV);
    mean = math.round(mean + p[j]! * dp[j - from]!);
  }
  const shift = math.round(gradients.dlse[row]! - mean);
  for (let j = from; j < to; j++) {
    const ds = math.round(scale * math.round(p[j]! * math.round(dp[j - from]! + shift)));
    math.addScaled(gradients.dq, target * headDim, ds, problem.k, (keys + j) * headDim, headDim);
    math.addScaled(gradients.dk, (place * seqlenK + j) * headDim, ds, problem.q, row * headDim, headDim);
    math.addScaled(gradients.dv, (place * seqlenK + j) * headDimV, p[j]!, gradients.do, row * headDimV, headDimV);
  }
}

/**
 * Floating-point operations of softmax attention with so many visible pairs in a head: two multiplications of matrices
 * over them forward, five backward (Dao et al. 2022).
 */
export function softmaxFlops(shape: Shape, pairs: number, direction: 'forward' | 'backward'): number {
  const { batch, heads, headDim, headDimV } = sizesOf(shape);
  const perPair = direction === 'forward' ? headDim + headDimV : 3 * headDim + 2 * headDimV;
  return 2 * batch * heads * pairs * perPair;
}
