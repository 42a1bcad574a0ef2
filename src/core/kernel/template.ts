import { cosformerAttentionTemplate } from './templates/cosformer-attention.js';
import { deltaRuleTemplate } from './templates/delta-rule.js';
import { diagAttentionTemplate } from './templates/diag-attention.js';
import { flashMixedChunkTemplate } from './templates/flash-mixed-chunk.js';
import { gatedAttentionUnitTemplate } from './templates/gated-attention-unit.js';
import { gatedDeltaRuleTemplate } from './templates/gated-delta-rule.js';
import { gatedLinearAttentionTemplate } from './templates/gated-linear-attention.js';
import { groupedLatentAttentionTemplate, multiHeadLatentAttentionTemplate } from './templates/latent-attention.js';
import { groupedTiedAttentionTemplate } from './templates/grouped-tied-attention.js';
import { lightningAttentionTemplate } from './templates/lightning-attention.js';
import { linearAttentionTemplate } from './templates/linear-attention.js';
import { memoryMosaicTemplate } from './templates/memory-mosaic.js';
import { mlpGradientTemplate } from './templates/mlp-gradient.js';
import { newtonSchulzTemplate } from './templates/newton-schulz.js';
import { normAttentionTemplate } from './templates/norm-attention.js';
import { pagedAttentionTemplate } from './templates/paged-attention.js';
import { pagedLatentAttentionTemplate } from './templates/paged-latent-attention.js';
import { performerAttentionTemplate } from './templates/performer-attention.js';
import { polynomialFeaturesTemplate } from './templates/polynomial-features.js';
import { retentionTemplate } from './templates/retention.js';
import { rotaryEmbeddingTemplate } from './templates/rotary-embedding.js';
import { rotatingCacheAttentionTemplate } from './templates/rotating-cache-attention.js';
import { s4Template } from './templates/s4.js';
import { softmaxAttentionTemplate } from './templates/softmax-attention.js';
import { splitKvMergeTemplate } from './templates/split-kv-merge.js';
import { stateSpaceDualityTemplate } from './templates/state-space-duality.js';
import { atlasTemplate } from './templates/atlas.js';
import { titansTemplate } from './templates/titans.js';
import { titansMlpTemplate } from './templates/titans-mlp.js';

const templates: ReadonlyMap<string, string> = new Map([
  ['softmax-attention', softmaxAttentionTemplate],
  ['linear-attention', linearAttentionTemplate],
  ['lightning-attention', lightningAttentionTemplate],
  ['gated-linear-attention', gatedLinearAttentionTemplate],
  ['delta-rule', deltaRuleTemplate],
  ['gated-delta-rule', gatedDeltaRuleTemplate],
  ['newton-schulz', newtonSchulzTemplate],
  ['polynomial-features', polynomialFeaturesTemplate],
  ['retention', retentionTemplate],
  ['state-space-duality', stateSpaceDualityTemplate],
  ['rotary-embedding', rotaryEmbeddingTemplate],
  ['performer-attention', performerAttentionTemplate],
  ['cosformer-attention', cosformerAttentionTemplate],
  ['s4', s4Template],
  ['titans', titansTemplate],
  ['atlas', atlasTemplate],
  ['norm-attention', normAttentionTemplate],
  ['diag-attention', diagAttentionTemplate],
  ['mlp-gradient', mlpGradientTemplate],
  ['titans-mlp', titansMlpTemplate],
  ['multi-head-latent-attention', multiHeadLatentAttentionTemplate],
  ['grouped-latent-attention', groupedLatentAttentionTemplate],
  ['paged-latent-attention', pagedLatentAttentionTemplate],
  ['gated-attention-unit', gatedAttentionUnitTemplate],
  ['flash-mixed-chunk', flashMixedChunkTemplate],
  ['grouped-tied-attention', groupedTiedAttentionTemplate],
  ['split-kv-merge', splitKvMergeTemplate],
  ['memory-mosaic', memoryMosaicTemplate],
  ['rotating-cache-attention', rotatingCacheAttentionTemplate],
  ['paged-attention', pagedAttentionTemplate],
]);

/** The text of a new kernel file for a mechanism: a simple kernel that is right at every shape; null for an unknown id. */
export function templateFor(mechanismId: string): string | null {
  return templates.get(mechanismId) ?? null;
}
