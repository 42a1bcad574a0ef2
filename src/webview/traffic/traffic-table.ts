import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { Span } from '../../core/diagnostic.js';
import type { Actions } from '../actions.js';
import { movedBy } from '../compare/case-table.js';
import { toCsv } from '../picture/export.js';
import { t } from '../strings.js';
import { button, codicon } from '../toolkit.js';

/** A cell: what it says, what it is sorted by, and its bar as a share of the column's longest (null for none). */
export interface TrafficCell {
  readonly text: string | TemplateResult;
  readonly sort: number | string | null;
  readonly share?: number | null;
  readonly bad?: boolean;
}

/** A column. `minor` ones give way in narrow panels; `fill` takes the room that is left. */
export interface TrafficColumn {
  readonly title: string;
  readonly kind: 'text' | 'code' | 'number' | 'bar';
  readonly hint: string;
  readonly minor?: boolean;
  readonly fill?: boolean;
}

/** A row; a click reveals its place in the source where it has one. `lit` marks the line at the cursor. */
export interface TrafficRow {
  readonly cells: readonly TrafficCell[];
  readonly span: Span | null;
  readonly lit: boolean;
}

/** A table to be sorted. `id` is unique on the page; `sortedBy` is the column it starts with, largest first. */
export interface TrafficTableSpec {
  readonly id: string;
  readonly title: string;
  readonly fileName: string;
  readonly columns: readonly TrafficColumn[];
  readonly rows: readonly TrafficRow[];
  readonly sortedBy: number;
}

interface Order {
  readonly column: number;
  readonly direction: 1 | -1;
}

const barWidth = 56;

/** A sortable table whose rows lead to the source. */
export class TrafficTable extends LitElement {
  static override readonly properties = {
    spec: { attribute: false },
    actions: { attribute: false },
    order: { state: true },
    focused: { state: true },
  };

  declare spec: TrafficTableSpec;
  declare actions: Actions;
  declare order: Order | null;
  declare focused: number;

  constructor() {
    super();
    this.order = null;
    this.focused = 0;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const { id, title, columns } = this.spec;
    const rows = this.sorted;
    const order = this.currentOrder;
    const focused = Math.min(this.focused, Math.max(0, rows.length - 1));
    return html`<section class="block" aria-labelledby="${id}-title">
      <div class="block-bar">
        <h3 id="${id}-title">${title}<span class="count">${rows.length}</span></h3>
        <span class="figure-buttons"
          >${button({
            label: t('Save as CSV'),
            face: 'CSV',
            icon: null,
            kind: 'icon',
            hint: t('Save as CSV'),
            onClick: () => this.save(),
          })}</span
        >
      </div>
      <div class="table-box">
        <table class="data pickable traffic-table" role="grid" aria-labelledby="${id}-title" @keydown=${this.onKeydown}>
          <thead>
            <tr>
              ${columns.map((column, i) => this.heading(column, i, order))}
            </tr>
          </thead>
          <tbody>
            ${rows.map((row, i) => this.row(row, i, i === focused))}
          </tbody>
        </table>
        ${rows.length === 0 ? html`<p class="muted pad">${t('Nothing moves.')}</p>` : nothing}
      </div>
    </section>`;
  }

  private heading(column: TrafficColumn, index: number, order: Order): TemplateResult {
    const sorted = order.column === index ? (order.direction > 0 ? 'ascending' : 'descending') : 'none';
    return html`<th scope="col" class=${classOf(column)} aria-sort=${sorted} title=${column.hint}>
      <button class="sort" @click=${() => this.sortBy(index)}>
        ${column.title}${
          sorted === 'none' ? nothing : codicon(sorted === 'ascending' ? 'triangle-up' : 'triangle-down')
        }
      </button>
    </th>`;
  }

  private row(row: TrafficRow, index: number, focused: boolean): TemplateResult {
    return html`<tr
      class=${row.lit ? 'lit' : ''}
      tabindex=${focused ? 0 : -1}
      title=${row.span ? t('Show this place in the editor') : nothing}
      @focus=${() => (this.focused = index)}
      @click=${() => this.pick(row)}
    >
      ${row.cells.map((cell, i) => this.cell(cell, this.spec.columns[i]!, i === 0))}
    </tr>`;
  }

  private cell(cell: TrafficCell, column: TrafficColumn, first: boolean): TemplateResult {
    const classes = `${classOf(column)} ${cell.bad ? 'bad' : ''}`;
    if (first) return html`<th scope="row" class=${classes}>${cell.text}</th>`;
    if (column.kind !== 'bar') {
      const hint = column.fill && typeof cell.text === 'string' ? cell.text : nothing;
      return html`<td class=${classes} title=${hint}>${cell.text}</td>`;
    }
    const share = Math.min(1, Math.max(0, cell.share ?? 0));
    return html`<td class=${classes}>
      <span class="bar-text">${cell.text}</span>
      <svg width=${barWidth} height="8" aria-hidden="true">
        ${svg`<rect class="bar-track" width=${barWidth} height="8" rx="1"></rect>
          <rect class=${cell.bad ? 'bar bar-bad' : 'bar'} width=${share > 0 ? Math.max(1, share * barWidth) : 0} height="8" rx="1"></rect>`}
      </svg>
    </td>`;
  }

  private get currentOrder(): Order {
    return this.order ?? { column: this.spec.sortedBy, direction: -1 };
  }

  private get sorted(): readonly TrafficRow[] {
    const { column, direction } = this.currentOrder;
    return this.spec.rows.toSorted((a, b) => direction * compared(a.cells[column]!.sort, b.cells[column]!.sort));
  }

  private sortBy(column: number): void {
    const { currentOrder } = this;
    const numbers = this.spec.columns[column]!.kind === 'number' || this.spec.columns[column]!.kind === 'bar';
    this.order =
      currentOrder.column === column
        ? { column, direction: currentOrder.direction > 0 ? -1 : 1 }
        : { column, direction: numbers ? -1 : 1 };
  }

  private pick(row: TrafficRow): void {
    if (row.span) this.actions.reveal(row.span.start, row.span.end);
  }

  private save(): void {
    const { columns, fileName } = this.spec;
    const rows = this.sorted.map((row) => row.cells.map(({ sort }) => sort));
    this.actions.saveText(
      `${fileName}.csv`,
      toCsv(
        columns.map(({ title }) => title),
        rows,
      ),
    );
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    if (!(event.target instanceof HTMLTableRowElement)) return;
    const rows = this.sorted;
    if (event.key === 'Enter') {
      const row = rows[this.focused];
      if (row) this.pick(row);
      return;
    }
    const target = movedBy(event.key, this.focused, rows.length);
    if (target === null) return;
    event.preventDefault();
    this.focused = target;
    this.querySelectorAll<HTMLElement>('tbody tr')[target]?.focus();
  };
}

function classOf(column: TrafficColumn): string {
  const kind = { text: '', code: 'code', number: 'number', bar: 'number bar-column' }[column.kind];
  return `${kind} ${column.minor ? 'minor' : ''} ${column.fill ? 'clipped' : ''}`;
}

/** What is absent comes last when the largest is first. */
function compared(a: number | string | null, b: number | string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b));
}
