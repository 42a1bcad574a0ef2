import { html, LitElement, nothing, svg, type PropertyValues, type SVGTemplateResult, type TemplateResult } from 'lit';
import { t } from '../strings.js';
import { SizeController } from '../size.js';
import { ThemeController } from '../theme.js';
import { errorScale, type ErrorScale } from './colour-scale.js';
import {
  cellAt,
  errorExtent,
  fullWindow,
  readCell,
  revealing,
  zoomed,
  type CellReading,
  type CellWindow,
  type DecodedMap,
} from './error-map.js';
import { paintPlane } from './heat-paint.js';
import { heatAxes, heatMargins, tileOverlay } from './heat-overlay.js';
import { readoutText, stateColours } from './heat-words.js';
import type { TileChoice } from './tile-lines.js';

interface Cell {
  readonly row: number;
  readonly column: number;
}

/**
 * The error heat map of one plane: rows of the sequence down, columns of the head across. The pointer and the arrow keys
 * read single cells; plus, minus and zero zoom; a `cell-picked` event carries the cell that was clicked or entered.
 */
export class HeatMap extends LitElement {
  static override readonly properties = {
    decoded: { attribute: false },
    plane: { attribute: false },
    limit: { attribute: false },
    tiles: { attribute: false },
    describedBy: { attribute: false },
    view: { state: true },
    cursor: { state: true },
    hover: { state: true },
  };

  declare decoded: DecodedMap;
  declare plane: number;
  declare limit: number;
  declare tiles: TileChoice;
  declare describedBy: string;
  declare view: CellWindow | null;
  declare cursor: Cell | null;
  declare hover: Cell | null;

  private readonly size = new SizeController(this);
  private readonly theme = new ThemeController(this);

  constructor() {
    super();
    this.view = null;
    this.cursor = null;
    this.hover = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  /** The canvas with its place in the drawing, for a file of the picture. */
  get raster(): { readonly canvas: HTMLCanvasElement; readonly x: number; readonly y: number } | null {
    const canvas = this.querySelector('canvas');
    return canvas ? { canvas, x: heatMargins.left, y: heatMargins.top } : null;
  }

  /** Zooms by a factor around the cursor, or to the whole plane for null. */
  zoom(factor: number | null): void {
    const { map } = this.decoded;
    const window = this.window;
    const row = this.cursor?.row ?? Math.floor((window.rowStart + window.rowEnd) / 2);
    const column = this.cursor?.column ?? Math.floor((window.columnStart + window.columnEnd) / 2);
    this.view = factor === null ? null : zoomed(map, window, factor, row, column);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('decoded') || changed.get('decoded') === this.decoded) return;
    const { cellRows, cellColumns } = this.decoded.map;
    this.view = null;
    this.hover = null;
    if (this.cursor && (this.cursor.row >= cellRows || this.cursor.column >= cellColumns)) this.cursor = null;
  }

  protected override render(): TemplateResult {
    const { plotWidth, plotHeight, width, height } = this.extent;
    const scale = this.scale;
    const window = this.window;
    const reading = this.reading;
    return html`<div class="heat-box">
      <canvas class="heat-canvas" aria-hidden="true"></canvas>
      <svg class="heat-overlay" width=${width} height=${height} aria-hidden="true">
        ${heatAxes(this.decoded.map, window, scale, plotWidth, plotHeight)}
        ${tileOverlay(this.decoded.map, window, this.tiles, plotWidth, plotHeight)}
        ${this.marker(this.cursor, 'cursor-cell')} ${this.marker(this.hover, 'hover-cell')}
      </svg>
      <div
        class="heat-surface"
        tabindex="0"
        role="application"
        aria-roledescription=${t('error heat map')}
        aria-label=${t('Error heat map. Arrow keys move from cell to cell, plus and minus zoom, zero fits.')}
        aria-describedby=${this.describedBy}
        @pointermove=${this.onPointer}
        @pointerleave=${() => (this.hover = null)}
        @click=${this.onClick}
        @keydown=${this.onKeydown}
        @wheel=${this.onWheel}
      ></div>
      <output class="readout" aria-live=${this.hover ? 'off' : 'polite'}
        >${
          reading
            ? readoutText(this.decoded.map, reading, this.limit)
            : html`<span class="muted">${t('Point at a cell, or walk with the arrow keys.')}</span>`
        }</output
      >
    </div>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector('canvas');
    const { plotWidth, plotHeight } = this.extent;
    if (!canvas || plotWidth <= 0) return;
    const width = Math.round(plotWidth * this.size.ratio);
    const height = Math.round(plotHeight * this.size.ratio);
    canvas.width = width;
    canvas.height = height;
    for (const layer of [canvas, this.querySelector<HTMLElement>('.heat-surface')]) {
      layer?.style.setProperty('width', `${plotWidth}px`);
      layer?.style.setProperty('height', `${plotHeight}px`);
    }
    const context = canvas.getContext('2d');
    if (!context) return;
    const image = context.createImageData(width, height);
    const colours = stateColours(this.theme.current);
    const unit = this.size.ratio;
    paintPlane(image.data, width, height, this.decoded, this.plane, this.window, this.scale, colours, unit);
    context.putImageData(image, 0, 0);
  }

  private get window(): CellWindow {
    return this.view ?? fullWindow(this.decoded.map);
  }

  private get scale(): ErrorScale {
    const { smallest, largest } = errorExtent(this.decoded);
    return errorScale(smallest, largest, this.limit, this.theme.current.ground);
  }

  private get extent(): { width: number; height: number; plotWidth: number; plotHeight: number } {
    const width = Math.max(0, this.size.width);
    const height = width < 420 ? 300 : 380;
    return {
      width,
      height,
      plotWidth: Math.max(0, width - heatMargins.left - heatMargins.right),
      plotHeight: height - heatMargins.top - heatMargins.bottom,
    };
  }

  private get reading(): CellReading | null {
    const cell = this.hover ?? this.cursor;
    return cell ? readCell(this.decoded, this.plane, cell.row, cell.column) : null;
  }

  private marker(cell: Cell | null, name: string): SVGTemplateResult | typeof nothing {
    const window = this.window;
    if (!cell || cell.row < window.rowStart || cell.row >= window.rowEnd) return nothing;
    if (cell.column < window.columnStart || cell.column >= window.columnEnd) return nothing;
    const { plotWidth, plotHeight } = this.extent;
    const cellWidth = plotWidth / (window.columnEnd - window.columnStart);
    const cellHeight = plotHeight / (window.rowEnd - window.rowStart);
    const side = 5;
    const x = heatMargins.left + (cell.column - window.columnStart) * cellWidth;
    const y = heatMargins.top + (cell.row - window.rowStart) * cellHeight;
    const width = Math.max(side, cellWidth);
    const height = Math.max(side, cellHeight);
    const left = x + cellWidth / 2 - width / 2;
    const top = y + cellHeight / 2 - height / 2;
    return svg`<g class=${name}>
      <rect class="marker-halo" x=${left - 1} y=${top - 1} width=${width + 2} height=${height + 2}></rect>
      <rect class="marker" x=${left} y=${top} width=${width} height=${height}></rect>
    </g>`;
  }

  private cellUnder(event: MouseEvent): Cell | null {
    const { plotWidth, plotHeight } = this.extent;
    return cellAt(this.window, plotWidth, plotHeight, event.offsetX, event.offsetY);
  }

  private readonly onPointer = (event: PointerEvent): void => {
    this.hover = this.cellUnder(event);
  };

  private readonly onClick = (event: MouseEvent): void => {
    const cell = this.cellUnder(event);
    if (cell) this.cursor = cell;
  };

  private readonly onWheel = (event: WheelEvent): void => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const cell = this.cellUnder(event);
    if (!cell) return;
    this.view = zoomed(this.decoded.map, this.window, event.deltaY < 0 ? 1.5 : 1 / 1.5, cell.row, cell.column);
  };

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const { cellRows, cellColumns } = this.decoded.map;
    const at = this.cursor ?? { row: this.window.rowStart, column: this.window.columnStart };
    const stride = event.shiftKey ? 10 : 1;
    const page = Math.max(1, Math.floor((this.window.rowEnd - this.window.rowStart) / 4));
    const moves: Readonly<Record<string, Cell>> = {
      ArrowUp: { row: at.row - stride, column: at.column },
      ArrowDown: { row: at.row + stride, column: at.column },
      ArrowLeft: { row: at.row, column: at.column - stride },
      ArrowRight: { row: at.row, column: at.column + stride },
      PageUp: { row: at.row - page, column: at.column },
      PageDown: { row: at.row + page, column: at.column },
      Home: { row: at.row, column: 0 },
      End: { row: at.row, column: cellColumns - 1 },
    };
    const zooms: Readonly<Record<string, number | null>> = { '+': 2, '=': 2, '-': 0.5, '0': null };
    if (Object.hasOwn(zooms, event.key)) {
      this.zoom(zooms[event.key] ?? null);
      event.preventDefault();
      return;
    }
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    this.hover = null;
    const target = this.cursor ? move : at;
    this.cursor = {
      row: Math.min(cellRows - 1, Math.max(0, target.row)),
      column: Math.min(cellColumns - 1, Math.max(0, target.column)),
    };
    if (this.view) this.view = revealing(this.view, this.cursor.row, this.cursor.column);
  };
}
