import { cosformerBackward, cosformerChunked, cosformerDecode, cosformerDecodeF16 } from './broken/cosformer.js';
import { deltaChunked, deltaDecode, gatedDeltaChunked, gatedDeltaDecode } from './broken/delta.js';
import {
  gatedBackward,
  gatedChunked,
  gatedDecode,
  gatedDecodeF16,
  gatedSimple,
  gatedSimpleBackward,
} from './broken/gated-linear.js';
import {
  lightning1,
  lightning2,
  lightning2Loop,
  lightningBackward,
  lightningDecode,
  lightningDecodeF16,
} from './broken/lightning.js';
import { flashMixedChunk } from './broken/flash-mixed-chunk.js';
import { gatedUnit } from './broken/gated-unit.js';
import {
  groupedTiedBackward,
  groupedTiedDecode,
  groupedTiedDecodeF16,
  groupedTiedPrefill,
} from './broken/grouped-tied.js';
import {
  groupedLatentDecode,
  latentDecode,
  latentDecodeF16,
  latentPrefill,
  pagedLatentDecode,
} from './broken/latent.js';
import { leftProduct, linearBackward, linearDecode, linearDecodeF16, rightProduct } from './broken/linear.js';
import type { Mistake } from './broken/mistake.js';
import { mosaicContextMemory, mosaicDecode, mosaicDecodeF16 } from './broken/memory-mosaic.js';
import { mlpGradientKernel } from './broken/mlp-gradient.js';
import { pagedDecode } from './broken/paged.js';
import { favor, favorBackward } from './broken/performer.js';
import { newtonSchulz } from './broken/newton-schulz.js';
import { polynomialExpand } from './broken/polynomial-features.js';
import { retentionBackward, retentionChunked, retentionDecode, retentionDecodeF16 } from './broken/retention.js';
import { rotate, rotateBack } from './broken/rotary-embedding.js';
import { rotatingCacheDecode } from './broken/rotating-cache.js';
import { s4Chunked, s4Decode, s4DecodeF16 } from './broken/s4.js';
import { slidingWindow } from './broken/sliding-window.js';
import { flash, naive, softmaxBackward, softmaxDecode } from './broken/softmax.js';
import { softmaxDecodeF16 } from './broken/softmax-decode-f16.js';
import { splitKvMerge } from './broken/split-kv.js';
import { stateSpaceChunked, stateSpaceDecode, stateSpaceDecodeF16 } from './broken/state-space.js';
import { atlasOmega } from './broken/atlas.js';
import { titansChunked, titansDecode, titansDecodeF16 } from './broken/titans.js';
import { titansMlpChunked } from './broken/titans-mlp.js';
import { diagAttention, normAttention, normAttentionBackward } from './broken/transnormer.js';

/** A built-in kernel, below `shaders/`, with one mistake in it. */
export interface BrokenKernel extends Mistake {
  readonly file: string;
}

function inFile(file: string, mistakes: readonly Mistake[]): BrokenKernel[] {
  return mistakes.map((mistake) => ({ ...mistake, file }));
}

/** Mistakes that the verdict must find, each by the one case it names. */
export const brokenKernels: readonly BrokenKernel[] = [
  ...inFile('softmax/naive.wgsl', naive),
  ...inFile('softmax/flash.wgsl', flash),
  ...inFile('softmax/backward.wgsl', softmaxBackward),
  ...inFile('softmax/decode.wgsl', softmaxDecode),
  ...inFile('softmax/decode-f16.wgsl', softmaxDecodeF16),
  ...inFile('softmax/sliding-window.wgsl', slidingWindow),
  ...inFile('softmax/paged-decode.wgsl', pagedDecode),
  ...inFile('split-kv/merge.wgsl', splitKvMerge),
  ...inFile('linear/left-product.wgsl', leftProduct),
  ...inFile('linear/right-product.wgsl', rightProduct),
  ...inFile('linear/backward.wgsl', linearBackward),
  ...inFile('linear/decode.wgsl', linearDecode),
  ...inFile('linear/decode-f16.wgsl', linearDecodeF16),
  ...inFile('lightning/lightning1.wgsl', lightning1),
  ...inFile('lightning/lightning2.wgsl', lightning2),
  ...inFile('lightning/lightning2-loop.wgsl', lightning2Loop),
  ...inFile('lightning/backward.wgsl', lightningBackward),
  ...inFile('lightning/decode.wgsl', lightningDecode),
  ...inFile('lightning/decode-f16.wgsl', lightningDecodeF16),
  ...inFile('gated-linear/chunked.wgsl', gatedChunked),
  ...inFile('gated-linear/simple.wgsl', gatedSimple),
  ...inFile('gated-linear/decode.wgsl', gatedDecode),
  ...inFile('gated-linear/decode-f16.wgsl', gatedDecodeF16),
  ...inFile('gated-linear/backward.wgsl', gatedBackward),
  ...inFile('gated-linear/simple-backward.wgsl', gatedSimpleBackward),
  ...inFile('delta/chunked.wgsl', deltaChunked),
  ...inFile('delta/decode.wgsl', deltaDecode),
  ...inFile('delta/decode-f16.wgsl', deltaDecode),
  ...inFile('gated-delta/chunked.wgsl', gatedDeltaChunked),
  ...inFile('gated-delta/decode.wgsl', gatedDeltaDecode),
  ...inFile('gated-delta/decode-f16.wgsl', gatedDeltaDecode),
  ...inFile('newton-schulz/newton-schulz.wgsl', newtonSchulz),
  ...inFile('polynomial-features/polynomial-features.wgsl', polynomialExpand),
  ...inFile('retention/chunked.wgsl', retentionChunked),
  ...inFile('retention/backward.wgsl', retentionBackward),
  ...inFile('retention/decode.wgsl', retentionDecode),
  ...inFile('retention/decode-f16.wgsl', retentionDecodeF16),
  ...inFile('state-space/chunked.wgsl', stateSpaceChunked),
  ...inFile('state-space/decode.wgsl', stateSpaceDecode),
  ...inFile('state-space/decode-f16.wgsl', stateSpaceDecodeF16),
  ...inFile('rotary-embedding/rotate.wgsl', rotate),
  ...inFile('rotary-embedding/rotate-back.wgsl', rotateBack),
  ...inFile('performer/favor.wgsl', favor),
  ...inFile('performer/favor-backward.wgsl', favorBackward),
  ...inFile('cosformer/chunked.wgsl', cosformerChunked),
  ...inFile('cosformer/backward.wgsl', cosformerBackward),
  ...inFile('cosformer/decode.wgsl', cosformerDecode),
  ...inFile('cosformer/decode-f16.wgsl', cosformerDecodeF16),
  ...inFile('s4/chunked.wgsl', s4Chunked),
  ...inFile('s4/decode.wgsl', s4Decode),
  ...inFile('s4/decode-f16.wgsl', s4DecodeF16),
  ...inFile('titans/chunked.wgsl', titansChunked),
  ...inFile('titans/decode.wgsl', titansDecode),
  ...inFile('titans/decode-f16.wgsl', titansDecodeF16),
  ...inFile('atlas/omega.wgsl', atlasOmega),
  ...inFile('transnormer/norm-attention.wgsl', normAttention),
  ...inFile('transnormer/norm-attention-backward.wgsl', normAttentionBackward),
  ...inFile('transnormer/diag-attention.wgsl', diagAttention),
  ...inFile('mlp-gradient/mlp-gradient.wgsl', mlpGradientKernel),
  ...inFile('titans-mlp/chunked.wgsl', titansMlpChunked),
  ...inFile('mla/prefill.wgsl', latentPrefill),
  ...inFile('mla/decode.wgsl', latentDecode),
  ...inFile('mla/decode-f16.wgsl', latentDecodeF16),
  ...inFile('grouped-latent/decode.wgsl', groupedLatentDecode),
  ...inFile('grouped-latent/paged-decode.wgsl', pagedLatentDecode),
  ...inFile('gated-unit/forward.wgsl', gatedUnit),
  ...inFile('flash-mixed-chunk/forward.wgsl', flashMixedChunk),
  ...inFile('grouped-tied/prefill.wgsl', groupedTiedPrefill),
  ...inFile('grouped-tied/decode.wgsl', groupedTiedDecode),
  ...inFile('grouped-tied/decode-f16.wgsl', groupedTiedDecodeF16),
  ...inFile('grouped-tied/backward.wgsl', groupedTiedBackward),
  ...inFile('mosaic/context-memory.wgsl', mosaicContextMemory),
  ...inFile('mosaic/decode.wgsl', mosaicDecode),
  ...inFile('mosaic/decode-f16.wgsl', mosaicDecodeF16),
  ...inFile('rotating-cache/decode.wgsl', rotatingCacheDecode),
  ...inFile('rotating-cache/decode-f16.wgsl', rotatingCacheDecode),
];
