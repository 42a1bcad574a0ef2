import { describe, expect, it } from 'vitest';
import { findMechanism } from '../../../src/core/attention/catalogue.js';
import { rotaryFrequencies, rotationTable } from '../../../src/core/attention/rotary-embedding.js';
import type { Inputs, Options, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance } from './run-reference.js';

const size: Shape = { batch: 1, heads: 1, seqlen: 12, headDim: 16 };

/** The rows of a tensor of 16 channels rotated as queries or keys from position `offset` on. */
function rotated(x: Float32Array, options: Options): Float64Array {
  const { run } = bench('rotary-embedding', 'forward', size, options);
  return run({ x }).y!.values as Float64Array;
}

function product(a: Float64Array, rowA: number, b: Float64Array, rowB: number): number {
  let sum = 0;
  for (let d = 0; d < 16; d++) sum += a[rowA * 16 + d]! * b[rowB * 16 + d]!;
  return sum;
}

describe('rotary position embedding', () => {
  const { inputs } = bench('rotary-embedding', 'forward', size, {});
  // The same row at every position.
  const query = Float32Array.from({ length: 12 * 16 }, (_, at) => inputs.x![at % 16]!);
  const key = Float32Array.from({ length: 12 * 16 }, (_, at) => inputs.x![16 + (at % 16)]!);

  for (const options of [{}, { pairing: 'interleaved' }, { frequencies: 'linspace', base: 500 }]) {
    it(`makes products depend on the distance alone: ${JSON.stringify(options)}`, () => {
      const [q, k] = [rotated(query, options), rotated(key, options)];
      const far = rotated(key, { ...options, offset: 1000 });
      const farQuery = rotated(query, { ...options, offset: 1000 });
      for (let distance = 0; distance < 8; distance++) {
        const expected = product(q, 3, k, 3 + distance);
        expect(product(q, 0, k, distance)).toBeCloseTo(expected, 12);
        expect(product(farQuery, 1, far, 1 + distance)).toBeCloseTo(expected, 10);
      }
      expect(Math.abs(product(q, 0, k, 1) - product(q, 1, k, 0))).toBeGreaterThan(1e-2);
    });
  }

  it('pairs halves as it pairs neighbours after a permutation of the channels', () => {
    const spread = (values: ArrayLike<number>): number[] =>
      Array.from(values, (_, at) => values[at - (at % 16) + Math.floor((at % 16) / 2) + 8 * (at % 2)]!);
    const interleaved = rotated(Float32Array.from(spread(inputs.x!)), { pairing: 'interleaved' });
    expect(Array.from(interleaved)).toEqual(spread(rotated(inputs.x!, {})));
  });

  it('copies the channels that it does not rotate, and rotates the others as a row of their own', () => {
    const { run } = bench('rotary-embedding', 'forward', { ...size, rotaryDim: 4 }, {});
    const narrow = bench('rotary-embedding', 'forward', { ...size, headDim: 4 }, {});
    const y = run({ x: inputs.x! }).y!.values;
    const x = inputs.x!.filter((_, at) => at % 16 < 4);
    expect(Array.from(y).filter((_, at) => at % 16 >= 4)).toEqual(
      Array.from(inputs.x!).filter((_, at) => at % 16 >= 4),
    );
    expect(Array.from(y).filter((_, at) => at % 16 < 4)).toEqual(Array.from(narrow.run({ x }).y!.values));
  });

  it('turns gradients back: with table or positions, its transpose is its inverse', () => {
    for (const options of [{ offset: 7 }, { pairing: 'interleaved' }]) {
      const forward = bench('rotary-embedding', 'forward', { ...size, rotaryDim: 8 }, options);
      const backward = bench('rotary-embedding', 'backward', { ...size, rotaryDim: 8 }, options);
      const { x, positions } = forward.inputs;
      const dy = backward.inputs.dy!;
      const y = forward.run({ x: x!, positions: positions! }).y!.values;
      const dx = backward.run({ dy, positions: positions! }).dx!.values;
      const sum = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
        Array.from(a, (value, at) => value * b[at]!).reduce((total, value) => total + value, 0);
      expect(sum(dy, y)).toBeCloseTo(sum(dx, x!), 12);
      const there = backward.run({ dy: new Float64Array(y) as unknown as Float32Array, positions: positions! });
      expect(distance(there.dx!.values, x!)).toBeLessThan(1e-15);
    }
  });

  it('takes a table as it stands, exact angles from positions, and positions from the offset where it has neither', () => {
    const { inputs: given, run } = bench('rotary-embedding', 'forward', size, { offset: 4095 });
    const without = (...names: string[]): Inputs =>
      Object.fromEntries(Object.entries(given).filter(([name]) => !names.includes(name)));
    const exact = run(given).y!.values;
    expect(run(without('rotations')).y!.values).toEqual(exact);
    expect(run(without('rotations', 'positions')).y!.values).toEqual(exact);
    const fromTable = distance(run(without('positions')).y!.values, exact);
    expect(fromTable).toBeGreaterThan(0);
    expect(fromTable).toBeLessThan(1e-7);
    const turned = { ...without('positions'), rotations: given.rotations!.map((_, at) => (at + 1) % 2) };
    expect(Array.from(run(turned).y!.values)).toEqual(Array.from(given.x!));
  });

  it('has the frequencies of the paper, or those of torchscale', () => {
    expect(Array.from(rotaryFrequencies(4, 10000, 'geometric'))).toEqual([1, 0.01]);
    const linspace = rotaryFrequencies(8, 10000, 'linspace');
    expect(linspace[0]).toBe(1);
    expect(linspace[1]).toBeCloseTo(10000 ** (-1 / 3), 15);
    expect(linspace[3]).toBe(1 / 10000);
    expect(Array.from(rotaryFrequencies(2, 10000, 'linspace'))).toEqual([1]);
  });

  it('tabulates cosine and sine of each pair in turn', () => {
    const table = rotationTable([0, 2], Float64Array.of(1, 0.5));
    const expected = [1, 0, 1, 0, Math.cos(2), Math.sin(2), Math.cos(1), Math.sin(1)];
    expect(Array.from(table)).toEqual(expected);
  });

  it('refuses an odd number of channels, and more than there are', () => {
    const { validate } = findMechanism('rotary-embedding')!;
    const { shape, options } = bench('rotary-embedding', 'forward', size, {});
    expect(validate({ ...shape, rotaryDim: 7 }, options)).toMatch(/rotaryDim is 7 and headDim is 16.*even/);
    expect(validate({ ...shape, rotaryDim: 18 }, options)).toMatch(/rotaryDim is 18.*at most headDim/);
    expect(validate({ ...shape, rotaryDim: 16 }, options)).toBeNull();
  });
});
