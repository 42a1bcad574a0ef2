import type { Mistake } from './mistake.js';

/** Mistakes in transnormer/norm-attention.wgsl. */
export const normAttention: readonly Mistake[] = [
  {
    name: 'every head is normalised by itself where a token should be',
    find: 'let heads = select(1u, params.heads, params.norm == 0u);',
    replace: 'let heads = 1u;',
    caughtBy: 'one below a tile of 16',
    why: 'TransNormer normalises the concatenated heads; here all heads but the first are left out.',
  },
  {
    name: 'the rows are divided by their length instead of their root mean square',
    find: 'inverseSqrt(square / f32(heads * params.head_dim_v) + params.eps)',
    replace: 'inverseSqrt(square + params.eps)',
    caughtBy: 'one below a tile of 16',
    why: 'RMSNorm leaves numbers of size one, an L2 norm rows of size one.',
  },
  {
    name: 'the mean square is that of one head',
    find: 'square / f32(heads * params.head_dim_v)',
    replace: 'square / f32(params.head_dim_v)',
    caughtBy: 'one below a tile of 16',
    why: 'A row across the heads has heads · headDimV numbers.',
  },
  {
    name: 'a query does not see its own key',
    find: '<= vec4(query));',
    replace: '< vec4(query));',
    caughtBy: 'one below a tile of 16',
    why: 'The causal mask keeps j <= i.',
  },
  {
    name: 'a query that sees all keys takes those before its chunk',
    find: 'let state = select(chunk_count(), chunk, params.causal != 0u);',
    replace: 'let state = chunk;',
    caughtBy: 'not causal',
    why: 'Without a mask the state after the last chunk is the one to read.',
  },
  {
    name: 'eps is added to the root',
    find: 'inverseSqrt(square / f32(heads * params.head_dim_v) + params.eps)',
    replace: '1.0 / (sqrt(square / f32(heads * params.head_dim_v)) + params.eps)',
    caughtBy: 'a large eps',
    why: 'eps belongs to the mean square, below the root.',
  },
];

/** Mistakes in transnormer/diag-attention.wgsl. */
export const diagAttention: readonly Mistake[] = [
  {
    name: 'a query does not see its own key',
    find: 'let ahead = (keys > vec4(query))',
    replace: 'let ahead = (keys >= vec4(query))',
    caughtBy: 'one below a block of 16',
    why: 'The causal mask keeps j <= i.',
  },
  {
    name: 'the keys of the next block are seen',
    find: 'ahead | (keys >= vec4(end_key))',
    replace: 'ahead | (keys >= vec4(params.seqlen))',
    caughtBy: 'small blocks, not causal',
    why: 'Steps of 32 keys reach across blocks of 7, and what the tile has there must not count.',
  },
  {
    name: 'steps in which a block ends are left unmasked',
    find: 'if (last_key >= end_key || (params.causal != 0u && last_key > first_query)) {',
    replace: 'if (params.causal != 0u && last_key > first_query) {',
    caughtBy: 'blocks of 33, not causal',
    why: 'Zeros behind the last key of a block would take part in the softmax.',
  },
  {
    name: 'every block is taken for whole tiles',
    find: 'let first_of_block = group.x / tiles * params.block;',
    replace: 'let first_of_block = group.x / tiles * tiles * TILE_M;',
    caughtBy: 'blocks of 100, head of 96',
    why: 'A block of 100 tokens takes two tiles of 64, and the next one begins at 100.',
  },
  {
    name: 'a block looks back at the one before it',
    find: 'for (var first_key = first_of_block; first_key < end_key;',
    replace: 'for (var first_key = max(first_of_block, TILE_N) - TILE_N; first_key < end_key;',
    caughtBy: 'one above a block of 16, several batches',
    why: 'That is a window; blocks do not overlap.',
  },
  {
    name: 'the running sum is not brought to the new maximum',
    find: 'row_sum *= rescale;',
    replace: 'row_sum *= 1.0;',
    caughtBy: 'one below a block of 64',
    why: 'Sum and output belong to the same maximum.',
  },
  {
    name: 'lse is a binary logarithm',
    find: '(row_max[i] + log2(sum)) * LN_2',
    replace: '(row_max[i] + log2(sum))',
    caughtBy: 'one below a block of 16',
    why: 'lse is the natural logarithm.',
  },
];

/** Mistakes in transnormer/norm-attention-backward.wgsl. */
export const normAttentionBackward: readonly Mistake[] = [
  {
    name: 'the norm is taken for a constant factor',
    find: 'rows[at] = factor * (do_rows[at] - along * factor * rows[at]);',
    replace: 'rows[at] = factor * do_rows[at];',
    caughtBy: 'one below a tile of 16',
    why: 'The factor of a row depends on all of its numbers.',
  },
  {
    name: 'every head is normalised by itself where a token should be',
    find: 'let heads = select(1u, params.heads, params.norm == 0u);',
    replace: 'let heads = 1u;',
    caughtBy: 'one below a tile of 16',
    why: 'TransNormer normalises the concatenated heads; here all heads but the first are left out.',
  },
  {
    name: 'the alignment is summed instead of averaged',
    find: 'let along = factor * alignment / width;',
    replace: 'let along = factor * alignment;',
    caughtBy: 'one below a tile of 16',
    why: 'The norm divides by the root of a mean.',
  },
  {
    name: 'eps is forgotten',
    find: 'inverseSqrt(square / width + params.eps)',
    replace: 'inverseSqrt(square / width)',
    caughtBy: 'a large eps',
    why: 'The factor is that of the forward pass.',
  },
  {
    name: 'a query does not see its own key',
    find: '<= vec4(query));',
    replace: '< vec4(query));',
    caughtBy: 'one below a tile of 16',
    why: 'The causal mask keeps j <= i.',
  },
  {
    name: 'every chunk takes the states before it, causal or not',
    find: 'let state = select(chunk, chunk_count(), params.causal == 0u);',
    replace: 'let state = chunk;',
    caughtBy: 'not causal',
    why: 'Without a mask a query sees all keys, and a key all queries.',
  },
  {
    name: 'the gradient of the final state is forgotten',
    find: 'var gradient = ds[batch_head * size + id.x];',
    replace: 'var gradient = 0.0 * ds[batch_head * size + id.x];',
    caughtBy: 'one below a tile of 16',
    why: 'Keys and values reach the final state.',
  },
];
