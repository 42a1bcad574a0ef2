import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import { plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';
import { verdictsOn } from './verdicts.js';

const folder = new URL('../../kernels/styles/', import.meta.url);
const shape = { batch: 2, heads: 2, seqlen: 37, headDim: 16, headDimV: 24 };

describe.each(readdirSync(folder))('%s', (name) => {
  const kernel = plannedKernel(readFileSync(new URL(name, folder), 'utf8'), shape);

  it.each([4, 32])('simulates to the right result with subgroups of %i', (subgroupSize) => {
    const { simulation } = simulatedContext(kernel, 'all', { subgroupSize, contents: true });
    const verdicts = verdictsOn(kernel, simulation.buffers);
    expect(verdicts.length).toBeGreaterThan(0);
    for (const verdict of verdicts) expect(verdict).toMatch(/is right$/);
  });

  it('reaches every pair once', () => {
    const { totals } = buildCoverage(simulatedContext(kernel, 'all', { provenance: true }))!;
    const { batch, heads, seqlen } = shape;
    expect(totals.required).toBe((batch * heads * seqlen * (seqlen + 1)) / 2);
    expect(totals).toMatchObject({ missed: 0, doubled: 0 });
  });
});
