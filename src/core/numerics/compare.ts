import type { Direction, ReferenceTensor, TensorSpec, Tolerance } from '../attention/mechanism.js';
import {
  baselineErrors,
  compareElements,
  coordinates,
  elementStates,
  sumErrors,
  type Comparison,
  type ErrorSums,
} from './element-errors.js';
import { errorHistogram } from './error-histogram.js';
import { errorMap } from './error-map.js';
import { ulpDistance, type StorageFormat } from './ulp.js';
import type { ElementState, TensorVerdict, WorstElement } from './verdict.js';
import { verdictSentence } from './verdict-sentence.js';

/** One output tensor to judge: the truth, the naive algorithm beside it, and what the kernel left in its buffer. */
export interface Question {
  readonly spec: TensorSpec;
  readonly direction: Direction;
  readonly format: StorageFormat;
  readonly reference: ReferenceTensor;
  /** The reference's algorithm at float32, with the same rows. */
  readonly baseline: ReferenceTensor;
  /** The whole tensor in default layout. */
  readonly values: Float32Array;
  /** 0 finite, 1 NaN, 2 infinite, 3 never written, for each element. */
  readonly states: Uint8Array;
  readonly guardsTouched: number;
  /** False leaves the error map out, where many cases make a report large. */
  readonly withMap: boolean;
}

/** Names the element state of a number of `elementStates`. */
const stateNames: readonly ElementState[] = ['ok', 'nan', 'inf', 'unwritten', 'ok'];

/** Errors of a storage in float16: of outputs, of gradients, and how many times those of a naive algorithm. */
const float16 = { forward: { bound: 5e-3, timesNaive: 2 }, backward: { bound: 1e-2, timesNaive: 3 } } as const;

/**
 * What one tensor is held to. It passes if every element is within `element`, and the ratio is below `ratio` or the
 * largest error within `escape` (true values near zero have no meaningful ratio). Absolute tolerances have ratio
 * infinite: `element` alone decides.
 */
interface Bounds {
  readonly tolerance: Tolerance;
  readonly ratio: number;
  readonly escape: number;
  readonly element: number;
}

function boundsOf(question: Question, sums: ErrorSums, naiveMax: number): Bounds {
  const { spec, reference, direction, format } = question;
  const size = Math.max(1, sums.maxReference);
  const escape = 1e-6 * size;
  const given: Tolerance = reference.tolerance ?? spec.tolerance ?? { kind: 'ratio', bound: 2e-5 };
  const half = direction === 'backward' ? float16.backward : float16.forward;
  if (given.kind === 'absolute') {
    const bound = format === 'f32' ? given.bound : half.bound * size;
    return { tolerance: { kind: 'absolute', bound }, ratio: Infinity, escape, element: bound };
  }
  const bound = format === 'f32' ? given.bound : half.bound;
  const far = Math.max(100 * bound * sums.maxReference, escape);
  const element = format === 'f32' ? far : Math.min(far, half.timesNaive * naiveMax + 1e-5 * size);
  return { tolerance: { kind: 'ratio', bound }, ratio: bound, escape, element };
}

/**
 * The verdict on one tensor. It passes if no guard was touched; every element is finite where the reference is, and
 * written; rows that must be exact are; no error exceeds the element bound, the larger of 100 · bound · max|reference|
 * and 1e-6 · max(1, max|reference|); and the RMS ratio is below the bound, or the largest error at most
 * 1e-6 · max(1, max|reference|). Stored as f16 no error may exceed 2 (gradients: 3) times the largest error of the
 * naive algorithm with the same storage either. A tensor that fails by its ratio alone is shown against
 * bound · RMS(reference), so that the elements to blame can be seen.
 */
export function judgeTensor(question: Question): TensorVerdict {
  const { spec, format, reference, baseline, guardsTouched } = question;
  const comparison = compareElements(reference, question.values, question.states, format);
  const sums = sumErrors(comparison, format);
  const naive = baselineErrors(reference, baseline, format);
  const bounds = boundsOf(question, sums, naive.max);
  const finite = sums.nan + sums.infinite + sums.unwritten === 0 && !sums.missedInfinity;
  const ratio = sums.rmsError / (sums.rmsReference + 1e-8);
  const ratioHolds = ratio < bounds.ratio || sums.maxError <= bounds.escape;
  const elementBound = ratioHolds
    ? bounds.element
    : Math.min(bounds.element, Math.max(bounds.ratio * sums.rmsReference, bounds.escape));
  const wrong = markWrong(comparison, elementBound);
  const passed = guardsTouched === 0 && finite && ratioHolds && wrong.count === 0;
  const naiveRatio = naive.rms / (sums.rmsReference + 1e-8);
  const verdict: Omit<TensorVerdict, 'sentence'> = {
    name: spec.name,
    dims: reference.dims,
    dimNames: spec.dims,
    passed,
    tolerance: bounds.tolerance,
    elements: question.values.length,
    compared: comparison.compared,
    maxAbs: finite ? sums.maxError : null,
    maxReference: sums.maxReference,
    rmsRatio: finite ? ratio : null,
    bound: bounds.tolerance.bound,
    maxUlp: finite ? sums.maxUlp : null,
    timesNaive: finite && naiveRatio > 0 ? ratio / naiveRatio : null,
    nan: sums.nan,
    infinite: sums.infinite,
    unwritten: sums.unwritten,
    guardsTouched,
    wrong: wrong.count,
    firstWrong: wrong.first < 0 ? null : coordinates(reference.dims, wrong.first),
    worst: worstElements(comparison, elementBound, format),
    histogram: errorHistogram(comparison, sums.maxReference),
    map: question.withMap ? errorMap({ ...comparison, dimNames: spec.dims }) : null,
  };
  return { ...verdict, sentence: verdictSentence(verdict, comparison, wrong.marks, elementBound) };
}

/** Marks every element beyond its bound: not finite, not written, not exact where it must be, or too far off. */
function markWrong(
  { errors, states, inexact }: Comparison,
  elementBound: number,
): { readonly marks: Uint8Array; readonly count: number; readonly first: number } {
  const marks = new Uint8Array(errors.length);
  let count = 0;
  let first = -1;
  for (let at = 0; at < errors.length; at++) {
    if (states[at] === elementStates.notCompared) continue;
    if (errors[at]! <= elementBound && inexact[at] === 0) continue;
    marks[at] = 1;
    count++;
    if (first < 0) first = at;
  }
  return { marks, count, first };
}

const shown = { elements: 16, rows: 6, perState: 4 } as const;

/** Elements worth a look: the first few never written, NaN and infinite, then the largest errors. */
function worstElements(comparison: Comparison, elementBound: number, format: StorageFormat): readonly WorstElement[] {
  const { errors, states } = comparison;
  const special: readonly number[][] = [[], [], [], []];
  const largest: number[] = [];
  for (let at = 0; at < errors.length; at++) {
    const state = states[at]!;
    if (state === elementStates.notCompared) continue;
    if (state !== elementStates.finite) {
      if (special[state]!.length < shown.perState) special[state]!.push(at);
    } else if (errors[at]! > 0 && (largest.length < shown.elements || errors[at]! > errors[largest.at(-1)!]!)) {
      let place = largest.length;
      while (place > 0 && errors[largest[place - 1]!]! < errors[at]!) place--;
      largest.splice(place, 0, at);
      if (largest.length > shown.elements) largest.pop();
    }
  }
  const chosen = [...special[3]!, ...special[1]!, ...special[2]!, ...largest].slice(0, shown.elements);
  return chosen.map((at, place) => describe(comparison, at, elementBound, format, place < shown.rows));
}

function describe(
  { dims, columns, values, reference, errors, states, inexact }: Comparison,
  at: number,
  elementBound: number,
  format: StorageFormat,
  withRow: boolean,
): WorstElement {
  const start = at - (at % columns);
  const bothFinite = Number.isFinite(values[at]!) && Number.isFinite(reference[at]!) && states[at] === 0;
  const written = (index: number): number | null =>
    states[index] === elementStates.unwritten ? null : finiteOrNull(values[index]!);
  return {
    index: coordinates(dims, at),
    state: stateNames[states[at]!]!,
    reference: finiteOrNull(reference[at]!),
    candidate: written(at),
    error: finiteOrNull(errors[at]!),
    bound: inexact[at] === 1 ? 0 : elementBound,
    ulp: bothFinite ? ulpDistance(format, values[at]!, reference[at]!) : null,
    row: withRow
      ? {
          reference: Array.from(reference.subarray(start, start + columns), finiteOrNull),
          candidate: Array.from({ length: columns }, (_, column) => written(start + column)),
        }
      : null,
  };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
