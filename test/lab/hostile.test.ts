import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CompareReport, KernelSource, LabFailure } from '../../src/lab/contract.js';
import { NativeHost } from '../../src/native/host.js';
import { testDevice } from '../gpu/dawn.js';
import { bundle } from './bundles.js';
import { smallKernel } from './kernels.js';

const good = smallKernel('good.wgsl');
const device = await testDevice();

const endlessLoop = {
  declarations: 'var<workgroup> turns: atomic<u32>;',
  before: 'loop { if (atomicAdd(&turns, 1u) == 0xffffffffu && q[0].x > 1e30) { break; } }',
};

describe.skipIf(!device)('a hostile kernel', () => {
  let host: NativeHost;

  beforeAll(async () => {
    const entry = await bundle('native');
    host = new NativeHost({
      entry,
      notify: () => undefined,
      verbose: false,
      env: { TILESCOPE_TIMEOUT_MS: '6000' },
    });
  });
  afterAll(() => host.dispose());

  // Whatever the kernel before did, a good one is found right.
  afterEach(async () => {
    const report = await compare(good);
    expect(report.cases.map(({ sentence }) => sentence)).toHaveLength(3);
    expect(report.passed, report.sentence).toBe(true);
  });

  async function compare(kernel: KernelSource): Promise<CompareReport> {
    const outcome = await host.call('compare', { kernel, override: null, seed: 1 });
    if (!outcome.ok) throw new Error(`${outcome.failure.kind}: ${outcome.failure.message}`);
    return outcome.value;
  }

  async function failureOf(kernel: KernelSource): Promise<LabFailure> {
    const outcome = await host.call('compare', { kernel, override: null, seed: 1 });
    if (outcome.ok) throw new Error(`It should have failed, but: ${outcome.value.sentence}`);
    return outcome.failure;
  }

  it('that never ends is stopped and named', async () => {
    const endless = smallKernel('endless.wgsl', endlessLoop);
    const failure = await failureOf(endless);
    expect(failure.kind).toBe('timeout');
    expect(failure.message).toMatch(/"main" did not end within 6 s/);
    expect(failure.remedy).toMatch(/loop that never ends/);
  });

  it('that writes far out of bounds is caught, and nothing else is harmed', async () => {
    const report = await compare(smallKernel('far-write.wgsl', { store: 'o[at + 100000000u] = value;' }));
    expect(report.passed).toBe(false);
    expect(report.cases[0]!.tensors[0]!.unwritten).toBeGreaterThan(0);
  });

  it('that reads far out of bounds is judged by what it makes of it', async () => {
    const report = await compare(smallKernel('far-read.wgsl', { store: 'o[at] = value + k[at + 100000000u] + 1.0;' }));
    expect(report.passed).toBe(false);
    expect(report.cases[0]!.tensors[0]!.wrong).toBeGreaterThan(0);
  });

  it('that wants too much workgroup memory is told what it needs and what there is', async () => {
    const failure = (
      await compare(
        smallKernel('greedy.wgsl', {
          declarations: 'var<workgroup> large: array<vec4f, 15000>;',
          before: 'large[lane] = q[0]; workgroupBarrier();',
          store: 'o[at] = value + large[0] - large[1];',
        }),
      )
    ).cases[0]!.failure;
    expect(failure?.kind).toBe('limits-exceeded');
    expect(failure?.message).toMatch(/"main" needs 234.4 KiB of workgroup memory, and this device has \d+ KiB/);
  });

  it('that writes NaN is caught at the element', async () => {
    const store = 'o[at] = value; if (row == 3) { o[at].y = bitcast<f32>(0x7fc00000u + params.heads); }';
    const report = await compare(smallKernel('nan.wgsl', { store }));
    const tensor = report.cases[0]!.tensors[0]!;
    expect(report.passed).toBe(false);
    expect(tensor.nan).toBe(2);
    expect(tensor.firstWrong).toEqual([0, 0, 3, 1]);
    expect(tensor.unwritten).toBe(0);
  });

  it('that leaves an element unwritten is caught at the element', async () => {
    const report = await compare(smallKernel('gap.wgsl', { store: 'if (row != 5) { o[at] = value; }' }));
    const tensor = report.cases[0]!.tensors[0]!;
    expect(report.passed).toBe(false);
    expect(tensor.unwritten).toBe(8);
    expect(tensor.firstWrong).toEqual([0, 0, 5, 0]);
  });

  it('whose runs differ is caught as a race', async () => {
    // Which of a thousand workgroups comes first differs from run to run.
    const kernel = smallKernel('race.wgsl', {
      frontMatter: 'scratch:\n  turn: u32[64]',
      declarations: '@group(0) @binding(5) var<storage, read_write> turn: array<atomic<u32>>;',
      store: 'o[at] = value + f32(atomicAdd(&turn[0], 1u) & 0xffffu);',
    });
    const override = { shape: { seqlen: 1024, heads: 8 }, options: {} };
    const outcome = await host.call('compare', { kernel, override, seed: 1 });
    if (!outcome.ok) throw new Error(outcome.failure.message);
    const [only] = outcome.value.cases;
    expect(only!.repeatable).toBe(false);
    expect(only!.passed).toBe(false);
    expect(only!.sentence).toMatch(/a race/);
  });

  it('that fits the limits but not the memory is told so', async () => {
    const { software, limits } = device!.description;
    const words = Math.min(limits.maxStorageBufferBindingSize!, 2 ** 31) / 4;
    const kernel = smallKernel('large.wgsl', {
      frontMatter: `scratch:\n  large: f32[${words}]`,
      declarations: '@group(0) @binding(5) var<storage, read_write> large: array<f32>;',
      before: 'large[0] = 1.0;',
    });
    const override = { shape: {}, options: {} };
    const outcome = await host.call('compare', { kernel, override, seed: 1 });
    const failure = outcome.ok ? outcome.value.cases[0]!.failure : outcome.failure;
    // A real GPU may well have that much.
    if (!software && failure === null) return;
    expect(failure?.kind).toBe('out-of-memory');
    expect(failure?.message).toMatch(/ran out of GPU memory/);
  });

  it('whose output can only be read is refused with its place', async () => {
    const output = '@group(0) @binding(4) var<storage, read> o: array<vec4f>;';
    const kernel = smallKernel('read-only.wgsl', { output });
    const failure = await failureOf(kernel);
    expect(failure.kind).toBe('invalid-kernel');
    const { span } = failure.diagnostics[0]!;
    expect(kernel.text.slice(span.start, span.end)).toBe('o');
  });

  it('whose output holds another type is refused with its place', async () => {
    const kernel = smallKernel('wrong-type.wgsl', {
      output: '@group(0) @binding(4) var<storage, read_write> o: array<vec4<i32>>;',
    });
    const failure = await failureOf(kernel);
    expect(failure.kind).toBe('invalid-kernel');
    const { span } = failure.diagnostics[0]!;
    expect(kernel.text.slice(span.start, span.end)).toBe('array<vec4<i32>>');
  });

  it('with a syntax error is refused with its place', async () => {
    const failure = await failureOf(smallKernel('syntax.wgsl', { store: 'o[at] = value +* 2;' }));
    expect(['invalid-kernel', 'compile-error']).toContain(failure.kind);
    expect(failure.diagnostics.length).toBeGreaterThan(0);
  });

  it('with a type error carries the words of the driver to the place in the file', async () => {
    const kernel = smallKernel('types.wgsl', { store: 'let wrong: f32 = params.heads; o[at] = value * wrong;' });
    const failure = await failureOf(kernel);
    expect(failure.kind).toBe('compile-error');
    const { span, message } = failure.diagnostics[0]!;
    expect(message).toMatch(/u32/);
    expect(kernel.text.slice(span.start, span.start + 60)).toMatch(/^(let wrong|wrong|params|f32)/);
  });

  it('with a barrier in non-uniform flow is refused by the compiler', async () => {
    const failure = await failureOf(
      smallKernel('barrier.wgsl', { before: 'if (q[lane].x > 0) { workgroupBarrier(); }' }),
    );
    expect(failure.kind).toBe('compile-error');
    expect(failure.message).toMatch(/uniform control flow/);
  });

  it('that needs a buffer beyond the limits is told so', async () => {
    const kernel = smallKernel('huge.wgsl', {
      frontMatter: 'scratch:\n  large: f32[seqlen * 50000000]',
      declarations: '@group(0) @binding(5) var<storage, read_write> large: array<f32>;',
      before: 'large[0] = 1.0;',
    });
    const outcome = await host.call('compare', { kernel, override: null, seed: 1 });
    const failure = outcome.ok ? outcome.value.cases[0]!.failure : outcome.failure;
    expect(failure?.kind).toBe('limits-exceeded');
    expect(failure?.message).toMatch(/"large" takes 1716.6 MiB/);
  });

  it('that takes the process down is reported, and the next call starts another', async () => {
    const running = host.call('compare', { kernel: smallKernel('slow.wgsl', endlessLoop), override: null, seed: 1 });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    process.kill(await childPid(), 'SIGSEGV');
    const outcome = await running;
    expect(outcome.ok).toBe(false);
    if (!outcome.ok) {
      expect(outcome.failure.kind).toBe('device-lost');
      expect(outcome.failure.message).toMatch(/crashed while the kernel ran \(signal SIGSEGV/);
    }
  });

  it('is not measured while it is wrong', async () => {
    const kernel = smallKernel('twice.wgsl', { store: 'o[at] = 2.0 * value;' });
    const outcome = await host.call('benchmark', { kernel, override: null, seed: 1 });
    expect(outcome.ok).toBe(false);
    if (!outcome.ok) {
      expect(outcome.failure.kind).toBe('wrong-result');
      expect(outcome.failure.message).toMatch(/its speed is not measured/);
    }
  });

  it('can be cancelled while it never ends', async () => {
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(), 2500);
    const outcome = await host.call(
      'compare',
      { kernel: smallKernel('endless.wgsl', endlessLoop), override: null, seed: 1 },
      { signal: controller.signal },
    );
    expect(outcome.ok ? 'ok' : outcome.failure.kind).toBe('cancelled');
    expect(performance.now() - started).toBeLessThan(5900);
  });

  async function childPid(): Promise<number> {
    const { execFileSync } = await import('node:child_process');
    const lines = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'pid=,args='], { encoding: 'utf8' });
    const line = lines.split('\n').find((candidate) => candidate.includes('native.js'));
    return Number(line?.trim().split(/\s+/)[0]);
  }
});

describe.skipIf(!device)('without the bounds checks of WGSL', () => {
  it('a write beyond an output is seen at its guards', async () => {
    const host = new NativeHost({
      entry: await bundle('native'),
      notify: () => undefined,
      verbose: false,
      env: { TILESCOPE_DAWN_FLAGS: 'disable_robustness' },
    });
    try {
      const kernel = smallKernel('past-the-end.wgsl', { store: 'o[at] = value; if (row == 8) { o[at + 1] = value; }' });
      const override = { shape: { heads: 1 }, options: {} };
      const outcome = await host.call('compare', { kernel, override, seed: 1 });
      if (!outcome.ok) throw new Error(outcome.failure.message);
      const [tensor] = outcome.value.cases[0]!.tensors;
      expect(outcome.value.passed).toBe(false);
      expect(tensor!.guardsTouched).toBe(4);
      expect(tensor!.wrong).toBe(0);
    } finally {
      host.dispose();
    }
  });
});
