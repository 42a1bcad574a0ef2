import type { Mistake } from './mistake.js';

const first = 'one above a tile of 16';

/** Mistakes in grouped-tied/prefill.wgsl. */
export const groupedTiedPrefill: readonly Mistake[] = [
  {
    name: 'the rotated part of the queries is taken from their front',
    find: 'load_queries(head_row, first_query, plain_width + slice, count, lane);',
    replace: 'load_queries(head_row, first_query, slice, count, lane);',
    caughtBy: first,
    why: 'The last ropeDim channels of a query are rotated, not the first.',
  },
  {
    name: 'the scale is forgotten',
    find: 'let factor = params.scale * LOG2_E;',
    replace: 'let factor = LOG2_E;',
    caughtBy: first,
    why: 'Scores are scaled by headDim^-1/2.',
  },
  {
    name: 'the rotated slice has heads',
    find: 'let rope_row = group.z * params.seqlen_k;',
    replace: 'let rope_row = (group.z * params.heads_kv + tied_head) * params.seqlen_k;',
    caughtBy: first,
    why: 'One slice of a token serves all heads of its sequence.',
  },
  {
    name: 'query heads are dealt to tied heads in turn',
    find: 'group.y / (params.heads / params.heads_kv);',
    replace: 'group.y % params.heads_kv;',
    caughtBy: first,
    why: 'Neighbouring query heads share a tied head.',
  },
  {
    name: 'the unrotated half of the scores replaces the rotated one',
    find: '(*scores)[j] += vec4(',
    replace: '(*scores)[j] = vec4(',
    caughtBy: first,
    why: 'A score is the sum of a rotated and an unrotated part.',
  },
  {
    name: 'the output is not brought to the new maximum',
    find: 'output[4u * c] *= rescale.x;',
    replace: 'output[4u * c] *= 1.0;',
    caughtBy: 'few queries at the end of many keys',
    why: 'Steps before the maximum rose count too much.',
  },
  {
    name: 'wide heads score 32 keys of a step of 16',
    find: ' & vec4(LANES * j < step);',
    replace: ';',
    caughtBy: 'a head of 128',
    why: 'What is past the keys of a step has a score of 0, not none, and those keys come again in the next.',
  },
  {
    name: 'no barrier between the weights and the values',
    find: '      output[4u * c + 3u] *= rescale.w;\n    }\n    workgroupBarrier();',
    replace: '      output[4u * c + 3u] *= rescale.w;\n    }',
    caughtBy: first,
    why: 'Invocations weigh values with what stood in the tile before.',
  },
];

const draft = 'a draft of two tokens';

/** Mistakes in grouped-tied/decode.wgsl. */
export const groupedTiedDecode: readonly Mistake[] = [
  {
    name: 'the whole key is taken from the value',
    find: 'tied[lane.x * stride + rope_width + column]);',
    replace: 'tied[lane.x * stride + column]);',
    caughtBy: draft,
    why: 'The last ropeDim channels of a key are those of the shared slice.',
  },
  {
    name: 'the value ends where the unrotated key does',
    find: 'output[i] += weight * tied[j * stride + column];',
    replace:
      'output[i] += weight * tied[j * stride + select(column, column + rope_width, column >= width - rope_width)];',
    caughtBy: draft,
    why: 'The value is the whole tied state: the rotated slice is no part of it.',
  },
  {
    name: 'the first query of a draft sees the second',
    find: 'row % params.seqlen + 1u + params.seqlen_k;',
    replace: 'row % params.seqlen + 2u + params.seqlen_k;',
    caughtBy: draft,
    why: 'Query i of the last seqlen positions sees the keys up to its own.',
  },
  {
    name: 'all query heads use the first tied head',
    find: '(group.z * params.heads_kv + tied_head) * params.seqlen_k;',
    replace: '(group.z * params.heads_kv) * params.seqlen_k;',
    caughtBy: draft,
    why: 'Query head h uses tied head floor(h / (heads / headsKv)).',
  },
  {
    name: 'the tied state of another sequence',
    find: 'let first_rope = group.z * params.seqlen_k;',
    replace: 'let first_rope = 0u;',
    caughtBy: 'one below a step of 8 keys, several batches',
    why: 'Every sequence has a slice of its own.',
  },
  {
    name: 'parts are merged without their weights',
    find: 'sum += weight * part_o[part_row * width + column];',
    replace: 'sum += part_o[part_row * width + column];',
    caughtBy: 'one above a split of 128',
    why: 'A part of one key weighs less than a part of 64.',
  },
  {
    name: 'the end of the cache is not masked',
    find: 'first + lane.x < min(visible, end_key));',
    replace: 'first + lane.x < max(visible, end_key + KEYS));',
    caughtBy: draft,
    why: 'The last step of 16 keys reaches beyond the cache, and a zero key has a score of 0, not none.',
  },
];

/** Mistakes in grouped-tied/decode-f16.wgsl. */
export const groupedTiedDecodeF16: readonly Mistake[] = [
  {
    name: 'the whole key is taken from the value',
    find: 'unpack(tied[lane.x * stride + rope_width + column])',
    replace: 'unpack(tied[lane.x * stride + column])',
    caughtBy: draft,
    why: 'The last ropeDim channels of a key are those of the shared slice.',
  },
  {
    name: 'the second pair of a four is the first again',
    find: 'vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y))',
    replace: 'vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.x))',
    caughtBy: draft,
    why: 'A u32 holds two numbers, and a four is two of them.',
  },
  {
    name: 'the denominator is that of one key of a step',
    find: 'for (var x = 0u; x < KEYS; x++) {',
    replace: 'for (var x = 0u; x < 1u; x++) {',
    caughtBy: draft,
    why: 'Each invocation has added up the weights of its own keys; the sum of a row is over 32 of them.',
  },
  {
    name: 'no barrier between the weights of a step and its values',
    find: '    output *= rescale;\n    workgroupBarrier();',
    replace: '    output *= rescale;',
    caughtBy: draft,
    why: 'Invocations weigh values with the weights of the step before.',
  },
];

/** Mistakes in grouped-tied/backward.wgsl. */
export const groupedTiedBackward: readonly Mistake[] = [
  {
    name: 'a tied state gets no gradient as a key',
    find: 'gradient += params.scale * key_gradient[i];',
    replace: 'gradient += 0.0;',
    caughtBy: first,
    why: 'It is value and key at once: dKV is the sum of both gradients.',
  },
  {
    name: 'the rotated slice gets the gradient of one tied head',
    find: 'head < params.heads_kv; head++',
    replace: 'head < 1u; head++',
    caughtBy: first,
    why: 'All heads share the slice: its gradient is a sum over all of them.',
  },
  {
    name: 'the row scalar Δ is left out of dQ',
    find: '(product_keys[i] - mean * weight_keys[i]);',
    replace: '(product_keys[i]);',
    caughtBy: first,
    why: 'The softmax couples the scores of a row: dS = P (dP - Δ).',
  },
  {
    name: 'the gradient of lse is added to Δ instead of taken from it',
    find: '/ divisor - dlse[at];',
    replace: '/ divisor + dlse[at];',
    caughtBy: first,
    why: 'lse grows with every score by its weight: dS gains P dlse.',
  },
  {
    name: 'the sums over keys are not brought to the new maximum',
    find: 'product_keys[COLUMNS * row + c] *= rescale;',
    replace: 'product_keys[COLUMNS * row + c] *= 1.0;',
    caughtBy: first,
    why: 'Steps before the maximum rose count too much.',
  },
  {
    name: 'a group of query heads gives its tied head only the first one',
    find: 'member < shared_by; member++',
    replace: 'member < 1u; member++',
    caughtBy: first,
    why: 'dKV is a sum over all query heads that share the tied head.',
  },
  {
    name: 'the queries start where the keys do, whatever the alignment',
    find: 'max(first_key + params.seqlen, params.seqlen_k) - params.seqlen_k, params.causal',
    replace: 'first_key, params.causal',
    caughtBy: 'few queries at the end of many keys',
    why: 'The queries are the last of the seqlenK positions.',
  },
  {
    name: 'no barrier between the parts of scores and their sums',
    find: '    write_parts(sums, lane);\n    workgroupBarrier();\n    add_up(lane);\n    workgroupBarrier();\n\n    var weights',
    replace: '    write_parts(sums, lane);\n    add_up(lane);\n    workgroupBarrier();\n\n    var weights',
    caughtBy: first,
    why: 'Invocations add up what others have not written yet.',
  },
];
