import type { GridCase } from './mechanism.js';

const small = { heads: 4, headsKv: 2, headDim: 32 };

/** The cases a kernel that takes a whole sequence, forward or backward, is held to. */
export const groupedTiedGrid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, headsKv: 1, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { ...small, seqlen: 15, headDim: 16 }, options: {} },
  { name: 'one above a tile of 16', shape: { ...small, seqlen: 17 }, options: {} },
  { name: 'one below a tile of 32, several batches', shape: { ...small, batch: 3, seqlen: 31 }, options: {} },
  { name: 'one above a tile of 32, not causal', shape: { ...small, seqlen: 33 }, options: { causal: false } },
  { name: 'exactly one tile of 64', shape: { heads: 2, headsKv: 1, seqlen: 64 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, headsKv: 2, seqlen: 65 }, options: {} },
  { name: 'a head of 128', shape: { heads: 2, headsKv: 1, seqlen: 50, headDim: 128 }, options: {} },
  {
    name: 'a head of 96, not causal',
    shape: { heads: 1, headsKv: 1, seqlen: 40, headDim: 96 },
    options: { causal: false },
  },
  { name: 'a head of 80', shape: { heads: 2, headsKv: 1, seqlen: 21, headDim: 80 }, options: {} },
  { name: 'a rotated quarter, scale 1/4', shape: { ...small, seqlen: 37, ropeDim: 8 }, options: { scale: 0.25 } },
  { name: 'keys rotated throughout', shape: { ...small, seqlen: 20, ropeDim: 32 }, options: {} },
  { name: 'one tied head for all', shape: { ...small, batch: 2, headsKv: 1, seqlen: 20 }, options: {} },
  { name: 'a tied head for each query head', shape: { ...small, headsKv: 4, seqlen: 18 }, options: {} },
  { name: 'few queries at the end of many keys', shape: { ...small, seqlen: 5, seqlenK: 70 }, options: {} },
  { name: 'queries that see no key', shape: { ...small, seqlen: 40, seqlenK: 21 }, options: {} },
  {
    name: 'fewer keys than queries, not causal',
    shape: { ...small, seqlen: 36, seqlenK: 19 },
    options: { causal: false },
  },
  { name: 'many tiles', shape: { heads: 1, headsKv: 1, seqlen: 200, headDim: 16 }, options: {} },
];

/** The cases a kernel that decodes is held to: one new token or the few of a draft, against a cache. */
export const groupedTiedDecodeGrid: readonly GridCase[] = [
  { name: 'a cache of one token', shape: { ...small, seqlen: 1, seqlenK: 1 }, options: {} },
  {
    name: 'one below a step of 8 keys, several batches',
    shape: { ...small, batch: 3, seqlen: 1, seqlenK: 7 },
    options: {},
  },
  { name: 'a draft of two tokens', shape: { ...small, seqlen: 2, seqlenK: 65 }, options: {} },
  { name: 'a draft of four, several batches', shape: { ...small, batch: 2, seqlen: 4, seqlenK: 37 }, options: {} },
  { name: 'a draft, not causal', shape: { ...small, seqlen: 4, seqlenK: 21 }, options: { causal: false } },
  { name: 'more rows than a tile of 16', shape: { ...small, heads: 12, seqlen: 3, seqlenK: 20 }, options: {} },
  { name: 'one below a split of 128', shape: { ...small, seqlen: 1, seqlenK: 127 }, options: {} },
  { name: 'exactly one split of 128', shape: { ...small, seqlen: 2, seqlenK: 128 }, options: {} },
  { name: 'one above a split of 128', shape: { ...small, seqlen: 2, seqlenK: 129 }, options: {} },
  {
    name: 'several splits, the last one without a key of the first query',
    shape: { ...small, seqlen: 4, seqlenK: 258 },
    options: {},
  },
  { name: 'a head of 128', shape: { heads: 2, headsKv: 1, seqlen: 1, seqlenK: 40, headDim: 128 }, options: {} },
  { name: 'a head of 96', shape: { heads: 2, headsKv: 1, seqlen: 2, seqlenK: 33, headDim: 96 }, options: {} },
  { name: 'a head of 16', shape: { ...small, seqlen: 1, seqlenK: 30, headDim: 16 }, options: {} },
  {
    name: 'a rotated quarter, scale 1/4',
    shape: { ...small, seqlen: 2, seqlenK: 50, ropeDim: 8 },
    options: { scale: 0.25 },
  },
  { name: 'one tied head for all', shape: { ...small, headsKv: 1, seqlen: 2, seqlenK: 30 }, options: {} },
  { name: 'a tied head for each query head', shape: { ...small, headsKv: 4, seqlen: 1, seqlenK: 33 }, options: {} },
  { name: 'as many queries as keys', shape: { ...small, seqlen: 19, seqlenK: 19 }, options: {} },
  { name: 'queries before the first key', shape: { ...small, seqlen: 6, seqlenK: 4 }, options: {} },
];
