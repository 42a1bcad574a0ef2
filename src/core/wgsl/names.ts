import { stdWgsl } from 'wesl/core';

/** Names that WGSL implementations predeclare beyond those WESL lists: newer language features and their extensions. */
const newerNames = new Set([
  'buffer',
  'bufferView',
  'bufferArrayView',
  'bufferLength',
  'binding_array',
  'resource_binding',
  'hasResource',
  'getResource',
  'input_attachment',
  'inputAttachmentLoad',
  'print',
  'immediate',
  'pixel_local',
  'task_payload',
  'ray_query',
  'acceleration_structure',
  'dot4U8Packed',
  'dot4I8Packed',
  'i8',
  'u8',
  'u16',
  'i16',
  'f64',
  'i64',
  'u64',
]);

/** Names that an extension declares where it is enabled. */
const extensionNames: Readonly<Record<string, RegExp>> = {
  chromium_experimental_subgroup_matrix:
    /^(?:subgroup_matrix_(?:left|right|result)|subgroupMatrix(?:Load|Store|Multiply(?:Accumulate)?|Scalar(?:Add|Subtract|Multiply))|(?:row|col)_major|[iu]8)$/,
};

/** Families that grow with every browser release: a name among them that is not known here may still be right. */
const growingFamily = /^(?:subgroup|quad|texture|texel|sampler|atomic|buffer|ray|pack|unpack|(?:rgba?|rg|r|bgra)\d)/;

/**
 * Whether WGSL itself, or an extension that is enabled, declares the name: `yes`, `no`, or `perhaps` for names that newer
 * devices may know.
 */
export function isPredeclared(name: string, enabled: readonly string[]): 'yes' | 'no' | 'perhaps' {
  if (stdWgsl(name) || enabled.some((extension) => extensionNames[extension]?.test(name) === true)) return 'yes';
  return newerNames.has(name) || growingFamily.test(name) ? 'perhaps' : 'no';
}

/** Number of single-letter changes between two names, or `limit` where it is at least that. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1]!.toLowerCase() === b[j - 1]!.toLowerCase() ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return Math.min(limit, row[b.length]!);
}

/** The candidate that `name` is most likely a misspelling of, or null where none is near (two changes at most). */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  if (name.length > 64) return null;
  let best: string | null = null;
  let bestDistance = Math.min(3, Math.ceil(name.length / 2));
  for (const candidate of candidates) {
    const changes = distance(name, candidate, bestDistance);
    if (changes < bestDistance) {
      best = candidate;
      bestDistance = changes;
    }
  }
  return best;
}
