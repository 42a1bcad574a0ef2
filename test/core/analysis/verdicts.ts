import { floatFormat, unpackTensor } from '../../../src/core/kernel/tensor.js';
import { judgeTensor } from '../../../src/core/numerics/compare.js';
import type { PlannedKernel } from './planned.js';

/** What the verdict says of each output of a simulation: `o is right`, or what is wrong with it. */
export function verdictsOn(
  kernel: PlannedKernel,
  buffers: readonly { readonly bytes: ArrayBuffer }[],
): readonly string[] {
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
      format: floatFormat(content.view),
      reference: reference[content.tensor]!,
      baseline: baseline[content.tensor]!,
      ...unpackTensor(content.view, buffers[index]!.bytes),
      guardsTouched: 0,
      withMap: false,
    });
    return [`${content.tensor} is ${verdict.passed ? 'right' : verdict.sentence}`];
  });
}
