import type { GoldenCase } from '../core/attention/golden.js';
import type { Mechanism } from '../core/attention/mechanism.js';
import { takesCase } from '../core/kernel/fit.js';
import type { Kernel } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import { readKernel } from '../core/kernel/read.js';
import type { KernelSource } from '../lab/contract.js';

/** A kernel that golden cases may be run through. */
export interface Candidate {
  readonly source: KernelSource;
  readonly kernel: Kernel;
  readonly mechanism: Mechanism;
}

/** Reads a kernel as a candidate; null where it has mistakes. */
export function readCandidate(source: KernelSource): Candidate | null {
  const kernel = readKernel(source.text, source.name);
  return kernel?.mechanism ? { source, kernel, mechanism: kernel.mechanism } : null;
}

/**
 * Whether a kernel can compute a golden case: the same computation, sizes and options it takes in or has as they are,
 * and a binding for every input whose values matter.
 */
export function canTake({ kernel, mechanism }: Candidate, golden: GoldenCase): boolean {
  if (mechanism.id !== golden.mechanismId || kernel.computation?.direction !== golden.direction) return false;
  if (!takesCase(kernel, mechanism, golden.shape, golden.options)) return false;
  const plan = planKernel(kernel, golden.shape, golden.options);
  if (!plan.ok) return false;
  const bound = plan.plan.buffers.flatMap(({ content }) => (content.kind === 'tensor' ? content.tensor : []));
  return Object.entries(golden.inputs).every(
    ([name, values]) => bound.includes(name) || values.every((value) => value === 0),
  );
}
