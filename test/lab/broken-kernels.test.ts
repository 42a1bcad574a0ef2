import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readKernel } from '../../src/core/kernel/read.js';
import type { CaseOverride, CaseVerdict } from '../../src/lab/contract.js';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { patience, testDevice } from '../gpu/dawn.js';
import { brokenKernels, type BrokenKernel } from '../kernels/broken.js';

const open = await testDevice();

function textOf(file: string): string {
  return readFileSync(new URL(`../../shaders/${file}`, import.meta.url), 'utf8');
}

const kernelFiles = readdirSync(new URL('../../shaders/', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => file.replaceAll('\\', '/'));

function mutate({ file, find, replace }: BrokenKernel): string {
  return textOf(file).replace(find, () => replace);
}

/** The shape and options of one case of a built-in kernel, by its name. */
function caseNamed(file: string, name: string): CaseOverride {
  const found = readKernel(textOf(file), file)?.cases.find((theCase) => theCase.name === name);
  if (!found) throw new Error(`shaders/${file} has no case "${name}".`);
  return { shape: found.shape, options: found.options };
}

describe('the table of broken kernels', () => {
  it('breaks every built-in kernel, each in a way of its own', () => {
    expect(new Set(brokenKernels.map(mutate)).size).toBe(brokenKernels.length);
    const broken = brokenKernels.map(({ file }) => file);
    expect([...new Set(broken)].sort()).toEqual(kernelFiles.sort());
    for (const file of kernelFiles) expect(broken.filter((one) => one === file).length, file).toBeGreaterThanOrEqual(3);
  });

  for (const { file, name, find } of brokenKernels) {
    it(`replaces text that stands in ${file} once: ${name}`, () => {
      expect(textOf(file).split(find)).toHaveLength(2);
    });
  }
});

describe.skipIf(open === null)('the verdict', () => {
  const lab = createLab(() => Promise.resolve({ ok: true, value: open! }), createProcessSimulator(), 'native', {
    timeoutMs: patience.timeoutMs,
  });
  const context = { signal: new AbortController().signal, report: () => undefined };

  async function verdictOn(name: string, text: string, override: CaseOverride): Promise<CaseVerdict> {
    const outcome = await lab.compare({ kernel: { name, text }, override, seed: 1 }, context);
    if (!outcome.ok) {
      const findings = outcome.failure.diagnostics.map(({ message }) => message);
      throw new Error([outcome.failure.message, ...findings].join('\n'));
    }
    return outcome.value.cases[0]!;
  }

  const used = new Map(brokenKernels.map(({ file, caughtBy }) => [`${file}: ${caughtBy}`, { file, caughtBy }]));

  for (const { file, caughtBy } of used.values()) {
    it(`finds ${file} right in "${caughtBy}"`, async () => {
      const verdict = await verdictOn(file, textOf(file), caseNamed(file, caughtBy));
      expect(verdict.passed, verdict.sentence).toBe(true);
    });
  }

  for (const broken of brokenKernels) {
    it(`finds ${broken.file} wrong: ${broken.name}`, async () => {
      const verdict = await verdictOn(broken.file, mutate(broken), caseNamed(broken.file, broken.caughtBy));
      expect(verdict.failure).toBeNull();
      expect(verdict.passed, broken.why).toBe(false);
    });
  }
});
