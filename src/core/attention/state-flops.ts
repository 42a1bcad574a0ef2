import type { Shape } from './mechanism.js';
import { sizesOf } from './sizes.js';

/**
 * Operations of a recurrence that multiplies its state of headDim × headDimV so many times for each token and head,
 * 2 for each multiply-add; what a chunked kernel adds inside its chunks is not asked for by the mathematics.
 */
export function stateFlops(shape: Shape, productsPerToken: number): number {
  const { batch, heads, seqlen, headDim, headDimV } = sizesOf(shape);
  return 2 * productsPerToken * batch * heads * seqlen * headDim * headDimV;
}
