import type { GridCase } from './mechanism.js';

const small = { heads: 4, latentDim: 32, ropeDim: 16 };

/** The cases every kernel that decodes from latents is held to; nothing absorbed depends on the width of a head. */
export const decodeCases: readonly GridCase[] = [
  { name: 'a cache of one token', shape: { ...small, seqlenK: 1 }, options: {} },
  { name: 'one below a step of 4 keys, several batches', shape: { ...small, batch: 3, seqlenK: 7 }, options: {} },
  { name: 'a draft of two tokens', shape: { ...small, seqlen: 2, seqlenK: 65 }, options: {} },
  { name: 'a draft of four, several batches', shape: { ...small, batch: 2, seqlen: 4, seqlenK: 37 }, options: {} },
  { name: 'a draft, not causal', shape: { ...small, seqlen: 4, seqlenK: 21 }, options: { causal: false } },
  { name: 'more rows than a tile of 16', shape: { ...small, heads: 12, seqlen: 3, seqlenK: 20 }, options: {} },
  { name: 'one below a split of 128', shape: { ...small, latentDim: 64, seqlenK: 127 }, options: {} },
  { name: 'one above a split of 128', shape: { ...small, seqlen: 2, seqlenK: 129 }, options: {} },
  {
    name: 'several splits, the last one without a key of the first query',
    shape: { ...small, seqlen: 4, seqlenK: 258 },
    options: {},
  },
  {
    name: 'latents of no power of two, scale 1/4',
    shape: { ...small, latentDim: 100, ropeDim: 20, seqlenK: 50 },
    options: { scale: 0.25 },
  },
  { name: 'latents of 256', shape: { ...small, heads: 2, latentDim: 256, ropeDim: 64, seqlenK: 40 }, options: {} },
  { name: 'latents of 128', shape: { ...small, heads: 2, latentDim: 128, ropeDim: 32, seqlenK: 64 }, options: {} },
  { name: 'exactly one split of 128', shape: { ...small, seqlen: 2, seqlenK: 128 }, options: {} },
  { name: 'as many queries as keys', shape: { ...small, seqlen: 19, seqlenK: 19 }, options: {} },
  { name: 'queries before the first key', shape: { ...small, seqlen: 6, seqlenK: 4 }, options: {} },
];

const wide = { heads: 2, latentDim: 32, ropeDim: 16, headDim: 16 };

/** As many keys as queries. */
function square(tokens: number): { readonly seqlen: number; readonly seqlenK: number } {
  return { seqlen: tokens, seqlenK: tokens };
}

/** The cases every kernel that writes out keys and values is held to. */
export const prefillCases: readonly GridCase[] = [
  { name: 'a single token', shape: { ...wide, ...square(1) }, options: {} },
  { name: 'one below a tile of 32', shape: { ...wide, ...square(31) }, options: {} },
  { name: 'exactly one tile of 32', shape: { ...wide, ...square(32) }, options: {} },
  { name: 'one above a tile of 64', shape: { ...wide, ...square(65) }, options: {} },
  { name: 'several batches and heads', shape: { ...wide, batch: 2, heads: 4, ...square(20) }, options: {} },
  { name: 'four tiles of keys and an odd tail', shape: { ...wide, ...square(133) }, options: {} },
  { name: 'a prompt that goes on', shape: { ...wide, seqlen: 19, seqlenK: 83 }, options: {} },
  { name: 'queries before the first key', shape: { ...wide, seqlen: 40, seqlenK: 33 }, options: {} },
  { name: 'not causal', shape: { ...wide, seqlen: 37, seqlenK: 45 }, options: { causal: false } },
  { name: 'latents of 512', shape: { ...wide, latentDim: 512, ...square(33) }, options: {} },
  {
    name: 'latents of no power of two, scale 1/4',
    shape: { ...wide, latentDim: 100, ropeDim: 20, ...square(34) },
    options: { scale: 0.25 },
  },
  { name: 'heads of 20', shape: { ...wide, headDim: 20, ...square(21) }, options: {} },
  { name: 'heads of 96 and 32 rotated', shape: { ...wide, ropeDim: 32, headDim: 96, ...square(35) }, options: {} },
  {
    name: 'heads of 128 and 64 rotated',
    shape: { ...wide, latentDim: 64, ropeDim: 64, headDim: 128, ...square(66) },
    options: {},
  },
  { name: 'values wider than keys', shape: { ...wide, headDim: 32, headDimV: 64, ...square(40) }, options: {} },
  { name: 'values narrower than keys', shape: { ...wide, headDim: 64, headDimV: 16, ...square(40) }, options: {} },
  { name: 'values of 160', shape: { ...wide, headDimV: 160, ...square(38) }, options: {} },
  { name: 'four numbers rotated', shape: { ...wide, ropeDim: 4, ...square(36) }, options: {} },
];
