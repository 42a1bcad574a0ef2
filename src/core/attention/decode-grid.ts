import type { GridCase, Options } from './mechanism.js';

/**
 * The cases every kernel that decodes a state is held to: one token, the few of a draft and more, at widths from 16 to
 * 128, with a mechanism's own cases after them. `options` go to all of the former.
 */
export function decodeGrid(options: Options, own: readonly GridCase[]): readonly GridCase[] {
  return [
    { name: 'a single token', shape: { heads: 4, seqlen: 1 }, options },
    { name: 'several batches', shape: { batch: 3, heads: 2, seqlen: 1, headDim: 32 }, options },
    { name: 'a head of 16', shape: { heads: 3, seqlen: 1, headDim: 16 }, options },
    { name: 'a head of 96', shape: { heads: 2, seqlen: 1, headDim: 96 }, options },
    { name: 'a head of 128', shape: { heads: 2, seqlen: 1, headDim: 128 }, options },
    { name: 'two tokens', shape: { heads: 2, seqlen: 2 }, options },
    { name: 'three tokens', shape: { heads: 2, seqlen: 3, headDim: 32 }, options },
    { name: 'four tokens, several batches', shape: { batch: 2, heads: 2, seqlen: 4, headDim: 32 }, options },
    { name: 'seventeen tokens', shape: { heads: 2, seqlen: 17, headDim: 16 }, options },
    { name: 'values wider than keys', shape: { heads: 2, seqlen: 2, headDim: 32, headDimV: 64 }, options },
    { name: 'values narrower than keys', shape: { heads: 2, seqlen: 2, headDim: 64, headDimV: 16 }, options },
    { name: 'values of 20', shape: { heads: 2, seqlen: 3, headDim: 16, headDimV: 20 }, options },
    ...own,
  ];
}
