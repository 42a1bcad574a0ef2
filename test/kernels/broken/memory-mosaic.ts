import type { Mistake } from './mistake.js';

const first = 'one below a tile of 16';

/** Mistakes in mosaic/context-memory.wgsl. */
export const mosaicContextMemory: readonly Mistake[] = [
  {
    name: 'a token sees its own pair',
    find: '< vec4(first_query + 4u * lane.y + i);',
    replace: '<= vec4(first_query + 4u * lane.y + i);',
    caughtBy: first,
    why: 'A pair holds the value of the next token: a token may use those before it only.',
  },
  {
    name: 'values do not look ahead',
    find: 'value += (1.0 - own) * v[(row + 1u) * width + column];',
    replace: 'value += (1.0 - own) * v[row * width + column];',
    caughtBy: first,
    why: 'The value of a pair is mixed with that of the next token.',
  },
  {
    name: 'the last value looks beyond the sequence',
    find: 'if (token + 1u < params.seqlen_k) {',
    replace: 'if (token < params.seqlen_k) {',
    caughtBy: first,
    why: 'What comes after the last token of a head is the first of the next head, and counts as zero.',
  },
  {
    name: 'the average before a chunk is not decayed by the chunk',
    find: 'let kept = exp(-leak[id.y] * f32(CHUNK));',
    replace: 'let kept = exp(-leak[id.y]);',
    caughtBy: 'many tiles',
    why: 'Between the averages of two chunks lie 64 tokens, not one.',
  },
  {
    name: 'each chunk averages for itself',
    find: 'var average = averages[(batch_head * chunk_count() + group.x) * width + column];',
    replace: 'var average = vec4(0.0);',
    caughtBy: 'sharp comparisons',
    why: 'The average goes on from chunk to chunk.',
  },
  {
    name: 'keys keep their lengths',
    find: 'let key_factor = key_scale[group.y] / (sqrt(sums.x) + params.eps);',
    replace: 'let key_factor = key_scale[group.y];',
    caughtBy: first,
    why: 'The comparison is of directions: all keys of a head are equally long.',
  },
  {
    name: 'eps is added to the square of a length',
    find: 'let value_factor = value_scale[group.y] / (sqrt(sums.y) + params.eps);',
    replace: 'let value_factor = value_scale[group.y] / sqrt(sums.y + params.eps);',
    caughtBy: 'a large eps',
    why: 'eps is added to the length.',
  },
  {
    name: 'queries stand at the beginning',
    find: 'let first_query = params.seqlen_k - params.seqlen + first_row;',
    replace: 'let first_query = first_row;',
    caughtBy: 'few queries at the end of many tokens',
    why: 'Outputs are of the last seqlen tokens.',
  },
  {
    name: 'the output is not brought to the new maximum',
    find: 'output[4u * c + i] *= rescale[i];',
    replace: '',
    caughtBy: 'sharp comparisons',
    why: 'What was added up under an earlier maximum is too large under a later one.',
  },
  {
    name: 'the first token of all has the average of the masked values',
    find: 'select(exp2(scores[i] - row_max[i]), vec4(0.0), scores[i] <= vec4(MASKED));',
    replace: 'exp2(scores[i] - row_max[i]);',
    caughtBy: 'two tokens',
    why: 'Where all scores are masked their weights are one, not zero; the output of the first token is zero.',
  },
];

const few = 'the first three tokens';

/** Mistakes in mosaic/decode.wgsl. */
export const mosaicDecode: readonly Mistake[] = [
  {
    name: 'a token sees its own pair',
    find: '(vec4(j) < place) &',
    replace: '(vec4(j) <= place) &',
    caughtBy: 'two tokens',
    why: 'A pair that the next token ends is not there yet.',
  },
  {
    name: 'the pair before the new tokens is forgotten',
    find: 'return max(before, 1u) - 1u;',
    replace: 'return before;',
    caughtBy: 'the second token',
    why: 'The last pair in hand is ended by this token, and not in the cache.',
  },
  {
    name: 'the value of the first token of all is taken as of the second',
    find: 'let none = u32(params.seqlen_k == params.seqlen);',
    replace: 'let none = 0u;',
    caughtBy: few,
    why: 'Before the first token of all there is no pair to end, and the row made of nothing is none.',
  },
  {
    name: 'a pair has the key of the token that ends it',
    find: `    key = row_factor(average, key_scale[group.y], column) * average;
    if (inside) {
      queries[at] = key;`,
    replace: `    key = row_factor(average, key_scale[group.y], column) * average;
    if (inside) {
      k_hat[at] = key;
      queries[at] = key;`,
    caughtBy: 'the second token',
    why: 'The value looks one token ahead, the key does not.',
  },
  {
    name: 'the mix is turned round',
    find: 'value = mix[group.y] * own + (1.0 - mix[group.y]) * v[row * width + column];',
    replace: 'value = (1.0 - mix[group.y]) * own + mix[group.y] * v[row * width + column];',
    caughtBy: few,
    why: 'mix is the share of the own value.',
  },
  {
    name: 'the average does not leak',
    find: 'average = kept * average + k[at];',
    replace: 'average += k[at];',
    caughtBy: few,
    why: 'A step keeps e^(-leak) of the average.',
  },
  {
    name: 'splits are merged without their weights',
    find: 'numerator += rescale * partial[(first + split) * width + column];',
    replace: 'numerator += partial[(first + split) * width + column];',
    caughtBy: 'a cache of 600',
    why: 'Each split has weighed by its own maximum.',
  },
  {
    name: 'the last of a group of queries is left out',
    find: 'for (var e = index; e < GROUP * width_v; e += STEP) {',
    replace: 'for (var e = index; e < (GROUP - 1u) * width_v; e += STEP) {',
    caughtBy: 'four tokens',
    why: 'A workgroup has four queries.',
  },
];

const draft = 'four tokens';

/** Mistakes in mosaic/decode-f16.wgsl that its packed cache allows; else it is mosaic/decode.wgsl. */
export const mosaicDecodeF16: readonly Mistake[] = [
  {
    name: 'the second pair of a four is read as the first',
    find: 'return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));',
    replace: 'return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.x));',
    caughtBy: draft,
    why: 'Four numbers are two words.',
  },
  {
    name: 'numbers are packed with those two places on',
    find: 'return vec2(pack2x16float(numbers.xy), pack2x16float(numbers.zw));',
    replace: 'return vec2(pack2x16float(numbers.xz), pack2x16float(numbers.yw));',
    caughtBy: draft,
    why: 'A word holds two neighbours.',
  },
  {
    name: 'the pair that the step ends is looked for in the cache',
    find: 'return max(before, 1u) - 1u;',
    replace: 'return before;',
    caughtBy: draft,
    why: 'It is on its way there, and the row holds whatever it holds.',
  },
];
