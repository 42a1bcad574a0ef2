import { describe, expect, it } from 'vitest';
import {
  completeOptions,
  completeShape,
  compulsoryBytes,
  findComputation,
  findMechanism,
  mechanisms,
} from '../../../src/core/attention/catalogue.js';
import { lightningSlopes } from '../../../src/core/attention/lightning-attention.js';
import { visiblePairs } from '../../../src/core/attention/masks.js';
import { elementCount, tensorDims } from '../../../src/core/attention/sizes.js';
import { bench, distance } from './run-reference.js';

describe('the catalogue', () => {
  it('finds its mechanisms by id and nothing else', () => {
    expect(mechanisms.map(({ id }) => id)).toEqual([
      'softmax-attention',
      'linear-attention',
      'lightning-attention',
      'gated-linear-attention',
      'delta-rule',
      'gated-delta-rule',
      'newton-schulz',
      'polynomial-features',
      'retention',
      'state-space-duality',
      'rotary-embedding',
      'performer-attention',
      'cosformer-attention',
      's4',
      'titans',
      'atlas',
      'norm-attention',
      'diag-attention',
      'mlp-gradient',
      'titans-mlp',
      'multi-head-latent-attention',
      'grouped-latent-attention',
      'paged-latent-attention',
      'gated-attention-unit',
      'flash-mixed-chunk',
      'grouped-tied-attention',
      'split-kv-merge',
      'memory-mosaic',
      'rotating-cache-attention',
      'paged-attention',
    ]);
    expect(findMechanism('lightning-attention')?.title).toBe('Lightning attention');
    expect(findMechanism('lightning')).toBeNull();
    expect(findComputation(findMechanism('diag-attention')!, 'decode')).toBeNull();
  });

  it('completes shapes and options from what is given', () => {
    const softmax = findMechanism('softmax-attention')!;
    const shape = completeShape(softmax, { heads: 4, seqlen: 10, headDim: 16, nonsense: 3 });
    expect(shape).toEqual({ batch: 1, heads: 4, headsKv: 4, seqlen: 10, seqlenK: 10, headDim: 16, headDimV: 16 });
    expect(completeOptions(softmax, shape, { causal: false })).toEqual({
      causal: false,
      window: [-1, -1],
      scale: 0.25,
    });
  });

  it('gives every number a kernel may ask for', () => {
    const { mechanism, shape, options } = bench('linear-attention', 'forward', { seqlen: 3 }, { feature: 'silu' });
    expect(mechanism.scalars(shape, options)).toEqual({
      batch: 1, heads: 8, seqlen: 3, seqlenK: 3, headDim: 64, headDimV: 64,
      causal: 1, feature: 2, normalize: 1, scale: 1, eps: 1e-6,
    }); // prettier-ignore
    const softmax = bench('softmax-attention', 'forward', { seqlen: 3 }, { window: [7, 2] });
    expect(softmax.mechanism.scalars(softmax.shape, softmax.options)).toMatchObject({ windowLeft: 7, windowRight: 2 });
  });

  it('says what is wrong with a case', () => {
    const say = (
      id: string,
      given: Record<string, number>,
      options: Record<string, string | number | boolean>,
    ): string | null => {
      const mechanism = findMechanism(id)!;
      const shape = completeShape(mechanism, given);
      return mechanism.validate(shape, completeOptions(mechanism, shape, options));
    };
    expect(say('softmax-attention', { heads: 4, headsKv: 3 }, {})).toMatch(/heads is 4 and headsKv is 3.*multiple/);
    expect(say('softmax-attention', { seqlen: 0 }, {})).toMatch(/seqlen is 0.*at least 1/);
    expect(say('softmax-attention', {}, { causal: 'yes' })).toMatch(/causal is "yes".*true or false/);
    expect(say('linear-attention', { seqlen: 3, seqlenK: 4 }, {})).toMatch(/seqlen is 3 and seqlenK is 4/);
    expect(say('linear-attention', { seqlen: 3, seqlenK: 4 }, { causal: false })).toBeNull();
    expect(say('linear-attention', {}, { feature: 'relu' })).toMatch(/feature is "relu".*identity, elu1, silu/);
    expect(say('lightning-attention', {}, { layer: 24 })).toMatch(/layer is 24 of 24/);
    expect(say('gated-linear-attention', { headDim: 16, gateDim: 8 }, {})).toMatch(/gateDim is 8 and headDim is 16/);
    expect(say('gated-linear-attention', { headDim: 16, gateDim: 1 }, {})).toBeNull();
  });

  it('counts compulsory bytes once per bound tensor', () => {
    const { computation, shape } = bench(
      'softmax-attention',
      'forward',
      { heads: 4, headsKv: 2, seqlen: 10, headDim: 16 },
      {},
    );
    const bound = [
      { name: 'q', bytesPerElement: 4 },
      { name: 'k', bytesPerElement: 2 },
      { name: 'unknown', bytesPerElement: 4 },
    ];
    expect(compulsoryBytes(computation, shape, bound)).toBe(4 * 10 * 16 * 4 + 2 * 10 * 16 * 2);
  });

  it('counts the operations of the visible pairs and of the states', () => {
    const softmax = bench('softmax-attention', 'forward', { heads: 2, seqlen: 100, headDim: 16, headDimV: 32 }, {});
    expect(softmax.computation.flops(softmax.shape, softmax.options)).toBe(2 * 2 * 5050 * (16 + 32));
    const windowed = bench('softmax-attention', 'forward', { seqlen: 9, seqlenK: 5 }, { window: [1, 0] });
    expect(visiblePairs(windowed.shape, windowed.options)).toBe(1 + 2 + 2 + 2 + 2);
    const lightning = bench('lightning-attention', 'forward', { heads: 2, seqlen: 100, headDim: 16 }, {});
    expect(lightning.computation.flops(lightning.shape, lightning.options)).toBe(4 * 2 * 100 * 16 * 16);
  });
});

describe('recurrences', () => {
  it('name states that go out and come in with the same sizes, and dimensions that there are', () => {
    const recurrent = mechanisms.filter(({ recurrence }) => recurrence !== null);
    expect(recurrent.map(({ id }) => id)).toContain('lightning-attention');
    for (const { id, recurrence, dimensions, options, computations } of recurrent) {
      const { tensors } = computations.find(({ direction }) => direction === 'forward')!;
      const names = (role: string): string[] => tensors.filter((spec) => spec.role === role).map(({ name }) => name);
      const dims = (name: string): readonly string[] => tensors.find((spec) => spec.name === name)!.dims;
      for (const [from, to] of Object.entries(recurrence!.states)) {
        expect(names('output'), id).toContain(from);
        expect(names('input'), id).toContain(to);
        expect(dims(from), id).toEqual(dims(to));
      }
      expect(dimensions.map(({ name }) => name)).toEqual(expect.arrayContaining([...recurrence!.tokens]));
      expect(options.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(recurrence!.options)));
    }
  });
});

describe('slopes of lightning attention', () => {
  it('follow the three published formulas', () => {
    expect(Array.from(lightningSlopes('alibi', 4, 0, 24))).toEqual(
      [0.25, 0.0625, 0.015625, 0.00390625].map((slope) => Math.fround(slope * (1 + 1e-5))),
    );
    // Three heads: the two of two heads, then the first of four.
    expect(lightningSlopes('alibi', 3, 0, 1)[2]).toBeCloseTo(0.25, 5);
    expect(lightningSlopes('alibi', 2, 23, 24)[0]).toBeCloseTo(0.0625 * 1e-5, 12);
    expect(lightningSlopes('minimax', 2, 12, 25)[0]).toBeCloseTo(0.0625 * 0.5, 5);
    expect(Array.from(lightningSlopes('linear', 4, 12, 24))).toEqual([0, 1, 2, 3]);
  });
});

describe('shape grids', () => {
  for (const mechanism of mechanisms) {
    const { grid } = mechanism.computations[0]!;

    it(`${mechanism.id}: names are unique, cases valid and small, widths multiples of 4 up to 128, more without heads`, () => {
      expect(new Set(grid.map(({ name }) => name)).size).toBe(grid.length);
      expect(grid.length).toBeGreaterThanOrEqual(14);
      for (const { name, shape: given, options: chosen } of grid) {
        const shape = completeShape(mechanism, given);
        expect(mechanism.validate(shape, completeOptions(mechanism, shape, chosen)), name).toBeNull();
        const [largest] = mechanism.computations[0]!.tensors.map(({ dims }) =>
          elementCount(tensorDims(dims, shape)),
        ).sort((a, b) => b - a);
        expect(largest, name).toBeLessThanOrEqual(30_000);
        for (const width of [shape.headDim, shape.headDimV].filter((size) => size !== undefined)) {
          expect(width % 4).toBe(0);
          expect(width).toBeLessThanOrEqual(shape.heads === undefined ? 288 : 128);
        }
      }
    });

    for (const { direction } of mechanism.computations) {
      it(`${mechanism.id} ${direction}: the naive float32 algorithm stays far inside every bound`, () => {
        for (const { name, shape, options } of grid) {
          const { computation, inputs, run } = bench(mechanism.id, direction, shape, options);
          const [truth, naive] = [run(inputs), run(inputs, 'f32')];
          for (const [tensor, { values }] of Object.entries(truth)) {
            const spec = computation.tensors.find((candidate) => candidate.name === tensor)!;
            const tolerance = truth[tensor]!.tolerance ?? spec.tolerance!;
            let error = 0;
            let size = 0;
            let largest = 0;
            values.forEach((value, at) => {
              if (!Number.isFinite(value)) return;
              const off = naive[tensor]!.values[at]! - value;
              error += off * off;
              size += value * value;
              largest = Math.max(largest, Math.abs(off));
            });
            const within = tolerance.kind === 'absolute' ? largest : Math.sqrt(error / (size + 1e-30));
            // Where the truth is zero but for rounding, only the absolute escape of the verdict, 1e-6, means anything.
            if (size < 1e-20) expect(largest, `${name}: ${tensor}`).toBeLessThan(5e-7);
            else if (largest > 1e-7) expect(within, `${name}: ${tensor}`).toBeLessThan(tolerance.bound / 5);
          }
        }
      });
    }
  }
});

describe('inputs of a normalised output', () => {
  for (const feature of ['identity', 'elu1', 'silu']) {
    it(`keep the divisor of ${feature} away from zero, so that float32 can be compared`, () => {
      const { inputs, run } = bench('linear-attention', 'forward', { seqlen: 60, headDim: 16 }, { feature });
      expect(distance(run(inputs, 'f32').o!.values, run(inputs).o!.values)).toBeLessThan(2e-6);
    });
  }
});

describe('sampling beyond a budget', () => {
  it('computes evenly spread rows of softmax attention, the first and the last among them', () => {
    const { inputs, run } = bench('softmax-attention', 'forward', { batch: 2, heads: 2, seqlen: 60, headDim: 8 }, {});
    const full = run(inputs);
    const sampled = run(inputs, 'f64', 40_000);
    const rows = sampled.o!.rows!;
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.length).toBeLessThan(240);
    expect([rows[0], rows.at(-1)]).toEqual([0, 239]);
    rows.forEach((row, place) => {
      expect(sampled.o!.values.subarray(place * 8, place * 8 + 8)).toEqual(
        full.o!.values.subarray(row * 8, row * 8 + 8),
      );
      expect(sampled.lse!.values[row]).toBe(full.lse!.values[row]);
    });
    const missing = Array.from({ length: 240 }, (_, row) => row).filter((row) => !rows.includes(row));
    expect(missing.every((row) => Number.isNaN(sampled.lse!.values[row]!))).toBe(true);
  });

  for (const id of ['linear-attention', 'lightning-attention', 'gated-linear-attention']) {
    for (const [what, budget] of [
      ['heads', 80_000],
      ['rows', 9_000],
    ] as const) {
      it(`computes ${what} of ${id} that equal those of the whole`, () => {
        const size = { batch: 2, heads: 4, seqlen: 100, headDim: 8, headDimV: 16 };
        const { inputs, run } = bench(id, 'forward', size, {});
        const full = run(inputs);
        for (const [name, { rows, values, dims }] of Object.entries(run(inputs, 'f64', budget))) {
          const width = dims.at(-1)!;
          const all = full[name]!.values;
          expect(rows).not.toBeNull();
          expect(rows![0]).toBe(0);
          expect(rows!.at(-1)).toBe(all.length / width - 1);
          expect(values.length).toBe(rows!.length * width);
          if (name === 'o') expect(rows!.length % 100 === 0).toBe(what === 'heads');
          rows!.forEach((row, place) => {
            for (let column = 0; column < width; column++) {
              expect(values[place * width + column]).toBeCloseTo(all[row * width + column]!, 10);
            }
          });
        }
      });
    }
  }

  it('computes whole heads of a backward pass, the first and the last at least', () => {
    const withKeys = mechanisms.filter(
      (mechanism) =>
        mechanism.parts?.key === 'k' &&
        mechanism.dimensions.some(({ name }) => name === 'heads') &&
        findComputation(mechanism, 'backward') !== null,
    );
    expect(withKeys.length).toBeGreaterThanOrEqual(4);
    for (const { id } of withKeys) {
      const { inputs, run } = bench(id, 'backward', { heads: 4, seqlen: 10, headDim: 4 }, {});
      const full = run(inputs);
      const sampled = run(inputs, 'f64', 1);
      expect(Array.from(sampled.dk!.rows!)).toEqual([
        ...Array(10).keys(),
        ...[...Array(10).keys()].map((row) => 30 + row),
      ]);
      expect(sampled.dk!.values.subarray(40)).toEqual(full.dk!.values.subarray(120));
    }
  });
});
