import { describe, expect, it } from 'vitest';
import { mechanisms } from '../../src/core/attention/catalogue.js';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { patience, testDevice } from '../gpu/dawn.js';
import { brokenKernels, type BrokenKernel } from '../kernels/broken.js';
import { caseNamed, kernelFiles, kernelOf, mutate, onlyVerdict, textOf } from './mutants.js';

const open = await testDevice();

/** A driver's compiler takes its time: of each mechanism's mistakes the first one in the shortest kernel stands for all. */
function cheapestOf(mechanism: string): BrokenKernel | null {
  const own = brokenKernels.filter(({ file }) => kernelOf(file).mechanism?.id === mechanism);
  return own.reduce<BrokenKernel | null>(
    (best, broken) => (best && textOf(best.file).length <= textOf(broken.file).length ? best : broken),
    null,
  );
}

describe.skipIf(open === null)('the verdict on a device', () => {
  const lab = createLab(() => Promise.resolve({ ok: true, value: open! }), createProcessSimulator(), 'native', {
    timeoutMs: patience.timeoutMs,
  });
  const context = { signal: new AbortController().signal, report: () => undefined };
  const chosen = mechanisms.flatMap(({ id }) => cheapestOf(id) ?? []);
  const ids = new Set(kernelFiles.map((file) => kernelOf(file).mechanism?.id));
  const onlyHere = brokenKernels.filter(({ onlyOnDevice }) => onlyOnDevice !== undefined);

  it('is tried on a mistake of every mechanism that kernels come along for', () => {
    expect(chosen.map(({ file }) => kernelOf(file).mechanism?.id)).toEqual(
      mechanisms.map(({ id }) => id).filter((id) => ids.has(id)),
    );
  });

  it.each([...new Set([...chosen, ...onlyHere])].map((broken) => [broken.file, broken.name, broken] as const))(
    'finds %s wrong: %s',
    async (name, _, broken) => {
      const override = caseNamed(broken.file, broken.caughtBy);
      const verdict = onlyVerdict(
        await lab.compare({ kernel: { name, text: mutate(broken) }, override, seed: 1 }, context),
      );
      expect(verdict.failure).toBeNull();
      expect(verdict.passed, broken.why).toBe(false);
    },
  );
});
