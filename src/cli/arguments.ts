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

/** A workgroup as the command line names it: of an entry point's pass, or of the last pass. */
export interface NamedWorkgroup {
  readonly entry: string | null;
  readonly workgroup: readonly [number, number, number];
}

/** Reads `all`, or workgroups such as `0,0,0;attend:3,1,0`: the id, after the entry point of its pass where not the last. */
export function parseWorkgroups(text: string): 'all' | readonly NamedWorkgroup[] {
  if (text.trim() === 'all') return 'all';
  const parts = text.split(';').filter((part) => part.trim() !== '');
  if (parts.length === 0) throw new UsageError('--workgroups needs ids separated by semicolons, or "all".');
  return parts.map((part) => {
    const match = /^\s*(?:(\w+)\s*:)?\s*(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?\s*$/.exec(part);
    if (!match) throw new UsageError(`--workgroups: "${part}" is not of the form x,y,z or entry:x,y,z.`);
    const [, entry, x, y, z] = match;
    return { entry: entry ?? null, workgroup: [Number(x), Number(y ?? 0), Number(z ?? 0)] };
  });
}

/** Where kernels run: on the GPU (or the software driver in its place), or on the simulator. */
export type RunsOn = 'gpu' | 'simulator';

/** Reads where kernels are to run. */
export function parseRunsOn(text: string): RunsOn {
  if (text === 'gpu' || text === 'simulator') return text;
  throw new UsageError(`--device must be gpu or simulator, not "${text}".`);
}

/** Reads the size of a subgroup: a power of two from 4 to 128. */
export function parseSubgroupSize(text: string): number {
  const size = Number(text);
  if (![4, 8, 16, 32, 64, 128].includes(size)) {
    throw new UsageError(`--subgroup-size must be 4, 8, 16, 32, 64 or 128, not "${text}".`);
  }
  return size;
}

/** Reads a whole number of at least 1. */
export function parseCount(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new UsageError(`"${text}" is not a whole number of at least 1.`);
  }
  return number;
}

/** Reads `1,2,4,8`: whole numbers of at least 1. */
export function parseCounts(text: string): readonly number[] {
  return text.split(',').map((part) => parseCount(part.trim()));
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
