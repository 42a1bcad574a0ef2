import { describe, expect, it } from 'vitest';
import { layoutCurves } from '../../../src/webview/picture/curve-layout.js';
import { toCsv } from '../../../src/webview/picture/export.js';
import { layoutHistogram } from '../../../src/webview/picture/histogram-layout.js';
import { layoutStrip } from '../../../src/webview/picture/strip-layout.js';
import type { Schedule, ScheduleTensor, TensorPart } from '../../../src/core/analysis/schedule.js';
import { layoutStage } from '../../../src/webview/schedule/stage-layout.js';
import { chooseTiles, tileLines } from '../../../src/webview/picture/tile-lines.js';

describe('a histogram', () => {
  const layout = layoutHistogram({ from: -9, binsPerDecade: 2, counts: [10, 0, 1000, 5], exact: 7 }, 1e-8, 300, 100);

  it('keeps its bars inside the plot, apart and in order', () => {
    for (const [i, bar] of layout.bars.entries()) {
      expect(bar.x).toBeGreaterThanOrEqual(0);
      expect(bar.x + bar.width).toBeLessThanOrEqual(300.5);
      expect(bar.y + bar.height).toBeCloseTo(100);
      if (i > 0) expect(bar.x).toBeGreaterThanOrEqual(layout.bars[i - 1]!.x + layout.bars[i - 1]!.width);
    }
  });

  it('marks what lies beyond the limit and shows even a single element', () => {
    expect(layout.bars.map((bar) => bar.beyond)).toEqual([false, false, false, true, true]);
    expect(layout.bars[4]!.height).toBeGreaterThan(1);
    expect(layout.bars[2]!.height).toBe(0);
    expect(layout.limitX).toBeCloseTo(layout.bars[3]!.x - 0.5, 0);
  });
});

describe('a strip plot', () => {
  const samples = Array.from({ length: 40 }, (_, i) => 100 + (i % 8));
  const layout = layoutStrip({ median: 103.5, p20: 101, p80: 106, samples }, 400, 90);

  it('shows every sample once, in the order it was taken, without overlap', () => {
    expect(layout.dots.map((dot) => dot.sample)).toEqual(samples.map((_, i) => i));
    for (const a of layout.dots) {
      for (const b of layout.dots) {
        if (a === b) continue;
        expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThanOrEqual(2 * layout.radius);
      }
    }
  });

  it('puts the median between the percentiles', () => {
    expect(layout.p20X).toBeLessThan(layout.medianX);
    expect(layout.medianX).toBeLessThan(layout.p80X);
  });

  it('survives samples that are all the same', () => {
    const flat = layoutStrip({ median: 5, p20: 5, p80: 5, samples: [5, 5, 5] }, 200, 60);
    expect(flat.dots.every((dot) => Number.isFinite(dot.x) && Number.isFinite(dot.y))).toBe(true);
  });
});

describe('the curves of a row', () => {
  it('leave a gap where a value is not finite', () => {
    const layout = layoutCurves([0, 1, 2, 3], [0, null, null, 3], 100, 50);
    expect(layout.gaps).toHaveLength(2);
    expect(layout.candidate.match(/M/g)).toHaveLength(2);
    expect(layout.reference.match(/M/g)).toHaveLength(1);
  });

  it('survive a row of zeros', () => {
    expect(layoutCurves([0, 0], [0, 0], 100, 50).reference).not.toContain('NaN');
  });
});

describe('tile lines', () => {
  it('cut rows by sequence tiles and columns by tiles of the head width', () => {
    const tiles = [
      { name: 'TILE_V', size: 32 },
      { name: 'CHUNK', size: 64 },
      { name: 'TILE_M', size: 32 },
    ];
    const chosen = chooseTiles(tiles, 512, 64);
    expect(chosen.rows?.name).toBe('CHUNK');
    expect(chosen.columns?.name).toBe('TILE_V');
    expect(chooseTiles(tiles, 16, 16)).toEqual({ rows: null, columns: null });
  });

  it('stand at the multiples inside the window, and not at all where they would be a blur', () => {
    expect(tileLines(64, 0, 256, 0.01)).toEqual([0.25, 0.5, 0.75]);
    expect(tileLines(64, 32, 160, 0.01)).toEqual([0.25, 0.75]);
    expect(tileLines(2, 0, 4096, 0.01)).toEqual([]);
  });
});

describe('a CSV file', () => {
  it('quotes what would break it', () => {
    expect(
      toCsv(
        ['a', 'b'],
        [
          ['x,"y"', null],
          [1.5, 'plain'],
        ],
      ),
    ).toBe('a,b\r\n"x,""y""",\r\n1.5,plain\r\n');
  });
});

describe('the stage of a tile schedule', () => {
  const tensor = (
    name: string,
    role: ScheduleTensor['role'],
    parts: readonly TensorPart[],
    rows: number,
    columns: number,
  ): ScheduleTensor => ({ name, role, parts, planeDims: [], rows, columns, pageRows: null });
  const schedule: Schedule = {
    tensors: [
      tensor('q_lat', 'input', ['query'], 2, 256),
      tensor('q_pe', 'input', ['query'], 2, 64),
      tensor('c', 'input', ['key', 'value'], 2048, 256),
      tensor('k_pe', 'input', ['key'], 2048, 64),
      tensor('part_o', 'scratch', [], 32, 256),
      tensor('o_lat', 'output', ['output'], 2, 256),
    ],
    score: { rows: 2, columns: 2048, planes: 16 },
    pages: null,
    sites: [],
    workgroups: [],
    sentence: '',
  };
  const { places, score, height } = layoutStage(schedule, 360);

  it('shows a latent above the scores as keys and below them as values', () => {
    expect(places.filter((place) => place.tensor.name === 'c').map(({ side }) => side)).toEqual(['above', 'below']);
    expect(places.filter(({ side }) => side === 'left').map((place) => place.tensor.name)).toEqual(['q_lat', 'q_pe']);
    expect(places.find((place) => place.tensor.name === 'part_o')?.side).toBe('shelf');
  });

  it('leaves room for the name of each tensor, above those above and below those below', () => {
    const room = 14;
    const boxes = places.map(({ side, box }) => ({
      top: box.y - (side === 'below' ? 0 : room),
      bottom: box.y + box.height + (side === 'below' ? room : 0),
      left: box.x,
      right: box.x + box.width,
    }));
    const inside = { top: score!.y, bottom: score!.y + score!.height, left: score!.x, right: score!.x + score!.width };
    const left = places.filter(({ side }) => side === 'left');
    const centres = left.map(({ box }) => box.x + box.width / 2);
    // q_lat and q_pe stand in the middle of 35 and 28 pixels.
    expect(centres[0]).toBeGreaterThanOrEqual(17.5);
    expect(centres[1]! - centres[0]!).toBeGreaterThanOrEqual(17.5 + 14);
    for (const [i, a] of [...boxes, inside].entries()) {
      expect(a.top).toBeGreaterThanOrEqual(0);
      expect(a.bottom).toBeLessThanOrEqual(height);
      for (const b of [...boxes, inside].slice(0, i)) {
        expect(a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top).toBe(true);
      }
    }
  });
});
