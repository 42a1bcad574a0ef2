import type { Arithmetic } from '../numerics/arithmetic.js';
import { statesBackwards } from './checkpoints.js';
import type { ReferenceTensor } from './mechanism.js';
import { joined, spread, tensorOfGroups } from './sampling.js';
import type { Sizes } from './sizes.js';

/**
 * One head of a linear kernel: S_t = decay · S_{t-1} + k_t v_tᵀ, z_t = z_{t-1} + k_t, and o_t = S_tᵀ q_t, divided by
 * q_t · z_t + eps where normalised. q and k hold the feature-mapped, scaled rows. A gated head has a decay for every
 * token and key channel in its place: S_t = diag(decays_t) S_{t-1} + k_t v_tᵀ.
 */
export interface LinearHead {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** Derivative of each element of q and k by the element it was mapped from. */
  readonly qSlope: Float64Array;
  readonly kSlope: Float64Array;
  /** Initial state [headDim, headDimV] and initial sum of keys [headDim]. */
  readonly s0: Float64Array;
  readonly z0: Float64Array;
  readonly decay: number;
  /** Decays in (0, 1] of a gated head, [seqlen, headDim]; null where `decay` is that of every step and channel. */
  readonly decays: Float64Array | null;
}

/**
 * What all heads of a case share. `eps` is null where the output is not divided by anything; it is added to the divisor,
 * or with `clamp` the least it may be.
 */
export interface LinearProblem {
  readonly math: Arithmetic;
  readonly sizes: Sizes;
  readonly causal: boolean;
  readonly eps: number | null;
  readonly clamp?: boolean;
  /** The head at an index over batch and heads. */
  readonly head: (index: number) => LinearHead;
}

/** Multiplies a state, or the gradient of one, by the decay of token t. */
function decayState({ math, sizes }: LinearProblem, { decay, decays }: LinearHead, s: Float64Array, t: number): void {
  const { headDim, headDimV } = sizes;
  if (decays === null) {
    if (decay !== 1) math.scale(s, 0, decay, s.length);
    return;
  }
  for (let d = 0; d < headDim; d++) math.scale(s, d * headDimV, decays[t * headDim + d]!, headDimV);
}

/** Adds token t to the state. */
function absorb(problem: LinearProblem, head: LinearHead, s: Float64Array, z: Float64Array, t: number): void {
  const { math, sizes } = problem;
  const { headDim, headDimV } = sizes;
  decayState(problem, head, s, t);
  for (let d = 0; d < headDim; d++) {
    math.addScaled(s, d * headDimV, head.k[t * headDim + d]!, head.v, t * headDimV, headDimV);
  }
  math.addScaled(z, 0, 1, head.k, t * headDim, headDim);
}

/** Writes o_t into o[at..at + headDimV) from the state and returns what it was divided by. */
function readOut(
  { math, sizes, eps, clamp }: LinearProblem,
  head: LinearHead,
  s: Float64Array,
  z: Float64Array,
  t: number,
  o: Float64Array,
  at: number,
): number {
  const { headDim, headDimV } = sizes;
  for (let d = 0; d < headDim; d++) {
    math.addScaled(o, at, head.q[t * headDim + d]!, s, d * headDimV, headDimV);
  }
  if (eps === null) return 1;
  const sum = math.dot(head.q, t * headDim, z, 0, headDim);
  const denominator = clamp === true ? Math.max(sum, eps) : math.round(sum + eps);
  for (let column = 0; column < headDimV; column++) o[at + column] = math.round(o[at + column]! / denominator);
  return denominator;
}

/** Runs over the tokens of a head and calls `visit` where each query's state stands; returns the final state. */
function scan(
  problem: LinearProblem,
  head: LinearHead,
  visit: (t: number, s: Float64Array, z: Float64Array) => void,
): { s: Float64Array; z: Float64Array } {
  const { seqlen, seqlenK } = problem.sizes;
  const s = head.s0.slice();
  const z = head.z0.slice();
  if (problem.causal) {
    for (let t = 0; t < seqlen; t++) {
      absorb(problem, head, s, z, t);
      visit(t, s, z);
    }
  } else {
    for (let t = 0; t < seqlenK; t++) absorb(problem, head, s, z, t);
    for (let t = 0; t < seqlen; t++) visit(t, s, z);
  }
  return { s, z };
}

/** The outputs of a forward pass: o and the final states s and z, all heads or those the budget allows. */
export function linearForward(
  problem: LinearProblem,
  budget: number,
): { readonly o: ReferenceTensor; readonly s: ReferenceTensor; readonly z: ReferenceTensor } {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = problem.sizes;
  const total = batch * heads;
  const perHead = (seqlen + seqlenK) * headDim * headDimV;
  const affordable = Math.floor(budget / perHead);
  if (affordable < Math.min(total, 2)) return sampledForward(problem, budget);
  const chosen = spread(total, affordable);
  const o = new Float64Array(chosen.length * seqlen * headDimV);
  const s = new Float64Array(chosen.length * headDim * headDimV);
  const z = new Float64Array(chosen.length * headDim);
  chosen.forEach((index, place) => {
    const head = problem.head(index);
    const start = place * seqlen * headDimV;
    const final = scan(problem, head, (t, state, sum) => {
      readOut(problem, head, state, sum, t, o, start + t * headDimV);
    });
    s.set(final.s, place * headDim * headDimV);
    z.set(final.z, place * headDim);
  });
  return {
    o: tensorOfGroups(o, [batch, heads, seqlen, headDimV], chosen, total, seqlen),
    s: tensorOfGroups(s, [batch, heads, headDim, headDimV], chosen, total, headDim),
    z: tensorOfGroups(z, [batch, heads, headDim], chosen, total, 1),
  };
}

/** Single rows by the left product, o_t = Σ_j decay^(t-j) (q_t · k_j) v_j, where not even two whole heads fit the budget. */
function sampledForward(problem: LinearProblem, budget: number): ReturnType<typeof linearForward> {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = problem.sizes;
  const total = batch * heads;
  const outputRow = (seqlenK * (headDim + headDimV)) / (problem.causal ? 2 : 1) + headDim * headDimV;
  const outputRows = spread(total * seqlen, budget / 2 / outputRow);
  const stateRows = spread(total * headDim, budget / 4 / (seqlenK * headDimV));
  const sumRows = spread(total, budget / 4 / (seqlenK * headDim));
  const o = new Float64Array(outputRows.length * headDimV);
  const s = new Float64Array(stateRows.length * headDimV);
  const z = new Float64Array(sumRows.length * headDim);
  const headAt = rememberLast(problem.head);
  outputRows.forEach((row, place) => {
    leftProductRow(problem, headAt(Math.floor(row / seqlen)), row % seqlen, o, place * headDimV);
  });
  stateRows.forEach((row, place) => {
    stateRow(problem, headAt(Math.floor(row / headDim)), row % headDim, s, place * headDimV);
  });
  sumRows.forEach((row, place) => {
    const head = headAt(row);
    z.set(head.z0, place * headDim);
    for (let t = 0; t < seqlenK; t++) problem.math.addScaled(z, place * headDim, 1, head.k, t * headDim, headDim);
  });
  return {
    o: { dims: [batch, heads, seqlen, headDimV], rows: outputRows, values: o, exactRows: null },
    s: { dims: [batch, heads, headDim, headDimV], rows: stateRows, values: s, exactRows: null },
    z: { dims: [batch, heads, headDim], rows: sumRows, values: z, exactRows: null },
  };
}

function rememberLast(headAt: (index: number) => LinearHead): (index: number) => LinearHead {
  let last: { readonly index: number; readonly head: LinearHead } | null = null;
  return (index) => {
    if (last?.index !== index) last = { index, head: headAt(index) };
    return last.head;
  };
}

function leftProductRow(problem: LinearProblem, head: LinearHead, t: number, o: Float64Array, at: number): void {
  const { math, sizes, causal, eps, clamp } = problem;
  const { seqlenK, headDim, headDimV } = sizes;
  // The query as key j meets it: decayed by every step from j to its own.
  const q = head.q.slice(t * headDim, (t + 1) * headDim);
  let denominator = 0;
  for (let j = causal ? t : seqlenK - 1; j >= 0; j--) {
    const weight = math.dot(q, 0, head.k, j * headDim, headDim);
    math.addScaled(o, at, weight, head.v, j * headDimV, headDimV);
    denominator = math.round(denominator + weight);
    if (head.decays !== null) {
      for (let d = 0; d < headDim; d++) q[d] = math.round(q[d]! * head.decays[j * headDim + d]!);
    } else if (head.decay !== 1) {
      math.scale(q, 0, head.decay, headDim);
    }
  }
  for (let d = 0; d < headDim; d++) math.addScaled(o, at, q[d]!, head.s0, d * headDimV, headDimV);
  if (eps === null) return;
  denominator = math.round(denominator + math.dot(q, 0, head.z0, 0, headDim));
  denominator = clamp === true ? Math.max(denominator, eps) : math.round(denominator + eps);
  for (let column = 0; column < headDimV; column++) o[at + column] = math.round(o[at + column]! / denominator);
}

function stateRow(problem: LinearProblem, head: LinearHead, d: number, s: Float64Array, at: number): void {
  const { math, sizes } = problem;
  const { seqlenK, headDim, headDimV } = sizes;
  s.set(head.s0.subarray(d * headDimV, (d + 1) * headDimV), at);
  for (let t = 0; t < seqlenK; t++) {
    const decay = head.decays?.[t * headDim + d] ?? head.decay;
    if (decay !== 1) math.scale(s, at, decay, headDimV);
    math.addScaled(s, at, head.k[t * headDim + d]!, head.v, t * headDimV, headDimV);
  }
}

/** Gradients arriving at one head: of the output, and of the final state and sum (zero where not given). */
export interface LinearCotangents {
  readonly o: Float64Array;
  readonly s: Float64Array;
  readonly z: Float64Array;
}

/** The gradients of a backward pass, whole heads: all of them, or those the budget allows but at least first and last. */
export interface LinearGradients {
  readonly dq: ReferenceTensor;
  readonly dk: ReferenceTensor;
  readonly dv: ReferenceTensor;
  readonly ds0: ReferenceTensor;
  readonly dz0: ReferenceTensor;
  /** Gradient of the logarithm of each decay, [batch, heads, seqlen, headDim]; null where the heads are not gated. */
  readonly dg: ReferenceTensor | null;
}

/**
 * Gradients by one scan in each direction (Katharopoulos et al. 2020, with the terms of the states and the decay):
 * with ô = do / D and δ = -do · o / D, dq_t = S_t ô_t + δ_t z_t going forward; going back, R_t = Σ_{i≥t} q_i ô_iᵀ and
 * r_t = Σ_{i≥t} δ_i q_i give dk_t = R_t v_t + r_t and dv_t = R_tᵀ k_t. The gradient of the logarithm of a gated head's
 * decay is decay · Σ_v R_t S_{t-1} (Yang et al. 2023).
 */
export function linearBackward(
  problem: LinearProblem,
  cotangents: (index: number) => LinearCotangents,
  budget: number,
): LinearGradients {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = problem.sizes;
  const total = batch * heads;
  const perHead = (3 * seqlen + 3 * seqlenK) * headDim * headDimV;
  const chosen = spread(total, budget / perHead);
  const collect = (rows: number, width: number): Float64Array => new Float64Array(chosen.length * rows * width);
  const dq = collect(seqlen, headDim);
  const dk = collect(seqlenK, headDim);
  const dv = collect(seqlenK, headDimV);
  const ds0 = collect(headDim, headDimV);
  const dz0 = collect(1, headDim);
  const dg: Float64Array[] = [];
  chosen.forEach((index, place) => {
    const gradients = backwardHead(problem, problem.head(index), cotangents(index));
    dq.set(gradients.dq, place * gradients.dq.length);
    dk.set(gradients.dk, place * gradients.dk.length);
    dv.set(gradients.dv, place * gradients.dv.length);
    ds0.set(gradients.ds0, place * gradients.ds0.length);
    dz0.set(gradients.dz0, place * gradients.dz0.length);
    if (gradients.dg !== null) dg.push(gradients.dg);
  });
  const tensor = (values: Float64Array, dims: readonly number[], perHead: number): ReferenceTensor =>
    tensorOfGroups(values, dims, chosen, total, perHead);
  return {
    dq: tensor(dq, [batch, heads, seqlen, headDim], seqlen),
    dk: tensor(dk, [batch, heads, seqlenK, headDim], seqlenK),
    dv: tensor(dv, [batch, heads, seqlenK, headDimV], seqlenK),
    ds0: tensor(ds0, [batch, heads, headDim, headDimV], headDim),
    dz0: tensor(dz0, [batch, heads, headDim], 1),
    dg: dg.length === 0 ? null : tensor(joined(dg), [batch, heads, seqlen, headDim], seqlen),
  };
}

interface HeadGradients {
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
  readonly ds0: Float64Array;
  readonly dz0: Float64Array;
  readonly dg: Float64Array | null;
}

function backwardHead(problem: LinearProblem, head: LinearHead, cotangents: LinearCotangents): HeadGradients {
  const { math, sizes, causal, eps, clamp } = problem;
  const { seqlen, seqlenK, headDim, headDimV } = sizes;
  const dq = new Float64Array(seqlen * headDim);
  const dk = new Float64Array(seqlenK * headDim);
  const dv = new Float64Array(seqlenK * headDimV);
  const oHat = new Float64Array(seqlen * headDimV);
  const delta = new Float64Array(seqlen);
  const o = new Float64Array(headDimV);
  scan(problem, head, (t, s, z) => {
    const at = t * headDimV;
    o.fill(0);
    const denominator = readOut(problem, head, s, z, t, o, 0);
    for (let c = 0; c < headDimV; c++) oHat[at + c] = math.round(cotangents.o[at + c]! / denominator);
    const constant = eps === null || (clamp === true && denominator <= eps);
    delta[t] = constant ? 0 : -math.dot(oHat, at, o, 0, headDimV);
    for (let d = 0; d < headDim; d++) {
      const direct = math.dot(s, d * headDimV, oHat, at, headDimV);
      const value = math.round(direct + math.round(delta[t] * z[d]!));
      dq[t * headDim + d] = math.round(value * head.qSlope[t * headDim + d]!);
    }
  });
  const ds = cotangents.s.slice();
  const dz = cotangents.z.slice();
  const { decays } = head;
  const dg = decays === null ? null : new Float64Array(seqlen * headDim);
  const sum = new Float64Array(headDim);
  const stateBefore =
    decays === null ? null : statesBackwards(head.s0, seqlen, (state, t) => absorb(problem, head, state, sum, t));
  const gather = (t: number): void => {
    for (let d = 0; d < headDim; d++) {
      math.addScaled(ds, d * headDimV, head.q[t * headDim + d]!, oHat, t * headDimV, headDimV);
    }
    math.addScaled(dz, 0, delta[t]!, head.q, t * headDim, headDim);
  };
  const emit = (t: number): void => {
    for (let d = 0; d < headDim; d++) {
      const value = math.round(math.dot(ds, d * headDimV, head.v, t * headDimV, headDimV) + dz[d]!);
      dk[t * headDim + d] = math.round(value * head.kSlope[t * headDim + d]!);
      math.addScaled(dv, t * headDimV, head.k[t * headDim + d]!, ds, d * headDimV, headDimV);
    }
    if (decays !== null && dg !== null && stateBefore !== null) {
      const before = stateBefore(t);
      for (let d = 0; d < headDim; d++) {
        const at = t * headDim + d;
        dg[at] = math.round(decays[at]! * math.dot(ds, d * headDimV, before, d * headDimV, headDimV));
      }
    }
    decayState(problem, head, ds, t);
  };
  if (!causal) for (let t = 0; t < seqlen; t++) gather(t);
  for (let t = seqlenK - 1; t >= 0; t--) {
    if (causal) gather(t);
    emit(t);
  }
  return { dq, dk, dv, ds0: ds, dz0: dz, dg };
}
