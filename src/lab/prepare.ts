import { completeOptions, completeShape } from '../core/attention/catalogue.js';
import type { Computation, Mechanism, OptionValue } from '../core/attention/mechanism.js';
import { followsLeaders } from '../core/attention/sizes.js';
import type { Kernel, KernelCase, Plan } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import { readKernel } from '../core/kernel/read.js';
import type { CaseOverride, KernelSource } from './contract.js';
import { invalidKernel, LabFault } from './failure.js';

/** A kernel file without mistakes, and the computation it promises. */
export interface ReadyKernel {
  readonly kernel: Kernel;
  readonly mechanism: Mechanism;
  readonly computation: Computation;
}

/** Reads a kernel file; throws `invalid-kernel` with all its errors where it cannot be run. */
export function readyKernel({ name, text }: KernelSource): ReadyKernel {
  const kernel = readKernel(text, name);
  if (!kernel) {
    throw new LabFault({
      kind: 'invalid-kernel',
      message: `${name} has no front matter, so Tilescope cannot tell what it computes.`,
      remedy: 'Begin the file with a comment /*--- mechanism: … ---*/.',
      diagnostics: [],
    });
  }
  const { mechanism, computation, diagnostics } = kernel;
  if (diagnostics.some(({ severity }) => severity === 'error') || !mechanism || !computation) {
    throw invalidKernel(diagnostics);
  }
  return { kernel, mechanism, computation };
}

/**
 * The case a job is about: the file's own shape and options, with those of an override in their place. A dimension
 * that follows another one in the file (headsKv and heads, say) follows it in the override too, and an option
 * that is what its shape makes it (a scale of headDim^-1/2) does likewise.
 */
export function chosenCase({ kernel, mechanism }: ReadyKernel, override: CaseOverride | null): KernelCase {
  if (!override) return { name: 'own shape', shape: kernel.shape, options: kernel.options };
  const stranger = strangerIn(mechanism, override);
  if (stranger) throw wrongCase(stranger.message, stranger.remedy);
  const kept: Record<string, number> = {};
  for (const dimension of mechanism.dimensions) {
    if (!followsLeaders(dimension, kernel.shape)) kept[dimension.name] = kernel.shape[dimension.name]!;
  }
  const shape = completeShape(mechanism, { ...kept, ...override.shape });
  const usual = completeOptions(mechanism, kernel.shape, {});
  const keptOptions: Record<string, OptionValue> = {};
  for (const [name, value] of Object.entries(kernel.options)) {
    if (JSON.stringify(usual[name]) !== JSON.stringify(value)) keptOptions[name] = value;
  }
  const options = completeOptions(mechanism, shape, { ...keptOptions, ...override.options });
  const problem = mechanism.validate(shape, options);
  if (problem !== null) throw wrongCase(problem, 'Choose another shape or other options.');
  return { name: 'chosen shape', shape, options };
}

/** What is wrong with the names in an override, with those the mechanism has; null where it has all of them. */
export function strangerIn(
  mechanism: Mechanism,
  override: CaseOverride,
): { readonly message: string; readonly remedy: string } | null {
  const kinds = [
    { kind: 'dimension', given: override.shape, known: mechanism.dimensions },
    { kind: 'option', given: override.options, known: mechanism.options },
  ];
  for (const { kind, given, known } of kinds) {
    const names = known.map(({ name }) => name);
    const stranger = Object.keys(given).find((name) => !names.includes(name));
    if (stranger === undefined) continue;
    return { message: `${mechanism.id} has no ${kind} "${stranger}".`, remedy: `It has ${names.join(', ')}.` };
  }
  return null;
}

function wrongCase(message: string, remedy: string): LabFault {
  return new LabFault({ kind: 'invalid-kernel', message, remedy, diagnostics: [] });
}

/** The plan of a kernel for a case; throws `invalid-kernel` where there is none. */
export function planCase({ kernel }: ReadyKernel, { shape, options }: KernelCase): Plan {
  const result = planKernel(kernel, shape, options);
  if (!result.ok) throw invalidKernel(result.diagnostics);
  return result.plan;
}
