import { describe, expect, it } from 'vitest';
import type { Rect, Schedule, ScheduleStep, ScheduleTensor } from '../../../src/core/analysis/schedule.js';
import type { Box, Pen } from '../../../src/webview/picture/pen.js';
import type { Palette } from '../../../src/webview/schedule/palette.js';
import { layoutStage, rectBox, type StageLayout } from '../../../src/webview/schedule/stage-layout.js';
import { paintStage } from '../../../src/webview/schedule/stage-paint.js';
import { movesOf, rectText } from '../../../src/webview/schedule/schedule-words.js';

interface Mark {
  readonly box: Box;
  readonly colour: string;
}

/** The areas that one step of decoding from a cache in pages is drawn with. `pages`: those of the one sequence, in order. */
function drawn(
  pages: readonly number[],
  pageRows: number,
  keys: { readonly from: number; readonly to: number },
): { readonly layout: StageLayout; readonly fills: readonly Mark[]; readonly outlines: readonly Mark[] } {
  const rows = pages.length * pageRows;
  const schedule: Schedule = {
    tensors: [
      { name: 'k_pages', role: 'input', parts: ['key'], planeDims: [], rows, columns: 64, pageRows },
      { name: 'q', role: 'input', parts: ['query'], planeDims: [], rows: 1, columns: 64, pageRows: null },
    ],
    score: { rows: 1, columns: rows, planes: 1 },
    pages: [pages],
    sites: [],
    workgroups: [],
    sentence: '',
  };
  const step: ScheduleStep = {
    epoch: 0,
    phase: 0,
    kind: 'compute',
    barrier: false,
    accesses: [],
    held: [],
    scores: [{ by: 'score', plane: 0, rect: { row0: 0, row1: 1, column0: keys.from, column1: keys.to }, masked: 0 }],
    states: [],
    deviceAccesses: 0,
    workgroupAccesses: 1,
    span: { start: 0, end: 0 },
    line: 1,
  };
  const progress = {
    ...{ plane: 0, queries: 1, keys: rows, cellQueries: 1, cellKeys: rows, rows: 1, columns: 1 },
    ...{ doneAt: new Float64Array(1), by: new Uint8Array(1), coverage: null },
  };
  const fills: Mark[] = [];
  const outlines: Mark[] = [];
  const pen: Pen = {
    fill: (box, colour) => fills.push({ box, colour }),
    outline: (box, colour) => outlines.push({ box, colour }),
    texture: () => undefined,
    line: () => undefined,
    text: () => undefined,
  };
  const palette: Palette = {
    ...{ text: 'text', muted: 'muted', ground: 'ground', score: 'score', state: 'state', store: 'store' },
    ...{ caution: 'caution', wrong: 'wrong', focus: 'focus' },
    tensor: (name) => name,
    page: (page) => `page ${page}`,
  };
  const layout = layoutStage(schedule, 600);
  const rest = { splits: [], ownSplit: null, final: false, lineAccesses: [], lineSites: new Set<number>() };
  paintStage(pen, layout, { schedule, step, time: 0, progress, planes: new Map(), ...rest }, palette);
  return { layout, fills, outlines };
}

/** What is drawn along the top of the scores. */
const contextOf = ({ layout, fills }: ReturnType<typeof drawn>): readonly Mark[] =>
  fills.filter(({ box }) => box.y === layout.score!.y - 6);

describe('a cache in pages', () => {
  it('shows the pages of the context in the order of its tokens', () => {
    const picture = drawn([2, 0, 3, 1], 64, { from: 70, to: 74 });
    const context = contextOf(picture);
    expect(context.map(({ colour }) => colour)).toEqual(['page 2', 'page 0', 'page 3', 'page 1']);
    const { score } = picture.layout;
    expect(context[1]!.box.x).toBeCloseTo(score!.x + score!.width / 4);
    expect(context[1]!.box.width).toBeCloseTo(score!.width / 4);
  });

  it('frames the page that the keys of the step lie in, where that page lies', () => {
    const { layout, outlines } = drawn([2, 0, 3, 1], 64, { from: 130, to: 134 });
    const place = layout.places.find(({ tensor }) => tensor.name === 'k_pages')!;
    const third = rectBox(place, { row0: 192, row1: 256, column0: 0, column1: 64 });
    const framed = outlines.filter(({ box, colour }) => colour === 'text' && Math.abs(box.x - third.x) < 1.5);
    expect(framed.map(({ box }) => box.height)).toEqual([third.height + 2]);
  });

  it('draws no more of thousands of pages than there are pixels', () => {
    const picture = drawn(
      Array.from({ length: 8192 }, (_, page) => (page * 5) % 8192),
      1,
      { from: 0, to: 4 },
    );
    expect(contextOf(picture).length).toBeGreaterThan(100);
    expect(picture.fills.length).toBeLessThan(2 * picture.layout.score!.width);
  });
});

describe('the words for a cache in pages', () => {
  const rect = (row0: number, row1: number): Rect => ({ row0, row1, column0: 0, column1: 64 });
  const tensor: ScheduleTensor = {
    ...{ name: 'k_pages', role: 'input', parts: ['key'], planeDims: [], rows: 256, columns: 64, pageRows: 16 },
  };

  it('name a page, its slots, or several pages', () => {
    expect(rectText(rect(48, 64), tensor)).toBe('page 3');
    expect(rectText(rect(50, 52), tensor)).toBe('page 3, slots 2–3');
    expect(rectText(rect(48, 80), tensor)).toBe('pages 3–4');
  });

  it('tell a few pages one by one and many as a number, with their bytes together', () => {
    const schedule = { tensors: [tensor], score: null, pages: null, sites: [], workgroups: [], sentence: '' };
    const movesFor = (pages: readonly number[]): readonly string[] => {
      const accesses = pages.map((page) => ({
        ...({ tensor: 'k_pages', mode: 'read', plane: 0, bytes: 4096, density: 1, sites: [0] } as const),
        rect: rect(16 * page, 16 * page + 16),
      }));
      return movesOf({ accesses }, { schedule }).map(({ place, bytes }) => `${place}: ${bytes}`);
    };
    expect(movesFor([5, 2])).toEqual(['page 5: 4096', 'page 2: 4096']);
    expect(movesFor([5, 2, 9, 7])).toEqual([`4 pages: ${4 * 4096}`]);
  });
});
