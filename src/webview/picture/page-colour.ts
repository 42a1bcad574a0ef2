import { css, fromOklch, type Ground } from './colour-scale.js';

/** Degrees between the hues of one page and the next: by the golden angle no two near each other look alike. */
const turn = 137.508;

/** The colour of a page of a cache, the same wherever it is drawn. */
export function pageColour(page: number, ground: Ground): string {
  return ground === 'dark' ? css(fromOklch(0.74, 0.13, page * turn)) : css(fromOklch(0.58, 0.14, page * turn));
}
