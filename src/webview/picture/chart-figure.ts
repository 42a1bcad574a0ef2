import { LitElement, type TemplateResult } from 'lit';
import type { SaveActions } from '../actions.js';
import { standaloneSvg, toPng } from './export.js';
import { figure, tableCsv, type PictureTable } from './figure.js';

/** A chart to be set in a figure. `fileName` has no ending. */
export interface ChartSpec {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly fileName: string;
  readonly picture: TemplateResult;
  /** Controls between the title and the buttons. */
  readonly controls?: TemplateResult;
  readonly table: PictureTable;
}

/** A figure around one SVG chart: switches to its table, and saves it as SVG, PNG or CSV. */
export class ChartFigure extends LitElement {
  static override readonly properties = {
    spec: { attribute: false },
    actions: { attribute: false },
    asTable: { state: true },
  };

  declare spec: ChartSpec;
  declare actions: SaveActions;
  declare asTable: boolean;

  constructor() {
    super();
    this.asTable = false;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    return figure({
      ...this.spec,
      asTable: this.asTable,
      onToggle: () => (this.asTable = !this.asTable),
      onSave: (kind) => this.save(kind),
    });
  }

  private save(kind: 'svg' | 'png' | 'csv'): void {
    const { fileName, title, table } = this.spec;
    if (kind === 'csv') {
      this.actions.saveText(`${fileName}.csv`, tableCsv(table));
      return;
    }
    const drawing = this.querySelector<SVGSVGElement>('.chart svg');
    if (!drawing) return;
    const text = standaloneSvg(drawing, title, null);
    if (kind === 'svg') this.actions.saveText(`${fileName}.svg`, text);
    else this.actions.savePng(`${fileName}.png`, toPng(text));
  }
}
