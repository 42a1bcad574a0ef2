import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readKernel } from '../../src/core/kernel/read.js';
import { hashText } from '../../src/core/kernel/hash.js';
import type { CallContext } from '../../src/lab/channel.js';
import type { KernelSource, LabFailure, Outcome, Progress, TraceReport, TraceRequest } from '../../src/lab/contract.js';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { smallKernel } from './kernels.js';

const folder = new URL('../../shaders/', import.meta.url);
const builtIn = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.wgsl'))
  .sort()
  .map((path): KernelSource => ({ name: path, text: readFileSync(new URL(path, folder), 'utf8') }));

/** A lab whose device must never be asked for: simulations need none. */
const lab = createLab(
  () => Promise.reject(new Error('A simulation opened the device.')),
  createProcessSimulator(),
  'native',
);

const sampled: TraceRequest = { workgroups: 'sampled', subgroupSize: 32, scaling: false };

function context(signal: AbortSignal = new AbortController().signal, heard: Progress[] = []): CallContext {
  return { signal, report: (progress) => heard.push(progress) };
}

async function traceOf(kernel: KernelSource, request: TraceRequest = sampled): Promise<TraceReport> {
  const outcome = await lab.trace({ kernel, override: null, request }, context());
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

function failureIn(outcome: Outcome<unknown>): LabFailure {
  if (outcome.ok) throw new Error('There was no failure.');
  return outcome.failure;
}

describe('the default trace', () => {
  it.each(builtIn.map((kernel) => [kernel.name, kernel] as const))(
    'of %s is sane and takes a few seconds at most',
    async (_, kernel) => {
      const before = process.cpuUsage();
      const report = await traceOf(kernel, { ...sampled, scaling: true });
      expect(report.hash).toBe(hashText(kernel.text));
      expect(report.accesses).toBeGreaterThan(100_000);
      for (const pass of report.passes) {
        const total = pass.workgroups.reduce((product, size) => product * size, 1);
        expect(pass.executed).toBeLessThanOrEqual(total);
        expect(pass.traced.length).toBeGreaterThanOrEqual(Math.min(3, total));
      }
      expect(report.exact).toBe(report.passes.every(({ workgroups: [x, y, z], executed }) => executed === x * y * z));
      expect(report.sentence).toMatch(report.exact ? /all counts are exact/ : /scaled up/);
      const { ledger, schedule, coverage } = report;
      const { mechanism, computation } = readKernel(kernel.text, kernel.name)!;
      const { direction, tensors } = computation!;
      const required = tensors.filter((tensor) => tensor.required).map(({ name }) => name);
      expect(ledger.tensors.map(({ name }) => name)).toEqual(expect.arrayContaining(required));
      // Counts of a part of the workgroups are scaled up, and rounded.
      expect(ledger.totals.requestedBytes).toBeGreaterThanOrEqual(ledger.totals.compulsoryBytes * (1 - 1e-12));
      // A step that decodes has no shorter sequences to compare with, nor have its parts, and a matrix is no sequence.
      const shares = direction === 'decode' || (report.shape.seqlen ?? 1) === 1 ? null : [8, 4, 1];
      const sizes = ledger.scaling?.points.map(({ size }) => size) ?? null;
      expect(sizes).toEqual(shares?.map((share) => report.shape.seqlen! / share) ?? null);
      expect(schedule.workgroups.length).toBeGreaterThan(0);
      expect(schedule.workgroups.every(({ steps }) => steps.length > 0)).toBe(true);
      const readsCache = direction === 'decode' && mechanism!.recurrence === null;
      if ((direction === 'forward' || readsCache) && mechanism!.visibleKeys !== null) {
        expect(coverage!.totals).toMatchObject({ missed: 0, doubled: 0 });
        expect(coverage!.totals.required).toBeGreaterThan(0);
      } else {
        expect(coverage).toBeNull();
      }
      expect(JSON.stringify(report).length).toBeLessThan(2_000_000);
      // Time of the CPU, not of the clock, and several times what it takes on a machine that has nothing else to do:
      // docs/measurements.md has that. Memory that others use slows a simulator too.
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000).toBeLessThan(12_000);
    },
  );
});

describe('a trace', () => {
  it('runs every workgroup of a small kernel and counts exactly', async () => {
    const report = await traceOf(smallKernel('good.wgsl'));
    expect(report.exact).toBe(true);
    expect(report.passes).toMatchObject([{ entry: 'main', workgroups: [2, 2, 1], executed: 4 }]);
    const [q, k, v, o] = ['q', 'k', 'v', 'o'].map((name) =>
      report.ledger.tensors.find((tensor) => tensor.name === name)!,
    );
    // Two heads of nine causal rows: 45 pairs each, a vec4 of q, k and v for each pair.
    for (const tensor of [q!, k!, v!]) expect(tensor.readBytes).toBe(2 * 45 * 16);
    expect(o).toMatchObject({ readBytes: 0, writtenBytes: 2 * 9 * 16 });
    expect(report.coverage!.totals).toMatchObject({ required: 90, once: 90, missed: 0, doubled: 0, wasted: 0 });
  });

  it('looks at the workgroups that are asked for, beside the sampled ones', async () => {
    const kernel = builtIn.find(({ name }) => name.endsWith('flash.wgsl'))!;
    const report = await traceOf(kernel, { ...sampled, workgroups: [{ pass: 0, workgroup: [3, 2, 0] }] });
    const [pass] = report.passes;
    expect(pass!.traced).toHaveLength(4);
    expect(pass!.traced).toContainEqual([3, 2, 0]);
    expect(report.schedule.workgroups.some(({ workgroup }) => workgroup.join() === '3,2,0')).toBe(true);
  });

  it('refuses a workgroup that the pass does not have', async () => {
    const request: TraceRequest = { ...sampled, workgroups: [{ pass: 0, workgroup: [2, 0, 0] }] };
    const failure = failureIn(await lab.trace({ kernel: smallKernel('a.wgsl'), override: null, request }, context()));
    expect(failure).toMatchObject({
      kind: 'invalid-kernel',
      remedy: 'It has 2 × 2 × 1 workgroups, each axis counted from 0.',
    });
    expect(failure.message).toBe('"main" has no workgroup 2, 0, 0 at this shape.');
  });

  it('follows an override', async () => {
    const outcome = await lab.trace(
      { kernel: smallKernel('good.wgsl'), override: { shape: { seqlen: 20 }, options: {} }, request: sampled },
      context(),
    );
    expect(outcome.ok && outcome.value.shape).toMatchObject({ seqlen: 20, seqlenK: 20, heads: 2 });
    expect(outcome.ok && outcome.value.coverage!.totals.required).toBe(2 * 210);
  });

  it('tells how far it is', async () => {
    const heard: Progress[] = [];
    const kernel = builtIn.find(({ name }) => name.endsWith('softmax/flash.wgsl'))!;
    const override = { shape: { heads: 1, seqlen: 4096 }, options: {} };
    await lab.trace({ kernel, override, request: sampled }, context(undefined, heard));
    const fractions = heard.flatMap(({ fraction }) => fraction ?? []);
    expect(fractions.length).toBeGreaterThan(3);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(heard.some(({ message }) => /^tracing attend: workgroup \d+ of \d+$/.test(message))).toBe(true);
  });

  it('stops when it is cancelled, and the next one works', async () => {
    const controller = new AbortController();
    const kernel = builtIn.find(({ name }) => name.endsWith('naive.wgsl'))!;
    const started = performance.now();
    setTimeout(() => controller.abort(), 100);
    const request: TraceRequest = { ...sampled, workgroups: 'all' };
    const failure = failureIn(await lab.trace({ kernel, override: null, request }, context(controller.signal)));
    expect(failure.kind).toBe('cancelled');
    expect(performance.now() - started).toBeLessThan(3000);
    expect((await traceOf(smallKernel('good.wgsl'))).exact).toBe(true);
  });

  it('gives up a loop that never ends, and says where it is', async () => {
    const kernel = smallKernel('endless.wgsl', {
      before: 'var odd = 1u; loop { odd *= 3u; if (odd == 0u) { break; } }',
    });
    const failure = failureIn(await lab.trace({ kernel, override: null, request: sampled }, context()));
    expect(failure.kind).toBe('timeout');
    expect(failure.message).toMatch(/^A loop of "main" goes on for ever/);
    const { span } = failure.diagnostics[0]!;
    expect(kernel.text.slice(span.start, span.end)).toMatch(/^loop/);
  });

  it('refuses what the simulator does not know, with its place', async () => {
    const kernel = smallKernel('types.wgsl', { store: 'let wrong: f32 = params.heads; o[at] = value * wrong;' });
    const failure = failureIn(await lab.trace({ kernel, override: null, request: sampled }, context()));
    expect(failure.kind).toBe('invalid-kernel');
    const { span, severity } = failure.diagnostics[0]!;
    expect(severity).toBe('error');
    expect(kernel.text.slice(span.start, span.start + 60)).toMatch(/^(let wrong|wrong|params|f32)/);
  });

  it('refuses a text without front matter', async () => {
    const kernel = { name: 'a.wgsl', text: 'fn f() {}' };
    expect(failureIn(await lab.trace({ kernel, override: null, request: sampled }, context())).kind).toBe(
      'invalid-kernel',
    );
  });
});

describe('the values of an invocation', () => {
  const place = { entry: null, workgroup: [1, 0, 0], invocation: 0 } as const;

  it('are those of its lets, vars and assignments, by line', async () => {
    const kernel = smallKernel('good.wgsl');
    const outcome = await lab.values({ kernel, override: null, ...place }, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const { values, entry } = outcome.value;
    expect(entry).toBe('main');
    const row = values.find(({ name }) => name === 'row')!;
    expect(row).toMatchObject({ count: 1, samples: [8] });
    expect(kernel.text.split('\n')[row.line - 1]).toMatch(/let row = id\.x/);
    const sums = values.filter(({ name }) => name === 'value');
    // The declaration once, the sum over nine keys nine times.
    expect(sums.reduce((total, { count }) => total + count, 0)).toBe(10);
  });

  it('are refused for an invocation or an entry point that there is none of', async () => {
    const kernel = smallKernel('good.wgsl');
    const far = failureIn(await lab.values({ kernel, override: null, ...place, invocation: 8 }, context()));
    expect(far.message).toBe('A workgroup of "main" has no invocation 8.');
    const other = failureIn(await lab.values({ kernel, override: null, ...place, entry: 'mein' }, context()));
    expect(other.remedy).toBe('The passes are main.');
  });
});

describe('a search for hazards', () => {
  it('looks at the own shape and at the cases, and finds nothing in a right kernel', async () => {
    const outcome = await lab.hazards({ kernel: smallKernel('good.wgsl'), override: null }, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const { hazards, cases, sentence } = outcome.value;
    expect(hazards).toEqual([]);
    expect(cases.map(({ shape }) => shape.seqlen)).toEqual([9, 1, 17]);
    expect(sentence).toBe('No hazard in 3 simulated cases.');
  });

  it('finds an index past the end, and says by how much', async () => {
    const kernel = smallKernel('past.wgsl', {
      store: 'o[at] = value; if (row == params.seqlen - 1) { o[at + 100000u] = value; }',
    });
    const outcome = await lab.hazards({ kernel, override: null }, context());
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const [hazard] = outcome.value.hazards;
    expect(hazard).toMatchObject({ kind: 'out-of-bounds', variable: 'o' });
    expect(hazard!.message).toMatch(/1000\d\d/);
  });
});
