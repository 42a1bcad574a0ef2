import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type {
  CaseOverride,
  CompareReport,
  KernelSource,
  LabFailure,
  Outcome,
  Progress,
} from '../../src/lab/contract.js';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { smallKernel } from './kernels.js';

/** A lab whose device must never be asked for: the simulator needs none. */
const lab = createLab(
  () => Promise.reject(new Error('A simulation opened the device.')),
  createProcessSimulator(),
  'native',
);

function builtIn(name: string): KernelSource {
  return { name, text: readFileSync(new URL(`../../shaders/${name}`, import.meta.url), 'utf8') };
}

function compare(
  kernel: KernelSource,
  override: CaseOverride | null = null,
  heard: Progress[] = [],
  signal = new AbortController().signal,
  subgroupSize = 32,
): Promise<Outcome<CompareReport>> {
  const report = (progress: Progress): void => void heard.push(progress);
  return lab.compareSimulated({ kernel, override, seed: 7, subgroupSize }, { signal, report });
}

async function reportOn(kernel: KernelSource, override: CaseOverride | null = null): Promise<CompareReport> {
  const outcome = await compare(kernel, override);
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

function failureIn(outcome: Outcome<unknown>): LabFailure {
  if (outcome.ok) throw new Error('There was no failure.');
  return outcome.failure;
}

describe('a comparison on the simulator', () => {
  it('finds a kernel with several passes right in every case, without a device', async () => {
    const { name, text } = builtIn('lightning/lightning2.wgsl');
    const cases = 'cases: [{ seqlen: 1 }, { seqlen: 65 }, { headDimV: 32 }]';
    const small = text.replace(/shape: .*/, `shape: { batch: 1, heads: 2, seqlen: 130, headDim: 16 }\n${cases}`);
    const report = await reportOn({ name, text: small });
    expect(report.cases.filter(({ passed }) => !passed)).toEqual([]);
    expect(report.cases).toHaveLength(4);
    expect(report.cases[0]).toMatchObject({ name: 'own shape', sampled: false });
    expect(report.cases[0]!.tensors[0]!.map).not.toBeNull();
    expect(report.device).toMatchObject({ host: 'simulator', description: 'Simulator, no GPU', timestamps: false });
    expect(report.tiles).toEqual([
      { name: 'CHUNK', size: 64 },
      { name: 'TILE_M', size: 64 },
    ]);
  });

  it('makes an own shape smaller that is too large to be simulated now and then, and says so', async () => {
    const kernel = smallKernel('large.wgsl');
    const text = kernel.text.replace('seqlen: 9, headDim: 4', 'seqlen: 8388608, headDim: 4');
    const large = await reportOn({ ...kernel, text });
    expect(large.cases[0]!.name).toBe('own shape, made smaller');
    expect(large.cases[0]!.shape.seqlen).toBeLessThan(5_000_000);
  });

  it('tells wrong values, elements that are never written, and their places', async () => {
    const twice = await reportOn(smallKernel('twice.wgsl', { store: 'o[at] = 2.0 * value;' }));
    expect(twice).toMatchObject({ passed: false });
    expect(twice.sentence).toMatch(/^Wrong in 3 of 3 cases/);
    const gap = await reportOn(smallKernel('gap.wgsl', { store: 'if (row != 3u) { o[at] = value; }' }));
    expect(gap.cases.map(({ passed }) => passed)).toEqual([false, true, false]);
    expect(gap.cases[0]!.tensors[0]).toMatchObject({ unwritten: 8 });
    expect(gap.cases[0]!.sentence).toMatch(/never written/);
  });

  it('finds what depends on the order of the workgroups', async () => {
    const other = 'o[(params.heads - 1u - id.y) * params.seqlen + 1u]';
    const report = await reportOn(smallKernel('race.wgsl', { after: `if (row == 0u) { o[base] = ${other}; }` }));
    expect(report.cases[0]).toMatchObject({ repeatable: false, passed: false });
    expect(report.cases[0]!.sentence).toMatch(/^The workgroups in the opposite order gave different bits/);
    expect((await reportOn(smallKernel('good.wgsl'))).cases.every(({ repeatable }) => repeatable)).toBe(true);
  });

  it('runs f16, with subgroups of the size that is asked for', async () => {
    const half = smallKernel('half.wgsl', {
      output: '@group(0) @binding(4) var<storage, read_write> o: array<vec4h>;',
    });
    const kernel = {
      ...half,
      text: half.text.replace('struct Params', 'enable f16;\nstruct Params').replace('= value;', '= vec4h(value);'),
    };
    const report = await reportOn(kernel);
    expect(report.cases.map(({ sentence, passed }) => (passed ? '' : sentence))).toEqual(['', '', '']);
    expect(report.cases[0]!.tensors[0]!.bound).toBeGreaterThan(1e-3);
    const shuffle = readFileSync(new URL('../kernels/styles/subgroup-sum.wgsl', import.meta.url), 'utf8');
    const outcome = await compare(
      { name: 'sum', text: shuffle },
      { shape: { seqlen: 5 }, options: {} },
      [],
      undefined,
      8,
    );
    expect(outcome.ok && outcome.value.passed).toBe(true);
    expect(outcome.ok && outcome.value.device.subgroupMaxSize).toBe(8);
  });

  it('says why a kernel gives no verdict: a loop without an end, a mistake', async () => {
    const endless = await compare(
      smallKernel('endless.wgsl', { before: 'for (var n = 0u; ; n++) { if (n > n + 1u) { break; } }' }),
    );
    expect(failureIn(endless)).toMatchObject({ kind: 'timeout' });
    const mistaken = await compare(smallKernel('mistaken.wgsl', { before: 'let mistake: f32 = 1u;' }));
    expect(failureIn(mistaken).kind).toBe('invalid-kernel');
    expect(failureIn(mistaken).diagnostics[0]!.severity).toBe('error');
  });

  it('tells how far it is, and stops when told to', async () => {
    const heard: Progress[] = [];
    const controller = new AbortController();
    const job = compare(builtIn('lightning/lightning1.wgsl'), null, heard, controller.signal);
    const case1 = (): boolean => heard.some(({ message }) => message === 'case 1 of 20: own shape');
    while (!case1()) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    expect(failureIn(await job).kind).toBe('cancelled');
    expect((await reportOn(smallKernel('good.wgsl'))).passed).toBe(true);
  });
});
