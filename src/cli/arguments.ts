import type { OptionValue } from '../core/attention/mechanism.js';
import { UsageError } from './usage.js';

/** Reads `seqlen=300,headDim=64`: positive integers by name. */
export function parseShape(text: string): Record<string, number> {
  const shape: Record<string, number> = {};
  for (const [name, value] of pairs(text, '--shape')) {
    const size = Number(value);
    if (!Number.isInteger(size) || size < 1) {
      throw new UsageError(`--shape: "${name}" must be a positive integer, not "${value}".`);
    }
    shape[name] = size;
  }
  return shape;
}

/** Reads `causal=false,window=[15,0],feature=silu`: booleans, numbers, windows and words by name. */
export function parseOptions(text: string): Record<string, OptionValue> {
  return Object.fromEntries(pairs(text, '--options').map(([name, value]) => [name, parseValue(name, value)]));
}

/** Reads a non-negative integer that fits 32 bits. */
export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UsageError(`--seed must be an integer from 0 to 4294967295, not "${text}".`);
  }
  return seed;
}

function pairs(text: string, flag: string): [string, string][] {
  // A comma inside brackets belongs to a window.
  const parts = text.split(/,(?![^[]*\])/).filter((part) => part.trim() !== '');
  if (parts.length === 0) throw new UsageError(`${flag} needs name=value pairs separated by commas.`);
  return parts.map((part) => {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals).trim();
    if (equals < 0 || name === '') throw new UsageError(`${flag}: "${part}" is not of the form name=value.`);
    return [name, part.slice(equals + 1).trim()];
  });
}

function parseValue(name: string, text: string): OptionValue {
  if (text === 'true' || text === 'false') return text === 'true';
  const window = /^\[\s*(-?\d+)\s*,\s*(-?\d+)\s*\]$/.exec(text);
  if (window) return [Number(window[1]), Number(window[2])];
  const number = Number(text);
  if (text !== '' && Number.isFinite(number)) return number;
  if (/^[a-z][\w-]*$/i.test(text)) return text;
  throw new UsageError(`--options: "${name}" has the unreadable value "${text}".`);
}
