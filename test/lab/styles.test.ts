import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { testDevice } from '../gpu/dawn.js';

const device = await testDevice();
const folder = new URL('../kernels/styles/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.wgsl'));

describe.skipIf(!device)('kernels in other styles than the ones that come along', () => {
  const lab = createLab(() => Promise.resolve({ ok: true, value: device! }), createProcessSimulator(), 'native', {
    abandon: () => undefined,
    timeoutMs: 200_000,
  });

  it('are there for every mechanism', () => {
    const mechanisms = names.map(
      (name) => /^mechanism: (\S+)$/m.exec(readFileSync(new URL(name, folder), 'utf8'))?.[1],
    );
    expect(new Set(mechanisms)).toEqual(new Set(['softmax-attention', 'linear-attention', 'lightning-attention']));
    expect(names.length).toBeGreaterThanOrEqual(5);
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
      expect(cases.length).toBeGreaterThanOrEqual(15);
    },
    480_000,
  );
});
