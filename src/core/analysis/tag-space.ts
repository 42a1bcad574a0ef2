import { sizesOf } from '../attention/sizes.js';
import type { Plan, PlannedBuffer } from '../kernel/model.js';
import { mostSets } from './key-sets.js';
import { wordPlaces } from './tensor-places.js';

/** Tags and word indices are kept in 32 bits with sign. */
const mostTags = 2 ** 31 - 1;

/** Inputs whose values are followed, in the order of their tags. States before the first token stand for no keys. */
export const followedTensors = ['q', 'k', 'v', 's0', 'z0'] as const;
export type FollowedTensor = (typeof followedTensors)[number];

/**
 * How the 32 bits of a tag are divided, ascending: words of q, of k, of v, of initial states; `mixed`; sums over keys
 * (`KeySets`); scores of a pair (query row · 2^keyBits + key). Query rows count (batch, head, query), key rows (batch, key head, key).
 */
export interface TagSpace {
  /** First tag of each buffer of the plan, 0 where its values are not followed. */
  readonly base: Int32Array;
  readonly qEnd: number;
  readonly kEnd: number;
  readonly vEnd: number;
  readonly s0End: number;
  /** End of all words. The tag `mixed` itself: values of which no more can be said. */
  readonly mixed: number;
  readonly setBase: number;
  readonly pairBase: number;
  /** Bits of a score's tag that hold its key. */
  readonly keyBits: number;
  /** Row and column of each word's first element, by tag. */
  readonly rowOf: Int32Array;
  readonly columnOf: Int32Array;
  /** Elements of one row in a word, by tag: 1, or 2 for packed f16. */
  readonly perWord: Uint8Array;
  /** First key row of the plane that a query row attends to, by query row. */
  readonly keyBase: Int32Array;
  readonly queries: number;
  readonly keys: number;
  readonly queryRows: number;
  readonly keyRows: number;
}

/**
 * Divides the tags for a plan. Null where q, k and v are not all bound, where a word of them holds elements of two
 * rows, and where there are more pairs than tags.
 */
export function tagSpace(plan: Plan): TagSpace | null {
  const base = new Int32Array(plan.buffers.length);
  const ends = new Map<FollowedTensor, number>();
  const parts: { start: number; buffer: PlannedBuffer }[] = [];
  let end = 1;
  for (const tensor of followedTensors) {
    plan.buffers.forEach((buffer, index) => {
      if (buffer.content.kind !== 'tensor' || buffer.content.tensor !== tensor) return;
      base[index] = end;
      parts.push({ start: end, buffer });
      end += Math.ceil(buffer.byteLength / 4);
    });
    ends.set(tensor, end);
  }
  const bound = new Set(parts.map(({ buffer }) => (buffer.content.kind === 'tensor' ? buffer.content.tensor : '')));
  if (!['q', 'k', 'v'].every((name) => bound.has(name))) return null;
  const { batch, heads, headsKv, seqlen, seqlenK } = sizesOf(plan.shape);
  const queryRows = batch * heads * seqlen;
  const pairBase = end + 1 + mostSets + 1;
  const keyBits = Math.ceil(Math.log2(seqlenK));
  if (pairBase + queryRows * 2 ** keyBits > mostTags) return null;
  const words = wordTables(parts, end);
  if (words === null) return null;
  return {
    base,
    qEnd: ends.get('q')!,
    kEnd: ends.get('k')!,
    vEnd: ends.get('v')!,
    s0End: ends.get('s0')!,
    mixed: end,
    setBase: end + 1,
    pairBase,
    keyBits,
    ...words,
    keyBase: keyBases(batch, heads, headsKv, seqlen, seqlenK),
    queries: seqlen,
    keys: seqlenK,
    queryRows,
    keyRows: batch * headsKv * seqlenK,
  };
}

function wordTables(
  parts: readonly { start: number; buffer: PlannedBuffer }[],
  end: number,
): Pick<TagSpace, 'rowOf' | 'columnOf' | 'perWord'> | null {
  const rowOf = new Int32Array(end).fill(-1);
  const columnOf = new Int32Array(end);
  const perWord = new Uint8Array(end);
  for (const { start, buffer } of parts) {
    if (buffer.content.kind !== 'tensor') continue;
    const places = wordPlaces(buffer.content.view, buffer.byteLength);
    if (places.straddles) return null;
    rowOf.set(places.rows, start);
    columnOf.set(places.columns, start);
    perWord.fill(places.perWord, start, start + places.rows.length);
  }
  return { rowOf, columnOf, perWord };
}

/** Grouped queries: heads / headsKv neighbouring query heads share one head of keys and values. */
function keyBases(batch: number, heads: number, headsKv: number, seqlen: number, seqlenK: number): Int32Array {
  const bases = new Int32Array(batch * heads * seqlen);
  for (let plane = 0; plane < batch * heads; plane++) {
    const headKv = Math.floor(((plane % heads) * headsKv) / heads);
    const keyPlane = Math.floor(plane / heads) * headsKv + headKv;
    bases.fill(keyPlane * seqlenK, plane * seqlen, (plane + 1) * seqlen);
  }
  return bases;
}
