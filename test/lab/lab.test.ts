import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { hashText } from '../../src/core/kernel/hash.js';
import { openDevice, type OpenDevice } from '../../src/gpu/device.js';
import type { CallContext } from '../../src/lab/channel.js';
import type { Progress } from '../../src/lab/contract.js';
import { createLab, type Lab } from '../../src/lab/lab.js';
import { dawnFlags, keep, loadDawn } from '../../src/native/dawn.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { testDevice } from '../gpu/dawn.js';
import { smallKernel } from './kernels.js';

const device = await testDevice();
const good = smallKernel('good.wgsl');

describe.skipIf(!device)('a lab', () => {
  let lab: Lab | null = null;
  let current: OpenDevice | null = null;
  let opened = 0;

  afterEach(() => {
    lab?.dispose();
    lab = null;
    opened = 0;
  });

  function newLab(): Lab {
    lab = createLab(
      async () => {
        const result = await openDevice(await loadDawn(dawnFlags(undefined)));
        if (result.ok) {
          current = result.value;
          keep(current.adapter, current.device);
          opened++;
        }
        return result;
      },
      createProcessSimulator(),
      'native',
    );
    return lab;
  }

  function context(signal: AbortSignal = new AbortController().signal, heard: Progress[] = []): CallContext {
    return { signal, report: (progress) => heard.push(progress) };
  }

  it('describes its device', async () => {
    const outcome = await newLab().device(null, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    expect(outcome.value.host).toBe('native');
    expect(outcome.value.vendor).not.toBe('');
    // The adapter's own limits were asked for, not the defaults.
    const adapter = current!.adapter.limits.maxComputeWorkgroupStorageSize;
    expect(outcome.value.limits.maxComputeWorkgroupStorageSize).toBe(adapter);
    expect(current!.device.limits.maxBufferSize).toBe(current!.adapter.limits.maxBufferSize);
  });

  it('compares the own shape first and then every case, with progress', async () => {
    const heard: Progress[] = [];
    const outcome = await newLab().compare({ kernel: good, override: null, seed: 3 }, context(undefined, heard));
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const { cases, passed, hash, sentence } = outcome.value;
    expect(passed).toBe(true);
    expect(sentence).toBe('Right in all 3 cases.');
    expect(hash).toBe(hashText(good.text));
    expect(cases.map(({ shape }) => shape.seqlen)).toEqual([9, 1, 17]);
    expect(cases.every(({ repeatable }) => repeatable)).toBe(true);
    expect(cases.map(({ tensors }) => tensors[0]!.map !== null)).toEqual([true, false, false]);
    expect(heard.map(({ fraction }) => fraction)).toEqual([0, 1 / 3, 2 / 3]);
  });

  it('compares the one case an override asks for, with what follows it', async () => {
    const override = { shape: { seqlen: 40, headDim: 4 }, options: {} };
    const outcome = await newLab().compare({ kernel: good, override, seed: 3 }, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    expect(outcome.value.cases).toHaveLength(1);
    expect(outcome.value.cases[0]!.shape).toMatchObject({ seqlen: 40, seqlenK: 40, headDim: 4, headDimV: 4, heads: 2 });
    expect(outcome.value.passed).toBe(true);
  });

  it('refuses names the mechanism does not have, and says which it has', async () => {
    const override = { shape: { sequence: 40 }, options: {} };
    const outcome = await newLab().compare({ kernel: good, override, seed: 3 }, context());
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'invalid-kernel' } });
    if (!outcome.ok) {
      expect(outcome.failure.message).toBe('linear-attention has no dimension "sequence".');
      expect(outcome.failure.remedy).toMatch(/seqlen/);
    }
  });

  it('refuses a text without front matter', async () => {
    const outcome = await newLab().run({ kernel: { name: 'a.wgsl', text: 'fn f() {}' }, override: null }, context());
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'invalid-kernel' } });
  });

  it('runs a kernel and looks at its outputs', async () => {
    const kernel = smallKernel('some.wgsl', { store: 'if (row > 0) { o[at] = vec4f(2, 4, -1, 1e38 * 10.0); }' });
    const finite = smallKernel('some.wgsl', { store: 'if (row > 0) { o[at] = vec4f(2, 4, -1, 3); }' });
    const first = await newLab().run({ kernel: finite, override: null }, context());
    if (!first.ok) throw new Error(first.failure.message);
    const [output] = first.value.outputs;
    expect(output).toMatchObject({ name: 'o', dims: [1, 2, 9, 4], min: -1, max: 4, mean: 2, nan: 0, infinite: 0 });
    expect(output!.unwritten).toBe(8);
    expect(output!.head).toEqual([null, null, null, null, 2, 4, -1, 3]);
    // A constant that overflows is the compiler's to find.
    const second = await lab!.run({ kernel, override: null }, context());
    expect(second).toMatchObject({ ok: false, failure: { kind: 'compile-error' } });
  });

  it('checks with the words of the driver, and finds nothing in a good kernel', async () => {
    const bad = smallKernel('bad.wgsl', { store: 'o[at] = value * params.seqlen;' });
    const right = await newLab().check({ kernel: good }, context());
    expect(right).toMatchObject({ ok: true, value: { diagnostics: [] } });
    const wrong = await lab!.check({ kernel: bad }, context());
    if (!wrong.ok) throw new Error(wrong.failure.message);
    const [finding] = wrong.value.diagnostics;
    expect(finding).toMatchObject({ severity: 'error', code: 'driver-error' });
    expect(bad.text.slice(finding!.span.start, finding!.span.end)).toMatch(/value|\*/);
  });

  it('places the driver’s findings through the preprocessor', async () => {
    const text = good.text
      .replace('struct Params', '#define HUGE\n#ifdef HUGE\n// é 𝒳\n#endif\nstruct Params')
      .replace('o[at] = value;', '#ifdef HUGE\n o[at] = value * params.heads;\n#else\n o[at] = value;\n#endif\n');
    const outcome = await newLab().check({ kernel: { name: 'pre.wgsl', text } }, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const [finding] = outcome.value.diagnostics;
    expect(text.slice(finding!.span.start).split('\n')[0]).toMatch(
      /^(value )?\* params.heads;|^value \* params.heads;/,
    );
  });

  it('measures a kernel that is right, and its outputs stay right', async () => {
    const heard: Progress[] = [];
    const outcome = await newLab().benchmark({ kernel: good, override: null, seed: 1 }, context(undefined, heard));
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const { gpuTimeNs, clock, resolutionNs, runsPerSample, passes, flops, verdict, compulsoryBytes } = outcome.value;
    expect(clock).toBe('timestamps');
    expect(resolutionNs).toBeGreaterThan(0);
    expect(gpuTimeNs.samples.length).toBeGreaterThanOrEqual(5);
    expect(gpuTimeNs.p20).toBeLessThanOrEqual(gpuTimeNs.median);
    expect(gpuTimeNs.median).toBeLessThanOrEqual(gpuTimeNs.p80);
    // A sample is a batch of a short kernel, long enough to stand above the clock's steps.
    expect(runsPerSample).toBeGreaterThan(1);
    expect(gpuTimeNs.median * runsPerSample).toBeGreaterThan(20 * resolutionNs);
    expect(passes).toEqual([{ entry: 'main', medianNs: gpuTimeNs.median }]);
    expect(flops).toBeGreaterThan(0);
    expect(compulsoryBytes).toBe(4 * 4 * (2 * 9 * 4));
    expect(verdict.passed).toBe(true);
    expect(heard.some(({ message }) => message === 'measuring')).toBe(true);
  });

  it('does not measure a kernel whose outputs drift from run to run', async () => {
    const kernel = smallKernel('drift.wgsl', {
      frontMatter: 'scratch:\n  runs: u32[4]',
      declarations: '@group(0) @binding(5) var<storage, read_write> runs: array<u32>;',
      // The first run finds the poison of scratch and starts to count; later ones go on counting.
      store: `o[at] = value;
      if (id.x + id.y + id.z == 0) {
        if (runs[0] > 0x70000000u) { runs[0] = 0u; }
        runs[0]++;
        if (runs[0] > 3) { o[at] = 2.0 * value; }
      }`,
    });
    const outcome = await newLab().benchmark({ kernel, override: null, seed: 1 }, context());
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'wrong-result' } });
    if (!outcome.ok) expect(outcome.failure.message).toMatch(/changed while the kernel was timed/);
  });

  it('stops a comparison at the next case when it is cancelled, and goes on with the next job', async () => {
    const controller = new AbortController();
    const report = (): void => controller.abort();
    const job = newLab().compare({ kernel: good, override: null, seed: 1 }, { signal: controller.signal, report });
    expect(await job).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
    expect(await lab!.run({ kernel: good, override: null }, context())).toMatchObject({ ok: true });
    expect(opened).toBe(1);
  });

  it('stops a measurement between samples when it is cancelled, and goes on with the next job', async () => {
    const controller = new AbortController();
    const job = newLab().benchmark(
      { kernel: good, override: null, seed: 1 },
      {
        signal: controller.signal,
        report: ({ message }) => {
          if (message === 'measuring') controller.abort();
        },
      },
    );
    expect(await job).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
    expect(await lab!.run({ kernel: good, override: null }, context())).toMatchObject({ ok: true });
    expect(opened).toBe(1);
  });

  it('does not begin a job that was cancelled while it waited', async () => {
    const controller = new AbortController();
    const first = newLab().run({ kernel: good, override: null }, context());
    const second = lab!.run({ kernel: good, override: null }, context(controller.signal));
    controller.abort();
    expect(await first).toMatchObject({ ok: true });
    expect(await second).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
  });

  it('reports a device that is lost in the middle of a job, and opens another for the next', async () => {
    const job = newLab().compare(
      { kernel: good, override: null, seed: 1 },
      {
        ...context(),
        report: ({ fraction }) => {
          if (fraction !== 0) current!.device.destroy();
        },
      },
    );
    expect(await job).toMatchObject({ ok: false, failure: { kind: 'device-lost' } });
    expect(await lab!.run({ kernel: good, override: null }, context())).toMatchObject({ ok: true });
    expect(opened).toBe(2);
  });

  it('samples rows where the whole reference would cost too much, and says so', async () => {
    lab = createLab(() => Promise.resolve({ ok: true, value: device! }), createProcessSimulator(), 'native', {
      referenceBudget: 2000,
      abandon: () => undefined,
    });
    const override = { shape: { seqlen: 64 }, options: {} };
    const outcome = await lab.compare({ kernel: good, override, seed: 1 }, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const [only] = outcome.value.cases;
    expect(only).toMatchObject({ passed: true, sampled: true });
    expect(only!.tensors[0]!.compared).toBeLessThan(only!.tensors[0]!.elements);
  });

  it('says that there is no device where none can be opened', async () => {
    lab = createLab(() => openDevice(undefined), createProcessSimulator(), 'native');
    expect(await lab.device(null, context())).toMatchObject({ ok: false, failure: { kind: 'no-device' } });
  });

  it('takes the file as it stands in the editor', async () => {
    const path = new URL('../../shaders/lightning/lightning2.wgsl', import.meta.url);
    const text = readFileSync(path, 'utf8').replace('S_t = λ', 'S_t = λ·');
    const outcome = await newLab().check({ kernel: { name: 'edited', text } }, context());
    expect(outcome).toMatchObject({ ok: true, value: { hash: hashText(text), diagnostics: [] } });
  });
});
