import { describe, expect, it } from 'vitest';
import { completeOptions, completeShape, mechanisms } from '../../../src/core/attention/catalogue.js';
import type {
  Computation,
  Inputs,
  Mechanism,
  Options,
  Recurrence,
  Shape,
} from '../../../src/core/attention/mechanism.js';
import {
  hasTokens,
  placeSegment,
  segmentInputs,
  segmentShape,
  type Tokens,
} from '../../../src/core/attention/segments.js';
import { elementCount, tensorDims } from '../../../src/core/attention/sizes.js';

/** A case of a mechanism with a state: 24 tokens, or as many steps of the smallest part that its equations allow. */
function caseOf(
  { dimensions, ...mechanism }: Mechanism,
  recurrence: Recurrence,
): { shape: Shape; options: Options; step: number } {
  const small = Object.entries({ batch: 2, heads: 2, headDim: 8 }).filter(([name]) =>
    dimensions.some((each) => each.name === name),
  );
  const first = completeShape({ dimensions, ...mechanism }, Object.fromEntries(small));
  const options = completeOptions({ dimensions, ...mechanism }, first, recurrence.options);
  const step = recurrence.grain?.(first, options) ?? 1;
  const shape = completeShape(
    { dimensions, ...mechanism },
    segmentShape(recurrence, Object.fromEntries(small), 24 * step),
  );
  return { shape, options: completeOptions({ dimensions, ...mechanism }, shape, recurrence.options), step };
}

/** The outputs of a sequence that is cut, each part started from the state that the one before left. */
function inParts(
  computation: Computation,
  recurrence: Recurrence,
  whole: { readonly shape: Shape; readonly options: Options; readonly inputs: Inputs },
  parts: readonly Tokens[],
): ReadonlyMap<string, Float32Array> {
  const gathered = new Map<string, Float32Array>();
  const carried: Record<string, Float32Array> = {};
  for (const part of parts) {
    const inputs = segmentInputs(recurrence, computation.tensors, whole.shape, { ...whole.inputs, ...carried }, part);
    const shape = segmentShape(recurrence, whole.shape, part.to - part.from);
    const options = recurrence.optionsAfter?.(whole.options, part.from) ?? whole.options;
    for (const [name, { values }] of Object.entries(computation.reference(inputs, shape, options, 'f64', Infinity))) {
      const { dims } = computation.tensors.find((spec) => spec.name === name)!;
      const input = recurrence.states[name];
      if (input !== undefined) {
        carried[input] = Float32Array.from(values);
        gathered.set(name, Float32Array.from(values));
      } else if (hasTokens(recurrence, dims)) {
        const all = gathered.get(name) ?? new Float32Array(elementCount(tensorDims(dims, whole.shape)));
        placeSegment(recurrence, dims, whole.shape, all, Float32Array.from(values), part);
        gathered.set(name, all);
      }
    }
  }
  return gathered;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  const size = Math.sqrt(b.reduce((sum, value) => sum + value * value, 0) / b.length);
  return a.reduce((largest, value, at) => Math.max(largest, Math.abs(value - b[at]!)), 0) / size;
}

describe('a sequence that is cut', () => {
  const recurrent = mechanisms.flatMap((mechanism) =>
    mechanism.recurrence === null ? [] : [[mechanism.id, mechanism, mechanism.recurrence] as const],
  );

  it.each(recurrent)('gives what it gives in one run: %s', (_, mechanism, recurrence) => {
    const { shape, options, step } = caseOf(mechanism, recurrence);
    expect(mechanism.validate(shape, options)).toBeNull();
    for (const computation of mechanism.computations.filter(({ direction }) => direction !== 'backward')) {
      const whole = { shape, options, inputs: computation.generate(shape, options, 5) };
      const one = inParts(computation, recurrence, whole, [{ from: 0, to: 24 * step }]);
      const cuts = [0, 11, 12, 24].map((at) => at * step);
      const parts = cuts.slice(1).map((to, at): Tokens => ({ from: cuts[at]!, to }));
      const several = inParts(computation, recurrence, whole, parts);
      expect([...several.keys()]).toEqual(expect.arrayContaining(Object.keys(recurrence.states)));
      // States travel as float32.
      for (const [name, values] of several) expect(largestDifference(values, one.get(name)!), name).toBeLessThan(1e-5);
      const forgetful = inParts(computation, { ...recurrence, states: {} }, whole, parts);
      expect(
        Math.max(...[...forgetful].map(([name, values]) => largestDifference(values, one.get(name)!))),
      ).toBeGreaterThan(1e-3);
    }
  });
});
