import { describe, expect, it } from 'vitest';
import type { Inputs, Options } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 3, seqlen: 40, headDim: 8, headDimV: 12 };

function visiblePairs(options: Options): ReadonlySet<string> {
  const { mechanism, shape, options: complete } = bench('diag-attention', 'forward', size, options);
  const range = mechanism.visibleKeys!(shape, complete)!;
  const pairs = new Set<string>();
  for (let query = 0; query < size.seqlen; query++) {
    const { from, to } = range(query);
    for (let key = from; key < to; key++) pairs.add(`${query} ${key}`);
  }
  return pairs;
}

describe('the mask', () => {
  for (const causal of [true, false]) {
    for (const block of [1, 7, 16, 40, 64]) {
      it(`${causal ? 'causal' : 'not causal'}, blocks of ${block}: has the pairs of one block`, () => {
        const expected = new Set<string>();
        for (let query = 0; query < size.seqlen; query++) {
          for (let key = 0; key < size.seqlen; key++) {
            const together = Math.floor(query / block) === Math.floor(key / block);
            if (together && (!causal || key <= query)) expected.add(`${query} ${key}`);
          }
        }
        expect(visiblePairs({ causal, block })).toEqual(expected);
      });
    }
  }

  it('is what the operations are counted by', () => {
    const { computation, shape, options } = bench('diag-attention', 'forward', size, { block: 7 });
    // Five blocks of 7 tokens and one of 5.
    const pairs = 5 * 28 + 15;
    expect(computation.flops(shape, options)).toBe(
      2 * size.batch * size.heads * pairs * (size.headDim + size.headDimV),
    );
  });

  it('needs whole blocks', () => {
    const { mechanism, shape, options } = bench('diag-attention', 'forward', size, {});
    expect(mechanism.validate(shape, { ...options, block: 0 })).toMatch(/block is 0.*1 or more/);
    expect(mechanism.validate(shape, { ...options, block: 2.5 })).toMatch(/block is 2.5.*whole number/);
  });
});

describe('the limits', () => {
  for (const causal of [true, false]) {
    it(`${causal ? 'causal' : 'not causal'}: a block as long as the sequence makes softmax attention`, () => {
      const softmax = bench('softmax-attention', 'forward', size, { causal });
      const expected = softmax.run(softmax.inputs);
      for (const block of [40, 41, 4096]) {
        const { o, lse } = bench('diag-attention', 'forward', size, { causal, block }).run(softmax.inputs);
        expect(o!.values).toEqual(expected.o!.values);
        expect(lse!.values).toEqual(expected.lse!.values);
      }
    });
  }

  it('a block of one token makes o the values, and lse the score of a token with itself', () => {
    const { inputs, run } = bench('diag-attention', 'forward', size, { block: 1, scale: 0.5 });
    const { o, lse } = run(inputs);
    expect(Array.from(o!.values)).toEqual(Array.from(inputs.v!));
    const own = Float64Array.from(lse!.values, (_, row) => {
      let sum = 0;
      for (let at = row * size.headDim; at < (row + 1) * size.headDim; at++) sum += inputs.q![at]! * inputs.k![at]!;
      return 0.5 * sum;
    });
    expect(distance(lse!.values, own)).toBeLessThan(1e-14);
  });

  it('each block is softmax attention of its own', () => {
    const whole = bench('diag-attention', 'forward', size, { block: 16, causal: false });
    const o = whole.run(whole.inputs).o!.values as Float64Array;
    for (const [from, to] of [
      [0, 16],
      [16, 32],
      [32, 40],
    ] as const) {
      const part = bench('softmax-attention', 'forward', { ...size, seqlen: to - from }, { causal: false });
      const cut = (name: 'q' | 'k' | 'v', width: number): Float32Array =>
        tokens(whole.inputs[name]!, size.seqlen, width, from, to);
      const inputs: Inputs = { q: cut('q', 8), k: cut('k', 8), v: cut('v', 12) };
      expect(distance(part.run(inputs).o!.values, tokens(o, size.seqlen, 12, from, to))).toBeLessThan(1e-14);
    }
  });
});

describe('causality', () => {
  it('changing tokens after 20 leaves earlier outputs bit-identical, also those of its block', () => {
    const { inputs, run } = bench('diag-attention', 'forward', size, { block: 16 });
    const changed: Inputs = {
      ...inputs,
      v: inputs.v!.map((value, at) => (Math.floor(at / size.headDimV) % size.seqlen > 20 ? -value : value)),
    };
    const early = (given: Inputs): Float64Array =>
      tokens(run(given).o!.values as Float64Array, size.seqlen, size.headDimV, 0, 21);
    expect(early(changed)).toEqual(early(inputs));
  });
});
