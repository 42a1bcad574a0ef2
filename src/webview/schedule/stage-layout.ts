import type { Rect, Schedule, ScheduleTensor, TensorPart } from '../../core/analysis/schedule.js';
import type { Box } from '../picture/pen.js';

/** A tensor's place in the picture. `turned`: its rows run from left to right, as those of K do above the scores. */
export interface TensorPlace {
  readonly tensor: ScheduleTensor;
  readonly box: Box;
  readonly turned: boolean;
  readonly side: 'left' | 'above' | 'below' | 'right' | 'shelf';
}

/**
 * The picture as the mathematics has it: queries at the left, keys above, values below, outputs at the right of the
 * score matrix, and on a shelf what has no rows in common with it. Sequences are to scale with each other, and so are
 * widths of heads, which are drawn `widthFactor` times as large so that they can be seen.
 */
export interface StageLayout {
  readonly width: number;
  readonly height: number;
  readonly score: Box | null;
  readonly places: readonly TensorPlace[];
  readonly widthFactor: number;
}

const gap = 8;
const label = 18;
const thinnest = 22;
const thickest = 56;
const shelfSide = 72;
const largestScore = 420;
/** Width of a letter of a name. */
const letter = 7;

type Side = TensorPlace['side'];

/** Lays out a schedule's tensors in `width` pixels; the height follows from their shapes alone. */
export function layoutStage(schedule: Schedule, width: number): StageLayout {
  const sides = new Map<Side, ScheduleTensor[]>([
    ['left', []],
    ['above', []],
    ['below', []],
    ['right', []],
    ['shelf', []],
  ]);
  for (const tensor of schedule.tensors) for (const side of sidesOf(tensor, schedule)) sides.get(side)!.push(tensor);
  const { score } = schedule;
  if (!score) return shelfAlone(sides.get('shelf')!, width);
  const shelf = sides.get('shelf')!;
  const shelfBeside = width >= 560 && shelf.length > 0;
  const shelfWidth = Math.max(shelfSide, ...shelf.map(shelfNameWidth));
  const largest = Math.max(score.rows, score.columns);
  const estimate = Math.min(largestScore, width * 0.6) / largest;
  const widest = Math.max(
    1,
    ...[...sides].flatMap(([side, tensors]) => (side === 'shelf' ? [] : tensors.map(({ columns }) => columns))),
  );
  const perColumn = Math.min(thickest, Math.max(thinnest, widest * estimate)) / widest;
  const thick = (tensor: ScheduleTensor): number => Math.max(6, tensor.columns * perColumn);
  // Above and below each tensor there is room for its name.
  const between = (side: Side): number => (side === 'above' || side === 'below' ? gap + label : gap);
  const total = (side: Side): number =>
    sides.get(side)!.reduce((sum, tensor) => sum + spaceOf(tensor, side, thick) + between(side), 0);
  const across = width - total('left') - total('right') - (shelfBeside ? shelfWidth + 3 * gap : 0) - 2;
  const perToken = Math.max(40, Math.min(largestScore, across)) / largest;
  const scoreBox: Box = {
    x: 1 + total('left'),
    y: Math.max(label, total('above')),
    width: Math.max(thinnest, score.columns * perToken),
    height: Math.max(thinnest, score.rows * perToken),
  };
  const places = besides(sides, scoreBox, thick);
  const bottom = scoreBox.y + scoreBox.height + total('below') + 2;
  const right = scoreBox.x + scoreBox.width + total('right');
  const shelved = shelfBeside ? stacked(shelf, right + 2 * gap, scoreBox.y) : flowed(shelf, bottom + gap, width);
  const all = [...places, ...shelved];
  const height = Math.max(bottom, ...shelved.map(({ box }) => box.y + box.height + 2));
  return { width, height: Math.ceil(height), score: scoreBox, places: all, widthFactor: perColumn / perToken };
}

/** Where a rectangle of a tensor's elements lies in its place, in pixels; never thinner than a pixel and a half. */
export function rectBox({ tensor, box, turned }: TensorPlace, rect: Rect): Box {
  const [down, across] = turned ? [tensor.columns, tensor.rows] : [tensor.rows, tensor.columns];
  const [down0, down1, across0, across1] = turned
    ? [rect.column0, rect.column1, rect.row0, rect.row1]
    : [rect.row0, rect.row1, rect.column0, rect.column1];
  return span(box, down0 / down, down1 / down, across0 / across, across1 / across);
}

/** Where a rectangle of pairs lies in the score square, in pixels. */
export function pairBox(layout: StageLayout, schedule: Schedule, rect: Rect): Box | null {
  const { score } = schedule;
  if (!layout.score || !score) return null;
  return span(
    layout.score,
    rect.row0 / score.rows,
    rect.row1 / score.rows,
    rect.column0 / score.columns,
    rect.column1 / score.columns,
  );
}

/** The tensor's element under a point of its place, as row and column. */
export function elementAt({ tensor, box, turned }: TensorPlace, x: number, y: number): { row: number; column: number } {
  const across = Math.min(0.999999, Math.max(0, (x - box.x) / box.width));
  const down = Math.min(0.999999, Math.max(0, (y - box.y) / box.height));
  const [row, column] = turned ? [across, down] : [down, across];
  return { row: Math.floor(row * tensor.rows), column: Math.floor(column * tensor.columns) };
}

function span(box: Box, down0: number, down1: number, across0: number, across1: number): Box {
  const least = 1.5;
  const width = Math.max(least, (across1 - across0) * box.width);
  const height = Math.max(least, (down1 - down0) * box.height);
  return {
    x: Math.min(box.x + across0 * box.width, box.x + box.width - width),
    y: Math.min(box.y + down0 * box.height, box.y + box.height - height),
    width,
    height,
  };
}

const sideOfPart: Readonly<Record<TensorPart, Side>> = { query: 'left', key: 'above', value: 'below', output: 'right' };

/** Where a tensor stands: a latent twice, once as keys and once as values. */
function sidesOf(tensor: ScheduleTensor, { score }: Schedule): readonly Side[] {
  if (!score) return ['shelf'];
  if (tensor.parts.length > 0) return tensor.parts.map((part) => sideOfPart[part]);
  // A number or two for each query (log-sum-exp, row maxima) belongs beside the outputs.
  const isOfQueries = tensor.rows === score.rows && tensor.rows > 1 && tensor.columns <= 2;
  return [isOfQueries ? 'right' : 'shelf'];
}

/** What a tensor takes of the side it stands at, its name included where names stand side by side. */
function spaceOf(tensor: ScheduleTensor, side: Side, thick: (tensor: ScheduleTensor) => number): number {
  const beside = side === 'left' || side === 'right';
  return Math.max(thick(tensor), beside ? letter * tensor.name.length : 0);
}

function besides(
  sides: ReadonlyMap<Side, readonly ScheduleTensor[]>,
  score: Box,
  thick: (tensor: ScheduleTensor) => number,
): readonly TensorPlace[] {
  const places: TensorPlace[] = [];
  let x = 1;
  for (const tensor of sides.get('left')!) {
    const space = spaceOf(tensor, 'left', thick);
    const width = thick(tensor);
    places.push({ tensor, side: 'left', turned: false, box: { ...score, x: x + (space - width) / 2, width } });
    x += space + gap;
  }
  let y = label;
  for (const tensor of sides.get('above')!) {
    places.push({ tensor, side: 'above', turned: true, box: { ...score, y, height: thick(tensor) } });
    y += thick(tensor) + gap + label;
  }
  y = score.y + score.height + gap;
  for (const tensor of sides.get('below')!) {
    places.push({ tensor, side: 'below', turned: true, box: { ...score, y, height: thick(tensor) } });
    y += thick(tensor) + gap + label;
  }
  x = score.x + score.width + gap;
  for (const tensor of sides.get('right')!) {
    const space = spaceOf(tensor, 'right', thick);
    const width = thick(tensor);
    places.push({ tensor, side: 'right', turned: false, box: { ...score, x: x + (space - width) / 2, width } });
    x += space + gap;
  }
  return places;
}

/** Sizes of the tensors of the shelf: to scale in themselves, the longer edge as long as the shelf is wide. */
function shelfBox(tensor: ScheduleTensor): { width: number; height: number } {
  const longest = Math.max(tensor.rows, tensor.columns);
  return {
    width: Math.max(8, (tensor.columns / longest) * shelfSide),
    height: Math.max(8, (tensor.rows / longest) * shelfSide),
  };
}

function stacked(shelf: readonly ScheduleTensor[], x: number, top: number): readonly TensorPlace[] {
  let y = top;
  return shelf.map((tensor) => {
    const size = shelfBox(tensor);
    const place: TensorPlace = { tensor, side: 'shelf', turned: false, box: { x, y, ...size } };
    y += size.height + label + gap;
    return place;
  });
}

function flowed(shelf: readonly ScheduleTensor[], top: number, width: number): readonly TensorPlace[] {
  let x = 1;
  let y = top + label;
  return shelf.map((tensor) => {
    const size = shelfBox(tensor);
    const needed = Math.max(shelfSide, shelfNameWidth(tensor));
    if (x + needed > width && x > 1) {
      x = 1;
      y += shelfSide + label + gap;
    }
    const place: TensorPlace = { tensor, side: 'shelf', turned: false, box: { x, y, ...size } };
    x += needed + 2 * gap;
    return place;
  });
}

/** Room for a tensor's name and the index of its plane (`q_lat [3, 8]`). */
function shelfNameWidth({ name, planeDims }: ScheduleTensor): number {
  const indices = planeDims.filter(({ size }) => size > 1).map(({ size }) => String(size - 1));
  return letter * (name.length + (indices.length > 0 ? indices.join(', ').length + 3 : 0));
}

/** Tensors without scores between them: caches in pages as bands across, all others on a shelf. */
function shelfAlone(tensors: readonly ScheduleTensor[], width: number): StageLayout {
  const paged = tensors.filter(({ pageRows }) => pageRows !== null);
  const widest = Math.max(1, ...paged.map(({ columns }) => columns));
  let y = 0;
  const bands = paged.map((tensor): TensorPlace => {
    const height = Math.max(thinnest, (tensor.columns / widest) * thickest);
    const box = { x: 1, y: y + label, width: width - 2, height };
    y += label + height + gap;
    return { tensor, side: 'above', turned: true, box };
  });
  const others = tensors.filter(({ pageRows }) => pageRows === null);
  const places = [...bands, ...flowed(others, y, width)];
  const height = Math.max(0, ...places.map(({ box }) => box.y + box.height)) + 2;
  return { width, height: Math.ceil(height), score: null, places, widthFactor: 1 };
}
