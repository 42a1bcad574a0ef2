import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import { unpackTensor } from '../../../src/core/kernel/tensor.js';
import { judgeTensor } from '../../../src/core/numerics/compare.js';
import { plannedKernel, type PlannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const folder = new URL('../../kernels/styles/', import.meta.url);
const shape = { batch: 2, heads: 2, seqlen: 37, headDim: 16, headDimV: 24 };

/** What the verdict says of each output of a simulation. */
function verdictsOn(kernel: PlannedKernel, buffers: readonly { readonly bytes: ArrayBuffer }[]): readonly string[] {
  const { plan, computation, inputs } = kernel;
  const stored = Object.fromEntries(
    plan.buffers.flatMap(({ variable, content }) => {
      const bytes = inputs.get(variable);
      if (content.kind !== 'tensor' || !bytes) return [];
      return [[content.tensor, unpackTensor(content.view, bytes).values] as const];
    }),
  );
  const reference = computation.reference(stored, plan.shape, plan.options, 'f64', Infinity);
  const baseline = computation.reference(stored, plan.shape, plan.options, 'f32', Infinity);
  return plan.buffers.flatMap(({ content }, index) => {
    if (content.kind !== 'tensor' || content.role !== 'output') return [];
    const verdict = judgeTensor({
      spec: computation.tensors.find(({ name }) => name === content.tensor)!,
      direction: computation.direction,
      format: content.view.format,
      reference: reference[content.tensor]!,
      baseline: baseline[content.tensor]!,
      ...unpackTensor(content.view, buffers[index]!.bytes),
      guardsTouched: 0,
      withMap: false,
    });
    return [`${content.tensor} is ${verdict.passed ? 'right' : verdict.sentence}`];
  });
}

describe.each(readdirSync(folder))('%s', (name) => {
  const kernel = plannedKernel(readFileSync(new URL(name, folder), 'utf8'), shape);

  it.each([4, 32])('simulates to the right result with subgroups of %i', (subgroupSize) => {
    const { simulation } = simulatedContext(kernel, 'all', { subgroupSize });
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
