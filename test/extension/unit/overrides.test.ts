import { describe, expect, it } from 'vitest';
import { completeShape, findMechanism, mechanisms } from '../../../src/core/attention/catalogue.js';
import { formatOverride, parseOverride, remember, resolveDimension } from '../../../src/extension/overrides.js';
import type { CaseOverride } from '../../../src/lab/contract.js';
import { english } from './english.js';

const softmax = mechanisms.find(({ id }) => id === 'softmax-attention')!;

const overrideOf = (text: string): unknown => {
  const parsed = parseOverride(text, softmax, english);
  return parsed.ok ? parsed.override : parsed.message;
};

describe('an override as text', () => {
  it('names sizes and options', () => {
    expect(overrideOf('seqlen=300, headDim = 64,causal=false, window=[128, 0], scale=0.125')).toEqual({
      shape: { seqlen: 300, headDim: 64 },
      options: { causal: false, window: [128, 0], scale: 0.125 },
    });
  });

  it('means the file itself where it is empty', () => {
    expect(overrideOf(' , ')).toBeNull();
  });

  it.each([
    ['seqlen', '"seqlen" is not of the form name=value, as in seqlen=300.'],
    ['seqlen=0', 'seqlen takes a whole number from 1, not "0".'],
    ['seqlen=1.5', 'seqlen takes a whole number from 1, not "1.5".'],
    ['causal=yes', 'causal takes true | false, not "yes".'],
    ['window=128', 'window takes [left, right], not "128".'],
    ['scale=big', 'scale takes 1.5, not "big".'],
  ])('says what is wrong with %s', (text, message) => {
    expect(overrideOf(text)).toBe(message);
  });

  it('lists the names there are where one is unknown', () => {
    expect(overrideOf('sequence=3')).toMatch(/has no "sequence"\. It has batch, heads, .*causal/);
  });

  it('reads what it writes', () => {
    const text = 'seqlen=300, causal=false, window=[-1, 4]';
    const parsed = parseOverride(text, softmax, english);
    expect(parsed.ok && parsed.override !== null && formatOverride(parsed.override)).toBe(text);
  });
});

describe('recent overrides', () => {
  it('hold each choice once, the latest first, up to the limit', () => {
    const of = (seqlen: number): CaseOverride => ({ shape: { seqlen }, options: {} });
    const recent = [1, 2, 3, 2].reduce((list, n) => remember(list, of(n), 2), remember([], of(9), 2));
    expect(recent).toEqual([of(2), of(3)]);
  });
});

describe('a dimension under an override', () => {
  const fileShape = completeShape(softmax, { heads: 8, seqlen: 64 });

  it('follows from the dimension it is derived from', () => {
    const unit = findMechanism('gated-attention-unit')!;
    const shape = completeShape(unit, { seqlen: 40 });
    expect(resolveDimension('biasDim', unit, shape, null)).toEqual({ value: 79, follows: 'seqlen' });
    const longer = { shape: { seqlen: 100 }, options: {} };
    expect(resolveDimension('biasDim', unit, shape, longer)).toEqual({ value: 199, follows: 'seqlen' });
    expect(resolveDimension('biasDim', unit, { ...shape, biasDim: 255 }, longer).value).toBe(255);
  });

  it('follows the dimension it falls back to', () => {
    const override = { shape: { seqlen: 100 }, options: {} };
    expect(resolveDimension('seqlenK', softmax, fileShape, override)).toEqual({ value: 100, follows: 'seqlen' });
  });

  it('follows it by half, where half is its share', () => {
    const tied = findMechanism('grouped-tied-attention')!;
    const halved = completeShape(tied, { headDim: 64 });
    const override = { shape: { headDim: 96 }, options: {} };
    expect(resolveDimension('ropeDim', tied, halved, override)).toEqual({ value: 48, follows: 'headDim' });
    const quarter = completeShape(tied, { headDim: 64, ropeDim: 16 });
    expect(resolveDimension('ropeDim', tied, quarter, override)).toEqual({ value: 16, follows: null });
  });

  it('keeps a size of its own', () => {
    const override = { shape: { seqlen: 100, seqlenK: 7 }, options: {} };
    expect(resolveDimension('seqlenK', softmax, fileShape, override)).toEqual({ value: 7, follows: null });
    const gqa = completeShape(softmax, { heads: 8, headsKv: 2 });
    expect(resolveDimension('headsKv', softmax, gqa, { shape: { heads: 4 }, options: {} })).toEqual({
      value: 2,
      follows: null,
    });
  });
});
