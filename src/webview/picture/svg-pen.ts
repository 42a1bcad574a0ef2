import { textSize, textureSide, textureStrokes, type Pen, type Texture } from './pen.js';

/** A pen that writes SVG, and what it has written so far as a file of its own. */
export interface SvgPen extends Pen {
  /** The file: `width` × `height` pixels on a filled background, with a title for those who cannot see it. */
  readonly document: (width: number, height: number, title: string, background: string) => string;
}

/** A pen for a picture in a file. `font` is a CSS family. */
export function svgPen(font: string): SvgPen {
  const body: string[] = [];
  const patterns = new Map<string, { id: string; text: string }>();
  const patternId = (texture: Texture, colour: string): string => {
    const key = `${texture} ${colour}`;
    const known = patterns.get(key);
    if (known) return known.id;
    const id = `texture-${patterns.size}`;
    const strokes = textureStrokes[texture].map(([x1, y1, x2, y2]) => `M${x1},${y1}L${x2},${y2}`).join('');
    patterns.set(key, {
      id,
      text: `<pattern id="${id}" width="${textureSide}" height="${textureSide}" patternUnits="userSpaceOnUse"><path d="${strokes}" stroke="${escaped(colour)}" stroke-width="${texture === 'dots' ? 2 : 1.25}"/></pattern>`,
    });
    return id;
  };
  const box = (x: number, y: number, width: number, height: number): string =>
    `x="${short(x)}" y="${short(y)}" width="${short(Math.max(0, width))}" height="${short(Math.max(0, height))}"`;
  return {
    fill: ({ x, y, width, height }, colour, opacity = 1) =>
      body.push(`<rect ${box(x, y, width, height)} fill="${escaped(colour)}" fill-opacity="${opacity}"/>`),
    texture: ({ x, y, width, height }, texture, colour, opacity = 1) =>
      body.push(
        `<rect ${box(x, y, width, height)} fill="url(#${patternId(texture, colour)})" fill-opacity="${opacity}"/>`,
      ),
    outline: ({ x, y, width, height }, colour, thick, dash = null) => {
      const place = box(x + thick / 2, y + thick / 2, width - thick, height - thick);
      const dashes = dash === null ? '' : ` stroke-dasharray="${dash}"`;
      body.push(`<rect ${place} fill="none" stroke="${escaped(colour)}" stroke-width="${thick}"${dashes}/>`);
    },
    line: (x1, y1, x2, y2, colour, opacity = 1) =>
      body.push(
        `<path d="M${short(x1)},${short(y1)}L${short(x2)},${short(y2)}" stroke="${escaped(colour)}" stroke-opacity="${opacity}"/>`,
      ),
    text: (x, y, text, colour, { at = 'start', strong = false, turned = false } = {}) => {
      const turn = turned ? ` transform="rotate(-90 ${short(x)} ${short(y)})"` : '';
      const weight = strong ? ' font-weight="600"' : '';
      body.push(
        `<text x="${short(x)}" y="${short(y)}" text-anchor="${at}" fill="${escaped(colour)}"${weight}${turn}>${escaped(text)}</text>`,
      );
    },
    document: (width, height, title, background) =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="${short(width)}" height="${short(height)}" font-family="${escaped(font)}" font-size="${textSize}"><title>${escaped(title)}</title><defs>${[...patterns.values()].map(({ text }) => text).join('')}</defs><rect width="100%" height="100%" fill="${escaped(background)}"/>${body.join('')}</svg>`,
  };
}

/** A number with at most two decimals, which is finer than any screen shows. */
function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
