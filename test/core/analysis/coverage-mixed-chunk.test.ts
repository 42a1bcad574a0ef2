import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import type { AnalysisContext } from '../../../src/core/analysis/context.js';
import type { Coverage } from '../../../src/core/analysis/coverage.js';
import { buildSchedule } from '../../../src/core/analysis/schedule-build.js';
import type { TensorPart } from '../../../src/core/analysis/schedule.js';
import { templateFor } from '../../../src/core/kernel/template.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const size = { batch: 1, seqlen: 21, chunk: 8, headDim: 16, headDimV: 16 };
const pairs = (21 * 22) / 2;
// Two chunks of 8 tokens and one of 5.
const local = 2 * 36 + 15;

function contextOf(text: string, causal: boolean, find = '', replace = ''): AnalysisContext {
  expect(find === '' || text.split(find).length === 2).toBe(true);
  const plan = plannedKernel(text.replace(find, replace), size, { causal });
  return simulatedContext(plan, 'all', { provenance: true });
}

function coverageOf(...given: Parameters<typeof contextOf>): Coverage {
  return buildCoverage(contextOf(...given))!;
}

describe('two kinds of queries and keys', () => {
  const kernel = builtInText('flash-mixed-chunk/forward.wgsl');

  it('are followed, those in a chunk by their score and the others through the state', () => {
    const context = contextOf(kernel, true);
    const { totals, complete, sentence } = buildCoverage(context)!;
    expect(totals).toMatchObject({ once: local, throughState: pairs - local, doubled: 0, missed: 0 });
    expect(complete).toBe(true);
    expect(sentence).toMatch(/^Every pair of the causal mask is reached once: 38 % by the left product/);
    const { tensors, workgroups } = buildSchedule(context);
    const named = (part: TensorPart): readonly string[] =>
      tensors.filter(({ parts }) => parts.includes(part)).map(({ name }) => name);
    expect([named('query'), named('key')]).toEqual([
      ['q_quad', 'q_lin'],
      ['k_quad', 'k_lin'],
    ]);
    const heldBy = (pass: number): ReadonlySet<string> =>
      new Set(
        workgroups
          .filter((workgroup) => workgroup.pass === pass)
          .flatMap(({ steps }) => steps.flatMap(({ held }) => held.map(({ tensor }) => tensor))),
      );
    expect([...heldBy(0)].sort()).toEqual(['k_lin', 'v']);
    expect([...heldBy(2)]).toEqual(expect.arrayContaining(['q_lin', 'state', 'q_quad', 'k_quad', 'scores', 'v']));
  });

  it('may meet by both where not causal', () => {
    const { totals, sentence } = coverageOf(kernel, false);
    expect(totals).toMatchObject({ once: 2 * 64 + 25, throughState: 441 - 2 * 64 - 25, doubled: 0, missed: 0 });
    expect(sentence).toMatch(/^Every pair of the full score matrix is reached: 35 % by the left product/);
  });

  it('are doubled where a causal state holds the own chunk', () => {
    const { totals } = coverageOf(
      kernel,
      true,
      'states[first + (chunk + n) * size] = state;',
      'states[first + (chunk + n) * size] = state + sums[n];',
    );
    // The second chunk's 8 queries and their keys; of the last chunk the state comes from elsewhere.
    expect(totals).toMatchObject({ doubled: 36, missed: 0 });
  });

  it('are missed where a chunk does not read its state', () => {
    const { totals, firstMissed } = coverageOf(kernel, true, '|| chunk > 0u) {', '|| chunk > 1u) {');
    expect(totals).toMatchObject({ missed: 64, throughState: pairs - local - 64, doubled: 0 });
    expect(firstMissed).toMatchObject({ query: 8, key: 0 });
  });

  it('may be added up before they meet the value', () => {
    for (const causal of [true, false]) {
      const { totals } = coverageOf(templateFor('flash-mixed-chunk')!, causal);
      expect(totals).toMatchObject({ required: causal ? pairs : 441, throughState: 0, doubled: 0, missed: 0 });
    }
  });
});
