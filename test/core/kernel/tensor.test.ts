import { describe, expect, it } from 'vitest';
import type { TensorView } from '../../../src/core/kernel/model.js';
import { packTensor, poisonTensor, unpackTensor } from '../../../src/core/kernel/tensor.js';

function viewOf(over: Partial<TensorView>): TensorView {
  return {
    dims: [2, 3, 4],
    dimNames: ['heads', 'seqlen', 'headDim'],
    strides: [12, 4, 1],
    format: 'f32',
    byteOffset: 0,
    lanes: 1,
    strideBytes: 4,
    ...over,
  };
}

const ramp = (count: number): Float32Array => Float32Array.from({ length: count }, (_, index) => index + 1);
// Logical [heads, seqlen, headDim] stored as [seqlen, heads, headDim].
const permuted = { strides: [4, 8, 1] };

describe('packing a tensor', () => {
  it('copies a plain f32 tensor word for word', () => {
    const packed = packTensor(viewOf({}), ramp(24), 96);
    expect([...new Float32Array(packed)]).toEqual([...ramp(24)]);
  });

  it('lays a permuted tensor out in its own order', () => {
    const packed = new Float32Array(packTensor(viewOf(permuted), ramp(24), 96));
    // seqlen 0: head 0 (1..4), head 1 (13..16); then seqlen 1.
    expect([...packed.subarray(0, 12)]).toEqual([1, 2, 3, 4, 13, 14, 15, 16, 5, 6, 7, 8]);
  });

  it('leaves the fourth word after each vec3 zero', () => {
    const packed = new Float32Array(
      packTensor(viewOf({ dims: [1, 2, 3], strides: [6, 3, 1], lanes: 3, strideBytes: 16 }), ramp(6), 32),
    );
    expect([...packed]).toEqual([1, 2, 3, 0, 4, 5, 6, 0]);
  });

  it('starts after the members that come before the array', () => {
    const packed = new Float32Array(
      packTensor(viewOf({ dims: [1, 1, 2], strides: [2, 2, 1], byteOffset: 8 }), ramp(2), 16),
    );
    expect([...packed]).toEqual([0, 0, 1, 2]);
  });

  it('rounds to f16, two to a word', () => {
    const view = viewOf({ dims: [1, 1, 3], strides: [3, 3, 1], format: 'f16', lanes: 2, strideBytes: 4 });
    const packed = new Uint16Array(packTensor(view, Float32Array.from([1, -2, 65504]), 8));
    expect([...packed]).toEqual([0x3c00, 0xc000, 0x7bff, 0]);
  });

  it('writes whole numbers as i32 and u32, in the order of the layout', () => {
    const table = viewOf({ dims: [2, 2], dimNames: ['batch', 'pages'], strides: [1, 2] });
    const numbers = Float32Array.from([3, -1, 16777216, 2147480000]);
    const signed = new Int32Array(packTensor({ ...table, format: 'i32' }, numbers, 16));
    expect([...signed]).toEqual([3, 16777216, -1, Math.fround(2147480000)]);
    const unsigned = new Uint32Array(packTensor({ ...table, strides: [2, 1], format: 'u32' }, numbers, 16));
    expect([...unsigned]).toEqual([3, 0xffffffff, 16777216, Math.fround(2147480000)]);
  });
});

describe('unpacking a tensor', () => {
  const layouts: [string, TensorView, number][] = [
    ['plain f32', viewOf({}), 96],
    ['permuted f32', viewOf(permuted), 96],
    ['reversed f32', viewOf({ strides: [1, 2, 6] }), 96],
    ['vec3 with gaps', viewOf({ lanes: 3, strideBytes: 16 }), 128],
    ['permuted vec4', viewOf({ ...permuted, lanes: 4, strideBytes: 16 }), 96],
    ['vec3<f16> with gaps', viewOf({ format: 'f16', lanes: 3, strideBytes: 8 }), 64],
    ['packed halves, permuted', viewOf({ ...permuted, format: 'f16', lanes: 8, strideBytes: 16 }), 48],
    ['behind a header', viewOf({ byteOffset: 16 }), 112],
  ];

  it.each(layouts)('gives back what was packed: %s', (_, view, byteLength) => {
    const { values, states } = unpackTensor(view, packTensor(view, ramp(24), byteLength));
    expect([...values]).toEqual([...ramp(24)]);
    expect([...states]).toEqual(Array.from({ length: 24 }, () => 0));
  });

  it.each(['i32', 'u32'] as const)('gives whole numbers back as floats, each of them finite: %s', (format) => {
    const view = viewOf({ ...permuted, format });
    const numbers = ramp(24).map((value) => 0x7fc00000 + 128 * value);
    const { values, states } = unpackTensor(view, packTensor(view, numbers, 96));
    expect([...values]).toEqual([...numbers]);
    expect([...states]).toEqual(Array.from({ length: 24 }, () => 0));
  });

  it.each(layouts)('knows every element of a poisoned buffer as never written: %s', (_, view, byteLength) => {
    const { states } = unpackTensor(view, poisonTensor(view, byteLength));
    expect([...states]).toEqual(Array.from({ length: 24 }, () => 3));
  });

  it.each(['f32', 'f16'] as const)('tells NaN, the infinities and never written apart: %s', (format) => {
    const size = format === 'f32' ? 4 : 2;
    const view = viewOf({ dims: [1, 1, 6], strides: [6, 6, 1], format, strideBytes: size });
    const bytes = packTensor(view, Float32Array.from([1, NaN, Infinity, -Infinity, 0, -0]), 6 * size);
    const poison = new Uint8Array(poisonTensor(view, 4)).subarray(0, size);
    new Uint8Array(bytes).set(poison, 4 * size);
    const { values, states } = unpackTensor(view, bytes);
    expect([...states]).toEqual([0, 1, 2, 2, 3, 0]);
    expect([values[0], values[2], values[3]]).toEqual([1, Infinity, -Infinity]);
    expect(Object.is(values[5], -0)).toBe(true);
  });

  it('reads a slice that does not start at a whole word', () => {
    const shifted = new Uint8Array(99).subarray(3);
    shifted.set(new Uint8Array(packTensor(viewOf({}), ramp(24), 96)));
    expect([...unpackTensor(viewOf({}), shifted).values]).toEqual([...ramp(24)]);
  });

  it('takes millions of plain elements in a moment', () => {
    const count = 1 << 23;
    const view = viewOf({ dims: [1, 1, count], strides: [count, count, 1] });
    const values = new Float32Array(count).fill(0.5);
    const from = performance.now();
    const { states } = unpackTensor(view, packTensor(view, values, 4 * count));
    expect(states.length).toBe(count);
    expect(performance.now() - from).toBeLessThan(2000);
  });
});
