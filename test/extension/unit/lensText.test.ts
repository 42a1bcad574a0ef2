import { describe, expect, it } from 'vitest';
import type { BenchmarkReport, CaseVerdict, CompareReport, DeviceInfo, RunReport } from '../../../src/lab/contract.js';
import type { TensorVerdict } from '../../../src/core/numerics/verdict.js';
import { formatDuration, resultText, runningText, verdictOf } from '../../../src/extension/lensText.js';
import { emptyRecord, type KernelRecord } from '../../../src/extension/record.js';
import { english } from './english.js';

const device: DeviceInfo = {
  vendor: 'acme',
  architecture: 'a1',
  description: 'Acme GPU',
  device: '',
  software: false,
  host: 'webview',
  features: [],
  limits: {},
  timestamps: true,
  subgroupMinSize: null,
  subgroupMaxSize: null,
};

function tensor(values: Partial<TensorVerdict>): TensorVerdict {
  return {
    name: 'o',
    dims: [1],
    dimNames: ['seqlen'],
    passed: true,
    sentence: '',
    tolerance: { kind: 'ratio', bound: 6e-7 },
    elements: 1,
    compared: 1,
    maxAbs: 1e-7,
    maxReference: 1,
    rmsRatio: 2.1e-7,
    bound: 6e-7,
    maxUlp: 1,
    timesNaive: 1,
    nan: 0,
    infinite: 0,
    unwritten: 0,
    guardsTouched: 0,
    wrong: 0,
    firstWrong: null,
    worst: [],
    histogram: { from: -12, binsPerDecade: 1, counts: [], exact: 0 },
    map: null,
    ...values,
  };
}

const verdict = (tensors: readonly TensorVerdict[]): CaseVerdict => ({
  name: 'own',
  shape: {},
  options: {},
  passed: true,
  sentence: 'right',
  tensors,
  failure: null,
  sampled: false,
  repeatable: null,
});

const compared = (hash: string, change: Partial<CompareReport> = {}): KernelRecord['compare'] => ({
  at: 10,
  report: {
    hash,
    kernel: 'k',
    mechanism: 'm',
    direction: 'forward',
    passed: true,
    sentence: 'right',
    cases: [verdict([tensor({})])],
    seed: 1,
    device,
    tiles: [],
    elapsedMs: 1,
    ...change,
  },
});

const measured = (hash: string, at = 20): KernelRecord['benchmark'] => ({
  at,
  report: {
    hash,
    kernel: 'k',
    mechanism: 'm',
    direction: 'forward',
    shape: {},
    options: {},
    gpuTimeNs: { median: 1_840_000, p20: 1_803_200, p80: 1_876_800, samples: [] },
    clock: 'timestamps',
    resolutionNs: 1,
    runsPerSample: 1,
    warmupSamples: 0,
    settled: true,
    flops: 1,
    compulsoryBytes: 1,
    passes: null,
    verdict: verdict([tensor({})]),
    device,
  } satisfies BenchmarkReport,
});

const ran = (hash: string, at: number): KernelRecord['run'] => ({
  at,
  report: { hash, kernel: 'k', shape: {}, options: {}, gpuTimeNs: 1500, outputs: [], device } satisfies RunReport,
});

const text = (record: Partial<KernelRecord>, hash = 'h1'): string =>
  resultText({ ...emptyRecord, ...record }, hash, english);

describe('the result lens', () => {
  it('says that nothing was compared yet', () => {
    expect(text({})).toBe('not compared yet');
  });

  it('gives verdict and time of the text as it stands', () => {
    expect(text({ compare: compared('h1'), benchmark: measured('h1') })).toBe(
      '✓ right (RMS 2.1e-7 ≤ 6.0e-7) · 1.84 ms ±2 %',
    );
  });

  it("says where a verdict is the simulator's", () => {
    const simulator = { ...device, host: 'simulator', software: true } as const;
    const right = compared('h1', { device: simulator });
    expect(text({ compare: right })).toBe('✓ right (RMS 2.1e-7 ≤ 6.0e-7) · on the simulator, no GPU');
    const wrong = compared('h1', { device: simulator, passed: false, sentence: 'Wrong.' });
    expect(text({ compare: wrong })).toBe('✗ Wrong. · on the simulator, no GPU');
  });

  it('puts results of an earlier text in brackets', () => {
    expect(text({ compare: compared('h1'), benchmark: measured('h1') }, 'h2')).toBe(
      '[✓ right (RMS 2.1e-7 ≤ 6.0e-7) · 1.84 ms ±2 %] stale',
    );
  });

  it('shows the tensor nearest to its bound, by the number it was held to', () => {
    const close = tensor({ name: 's', tolerance: { kind: 'absolute', bound: 1e-6 }, bound: 1e-6, maxAbs: 9e-7 });
    expect(text({ compare: compared('h1', { cases: [verdict([tensor({}), close])] }) })).toBe(
      '✓ right (max 9.0e-7 ≤ 1.0e-6)',
    );
  });

  it('shows no speed for a kernel that is wrong', () => {
    const wrong = compared('h1', { passed: false, sentence: 'o differs from row 65 on, first in head 2.' });
    expect(text({ compare: wrong, benchmark: measured('h1') })).toBe('✗ o differs from row 65 on, first in head 2.');
  });

  it('shows no time of another text than the verdict is about', () => {
    expect(text({ compare: compared('h2'), benchmark: measured('h1', 5) }, 'h2')).toBe('✓ right (RMS 2.1e-7 ≤ 6.0e-7)');
  });

  it('takes the verdict from a benchmark made after an edit', () => {
    expect(text({ compare: compared('h1'), benchmark: measured('h2') }, 'h2')).toBe(
      '✓ right (RMS 2.1e-7 ≤ 6.0e-7) · 1.84 ms ±2 %',
    );
  });

  it('leaves a wrong verdict behind when a mended text was benchmarked', () => {
    const wrong = compared('h1', { passed: false, sentence: 'o is wrong.' });
    expect(text({ compare: wrong, benchmark: measured('h2') }, 'h2')).toMatch(/^✓ right .* 1.84 ms/);
    expect(text({ compare: wrong, benchmark: measured('h2', 5) }, 'h1')).toBe('✗ o is wrong.');
  });

  it('cuts long sentences', () => {
    const long = compared('h1', { passed: false, sentence: 'x'.repeat(200) });
    expect(text({ compare: long })).toHaveLength('✗ '.length + 90);
  });

  it('says that a kernel only ran', () => {
    expect(text({ run: ran('h1', 30) })).toBe('ran once in 1.5 µs, not compared');
    expect(text({ run: ran('h1', 30), compare: compared('h1') })).toBe('ran once in 1.5 µs, not compared');
    expect(text({ run: ran('h1', 5), compare: compared('h1') })).toMatch(/^✓ right/);
  });

  it('says why there is no result', () => {
    const failure = { kind: 'compile-error', message: 'It does not compile.', remedy: null, diagnostics: [] } as const;
    expect(text({ compare: compared('h1'), failed: { job: 'compare', hash: 'h1', failure } })).toBe(
      '✗ It does not compile.',
    );
  });

  it('keeps the verdict where a simulation failed, which says nothing of the kernel on the GPU', () => {
    const failure = { kind: 'timeout', message: 'A loop goes on for ever.', remedy: null, diagnostics: [] } as const;
    for (const job of ['trace', 'hazards', 'consistency'] as const) {
      const record = { compare: compared('h1'), failed: { job, hash: 'h1', failure } };
      expect(text(record)).toMatch(/^✓ right/);
      expect(verdictOf({ ...emptyRecord, ...record }, 'h1')).toBe('right');
    }
  });
});

describe('a running job', () => {
  it('shows how far it is, where that is known', () => {
    expect(runningText('compare', { message: 'case 3', fraction: 0.4 }, english)).toBe('comparing… 40 %');
    expect(runningText('benchmark', null, english)).toBe('benchmarking…');
    expect(runningText('trace', { message: 'workgroup 3', fraction: 0.255 }, english)).toBe('tracing… 26 %');
  });
});

describe('the verdict of the status bar', () => {
  it.each([
    [{}, 'unknown'],
    [{ compare: compared('h1') }, 'right'],
    [{ compare: compared('h1', { passed: false }) }, 'wrong'],
    [{ compare: compared('h0') }, 'stale'],
    [{ compare: compared('h0'), benchmark: measured('h1') }, 'right'],
  ] as const)('of %# is %s', (record, expected) => {
    expect(verdictOf({ ...emptyRecord, ...record }, 'h1')).toBe(expected);
  });
});

describe('a duration', () => {
  it.each([
    [12.34, '12.3 ns'],
    [1_500, '1.5 µs'],
    [1_840_000, '1.84 ms'],
    [999_900, '1000 µs'],
    [2.5e9, '2.5 s'],
  ])('of %d ns is %s', (timeNs, expected) => {
    expect(formatDuration(timeNs)).toBe(expected);
  });
});
