import { describe, expect, it } from 'vitest';
import { mechanisms } from '../../../src/core/attention/catalogue.js';
import type { Inputs, Options, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const linearOptions: readonly { name: string; id: string; options: Options }[] = [
  { name: 'linear, elu1', id: 'linear-attention', options: {} },
  {
    name: 'linear, identity without divisor',
    id: 'linear-attention',
    options: { feature: 'identity', normalize: false },
  },
  { name: 'lightning', id: 'lightning-attention', options: {} },
  { name: 'gated', id: 'gated-linear-attention', options: { gateKind: 'tau1' } },
];

function cut(inputs: Inputs, shape: Shape, from: number, to: number): Inputs {
  const { seqlen = 0, headDim = 0, headDimV = 0, gateDim = 0 } = shape;
  return {
    ...inputs,
    ...(inputs.g ? { g: tokens(inputs.g, seqlen, gateDim, from, to) } : {}),
    q: tokens(inputs.q!, seqlen, headDim, from, to),
    k: tokens(inputs.k!, seqlen, headDim, from, to),
    v: tokens(inputs.v!, seqlen, headDimV, from, to),
  };
}

describe('split and resume', () => {
  for (const { name, id, options } of linearOptions) {
    for (const first of [1, 23, 49]) {
      it(`${name}: ${first} tokens, then the rest from the state, equal one run`, () => {
        const size = { batch: 2, heads: 2, headDim: 8, headDimV: 12 };
        const whole = bench(id, 'forward', { ...size, seqlen: 50 }, options);
        const full = whole.run(whole.inputs);
        const head = bench(id, 'forward', { ...size, seqlen: first }, options);
        const tail = bench(id, 'forward', { ...size, seqlen: 50 - first }, options);
        const before = head.run(cut(whole.inputs, whole.shape, 0, first));
        const resumed: Record<string, Float32Array> = { ...cut(whole.inputs, whole.shape, first, 50) };
        resumed.s0 = Float32Array.from(before.s!.values);
        if (before.z) resumed.z0 = Float32Array.from(before.z.values);
        const after = tail.run(resumed);
        const o = full.o!.values as Float64Array;
        // The state passes through float32, so agreement is to that precision.
        expect(distance(before.o!.values, tokens(o, 50, 12, 0, first))).toBeLessThan(1e-14);
        expect(distance(after.o!.values, tokens(o, 50, 12, first, 50))).toBeLessThan(2e-6);
        expect(distance(after.s!.values, full.s!.values)).toBeLessThan(1e-6);
      });
    }
  }
});

describe('decoding', () => {
  for (const { name, id, options, gateDim } of [
    { name: 'linear, elu1', id: 'linear-attention', options: { eps: 0.01, scale: 0.7 } },
    { name: 'lightning', id: 'lightning-attention', options: {} },
    { name: 'gated', id: 'gated-linear-attention', options: { gateKind: 'mixed' }, gateDim: 8 },
    { name: 'gated, one gate per head', id: 'gated-linear-attention', options: { gateKind: 'mixed' }, gateDim: 1 },
  ]) {
    it(`${name}: token by token equals the forward pass`, () => {
      const size = { batch: 2, heads: 2, headDim: 8, headDimV: 12, ...(gateDim === undefined ? {} : { gateDim }) };
      const whole = bench(id, 'forward', { ...size, seqlen: 11 }, options);
      const full = whole.run(whole.inputs);
      const step = bench(id, 'decode', { ...size, seqlen: 1 }, options);
      let { s0, z0 } = whole.inputs;
      for (let t = 0; t < 11; t++) {
        const token = cut(whole.inputs, whole.shape, t, t + 1);
        const { o, s, z } = step.run({ ...token, s0: s0!, ...(z0 ? { z0 } : {}) });
        expect(distance(o!.values, tokens(full.o!.values as Float64Array, 11, 12, t, t + 1))).toBeLessThan(2e-6);
        s0 = Float32Array.from(s!.values);
        if (z0) z0 = Float32Array.from(z!.values);
      }
      expect(distance(s0!, full.s!.values)).toBeLessThan(2e-6);
      if (z0) expect(distance(z0, full.z!.values)).toBeLessThan(2e-6);
    });
  }
});

describe('causality', () => {
  for (const { name, id, options } of [
    ...linearOptions,
    { name: 'softmax', id: 'softmax-attention', options: {} },
    { name: 'softmax with a window', id: 'softmax-attention', options: { window: [5, 0] as const } },
  ]) {
    it(`${name}: changing tokens after 20 leaves earlier outputs bit-identical, and changes later ones`, () => {
      const { shape, inputs, run } = bench(id, 'forward', { batch: 1, heads: 2, seqlen: 40, headDim: 8 }, options);
      const before = run(inputs).o!.values as Float64Array;
      const changed: Record<string, Float32Array> = { ...inputs };
      for (const tensor of ['q', 'k', 'v']) {
        changed[tensor] = inputs[tensor]!.map((value, at) =>
          Math.floor(at / 8) % shape.seqlen! > 20 ? value + 1 : value,
        );
      }
      const after = run(changed).o!.values as Float64Array;
      expect(tokens(after, 40, 8, 0, 21)).toEqual(tokens(before, 40, 8, 0, 21));
      expect(distance(tokens(after, 40, 8, 21, 40), tokens(before, 40, 8, 21, 40))).toBeGreaterThan(1e-2);
    });
  }

  it('gradients of keys and values of token j do not depend on gradients of outputs before j', () => {
    const trained = mechanisms.filter(
      ({ parts, computations }) => parts?.key === 'k' && computations.some(({ direction }) => direction === 'backward'),
    );
    expect(trained.length).toBeGreaterThanOrEqual(4);
    for (const { id } of trained) {
      const { inputs, run } = bench(id, 'backward', { batch: 1, heads: 1, seqlen: 30, headDim: 8 }, {});
      const changed = { ...inputs, do: inputs.do!.map((value, at) => (Math.floor(at / 8) < 10 ? -value : value)) };
      for (const name of ['dk', 'dv']) {
        const [a, b] = [run(inputs)[name]!.values as Float64Array, run(changed)[name]!.values as Float64Array];
        expect(tokens(a, 30, 8, 10, 30), `${id} ${name}`).toEqual(tokens(b, 30, 8, 10, 30));
        expect(a).not.toEqual(b);
      }
    }
  });
});

describe('one mechanism as a special case of another', () => {
  it('lightning with slope 0 is linear attention without feature map and divisor', () => {
    const size = { batch: 2, heads: 2, seqlen: 45, headDim: 8, headDimV: 4 };
    const lightning = bench('lightning-attention', 'forward', size, { scale: 0.5 });
    const linear = bench('linear-attention', 'forward', size, { feature: 'identity', normalize: false, scale: 0.5 });
    const inputs = { ...lightning.inputs, slopes: new Float32Array(2) };
    expect(distance(lightning.run(inputs).o!.values, linear.run(inputs).o!.values)).toBe(0);
    const decayed = lightning.run(lightning.inputs).o!.values;
    expect(distance(decayed, linear.run(inputs).o!.values)).toBeGreaterThan(1e-2);
  });

  it('gated with gates of zero is lightning with slope 0', () => {
    const size = { batch: 2, heads: 2, seqlen: 45, headDim: 8, headDimV: 4 };
    const gated = bench('gated-linear-attention', 'forward', size, { gateKind: 'zero', scale: 0.5 });
    const lightning = bench('lightning-attention', 'forward', size, { scale: 0.5 });
    const inputs = { ...gated.inputs, slopes: new Float32Array(2) };
    expect(distance(gated.run(inputs).o!.values, lightning.run(inputs).o!.values)).toBe(0);
  });

  it('gated with one gate per head of minus the slope is lightning', () => {
    const size = { batch: 2, heads: 2, seqlen: 45, headDim: 8, headDimV: 4 };
    const gated = bench('gated-linear-attention', 'backward', { ...size, gateDim: 1 }, { scale: 0.5 });
    const lightning = bench('lightning-attention', 'backward', size, { scale: 0.5 });
    const g = Float32Array.from({ length: 2 * 2 * 45 }, (_, at) => -lightning.inputs.slopes![Math.floor(at / 45) % 2]!);
    const inputs = { ...lightning.inputs, g };
    const [a, b] = [gated.run(inputs), lightning.run(inputs)];
    for (const name of ['dq', 'dk', 'dv', 'ds0']) expect(distance(a[name]!.values, b[name]!.values)).toBe(0);
  });

  it('gated with the same gate in every channel is its simple form, whose gate takes their gradients together', () => {
    const size = { batch: 1, heads: 2, seqlen: 70, headDim: 8 };
    const simple = bench('gated-linear-attention', 'backward', { ...size, gateDim: 1 }, { gateKind: 'tau1' });
    const gated = bench('gated-linear-attention', 'backward', size, {});
    const g = Float32Array.from({ length: 2 * 70 * 8 }, (_, at) => simple.inputs.g![Math.floor(at / 8)]!);
    const [a, b] = [simple.run(simple.inputs), gated.run({ ...simple.inputs, g })];
    expect(distance(a.dq!.values, b.dq!.values)).toBe(0);
    const channels = b.dg!.values;
    const summed = Float64Array.from(a.dg!.values, (_, row) => {
      let sum = 0;
      for (let d = 0; d < 8; d++) sum += channels[8 * row + d]!;
      return sum;
    });
    expect(distance(a.dg!.values, summed)).toBeLessThan(1e-14);
  });

  it('gated with gates of -50 sees the current token alone', () => {
    const { inputs, options, run } = bench(
      'gated-linear-attention',
      'forward',
      { heads: 1, seqlen: 256, headDim: 8 },
      {},
    );
    const { o, s } = run({ ...inputs, g: new Float32Array(256 * 8).fill(-50) });
    const expected = Float64Array.from(o!.values, (_, at) => {
      const row = Math.floor(at / 8);
      let weight = 0;
      for (let d = 0; d < 8; d++) weight += inputs.q![8 * row + d]! * inputs.k![8 * row + d]!;
      return (options.scale as number) * weight * inputs.v![at]!;
    });
    expect(distance(o!.values, expected)).toBeLessThan(1e-14);
    expect(s!.values.every(Number.isFinite)).toBe(true);
  });

  it('grouped queries equal repeated keys and values, and their key gradients add up', () => {
    const size = { batch: 2, seqlen: 20, headDim: 8 };
    const grouped = bench('softmax-attention', 'backward', { ...size, heads: 4, headsKv: 2 }, {});
    const repeated = bench('softmax-attention', 'backward', { ...size, heads: 4 }, {});
    const block = 20 * 8;
    const repeat = (values: Float32Array): Float32Array =>
      Float32Array.from(
        { length: values.length * 2 },
        (_, at) => values[Math.floor(at / block / 2) * block + (at % block)]!,
      );
    const inputs = { ...grouped.inputs, k: repeat(grouped.inputs.k!), v: repeat(grouped.inputs.v!) };
    const [a, b] = [grouped.run(grouped.inputs), repeated.run(inputs)];
    expect(distance(a.dq!.values, b.dq!.values)).toBe(0);
    const dk = b.dk!.values;
    const summed = Float64Array.from(a.dk!.values, (_, at) => {
      const first = Math.floor(at / block) * 2 * block + (at % block);
      return dk[first]! + dk[first + block]!;
    });
    expect(distance(a.dk!.values, summed)).toBeLessThan(1e-14);
  });

  it('a window as long as the sequence sees everything', () => {
    const size = { batch: 1, heads: 1, seqlen: 33, headDim: 8 };
    const full = bench('softmax-attention', 'forward', size, {});
    const windowed = bench('softmax-attention', 'forward', size, { window: [32, 0] });
    const narrower = bench('softmax-attention', 'forward', size, { window: [31, 0] });
    expect(windowed.run(full.inputs)).toEqual(full.run(full.inputs));
    expect(narrower.run(full.inputs)).not.toEqual(full.run(full.inputs));
  });

  it('permuting heads permutes outputs', () => {
    const { inputs, run } = bench('softmax-attention', 'forward', { heads: 2, seqlen: 9, headDim: 4 }, {});
    const swap = <T extends Float32Array | Float64Array>(values: T): T => {
      const copy = values.slice() as T;
      copy.copyWithin(0, values.length / 2);
      copy.set(values.subarray(0, values.length / 2), values.length / 2);
      return copy;
    };
    const swapped = { q: swap(inputs.q!), k: swap(inputs.k!), v: swap(inputs.v!) };
    expect(run(swapped).o!.values).toEqual(swap(run(inputs).o!.values as Float64Array));
  });
});

describe('softmax shift', () => {
  it('adding one vector to all keys leaves o and shifts lse by scale · q · a', () => {
    const { inputs, options, run } = bench('softmax-attention', 'forward', { heads: 1, seqlen: 25, headDim: 8 }, {});
    // Keys and shift on a coarse grid, so that the shifted keys are float32 too.
    const k = inputs.k!.map((value) => Math.round(value * 256) / 256);
    const shift = Array.from({ length: 8 }, (_, d) => (d - 3) / 4);
    const [a, b] = [run({ ...inputs, k }), run({ ...inputs, k: k.map((value, at) => value + shift[at % 8]!) })];
    expect(distance(b.o!.values, a.o!.values)).toBeLessThan(1e-13);
    const scale = options.scale as number;
    const expected = Float64Array.from(a.lse!.values, (lse, row) => {
      let inner = 0;
      for (let d = 0; d < 8; d++) inner += inputs.q![row * 8 + d]! * shift[d]!;
      return lse + scale * inner;
    });
    expect(distance(b.lse!.values, expected)).toBeLessThan(1e-13);
  });
});

describe('linearity in v', () => {
  for (const { name, id, options } of [...linearOptions, { name: 'softmax', id: 'softmax-attention', options: {} }]) {
    it(name, () => {
      const { inputs, run } = bench(id, 'forward', { batch: 1, heads: 2, seqlen: 19, headDim: 8 }, options);
      const doubled: Record<string, Float32Array> = { ...inputs, v: inputs.v!.map((value) => -2 * value) };
      if (inputs.s0) doubled.s0 = inputs.s0.map((value) => -2 * value);
      const o = run(inputs).o!.values;
      expect(
        distance(
          run(doubled).o!.values,
          Float64Array.from(o, (value) => -2 * value),
        ),
      ).toBe(0);
    });
  }
});

describe('queries that see no key', () => {
  it('have exactly zero outputs and gradients, lse of -infinity, and are listed', () => {
    const size = { heads: 2, seqlen: 9, seqlenK: 5, headDim: 4 };
    const forward = bench('softmax-attention', 'forward', size, {});
    const { o, lse } = forward.run(forward.inputs);
    const empty = [0, 1, 2, 3, 9, 10, 11, 12];
    expect(Array.from(o!.exactRows!)).toEqual(empty);
    for (const row of empty) {
      expect(lse!.values[row]).toBe(-Infinity);
      expect(Array.from(o!.values.subarray(row * 4, row * 4 + 4))).toEqual([0, 0, 0, 0]);
    }
    expect(lse!.values[4]).toBeGreaterThan(-100);
    const backward = bench('softmax-attention', 'backward', size, {});
    expect(Array.from(backward.run(backward.inputs).dq!.exactRows!)).toEqual(empty);
  });
});
