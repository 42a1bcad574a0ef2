import { getFloat16 } from '@petamoriken/float16';
import { describe, expect, it } from 'vitest';
import { arithmetic } from '../../../src/core/numerics/arithmetic.js';
import { fromBase64, toBase64 } from '../../../src/core/numerics/base64.js';
import { errorHistogram } from '../../../src/core/numerics/error-histogram.js';
import type { Comparison } from '../../../src/core/numerics/element-errors.js';
import { halfBits, halfValues, roundToHalves } from '../../../src/core/numerics/half.js';
import { normalValues, randomBits } from '../../../src/core/numerics/random.js';
import { median, settled, spreadOf } from '../../../src/core/numerics/statistics.js';
import { roundTo, ulpDistance } from '../../../src/core/numerics/ulp.js';
import { shortNumber } from '../../../src/core/numerics/verdict-sentence.js';

describe('random inputs', () => {
  it('are the same bits for the same seed and stream, everywhere and for ever', () => {
    const next = randomBits(1, 'q');
    expect([next(), next(), next()]).toEqual([3505943404, 2927582006, 3314264960]);
    expect(Array.from(normalValues(3, 42, 'k'))).toEqual([-21554, 656, -15685].map((sum) => Math.fround(sum / 65535)));
    expect(normalValues(100, 42, 'k')).toEqual(normalValues(100, 42, 'k'));
  });

  it('are sums of the numbers that their stream draws', () => {
    const next = randomBits(7, 'beta');
    const values = Array.from({ length: 500 }, () => {
      let sum = -393210;
      for (let draw = 0; draw < 6; draw++) {
        const bits = next();
        sum += (bits >>> 16) + (bits & 0xffff);
      }
      return Math.fround(sum / 65535);
    });
    expect(Array.from(normalValues(500, 7, 'beta'))).toEqual(values);
  });

  it('differ between seeds and streams', () => {
    const base = normalValues(8, 42, 'k');
    expect(normalValues(8, 43, 'k')).not.toEqual(base);
    expect(normalValues(8, 42, 'q')).not.toEqual(base);
    expect(normalValues(8, 42, 'qk')).not.toEqual(normalValues(8, 42, 'kq'));
  });

  it('have the moments of a normal distribution, and neighbouring seeds do not correlate', () => {
    const count = 200_000;
    const [a, b] = [normalValues(count, 5, 'v'), normalValues(count, 6, 'v')];
    const mean = (of: (at: number) => number): number => {
      let sum = 0;
      for (let at = 0; at < count; at++) sum += of(at);
      return sum / count;
    };
    expect(mean((at) => a[at]!)).toBeCloseTo(0, 1.9);
    expect(mean((at) => a[at]! ** 2)).toBeCloseTo(1, 1.7);
    expect(mean((at) => a[at]! ** 4)).toBeGreaterThan(2.8);
    expect(mean((at) => a[at]! * b[at]!)).toBeCloseTo(0, 1.9);
    expect(mean((at) => a[at]! * a[(at + 1) % count]!)).toBeCloseTo(0, 1.9);
  });
});

describe('units in the last place', () => {
  it('count the steps between float32 values, across zero too', () => {
    expect(ulpDistance('f32', 1, 1)).toBe(0);
    expect(ulpDistance('f32', 1, 1 + 2 ** -23)).toBe(1);
    expect(ulpDistance('f32', 1, 1 - 2 ** -24)).toBe(1);
    expect(ulpDistance('f32', 0, -0)).toBe(0);
    expect(ulpDistance('f32', 2 ** -149, -(2 ** -149))).toBe(2);
    expect(ulpDistance('f32', 1, -1)).toBe(2 * 0x3f800000);
    expect(ulpDistance('f32', 3, 3 + 1e-9)).toBe(0);
  });

  it('count the steps between float16 values, subnormal ones too', () => {
    expect(ulpDistance('f16', 1, 1 + 2 ** -10)).toBe(1);
    expect(ulpDistance('f16', 1, 1 - 2 ** -11)).toBe(1);
    expect(ulpDistance('f16', 1, 1 + 2 ** -13)).toBe(0);
    expect(ulpDistance('f16', 2 ** -24, -(2 ** -24))).toBe(2);
    expect(ulpDistance('f16', 2 ** -14, 2 ** -14 - 2 ** -24)).toBe(1);
    expect(ulpDistance('f16', 65504, 0)).toBe(0x7bff);
  });

  it('round to the nearest value of a format', () => {
    expect(roundTo('f16', 1 + 2 ** -11)).toBe(1);
    expect(roundTo('f16', 1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
    expect(roundTo('f32', 0.1)).toBe(Math.fround(0.1));
  });
});

describe('the bits of a half', () => {
  const float = new Float32Array(1);
  const word = new Int32Array(float.buffer);
  const data = new DataView(new ArrayBuffer(2));
  /** The value of a half; that of infinity is what the next exponent would begin with, so that ties have a middle. */
  const valueOf = (half: number): number => {
    data.setUint16(0, half);
    const value = getFloat16(data, 0);
    return value === Infinity ? 2 ** 16 : value;
  };
  /** The bits of the half nearest to the float32 that is `steps` of its own steps away from a value. */
  const nearest = (value: number, steps = 0): number => {
    float[0] = value;
    return halfBits(word[0]! + steps);
  };

  it('are those of the nearest one for each half, and beside and on each tie', () => {
    const wrong: number[] = [];
    for (let half = 0; half < 0x7c00; half++) {
      const value = valueOf(half);
      const tie = (value + valueOf(half + 1)) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      const right =
        nearest(value) === half &&
        nearest(tie) === even &&
        nearest(tie, -1) === half &&
        nearest(tie, 1) === half + 1 &&
        nearest(-value) === (half | 0x8000) &&
        nearest(-tie) === (even | 0x8000);
      if (!right) wrong.push(half);
    }
    expect(wrong).toEqual([]);
  });

  it('are zero, infinity and NaN where the float32 is too small, too large or none', () => {
    expect([2 ** -26, -(2 ** -149), 2 ** 16, -Infinity].map((value) => nearest(value))).toEqual([
      0, 0x8000, 0x7c00, 0xfc00,
    ]);
    expect(nearest(Number.NaN) & 0x7fff).toBe(0x7e00);
  });
});

describe('the values of halves', () => {
  it('are those that a view of the bytes reads, the payloads of NaNs too', () => {
    const data = new DataView(new ArrayBuffer(2));
    const read = Float32Array.from({ length: 0x10000 }, (_, half) => {
      data.setUint16(0, half);
      return getFloat16(data, 0);
    });
    expect(new Int32Array(halfValues().buffer)).toEqual(new Int32Array(read.buffer));
  });

  it('are what a rounded tensor holds', () => {
    const values = Float32Array.from({ length: 4096 }, (_, at) => ((at - 2048) / 97) * 2 ** ((at % 41) - 26));
    expect(roundToHalves(values)).toEqual(values.map((value) => roundTo('f16', value)));
    expect(roundToHalves(values.subarray(5, 9))).toEqual(roundToHalves(values).subarray(5, 9));
  });
});

describe('base64', () => {
  it('equals that of Node, forth and back', () => {
    for (let length = 0; length < 40; length++) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 97 + length) & 255);
      const text = Buffer.from(bytes).toString('base64');
      expect(toBase64(bytes)).toBe(text);
      expect(fromBase64(text)).toEqual(bytes);
    }
    const large = Uint8Array.from({ length: 100_001 }, (_, at) => (at * 31) & 255);
    expect(toBase64(large)).toBe(Buffer.from(large).toString('base64'));
  });

  it('is null for a text that is none', () => {
    for (const text of ['abc', 'ab*d', '=abc', 'a===', 'ab=d']) expect(fromBase64(text), text).toBeNull();
  });
});

describe('statistics', () => {
  it('give median and spread', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(spreadOf([5, 1, 4, 2, 3])).toEqual({ median: 3, p20: 1.8, p80: 4.2 });
  });

  it('call a measurement settled once its median stands still', () => {
    expect(settled([10, 10, 10, 10], 2, 0.01)).toBe(true);
    expect(settled([20, 18, 10, 10], 2, 0.01)).toBe(false);
    expect(settled([20, 10, 10.05, 10, 10.05], 2, 0.01)).toBe(true);
    expect(settled([10, 10, 10], 2, 0.01)).toBe(false);
    expect(settled([], 0, 0.01)).toBe(false);
  });
});

describe('arithmetic of the two precisions', () => {
  it('rounds every sum at f32 and none at f64', () => {
    const a = Float64Array.of(1, 2 ** -30, -1, 0, 0);
    const ones = new Float64Array(5).fill(1);
    expect(arithmetic('f64').dot(a, 0, ones, 0, 5)).toBe(2 ** -30);
    expect(arithmetic('f32').dot(a, 0, ones, 0, 5)).toBe(0);
    const [y64, y32] = [Float64Array.of(1), Float64Array.of(1)];
    arithmetic('f64').addScaled(y64, 0, 2 ** -30, ones, 0, 1);
    arithmetic('f32').addScaled(y32, 0, 2 ** -30, ones, 0, 1);
    expect([y64[0], y32[0]]).toEqual([1 + 2 ** -30, 1]);
    arithmetic('f32').scale(y32, 0, 1 / 3, 1);
    expect(y32[0]).toBe(Math.fround(1 / 3));
  });
});

describe('the histogram of errors', () => {
  it('counts half decades relative to the largest reference, and exact elements apart', () => {
    const errors = Float64Array.of(0, 2e-7, 2e-6, 4e-6, 2e-3, 9);
    const states = Uint8Array.of(0, 0, 0, 0, 0, 1);
    const histogram = errorHistogram({ errors, states } as unknown as Comparison, 2);
    expect(histogram).toEqual({ from: -7, binsPerDecade: 2, counts: [1, 0, 2, 0, 0, 0, 0, 0, 1], exact: 1 });
  });

  it('has no bins where everything is exact', () => {
    const comparison = { errors: new Float64Array(3), states: new Uint8Array(3) } as unknown as Comparison;
    expect(errorHistogram(comparison, 1)).toMatchObject({ counts: [], exact: 3 });
  });
});

describe('numbers for people', () => {
  it('are short', () => {
    expect([0, 0.31, 2e-6, 2.34e-6, 123456, 1234.5, -1e-30].map(shortNumber)).toEqual([
      '0',
      '0.31',
      '2e-6',
      '2.3e-6',
      '1.2e5',
      '1230',
      '-1e-30',
    ]);
  });
});
