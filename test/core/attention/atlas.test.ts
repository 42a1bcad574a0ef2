import { describe, expect, it } from 'vitest';
import { atlas } from '../../../src/core/attention/atlas.js';
import { completeOptions, completeShape } from '../../../src/core/attention/catalogue.js';
import type { Inputs, Options, Shape } from '../../../src/core/attention/mechanism.js';
import { titans } from '../../../src/core/attention/titans.js';

const computation = atlas.computations[0]!;

function run(given: Shape, options: Options, change: (inputs: Inputs) => Inputs = (inputs) => inputs) {
  const shape = completeShape(atlas, { heads: 1, headDim: 8, ...given });
  const complete = completeOptions(atlas, shape, options);
  const inputs = change(computation.generate(shape, complete, 5));
  const outputs = computation.reference(inputs, shape, complete, 'f64', Infinity);
  const [o, m, s] = ['o', 'm', 's'].map((name) => outputs[name]!.values);
  return { shape, inputs, o: o!, m: m!, s: s! };
}

/** The largest difference of two lists, over the largest value of the first. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const values = Array.from(a);
  expect(b.length).toBe(values.length);
  const largest = Math.max(...values.map(Math.abs));
  return Math.max(...values.map((value, at) => Math.abs(value - b[at]!))) / largest;
}

describe('ATLAS', () => {
  it('with a window of one token and its momentum as it is, is Titans with the gates that say the same', () => {
    // M = α M − η S, S = θ S + γ g is Titans with S′ = −η S where η does not change: S′ = θ S′ − η γ g.
    const constant = (inputs: Inputs): Inputs => ({ ...inputs, eta: inputs.eta!.map(() => 0.25) });
    const { o, m, inputs, shape } = run({ seqlen: 20 }, { window: 1, steps: 0 }, constant);
    const same = {
      ...{ q: inputs.q!, k: inputs.k!, v: inputs.v!, m0: inputs.m0!, s0: inputs.s0!.map((x) => -0.25 * x) },
      ...{ theta: inputs.gamma!.map((x) => 0.25 * x), eta: inputs.theta!, alpha: inputs.alpha!.map((x) => 1 - x) },
    };
    const known = titans.computations[0]!;
    const options = completeOptions(titans, shape, { chunk: 1 });
    const other = known.reference(same, completeShape(titans, shape), options, 'f64', Infinity);
    // 1 − α is rounded to a float32 on its way.
    expect(distance(o, other.o!.values)).toBeLessThan(1e-6);
    expect(distance(m, other.m!.values)).toBeLessThan(1e-6);
  });

  it('with a window longer than the sequence learns from all tokens so far, whatever its length', () => {
    const options = { steps: 2 };
    const all = run({ seqlen: 9 }, { ...options, window: 9 });
    expect(distance(all.o, run({ seqlen: 9 }, { ...options, window: 100 }).o)).toBe(0);
    expect(distance(all.o, run({ seqlen: 9 }, { ...options, window: 8 }).o)).toBeGreaterThan(1e-3);
  });

  it('does not depend on the scale of its loss, but for the momentum, which Newton–Schulz divides by its norm', () => {
    const still = (inputs: Inputs): Inputs => ({ ...inputs, s0: new Float32Array(inputs.s0!.length) });
    // One chunk: were gradients taken at each token's own memory, that would be the same; only 1e-7 beside the norm differs.
    const options = { window: 3, steps: 5, chunk: 8 };
    const one = run({ seqlen: 8, headDim: 4 }, { ...options, lossCoef: 1 }, still);
    const ten = run({ seqlen: 8, headDim: 4 }, { ...options, lossCoef: 10 }, still);
    expect(distance(one.o, ten.o)).toBeLessThan(1e-3);
    expect(
      distance(
        Float64Array.from(one.s, (x) => 10 * x),
        ten.s,
      ),
    ).toBeLessThan(1e-9);
  });

  it('takes gradients at the memory before a chunk: the momentum within the first is blind to the updates', () => {
    const slow = (inputs: Inputs): Inputs => ({ ...inputs, eta: inputs.eta!.map((x) => 0.5 * x) });
    const options = { window: 2, steps: 3, chunk: 6 };
    expect(run({ seqlen: 6 }, options, slow).s).toEqual(run({ seqlen: 6 }, options).s);
    expect(run({ seqlen: 7 }, options, slow).s).not.toEqual(run({ seqlen: 7 }, options).s);
  });

  it('can be cut where the window is one token', () => {
    const options = { window: 1, steps: 5 };
    const whole = run({ seqlen: 10 }, options);
    const part = (from: number, to: number, states: Partial<Inputs>) =>
      run({ seqlen: to - from }, options, () => {
        const rows = (name: string, width: number): Float32Array => whole.inputs[name]!.slice(from * width, to * width);
        const tokens = Object.fromEntries(
          ['q', 'k', 'v', 'gamma', 'theta', 'eta', 'alpha'].map((name, at) => [name, rows(name, at < 3 ? 8 : 1)]),
        );
        return { ...whole.inputs, ...tokens, ...states } as Inputs;
      });
    const first = part(0, 6, {});
    const second = part(6, 10, { m0: Float32Array.from(first.m), s0: Float32Array.from(first.s) });
    expect(distance(whole.o.slice(48), second.o)).toBeLessThan(1e-5);
    expect(distance(whole.m, second.m)).toBeLessThan(1e-5);
  });

  it('is causal', () => {
    const later = (inputs: Inputs): Inputs => ({ ...inputs, v: inputs.v!.map((x, at) => (at < 40 ? x : x + 1)) });
    const options = { steps: 1 };
    const [one, two] = [run({ seqlen: 8 }, options), run({ seqlen: 8 }, options, later)];
    expect(one.o.slice(0, 40)).toEqual(two.o.slice(0, 40));
    expect(one.o.slice(40)).not.toEqual(two.o.slice(40));
  });

  it('counts an iteration of Newton–Schulz as 4 R² C + 2 R³ of each token', () => {
    const shape = completeShape(atlas, { batch: 1, heads: 1, seqlen: 10, headDim: 64 });
    const flops = (options: Options): number => computation.flops(shape, completeOptions(atlas, shape, options));
    expect(flops({ steps: 5 }) - flops({ steps: 0 })).toBe(10 * 5 * 6 * 64 ** 3);
    expect(flops({ steps: 0, window: 4 })).toBe((4 * (1 + 2 + 3 + 7 * 4) + 10 * 6) * 64 * 64);
    expect(flops({ steps: 0, window: 4, chunk: 8 })).toBe(10 * (4 + 6) * 64 * 64);
  });

  it('refuses a memory whose rows are neither the keys nor their features of degree 2', () => {
    const shape = completeShape(atlas, { headDim: 8, featureDim: 45 });
    expect(atlas.validate(shape, completeOptions(atlas, shape, {}))).toMatch(/featureDim is 45, and must be headDim/);
  });
});
