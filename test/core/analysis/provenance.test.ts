import { describe, expect, it } from 'vitest';
import { createProvenance, type ProvenanceRecorder } from '../../../src/core/analysis/provenance.js';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import type { Plan } from '../../../src/core/kernel/model.js';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';

/** A kernel that binds everything a mechanism can have; what it does is up to the test. */
function kernelText(mechanism: string, scalar: string, tensors: readonly string[]): string {
  const bindings = tensors.map(
    (name, index) => `@group(0) @binding(${index}) var<storage, read> ${name}: array<${scalar}>;`,
  );
  return `/*---
mechanism: ${mechanism}
passes: { workgroups: [seqlen, heads, batch] }
---*/
${scalar.includes('f16') ? 'enable f16;' : ''}
${bindings.join('\n')}
@group(0) @binding(20) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(8)
fn main() { o[0] = f32(${tensors.map((name) => `${name}[0]`).join(' + ')}); }
`;
}

interface Bench {
  readonly plan: Plan;
  readonly recorder: ProvenanceRecorder;
  /** The tag that the word of a row and column of a tensor carries when it is loaded. Rows count over all planes. */
  readonly word: (tensor: string, row: number, column: number) => number;
}

function bench(
  mechanism: string,
  shape: Shape,
  {
    scalar = 'f32',
    options = {},
    tensors = ['q', 'k', 'v'],
  }: {
    readonly scalar?: string;
    readonly options?: Options;
    readonly tensors?: readonly string[];
  } = {},
): Bench {
  const kernel = readKernel(kernelText(mechanism, scalar, tensors), 'test')!;
  const result = planKernel(kernel, shape, { ...kernel.options, ...options });
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  const { plan } = result;
  const recorder = createProvenance(plan, kernel.mechanism!, kernel.computation!, null);
  if (!recorder) throw new Error('There is no provenance.');
  recorder.move(0, 0, 0, 0, 0);
  const word = (tensor: string, row: number, column: number): number => {
    const index = plan.buffers.findIndex(({ variable }) => variable === tensor);
    const { content } = plan.buffers[index]!;
    if (content.kind !== 'tensor') throw new Error(`${tensor} is no tensor.`);
    const columns = content.view.dims[content.view.dims.length - 1]!;
    const bytes = content.view.format === 'f16' ? 2 : 4;
    return recorder.base[index]! + ((bytes * (row * columns + column)) >>> 2);
  };
  return { plan, recorder, word };
}

const size = { batch: 1, heads: 2, seqlen: 5, headDim: 3 };

/** The score of a query row and a key row: headDim multiply-adds. */
function score({ recorder, word }: Bench, query: number, key: number, headDim = 3): number {
  let tag = 0;
  for (let column = 0; column < headDim; column++) {
    const product = recorder.multiply(word('q', query, column), word('k', key, column));
    expect(tag === 0 || tag === product).toBe(true);
    tag = product;
  }
  return tag;
}

/** Multiplies a weight with all columns of a row of values. */
function weigh({ recorder, word }: Bench, weight: number, key: number, headDimV = 3): void {
  for (let column = 0; column < headDimV; column++) recorder.multiply(weight, word('v', key, column));
}

describe('scores', () => {
  it('a product of query and key is the score of their pair, column by column', () => {
    const b = bench('softmax-attention', size);
    expect(score(b, 1, 0)).toBe(score(b, 1, 0));
    expect(score(b, 1, 2)).not.toBe(score(b, 1, 0));
    expect(score(b, 2, 1)).not.toBe(score(b, 1, 2));
    expect([...b.recorder.formed.row(1)]).toEqual([9, 0, 6, 0, 0]);
    expect(b.recorder.formed.row(3).length).toBe(0);
  });

  it('the order of the factors does not matter', () => {
    const { recorder, word } = bench('softmax-attention', size);
    expect(recorder.multiply(word('k', 4, 0), word('q', 2, 0))).toBe(
      recorder.multiply(word('q', 2, 1), word('k', 4, 1)),
    );
  });

  it('a query of one head and a key of another make no score', () => {
    const b = bench('softmax-attention', size);
    const mixed = b.recorder.multiply(b.word('q', 1, 0), b.word('k', 5, 0));
    expect(b.recorder.foreignProducts).toBe(1);
    expect(b.recorder.multiply(mixed, b.word('v', 0, 0))).toBe(mixed);
    expect(b.recorder.used.row(1).length).toBe(0);
  });

  it('grouped queries meet the keys of their group', () => {
    const b = bench('softmax-attention', { batch: 2, heads: 4, headsKv: 2, seqlen: 5, headDim: 3 });
    // Batch 1, head 2, query 3 uses key head 1 of batch 1, whose rows begin at (1 * 2 + 1) * 5.
    score(b, (1 * 4 + 2) * 5 + 3, 15 + 4);
    expect([...b.recorder.formed.row(33)]).toEqual([0, 0, 0, 0, 3]);
    b.recorder.multiply(b.word('q', 33, 0), b.word('k', 10, 0));
    expect(b.recorder.foreignProducts).toBe(1);
  });

  it('sums and products within one row keep its tag: a rotation, a norm, a feature map', () => {
    const { recorder, word } = bench('softmax-attention', size);
    const rotated = recorder.join(word('k', 2, 0), word('k', 2, 1));
    const squared = recorder.multiply(word('k', 2, 0), word('k', 2, 0));
    const normed = recorder.join(word('k', 2, 1), recorder.join(squared, recorder.multiply(word('k', 2, 2), rotated)));
    const tag = recorder.multiply(word('q', 4, 0), normed);
    expect(tag).toBe(recorder.multiply(word('q', 4, 0), word('k', 2, 0)));
  });
});

describe('weights', () => {
  it('a weight that meets the values of its key is a use, headDimV times', () => {
    const b = bench('softmax-attention', { ...size, headDimV: 4 });
    weigh(b, score(b, 3, 1), 1, 4);
    expect([...b.recorder.used.row(3)]).toEqual([0, 4, 0, 0, 0]);
  });

  it('a score less the maximum of its row is that score', () => {
    const b = bench('softmax-attention', size);
    const scores = [0, 1, 2].map((key) => score(b, 2, key));
    const { join } = b.recorder;
    const maximum = join(join(scores[0]!, scores[1]!), scores[2]!);
    expect(scores.map((tag) => join(tag, maximum))).toEqual(scores);
    scores.forEach((tag, key) => weigh(b, join(tag, maximum), key));
    expect([...b.recorder.used.row(2)]).toEqual([3, 3, 3, 0, 0]);
  });

  it('a score less a maximum that is one other score is still used with its own key', () => {
    const b = bench('softmax-attention', size);
    weigh(b, b.recorder.join(score(b, 2, 1), score(b, 2, 0)), 1);
    expect([...b.recorder.used.row(2)]).toEqual([0, 3, 0, 0, 0]);
  });

  it('a maximum or a sum that meets values is no use; nor is a result that is rescaled', () => {
    const b = bench('softmax-attention', size);
    const { join, multiply } = b.recorder;
    const scores = [0, 1, 2].map((key) => score(b, 2, key));
    const sum = join(join(scores[0]!, scores[1]!), scores[2]!);
    weigh(b, sum, 2);
    expect(join(sum, scores[2]!)).toBe(sum);
    const result = multiply(scores[1]!, b.word('v', 1, 0));
    expect(multiply(result, sum)).toBe(result);
    expect(join(result, sum)).toBe(result);
    // A masked weight is a constant: its product keeps the tag of the value, which is then rescaled.
    multiply(b.word('v', 4, 0), sum);
    expect([...b.recorder.used.row(2)]).toEqual([0, 1, 0, 0, 0]);
  });

  it('values of another row than the weight are no use', () => {
    const b = bench('softmax-attention', size);
    weigh(b, score(b, 2, 1), 2);
    expect(b.recorder.used.row(2).length).toBe(0);
  });

  it('a factor of a score changes nothing', () => {
    const b = bench('softmax-attention', size);
    const tag = score(b, 2, 1);
    expect(b.recorder.multiply(tag, b.word('q', 2, 0))).toBe(tag);
    expect(b.recorder.multiply(b.word('k', 1, 0), tag)).toBe(tag);
  });

  it('packed halves: a word holds two columns, and a weight may carry the pair of its neighbour', () => {
    const b = bench('softmax-attention', { ...size, headDim: 4 }, { scalar: 'f16' });
    expect(b.word('k', 1, 2)).toBe(b.word('k', 1, 3));
    const first = score(b, 3, 2, 4);
    const second = score(b, 3, 3, 4);
    expect([...b.recorder.formed.row(3)]).toEqual([0, 0, 4, 4, 0]);
    const packed = b.recorder.join(first, second);
    weigh(b, packed, 2, 4);
    weigh(b, packed, 3, 4);
    expect([...b.recorder.used.row(3)]).toEqual([0, 0, 4, 4, 0]);
  });

  it('packed halves of two keys in one word are two scores', () => {
    const b = bench('softmax-attention', { ...size, headDim: 4 }, { scalar: 'f16' });
    for (let column = 0; column < 4; column++) {
      const keys = b.recorder.join(b.word('k', 0, column), b.word('k', 1, column));
      b.recorder.multiply(b.word('q', 3, column), keys);
      b.recorder.multiply(b.word('q', 3, column), keys);
    }
    expect([...b.recorder.formed.row(3)]).toEqual([4, 4, 0, 0, 0]);
  });
});

/** k vᵀ of one element, for the keys of a list: the sum of their products. */
function stateOf({ recorder, word }: Bench, keys: readonly number[]): number {
  return keys
    .map((key) => recorder.multiply(word('k', key, 0), word('v', key, 0)))
    .reduce((sum, tag) => recorder.join(sum, tag));
}

describe('states', () => {
  const linear = { tensors: ['q', 'k', 'v', 's0', 'z0'] };

  /** The keys that one multiply-add of query 4 with a tag visits, and how often. */
  function visited(b: Bench, tag: number): readonly object[] {
    b.recorder.multiply(b.word('q', 4, 0), tag);
    const runs: object[] = [];
    b.recorder.through.forEach((row, set, count) => {
      if (row === 4) runs.push(...b.recorder.sets.runs(set).map((run) => ({ ...run, count })));
    });
    return runs;
  }

  it('a key times a value of another key is no state', () => {
    const b = bench('linear-attention', size, linear);
    expect(visited(b, b.recorder.multiply(b.word('k', 1, 0), b.word('v', 2, 0)))).toEqual([]);
  });

  it('products of keys and values add up to the keys in the state, in any order', () => {
    const b = bench('linear-attention', size, linear);
    expect(stateOf(b, [2, 0, 1])).toBe(stateOf(b, [0, 1, 2]));
    expect(visited(b, stateOf(b, [0, 1, 2]))).toEqual([{ from: 0, to: 3, times: 1, count: 1 }]);
  });

  it('a gap and a key taken twice stay visible', () => {
    const b = bench('linear-attention', size, linear);
    const state = b.recorder.join(stateOf(b, [0, 1, 3]), stateOf(b, [1, 3, 4]));
    expect(visited(b, state)).toEqual([
      { from: 0, to: 1, times: 1, count: 1 },
      { from: 1, to: 2, times: 2, count: 1 },
      { from: 3, to: 4, times: 2, count: 1 },
      { from: 4, to: 5, times: 1, count: 1 },
    ]);
  });

  it('a state before the first token has no keys and takes in those that come', () => {
    const b = bench('linear-attention', size, linear);
    const initial = b.word('s0', 0, 0);
    expect(visited(b, initial)).toEqual([]);
    expect(b.recorder.join(initial, stateOf(b, [0, 1]))).toBe(stateOf(b, [0, 1]));
    expect(b.recorder.join(stateOf(b, [0, 1]), initial)).toBe(stateOf(b, [0, 1]));
  });

  it('a sum of keys is a denominator: queries that meet it visit nothing', () => {
    const b = bench('linear-attention', size, linear);
    const { join } = b.recorder;
    const sum = join(join(b.word('z0', 0, 0), b.word('k', 0, 0)), b.word('k', 1, 0));
    expect(visited(b, sum)).toEqual([]);
    expect(b.recorder.formed.row(4).length).toBe(0);
    // A denominator that meets a score stays one.
    expect(join(b.recorder.multiply(b.word('q', 4, 0), sum), score(b, 4, 0))).toBe(b.recorder.space.mixed);
  });

  it('a key less the largest of the keys it is among is that key; one that is not among them is a sum with them', () => {
    const { recorder, word } = bench(
      'performer-attention',
      { heads: 1, seqlen: 4, headDim: 4 },
      { tensors: ['q', 'k', 'v', 'projection'] },
    );
    const { join } = recorder;
    const k = (row: number): number => word('k', row, 0);
    const largest = [0, 1, 2].map(k).reduce(join);
    for (const row of [0, 1, 2]) {
      expect(join(k(row), largest)).toBe(k(row));
      expect(join(largest, k(row))).toBe(k(row));
    }
    expect(join(largest, k(3))).toBe([0, 1, 2, 3].map(k).reduce(join));
  });

  it('a query and the state of another head make no visit', () => {
    const b = bench('linear-attention', size, linear);
    expect(visited(b, stateOf(b, [5, 6]))).toEqual([]);
    expect(b.recorder.foreignProducts).toBe(1);
  });

  it('thousands of states of running sums are told apart', () => {
    const b = bench('linear-attention', { batch: 1, heads: 1, seqlen: 3000, headDim: 1 }, linear);
    let state = 0;
    for (let key = 0; key < 3000; key++) {
      const update = b.recorder.multiply(b.word('k', key, 0), b.word('v', key, 0));
      state = state === 0 ? update : b.recorder.join(state, update);
      b.recorder.multiply(b.word('q', key, 0), state);
    }
    const wrong: number[] = [];
    let visits = 0;
    b.recorder.through.forEach((row, set, count) => {
      visits += count;
      const [run] = b.recorder.sets.runs(set);
      if (run?.from !== 0 || run.to !== row + 1) wrong.push(row);
    });
    expect(visits).toBe(3000);
    expect(wrong).toEqual([]);
  });
});

describe('steps', () => {
  it('keeps the tiles of each epoch and phase, over all invocations', () => {
    const b = bench('softmax-attention', size);
    const { recorder } = b;
    for (const invocation of [0, 1]) {
      for (const phase of [0, 1]) {
        recorder.move(0, 7, invocation, 2, phase);
        score(b, 5 + invocation, 5 + 2 * phase);
      }
    }
    recorder.move(0, 8, 0, 0, 0);
    const record = recorder.workgroups.find(({ workgroup }) => workgroup === 7)!;
    const tile = { by: 'score', plane: 1, rowLow: 5, rowHigh: 10, row0: 5, row1: 7, products: 6 };
    expect(record.tiles(2, 0)).toEqual([{ ...tile, key0: 0, key1: 1 }]);
    expect(record.tiles(2, 1)).toEqual([{ ...tile, key0: 2, key1: 3 }]);
    expect(record.scoreProducts).toBe(12);
  });

  it('says what workgroup memory holds at the end of an epoch', () => {
    const b = bench('softmax-attention', size);
    const { recorder, word } = b;
    const left = Int32Array.of(word('q', 6, 1), word('q', 8, 2), 0);
    const right = Int32Array.of(score(b, 1, 3), word('v', 2, 0), score(b, 2, 0));
    recorder.move(0, 0, 0, 4, 0);
    recorder.epochEnd(['left', 'right'], [left, right]);
    expect(recorder.workgroups[0]!.held(4)).toEqual([
      {
        variable: 'left',
        content: 'q',
        tensor: 'q',
        plane: 1,
        words: 2,
        rect: { row0: 1, row1: 4, column0: 1, column1: 3 },
      },
      {
        variable: 'right',
        content: 'scores',
        tensor: null,
        plane: 0,
        words: 2,
        rect: { row0: 1, row1: 3, column0: 0, column1: 4 },
      },
      {
        variable: 'right',
        content: 'v',
        tensor: 'v',
        plane: 0,
        words: 1,
        rect: { row0: 2, row1: 3, column0: 0, column1: 1 },
      },
    ]);
  });

  it('counts the bytes of each tensor that are staged', () => {
    const { recorder, word } = bench('softmax-attention', size);
    recorder.stage(0, word('k', 1, 0), 16);
    recorder.stage(1, word('k', 2, 0), 4);
    recorder.stage(1, recorder.space.pairBase, 4);
    expect([recorder.stagedBytes(0, 'q'), recorder.stagedBytes(0, 'k'), recorder.stagedBytes(1, 'k')]).toEqual([
      0, 20, 0,
    ]);
  });
});

describe('what cannot be followed', () => {
  const planOf = (text: string, shape: Shape): Plan => {
    const kernel = readKernel(text, 'test')!;
    const result = planKernel(kernel, shape, kernel.options);
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    return result.plan;
  };
  const recorderOf = (text: string, shape: Shape): ProvenanceRecorder | null => {
    const { mechanism, computation } = readKernel(text, 'test')!;
    return createProvenance(planOf(text, shape), mechanism!, computation!, null);
  };

  it('a word that holds the ends of two rows', () => {
    const text = kernelText('softmax-attention', 'f16', ['q', 'k', 'v']);
    expect(recorderOf(text, { ...size, headDim: 3 })).toBeNull();
    expect(recorderOf(text, { ...size, headDim: 4 })).not.toBeNull();
  });

  it('more pairs than there are tags', () => {
    const text = kernelText('softmax-attention', 'f32', ['q', 'k', 'v']);
    expect(recorderOf(text, { batch: 1, heads: 8, seqlen: 32768, headDim: 4 })).toBeNull();
    expect(recorderOf(text, { batch: 1, heads: 4, seqlen: 16384, headDim: 4 })).not.toBeNull();
  });
});

describe('values that are corrected', () => {
  const rule = (): Bench => bench('delta-rule', size, { tensors: ['q', 'k', 'v', 'beta', 's0'] });

  it('a value less what a state predicts of it is that value, and its product with its key a state', () => {
    const b = rule();
    const { multiply, join } = b.recorder;
    const predicted = multiply(b.word('k', 2, 0), b.word('s0', 0, 0));
    const correction = join(b.word('v', 2, 1), predicted);
    expect(correction).toBe(b.word('v', 2, 1));
    const state = multiply(b.word('k', 2, 0), correction);
    const first = multiply(b.word('k', 1, 0), b.word('v', 1, 0));
    multiply(b.word('q', 2, 0), join(join(b.word('s0', 0, 1), first), state));
    expect(throughOf(b)).toEqual([[2, [1, 2], 1]]);
  });

  it('a row that is solved by substitution stays the value it began with', () => {
    const b = rule();
    const { multiply, join } = b.recorder;
    const overlap = multiply(b.word('k', 3, 0), b.word('k', 1, 0));
    const solved = join(b.word('v', 3, 2), multiply(overlap, b.word('v', 1, 2)));
    weigh(b, score(b, 4, 3), 3, 2);
    multiply(score(b, 4, 3), solved);
    expect([...b.recorder.used.row(4)]).toEqual([0, 0, 0, 3, 0]);
  });

  it('a matrix takes a state on without counting its keys again', () => {
    const b = rule();
    const { multiply, join } = b.recorder;
    const matrix = multiply(b.word('k', 1, 0), b.word('k', 0, 0));
    const state = multiply(b.word('k', 1, 1), b.word('v', 1, 0));
    const carried = join(join(multiply(matrix, state), multiply(matrix, state)), multiply(matrix, state));
    const next = join(carried, multiply(b.word('k', 2, 0), b.word('v', 2, 0)));
    multiply(b.word('q', 3, 0), next);
    expect(throughOf(b)).toEqual([[3, [1, 2], 1]]);
  });

  it('are none where the mechanism has none: a value with something added is mixed', () => {
    const b = bench('softmax-attention', size);
    const mixed = b.recorder.multiply(b.word('k', 1, 0), b.word('v', 0, 0));
    expect(b.recorder.join(b.word('v', 2, 0), mixed)).toBe(mixed);
  });
});

/** The visits of states: query row, keys and multiply-adds. */
function throughOf({ recorder }: Bench): [number, number[], number][] {
  const visits: [number, number[], number][] = [];
  recorder.through.forEach((row, set, count) => {
    const keys = recorder.sets
      .runs(set)
      .flatMap(({ from, to, times }) =>
        Array.from({ length: (to - from) * times }, (_, at) => from + (at % (to - from))),
      );
    visits.push([row, keys, count]);
  });
  return visits;
}
