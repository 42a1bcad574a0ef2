import type { Mistake } from './mistake.js';

const first = 'a draft of two tokens';

/** Mistakes in mla/decode.wgsl and in grouped-latent/decode.wgsl, which are one algorithm. */
export const latentDecode: readonly Mistake[] = [
  {
    name: 'the scale is forgotten',
    find: 'let factor = params.scale * LOG2_E;',
    replace: 'let factor = LOG2_E;',
    caughtBy: first,
    why: 'Scores are scaled by (headDim + ropeDim)^-1/2.',
  },
  {
    name: 'the rotated part of the keys is left out',
    find: 'sum += dot(own_rope[i], rotated[j * rope_width + column]);',
    replace: 'sum += 0.0;',
    caughtBy: first,
    why: 'A score has a latent part and a rotated one.',
  },
  {
    name: 'the first query of a draft sees the second',
    find: 'let before = query + 1u + params.seqlen_k;',
    replace: 'let before = query + 2u + params.seqlen_k;',
    caughtBy: first,
    why: 'Query i of the last seqlen positions sees the keys up to its own.',
  },
  {
    name: 'the output is not brought to the new maximum',
    find: 'var sum = rescale * output[i];',
    replace: 'var sum = output[i];',
    caughtBy: first,
    why: 'What was added up under an earlier maximum is too large under a later one.',
  },
  {
    name: 'parts are merged without their weights',
    find: 'sum += exp2(part_lse[part_row] - top) * part_o[part_row * width + column];',
    replace: 'sum += part_o[part_row * width + column];',
    caughtBy: 'one above a split of 128',
    why: 'A part of one key weighs less than a part of 128.',
  },
  {
    name: 'the end of the cache is not masked',
    find: '>= vec4(min(visible, end_key));',
    replace: '>= vec4(max(visible, end_key + KEYS));',
    caughtBy: first,
    why: 'The last step of 4 keys reaches beyond the cache, and a zero latent has a score of 0, not none.',
  },
];

/** Mistakes in mla/decode-f16.wgsl. */
export const latentDecodeF16: readonly Mistake[] = [
  {
    name: 'the pairs of a four change places',
    find: 'vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));',
    replace: 'vec4(unpack2x16float(pairs.y), unpack2x16float(pairs.x));',
    caughtBy: first,
    why: 'The first two numbers are in the first word.',
  },
  {
    name: 'the rotated part of the keys is left out',
    find: 'sum += dot(own_rope[i], unpack(rotated[j * rope_width + column]));',
    replace: 'sum += 0.0;',
    caughtBy: first,
    why: 'A score has a latent part and a rotated one.',
  },
  {
    name: 'the values of a step are those of its first latent',
    find: 'weights[j] * unpack(latents[j * width + column]);',
    replace: 'weights[j] * unpack(latents[column]);',
    caughtBy: first,
    why: 'Each weight multiplies the latent of its own key.',
  },
  {
    name: 'only the first query of a draft is masked',
    find: 'let before = query + 1u + params.seqlen_k;',
    replace: 'let before = select(query + 1u, params.seqlen, query > 0u) + params.seqlen_k;',
    caughtBy: 'a draft of four, several batches',
    why: 'Every query of a draft but the last has keys after it.',
  },
];

/** Mistakes that only several latent heads allow. */
export const groupedLatentDecode: readonly Mistake[] = [
  ...latentDecode,
  {
    name: 'all query heads use the first latent head',
    find: '(group.z * params.heads_kv + latent_head) * params.seqlen_k;',
    replace: '(group.z * params.heads_kv) * params.seqlen_k;',
    caughtBy: 'a latent head for each query head',
    why: 'Query head h uses latent head floor(h / (heads / headsKv)).',
  },
];

const square = 'one above a tile of 64';

/** Mistakes in mla/prefill.wgsl. */
export const latentPrefill: readonly Mistake[] = [
  {
    name: 'values are made with the up-projection of the keys',
    find: 'weights[j] = w_uv[at];',
    replace: 'weights[j] = w_uk[at];',
    caughtBy: square,
    why: 'A head has one up-projection for its keys and one for its values.',
  },
  {
    name: 'all heads use the up-projections of the first',
    find: 'load_weights(of_keys, group.y, first_column, slice, index);',
    replace: 'load_weights(of_keys, 0u, first_column, slice, index);',
    caughtBy: square,
    why: 'The latent is shared by the heads, the up-projections are not.',
  },
  {
    name: 'the rotated parts are left out',
    find: '(params.head_dim + params.rope_dim) / 4u; slice += SLICE',
    replace: 'params.head_dim / 4u; slice += params.head_dim / 4u',
    caughtBy: 'heads of 128 and 64 rotated',
    why: 'A score is q_nope · k_nope + q_pe · k_pe.',
  },
  {
    name: 'only the first 32 numbers of a latent are taken',
    find: 'slice < params.latent_dim / 4u; slice += SLICE',
    replace: 'slice < min(params.latent_dim / 4u, SLICE); slice += SLICE',
    caughtBy: 'latents of no power of two, scale 1/4',
    why: 'An up-projection runs over the whole latent.',
  },
  {
    name: 'the diagonal is left out',
    find: 'let before = query + 1u + params.seqlen_k;',
    replace: 'let before = query + params.seqlen_k;',
    caughtBy: square,
    why: 'A query sees its own key.',
  },
  {
    name: 'the mask is aligned with the first key',
    find: 'max(before, params.seqlen) - params.seqlen, params.causal',
    replace: 'min(query + 1u, params.seqlen_k), params.causal',
    caughtBy: 'a prompt that goes on',
    why: 'The queries are the last seqlen of the seqlenK positions.',
  },
  {
    name: 'the output is not brought to the new maximum',
    find: 'output[4u * b + i] *= rescale[i];',
    replace: 'output[4u * b + i] *= 1.0;',
    caughtBy: square,
    why: 'What was added up under an earlier maximum is too large under a later one.',
  },
  {
    name: 'a batch reads the rotated keys of the first',
    find: 'let rope_row = group.z * params.seqlen_k;',
    replace: 'let rope_row = 0u;',
    caughtBy: 'several batches and heads',
    why: 'k_pe is shared by the heads of a sequence, not by the sequences.',
  },
];

const manyPages = 'one above a page, several batches';

/** Mistakes in grouped-latent/paged-decode.wgsl. */
export const pagedLatentDecode: readonly Mistake[] = [
  {
    name: 'pages are taken in the order of their numbers',
    find: 'let page = u32(block_table[group.z * params.table_pages + key / params.page_size]);',
    replace: 'let page = group.z * params.table_pages + key / params.page_size;',
    caughtBy: manyPages,
    why: 'The table says where a page lies.',
  },
  {
    name: 'all sequences use the table of the first',
    find: 'block_table[group.z * params.table_pages + key',
    replace: 'block_table[key',
    caughtBy: manyPages,
    why: 'Each sequence has a row of the table.',
  },
  {
    name: 'the first slot of a page stands for all',
    find: 'page * params.page_size + key % params.page_size;',
    replace: 'page * params.page_size;',
    caughtBy: manyPages,
    why: 'Token t is slot t mod pageSize of its page.',
  },
  {
    name: 'every sequence is as long as the longest',
    find: 'let length = u32(seqlens[group.z]);',
    replace: 'let length = params.seqlen_k;',
    caughtBy: manyPages,
    why: 'What is beyond the end of a sequence is undefined.',
  },
  {
    name: 'parts that no workgroup wrote are merged',
    find: 'let filled = (u32(seqlens[group.z]) + SPLIT - 1u) / SPLIT;',
    replace: 'let filled = parts;',
    caughtBy: 'one above a split of 128',
    why: 'A shorter sequence fills fewer parts.',
  },
  {
    name: 'all query heads use the first latent head',
    find: '(slot * params.heads_kv + latent_head) * width',
    replace: '(slot * params.heads_kv) * width',
    caughtBy: manyPages,
    why: 'Query head h uses latent head floor(h / (heads / headsKv)).',
  },
  {
    name: 'the queries are the last of the longest sequence',
    find: 'let before = query + 1u + length;',
    replace: 'let before = query + 1u + params.seqlen_k;',
    caughtBy: 'a draft of two, several batches',
    why: 'Query i of the last seqlen positions sees the keys up to its own.',
  },
  {
    name: 'the slots of the first step are used for all',
    find: 'let slot = slots[key - first_key + e / width];',
    replace: 'let slot = slots[e / width];',
    caughtBy: manyPages,
    why: 'A step takes the keys from its own on.',
  },
];
