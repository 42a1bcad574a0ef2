import { describe, expect, it } from 'vitest';
import {
  cellAt,
  decodeMap,
  elementLimit,
  errorExtent,
  fullWindow,
  planeIndex,
  planeOf,
  planeSummary,
  readCell,
  revealing,
  zoomed,
} from '../../../src/webview/picture/error-map.js';
import { paintPlane, parseColour, type StateColours } from '../../../src/webview/picture/heat-paint.js';
import { errorScale } from '../../../src/webview/picture/colour-scale.js';
import { tensorVerdict } from '../harness/fixtures.js';

const broken = tensorVerdict('o', true);
const map = broken.map!;
const decoded = decodeMap(map)!;

describe('an error map', () => {
  it('refuses data that does not fit its extents', () => {
    expect(decodeMap({ ...map, cellRows: map.cellRows + 1 })).toBeNull();
  });

  it('reads a cell with the elements behind it', () => {
    const cell = readCell(decoded, 2, 64, 5);
    expect(cell.rows).toEqual([128, 130]);
    expect(cell.columns).toEqual([5, 6]);
    expect(cell.state).toBe('finite');
    expect(cell.error).toBeGreaterThan(elementLimit(broken));
    expect(readCell(decoded, 3, 160, 0).state).toBe('unwritten');
    expect(readCell(decoded, 7, 255, 0).state).toBe('not-compared');
  });

  it('counts planes over the leading dimensions, last fastest', () => {
    const two = {
      ...map,
      planeDims: [
        { name: 'batch', size: 2 },
        { name: 'heads', size: 3 },
      ],
    };
    expect(planeIndex(two, 4)).toEqual([1, 1]);
    expect(planeOf(two, [1, 1])).toBe(4);
  });

  it('says which planes are wrong', () => {
    const wrong = Array.from(
      { length: 8 },
      (_, plane) => planeSummary(decoded, plane, elementLimit(broken)).wrongCells > 0,
    );
    expect(wrong).toEqual([false, false, true, true, true, true, false, false]);
  });

  it('leaves out of its extent what is not finite', () => {
    const { smallest, largest } = errorExtent(decoded);
    expect(smallest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(10);
  });

  it('finds the cell under a point, and none outside', () => {
    const window = { rowStart: 10, rowEnd: 20, columnStart: 0, columnEnd: 4 };
    expect(cellAt(window, 100, 100, 99, 99)).toEqual({ row: 19, column: 3 });
    expect(cellAt(window, 100, 100, 0, 0)).toEqual({ row: 10, column: 0 });
    expect(cellAt(window, 100, 100, 100, 0)).toBeNull();
  });

  it('zooms around a cell without leaving the plane, and moves to reveal one', () => {
    const full = fullWindow(map);
    const near = zoomed(map, full, 2, 0, 63);
    expect(near).toEqual({ rowStart: 0, rowEnd: 128, columnStart: 32, columnEnd: 64 });
    expect(zoomed(map, near, 0.25, 60, 40)).toEqual(full);
    expect(revealing(near, 130, 40)).toEqual({ rowStart: 3, rowEnd: 131, columnStart: 32, columnEnd: 64 });
    expect(revealing(near, 5, 40)).toBe(near);
  });
});

describe('painting', () => {
  const colours: StateColours = {
    ground: [0, 0, 0],
    nan: [1, 1, 1],
    infinite: [2, 2, 2],
    unwritten: [3, 3, 3],
    notCompared: [4, 4, 4],
  };
  const scale = errorScale(1e-8, 1, elementLimit(broken), 'dark');

  it('never loses a single bad cell when many share a pixel', () => {
    const errors = decoded.errors.map(() => 1e-8);
    const states = new Uint8Array(errors.length);
    errors[64 * 200 + 33] = 1;
    const pixels = new Uint8ClampedArray(4 * 8 * 8);
    paintPlane(pixels, 8, 8, { ...decoded, errors, states }, 0, fullWindow(map), scale, colours, 1);
    const reds = Array.from({ length: 64 }, (_, i) => pixels[4 * i]!);
    expect(reds.filter((red) => red === scale.colour(1)[0])).toHaveLength(1);
  });

  it('gives every state a colour of its own', () => {
    const seen = new Set<number>();
    for (const state of [1, 2, 3, 4]) {
      const pixels = new Uint8ClampedArray(4 * 24 * 24);
      const states = new Uint8Array(decoded.errors.length).fill(state);
      paintPlane(pixels, 24, 24, { ...decoded, states }, 0, fullWindow(map), scale, colours, 1);
      const reds = new Set(Array.from({ length: 24 * 24 }, (_, i) => pixels[4 * i]!));
      expect(reds).toEqual(new Set([0, state]));
      seen.add(state);
    }
    expect(seen.size).toBe(4);
  });

  it('reads the colours that themes are written in', () => {
    expect(parseColour('#4aa3ff')).toEqual([74, 163, 255]);
    expect(parseColour('#fff')).toEqual([255, 255, 255]);
    expect(parseColour('rgba(1, 2, 3, 0.5)')).toEqual([1, 2, 3]);
    expect(parseColour('')).toEqual([128, 128, 128]);
  });
});
