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
