import { describe, expect, it } from 'vitest';
import type { Inputs } from '../../../src/core/attention/mechanism.js';
import { normalValues } from '../../../src/core/numerics/random.js';
import { bench, distance } from './run-reference.js';

const id = 'rotating-cache-attention';
const size = { batch: 3, heads: 4, headsKv: 2, seqlen: 3, capacity: 8, headDim: 6, headDimV: 4 };
type Size = typeof size;

/** A stream as it is meant: a list of tokens, of which each has a key and a value in each key head. */
interface Stream {
  position: number;
  readonly tokens: { readonly k: Float32Array; readonly v: Float32Array }[];
}

const newStream = (position: number): Stream => ({ position, tokens: [] });

/** Copies `count` numbers a key head of token `token`, out of a tensor [batch, headsKv, tokens, width]. */
function rowsOf(values: Float32Array, stream: number, token: number, tokens: number, width: number): Float32Array {
  const { headsKv } = size;
  return Float32Array.from({ length: headsKv * width }, (_, at) => {
    const row = (stream * headsKv + Math.floor(at / width)) * tokens + token;
    return values[row * width + (at % width)]!;
  });
}

/** What softmax attention makes of a stream's tokens and new ones, whose queries and rows are those of `inputs`. */
function expected(stream: Stream, index: number, inputs: Inputs, { seqlen, headDim, headDimV, heads }: Size) {
  const { headsKv } = size;
  const fresh = Array.from({ length: seqlen }, (_, token) => ({
    k: rowsOf(inputs.k!, index, token, seqlen, headDim),
    v: rowsOf(inputs.v!, index, token, seqlen, headDimV),
  }));
  const tokens = [...stream.tokens, ...fresh];
  const packed = (name: 'k' | 'v', width: number): Float32Array =>
    Float32Array.from({ length: headsKv * tokens.length * width }, (_, at) => {
      const [row, column] = [Math.floor(at / width), at % width];
      return tokens[row % tokens.length]![name][Math.floor(row / tokens.length) * width + column]!;
    });
  const shape = { batch: 1, heads, headsKv, seqlen, seqlenK: tokens.length, headDim, headDimV };
  const count = heads * seqlen * headDim;
  const q = inputs.q!.slice(index * count, (index + 1) * count);
  const found = bench('softmax-attention', 'forward', shape, { causal: true }).run({
    q,
    k: packed('k', headDim),
    v: packed('v', headDimV),
  });
  return { fresh, o: found.o!.values, lse: found.lse!.values };
}

/** Runs one step of all streams in place, holding it to softmax attention over lists of tokens; the caches after it. */
function step(streams: Stream[], caches: Inputs, seed: number, given: Partial<Size> = {}): Inputs {
  const shape = { ...size, ...given };
  const { batch, heads, headsKv, seqlen, capacity, headDim, headDimV } = shape;
  const { run } = bench(id, 'decode', shape, {});
  const inputs: Inputs = {
    q: normalValues(batch * heads * seqlen * headDim, seed, 'q'),
    k: normalValues(batch * headsKv * seqlen * headDim, seed, 'k'),
    v: normalValues(batch * headsKv * seqlen * headDimV, seed, 'v'),
    ...caches,
    position: Float32Array.from(streams, ({ position }) => position),
    fill: Float32Array.from(streams, ({ tokens }) => tokens.length),
  };
  const found = run(inputs);
  streams.forEach((stream, index) => {
    const { fresh, o, lse } = expected(stream, index, inputs, shape);
    const own = (values: ArrayLike<number>): number[] =>
      Array.from(values).slice((index * values.length) / batch, ((index + 1) * values.length) / batch);
    expect(distance(own(found.o!.values), o)).toBeLessThan(1e-14);
    expect(distance(own(found.lse!.values), lse)).toBeLessThan(1e-14);
    stream.tokens.push(...fresh);
    stream.tokens.splice(0, Math.max(stream.tokens.length - capacity, 0));
    stream.position = (stream.position + seqlen) % capacity;
  });
  return {
    k_cache: Float32Array.from(found.k_cache_next!.values),
    v_cache: Float32Array.from(found.v_cache_next!.values),
  };
}

/** Caches in which no slot has been written: every number of them is NaN. */
function unwritten({ batch, headsKv, capacity, headDim, headDimV }: Size): Inputs {
  const nothing = (width: number): Float32Array =>
    new Float32Array(batch * headsKv * capacity * width).fill(Number.NaN);
  return { k_cache: nothing(headDim), v_cache: nothing(headDimV) };
}

describe('rotating caches', () => {
  it('are softmax attention over the last tokens of each stream, step after step, around the ring', () => {
    const streams = [newStream(0), newStream(5), newStream(7)];
    let caches = unwritten(size);
    for (let seed = 1; seed <= 5; seed++) caches = step(streams, caches, seed);
    expect(streams.map(({ tokens }) => tokens.length)).toEqual([8, 8, 8]);
  });

  it('take chunks of any length up to the whole ring', () => {
    const streams = [newStream(1), newStream(2), newStream(3)];
    let caches = unwritten(size);
    for (const [seed, seqlen] of [1, 8, 2, 8, 5].entries()) caches = step(streams, caches, seed, { seqlen });
    expect(streams[0]!.position).toBe((1 + 1 + 8 + 2 + 8 + 5) % 8);
  });

  it('forget a stream at its reset, and leave the others as they are', () => {
    const streams = [newStream(0), newStream(5), newStream(7)];
    let caches = unwritten(size);
    for (let seed = 1; seed <= 3; seed++) caches = step(streams, caches, seed);
    streams[1] = newStream(streams[1]!.position);
    for (let seed = 4; seed <= 6; seed++) caches = step(streams, caches, seed);
  });

  it('go on with another stream in the place of one, and with that one in another place', () => {
    const streams = [newStream(0), newStream(5), newStream(7)];
    let caches = unwritten(size);
    for (let seed = 1; seed <= 2; seed++) caches = step(streams, caches, seed);
    const swapped = (values: Float32Array): Float32Array => {
      const each = values.length / 3;
      return Float32Array.from([
        ...values.subarray(2 * each),
        ...values.subarray(each, 2 * each),
        ...values.subarray(0, each),
      ]);
    };
    caches = { k_cache: swapped(caches.k_cache!), v_cache: swapped(caches.v_cache!) };
    step([streams[2]!, streams[1]!, streams[0]!], caches, 3);
  });

  it('do not ask what is in a slot that holds no token', () => {
    const { inputs, run } = bench(id, 'decode', { ...size, batch: 5 }, { streams: 'mixed' });
    expect(inputs.k_cache!.some(Number.isNaN)).toBe(true);
    const other = { ...inputs };
    for (const name of ['k_cache', 'v_cache']) {
      other[name] = inputs[name]!.map((value) => (Number.isNaN(value) ? 1e30 : value));
    }
    expect(run(other)).toEqual(run(inputs));
    expect(run(inputs).o!.values.every(Number.isFinite)).toBe(true);
  });

  it('do not ask where the ring begins', () => {
    const { inputs, run } = bench(id, 'decode', { ...size, batch: 1 }, {});
    const { capacity } = size;
    const turned = (values: Float32Array, width: number): Float32Array =>
      values.map((_, at) => {
        const row = Math.floor(at / width);
        const slot = (row + capacity - 3) % capacity;
        return values[(row - (row % capacity) + slot) * width + (at % width)]!;
      });
    const other = {
      ...inputs,
      k_cache: turned(inputs.k_cache!, size.headDim),
      v_cache: turned(inputs.v_cache!, size.headDimV),
      position: inputs.position!.map((position) => (position + 3) % capacity),
    };
    expect(run(other).o!.values).toEqual(run(inputs).o!.values);
    const moved = turned(Float32Array.from(run(inputs).k_cache_next!.values), size.headDim);
    expect(Float32Array.from(run(other).k_cache_next!.values)).toEqual(moved);
  });

  it('token by token are a causal window of capacity keys before each', () => {
    const shape = { batch: 1, heads: 2, headsKv: 1, seqlen: 20, headDim: 4, headDimV: 4 };
    const whole = bench('softmax-attention', 'forward', shape, { window: [5, 0] });
    const { run } = bench(id, 'decode', { ...shape, seqlen: 1, capacity: 5 }, {});
    const outputs = whole.run(whole.inputs).o!.values;
    let caches = unwritten({ ...shape, seqlen: 1, capacity: 5 });
    for (let t = 0; t < 20; t++) {
      const row = (name: string, head: number): number[] =>
        Array.from(whole.inputs[name]!.subarray((head * 20 + t) * 4, (head * 20 + t + 1) * 4));
      const found = run({
        ...caches,
        q: Float32Array.from([...row('q', 0), ...row('q', 1)]),
        k: Float32Array.from(row('k', 0)),
        v: Float32Array.from(row('v', 0)),
        position: Float32Array.of(t % 5),
        fill: Float32Array.of(Math.min(t, 5)),
      });
      const truth = [0, 1].flatMap((head) =>
        Array.from(outputs.subarray((head * 20 + t) * 4, (head * 20 + t + 1) * 4)),
      );
      expect(distance(found.o!.values, truth)).toBeLessThan(1e-14);
      caches = {
        k_cache: Float32Array.from(found.k_cache_next!.values),
        v_cache: Float32Array.from(found.v_cache_next!.values),
      };
    }
  });

  it('samples rows that equal those of the whole, and makes all of the caches', () => {
    const { inputs, run } = bench(id, 'decode', size, {});
    const [whole, sampled] = [run(inputs), run(inputs, 'f64', 500)];
    const rows = sampled.o!.rows!;
    expect(rows.length).toBeLessThan(size.batch * size.heads * size.seqlen);
    const { headDimV } = size;
    const picked = Array.from(rows).flatMap((row) =>
      Array.from(whole.o!.values.subarray(row * headDimV, (row + 1) * headDimV)),
    );
    expect(Array.from(sampled.o!.values)).toEqual(picked);
    expect(sampled.k_cache_next).toEqual(whole.k_cache_next);
  });

  it('cost the pairs of cached and new tokens, stream by stream', () => {
    const { computation, shape, options } = bench(id, 'decode', { ...size, batch: 5 }, { streams: 'mixed' });
    const pairs = 3 * (8 + 0 + 4 + 1 + 7) + 5 * 6;
    expect(computation.flops(shape, options)).toBe(2 * size.heads * pairs * (6 + 4));
  });

  it('have a slot for every new token, and equally many query heads for every key head', () => {
    const { mechanism, shape, options } = bench(id, 'decode', size, {});
    expect(mechanism.validate({ ...shape, seqlen: 9 }, options)).toMatch(/seqlen is 9 and capacity is 8.*at most/);
    expect(mechanism.validate({ ...shape, heads: 3 }, options)).toMatch(/heads is 3 and headsKv is 2.*multiple/);
    expect(mechanism.validate(shape, options)).toBeNull();
  });
});
