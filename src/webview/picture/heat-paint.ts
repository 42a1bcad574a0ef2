import type { ErrorScale, Rgb } from './colour-scale.js';
import type { CellWindow, DecodedMap } from './error-map.js';

/** Colours of cells that hold no finite error, and the ground their patterns are drawn on. */
export interface StateColours {
  readonly ground: Rgb;
  readonly nan: Rgb;
  readonly infinite: Rgb;
  readonly unwritten: Rgb;
  readonly notCompared: Rgb;
}

/** The state that wins where several cells share a pixel: what is worse hides what is better. */
const rank = [1, 4, 3, 5, 0];

/**
 * Paints a window of one plane into `pixels` (RGBA, `width` × `height`). Where several cells share a pixel the worst one
 * is shown, so that a single bad element is never lost. `unit` is the size of the patterns in pixels.
 */
export function paintPlane(
  pixels: Uint8ClampedArray,
  width: number,
  height: number,
  decoded: DecodedMap,
  plane: number,
  window: CellWindow,
  scale: ErrorScale,
  colours: StateColours,
  unit: number,
): void {
  const { map, errors, states } = decoded;
  const ramp = rampTable(scale);
  const base = plane * map.cellRows * map.cellColumns;
  const rows = spans(window.rowStart, window.rowEnd, height);
  const columns = spans(window.columnStart, window.columnEnd, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let worstState = 4;
      let worstError = -1;
      for (let row = rows[2 * y]!; row < rows[2 * y + 1]!; row++) {
        for (let column = columns[2 * x]!; column < columns[2 * x + 1]!; column++) {
          const i = base + row * map.cellColumns + column;
          const state = states[i]!;
          if (rank[state]! > rank[worstState]!) worstState = state;
          if (state === 0 && errors[i]! > worstError) worstError = errors[i]!;
        }
      }
      const colour =
        worstState === 0
          ? ramp[Math.round(scale.position(worstError) * (ramp.length - 1))]!
          : patterned(worstState, x, y, unit, colours);
      const at = 4 * (y * width + x);
      pixels[at] = colour[0];
      pixels[at + 1] = colour[1];
      pixels[at + 2] = colour[2];
      pixels[at + 3] = 255;
    }
  }
}

/** Colour of a pixel of a cell that holds no finite error (states 1 to 4): each has a colour and a pattern of its own. */
export function patterned(state: number, x: number, y: number, unit: number, colours: StateColours): Rgb {
  const u = Math.max(1, Math.round(unit));
  const period = 6 * u;
  const falling = (x + y) % period;
  const rising = (x - y + 4096 * period) % period;
  switch (state) {
    case 1:
      return falling < 4 * u ? colours.nan : colours.ground;
    case 2:
      return falling < 2 * u || rising < 2 * u ? colours.infinite : colours.ground;
    case 3:
      return Math.floor(x / (2 * u)) % 2 === Math.floor(y / (2 * u)) % 2 ? colours.unwritten : colours.ground;
    default:
      return rising < u ? colours.notCompared : colours.ground;
  }
}

/** Reads `#rgb`, `#rrggbb(aa)` or `rgb(…)` as red, green and blue; anything else is grey. */
export function parseColour(text: string): Rgb {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(text.trim())?.[1];
  if (hex) {
    const wide = hex.length < 6 ? hex.replaceAll(/./g, '$&$&') : hex;
    const byte = (at: number): number => Number.parseInt(wide.slice(at, at + 2), 16);
    return [byte(0), byte(2), byte(4)];
  }
  const [red, green, blue] = (text.match(/[\d.]+/g) ?? []).map(Number);
  return red === undefined || green === undefined || blue === undefined ? [128, 128, 128] : [red, green, blue];
}

function rampTable(scale: ErrorScale): readonly Rgb[] {
  const size = 512;
  const ratio = scale.high / scale.low;
  // The first entry stands for everything at or below the scale's foot, zero included.
  return Array.from({ length: size }, (_, i) => scale.colour(scale.low * ratio ** (i / (size - 1))));
}

/** For each pixel the half-open range of cells under it, at least one, as pairs. */
function spans(start: number, end: number, pixels: number): Int32Array {
  const out = new Int32Array(2 * pixels);
  const perPixel = (end - start) / pixels;
  for (let p = 0; p < pixels; p++) {
    const first = start + Math.floor(p * perPixel);
    out[2 * p] = first;
    out[2 * p + 1] = Math.min(end, Math.max(first + 1, start + Math.floor((p + 1) * perPixel)));
  }
  return out;
}
