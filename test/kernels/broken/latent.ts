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
