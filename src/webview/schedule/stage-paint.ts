import type {
  KeySplit,
  Rect,
  Schedule,
  ScheduleStep,
  ScheduleTensor,
  TileAccess,
} from '../../core/analysis/schedule.js';
import type { Box, Pen } from '../picture/pen.js';
import { t } from '../strings.js';
import type { Palette } from './palette.js';
import { pagesOf } from './schedule-words.js';
import { areasOf, cellLooks, looksAt, type LookArea, type ScoreProgress } from './score-progress.js';
import { pairBox, rectBox, type StageLayout, type TensorPlace } from './stage-layout.js';

/** One moment of a schedule, as the stage shows it. */
export interface StageMoment {
  readonly schedule: Schedule;
  readonly step: ScheduleStep;
  /** End of the step on its lane's time axis. */
  readonly time: number;
  readonly progress: ScoreProgress | null;
  /** Workgroups that divide the keys between them, and which of them is looked at. */
  readonly splits: readonly KeySplit[];
  readonly ownSplit: KeySplit | null;
  /** Shows what became of each pair in the end instead of what has been done. */
  readonly final: boolean;
  /** The plane of each tensor that is looked at. */
  readonly planes: ReadonlyMap<string, number>;
  /** Accesses of the line at the cursor over the whole workgroup, each rectangle once. */
  readonly lineAccesses: readonly TileAccess[];
  /** Indices of the sites of the line at the cursor. */
  readonly lineSites: ReadonlySet<number>;
}

/** Draws the tensors, the score square and what the step does. */
export function paintStage(pen: Pen, layout: StageLayout, moment: StageMoment, palette: Palette): void {
  for (const place of layout.places) paintTensor(pen, place, moment, palette);
  if (layout.score && moment.progress) {
    paintScores(pen, layout.score, moment, palette);
    paintCurrent(pen, layout, moment, palette);
    paintStates(pen, layout.score, moment, palette);
    paintSplits(pen, layout.score, moment, palette);
    paintContext(pen, layout.score, moment, palette);
  }
}

/** A bracket under the keys of each traced workgroup that has a part of them; that of the chosen one stands out. */
function paintSplits(pen: Pen, score: Box, { splits, ownSplit, progress }: StageMoment, palette: Palette): void {
  for (const split of splits) {
    const own = split === ownSplit;
    const colour = own ? palette.text : palette.muted;
    const left = score.x + (split.from / progress!.keys) * score.width;
    const right = Math.max(left + 3, score.x + (split.to / progress!.keys) * score.width);
    const y = score.y + score.height + 3;
    pen.fill({ x: left, y: y + 2, width: right - left, height: own ? 2 : 1 }, colour);
    for (const x of [left, right - 1]) pen.fill({ x, y, width: 1, height: own ? 4 : 3 }, colour);
  }
}

/** The keys whose products a state gains (full) or holds while it is read (framed), between the scores and k and v. */
function paintStates(pen: Pen, score: Box, moment: StageMoment, palette: Palette): void {
  const { keys } = moment.progress!;
  for (const state of moment.step.states) {
    const x = score.x + (state.keys.from / keys) * score.width;
    const width = Math.max(2, ((state.keys.to - state.keys.from) / keys) * score.width);
    if (state.keys.to <= state.keys.from) continue;
    for (const y of [score.y - 6, score.y + score.height + 2]) {
      const bar = { x, y, width, height: 4 };
      if (state.mode === 'update') pen.fill(bar, palette.state);
      else pen.outline(bar, palette.state, 1);
    }
  }
}

function paintTensor(pen: Pen, place: TensorPlace, moment: StageMoment, palette: Palette): void {
  const { tensor, box } = place;
  const hue = palette.tensor(tensor.name, tensor.role);
  const plane = moment.planes.get(tensor.name) ?? 0;
  pen.fill(box, hue, 0.1);
  paintPages(pen, place, palette);
  outlineCurrentPages(pen, place, moment, palette);
  for (const access of moment.step.accesses) {
    if (access.tensor !== tensor.name || access.plane !== plane) continue;
    const tile = rectBox(place, access.rect);
    if (access.mode === 'read') {
      const page = tensor.pageRows === null ? null : Math.floor(access.rect.row0 / tensor.pageRows);
      const colour = page === null ? hue : palette.page(page);
      if (page !== null) pen.fill(rectBox(place, pageRect(page, tensor)), colour, 0.45);
      pen.fill(tile, colour, access.density < 0.99 ? 0.6 : 0.95);
    } else {
      pen.fill(tile, hue, 0.55);
      pen.texture(tile, 'hatch', palette.text);
      pen.outline(tile, palette.text, 1.5);
    }
    if (access.sites.some((site) => moment.lineSites.has(site))) pen.outline(grown(tile, 2), palette.focus, 2);
  }
  for (const held of moment.step.held) {
    // What is held of a cache in pages is known by token, and tokens have no place in common with slots.
    if (tensor.pageRows !== null || held.tensor !== tensor.name || held.plane !== plane || !held.rect) continue;
    const tile = grown(rectBox(place, held.rect), 1);
    pen.outline(tile, palette.ground, 3.5);
    pen.outline(tile, palette.text, 1.5);
  }
  for (const access of moment.lineAccesses) {
    if (access.tensor !== tensor.name || access.plane !== plane) continue;
    pen.outline(rectBox(place, access.rect), palette.focus, 1, 3);
  }
  pen.outline(grown(box, 1), hue, 1);
  paintName(pen, place, moment, palette);
}

/** The page that each token of the context lies in, in its colour, along the top of the scores of its sequence. */
function paintContext(pen: Pen, score: Box, { schedule, progress }: StageMoment, palette: Palette): void {
  const pageRows = schedule.tensors.find((tensor) => tensor.pageRows !== null)?.pageRows;
  const pages = pagesOf(schedule, progress!.plane);
  if (!pageRows) return;
  const perPage = (pageRows * score.width) / progress!.keys;
  // Of pages thinner than a pixel one stands for all that share it.
  const every = Math.max(1, Math.ceil(1 / perPage));
  for (let i = 0; i < pages.length; i += every) {
    const x = score.x + i * perPage;
    const width = Math.min(every * perPage, score.x + score.width - x);
    if (width > 0) pen.fill({ x, y: score.y - 6, width, height: 4 }, palette.page(pages[i]!), 0.95);
  }
}

/** Pages of a cache, each in its colour; with their numbers where there is room, and not at all where they are a blur. */
function paintPages(pen: Pen, { tensor, box, turned }: TensorPlace, palette: Palette): void {
  if (tensor.pageRows === null) return;
  const pages = tensor.rows / tensor.pageRows;
  const size = (turned ? box.width : box.height) / pages;
  if (size < 2) return;
  const between = size > 6 ? 1 : 0;
  for (let page = 0; page < pages; page++) {
    const colour = palette.page(page);
    const area: Box = turned
      ? { ...box, x: box.x + page * size, width: size - between }
      : { ...box, y: box.y + page * size, height: size - between };
    pen.fill(area, colour, 0.26);
    const name = String(page);
    if (turned && size > 7 * name.length + 4 && box.height > 14)
      pen.text(area.x + size / 2, box.y + box.height - 4, name, palette.text, { at: 'middle' });
  }
}

/** Frames the pages that the keys of the step's scores lie in. */
function outlineCurrentPages(
  pen: Pen,
  place: TensorPlace,
  { schedule, step, progress }: StageMoment,
  palette: Palette,
): void {
  const { pageRows } = place.tensor;
  if (pageRows === null || progress === null) return;
  const pages = pagesOf(schedule, progress.plane);
  for (const { plane, rect } of step.scores) {
    if (plane !== progress.plane) continue;
    for (const page of pages.slice(Math.floor(rect.column0 / pageRows), Math.ceil(rect.column1 / pageRows))) {
      pen.fill(rectBox(place, pageRect(page, place.tensor)), palette.page(page), 0.6);
      pen.outline(grown(rectBox(place, pageRect(page, place.tensor)), 1), palette.text, 1.5);
    }
  }
}

function pageRect(page: number, { rows, columns, pageRows }: ScheduleTensor): Rect {
  const height = pageRows ?? rows;
  return { row0: page * height, row1: Math.min(rows, (page + 1) * height), column0: 0, column1: columns };
}

/** What a tensor's size says beside its name. */
function sizeText({ rows, columns, pageRows }: ScheduleTensor): string {
  return pageRows === null
    ? `${rows} × ${columns}`
    : t('{0} pages of {1} × {2}', Math.ceil(rows / pageRows), pageRows, columns);
}

function paintName(pen: Pen, { tensor, box, side }: TensorPlace, moment: StageMoment, palette: Palette): void {
  const hue = palette.tensor(tensor.name, tensor.role);
  if (side === 'above') {
    pen.text(box.x, box.y - 6, tensor.name, hue, { strong: true });
    pen.text(box.x + 7 * tensor.name.length + 8, box.y - 6, sizeText(tensor), palette.muted);
  } else if (side === 'below') {
    const y = box.y + box.height + 13;
    pen.text(box.x, y, tensor.name, hue, { strong: true });
    pen.text(box.x + 7 * tensor.name.length + 8, y, sizeText(tensor), palette.muted);
  } else if (side === 'shelf') {
    const { planeDims } = tensor;
    const several = planeDims.some(({ size }) => size > 1);
    const which = several ? ` [${planeText(planeDims, moment.planes.get(tensor.name) ?? 0)}]` : '';
    pen.text(box.x, box.y - 6, tensor.name, hue, { strong: true });
    pen.text(box.x + 7 * tensor.name.length + 4, box.y - 6, which, palette.muted);
  } else {
    // A narrow place near the edge has its name end with it.
    const last = side === 'right' && 7 * tensor.name.length > box.width + 8;
    pen.text(last ? box.x + box.width : box.x + box.width / 2, box.y - 6, tensor.name, hue, {
      strong: true,
      at: last ? 'end' : 'middle',
    });
  }
}

/** Index of a plane over its dimensions, those of size 1 left out: `3, 17`. */
export function planeText(dims: readonly { readonly size: number }[], plane: number): string {
  const index: number[] = [];
  let rest = plane;
  for (const { size } of dims.toReversed()) {
    if (size > 1) index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index.join(', ');
}

let looks = new Uint8Array(0);

function paintScores(pen: Pen, box: Box, moment: StageMoment, palette: Palette): void {
  const progress = moment.progress!;
  const cells = progress.rows * progress.columns;
  if (looks.length !== cells) looks = new Uint8Array(cells);
  looksAt(progress, moment.time, moment.final, looks);
  paintAreas(pen, box, areasOf(looks, progress.rows, progress.columns), progress, palette);
  pen.outline(grown(box, 1), palette.muted, 1);
}

/** Draws areas of the score square, each look with a texture of its own. */
export function paintAreas(
  pen: Pen,
  box: Box,
  areas: readonly LookArea[],
  { queries, keys, cellQueries, cellKeys }: Pick<ScoreProgress, 'queries' | 'keys' | 'cellQueries' | 'cellKeys'>,
  palette: Palette,
): void {
  for (const area of areas) {
    const x = box.x + ((area.column0 * cellKeys) / keys) * box.width;
    const y = box.y + ((area.row0 * cellQueries) / queries) * box.height;
    const right = box.x + Math.min(1, (area.column1 * cellKeys) / keys) * box.width;
    const bottom = box.y + Math.min(1, (area.row1 * cellQueries) / queries) * box.height;
    paintLook(pen, { x, y, width: right - x, height: bottom - y }, area.look, palette);
  }
}

function paintLook(pen: Pen, area: Box, look: number, palette: Palette): void {
  switch (look) {
    case cellLooks.required:
      pen.fill(area, palette.text, 0.07);
      break;
    case cellLooks.score:
      pen.fill(area, palette.score, 0.62);
      break;
    case cellLooks.state:
      pen.fill(area, palette.state, 0.16);
      pen.texture(area, 'rows', palette.state);
      break;
    case cellLooks.wasted:
      pen.fill(area, palette.score, 0.16);
      pen.texture(area, 'hatch', palette.muted);
      break;
    case cellLooks.doubled:
      pen.fill(area, palette.score, 0.62);
      pen.outline(area, palette.caution, 2);
      break;
    case cellLooks.missed:
      pen.fill(area, palette.wrong, 0.22);
      pen.texture(area, 'cross', palette.wrong);
      break;
    case cellLooks.untraced:
      pen.texture(area, 'dots', palette.muted, 0.22);
      break;
  }
}

/** The pairs of this step, with lines from them to the rows of q and o and the columns of k and v they belong to. */
function paintCurrent(pen: Pen, layout: StageLayout, moment: StageMoment, palette: Palette): void {
  const places = layout.places.filter(({ side }) => side !== 'shelf');
  const left = Math.min(layout.score!.x, ...places.map(({ box }) => box.x));
  const right = Math.max(...places.map(({ box }) => box.x + box.width), layout.score!.x + layout.score!.width);
  // Tokens stand below their slots only where keys do not lie in pages.
  const aligned = moment.schedule.pages === null ? places : [];
  const top = Math.min(layout.score!.y, ...aligned.map(({ box }) => box.y));
  const bottom = Math.max(...aligned.map(({ box }) => box.y + box.height), layout.score!.y + layout.score!.height);
  for (const score of moment.step.scores) {
    if (score.plane !== moment.progress!.plane) continue;
    const tile = pairBox(layout, moment.schedule, score.rect);
    if (!tile) continue;
    const colour = score.by === 'score' ? palette.score : palette.state;
    if (!moment.final) pen.fill(tile, colour, score.by === 'score' ? 0.75 : 0.35);
    pen.outline(grown(tile, 1), palette.text, 2);
    for (const y of [tile.y, tile.y + tile.height]) {
      pen.line(left, y, tile.x, y, palette.text, 0.28);
      pen.line(tile.x + tile.width, y, right, y, palette.text, 0.28);
    }
    for (const x of [tile.x, tile.x + tile.width]) {
      pen.line(x, top, x, tile.y, palette.text, 0.28);
      pen.line(x, tile.y + tile.height, x, bottom, palette.text, 0.28);
    }
  }
}

function grown({ x, y, width, height }: Box, by: number): Box {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}
