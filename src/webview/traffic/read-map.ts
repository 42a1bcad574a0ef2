import { html, LitElement, type TemplateResult } from 'lit';
import type { ReadHeat } from '../../core/analysis/ledger.js';
import { axisWord, significant } from '../format.js';
import { canvasPen, preparedContext } from '../picture/canvas-pen.js';
import { css, fromOklch, type Ground } from '../picture/colour-scale.js';
import type { PictureTable } from '../picture/figure.js';
import type { Pen } from '../picture/pen.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { ThemeController } from '../theme.js';

const margins = { left: 44, right: 70, top: 6, bottom: 34 } as const;
const height = 240;
const legendSteps = 48;

/** Bins of a map, across and down. */
function binsOf(heat: ReadHeat): { readonly across: number; readonly down: number } {
  return { across: Math.ceil(heat.columns / heat.binColumns), down: Math.ceil(heat.rows / heat.binRows) };
}

/** How often each part of one plane of a tensor is read: rows down, columns across. */
export class ReadMap extends LitElement {
  static override readonly properties = {
    heat: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare heat: ReadHeat;
  declare describedBy: string;
  declare active: number | null;

  private readonly size = new SizeController(this);
  private readonly theme = new ThemeController(this);

  constructor() {
    super();
    this.active = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  /** Draws the map with another pen; returns its size in CSS pixels. */
  draw(pen: Pen): { readonly width: number; readonly height: number } {
    const width = Math.max(240, this.size.width);
    const plotWidth = width - margins.left - margins.right;
    const plotHeight = height - margins.top - margins.bottom;
    const { heat } = this;
    const { across, down } = binsOf(heat);
    const most = Math.max(0, ...heat.reads);
    const ground = this.theme.current.ground;
    const text = this.theme.current.colour('descriptionForeground', 'foreground');
    for (let row = 0; row < down; row++) {
      const y0 = margins.top + Math.round((row / down) * plotHeight);
      const y1 = margins.top + Math.round(((row + 1) / down) * plotHeight);
      for (let column = 0; column < across; column++) {
        const x0 = margins.left + Math.round((column / across) * plotWidth);
        const x1 = margins.left + Math.round(((column + 1) / across) * plotWidth);
        const reads = heat.reads[row * across + column] ?? 0;
        pen.fill({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 }, readColour(most > 0 ? reads / most : 0, ground));
      }
    }
    pen.outline({ x: margins.left - 1, y: margins.top - 1, width: plotWidth + 2, height: plotHeight + 2 }, text, 1);
    this.drawAxes(pen, plotWidth, plotHeight, text);
    this.drawLegend(pen, margins.left + plotWidth + 14, plotHeight, most, ground, text);
    if (this.active !== null) {
      const row = Math.floor(this.active / across);
      const column = this.active % across;
      const box = {
        x: margins.left + (column / across) * plotWidth - 1,
        y: margins.top + (row / down) * plotHeight - 1,
        width: plotWidth / across + 2,
        height: plotHeight / down + 2,
      };
      pen.outline(box, this.theme.current.colour('foreground'), 2);
    }
    return { width, height };
  }

  private drawAxes(pen: Pen, plotWidth: number, plotHeight: number, colour: string): void {
    const { columns, pageRows } = this.heat;
    const rows = this.heat.rows / (pageRows ?? 1);
    for (const row of quarters(rows)) {
      const y = margins.top + (row / rows) * plotHeight;
      pen.text(margins.left - 5, y + (row === 0 ? 9 : 4), String(row), colour, { at: 'end' });
    }
    for (const column of quarters(columns)) {
      const x = margins.left + (column / columns) * plotWidth;
      pen.text(x, margins.top + plotHeight + 14, String(column), colour, { at: column === 0 ? 'start' : 'middle' });
    }
    pen.text(margins.left + plotWidth / 2, height - 5, t('column'), colour, { at: 'middle' });
    const axis = pageRows === null ? t('row') : t('page');
    pen.text(10, margins.top + plotHeight / 2, axis, colour, { at: 'middle', turned: true });
  }

  private drawLegend(pen: Pen, x: number, plotHeight: number, most: number, ground: Ground, colour: string): void {
    const step = plotHeight / legendSteps;
    for (let i = 0; i < legendSteps; i++) {
      const box = { x, y: margins.top + plotHeight - (i + 1) * step, width: 10, height: step + 0.5 };
      pen.fill(box, readColour((i + 0.5) / legendSteps, ground));
    }
    pen.text(x + 14, margins.top + 9, `${significant(most)} ×`, colour);
    pen.text(x + 14, margins.top + plotHeight, '0', colour);
  }

  protected override render(): TemplateResult {
    return html`<div class="map-box">
      <canvas aria-hidden="true"></canvas>
      <div
        class="map-surface"
        tabindex="0"
        role="application"
        aria-roledescription=${t('heat map')}
        aria-label=${t('Reads of each part of the tensor. Arrow keys move from part to part.')}
        aria-describedby=${this.describedBy}
        @pointermove=${this.onPointer}
        @pointerleave=${() => (this.active = null)}
        @keydown=${this.onKeydown}
      ></div>
      <output class="readout" aria-live="polite"
        >${
          this.active === null
            ? html`<span class="muted">${t('Point at a part, or walk with the arrow keys.')}</span>`
            : binText(this.heat, this.active)
        }</output
      >
    </div>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector('canvas');
    if (!canvas || this.size.width <= 0) return;
    const context = preparedContext(canvas, Math.max(240, this.size.width), height, this.size.ratio);
    if (context) this.draw(canvasPen(context, this.size.ratio, getComputedStyle(this).fontFamily));
  }

  private readonly onPointer = (event: PointerEvent): void => {
    const { across, down } = binsOf(this.heat);
    const plotWidth = Math.max(240, this.size.width) - margins.left - margins.right;
    const plotHeight = height - margins.top - margins.bottom;
    const column = Math.floor(((event.offsetX - margins.left) / plotWidth) * across);
    const row = Math.floor(((event.offsetY - margins.top) / plotHeight) * down);
    this.active = column >= 0 && column < across && row >= 0 && row < down ? row * across + column : null;
  };

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const { across, down } = binsOf(this.heat);
    const row = Math.floor((this.active ?? 0) / across);
    const column = (this.active ?? 0) % across;
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, across - 1],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const [toRow, toColumn] = this.active === null ? [0, 0] : move;
    this.active = Math.min(down - 1, Math.max(0, toRow)) * across + Math.min(across - 1, Math.max(0, toColumn));
  };
}

/** The quarters of an axis as whole numbers, each once. */
function quarters(size: number): ReadonlySet<number> {
  return new Set([0, 0.25, 0.5, 0.75].map((share) => Math.floor(share * size)));
}

/** The colour of a share (0 to 1) of the most reads: lightness runs evenly, away from the background. */
export function readColour(share: number, ground: Ground): string {
  const hue = 285 - 190 * share;
  const chroma = 0.02 + 0.13 * Math.sin(Math.PI * Math.min(1, share * 0.85 + 0.05));
  return css(fromOklch(ground === 'dark' ? 0.25 + 0.66 * share : 0.97 - 0.62 * share, chroma, hue));
}

function binText(heat: ReadHeat, bin: number): string {
  const { across } = binsOf(heat);
  const row = Math.floor(bin / across) * heat.binRows;
  const column = (bin % across) * heat.binColumns;
  const range = (from: number, size: number, limit: number): string =>
    size > 1 ? `${from}–${Math.min(limit, from + size) - 1}` : String(from);
  const columns = range(column, heat.binColumns, heat.columns);
  const reads = significant(heat.reads[bin] ?? 0, 4);
  const { pageRows } = heat;
  if (pageRows === null) {
    const rows = range(row, heat.binRows, heat.rows);
    return t('{0} · row {1} · column {2}: read {3} times', heatName(heat), rows, columns, reads);
  }
  const pages = range(row / pageRows, heat.binRows / pageRows, heat.rows / pageRows);
  return t('{0} · page {1} · column {2}: read {3} times', heatName(heat), pages, columns, reads);
}

/** The tensor and its plane in words: `k · batch 0 · head 3`. */
export function heatName(heat: ReadHeat): string {
  return [heat.tensor, ...heat.plane.map(({ name, index }) => `${axisWord(name)} ${index}`)].join(' · ');
}

/** One sentence for a map of reads. */
export function heatSummary(heat: ReadHeat): string {
  const most = Math.max(0, ...heat.reads);
  const mean = heat.reads.reduce((sum, reads) => sum + reads, 0) / Math.max(1, heat.reads.length);
  return t(
    'The traced workgroups read an element of {0} {1} times on average, at most {2} times.',
    heatName(heat),
    significant(mean),
    significant(most),
  );
}

/** The numbers behind a map of reads. */
export function heatTable(heat: ReadHeat): PictureTable {
  const { across } = binsOf(heat);
  const step = heat.binRows / (heat.pageRows ?? 1);
  return {
    header: [heat.pageRows === null ? t('first row') : t('first page'), t('first column'), t('reads per element')],
    rows: heat.reads.map((reads, bin) => [Math.floor(bin / across) * step, (bin % across) * heat.binColumns, reads]),
  };
}
