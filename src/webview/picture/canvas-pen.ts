import { textSize, textureSide, textureStrokes, type Pen, type Texture } from './pen.js';

const textures = new Map<string, HTMLCanvasElement>();

/** A pen that draws on a canvas whose context is scaled to CSS pixels; `ratio` is the scale, `font` a CSS family. */
export function canvasPen(context: CanvasRenderingContext2D, ratio: number, font: string): Pen {
  const patterns = new Map<string, CanvasPattern | null>();
  return {
    fill: (box, colour, opacity = 1) => {
      context.globalAlpha = opacity;
      context.fillStyle = colour;
      context.fillRect(box.x, box.y, box.width, box.height);
      context.globalAlpha = 1;
    },
    texture: (box, texture, colour, opacity = 1) => {
      const key = `${texture} ${colour}`;
      let pattern = patterns.get(key);
      if (pattern === undefined) {
        pattern = context.createPattern(tileOf(texture, colour, ratio), 'repeat');
        pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
        patterns.set(key, pattern);
      }
      if (!pattern) return;
      context.globalAlpha = opacity;
      context.fillStyle = pattern;
      context.fillRect(box.x, box.y, box.width, box.height);
      context.globalAlpha = 1;
    },
    outline: (box, colour, width, dash = null) => {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.setLineDash(dash === null ? [] : [dash]);
      context.strokeRect(
        box.x + width / 2,
        box.y + width / 2,
        Math.max(0, box.width - width),
        Math.max(0, box.height - width),
      );
      context.setLineDash([]);
    },
    line: (x1, y1, x2, y2, colour, opacity = 1) => {
      context.globalAlpha = opacity;
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
      context.globalAlpha = 1;
    },
    text: (x, y, text, colour, { at = 'start', strong = false, turned = false } = {}) => {
      context.font = `${strong ? '600 ' : ''}${textSize}px ${font}`;
      context.textAlign = at === 'middle' ? 'center' : at;
      context.fillStyle = colour;
      if (turned) {
        context.save();
        context.translate(x, y);
        context.rotate(-Math.PI / 2);
        context.fillText(text, 0, 0);
        context.restore();
      } else {
        context.fillText(text, x, y);
      }
    },
  };
}

/** Fits a canvas to a size in CSS pixels and returns its context, cleared and scaled; null where there is none. */
export function preparedContext(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  ratio: number,
): CanvasRenderingContext2D | null {
  const pixelWidth = Math.round(width * ratio);
  const pixelHeight = Math.round(height * ratio);
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
    canvas.style.setProperty('width', `${width}px`);
    canvas.style.setProperty('height', `${height}px`);
  }
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, pixelWidth, pixelHeight);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

function tileOf(texture: Texture, colour: string, ratio: number): HTMLCanvasElement {
  const key = `${texture} ${colour} ${ratio}`;
  const known = textures.get(key);
  if (known) return known;
  const tile = document.createElement('canvas');
  const side = Math.max(1, Math.round(textureSide * ratio));
  tile.width = side;
  tile.height = side;
  const context = tile.getContext('2d');
  if (context) {
    context.scale(side / textureSide, side / textureSide);
    context.strokeStyle = colour;
    context.lineWidth = texture === 'dots' ? 2 : 1.25;
    for (const [x1, y1, x2, y2] of textureStrokes[texture]) {
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    }
  }
  textures.set(key, tile);
  return tile;
}
