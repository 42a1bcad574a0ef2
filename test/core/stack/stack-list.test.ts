import { describe, expect, it } from 'vitest';
import { stackPresets } from '../../../src/core/stack/presets.js';
import { readStack, stackText } from '../../../src/core/stack/stack-list.js';

describe('a list of layers', () => {
  it('is read with what goes without saying', () => {
    const read = readStack(`title: hybrid
repeat: 2
layers:
  - { mechanism: gated-linear-attention, heads: 16, headDim: 64, repeat: 3 }
  - { mechanism: softmax-attention, heads: 16, headsKv: 4, headDim: 64, window: 1023 }
`);
    if (!read.ok) throw new Error(read.problem);
    const { title, layers } = read.stack;
    expect(title).toBe('hybrid');
    expect(layers.map(({ mechanism, repeat }) => `${repeat} ${mechanism}`)).toEqual([
      '3 gated-linear-attention',
      '1 softmax-attention',
      '3 gated-linear-attention',
      '1 softmax-attention',
    ]);
    expect(layers[1]).toEqual({
      ...{ mechanism: 'softmax-attention', heads: 16, headsKv: 4, headDim: 64, headDimV: 64 },
      ...{ window: 1023, causal: true, repeat: 1 },
    });
  });

  it.each(stackPresets)('is what $id is written as', ({ stack }) => {
    const read = readStack(stackText(stack));
    expect(read).toEqual({ ok: true, stack: { title: stack.title, layers: stack.layers } });
  });

  it('is short where layers repeat', () => {
    expect(stackText(stackPresets[0]!.stack)).toBe(`title: MiniMax-01
repeat: 10
layers:
  - { mechanism: lightning-attention, heads: 64, headDim: 128, repeat: 7 }
  - { mechanism: softmax-attention, heads: 64, headsKv: 8, headDim: 128 }
`);
  });

  it.each([
    ['layers: [', /^Line 1 is no YAML/],
    ['5', /mapping with a list of layers/],
    ['layers: []', /must be a list of layers/],
    ['layer: 5\nlayers: [{}]', /"layer" is no field of a stack/],
    ['repeat: 0\nlayers: [{}]', /repeat must be a whole number from 1/],
    ['layers: [softmax]', /^Layer 1: it must be a mapping/],
    ['layers:\n  - { mechanism: softmax-attention, heads: 4 }', /^Layer 1: it needs heads and headDim/],
    ['layers:\n  - { mechanism: softmax-attention, heads: 4, headDim: 64, kv: 2 }', /^Layer 1: "kv" is no field/],
    ['layers:\n  - { mechanism: softmax-attention, heads: four, headDim: 64 }', /heads must be a number, not "four"/],
    ['layers:\n  - { mechanism: softmax-attention, heads: 4, headDim: 64, causal: 1 }', /causal must be true or false/],
    ['layers:\n  - { mechanism: softmax, heads: 4, headDim: 64 }', /^Layer 1: There is no mechanism "softmax"/],
  ])('is refused in words: %j', (text, words) => {
    const read = readStack(text);
    expect(read.ok ? '' : read.problem).toMatch(words);
  });
});
