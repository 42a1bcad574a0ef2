import { readFileSync } from 'node:fs';
import type { Shape } from '../../src/core/attention/mechanism.js';
import type { Kernel, Plan } from '../../src/core/kernel/model.js';
import { planKernel } from '../../src/core/kernel/plan.js';
import { readKernel } from '../../src/core/kernel/read.js';
import { packTensor } from '../../src/core/kernel/tensor.js';

/** Reads a kernel and its plan; its diagnostics become the test's message. */
export function planOf(text: string, shape: Shape = {}): { kernel: Kernel; plan: Plan } {
  const kernel = readKernel(text, 'test.wgsl');
  if (!kernel) throw new Error('The test kernel has no front matter.');
  const result = planKernel(kernel, { ...kernel.shape, ...shape }, kernel.options);
  if (!result.ok) throw new Error(`${result.diagnostics.map(({ message }) => message).join('\n')}\n${text}`);
  return { kernel, plan: result.plan };
}

/** The text of a kernel that comes along. */
export function builtIn(name: string): string {
  return readFileSync(new URL(`../../shaders/${name}`, import.meta.url), 'utf8');
}

/** Packed bytes for every input of a plan: `value` gives the elements in default layout. */
export function packedInputs(plan: Plan, value: (index: number) => number): Map<string, ArrayBuffer> {
  const inputs = new Map<string, ArrayBuffer>();
  for (const { variable, content, byteLength } of plan.buffers) {
    if (content.kind !== 'tensor' || content.role !== 'input') continue;
    const length = content.view.dims.reduce((product, size) => product * size, 1);
    inputs.set(
      variable,
      packTensor(
        content.view,
        Float32Array.from({ length }, (_, at) => value(at)),
        byteLength,
      ),
    );
  }
  return inputs;
}
