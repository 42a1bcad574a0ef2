import { describe, expect, it } from 'vitest';
import { coordinates } from '../../../src/core/numerics/element-errors.js';
import { fromBase64 } from '../../../src/core/numerics/base64.js';
import { judgeTensor, type Question } from '../../../src/core/numerics/compare.js';
import { roundTo } from '../../../src/core/numerics/ulp.js';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import type { TensorVerdict } from '../../../src/core/numerics/verdict.js';
import { bench } from '../attention/run-reference.js';

interface Setup {
  readonly id?: string;
  readonly tensor?: string;
  readonly shape?: Shape;
  readonly options?: Options;
  readonly direction?: 'forward' | 'backward';
  readonly format?: 'f32' | 'f16';
  readonly budget?: number;
}

/** The question a right kernel would raise: the naive algorithm's own output, stored in the format. */
function rightQuestion(setup: Setup = {}): Question {
  const { id = 'softmax-attention', tensor = 'o', direction = 'forward', format = 'f32', budget = Infinity } = setup;
  const given = setup.shape ?? { batch: 1, heads: 4, seqlen: 130, headDim: 16 };
  const { computation, inputs, run } = bench(id, direction, given, setup.options ?? {});
  const whole = run(inputs, 'f32')[tensor]!;
  return {
    spec: computation.tensors.find(({ name }) => name === tensor)!,
    direction,
    format,
    reference: run(inputs, 'f64', budget)[tensor]!,
    baseline: run(inputs, 'f32', budget)[tensor]!,
    values: Float32Array.from(whole.values, (value) => roundTo(format, value)),
    states: new Uint8Array(whole.values.length),
    guardsTouched: 0,
    withMap: true,
  };
}

/** The verdict after changing what the kernel left: `change` may write values and states. */
function judged(setup: Setup, change: (question: Question, at: (...index: number[]) => number) => void): TensorVerdict {
  const question = rightQuestion(setup);
  const { dims } = question.reference;
  change(question, (...index) => index.reduce((place, part, axis) => place * dims[axis]! + part, 0));
  return judgeTensor(question);
}

/** Calls `visit` with every element's coordinates. */
function each(question: Question, visit: (index: readonly number[], at: number) => void): void {
  for (let at = 0; at < question.values.length; at++) visit(coordinates(question.reference.dims, at), at);
}

describe('a right tensor', () => {
  it('passes, with its error beside the bound and the naive algorithm', () => {
    const verdict = judgeTensor(rightQuestion());
    expect(verdict).toMatchObject({ passed: true, wrong: 0, firstWrong: null, bound: 2e-5, compared: 130 * 64 });
    expect(verdict.rmsRatio).toBeGreaterThan(1e-9);
    expect(verdict.rmsRatio).toBeLessThan(1e-6);
    expect(verdict.timesNaive).toBeCloseTo(1, 6);
    expect(verdict.maxUlp).toBeGreaterThan(0);
    expect(verdict.sentence).toMatch(/^o is right: RMS error \S+ where 2e-5 is allowed, 1 × naive\.$/);
    expect(verdict.histogram.counts.reduce((sum, count) => sum + count, verdict.histogram.exact)).toBe(130 * 64);
  });

  it('passes for every mechanism, output and gradient', () => {
    for (const id of ['softmax-attention', 'linear-attention', 'lightning-attention']) {
      for (const direction of ['forward', 'backward'] as const) {
        const shape = { batch: 2, heads: 2, seqlen: 20, headDim: 8 };
        const { computation } = bench(id, direction, shape, {});
        for (const { name, role } of computation.tensors) {
          if (role === 'output') {
            const verdict = judgeTensor(rightQuestion({ id, direction, tensor: name, shape }));
            expect(verdict.passed, `${id} ${direction}: ${verdict.sentence}`).toBe(true);
          }
        }
      }
    }
  });

  it('passes by the absolute escape where the truth is nearly zero', () => {
    const verdict = judged({}, (question) => {
      question.reference.values.fill(1e-12);
      question.values.fill(5e-7);
    });
    expect(verdict.passed).toBe(true);
    expect(verdict.rmsRatio).toBeGreaterThan(1);
    expect(
      judged({}, ({ reference, values }) => {
        reference.values.fill(1e-12);
        values.fill(2e-6);
      }).passed,
    ).toBe(false);
  });

  it('says how much was compared where rows were sampled, and ignores the rest', () => {
    const verdict = judged({ budget: 100_000 }, (question) => {
      const compared = new Set(question.reference.rows);
      each(question, (_, at) => {
        if (!compared.has(Math.floor(at / 16))) question.values[at] = 1e6;
      });
    });
    expect(verdict.passed).toBe(true);
    expect(verdict.compared).toBeLessThan(verdict.elements);
    expect(verdict.sentence).toContain(`on ${verdict.compared} of ${verdict.elements} elements`);
    expect(fromBase64(verdict.map!.states)).toContain(4);
  });

  it('takes -infinity or a sentinel for the log-sum-exp of a row without keys', () => {
    const shape = { heads: 1, seqlen: 9, seqlenK: 5, headDim: 8 };
    for (const [value, state] of [
      [-Infinity, 2],
      [-1e30, 0],
      [-3.4e38, 0],
    ] as const) {
      const verdict = judged({ tensor: 'lse', shape }, ({ values, states }) => {
        values.fill(value, 0, 4);
        states.fill(state, 0, 4);
      });
      expect(verdict.passed, verdict.sentence).toBe(true);
    }
  });
});

describe('a wrong tensor', () => {
  it('is caught one element at a time beyond a hundred times the bound, though its RMS is fine', () => {
    const size = 8 * 512 * 64;
    const base: Question = { ...rightQuestion(), values: new Float32Array(size).fill(1), states: new Uint8Array(size) };
    const reference = { dims: [1, 8, 512, 64], rows: null, values: new Float64Array(size).fill(1), exactRows: null };
    for (const [factor, passed] of [
      [90, true],
      [110, false],
    ] as const) {
      const question = { ...base, reference, baseline: reference, values: base.values.slice() };
      question.values[12_345] = 1 + factor * 2e-5;
      const verdict = judgeTensor(question);
      expect(verdict.rmsRatio).toBeLessThan(2e-5);
      expect(verdict.passed).toBe(passed);
      if (!passed) {
        expect(verdict).toMatchObject({ wrong: 1, firstWrong: [0, 0, 192, 57] });
        expect(verdict.worst[0]).toMatchObject({ index: [0, 0, 192, 57], state: 'ok' });
        expect(verdict.worst[0]!.error).toBeGreaterThan(verdict.worst[0]!.bound);
        expect(verdict.sentence).toContain('in row 192 only');
      }
    }
  });

  it('is caught by its RMS ratio, and the elements to blame are shown', () => {
    const verdict = judged({}, ({ values }) =>
      values.forEach((value, at) => (values[at] = value * (1 + 1e-4 * ((at % 3) - 1)))),
    );
    expect(verdict.passed).toBe(false);
    expect(verdict.wrong).toBeGreaterThan(100);
    expect(verdict.sentence).toMatch(/RMS error \S+ where 2e-5 is allowed \(\d+ × naive\)/);
  });

  it('names elements never written, NaN and infinite, apart and with their places', () => {
    const verdict = judged({}, ({ values, states }, at) => {
      for (let head = 0; head < 4; head++) {
        for (let row = 128; row < 130; row++) {
          values.fill(Number.NaN, at(0, head, row, 0), at(0, head, row, 0) + 16);
          states.fill(3, at(0, head, row, 0), at(0, head, row, 0) + 16);
        }
      }
      values[at(0, 2, 7, 3)] = Number.NaN;
      states[at(0, 2, 7, 3)] = 1;
      values[at(0, 3, 9, 1)] = Infinity;
      states[at(0, 3, 9, 1)] = 2;
    });
    expect(verdict).toMatchObject({
      passed: false,
      unwritten: 128,
      nan: 1,
      infinite: 1,
      rmsRatio: null,
      maxAbs: null,
      wrong: 130,
    });
    expect(verdict.sentence).toContain(
      '128 elements of o were never written (from row 128 on), first at head 0, row 128, column 0',
    );
    expect(verdict.sentence).toContain('the rows after the last full tile of 128');
    expect(verdict.sentence).toContain(
      'one element of o is NaN (in head 2 only, in row 7 only, in column 3 only), first at head 2, row 7, column 3',
    );
    expect(verdict.sentence).toContain('one element of o is infinite');
    expect(verdict.worst.slice(0, 6).map(({ state }) => state)).toEqual([
      'unwritten',
      'unwritten',
      'unwritten',
      'unwritten',
      'nan',
      'inf',
    ]);
    expect(verdict.worst[0]!.candidate).toBeNull();
    expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
  });

  it('fails where a guard was touched, though every value is right', () => {
    const verdict = judgeTensor({ ...rightQuestion(), guardsTouched: 3 });
    expect(verdict).toMatchObject({ passed: false, guardsTouched: 3, wrong: 0 });
    expect(verdict.sentence).toBe('The kernel writes outside o: 3 guard words around it changed.');
  });

  it('fails where a row that sees no key is not exactly zero', () => {
    const shape = { heads: 1, seqlen: 9, seqlenK: 5, headDim: 8 };
    expect(judged({ shape }, ({ values }) => (values[3] = -0)).passed).toBe(true);
    const verdict = judged({ shape }, ({ values }) => (values[3] = 1e-9));
    expect(verdict).toMatchObject({ passed: false, wrong: 1 });
    expect(verdict.sentence).toContain('row 0, column 3: 1e-9 where exactly 0 is right');
  });

  it('fails where the log-sum-exp of an empty row is finite, or that of another is not', () => {
    const shape = { heads: 1, seqlen: 9, seqlenK: 5, headDim: 8 };
    const finite = judged({ tensor: 'lse', shape }, ({ values }) => values.fill(0, 0, 4));
    expect(finite).toMatchObject({ passed: false, wrong: 4, maxAbs: null });
    expect(finite.sentence).toContain('0 where -infinity is right');
    const infinite = judged({ tensor: 'lse', shape }, ({ values, states }) => {
      values[6] = -Infinity;
      states[6] = 2;
    });
    expect(infinite).toMatchObject({ passed: false, infinite: 1 });
    const positive = judged({ tensor: 'lse', shape }, ({ values, states }) => {
      values[0] = Infinity;
      states[0] = 2;
    });
    expect(positive.passed).toBe(false);
    const logBase2 = judged({ tensor: 'lse', shape }, ({ values }) =>
      values.forEach((value, at) => (values[at] = value * Math.LOG2E)),
    );
    expect(logBase2).toMatchObject({ passed: false, bound: 1e-4 });
  });
});

describe('the words for a wrong tensor', () => {
  const words = (
    change: (question: Question, at: (...index: number[]) => number) => void,
    setup: Setup = {},
  ): string => {
    const verdict = judged(setup, change);
    expect(verdict.passed).toBe(false);
    return verdict.sentence;
  };
  const add =
    (condition: (index: readonly number[]) => boolean) =>
    (question: Question): void =>
      each(question, (index, at) => {
        if (condition(index)) question.values[at]! += ((at * 7) % 5) - 1.7;
      });

  it('say which heads, rows and columns', () => {
    expect(words(add(([, head = 0, row = 0]) => head === 2 && row >= 65))).toMatch(
      /^o differs in head 2 only, from row 65 on, first at head 2, row 65, column 0: off by 1\.\d+ where \S+ is allowed/,
    );
    expect(words(add(([, head = 0]) => head > 1))).toContain('differs from head 2 on, first');
    expect(words(add(([, , , column = 0]) => column === 3 || column === 5))).toContain('in columns 3 and 5');
    expect(words(add(([, , row = 0]) => row >= 10 && row < 20))).toContain('in rows 10 to 19');
    expect(words(add(() => true))).toContain('differs nearly everywhere, first at head 0, row 0, column 0');
  });

  it('recognise tiles', () => {
    expect(words(add(([, , row = 0]) => row >= 128))).toContain('the rows after the last full tile of 128');
    expect(words(add(([, , row = 0]) => row >= 64))).toContain(
      'row 64 begins a tile of 64: this looks like something lost between tiles',
    );
    expect(words(add(([, , row = 0]) => row % 32 === 31))).toMatch(
      /in every 32nd row from 31 on.*once in every tile of 32 rows/,
    );
  });

  it('recognise values scaled by one factor, negated, or zero', () => {
    const scale =
      (factor: number) =>
      ({ values }: Question) =>
        values.forEach((value, at) => (values[at] = value * factor));
    expect(words(scale(0.125))).toContain('every wrong value looks like the right one times 0.125');
    expect(words(scale(-1))).toContain('every wrong value has the wrong sign');
    expect(words(scale(0))).toContain('every wrong value is zero');
  });

  it('recognise shifted rows and columns, exchanged heads and a transposed state', () => {
    const from =
      (source: (index: readonly number[]) => readonly number[] | null) =>
      (question: Question, at: (...index: number[]) => number): void => {
        const right = question.values.slice();
        each(question, (index, place) => {
          const other = source(index);
          if (other !== null) question.values[place] = right[at(...other)]!;
        });
      };
    expect(words(from(([b = 0, h = 0, r = 0, c = 0]) => (r > 0 ? [b, h, r - 1, c] : null)))).toContain(
      'the reference of the row just before it: a shifted index',
    );
    expect(words(from(([b = 0, h = 0, r = 0, c = 0]) => (r < 127 ? [b, h, r + 3, c] : null)))).toContain(
      'the row 3 rows after it',
    );
    expect(words(from(([b = 0, h = 0, r = 0, c = 0]) => [b, 3 - h, r, c]))).toContain('another head or batch');
    expect(words(from(([b = 0, h = 0, r = 0, c = 0]) => (c < 15 ? [b, h, r, c + 1] : null)))).toContain(
      '1 column to the right',
    );
    const state = { id: 'lightning-attention', tensor: 's', shape: { heads: 2, seqlen: 40, headDim: 16 } };
    expect(
      words(
        from(([b = 0, h = 0, r = 0, c = 0]) => [b, h, c, r]),
        state,
      ),
    ).toContain('the transpose');
  });

  it('claim nothing where nothing fits', () => {
    expect(words(add(([, head = 0, row = 0]) => (head * 31 + row * 17) % 7 === 3))).not.toContain('looks');
  });
});

describe('storage as f16', () => {
  const setup: Setup = { format: 'f16' };

  it('passes a kernel that rounds once, and counts its distance in f16 units', () => {
    const verdict = judgeTensor(rightQuestion(setup));
    expect(verdict).toMatchObject({ passed: true, bound: 5e-3 });
    expect(verdict.maxUlp).toBeLessThanOrEqual(1);
    expect(judgeTensor(rightQuestion({ ...setup, direction: 'backward', tensor: 'dq' })).bound).toBe(1e-2);
  });

  it('fails one that makes more than twice the largest error of the naive algorithm', () => {
    const base = rightQuestion(setup);
    const naive = new Float64Array(base.reference.values).reduce(
      (largest, value, at) => Math.max(largest, Math.abs(base.values[at]! - value)),
      0,
    );
    for (const [factor, passed] of [
      [1.5, true],
      [2.5, false],
    ] as const) {
      const question = { ...base, values: base.values.slice() };
      question.values[100] = base.reference.values[100]! + factor * naive;
      expect(judgeTensor(question).passed).toBe(passed);
    }
  });
});

describe('the error map', () => {
  it('holds every element of a small tensor', () => {
    const verdict = judged({}, ({ values, states }, at) => {
      values[at(0, 1, 2, 3)]! += 0.5;
      states[at(0, 1, 2, 4)] = 1;
    });
    const map = verdict.map!;
    expect(map).toMatchObject({
      planeDims: [
        { name: 'batch', size: 1 },
        { name: 'heads', size: 4 },
      ],
      rowName: 'seqlen',
      columnName: 'headDimV',
      rows: 130,
      columns: 16,
      rowsPerCell: 1,
      columnsPerCell: 1,
      cellRows: 130,
      cellColumns: 16,
    });
    const bytes = fromBase64(map.errors)!;
    const cell = (1 * 130 + 2) * 16 + 3;
    expect(new DataView(bytes.buffer).getFloat32(cell * 4, true)).toBeCloseTo(0.5, 5);
    const states = fromBase64(map.states)!;
    expect(states).toHaveLength(4 * 130 * 16);
    expect([states[cell], states[cell + 1]]).toEqual([0, 1]);
  });

  it('bins a large tensor and keeps the gravest of each cell', () => {
    const verdict = judged({ shape: { heads: 8, seqlen: 300, headDim: 64 } }, ({ values, states }, at) => {
      values[at(0, 7, 299, 63)]! += 2;
      states[at(0, 0, 1, 0)] = 3;
    });
    const map = verdict.map!;
    expect(8 * map.cellRows * map.cellColumns).toBeLessThanOrEqual(65_536);
    expect(map.rowsPerCell * map.columnsPerCell).toBeGreaterThan(1);
    expect(fromBase64(map.states)![0]).toBe(3);
    const errors = new DataView(fromBase64(map.errors)!.buffer);
    expect(errors.getFloat32(errors.byteLength - 4, true)).toBeCloseTo(2, 4);
  });

  it('is left out where not asked for', () => {
    expect(judgeTensor({ ...rightQuestion(), withMap: false }).map).toBeNull();
  });
});

describe('speed', () => {
  it('judges a million elements in well under a second', () => {
    const size = 8 * 2048 * 64;
    const truth = Float64Array.from({ length: size }, (_, at) => Math.sin(at));
    const reference = { dims: [1, 8, 2048, 64], rows: null, values: truth, exactRows: null };
    const right = { ...rightQuestion(), reference, baseline: reference };
    const question = { ...right, values: Float32Array.from(truth), states: new Uint8Array(size) };
    // CPU time: wall-clock time would measure what else the machine is doing.
    const start = process.cpuUsage();
    judgeTensor(question);
    const { user, system } = process.cpuUsage(start);
    const elapsedMs = (user + system) / 1000;
    expect(elapsedMs).toBeLessThan(2000);
  });
});
