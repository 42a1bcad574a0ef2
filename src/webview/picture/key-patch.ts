import { html, nothing, svg, type TemplateResult } from 'lit';
import { textureSide, textureStrokes, type Texture } from './pen.js';

/** A sample of an area for the key of a picture: filled, textured and outlined as the picture draws it. */
export interface KeyPatch {
  readonly name: string;
  /** Classes of the fill, the texture and the outline; null leaves it out. */
  readonly fill: string | null;
  readonly texture: Texture | null;
  readonly textureClass?: string;
  /** What is no area: the path of its drawing, 18 × 12 pixels large. */
  readonly path?: string;
  readonly outline: string | null;
}

const width = 18;
const height = 12;

/** The key of a picture, as a list. */
export function pictureKey(label: string, patches: readonly KeyPatch[]): TemplateResult {
  return html`<ul class="picture-key" aria-label=${label}>
    ${patches.map((patch) => html`<li>${patchDrawing(patch)} ${patch.name}</li>`)}
  </ul>`;
}

function patchDrawing(patch: KeyPatch): TemplateResult {
  return html`<svg width=${width} height=${height} aria-hidden="true">
    ${patch.fill === null ? nothing : svg`<rect class=${patch.fill} width=${width} height=${height}></rect>`}
    ${
      patch.texture === null
        ? nothing
        : svg`<path class=${patch.textureClass ?? 'key-strokes'} d=${texturePath(patch.texture)}></path>`
    }
    ${patch.path === undefined ? nothing : svg`<path class="key-strokes" d=${patch.path}></path>`}
    ${
      patch.outline === null
        ? nothing
        : svg`<rect class=${patch.outline} x="1" y="1" width=${width - 2} height=${height - 2}></rect>`
    }
  </svg>`;
}

function texturePath(texture: Texture): string {
  let path = '';
  for (let y = 0; y < height; y += textureSide) {
    for (let x = 0; x < width; x += textureSide) {
      for (const [x1, y1, x2, y2] of textureStrokes[texture]) path += `M${x + x1},${y + y1}L${x + x2},${y + y2}`;
    }
  }
  return path;
}
