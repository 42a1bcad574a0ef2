import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import type { Coverage } from '../../../src/core/analysis/coverage.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

/** The coverage of a chunked kernel in chunks of 16 tokens. */
function coverageOf(file: string, seqlen: number, find = '', replace = ''): Coverage {
  const text = builtInText(file).replace('CHUNK: u32 = 64', 'CHUNK: u32 = 16');
  expect(find === '' || text.split(find).length === 2).toBe(true);
  const plan = plannedKernel(text.replace(find, replace), { heads: 2, seqlen, headDim: 8, headDimV: 12 }, {});
  return buildCoverage(simulatedContext(plan, 'all', { provenance: true }))!;
}

describe.each(['delta/chunked.wgsl', 'gated-delta/chunked.wgsl'])('values that %s corrects', (file) => {
  it('reach each query once: within a chunk by the left product, from earlier chunks through the state', () => {
    const { totals, complete, sentence } = coverageOf(file, 37);
    // Two heads with chunks of 16, 16 and 5 tokens.
    const [once, throughState] = [2 * (136 + 136 + 15), 2 * (16 * 16 + 5 * 32)];
    expect(totals).toMatchObject({ required: once + throughState, once, throughState, doubled: 0, missed: 0 });
    expect(complete).toBe(true);
    expect(sentence).toContain('is reached once: 41 % by the left product, 59 % through the state.');
  });

  it('are not called missed where they cannot be followed', () => {
    const { totals, sentence } = coverageOf(
      file,
      32,
      '+ first / 4u + e % STEP];',
      '+ first / 4u + STEP - 1u - e % STEP];',
    );
    expect([totals.once, totals.missed]).toEqual([0, 0]);
    expect(sentence).toContain(
      '512 pairs of the causal mask could be followed, and are reached; what became of 544 others after corrections cannot be told.',
    );
  });
});
