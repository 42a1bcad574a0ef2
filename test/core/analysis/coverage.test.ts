import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import { cellStates, type Coverage } from '../../../src/core/analysis/coverage.js';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import { fromBase64 } from '../../../src/core/numerics/base64.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

function coverageOf(text: string, shape: Shape, options: Options = {}): Coverage {
  const coverage = buildCoverage(simulatedContext(plannedKernel(text, shape, options), 'all', { provenance: true }));
  if (!coverage) throw new Error('There is no coverage.');
  return coverage;
}

/** Pairs (i, j) of one head that satisfy a condition. */
function pairs(queries: number, keys: number, holds: (query: number, key: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < queries; i++) for (let j = 0; j < keys; j++) if (holds(i, j)) count++;
  return count;
}

const causal = (i: number, j: number): boolean => j <= i;

interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly options?: Options;
  /** Whether query i of the shape sees key j. */
  readonly sees: (i: number, j: number) => boolean;
}

const softmaxCases: readonly Case[] = [
  { name: 'one token', shape: { heads: 1, seqlen: 1, headDim: 4 }, sees: causal },
  { name: 'an odd tail, two batches', shape: { batch: 2, heads: 1, seqlen: 37, headDim: 8 }, sees: causal },
  { name: 'several tiles', shape: { heads: 1, seqlen: 100, headDim: 8 }, sees: causal },
  {
    name: 'not causal',
    shape: { heads: 2, seqlen: 33, headDim: 12 },
    options: { causal: false },
    sees: () => true,
  },
  { name: 'grouped queries 4:2', shape: { heads: 4, headsKv: 2, seqlen: 19, headDim: 8 }, sees: causal },
  {
    name: 'few queries at the end of many keys',
    shape: { heads: 1, seqlen: 5, seqlenK: 70, headDim: 8 },
    sees: (i, j) => j <= i + 65,
  },
  {
    name: 'queries that see no key',
    shape: { heads: 1, seqlen: 40, seqlenK: 21, headDim: 8 },
    sees: (i, j) => j <= i - 19,
  },
  {
    name: 'a window on both sides',
    shape: { heads: 1, seqlen: 130, headDim: 4 },
    options: { causal: false, window: [8, 5] },
    sees: (i, j) => j >= i - 8 && j <= i + 5,
  },
  {
    name: 'a causal window',
    shape: { heads: 1, seqlen: 100, headDim: 4 },
    options: { window: [15, 0] },
    sees: (i, j) => j >= i - 15 && j <= i,
  },
  { name: 'values wider than keys', shape: { heads: 1, seqlen: 40, headDim: 8, headDimV: 20 }, sees: causal },
  {
    name: 'a head of values over two workgroups',
    shape: { heads: 1, seqlen: 20, headDim: 4, headDimV: 160 },
    sees: causal,
  },
];

const linearCases: readonly Case[] = [
  { name: 'one token', shape: { heads: 1, seqlen: 1, headDim: 4 }, sees: causal },
  { name: 'several chunks and a tail', shape: { heads: 2, seqlen: 130, headDim: 8 }, sees: causal },
  {
    name: 'not causal, more keys than queries',
    shape: { heads: 1, seqlen: 20, seqlenK: 90, headDim: 8 },
    options: { causal: false },
    sees: () => true,
  },
  {
    name: 'silu, not normalised, values wider',
    shape: { heads: 1, seqlen: 70, headDim: 8, headDimV: 12 },
    options: { feature: 'silu', normalize: false },
    sees: causal,
  },
];

const lightningCases: readonly Case[] = [
  { name: 'one token', shape: { heads: 1, seqlen: 1, headDim: 4 }, sees: causal },
  {
    name: 'several chunks and a tail, two batches',
    shape: { batch: 2, heads: 1, seqlen: 130, headDim: 8 },
    sees: causal,
  },
  { name: 'values narrower than keys', shape: { heads: 1, seqlen: 70, headDim: 12, headDimV: 4 }, sees: causal },
];

const kernels: readonly { readonly file: string; readonly cases: readonly Case[] }[] = [
  { file: 'softmax/naive.wgsl', cases: softmaxCases },
  { file: 'softmax/flash.wgsl', cases: softmaxCases },
  { file: 'linear/left-product.wgsl', cases: linearCases },
  { file: 'linear/right-product.wgsl', cases: linearCases },
  { file: 'lightning/lightning1.wgsl', cases: lightningCases },
  { file: 'lightning/lightning2.wgsl', cases: lightningCases },
];

describe('every pair of the mask exactly once', () => {
  for (const { file, cases } of kernels) {
    for (const { name, shape, options, sees } of cases) {
      it(`${file}: ${name}`, () => {
        const coverage = coverageOf(builtInText(file), shape, options);
        const { batch = 1, heads = 1, seqlen = 1, seqlenK = seqlen } = shape;
        const { totals } = coverage;
        expect(totals.required).toBe(batch * heads * pairs(seqlen, seqlenK, sees));
        expect({ ...totals, once: 0, throughState: 0, wasted: 0 }).toEqual({
          ...{ required: totals.required, once: 0, throughState: 0, wasted: 0, doubled: 0, missed: 0 },
        });
        expect(totals.once + totals.throughState).toBe(totals.required);
        expect([coverage.firstMissed, coverage.firstDoubled, coverage.complete]).toEqual([null, null, true]);
        expect(coverage.planes.map(({ plane }) => plane)).toEqual([...Array(batch * heads).keys()]);
      });
    }
  }
});

/** Pairs that flash-like kernels form: 64 queries of a workgroup, keys from 0 up to the end of the last tile of 32. */
function tiledPairs(seqlen: number, firstKey: (query: number) => number): number {
  return pairs(seqlen, seqlen, (i, j) => {
    const lastQuery = Math.min((Math.floor(i / 64) + 1) * 64, seqlen) - 1;
    return j >= firstKey(i) && j < Math.ceil((lastQuery + 1) / 32) * 32;
  });
}

describe('by which way, and what for nothing', () => {
  it('flash under a causal mask computes the upper halves of the diagonal tiles for nothing', () => {
    const { totals, sentence } = coverageOf(builtInText('softmax/flash.wgsl'), { heads: 2, seqlen: 100, headDim: 8 });
    // 64 queries: 64 · 64 pairs of which 64 · 65 / 2 are seen; 36 queries: 36 · 100 of which 65 + … + 100.
    expect(totals.wasted).toBe(2 * (64 * 64 - 2080 + (36 * 100 - 2970)));
    expect(totals.wasted).toBe(2 * (tiledPairs(100, () => 0) - pairs(100, 100, causal)));
    expect(totals.throughState).toBe(0);
    expect(sentence).toBe('Every pair of the causal mask is reached once. 34 % of the scores computed are masked.');
  });

  it('naive attention computes nothing for nothing', () => {
    const { totals } = coverageOf(builtInText('softmax/naive.wgsl'), { heads: 1, seqlen: 100, headDim: 8 });
    expect(totals).toMatchObject({ once: 5050, wasted: 0, throughState: 0 });
  });

  for (const file of [
    'linear/right-product.wgsl',
    'lightning/lightning2.wgsl',
    'performer/favor.wgsl',
    'cosformer/chunked.wgsl',
  ]) {
    it(`${file}: inside a chunk by the left product, earlier chunks through the state`, () => {
      const coverage = coverageOf(builtInText(file), { heads: 2, seqlen: 130, headDim: 8 });
      // Chunks of 64, 64 and 2 tokens in each of two heads.
      expect(coverage.totals).toEqual({
        required: 2 * 8515,
        once: 2 * (2080 + 2080 + 3),
        throughState: 2 * (64 * 64 + 2 * 128),
        wasted: 2 * (2016 + 2016 + 1),
        doubled: 0,
        missed: 0,
      });
      expect(coverage.sentence).toContain('49 % by the left product, 51 % through the state.');
      expect(coverage.sentence).not.toContain('another head');
      const cells = fromBase64(coverage.planes[0]!.cells)!;
      expect([coverage.cellQueries, coverage.cellKeys, cells.length]).toEqual([1, 1, 130 * 130]);
      const cell = (query: number, key: number): number => cells[query * 130 + key]!;
      expect([cell(63, 63), cell(64, 63), cell(64, 64), cell(64, 65), cell(63, 64)]).toEqual([
        cellStates.once,
        cellStates.throughState,
        cellStates.once,
        cellStates.wasted,
        cellStates.outside,
      ]);
    });
  }

  it('linear attention without a mask goes through the state altogether', () => {
    const text = builtInText('linear/right-product.wgsl');
    const { totals, sentence } = coverageOf(text, { heads: 1, seqlen: 20, seqlenK: 90, headDim: 8 }, { causal: false });
    expect(totals).toMatchObject({ required: 1800, throughState: 1800, once: 0, wasted: 0 });
    expect(sentence).toBe('Every pair of the full score matrix is reached once, through the state.');
  });

  it('cells hold several pairs of a large plane', () => {
    const { cellQueries, cellKeys, planes } = coverageOf(builtInText('lightning/lightning2.wgsl'), {
      heads: 1,
      seqlen: 520,
      headDim: 4,
    });
    expect([cellQueries, cellKeys]).toEqual([4, 4]);
    expect(fromBase64(planes[0]!.cells)!.length).toBe(130 * 130);
  });
});

/** Kernels written for the purpose: splits over keys, packed halves, shuffles, sums over subgroups, pointers to tiles. */
const styles: readonly {
  readonly file: string;
  readonly shape: Shape;
  readonly once: number;
  readonly through: number;
}[] = [
  { file: 'macro-split.wgsl', shape: { heads: 2, seqlen: 70, headDim: 16 }, once: 2 * 2485, through: 0 },
  { file: 'packed-halves.wgsl', shape: { heads: 4, headsKv: 2, seqlen: 20, headDim: 64 }, once: 4 * 210, through: 0 },
  {
    file: 'subgroup-shuffle.wgsl',
    shape: { heads: 2, headsKv: 1, seqlen: 70, headDim: 16 },
    once: 2 * 2485,
    through: 0,
  },
  { file: 'subgroup-sum.wgsl', shape: { heads: 1, seqlen: 40, headDim: 16 }, once: 0, through: 820 },
  // Blocks of 16 tokens: six whole ones and one of 4.
  { file: 'three-entries.wgsl', shape: { heads: 1, seqlen: 100, headDim: 8 }, once: 6 * 136 + 10, through: 5050 - 826 },
  { file: 'tile-pointers.wgsl', shape: { heads: 1, seqlen: 72, headDim: 64 }, once: 2628, through: 0 },
];

describe('kernels in other styles', () => {
  for (const { file, shape, once, through } of styles) {
    it(file, () => {
      const text = readFileSync(new URL(`../../kernels/styles/${file}`, import.meta.url), 'utf8');
      const { totals, complete } = coverageOf(text, shape);
      expect({ ...totals, wasted: 0 }).toEqual({
        ...{ required: once + through, once, throughState: through, doubled: 0, missed: 0, wasted: 0 },
      });
      expect(complete).toBe(true);
    });
  }
});

describe('a part of the workgroups', () => {
  const sampled = (file: string, shape: Shape, logged: readonly number[]): Coverage => {
    const context = simulatedContext(plannedKernel(builtInText(file), shape), logged, { provenance: true });
    const coverage = buildCoverage(context);
    if (!coverage) throw new Error('There is no coverage.');
    return coverage;
  };

  it('says nothing of the queries of other workgroups', () => {
    const coverage = sampled('softmax/flash.wgsl', { heads: 2, seqlen: 200, headDim: 8 }, [1, 6]);
    // Workgroup 1 holds queries 128 … 191 of head 0, workgroup 6 queries 64 … 127 of head 1.
    expect(coverage.complete).toBe(false);
    expect(coverage.planes.map(({ batch, head }) => [batch, head])).toEqual([
      [0, 0],
      [0, 1],
    ]);
    expect(coverage.totals).toMatchObject({
      required:
        pairs(200, 200, (i, j) => j <= i && i >= 128 && i < 192) +
        pairs(200, 200, (i, j) => j <= i && i >= 64 && i < 128),
      missed: 0,
      doubled: 0,
    });
    const cells = fromBase64(coverage.planes[0]!.cells)!;
    expect([cells[0], cells[150 * 200], cells[199]]).toEqual([
      cellStates.untraced,
      cellStates.once,
      cellStates.outside,
    ]);
    expect(coverage.sentence).toContain('as far as it was traced');
    expect(coverage.balance.map(({ workgroup }) => workgroup.join())).toEqual(['1,0,0', '2,1,0']);
    expect(coverage.balance.map(({ pairs: formed }) => formed)).toEqual([64 * 192, 64 * 128]);
  });

  it('a query that was given a part of the output columns has still seen its keys', () => {
    const shape = { heads: 1, seqlen: 20, headDim: 4, headDimV: 160 };
    const { totals, complete } = sampled('softmax/flash.wgsl', shape, [1]);
    expect([totals.once, totals.missed, complete]).toEqual([210, 0, false]);
  });

  it('a state that not all workgroups have added to is no reason for an alarm', () => {
    for (const logged of [[0], [0, 2], [0, 1, 2, 3]]) {
      const { totals } = sampled('linear/right-product.wgsl', { heads: 1, seqlen: 300, headDim: 64 }, logged);
      expect([totals.missed, totals.doubled]).toEqual([0, 0]);
    }
  });
});

/** Replaces a place that must be there. */
function broken(file: string, find: string, replace: string): string {
  const text = builtInText(file);
  if (!text.includes(find)) throw new Error(`${file} does not hold ${find}`);
  return text.replace(find, replace);
}

describe('broken kernels', () => {
  const shape = { heads: 1, seqlen: 100, headDim: 8 };
  const flashLoop = 'for (var first_key = range.x; first_key < range.y; first_key += TILE_N) {';

  it('a tile of keys is dropped', () => {
    const text = broken('softmax/flash.wgsl', flashLoop, `${flashLoop}\n if (first_key == 32u) { continue; }`);
    const { totals, firstMissed, sentence } = coverageOf(text, shape);
    expect(totals.missed).toBe(pairs(100, 100, (i, j) => j <= i && j >= 32 && j < 64));
    expect(firstMissed).toEqual({ plane: 0, query: 32, key: 32 });
    expect(sentence).toContain('never reached, first query 32 with key 32');
    expect(totals.doubled).toBe(0);
  });

  it('the walk starts at the second tile', () => {
    const text = broken('softmax/flash.wgsl', 'first_key = range.x;', 'first_key = range.x + TILE_N;');
    const { totals, firstMissed } = coverageOf(text, shape);
    expect(totals.missed).toBe(pairs(100, 100, (i, j) => j <= i && j < 32));
    expect(firstMissed).toEqual({ plane: 0, query: 0, key: 0 });
  });

  it('the last tile is visited twice', () => {
    const text = broken(
      'softmax/flash.wgsl',
      flashLoop,
      `for (var step = range.x; step < range.y + TILE_N; step += TILE_N) {
        let first_key = min(step, (range.y - 1u) / TILE_N * TILE_N);`,
    );
    const { totals, firstDoubled } = coverageOf(text, shape);
    // The last tiles are keys 32 … 63 of queries 0 … 63, and keys 96 … 99 of queries 64 … 99.
    const twice = (i: number, j: number): boolean => (i < 64 ? j >= 32 : j >= 96);
    expect(totals.doubled).toBe(pairs(100, 100, (i, j) => j <= i && twice(i, j)));
    expect(firstDoubled).toEqual({ plane: 0, query: 32, key: 32 });
    expect(totals.missed).toBe(0);
  });

  it('some columns of the output are left out', () => {
    const text = broken('softmax/naive.wgsl', 'column >= width)', 'column >= width - 1u)');
    const { totals, firstMissed } = coverageOf(text, { ...shape, headDimV: 20 });
    expect(totals.missed).toBe(5050);
    expect(firstMissed).toEqual({ plane: 0, query: 0, key: 0 });
  });

  it('sixteen keys of each chunk are missing from the state', () => {
    const loop = 'for (var first = 0u; first < length; first += TOKENS) {';
    const text = broken('lightning/lightning2.wgsl', loop, `${loop}\n if (first == 16u) { continue; }`);
    const { totals, firstMissed } = coverageOf(text, { heads: 1, seqlen: 130, headDim: 8 });
    expect(totals.missed).toBe(64 * 16 + 2 * 32);
    expect(firstMissed).toEqual({ plane: 0, query: 64, key: 16 });
    expect(totals.doubled).toBe(0);
  });

  it('the left product repeats what is in the state already', () => {
    const text = broken('lightning/lightning2.wgsl', 'var first_key = chunk * CHUNK;', 'var first_key = 0u;');
    const { totals, firstDoubled } = coverageOf(text, { heads: 1, seqlen: 130, headDim: 8 });
    expect(totals.doubled).toBe(64 * 64 + 2 * 128);
    expect(firstDoubled).toEqual({ plane: 0, query: 64, key: 0 });
  });

  it('query heads meet the keys of another group', () => {
    const text = broken('softmax/naive.wgsl', 'head / (params.heads / params.heads_kv)', 'head % params.heads_kv');
    const { totals, firstMissed, sentence } = coverageOf(text, { heads: 4, headsKv: 2, seqlen: 9, headDim: 4 });
    // Heads 0 and 3 still meet their own.
    expect(totals).toMatchObject({ once: 2 * 45, missed: 2 * 45 });
    expect(firstMissed).toEqual({ plane: 1, query: 0, key: 0 });
    expect(sentence).toContain('another head or batch');
  });

  it('a causal mask is forgotten: what should be shut out is computed', () => {
    const text = broken(
      'softmax/naive.wgsl',
      'select(params.window_right, 0, params.causal != 0u)',
      'params.window_right',
    );
    const { totals } = coverageOf(text, { heads: 1, seqlen: 20, headDim: 4 });
    expect(totals).toMatchObject({ once: 210, wasted: 190, missed: 0 });
  });
});

describe('heads that share queries and keys', () => {
  const text = builtInText('state-space/chunked.wgsl');
  const shape = { batch: 2, heads: 4, groups: 2, seqlen: 70, headDim: 8, stateDim: 12 };

  it('each reach every pair, within a chunk by the scores of their group', () => {
    const coverage = coverageOf(text, shape);
    const inChunk = (i: number, j: number): boolean => causal(i, j) && Math.floor(i / 64) === Math.floor(j / 64);
    const once = 8 * pairs(70, 70, inChunk);
    const required = 8 * pairs(70, 70, causal);
    expect(coverage.totals).toMatchObject({ required, once, throughState: required - once, doubled: 0, missed: 0 });
    expect(coverage.planes.map(({ batch, head }) => [batch, head])).toEqual(
      [0, 1].flatMap((batch) => [0, 1, 2, 3].map((head) => [batch, head])),
    );
  });

  it('miss the pairs whose scores they take from another group', () => {
    const groups = 'head / (params.heads / params.groups)) * params.seqlen;';
    expect(text.split(groups)).toHaveLength(2);
    const { totals, sentence } = coverageOf(text.replace(groups, 'head % params.groups) * params.seqlen;'), shape);
    // The second and the third head of four change places with their group.
    expect(totals.missed).toBeGreaterThanOrEqual(totals.required / 2 - 1);
    expect(sentence).toMatch(/never reached/);
  });
});
