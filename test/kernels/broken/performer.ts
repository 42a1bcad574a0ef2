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

/** Mistakes in performer/favor-backward.wgsl. */
export const favorBackward: readonly Mistake[] = [
  {
    name: 'the derivative of a feature has eps in it',
    find: 'return feature - inverseSqrt(f32(params.feature_dim)) * params.eps;',
    replace: 'return feature;',
    caughtBy: 'a large eps',
    why: 'eps is added to the exponential and does not change with the token.',
  },
  {
    name: 'the square of a token has no gradient',
    find: 'dq[at] = factor * (output[4u * c + i] - sums[i] * factor * q[at]);',
    replace: 'dq[at] = factor * output[4u * c + i];',
    caughtBy: 'one below a tile of 16',
    why: 'Every exponent has -|x̂|²/2.',
  },
  {
    name: 'keys are not scaled where their square is derived',
    find: 'dk[at] = factor * (output[4u * c + i] - sums[i] * factor * k[at]);',
    replace: 'dk[at] = factor * (output[4u * c + i] - sums[i] * k[at]);',
    caughtBy: 'one below a tile of 16',
    why: 'x̂ is headDim^-1/4 times x.',
  },
  {
    name: 'the divisor is taken for a constant',
    find: 'query_factors[index] = vec2(inverse, -sums.y * inverse * inverse);',
    replace: 'query_factors[index] = vec2(inverse, 0.0);',
    caughtBy: 'one below a tile of 16',
    why: 'The divisor is a sum of the weights.',
  },
  {
    name: 'a query sees the gradient of the divisor by keys that lie ahead',
    find: 'value = select(vec4(0.0), gradient, vec4(4u * column) + vec4(0u, 1u, 2u, 3u) <= vec4(row));',
    replace: 'value = gradient;',
    caughtBy: 'one below a tile of 16',
    why: 'They are no part of the divisor.',
  },
  {
    name: 'the second block of features begins where the first does',
    find: 'let feature = 4u * (block + e % stride) + i;\n            if (feature < params.feature_dim && column_v < width_v) {\n              numbers[i] = states[',
    replace:
      'let feature = 4u * (e % stride) + i;\n            if (feature < params.feature_dim && column_v < width_v) {\n              numbers[i] = states[',
    caughtBy: 'more features than a chunk has tokens',
    why: 'A block holds 128 features.',
  },
  {
    name: 'the largest projection is that of the last chunk of keys',
    find: 'largest = max(largest, maxima[batch_head * chunks + chunk]);',
    replace: 'largest = max(largest, maxima[batch_head * chunks + chunks - 1u]);',
    caughtBy: 'a large eps',
    why: 'c spans all keys of the head; only eps shows it.',
  },
];
