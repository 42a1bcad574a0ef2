import type { Computation, Inputs, ReferenceTensor } from '../core/attention/mechanism.js';
import type { KernelCase, Plan } from '../core/kernel/model.js';
import { roundToHalves } from '../core/numerics/half.js';
import { breathe, type Bench } from './workbench.js';

/** What a case is judged by: its inputs, the right outputs in float64, and the naive algorithm's in float32. */
export interface Truth {
  /** The inputs the kernel binds, every value as its storage holds it, and required ones that no pass of it reads. */
  readonly inputs: Inputs;
  readonly reference: Readonly<Record<string, ReferenceTensor>>;
  readonly baseline: Readonly<Record<string, ReferenceTensor>>;
}

/** The inputs that a plan binds, rounded to the format it stores each in. Those it does not bind count as absent. */
export function storedInputs(plan: Plan, given: Inputs): Inputs {
  const inputs: Record<string, Float32Array> = {};
  for (const { content } of plan.buffers) {
    if (content.kind !== 'tensor' || content.role !== 'input') continue;
    const values = given[content.tensor];
    if (!values) continue;
    inputs[content.tensor] = content.view.format === 'f16' ? roundToHalves(values) : values;
  }
  return inputs;
}

/** What a kernel must reckon with even where none of its passes reads it: only an optional input counts as absent. */
function requiredInputs({ tensors }: Computation, given: Inputs): Inputs {
  const required = tensors.filter((tensor) => tensor.role === 'input' && tensor.required);
  return Object.fromEntries(required.flatMap(({ name }) => (given[name] ? [[name, given[name]]] : [])));
}

/**
 * Generates the inputs of a case from a seed and calculates what they must lead to; yields between its steps, each of
 * which may take a while. Rows are sampled where a reference would cost more than `budget` multiply-adds.
 */
export function* truthSteps(
  computation: Computation,
  { shape, options }: KernelCase,
  plan: Plan,
  seed: number,
  budget: number,
): Generator<void, Truth> {
  const generated = computation.generate(shape, options, seed);
  const inputs = { ...requiredInputs(computation, generated), ...storedInputs(plan, generated) };
  yield;
  const reference = computation.reference(inputs, shape, options, 'f64', budget);
  yield;
  const baseline = computation.reference(inputs, shape, options, 'f32', budget);
  yield;
  return { inputs, reference, baseline };
}

/** The truth of a case, with room for the host's other work between its steps. */
export async function calculateTruth(
  bench: Bench,
  computation: Computation,
  theCase: KernelCase,
  plan: Plan,
  seed: number,
): Promise<Truth> {
  const steps = truthSteps(computation, theCase, plan, seed, bench.referenceBudget);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await breathe(bench);
  }
}
