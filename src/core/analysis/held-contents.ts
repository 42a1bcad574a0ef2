import type { KeySets } from './key-sets.js';
import type { HeldContent } from './step-record.js';
import { tensorOf, type TagSpace } from './tag-space.js';

/** Planes and kinds of contents of one variable that are told apart; more are no tile. */
const mostContents = 8;

interface Growing {
  readonly content: HeldContent['content'];
  readonly tensor: string | null;
  readonly plane: number;
  row0: number;
  row1: number;
  column0: number;
  column1: number;
  words: number;
}

/**
 * What a variable in workgroup memory holds, from the tags of its words: for each kind of value and plane the number of
 * words and the rectangle around them. Words without a tag say nothing, and neither do those that come again and again:
 * sums of zero times a key, in rows past the last query.
 */
export function heldContents(
  variable: string,
  tags: Int32Array,
  space: TagSpace,
  sets: KeySets,
): readonly HeldContent[] {
  const contents: Growing[] = [];
  for (let word = 0; word < tags.length; word++) {
    const tag = tags[word]!;
    if (tag === 0) continue;
    if (tag < space.vEnd) addWord(contents, tag, space);
    else if (tag >= space.pairBase) addScore(contents, tag, space);
    else if (tag < space.mixed) add(contents, 'initial', tensorOf(space, tag), 0, 0, 0, 0, 0);
    else if (tag === space.mixed) add(contents, 'mixed', null, 0, 0, 0, 0, 0);
    else addSet(contents, tag - space.setBase, space, sets);
  }
  return contents.filter(isTile).map(({ content, tensor, plane, words, ...rect }) => ({
    variable,
    content,
    tensor,
    plane,
    rect: content === 'mixed' || content === 'initial' ? null : rect,
    words,
  }));
}

function isTile({ content, row0, row1, column0, column1, words }: Growing): boolean {
  if (content !== 'q' && content !== 'k' && content !== 'v') return true;
  return words <= 2 * (row1 - row0) * (column1 - column0);
}

function add(
  contents: Growing[],
  content: Growing['content'],
  tensor: string | null,
  plane: number,
  row0: number,
  row1: number,
  column0: number,
  column1: number,
): void {
  let found = contents.find(
    (candidate) => candidate.content === content && candidate.tensor === tensor && candidate.plane === plane,
  );
  if (!found) {
    if (contents.length >= mostContents) return;
    found = { content, tensor, plane, row0, row1, column0, column1, words: 0 };
    contents.push(found);
  }
  if (row0 < found.row0) found.row0 = row0;
  if (row1 > found.row1) found.row1 = row1;
  if (column0 < found.column0) found.column0 = column0;
  if (column1 > found.column1) found.column1 = column1;
  found.words++;
}

function addWord(contents: Growing[], tag: number, space: TagSpace): void {
  const content = tag < space.qEnd ? 'q' : tag < space.kEnd ? 'k' : 'v';
  const perPlane = content === 'q' ? space.queries : space.keys;
  const planeRow = space.rowOf[tag]!;
  // A slot of a page that is no sequence's.
  if (planeRow < 0) return;
  const plane = Math.floor(planeRow / perPlane);
  const row = planeRow - plane * perPlane;
  const column = space.columnOf[tag]!;
  add(contents, content, tensorOf(space, tag), plane, row, row + 1, column, column + space.perWord[tag]!);
}

function addScore(contents: Growing[], tag: number, space: TagSpace): void {
  const pair = tag - space.pairBase;
  const queryRow = pair >> space.keyBits;
  const key = pair - (queryRow << space.keyBits);
  const plane = Math.floor(queryRow / space.queries);
  const row = queryRow - plane * space.queries;
  add(contents, 'scores', null, plane, row, row + 1, key, key + 1);
}

function addSet(contents: Growing[], set: number, space: TagSpace, sets: KeySets): void {
  const plane = Math.floor(sets.from[set]! / space.keys);
  const first = plane * space.keys;
  const content = sets.kinds[set] === 1 ? 'state' : 'keySum';
  add(contents, content, null, plane, 0, 1, sets.from[set]! - first, sets.to[set]! - first);
}
