import {
  completeOptions,
  completeShape,
  findComputation,
  findMechanism,
} from '../../../src/core/attention/catalogue.js';
import type {
  Computation,
  Direction,
  Inputs,
  Mechanism,
  Options,
  Precision,
  ReferenceTensor,
  Shape,
} from '../../../src/core/attention/mechanism.js';

/** A mechanism's computation at a completed shape, with its inputs, ready to be changed and run. */
export interface Bench {
  readonly mechanism: Mechanism;
  readonly computation: Computation;
  readonly shape: Shape;
  readonly options: Options;
  readonly inputs: Inputs;
  readonly run: (inputs: Inputs, precision?: Precision, budget?: number) => Readonly<Record<string, ReferenceTensor>>;
}

/** Sets up a computation with generated inputs of one seed. */
export function bench(id: string, direction: Direction, given: Shape, options: Options, seed = 7): Bench {
  const mechanism = findMechanism(id)!;
  const computation = findComputation(mechanism, direction)!;
  const shape = completeShape(mechanism, given);
  const complete = completeOptions(mechanism, shape, options);
  return {
    mechanism,
    computation,
    shape,
    options: complete,
    inputs: computation.generate(shape, complete, seed),
    run: (inputs, precision = 'f64', budget = Infinity) =>
      computation.reference(inputs, shape, complete, precision, budget),
  };
}

/** Largest |a - b| over the largest |b|. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  let size = 1e-30;
  for (let at = 0; at < b.length; at++) {
    largest = Math.max(largest, Math.abs(a[at]! - b[at]!));
    size = Math.max(size, Math.abs(b[at]!));
  }
  return largest / size;
}

/** Rows [from, to) along the token axis of a [batch, heads, tokens, width] tensor. */
export function tokens<T extends Float32Array | Float64Array>(
  values: T,
  tokenCount: number,
  width: number,
  from: number,
  to: number,
): T {
  const heads = values.length / (tokenCount * width);
  const parts: number[] = [];
  for (let head = 0; head < heads; head++) {
    const start = head * tokenCount * width;
    parts.push(...values.subarray(start + from * width, start + to * width));
  }
  return (values instanceof Float32Array ? Float32Array.from(parts) : Float64Array.from(parts)) as T;
}
