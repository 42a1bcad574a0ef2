import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import { findHazards } from '../../../src/core/analysis/hazards.js';
import { siteTraffic } from '../../../src/core/analysis/traffic-sites.js';
import { plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';
import { verdictsOn } from './verdicts.js';

const source = readFileSync(new URL('../../kernels/matrix/softmax.wgsl', import.meta.url), 'utf8');
const shape = { batch: 1, heads: 2, headsKv: 1, seqlen: 37, seqlenK: 41, headDim: 24, headDimV: 20 };

describe('softmax attention by matrix units', () => {
  it.each([4, 32, 64])('is right with subgroups of %i', (subgroupSize) => {
    const kernel = plannedKernel(source, shape);
    const { simulation } = simulatedContext(kernel, 'all', { subgroupSize, contents: true });
    expect(verdictsOn(kernel, simulation.buffers)).toEqual(['o is right', 'lse is right']);
  });

  it('has no hazards', () => {
    const context = simulatedContext(plannedKernel(source, shape), 'all', { faults: true });
    expect(findHazards(context, 'small').hazards.map(({ message }) => message)).toEqual([]);
  });

  it('forms every score and uses every weight once', () => {
    const { totals } = buildCoverage(simulatedContext(plannedKernel(source, shape), 'all', { provenance: true }))!;
    const { heads, seqlen, seqlenK } = shape;
    expect(totals).toMatchObject({ once: totals.required, missed: 0, doubled: 0 });
    expect(totals.required).toBe(heads * (seqlen * (seqlenK - seqlen) + (seqlen * (seqlen + 1)) / 2));
  });

  it.each([
    ['logged', 'all'],
    ['counted', 'none'],
  ] as const)('requests the bytes of the elements it loads and stores, where they are %s', (_, logged) => {
    const { simulation } = simulatedContext(plannedKernel(source, shape), logged);
    const requested = new Map<string, number>();
    for (const { site, requestedBytes } of siteTraffic(simulation)) {
      const call = source.slice(site.span.start, site.span.end);
      if (!call.startsWith('subgroupMatrix')) continue;
      const key = `${site.kind} ${site.variable}`;
      requested.set(key, (requested.get(key) ?? 0) + requestedBytes);
    }
    // 24 and 20 columns are padded to 2 matrices of 16; 41 keys are 2 steps of 2 matrices; 37 queries 3 workgroups a head.
    const steps = 2 * 3 * shape.heads;
    const [half, float] = [16 * 16 * 2, 16 * 16 * 4];
    expect(Object.fromEntries(requested)).toEqual({
      'read q_tile': steps * 2 * 2 * half,
      'read kv_tile': steps * (2 * 2 + 2 * 2) * half,
      'write scores': steps * 2 * float,
      'read weights': steps * 2 * 2 * half,
      'read sums': steps * 2 * float,
      'write sums': steps * 2 * float,
    });
  });
});
