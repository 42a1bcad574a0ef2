import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mechanisms } from '../../../src/core/attention/catalogue.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { kernelSkeleton } from '../../../src/extension/skeleton.js';

const shaders = new URL('../../../shaders/', import.meta.url);

describe('the templates', () => {
  it('offer every built-in kernel', () => {
    const source = readFileSync(new URL('../../../src/extension/templates.ts', import.meta.url), 'utf8');
    const listed = [...source.matchAll(/path: '([^']+)'/g)].map((match) => match[1]);
    const files = readdirSync(shaders, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.wgsl'))
      .map((name) => name.replaceAll('\\', '/'));
    expect([...listed].sort()).toEqual(files.sort());
  });

  it.each(mechanisms.map((mechanism) => [mechanism.id, mechanism] as const))(
    'begin a kernel for %s that only lacks its mathematics',
    (id, mechanism) => {
      const kernel = readKernel(kernelSkeleton(mechanism), 'skeleton');
      expect(new Set(kernel?.diagnostics.map(({ code }) => code))).toEqual(new Set(['unused-binding']));
      expect(kernel?.mechanism?.id).toBe(id);
      expect(kernel?.passes.map((pass) => pass.entry)).toEqual([kernel?.computation?.direction]);
    },
  );
});
