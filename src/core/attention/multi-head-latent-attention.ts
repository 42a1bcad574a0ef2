import { latentMechanism } from './latent-attention.js';
import type { Mechanism } from './mechanism.js';

/** Multi-head latent attention (MLA; DeepSeek-V2, 2024): one latent of a token is the keys and values of all heads. */
export const multiHeadLatentAttention: Mechanism = latentMechanism({
  id: 'multi-head-latent-attention',
  title: 'Multi-head latent attention (MLA)',
  summary: 'o_lat = softmax(scale · (q_lat cᵀ + q_pe k_peᵀ)) c: one latent c of a token is key and value of all heads.',
  grouped: false,
  latentDim: 512,
  cases: [],
});
