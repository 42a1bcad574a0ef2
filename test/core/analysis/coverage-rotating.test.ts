import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import { buildSchedule } from '../../../src/core/analysis/schedule-build.js';
import type { AnalysisContext } from '../../../src/core/analysis/context.js';
import type { Options } from '../../../src/core/attention/mechanism.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const size = { batch: 2, heads: 4, headsKv: 2, seqlen: 3, capacity: 20, headDim: 16 };
// Four heads of three new tokens in each of two streams, against a ring of 20 slots.
const pairs = 2 * 4 * 3 * 20;

/** What is seen of the decode step of rotating caches, in parts of 16 keys. */
function simulated(options: Options, find = '', replace = ''): AnalysisContext {
  const text = builtInText('rotating-cache/decode.wgsl').replace('SPLIT: u32 = 128', 'SPLIT: u32 = 16');
  expect(find === '' || text.split(find).length === 2).toBe(true);
  return simulatedContext(plannedKernel(text.replace(find, replace), size, options), 'all', { provenance: true });
}

describe('the slots of rotating caches', () => {
  it('reach each query once where the rings are full, wherever they begin', () => {
    const { totals, complete } = buildCoverage(simulated({}))!;
    expect(totals).toMatchObject({ required: pairs, once: pairs, doubled: 0, missed: 0, wasted: 0 });
    expect(complete).toBe(true);
  });

  it('are missed where the ring does not close, and the last one is reached again and again', () => {
    const { totals } = buildCoverage(
      simulated(
        {},
        'return select(ahead, ahead - params.capacity, ahead >= params.capacity);',
        'return min(ahead, params.capacity - 1u);',
      ),
    )!;
    // The rings begin at slots 3 and 10: so many slots lie before the oldest token.
    expect(totals.missed).toBe(4 * 3 * (3 + 10));
    expect(totals.doubled).toBe(4 * 3 * 2);
  });

  it('are held against no mask where each stream has its own, and their tiles are shown all the same', () => {
    const context = simulated({ streams: 'mixed' });
    expect(buildCoverage(context)).toBeNull();
    const scores = buildSchedule(context).workgroups.flatMap(({ steps }) => steps.flatMap((step) => step.scores));
    expect(scores.length).toBeGreaterThan(0);
    expect(scores.every(({ masked }) => masked === 0)).toBe(true);
  });
});
