import { completeOptions, completeShape } from '../core/attention/catalogue.js';
import type { GoldenCase } from '../core/attention/golden.js';
import type { Mechanism, OptionValue } from '../core/attention/mechanism.js';
import { optionScalars } from '../core/kernel/cases.js';
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
  if (!takesShape(kernel, mechanism, golden) || !takesOptions(kernel, mechanism, golden)) return false;
  const plan = planKernel(kernel, golden.shape, golden.options);
  if (!plan.ok) return false;
  const bound = plan.plan.buffers.flatMap(({ content }) => (content.kind === 'tensor' ? content.tensor : []));
  return Object.entries(golden.inputs).every(
    ([name, values]) => bound.includes(name) || values.every((value) => value === 0),
  );
}

function takesShape({ shape, takes }: Kernel, mechanism: Mechanism, golden: GoldenCase): boolean {
  const fixed: Record<string, number> = {};
  for (const { name, fallback } of mechanism.dimensions) {
    const follows = typeof fallback === 'string' && shape[name] === shape[fallback];
    const value = takes.has(name) ? golden.shape[name] : follows ? undefined : shape[name];
    if (value !== undefined) fixed[name] = value;
  }
  const possible = completeShape(mechanism, fixed);
  return mechanism.dimensions.every(({ name }) => possible[name] === golden.shape[name]);
}

function takesOptions({ shape, options, takes }: Kernel, mechanism: Mechanism, golden: GoldenCase): boolean {
  const usual = completeOptions(mechanism, shape, {});
  const fixed: Record<string, OptionValue> = {};
  for (const spec of mechanism.options) {
    const taken = spec.onlyInputs === true || optionScalars(spec).some((name) => takes.has(name));
    const own = options[spec.name]!;
    const value = taken ? golden.options[spec.name] : same(own, usual[spec.name]) ? undefined : own;
    if (value !== undefined) fixed[spec.name] = value;
  }
  const possible = completeOptions(mechanism, golden.shape, fixed);
  return mechanism.options.every(({ name }) => same(possible[name], golden.options[name]));
}

function same(a: OptionValue | undefined, b: OptionValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
