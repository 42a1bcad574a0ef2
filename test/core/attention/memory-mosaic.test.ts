import { describe, expect, it } from 'vitest';
import type { Inputs } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 2, seqlen: 9, headDim: 4, headDimV: 6 };

type Row = readonly number[];

const times = (factor: number, row: Row): Row => row.map((x) => factor * x);
const plus = (a: Row, b: Row): Row => a.map((x, at) => x + b[at]!);
const lengthOf = (row: Row): number => Math.hypot(...row);

/** The rows of one head (counted over all sequences) of a tensor. */
function rowsOf(values: ArrayLike<number>, head: number, count: number, width: number): readonly Row[] {
  const all = Array.from(values);
  return Array.from({ length: count }, (_, t) => all.slice((head * count + t) * width, (head * count + t + 1) * width));
}

/**
 * Nadaraya–Watson regression with a Gaussian kernel, written out for one head: the estimate at a key is the mean of the
 * earlier values, weighed by exp(-|k - k′|² / 2).
 */
function regression(keys: readonly Row[], values: readonly Row[]): readonly Row[] {
  const kernel = (a: Row, b: Row): number => Math.exp(-(lengthOf(plus(a, times(-1, b))) ** 2) / 2);
  return keys.map((key, t) => {
    let sum: Row = values[0]!.map(() => 0);
    let total = 0;
    for (let j = 0; j < t; j++) {
      const weight = kernel(key, keys[j]!);
      sum = plus(sum, times(weight, values[j]!));
      total += weight;
    }
    return t === 0 ? sum : times(1 / total, sum);
  });
}

/** `values` with `change` applied from token `from` on. */
function changedFrom(values: Float32Array, width: number, from: number): Float32Array {
  return values.map((value, at) => (Math.floor(at / width) % size.seqlen >= from ? 1 - 2 * value : value));
}

describe('the context memory of a Memory Mosaic', () => {
  it('is kernel regression of averaged keys on values that look ahead', () => {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, {});
    const { seqlen, headDim, headDimV } = size;
    const found = run(inputs);
    for (let head = 0; head < 4; head++) {
      const of = (name: string): number => inputs[name]![head % 2]!;
      let average: Row = [0, 0, 0, 0];
      const keys = rowsOf(inputs.k!, head, seqlen, headDim).map((k) => {
        average = plus(times(Math.exp(-of('leak')), average), k);
        return times(of('key_scale') / lengthOf(average), average);
      });
      const v = rowsOf(inputs.v!, head, seqlen, headDimV);
      const values = v.map((own, t) => {
        const next = v[t + 1] ?? times(0, own);
        const mixed = plus(times(of('mix'), own), times(1 - of('mix'), next));
        return times(of('value_scale') / lengthOf(mixed), mixed);
      });
      const expected = regression(keys, values).flat();
      expect(distance(rowsOf(found.o!.values, head, seqlen, headDimV).flat(), expected)).toBeLessThan(1e-9);
    }
  });

  it('gives exactly zero to the first token, and to the second the only value before it', () => {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, {});
    const { o, v_hat } = run(inputs);
    const of = (values: ArrayLike<number>, from: number): Float64Array =>
      tokens(Float64Array.from(values), size.seqlen, size.headDimV, from, from + 1);
    expect(of(o!.values, 0).every((x) => x === 0)).toBe(true);
    expect(distance(of(o!.values, 1), of(v_hat!.values, 0))).toBeLessThan(1e-15);
  });

  it('changing the tokens from one on leaves what comes before it bit-identical', () => {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, {});
    const from = 5;
    const part = (given: Inputs, first: number, end: number): Float64Array =>
      tokens(run(given).o!.values as Float64Array, size.seqlen, size.headDimV, first, end);
    const changed = {
      ...inputs,
      k: changedFrom(inputs.k!, size.headDim, from),
      v: changedFrom(inputs.v!, size.headDimV, from),
    };
    expect(part(changed, 0, from)).toEqual(part(inputs, 0, from));
    // The pair of the token before is ended by the value of this one, and this one sees it.
    const valueAlone = { ...inputs, v: changed.v };
    expect(distance(part(valueAlone, from, from + 1), part(inputs, from, from + 1))).toBeGreaterThan(1e-3);
  });

  it('looks no token ahead where mix is one', () => {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, {});
    const alone = { ...inputs, mix: inputs.mix!.map(() => 1) };
    const changed = { ...alone, v: changedFrom(inputs.v!, size.headDimV, 5) };
    const before = (given: Inputs): Float64Array =>
      tokens(run(given).o!.values as Float64Array, size.seqlen, size.headDimV, 0, 6);
    expect(before(changed)).toEqual(before(alone));
  });

  it('is softmax attention over normalised keys and values, one token late, where nothing is averaged or mixed', () => {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, {});
    const { seqlen, headDim, headDimV } = size;
    const plain = { ...inputs, leak: inputs.leak!.map(() => 80), mix: inputs.mix!.map(() => 1) };
    const normed = (name: string, width: number, scales: Float32Array): Float32Array =>
      inputs[name]!.map((x, at, all) => {
        const row = Math.floor(at / width);
        const scale = scales[Math.floor(row / seqlen) % size.heads]!;
        return (scale * x) / lengthOf(Array.from(all.subarray(row * width, (row + 1) * width)));
      });
    const q = normed('k', headDim, inputs.key_scale!);
    const v = normed('v', headDimV, inputs.value_scale!);
    // With the queries from the second token on and the keys up to the last but one, the causal mask is j < t.
    const late = { ...size, seqlen: seqlen - 1 };
    const softmax = bench('softmax-attention', 'forward', late, { scale: 1 });
    const expected = softmax.run({
      q: tokens(q, seqlen, headDim, 1, seqlen),
      k: tokens(q, seqlen, headDim, 0, seqlen - 1),
      v: tokens(v, seqlen, headDimV, 0, seqlen - 1),
    });
    const found = tokens(run(plain).o!.values as Float64Array, seqlen, headDimV, 1, seqlen);
    expect(distance(found, expected.o!.values)).toBeLessThan(1e-6);
  });

  it('does not depend on how long keys and values are', () => {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, { eps: 0 });
    const longer = { ...inputs, k: inputs.k!.map((x) => 8 * x), v: inputs.v!.map((x) => x / 4) };
    expect(run(longer).o!.values).toEqual(run(inputs).o!.values);
  });
});

describe('decoding', () => {
  /** Decodes tokens [from, to) after a prefill of those before, and returns what the step gives. */
  function step(from: number, to: number) {
    const { inputs, run } = bench('memory-mosaic', 'forward', size, {});
    const { seqlen, headDim, headDimV } = size;
    const whole = run(inputs);
    const shape = { ...size, seqlen: to - from, seqlenK: to };
    const decode = bench('memory-mosaic', 'decode', shape, {});
    const part = (values: ArrayLike<number>, width: number, first: number, end: number): Float32Array =>
      tokens(Float32Array.from(values), seqlen, width, first, end);
    const cache = (given: Float32Array, values: ArrayLike<number>, width: number): Float32Array => {
      const rows = part(values, width, 0, to);
      // The room behind the finished pairs holds whatever it holds.
      return rows.map((x, at) => (Math.floor(at / width) % to < from - 1 ? x : given[at]!));
    };
    const keptAverage = averages(inputs, from);
    const none = (width: number): Float32Array => new Float32Array(4 * width);
    const found = decode.run({
      ...inputs,
      k: part(inputs.k!, headDim, from, to),
      v: part(inputs.v!, headDimV, from, to),
      k_bar0: keptAverage,
      v_last: from === 0 ? none(headDimV) : part(inputs.v!, headDimV, from - 1, from),
      k_cache: cache(decode.inputs.k_cache!, whole.k_hat!.values, headDim),
      v_cache: cache(decode.inputs.v_cache!, whole.v_hat!.values, headDimV),
    });
    return { found, whole, average: averages(inputs, to) };
  }

  /** The leaky averages of all heads after `count` tokens. */
  function averages(inputs: Inputs, count: number): Float32Array {
    return Float32Array.from(
      [0, 1, 2, 3].flatMap((head) =>
        rowsOf(inputs.k!, head, size.seqlen, size.headDim)
          .slice(0, count)
          .reduce<Row>((sum, k) => plus(times(Math.exp(-inputs.leak![head % 2]!), sum), k), [0, 0, 0, 0]),
      ),
    );
  }

  it.each([
    [0, 1],
    [0, 3],
    [1, 2],
    [6, 7],
    [4, 9],
  ])('of the tokens from %d to %d gives what the whole sequence gives', (from, to) => {
    const { found, whole, average } = step(from, to);
    const { seqlen, headDim, headDimV } = size;
    const expected = tokens(Float64Array.from(whole.o!.values), seqlen, headDimV, from, to);
    expect(distance(found.o!.values, expected)).toBeLessThan(1e-6);
    expect(distance(found.k_bar!.values, average)).toBeLessThan(1e-6);
    // The pairs that the step ends: of the token before it, where there is one, and of all its own but the last.
    const first = Math.max(from, 1);
    const skipped = from === 0 ? 1 : 0;
    for (const [name, width] of [
      ['k_hat', headDim],
      ['v_hat', headDimV],
    ] as const) {
      const ended = tokens(Float64Array.from(whole[name]!.values), seqlen, width, first - 1, to - 1);
      const appended = tokens(Float64Array.from(found[name]!.values), to - from, width, skipped, to - from);
      expect(distance(appended, ended), name).toBeLessThan(1e-6);
    }
  });
});
