import { scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { html, LitElement, svg, type TemplateResult } from 'lit';
import type { TrafficScaling } from '../../core/analysis/ledger.js';
import { formatBytes, formatCount, joined, significant } from '../format.js';
import { bottomAxis, endHeights, leftAxis, powerTicks } from '../picture/axis.js';
import type { PictureTable } from '../picture/figure.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';

const margins = { left: 62, right: 96, top: 12, bottom: 40 } as const;
const height = 220;

type Point = TrafficScaling['points'][number];

const series = ['transferredBytes', 'requestedBytes', 'compulsoryBytes'] as const;

function seriesWord(name: (typeof series)[number]): string {
  return {
    transferredBytes: t('transferred'),
    requestedBytes: t('requested'),
    compulsoryBytes: t('compulsory'),
  }[name];
}

/** How bytes grow with the sequence: both axes logarithmic, so that a power is a straight line. */
export class ScalingChart extends LitElement {
  static override readonly properties = {
    scaling: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare scaling: TrafficScaling;
  declare describedBy: string;
  declare active: number | null;

  private readonly size = new SizeController(this);

  constructor() {
    super();
    this.active = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const { points } = this.scaling;
    const width = Math.max(240, this.size.width);
    const plotWidth = width - margins.left - margins.right;
    const plotHeight = height - margins.top - margins.bottom;
    const sizes = points.map(({ size }) => size);
    const bytes = points.flatMap((point) => series.map((name) => point[name])).filter((value) => value > 0);
    const x = scaleLog()
      .domain([Math.min(...sizes) / 1.1, Math.max(...sizes) * 1.1])
      .range([0, plotWidth]);
    const y = scaleLog()
      .domain([Math.min(...bytes) / 1.5, Math.max(...bytes) * 1.5])
      .range([plotHeight, 0]);
    const ends = endHeights(series.map((name) => y(Math.max(1, points.at(-1)![name]))));
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('chart')}
        aria-label=${t('Bytes at other sequence lengths. Arrow keys move from length to length.')}
        aria-describedby=${this.describedBy}
        @keydown=${this.onKeydown}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${width} height=${height} aria-hidden="true">
          ${leftAxis(
            powerTicks(y.domain(), 4).map((value) => ({ at: y(value), text: joined(formatBytes(value)) })),
            '',
            margins.left,
            margins.top,
            plotHeight,
            plotWidth,
          )}
          <g transform="translate(${margins.left}, ${margins.top})">
            ${series.map((name, i) => {
              const path = line<Point>()
                .x((point) => x(point.size))
                .y((point) => y(Math.max(1, point[name])));
              return svg`<g class="growth growth-${name}">
                <path class="growth-line" d=${path(points) ?? ''}></path>
                ${points.map((point, at) => svg`<circle class="growth-dot" cx=${x(point.size)} cy=${y(Math.max(1, point[name]))} r=${at === this.active ? 4.5 : 3}></circle>`)}
                <text class="growth-name" x=${plotWidth + 8} y=${ends[i]!} dy="0.35em">${seriesWord(name)}</text>
              </g>`;
            })}
            ${points.map(
              (point, at) => svg`<rect class="bar-target" x=${x(point.size) - 14} y="0" width="28" height=${plotHeight}
                @pointerenter=${() => (this.active = at)}></rect>`,
            )}
          </g>
          ${bottomAxis(
            sizes.map((size) => ({ at: x(size), text: String(size) })),
            this.scaling.dimension,
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout()}</output>`;
  }

  private readout(): TemplateResult | string {
    const point = this.active === null ? undefined : this.scaling.points[this.active];
    if (!point) return html`<span class="muted">${t('Point at a length, or use the arrow keys.')}</span>`;
    const values = series.map((name) => `${seriesWord(name)} ${joined(formatBytes(point[name]))}`);
    return `${this.scaling.dimension} ${point.size}: ${values.join(' · ')}`;
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    this.active = walk(event, this.active, this.scaling.points.length, 'sideways');
  };
}

/** One sentence for how traffic grows. */
export function scalingSummary({ exponent, points, dimension }: TrafficScaling): string {
  const sizes = points.map(({ size }) => formatCount(size)).join(', ');
  const power = significant(exponent, 2);
  return t(
    'Requested bytes grow as {0} to the power of {1} (counted at {2}; sectors for each byte as at the largest).',
    dimension,
    power,
    sizes,
  );
}

/** The numbers behind the chart. */
export function scalingTable({ points, dimension }: TrafficScaling): PictureTable {
  return {
    header: [dimension, t('compulsory bytes'), t('requested bytes'), t('transferred bytes')],
    rows: points.map((point) => [
      point.size,
      Math.round(point.compulsoryBytes),
      Math.round(point.requestedBytes),
      Math.round(point.transferredBytes),
    ]),
  };
}
