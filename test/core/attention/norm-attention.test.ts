import { describe, expect, it } from 'vitest';
import type { Inputs } from '../../../src/core/attention/mechanism.js';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 3, seqlen: 40, headDim: 8, headDimV: 12 };

/** Values of [batch, heads, seqlen, headDimV] with the heads of a token side by side: [batch, seqlen, heads, headDimV]. */
function tokenRows(values: ArrayLike<number>): number[][] {
  const { batch, heads, seqlen, headDimV } = size;
  const rows: number[][] = [];
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < seqlen; t++) {
      rows.push(
        Array.from({ length: heads * headDimV }, (_, at) => {
          const head = Math.floor(at / headDimV);
          return values[((b * heads + head) * seqlen + t) * headDimV + (at % headDimV)]!;
        }),
      );
    }
  }
  return rows;
}

const meanSquare = (row: readonly number[]): number => row.reduce((sum, value) => sum + value * value, 0) / row.length;

describe('the norm', () => {
  it('leaves each token with a mean square of one across its heads', () => {
    const run = bench('norm-attention', 'forward', size, {});
    for (const row of tokenRows(run.run(run.inputs).o!.values)) expect(meanSquare(row)).toBeCloseTo(1, 5);
  });

  it('or in each head', () => {
    const run = bench('norm-attention', 'forward', size, { norm: 'head' });
    const { o } = run.run(run.inputs);
    for (let at = 0; at < o!.values.length; at += size.headDimV) {
      expect(meanSquare(Array.from(o!.values.slice(at, at + size.headDimV)))).toBeCloseTo(1, 5);
    }
  });

  it('is the same over one head', () => {
    const outputs = (['model', 'head'] as const).map((norm) => {
      const run = bench('norm-attention', 'forward', { ...size, heads: 1 }, { norm });
      return run.run(run.inputs).o!.values;
    });
    expect(distance(outputs[0]!, outputs[1]!)).toBeLessThan(1e-15);
  });
});

describe('before the norm', () => {
  it('it is linear attention without features, scale and divisor', () => {
    for (const causal of [true, false]) {
      const run = bench('norm-attention', 'forward', size, { causal });
      const linear = bench('linear-attention', 'forward', size, {
        ...{ causal, feature: 'identity', normalize: false, scale: 1 },
      });
      const { raw } = run.run(run.inputs);
      expect(distance(raw!.values, linear.run(run.inputs).o!.values)).toBeLessThan(1e-14);
    }
  });

  it('it is linear in v', () => {
    const run = bench('norm-attention', 'forward', size, {});
    const doubled: Inputs = {
      ...run.inputs,
      v: run.inputs.v!.map((value) => 2 * value),
      s0: run.inputs.s0!.map((value) => 2 * value),
    };
    const twice = Float64Array.from(run.run(run.inputs).raw!.values, (value) => 2 * value);
    expect(distance(run.run(doubled).raw!.values, twice)).toBeLessThan(1e-15);
  });
});

describe('causality', () => {
  it('changing tokens after 20 leaves earlier outputs bit-identical', () => {
    const run = bench('norm-attention', 'forward', size, {});
    const changed: Inputs = {
      ...run.inputs,
      v: run.inputs.v!.map((value, at) => (Math.floor(at / size.headDimV) % size.seqlen > 20 ? -value : value)),
    };
    const early = (inputs: Inputs): unknown =>
      tokens(run.run(inputs).o!.values as Float64Array, size.seqlen, size.headDimV, 0, 21);
    expect(early(changed)).toEqual(early(run.inputs));
  });
});

describe('gradients', () => {
  for (const norm of ['model', 'head'] as const) {
    for (const causal of [true, false]) {
      it(`${causal ? 'causal' : 'not causal'}, norm ${norm}: agree with finite differences`, () => {
        const small = { batch: 2, heads: 2, seqlen: 7, headDim: 4, headDimV: 6 };
        const back = bench('norm-attention', 'backward', small, { norm, causal });
        const ahead = bench('norm-attention', 'forward', small, { norm, causal });
        const gradients = back.run(back.inputs);
        // The loss whose gradient of o is do and of the final state ds.
        const loss = (inputs: Inputs): number => {
          const { o, s } = ahead.run(inputs);
          const along = (values: ArrayLike<number>, by: Float32Array): number =>
            by.reduce((sum, value, at) => sum + value * values[at]!, 0);
          return along(o!.values, back.inputs.do!) + along(s!.values, back.inputs.ds!);
        };
        for (const [name, gradient] of [
          ['q', 'dq'],
          ['k', 'dk'],
          ['v', 'dv'],
          ['s0', 'ds0'],
        ] as const) {
          // A step that float32 holds exactly, so that the difference is that of the inputs as they are.
          const step = 2 ** -9;
          const at = 5;
          const shifted = (by: number): Inputs => {
            const values = back.inputs[name]!.slice();
            values[at] = values[at]! + by;
            return { ...back.inputs, [name]: values };
          };
          const [high, low] = [shifted(step), shifted(-step)];
          const measured = (loss(high) - loss(low)) / (high[name]![at]! - low[name]![at]!);
          const expected = gradients[gradient]!.values[at]!;
          expect(Math.abs(measured - expected), name).toBeLessThan(2e-3 * Math.max(1, Math.abs(expected)));
        }
      });
    }
  }
});
