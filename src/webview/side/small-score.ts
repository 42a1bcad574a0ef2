import { html, LitElement, type TemplateResult } from 'lit';
import type { Coverage } from '../../core/analysis/coverage.js';
import { fromBase64 } from '../../core/numerics/base64.js';
import { canvasPen, preparedContext } from '../picture/canvas-pen.js';
import { paletteOf } from '../schedule/palette.js';
import { areasOf, finalLook } from '../schedule/score-progress.js';
import { paintAreas } from '../schedule/stage-paint.js';
import { SizeController } from '../size.js';
import { t } from '../strings.js';
import { ThemeController } from '../theme.js';

const largest = 200;

/** The score square in small: what became of each pair of the plane that was followed in the middle. */
export class SmallScore extends LitElement {
  static override readonly properties = {
    coverage: { attribute: false },
  };

  declare coverage: Coverage;

  private readonly size = new SizeController(this);
  private readonly theme = new ThemeController(this);

  override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    return html`<canvas role="img" aria-label=${t('Score matrix: {0}', this.coverage.sentence)}></canvas>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector('canvas');
    const { coverage } = this;
    const plane = coverage.planes[Math.floor(coverage.planes.length / 2)];
    const states = plane ? fromBase64(plane.cells) : null;
    if (!canvas || !states || this.size.width <= 0) return;
    const perPair = Math.min(largest, this.size.width) / Math.max(coverage.queries, coverage.keys);
    const width = Math.max(16, Math.round(coverage.keys * perPair));
    const height = Math.max(16, Math.round(coverage.queries * perPair));
    const context = preparedContext(canvas, width, height, this.size.ratio);
    if (!context) return;
    const palette = paletteOf(this.theme.current);
    const pen = canvasPen(context, this.size.ratio, getComputedStyle(this).fontFamily);
    const looks = states.map(finalLook);
    const rows = Math.ceil(coverage.queries / coverage.cellQueries);
    const columns = Math.ceil(coverage.keys / coverage.cellKeys);
    const box = { x: 0, y: 0, width, height };
    paintAreas(pen, box, areasOf(looks, rows, columns), coverage, palette);
    pen.outline(box, palette.muted, 1);
  }
}
