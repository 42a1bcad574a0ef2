import { arithmetic } from '../numerics/arithmetic.js';
import { blockRanges, pairsIn } from './masks.js';
import type { Inputs, Options, Precision, ReferenceTensor, Shape } from './mechanism.js';
import { spread, tensorOfGroups } from './sampling.js';
import { numberOption, switchOption } from './sizes.js';
import { addGradients, addWeighedValues, gatedSizes, gateGradient, type SquaredRelu } from './squared-relu.js';

/** The tokens of a chunk; the last one of a sequence may be shorter. */
export function chunkLength(shape: Shape): number {
  const { chunk } = shape;
  if (chunk === undefined) {
    throw new Error('Bug in Tilescope: a shape reached FLASH without its chunk. Complete it with completeShape.');
  }
  return chunk;
}

/** The pairs of a query and a key in the chunks of one sequence that meet by a score. */
export function localPairs(shape: Shape, causal: boolean): number {
  const { seqlen } = gatedSizes(shape);
  return pairsIn(blockRanges(seqlen, chunkLength(shape), causal), seqlen);
}

/**
 * One case of mixed chunk attention (Hua et al. 2022, section 3.3): squared ReLU attention inside each chunk, and a state
 * S = linScale · Σ k_linᵀ v [headDim, headDimV] of the other chunks, or of all where not causal, for the linear part.
 */
interface MixedChunk {
  readonly local: SquaredRelu;
  readonly causal: boolean;
  readonly chunk: number;
  readonly linScale: number;
  readonly qLin: Float64Array;
  readonly kLin: Float64Array;
}

function problemOf(inputs: Inputs, shape: Shape, options: Options, precision: Precision): MixedChunk {
  const math = arithmetic(precision);
  const sizes = gatedSizes(shape);
  const chunk = chunkLength(shape);
  const causal = switchOption(options, 'causal');
  return {
    local: {
      math,
      sizes,
      scale: math.round(numberOption(options, 'scale')),
      range: blockRanges(sizes.seqlen, chunk, causal),
      q: new Float64Array(inputs.q_quad!),
      k: new Float64Array(inputs.k_quad!),
      v: new Float64Array(inputs.v!),
      bias: new Float64Array(inputs.bias!),
    },
    causal,
    chunk,
    linScale: math.round(numberOption(options, 'linScale')),
    qLin: new Float64Array(inputs.q_lin!),
    kLin: new Float64Array(inputs.k_lin!),
  };
}

/** Rows [from, to) over batch and seqlen. */
interface Rows {
  readonly from: number;
  readonly to: number;
}

/** The chunks of a sequence, in order. */
function chunksOf({ local: { sizes }, chunk }: MixedChunk, sequence: number): readonly Rows[] {
  const start = sequence * sizes.seqlen;
  return Array.from({ length: Math.ceil(sizes.seqlen / chunk) }, (_, index) => ({
    from: start + index * chunk,
    to: start + Math.min((index + 1) * chunk, sizes.seqlen),
  }));
}

/** s += k_linᵀ v over the keys in `rows`: what they leave in the state, before linScale. */
function addKeys({ local, kLin }: MixedChunk, s: Float64Array, rows: Rows): void {
  const { headDim, headDimV } = local.sizes;
  for (let row = rows.from; row < rows.to; row++) {
    for (let d = 0; d < headDim; d++) {
      local.math.addScaled(s, d * headDimV, kLin[row * headDim + d]!, local.v, row * headDimV, headDimV);
    }
  }
}

/** The state before the first chunk of a sequence: nothing, or where not causal all of its keys. */
function initialState(problem: MixedChunk, sequence: number): Float64Array {
  const { headDim, headDimV } = problem.local.sizes;
  const s = new Float64Array(headDim * headDimV);
  if (!problem.causal) for (const rows of chunksOf(problem, sequence)) addKeys(problem, s, rows);
  return s;
}

/** a v + linScale · q_lin s of one row: what its gate multiplies. */
function gatedSum(problem: MixedChunk, row: number, s: Float64Array): Float64Array {
  const { local, qLin, linScale } = problem;
  const { headDim, headDimV } = local.sizes;
  const m = new Float64Array(headDimV);
  addWeighedValues(local, row, m);
  for (let d = 0; d < headDim; d++) {
    local.math.addScaled(m, 0, local.math.round(linScale * qLin[row * headDim + d]!), s, d * headDimV, headDimV);
  }
  return m;
}

/** o of all rows, or of evenly spread ones where those of all would exceed `budget` multiply-adds. */
export function mixedChunkForward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<'o', ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { math, sizes } = problem.local;
  const { batch, seqlen, headDim, headDimV } = sizes;
  const total = batch * seqlen;
  const perPair = headDim + headDimV;
  const perRow = (localPairs(shape, problem.causal) / seqlen) * perPair + headDim * headDimV;
  const rows = spread(total, (budget - total * headDim * headDimV) / perRow);
  const o = new Float64Array(rows.length * headDimV);
  let place = 0;
  for (let sequence = 0; sequence < batch; sequence++) {
    const s = initialState(problem, sequence);
    for (const chunk of chunksOf(problem, sequence)) {
      for (; place < rows.length && rows[place]! < chunk.to; place++) {
        const row = rows[place]!;
        gatedSum(problem, row, s).forEach((sum, e) => {
          o[place * headDimV + e] = math.round(inputs.u![row * headDimV + e]! * sum);
        });
      }
      if (problem.causal) addKeys(problem, s, chunk);
    }
  }
  return { o: tensorOfGroups(o, [batch, seqlen, headDimV], rows, total, 1) };
}

interface MixedChunkGradients {
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dqLin: Float64Array;
  readonly dkLin: Float64Array;
  readonly dv: Float64Array;
  readonly du: Float64Array;
  readonly dbias: Float64Array;
}

/**
 * The gradients of whole sequences, the first and the last at least, as far as the budget of multiply-adds reaches; dbias
 * is a sum over all sequences, and not computed where one is left out.
 */
export function mixedChunkBackward(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const problem = problemOf(inputs, shape, options, precision);
  const { batch, seqlen, headDim, headDimV, biasDim } = problem.local.sizes;
  const local = 3 * localPairs(shape, problem.causal) * (headDim + headDimV);
  const chosen = spread(batch, budget / (local + 6 * seqlen * headDim * headDimV));
  const rows = chosen.length * seqlen;
  const gradients: MixedChunkGradients = {
    dq: new Float64Array(rows * headDim),
    dk: new Float64Array(rows * headDim),
    dqLin: new Float64Array(rows * headDim),
    dkLin: new Float64Array(rows * headDim),
    dv: new Float64Array(rows * headDimV),
    du: new Float64Array(rows * headDimV),
    dbias: new Float64Array(biasDim),
  };
  chosen.forEach((sequence, place) => {
    const shift = (place - sequence) * seqlen;
    const dm = queryGradients(problem, inputs, gradients, sequence, shift);
    keyGradients(problem, gradients, sequence, shift, dm);
  });
  if (chosen.length < batch) gradients.dbias.fill(Number.NaN);
  const tensor = (values: Float64Array, width: number): ReferenceTensor =>
    tensorOfGroups(values, [batch, seqlen, width], chosen, batch, seqlen);
  return {
    dq_quad: tensor(gradients.dq, headDim),
    dk_quad: tensor(gradients.dk, headDim),
    dq_lin: tensor(gradients.dqLin, headDim),
    dk_lin: tensor(gradients.dkLin, headDim),
    dv: tensor(gradients.dv, headDimV),
    du: tensor(gradients.du, headDimV),
    dbias: { dims: [biasDim], rows: null, values: gradients.dbias, exactRows: null },
  };
}

/**
 * Chunk by chunk from the first: the gradients of gates, linear queries and all of the local part, with the state that
 * each chunk read. Returns dm of the sequence, the gradient of what its gates multiply. `shift` leads from a row of the
 * inputs to the row of its gradients.
 */
function queryGradients(
  problem: MixedChunk,
  inputs: Inputs,
  gradients: MixedChunkGradients,
  sequence: number,
  shift: number,
): Float64Array {
  const { local, linScale, causal } = problem;
  const { seqlen, headDim, headDimV } = local.sizes;
  const dms = new Float64Array(seqlen * headDimV);
  const s = initialState(problem, sequence);
  for (const chunk of chunksOf(problem, sequence)) {
    for (let row = chunk.from; row < chunk.to; row++) {
      const target = row + shift;
      const m = gatedSum(problem, row, s);
      const dm = gateGradient(local, inputs, row, m, gradients.du, target);
      dms.set(dm, (row % seqlen) * headDimV);
      for (let d = 0; d < headDim; d++) {
        const inner = local.math.dot(s, d * headDimV, dm, 0, headDimV);
        gradients.dqLin[target * headDim + d] = local.math.round(linScale * inner);
      }
      addGradients(local, row, dm, gradients, { query: target, firstKey: sequence * seqlen + shift });
    }
    if (causal) addKeys(problem, s, chunk);
  }
  return dms;
}

/** Chunk by chunk from the last: the gradients of linear keys, and what the linear part adds to those of the values. */
function keyGradients(
  problem: MixedChunk,
  gradients: MixedChunkGradients,
  sequence: number,
  shift: number,
  dms: Float64Array,
): void {
  const { local, causal, kLin } = problem;
  const { headDim, headDimV } = local.sizes;
  const { math } = local;
  const chunks = chunksOf(problem, sequence);
  const ds = new Float64Array(headDim * headDimV);
  if (!causal) for (const chunk of chunks) addQueries(problem, ds, dms, chunk);
  for (const chunk of chunks.toReversed()) {
    for (let row = chunk.from; row < chunk.to; row++) {
      const target = row + shift;
      for (let d = 0; d < headDim; d++) {
        gradients.dkLin[target * headDim + d] = math.dot(ds, d * headDimV, local.v, row * headDimV, headDimV);
        math.addScaled(gradients.dv, target * headDimV, kLin[row * headDim + d]!, ds, d * headDimV, headDimV);
      }
    }
    if (causal) addQueries(problem, ds, dms, chunk);
  }
}

/** ds += linScale · q_linᵀ dm over the queries in `rows`: the gradient of the state that they read. */
function addQueries({ local, qLin, linScale }: MixedChunk, ds: Float64Array, dms: Float64Array, rows: Rows): void {
  const { seqlen, headDim, headDimV } = local.sizes;
  for (let row = rows.from; row < rows.to; row++) {
    for (let d = 0; d < headDim; d++) {
      const factor = local.math.round(linScale * qLin[row * headDim + d]!);
      local.math.addScaled(ds, d * headDimV, factor, dms, (row % seqlen) * headDimV, headDimV);
    }
  }
}
