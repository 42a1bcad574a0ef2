import type { GridCase } from './mechanism.js';

/** The cases that every kernel of a Memory Mosaic over whole sequences is held to. */
export const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16 }, options: {} },
  { name: 'two tokens', shape: { batch: 2, heads: 2, seqlen: 2, headDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 3, seqlen: 15, headDim: 16 }, options: {} },
  {
    name: 'one above a tile of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32 },
    options: {},
  },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33, headDim: 32 }, options: {} },
  { name: 'one below a tile of 64', shape: { heads: 2, seqlen: 63 }, options: {} },
  { name: 'one above a tile of 64', shape: { heads: 2, seqlen: 65 }, options: {} },
  { name: 'one below a tile of 128, head of 128', shape: { heads: 1, seqlen: 127, headDim: 128 }, options: {} },
  { name: 'no multiple of any tile, head of 96', shape: { heads: 2, seqlen: 100, headDim: 96 }, options: {} },
  { name: 'few queries at the end of many tokens', shape: { heads: 2, seqlen: 5, seqlenK: 90 }, options: {} },
  { name: 'values wider than keys', shape: { heads: 2, seqlen: 40, headDim: 32, headDimV: 64 }, options: {} },
  { name: 'values narrower than keys', shape: { heads: 2, seqlen: 40, headDim: 64, headDimV: 16 }, options: {} },
  { name: 'heads no power of two', shape: { heads: 5, seqlen: 40, headDim: 16, headDimV: 20 }, options: {} },
  { name: 'sharp comparisons', shape: { heads: 2, seqlen: 70, headDim: 16 }, options: { sharpness: 6 } },
  { name: 'a large eps', shape: { heads: 2, seqlen: 40, headDim: 16 }, options: { eps: 2 } },
  { name: 'many tiles', shape: { heads: 2, seqlen: 200, headDim: 16 }, options: {} },
];

/** The cases that kernels which decode are held to: from the first token of all to long caches. */
export const decodeCases: readonly GridCase[] = [
  { name: 'the first token of all', shape: { heads: 2, seqlen: 1, seqlenK: 1, headDim: 16 }, options: {} },
  { name: 'the second token', shape: { heads: 2, seqlen: 1, seqlenK: 2, headDim: 16 }, options: {} },
  { name: 'the first three tokens', shape: { heads: 2, seqlen: 3, seqlenK: 3, headDim: 16 }, options: {} },
  { name: 'a single token', shape: { heads: 4, seqlen: 1, seqlenK: 100 }, options: {} },
  { name: 'several batches', shape: { batch: 3, heads: 2, seqlen: 1, seqlenK: 40, headDim: 32 }, options: {} },
  { name: 'a head of 96', shape: { heads: 2, seqlen: 1, seqlenK: 65, headDim: 96 }, options: {} },
  { name: 'a head of 128', shape: { heads: 2, seqlen: 1, seqlenK: 64, headDim: 128 }, options: {} },
  { name: 'two tokens', shape: { heads: 2, seqlen: 2, seqlenK: 63 }, options: {} },
  { name: 'four tokens', shape: { heads: 2, seqlen: 4, seqlenK: 129, headDim: 32 }, options: {} },
  { name: 'seventeen tokens', shape: { heads: 2, seqlen: 17, seqlenK: 50, headDim: 16 }, options: {} },
  {
    name: 'values wider than keys',
    shape: { heads: 2, seqlen: 2, seqlenK: 70, headDim: 32, headDimV: 64 },
    options: {},
  },
  { name: 'values of 20', shape: { heads: 2, seqlen: 3, seqlenK: 70, headDim: 16, headDimV: 20 }, options: {} },
  { name: 'a cache of 600', shape: { heads: 2, seqlen: 3, seqlenK: 600, headDim: 32 }, options: {} },
  { name: 'sharp comparisons', shape: { heads: 2, seqlen: 1, seqlenK: 300, headDim: 16 }, options: { sharpness: 6 } },
];
