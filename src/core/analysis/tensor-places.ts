import { elementCount } from '../attention/sizes.js';
import type { PlannedBuffer, TensorView } from '../kernel/model.js';
import { forEachElement, isPlain } from '../kernel/tensor.js';

/** Dimensions that only count planes, wherever they stand first. */
const planeDims = new Set(['batch', 'heads', 'headsKv']);

/** A tensor as planes of rows × columns. */
export interface PlaneShape {
  /** The dimensions that count planes, and the product of their sizes. */
  readonly planeAxes: readonly number[];
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  /** Rows of a page, of a cache in pages: a row is a slot, counted over all pages. */
  readonly pageRows: number | null;
}

/** Whether a tensor is a cache in pages: [pages, pageSize, …, width]. */
export function isPaged(dimNames: readonly string[]): boolean {
  return dimNames.length > 2 && dimNames[0] === 'pages' && dimNames[1] === 'pageSize';
}

/**
 * How a tensor is cut into planes: batch and heads lead where something follows them; of the rest the last two
 * dimensions are rows and columns, and a single one is a column of rows. Of a cache in pages, [pages, pageSize, heads,
 * width] or without heads, the slots of all pages are the rows, and each head is a plane.
 */
export function planeShape(dimNames: readonly string[], dims: readonly number[]): PlaneShape {
  if (isPaged(dimNames)) {
    const planeAxes = dims.flatMap((_, axis) => (axis > 1 && axis < dims.length - 1 ? [axis] : []));
    return {
      planeAxes,
      planes: elementCount(planeAxes.map((axis) => dims[axis]!)),
      rows: dims[0]! * dims[1]!,
      columns: dims.at(-1)!,
      pageRows: dims[1]!,
    };
  }
  let lead = 0;
  while (lead < dims.length - 1 && planeDims.has(dimNames[lead]!)) lead++;
  lead = Math.max(lead, dims.length - 2);
  const leading = dims.slice(0, lead);
  const rest = dims.slice(lead);
  return {
    planeAxes: leading.map((_, axis) => axis),
    planes: elementCount(leading),
    rows: rest[0] ?? 1,
    columns: rest[1] ?? 1,
    pageRows: null,
  };
}

/** `plane * rows + row` of an element by its row-major index: the heads of a slot of a page lie next to each other. */
function rowOf({ planes, rows, columns, pageRows }: PlaneShape, index: number): number {
  const run = Math.floor(index / columns);
  return pageRows === null ? run : (run % planes) * rows + Math.floor(run / planes);
}

/** The view of a buffer that holds a tensor or scratch; null for uniforms. Scratch lies row-major without gaps. */
export function viewOf({ content }: PlannedBuffer): TensorView | null {
  switch (content.kind) {
    case 'tensor':
      return content.view;
    case 'scratch': {
      const { dims, dimNames } = content;
      const strides = dims.map((_, axis) => elementCount(dims.slice(axis + 1)));
      const format = content.format === 'f16' ? 'f16' : 'f32';
      const strideBytes = format === 'f16' ? 2 : 4;
      return { dims, dimNames, strides, format, byteOffset: 0, lanes: 1, strideBytes };
    }
    case 'uniform':
      return null;
  }
}

/** Where the 4-byte words of a buffer lie in its tensor. */
export interface WordPlaces {
  readonly shape: PlaneShape;
  /** Of the first element of each word: `plane * rows + row`, or -1 where the word holds none. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** Elements of one row that a word holds: 1 for f32, 2 for f16. */
  readonly perWord: number;
}

/** Looks up the place of every word of a buffer. */
export function wordPlaces(view: TensorView, byteLength: number): WordPlaces {
  const words = Math.ceil(byteLength / 4);
  const places: WordPlaces = {
    shape: planeShape(view.dimNames, view.dims),
    rows: new Int32Array(words).fill(-1),
    columns: new Int32Array(words),
    perWord: perWordOf(view),
  };
  if (isWholeRows(view, places.shape)) placeRows(view, places);
  else placeElements(view, places);
  return places;
}

/** Looks up the places of single words of a buffer: less work than `wordPlaces` where only some of them are asked for. */
export interface PlaceFinder {
  readonly shape: PlaneShape;
  readonly perWord: number;
  readonly words: number;
  /** Of the first element of a word: `plane * rows + row`, or -1 where the word holds none. */
  readonly rowAt: (word: number) => number;
  readonly columnAt: (word: number) => number;
}

/** A way to look up the places of the words of a buffer. */
export function placeFinder(view: TensorView, byteLength: number): PlaceFinder {
  const shape = planeShape(view.dimNames, view.dims);
  const perWord = perWordOf(view);
  const words = Math.ceil(byteLength / 4);
  if (!isWholeRows(view, shape)) {
    const { rows, columns } = wordPlaces(view, byteLength);
    return { shape, perWord, words, rowAt: (word) => rows[word] ?? -1, columnAt: (word) => columns[word] ?? 0 };
  }
  const first = view.byteOffset / 4;
  const end = Math.min(words, first + elementCount(view.dims) / perWord);
  return {
    ...{ shape, perWord, words },
    rowAt: (word) => (word < first || word >= end ? -1 : rowOf(shape, (word - first) * perWord)),
    columnAt: (word) => ((word - first) * perWord) % shape.columns,
  };
}

/** Whether a word of a buffer holds elements of two rows (f16 with an odd or a transposed row). */
export function rowsShareWords(view: TensorView, byteLength: number): boolean {
  const shape = planeShape(view.dimNames, view.dims);
  if (perWordOf(view) === 1 || isWholeRows(view, shape)) return false;
  const rows = new Int32Array(Math.ceil(byteLength / 4)).fill(-1);
  let shared = false;
  forEachElement(view, (index, position) => {
    const word = wordOf(view, position);
    const row = rowOf(shape, index);
    if (rows[word] === -1) rows[word] = row;
    else if (rows[word] !== undefined && rows[word] !== row) shared = true;
  });
  return shared;
}

function perWordOf({ format }: TensorView): number {
  return format === 'f16' ? 2 : 1;
}

function wordOf(view: TensorView, position: number): number {
  return (view.byteOffset + (position * 4) / perWordOf(view)) >>> 2;
}

/** Whether the words of a buffer follow each other in default layout and hold elements of one row each. */
function isWholeRows(view: TensorView, { columns }: PlaneShape): boolean {
  return isPlain(view) && view.byteOffset % 4 === 0 && columns % perWordOf(view) === 0;
}

/** Places the words of whole rows: most tensors have no others, and this is by far the faster way. */
function placeRows({ dims, byteOffset }: TensorView, { shape, rows, columns, perWord }: WordPlaces): void {
  const elements = elementCount(dims);
  let word = byteOffset / 4;
  for (let index = 0; index < elements; index += shape.columns) {
    const row = rowOf(shape, index);
    for (let column = 0; column < shape.columns; column += perWord) {
      rows[word] = row;
      columns[word] = column;
      word++;
    }
  }
}

/** Places the words of one element after another, wherever they lie. */
function placeElements(view: TensorView, { shape, rows, columns }: WordPlaces): void {
  forEachElement(view, (index, position) => {
    const word = wordOf(view, position);
    const row = rowOf(shape, index);
    const column = index % shape.columns;
    if (rows[word] === -1) {
      rows[word] = row;
      columns[word] = column;
    } else if (rows[word] === row) {
      columns[word] = Math.min(columns[word]!, column);
    }
  });
}
