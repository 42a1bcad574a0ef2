import type { Mistake } from './mistake.js';

/** Mistakes in newton-schulz/newton-schulz.wgsl. */
export const newtonSchulz: readonly Mistake[] = [
  {
    name: 'the coefficients of the cubic iteration',
    find: 'vec3(3.4445, -4.775, 2.0315)',
    replace: 'vec3(1.5, -0.5, 0.0)',
    caughtBy: 'one step',
    why: 'Other coefficients give other singular values.',
  },
  {
    name: 'the norm of the rows of the first invocations only',
    find: 'for (var n = 0u; n < SIDE; n++) {\n      sum += tile[SIDE * index + n];',
    replace: 'for (var n = 0u; n < SIDE / 8u; n++) {\n      sum += tile[SIDE * index + n];',
    caughtBy: 'one step',
    why: 'The iteration starts from another matrix.',
  },
  {
    name: 'no barrier before A takes the place of X in the tile',
    find: `    let products = gram(columns, lane); // A
    workgroupBarrier();`,
    replace: `    let products = gram(columns, lane); // A`,
    caughtBy: 'a square of 64',
    why: 'Others still multiply the columns that are overwritten.',
  },
  {
    name: 'a tall matrix is read as a wide one',
    find: 'if (params.rows > params.columns) {',
    replace: 'if (params.rows < params.columns) {',
    caughtBy: 'tall',
    why: 'Its rows are not where they are looked for.',
  },
  {
    name: 'the second half of B X is left out',
    find: 'for (var half = 0u; half < rows; half += HALF) {',
    replace: 'for (var half = 0u; half < min(rows, HALF); half += HALF) {',
    caughtBy: 'one above a square of 32',
    why: 'B has more rows than fit the tile at once.',
  },
  {
    name: 'A squared misses its last row',
    find: 'COEFFICIENTS.z * gram(rows, lane); // B',
    replace: 'COEFFICIENTS.z * gram(rows - 1u, lane); // B',
    caughtBy: 'one below a square of 16',
    why: 'Every row of A counts.',
  },
];
