import { readFileSync, readdirSync } from 'node:fs';
import { readKernel } from '../../src/core/kernel/read.js';
import type { Kernel } from '../../src/core/kernel/model.js';
import type { CaseOverride, CaseVerdict, CompareReport, Outcome } from '../../src/lab/contract.js';
import type { BrokenKernel } from '../kernels/broken.js';

const shaders = new URL('../../shaders/', import.meta.url);

/** The paths of the kernels that come along, below `shaders/`, sorted. */
export const kernelFiles: readonly string[] = readdirSync(shaders, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => file.replaceAll('\\', '/'))
  .sort();

/** The text of a kernel that comes along. */
export function textOf(file: string): string {
  return readFileSync(new URL(file, shaders), 'utf8');
}

/** The text of a kernel with its mistake in it. */
export function mutate({ file, find, replace }: BrokenKernel): string {
  return textOf(file).replace(find, () => replace);
}

const kernels = new Map<string, Kernel>();

/** A kernel that comes along, read once: hundreds of mistakes ask for a few files. */
export function kernelOf(file: string): Kernel {
  const kernel = kernels.get(file) ?? readKernel(textOf(file), file);
  if (!kernel) throw new Error(`shaders/${file} has no front matter.`);
  kernels.set(file, kernel);
  return kernel;
}

/** The shape and options of one case of a kernel that comes along, by its name. */
export function caseNamed(file: string, name: string): CaseOverride {
  const found = kernelOf(file).cases.find((theCase) => theCase.name === name);
  if (!found) throw new Error(`shaders/${file} has no case "${name}".`);
  return { shape: found.shape, options: found.options };
}

/** The verdict on the one case of a comparison; throws the words of a failure. */
export function onlyVerdict(outcome: Outcome<CompareReport>): CaseVerdict {
  if (outcome.ok) return outcome.value.cases[0]!;
  const findings = outcome.failure.diagnostics.map(({ message }) => message);
  throw new Error([outcome.failure.message, ...findings].join('\n'));
}
