import type { GridCase } from './mechanism.js';

const large = { stepKind: 'large' };

/** The cases that every kernel of Mamba-2's layer over whole sequences is held to. Chunks are of 64 or 128 tokens. */
export const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 2, seqlen: 1, headDim: 16, stateDim: 16 }, options: {} },
  { name: 'one below a tile of 16', shape: { heads: 2, seqlen: 15, headDim: 16, stateDim: 16 }, options: {} },
  {
    name: 'one above a tile of 16, several batches',
    shape: { batch: 3, heads: 2, seqlen: 17, headDim: 32, stateDim: 16 },
    options: {},
  },
  { name: 'one below a tile of 32', shape: { heads: 2, seqlen: 31, headDim: 64, stateDim: 64 }, options: {} },
  { name: 'one above a tile of 32', shape: { heads: 2, seqlen: 33, headDim: 32, stateDim: 32 }, options: {} },
  { name: 'one below a chunk of 64', shape: { heads: 2, seqlen: 63, headDim: 32, stateDim: 32 }, options: {} },
  { name: 'exactly one chunk of 64', shape: { heads: 2, seqlen: 64, headDim: 16, stateDim: 16 }, options: {} },
  { name: 'one above a chunk of 64', shape: { heads: 2, seqlen: 65, headDim: 64, stateDim: 64 }, options: {} },
  {
    name: 'one below two chunks, heads and states of 128',
    shape: { heads: 1, seqlen: 127, headDim: 128, stateDim: 128 },
    options: {},
  },
  {
    name: 'one above two chunks, heads and states of 96',
    shape: { heads: 1, seqlen: 129, headDim: 96, stateDim: 96 },
    options: {},
  },
  { name: 'states wider than heads', shape: { heads: 2, seqlen: 40, headDim: 32, stateDim: 128 }, options: {} },
  { name: 'heads wider than states', shape: { heads: 2, seqlen: 40, headDim: 64, stateDim: 16 }, options: {} },
  {
    name: 'two groups of three heads',
    shape: { batch: 2, heads: 6, groups: 2, seqlen: 70, headDim: 16, stateDim: 32 },
    options: {},
  },
  {
    name: 'a group for every head',
    shape: { heads: 3, groups: 3, seqlen: 40, headDim: 16, stateDim: 16 },
    options: {},
  },
  { name: 'steps that forget at once', shape: { heads: 2, seqlen: 100, headDim: 16, stateDim: 16 }, options: large },
  {
    name: 'steps of one',
    shape: { heads: 2, seqlen: 100, headDim: 32, stateDim: 16 },
    options: { stepKind: 'unit' },
  },
  {
    name: 'many chunks, no multiple of any',
    shape: { heads: 2, seqlen: 300, headDim: 32, stateDim: 32 },
    options: {},
  },
];

/** The cases that kernels which decode are held to: one token, the few of a draft and more, at widths from 16 to 128. */
export const decodeCases: readonly GridCase[] = [
  { name: 'a single token', shape: { heads: 4, seqlen: 1 }, options: {} },
  { name: 'several batches', shape: { batch: 3, heads: 2, seqlen: 1, headDim: 32, stateDim: 32 }, options: {} },
  { name: 'heads and states of 16', shape: { heads: 3, seqlen: 1, headDim: 16, stateDim: 16 }, options: {} },
  { name: 'heads and states of 96', shape: { heads: 2, seqlen: 1, headDim: 96, stateDim: 96 }, options: {} },
  { name: 'heads and states of 128', shape: { heads: 2, seqlen: 1, headDim: 128 }, options: {} },
  { name: 'two tokens', shape: { heads: 2, seqlen: 2, stateDim: 64 }, options: {} },
  {
    name: 'four tokens, several batches',
    shape: { batch: 2, heads: 2, seqlen: 4, headDim: 32, stateDim: 32 },
    options: {},
  },
  { name: 'seventeen tokens', shape: { heads: 2, seqlen: 17, headDim: 16, stateDim: 16 }, options: {} },
  { name: 'states wider than heads', shape: { heads: 2, seqlen: 2, headDim: 16 }, options: {} },
  { name: 'heads wider than states', shape: { heads: 2, seqlen: 2, headDim: 64, stateDim: 16 }, options: {} },
  { name: 'heads of 20', shape: { heads: 2, seqlen: 3, headDim: 20, stateDim: 16 }, options: {} },
  {
    name: 'two groups of three heads',
    shape: { batch: 2, heads: 6, groups: 2, seqlen: 3, headDim: 16, stateDim: 32 },
    options: {},
  },
  { name: 'steps that forget at once', shape: { heads: 2, seqlen: 4, stateDim: 32 }, options: large },
  { name: 'steps of one', shape: { heads: 2, seqlen: 4, stateDim: 32 }, options: { stepKind: 'unit' } },
];
