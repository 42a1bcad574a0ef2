import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { ReadHeat } from '../../core/analysis/ledger.js';
import type { Actions } from '../actions.js';
import { axisWord } from '../format.js';
import { pageBackground, toPng } from '../picture/export.js';
import { figure, tableCsv } from '../picture/figure.js';
import { svgPen } from '../picture/svg-pen.js';
import { t } from '../strings.js';
import { dropdown } from '../toolkit.js';
import { heatName, heatSummary, heatTable, ReadMap } from './read-map.js';

/** The map of reads with the choice of the tensor and the plane; null stands for the one of which most is read. */
export class ReadFigure extends LitElement {
  static override readonly properties = {
    heats: { attribute: false },
    tensor: { attribute: false },
    plane: { attribute: false },
    actions: { attribute: false },
    asTable: { state: true },
  };

  declare heats: readonly ReadHeat[];
  declare tensor: string | null;
  declare plane: number | null;
  declare actions: Actions;
  declare asTable: boolean;

  constructor() {
    super();
    this.asTable = false;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    const chosen = chooseHeat(this.heats, this.tensor, this.plane);
    if (!chosen) return nothing;
    const { heat, planes, place } = chosen;
    return figure({
      id: 'read-map',
      title: t('Reads of each part'),
      summary: heatSummary(heat),
      controls: html`<span class="figure-controls">
        ${dropdown({
          label: t('Tensor'),
          value: heat.tensor,
          choices: [...new Set(this.heats.map(({ tensor }) => tensor))].map((name) => ({ value: name, text: name })),
          onChange: (readTensor) => {
            if (readTensor !== heat.tensor) this.actions.look({ readTensor, readPlane: null });
          },
        })}
        ${
          planes.length > 1
            ? dropdown({
                label: t('Plane of the tensor'),
                value: String(place),
                choices: planes.map((item, i) => ({
                  value: String(i),
                  text: item.plane.map(({ name, index }) => `${axisWord(name)} ${index}`).join(' · '),
                })),
                onChange: (value) => {
                  if (Number(value) !== place) this.actions.look({ readTensor: heat.tensor, readPlane: Number(value) });
                },
              })
            : nothing
        }
      </span>`,
      table: heatTable(heat),
      asTable: this.asTable,
      onToggle: () => (this.asTable = !this.asTable),
      onSave: (kind) => this.save(kind, heat),
      picture: html`<tilescope-read-map .heat=${heat} .describedBy=${'read-map-summary'}></tilescope-read-map>`,
    });
  }

  private save(kind: 'svg' | 'png' | 'csv', heat: ReadHeat): void {
    const name = heatName(heat).replaceAll(/[^\w]+/g, '-');
    if (kind === 'csv') {
      this.actions.saveText(`${name}-reads.csv`, tableCsv(heatTable(heat)));
      return;
    }
    const map = this.querySelector('tilescope-read-map');
    if (!(map instanceof ReadMap)) return;
    const pen = svgPen(getComputedStyle(this).fontFamily);
    const { width, height } = map.draw(pen);
    const text = pen.document(width, height, t('Reads of {0}', heatName(heat)), pageBackground());
    if (kind === 'svg') this.actions.saveText(`${name}-reads.svg`, text);
    else this.actions.savePng(`${name}-reads.png`, toPng(text));
  }
}

/** Finds the map that the page remembers; null where nothing was mapped. */
export function chooseHeat(
  heats: readonly ReadHeat[],
  tensor: string | null,
  plane: number | null,
): { readonly heat: ReadHeat; readonly planes: readonly ReadHeat[]; readonly place: number } | null {
  const total = ({ reads, binRows, binColumns }: ReadHeat): number =>
    reads.reduce((sum, count) => sum + count, 0) * binRows * binColumns;
  const name =
    heats.find((item) => item.tensor === tensor)?.tensor ?? heats.toSorted((a, b) => total(b) - total(a))[0]?.tensor;
  const planes = heats.filter((item) => item.tensor === name);
  const fullest = planes.indexOf(planes.toSorted((a, b) => total(b) - total(a))[0]!);
  const place = Math.min(plane ?? fullest, planes.length - 1);
  const heat = planes[place];
  return heat ? { heat, planes, place } : null;
}
