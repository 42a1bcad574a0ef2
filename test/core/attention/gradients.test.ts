import { describe, expect, it } from 'vitest';
import type { Inputs, Options, Shape } from '../../../src/core/attention/mechanism.js';
import { bench } from './run-reference.js';

interface Case {
  readonly name: string;
  readonly id: string;
  readonly shape: Shape;
  readonly options: Options;
}

const small = { batch: 1, heads: 2, seqlen: 7, headDim: 4, headDimV: 6 };
const cases: readonly Case[] = [
  { name: 'softmax, causal', id: 'softmax-attention', shape: small, options: {} },
  {
    name: 'softmax, grouped, window',
    id: 'softmax-attention',
    shape: { ...small, headsKv: 1 },
    options: { causal: false, window: [2, 1] },
  },
  { name: 'softmax, empty rows', id: 'softmax-attention', shape: { ...small, seqlenK: 4 }, options: { scale: 0.8 } },
  {
    name: 'tied keys and values',
    id: 'grouped-tied-attention',
    shape: { batch: 2, heads: 2, headsKv: 2, seqlen: 5, seqlenK: 6, headDim: 4 },
    options: { scale: 0.7 },
  },
  {
    name: 'tied keys and values, grouped, empty rows',
    id: 'grouped-tied-attention',
    shape: { batch: 1, heads: 4, headsKv: 2, seqlen: 4, seqlenK: 3, headDim: 6, ropeDim: 2 },
    options: {},
  },
  { name: 'softmax in blocks', id: 'diag-attention', shape: small, options: { block: 3, causal: false } },
  { name: 'gated unit', id: 'gated-attention-unit', shape: { ...small, batch: 2 }, options: { scale: 0.5 } },
  {
    name: 'gated unit, not causal, a longer table',
    id: 'gated-attention-unit',
    shape: { ...small, biasDim: 21 },
    options: { causal: false },
  },
  {
    name: 'mixed chunks',
    id: 'flash-mixed-chunk',
    shape: { ...small, batch: 2, chunk: 3 },
    options: { scale: 0.5, linScale: 0.3 },
  },
  {
    name: 'mixed chunks, not causal',
    id: 'flash-mixed-chunk',
    shape: { ...small, chunk: 3 },
    options: { causal: false },
  },
  {
    name: 'linear, elu1 normalised with states',
    id: 'linear-attention',
    shape: small,
    options: { eps: 0.01, scale: 0.7 },
  },
  {
    name: 'linear, silu, not causal',
    id: 'linear-attention',
    shape: { ...small, seqlenK: 5 },
    options: { feature: 'silu', causal: false },
  },
  {
    name: 'linear, silu without divisor',
    id: 'linear-attention',
    shape: small,
    options: { feature: 'silu', normalize: false },
  },
  {
    name: 'linear, identity, not causal',
    id: 'linear-attention',
    shape: { ...small, seqlenK: 9 },
    options: { feature: 'identity', causal: false, normalize: false },
  },
  { name: 'lightning', id: 'lightning-attention', shape: small, options: { scale: 0.3 } },
  {
    name: 'lightning, linear slopes',
    id: 'lightning-attention',
    shape: small,
    options: { slopeKind: 'linear', layer: 3 },
  },
  { name: 'gated', id: 'gated-linear-attention', shape: small, options: { gateKind: 'tau1' } },
  { name: 'gated, mixed gates', id: 'gated-linear-attention', shape: small, options: { gateKind: 'mixed', scale: 2 } },
  {
    name: 'gated, one gate per head',
    id: 'gated-linear-attention',
    shape: { ...small, gateDim: 1 },
    options: { gateKind: 'tau1' },
  },
  { name: 'retention with its norm', id: 'retention', shape: small, options: { eps: 0.01 } },
  { name: 'delta', id: 'delta-rule', shape: small, options: { scale: 0.7 } },
  { name: 'gated delta', id: 'gated-delta-rule', shape: small, options: { gateKind: 'tau1' } },
  // Without eps the largest projections, which count as constants, cancel.
  { name: 'performer', id: 'performer-attention', shape: { ...small, featureDim: 8 }, options: { eps: 0 } },
  {
    name: 'performer, not causal',
    id: 'performer-attention',
    shape: { ...small, seqlenK: 5, featureDim: 6 },
    options: { eps: 0, causal: false },
  },
  { name: 'cosformer', id: 'cosformer-attention', shape: { ...small, maxSeqlen: 12 }, options: { offset: 3 } },
  {
    name: 'cosformer, not causal, some divisors raised',
    id: 'cosformer-attention',
    shape: { ...small, seqlenK: 9 },
    options: { causal: false, eps: 2.5 },
  },
  { name: 'memory mosaic', id: 'memory-mosaic', shape: small, options: { eps: 0.1 } },
  {
    name: 'memory mosaic, outputs of the last tokens',
    id: 'memory-mosaic',
    shape: { ...small, seqlen: 3, seqlenK: 7 },
    options: {},
  },
];

/** Outputs of a forward pass by the names their cotangents have. */
const cotangents: Readonly<Record<string, string>> = { do: 'o', dy: 'y', ds: 's', dz: 'z', dlse: 'lse' };

/** Inputs nudged in float64: the reference takes typed arrays, and these differences are far below a float32. */
function nudged(inputs: Inputs, name: string, at: number, step: number): Inputs {
  const values = new Float64Array(inputs[name]!);
  values[at]! += step;
  return { ...inputs, [name]: values as unknown as Float32Array };
}

describe('gradients equal finite differences', () => {
  for (const { name, id, shape, options } of cases) {
    it(name, () => {
      const backward = bench(id, 'backward', shape, options);
      const forward = bench(id, 'forward', shape, options);
      const loss = (inputs: Inputs): number => {
        const outputs = forward.run(inputs);
        let sum = 0;
        for (const [cotangent, output] of Object.entries(cotangents)) {
          const weights = backward.inputs[cotangent];
          if (weights === undefined) continue;
          outputs[output]!.values.forEach((value, at) => {
            if (Number.isFinite(value)) sum += weights[at]! * value;
          });
        }
        return sum;
      };
      const gradients = backward.run(backward.inputs);
      expect(Object.keys(gradients).length).toBeGreaterThanOrEqual(2);
      for (const [gradientName, { values }] of Object.entries(gradients)) {
        const input = gradientName.slice(1);
        const step = 1e-5;
        for (let at = 0; at < values.length; at++) {
          const up = loss(nudged(backward.inputs, input, at, step));
          const down = loss(nudged(backward.inputs, input, at, -step));
          const difference = (up - down) / (2 * step);
          expect(Math.abs(values[at]! - difference), `${gradientName}[${at}]`).toBeLessThan(
            1e-6 * Math.max(1, Math.abs(difference)),
          );
        }
      }
    });
  }
});
