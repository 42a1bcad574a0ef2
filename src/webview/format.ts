import type { OptionValue } from '../core/attention/mechanism.js';
import type { Timing } from '../lab/contract.js';

/** A number and its unit, apart so that they can be set in different type. */
export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

const nothing = '–';

/** A number with `digits` significant digits, never with a needless exponent between 0.001 and 100000. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  if (magnitude < 1e-3 || magnitude >= 1e5)
    return minus(value.toExponential(Math.max(0, digits - 1)).replace('e+', 'e'));
  // Rounding may carry into another decade: 0.9996 has two decimals, not three.
  const rounded = Number(magnitude.toPrecision(digits));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(rounded)));
  return minus(value.toFixed(decimals));
}

/** An error, a ratio or a bound with two significant digits; a dash where there is none. */
export function formatError(value: number | null): string {
  return value === null ? nothing : significant(value, 2);
}

/** A tensor's value with six significant digits, or what stands there instead of a finite number. */
export function formatValue(value: number | null, absent = 'not finite'): string {
  return value === null ? absent : significant(value, 6);
}

/** A duration in nanoseconds in the unit that keeps it between 1 and 1000. */
export function formatTime(nanoseconds: number): Quantity {
  const units = ['ns', 'µs', 'ms', 's'];
  let scaled = nanoseconds;
  let unit = 0;
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return { value: significant(scaled), unit: units[unit]! };
}

/** A rate per second of `base` (FLOP, B) in giga, in tera from 10000 giga on, in mega below one. */
export function formatRate(perSecond: number, base: 'FLOP' | 'B'): Quantity {
  const giga = perSecond / 1e9;
  if (giga < 0.9995) return { value: significant(giga * 1e3), unit: `M${base}/s` };
  return giga >= 1e4
    ? { value: significant(giga / 1e3), unit: `T${base}/s` }
    : { value: significant(giga), unit: `G${base}/s` };
}

/** A size in bytes with a binary prefix. */
export function formatBytes(bytes: number): Quantity {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return { value: unit === 0 ? String(bytes) : significant(scaled), unit: units[unit]! };
}

/** A count of operations with a decimal prefix. */
export function formatFlops(flops: number): Quantity {
  const units = ['FLOP', 'KFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP'];
  let scaled = flops;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return { value: significant(scaled), unit: units[unit]! };
}

/** A whole number with separators between the thousands. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A factor, with two significant digits below ten and none behind the point from there on. */
export function formatFactor(factor: number | null): string {
  if (factor === null) return nothing;
  return `${factor >= 1e5 ? significant(factor, 2) : factor >= 10 ? String(Math.round(factor)) : significant(factor, 2)} ×`;
}

/** Half the distance from the 20th to the 80th percentile, as a share of the median: `±2 %`. */
export function formatSpread(timing: Timing): string {
  if (timing.median <= 0) return '±0 %';
  const percent = ((timing.p80 - timing.p20) / 2 / timing.median) * 100;
  return `±${percent >= 10 ? String(Math.round(percent)) : significant(percent, 2)} %`;
}

/** Quantity as running text, with a space that does not break. */
export function joined(quantity: Quantity): string {
  return `${quantity.value}\u00a0${quantity.unit}`;
}

/** Time of day of a moment (milliseconds since 1970) as hours and minutes, 24 hours. */
export function formatClock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}

/** An option's value as people write it in a kernel file. */
export function formatOption(value: OptionValue): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  if (typeof value === 'boolean' || typeof value === 'string') return String(value);
  return `[${value.join(', ')}]`;
}

const axisWords: Readonly<Record<string, string>> = {
  batch: 'batch',
  heads: 'head',
  headsKv: 'head',
  seqlen: 'row',
  seqlenK: 'row',
  headDim: 'column',
  headDimV: 'column',
};

/** The word for one index along a dimension: `head` for `heads`, `row` for `seqlen`. */
export function axisWord(dimension: string): string {
  return axisWords[dimension] ?? dimension;
}

/** Coordinates of an element in words: `batch 0 · head 2 · row 65 · column 12`. */
export function formatIndex(dimNames: readonly string[], index: readonly number[]): string {
  return index.map((i, axis) => `${axisWord(dimNames[axis] ?? `axis ${axis}`)} ${i}`).join(' · ');
}

function minus(text: string): string {
  return text.replace(/^-/, '−');
}
