import type { Mistake } from './mistake.js';

/** Mistakes in softmax/paged-decode.wgsl. */
export const pagedDecode: readonly Mistake[] = [
  {
    name: 'the pages of a sequence are taken to follow its first one',
    find: 'let page = u32(block_table[group.z * params.table_pages + key / params.page_size]);',
    replace: 'let page = u32(block_table[group.z * params.table_pages]) + key / params.page_size;',
    caughtBy: 'pages of one token',
    why: 'The pages of a sequence may lie anywhere.',
  },
  {
    name: 'all sequences use the table of the first',
    find: 'group.z * params.table_pages + key',
    replace: 'key',
    caughtBy: 'one above a page, several batches',
    why: 'Each sequence has a row of the table.',
  },
  {
    name: 'a slot is counted in pages of 16',
    find: 'page * params.page_size + key % params.page_size',
    replace: 'page * 16u + key % 16u',
    caughtBy: 'pages of one token',
    why: 'A page has pageSize slots.',
  },
  {
    name: 'all sequences are as long as the longest',
    find: 'let length = u32(seqlens[group.z]);',
    replace: 'let length = params.seqlen_k;',
    caughtBy: 'an empty sequence',
    why: 'Slots past the end of a sequence are undefined.',
  },
  {
    name: 'the heads of a page come before its slots',
    find: 'k_pages[(slot * params.heads_kv + kv_head) * width',
    replace:
      'k_pages[(slot / params.page_size * params.heads_kv * params.page_size + kv_head * params.page_size + slot % params.page_size) * width',
    caughtBy: 'exactly one page',
    why: 'A slot holds the keys of all heads next to each other.',
  },
  {
    name: 'the queries stand at the end of the longest sequence',
    find: 'let position = i32(query) + count - i32(params.seqlen);',
    replace: 'let position = i32(query) + i32(params.seqlen_k) - i32(params.seqlen);',
    caughtBy: 'a draft of two, several batches',
    why: 'They are the last tokens of their own sequence.',
  },
  {
    name: 'no barrier between the scores and the values that take the tile of the keys',
    find: 'scores[lane.y * KEYS + lane.x] = score;\n    workgroupBarrier();',
    replace: 'scores[lane.y * KEYS + lane.x] = score;',
    caughtBy: 'exactly one page',
    why: 'Invocations multiply a query by values, and miss the scores of others.',
  },
  {
    name: 'the slots are not those of the step',
    find: 'let slot = slots[first - begin + e / value_width];',
    replace: 'let slot = slots[e / value_width];',
    caughtBy: 'one above a page, several batches',
    why: 'Every step but the first takes the values of other keys.',
  },
  {
    name: 'parts that no workgroup has written are merged',
    find: 'let filled = (u32(seqlens[group.z]) + SPLIT - 1u) / SPLIT;',
    replace: 'let filled = parts;',
    caughtBy: 'one above a split of 128',
    why: 'A sequence has the parts that its length fills.',
  },
  {
    name: 'the log-sum-exp of a row is that of its largest part',
    find: '(top + log2(divisor)) * LN_2',
    replace: 'top * LN_2',
    caughtBy: 'one above a split of 128',
    why: 'The other parts add to it.',
  },
];
