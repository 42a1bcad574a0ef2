import type { Mistake } from './mistake.js';

/** Mistakes in performer/favor.wgsl. */
export const favor: readonly Mistake[] = [
  {
    name: 'queries take the factor of softmax attention',
    find: 'value = factor * q[(first_row + row) * width + column];',
    replace: 'value = factor * factor * q[(first_row + row) * width + column];',
    caughtBy: 'one below a tile of 16',
    why: 'Queries and keys each take a fourth root, together the square root.',
  },
  {
    name: 'the square of a query is not halved',
    find: 'let shift = sum_rows(squares, lane) / 2.0 + largest_of_rows(largest, lane);',
    replace: 'let shift = sum_rows(squares, lane) + largest_of_rows(largest, lane);',
    caughtBy: 'a large eps',
    why: 'The exponent of a feature has |x̂|²/2; only eps shows it, because a factor for the whole query cancels.',
  },
  {
    name: 'the square of a key is not halved',
    find: 'let shift = sum_rows(squares, lane) / 2.0;',
    replace: 'let shift = sum_rows(squares, lane);',
    caughtBy: 'one below a tile of 16',
    why: 'Keys of different length get wrong weights.',
  },
  {
    name: 'the largest projection is that of the last tile of keys',
    find: 'largest = max(largest, maxima[batch_head * tiles + tile]);',
    replace: 'largest = max(largest, maxima[batch_head * tiles + max(tile, tiles - 1u)]);',
    caughtBy: 'a large eps',
    why: 'c spans all keys of the head; only eps shows it.',
  },
  {
    name: 'eps is forgotten',
    find: '(exp(exponent) + params.eps)',
    replace: 'exp(exponent)',
    caughtBy: 'a large eps',
    why: 'Every feature has eps added.',
  },
  {
    name: 'features past a block of 32 are left out of the left product',
    find: '      multiply_slices(&scores, lane);',
    replace: '      if (slice < SLICE) {\n        multiply_slices(&scores, lane);\n      }',
    caughtBy: 'one above a tile of 64',
    why: 'A score sums over all features.',
  },
  {
    name: 'a chunk counts its own keys twice',
    find: '= sum;\n        sum += added[n];',
    replace: '= sum + added[n];\n        sum += added[n];',
    caughtBy: 'one below a tile of 16',
    why: 'The state handed to a chunk must end before it.',
  },
];
