import { patterned, type StateColours } from './heat-paint.js';

const probe: StateColours = {
  ground: [0, 0, 0],
  nan: [1, 0, 0],
  infinite: [1, 0, 0],
  unwritten: [1, 0, 0],
  notCompared: [1, 0, 0],
};

/**
 * The pattern of a cell state as SVG path data over `width` × `height` pixels, for the key beside a heat map:
 * the same test that paints the cells, one run of pixels at a time.
 */
export function patternPath(state: number, width: number, height: number): string {
  let path = '';
  for (let y = 0; y < height; y++) {
    let start = -1;
    for (let x = 0; x <= width; x++) {
      const inside = x < width && patterned(state, x, y, 1, probe)[0] === 1;
      if (inside && start < 0) start = x;
      if (!inside && start >= 0) {
        path += `M${start},${y}h${x - start}v1h${start - x}z`;
        start = -1;
      }
    }
  }
  return path;
}
