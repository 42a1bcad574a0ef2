import { describe, expect, it } from 'vitest';
import { compile } from '../../src/gpu/compile.js';
import type { OpenDevice } from '../../src/gpu/device.js';
import { load, type LoadedKernel } from '../../src/gpu/run.js';
import { measure, timeOnce, type Measurement } from '../../src/gpu/timing.js';
import { patience, testDevice } from './dawn.js';
import { builtIn, packedInputs, planOf } from './plans.js';

const open = await testDevice();

describe.skipIf(!open)('timing', () => {
  async function withKernel<T>(device: OpenDevice, work: (loaded: LoadedKernel) => Promise<T>): Promise<T> {
    const { plan } = planOf(builtIn('softmax/naive.wgsl'), { heads: 1, headsKv: 1, seqlen: 32, seqlenK: 32 });
    const compiled = await compile(device, plan, new Map(), patience);
    if (!compiled.ok) throw new Error(compiled.failure.message);
    const loaded = await load(device, compiled.value, packedInputs(plan, Math.sin), patience);
    if (!loaded.ok) throw new Error(loaded.failure.message);
    try {
      return await work(loaded.value);
    } finally {
      loaded.value.dispose();
    }
  }

  async function measured(device: OpenDevice): Promise<Measurement> {
    return withKernel(device, async ({ bound }) => {
      const fractions: number[] = [];
      const result = await measure(device, bound, patience, (fraction) => fractions.push(fraction));
      if (!result.ok) throw new Error(result.failure.message);
      expect(fractions.at(-1)).toBe(1);
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
      return result.value;
    });
  }

  it('takes samples far above the step of the GPU’s clock, and tells the passes apart', async () => {
    const { clock, resolutionNs, runsPerSample, samples, passes, warmupSamples } = await measured(open!);
    expect(clock).toBe('timestamps');
    expect(warmupSamples).toBeGreaterThanOrEqual(5);
    expect(samples.length).toBeGreaterThanOrEqual(15);
    expect(Math.min(...samples) * runsPerSample).toBeGreaterThan(20 * resolutionNs);
    expect(passes).toHaveLength(3);
    expect(passes!.every((time) => time > 0)).toBe(true);
  });

  it('falls back to the CPU’s clock over longer batches where the device has no timestamps', async () => {
    const device = { ...open!, description: { ...open!.description, timestamps: false } };
    const { clock, resolutionNs, runsPerSample, samples, passes } = await measured(device);
    expect(clock).toBe('wall-clock');
    expect(passes).toBeNull();
    expect(runsPerSample).toBeGreaterThan(1);
    expect(Math.min(...samples) * runsPerSample).toBeGreaterThan(100 * resolutionNs);
    expect(await withKernel(device, ({ bound }) => timeOnce(device, bound, patience))).toEqual({
      ok: true,
      value: null,
    });
  });

  it('stops between samples when it is cancelled', async () => {
    const controller = new AbortController();
    const result = await withKernel(open!, ({ bound }) =>
      measure(open!, bound, { ...patience, signal: controller.signal }, () => controller.abort()),
    );
    expect(result).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
  });
});
