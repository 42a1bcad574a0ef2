import type { KeyRange, Options, Shape } from './mechanism.js';
import { sizesOf, switchOption, windowOption } from './sizes.js';

/**
 * Which keys each query of softmax attention sees. Queries are the last `seqlen` of `seqlenK` positions ("bottom-right"
 * alignment, as in FlashAttention 2.1 and later); a window of -1 is unlimited, and causal closes its right side.
 */
export function keyRanges(shape: Shape, options: Options): (query: number) => KeyRange {
  const { seqlen, seqlenK } = sizesOf(shape);
  const [left, windowRight] = windowOption(options, 'window');
  const right = switchOption(options, 'causal') ? 0 : windowRight;
  return (query) => {
    const position = query + seqlenK - seqlen;
    return {
      from: left < 0 ? 0 : Math.min(Math.max(position - left, 0), seqlenK),
      to: right < 0 ? seqlenK : Math.min(Math.max(position + right + 1, 0), seqlenK),
    };
  };
}

/** The keys each query of a sequence sees without windows: queries are the last `seqlen` of its `length` positions. */
export function lastQueries(length: number, seqlen: number, causal: boolean): (query: number) => KeyRange {
  return (query) => ({ from: 0, to: causal ? Math.max(query + 1 + length - seqlen, 0) : length });
}

/** The number of (query, key) pairs that a mask lets one head of `seqlen` queries see. */
export function pairsIn(range: (query: number) => KeyRange, seqlen: number): number {
  let pairs = 0;
  for (let query = 0; query < seqlen; query++) {
    const { from, to } = range(query);
    pairs += Math.max(to - from, 0);
  }
  return pairs;
}

/** The number of (query, key) pairs one head of softmax attention sees. */
export function visiblePairs(shape: Shape, options: Options): number {
  return pairsIn(keyRanges(shape, options), sizesOf(shape).seqlen);
}

/** Which keys each query of linear attention sees: all of them, or, where causal, those up to its own position. */
export function prefixRanges(shape: Shape, causal: boolean): (query: number) => KeyRange {
  const { seqlenK } = sizesOf(shape);
  return (query) => ({ from: 0, to: causal ? Math.min(query + 1, seqlenK) : seqlenK });
}

/**
 * Which keys each query of attention in blocks sees: those of its own block of so many tokens, the last one shorter, and
 * where causal only those up to its own position.
 */
export function blockRanges(seqlen: number, block: number, causal: boolean): (query: number) => KeyRange {
  return (query) => {
    const from = query - (query % block);
    return { from, to: causal ? query + 1 : Math.min(from + block, seqlen) };
  };
}
