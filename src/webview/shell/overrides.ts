import type { OptionValue } from '../../core/attention/mechanism.js';
import type { CaseOverride } from '../../lab/contract.js';
import type { PanelKernel } from '../../lab/panel.js';

/** The largest size a dimension takes here; above it no adapter has the memory. */
const largestSize = 1 << 24;

/** What is chosen now: sizes and options that differ from the file's own and do not merely follow another. */
export function currentOverride(kernel: PanelKernel): CaseOverride {
  const shape: Record<string, number> = {};
  const options: Record<string, OptionValue> = {};
  for (const field of kernel.dimensions) {
    if (field.follows === null && field.value !== field.fileValue) shape[field.name] = field.value;
  }
  for (const field of kernel.options) {
    if (!same(field.value, field.fileValue)) options[field.name] = field.value;
  }
  return { shape, options };
}

/** The choice with one dimension set; setting it to the file's own size takes the choice back. */
export function withDimension(kernel: PanelKernel, name: string, size: number): CaseOverride {
  const { shape, options } = currentOverride(kernel);
  const fileValue = kernel.dimensions.find((field) => field.name === name)?.fileValue;
  const others = without(shape, name);
  return { shape: size === fileValue ? others : { ...others, [name]: size }, options };
}

/** The choice with one option set; setting it to the file's own value takes the choice back. */
export function withOption(kernel: PanelKernel, name: string, value: OptionValue): CaseOverride {
  const { shape, options } = currentOverride(kernel);
  const fileValue = kernel.options.find((field) => field.name === name)?.fileValue;
  const others = without(options, name);
  return { shape, options: fileValue !== undefined && same(value, fileValue) ? others : { ...others, [name]: value } };
}

/** The kernel as it will be shown once the host has taken a choice; what follows another dimension is left as it is. */
export function withOverride(kernel: PanelKernel, { shape, options }: CaseOverride): PanelKernel {
  return {
    ...kernel,
    dimensions: kernel.dimensions.map((field) => {
      const value = shape[field.name];
      if (value !== undefined) return { ...field, value, follows: null };
      return field.follows === null ? { ...field, value: field.fileValue } : field;
    }),
    options: kernel.options.map((field) => ({ ...field, value: options[field.name] ?? field.fileValue })),
  };
}

/** Whether two choices are the same, whatever the order of their names. */
export function sameOverride(a: CaseOverride, b: CaseOverride): boolean {
  const key = ({ shape, options }: CaseOverride): string =>
    [...Object.entries(shape), ...Object.entries(options)]
      .map(([name, value]) => `${name}=${String(value)}`)
      .sort()
      .join();
  return key(a) === key(b);
}

/** True where anything differs from the file. */
export function isOverridden(kernel: PanelKernel): boolean {
  const { shape, options } = currentOverride(kernel);
  return Object.keys(shape).length + Object.keys(options).length > 0;
}

/** A size as somebody typed it, or null where it is none. */
export function parseSize(text: string): number | null {
  const size = Number(text.trim());
  return Number.isInteger(size) && size >= 1 && size <= largestSize ? size : null;
}

/** Twice or half a size, within what a dimension takes; halves of odd sizes are rounded down. */
export function stepSize(size: number, direction: 1 | -1): number {
  return direction === 1 ? Math.min(largestSize, size * 2) : Math.max(1, Math.floor(size / 2));
}

/** An option's value as somebody typed it (`0.125`; `128, 0`), or null where it is none. */
export function parseOption(kind: 'number' | 'window', text: string): OptionValue | null {
  const numbers = text
    .replaceAll(/[[\]]/g, '')
    .split(',')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (numbers.some((value) => !Number.isFinite(value))) return null;
  const [first, second] = numbers;
  if (kind === 'number') return numbers.length === 1 ? first! : null;
  const isSide = (side: number | undefined): boolean => Number.isInteger(side) && side! >= -1;
  return numbers.length === 2 && isSide(first) && isSide(second) ? [first!, second!] : null;
}

function without<T>(record: Readonly<Record<string, T>>, name: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name));
}

function same(a: OptionValue, b: OptionValue): boolean {
  return String(a) === String(b);
}
