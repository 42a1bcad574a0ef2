import { arithmetic, type Arithmetic } from '../numerics/arithmetic.js';
import { normalValues } from '../numerics/random.js';
import { goldenOption } from './golden-operation.js';
import type {
  Computation,
  DimensionSpec,
  GridCase,
  Inputs,
  Mechanism,
  Options,
  OptionSpec,
  Precision,
  ReferenceTensor,
  Shape,
  Tolerance,
} from './mechanism.js';
import { spread, tensorOfGroups } from './sampling.js';
import { choiceOption, elementCount, numberOption, tensorDims } from './sizes.js';
import { caseScalars, input, invalidCase, output } from './specs.js';

/** The coefficients of Muon (K. Jordan 2024): a quintic whose slope at zero is large and that keeps values near 1 there. */
export const newtonSchulzCoefficients = { a: 3.4445, b: -4.775, c: 2.0315 } as const;

/** Added to the norm of a matrix, so that zero stays zero. */
export const newtonSchulzEpsilon = 1e-7;

/** Iterations that bring singular values from 1/500 of the norm near 1. */
export const usualNewtonSchulzSteps = 5;

/** The bound where all matrices have full rank: the iteration amplifies rounding errors along small singular values. */
export const newtonSchulzTolerance: Tolerance = { kind: 'ratio', bound: 1e-4 };

/** The bound where they have not: what rounding puts into the null space grows by 3.4445 at each step. */
export const lowRankTolerance: Tolerance = { kind: 'ratio', bound: 1e-3 };

/** The transpose of a [rows, columns] matrix. */
function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(matrix, (_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** X ← aX + (bA + cA²) X with A = X Xᵀ, for a [rows, columns] matrix. */
function iterate(math: Arithmetic, x: Float64Array, rows: number, columns: number): Float64Array {
  const { a, b, c } = newtonSchulzCoefficients;
  const gram = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) gram[i * rows + j] = math.dot(x, i * columns, x, j * columns, columns);
  }
  const next = x.map((value) => math.round(math.round(a) * value));
  const factors = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    // A is symmetric: row i of A² holds the products of row i with all rows.
    for (let j = 0; j < rows; j++) {
      const square = math.dot(gram, i * rows, gram, j * rows, rows);
      factors[j] = math.round(math.round(math.round(b) * gram[i * rows + j]!) + math.round(math.round(c) * square));
    }
    for (let j = 0; j < rows; j++) math.addScaled(next, i * columns, factors[j]!, x, j * columns, columns);
  }
  return next;
}

/**
 * Newton–Schulz orthogonalisation as Muon runs it, of a [rows, columns] matrix: X = G / (‖G‖ + 1e-7) with the Frobenius
 * norm, transposed where it has more rows than columns, then `steps` times X ← aX + (bA + cA²) X with A = X Xᵀ. It
 * returns a matrix of the same shape and singular vectors, whose singular values are near 1 but not 1.
 */
export function newtonSchulz(
  math: Arithmetic,
  g: Float64Array,
  rows: number,
  columns: number,
  steps: number,
): Float64Array {
  const norm = math.round(Math.sqrt(math.dot(g, 0, g, 0, g.length)));
  const divisor = math.round(norm + newtonSchulzEpsilon);
  const tall = rows > columns;
  let x: Float64Array = (tall ? transposed(g, rows, columns) : g).map((value) => math.round(value / divisor));
  const [shorter, longer] = tall ? [columns, rows] : [rows, columns];
  for (let step = 0; step < steps; step++) x = iterate(math, x, shorter, longer);
  return tall ? transposed(x, shorter, longer) : x;
}

/** Floating-point operations of Newton–Schulz on a [rows, columns] matrix: X Xᵀ, A², and (bA + cA²) X at each step. */
export function newtonSchulzFlops(rows: number, columns: number, steps: number): number {
  const [shorter, longer] = [Math.min(rows, columns), Math.max(rows, columns)];
  return steps * (4 * shorter ** 2 * longer + 2 * shorter ** 3);
}

const matrixDims = ['batch', 'rows', 'columns'];
const tensors = [
  input('g', matrixDims, 'Matrices.'),
  output('x', matrixDims, newtonSchulzTolerance, 'The matrices with singular values near 1.'),
];

const dimensions: readonly DimensionSpec[] = [
  { name: 'batch', fallback: 64, description: 'Independent matrices.' },
  { name: 'rows', fallback: 64, description: 'Rows of a matrix.' },
  { name: 'columns', fallback: 64, description: 'Columns of a matrix.' },
];

const optionSpecs: readonly OptionSpec[] = [
  {
    name: 'matrixKind',
    onlyInputs: true,
    kind: 'choice',
    choices: ['normal', 'lowRank', 'zero'],
    fallback: 'normal',
    description: 'Which matrices the comparison feeds: of normal numbers, of rank 2, or zero.',
  },
  {
    name: 'steps',
    kind: 'number',
    fallback: usualNewtonSchulzSteps,
    description: 'Iterations after the matrix has been divided by its norm.',
  },
];

function sizes(shape: Shape): readonly [batch: number, rows: number, columns: number] {
  const [batch, rows, columns] = tensorDims(matrixDims, shape);
  return [batch!, rows!, columns!];
}

function generate(shape: Shape, options: Options, seed: number): Inputs {
  const [batch, rows, columns] = sizes(shape);
  const count = elementCount([batch, rows, columns]);
  switch (choiceOption(options, 'matrixKind')) {
    case 'zero':
      return { g: new Float32Array(count) };
    case 'lowRank': {
      const left = normalValues(batch * rows * 2, seed, 'left');
      const right = normalValues(batch * columns * 2, seed, 'right');
      return {
        g: Float32Array.from({ length: count }, (_, at) => {
          const row = Math.floor(at / columns);
          const column = Math.floor(row / rows) * columns + (at % columns);
          return left[2 * row]! * right[2 * column]! + left[2 * row + 1]! * right[2 * column + 1]!;
        }),
      };
    }
    default:
      return { g: normalValues(count, seed, 'g') };
  }
}

function reference(
  inputs: Inputs,
  shape: Shape,
  options: Options,
  precision: Precision,
  budget: number,
): Readonly<Record<string, ReferenceTensor>> {
  const [batch, rows, columns] = sizes(shape);
  const steps = numberOption(options, 'steps');
  const math = arithmetic(precision);
  const size = rows * columns;
  const chosen = spread(batch, budget / (newtonSchulzFlops(rows, columns, steps) / 2 + size));
  const values = new Float64Array(chosen.length * size);
  chosen.forEach((index, place) => {
    const g = new Float64Array(inputs.g!.subarray(index * size, (index + 1) * size));
    values.set(newtonSchulz(math, g, rows, columns, steps), place * size);
  });
  const x = tensorOfGroups(values, [batch, rows, columns], chosen, batch, rows);
  return { x: choiceOption(options, 'matrixKind') === 'lowRank' ? { ...x, tolerance: lowRankTolerance } : x };
}

const lowRank: Options = { matrixKind: 'lowRank' };
const grid: readonly GridCase[] = [
  { name: 'a square of 16', shape: { batch: 2, rows: 16, columns: 16 }, options: {} },
  { name: 'a single number', shape: { batch: 3, rows: 1, columns: 1 }, options: {} },
  { name: 'a single row', shape: { batch: 2, rows: 1, columns: 64 }, options: {} },
  { name: 'a single column', shape: { batch: 2, rows: 64, columns: 1 }, options: {} },
  { name: 'one below a square of 16', shape: { batch: 2, rows: 15, columns: 15 }, options: {} },
  { name: 'one column above a square of 16', shape: { batch: 2, rows: 16, columns: 17 }, options: {} },
  { name: 'one row above a square of 16', shape: { batch: 2, rows: 17, columns: 16 }, options: {} },
  { name: 'wide', shape: { batch: 2, rows: 16, columns: 48 }, options: {} },
  { name: 'tall', shape: { batch: 2, rows: 48, columns: 16 }, options: {} },
  { name: 'a square of 32', shape: { batch: 2, rows: 32, columns: 32 }, options: {} },
  { name: 'one above a square of 32', shape: { batch: 2, rows: 33, columns: 33 }, options: {} },
  { name: 'wide, no multiple of four', shape: { batch: 2, rows: 7, columns: 62 }, options: {} },
  { name: 'tall, no multiple of four', shape: { batch: 3, rows: 61, columns: 42 }, options: {} },
  { name: 'one below a square of 64', shape: { batch: 2, rows: 63, columns: 63 }, options: {} },
  { name: 'a square of 64', shape: { batch: 3, rows: 64, columns: 64 }, options: {} },
  { name: 'no step', shape: { batch: 2, rows: 20, columns: 12 }, options: { steps: 0 } },
  { name: 'one step', shape: { batch: 2, rows: 20, columns: 12 }, options: { steps: 1 } },
  { name: 'rank 2', shape: { batch: 2, rows: 16, columns: 16 }, options: lowRank },
  { name: 'rank 2, tall', shape: { batch: 2, rows: 64, columns: 40 }, options: lowRank },
  { name: 'zero', shape: { batch: 2, rows: 20, columns: 20 }, options: { matrixKind: 'zero' } },
];

const computation: Computation = {
  direction: 'forward',
  tensors,
  grid,
  generate,
  reference,
  flops: (shape, options) => {
    const [batch, rows, columns] = sizes(shape);
    return batch * newtonSchulzFlops(rows, columns, numberOption(options, 'steps'));
  },
};

/** What is wrong with a number of Newton–Schulz steps, or null. */
export function invalidSteps(name: string, steps: number): string | null {
  return Number.isInteger(steps) && steps >= 0 ? null : `${name} is ${steps}, and must be a whole number, 0 or more.`;
}

/** The Newton–Schulz iteration of the Muon optimiser, which test-time memories such as ATLAS run on their momentum. */
export const newtonSchulzIteration: Mechanism = {
  id: 'newton-schulz',
  title: 'Newton–Schulz',
  summary:
    'X ← aX + (bA + cA²) X, A = X Xᵀ, from G / ‖G‖: singular values of a matrix brought near 1, as Muon and ATLAS do it.',
  dimensions,
  options: optionSpecs,
  computations: [computation],
  recurrence: null,
  golden: {
    newton_schulz: {
      shape: ({ G = [] }) => ({ batch: 1, rows: G[0] ?? 1, columns: G[1] ?? 1 }),
      options: ({ steps }) => goldenOption('steps', steps),
      names: { G: 'g', X: 'x' },
    },
  },
  scalars: (shape, options) => caseScalars(optionSpecs, shape, options),
  visibleKeys: null,
  parts: null,
  validate: (shape, options) =>
    invalidCase(dimensions, optionSpecs, shape, options) ?? invalidSteps('steps', numberOption(options, 'steps')),
};
