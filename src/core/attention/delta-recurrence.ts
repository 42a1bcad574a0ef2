import type { Arithmetic } from '../numerics/arithmetic.js';
import { statesBackwards } from './checkpoints.js';
import type { ReferenceTensor } from './mechanism.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import type { Sizes } from './sizes.js';

/**
 * One head of a delta rule: S' = decay_t · S_{t-1}, u_t = beta_t (v_t - S'ᵀ k_t), S_t = S' + k_t u_tᵀ, o_t = S_tᵀ q_t.
 * q holds the scaled queries.
 */
export interface DeltaHead {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** How much of its error each token corrects, [seqlen]. */
  readonly beta: Float64Array;
  /** Decays in (0, 1], [seqlen]; null where the rule is not gated. */
  readonly decays: Float64Array | null;
  /** Initial state [headDim, headDimV]. */
  readonly s0: Float64Array;
}

/** What all heads of a case share. */
export interface DeltaProblem {
  readonly math: Arithmetic;
  readonly sizes: Sizes;
  /** Factor of the output, which q already holds. */
  readonly scale: number;
  /** The head at an index over batch and heads. */
  readonly head: (index: number) => DeltaHead;
}

/** Outputs by the names of their tensors, some of them or all. */
type HeadOutputs = Readonly<Record<string, Float64Array>>;

/** Takes a state from S_{t-1} to S'. */
function decay({ math }: DeltaProblem, { decays }: DeltaHead, s: Float64Array, t: number): void {
  if (decays !== null) math.scale(s, 0, decays[t]!, s.length);
}

/** v_t - S'ᵀ k_t: what the state gets wrong of token t. */
function errorOf({ math, sizes }: DeltaProblem, head: DeltaHead, s: Float64Array, t: number): Float64Array {
  const { headDim, headDimV } = sizes;
  const error = new Float64Array(headDimV);
  for (let d = 0; d < headDim; d++) {
    math.addScaled(error, 0, head.k[t * headDim + d]!, s, d * headDimV, headDimV);
  }
  return error.map((predicted, column) => math.round(head.v[t * headDimV + column]! - predicted));
}

/** Takes a state from S' to S_t: it learns what it got wrong. */
function learn({ math, sizes }: DeltaProblem, head: DeltaHead, s: Float64Array, error: Float64Array, t: number): void {
  const { headDim, headDimV } = sizes;
  const update = error.map((value) => math.round(head.beta[t]! * value));
  for (let d = 0; d < headDim; d++) {
    math.addScaled(s, d * headDimV, head.k[t * headDim + d]!, update, 0, headDimV);
  }
}

/** Takes a state from S_{t-1} to S_t. */
function step(problem: DeltaProblem, head: DeltaHead, s: Float64Array, t: number): void {
  decay(problem, head, s, t);
  learn(problem, head, s, errorOf(problem, head, s, t), t);
}

function forwardHead(problem: DeltaProblem, head: DeltaHead): HeadOutputs {
  const { math, sizes } = problem;
  const { seqlen, headDim, headDimV } = sizes;
  const s = head.s0.slice();
  const o = new Float64Array(seqlen * headDimV);
  for (let t = 0; t < seqlen; t++) {
    step(problem, head, s, t);
    for (let d = 0; d < headDim; d++) {
      math.addScaled(o, t * headDimV, head.q[t * headDim + d]!, s, d * headDimV, headDimV);
    }
  }
  return { o, s };
}

/**
 * The outputs o and s of a delta rule (Yang et al. 2024; with gates Yang, Kautz and Hatamizadeh 2024), token by token:
 * all heads, or those the budget of multiply-adds allows but at least the first and the last.
 */
export function deltaForward(problem: DeltaProblem, budget: number): Readonly<Record<string, ReferenceTensor>> {
  return gathered(problem, budget, 3, (head) => forwardHead(problem, head));
}

/** Gradients arriving at one head: of the output and of the final state. */
export interface DeltaCotangents {
  readonly o: Float64Array;
  readonly s: Float64Array;
}

/**
 * The gradients dq, dk, dv, dbeta, dg and ds0 by one sweep back through time (dg is that of the logarithm of a decay,
 * and only where the rule is gated). With dS that of S_t and e_t = v_t - S'ᵀ k_t: R = dS + q_t do_tᵀ, du = Rᵀ k_t,
 * w = beta_t du; then dv_t = w, dbeta_t = du · e_t, dk_t = R beta_t e_t - S' w, R' = R - k_t wᵀ is the gradient of S',
 * dg_t = ⟨R', S'⟩, and decay_t R' that of S_{t-1}.
 */
export function deltaBackward(
  problem: DeltaProblem,
  cotangents: (index: number) => DeltaCotangents,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  return gathered(problem, budget, 9, (head, index) => backwardHead(problem, head, cotangents(index)));
}

function backwardHead(problem: DeltaProblem, head: DeltaHead, cotangents: DeltaCotangents): HeadOutputs {
  const { math, sizes, scale } = problem;
  const { seqlen, headDim, headDimV } = sizes;
  const dq = new Float64Array(seqlen * headDim);
  const dk = new Float64Array(seqlen * headDim);
  const dv = new Float64Array(seqlen * headDimV);
  const dbeta = new Float64Array(seqlen);
  const dg = new Float64Array(seqlen);
  const r = cotangents.s.slice();
  const before = statesBackwards(head.s0, seqlen, (state, t) => step(problem, head, state, t));
  for (let t = seqlen - 1; t >= 0; t--) {
    const [row, rowV] = [t * headDim, t * headDimV];
    const decayed = before(t).slice();
    decay(problem, head, decayed, t);
    const error = errorOf(problem, head, decayed, t);
    const after = decayed.slice();
    learn(problem, head, after, error, t);
    const du = new Float64Array(headDimV);
    for (let d = 0; d < headDim; d++) {
      const at = d * headDimV;
      dq[row + d] = math.round(scale * math.dot(after, at, cotangents.o, rowV, headDimV));
      math.addScaled(r, at, head.q[row + d]!, cotangents.o, rowV, headDimV);
      math.addScaled(du, 0, head.k[row + d]!, r, at, headDimV);
    }
    const beta = head.beta[t]!;
    dbeta[t] = math.dot(du, 0, error, 0, headDimV);
    const w = du.map((value) => math.round(beta * value));
    dv.set(w, rowV);
    for (let d = 0; d < headDim; d++) {
      const at = d * headDimV;
      const learned = math.round(beta * math.dot(r, at, error, 0, headDimV));
      dk[row + d] = math.round(learned - math.dot(decayed, at, w, 0, headDimV));
      math.addScaled(r, at, -head.k[row + d]!, w, 0, headDimV);
    }
    dg[t] = math.dot(r, 0, decayed, 0, r.length);
    decay(problem, head, r, t);
  }
  return { dq, dk, dv, dbeta, ...(head.decays === null ? {} : { dg }), ds0: r };
}

/** Sizes of an output after batch and heads, by its name. */
function innerDims(name: string, { seqlen, headDim, headDimV }: Sizes): readonly number[] {
  if (name === 's' || name === 'ds0') return [headDim, headDimV];
  if (name === 'dbeta' || name === 'dg') return [seqlen];
  return [seqlen, name === 'o' || name === 'dv' ? headDimV : headDim];
}

/** Calculates the heads that the budget allows, at `productsPerToken` products with a state, and lines them up. */
function gathered(
  { sizes, head }: DeltaProblem,
  budget: number,
  productsPerToken: number,
  calculate: (head: DeltaHead, index: number) => HeadOutputs,
): Readonly<Record<string, ReferenceTensor>> {
  const { batch, heads, seqlen, headDim, headDimV } = sizes;
  const total = batch * heads;
  const chosen = spread(total, budget / (productsPerToken * seqlen * headDim * headDimV));
  const outputs = Array.from(chosen, (index) => calculate(head(index), index));
  const tensor = (name: string): ReferenceTensor => {
    const inner = innerDims(name, sizes);
    const rowsPerHead = inner.length === 1 ? 1 : inner[0]!;
    const values = joined(outputs.map((output) => output[name]!));
    return tensorOfGroups(values, [batch, heads, ...inner], chosen, total, rowsPerHead);
  };
  return Object.fromEntries(Object.keys(outputs[0]!).map((name) => [name, tensor(name)]));
}
