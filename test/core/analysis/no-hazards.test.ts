import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findHazards, mergeHazards } from '../../../src/core/analysis/hazards.js';
import { subgroupUse } from '../../../src/core/analysis/hazard-subgroups.js';
import { mechanisms } from '../../../src/core/attention/catalogue.js';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { templateFor } from '../../../src/core/kernel/template.js';
import { plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const textOf = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

describe('no hazard is found', () => {
  /** Floating-point operations of a case that is simulated whole here. */
  const mostFlops = 1_000_000;
  /** Most cases of a kernel, spread evenly over those: `tilescope hazards` looks at all of them. */
  const mostCases = 6;

  function expectNone(source: string, name: string): void {
    const kernel = readKernel(source, name)!;
    const cost = ({ shape, options }: { shape: Shape; options: Options }): number =>
      kernel.computation!.flops(shape, options);
    const cheap = kernel.cases.filter((theCase) => cost(theCase) <= mostFlops);
    const each = Math.max(1, cheap.length / mostCases);
    const cases = cheap.filter((_, at) => Math.floor(at / each) !== Math.floor((at - 1) / each));
    expect(cases.length).toBeGreaterThanOrEqual(2);
    const found = cases.flatMap(({ shape, options, name: caseName }) => {
      const planned = plannedKernel(source, shape, options);
      // Without subgroup operations their size is nothing that a kernel could see.
      const sizes = subgroupUse(planned.plan) === null ? [32] : [4, 32];
      return sizes.map((subgroupSize) =>
        findHazards(simulatedContext(planned, 'all', { subgroupSize, faults: true }), caseName),
      );
    });
    expect(mergeHazards(found).map(({ message, line }) => `${line}: ${message}`)).toEqual([]);
  }

  const builtIn = readdirSync('shaders', { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.wgsl'),
  );
  const inStyles = readdirSync('test/kernels/styles');
  const planted = readdirSync('test/kernels/hazards').filter((file) => file.endsWith('.wgsl'));

  it.each([
    ...builtIn.map((file) => `shaders/${file}`),
    ...inStyles.map((file) => `test/kernels/styles/${file}`),
    ...planted.map((file) => `test/kernels/hazards/${file}`),
  ])('in %s', (file) => {
    expectNone(textOf(file), file);
  });

  it.each(mechanisms.map(({ id }) => id))('in the template for %s', (id) => {
    expectNone(templateFor(id)!, id);
  });

  it('in the sample of the README', () => {
    const [, sample] = /```wgsl\n(.*?)```/s.exec(textOf('README.md'))!;
    expectNone(sample!, 'README.md');
  });
});
