import type { Mechanism, OptionSpec, OptionValue, Shape } from '../core/attention/mechanism.js';
import { fallbackSize, followsLeaders, leadersOf } from '../core/attention/sizes.js';
import type { CaseOverride } from '../lab/contract.js';
import type { Translate } from './translate.js';

/** An override read from text, or what is wrong with the text. */
export type ParsedOverride =
  { readonly ok: true; readonly override: CaseOverride | null } | { readonly ok: false; readonly message: string };

/**
 * Reads `seqlen=300, headDim=64, causal=false, window=[128, 0]`: sizes and options of a mechanism by name.
 * Empty text means the file's own. The message of a failure names the value and what may stand there.
 */
export function parseOverride(text: string, mechanism: Mechanism, t: Translate): ParsedOverride {
  const shape: Record<string, number> = {};
  const options: Record<string, OptionValue> = {};
  for (const entry of text.split(/,(?![^[]*\])/).map((part) => part.trim())) {
    if (entry === '') continue;
    const match = /^(\w+)\s*[=:]\s*(.+)$/.exec(entry);
    const name = match?.[1];
    const value = match?.[2]?.trim();
    if (name === undefined || value === undefined) {
      return { ok: false, message: t('"{0}" is not of the form name=value, as in seqlen=300.', entry) };
    }
    const option = mechanism.options.find((spec) => spec.name === name);
    if (option !== undefined) {
      const parsed = parseOption(value, option);
      if (parsed === null) return { ok: false, message: t('{0} takes {1}, not "{2}".', name, expected(option), value) };
      options[name] = parsed;
    } else if (mechanism.dimensions.some((dimension) => dimension.name === name)) {
      if (!/^[1-9]\d{0,8}$/.test(value)) {
        return { ok: false, message: t('{0} takes a whole number from 1, not "{1}".', name, value) };
      }
      shape[name] = Number(value);
    } else {
      const names = [...mechanism.dimensions, ...mechanism.options].map((spec) => spec.name).join(', ');
      return { ok: false, message: t('{0} has no "{1}". It has {2}.', mechanism.title, name, names) };
    }
  }
  return { ok: true, override: normalizeOverride({ shape, options }) };
}

/** The same override, or null where it says nothing. */
export function normalizeOverride(override: CaseOverride): CaseOverride | null {
  return Object.keys(override.shape).length + Object.keys(override.options).length === 0 ? null : override;
}

/** The text of an override as `parseOverride` reads it. */
export function formatOverride(override: CaseOverride): string {
  return [...Object.entries(override.shape), ...Object.entries(override.options)]
    .map(([name, value]) => `${name}=${formatValue(value)}`)
    .join(', ');
}

/** The choices made so far with this one first, without repetition, at most `limit`. */
export function remember(
  recent: readonly CaseOverride[],
  override: CaseOverride,
  limit: number,
): readonly CaseOverride[] {
  const text = formatOverride(override);
  return [override, ...recent.filter((other) => formatOverride(other) !== text)].slice(0, limit);
}

/**
 * A dimension's size under an override, and the dimensions it follows (null where it has a size of its own).
 * A dimension that the file leaves to another one changes with that one.
 */
export function resolveDimension(
  name: string,
  mechanism: Mechanism,
  fileShape: Shape,
  override: CaseOverride | null,
): { readonly value: number; readonly follows: string | null } {
  const fileValue = fileShape[name] ?? 1;
  const chosen = override?.shape[name];
  if (chosen !== undefined) return { value: chosen, follows: null };
  const dimension = mechanism.dimensions.find((other) => other.name === name);
  if (dimension === undefined || !followsLeaders(dimension, fileShape)) return { value: fileValue, follows: null };
  const value = fallbackSize(dimension, (leader) => resolveDimension(leader, mechanism, fileShape, override).value);
  return { value, follows: leadersOf(dimension).join(', ') };
}

function formatValue(value: OptionValue): string {
  return typeof value === 'object' ? `[${value.join(', ')}]` : String(value);
}

function parseOption(text: string, option: OptionSpec): OptionValue | null {
  switch (option.kind) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'number':
      return Number.isFinite(Number(text)) ? Number(text) : null;
    case 'choice':
      return option.choices.includes(text) ? text : null;
    case 'window': {
      const match = /^\[?\s*(-1|\d+)\s*[,:]\s*(-1|\d+)\s*\]?$/.exec(text);
      return match === null ? null : [Number(match[1]), Number(match[2])];
    }
  }
}

function expected(option: OptionSpec): string {
  switch (option.kind) {
    case 'boolean':
      return 'true | false';
    case 'number':
      return '1.5';
    case 'choice':
      return option.choices.join(' | ');
    case 'window':
      return '[left, right]';
  }
}
