import { describe, expect, it } from 'vitest';
import { buildLedger } from '../../../src/core/analysis/ledger-build.js';
import { countedTraffic, withScaling } from '../../../src/core/analysis/ledger-scaling.js';
import type { Ledger } from '../../../src/core/analysis/ledger.js';
import { builtInText, plannedKernel, type PlannedKernel } from './planned.js';
import { complete, tilings, type RequestedBytes } from './requested-bytes.js';
import { simulatedContext } from './simulated.js';

/** Requested bytes of every buffer but the uniform, as the ledger has them. */
function requested(ledger: Ledger): RequestedBytes {
  return Object.fromEntries(
    ledger.tensors
      .filter(({ role }) => role !== 'uniform')
      .map(({ variable, readBytes, writtenBytes }) => [variable, [readBytes, writtenBytes]]),
  );
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each(tilings)('requested bytes of $name', ({ text, cases, expected }) => {
  it.each(cases)('are what its tiling asks for: $name', ({ sizes, options }) => {
    const shape = complete(sizes);
    const ledger = buildLedger(simulatedContext(plannedKernel(text, { ...shape }, options), 'none'));
    const bytes = expected(shape, options);
    expect(requested(ledger)).toEqual(bytes);
    expect(ledger.totals.requestedBytes).toBe(sum(Object.values(bytes).flat()));
    const lines = ledger.lines.filter(({ space }) => space === 'storage');
    expect(sum(lines.map(({ requestedBytes }) => requestedBytes))).toBe(ledger.totals.requestedBytes);
  });
});

describe('withScaling', () => {
  const ledgerAt = (name: string, seqlen: number): Ledger =>
    buildLedger(simulatedContext(plannedKernel(builtInText(name), { heads: 1, seqlen, headDim: 32 }), 'none'));

  const scaled = (name: string, sizes: readonly number[]): Ledger => {
    const points = sizes.map((size) => ({ size, ...ledgerAt(name, size).totals }));
    return withScaling(ledgerAt(name, sizes[0]!), points);
  };

  it('finds that flash attention is nearly quadratic and lightning attention 2 linear in seqlen', () => {
    // Tiles on the diagonal (flash) and the state (lightning) weigh more where seqlen is small.
    expect(scaled('softmax/flash.wgsl', [512, 1024, 256]).scaling?.exponent).toBeCloseTo(1.83, 1);
    expect(scaled('lightning/lightning2.wgsl', [512, 1024, 256]).scaling?.exponent).toBeCloseTo(1, 1);
  });

  it('puts the points in order and fits a power exactly', () => {
    const point = (size: number): NonNullable<Ledger['scaling']>['points'][number] => ({
      size,
      compulsoryBytes: size,
      requestedBytes: 3 * size ** 2.5,
      transferredBytes: size,
    });
    const { scaling } = withScaling(ledgerAt('softmax/flash.wgsl', 32), [point(64), point(16), point(4096)]);
    expect(scaling?.points.map(({ size }) => size)).toEqual([16, 64, 4096]);
    expect(scaling?.exponent).toBeCloseTo(2.5, 12);
  });
});

describe('the traffic of a simulation that only counted', () => {
  it.each(['softmax/flash.wgsl', 'linear/left-product.wgsl', 'lightning/lightning2.wgsl'])(
    'is that of one that logged everything, for %s',
    (name) => {
      const at = (seqlen: number): PlannedKernel =>
        plannedKernel(builtInText(name), { heads: 2, seqlen, headDim: 32 }, {});
      const ledger = buildLedger(simulatedContext(at(256), 'all'));
      const { totals } = buildLedger(simulatedContext(at(64), 'all'));
      const counted = countedTraffic(simulatedContext(at(64), 'none'), ledger);
      expect(counted.compulsoryBytes).toBe(totals.compulsoryBytes);
      expect(counted.requestedBytes).toBe(totals.requestedBytes);
      expect(counted.transferredBytes / totals.transferredBytes).toBeCloseTo(1, 2);
      const unknown = countedTraffic(simulatedContext(at(64), 'none'), { ...ledger, lines: [] });
      expect(unknown.transferredBytes).toBe(counted.requestedBytes);
    },
  );
});

describe('a ledger of which only some workgroups were logged', () => {
  it('has the same requested bytes, and nearly the same of the rest', () => {
    const kernel = plannedKernel(builtInText('softmax/flash.wgsl'), { heads: 2, seqlen: 512, headDim: 32 });
    const whole = buildLedger(simulatedContext(kernel, 'all'));
    const part = buildLedger(simulatedContext(kernel, [0, 7, 15]));
    expect(requested(part)).toEqual(requested(whole));
    for (const [index, tensor] of whole.tensors.entries()) {
      const other = part.tensors[index]!;
      expect(other.transferredReadBytes).toBeCloseTo(tensor.transferredReadBytes, -1);
      expect(other.coalescing).toBeCloseTo(tensor.coalescing ?? NaN, 1);
    }
    const rereads = (ledger: Ledger): (number | null)[] => ledger.tensors.map(({ rereadFactor }) => rereadFactor);
    expect(rereads(part)).toEqual(rereads(whole));
  });

  it('lets the followed workgroups say what share of the reads goes into workgroup memory', () => {
    const kernel = plannedKernel(builtInText('softmax/flash.wgsl'), { heads: 2, seqlen: 512, headDim: 32 });
    // The last queries go first and see the most keys: workgroup 7 alone stages far less than its share.
    const { tensors } = buildLedger(simulatedContext(kernel, [7], { provenance: true }));
    const staged = tensors.filter(({ name }) => ['q', 'k', 'v'].includes(name));
    expect(staged.map(({ stagedBytes }) => stagedBytes)).toEqual(staged.map(({ readBytes }) => readBytes));
    const direct = plannedKernel(builtInText('softmax/naive.wgsl'), { heads: 1, seqlen: 64, headDim: 32 });
    const naive = buildLedger(simulatedContext(direct, [0], { provenance: true })).tensors;
    expect(naive.every(({ stagedBytes }) => stagedBytes === 0)).toBe(true);
  });
});
