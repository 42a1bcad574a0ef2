import { describe, expect, it } from 'vitest';
import type { Inputs } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 4, seqlen: 3, seqlenK: 20, latentDim: 8, ropeDim: 4, headDim: 6 };
const forms = [
  ['multi-head-latent-attention', 1],
  ['grouped-latent-attention', 2],
] as const;

/** Rows of `left` and `right` side by side; a row of `right` serves `share` heads of `tokensOf` tokens. */
function joinedRows(
  left: Float32Array,
  a: number,
  right: Float32Array,
  b: number,
  perHead: number,
  share: number,
): Float32Array {
  const rows = left.length / a;
  return Float32Array.from({ length: rows * (a + b) }, (_, at) => {
    const [row, column] = [Math.floor(at / (a + b)), at % (a + b)];
    if (column < a) return left[row * a + column]!;
    const head = Math.floor(row / perHead);
    return right[(Math.floor(head / share) * perHead + (row % perHead)) * b + column - a]!;
  });
}

describe.each(forms)('%s', (id, headsKv) => {
  it('is grouped-query attention with the keys c ‖ k_pe and the values c', () => {
    const { inputs, options, run } = bench(id, 'decode', size, {});
    const { heads, seqlen, seqlenK, latentDim, ropeDim } = size;
    const q = joinedRows(inputs.q_lat!, latentDim, inputs.q_pe!, ropeDim, seqlen, 1);
    const k = joinedRows(inputs.c!, latentDim, inputs.k_pe!, ropeDim, seqlenK, headsKv);
    const shape = { batch: 2, heads, headsKv, seqlen, seqlenK, headDim: latentDim + ropeDim, headDimV: latentDim };
    const softmax = bench('softmax-attention', 'forward', shape, { causal: true, scale: options.scale! });
    const expected = softmax.run({ q, k, v: inputs.c! });
    const found = run(inputs);
    expect(distance(found.o_lat!.values, expected.o!.values)).toBeLessThan(1e-14);
    expect(distance(found.lse!.values, expected.lse!.values)).toBeLessThan(1e-14);
  });

  it('absorbed is materialised, with the up-projections before and after', () => {
    const { inputs, run } = bench(id, 'forward', size, {});
    const { heads, seqlen, latentDim, headDim } = size;
    const materialised = run(inputs);
    const qLat = Float32Array.from(materialised.q_lat!.values);
    const { run: decode } = bench(id, 'decode', size, {});
    const absorbed = decode({ ...inputs, q_lat: qLat });
    const projected = Float64Array.from({ length: 2 * heads * seqlen * headDim }, (_, at) => {
      const [row, column] = [Math.floor(at / headDim), at % headDim];
      const head = Math.floor(row / seqlen) % heads;
      let sum = 0;
      for (let d = 0; d < latentDim; d++) {
        sum += inputs.w_uv![(head * headDim + column) * latentDim + d]! * absorbed.o_lat!.values[row * latentDim + d]!;
      }
      return sum;
    });
    expect(distance(projected, materialised.o!.values)).toBeLessThan(1e-6);
    expect(distance(absorbed.lse!.values, materialised.lse!.values)).toBeLessThan(1e-6);
  });

  it('scales by the width of the heads before the absorption', () => {
    expect(bench(id, 'decode', size, {}).options.scale).toBe((6 + 4) ** -0.5);
    expect(bench(id, 'decode', { headDim: 128, ropeDim: 64 }, {}).options.scale).toBe(192 ** -0.5);
  });

  it('changing the last token leaves the outputs of the earlier queries bit-identical', () => {
    const { inputs, run } = bench(id, 'decode', size, {});
    const last = (width: number) => (value: number, at: number) =>
      Math.floor(at / width) % size.seqlenK === size.seqlenK - 1 ? -value : value;
    const changed: Inputs = {
      ...inputs,
      c: inputs.c!.map(last(size.latentDim)),
      k_pe: inputs.k_pe!.map(last(size.ropeDim)),
    };
    const part = (given: Inputs, from: number, to: number): Float64Array =>
      tokens(run(given).o_lat!.values as Float64Array, size.seqlen, size.latentDim, from, to);
    expect(part(changed, 0, 2)).toEqual(part(inputs, 0, 2));
    expect(distance(part(changed, 2, 3), part(inputs, 2, 3))).toBeGreaterThan(1e-3);
  });

  it('samples whole heads that equal those of the whole', () => {
    const { inputs, run } = bench(id, 'forward', size, {});
    const whole = run(inputs);
    const sampled = run(inputs, 'f64', 1);
    const rows = sampled.o!.rows!;
    expect(rows.length).toBe(2 * size.seqlen);
    const expected = Array.from(rows, (row) => Array.from(whole.o!.values.subarray(row * 6, row * 6 + 6))).flat();
    expect(Array.from(sampled.o!.values)).toEqual(expected);
  });
});

describe('what they cost', () => {
  // SPEC of DeepSeek-V3: 128 heads, latent of 512 and 64 rotated: 2 · 128 · (2 · 512 + 64) operations a token of the cache.
  it('decoding takes 2 heads (2 latentDim + ropeDim) operations for each token of the cache', () => {
    const { computation, shape, options } = bench(
      'multi-head-latent-attention',
      'decode',
      { heads: 128, seqlenK: 10 },
      {},
    );
    expect(computation.flops(shape, options)).toBe(2 * 128 * (2 * 512 + 64) * 10);
  });

  it('latent heads serve equally many query heads', () => {
    const { mechanism, shape, options } = bench('grouped-latent-attention', 'decode', {}, {});
    expect(mechanism.validate({ ...shape, heads: 5 }, options)).toMatch(/heads is 5 and headsKv is 2.*multiple/);
  });
});
