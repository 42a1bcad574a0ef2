import { describe, expect, it } from 'vitest';
import {
  decodeIntensity,
  heldHeads,
  invalidLayer,
  kvCaches,
  kvShard,
  type KvCache,
} from '../../../src/core/attention/kv-cache.js';

function cacheNamed(caches: readonly KvCache[], name: string): KvCache {
  const found = caches.find((cache) => cache.name === name);
  if (!found) throw new Error(`There is no ${name} among ${caches.map((cache) => cache.name).join(', ')}.`);
  return found;
}

describe('the cache of a token on one device', () => {
  // Table 5 of arXiv:2505.21487: 16 query heads of 128 in bf16, bytes on 1 and 2 devices.
  const small = kvCaches({ heads: 16, headsKv: 4, headDim: 128, latentHeads: 2 });
  for (const [name, one, two] of [
    ['MHA', 8192, 4096],
    ['GQA-4', 2048, 1024],
    ['GTA-4', 1152, 640],
    ['GLA-2', 1152, 640],
    ['MLA', 1152, 1152],
  ] as const) {
    it(`${name} takes ${one} bytes, ${two} on each of two devices`, () => {
      const bytes = [1, 2].map((devices) => 2 * kvShard(cacheNamed(small, name), devices).elementsPerToken);
      expect(bytes).toEqual([one, two]);
    });
  }

  // Table 26: the shape of Llama 3 8B, in widths of a head, on 1, 2, 4 and 8 devices.
  const llama = kvCaches({ heads: 32, headsKv: 8, headDim: 128, latentHeads: 2 });
  for (const [name, widths] of [
    ['MHA', [64, 32, 16, 8]],
    ['GQA-8', [16, 8, 4, 2]],
    ['MQA', [2, 2, 2, 2]],
    ['MLA', [4.5, 4.5, 4.5, 4.5]],
    ['GLA-2', [4.5, 2.5, 2.5, 2.5]],
    ['GTA-8', [8.5, 4.5, 2.5, 1.5]],
  ] as const) {
    it(`${name} takes ${widths.join(', ')} head widths`, () => {
      const cache = cacheNamed(llama, name);
      expect([1, 2, 4, 8].map((devices) => kvShard(cache, devices).elementsPerToken / 128)).toEqual(widths);
    });
  }

  it('is kept twice where there are more devices than heads', () => {
    const copies = (name: string): number[] =>
      [1, 2, 4, 8].map((devices) => kvShard(cacheNamed(llama, name), devices).duplication);
    expect(copies('MHA')).toEqual([1, 1, 1, 1]);
    expect(copies('GQA-8')).toEqual([1, 1, 1, 1]);
    expect(copies('GLA-2')).toEqual([1, 1, 2, 4]);
    expect(copies('MLA')).toEqual([1, 2, 4, 8]);
  });
});

describe('the heads that a device keeps', () => {
  const latent = kvCaches({ heads: 24, headsKv: 6, headDim: 128, latentHeads: 2 });
  const held = (name: string, devices: number): (readonly number[])[] =>
    Array.from({ length: devices }, (_, device) => heldHeads(cacheNamed(latent, name), devices, device));

  it('are neighbours, and each is kept once where there are heads enough', () => {
    expect(held('GQA-6', 2)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  it('are rounded up to whole ones: the last device has fewer', () => {
    expect(held('GQA-6', 4)).toEqual([[0, 1], [2, 3], [4, 5], []]);
  });

  it('are kept by several devices where there are too few', () => {
    expect(held('GLA-2', 4)).toEqual([[0], [0], [1], [1]]);
    expect(held('MLA', 4)).toEqual([[0], [0], [0], [0]]);
  });

  it('make up the share of the fullest device', () => {
    for (const cache of latent) {
      for (const devices of [1, 2, 3, 4, 6, 8, 24]) {
        const counts = Array.from({ length: devices }, (_, device) => heldHeads(cache, devices, device).length);
        const { elementsPerToken } = kvShard(cache, devices);
        expect(Math.max(...counts) * cache.headWidth + cache.sharedWidth).toBe(elementsPerToken);
      }
    }
  });
});

describe('the arithmetic intensity of a decode step', () => {
  const longRun = { context: 1e9, queries: 1, bytesPerElement: 2 };

  it('tends to 2 g / m_kv, where g query heads share a cached head', () => {
    const caches = kvCaches({ heads: 32, headsKv: 8, headDim: 128, latentHeads: 2 });
    const limit = (name: string): number => {
      const cache = cacheNamed(caches, name);
      return decodeIntensity(cache, kvShard(cache, 1), longRun);
    };
    expect(limit('MHA')).toBeCloseTo(1, 5);
    expect(limit('GQA-8')).toBeCloseTo(4, 5);
    expect(limit('MQA')).toBeCloseTo(32, 4);
    // Near 2 g = 8; the shared slice is read beside the tied heads.
    expect(limit('GTA-8')).toBeCloseTo((8 * 8) / 8.5, 4);
  });

  it('is 241.8 for the latent cache of DeepSeek-V3, and as many times that as tokens are drafted', () => {
    const cache = cacheNamed(kvCaches({ heads: 128, headsKv: 128, headDim: 128, latentHeads: 1 }), 'MLA');
    expect(decodeIntensity(cache, kvShard(cache, 1), longRun)).toBeCloseTo(241.8, 1);
    expect(decodeIntensity(cache, kvShard(cache, 1), { ...longRun, queries: 2 })).toBeCloseTo(483.6, 1);
  });

  it('halves where elements take twice the bytes', () => {
    const cache = cacheNamed(kvCaches({ heads: 16, headsKv: 4, headDim: 64, latentHeads: 4 }), 'GLA-4');
    const shard = kvShard(cache, 2);
    const step = { context: 4096, queries: 4, bytesPerElement: 2 };
    const ratio = decodeIntensity(cache, shard, step) / decodeIntensity(cache, shard, { ...step, bytesPerElement: 4 });
    expect(ratio).toBeCloseTo(2, 12);
  });
});

describe('a layer that cannot be', () => {
  it('is told in words', () => {
    expect(invalidLayer({ heads: 32, headsKv: 8, headDim: 128, latentHeads: 2 })).toBeNull();
    expect(invalidLayer({ heads: 32, headsKv: 5, headDim: 128, latentHeads: 2 })).toContain('must divide the 32');
    expect(invalidLayer({ heads: 32, headsKv: 8, headDim: 128, latentHeads: 3 })).toContain('latentHeads is 3');
    expect(invalidLayer({ heads: 32, headsKv: 8, headDim: 0, latentHeads: 2 })).toContain('headDim is 0');
  });
});
