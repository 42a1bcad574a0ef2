import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../src/core/kernel/model.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { caseOf, isOfCase } from '../../../src/extension/snapshot.js';

const text = readFileSync(new URL('../../../shaders/softmax/flash.wgsl', import.meta.url), 'utf8');
const kernel: Kernel = readKernel(text, 'flash.wgsl')!;
const own = { hash: kernel.hash, shape: kernel.shape, options: kernel.options };

describe('the case of a kernel', () => {
  it("is the file's own, or the override's with what follows it", () => {
    expect(caseOf(kernel, null)).toEqual({ shape: kernel.shape, options: kernel.options });
    const smaller = caseOf(kernel, { shape: { seqlen: 96, headDim: 16 }, options: { causal: false } });
    expect(smaller).toMatchObject({
      shape: { seqlen: 96, seqlenK: 96, headDim: 16, headDimV: 16, heads: 8 },
      options: { causal: false, scale: 0.25 },
    });
  });

  it('is told from others by source, shape and options', () => {
    expect(isOfCase(own, kernel, null)).toBe(true);
    expect(isOfCase({ ...own, hash: 'another' }, kernel, null)).toBe(false);
    expect(isOfCase(own, kernel, { shape: { seqlen: 96 }, options: {} })).toBe(false);
    expect(isOfCase(own, kernel, { shape: {}, options: { causal: false } })).toBe(false);
    expect(isOfCase(own, kernel, { shape: {}, options: { scale: 0.126 } })).toBe(false);
  });

  it('is the same where another JavaScript engine has rounded a scale in another way', () => {
    const odd = { shape: { headDim: 32 }, options: {} };
    const { shape, options } = caseOf(kernel, odd)!;
    const scale = options.scale as number;
    for (const rounded of [scale * (1 + 2 ** -52), scale * (1 - 2 ** -52)]) {
      expect(isOfCase({ hash: kernel.hash, shape, options: { ...options, scale: rounded } }, kernel, odd)).toBe(true);
    }
  });
});
