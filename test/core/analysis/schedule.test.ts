import { describe, expect, it } from 'vitest';
import { buildSchedule } from '../../../src/core/analysis/schedule-build.js';
import { mergeSteps } from '../../../src/core/analysis/schedule-merge.js';
import type { Rect, Schedule, ScheduleStep, WorkgroupSchedule } from '../../../src/core/analysis/schedule.js';
import { placeFinder, planeShape, viewOf, wordPlaces } from '../../../src/core/analysis/tensor-places.js';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

function scheduleOf(file: string, shape: Shape, options: Options = {}): Schedule {
  const kernel = plannedKernel(builtInText(file), shape, options);
  return buildSchedule(simulatedContext(kernel, 'all', { provenance: true }));
}

function workgroupOf(schedule: Schedule, pass: number, id: readonly number[]): WorkgroupSchedule {
  const found = schedule.workgroups.find(
    ({ pass: other, workgroup }) => other === pass && workgroup.join() === id.join(),
  );
  if (!found) throw new Error('There is no such workgroup.');
  return found;
}

/** A rectangle as people write it: rows, columns. */
const text = ({ row0, row1, column0, column1 }: Rect): string => `${row0}–${row1} × ${column0}–${column1}`;

/** Values without repetition, in the order they first come. */
const distinct = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];

function scoreRects({ steps }: WorkgroupSchedule, by: 'score' | 'state'): readonly string[] {
  return distinct(steps.flatMap(({ scores }) => scores.flatMap((tile) => (tile.by === by ? [text(tile.rect)] : []))));
}

function accessRects({ steps }: WorkgroupSchedule, tensor: string, mode: 'read' | 'write'): readonly string[] {
  return distinct(
    steps.flatMap(({ accesses }) =>
      accesses.flatMap((access) => (access.tensor === tensor && access.mode === mode ? [text(access.rect)] : [])),
    ),
  );
}

describe('flash', () => {
  const schedule = scheduleOf('softmax/flash.wgsl', { batch: 1, heads: 2, seqlen: 100, headDim: 64 });
  // The queries of the last workgroup come first: workgroup 0 holds queries 64 … 99 of head 0.
  const late = workgroupOf(schedule, 0, [0, 0, 0]);
  const early = workgroupOf(schedule, 0, [1, 1, 0]);

  it('forms tiles of 64 queries and 32 keys, up to the diagonal', () => {
    expect(scoreRects(early, 'score')).toEqual(['0–64 × 0–32', '0–64 × 32–64']);
    expect(scoreRects(late, 'score')).toEqual(['64–100 × 0–32', '64–100 × 32–64', '64–100 × 64–96', '64–100 × 96–100']);
    expect(distinct(early.steps.flatMap(({ scores }) => scores.map(({ plane }) => plane)))).toEqual([1]);
    expect(scoreRects(early, 'state')).toEqual([]);
  });

  it('says what of a tile is masked', () => {
    const masked = new Map(
      early.steps.flatMap(({ scores }) => scores.map((tile) => [text(tile.rect), tile.masked] as const)),
    );
    // Keys 0 … 31: queries 0 … 31 see a triangle. Keys 32 … 63: queries 0 … 31 nothing, the others a triangle.
    expect(Object.fromEntries(masked)).toEqual({
      '0–64 × 0–32': (32 * 31) / 2,
      '0–64 × 32–64': 32 * 32 + (32 * 31) / 2,
    });
  });

  it('reads Q and K in slices of 32 columns, V 16 keys at a time, and writes the output once', () => {
    expect(accessRects(early, 'q', 'read')).toEqual(['0–64 × 0–32', '0–64 × 32–64']);
    expect(accessRects(early, 'k', 'read')).toEqual(['0–32 × 0–32', '0–32 × 32–64', '32–64 × 0–32', '32–64 × 32–64']);
    expect(accessRects(early, 'v', 'read')).toEqual(['0–16 × 0–64', '16–32 × 0–64', '32–48 × 0–64', '48–64 × 0–64']);
    expect(accessRects(late, 'v', 'read').at(-1)).toBe('96–100 × 0–64');
    expect(accessRects(early, 'o', 'write')).toEqual(['0–64 × 0–64']);
    expect(accessRects(late, 'o', 'write')).toEqual(['64–100 × 0–64']);
    expect(accessRects(late, 'lse', 'write')).toEqual(['64–100 × 0–1']);
  });

  it('every tile is whole, and its bytes are those of its elements', () => {
    for (const { steps } of [early, late]) {
      for (const { accesses } of steps) {
        for (const { rect, bytes, density, tensor } of accesses) {
          expect([tensor, density]).toEqual([tensor, 1]);
          expect(bytes).toBe(4 * (rect.row1 - rect.row0) * (rect.column1 - rect.column0));
        }
      }
    }
  });

  it('a step ends at each barrier: 9 for each tile of keys, and one before the end', () => {
    // Per tile: 2 slices × 2, one for the maxima, 2 loads of V × 2.
    expect(early.steps.filter(({ barrier }) => barrier).length).toBe(9 * 2 + 1);
    expect(late.steps.filter(({ barrier }) => barrier).length).toBe(9 * 4 + 1);
    expect(early.steps.at(-1)).toMatchObject({ kind: 'store', barrier: false });
    expect(early.steps.slice(0, 4).map(({ kind }) => kind)).toEqual(['load', 'compute', 'load', 'compute']);
    expect(early.merged).toBe(false);
  });

  it('holds Q and K, then weights and V, in workgroup memory', () => {
    const held = (index: number): readonly string[] =>
      early.steps[index]!.held.map(({ variable, tensor, plane, rect }) =>
        [variable, tensor, plane, rect && text(rect)].join(' '),
      );
    expect(held(0)).toEqual(['left_tile q 1 0–64 × 0–32', 'right_tile k 1 0–32 × 0–32']);
    const weights = early.steps.findIndex(({ accesses }) => accesses.some(({ tensor }) => tensor === 'v'));
    expect(held(weights)).toContain('left_tile scores 1 0–64 × 0–32');
    expect(held(weights)).toContain('right_tile v 1 0–16 × 0–64');
  });

  it('points at the lines that do it', () => {
    const lines = builtInText('softmax/flash.wgsl').split('\n');
    const load = early.steps[0]!.accesses.find(({ tensor }) => tensor === 'q')!;
    expect(load.sites.map((site) => lines[schedule.sites[site]!.line - 1]!.trim())).toEqual([
      'value = factor * q[(head_row + first_query + row) * width + column];',
    ]);
    expect(lines[early.steps.at(-1)!.line - 1]).toMatch(/row_parts|o\[/);
  });

  it('says so in words, and names its tensors', () => {
    expect(schedule.sentence).toBe(
      'Each workgroup of "attend" holds 64 queries and walks over the keys, 32 a step, by the left product.',
    );
    expect(schedule.score).toEqual({ rows: 100, columns: 100, planes: 2 });
    expect(schedule.tensors.map(({ name, role, rows, columns }) => [name, role, rows, columns])).toEqual([
      ['q', 'input', 100, 64],
      ['k', 'input', 100, 64],
      ['v', 'input', 100, 64],
      ['o', 'output', 100, 64],
      ['lse', 'output', 100, 1],
    ]);
  });
});

describe('the other kernels', () => {
  for (const file of ['linear/left-product.wgsl', 'lightning/lightning1.wgsl']) {
    it(`${file} forms tiles of 64 × 32 by the left product alone`, () => {
      const schedule = scheduleOf(file, { heads: 1, seqlen: 70, headDim: 8 });
      expect(scoreRects(workgroupOf(schedule, 0, [1, 0, 0]), 'score')).toEqual(['0–64 × 0–32', '0–64 × 32–64']);
      expect(scoreRects(workgroupOf(schedule, 0, [0, 0, 0]), 'score')).toEqual([
        '64–70 × 0–32',
        '64–70 × 32–64',
        '64–70 × 64–70',
      ]);
      expect(schedule.sentence).toContain('holds 64 queries and walks over the keys, 32 a step, by the left product.');
    });
  }

  it('softmax/backward.wgsl owns queries, then keys, and says so', () => {
    const schedule = scheduleOf('softmax/backward.wgsl', { heads: 1, seqlen: 70, headDim: 8 });
    expect(scoreRects(workgroupOf(schedule, 0, [0, 0, 0]), 'score')).toEqual([
      '64–70 × 0–32',
      '64–70 × 32–64',
      '64–70 × 64–70',
    ]);
    // The keys 64 … 69 are seen by the queries from 64 on, the keys before them by all that follow.
    expect(scoreRects(workgroupOf(schedule, 2, [1, 0, 0]), 'score')).toEqual(['64–70 × 64–70']);
    expect(scoreRects(workgroupOf(schedule, 2, [0, 0, 0]), 'score')).toEqual([
      '0–32 × 0–64',
      '32–64 × 0–64',
      '64–70 × 0–64',
    ]);
    expect(schedule.sentence).toBe(
      'Each workgroup of "summarize" holds 64 queries and walks over the keys, 32 a step, by the left product. ' +
        'Each workgroup of "queries" holds 64 queries and walks over the keys, 32 a step, by the left product. ' +
        'Each workgroup of "keys_values" holds 64 keys and walks over the queries, 32 a step, by the left product.',
    );
  });

  it('naive attention forms tiles of 16 × 16, and its scores lie in device memory', () => {
    const schedule = scheduleOf('softmax/naive.wgsl', { heads: 2, seqlen: 40, headDim: 8 });
    const first = workgroupOf(schedule, 0, [1, 2, 1]);
    expect(scoreRects(first, 'score')).toEqual(['32–40 × 16–32']);
    expect(accessRects(first, 'scores', 'write')).toEqual(['32–40 × 16–32']);
    expect(distinct(first.steps.flatMap(({ accesses }) => accesses.map(({ plane }) => plane)))).toEqual([1]);
    expect(first.steps.flatMap(({ scores }) => scores.map(({ masked }) => masked))).toContain(0);
    expect(schedule.sentence).toContain('"multiply_queries_keys" forms one tile of 16 queries × 16 keys');
    const last = workgroupOf(schedule, 2, [0, 4, 0]);
    expect(accessRects(last, 'o', 'write')).toEqual(['32–40 × 0–8']);
    expect(last.steps.some(({ kind }) => kind === 'load')).toBe(false);
  });

  it('lightning2 tells the left product within a chunk from the state of what came before', () => {
    const schedule = scheduleOf('lightning/lightning2.wgsl', { heads: 1, seqlen: 150, headDim: 8 });
    const second = workgroupOf(schedule, 2, [1, 0, 0]);
    expect(scoreRects(second, 'state')).toEqual(['64–128 × 0–64']);
    expect(scoreRects(second, 'score')).toEqual(['64–128 × 64–96', '64–128 × 96–128']);
    const states = (pass: number, id: readonly number[]): readonly string[] =>
      distinct(
        workgroupOf(schedule, pass, id).steps.flatMap((step) =>
          step.states.map(({ mode, keys }) => `${mode} ${keys.from}–${keys.to}`),
        ),
      );
    expect(states(2, [1, 0, 0])).toEqual(['read 0–64']);
    expect(states(2, [0, 0, 0])).toEqual(['read 0–0']);
    expect(states(2, [2, 0, 0])).toEqual(['read 0–128']);
    expect(states(0, [2, 0, 0])).toEqual(['update 128–144', 'update 128–150']);
    expect(accessRects(workgroupOf(schedule, 0, [1, 0, 0]), 'k', 'read')).toEqual([
      '64–80 × 0–8',
      '80–96 × 0–8',
      '96–112 × 0–8',
      '112–128 × 0–8',
    ]);
    expect(schedule.sentence).toContain('inside a block by the left product, everything earlier through the state');
    expect(schedule.sentence).toContain('Each workgroup of "sum_chunks" sums 64 keys into a state, 16 a step.');
  });

  it('right-product writes states and denominators of a chunk as one row of scratch, and scans them row by row', () => {
    const schedule = scheduleOf('linear/right-product.wgsl', { heads: 2, seqlen: 70, headDim: 8 });
    expect(schedule.tensors.find(({ name }) => name === 'states')).toMatchObject({
      role: 'scratch',
      rows: 3,
      columns: 8 * 9,
    });
    expect(accessRects(workgroupOf(schedule, 0, [1, 1, 0]), 'states', 'write')).toEqual(['1–2 × 0–72']);
    expect(accessRects(workgroupOf(schedule, 1, [0, 1, 0]), 'states', 'write')).toEqual([
      '0–1 × 0–72',
      '1–2 × 0–72',
      '2–3 × 0–72',
    ]);
  });
});

describe('size', () => {
  it('a long walk is merged, and nothing is lost', () => {
    const step = (index: number): ScheduleStep => ({
      epoch: index,
      phase: 0,
      kind: index % 2 === 0 ? 'load' : 'compute',
      barrier: true,
      accesses:
        index % 2 === 1
          ? []
          : [
              {
                tensor: 'k',
                mode: 'read',
                plane: 0,
                rect: { row0: index, row1: index + 2, column0: 0, column1: 4 },
                bytes: 32,
                density: 1,
                sites: [index % 4],
              },
            ],
      held: [],
      scores:
        index % 2 === 0
          ? []
          : [{ by: 'score', plane: 0, rect: { row0: 0, row1: 8, column0: index - 1, column1: index + 1 }, masked: 3 }],
      states: [],
      deviceAccesses: 2,
      workgroupAccesses: 1,
      span: { start: index, end: index + 1 },
      line: index,
    });
    const merged = mergeSteps(
      Array.from({ length: 10 }, (_, index) => step(index)),
      3,
      [],
    );
    expect(merged.length).toBe(3);
    expect(merged[0]).toMatchObject({
      epoch: 0,
      kind: 'mixed',
      accesses: [{ rect: { row0: 0, row1: 4 }, bytes: 64, density: 1, sites: [0, 2] }],
      scores: [{ rect: { row0: 0, row1: 8, column0: 0, column1: 4 }, masked: 6 }],
      deviceAccesses: 8,
      workgroupAccesses: 4,
    });
    expect(merged.reduce((sum, { deviceAccesses }) => sum + deviceAccesses, 0)).toBe(20);
  });
});

describe('places', () => {
  it('batch and heads count planes; vectors are a column; a state is its last two dimensions', () => {
    expect(planeShape(['batch', 'heads', 'seqlen'], [2, 3, 5])).toMatchObject({ planes: 6, rows: 5, columns: 1 });
    expect(planeShape(['heads'], [3])).toMatchObject({ planes: 1, rows: 3, columns: 1 });
    expect(planeShape(['batch', 'heads', 'n', 'headDim', 'headDimV'], [2, 3, 4, 5, 6])).toMatchObject({
      planes: 24,
      rows: 5,
      columns: 6,
    });
  });

  it('follows layouts, packed halves and gaps after a vec3', () => {
    const text = `/*---
mechanism: softmax-attention
passes: { workgroups: [1] }
layout: { k: [batch, headsKv, headDim, seqlenK], v: [batch, seqlenK, headsKv, headDimV] }
---*/
enable f16;
@group(0) @binding(0) var<storage, read> q: array<vec3<f32>>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<vec2<f16>>;
@group(0) @binding(3) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(1) fn main() { o[0] = q[0].x + k[0] + f32(v[0].x); }
`;
    const { plan } = plannedKernel(text, { heads: 2, seqlen: 3, headDim: 2, headDimV: 4 });
    const place = (variable: string, word: number): readonly number[] => {
      const buffer = plan.buffers.find((other) => other.variable === variable)!;
      const places = wordPlaces(viewOf(buffer)!, buffer.byteLength);
      return [places.rows[word]!, places.columns[word]!];
    };
    // q: three of the 2 × 3 × 2 elements, then a gap of a word.
    expect([0, 1, 2, 3, 4].map((word) => place('q', word))).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [-1, 0],
      [1, 1],
    ]);
    // k: a column of head 1 begins after the 2 × 3 elements of head 0.
    expect([0, 2, 3, 6].map((word) => place('k', word))).toEqual([
      [0, 0],
      [2, 0],
      [0, 1],
      [3, 0],
    ]);
    // v: token, head, two columns a word.
    expect([0, 1, 2, 4].map((word) => place('v', word))).toEqual([
      [0, 0],
      [0, 2],
      [3, 0],
      [1, 0],
    ]);
  });

  it.each([
    ['rows without gaps', {}],
    ['rows of halves', { format: 'f16', strideBytes: 2 }],
    ['rows that begin later', { byteOffset: 8 }],
    ['pages', { dimNames: ['pages', 'pageSize', 'heads', 'headDim'] }],
    ['columns first', { strides: [60, 20, 1, 5] }],
    ['gaps after a vec3', { lanes: 3, strideBytes: 16 }],
  ] as const)('of single words are those of all words: %s', (_, more) => {
    const dimNames = ['batch', 'heads', 'seqlen', 'headDim'];
    const plain = {
      dimNames,
      strides: [60, 20, 4, 1],
      format: 'f32',
      byteOffset: 0,
      lanes: 1,
      strideBytes: 4,
    } as const;
    const view = { ...plain, dims: [2, 3, 5, 4], ...more };
    const { rows, columns } = wordPlaces(view, 4 * 200);
    const finder = placeFinder(view, 4 * 200);
    const words = Array.from(rows.keys());
    expect(words.map(finder.rowAt)).toEqual([...rows]);
    for (const word of words) if (rows[word]! >= 0) expect(finder.columnAt(word)).toBe(columns[word]);
    expect([finder.words, finder.rowAt(200)]).toEqual([200, -1]);
  });
});

describe('the sentence of a kernel whose pairs are not followed', () => {
  it.each([
    ['mosaic/context-memory.wgsl', /^A key is an average of all keys before it/],
    ['newton-schulz/newton-schulz.wgsl', /has no queries and keys that meet\./],
  ])('says why: %s', (file, why) => {
    const size = file.startsWith('mosaic') ? { heads: 1, seqlen: 8, headDim: 16 } : { batch: 1, rows: 16, columns: 16 };
    const { score, sentence } = scheduleOf(file, size);
    expect(sentence).toMatch(why);
    expect(score).toBeNull();
  });
});
