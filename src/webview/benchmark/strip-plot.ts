import { html, LitElement, svg, type TemplateResult } from 'lit';
import type { Timing } from '../../lab/contract.js';
import { formatTime, joined } from '../format.js';
import { bottomAxis } from '../picture/axis.js';
import type { PictureTable } from '../picture/figure.js';
import { layoutStrip } from '../picture/strip-layout.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';

const margins = { left: 12, right: 12, top: 24, bottom: 40 } as const;
const height = 180;

/** The samples of a benchmark along one time axis, with the median and the middle three fifths. */
export class StripPlot extends LitElement {
  static override readonly properties = {
    timing: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare timing: Timing;
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
    const layout = layoutStrip(this.timing, plotWidth, plotHeight);
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('strip plot')}
        aria-label=${t('Samples. Arrow keys move from sample to sample.')}
        aria-describedby=${this.describedBy}
        @keydown=${this.onKeydown}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${Math.max(0, this.size.width)} height=${height} aria-hidden="true">
          <g transform="translate(${margins.left}, ${margins.top})">
            <rect
              class="band"
              x=${layout.p20X}
              y="0"
              width=${Math.max(1, layout.p80X - layout.p20X)}
              height=${plotHeight}
            ></rect>
            ${layout.dots.map(
              (dot) => svg`<circle class="sample-dot ${dot.sample === this.active ? 'sample-active' : ''}"
                cx=${dot.x} cy=${dot.y} r=${dot.sample === this.active ? layout.radius + 2 : layout.radius}
                @pointerenter=${() => (this.active = dot.sample)}></circle>`,
            )}
            <line class="median-line" x1=${layout.medianX} x2=${layout.medianX} y1="-6" y2=${plotHeight}></line>
            <text class="median-text" x=${layout.medianX} y="-11" text-anchor=${edgeAnchor(layout.medianX, plotWidth)}>
              ${t('median')} ${joined(formatTime(this.timing.median))}
            </text>
          </g>
          ${bottomAxis(
            layout.ticks.map((tick) => ({ at: tick.x, text: joined(formatTime(tick.value)) })),
            t('time of one run'),
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout()}</output>`;
  }

  private readout(): TemplateResult | string {
    const value = this.active === null ? undefined : this.timing.samples[this.active];
    return this.active === null || value === undefined
      ? html`<span class="muted">${t('Point at a sample, or use the arrow keys.')}</span>`
      : t('sample {0} of {1}: {2}', this.active + 1, this.timing.samples.length, joined(formatTime(value)));
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    this.active = walk(event, this.active, this.timing.samples.length, 'sideways');
  };
}

/** The numbers behind a strip plot, in the order they were measured. */
export function stripTable(timing: Timing): PictureTable {
  return {
    header: [t('sample'), t('nanoseconds')],
    rows: timing.samples.map((value, sample) => [sample + 1, value]),
  };
}

function edgeAnchor(x: number, width: number): 'start' | 'middle' | 'end' {
  return x < 60 ? 'start' : x > width - 60 ? 'end' : 'middle';
}
