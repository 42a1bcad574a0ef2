import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { testDevice } from '../gpu/dawn.js';

const device = await testDevice();
const folder = new URL('../../shaders/', import.meta.url);
const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.wgsl'));

describe.skipIf(!device)('the kernels that come along', () => {
  const lab = createLab(() => Promise.resolve({ ok: true, value: device! }), createProcessSimulator(), 'native', {
    abandon: () => undefined,
    timeoutMs: 200_000,
  });

  it.each(names.sort())(
    '%s is right at its own shape and in every case of the grid',
    async (name) => {
      const kernel = { name, text: readFileSync(new URL(name, folder), 'utf8') };
      const context = { signal: new AbortController().signal, report: () => undefined };
      const outcome = await lab.compare({ kernel, override: null, seed: 7 }, context);
      if (!outcome.ok) throw new Error(outcome.failure.message);
      const { cases } = outcome.value;
      expect(cases.filter(({ passed }) => !passed).map((wrong) => `${wrong.name}: ${wrong.sentence}`)).toEqual([]);
      // A grid that has shrunk to nothing proves nothing.
      expect(cases.length).toBeGreaterThanOrEqual(15);
      const tensors = cases.flatMap((theCase) => theCase.tensors);
      // A bound of 1e-3 or more stands only where the mathematics amplifies rounding errors or a tensor is stored as f16.
      const near = tensors.filter(({ rmsRatio, bound }) => (rmsRatio ?? Infinity) >= (bound < 1e-3 ? 5e-6 : bound / 4));
      expect(near.map(({ sentence }) => sentence)).toEqual([]);
    },
    480_000,
  );
});
