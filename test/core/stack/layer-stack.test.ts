import { describe, expect, it } from 'vitest';
import {
  invalidStackLayer,
  layerCost,
  stackCost,
  twinOf,
  type StackLayer,
} from '../../../src/core/stack/layer-stack.js';
import { predict, type MeasuredRate } from '../../../src/core/stack/prediction.js';
import { stackPresets } from '../../../src/core/stack/presets.js';

const at = { seqlen: 8192, elementBytes: 2, stateBytes: 4 };
const n = at.seqlen;
const stackNamed = (id: string) => stackPresets.find((preset) => preset.id === id)!.stack;

const softmax: StackLayer = {
  mechanism: 'softmax-attention',
  heads: 32,
  headsKv: 8,
  headDim: 128,
  headDimV: 128,
  window: null,
  causal: true,
  repeat: 1,
};
const lightning: StackLayer = { ...softmax, mechanism: 'lightning-attention', headsKv: null };

describe('what a layer costs', () => {
  it('is every pair of the mask and a growing cache for softmax attention', () => {
    const cost = layerCost(softmax, at);
    expect(cost.prefillFlops).toBe(((n * (n + 1)) / 2) * 32 * 2 * (128 + 128));
    expect(cost.bytesPerToken).toBe(2 * 2 * 8 * 128);
    expect(cost.keptBytes).toBe(n * 2 * 2 * 8 * 128);
    expect(cost.decode).toEqual({
      flops: n * 32 * 2 * (128 + 128),
      bytes: 2 * 128 * (2 * 8 * n + 2 * 32),
    });
  });

  it('is a state that does not grow for lightning attention', () => {
    const cost = layerCost(lightning, at);
    expect(cost.prefillFlops).toBe(4 * 32 * n * 128 * 128);
    expect(cost.bytesPerToken).toBe(0);
    expect(cost.keptBytes).toBe(4 * 32 * 128 * 128);
    // The state in and out, q, k, v and o of one token, and a slope for each head.
    expect(cost.decode).toEqual({
      flops: 4 * 32 * 128 * 128,
      bytes: 2 * 4 * 32 * 128 * 128 + 2 * 4 * 32 * 128 + 2 * 32,
    });
    expect(layerCost(lightning, { ...at, seqlen: 64 * n }).keptBytes).toBe(cost.keptBytes);
  });

  it('stops growing once a window is full', () => {
    const windowed = { ...softmax, window: 1023 };
    expect(layerCost(windowed, { ...at, seqlen: 1024 }).bytesPerToken).toBe(4096);
    expect(layerCost(windowed, at).bytesPerToken).toBe(0);
    expect(layerCost(windowed, at).keptBytes).toBe(1024 * 4096);
    expect(layerCost(windowed, at).decode!.flops).toBe(1024 * 32 * 2 * 256);
    // Row i sees min(i, 1024) keys.
    expect(layerCost(windowed, at).prefillFlops).toBe(((1024 * 1025) / 2 + (n - 1024) * 1024) * 32 * 2 * 256);
  });

  it('is that of the absorbed form for a latent, which is key and value at once, and leaves the projections out', () => {
    const latent = { ...softmax, mechanism: 'grouped-latent-attention', headsKv: 2 };
    expect(invalidStackLayer(latent)).toBeNull();
    const cost = layerCost(latent, at);
    // Two latents of 256 and a shared slice of 64.
    expect(cost.bytesPerToken).toBe(2 * (2 * 256 + 64));
    expect(cost.decode).toEqual({
      flops: 2 * 32 * n * (2 * 256 + 64),
      bytes: 2 * (n * (2 * 256 + 64) + 32 * (256 + 64 + 256)),
    });
  });

  it('tells what is kept: a state, a cache, or a window, and a cache too where tokens to come are seen', () => {
    expect(layerCost(lightning, at).kept).toBe('state');
    expect(layerCost(softmax, at).kept).toBe('cache');
    expect(layerCost({ ...softmax, window: 64 }, at).kept).toBe('window');
    expect(layerCost({ ...lightning, mechanism: 'linear-attention', causal: false }, at).kept).toBe('cache');
  });

  it('has no decode step where all tokens see each other', () => {
    expect(layerCost({ ...softmax, causal: false }, at).decode).toBeNull();
  });
});

describe('the stacks that come along', () => {
  it('MiniMax-01 has 80 layers, and every eighth is softmax attention', () => {
    const stack = stackNamed('minimax-01');
    const all = stack.layers.flatMap(({ mechanism, repeat }) => Array.from({ length: repeat }, () => mechanism));
    expect(all.length).toBe(80);
    expect(all.map((mechanism, layer) => (mechanism === 'softmax-attention') === (layer % 8 === 7))).not.toContain(
      false,
    );
    const cost = stackCost(stack, at);
    expect(cost.bytesPerToken).toBe(10 * 2 * 2 * 8 * 128);
    expect(cost.keptBytes).toBe(70 * 4 * 64 * 128 * 128 + n * cost.bytesPerToken);
  });

  it('ModernBERT is global in every third layer and sees 64 tokens to each side in the others', () => {
    const stack = stackNamed('modernbert-base');
    const windows = stack.layers.flatMap(({ window, repeat }) => Array.from({ length: repeat }, () => window));
    expect(windows).toEqual(Array.from({ length: 22 }, (_, layer) => (layer % 3 === 0 ? null : 64)));
    const pairs = 8 * n * n + 14 * (n * 129 - 64 * 65);
    const cost = stackCost(stack, at);
    expect(cost.prefillFlops).toBe(pairs * 12 * 2 * (64 + 64));
    expect(cost.decode).toBeNull();
  });

  it.each(stackPresets)('$id is made of layers that can be', ({ stack }) => {
    expect(stack.layers.map(invalidStackLayer)).toEqual(stack.layers.map(() => null));
    for (const twin of ['softmax-attention', 'lightning-attention'] as const) {
      const { layers } = twinOf(stack, twin);
      expect(layers.map(invalidStackLayer)).toEqual(layers.map(() => null));
      expect(layers.map(({ mechanism }) => mechanism)).toEqual(layers.map(() => twin));
    }
  });

  it('have twins of one mechanism with as many layers, and key heads where softmax attention had them', () => {
    const stack = stackNamed('minimax-01');
    expect(stackCost(twinOf(stack, 'softmax-attention'), at).bytesPerToken).toBe(80 * 4096);
    expect(stackCost(twinOf(stack, 'lightning-attention'), at).keptBytes).toBe(80 * 4 * 64 * 128 * 128);
  });
});

describe('a layer that cannot be', () => {
  it.each([
    [{ mechanism: 'attention' }, /no mechanism "attention"/],
    [{ heads: 0 }, /heads is 0/],
    [{ headsKv: 5 }, /headsKv/],
    [{ mechanism: 'lightning-attention', headsKv: null, window: 64 }, /has no window/],
    [{ mechanism: 'atlas', headsKv: null, window: 64 }, /has no window/],
    [{ mechanism: 'lightning-attention', headsKv: null, causal: false }, /causal by its equations/],
    [{ mechanism: 'lightning-attention' }, /no key and value heads/],
    [{ mechanism: 'newton-schulz', headsKv: null }, /makes no layer/],
    [{ window: -1 }, /window is -1/],
  ])('is refused in words: %j', (change, words) => {
    expect(invalidStackLayer({ ...softmax, ...change })).toMatch(words);
  });
});

describe('a predicted time', () => {
  const rate = (mechanism: string, direction: 'forward' | 'decode', headDim: number, each: number): MeasuredRate => ({
    ...{ mechanism, direction, headDim, kernel: `${mechanism}.wgsl` },
    ...{ flopsPerSecond: each, bytesPerSecond: each },
  });
  const stack = { title: 'two', layers: [softmax, { ...lightning, repeat: 3 }] };

  it('is the sum of operations and bytes by the rates of the kernels closest in width', () => {
    const rates = [
      rate('softmax-attention', 'forward', 64, 1),
      rate('softmax-attention', 'forward', 128, 1e12),
      rate('softmax-attention', 'decode', 128, 1e11),
      rate('lightning-attention', 'forward', 64, 2e12),
      rate('lightning-attention', 'forward', 256, 1e12),
      rate('lightning-attention', 'decode', 64, 2e11),
    ];
    const { prefill, decode, missing, used } = predict(stack, at, rates);
    const [one, three] = [layerCost(softmax, at), layerCost(lightning, at)];
    expect(prefill).toBeCloseTo(one.prefillFlops / 1e12 + (3 * three.prefillFlops) / 2e12, 9);
    expect(decode).toBeCloseTo(one.decode!.bytes / 1e11 + (3 * three.decode!.bytes) / 2e11, 12);
    expect(missing).toEqual([]);
    expect(used.length).toBe(4);
  });

  it('is none where a mechanism was not measured, and says which', () => {
    const { prefill, decode, missing } = predict(stack, at, [rate('softmax-attention', 'forward', 128, 1e12)]);
    expect(prefill).toBeNull();
    expect(decode).toBeNull();
    expect(missing).toEqual(['softmax-attention decode', 'lightning-attention forward', 'lightning-attention decode']);
  });
});
