import { readFileSync } from 'node:fs';
import { findComputation } from '../../../src/core/attention/catalogue.js';
import type { Computation, Inputs, Mechanism, Options, Shape } from '../../../src/core/attention/mechanism.js';
import type { Plan } from '../../../src/core/kernel/model.js';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { packTensor } from '../../../src/core/kernel/tensor.js';

/** A kernel at one shape with generated inputs, packed by variable. */
export interface PlannedKernel {
  readonly source: string;
  readonly plan: Plan;
  readonly mechanism: Mechanism;
  readonly computation: Computation;
  readonly inputs: ReadonlyMap<string, ArrayBuffer>;
  /** The same by tensor, unpacked. */
  readonly values: Inputs;
}

/** The text of a kernel that comes along. */
export function builtInText(name: string): string {
  return readFileSync(new URL(`../../../shaders/${name}`, import.meta.url), 'utf8');
}

/** Reads and plans a kernel; sizes and options not given are the file's own. */
export function plannedKernel(source: string, shape: Shape = {}, options: Options = {}): PlannedKernel {
  const kernel = readKernel(source, 'test.wgsl');
  if (!kernel?.mechanism) throw new Error('The kernel has no front matter, or no mechanism.');
  // The file's other sizes were completed from its own: what is not given follows the mechanism's fallbacks again.
  const result = planKernel(kernel, Object.keys(shape).length > 0 ? shape : kernel.shape, {
    ...kernel.options,
    ...options,
  });
  if (!result.ok) throw new Error(result.diagnostics.map(({ message }) => message).join('\n'));
  const { plan } = result;
  const computation = kernel.computation ?? findComputation(kernel.mechanism, 'forward');
  if (!computation) throw new Error('The kernel has no computation.');
  const values = computation.generate(plan.shape, plan.options, 1);
  const inputs = new Map<string, ArrayBuffer>();
  for (const { variable, byteLength, content } of plan.buffers) {
    if (content.kind !== 'tensor' || content.role !== 'input') continue;
    inputs.set(variable, packTensor(content.view, values[content.tensor]!, byteLength));
  }
  return { source, plan, mechanism: kernel.mechanism, computation, inputs, values };
}
