import { describe, expect, it } from 'vitest';
import { cosformerAngles } from '../../../src/core/attention/cosformer-attention.js';
import { bench, distance, tokens } from './run-reference.js';

const id = 'cosformer-attention';

describe('cosFormer', () => {
  it('weighs rectified products by the cosine of the distance', () => {
    const { inputs, run } = bench(id, 'forward', { heads: 1, seqlen: 9, headDim: 4, maxSeqlen: 12 }, {});
    const { q = new Float32Array(), k = new Float32Array(), v = new Float32Array() } = inputs;
    const { o } = run({ q, k, v });
    for (let i = 0; i < 9; i++) {
      const sums = [0, 0, 0, 0];
      let divisor = 0;
      for (let j = 0; j <= i; j++) {
        let weight = 0;
        for (let d = 0; d < 4; d++) weight += Math.max(q[4 * i + d]!, 0) * Math.max(k[4 * j + d]!, 0);
        weight *= Math.cos((Math.PI * (i - j)) / 24);
        divisor += weight;
        for (let d = 0; d < 4; d++) sums[d]! += weight * v[4 * j + d]!;
      }
      for (let d = 0; d < 4; d++) expect(o!.values[4 * i + d]).toBeCloseTo(sums[d]! / Math.max(divisor, 1e-6), 10);
    }
  });

  it('depends on distances alone: tokens further on in a sequence of the same length give the same output', () => {
    const shape = { heads: 2, seqlen: 20, headDim: 8, maxSeqlen: 64 };
    const start = bench(id, 'forward', shape, {});
    const later = bench(id, 'forward', shape, { offset: 40 });
    const { q, k, v } = start.inputs;
    const given = { q: q!, k: k!, v: v! };
    expect(distance(later.run(given).o!.values, start.run(given).o!.values)).toBeLessThan(1e-13);
  });

  it('goes from the first position to a right angle', () => {
    const angles = cosformerAngles(50);
    expect(angles[0]).toBeCloseTo(Math.sin(Math.PI / 100), 15);
    expect([angles[98], Math.abs(angles[99]!) < 1e-15]).toEqual([1, true]);
  });

  it('resumes from its state, and decodes token by token, where the longest sequence stays the same', () => {
    const size = { batch: 2, heads: 2, headDim: 8, headDimV: 12, maxSeqlen: 30 };
    const whole = bench(id, 'forward', { ...size, seqlen: 21 }, {});
    const full = whole.run(whole.inputs);
    const part = (from: number, to: number): Record<string, Float32Array> => ({
      q: tokens(whole.inputs.q!, 21, 8, from, to),
      k: tokens(whole.inputs.k!, 21, 8, from, to),
      v: tokens(whole.inputs.v!, 21, 12, from, to),
    });
    let { s0, z0 } = whole.inputs;
    for (const [from, to] of [
      [0, 9],
      [9, 10],
      [10, 21],
    ] as const) {
      const direction = to - from === 1 ? 'decode' : 'forward';
      const { run } = bench(id, direction, { ...size, seqlen: to - from }, { offset: from });
      const { o, s, z } = run({ ...part(from, to), s0: s0!, z0: z0! });
      expect(distance(o!.values, tokens(full.o!.values as Float64Array, 21, 12, from, to))).toBeLessThan(2e-6);
      s0 = Float32Array.from(s!.values);
      z0 = Float32Array.from(z!.values);
    }
    expect(distance(s0!, full.s!.values)).toBeLessThan(1e-6);
    expect(distance(z0!, full.z!.values)).toBeLessThan(1e-6);
  });

  it('is causal, to the bit', () => {
    const { inputs, run } = bench(id, 'forward', { heads: 1, seqlen: 40, headDim: 8 }, {});
    const changed: Record<string, Float32Array> = { ...inputs };
    for (const name of ['q', 'k', 'v']) {
      changed[name] = inputs[name]!.map((value, at) => (Math.floor(at / 8) > 20 ? value + 1 : value));
    }
    const [a, b] = [run(inputs).o!.values as Float64Array, run(changed).o!.values as Float64Array];
    expect(tokens(b, 40, 8, 0, 21)).toEqual(tokens(a, 40, 8, 0, 21));
    expect(distance(tokens(b, 40, 8, 21, 40), tokens(a, 40, 8, 21, 40))).toBeGreaterThan(1e-2);
  });

  it('says what is wrong with positions', () => {
    const { mechanism, shape, options } = bench(id, 'forward', { seqlen: 10, maxSeqlen: 16 }, {});
    expect(mechanism.validate(shape, options)).toBeNull();
    expect(mechanism.validate(shape, { ...options, offset: 7 })).toMatch(/maxSeqlen is 16 and.*position 17/);
    expect(mechanism.validate(shape, { ...options, offset: 0.5 })).toMatch(/offset is 0.5/);
    expect(mechanism.validate({ ...shape, waves: 3 }, options)).toMatch(/waves is 3/);
  });
});
