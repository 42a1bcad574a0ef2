import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { WorstElement } from '../../core/numerics/verdict.js';
import { axisWord, formatError, formatIndex, formatValue } from '../format.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { bottomAxis, leftAxis } from './axis.js';
import { layoutCurves } from './curve-layout.js';
import type { PictureTable } from './figure.js';

const margins = { left: 52, right: 12, top: 20, bottom: 40 } as const;
const height = 220;

/** The row of one element as two curves, reference and candidate, with the element marked. */
export class RowCurves extends LitElement {
  static override readonly properties = {
    element: { attribute: false },
    dimNames: { attribute: false },
    describedBy: { attribute: false },
    active: { state: true },
  };

  declare element: WorstElement;
  declare dimNames: readonly string[];
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
    const { row } = this.element;
    if (!row) return html`<p class="muted pad">${t('The values of this row were not kept.')}</p>`;
    const plotWidth = Math.max(40, this.size.width - margins.left - margins.right);
    const plotHeight = height - margins.top - margins.bottom;
    const layout = layoutCurves(row.reference, row.candidate, plotWidth, plotHeight);
    const column = this.active ?? this.element.index.at(-1) ?? 0;
    const mark = (values: readonly (number | null)[], name: string): unknown => {
      const value = values[column];
      return value === null || value === undefined
        ? nothing
        : svg`<circle class=${name} cx=${layout.xOf(column)} cy=${layout.yOf(value)} r="3.5"></circle>`;
    };
    const onPointer = (event: PointerEvent): void => {
      const share = (event.offsetX - margins.left) / plotWidth;
      this.active = Math.min(row.reference.length - 1, Math.max(0, Math.round(share * (row.reference.length - 1))));
    };
    return html`<div
        class="chart"
        tabindex="0"
        role="application"
        aria-roledescription=${t('curves')}
        aria-label=${t('Reference and candidate along one row. Arrow keys move along it.')}
        aria-describedby=${this.describedBy}
        @keydown=${(event: KeyboardEvent) => this.onKeydown(event, row.reference.length)}
        @pointermove=${onPointer}
        @pointerleave=${() => (this.active = null)}
      >
        <svg width=${Math.max(0, this.size.width)} height=${height} aria-hidden="true">
          ${leftAxis(
            layout.yTicks.map((tick) => ({ at: tick.y, text: tick.text })),
            t('value'),
            margins.left,
            margins.top,
            plotHeight,
            plotWidth,
          )}
          <g transform="translate(${margins.left}, ${margins.top})">
            <line class="cursor-line" x1=${layout.xOf(column)} x2=${layout.xOf(column)} y1="0" y2=${plotHeight}></line>
            ${layout.gaps.map((x) => svg`<path class="gap-mark" d="M${x - 3},${plotHeight - 8}l6,6m0,-6l-6,6"></path>`)}
            <path class="curve curve-reference" d=${layout.reference}></path>
            <path class="curve curve-candidate" d=${layout.candidate}></path>
            ${mark(row.reference, 'dot-reference')} ${mark(row.candidate, 'dot-candidate')}
          </g>
          <g class="key" transform="translate(${margins.left}, 10)">
            <path class="curve curve-reference" d="M0,0h18"></path>
            <text class="tick" x="23" dy="0.32em">${t('reference')}</text>
            <path class="curve curve-candidate" d="M96,0h18"></path>
            <text class="tick" x="119" dy="0.32em">${t('candidate')}</text>
          </g>
          ${bottomAxis(
            layout.xTicks.map((tick) => ({ at: tick.x, text: String(tick.value) })),
            axisWord(this.dimNames.at(-1) ?? ''),
            margins.left,
            margins.top + plotHeight,
            plotWidth,
          )}
        </svg>
      </div>
      <output class="readout" aria-live="polite"
        >${axisWord(this.dimNames.at(-1) ?? '')} ${column}: ${t('reference')}
        ${formatValue(row.reference[column] ?? null)}, ${t('candidate')}
        ${formatValue(row.candidate[column] ?? null)}</output
      >`;
  }

  private onKeydown(event: KeyboardEvent, columns: number): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = this.active ?? this.element.index.at(-1) ?? 0;
    this.active = Math.min(columns - 1, Math.max(0, at + step));
  }
}

/** The numbers behind a row's curves. */
export function curveTable(element: WorstElement): PictureTable {
  const { row } = element;
  return {
    header: [t('column'), t('reference'), t('candidate'), t('difference')],
    rows: (row?.reference ?? []).map((reference, column) => {
      const candidate = row?.candidate[column] ?? null;
      const difference = reference === null || candidate === null ? null : candidate - reference;
      return [column, reference, candidate, difference];
    }),
  };
}

/** One sentence for a row's curves. */
export function curveSummary(element: WorstElement, dimNames: readonly string[]): string {
  const place = formatIndex(dimNames.slice(0, -1), element.index.slice(0, -1));
  const column = element.index.at(-1) ?? 0;
  return element.error === null
    ? t('{0}: at column {1} the candidate is not finite.', place, column)
    : t('{0}: at column {1} the candidate differs by {2}.', place, column, formatError(element.error));
}
