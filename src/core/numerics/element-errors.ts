import type { ReferenceTensor } from '../attention/mechanism.js';
import { roundTo, ulpDistance, type StorageFormat } from './ulp.js';

/** What an element of a candidate holds: the numbers of `ErrorMap.states`. */
export const elementStates = { finite: 0, nan: 1, infinite: 2, unwritten: 3, notCompared: 4 } as const;

/** A candidate laid beside its reference, element by element in default layout. */
export interface Comparison {
  readonly dims: readonly number[];
  readonly columns: number;
  readonly values: Float32Array;
  /** The reference of every element; NaN where not compared. */
  readonly reference: Float64Array;
  /** |candidate - reference|; infinite where an infinity of the reference was missed, 0 where not compared. */
  readonly errors: Float64Array;
  readonly states: Uint8Array;
  /** 1 where an element must match the reference exactly and does not. */
  readonly inexact: Uint8Array;
  readonly compared: number;
}

/** Whether a stored value stands for minus infinity: itself, or a sentinel at the far end of the format. */
export function standsForMinusInfinity(value: number, format: StorageFormat): boolean {
  return value <= (format === 'f32' ? -1e30 : -6e4);
}

/**
 * Lays candidate values (full tensor, default layout) beside the reference. `states` are those of `elementStates`
 * below `notCompared`, by the bits the kernel left.
 */
export function compareElements(
  reference: ReferenceTensor,
  values: Float32Array,
  givenStates: Uint8Array,
  format: StorageFormat,
): Comparison {
  const columns = reference.dims.at(-1) ?? 1;
  const size = values.length;
  const expected = new Float64Array(size).fill(Number.NaN);
  const errors = new Float64Array(size);
  const states = new Uint8Array(size).fill(elementStates.notCompared);
  const inexact = new Uint8Array(size);
  const rowCount = reference.rows?.length ?? size / columns;
  let compared = 0;
  for (let row = 0, from = 0; row < rowCount; row++) {
    const start = (reference.rows?.[row] ?? row) * columns;
    for (let at = start; at < start + columns; at++, from++) {
      const truth = reference.values[from]!;
      if (Number.isNaN(truth)) continue;
      compared++;
      expected[at] = truth;
      const state = givenStates[at]!;
      const value = values[at]!;
      if (truth === -Infinity && state !== elementStates.unwritten && standsForMinusInfinity(value, format)) {
        states[at] = elementStates.finite;
      } else {
        states[at] = state;
        errors[at] = state === elementStates.finite ? Math.abs(value - truth) : Infinity;
      }
    }
  }
  for (const row of reference.exactRows ?? []) {
    const start = (reference.rows?.[row] ?? row) * columns;
    for (let at = start; at < start + columns; at++) inexact[at] = errors[at] === 0 ? 0 : 1;
  }
  return { dims: reference.dims, columns, values, reference: expected, errors, states, inexact, compared };
}

/** The coordinates of an element of a row-major tensor. */
export function coordinates(dims: readonly number[], at: number): readonly number[] {
  const index = new Array<number>(dims.length);
  let rest = at;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    index[axis] = rest % dims[axis]!;
    rest = Math.floor(rest / dims[axis]!);
  }
  return index;
}

/** Sums over the elements of a comparison whose reference is finite. */
export interface ErrorSums {
  readonly nan: number;
  readonly infinite: number;
  readonly unwritten: number;
  /** Elements that are finite or rightly infinite and match exactly. */
  readonly exact: number;
  readonly maxError: number;
  readonly maxReference: number;
  readonly maxUlp: number;
  /** Root mean square of the error of the finite elements, and of the reference. */
  readonly rmsError: number;
  readonly rmsReference: number;
  /** An infinity of the reference that the candidate missed, or the other way round. */
  readonly missedInfinity: boolean;
}

/** Sums up a comparison in one pass. */
export function sumErrors(comparison: Comparison, format: StorageFormat): ErrorSums {
  const { values, reference, errors, states } = comparison;
  const counts = [0, 0, 0, 0, 0];
  let exact = 0;
  let maxError = 0;
  let maxReference = 0;
  let maxUlp = 0;
  let squaredError = 0;
  let squaredReference = 0;
  let finite = 0;
  let missedInfinity = false;
  for (let at = 0; at < values.length; at++) {
    const state = states[at]!;
    counts[state]!++;
    if (state === elementStates.notCompared) continue;
    const truth = reference[at]!;
    if (truth === -Infinity) {
      if (errors[at] === 0) exact++;
      else missedInfinity = true;
      continue;
    }
    finite++;
    squaredReference += truth * truth;
    if (Math.abs(truth) > maxReference) maxReference = Math.abs(truth);
    if (state !== elementStates.finite) continue;
    const error = errors[at]!;
    if (error === 0) exact++;
    squaredError += error * error;
    if (error > maxError) maxError = error;
    const ulp = ulpDistance(format, values[at]!, truth);
    if (ulp > maxUlp) maxUlp = ulp;
  }
  const mean = (sum: number): number => (finite > 0 ? Math.sqrt(sum / finite) : 0);
  return {
    nan: counts[elementStates.nan]!,
    infinite: counts[elementStates.infinite]!,
    unwritten: counts[elementStates.unwritten]!,
    exact,
    maxError,
    maxReference,
    maxUlp,
    rmsError: mean(squaredError),
    rmsReference: mean(squaredReference),
    missedInfinity,
  };
}

/** RMS and largest error of the naive algorithm whose results were stored in the format. */
export function baselineErrors(
  reference: ReferenceTensor,
  baseline: ReferenceTensor,
  format: StorageFormat,
): { readonly rms: number; readonly max: number } {
  let squared = 0;
  let max = 0;
  let finite = 0;
  for (let at = 0; at < reference.values.length; at++) {
    const truth = reference.values[at]!;
    if (!Number.isFinite(truth)) continue;
    finite++;
    const error = Math.abs(roundTo(format, baseline.values[at]!) - truth);
    squared += error * error;
    if (error > max) max = error;
  }
  return { rms: finite > 0 ? Math.sqrt(squared / finite) : 0, max };
}
