import { latentMechanism } from './latent-attention.js';
import type { Mechanism } from './mechanism.js';

/**
 * Grouped Latent Attention (Zadouri, Strauss, Dao 2025): latent heads of half the width of MLA's, each shared by a group of
 * query heads. Not Gated Linear Attention, which is called GLA too.
 */
export const groupedLatentAttention: Mechanism = latentMechanism({
  id: 'grouped-latent-attention',
  title: 'Grouped Latent Attention',
  summary:
    'o_lat = softmax(scale · (q_lat cᵀ + q_pe k_peᵀ)) c, with a latent c for each group of heads. The GLA of Zadouri et al., not Gated Linear Attention.',
  grouped: true,
  latentDim: 256,
  cases: [
    {
      name: 'a latent head for each query head',
      shape: { heads: 4, headsKv: 4, latentDim: 32, ropeDim: 16, seqlen: 4, seqlenK: 9 },
      options: {},
    },
    {
      name: 'one latent head for all (MLA)',
      shape: { heads: 4, headsKv: 1, latentDim: 32, ropeDim: 16, seqlen: 2, seqlenK: 30 },
      options: {},
    },
    {
      name: 'three latent heads of twelve, several batches',
      shape: { batch: 2, heads: 12, headsKv: 3, latentDim: 32, ropeDim: 16, seqlenK: 33 },
      options: {},
    },
  ],
});
