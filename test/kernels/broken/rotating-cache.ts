import type { Mistake } from './mistake.js';

const everyFill = 'several tokens to streams of every fill';

/** Mistakes in rotating-cache/decode.wgsl and in rotating-cache/decode-f16.wgsl, which are one algorithm. */
export const rotatingCacheDecode: readonly Mistake[] = [
  {
    name: 'the ring does not close',
    find: 'return select(ahead, ahead - params.capacity, ahead >= params.capacity);',
    replace: 'return min(ahead, params.capacity - 1u);',
    caughtBy: 'one above a step of 16 keys',
    why: 'After the last slot comes the first: the newest tokens lie before the oldest.',
  },
  {
    name: 'the slots are read from the first one on',
    find: 'let ahead = oldest + token;',
    replace: 'let ahead = token;',
    caughtBy: 'streams of every fill',
    why: 'A ring that is not full has its tokens before position; the first slots may hold anything.',
  },
  {
    name: 'all streams are as full as the first',
    find: 'let cached = fill[stream];',
    replace: 'let cached = fill[0];',
    caughtBy: 'streams of every fill',
    why: 'A stream that was reset has no cached token, whatever the others have.',
  },
  {
    name: 'a new token sees those after it',
    find: 'cached + row % params.seqlen + 1u',
    replace: 'cached + params.seqlen',
    caughtBy: everyFill,
    why: 'Of the new tokens, each sees those up to itself.',
  },
  {
    name: 'new tokens do not see each other',
    find: 'let end = min(begin + SPLIT, cached + params.seqlen);',
    replace: 'let end = min(begin + SPLIT, cached + 1u);',
    caughtBy: everyFill,
    why: 'The second token of a step sees the first, which is in no slot yet.',
  },
  {
    name: 'parts without keys are merged too',
    find: 'let used = (fill[group.z] + params.seqlen + SPLIT - 1u) / SPLIT;',
    replace: 'let used = parts();',
    caughtBy: 'several parts',
    why: 'Nobody writes the parts of a stream beyond its keys.',
  },
  {
    name: 'new tokens are written before position',
    find: 'let ahead = (slot + params.capacity - start) % params.capacity;',
    replace: 'let ahead = (slot + params.capacity - start + params.seqlen) % params.capacity;',
    caughtBy: 'one above a step of 16 keys',
    why: 'They overwrite the newest tokens, not the oldest.',
  },
  {
    name: 'the oldest token of a ring is lost',
    find: 'back <= held',
    replace: 'back < held',
    caughtBy: 'streams of every fill',
    why: 'A ring of fill tokens reaches fill slots back from position.',
  },
];
