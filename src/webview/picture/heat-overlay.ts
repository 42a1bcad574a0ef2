import { scaleLinear } from 'd3-scale';
import { nothing, svg, type SVGTemplateResult } from 'lit';
import type { ErrorMap } from '../../core/numerics/verdict.js';
import { axisWord, formatError } from '../format.js';
import { t } from '../strings.js';
import { bottomAxis, leftAxis, powerText, type AxisTick } from './axis.js';
import { css, type ErrorScale } from './colour-scale.js';
import type { CellWindow } from './error-map.js';
import { tileLines, type TileChoice } from './tile-lines.js';

/** Room around the cells, in pixels: the row axis at the left, the legend at the right. */
export const heatMargins = { left: 52, right: 84, top: 8, bottom: 40 } as const;

const legendSteps = 96;

/** Axes along the cells and the legend of the colour scale beside them, with the limit marked on it. */
export function heatAxes(
  map: ErrorMap,
  window: CellWindow,
  scale: ErrorScale,
  width: number,
  height: number,
): SVGTemplateResult {
  const rows = ticks(window.rowStart * map.rowsPerCell, window.rowEnd * map.rowsPerCell, height, 44);
  const columns = ticks(window.columnStart * map.columnsPerCell, window.columnEnd * map.columnsPerCell, width, 64);
  const { left, top } = heatMargins;
  return svg`
    ${leftAxis(rows, `${axisWord(map.rowName)} (${map.rowName})`, left, top, height)}
    ${bottomAxis(columns, `${axisWord(map.columnName)} (${map.columnName})`, left, top + height, width)}
    <rect class="plot-frame" x=${left - 0.5} y=${top - 0.5} width=${width + 1} height=${height + 1}></rect>
    ${legend(scale, left + width + 16, top, height)}`;
}

/** The boundaries of the kernel's tiles over the cells. */
export function tileOverlay(
  map: ErrorMap,
  window: CellWindow,
  tiles: TileChoice,
  width: number,
  height: number,
): SVGTemplateResult {
  const { left, top } = heatMargins;
  const across = tiles.rows
    ? tileLines(
        tiles.rows.size,
        window.rowStart * map.rowsPerCell,
        Math.min(map.rows, window.rowEnd * map.rowsPerCell),
        5 / Math.max(1, height),
      )
    : [];
  const down = tiles.columns
    ? tileLines(
        tiles.columns.size,
        window.columnStart * map.columnsPerCell,
        Math.min(map.columns, window.columnEnd * map.columnsPerCell),
        5 / Math.max(1, width),
      )
    : [];
  return svg`<g class="tile-lines">
    ${across.map((share) => {
      const y = Math.round(top + share * height) + 0.5;
      return svg`<line x1=${left} x2=${left + width} y1=${y} y2=${y}></line>`;
    })}
    ${down.map((share) => {
      const x = Math.round(left + share * width) + 0.5;
      return svg`<line x1=${x} x2=${x} y1=${top} y2=${top + height}></line>`;
    })}
  </g>`;
}

function legend(scale: ErrorScale, x: number, top: number, height: number): SVGTemplateResult {
  const y = (error: number): number => top + (1 - scale.position(error)) * height;
  const ratio = scale.high / scale.low;
  const step = height / legendSteps;
  const limitY = y(scale.limit);
  return svg`<g class="legend">
    ${Array.from({ length: legendSteps }, (_, i) => {
      const middle = scale.low * ratio ** ((i + 0.5) / legendSteps);
      return svg`<rect x=${x} y=${top + height - (i + 1) * step} width="10" height=${step + 0.5} fill=${css(scale.colour(middle))}></rect>`;
    })}
    <rect class="plot-frame" x=${x - 0.5} y=${top - 0.5} width="11" height=${height + 1}></rect>
    ${scale.ticks.map((tick) =>
      Math.abs(y(tick) - limitY) < 12
        ? nothing
        : svg`<line class="axis-line" x1=${x + 10} x2=${x + 13} y1=${y(tick)} y2=${y(tick)}></line>
          <text class="tick" x=${x + 16} y=${y(tick)} dy="0.32em">${powerText(Math.round(Math.log10(tick)))}</text>`,
    )}
    <line class="limit-line" x1=${x - 4} x2=${x + 14} y1=${limitY} y2=${limitY}></line>
    <text class="limit-text" x=${x + 17} y=${limitY - 2}>${t('limit')}</text>
    <text class="limit-text" x=${x + 17} y=${limitY + 9}>${formatError(scale.limit)}</text>
  </g>`;
}

function ticks(start: number, end: number, pixels: number, apart: number): readonly AxisTick[] {
  const scale = scaleLinear().domain([start, end]).range([0, pixels]);
  const count = Math.max(2, Math.floor(pixels / apart));
  return scale
    .ticks(count)
    .filter((value) => Number.isInteger(value) && value < end)
    .map((value) => ({ at: scale(value), text: String(value) }));
}
