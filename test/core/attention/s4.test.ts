import { describe, expect, it } from 'vitest';
import {
  diagonalMode,
  legsInput,
  legsMatrix,
  legsNormalPart,
  zeroOrderHold,
  type Complex,
} from '../../../src/core/attention/hippo.js';
import type { Inputs, Shape } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, channels: 3, stateDim: 5 };

/** u cut to the tokens [from, to); the parameters stay. */
function cut(inputs: Inputs, { seqlen = 0 }: Shape, from: number, to: number): Inputs {
  return { ...inputs, u: tokens(inputs.u!, seqlen, 1, from, to) };
}

const multiply = (a: Complex, b: Complex): Complex => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];

/** The first taps of a channel's convolution kernel: K_l = 2 Re Σ C B̄ Ā^l, the powers by their exponential form. */
function taps({ Abar, Bbar, C }: Inputs, channel: number, stateDim: number, count: number): Float64Array {
  const mode = (values: Float32Array | undefined, n: number): Complex => {
    const at = 2 * (channel * stateDim + n);
    return [values![at]!, values![at + 1]!];
  };
  return Float64Array.from({ length: count }, (_, l) => {
    let sum = 0;
    for (let n = 0; n < stateDim; n++) {
      const [re, im] = mode(Abar, n);
      const [size, angle] = [Math.hypot(re, im) ** l, l * Math.atan2(im, re)];
      const power: Complex = [size * Math.cos(angle), size * Math.sin(angle)];
      sum += multiply(multiply(mode(C, n), mode(Bbar, n)), power)[0];
    }
    return 2 * sum;
  });
}

describe('S4D', () => {
  for (const modeKind of ['lin', 'inv']) {
    it(`${modeKind}: the recurrence is the convolution with its kernel`, () => {
      const seqlen = 60;
      const { inputs, run, shape } = bench('s4', 'forward', { ...size, seqlen }, { modeKind });
      const { y } = run({ ...inputs, s0: new Float32Array(inputs.s0!.length) });
      const expected = y!.values.map((_, at) => {
        const row = Math.floor(at / seqlen);
        const channel = row % 3;
        const kernel = taps(inputs, channel, shape.stateDim!, seqlen);
        let sum = inputs.D![channel]! * inputs.u![at]!;
        for (let t = row * seqlen; t <= at; t++) sum += kernel[at - t]! * inputs.u![t]!;
        return sum;
      });
      expect(distance(y!.values, expected)).toBeLessThan(1e-13);
    });
  }

  for (const first of [1, 23, 49]) {
    it(`${first} tokens, then the rest from the state, equal one run`, () => {
      const whole = bench('s4', 'forward', { ...size, seqlen: 50 }, {});
      const full = whole.run(whole.inputs);
      const y = full.y!.values as Float64Array;
      const before = bench('s4', 'forward', { ...size, seqlen: first }, {}).run(
        cut(whole.inputs, whole.shape, 0, first),
      );
      const s0 = Float32Array.from(before.s!.values);
      const rest = { ...cut(whole.inputs, whole.shape, first, 50), s0 };
      const after = bench('s4', 'forward', { ...size, seqlen: 50 - first }, {}).run(rest);
      expect(distance(before.y!.values, tokens(y, 50, 1, 0, first))).toBeLessThan(1e-14);
      expect(distance(after.y!.values, tokens(y, 50, 1, first, 50))).toBeLessThan(2e-6);
      expect(distance(after.s!.values, full.s!.values)).toBeLessThan(1e-6);
    });
  }

  it('decodes token by token to what the forward pass says', () => {
    const whole = bench('s4', 'forward', { ...size, seqlen: 11 }, { stepKind: 'large' });
    const full = whole.run(whole.inputs);
    const step = bench('s4', 'decode', { ...size, seqlen: 1 }, {});
    let s0 = whole.inputs.s0!;
    for (let t = 0; t < 11; t++) {
      const { y, s } = step.run({ ...cut(whole.inputs, whole.shape, t, t + 1), s0 });
      expect(distance(y!.values, tokens(full.y!.values as Float64Array, 11, 1, t, t + 1))).toBeLessThan(2e-6);
      s0 = Float32Array.from(s!.values);
    }
    expect(distance(s0, full.s!.values)).toBeLessThan(2e-6);
  });

  it('sees no later token, and every earlier one', () => {
    const { inputs, run } = bench('s4', 'forward', { ...size, seqlen: 30 }, {});
    const before = run(inputs).y!.values as Float64Array;
    const u = inputs.u!.map((value, at) => (at % 30 === 20 ? value + 1 : value));
    const after = run({ ...inputs, u }).y!.values as Float64Array;
    expect(tokens(after, 30, 1, 0, 20)).toEqual(tokens(before, 30, 1, 0, 20));
    for (const at of after.keys()) if (at % 30 >= 20) expect(after[at]).not.toBe(before[at]);
  });

  it('is linear in the input and the initial state together', () => {
    const { inputs, run } = bench('s4', 'forward', { ...size, seqlen: 20 }, {});
    const other = bench('s4', 'forward', { ...size, seqlen: 20 }, {}, 8).inputs;
    const mixed = (name: string): Float32Array =>
      inputs[name]!.map((value, at) => Math.fround(0.5 * value - 2 * other[name]![at]!));
    const sum = run({ ...inputs, u: mixed('u'), s0: mixed('s0') });
    const [a, b] = [run(inputs), run({ ...inputs, u: other.u!, s0: other.s0! })];
    for (const name of ['y', 's']) {
      const expected = a[name]!.values.map((value, at) => 0.5 * value - 2 * b[name]!.values[at]!);
      expect(distance(sum[name]!.values, expected)).toBeLessThan(1e-6);
    }
  });

  it('has gradients that equal finite differences, and those of whole channels where not all are affordable', () => {
    const shape = { batch: 2, channels: 3, seqlen: 6, stateDim: 2 };
    const backward = bench('s4', 'backward', shape, { stepKind: 'large' });
    const forward = bench('s4', 'forward', shape, {});
    const loss = (inputs: Inputs): number => {
      const { y, s } = forward.run(inputs);
      const against = (values: ArrayLike<number>, weights: Float32Array): number =>
        weights.reduce((sum, weight, at) => sum + weight * values[at]!, 0);
      return against(y!.values, backward.inputs.dy!) + against(s!.values, backward.inputs.ds!);
    };
    const gradients = backward.run(backward.inputs);
    expect(Object.keys(gradients)).toEqual(['du', 'dAbar', 'dBbar', 'dC', 'dD', 'ds0']);
    const cheap = backward.run(backward.inputs, 'f64', 1);
    for (const [name, { values }] of Object.entries(gradients)) {
      const own = name.slice(1);
      for (let at = 0; at < values.length; at++) {
        const nudged = (step: number): Inputs => {
          const moved = new Float64Array(backward.inputs[own]!);
          moved[at]! += step;
          return { ...backward.inputs, [own]: moved as unknown as Float32Array };
        };
        const difference = (loss(nudged(1e-5)) - loss(nudged(-1e-5))) / 2e-5;
        expect(Math.abs(values[at]! - difference), `${name}[${at}]`).toBeLessThan(
          1e-6 * Math.max(1, Math.abs(difference)),
        );
      }
      const { rows, values: sampled } = cheap[name]!;
      if (rows === null) {
        expect([...sampled]).toEqual([values[0], Number.NaN, values[2]]);
        continue;
      }
      const width = sampled.length / rows.length;
      expect(rows.length * width).toBe((2 * values.length) / 3);
      expect([...sampled]).toEqual([...rows].flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]));
    }
  });

  it('computes channels that equal those of the whole where not all are affordable', () => {
    const { inputs, run } = bench('s4', 'forward', { batch: 1, channels: 9, seqlen: 12, stateDim: 3 }, {});
    const full = run(inputs).y!.values;
    const { rows, values } = run(inputs, 'f64', 3 * 8 * 12 * 3).y!;
    expect([...rows!]).toEqual([0, 4, 8]);
    expect([...values]).toEqual([0, 4, 8].flatMap((row) => [...full.subarray(row * 12, (row + 1) * 12)]));
  });
});

describe('HiPPO-LegS', () => {
  const order = 16;

  it('has a normal part whose eigenvalues have real part -½: skew-symmetric but for half of the identity', () => {
    const normal = legsNormalPart(order);
    for (let n = 0; n < order; n++) {
      for (let k = 0; k < order; k++) {
        const sum = normal[n * order + k]! + normal[k * order + n]!;
        expect(Math.abs(sum - (n === k ? -1 : 0)), `${n}, ${k}`).toBeLessThan(1e-12);
      }
    }
    // Its parts that are not skew cancel out: A itself is far from it.
    const a = legsMatrix(order);
    expect(Math.abs(a[order]! + a[1]!)).toBeGreaterThan(1);
  });

  it('remembers a constant as one coefficient: A e₀ + B = 0', () => {
    const a = legsMatrix(order);
    const b = legsInput(order);
    for (let n = 0; n < order; n++) expect(Math.abs(a[n * order]! + b[n]!)).toBeLessThan(1e-12);
  });

  it('keeps the coefficients of a line: t x′ = A x + B u holds for u = t', () => {
    // The projection of t on Legendre polynomials over [0, t] is t/2 and t/(2√3), so that both sides are x itself.
    const a = legsMatrix(order);
    const x = new Float64Array(order);
    [x[0], x[1]] = [1 / 2, 1 / (2 * Math.sqrt(3))];
    legsInput(order).forEach((b, n) => {
      const right = x.reduce((sum, value, k) => sum + a[n * order + k]! * value, b);
      expect(Math.abs(right - x[n]!)).toBeLessThan(1e-12);
    });
  });

  it('has modes that S4D-Lin and S4D-Inv write in closed form', () => {
    expect(diagonalMode('lin', 3, 8)).toEqual([-0.5, 3 * Math.PI]);
    const [re, im] = diagonalMode('inv', 0, 8);
    expect(re).toBe(-0.5);
    expect(im).toBeCloseTo((16 * 15) / Math.PI, 12);
  });
});

describe('zero-order hold', () => {
  const mode: Complex = [-0.5, 7];

  it('of a step is that of two halves of it', () => {
    const whole = zeroOrderHold(0.2, mode);
    const half = zeroOrderHold(0.1, mode);
    const state = multiply(half.state, half.state);
    const carried = multiply(half.state, half.input);
    const input = [carried[0] + half.input[0], carried[1] + half.input[1]];
    for (const at of [0, 1] as const) {
      expect(state[at]).toBeCloseTo(whole.state[at], 14);
      expect(input[at]).toBeCloseTo(whole.input[at], 14);
    }
  });

  it('of a small step is that step', () => {
    const { state, input } = zeroOrderHold(1e-6, mode);
    expect(state[0]).toBeCloseTo(1 - 0.5e-6, 10);
    expect(state[1]).toBeCloseTo(7e-6, 10);
    expect(input[0] / 1e-6).toBeCloseTo(1, 5);
  });
});
