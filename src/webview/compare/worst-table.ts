import { html, LitElement, type TemplateResult } from 'lit';
import type { TensorVerdict, WorstElement } from '../../core/numerics/verdict.js';
import { axisWord, formatCount, formatError, formatValue } from '../format.js';
import { toCsv } from '../picture/export.js';
import { t } from '../strings.js';
import { button } from '../toolkit.js';
import { movedBy } from './case-table.js';

/** The elements with the largest errors; the chosen one's row is drawn beside. Sends `worst-picked` and `save-csv`. */
export class WorstTable extends LitElement {
  static override readonly properties = {
    verdict: { attribute: false },
    place: { attribute: false },
  };

  declare verdict: TensorVerdict;
  declare place: number;

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const { worst, dimNames } = this.verdict;
    const shown = this.shownAxes;
    return html`<section class="block" aria-labelledby="worst-title">
      <div class="block-bar">
        <h3 id="worst-title">${t('Worst elements')}</h3>
        <span class="figure-buttons"
          >${button({
            label: t('Save as CSV'),
            face: 'CSV',
            icon: null,
            kind: 'icon',
            hint: t('Save as CSV'),
            onClick: () => {
              this.dispatchEvent(new CustomEvent<string>('save-csv', { detail: worstCsv(this.verdict) }));
            },
          })}</span
        >
      </div>
      <div class="table-box worst-box">
        <table class="data pickable" role="grid" aria-labelledby="worst-title" @keydown=${this.onKeydown}>
          <thead>
            <tr>
              ${shown.map((axis) => html`<th scope="col" class="number">${axisWord(dimNames[axis] ?? '')}</th>`)}
              <th scope="col" class="number">${t('Reference')}</th>
              <th scope="col" class="number">${t('Candidate')}</th>
              <th scope="col" class="number">${t('Error')}</th>
              <th scope="col" class="number">${t('ULP')}</th>
            </tr>
          </thead>
          <tbody>
            ${worst.map((element, place) => this.row(element, place))}
          </tbody>
        </table>
        ${worst.length === 0 ? html`<p class="muted pad">${t('No element differs from the reference.')}</p>` : ''}
      </div>
    </section>`;
  }

  /** Dimensions of size 1 say nothing and are left out. */
  private get shownAxes(): readonly number[] {
    return this.verdict.dims.flatMap((size, axis) => (size > 1 ? [axis] : []));
  }

  private row(element: WorstElement, place: number): TemplateResult {
    const chosen = place === this.place;
    return html`<tr
      aria-selected=${String(chosen)}
      tabindex=${chosen ? 0 : -1}
      title=${t('Show the row of this element')}
      @click=${() => this.pick(place)}
    >
      ${this.shownAxes.map((axis) => html`<td class="number">${element.index[axis]}</td>`)}
      <td class="number">${formatValue(element.reference)}</td>
      <td class="number ${element.state === 'ok' ? '' : 'bad'}">
        ${formatValue(element.candidate, stateText(element))}
      </td>
      <td class="number">${formatError(element.error)}</td>
      <td class="number muted">${element.ulp === null ? '–' : formatCount(element.ulp)}</td>
    </tr>`;
  }

  private pick(place: number): void {
    this.dispatchEvent(new CustomEvent<number>('worst-picked', { detail: place }));
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const target = movedBy(event.key, this.place, this.verdict.worst.length);
    if (target === null) return;
    event.preventDefault();
    this.pick(target);
    this.querySelectorAll<HTMLElement>('tbody tr')[target]?.focus();
  };
}

function stateText(element: WorstElement): string {
  switch (element.state) {
    case 'nan':
      return t('NaN');
    case 'inf':
      return t('infinite');
    case 'unwritten':
      return t('never written');
    case 'ok':
      return t('not finite');
  }
}

function worstCsv(verdict: TensorVerdict): string {
  return toCsv(
    [...verdict.dimNames, 'state', 'reference', 'candidate', 'error', 'ulp'],
    verdict.worst.map((element) => [
      ...element.index,
      element.state,
      element.reference,
      element.candidate,
      element.error,
      element.ulp,
    ]),
  );
}
