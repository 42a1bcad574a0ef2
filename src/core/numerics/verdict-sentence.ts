import { coordinates, elementStates, type Comparison } from './element-errors.js';
import { placeErrors, placeName } from './error-place.js';
import { recogniseValues } from './error-shape.js';
import type { TensorVerdict } from './verdict.js';

/** A number for people: two or three digits, powers of ten where it is very small or large. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(3)));
  return value.toExponential(1).replace('.0e', 'e').replace('e+', 'e');
}

/** The verdict in words: what is right or wrong, where it begins, by how much, and what it looks like. */
export function verdictSentence(
  verdict: Omit<TensorVerdict, 'sentence'>,
  comparison: Comparison,
  wrong: Uint8Array,
  elementBound: number,
): string {
  if (verdict.passed) return `${passedSentence(verdict)}.`;
  const { name, guardsTouched } = verdict;
  const parts: string[] = [];
  for (const [state, what] of [
    [elementStates.unwritten, 'never written'],
    [elementStates.nan, 'NaN'],
    [elementStates.infinite, 'infinite'],
  ] as const) {
    const sentence = stateSentence(verdict, comparison, state, what);
    if (sentence !== null) parts.push(sentence);
  }
  const finiteWrong = wrong.map((mark, at) => (comparison.states[at] === elementStates.finite ? mark : 0));
  if (finiteWrong.includes(1)) parts.push(differsSentence(verdict, comparison, finiteWrong, elementBound));
  if (guardsTouched > 0) {
    const words = guardsTouched === 1 ? 'one guard word' : `${guardsTouched} guard words`;
    parts.push(`the kernel writes outside ${name}: ${words} around it changed`);
  }
  const words = parts.join('; ');
  const startsWithName = words.startsWith(`${name} `);
  return `${startsWithName ? words : words.charAt(0).toUpperCase() + words.slice(1)}.`;
}

function passedSentence({
  name,
  tolerance,
  rmsRatio,
  maxAbs,
  timesNaive,
  compared,
  elements,
}: Omit<TensorVerdict, 'sentence'>): string {
  const sampled = compared < elements ? `, on ${compared} of ${elements} elements` : '';
  if (maxAbs === 0) return `${name} matches the reference exactly${sampled}`;
  const naive = timesNaive === null ? '' : `, ${shortNumber(timesNaive)} × naive`;
  return tolerance.kind === 'absolute'
    ? `${name} is right: largest error ${shortNumber(maxAbs ?? 0)} where ${shortNumber(tolerance.bound)} is allowed${naive}${sampled}`
    : `${name} is right: RMS error ${shortNumber(rmsRatio ?? 0)} where ${shortNumber(tolerance.bound)} is allowed${naive}${sampled}`;
}

function stateSentence(
  { name, dimNames }: Omit<TensorVerdict, 'sentence'>,
  comparison: Comparison,
  state: number,
  what: string,
): string | null {
  // Only elements that count: a rightly infinite element carries the finite state by now.
  const marks = comparison.states.map((own) => (own === state ? 1 : 0));
  const at = marks.indexOf(1);
  if (at < 0) return null;
  let count = 0;
  for (const mark of marks) count += mark;
  const place = placeErrors(comparison, dimNames, marks, coordinates(comparison.dims, at));
  const verb = state === elementStates.unwritten ? (count === 1 ? 'was' : 'were') : count === 1 ? 'is' : 'are';
  const who =
    count === comparison.compared ? `all ${count} elements` : count === 1 ? 'one element' : `${count} elements`;
  const where = place.words === null ? '' : ` (${place.words})`;
  const guess = place.guess === null ? '' : ` — ${place.guess}`;
  return `${who} of ${name} ${verb} ${what}${where}, first at ${place.first}${guess}`;
}

function differsSentence(
  { name, dimNames, wrong: wrongCount, compared, timesNaive, rmsRatio, tolerance }: Omit<TensorVerdict, 'sentence'>,
  comparison: Comparison,
  wrong: Uint8Array,
  elementBound: number,
): string {
  const at = wrong.indexOf(1);
  const place = placeErrors(comparison, dimNames, wrong, coordinates(comparison.dims, at));
  const guess = recogniseValues(comparison, wrong) ?? place.guess;
  const where = place.words ?? (wrongCount > compared / 2 ? 'nearly everywhere' : 'here and there');
  const error = comparison.errors[at]!;
  const allowed = comparison.inexact[at] === 1 ? 0 : elementBound;
  const detail =
    error === Infinity
      ? `${shortNumber(comparison.values[at]!)} where -infinity is right`
      : comparison.inexact[at] === 1
        ? `${shortNumber(comparison.values[at]!)} where exactly ${shortNumber(comparison.reference[at]!)} is right`
        : `off by ${shortNumber(error)} where ${shortNumber(allowed)} is allowed`;
  const small =
    rmsRatio !== null && tolerance.kind === 'ratio' && rmsRatio < 100 * tolerance.bound
      ? `, RMS error ${shortNumber(rmsRatio)} where ${shortNumber(tolerance.bound)} is allowed` +
        (timesNaive === null ? '' : ` (${shortNumber(timesNaive)} × naive)`)
      : '';
  const first = placeName(comparison.dims, dimNames, coordinates(comparison.dims, at));
  return `${name} differs ${where}, first at ${first}: ${detail}${small}${guess === null ? '' : ` — ${guess}`}`;
}
