import { html, LitElement, nothing, svg, type SVGTemplateResult, type TemplateResult } from 'lit';
import type { Ledger } from '../../core/analysis/ledger.js';
import { formatBytes, formatFactor, joined } from '../format.js';
import type { PictureTable } from '../picture/figure.js';
import { walk } from '../picture/walk.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import {
  flowsOf,
  layoutFlow,
  type Band,
  type Flow,
  type FlowLabel,
  type FlowLayout,
  type Measure,
  type ScaleBar,
} from './flow-layout.js';

/**
 * Every byte on its way between device memory, workgroup memory and registers, as bands as wide as what they carry; the
 * compulsory part is drawn full inside of them, so that what could be saved is the pale area. `lit` names variables that
 * the line at the cursor touches.
 */
export class TrafficFlow extends LitElement {
  static override readonly properties = {
    ledger: { attribute: false },
    measure: { attribute: false },
    lit: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare ledger: Ledger;
  declare measure: Measure;
  declare lit: ReadonlySet<string>;
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
    const flows = flowsOf(this.ledger, this.measure);
    const layout = layoutFlow(flows, Math.max(280, this.size.width));
    return html`<div
        class="chart flow"
        tabindex="0"
        role="application"
        aria-roledescription=${t('flow picture')}
        aria-label=${t('Bytes between device memory, workgroup memory and registers. Arrow keys move from arrow to arrow.')}
        aria-describedby=${this.describedBy}
        @keydown=${(event: KeyboardEvent) => (this.active = walk(event, this.active, flows.length))}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${layout.width} height=${layout.height} aria-hidden="true">
          <text class="flow-title" x="0" y="13">${t('device memory')}</text>
          <text class="flow-title" x=${layout.workgroup.x + 11} y="13" text-anchor="middle">
            ${layout.width < 480 ? t('workgroup') : t('workgroup memory')}
          </text>
          <text class="flow-title" x=${layout.width} y="13" text-anchor="end">${t('registers')}</text>
          ${layout.bands.map((band, i) => this.band(band, i, layout.width < 480))} ${this.boxes(layout)}
          ${layout.labels.map(
            (label) => svg`<g class="flow-label hue-${label.hue ?? 'none'}">
              <text x="0" y=${label.y - 3}
                ><tspan class="flow-name">${label.name}</tspan
                ><tspan class="flow-times" dx="8">${timesText(label)}</tspan></text
              >
              <text class="flow-bytes" x="0" y=${label.y + 11}>${joined(formatBytes(label.bytes))}</text>
            </g>`,
          )}
          ${scale(layout.deviceScale, layout.left, layout.height)}
          ${scale(layout.workgroupScale, layout.workgroup.x + layout.workgroup.width + 8, layout.height)}
        </svg>
      </div>
      <output class="readout" aria-live="polite">${this.readout(flows)}</output>`;
  }

  private band({ flow, path, core, head, textX, textY }: Band, index: number, narrow: boolean): SVGTemplateResult {
    const inside = flow.from !== 'device' && flow.to !== 'device';
    const lit = flow.name !== null && this.lit.has(flow.name);
    const state = `${index === this.active ? 'flow-active' : ''} ${lit ? 'flow-lit' : ''}`;
    return svg`<g class="flow-band hue-${flow.hue ?? 'none'} ${state}" @pointerenter=${() => (this.active = index)}>
      <path class="flow-waste" d=${path}></path>
      ${core === null ? nothing : svg`<path class="flow-core" d=${core}></path>`}
      <path class="flow-head" d=${head}></path>
      <path class="flow-target" d=${path}></path>
      ${
        inside
          ? svg`<text class="flow-text" x=${textX} y=${textY} dy="0.35em" text-anchor="middle">${narrow ? '' : `${flow.name ?? t('computed')} `}${joined(formatBytes(flow.bytes))}</text>`
          : nothing
      }
    </g>`;
  }

  private boxes({ workgroup, registers, left }: FlowLayout): SVGTemplateResult {
    const used = this.ledger.workgroup.readBytes + this.ledger.workgroup.writtenBytes > 0;
    return svg`
      <line class="flow-edge" x1=${left - 0.5} x2=${left - 0.5} y1=${registers.y} y2=${registers.y + registers.height}></line>
      <rect class="flow-box ${used ? '' : 'flow-unused'}" x=${workgroup.x + 0.5} y=${workgroup.y + 0.5} width=${workgroup.width - 1} height=${workgroup.height - 1} rx="2"></rect>
      <text class="flow-box-text" transform="translate(${workgroup.x + workgroup.width / 2 + 4}, ${workgroup.y + workgroup.height / 2}) rotate(-90)" text-anchor="middle">${
        used ? joined(formatBytes(this.ledger.workgroup.capacityBytes)) : t('not used')
      }</text>
      <rect class="flow-box" x=${registers.x + 0.5} y=${registers.y + 0.5} width=${registers.width - 1} height=${registers.height - 1} rx="2"></rect>`;
  }

  private readout(flows: readonly Flow[]): TemplateResult | string {
    const flow = this.active === null ? undefined : flows[this.active];
    return flow
      ? flowText(flow)
      : html`<span class="muted">${t('Point at an arrow, or walk with the arrow keys.')}</span>`;
  }
}

function scale(bar: ScaleBar | null, x: number, height: number): SVGTemplateResult | typeof nothing {
  if (!bar) return nothing;
  const y = height - 3;
  return svg`<g class="flow-scale">
    <rect class="flow-scale-bar" x=${x} y=${y - bar.pixels} width="3" height=${bar.pixels}></rect>
    <text class="tick" x=${x + 8} y=${y - 1}>= ${joined(formatBytes(bar.bytes))}</text>
  </g>`;
}

function timesText({ bytes, compulsoryBytes }: FlowLabel): string {
  return compulsoryBytes > 0 ? formatFactor(bytes / compulsoryBytes) : '';
}

function levelWord(level: Flow['from']): string {
  return { device: t('device memory'), workgroup: t('workgroup memory'), registers: t('registers') }[level];
}

/** One flow in words with its exact bytes. */
export function flowText(flow: Flow): string {
  const bytes = t('{0} ({1} bytes)', joined(formatBytes(flow.bytes)), Math.round(flow.bytes).toLocaleString('en-US'));
  const way = t('{0} from {1} to {2}', flow.name ?? t('computed values'), levelWord(flow.from), levelWord(flow.to));
  const least =
    flow.compulsoryBytes > 0
      ? ` · ${t('{0} the compulsory {1}', formatFactor(flow.bytes / flow.compulsoryBytes), joined(formatBytes(flow.compulsoryBytes)))}`
      : '';
  return `${way}: ${bytes}${least}`;
}

/** The numbers behind the flow picture. */
export function flowTable(ledger: Ledger, measure: Measure): PictureTable {
  return {
    header: [t('from'), t('to'), t('what'), t('bytes'), t('compulsory bytes')],
    rows: flowsOf(ledger, measure).map((flow) => [
      levelWord(flow.from),
      levelWord(flow.to),
      flow.name ?? t('computed values'),
      Math.round(flow.bytes),
      Math.round(flow.compulsoryBytes),
    ]),
  };
}
