import { html, LitElement, type TemplateResult } from 'lit';
import { canvasPen, preparedContext } from '../picture/canvas-pen.js';
import type { Box, Pen } from '../picture/pen.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { ThemeController } from '../theme.js';
import { paletteOf } from './palette.js';
import { planesAt, type LineLight, type ScheduleModel } from './schedule-model.js';
import { pairText, rectText, tensorPlaneText } from './schedule-words.js';
import { elementAt, layoutStage, rectBox, type StageLayout, type TensorPlace } from './stage-layout.js';
import { paintStage } from './stage-paint.js';

/**
 * The tensors and the score square at one step of a schedule. Sends `hover-text` with what is under the pointer, and
 * `site-picked` with the index of the source place behind the tile that was clicked.
 */
export class TileStage extends LitElement {
  static override readonly properties = {
    model: { attribute: false },
    step: { attribute: false },
    final: { attribute: false },
    light: { attribute: false },
    describedBy: { attribute: false },
  };

  declare model: ScheduleModel;
  declare step: number;
  declare final: boolean;
  declare light: LineLight;
  declare describedBy: string;

  private readonly size = new SizeController(this);
  private readonly theme = new ThemeController(this);
  private laidOut: StageLayout | null = null;
  private laidFor: ScheduleModel['schedule'] | null = null;

  override createRenderRoot(): this {
    return this;
  }

  /** Draws the picture with another pen; returns its size in CSS pixels. */
  draw(pen: Pen): { readonly width: number; readonly height: number } {
    const layout = this.layout;
    const { lane, schedule, progress, splits } = this.model;
    paintStage(
      pen,
      layout,
      {
        schedule,
        step: lane.schedule.steps[this.step]!,
        time: lane.ends[this.step]!,
        progress,
        splits,
        ownSplit: lane.schedule.split,
        final: this.final,
        planes: planesAt(this.model, this.step),
        lineAccesses: this.light.accesses,
        lineSites: this.light.sites,
      },
      paletteOf(this.theme.current),
    );
    return { width: layout.width, height: layout.height };
  }

  protected override render(): TemplateResult {
    return html`<div class="stage-box">
      <canvas aria-hidden="true"></canvas>
      <div
        class="stage-surface"
        tabindex="0"
        role="application"
        aria-roledescription=${t('tile schedule')}
        aria-label=${t('Tiles of the tensors and the score matrix. Space plays, arrow keys step, with Shift from tile to tile, Enter shows the line.')}
        aria-describedby=${this.describedBy}
        @pointermove=${this.onPointer}
        @pointerleave=${() => this.say(null)}
        @click=${this.onClick}
      ></div>
    </div>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector('canvas');
    if (!canvas || this.size.width <= 0) return;
    const { width, height } = this.layout;
    const context = preparedContext(canvas, width, height, this.size.ratio);
    if (context) this.draw(canvasPen(context, this.size.ratio, getComputedStyle(this).fontFamily));
  }

  private get layout(): StageLayout {
    const width = Math.max(240, this.size.width);
    if (this.laidOut?.width !== width || this.laidFor !== this.model.schedule) {
      this.laidOut = layoutStage(this.model.schedule, width);
      this.laidFor = this.model.schedule;
    }
    return this.laidOut;
  }

  private say(text: string | null): void {
    this.dispatchEvent(new CustomEvent<string | null>('hover-text', { detail: text }));
  }

  private readonly onPointer = (event: PointerEvent): void => {
    const { offsetX: x, offsetY: y } = event;
    const { score } = this.layout;
    const { progress, schedule, lane } = this.model;
    if (score && progress && schedule.score && inside(score, x, y)) {
      const query = Math.min(schedule.score.rows - 1, Math.floor(((y - score.y) / score.height) * schedule.score.rows));
      const key = Math.min(
        schedule.score.columns - 1,
        Math.floor(((x - score.x) / score.width) * schedule.score.columns),
      );
      this.say(pairText(progress, schedule, query, key, this.final ? Number.POSITIVE_INFINITY : lane.ends[this.step]!));
      return;
    }
    const place = this.placeAt(x, y);
    this.say(place ? this.placeText(place, x, y) : null);
  };

  private placeAt(x: number, y: number): TensorPlace | null {
    return this.layout.places.find(({ box }) => inside(box, x, y)) ?? null;
  }

  private placeText(place: TensorPlace, x: number, y: number): string {
    const { tensor } = place;
    const { row, column } = elementAt(place, x, y);
    const plane = planesAt(this.model, this.step).get(tensor.name) ?? 0;
    const where = tensorPlaneText(tensor, plane);
    const element = { row0: row, row1: row + 1, column0: column, column1: column + 1 };
    const at = tensor.pageRows === null ? t('row {0} · column {1}', row, column) : rectText(element, tensor);
    const here = `${tensor.name}${where === '' ? '' : ` · ${where}`} · ${at}`;
    const doing = this.accessesAt(place, x, y).map(({ mode, rect }) =>
      mode === 'read' ? t('read now: {0}', rectText(rect, tensor)) : t('written now: {0}', rectText(rect, tensor)),
    );
    const held = this.model.lane.schedule.steps[this.step]!.held.filter(
      (item) =>
        tensor.pageRows === null && item.tensor === tensor.name && item.rect && inside(rectBox(place, item.rect), x, y),
    ).map(({ variable }) => t('held in {0}', variable));
    return [here, ...doing, ...held].join(' · ');
  }

  private accessesAt(
    place: TensorPlace,
    x: number,
    y: number,
  ): ScheduleModel['lane']['schedule']['steps'][number]['accesses'] {
    return this.model.lane.schedule.steps[this.step]!.accesses.filter(
      ({ tensor, rect }) => tensor === place.tensor.name && inside(rectBox(place, rect), x, y),
    );
  }

  private readonly onClick = (event: MouseEvent): void => {
    const place = this.placeAt(event.offsetX, event.offsetY);
    const site = place ? this.accessesAt(place, event.offsetX, event.offsetY)[0]?.sites[0] : undefined;
    if (site !== undefined) {
      this.dispatchEvent(new CustomEvent<number>('site-picked', { detail: site }));
      return;
    }
    const { score } = this.layout;
    if (score && inside(score, event.offsetX, event.offsetY)) this.dispatchEvent(new CustomEvent('step-picked'));
  };
}

function inside({ x, y, width, height }: Box, pointX: number, pointY: number): boolean {
  return pointX >= x && pointX < x + width && pointY >= y && pointY < y + height;
}
