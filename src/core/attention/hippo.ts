/** A complex number as real and imaginary part. */
export type Complex = readonly [re: number, im: number];

/**
 * The HiPPO-LegS matrix of an order, row-major: A_nk = -√((2n+1)(2k+1)) below the diagonal, -(n+1) on it, 0 above. The state
 * of t x' = A x + B u holds the coefficients of the input's history in normalised Legendre polynomials on [0, t]
 * (Gu et al. 2020, arXiv:2008.07669, theorem 2, with its signs taken into A).
 */
export function legsMatrix(order: number): Float64Array {
  return matrix(order, (n, k) => (n > k ? -Math.sqrt((2 * n + 1) * (2 * k + 1)) : n === k ? -(n + 1) : 0));
}

/** The input vector of HiPPO-LegS: B_n = √(2n+1). */
export function legsInput(order: number): Float64Array {
  return Float64Array.from({ length: order }, (_, n) => Math.sqrt(2 * n + 1));
}

/**
 * The normal part of HiPPO-LegS, A + p pᵀ with p_n = √(n + ½): a skew-symmetric matrix less half of the identity, so that its
 * eigenvalues have real part -½ (Gu et al. 2021, arXiv:2111.00396, theorem 1).
 */
export function legsNormalPart(order: number): Float64Array {
  const a = legsMatrix(order);
  return matrix(order, (n, k) => a[n * order + k]! + Math.sqrt((n + 0.5) * (k + 0.5)));
}

function matrix(order: number, element: (row: number, column: number) => number): Float64Array {
  return Float64Array.from({ length: order * order }, (_, at) => element(Math.floor(at / order), at % order));
}

/**
 * Mode n of `count` by a diagonal initialisation (Gu et al. 2022, arXiv:2206.11893, §4.2): `lin` -½ + iπn, the frequencies
 * of a Fourier series; `inv` -½ + i (N/π) (N/(2n+1) - 1) with N twice the count, an approximation of those of HiPPO-LegS.
 */
export function diagonalMode(kind: string, n: number, count: number): Complex {
  const order = 2 * count;
  return [-0.5, kind === 'inv' ? (order / Math.PI) * (order / (2 * n + 1) - 1) : Math.PI * n];
}

/** A mode x' = a x + b u over one step in which u holds: x ← state · x + input · u. */
export interface HeldMode {
  readonly state: Complex;
  readonly input: Complex;
}

/** Zero-order hold of a mode with b = 1: state = e^(step a), input = (state - 1) / a. `a` must not be zero. */
export function zeroOrderHold(step: number, a: Complex): HeldMode {
  const size = Math.exp(step * a[0]);
  const state: Complex = [size * Math.cos(step * a[1]), size * Math.sin(step * a[1])];
  const square = a[0] * a[0] + a[1] * a[1];
  const [re, im] = [state[0] - 1, state[1]];
  return { state, input: [(re * a[0] + im * a[1]) / square, (im * a[0] - re * a[1]) / square] };
}
