import { elementStates, type Comparison } from './element-errors.js';

/** Where the wrong elements of a tensor lie, in words and numbers. */
export interface ErrorPlace {
  /** Words for a sentence, e.g. "in head 2, from row 65 on"; null where wrong elements are all over the tensor. */
  readonly words: string | null;
  /** Coordinates of the first wrong element, in words. */
  readonly first: string;
  /** A careful guess at the cause, drawn from the place alone, or null. */
  readonly guess: string | null;
}

/** What people call an index along a dimension. */
function nounOf(dimName: string, last: boolean): { readonly one: string; readonly many: string } {
  switch (dimName) {
    case 'batch':
      return { one: 'batch', many: 'batches' };
    case 'heads':
      return { one: 'head', many: 'heads' };
    case 'headsKv':
      return { one: 'key head', many: 'key heads' };
    case 'seqlen':
    case 'seqlenK':
      return { one: 'row', many: 'rows' };
    default:
      return last ? { one: 'column', many: 'columns' } : { one: 'row', many: 'rows' };
  }
}

/** The coordinates of an element in words, without dimensions of size 1. */
export function placeName(dims: readonly number[], dimNames: readonly string[], index: readonly number[]): string {
  const parts = dims.flatMap((size, axis) =>
    size > 1 ? [`${nounOf(dimNames[axis]!, axis === dims.length - 1).one} ${index[axis]!}`] : [],
  );
  return parts.length > 0 ? parts.join(', ') : 'its only element';
}

/** Elements compared and wrong at each index along one axis. */
interface AxisCounts {
  readonly compared: Uint32Array;
  readonly wrong: Uint32Array;
}

function countAxes({ dims, states }: Comparison, wrong: Uint8Array): readonly AxisCounts[] {
  const axes = dims.map((size) => ({ compared: new Uint32Array(size), wrong: new Uint32Array(size) }));
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, size) => product * size, 1));
  for (let at = 0; at < wrong.length; at++) {
    if (states[at] === elementStates.notCompared) continue;
    const bad = wrong[at]!;
    for (let axis = 0; axis < axes.length; axis++) {
      const index = Math.floor(at / strides[axis]!) % dims[axis]!;
      axes[axis]!.compared[index]!++;
      axes[axis]!.wrong[index]! += bad;
    }
  }
  return axes;
}

/** Says which batches, heads, rows and columns the wrong elements are confined to. */
export function placeErrors(
  comparison: Comparison,
  dimNames: readonly string[],
  wrong: Uint8Array,
  first: readonly number[],
): ErrorPlace {
  const { dims } = comparison;
  const axes = countAxes(comparison, wrong);
  const words: string[] = [];
  let guess: string | null = null;
  axes.forEach((counts, axis) => {
    const last = axis === dims.length - 1;
    const confined = confinement(counts);
    if (confined === null) return;
    words.push(describeIndices(confined, dims[axis]!, nounOf(dimNames[axis]!, last)));
    guess ??= guessFromIndices(confined, dims[axis]!, dimNames[axis]!);
  });
  return { words: words.length > 0 ? words.join(', ') : null, first: placeName(dims, dimNames, first), guess };
}

/** The indices that hold wrong elements where these are a proper part of the indices compared, else null. */
function confinement({ compared, wrong }: AxisCounts): readonly number[] | null {
  const bad: number[] = [];
  let seen = 0;
  compared.forEach((count, index) => {
    if (count === 0) return;
    seen++;
    if (wrong[index]! > 0) bad.push(index);
  });
  return seen > 1 && bad.length < seen ? bad : null;
}

/** The step of an arithmetic progression of at least three indices with a step above 1, else null. */
function stepOf(indices: readonly number[]): number | null {
  const step = indices.length >= 3 ? indices[1]! - indices[0]! : 1;
  return step > 1 && indices.every((index, place) => index === indices[0]! + place * step) ? step : null;
}

function describeIndices(
  indices: readonly number[],
  size: number,
  noun: { readonly one: string; readonly many: string },
): string {
  const from = indices[0]!;
  const to = indices.at(-1)!;
  const step = stepOf(indices);
  const contiguous = to - from + 1 === indices.length;
  if (indices.length === 1) return `in ${noun.one} ${from} only`;
  if (contiguous && to === size - 1) return `from ${noun.one} ${from} on`;
  if (contiguous) return `in ${noun.many} ${from} to ${to}`;
  if (step !== null) return `in every ${ordinal(step)} ${noun.one} from ${from} on`;
  if (indices.length <= 4) return `in ${noun.many} ${indices.slice(0, -1).join(', ')} and ${to}`;
  return `in ${indices.length} of ${size} ${noun.many}, the first ${from}, the last ${to}`;
}

function ordinal(n: number): string {
  const tail = n % 100 >= 11 && n % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return n === 2 ? 'second' : `${n}${tail}`;
}

const tiles = [256, 128, 64, 32, 16, 8] as const;

function guessFromIndices(indices: readonly number[], size: number, dimName: string): string | null {
  const tokens = dimName === 'seqlen' || dimName === 'seqlenK';
  if (!tokens) return null;
  const from = indices[0]!;
  const suffix = indices.at(-1) === size - 1 && size - from === indices.length;
  const step = stepOf(indices);
  if (step !== null && tiles.some((tile) => tile === step)) {
    return `this looks like something that goes wrong once in every tile of ${step} rows`;
  }
  if (!suffix || from === 0) return null;
  const tail = tiles.find((tile) => from % tile === 0 && size - from < tile);
  if (tail !== undefined)
    return `these are the rows after the last full tile of ${tail}: this looks like an incomplete tile left out or misread`;
  const tile = tiles.find((candidate) => from % candidate === 0);
  if (tile !== undefined) {
    return `row ${from} begins a tile of ${tile}: this looks like something lost between tiles`;
  }
  return null;
}
