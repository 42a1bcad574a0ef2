import { describe, expect, it } from 'vitest';
import { completeShape } from '../../../src/core/attention/catalogue.js';
import type { Inputs, Options } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens, type Bench } from './run-reference.js';

const size = { batch: 2, seqlen: 23, chunk: 5, headDim: 8, headDimV: 12 };

function flash(options: Options, shape = {}): Bench {
  return bench('flash-mixed-chunk', 'forward', { ...size, ...shape }, options);
}

/** The inputs with biases so low that no pair has a weight in its chunk: what is left is the linear part. */
const withoutLocal = (inputs: Inputs): Inputs => ({ ...inputs, bias: inputs.bias!.map(() => -1e6) });

const gate = (values: ArrayLike<number>, u: Float32Array): Float64Array =>
  Float64Array.from(values, (value, at) => value * u[at]!);

describe('the shape', () => {
  it('has a table for the distances in a chunk', () => {
    const { mechanism } = flash({});
    expect(completeShape(mechanism, { seqlen: 23, chunk: 5 }).biasDim).toBe(9);
    expect(completeShape(mechanism, { seqlen: 23, chunk: 64 }).biasDim).toBe(127);
  });

  it('says which chunks and tables do not do', () => {
    const { mechanism, shape, options } = flash({});
    expect(mechanism.validate({ ...shape, chunk: 0 }, options)).toMatch(/chunk is 0.*at least 1/);
    expect(mechanism.validate({ ...shape, biasDim: 7 }, options)).toMatch(/biasDim is 7.*4 tokens away.*9/);
    expect(mechanism.validate({ ...shape, biasDim: 10 }, options)).toMatch(/odd/);
    // A chunk longer than the sequence has no distances beyond it.
    expect(mechanism.validate({ ...shape, chunk: 1000, biasDim: 45 }, options)).toBeNull();
  });

  it('counts the products of the pairs in a chunk, and for each token an update and a read of the state', () => {
    for (const [causal, pairs] of [
      [true, 4 * 15 + 6],
      [false, 4 * 25 + 9],
    ] as const) {
      const { computation, shape, options } = flash({ causal });
      expect(computation.flops(shape, options)).toBe(2 * 2 * (pairs * (8 + 12) + 2 * 23 * 8 * 12));
    }
  });
});

describe('one mechanism as a special case of another', () => {
  for (const causal of [true, false]) {
    it(`${causal ? 'causal' : 'not causal'}: one chunk for all without a linear part is a gated attention unit`, () => {
      for (const chunk of [23, 40]) {
        const { inputs, run } = flash({ causal, scale: 0.3, linScale: 0 }, { chunk, biasDim: 79 });
        const options = { causal, scale: 0.3 };
        const unit = bench('gated-attention-unit', 'forward', { ...size, biasDim: 79 }, options);
        const { v, u, bias } = inputs;
        const o = unit.run({ q: inputs.q_quad!, k: inputs.k_quad!, v: v!, u: u!, bias: bias! }).o!.values;
        expect(run(inputs).o!.values).toEqual(o);
      }
    });
  }

  it('a causal chunk for all needs no linear part: there are no chunks before it', () => {
    const shape = { chunk: 23 };
    const alone = flash({ linScale: 0 }, shape);
    const with1 = flash({ linScale: 1 }, shape);
    expect(with1.run(alone.inputs).o!.values).toEqual(alone.run(alone.inputs).o!.values);
  });

  it('not causal, the linear part is linear attention without feature map and divisor, own chunk included', () => {
    const { inputs, run } = flash({ causal: false, linScale: 0.3 });
    const linear = bench(
      'linear-attention',
      'forward',
      { ...size, heads: 1 },
      { feature: 'identity', normalize: false, causal: false, scale: 0.3 },
    );
    const expected = linear.run({ q: inputs.q_lin!, k: inputs.k_lin!, v: inputs.v! }).o!.values;
    expect(distance(run(withoutLocal(inputs)).o!.values, gate(expected, inputs.u!))).toBeLessThan(1e-6);
  });

  it('with chunks of one token, a token has a weight by its own score and meets all before it linearly', () => {
    const { inputs, run } = flash({ scale: 0.2, linScale: 0.3 }, { batch: 1, chunk: 1 });
    const { q_quad: q, k_quad: k, q_lin: qLin, k_lin: kLin, v, u, bias } = inputs;
    const dot = (a: Float32Array, i: number, b: Float32Array, j: number): number =>
      a.subarray(i * 8, i * 8 + 8).reduce((sum, value, d) => sum + value * b[j * 8 + d]!, 0);
    const o = new Float64Array(23 * 12);
    for (let i = 0; i < 23; i++) {
      for (let e = 0; e < 12; e++) {
        let sum = Math.max(Math.fround(0.2) * dot(q!, i, k!, i) + bias![0]!, 0) ** 2 * v![i * 12 + e]!;
        for (let j = 0; j < i; j++) sum += Math.fround(0.3) * dot(qLin!, i, kLin!, j) * v![j * 12 + e]!;
        o[i * 12 + e] = u![i * 12 + e]! * sum;
      }
    }
    expect(distance(run(inputs).o!.values, o)).toBeLessThan(1e-6);
  });
});

describe('the causal linear part', () => {
  it('leaves out the own chunk, and reads all before it', () => {
    const { inputs, run } = flash({}, { batch: 1 });
    const given = withoutLocal(inputs);
    const o = run(given).o!.values;
    expect(tokens(o as Float64Array, 23, 12, 0, 5).every((value) => value === 0)).toBe(true);
    // Values of one token at a time: it reaches the chunks after its own, and all of their tokens.
    for (const token of [0, 4, 5, 13, 22]) {
      const v = given.v!.map((value, at) => (Math.floor(at / 12) === token ? value : 0));
      const reached = run({ ...given, v }).o!.values;
      const first = (Math.floor(token / 5) + 1) * 5;
      for (let row = 0; row < 23; row++) expect(reached[row * 12] !== 0, `${token} to ${row}`).toBe(row >= first);
    }
  });

  it('moves with the tokens where a whole chunk of zeros goes before them', () => {
    const { inputs, run } = flash({}, { batch: 1 });
    const longer = flash({}, { batch: 1, seqlen: 28 });
    const moved: Record<string, Float32Array> = { ...inputs };
    for (const [name, width] of [
      ['q_quad', 8],
      ['k_quad', 8],
      ['q_lin', 8],
      ['k_lin', 8],
      ['v', 12],
      ['u', 12],
    ] as const) {
      moved[name] = new Float32Array(28 * width);
      moved[name].set(inputs[name]!, 5 * width);
    }
    expect(tokens(longer.run(moved).o!.values as Float64Array, 28, 12, 5, 28)).toEqual(run(inputs).o!.values);
  });
});

describe('the output', () => {
  for (const causal of [true, false]) {
    it(`${causal ? 'causal' : 'not causal'}: is linear in the values, and in the gates`, () => {
      const { inputs, computation, shape, options, run } = flash({ causal });
      const other = computation.generate(shape, options, 8);
      for (const name of ['v', 'u']) {
        const of = (values: Float32Array): ArrayLike<number> => run({ ...inputs, [name]: values }).o!.values;
        const [a, b] = [of(inputs[name]!), of(other[name]!)];
        const sum = of(inputs[name]!.map((value, at) => 2 * value - other[name]![at]!));
        const expected = Float64Array.from(a, (value, at) => 2 * value - b[at]!);
        expect(distance(sum, expected)).toBeLessThan(1e-6);
      }
    });
  }

  it('keeps its earlier rows to the bit when later tokens change', () => {
    const { inputs, run } = flash({});
    const changed: Record<string, Float32Array> = { ...inputs };
    for (const [name, values] of Object.entries(inputs)) {
      const width = values.length / 46;
      if (name === 'bias') continue;
      changed[name] = values.map((value, at) => (Math.floor(at / width) % 23 > 12 ? value + 1 : value));
    }
    const after = run(changed).o!.values as Float64Array;
    const before = run(inputs).o!.values as Float64Array;
    expect(tokens(after, 23, 12, 0, 13)).toEqual(tokens(before, 23, 12, 0, 13));
    expect(distance(after, before)).toBeGreaterThan(1e-2);
  });

  it('does not depend on what stands in the table beyond the distances in a chunk', () => {
    const long = flash({ causal: false }, { biasDim: 19 });
    const { run } = flash({ causal: false });
    const bias = long.inputs.bias!;
    const cut = run({ ...long.inputs, bias: bias.subarray(5, 14) }).o!.values;
    expect(long.run(long.inputs).o!.values).toEqual(cut);
  });
});

describe('sampling beyond a budget', () => {
  for (const causal of [true, false]) {
    it(`${causal ? 'causal' : 'not causal'}: computes rows of the output that equal those of the whole`, () => {
      const { inputs, run } = flash({ causal });
      const full = run(inputs).o!.values;
      const { rows, values } = run(inputs, 'f64', 7_000).o!;
      expect(rows!.length).toBeLessThan(46);
      expect(rows!.length).toBeGreaterThan(2);
      expect([rows![0], rows!.at(-1)]).toEqual([0, 45]);
      rows!.forEach((row, place) => {
        expect(values.subarray(place * 12, place * 12 + 12)).toEqual(full.subarray(row * 12, row * 12 + 12));
      });
    });
  }

  it('computes whole sequences of a backward pass, and leaves out the sum over all', () => {
    const { inputs, run } = bench('flash-mixed-chunk', 'backward', { ...size, batch: 3 }, {});
    const full = run(inputs);
    const sampled = run(inputs, 'f64', 1);
    for (const [name, width] of [
      ['dq_quad', 8],
      ['dk_lin', 8],
      ['dv', 12],
    ] as const) {
      expect(sampled[name]!.rows).toHaveLength(46);
      expect(sampled[name]!.values.subarray(23 * width)).toEqual(full[name]!.values.subarray(2 * 23 * width));
    }
    expect(sampled.dbias!.values.every(Number.isNaN)).toBe(true);
  });
});
