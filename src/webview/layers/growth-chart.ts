import { scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import { formatCount } from '../format.js';
import { bottomAxis, endHeights, leftAxis, powerTicks } from '../picture/axis.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { measureText, stackLengths, type StackSeries } from './stack-figures.js';
import type { StackMeasure } from './stack-state.js';

const margins = { left: 74, right: 96, top: 12, bottom: 40 } as const;
const height = 240;

/** What stacks cost at every length of a sequence: both axes logarithmic, so that a power is a straight line. */
export class GrowthChart extends LitElement {
  static override readonly properties = {
    series: { attribute: false },
    measure: { attribute: false },
    seqlen: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare series: readonly StackSeries[];
  declare measure: StackMeasure;
  /** Length that the page is about, marked on the axis. */
  declare seqlen: number;
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
    const width = Math.max(260, this.size.width);
    const plotWidth = width - margins.left - margins.right;
    const plotHeight = height - margins.top - margins.bottom;
    const [first, last] = [stackLengths[0]!, stackLengths.at(-1)!];
    const values = this.series.flatMap((each) =>
      each.values.filter((value) => value !== null && value > 0),
    ) as number[];
    const x = scaleLog().domain([first, last]).range([0, plotWidth]);
    const y = scaleLog()
      .domain([Math.min(...values) / 1.5, Math.max(...values) * 1.5])
      .range([plotHeight, 0]);
    const shown = this.series.filter((each) => each.values.at(-1) !== null);
    const ends = endHeights(shown.map((each) => y(each.values.at(-1)!)));
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('chart')}
        aria-label=${t('Costs at other sequence lengths. Arrow keys move from length to length.')}
        aria-describedby=${this.describedBy}
        @keydown=${this.onKeydown}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${width} height=${height} aria-hidden="true">
          ${leftAxis(
            powerTicks(y.domain(), this.measure === 'flops' ? 10 : 4).map((value) => ({
              at: y(value),
              text: measureText(value, this.measure),
            })),
            '',
            margins.left,
            margins.top,
            plotHeight,
            plotWidth,
          )}
          <g transform="translate(${margins.left}, ${margins.top})">
            ${
              this.seqlen >= first && this.seqlen <= last
                ? svg`<line class="stack-here" x1=${x(this.seqlen)} x2=${x(this.seqlen)} y1="0" y2=${plotHeight}></line>`
                : nothing
            }
            ${shown.map((each, i) => {
              const path = line<number | null>()
                .defined((value) => value !== null && value > 0)
                .x((_, at) => x(stackLengths[at]!))
                .y((value) => y(value ?? 1));
              const dot = this.active === null ? null : (each.values[this.active] ?? null);
              return svg`<g class="stack-series stack-${each.id}">
                <path class="stack-line" d=${path(each.values) ?? ''}></path>
                ${dot === null ? nothing : svg`<circle class="stack-dot" cx=${x(stackLengths[this.active!]!)} cy=${y(dot)} r="4"></circle>`}
                <text class="stack-name" x=${plotWidth + 8} y=${ends[i]!} dy="0.35em">${each.title}</text>
              </g>`;
            })}
            ${stackLengths.map(
              (length, at) => svg`<rect class="bar-target" x=${x(length) - 10} y="0" width="20" height=${plotHeight}
                @pointerenter=${() => (this.active = at)}></rect>`,
            )}
          </g>
          ${bottomAxis(
            stackLengths
              .filter((_, at) => at % (plotWidth < 300 ? 5 : 2) === 0)
              .map((length) => ({
                at: x(length),
                text: length < 2 ** 20 ? `${length / 1024} K` : `${length / 2 ** 20} M`,
              })),
            t('tokens'),
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout()}</output>`;
  }

  private readout(): TemplateResult | string {
    if (this.active === null) return html`<span class="muted">${t('Point at a length, or use the arrow keys.')}</span>`;
    const at = this.active;
    const each = this.series.map(({ title, values }) => `${title} ${measureText(values[at] ?? null, this.measure)}`);
    return `${t('{0} tokens', formatCount(stackLengths[at]!))}: ${each.join(' · ')}`;
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    this.active = walk(event, this.active, stackLengths.length, 'sideways');
  };
}
