/** A rectangle of a picture, in CSS pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Textures that tell areas apart without colour. `rows` are horizontal lines, `hatch` and `cross` run slantwise. */
export type Texture = 'rows' | 'hatch' | 'cross' | 'dots';

/** How a text is set. `at` is its end that stands at x; `turned` reads from bottom to top. */
export interface TextStyle {
  readonly at?: 'start' | 'middle' | 'end';
  readonly strong?: boolean;
  readonly turned?: boolean;
}

/**
 * What pictures are drawn with: on a canvas for the screen, or as SVG for a file. One drawing serves both, so that a
 * saved picture is the one that was seen. Colours are CSS colours.
 */
export interface Pen {
  readonly fill: (box: Box, colour: string, opacity?: number) => void;
  readonly texture: (box: Box, texture: Texture, colour: string, opacity?: number) => void;
  /** Drawn inside the box. `dash` is the length of dashes and gaps; null for a whole line. */
  readonly outline: (box: Box, colour: string, width: number, dash?: number | null) => void;
  readonly line: (x1: number, y1: number, x2: number, y2: number, colour: string, opacity?: number) => void;
  /** The baseline of the text stands at y. */
  readonly text: (x: number, y: number, text: string, colour: string, style?: TextStyle) => void;
}

/** Size of all text in a picture, in CSS pixels. */
export const textSize = 11;

/** Side of the square that a texture repeats, in CSS pixels. */
export const textureSide = 6;

/** The strokes of one square of a texture, as line segments from (0, 0) to (`textureSide`, `textureSide`). */
export const textureStrokes: Readonly<Record<Texture, readonly (readonly [number, number, number, number])[]>> = {
  rows: [
    [0, 1.5, 6, 1.5],
    [0, 4.5, 6, 4.5],
  ],
  hatch: [
    [-1, 7, 7, -1],
    [-1, 1, 1, -1],
    [5, 7, 7, 5],
  ],
  cross: [
    [-1, 7, 7, -1],
    [-1, -1, 7, 7],
  ],
  dots: [[2, 3, 4, 3]],
};

/** A pen whose drawing lies `dy` pixels further down, to put pictures below each other. */
export function loweredPen(pen: Pen, dy: number): Pen {
  const lowered = (box: Box): Box => ({ ...box, y: box.y + dy });
  return {
    fill: (box, colour, opacity) => pen.fill(lowered(box), colour, opacity),
    texture: (box, texture, colour, opacity) => pen.texture(lowered(box), texture, colour, opacity),
    outline: (box, colour, width, dash) => pen.outline(lowered(box), colour, width, dash),
    line: (x1, y1, x2, y2, colour, opacity) => pen.line(x1, y1 + dy, x2, y2 + dy, colour, opacity),
    text: (x, y, text, colour, style) => pen.text(x, y + dy, text, colour, style),
  };
}
