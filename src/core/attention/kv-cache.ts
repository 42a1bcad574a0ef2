/**
 * What a mechanism with a growing cache keeps of a token, and how that is dealt out to devices (tensor parallelism).
 * Sizes are elements; the formulas are those of Zadouri, Strauss, Dao, *Hardware-Efficient Attention for Fast Decoding*
 * (arXiv:2505.21487), §3.1 to 3.3 and tables 1, 5 and 26.
 */
export interface KvCache {
  /** Short name in the field's words: MHA, GQA-8, GLA-2. */
  readonly name: string;
  readonly title: string;
  /** Query heads. */
  readonly heads: number;
  /** Heads of the cache that are dealt out to devices: key and value, tied, or latent heads. */
  readonly cachedHeads: number;
  /** Elements of a token in one of them: keys and values together. */
  readonly headWidth: number;
  /** Keys and values are the same elements, or keys a part of them: what is read once serves as both. */
  readonly tied: boolean;
  /** Elements of a token that every device keeps, whatever heads it has: the rotated slice of the keys. */
  readonly sharedWidth: number;
  /** Width of a query's product with a key (headDim, or latent and rotated part), and of a value as the cache has it. */
  readonly keyWidth: number;
  readonly valueWidth: number;
}

/** The attention layer whose caches are compared. */
export interface KvLayer {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads of GQA and GTA, a divisor of heads. */
  readonly headsKv: number;
  readonly headDim: number;
  /** Latent heads of Grouped Latent Attention, a divisor of heads. */
  readonly latentHeads: number;
}

/**
 * The caches of one layer under each mechanism, widest first: multi-head, grouped-query, multi-query, Grouped-Tied,
 * multi-head latent and Grouped Latent attention. MLA keeps a latent of 4 headDim, Grouped Latent Attention latents of
 * 2 headDim; both, and Grouped-Tied Attention, a rotated slice of headDim / 2 that all heads share.
 */
export function kvCaches({ heads, headsKv, headDim, latentHeads }: KvLayer): readonly KvCache[] {
  const untied = { heads, tied: false, headWidth: 2 * headDim, sharedWidth: 0, keyWidth: headDim, valueWidth: headDim };
  const rotated = headDim / 2;
  const latent = (name: string, title: string, cachedHeads: number, width: number): KvCache => ({
    ...{ name, title, heads, cachedHeads, tied: true },
    ...{ headWidth: width, sharedWidth: rotated, keyWidth: width + rotated, valueWidth: width },
  });
  return [
    { ...untied, name: 'MHA', title: 'multi-head attention', cachedHeads: heads },
    { ...untied, name: `GQA-${headsKv}`, title: 'grouped-query attention', cachedHeads: headsKv },
    { ...untied, name: 'MQA', title: 'multi-query attention', cachedHeads: 1 },
    {
      ...{ name: `GTA-${headsKv}`, title: 'Grouped-Tied Attention', heads, cachedHeads: headsKv, tied: true },
      ...{ headWidth: headDim, sharedWidth: rotated, keyWidth: headDim, valueWidth: headDim },
    },
    latent('MLA', 'multi-head latent attention', 1, 4 * headDim),
    latent(`GLA-${latentHeads}`, 'Grouped Latent Attention', latentHeads, 2 * headDim),
  ];
}

/** What is wrong with a layer, in words, or null. */
export function invalidLayer(layer: KvLayer): string | null {
  for (const [name, size] of Object.entries(layer)) {
    if (!Number.isInteger(size) || size < 1) return `${name} is ${size}, and must be a whole number of at least 1.`;
  }
  const { heads, headsKv, headDim, latentHeads } = layer;
  if (heads % headsKv !== 0) return `headsKv is ${headsKv}, and must divide the ${heads} query heads.`;
  if (heads % latentHeads !== 0) return `latentHeads is ${latentHeads}, and must divide the ${heads} query heads.`;
  return headDim % 2 === 0 ? null : `headDim is ${headDim}, and must be even: half of it is rotated.`;
}

/** One device's share of a cache, where `devices` of them deal the heads out among themselves. */
export interface KvShard {
  readonly devices: number;
  /** Elements the device keeps of each token, in one layer. */
  readonly elementsPerToken: number;
  /** Devices that keep the same head: 1 where no head is kept twice. */
  readonly duplication: number;
}

/** The share of the device that has most: heads that do not divide evenly are rounded up. */
export function kvShard(cache: KvCache, devices: number): KvShard {
  return {
    devices,
    elementsPerToken: Math.ceil(cache.cachedHeads / devices) * cache.headWidth + cache.sharedWidth,
    duplication: Math.ceil(devices / cache.cachedHeads),
  };
}

/**
 * The cached heads that one device (from 0) of several keeps: neighbours where there are heads enough, else the one head of
 * its query heads, which other devices keep as well.
 */
export function heldHeads({ cachedHeads }: KvCache, devices: number, device: number): readonly number[] {
  if (devices >= cachedHeads) return [Math.floor((device * cachedHeads) / devices)];
  const each = Math.ceil(cachedHeads / devices);
  const held = Math.min(each, Math.max(0, cachedHeads - device * each));
  return Array.from({ length: held }, (_, at) => device * each + at);
}

/** How a decode step meets the cache. */
export interface DecodeStep {
  /** Tokens in the cache. */
  readonly context: number;
  /** New tokens a sequence brings at once: 1, or the tokens of a draft. */
  readonly queries: number;
  readonly bytesPerElement: number;
}

/**
 * Floating-point operations per byte of one decode step on one device, 2 for each multiply-add: its query heads meet every
 * cached token, and the cache, the queries and the outputs move once.
 */
export function decodeIntensity(
  cache: KvCache,
  shard: KvShard,
  { context, queries, bytesPerElement }: DecodeStep,
): number {
  const rows = queries * Math.ceil(cache.heads / shard.devices);
  const width = cache.keyWidth + cache.valueWidth;
  return (2 * rows * width * context) / (bytesPerElement * (shard.elementsPerToken * context + rows * width));
}
