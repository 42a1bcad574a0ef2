import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
import type {
  Computation,
  DimensionSpec,
  GridCase,
  Inputs,
  Mechanism,
  Precision,
  ReferenceTensor,
  Shape,
} from './mechanism.js';
import { spread } from './sampling.js';
import { elementCount, tensorDims } from './sizes.js';
import { caseScalars, input, invalidCase, output } from './specs.js';

/** Width of `taylor2` features of a vector: 1, its numbers, and the products of all ordered pairs of them. */
export function taylorWidth(headDim: number): number {
  return 1 + headDim + headDim ** 2;
}

/** Width of `monomial2` features of a vector: all monomials of degree 2 or less. */
export function monomialWidth(headDim: number): number {
  return ((headDim + 1) * (headDim + 2)) / 2;
}

/**
 * taylor2(x) = [1, x, vec(x xᵀ) / √2] of each of the rows of x [rows, headDim]: inner products of two of them are the
 * Taylor series of exp(q · k) up to the square, 1 + q·k + (q·k)²/2.
 */
export function taylorFeatures(math: Arithmetic, x: Float64Array, headDim: number): Float64Array {
  const factor = math.round(Math.SQRT1_2);
  return features(math, x, headDim, taylorWidth(headDim), 0, factor);
}

/** monomial2(x) = [1, x, x_i x_j for i ≤ j] of each of the rows of x [rows, headDim]. */
function monomialFeatures(math: Arithmetic, x: Float64Array, headDim: number): Float64Array {
  return features(math, x, headDim, monomialWidth(headDim), 1, 1);
}

/** Features whose products x_i x_j run over j from `triangle` · i on. */
function features(
  math: Arithmetic,
  x: Float64Array,
  headDim: number,
  width: number,
  triangle: 0 | 1,
  factor: number,
): Float64Array {
  const rows = x.length / headDim;
  const y = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const values = x.subarray(row * headDim, (row + 1) * headDim);
    let at = row * width;
    y[at++] = 1;
    y.set(values, at);
    at += headDim;
    for (let i = 0; i < headDim; i++) {
      for (let j = triangle * i; j < headDim; j++) y[at++] = math.round(math.round(values[i]! * values[j]!) * factor);
    }
  }
  return y;
}

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 1, description: 'Independent sequences.' },
  { name: 'heads', fallback: 8, description: 'Heads.' },
  { name: 'seqlen', fallback: 2048, description: 'Tokens.' },
  { name: 'headDim', fallback: 16, description: 'Width of a query or key head.' },
  {
    name: 'featureDim',
    fallback: taylorWidth(16),
    description:
      'Width of the features, which says what they are: 1 + headDim + headDim² for taylor2, (headDim + 1)(headDim + 2) / 2 for monomial2.',
  },
];

const rowDims = ['batch', 'heads', 'seqlen', 'headDim'];
const featureDims = ['batch', 'heads', 'seqlen', 'featureDim'];
const tensors = [
  input('x', rowDims, 'Rows: queries or keys.'),
  output('y', featureDims, { kind: 'ratio', bound: 2e-6 }, 'Features of each row.'),
];

function reference(
  inputs: Inputs,
  shape: Shape,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const headDim = shape.headDim!;
  const width = shape.featureDim!;
  const math = arithmetic(precision);
  const dims = tensorDims(featureDims, shape);
  const rows = elementCount(dims) / width;
  const chosen = spread(rows, budget / width);
  const featuresOf = width === taylorWidth(headDim) ? taylorFeatures : monomialFeatures;
  const values = new Float64Array(chosen.length * width);
  chosen.forEach((row, place) => {
    const x = new Float64Array(inputs.x!.subarray(row * headDim, (row + 1) * headDim));
    values.set(featuresOf(math, x, headDim), place * width);
  });
  return { y: { dims, rows: chosen.length === rows ? null : chosen, values, exactRows: null } };
}

function taylorCase(name: string, shape: Shape): GridCase {
  return { name, shape: { ...shape, featureDim: taylorWidth(shape.headDim!) }, options: {} };
}

function monomialCase(name: string, shape: Shape): GridCase {
  return { name, shape: { ...shape, featureDim: monomialWidth(shape.headDim!) }, options: {} };
}

const grid: readonly GridCase[] = [
  taylorCase('a single row', { heads: 1, seqlen: 1, headDim: 16 }),
  taylorCase('several batches', { batch: 3, heads: 2, seqlen: 5, headDim: 16 }),
  taylorCase('rows of 8', { heads: 2, seqlen: 9, headDim: 8 }),
  taylorCase('rows of 4', { heads: 2, seqlen: 33, headDim: 4 }),
  taylorCase('rows of 20', { heads: 3, seqlen: 5, headDim: 20 }),
  taylorCase('rows of 32', { heads: 2, seqlen: 7, headDim: 32 }),
  taylorCase('rows of 64', { heads: 1, seqlen: 3, headDim: 64 }),
  taylorCase('rows of 128', { heads: 1, seqlen: 1, headDim: 128 }),
  monomialCase('monomials of a single row', { heads: 1, seqlen: 1, headDim: 16 }),
  monomialCase('monomials, several batches', { batch: 3, heads: 2, seqlen: 5, headDim: 16 }),
  monomialCase('monomials of rows of 8', { heads: 2, seqlen: 9, headDim: 8 }),
  monomialCase('monomials of rows of 4', { heads: 2, seqlen: 33, headDim: 4 }),
  monomialCase('monomials of rows of 20', { heads: 3, seqlen: 5, headDim: 20 }),
  monomialCase('monomials of rows of 64', { heads: 1, seqlen: 5, headDim: 64 }),
  monomialCase('monomials of rows of 96', { heads: 1, seqlen: 3, headDim: 96 }),
  monomialCase('monomials of rows of 128', { heads: 1, seqlen: 3, headDim: 128 }),
];

const computation: Computation = {
  direction: 'forward',
  tensors,
  grid,
  generate: (shape, _options, seed) => ({ x: normalValues(elementCount(tensorDims(rowDims, shape)), seed, 'x') }),
  reference: (inputs, shape, _options, precision, budget) => reference(inputs, shape, precision, budget),
  // One product for each feature of degree 2.
  flops: (shape) => {
    const { batch, heads, seqlen, headDim, featureDim } = shape;
    return batch! * heads! * seqlen! * (featureDim! - 1 - headDim!);
  },
};

/** Features by which a memory or linear attention sees products of the numbers of a key (ATLAS; Arora et al. 2024). */
export const polynomialFeatures: Mechanism = {
  id: 'polynomial-features',
  title: 'Polynomial features',
  summary:
    'y = [1, x, x ⊗ x / √2], the Taylor series of exp(q · k) up to the square, or all monomials of degree 2 or less.',
  dimensions,
  options: [],
  computations: [computation],
  recurrence: null,
  golden: {
    poly: {
      shape: ({ x = [] }, { mode }) => ({
        heads: 1,
        seqlen: x[0] ?? 1,
        headDim: x[1] ?? 1,
        featureDim: (mode === 'taylor2' ? taylorWidth : monomialWidth)(x[1] ?? 1),
      }),
      options: () => ({}),
    },
  },
  scalars: (shape, options) => caseScalars([], shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) => {
    const problem = invalidCase(dimensions, [], shape, options);
    if (problem !== null) return problem;
    const { headDim = 1, featureDim = 1 } = shape;
    if (headDim < 2) return 'headDim is 1, where taylor2 and monomial2 cannot be told apart. It must be at least 2.';
    const [taylor, monomial] = [taylorWidth(headDim), monomialWidth(headDim)];
    return featureDim === taylor || featureDim === monomial
      ? null
      : `featureDim is ${featureDim} and headDim is ${headDim}, whose features are ${taylor} (taylor2) or ${monomial} (monomial2) wide.`;
  },
};
