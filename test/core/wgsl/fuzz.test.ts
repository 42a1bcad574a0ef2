import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layoutOf, scalarLeaves, uniformLayoutProblem } from '../../../src/core/wgsl/layout.js';
import { workgroupBytes, workgroupSizeOf } from '../../../src/core/wgsl/evaluate.js';
import type { WgslModule } from '../../../src/core/wgsl/module.js';
import { parseWgsl } from '../../../src/core/wgsl/parse.js';
import { mutate, seededNumbers } from './mutate.js';

const rounds = 20_000;
const slowestMs = 1000;
const names = ['flash', 'macros', 'terse', 'syntax'];
const texts = names.map((name) => readFileSync(new URL(`kernels/${name}.wgsl`, import.meta.url), 'utf8'));
const defines = { TILE: '32', FEATURE: '1', LOOP_UNROLL: '1' };

/** Every span of a module. */
function spansOf(module: WgslModule): { start: number; end: number }[] {
  const { diagnostics, enables, overrides, bindings, workgroupVariables, entryPoints } = module;
  return [
    ...[...diagnostics, ...enables, ...overrides, ...bindings, ...workgroupVariables, ...entryPoints].map(
      (x) => x.span,
    ),
    ...[...overrides, ...bindings, ...entryPoints].map((x) => x.nameSpan),
    ...bindings.map((x) => x.typeSpan),
  ];
}

/** What is wrong with the module of a text, or null. Exercises everything that others ask of a module. */
function problemOf(source: string, module: WgslModule): string | null {
  for (const { start, end } of spansOf(module)) {
    if (!(start >= 0 && start <= end && end <= source.length)) return `span ${start}..${end} of ${source.length}`;
  }
  for (const { type } of [...module.bindings, ...module.workgroupVariables]) {
    layoutOf(type);
    scalarLeaves(type);
    uniformLayoutProblem(type);
  }
  for (const entry of module.entryPoints) {
    workgroupBytes(module, entry, { HEAD_DIM: 64 });
    workgroupSizeOf(module, entry, { HEAD_DIM: 64 });
  }
  return module.source === source ? null : 'another source';
}

test(`${rounds} broken kernels are read without an exception, a hang or a span outside of the text`, () => {
  const below = seededNumbers(20_240_601);
  let intact = 0;
  for (let round = 0; round < rounds; round++) {
    const source = mutate(texts[round % texts.length]!, below);
    const begin = process.cpuUsage();
    let problem: string | null;
    try {
      const module = parseWgsl(source, defines);
      problem = problemOf(source, module);
      if (module.diagnostics.length === 0) intact += 1;
    } catch (error) {
      problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    // Time on the processor: a busy machine must not make this fail.
    const cpuMs = process.cpuUsage(begin).user / 1000;
    if (problem === null && cpuMs > slowestMs) problem = `took ${cpuMs} ms`;
    if (problem !== null) expect.fail(`round ${round}: ${problem}\n${source}`);
  }
  // Some mutations must leave a kernel whole and most must break it, or the generator tests nothing.
  expect(intact).toBeGreaterThan(rounds / 50);
  expect(intact).toBeLessThan(rounds / 2);
}, 300_000);
