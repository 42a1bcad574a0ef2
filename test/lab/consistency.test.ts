import { describe, expect, it } from 'vitest';
import { mechanisms } from '../../src/core/attention/catalogue.js';
import type { CaseOverride, ConsistencyReport, KernelSource, LabFailure, Outcome } from '../../src/lab/contract.js';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { patience, testDevice } from '../gpu/dawn.js';
import { brokenKernels } from '../kernels/broken.js';
import { smallKernel } from './kernels.js';
import { kernelFiles, kernelOf, mutate, textOf } from './mutants.js';

const noDevice = (): Promise<never> => Promise.reject(new Error('A simulation opened the device.'));
const simulator = createLab(noDevice, createProcessSimulator(), 'native');
const context = { signal: new AbortController().signal, report: () => undefined };

function source(file: string, text = textOf(file)): KernelSource {
  return { name: `shaders/${file}`, text };
}

function check(
  kernels: readonly KernelSource[],
  override: CaseOverride | null = null,
): Promise<Outcome<ConsistencyReport>> {
  return simulator.consistencySimulated({ kernels, override, seed: 3, subgroupSize: 32 }, context);
}

async function reportOn(...args: Parameters<typeof check>): Promise<ConsistencyReport> {
  const outcome = await check(...args);
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

function failureIn(outcome: Outcome<unknown>): LabFailure {
  if (outcome.ok) throw new Error('There was no failure.');
  return outcome.failure;
}

/** The titles of the checks that failed. */
function wrongIn({ checks }: ConsistencyReport): readonly string[] {
  return checks.flatMap(({ passed, title }) => (passed ? [] : [title]));
}

const decode = source('lightning/decode.wgsl');
const chunked = source('lightning/lightning2.wgsl');
const narrow: CaseOverride = { shape: { headDim: 16 }, options: {} };

describe('the kernels that come along', () => {
  const recurrent = mechanisms.filter(({ recurrence }) => recurrence !== null);
  const filesOf = (id: string): readonly string[] => kernelFiles.filter((file) => kernelOf(file).mechanism?.id === id);

  it.each(recurrent.map(({ id }) => id).filter((id) => filesOf(id).length > 0))(
    'agree with each other: %s',
    async (id) => {
      const isWide = mechanisms
        .find((mechanism) => mechanism.id === id)!
        .dimensions.some(({ name }) => name === 'headDim');
      const report = await reportOn(
        filesOf(id).map((file) => source(file)),
        isWide ? narrow : null,
      );
      expect(
        report.checks.filter(({ passed }) => !passed).map(({ title, sentence }) => `${title}: ${sentence}`),
      ).toEqual([]);
      expect(report.mechanism).toBe(id);
      // A kernel that decodes is held to one run of something.
      const decoding = report.kernels.filter(({ direction }) => direction === 'decode');
      for (const { name } of decoding) {
        expect(
          report.checks.some(({ kind, kernels }) => kind === 'decode' && kernels.includes(name)),
          name,
        ).toBe(true);
      }
    },
  );
});

describe('an inconsistency', () => {
  it('is found where a chunked kernel hands on its state decayed once too often', async () => {
    const mistake = brokenKernels.find(
      ({ file, name }) => file.endsWith('lightning2.wgsl') && name === 'the state is scaled by λ',
    )!;
    const report = await reportOn([source(mistake.file, mutate(mistake)), decode], narrow);
    expect(wrongIn(report)).toEqual([
      'lightning2: 91 tokens, then 28 from its state',
      'lightning2: 91 tokens, then decode token by token',
      'lightning2: 91 tokens, then decode 4 tokens at a time',
    ]);
    expect(report.sentence).toMatch(/^Inconsistent in 3 of 3 checks, first in "lightning2: 91 tokens/);
    expect(report.checks[1]!.sentence).toMatch(/\bo differs .*row 91/);
  });

  it('is found where decoding applies the scale twice', async () => {
    const text = decode.text.replace('params.scale * sum', 'params.scale * params.scale * sum');
    expect(text).not.toBe(decode.text);
    const kernels = [chunked, { ...decode, text }];
    const scaled = await reportOn(kernels, { ...narrow, options: { scale: 0.125 } });
    expect(wrongIn(scaled)).toEqual([
      'lightning2: 91 tokens, then decode token by token',
      'lightning2: 91 tokens, then decode 4 tokens at a time',
    ]);
    expect(scaled.checks[0]).toMatchObject({ kind: 'resume', passed: true });
    // A scale of one hides it.
    expect((await reportOn(kernels, narrow)).passed).toBe(true);
  });

  it('is found where several tokens at once are not the same as one after another', async () => {
    const text = decode.text.replace('decay * state[n] +', 'select(1.0, decay, t == 0u) * state[n] +');
    expect(text).not.toBe(decode.text);
    const report = await reportOn([chunked, { ...decode, text }], narrow);
    expect(wrongIn(report)).toEqual(['lightning2: 91 tokens, then decode 4 tokens at a time']);
  });

  it('is found between two kernels of whole sequences', async () => {
    const text = chunked.text.replace('params.scale * output[', '1.01 * params.scale * output[');
    expect(text).not.toBe(chunked.text);
    const report = await reportOn([source('lightning/lightning1.wgsl'), { ...chunked, text }], narrow);
    expect(wrongIn(report)).toEqual(['lightning2 against lightning1: 119 tokens']);
    expect(report.skipped.map(({ reason }) => reason)).toEqual(['it takes no state up: nothing is bound to s0.']);
  });
});

describe('what cannot be checked', () => {
  it('is said with the reason', async () => {
    const none = failureIn(await check([source('softmax/naive.wgsl')]));
    expect(none).toMatchObject({ kind: 'invalid-kernel' });
    expect(none.message).toMatch(/^softmax-attention has no state/);
    const mixed = failureIn(await check([chunked, source('linear/right-product.wgsl')]));
    expect(mixed.message).toMatch(
      /lightning2\.wgsl computes lightning-attention and .*right-product\.wgsl linear-attention/,
    );
    const stateless = failureIn(await check([smallKernel('small.wgsl')]));
    expect(stateless.message).toMatch(/^There is nothing to check\. small\.wgsl: it takes no state up/);
    const broken = failureIn(
      await check([{ ...chunked, text: chunked.text.replace('lightning-attention', 'lightening') }]),
    );
    expect(broken.kind).toBe('invalid-kernel');
    const stranger = failureIn(await check([chunked], { shape: { tokens: 4 }, options: {} }));
    expect(stranger.message).toMatch(/no dimension "tokens"/);
  });
});

const open = await testDevice();

describe.skipIf(open === null)('on a device', () => {
  const lab = createLab(() => Promise.resolve({ ok: true, value: open! }), createProcessSimulator(), 'native', {
    timeoutMs: patience.timeoutMs,
  });

  it('checks agree with those of the simulator, for a right and a wrong kernel', async () => {
    const undecayed = decode.text.replace('decay * state[n] +', 'select(1.0, decay, t == 0u) * state[n] +');
    for (const text of [decode.text, undecayed]) {
      const params = { kernels: [{ ...decode, text }], override: narrow, seed: 3 };
      const outcome = await lab.consistency(params, context);
      if (!outcome.ok) throw new Error(outcome.failure.message);
      const simulated = await reportOn(params.kernels, narrow);
      expect(outcome.value.checks.map(({ title, passed }) => [title, passed])).toEqual(
        simulated.checks.map(({ title, passed }) => [title, passed]),
      );
      expect(outcome.value).toMatchObject({ passed: text === decode.text, device: { host: 'native' } });
    }
  });
});
