import { html, LitElement, nothing, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import { kvCaches } from '../../core/attention/kv-cache.js';
import { formatBytes, formatCount, joined } from '../format.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import type { KvState } from './kv-state.js';
import { layoutShards, type ShardBar, type ShardPart, type ShardRow } from './shard-layout.js';

const top = 24;

/**
 * What each device keeps of a token under each mechanism, as bars as wide as their bytes: keys beside values where both are
 * kept, above them where one is both, hatched where another device keeps the same.
 */
export class KvShards extends LitElement {
  static override readonly properties = {
    kv: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare kv: KvState;
  declare describedBy: string;
  /** Place of the bar that is pointed at among all, from 0. */
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
    const width = Math.max(280, this.size.width);
    const left = width < 480 ? 64 : 190;
    const right = width < 480 ? 76 : 108;
    const layout = layoutShards(kvCaches(this.kv.layer), this.kv.devices, width - left - right);
    const bars = layout.rows.flatMap((row) => row.bars);
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('bars')}
        aria-label=${t('Bytes of a token on each device. Arrow keys move from device to device.')}
        aria-describedby=${this.describedBy}
        @keydown=${(event: KeyboardEvent) => (this.active = walk(event, this.active, bars.length))}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${width} height=${top + layout.height + 10} aria-hidden="true">
          <defs>
            <pattern id="kv-copy" width="6" height="6" patternUnits="userSpaceOnUse">
              <path class="kv-copy-stroke" d="M-1,7 7,-1 M-1,1 1,-1 M5,7 7,5"></path>
            </pattern>
          </defs>
          <text class="axis-title" x=${width} y="12" text-anchor="end">${t('bytes a token, each')}</text>
          <g transform="translate(0, ${top})">${layout.rows.map((row) => this.row(row, left, width, bars))}</g>
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout(bars)}</output>`;
  }

  private row(row: ShardRow, left: number, width: number, all: readonly ShardBar[]): SVGTemplateResult {
    const middle = row.y + row.height / 2;
    const { name, title } = row.cache;
    const bytes = row.elements * this.kv.step.bytesPerElement;
    return svg`<g class="kv-row">
      <text class="kv-name" x="0" y=${middle} dy=${left > 100 ? '-0.15em' : '0.35em'}>${name}</text>
      ${left > 100 ? svg`<text class="kv-title" x="0" y=${middle} dy="1.1em">${title}</text>` : nothing}
      ${row.bars.map((bar) => this.bar(bar, left, all.indexOf(bar)))}
      <text class="kv-bytes" x=${width} y=${middle} dy=${row.duplication > 1 ? '-0.15em' : '0.35em'} text-anchor="end">${formatCount(bytes)} B</text>
      ${
        row.duplication > 1
          ? svg`<text class="kv-title kv-kept" x=${width} y=${middle} dy="1.1em" text-anchor="end">${t('kept {0} ×', row.duplication)}</text>`
          : nothing
      }
    </g>`;
  }

  private bar(bar: ShardBar, left: number, index: number): SVGTemplateResult {
    const end = bar.parts.at(-1);
    const length = end ? end.x + end.width : 0;
    return svg`<g class="kv-bar ${index === this.active ? 'kv-active' : ''}" @pointerenter=${() => (this.active = index)}>
      <g transform="translate(${left}, ${bar.y})">
        ${bar.parts.map((part) => partOf(part, bar.height))}
        <rect class="kv-outline" x="-1.5" y="-1.5" width=${length + 3} height=${bar.height + 3} rx="1"></rect>
        <rect class="bar-target" x="0" y="-1" width=${Math.max(24, length)} height=${bar.height + 2}></rect>
      </g>
    </g>`;
  }

  private readout(bars: readonly ShardBar[]): TemplateResult | string {
    const bar = this.active === null ? undefined : bars[this.active];
    return bar
      ? barText(bar, this.kv)
      : html`<span class="muted">${t('Point at a bar, or walk with the arrow keys.')}</span>`;
  }
}

/** One part of a bar, with a pixel of ground to its right where there is room for one. */
function partOf({ kind, x, width, copy }: ShardPart, height: number): SVGTemplateResult {
  const wide = Math.max(0.75, width > 4 ? width - 1 : width);
  const boxes =
    kind === 'untied'
      ? svg`<rect class="kv-fill hue-k" x=${x} y="0" width=${wide / 2} height=${height}></rect>
          <rect class="kv-fill hue-v" x=${x + wide / 2} y="0" width=${wide / 2} height=${height}></rect>`
      : kind === 'tied'
        ? svg`<rect class="kv-fill hue-k" x=${x} y="0" width=${wide} height=${height / 2}></rect>
            <rect class="kv-fill hue-v" x=${x} y=${height / 2} width=${wide} height=${height / 2}></rect>`
        : svg`<rect class="kv-fill kv-shared hue-k" x=${x} y="0" width=${wide} height=${height}></rect>`;
  return svg`<g class="kv-part ${copy ? 'kv-copy' : ''}">
    ${boxes}
    ${copy ? svg`<rect class="kv-hatch" x=${x} y="0" width=${wide} height=${height}></rect>` : nothing}
  </g>`;
}

/** One device's share in words. */
export function barText({ cache, device, parts, elements }: ShardBar, { devices, step }: KvState): string {
  const bytes = elements * step.bytesPerElement;
  const heads = parts.flatMap(({ head }) => (head === null ? [] : [head]));
  const copies = parts.some(({ copy, head }) => copy && head !== null);
  const which =
    heads.length === 0
      ? t('no head')
      : heads.length === 1
        ? t('head {0}', heads[0]!)
        : t('heads {0} to {1}', heads[0]!, heads.at(-1)!);
  const place = devices === 1 ? cache.name : t('{0}, device {1} of {2}', cache.name, device + 1, devices);
  const kept = [
    cache.tied ? t('{0} as key and value', which) : t('keys and values of {0}', which),
    ...(cache.sharedWidth > 0 ? [t('the shared slice')] : []),
  ];
  const cached = joined(formatBytes(bytes * step.context));
  const again = copies ? ` · ${t('kept by a device before it')}` : '';
  return `${place}: ${kept.join(', ')} · ${t('{0} bytes a token, {1} in all', formatCount(bytes), cached)}${again}`;
}
