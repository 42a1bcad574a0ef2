import { describe, expect, it } from 'vitest';
import type { CaseOverride, CaseVerdict } from '../../src/lab/contract.js';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { brokenKernels } from '../kernels/broken.js';
import { caseNamed, kernelFiles, mutate, onlyVerdict, textOf } from './mutants.js';

describe('the table of broken kernels', () => {
  it('breaks every built-in kernel, each in a way of its own', () => {
    expect(new Set(brokenKernels.map(mutate)).size).toBe(brokenKernels.length);
    const broken = brokenKernels.map(({ file }) => file);
    expect([...new Set(broken)].sort()).toEqual(kernelFiles);
    for (const file of kernelFiles) expect(broken.filter((one) => one === file).length, file).toBeGreaterThanOrEqual(3);
  });

  for (const { file, name, find } of brokenKernels) {
    it(`replaces text that stands in ${file} once: ${name}`, () => {
      expect(textOf(file).split(find)).toHaveLength(2);
    });
  }
});

/** On the simulator, which compiles a kernel in a fraction of the time a driver takes. */
describe('the verdict', () => {
  const noDevice = (): Promise<never> => Promise.reject(new Error('A simulation opened the device.'));
  const lab = createLab(noDevice, createProcessSimulator(), 'native');
  const context = { signal: new AbortController().signal, report: () => undefined };

  async function verdictOn(name: string, text: string, override: CaseOverride): Promise<CaseVerdict> {
    const params = { kernel: { name, text }, override, seed: 1, subgroupSize: 32 };
    return onlyVerdict(await lab.compareSimulated(params, context));
  }

  const shown = brokenKernels.filter(({ onlyOnDevice }) => onlyOnDevice === undefined);
  const used = new Map(shown.map(({ file, caughtBy }) => [`${file}: ${caughtBy}`, { file, caughtBy }]));

  for (const { file, caughtBy } of used.values()) {
    it(`finds ${file} right in "${caughtBy}"`, async () => {
      const verdict = await verdictOn(file, textOf(file), caseNamed(file, caughtBy));
      expect(verdict.passed, verdict.sentence).toBe(true);
    });
  }

  for (const broken of shown) {
    it(`finds ${broken.file} wrong: ${broken.name}`, async () => {
      const verdict = await verdictOn(broken.file, mutate(broken), caseNamed(broken.file, broken.caughtBy));
      expect(verdict.failure).toBeNull();
      expect(verdict.passed, broken.why).toBe(false);
    });
  }
});
