import { scaleLog } from 'd3-scale';
import { html, LitElement, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import { decodeIntensity, kvCaches, kvShard, type KvCache } from '../../core/attention/kv-cache.js';
import { significant } from '../format.js';
import { bottomAxis } from '../picture/axis.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { deviceCounts, type KvState } from './kv-state.js';

const rowHeight = 30;
const margins = { left: 64, right: 24, top: 28, bottom: 40 } as const;

/** FLOP per byte of a decode step of each mechanism, on one device of 1, 2, 4 and 8, against what the GPU can do. */
export class IntensityChart extends LitElement {
  static override readonly properties = {
    kv: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare kv: KvState;
  declare describedBy: string;
  /** Place of the mechanism that is pointed at, from 0. */
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
    const { kv } = this;
    const caches = kvCaches(kv.layer);
    const values = caches.map((cache) => intensities(cache, kv));
    const width = Math.max(280, this.size.width);
    const plotWidth = width - margins.left - margins.right;
    const plotHeight = caches.length * rowHeight;
    const x = scaleLog()
      .domain([Math.min(1, ...values.flat()) / 1.2, Math.max(kv.ridge, ...values.flat()) * 1.3])
      .range([0, plotWidth]);
    const ridge = x(kv.ridge);
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('chart')}
        aria-label=${t('Operations per byte of each mechanism. Arrow keys move from one to the next.')}
        aria-describedby=${this.describedBy}
        @keydown=${(event: KeyboardEvent) => (this.active = walk(event, this.active, caches.length))}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${width} height=${margins.top + plotHeight + margins.bottom} aria-hidden="true">
          <g transform="translate(${margins.left}, ${margins.top})">
            <rect class="kv-bound" x="0" y="0" width=${ridge} height=${plotHeight}></rect>
            ${caches.map((cache, at) => this.row(cache.name, values[at]!, at, x, plotWidth))}
            <line class="kv-ridge" x1=${ridge} x2=${ridge} y1="-6" y2=${plotHeight}></line>
            <text class="tick" x=${ridge} y="-12" text-anchor=${ridge > plotWidth - 60 ? 'end' : 'middle'}>
              ${t('the GPU: {0}', significant(kv.ridge))}
            </text>
          </g>
          ${bottomAxis(
            ticksOf(x.domain()).map((value) => ({ at: x(value), text: String(value) })),
            t('FLOP per byte'),
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout(caches, values)}</output>`;
  }

  private row(
    name: string,
    values: readonly number[],
    at: number,
    x: (value: number) => number,
    plotWidth: number,
  ): SVGTemplateResult {
    const y = (at + 0.5) * rowHeight;
    const chosen = deviceCounts.indexOf(this.kv.devices);
    const picked = values[chosen]!;
    return svg`<g class="kv-intensity ${at === this.active ? 'kv-active' : ''}" @pointerenter=${() => (this.active = at)}>
      <text class="kv-name" x=${-margins.left} y=${y} dy="0.35em">${name}</text>
      <line class="grid-line" x1="0" x2=${plotWidth} y1=${y} y2=${y}></line>
      <line class="kv-span" x1=${x(Math.min(...values))} x2=${x(Math.max(...values))} y1=${y} y2=${y}></line>
      ${values.map((value) => svg`<circle class="kv-dot" cx=${x(value)} cy=${y} r="3"></circle>`)}
      <circle class="kv-dot kv-dot-chosen" cx=${x(picked)} cy=${y} r="5"></circle>
      <rect class="bar-target" x=${-margins.left} y=${y - rowHeight / 2} width=${plotWidth + margins.left} height=${rowHeight}></rect>
    </g>`;
  }

  private readout(caches: readonly KvCache[], values: readonly (readonly number[])[]): TemplateResult | string {
    const cache = this.active === null ? undefined : caches[this.active];
    if (!cache) return html`<span class="muted">${t('Point at a mechanism, or use the arrow keys.')}</span>`;
    const each = values[this.active!]!.map((value, at) => `TP ${deviceCounts[at]!} ${significant(value)}`);
    return `${cache.name}: ${each.join(' · ')} ${t('FLOP per byte')}`;
  }
}

/** FLOP per byte of a decode step of a cache for each of `deviceCounts`. */
export function intensities(cache: KvCache, { step }: KvState): readonly number[] {
  return deviceCounts.map((devices) => decodeIntensity(cache, kvShard(cache, devices), step));
}

/** 1, 2, 5 and their powers of ten between two values. */
function ticksOf([low = 1, high = 1]: readonly number[]): readonly number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of [1, 3]) {
      const value = Number((digit * 10 ** power).toPrecision(1));
      if (value >= low && value <= high) ticks.push(value);
    }
  }
  return ticks;
}
