import { atlas } from './atlas.js';
import { cosformerAttention } from './cosformer-attention.js';
import { deltaRule, gatedDeltaRule } from './delta-rule.js';
import { diagAttention } from './diag-attention.js';
import { flashMixedChunk } from './flash-mixed-chunk.js';
import { gatedAttentionUnit } from './gated-attention-unit.js';
import { gatedLinearAttention } from './gated-linear-attention.js';
import { groupedLatentAttention } from './grouped-latent-attention.js';
import { groupedTiedAttention } from './grouped-tied-attention.js';
import { lightningAttention } from './lightning-attention.js';
import { linearAttention } from './linear-attention.js';
import { memoryMosaic } from './memory-mosaic.js';
import type { Computation, Direction, Mechanism, Options, OptionValue, Shape } from './mechanism.js';
import { mlpGradient } from './mlp-gradient.js';
import { multiHeadLatentAttention } from './multi-head-latent-attention.js';
import { newtonSchulzIteration } from './newton-schulz.js';
import { normAttention } from './norm-attention.js';
import { pagedAttention } from './paged-attention.js';
import { pagedLatentAttention } from './paged-latent-attention.js';
import { performerAttention } from './performer-attention.js';
import { polynomialFeatures } from './polynomial-features.js';
import { retention } from './retention.js';
import { rotaryEmbedding } from './rotary-embedding.js';
import { rotatingCacheAttention } from './rotating-cache-attention.js';
import { elementCount, fallbackSize, tensorDims } from './sizes.js';
import { s4 } from './s4.js';
import { softmaxAttention } from './softmax-attention.js';
import { splitKvMerge } from './split-kv-merge.js';
import { stateSpaceDuality } from './state-space-duality.js';
import { titans } from './titans.js';
import { titansMlp } from './titans-mlp.js';

/** Every mechanism Tilescope knows. */
export const mechanisms: readonly Mechanism[] = [
  softmaxAttention,
  linearAttention,
  lightningAttention,
  gatedLinearAttention,
  deltaRule,
  gatedDeltaRule,
  newtonSchulzIteration,
  polynomialFeatures,
  retention,
  stateSpaceDuality,
  rotaryEmbedding,
  performerAttention,
  cosformerAttention,
  s4,
  titans,
  atlas,
  normAttention,
  diagAttention,
  mlpGradient,
  titansMlp,
  multiHeadLatentAttention,
  groupedLatentAttention,
  pagedLatentAttention,
  gatedAttentionUnit,
  flashMixedChunk,
  groupedTiedAttention,
  splitKvMerge,
  memoryMosaic,
  rotatingCacheAttention,
  pagedAttention,
];

/** The mechanism of an id, or null where there is none. */
export function findMechanism(id: string): Mechanism | null {
  return mechanisms.find((mechanism) => mechanism.id === id) ?? null;
}

/** The computation of a mechanism in a direction, or null where it has none. */
export function findComputation(mechanism: Mechanism, direction: Direction): Computation | null {
  return mechanism.computations.find((computation) => computation.direction === direction) ?? null;
}

/** All sizes of a mechanism, those not given from its fallbacks. Names it does not have are left out. */
export function completeShape(mechanism: Mechanism, given: Shape): Shape {
  const shape: Record<string, number> = {};
  const sizeOf = (name: string): number => {
    const dimension = mechanism.dimensions.find((candidate) => candidate.name === name);
    if (dimension === undefined) throw new Error(`Bug in Tilescope: a fallback names ${name}, which is no dimension.`);
    return given[name] ?? fallbackSize(dimension, sizeOf);
  };
  for (const { name } of mechanism.dimensions) shape[name] = sizeOf(name);
  return shape;
}

/** All options of a mechanism at a complete shape, those not given from its fallbacks. Unknown names are left out. */
export function completeOptions(mechanism: Mechanism, shape: Shape, given: Options): Options {
  const options: Record<string, OptionValue> = {};
  for (const spec of mechanism.options) {
    const fallback = typeof spec.fallback === 'function' ? spec.fallback(shape) : spec.fallback;
    options[spec.name] = given[spec.name] ?? fallback;
  }
  return options;
}

/** A tensor a kernel binds, and the width of its elements in memory. */
export interface BoundTensor {
  readonly name: string;
  readonly bytesPerElement: number;
}

/** Bytes that no kernel can avoid: each bound tensor moved once. Names the computation does not have count nothing. */
export function compulsoryBytes(computation: Computation, shape: Shape, boundTensors: readonly BoundTensor[]): number {
  let bytes = 0;
  for (const { name, bytesPerElement } of boundTensors) {
    const spec = computation.tensors.find((tensor) => tensor.name === name);
    if (spec !== undefined) bytes += elementCount(tensorDims(spec.dims, shape)) * bytesPerElement;
  }
  return bytes;
}
