import { html, LitElement, type TemplateResult } from 'lit';
import type { CaseVerdict, CompareReport } from '../../lab/contract.js';
import { formatError } from '../format.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';
import { decisiveTensor, measured, shapeDifference } from './selection.js';

/** All cases of a comparison. Arrow keys move, and the case under the focus is the one shown. Sends `case-picked`. */
export class CaseTable extends LitElement {
  static override readonly properties = {
    report: { attribute: false },
    chosen: { attribute: false },
  };

  declare report: CompareReport;
  declare chosen: CaseVerdict | null;

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const { cases } = this.report;
    const passed = cases.filter((item) => item.passed).length;
    return html`<section class="block" aria-labelledby="cases-title">
      <h3 id="cases-title">${t('Cases')} <span class="count">${t('{0} of {1} right', passed, cases.length)}</span></h3>
      <div class="table-box cases-box">
        <table class="data pickable" role="grid" aria-labelledby="cases-title" @keydown=${this.onKeydown}>
          <thead>
            <tr>
              <th scope="col" class="mark-column"><span class="hidden">${t('Verdict')}</span></th>
              <th scope="col">${t('Case')}</th>
              <th scope="col">${t('Differs in')}</th>
              <th scope="col" class="number">${t('Max error')}</th>
              <th scope="col" class="number">${t('RMS ratio')}</th>
              <th scope="col" class="number bound-column">${t('Bound')}</th>
            </tr>
          </thead>
          <tbody>
            ${cases.map((item) => this.row(item))}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  private row(item: CaseVerdict): TemplateResult {
    const first = this.report.cases[0]!;
    const chosen = item === this.chosen;
    const tensor = decisiveTensor(item);
    const own = shapeDifference(item, first);
    const difference = item === first ? t('as in the file') : own === item.name ? '' : own;
    const absolute = tensor?.tolerance.kind === 'absolute';
    const beyond = tensor && !tensor.passed ? 'bad' : '';
    return html`<tr
      class=${item.passed ? '' : 'failed'}
      aria-selected=${String(chosen)}
      tabindex=${chosen ? 0 : -1}
      title=${item.sentence}
      @click=${() => this.pick(item)}
    >
      <td class="mark-column">${mark(item.passed)}</td>
      <th scope="row">${item.name}</th>
      <td class="muted clipped" title=${difference}>${difference}</td>
      ${
        tensor
          ? html`<td class="number ${beyond}">${formatError(tensor.maxAbs)}</td>
              <td class="number ${measured(tensor) === tensor.maxAbs ? '' : beyond}">
                ${formatError(tensor.rmsRatio)}
              </td>
              <td class="number muted bound-column">
                ${formatError(tensor.bound)}${absolute ? html`<span title=${t('of the largest error')}>*</span>` : ''}
              </td>`
          : html`<td colspan="3" class="number bad">${t('could not run')}</td>`
      }
    </tr>`;
  }

  private pick(item: CaseVerdict): void {
    this.dispatchEvent(new CustomEvent<string>('case-picked', { detail: item.name }));
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const { cases } = this.report;
    const at = this.chosen ? cases.indexOf(this.chosen) : 0;
    const target = movedBy(event.key, at, cases.length);
    if (target === null) return;
    event.preventDefault();
    this.pick(cases[target]!);
    this.querySelectorAll<HTMLElement>('tbody tr')[target]?.focus();
  };
}

/** Where a key moves to in a list: arrows, Home and End; null for any other key. */
export function movedBy(key: string, at: number, count: number): number | null {
  switch (key) {
    case 'ArrowDown':
      return Math.min(count - 1, at + 1);
    case 'ArrowUp':
      return Math.max(0, at - 1);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return null;
  }
}

/** A verdict as an icon with its word: the shape differs as well as the colour. */
export function mark(passed: boolean): TemplateResult {
  return html`<span class="mark ${passed ? 'right' : 'wrong'}"
    >${codicon(passed ? 'pass-filled' : 'error')}<span class="hidden">${passed ? t('right') : t('wrong')}</span></span
  >`;
}
