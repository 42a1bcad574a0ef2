import type { RecordedValue } from '../core/simulator/trace.js';
import type { Translate } from './translate.js';

type Sample = RecordedValue['samples'][number];

/** Samples of a value that stand in the line; the hover has them all. */
const shownSamples = 3;

/** The values of one line of the kernel: in short for its end, and at length for its hover. */
export interface LineValues {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly details: readonly string[];
}

/** The values that an invocation had, by line. A name that a line gives a value several times is listed once for each. */
export function lineValues(
  values: readonly (RecordedValue & { readonly line: number })[],
  t: Translate,
): readonly LineValues[] {
  const byLine = new Map<number, RecordedValue[]>();
  for (const value of values) byLine.set(value.line, [...(byLine.get(value.line) ?? []), value]);
  return [...byLine]
    .sort(([a], [b]) => a - b)
    .map(([line, entries]) => ({
      line,
      text: entries.map((entry) => shortText(entry, t)).join('   '),
      details: entries.map((entry) => longText(entry, t)),
    }));
}

function shortText({ name, samples, count }: RecordedValue, t: Translate): string {
  const texts = samples.map(sampleText);
  if (count <= shownSamples) return `${name} = ${texts.join(', ')}`;
  // The last sample is the last value, the others are the first ones.
  const shown = [...texts.slice(0, shownSamples - 1), '…', ...texts.slice(-1)];
  return `${name} = ${shown.join(', ')} ${t('({0} times)', count)}`;
}

function longText({ name, samples, count }: RecordedValue, t: Translate): string {
  const texts = samples.map(sampleText);
  const listed = count > samples.length ? [...texts.slice(0, -1), '…', ...texts.slice(-1)] : texts;
  const times = count === 1 ? t('once') : t('{0} times', count);
  return `\`${name}\` (${times}): ${listed.join(', ')}`;
}

function sampleText(sample: Sample): string {
  if (typeof sample === 'number') return numberText(sample);
  if (typeof sample === 'boolean') return String(sample);
  return `(${sample.map((part) => (typeof part === 'number' ? numberText(part) : String(part))).join(', ')})`;
}

/** A number in six significant digits; whole ones in full. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : String(value);
}
