import type { AttentionParts, Computation, Inputs, Mechanism } from '../attention/mechanism.js';
import type { Plan, TensorView } from '../kernel/model.js';
import { mostSets } from './key-sets.js';
import { pairSizes, partsOf, type PairSizes } from './pair-sizes.js';
import { rowsShareWords, wordPlaces, type WordPlaces } from './tensor-places.js';

/** Tags and word indices are kept in 32 bits with sign. */
const mostTags = 2 ** 31 - 1;

/**
 * How the 32 bits of a tag are divided, ascending: words of queries, of keys, of values, of initial states; `mixed`; sums
 * over keys (`KeySets`); scores of a pair (query row · 2^keyBits + key). Rows count (batch, head, token) with the heads of
 * the tensor they are of; a pair row has the heads of the score matrix, which are those of queries or of values.
 */
export interface TagSpace {
  /** The tensors whose values are followed, in the order of their tags: queries, keys, values, then initial states. */
  readonly tensors: readonly string[];
  /** End of the tags of each of `tensors`. */
  readonly ends: readonly number[];
  readonly sizes: PairSizes;
  /** First tag of each buffer of the plan, 0 where its values are not followed. */
  readonly base: Int32Array;
  readonly qEnd: number;
  readonly kEnd: number;
  readonly vEnd: number;
  /** End of all words. The tag `mixed` itself: values of which no more can be said. */
  readonly mixed: number;
  readonly setBase: number;
  readonly pairBase: number;
  /** Bits of a score's tag that hold its key. */
  readonly keyBits: number;
  /** Keys and values are one tensor (a latent): there are no tags of values, and a key row is a value row. */
  readonly keysAreValues: boolean;
  /** The pages of each sequence in the order of its tokens; null where keys lie in none. */
  readonly pages: readonly (readonly number[])[] | null;
  /**
   * Row and column of each word's first element, by tag. The words of a state before the first token stand for no keys:
   * their row is the first value row of their plane.
   */
  readonly rowOf: Int32Array;
  readonly columnOf: Int32Array;
  /** Elements of one row in a word, by tag: 1, or 2 for packed f16. */
  readonly perWord: Uint8Array;
  /** First key row of the plane that a query row attends to, by query row. */
  readonly keyBase: Int32Array;
  /** The key row that a value belongs to, by value row. */
  readonly keyOfValue: Int32Array;
  /** What leads from a query row to the pair row of the head that a value row is of, by value row. */
  readonly pairShift: Int32Array;
  /** First value row of the plane of a pair row. */
  readonly valueBase: Int32Array;
  readonly queries: number;
  readonly keys: number;
  readonly queryRows: number;
  readonly pairRows: number;
  readonly keyRows: number;
  readonly valueRows: number;
}

/**
 * Divides the tags for a plan, whose inputs say which token a slot of a page holds (null where only the division matters).
 * Null where values cannot be followed (`isFollowable`).
 */
export function tagSpace(
  plan: Plan,
  mechanism: Mechanism,
  computation: Computation,
  inputs: Inputs | null,
): TagSpace | null {
  const division = divideTags(plan, mechanism, computation);
  if (division === null) return null;
  const { attention, sizes, tensors, attending, ends, base, parts, end, queryRows, pairBase, keyBits } = division;
  const { queries, keys } = queriesAndKeys(attention);
  const pages = (inputs && computation.paged?.tables(inputs, plan.shape)) ?? null;
  return {
    tensors,
    ends,
    sizes,
    base,
    qEnd: ends[queries.length - 1]!,
    kEnd: ends[queries.length + keys.length - 1]!,
    vEnd: ends[attending - 1]!,
    mixed: end,
    setBase: end + 1,
    pairBase,
    keyBits,
    keysAreValues: attention.key === attention.value,
    pages,
    ...wordTables(parts, end, sizes, pages),
    ...rowTables(sizes),
    queries: sizes.queries,
    keys: sizes.keys,
    queryRows,
    pairRows: sizes.planes * sizes.queries,
    keyRows: sizes.keyPlanes * sizes.keys,
    valueRows: sizes.valuePlanes * sizes.keys,
  };
}

/**
 * Whether the values of a plan can be followed: not where the computation has no queries, keys and values, where the plan
 * does not bind them all, where a word of them holds elements of two rows, and where there are more pairs than tags.
 */
export function isFollowable(plan: Plan, mechanism: Mechanism, computation: Computation): boolean {
  return divideTags(plan, mechanism, computation) !== null;
}

/** What is known of a tag space before its tables are made, which is most of its cost. */
interface TagDivision {
  readonly attention: AttentionParts;
  readonly sizes: PairSizes;
  readonly tensors: readonly string[];
  /** How many of the tensors are queries, keys and values. */
  readonly attending: number;
  readonly ends: readonly number[];
  readonly base: Int32Array;
  readonly parts: readonly Part[];
  readonly end: number;
  readonly queryRows: number;
  readonly pairBase: number;
  readonly keyBits: number;
}

function divideTags(plan: Plan, mechanism: Mechanism, computation: Computation): TagDivision | null {
  const attention = partsOf(mechanism, computation);
  const sizes = pairSizes(mechanism, computation, plan);
  if (attention === null || sizes === null) return null;
  const { queries, keys } = queriesAndKeys(attention);
  const attending = [...queries, ...keys, attention.value];
  const tensors = [...attending, ...Object.values(mechanism.recurrence?.states ?? {})];
  const base = new Int32Array(plan.buffers.length);
  const ends: number[] = [];
  const parts: Part[] = [];
  let end = 1;
  for (const [order, tensor] of tensors.entries()) {
    // Of keys and values that are one tensor the words have one tag, that of a key.
    const known = tensors.indexOf(tensor) < order;
    plan.buffers.forEach(({ content, byteLength }, index) => {
      if (known || content.kind !== 'tensor' || content.tensor !== tensor) return;
      base[index] = end;
      parts.push({ start: end, tensor, view: content.view, byteLength, isState: order >= attending.length });
      end += Math.ceil(byteLength / 4);
    });
    ends.push(end);
  }
  const bound = new Set(parts.map(({ tensor }) => tensor));
  if (!attending.every((name) => bound.has(name))) return null;
  const queryRows = sizes.queryPlanes * sizes.queries;
  const pairBase = end + 1 + mostSets + 1;
  const keyBits = Math.ceil(Math.log2(sizes.keys));
  if (pairBase + queryRows * 2 ** keyBits > mostTags) return null;
  if (parts.some(({ view, byteLength }) => rowsShareWords(view, byteLength))) return null;
  return {
    ...{ attention, sizes, tensors, attending: attending.length },
    ...{ ends, base, parts, end, queryRows, pairBase, keyBits },
  };
}

/** The tensor that a word of queries, keys, values or initial states is of, by its tag, which is below `mixed`. */
export function tensorOf({ tensors, ends }: TagSpace, tag: number): string {
  let at = 0;
  while (tag >= ends[at]!) at++;
  return tensors[at]!;
}

/** A buffer whose words are followed, and its first tag. */
interface Part {
  readonly start: number;
  readonly tensor: string;
  readonly view: TensorView;
  readonly byteLength: number;
  readonly isState: boolean;
}

/** The tensors whose rows are queries and keys: those of the scores, then those that meet through the state. */
export function queriesAndKeys({ query, key, linear }: AttentionParts): {
  readonly queries: readonly string[];
  readonly keys: readonly string[];
} {
  return linear ? { queries: [query, linear.query], keys: [key, linear.key] } : { queries: [query], keys: [key] };
}

function wordTables(
  parts: readonly Part[],
  end: number,
  { keys, valuePlanes }: PairSizes,
  pages: TagSpace['pages'],
): Pick<TagSpace, 'rowOf' | 'columnOf' | 'perWord'> {
  const rowOf = new Int32Array(end).fill(-1);
  const columnOf = new Int32Array(end);
  const perWord = new Uint8Array(end);
  for (const { start, view, byteLength, isState } of parts) {
    const places = wordPlaces(view, byteLength);
    // Of a state, all that stands after batch and heads belongs to one plane of values.
    const perPlane = (places.shape.planes * places.shape.rows) / valuePlanes;
    if (isState) {
      rowOf.set(
        places.rows.map((row) => Math.floor(row / perPlane) * keys),
        start,
      );
    } else rowOf.set(places.shape.pageRows === null ? places.rows : keyRowsOf(places, keys, pages ?? []), start);
    columnOf.set(places.columns, start);
    perWord.fill(places.perWord, start, start + places.rows.length);
  }
  return { rowOf, columnOf, perWord };
}

/** The key row of each word of a cache in pages; -1 for a slot that is no sequence's. */
function keyRowsOf({ shape, rows }: WordPlaces, keys: number, pages: readonly (readonly number[])[]): Int32Array {
  const pageRows = shape.pageRows ?? 1;
  const ofSlot = new Int32Array(shape.rows).fill(-1);
  for (const [sequence, table] of pages.entries()) {
    for (let token = 0; token < keys; token++) {
      const slot = (table[Math.floor(token / pageRows)] ?? 0) * pageRows + (token % pageRows);
      ofSlot[slot] = sequence * keys + token;
    }
  }
  return rows.map((row) => {
    const known = row < 0 ? -1 : ofSlot[row % shape.rows]!;
    if (known < 0) return -1;
    const plane = Math.floor(known / keys) * shape.planes + Math.floor(row / shape.rows);
    return plane * keys + (known % keys);
  });
}

/** Which rows of queries, keys and values belong together: those of the planes that one head of the score matrix uses. */
function rowTables(sizes: PairSizes): Pick<TagSpace, 'keyBase' | 'keyOfValue' | 'pairShift' | 'valueBase'> {
  const { planes, queries, keys, queryPlaneOf, keyPlaneOf, valuePlaneOf } = sizes;
  const keyBase = new Int32Array(sizes.queryPlanes * queries);
  const valueBase = new Int32Array(planes * queries);
  const keyOfValue = new Int32Array(sizes.valuePlanes * keys);
  const pairShift = new Int32Array(sizes.valuePlanes * keys);
  for (let plane = 0; plane < planes; plane++) {
    const queryPlane = queryPlaneOf(plane);
    const keyPlane = keyPlaneOf(plane);
    const valuePlane = valuePlaneOf(plane);
    keyBase.fill(keyPlane * keys, queryPlane * queries, (queryPlane + 1) * queries);
    valueBase.fill(valuePlane * keys, plane * queries, (plane + 1) * queries);
    for (let key = 0; key < keys; key++) keyOfValue[valuePlane * keys + key] = keyPlane * keys + key;
    // A query row that is one head's alone is the pair row already.
    if (sizes.queryPlanes < planes)
      pairShift.fill((plane - queryPlane) * queries, valuePlane * keys, (valuePlane + 1) * keys);
  }
  return { keyBase, keyOfValue, pairShift, valueBase };
}
