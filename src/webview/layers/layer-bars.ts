import { scaleLinear } from 'd3-scale';
import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import { bottomAxis, leftAxis } from '../picture/axis.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { layerWords, measureText, type LayerBar } from './stack-figures.js';
import type { StackMeasure } from './stack-state.js';

const margins = { left: 74, right: 8, top: 10, bottom: 40 } as const;
const height = 220;

/** A bar for each layer of a model in its order, coloured by what the layer keeps. */
export class LayerBars extends LitElement {
  static override readonly properties = {
    bars: { attribute: false },
    measure: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare bars: readonly LayerBar[];
  declare measure: StackMeasure;
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
    const { bars, measure } = this;
    const width = Math.max(260, this.size.width);
    const plotWidth = width - margins.left - margins.right;
    const plotHeight = height - margins.top - margins.bottom;
    const most = Math.max(1, ...bars.map(({ value }) => value ?? 0));
    const y = scaleLinear().domain([0, most]).range([plotHeight, 0]);
    const step = plotWidth / bars.length;
    const gap = step > 4 ? 1 : 0;
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('bars')}
        aria-label=${t('Layers in their order. Arrow keys move from layer to layer.')}
        aria-describedby=${this.describedBy}
        @keydown=${this.onKeydown}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${width} height=${height} aria-hidden="true">
          ${leftAxis(
            [0, 0.5, 1].map((share) => ({ at: y(share * most), text: measureText(share * most, measure) })),
            '',
            margins.left,
            margins.top,
            plotHeight,
            plotWidth,
          )}
          <g transform="translate(${margins.left}, ${margins.top})">
            ${bars.map(({ kind, value, place }) => {
              const x = place * step;
              const top = y(value ?? 0);
              const tall = Math.max(value === null ? 0 : 1, plotHeight - top);
              const wide = Math.max(0.5, step - gap);
              const box =
                kind === 'state'
                  ? svg`<rect class="stack-fill hue-state" x=${x} y=${plotHeight - tall} width=${wide} height=${tall}></rect>`
                  : svg`<rect class="stack-fill hue-k" x=${x} y=${plotHeight - tall} width=${wide / 2} height=${tall}></rect>
                      <rect class="stack-fill hue-v" x=${x + wide / 2} y=${plotHeight - tall} width=${wide / 2} height=${tall}></rect>`;
              return svg`<g class="stack-bar ${kind === 'window' ? 'stack-window' : ''} ${place === this.active ? 'stack-active' : ''}"
                @pointerenter=${() => (this.active = place)}>
                ${box}
                ${place === this.active ? svg`<rect class="stack-outline" x=${x - 1} y=${plotHeight - tall - 1} width=${wide + 2} height=${tall + 2}></rect>` : nothing}
                <rect class="bar-target" x=${x} y="0" width=${step} height=${plotHeight}></rect>
              </g>`;
            })}
          </g>
          ${bottomAxis(
            [0, Math.floor((bars.length - 1) / 2), bars.length - 1].map((place) => ({
              at: (place + 0.5) * step,
              text: String(place + 1),
            })),
            t('layer'),
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout()}</output>`;
  }

  private readout(): TemplateResult | string {
    const bar = this.active === null ? undefined : this.bars[this.active];
    return bar
      ? `${t('layer {0}', bar.place + 1)}: ${layerWords(bar.layer)} · ${measureText(bar.value, this.measure)}`
      : html`<span class="muted">${t('Point at a layer, or use the arrow keys.')}</span>`;
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    this.active = walk(event, this.active, this.bars.length, 'sideways');
  };
}
