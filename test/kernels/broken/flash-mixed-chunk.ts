import type { Mistake } from './mistake.js';

/** Mistakes in flash-mixed-chunk/forward.wgsl. */
export const flashMixedChunk: readonly Mistake[] = [
  {
    name: 'the weights are not squared',
    find: 'select(roots * roots, vec4(0.0),',
    replace: 'select(roots, vec4(0.0),',
    caughtBy: 'one below a chunk of 16',
    why: 'The activation is relu², not relu.',
  },
  {
    name: 'a chunk reads its own keys through the state too',
    find: 'states[first + (chunk + n) * size] = state;',
    replace: 'states[first + (chunk + n) * size] = state + sums[n];',
    caughtBy: 'chunks of 16',
    why: 'The causal state of a chunk holds the chunks before it.',
  },
  {
    name: 'the last chunk reads no more than its own place holds',
    find: '} else if (summed > 0u) {',
    replace: '} else if (summed > AHEAD) {',
    caughtBy: 'one above a chunk of 16, several batches',
    why: 'The state before the last chunk is written after the loop, however few chunks there are.',
  },
  {
    name: 'a query that sees all keys takes those before its chunk',
    find: 'select(0u, chunk, params.causal != 0u)) * params.head_dim;',
    replace: 'chunk) * params.head_dim;',
    caughtBy: 'chunks of 16, not causal',
    why: 'Without a mask the sum of all chunks is the one to read.',
  },
  {
    name: 'the linear part has the factor of the scores',
    find: 'output[i] *= params.lin_scale;',
    replace: 'output[i] *= params.scale;',
    caughtBy: 'values of three slices',
    why: 'Both are 1 / chunk by default, and need not be.',
  },
  {
    name: 'the queries of the quadratic part read the state',
    find: 'value = q_lin[(first_row + first_query + row) * width + column];',
    replace: 'let at = (first_row + first_query + row) * width + column; value = q_quad[at] + 0.0 * q_lin[at];',
    caughtBy: 'chunks of 16',
    why: 'Both parts have queries of their own.',
  },
  {
    name: 'keys of the next chunk count by their bias',
    find: 'ahead | (keys >= vec4(end_key))',
    replace: 'ahead | (keys >= vec4(params.seqlen))',
    caughtBy: 'chunks of 7, not causal',
    why: 'The square of a bias is a weight, and steps of 32 keys reach across chunks of 7.',
  },
  {
    name: 'the last chunk is summed as a whole one',
    find: 'let length = min(params.chunk, params.seqlen - chunk * params.chunk);',
    replace: 'let length = params.chunk;',
    caughtBy: 'chunks of 7, not causal',
    why: 'Behind the last token the next sequence begins.',
  },
  {
    name: 'every chunk is taken for whole tiles',
    find: 'let first_of_chunk = chunk * params.chunk;',
    replace: 'let first_of_chunk = chunk * tiles * TILE_M;',
    caughtBy: 'chunks of 100, queries of 96',
    why: 'A chunk of 100 tokens takes two tiles of 64, and the next one begins at 100.',
  },
  {
    name: 'every slice takes the first columns of the state',
    find: 'load_state(state_row, 4u * slice + first, rows_per_load, first_column, columns, index);',
    replace: 'load_state(state_row, 4u * slice + first, rows_per_load, 0u, columns, index);',
    caughtBy: 'values of three slices',
    why: 'A slice of the output needs its own slice of the state.',
  },
  {
    name: 'the gate is forgotten',
    find: 'o[at] = u[at] * output[4u * c + i];',
    replace: 'o[at] = output[4u * c + i] + 0.0 * u[at];',
    caughtBy: 'one below a chunk of 16',
    why: 'The output is u ⊙ (A v + q_lin S).',
  },
];
