import { describe, expect, it } from 'vitest';
import { mechanisms } from '../../../src/core/attention/catalogue.js';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { templateFor } from '../../../src/core/kernel/template.js';

describe('templates for new kernels', () => {
  it.each(mechanisms.map(({ id }) => id))('%s: reads without a finding, and takes the whole grid', (id) => {
    const kernel = readKernel(templateFor(id)!, id)!;
    expect(kernel.diagnostics).toEqual([]);
    expect(kernel.mechanism?.id).toBe(id);
    expect(kernel.cases.map(({ name }) => name)).toEqual(kernel.computation!.grid.map(({ name }) => name));
    for (const { shape, options } of [kernel, ...kernel.cases]) {
      expect(planKernel(kernel, shape, options).ok).toBe(true);
    }
  });

  it('has none for what it does not know', () => {
    expect(templateFor('no-attention')).toBeNull();
  });
});
