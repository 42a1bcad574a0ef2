import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import type { Coverage } from '../../../src/core/analysis/coverage.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const size = { heads: 4, seqlen: 3, seqlenK: 21, latentDim: 32, ropeDim: 16 };
// Four heads of three queries that see 19, 20 and 21 tokens of the cache.
const pairs = 4 * (19 + 20 + 21);

/** The coverage of a kernel that decodes from latents, in splits of 8 keys. */
function coverageOf(file: string, find = '', replace = ''): Coverage {
  const text = builtInText(file).replace('SPLIT: u32 = 128', 'SPLIT: u32 = 8');
  expect(find === '' || text.split(find).length === 2).toBe(true);
  const plan = plannedKernel(text.replace(find, replace), size, {});
  return buildCoverage(simulatedContext(plan, 'all', { provenance: true }))!;
}

describe.each(['mla/decode.wgsl', 'grouped-latent/decode.wgsl'])('the latents of %s', (file) => {
  it('reach each query once, as the key of its score and as the value of its weight', () => {
    const { totals, complete, planes } = coverageOf(file);
    expect(totals).toMatchObject({ required: pairs, once: pairs, throughState: 0, doubled: 0, missed: 0 });
    expect(complete).toBe(true);
    expect(planes).toHaveLength(size.heads);
  });

  it('are missed where their scores are formed and no value is weighed', () => {
    const { totals } = coverageOf(file, 'sum += weights[j] * latents[', 'sum += 0.0 * latents[');
    expect(totals).toMatchObject({ once: 0, missed: pairs });
  });

  it('are missed where a split is left out', () => {
    const { totals } = coverageOf(
      file,
      'let first_key = group.x * SPLIT;',
      'let first_key = max(group.x, 1u) * SPLIT;',
    );
    expect(totals.missed).toBe(4 * 3 * 8);
  });

  it('are doubled where a step is taken twice', () => {
    const { totals } = coverageOf(
      file,
      'c[(first_latent + key) * width + e]',
      'c[(first_latent + key / 8u * 8u) * width + e]',
    );
    expect(totals.doubled).toBeGreaterThan(0);
  });
});

/** The coverage of the kernel that writes out keys and values, two tiles of 32 queries and their 37 keys. */
function prefillCoverage(find = '', replace = ''): Coverage {
  const text = builtInText('mla/prefill.wgsl').replace('TILE_M: u32 = 64', 'TILE_M: u32 = 32');
  expect(find === '' || text.split(find).length === 2).toBe(true);
  const shape = { heads: 2, seqlen: 35, seqlenK: 37, latentDim: 8, ropeDim: 4, headDim: 8, headDimV: 12 };
  const plan = plannedKernel(text.replace(find, replace), shape, {});
  return buildCoverage(simulatedContext(plan, 'all', { provenance: true }))!;
}

describe('the keys and values that mla/prefill.wgsl makes of latents', () => {
  // Query i of 35 sees i + 3 keys, in each of two heads.
  const visible = 2 * ((35 * 36) / 2 + 35 * 2);

  it('reach each query once, whatever is rotated', () => {
    const { totals, complete } = prefillCoverage();
    expect(totals).toMatchObject({ required: visible, once: visible, throughState: 0, doubled: 0, missed: 0 });
    expect(complete).toBe(true);
  });

  it('are missed where the values of a token are made of its neighbour', () => {
    const { totals } = prefillCoverage('        v[at] = products[i];', '        v[at] = products[i ^ 1u];');
    expect(totals).toMatchObject({ once: 0, missed: visible });
  });

  it('are missed where the second tile of keys is not taken', () => {
    const { totals } = prefillCoverage('first_key < end_key;', 'first_key < min(end_key, TILE_N);');
    // Of the last three queries of each head, the keys 32 and on: 5 + 4 + 3 + 2 + 1 pairs.
    expect(totals.missed).toBe(2 * 15);
  });
});
