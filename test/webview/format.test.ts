import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatError,
  formatFactor,
  formatIndex,
  formatOption,
  formatRate,
  formatSpread,
  formatTime,
  formatValue,
  significant,
} from '../../src/webview/format.js';

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [1.8449, '1.84'],
    [0.0001234, '1.23e-4'],
    [-0.5, '−0.500'],
    [861003, '8.61e5'],
    [99999, '99999'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '−∞'],
  ])('%d has three significant digits: %s', (value, text) => {
    expect(significant(value)).toBe(text);
  });

  it.each([
    [32, '32.0 ns'],
    [999.6, '1.00 µs'],
    [1_840_000, '1.84 ms'],
    [61_000_000_000, '61.0 s'],
  ])('%d ns is %s', (nanoseconds, text) => {
    const { value, unit } = formatTime(nanoseconds);
    expect(`${value} ${unit}`).toBe(text);
  });

  it('keeps rates in giga until they are ten thousand', () => {
    expect(formatRate(3.8144e12, 'FLOP')).toEqual({ value: '3814', unit: 'GFLOP/s' });
    expect(formatRate(6.6e13, 'FLOP')).toEqual({ value: '66.0', unit: 'TFLOP/s' });
    expect(formatRate(7.364e6, 'B')).toEqual({ value: '7.36', unit: 'MB/s' });
    expect(formatRate(9.24e9, 'B')).toEqual({ value: '9.24', unit: 'GB/s' });
  });

  it('writes sizes with binary prefixes', () => {
    expect(formatBytes(512)).toEqual({ value: '512', unit: 'B' });
    expect(formatBytes(16_908_288)).toEqual({ value: '16.1', unit: 'MiB' });
  });

  it('says what stands where there is no number', () => {
    expect(formatError(null)).toBe('–');
    expect(formatFactor(null)).toBe('–');
    expect(formatValue(null, 'NaN')).toBe('NaN');
  });

  it('gives the spread as a share of the median', () => {
    expect(formatSpread({ median: 100, p20: 98, p80: 102, samples: [] })).toBe('±2.0 %');
    expect(formatSpread({ median: 0, p20: 0, p80: 0, samples: [] })).toBe('±0 %');
  });

  it('names coordinates by the words for one of them', () => {
    expect(formatIndex(['batch', 'heads', 'seqlen', 'headDim'], [0, 2, 65, 12])).toBe(
      'batch 0 · head 2 · row 65 · column 12',
    );
  });

  it('writes options as a kernel file does', () => {
    expect([true, 'alibi', 0.125, [-1, 128] as const].map(formatOption)).toEqual([
      'true',
      'alibi',
      '0.125',
      '[-1, 128]',
    ]);
  });
});
