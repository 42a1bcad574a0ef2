import type { Mistake } from './mistake.js';

/** Mistakes in gated-unit/forward.wgsl. */
export const gatedUnit: readonly Mistake[] = [
  {
    name: 'the weights are not squared',
    find: 'select(roots * roots, vec4(0.0),',
    replace: 'select(roots, vec4(0.0),',
    caughtBy: 'a single token',
    why: 'The activation is relu², not relu.',
  },
  {
    name: 'negative scores are squared too',
    find: 'let roots = max(params.scale * scores + biases, vec4(0.0));',
    replace: 'let roots = params.scale * scores + biases;',
    caughtBy: 'one below a tile of 16',
    why: 'Below zero relu² is zero.',
  },
  {
    name: 'the table of biases is transposed',
    find: 'let at = i32(first_key + t) - i32(first_query + TILE_M - 1u) + middle;',
    replace: 'let at = i32(first_query + TILE_M - 1u) - i32(first_key + t) + middle;',
    caughtBy: 'one below a tile of 16',
    why: 'The table runs over j - i, from the keys far before a query on.',
  },
  {
    name: 'distance 0 is looked for where seqlen puts it',
    find: 'let middle = i32(params.bias_dim / 2u);',
    replace: 'let middle = i32(params.seqlen - 1u);',
    caughtBy: 'more biases than distances',
    why: 'A table may have more distances than the sequence.',
  },
  {
    name: 'the bias is scaled with the score',
    find: 'max(params.scale * scores + biases, vec4(0.0))',
    replace: 'max(params.scale * (scores + biases), vec4(0.0))',
    caughtBy: 'one below a tile of 16',
    why: 'The factor 1 / seqlen belongs to q · k alone.',
  },
  {
    name: 'a query does not see its own key',
    find: '(keys > vec4(first_query + row))',
    replace: '(keys >= vec4(first_query + row))',
    caughtBy: 'a single token',
    why: 'The causal mask keeps j <= i.',
  },
  {
    name: 'keys ahead count by their bias',
    find: 'ahead | (keys >= vec4(params.seqlen))',
    replace: 'keys >= vec4(params.seqlen)',
    caughtBy: 'one below a tile of 16',
    why: 'The square of a bias is a weight: no score is low enough to hide a key.',
  },
  {
    name: 'the gate is forgotten',
    find: 'o[at] = u[at] * output[4u * c + i];',
    replace: 'o[at] = output[4u * c + i] + 0.0 * u[at];',
    caughtBy: 'a single token',
    why: 'The output is u ⊙ (A v).',
  },
  {
    name: 'every slice takes the first columns of V',
    find: 'load_values(first_row, first_key + first, keys_per_load, first_column, columns, index);',
    replace: 'load_values(first_row, first_key + first, keys_per_load, 0u, columns, index);',
    caughtBy: 'values of three slices',
    why: 'A slice of the output needs its own slice of the values.',
  },
];
