import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { patience, testDevice } from '../gpu/dawn.js';

const device = await testDevice();

describe.skipIf(!device)('the kernel in README.md', () => {
  const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const kernel = { name: 'README.md', text: /```wgsl\n(.*?)```/s.exec(text)?.[1] ?? '' };
  const lab = createLab(() => Promise.resolve({ ok: true, value: device! }), createProcessSimulator(), 'native', {
    timeoutMs: patience.timeoutMs,
  });

  it.each([
    { seqlen: 100, headDim: 32 },
    { seqlen: 33, headDim: 128, headDimV: 70 },
  ])('is right, as README.md says, at %o', async (shape) => {
    const context = { signal: new AbortController().signal, report: () => undefined };
    const outcome = await lab.compare({ kernel, override: { shape, options: {} }, seed: 3 }, context);
    expect(outcome).toMatchObject({ ok: true, value: { passed: true } });
  });
});
