import { html, LitElement, type TemplateResult } from 'lit';
import { formatError } from '../format.js';
import { t } from '../strings.js';
import { ThemeController } from '../theme.js';
import { errorScale } from './colour-scale.js';
import { errorExtent, fullWindow, planeSummary, type DecodedMap } from './error-map.js';
import { paintPlane } from './heat-paint.js';
import { planeWords, stateColours } from './heat-words.js';

/** Planes shown as small pictures; beyond that the drop-down lists alone choose. */
const shownPlanes = 64;

/** Size of a small picture in CSS pixels. */
const thumb = { width: 40, height: 56 } as const;

/**
 * All planes (heads) of a tensor as small pictures on one colour scale, to choose from: a radio group in which the arrow
 * keys move. Sends `plane-picked` with the plane as its detail.
 */
export class PlanePicker extends LitElement {
  static override readonly properties = {
    decoded: { attribute: false },
    plane: { attribute: false },
    limit: { attribute: false },
  };

  declare decoded: DecodedMap;
  declare plane: number;
  declare limit: number;

  private readonly theme = new ThemeController(this);

  override createRenderRoot(): this {
    return this;
  }

  private get count(): number {
    return Math.min(shownPlanes, this.decoded.planes);
  }

  protected override render(): TemplateResult {
    const planes = Array.from({ length: this.count }, (_, plane) => plane);
    return html`<div class="planes" role="radiogroup" aria-label=${t('Plane of the tensor')} @keydown=${this.onKeydown}>
      ${planes.map((plane) => this.thumbnail(plane))}
    </div>`;
  }

  protected override updated(): void {
    const { smallest, largest } = errorExtent(this.decoded);
    const scale = errorScale(smallest, largest, this.limit, this.theme.current.ground);
    const colours = stateColours(this.theme.current);
    const ratio = window.devicePixelRatio;
    const width = Math.round(thumb.width * ratio);
    const height = Math.round(thumb.height * ratio);
    this.querySelectorAll('canvas').forEach((canvas, plane) => {
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext('2d');
      if (!context) return;
      const image = context.createImageData(width, height);
      paintPlane(
        image.data,
        width,
        height,
        this.decoded,
        plane,
        fullWindow(this.decoded.map),
        scale,
        colours,
        ratio / 2,
      );
      context.putImageData(image, 0, 0);
    });
  }

  private thumbnail(plane: number): TemplateResult {
    const { largest, wrongCells } = planeSummary(this.decoded, plane, this.limit);
    const words = planeWords(this.decoded.map, plane);
    const verdict =
      wrongCells > 0 ? t('wrong in {0} cells', wrongCells) : t('right, largest error {0}', formatError(largest));
    const chosen = plane === this.plane;
    return html`<button
      class="plane"
      role="radio"
      aria-checked=${String(chosen)}
      tabindex=${chosen ? 0 : -1}
      title="${words}: ${verdict}"
      aria-label="${words}: ${verdict}"
      @click=${() => this.pick(plane)}
    >
      <canvas aria-hidden="true"></canvas>
      <span class="plane-name ${wrongCells > 0 ? 'bad' : ''}">
        ${this.shortName(plane)}${wrongCells > 0 ? html`<span class="codicon codicon-error" aria-hidden="true"></span>` : ''}
      </span>
    </button>`;
  }

  private shortName(plane: number): string {
    const dims = this.decoded.map.planeDims;
    const long = dims.length > 1 && dims[0]!.size > 1;
    const last = dims.at(-1);
    if (!last) return '0';
    return long ? `${Math.floor(plane / last.size)}·${plane % last.size}` : String(plane);
  }

  private pick(plane: number): void {
    this.dispatchEvent(new CustomEvent<number>('plane-picked', { detail: plane }));
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const step = steps[event.key];
    const target = event.key === 'Home' ? 0 : event.key === 'End' ? this.count - 1 : null;
    if (step === undefined && target === null) return;
    event.preventDefault();
    const plane = target ?? (this.plane + (step ?? 0) + this.count) % this.count;
    this.pick(plane);
    this.querySelectorAll<HTMLElement>('.plane')[plane]?.focus();
  };
}
