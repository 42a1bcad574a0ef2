import { normalValues } from '../numerics/random.js';
import type { Shape, TensorSpec } from './mechanism.js';
import { elementCount, tensorDims } from './sizes.js';

/** Normal values for every input among the tensors, by name: the same bits for the same seed and shape. */
export function normalInputs(specs: readonly TensorSpec[], shape: Shape, seed: number): Record<string, Float32Array> {
  const inputs: Record<string, Float32Array> = {};
  for (const { name, dims, role } of specs) {
    if (role === 'input') inputs[name] = normalValues(elementCount(tensorDims(dims, shape)), seed, name);
  }
  return inputs;
}

/** Part number `index` (a head, a channel, a sequence) of an input as float64, of `count` elements; zeros where it is absent. */
export function inputPart(values: Float32Array | undefined, index: number, count: number): Float64Array {
  return values === undefined
    ? new Float64Array(count)
    : new Float64Array(values.subarray(index * count, (index + 1) * count));
}
