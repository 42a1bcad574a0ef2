import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import type { AnalysisContext } from '../../../src/core/analysis/context.js';
import { buildLedger } from '../../../src/core/analysis/ledger-build.js';
import { buildSchedule } from '../../../src/core/analysis/schedule-build.js';
import type { Options } from '../../../src/core/attention/mechanism.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const kernel = builtInText('grouped-latent/paged-decode.wgsl');
const shape = { batch: 2, heads: 4, headsKv: 2, seqlen: 2, seqlenK: 150, pageSize: 16, latentDim: 32, ropeDim: 16 };

function contextOf(text: string, options: Options = {}): AnalysisContext {
  return simulatedContext(plannedKernel(text, shape, options), 'all', { provenance: true });
}

describe('a cache in pages', () => {
  const context = contextOf(kernel);
  const schedule = buildSchedule(context);

  it('reaches every pair of every sequence once, wherever its page lies', () => {
    const { totals, complete, planes } = buildCoverage(context)!;
    // The first query sees one token less than the second.
    const required = 2 * 4 * (149 + 150);
    expect(totals).toMatchObject({ required, once: required, missed: 0, doubled: 0, wasted: 2 * 4 });
    expect(complete).toBe(true);
    expect(planes).toHaveLength(8);
  });

  it('says which pages hold the context of each sequence, and that no two share one', () => {
    expect(schedule.pages!.map(({ length }) => length)).toEqual([10, 10]);
    expect(new Set(schedule.pages!.flat()).size).toBe(20);
  });

  it('counts reads by page: each latent once, in the planes of its heads', () => {
    const heats = buildLedger(context, buildCoverage(context)).heat.filter(({ tensor }) => tensor === 'c_pages');
    expect(heats.map(({ plane }) => plane)).toEqual([[{ name: 'headsKv', index: 0 }], [{ name: 'headsKv', index: 1 }]]);
    for (const { rows, binRows, pageRows, reads } of heats) {
      expect([rows, binRows, pageRows]).toEqual([20 * 16, 16, 16]);
      // Of 150 tokens a sequence fills nine pages, and 6 slots of the tenth.
      const counts = new Map<number, number>();
      for (const mean of reads) counts.set(mean, (counts.get(mean) ?? 0) + 1);
      expect([...counts.keys()].sort()).toEqual([6 / 16, 1]);
      expect(counts.get(1)).toBe(9 * counts.get(6 / 16)!);
    }
  });

  it('has a tile for each page that a step reads', () => {
    const latents = schedule.workgroups
      .flatMap(({ steps }) => steps)
      .flatMap(({ accesses }) => accesses.filter(({ tensor }) => tensor === 'c_pages'));
    expect(latents.length).toBeGreaterThan(0);
    for (const { rect } of latents) expect(Math.floor(rect.row0 / 16)).toBe(Math.floor((rect.row1 - 1) / 16));
  });

  it('misses the pairs of a page that another one is taken for', () => {
    const right = 'slots[key - first_key] = page * params.page_size';
    expect(kernel).toContain(right);
    const wrong = kernel.replace(right, 'slots[key - first_key] = max(page, 1u) * params.page_size');
    const { totals } = buildCoverage(contextOf(wrong))!;
    // Of all pages together the first is some sequence's; its tokens are missed by both queries of 4 heads, where they see them.
    expect(totals.missed).toBeGreaterThan(0);
    expect(totals.missed).toBeLessThanOrEqual(16 * 2 * 4);
  });

  it('misses the pairs whose slots are never read, and says nothing of slots that are no token’s', () => {
    const right = '+ key % params.page_size';
    expect(kernel).toContain(right);
    const wrong = kernel.replace(right, '+ (key % params.page_size + 8u) % params.page_size');
    const { totals } = buildCoverage(contextOf(wrong))!;
    // The last page has 6 tokens, and the slots 8 to 13 are read for them.
    expect(totals.missed).toBe(2 * 4 * (6 + 5));
    expect(totals.doubled).toBe(0);
  });

  it('is not followed where sequences differ in length, and says so', () => {
    const uneven = contextOf(kernel, { lengths: 'uneven' });
    expect(uneven.provenance).toBeNull();
    expect(buildCoverage(uneven)).toBeNull();
    const { score, sentence, pages } = buildSchedule(uneven);
    expect([score, pages]).toEqual([null, null]);
    expect(sentence).toContain('followed where all sequences have as many tokens');
  });
});

describe('keys and values in pages', () => {
  const softmax = builtInText('softmax/paged-decode.wgsl');
  const sizes = { batch: 2, heads: 4, headsKv: 2, seqlen: 2, seqlenK: 150, pageSize: 16, headDim: 16 };
  const totalsOf = (text: string, options: Options) =>
    buildCoverage(simulatedContext(plannedKernel(text, sizes, options), 'all', { provenance: true }))!.totals;

  it('meet every query that sees them once, in a window too', () => {
    const whole = 2 * 4 * (149 + 150);
    expect(totalsOf(softmax, {})).toMatchObject({ required: whole, once: whole, missed: 0, doubled: 0 });
    const banded = 2 * 4 * (31 + 31);
    expect(totalsOf(softmax, { window: [30, 0] })).toMatchObject({
      required: banded,
      once: banded,
      missed: 0,
      doubled: 0,
    });
  });

  it('are missed where the values of another slot are taken', () => {
    const right = 'let slot = slots[first - begin + e / value_width];';
    expect(softmax).toContain(right);
    const wrong = softmax.replace(right, 'let slot = slots[e / value_width];');
    expect(totalsOf(wrong, {}).missed).toBeGreaterThan(0);
  });
});
