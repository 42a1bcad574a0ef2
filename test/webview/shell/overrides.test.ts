import { describe, expect, it } from 'vitest';
import {
  currentOverride,
  isOverridden,
  parseOption,
  parseSize,
  sameOverride,
  stepSize,
  withDimension,
  withOption,
  withOverride,
} from '../../../src/webview/shell/overrides.js';
import { kernel } from '../harness/fixtures.js';

describe('choosing shape and options', () => {
  it('sends what differs from the file, and not what merely follows', () => {
    const wider = {
      ...kernel,
      dimensions: kernel.dimensions.map((field) =>
        field.name.startsWith('headDim') ? { ...field, value: 128 } : field,
      ),
    };
    expect(currentOverride(wider)).toEqual({ shape: { seqlen: 512, headDim: 128 }, options: {} });
  });

  it('adds to what was chosen before', () => {
    expect(withDimension(kernel, 'headDimV', 32).shape).toEqual({ seqlen: 512, headDimV: 32 });
    expect(withOption(kernel, 'slopeKind', 'linear')).toEqual({
      shape: { seqlen: 512 },
      options: { slopeKind: 'linear' },
    });
  });

  it('knows the kernel before the host shows it, so that quick edits add up', () => {
    const first = withDimension(kernel, 'headDimV', 32);
    const second = withOption(withOverride(kernel, first), 'slopeKind', 'linear');
    expect(second).toEqual({ shape: { seqlen: 512, headDimV: 32 }, options: { slopeKind: 'linear' } });
    const back = withDimension(withOverride(kernel, second), 'seqlen', 2048);
    expect(currentOverride(withOverride(kernel, back))).toEqual(back);
    expect(sameOverride(first, { shape: { headDimV: 32, seqlen: 512 }, options: {} })).toBe(true);
    expect(sameOverride(first, second)).toBe(false);
  });

  it('takes a choice back when it is set to what the file says', () => {
    expect(withDimension(kernel, 'seqlen', 2048)).toEqual({ shape: {}, options: {} });
    expect(isOverridden(kernel)).toBe(true);
  });

  it.each([
    ['65', 65],
    [' 128 ', 128],
    ['0', null],
    ['-4', null],
    ['1.5', null],
    ['', null],
    ['many', null],
    ['999999999', null],
  ])('reads the size %j as %j', (text, size) => {
    expect(parseSize(text)).toBe(size);
  });

  it('doubles and halves', () => {
    expect([stepSize(65, 1), stepSize(65, -1), stepSize(1, -1)]).toEqual([130, 32, 1]);
  });

  it('reads numbers and windows', () => {
    expect(parseOption('number', '0.125')).toBe(0.125);
    expect(parseOption('number', '1, 2')).toBeNull();
    expect(parseOption('window', '[128, -1]')).toEqual([128, -1]);
    expect(parseOption('window', '128, 0.5')).toBeNull();
    expect(parseOption('window', '128')).toBeNull();
  });
});
