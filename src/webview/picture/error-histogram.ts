import { html, LitElement, svg, type TemplateResult } from 'lit';
import type { TensorVerdict } from '../../core/numerics/verdict.js';
import { formatCount, formatError } from '../format.js';
import { walk } from './walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { bottomAxis, leftAxis, powerText } from './axis.js';
import { elementLimit } from './error-map.js';
import { layoutHistogram, type HistogramBar } from './histogram-layout.js';
import type { PictureTable } from './figure.js';

const margins = { left: 52, right: 12, top: 20, bottom: 40 } as const;
const height = 220;

/** How many elements of a tensor make an error of which size, on logarithmic axes with the limit marked. */
export class ErrorHistogramPicture extends LitElement {
  static override readonly properties = {
    verdict: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare verdict: TensorVerdict;
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
    const plotWidth = Math.max(40, this.size.width - margins.left - margins.right);
    const plotHeight = height - margins.top - margins.bottom;
    const layout = layoutHistogram(this.verdict.histogram, relativeLimit(this.verdict), plotWidth, plotHeight);
    const limitX = margins.left + layout.limitX;
    const flip = layout.limitX > plotWidth - 88;
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('histogram')}
        aria-label=${t('Error histogram. Arrow keys move from bar to bar.')}
        aria-describedby=${this.describedBy}
        @keydown=${(event: KeyboardEvent) => (this.active = walk(event, this.active, layout.bars.length, 'sideways'))}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${Math.max(0, this.size.width)} height=${height} aria-hidden="true">
          ${leftAxis(
            layout.yTicks.map((tick) => ({ at: tick.y, text: powerText(Math.round(Math.log10(tick.count))) })),
            t('elements'),
            margins.left,
            margins.top,
            plotHeight,
            plotWidth,
          )}
          <g transform="translate(${margins.left}, ${margins.top})">
            ${layout.bars.map(
              (bar, i) => svg`
                <rect class="bar ${bar.beyond ? 'bar-bad' : ''} ${i === this.active ? 'bar-active' : ''}"
                  x=${bar.x} y=${bar.y} width=${bar.width} height=${bar.height}></rect>
                <rect class="bar-target" x=${bar.x - 0.5} y="0" width=${bar.width + 1} height=${plotHeight}
                  @pointerenter=${() => (this.active = i)}></rect>`,
            )}
          </g>
          <line
            class="limit-line"
            x1=${limitX}
            x2=${limitX}
            y1=${margins.top - 4}
            y2=${margins.top + plotHeight}
          ></line>
          <text
            class="limit-text"
            x=${limitX + (flip ? -4 : 4)}
            y=${margins.top - 8}
            text-anchor=${flip ? 'end' : 'start'}
          >
            ${t('limit')} ${formatError(relativeLimit(this.verdict))}
          </text>
          ${bottomAxis(
            [
              { at: layout.bars[0]!.width / 2, text: '0' },
              ...layout.xTicks.map((tick) => ({ at: tick.x, text: powerText(tick.exponent) })),
            ],
            t('error ÷ largest reference value'),
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout(layout.bars)}</output>`;
  }

  private readout(bars: readonly HistogramBar[]): TemplateResult | string {
    const bar = this.active === null ? undefined : bars[this.active];
    return bar ? barWords(bar) : html`<span class="muted">${t('Point at a bar, or use the arrow keys.')}</span>`;
  }
}

/** The numbers behind a histogram. */
export function histogramTable(verdict: TensorVerdict): PictureTable {
  const { bars } = layoutHistogram(verdict.histogram, relativeLimit(verdict), 400, 100);
  return {
    header: [t('from'), t('to'), t('elements'), t('beyond the limit')],
    rows: bars
      .filter((bar) => bar.count > 0)
      .map((bar) => [formatError(bar.from), formatError(bar.to), bar.count, bar.beyond ? t('yes') : t('no')]),
  };
}

/** One sentence for a histogram. */
export function histogramSummary(verdict: TensorVerdict): string {
  const { bars } = layoutHistogram(verdict.histogram, relativeLimit(verdict), 400, 100);
  const beyond = bars.reduce((sum, bar) => sum + (bar.beyond ? bar.count : 0), 0);
  const exact = t(
    '{0} of {1} compared elements match the reference exactly',
    formatCount(verdict.histogram.exact),
    formatCount(verdict.compared),
  );
  return beyond > 0
    ? `${exact}; ${t('{0} lie beyond the limit.', formatCount(beyond))}`
    : `${exact}; ${t('none lies beyond the limit.')}`;
}

function barWords(bar: HistogramBar): string {
  const range = bar.to === 0 ? t('exact') : `${formatError(bar.from)} – ${formatError(bar.to)}`;
  const count = bar.count === 1 ? t('1 element') : t('{0} elements', formatCount(bar.count));
  return `${range}: ${count}${bar.beyond && bar.count > 0 ? `, ${t('beyond the limit')}` : ''}`;
}

function relativeLimit(verdict: TensorVerdict): number {
  return verdict.maxReference > 0 ? elementLimit(verdict) / verdict.maxReference : 1;
}
