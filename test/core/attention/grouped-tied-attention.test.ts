import { describe, expect, it } from 'vitest';
import { kvCaches, kvShard } from '../../../src/core/attention/kv-cache.js';
import { compulsoryBytes } from '../../../src/core/attention/catalogue.js';
import type { Inputs, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const id = 'grouped-tied-attention';
const size = { batch: 2, heads: 4, headsKv: 2, seqlen: 6, seqlenK: 9, headDim: 8 };

/** The keys [kv[..., :headDim - ropeDim] ‖ k_rope] of every tied head. */
function keysOf({ kv, k_rope }: Inputs, { headsKv, seqlenK, headDim, ropeDim }: Shape): Float32Array {
  return kv!.map((value, at) => {
    const row = Math.floor(at / headDim!);
    const channel = (at % headDim!) - (headDim! - ropeDim!);
    const batch = Math.floor(row / (headsKv! * seqlenK!));
    return channel < 0 ? value : k_rope![(batch * seqlenK! + (row % seqlenK!)) * ropeDim! + channel]!;
  });
}

/** A tensor with the channels [from, to) of each row alone. */
function channels(values: ArrayLike<number>, width: number, from: number, to: number): Float64Array {
  return Float64Array.from(values).filter((_, at) => at % width >= from && at % width < to);
}

describe('Grouped-Tied Attention', () => {
  it.each([2, 4, 8])('is grouped-query attention with K = [kv ‖ k_rope] and V = kv, %i channels rotated', (ropeDim) => {
    const { inputs, options, shape, run } = bench(id, 'forward', { ...size, ropeDim }, {});
    const softmax = bench('softmax-attention', 'forward', size, { causal: true, scale: options.scale! });
    const expected = softmax.run({ q: inputs.q!, k: keysOf(inputs, shape), v: inputs.kv! });
    const found = run(inputs);
    expect(distance(found.o!.values, expected.o!.values)).toBeLessThan(1e-14);
    expect(distance(found.lse!.values, expected.lse!.values)).toBeLessThan(1e-14);
  });

  it('rotates half of the channels unless told otherwise', () => {
    expect(bench(id, 'forward', { headDim: 128 }, {}).shape.ropeDim).toBe(64);
    expect(bench(id, 'forward', { headDim: 128, ropeDim: 32 }, {}).shape.ropeDim).toBe(32);
  });

  it('decoding gives the last rows of a prefill', () => {
    const whole = bench(id, 'forward', { ...size, seqlen: 9 }, {});
    const decode = bench(id, 'decode', { ...size, seqlen: 3 }, {});
    const q = tokens(whole.inputs.q!, 9, 8, 6, 9);
    const prefill = whole.run(whole.inputs);
    const step = decode.run({ ...whole.inputs, q });
    expect(step.o!.values).toEqual(tokens(prefill.o!.values as Float64Array, 9, 8, 6, 9));
    expect(step.lse!.values).toEqual(tokens(prefill.lse!.values as Float64Array, 9, 1, 6, 9));
  });

  it('changing the last token leaves the outputs of the earlier queries bit-identical', () => {
    const { inputs, run } = bench(id, 'forward', { ...size, seqlen: 9 }, {});
    const flipped = (width: number) => (value: number, at: number) =>
      Math.floor(at / width) % 9 === 8 ? -value : value;
    const changed = { ...inputs, kv: inputs.kv!.map(flipped(8)), k_rope: inputs.k_rope!.map(flipped(4)) };
    const part = (given: Inputs, from: number, to: number): Float64Array =>
      tokens(run(given).o!.values as Float64Array, 9, 8, from, to);
    expect(part(changed, 0, 8)).toEqual(part(inputs, 0, 8));
    expect(distance(part(changed, 8, 9), part(inputs, 8, 9))).toBeGreaterThan(1e-3);
  });

  it('no gradient of a token comes from an earlier query', () => {
    const { inputs, run } = bench(id, 'backward', { ...size, seqlen: 9 }, {});
    const before = run(inputs);
    const first = (value: number, at: number): number => (Math.floor(at / 8) % 9 < 4 ? -value : value);
    const after = run({ ...inputs, do: inputs.do!.map(first) });
    for (const [name, width] of [
      ['dkv', 8],
      ['dk_rope', 4],
    ] as const) {
      const [a, b] = [before, after].map((found) => found[name]!.values as Float64Array);
      expect(tokens(b!, 9, width, 4, 9)).toEqual(tokens(a!, 9, width, 4, 9));
      expect(distance(tokens(b!, 9, width, 0, 4), tokens(a!, 9, width, 0, 4))).toBeGreaterThan(1e-3);
    }
  });

  it('query heads with equal queries that share a tied head have equal outputs', () => {
    const { inputs, run } = bench(id, 'forward', size, {});
    const perHead = size.seqlen * size.headDim;
    // Every head gets the queries of the first one of its sequence.
    const q = inputs.q!.map((_, at) => inputs.q![at - (at % (4 * perHead)) + (at % perHead)]!);
    const o = run({ ...inputs, q }).o!.values;
    const head = (index: number): ArrayLike<number> => o.slice(index * perHead, (index + 1) * perHead);
    expect(head(1)).toEqual(head(0));
    expect(head(3)).toEqual(head(2));
    expect(distance(head(2), head(0))).toBeGreaterThan(1e-3);
  });

  it('one shift of all tied states in the channels that are keys and values shifts the output, not the weights', () => {
    const { inputs, run } = bench(id, 'forward', size, {});
    const shifted = run({ ...inputs, kv: inputs.kv!.map((value, at) => value + (at % 8 < 4 ? 0.5 : 0)) }).o!.values;
    const o = run(inputs).o!.values;
    expect(
      distance(
        shifted,
        o.map((value, at) => value + (at % 8 < 4 ? 0.5 : 0)),
      ),
    ).toBeLessThan(1e-6);
  });

  it('dkv = dV + [dK ‖ 0], and dk_rope is the rest of dK, over all heads', () => {
    const { inputs, options, shape, run } = bench(id, 'backward', size, {});
    const softmax = bench('softmax-attention', 'backward', size, { causal: true, scale: options.scale! });
    const { dq, dk, dv } = softmax.run({
      q: inputs.q!,
      k: keysOf(inputs, shape),
      v: inputs.kv!,
      do: inputs.do!,
      dlse: inputs.dlse!,
    });
    const found = run(inputs);
    expect(found.dq!.values).toEqual(dq!.values);
    const keys = channels(dk!.values, 8, 0, 4);
    expect(channels(found.dkv!.values, 8, 0, 4)).toEqual(channels(dv!.values, 8, 0, 4).map((v, at) => v + keys[at]!));
    expect(channels(found.dkv!.values, 8, 4, 8)).toEqual(channels(dv!.values, 8, 4, 8));
    const rotated = channels(dk!.values, 8, 4, 8);
    const perHead = size.seqlenK * 4;
    const sums = found.dk_rope!.values.map((_, at) => {
      const from = Math.floor(at / perHead) * 2 * perHead + (at % perHead);
      return rotated[from]! + rotated[from + perHead]!;
    });
    expect(distance(found.dk_rope!.values, sums)).toBeLessThan(1e-15);
  });

  it('samples whole sequences that equal those of the whole', () => {
    const { inputs, run } = bench(id, 'backward', { ...size, batch: 3 }, {});
    const whole = run(inputs);
    const sampled = run(inputs, 'f64', 1);
    for (const [name, width] of [
      ['dq', 8],
      ['dkv', 8],
      ['dk_rope', 4],
    ] as const) {
      const { rows, values } = sampled[name]!;
      expect(rows!.length).toBe((whole[name]!.values.length / width / 3) * 2);
      const expected = Array.from(rows!, (row) =>
        Array.from(whole[name]!.values.slice(row * width, (row + 1) * width)),
      );
      expect(Array.from(values)).toEqual(expected.flat());
    }
  });
});

describe('what it costs', () => {
  it('keeps of a token what the formula of its cache says', () => {
    const { computation, shape } = bench(
      id,
      'decode',
      { heads: 32, headsKv: 8, headDim: 128, seqlen: 1, seqlenK: 1 },
      {},
    );
    const cache = ['kv', 'k_rope'].map((name) => ({ name, bytesPerElement: 2 }));
    const found = kvCaches({ heads: 32, headsKv: 8, headDim: 128, latentHeads: 2 }).find(
      ({ name }) => name === 'GTA-8',
    )!;
    expect(compulsoryBytes(computation, shape, cache)).toBe(2 * kvShard(found, 1).elementsPerToken);
    // 8.5 headDim, where grouped-query attention keeps 16 (Zadouri et al. 2025, table 26).
    expect(kvShard(found, 1).elementsPerToken).toBe(8.5 * 128);
  });

  it('asks for the operations of grouped-query attention', () => {
    for (const direction of ['forward', 'backward'] as const) {
      const tied = bench(id, direction, size, {});
      const softmax = bench('softmax-attention', direction, size, {});
      expect(tied.computation.flops(tied.shape, tied.options)).toBe(
        softmax.computation.flops(softmax.shape, softmax.options),
      );
    }
  });

  it.each([
    [{ heads: 5 }, /heads is 5 and headsKv is 2.*multiple/],
    [{ headDim: 8, ropeDim: 12 }, /ropeDim is 12 and headDim is 8.*at most/],
    [{ headDim: 1 }, /ropeDim is 0/],
  ])('refuses %o', (given, message) => {
    const { mechanism, shape, options } = bench(id, 'forward', { heads: 4, headsKv: 2, headDim: 8 }, {});
    const complete = bench(id, 'forward', { ...shape, ropeDim: undefined!, ...given }, options);
    expect(mechanism.validate(complete.shape, options)).toMatch(message);
  });
});
