import { html, LitElement, nothing, svg, type PropertyValues, type TemplateResult } from 'lit';
import type { ErrorMap, TensorVerdict } from '../../core/numerics/verdict.js';
import type { CompareReport } from '../../lab/contract.js';
import type { Actions } from '../actions.js';
import { axisWord } from '../format.js';
import { cellStates, decodeMap, elementLimit, planeIndex, planeOf, type DecodedMap } from '../picture/error-map.js';
import { standaloneSvg, toPng } from '../picture/export.js';
import { figure, tableCsv, type PictureTable } from '../picture/figure.js';
import { HeatMap } from '../picture/heat-map.js';
import { cellHeader, cellRows, mapSummary, planeWords, stateColours } from '../picture/heat-words.js';
import { chooseTiles, type TileChoice } from '../picture/tile-lines.js';
import { css } from '../picture/colour-scale.js';
import { patternPath } from '../picture/state-key.js';
import { t } from '../strings.js';
import { ThemeController } from '../theme.js';
import { button, dropdown } from '../toolkit.js';

/** The error map of one tensor: the choice of the plane, the picture, its key, and the small pictures of all planes. */
export class MapFigure extends LitElement {
  static override readonly properties = {
    report: { attribute: false },
    verdict: { attribute: false },
    plane: { attribute: false },
    actions: { attribute: false },
    asTable: { state: true },
    tileName: { state: true },
  };

  declare report: CompareReport;
  declare verdict: TensorVerdict;
  declare plane: number;
  declare actions: Actions;
  declare asTable: boolean;
  /** The tile drawn along the rows; null for the one that suits best, empty for none. */
  declare tileName: string | null;

  private decoded: DecodedMap | null = null;
  private readonly theme = new ThemeController(this);

  constructor() {
    super();
    this.asTable = false;
    this.tileName = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('verdict')) return;
    this.decoded = this.verdict.map === null ? null : decodeMap(this.verdict.map);
  }

  protected override render(): TemplateResult {
    const { decoded } = this;
    if (!decoded) {
      return html`<div class="empty empty-small">
        <p>${t('The map of this case was not kept. Compare this shape alone to see it.')}</p>
      </div>`;
    }
    const limit = elementLimit(this.verdict);
    return figure({
      id: 'error-map',
      title: t('Error of {0}', this.verdict.name),
      summary: mapSummary(this.verdict, limit),
      controls: this.controls(decoded.map),
      table: this.table(decoded),
      asTable: this.asTable,
      onToggle: () => (this.asTable = !this.asTable),
      onSave: (kind) => this.save(kind, decoded),
      picture: html`<tilescope-heat-map
          .decoded=${decoded}
          .plane=${this.plane}
          .limit=${limit}
          .tiles=${this.tiles(decoded.map)}
          .describedBy=${'error-map-summary'}
        ></tilescope-heat-map>
        ${this.key()}
        ${
          decoded.planes > 1
            ? html`<tilescope-planes
                .decoded=${decoded}
                .plane=${this.plane}
                .limit=${limit}
                @plane-picked=${(event: CustomEvent<number>) => this.actions.look({ plane: event.detail })}
              ></tilescope-planes>`
            : nothing
        }`,
    });
  }

  private get picture(): HeatMap | null {
    const element = this.querySelector('tilescope-heat-map');
    return element instanceof HeatMap ? element : null;
  }

  private controls(map: ErrorMap): TemplateResult {
    const index = planeIndex(map, this.plane);
    return html`<span class="figure-controls">
      ${map.planeDims.map((dim, axis) =>
        dim.size < 2
          ? nothing
          : dropdown({
              label: axisWord(dim.name),
              value: String(index[axis]),
              choices: Array.from({ length: dim.size }, (_, i) => ({
                value: String(i),
                text: `${axisWord(dim.name)} ${i}`,
              })),
              onChange: (value) => {
                if (Number(value) === index[axis]) return;
                this.actions.look({ plane: planeOf(map, index.with(axis, Number(value))) });
              },
            }),
      )}
      ${
        this.report.tiles.length === 0
          ? nothing
          : dropdown({
              label: t('Tile lines'),
              hint: t('Draw the boundaries of these tiles over the map'),
              value: this.tiles(map).rows?.name ?? '',
              choices: [
                ...this.report.tiles.map((tile) => ({ value: tile.name, text: `${tile.name} ${tile.size}` })),
                { value: '', text: t('no tile lines') },
              ],
              onChange: (name) => (this.tileName = name),
            })
      }
      <span class="button-group" role="group" aria-label=${t('Zoom')}>
        ${button({ label: t('Zoom in'), icon: 'zoom-in', kind: 'icon', onClick: () => this.picture?.zoom(2) })}
        ${button({ label: t('Zoom out'), icon: 'zoom-out', kind: 'icon', onClick: () => this.picture?.zoom(0.5) })}
        ${button({ label: t('Zoom to fit'), icon: 'screen-full', kind: 'icon', onClick: () => this.picture?.zoom(null) })}
      </span>
    </span>`;
  }

  private tiles(map: ErrorMap): TileChoice {
    const suited = chooseTiles(this.report.tiles, map.rows, map.columns);
    if (this.tileName === null) return suited;
    const rows = this.report.tiles.find((tile) => tile.name === this.tileName) ?? null;
    return { rows, columns: this.tileName === '' ? null : suited.columns };
  }

  private key(): TemplateResult {
    const colours = stateColours(this.theme.current);
    const entries = [
      { state: 1, name: t('NaN'), colour: colours.nan },
      { state: 2, name: t('infinite'), colour: colours.infinite },
      { state: 3, name: t('never written'), colour: colours.unwritten },
      { state: 4, name: t('not compared'), colour: colours.notCompared },
    ];
    return html`<ul class="state-key" aria-label=${t('Patterns')}>
      ${entries.map(
        ({ state, name, colour }) =>
          html`<li>
            <svg width="16" height="12" aria-hidden="true">
              <rect class="key-ground" width="16" height="12"></rect>
              ${svg`<path d=${patternPath(state, 16, 12)} fill=${css(colour)}></path>`}
            </svg>
            ${name}
          </li>`,
      )}
    </ul>`;
  }

  private table(decoded: DecodedMap): PictureTable {
    if (!this.asTable) return { header: [], rows: [] };
    return this.fullTable(decoded);
  }

  private fullTable(decoded: DecodedMap): PictureTable {
    return {
      header: cellHeader(decoded.map),
      rows: cellRows(decoded, this.plane, (state) => cellStates[state] ?? 'finite'),
    };
  }

  private save(kind: 'svg' | 'png' | 'csv', decoded: DecodedMap): void {
    const name = `${this.verdict.name}-error-${planeIndex(decoded.map, this.plane).join('-')}`;
    if (kind === 'csv') {
      this.actions.saveText(`${name}.csv`, tableCsv(this.fullTable(decoded)));
      return;
    }
    const drawing = this.querySelector<SVGSVGElement>('.heat-overlay');
    if (!drawing) return;
    const title = `${t('Error of {0}', this.verdict.name)}, ${planeWords(decoded.map, this.plane)}`;
    const text = standaloneSvg(drawing, title, this.picture?.raster ?? null);
    if (kind === 'svg') this.actions.saveText(`${name}.svg`, text);
    else this.actions.savePng(`${name}.png`, toPng(text));
  }
}
