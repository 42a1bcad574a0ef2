import type { ScheduleStep, TileAccess } from '../../core/analysis/schedule.js';
import type { Box, Pen } from '../picture/pen.js';
import { t } from '../strings.js';
import { stepAt, stepStart, type Lane } from './lanes.js';
import type { Palette } from './palette.js';
import type { LineLight, ScheduleModel } from './schedule-model.js';

/** Times from the left to the right edge of the timeline. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** Where the lanes of a timeline lie, in pixels. */
export interface TimelineLayout {
  readonly width: number;
  readonly height: number;
  /** The blocks begin here; at the left of it stand the names. */
  readonly left: number;
  readonly laneTops: readonly number[];
  readonly tensorTops: readonly number[];
  readonly tensors: readonly string[];
}

/** Heights of a lane of a workgroup and of a tensor, in pixels. */
export const laneHeight = 18;
export const tensorHeight = 10;

const gap = 3;
const groupGap = 12;
const title = 15;

/** Lays out a lane for each workgroup of the pass and one for each tensor that the chosen workgroup touches. */
export function layoutTimeline(model: ScheduleModel, width: number): TimelineLayout {
  const touched = new Set<string>();
  for (const step of model.lane.schedule.steps) for (const access of step.accesses) touched.add(access.tensor);
  const tensors = model.schedule.tensors.map(({ name }) => name).filter((name) => touched.has(name));
  const laneTops = model.lanes.map((_, i) => title + i * (laneHeight + gap));
  const bottom = title + model.lanes.length * (laneHeight + gap) + groupGap;
  const tensorTops = tensors.map((_, i) => bottom + title + i * (tensorHeight + gap));
  return {
    width,
    height: bottom + title + tensors.length * (tensorHeight + gap) + 2,
    left: width < 480 ? 68 : 84,
    laneTops,
    tensorTops,
    tensors,
  };
}

/** The pixel of a time. */
export function timeToX(layout: TimelineLayout, window: TimeWindow, time: number): number {
  return layout.left + ((time - window.from) / (window.to - window.from)) * (layout.width - layout.left);
}

/** The time at a pixel. */
export function xToTime(layout: TimelineLayout, window: TimeWindow, x: number): number {
  return window.from + ((x - layout.left) / (layout.width - layout.left)) * (window.to - window.from);
}

/** Draws the lanes with their blocks; all of it stays when the playhead moves. */
export function paintTimeline(
  pen: Pen,
  layout: TimelineLayout,
  window: TimeWindow,
  model: ScheduleModel,
  light: LineLight,
  palette: Palette,
): void {
  pen.text(0, 10, t('workgroup'), palette.muted);
  model.lanes.forEach((lane, i) => {
    const top = layout.laneTops[i]!;
    const chosen = lane === model.lane;
    if (chosen) pen.fill({ x: 0, y: top - 1, width: layout.width, height: laneHeight + 2 }, palette.text, 0.08);
    pen.text(4, top + 13, lane.schedule.workgroup.join(', '), chosen ? palette.text : palette.muted, {
      strong: chosen,
    });
    paintLane(pen, layout, window, lane, top, light.steps[i]!, palette);
  });
  pen.text(0, (layout.tensorTops[0] ?? layout.height) - 5, t('tensors'), palette.muted);
  layout.tensors.forEach((tensor, i) =>
    paintTensorLane(pen, layout, window, model, tensor, layout.tensorTops[i]!, palette),
  );
}

type Look = 'load' | 'compute' | 'through-state' | 'store' | 'mixed';

/** How a step's block looks: computation that goes through a state has a look of its own. */
export function blockLook(step: ScheduleStep): Look {
  if (step.kind === 'load' || step.kind === 'store') return step.kind;
  const through = step.scores.some(({ by }) => by === 'state') || (step.scores.length === 0 && step.states.length > 0);
  if (through) return 'through-state';
  return step.kind === 'compute' || step.scores.length > 0 ? 'compute' : 'mixed';
}

/**
 * Draws the blocks of the visible steps. Steps narrower than a pixel are put together: the pixel takes the look that
 * most of its time has, so that the cost is that of the visible steps and what is drawn that of the pixels.
 */
function paintLane(
  pen: Pen,
  layout: TimelineLayout,
  window: TimeWindow,
  lane: Lane,
  top: number,
  lit: Uint8Array,
  palette: Palette,
): void {
  const { steps } = lane.schedule;
  const perTime = (layout.width - layout.left) / (window.to - window.from);
  let pixel = -1;
  let weights = new Map<Look, number>();
  let pixelLit = false;
  const flush = (): void => {
    if (weights.size === 0) return;
    const look = [...weights].reduce((best, item) => (item[1] > best[1] ? item : best))[0];
    paintBlock(pen, pixel, top, 1, look, palette);
    if (pixelLit) pen.fill({ x: pixel, y: top - 1, width: 1, height: 3 }, palette.focus);
    weights = new Map();
    pixelLit = false;
  };
  for (let i = stepAt(lane, window.from); i < steps.length; i++) {
    const start = stepStart(lane, i);
    if (start >= window.to) break;
    const x0 = Math.max(layout.left, timeToX(layout, window, start));
    const x1 = Math.min(layout.width, timeToX(layout, window, lane.ends[i]!));
    const width = x1 - x0;
    if (width < 1.5) {
      const at = Math.floor(x0);
      if (at !== pixel) flush();
      pixel = at;
      const look = blockLook(steps[i]!);
      weights.set(look, (weights.get(look) ?? 0) + (lane.ends[i]! - start) * perTime);
      pixelLit ||= lit[i] === 1;
      continue;
    }
    flush();
    paintBlock(pen, x0, top, width - (width > 4 ? 1 : 0), blockLook(steps[i]!), palette);
    if (lit[i] === 1) pen.fill({ x: x0, y: top - 1, width, height: 3 }, palette.focus);
    if (steps[i]!.barrier && width > 5) {
      pen.fill({ x: x1 - 1, y: top, width: 1, height: laneHeight }, palette.text, 0.8);
    }
  }
  flush();
}

/** Looks differ in height and texture as well as in colour: loads hang low, stores stand high, work fills the lane. */
function paintBlock(pen: Pen, x: number, top: number, width: number, look: Look, palette: Palette): void {
  const low = { x, y: top + laneHeight * 0.5, width, height: laneHeight * 0.5 };
  const full = { x, y: top + 2, width, height: laneHeight - 2 };
  switch (look) {
    case 'load':
      pen.fill(low, palette.muted, 0.65);
      break;
    case 'compute':
      pen.fill(full, palette.score, 0.8);
      break;
    case 'through-state':
      pen.fill(full, palette.state, width < 2 ? 0.8 : 0.35);
      if (width >= 2) pen.texture(full, 'rows', palette.state);
      break;
    case 'mixed':
      pen.fill(full, palette.score, 0.4);
      pen.fill(low, palette.muted, 0.65);
      break;
    case 'store':
      pen.fill({ x, y: top + 2, width, height: laneHeight * 0.5 }, palette.store, 0.9);
      break;
  }
}

/** When the chosen workgroup reads (solid), writes (hatched) or holds in workgroup memory (a bar below) a tensor. */
function paintTensorLane(
  pen: Pen,
  layout: TimelineLayout,
  window: TimeWindow,
  model: ScheduleModel,
  tensor: string,
  top: number,
  palette: Palette,
): void {
  const { lane } = model;
  const found = model.schedule.tensors.find(({ name }) => name === tensor);
  const hue = palette.tensor(tensor, found?.role);
  pen.text(4, top + 9, tensor, hue, { strong: true });
  pen.fill({ x: layout.left, y: top, width: layout.width - layout.left, height: tensorHeight }, hue, 0.08);
  const { steps } = lane.schedule;
  for (let i = stepAt(lane, window.from); i < steps.length; i++) {
    const start = stepStart(lane, i);
    if (start >= window.to) break;
    const step = steps[i]!;
    const x = Math.max(layout.left, timeToX(layout, window, start));
    const width = Math.max(0.75, Math.min(layout.width, timeToX(layout, window, lane.ends[i]!)) - x);
    const own = step.accesses.filter((access) => access.tensor === tensor);
    const modes = own.map(({ mode }) => mode);
    const read = { x, y: top, width, height: tensorHeight };
    if (modes.includes('read')) {
      if (found?.pageRows) paintPagesRead(pen, read, own, found.pageRows, palette);
      else pen.fill(read, hue, 0.95);
    }
    if (modes.includes('write')) {
      pen.fill({ x, y: top, width, height: tensorHeight }, hue, 0.6);
      if (width >= 3) pen.texture({ x, y: top, width, height: tensorHeight }, 'hatch', palette.text);
    }
    if (step.held.some((held) => held.tensor === tensor)) {
      pen.fill({ x, y: top + tensorHeight - 3, width, height: 3 }, palette.text, 0.55);
    }
  }
}

/** The pages that a step reads, side by side in the order in which it comes to them. */
function paintPagesRead(pen: Pen, box: Box, accesses: readonly TileAccess[], pageRows: number, palette: Palette): void {
  const pages = [
    ...new Set(accesses.flatMap(({ mode, rect }) => (mode === 'read' ? [Math.floor(rect.row0 / pageRows)] : []))),
  ];
  const width = box.width / pages.length;
  for (const [i, page] of pages.entries()) {
    pen.fill({ ...box, x: box.x + i * width, width: Math.max(0.75, width) }, palette.page(page), 0.95);
  }
}
