import { arithmetic } from '../numerics/arithmetic.js';
import type { Inputs, KeyRange, Options, Precision, ReferenceTensor, Shape } from './mechanism.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import { numberOption, sizesOf } from './sizes.js';
import { pairsIn } from './masks.js';
import { softmaxForward, type SoftmaxProblem } from './softmax-rows.js';

/** Sizes of latent attention at a complete shape; multi-head latent attention has one latent head for all. */
export interface LatentSizes {
  readonly batch: number;
  readonly heads: number;
  /** Latent heads: neighbouring query heads share one. */
  readonly headsKv: number;
  readonly seqlen: number;
  readonly seqlenK: number;
  readonly latentDim: number;
  readonly ropeDim: number;
  readonly headDim: number;
  readonly headDimV: number;
}

/** Reads the sizes of a complete shape of latent attention. */
export function latentSizes(shape: Shape): LatentSizes {
  const { latentDim, ropeDim, headsKv = 1 } = shape;
  if (latentDim === undefined || ropeDim === undefined) {
    throw new Error(
      'Bug in Tilescope: a shape reached the latent reference incomplete. Complete it with completeShape.',
    );
  }
  return { ...sizesOf(shape), headsKv, latentDim, ropeDim };
}

/** The rows of two tensors side by side: `rows` rows of `left` ‖ `right`, whose rows `rightRow` names. */
function sideBySide(
  left: ArrayLike<number>,
  leftWidth: number,
  right: ArrayLike<number>,
  rightWidth: number,
  rows: number,
  rightRow: (row: number) => number,
): Float64Array {
  const width = leftWidth + rightWidth;
  const values = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < leftWidth; d++) values[row * width + d] = left[row * leftWidth + d]!;
    const from = rightRow(row) * rightWidth;
    for (let d = 0; d < rightWidth; d++) values[row * width + leftWidth + d] = right[from + d]!;
  }
  return values;
}

/**
 * o_lat and lse of absorbed latent attention: attention with the queries q_lat ‖ q_pe, the keys c ‖ k_pe and the values c
 * (DeepSeek-V2, section 2.1; Zadouri et al. 2025, section 3.3). Rows are sampled beyond `budget` multiply-adds.
 */
export function absorbedForward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  range: (query: number) => KeyRange,
  budget: number,
): Readonly<Record<'o_lat' | 'lse', ReferenceTensor>> {
  const { batch, heads, headsKv, seqlen, seqlenK, latentDim, ropeDim } = latentSizes(shape);
  const math = arithmetic(precision);
  const c = new Float64Array(inputs.c!);
  const perBatch = headsKv * seqlenK;
  const problem: SoftmaxProblem = {
    math,
    sizes: { batch, heads, headsKv, seqlen, seqlenK, headDim: latentDim + ropeDim, headDimV: latentDim },
    scale: math.round(numberOption(options, 'scale')),
    range,
    q: sideBySide(inputs.q_lat!, latentDim, inputs.q_pe!, ropeDim, batch * heads * seqlen, (row) => row),
    k: sideBySide(
      c,
      latentDim,
      inputs.k_pe!,
      ropeDim,
      batch * perBatch,
      (row) => Math.floor(row / perBatch) * seqlenK + (row % seqlenK),
    ),
    v: c,
  };
  const { o, lse } = softmaxForward(problem, budget);
  return { o_lat: o, lse };
}

/**
 * o, lse and q_lat of materialised latent attention: the keys W_uk c ‖ k_pe and values W_uv c of each head are written out,
 * and what follows is softmax attention. Whole heads are sampled beyond `budget` multiply-adds.
 */
export function materialisedForward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  range: (query: number) => KeyRange,
  budget: number,
): Readonly<Record<'o' | 'lse' | 'q_lat', ReferenceTensor>> {
  const sizes = latentSizes(shape);
  const { batch, heads, seqlen, seqlenK, latentDim, ropeDim, headDim, headDimV } = sizes;
  const pairs = pairsIn(range, seqlen) * (headDim + ropeDim + headDimV);
  const perHead = seqlenK * latentDim * (headDim + headDimV) + seqlen * latentDim * headDim + pairs;
  const total = batch * heads;
  const chosen = spread(total, budget / perHead);
  const found = Array.from(chosen, (plane) => materialisedHead(inputs, sizes, options, precision, range, plane));
  const empty = found.flatMap(({ o }, place) => Array.from(o.exactRows ?? [], (row) => place * seqlen + row));
  const values = (of: (head: MaterialisedHead) => ArrayLike<number>): Float64Array =>
    joined(found.map((head) => Float64Array.from(of(head))));
  const perPlane = (width: number): readonly number[] => [batch, heads, seqlen, width];
  const o = tensorOfGroups(
    values((head) => head.o.values),
    perPlane(headDimV),
    chosen,
    total,
    seqlen,
  );
  return {
    o: { ...o, exactRows: empty.length > 0 ? Uint32Array.from(empty) : null },
    lse: tensorOfGroups(
      values((head) => head.lse.values),
      [batch, heads, seqlen],
      chosen,
      total,
      1,
    ),
    q_lat: tensorOfGroups(
      values((head) => head.qLat),
      perPlane(latentDim),
      chosen,
      total,
      seqlen,
    ),
  };
}

interface MaterialisedHead {
  readonly o: ReferenceTensor;
  readonly lse: ReferenceTensor;
  readonly qLat: Float64Array;
}

/** One query head of one sequence, `plane` counting (batch, head). */
function materialisedHead(
  inputs: Inputs,
  { heads, headsKv, seqlen, seqlenK, latentDim, ropeDim, headDim, headDimV }: LatentSizes,
  options: Options,
  precision: Precision,
  range: (query: number) => KeyRange,
  plane: number,
): MaterialisedHead {
  const math = arithmetic(precision);
  const batch = Math.floor(plane / heads);
  const head = plane % heads;
  const latentHead = batch * headsKv + Math.floor((head * headsKv) / heads);
  const part = (name: string, index: number, count: number): Float64Array =>
    new Float64Array(inputs[name]!.subarray(index * count, (index + 1) * count));
  const c = part('c', latentHead, seqlenK * latentDim);
  const up = part('w_uk', head, headDim * latentDim);
  const qNope = part('q_nope', plane, seqlen * headDim);
  const project = (weights: Float64Array, width: number): Float64Array => {
    const projected = new Float64Array(seqlenK * width);
    for (let at = 0; at < projected.length; at++) {
      const [key, row] = [Math.floor(at / width), at % width];
      projected[at] = math.dot(weights, row * latentDim, c, key * latentDim, latentDim);
    }
    return projected;
  };
  // q_lat = W_ukᵀ q_nope: what the absorbed form takes in place of q_nope.
  const qLat = new Float64Array(seqlen * latentDim);
  for (let query = 0; query < seqlen; query++) {
    for (let d = 0; d < headDim; d++) {
      math.addScaled(qLat, query * latentDim, qNope[query * headDim + d]!, up, d * latentDim, latentDim);
    }
  }
  const own = (row: number): number => row;
  const { o, lse } = softmaxForward(
    {
      math,
      sizes: { batch: 1, heads: 1, headsKv: 1, seqlen, seqlenK, headDim: headDim + ropeDim, headDimV },
      scale: math.round(numberOption(options, 'scale')),
      range,
      q: sideBySide(qNope, headDim, part('q_pe', plane, seqlen * ropeDim), ropeDim, seqlen, own),
      k: sideBySide(project(up, headDim), headDim, part('k_pe', batch, seqlenK * ropeDim), ropeDim, seqlenK, own),
      v: project(part('w_uv', head, headDimV * latentDim), headDimV),
    },
    Infinity,
  );
  return { o, lse, qLat };
}
