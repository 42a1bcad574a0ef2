import { describe, expect, it } from 'vitest';
import { exp2 } from '../../../src/core/simulator/numerics.js';

const f32 = Math.fround;
const expected = (power: number): number => f32(Math.pow(2, power));

describe('the power of two of a simulation', () => {
  it.each([
    ['not a number', [NaN]],
    ['infinities and zeros', [Infinity, -Infinity, 0, -0]],
    ['masks of attention', [-1e30, -3.4e38, f32(-1e9), 1e30]],
    [
      'the ends of what an f32 holds',
      [127, f32(127.99999), 128, 129, -126, -127, -148.5, -149, -149.5, -150, -151, -152],
    ],
    ['whole powers', Array.from({ length: 320 }, (_, index) => index - 170)],
    ['the smallest powers', [f32(1e-45), f32(-1e-45), f32(1e-8), f32(-1e-8), f32(3e-8)]],
  ])('is that of Math.pow: %s', (_, powers) => {
    for (const power of powers) expect(exp2(power), String(power)).toBe(expected(power));
  });

  it('is that of Math.pow for powers of all sizes, rounded to the same f32', () => {
    const wrong: number[] = [];
    let seed = 1;
    for (let count = 0; count < 400_000; count++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      const power = f32((seed / 2 ** 31) * 2 ** ((count % 40) / 4 - 2));
      if (exp2(power) !== expected(power)) wrong.push(power);
    }
    expect(wrong).toEqual([]);
  });
});
