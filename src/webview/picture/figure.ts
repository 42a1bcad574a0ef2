import { html, nothing, type TemplateResult } from 'lit';
import { t } from '../strings.js';
import { button } from '../toolkit.js';
import { toCsv, type CsvRow } from './export.js';

/** The numbers behind a picture. */
export interface PictureTable {
  readonly header: readonly string[];
  readonly rows: readonly CsvRow[];
}

/** A picture with all that must stand beside it. */
export interface FigureSpec {
  readonly id: string;
  readonly title: string;
  /** One sentence that says what the picture shows; the picture is described by it. */
  readonly summary: string;
  readonly picture: TemplateResult;
  readonly table: PictureTable;
  readonly asTable: boolean;
  /** Controls between the title and the buttons. */
  readonly controls?: TemplateResult | typeof nothing;
  readonly onToggle: () => void;
  readonly onSave: (kind: 'svg' | 'png' | 'csv') => void;
}

/** Rows of the table equivalent that are shown; the file holds them all. */
const shownRows = 200;

/** A titled picture, its sentence, its table equivalent, and the buttons that save it. */
export function figure(spec: FigureSpec): TemplateResult {
  return html`<figure class="figure" aria-labelledby="${spec.id}-title" aria-describedby="${spec.id}-summary">
    <div class="figure-bar">
      <h3 id="${spec.id}-title">${spec.title}</h3>
      ${spec.controls ?? nothing}
      <span class="figure-buttons" role="toolbar" aria-label=${t('{0}: view and save', spec.title)}>
        ${button({
          label: spec.asTable ? t('Show the picture') : t('Show as table'),
          icon: spec.asTable ? 'graph' : 'table',
          kind: 'icon',
          pressed: spec.asTable,
          onClick: spec.onToggle,
        })}
        ${(['svg', 'png', 'csv'] as const).map((kind) =>
          button({
            label: t('Save as {0}', kind.toUpperCase()),
            face: kind.toUpperCase(),
            icon: null,
            kind: 'icon',
            hint: t('Save as {0}', kind.toUpperCase()),
            disabled: spec.asTable && kind !== 'csv',
            onClick: () => spec.onSave(kind),
          }),
        )}
      </span>
    </div>
    ${spec.asTable ? tableOf(spec) : spec.picture}
    <figcaption id="${spec.id}-summary">${spec.summary}</figcaption>
  </figure>`;
}

/** CSV text of a picture's table. */
export function tableCsv(table: PictureTable): string {
  return toCsv(table.header, table.rows);
}

function tableOf(spec: FigureSpec): TemplateResult {
  const rest = spec.table.rows.length - shownRows;
  return html`<div class="table-box" tabindex="0" role="region" aria-labelledby="${spec.id}-title">
    <table class="data">
      <thead>
        <tr>
          ${spec.table.header.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${spec.table.rows.slice(0, shownRows).map(
          (row) =>
            html`<tr>
              ${row.map((cell) => html`<td>${cell ?? '–'}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
    ${rest > 0 ? html`<p class="muted">${t('{0} more rows in the CSV file.', rest)}</p>` : nothing}
  </div>`;
}
