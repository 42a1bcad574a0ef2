import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';

const files = readdirSync('shaders', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => `shaders/${file}`)
  .sort();

describe('the kernels in shaders/', () => {
  it('are found', () => {
    expect(files.length).toBeGreaterThanOrEqual(6);
  });

  it.each(files)('%s is read without a finding and planned for its own shape and every case', (file) => {
    const kernel = readKernel(readFileSync(file, 'utf8'), file)!;
    expect(kernel.diagnostics).toEqual([]);
    expect(kernel.cases.length).toBeGreaterThan(3);
    for (const { shape, options } of [kernel, ...kernel.cases]) {
      const result = planKernel(kernel, shape, options);
      expect(result.ok ? [] : result.diagnostics).toEqual([]);
    }
  });
});
