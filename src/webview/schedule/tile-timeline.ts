import { html, LitElement, type PropertyValues, type TemplateResult } from 'lit';
import { canvasPen, preparedContext } from '../picture/canvas-pen.js';
import type { Pen } from '../picture/pen.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { ThemeController, type Theme } from '../theme.js';
import { stepAt, stepStart } from './lanes.js';
import { paletteOf } from './palette.js';
import type { LineLight, ScheduleModel } from './schedule-model.js';
import {
  laneHeight,
  layoutTimeline,
  paintTimeline,
  timeToX,
  xToTime,
  type TimelineLayout,
  type TimeWindow,
} from './timeline-paint.js';

/** A step of a lane that the pointer is at. */
export interface LaneStep {
  readonly lane: number;
  readonly step: number;
}

/**
 * The steps of the traced workgroups along time, with a playhead. The lanes are drawn when the view changes; going to
 * another step moves the playhead alone. Sends `step-scrubbed` and `step-picked` (a click) with a `LaneStep`, and
 * `step-hovered` with one or null.
 */
export class TileTimeline extends LitElement {
  static override readonly properties = {
    model: { attribute: false },
    step: { attribute: false },
    light: { attribute: false },
    describedBy: { attribute: false },
    view: { state: true },
  };

  declare model: ScheduleModel;
  declare step: number;
  declare light: LineLight;
  declare describedBy: string;
  /** The part of time in sight; null for all of it. */
  declare view: TimeWindow | null;

  private readonly size = new SizeController(this);
  private readonly theme = new ThemeController(this);
  private drawn: readonly unknown[] = [];
  private laidOut: TimelineLayout | null = null;
  private laidFor: ScheduleModel | null = null;
  private pressedAt: { readonly x: number; readonly lane: number } | null = null;
  private moved = false;

  constructor() {
    super();
    this.view = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  /** Draws the timeline with another pen; returns its size in CSS pixels. */
  draw(pen: Pen): { readonly width: number; readonly height: number } {
    const { layout } = this;
    const palette = paletteOf(this.theme.current);
    paintTimeline(pen, layout, this.window, this.model, this.light, palette);
    const { left, right } = this.playheadSpan(layout);
    pen.outline({ x: left, y: 14, width: right - left, height: layout.height - 14 }, palette.text, 1);
    return { width: layout.width, height: layout.height };
  }

  /** Shows a part of time `factor` times as short around the playhead; null shows all of it. */
  zoom(factor: number | null): void {
    if (factor === null) {
      this.view = null;
      return;
    }
    const { lane } = this.model;
    const middle = (stepStart(lane, this.step) + lane.ends[this.step]!) / 2;
    const { from, to } = this.window;
    const length = Math.max(this.shortest, (to - from) / factor);
    this.view = this.kept(middle - length / 2, length);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('model') && changed.get('model')?.duration !== this.model.duration) this.view = null;
    if (!this.view || !changed.has('step')) return;
    const { lane } = this.model;
    const { from, to } = this.view;
    const at = stepStart(lane, this.step);
    if (at < from || lane.ends[this.step]! > to) this.view = this.kept(at - (to - from) / 4, to - from);
  }

  protected override render(): TemplateResult {
    return html`<div class="timeline-box">
      <canvas aria-hidden="true"></canvas>
      <div class="playhead" aria-hidden="true"></div>
      <div
        class="timeline-surface"
        tabindex="0"
        role="slider"
        aria-label=${t('Step of workgroup {0}', this.model.lane.schedule.workgroup.join(', '))}
        aria-describedby=${this.describedBy}
        aria-valuemin="1"
        aria-valuemax=${this.model.lane.schedule.steps.length}
        aria-valuenow=${this.step + 1}
        @pointerdown=${this.onDown}
        @pointermove=${this.onMove}
        @pointerup=${this.onUp}
        @pointercancel=${() => (this.pressedAt = null)}
        @pointerleave=${() => this.send('step-hovered', null)}
        @wheel=${this.onWheel}
      ></div>
    </div>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector('canvas');
    if (!canvas || this.size.width <= 0) return;
    const { layout } = this;
    const view = this.window;
    const given: readonly unknown[] = [
      this.model,
      this.light,
      this.theme.current satisfies Theme,
      layout.width,
      this.size.ratio,
      view.from,
      view.to,
    ];
    if (given.some((value, i) => value !== this.drawn[i])) {
      this.drawn = given;
      const context = preparedContext(canvas, layout.width, layout.height, this.size.ratio);
      if (context) {
        const pen = canvasPen(context, this.size.ratio, getComputedStyle(this).fontFamily);
        paintTimeline(pen, layout, view, this.model, this.light, paletteOf(this.theme.current));
      }
    }
    const { left, right } = this.playheadSpan(layout);
    const style = this.querySelector<HTMLElement>('.playhead')?.style;
    style?.setProperty('transform', `translateX(${left}px)`);
    style?.setProperty('width', `${right - left}px`);
  }

  private get layout(): TimelineLayout {
    const width = Math.max(240, this.size.width);
    if (this.laidOut?.width !== width || this.laidFor !== this.model) {
      this.laidOut = layoutTimeline(this.model, width);
      this.laidFor = this.model;
    }
    return this.laidOut;
  }

  private get window(): TimeWindow {
    return this.view ?? { from: 0, to: this.model.duration };
  }

  /** The shortest part of time that can be shown: about eight steps. */
  private get shortest(): number {
    const { lane } = this.model;
    return Math.max(1, (lane.duration / lane.ends.length) * 8);
  }

  private kept(from: number, length: number): TimeWindow | null {
    const { duration } = this.model;
    if (length >= duration) return null;
    const start = Math.min(duration - length, Math.max(0, from));
    return { from: start, to: start + length };
  }

  private playheadSpan(layout: TimelineLayout): { readonly left: number; readonly right: number } {
    const { lane } = this.model;
    const clamp = (x: number): number => Math.min(layout.width, Math.max(layout.left, x));
    const left = clamp(timeToX(layout, this.window, stepStart(lane, this.step)));
    const right = clamp(timeToX(layout, this.window, lane.ends[this.step]!));
    return right - left < 3 ? { left: left - 1, right: left + 2 } : { left, right };
  }

  private laneAt(y: number): number {
    const { laneTops } = this.layout;
    const found = laneTops.findIndex((top) => y >= top && y < top + laneHeight);
    return found === -1 ? this.model.lanes.indexOf(this.model.lane) : found;
  }

  private stepUnder(x: number, lane: number): LaneStep {
    const { layout } = this;
    const time = xToTime(layout, this.window, Math.max(layout.left, x));
    return { lane, step: stepAt(this.model.lanes[lane]!, time) };
  }

  private send(name: string, detail: LaneStep | null): void {
    this.dispatchEvent(new CustomEvent<LaneStep | null>(name, { detail }));
  }

  private readonly onDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    this.querySelector('.timeline-surface')?.setPointerCapture(event.pointerId);
    this.pressedAt = { x: event.offsetX, lane: this.laneAt(event.offsetY) };
    this.moved = false;
    this.send('step-scrubbed', this.stepUnder(event.offsetX, this.pressedAt.lane));
  };

  private readonly onMove = (event: PointerEvent): void => {
    if (!this.pressedAt) {
      this.send('step-hovered', this.stepUnder(event.offsetX, this.laneAt(event.offsetY)));
      return;
    }
    if (Math.abs(event.offsetX - this.pressedAt.x) > 3) this.moved = true;
    if (this.moved)
      this.send('step-scrubbed', this.stepUnder(event.offsetX, this.model.lanes.indexOf(this.model.lane)));
  };

  private readonly onUp = (event: PointerEvent): void => {
    const pressed = this.pressedAt;
    this.pressedAt = null;
    if (pressed && !this.moved) this.send('step-picked', this.stepUnder(event.offsetX, pressed.lane));
  };

  private readonly onWheel = (event: WheelEvent): void => {
    const { from, to } = this.window;
    if (event.ctrlKey) {
      event.preventDefault();
      const { layout } = this;
      const middle = xToTime(layout, this.window, Math.max(layout.left, event.offsetX));
      const length = Math.max(this.shortest, (to - from) * (event.deltaY < 0 ? 0.75 : 1.33));
      this.view = this.kept(middle - ((middle - from) / (to - from)) * length, length);
    } else if (this.view && event.deltaX !== 0) {
      event.preventDefault();
      this.view = this.kept(from + (event.deltaX / this.layout.width) * (to - from), to - from);
    }
  };
}
