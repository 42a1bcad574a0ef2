import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TraceReport } from '../../src/lab/contract.js';
import { driverIsChosen } from '../../src/native/driver.js';
import { testDevice } from '../gpu/dawn.js';
import { bundle } from '../lab/bundles.js';
import { smallKernel } from '../lab/kernels.js';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tilescope-cli-'));
// Opening the tests' own device may set the driver for this process; the command line has to find it by itself.
const environment = { ...process.env };
const open = await testDevice();
let cli = '';

beforeAll(async () => {
  await bundle('native');
  cli = await bundle('cli');
  for (const kernel of [
    smallKernel('good.wgsl'),
    smallKernel('twice.wgsl', { store: 'o[at] = 2.0 * value;' }),
    smallKernel('broken.wgsl', { store: 'o[at] = value * params.heads;' }),
    smallKernel('racing.wgsl', {
      declarations: 'var<workgroup> shared_row: array<vec4f, 8>;',
      before: 'shared_row[lane] = q[lane];',
      store: 'o[at] = value + 0.0 * shared_row[7u - lane];',
    }),
  ]) {
    writeFileSync(join(folder, kernel.name), kernel.text);
  }
  const layer = (mechanism: string): string => `  - { mechanism: ${mechanism}, heads: 4, headDim: 64, repeat: 2 }\n`;
  writeFileSync(path('stack.yaml'), `title: mine\nlayers:\n${layer('lightning-attention')}`);
  writeFileSync(path('bad-stack.yaml'), `layers:\n${layer('softmax')}`);
  const rate = { kernel: 'a.wgsl', mechanism: 'lightning-attention', direction: 'forward', shape: { headDim: 64 } };
  const measured = { ...rate, gpuTimeNs: { median: 2e6 }, flops: 4.096e9, compulsoryBytes: 1e6 };
  writeFileSync(path('rates.json'), JSON.stringify({ results: [measured, { kernel: 'b.wgsl', failure: 'wrong' }] }));
  const decode = readFileSync(join(root, 'shaders/lightning/decode.wgsl'), 'utf8');
  const undecayed = decode.replace('decay * state[n] +', 'select(1.0, decay, t == 0u) * state[n] +');
  writeFileSync(path('undecayed.wgsl'), undecayed);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface GoldenCase {
  readonly file: string;
  readonly op: string;
  readonly bytes: number;
  readonly grads: object;
}

/**
 * Copies the smallest and the largest case of three operations to a folder, and gives them. The references are held to the
 * cases of all in test/core/attention/golden.test.ts, and the kernels to the references in test/lab; here it would take the
 * software driver minutes to compile them once more.
 */
function sampleGoldens(target: string): readonly GoldenCase[] {
  const goldens = join(root, 'test/goldens');
  const index = JSON.parse(readFileSync(join(goldens, 'index.json'), 'utf8')) as { cases: GoldenCase[] };
  const cases = ['attn', 'lightning', 'newton_schulz'].flatMap((wanted) => {
    const sorted = index.cases.filter(({ op }) => op === wanted).toSorted((a, b) => a.bytes - b.bytes);
    return [sorted[0]!, sorted.at(-1)!];
  });
  mkdirSync(target);
  for (const { file } of cases) copyFileSync(join(goldens, file), join(target, file));
  writeFileSync(join(target, 'index.json'), JSON.stringify({ ...index, cases }));
  return cases;
}

function tilescope(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], {
      cwd: root,
      env: { ...environment, NO_COLOR: '1', ...env },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const path = (name: string): string => join(folder, name);

/** An environment without any Vulkan driver. */
const nothing = { VK_ICD_FILENAMES: join(folder, 'none.json'), VK_DRIVER_FILES: join(folder, 'none.json') };

describe('the command line without a device', () => {
  it.each([
    [['compare', path('nowhere.wgsl')], /There is no file/],
    [['compare', join(folder, '*.glsl')], /No file matches/],
    [['compare', path('good.wgsl'), '--shape', 'seqlen'], /name=value/],
    [['compare', path('good.wgsl'), '--shape', 'seqlen=0'], /positive integer/],
    [['compare', path('good.wgsl'), '--options', 'causal=?'], /unreadable value/],
    [['compare', path('good.wgsl'), '--seed', '-1'], /--seed must be/],
    [['compare', path('good.wgsl'), '--shape', 'sequence=3'], /no dimension "sequence"/],
    [['compare'], /missing required argument/],
    [['consistency', 'newton-schulz-attention'], /There is no file/],
    [['compare', '--colour', path('good.wgsl')], /unknown option/],
    [['dance'], /unknown command/],
    [['golden', folder], /no index\.json/],
    [['trace', path('good.wgsl'), '--workgroups', '1;2;x'], /not of the form x,y,z/],
    [['trace', path('good.wgsl'), '--workgroups', 'mein:0,0,0'], /no pass "mein"\. It has main/],
    [['trace', path('good.wgsl'), '--subgroup-size', '12'], /must be 4, 8, 16, 32, 64 or 128/],
    [['trace', folder], /takes one kernel/],
    [['compare', path('good.wgsl'), '--device', 'abacus'], /must be gpu or simulator/],
    [['compare', path('good.wgsl'), '--subgroup-size', '8'], /add --device simulator/],
    [['hazards', path('good.wgsl'), '--seed', '1'], /unknown option/],
    [['kv', '--devices', '1,many'], /"many" is not a whole number/],
    [['stack', 'gpt-9'], /neither a file nor one of minimax-01, modernbert-base/],
    [['stack', path('bad-stack.yaml')], /bad-stack\.yaml: Layer 1: There is no mechanism "softmax"/],
    [['stack', 'minimax-01', '--bench', path('bad-stack.yaml')], /is no file of bench --json/],
    [['kv', '--kv-heads', '5'], /must divide the 32 query heads/],
  ])('ends with 2 when called as %j', async (args, words) => {
    const { code, stderr, stdout } = await tilescope(args);
    expect(stderr).toMatch(words);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('explains itself', async () => {
    const { code, stdout } = await tilescope(['--help']);
    expect(code).toBe(0);
    const commands = [
      'list',
      'check',
      'compare',
      'bench',
      'trace',
      'hazards',
      'consistency',
      'golden',
      'kv',
      'stack',
      'device',
    ];
    for (const command of commands) expect(stdout).toContain(command);
    expect(stdout).toContain('TILESCOPE_DAWN_FLAGS');
  });

  it('lists the mechanisms and the kernels that come along', async () => {
    const { code, stdout } = await tilescope(['list']);
    expect(code).toBe(0);
    for (const id of ['softmax-attention', 'linear-attention', 'lightning-attention']) expect(stdout).toContain(id);
    expect(stdout).toMatch(/^lightning-attention +Lightning attention +f32 +f32 +f32 f16 +\d+ +lightning$/m);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    const named = await tilescope(['list', '--kernels']);
    expect(named.stdout).toMatch(/shaders\/linear\/decode-f16\.wgsl +decode +f32, f16 +\d+ cases +step$/m);
    const json = JSON.parse((await tilescope(['list', '--json'])).stdout) as {
      schemaVersion: number;
      mechanisms: { id: string; golden: string[]; kernels: { name: string; passes: string[] }[] }[];
    };
    expect(json.schemaVersion).toBe(1);
    const kernels = json.mechanisms.flatMap((mechanism) => mechanism.kernels);
    expect(kernels.map(({ name }) => name)).toContain('shaders/lightning/lightning2.wgsl');
    expect(json.mechanisms.find(({ id }) => id === 'gated-linear-attention')?.golden).toEqual(['gla', 'sgla']);
    expect(kernels.every(({ passes }) => passes.length > 0)).toBe(true);
  });

  it('stops quietly when its reader has read enough', async () => {
    const child = spawn(process.execPath, [cli, 'list', '--kernels'], { cwd: root, env: environment });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('compares the caches of a token, as tables and as JSON', async () => {
    const args = ['kv', '--heads', '16', '--kv-heads', '4', '--devices', '1,2'];
    const { code, stdout } = await tilescope(args);
    expect(code).toBe(0);
    // Table 5 of arXiv:2505.21487.
    expect(stdout).toMatch(/^ +MHA +multi-head attention +8,192 +4,096$/m);
    expect(stdout).toMatch(/^ +GLA-2 +Grouped Latent Attention +1,152 +640$/m);
    const { caches } = JSON.parse((await tilescope([...args, '--json'])).stdout) as {
      caches: { name: string; shards: { devices: number; bytesPerToken: number; duplication: number }[] }[];
    };
    expect(caches.find(({ name }) => name === 'MLA')?.shards[1]).toMatchObject({
      devices: 2,
      bytesPerToken: 1152,
      duplication: 2,
    });
  });

  it('adds up the attention of a model, as tables and as JSON', async () => {
    const { code, stdout } = await tilescope(['stack', 'minimax-01', '--seqlen', '8192']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +70 × lightning-attention 64×128 +4\.19 MFLOP +0 +4 MiB +8\.1 MiB +4\.19 MFLOP$/m);
    expect(stdout).toMatch(/^ +MiniMax-01 +\S+ GFLOP +40,960 +600 MiB /m);
    expect(stdout).toMatch(/^ +all softmax +\S+ GFLOP +327,680 +2\.5 GiB /m);
    const args = ['stack', path('stack.yaml'), '--bench', path('rates.json'), '--json'];
    const { stacks } = JSON.parse((await tilescope(args)).stdout) as {
      stacks: { stack: { title: string }; prediction: { prefill: number | null; missing: string[] } }[];
    };
    expect(stacks.map(({ stack }) => stack.title)).toEqual(['mine', 'all softmax', 'all lightning']);
    // 2 layers of 4 · 4 · 32768 · 64 · 64 operations at 4.096 · 10^9 in 2 ms.
    expect(stacks[0]!.prediction.prefill).toBeCloseTo((2 * 4 * 4 * 32768 * 64 * 64) / (4.096e9 / 2e-3), 9);
    expect(stacks[0]!.prediction.missing).toEqual(['lightning-attention decode']);
  });

  it('traces a kernel without an adapter, as tables for people', async () => {
    const { code, stdout, stderr } = await tilescope(['trace', path('good.wgsl')], nothing);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/Simulated all 4 workgroups of "main" .*: all counts are exact\./);
    // Two heads of 45 pairs, 16 bytes of q for each; the tensor itself has 2 × 9 × 16 bytes.
    expect(stdout).toMatch(/^ {2}q +input +288 bytes +1\.4 KiB +0 bytes .* 5 /m);
    expect(stdout).toMatch(/^ {2}\d+ +[kv] +storage read +1\.4 KiB .*value \+= dot/m);
    expect(stdout).toMatch(/^ {2}pairs +required +once +through state +doubled +missed +wasted$/m);
    expect(stdout).toMatch(/^ +90 +90 +0 +0 +0 +0$/m);
  });

  // The promise is two seconds on an idle machine (scripts/trace-times.mjs measures all kernels); a test's may be busy with much else.
  it.each(['titans/chunked', 'performer/favor-backward', 'softmax/backward'])(
    'traces %s, which takes longest, in less than ten seconds',
    async (name) => {
      const started = performance.now();
      const { code } = await tilescope(['trace', join(root, 'shaders', `${name}.wgsl`)], nothing);
      expect(code).toBe(0);
      expect(performance.now() - started).toBeLessThan(10_000);
    },
  );

  it('traces as JSON: the whole report, of a shape and workgroups that were asked for', async () => {
    const args = ['--shape', 'seqlen=40', '--workgroups', 'main:1,1,0;2', '--subgroup-size', '8', '--json'];
    const { code, stdout } = await tilescope(['trace', path('good.wgsl'), ...args], nothing);
    expect(code).toBe(0);
    const { schemaVersion, trace } = JSON.parse(stdout) as { schemaVersion: number; trace: TraceReport };
    expect(schemaVersion).toBe(1);
    expect(trace).toMatchObject({ kernel: path('good.wgsl'), subgroupSize: 8, exact: true, shape: { seqlen: 40 } });
    expect(trace.passes[0]!.traced).toEqual([
      [0, 0, 0],
      [2, 0, 0],
      [1, 1, 0],
      [2, 1, 0],
      [4, 1, 0],
    ]);
    expect(trace.ledger.scaling!.points.map(({ size }) => size)).toEqual([5, 10, 40]);
  });

  it('says why a kernel cannot be traced, and ends with 1', async () => {
    const { code, stdout } = await tilescope(['trace', path('broken.wgsl')], nothing);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✘ .*broken\.wgsl/);
    expect(stdout).toMatch(/broken\.wgsl:\d+:\d+: /);
  });

  it('ends with 0 for kernels without hazards and with 1 for others, with the places of both halves', async () => {
    const clean = await tilescope(['hazards', path('good.wgsl')], nothing);
    expect(clean.stdout).toMatch(/✔ .*good\.wgsl {2}No hazard in 3 simulated cases\./);
    expect(clean.code).toBe(0);
    const racing = await tilescope(['hazards', path('good.wgsl'), path('racing.wgsl')], nothing);
    expect(racing.code).toBe(1);
    expect(racing.stdout).toMatch(/✘ .*racing\.wgsl/);
    expect(racing.stdout).toMatch(/racing\.wgsl:\d+:\d+: error: .* \[hazard-race-in-workgroup\]/);
    expect(racing.stdout).toMatch(/fix: .*barrier/i);
  });

  it('tells hazards as JSON', async () => {
    const { code, stdout } = await tilescope(['hazards', join(folder, '{good,racing}.wgsl'), '--json'], nothing);
    expect(code).toBe(1);
    const { schemaVersion, passed, results } = JSON.parse(stdout) as {
      schemaVersion: number;
      passed: boolean;
      results: { kernel: string; passed: boolean; hazards: { kind: string; place: string; line: number }[] }[];
    };
    expect(schemaVersion).toBe(1);
    expect(passed).toBe(false);
    expect(results.map((result) => result.passed)).toEqual([true, false]);
    const [hazard] = results[1]!.hazards;
    expect(hazard!.kind).toBe('race-in-workgroup');
    expect(hazard!.place).toMatch(new RegExp(`^${hazard!.line}:\\d+$`));
  });

  it('compares on the simulator where there is no adapter, and says that it was no GPU', async () => {
    const simulator = ['--device', 'simulator'];
    const right = await tilescope(['compare', path('good.wgsl'), ...simulator, '--subgroup-size', '8'], nothing);
    expect(right.code).toBe(0);
    expect(right.stdout).toMatch(/^Adapter: Simulator, no GPU, subgroups of 8$/m);
    expect(right.stdout).toMatch(/Right in all 3 cases\./);
    const wrong = await tilescope(['compare', join(folder, '{good,twice}.wgsl'), ...simulator, '--json'], nothing);
    expect(wrong.code).toBe(1);
    const { adapter, results } = JSON.parse(wrong.stdout) as { adapter: object; results: { passed: boolean }[] };
    expect(adapter).toMatchObject({ simulated: true });
    expect(results.map(({ passed }) => passed)).toEqual([true, true, true, false, false, false]);
  });

  it('checks that kernels with a state agree, on the simulator', async () => {
    const asked = ['--shape', 'headDim=16', '--device', 'simulator'];
    const right = await tilescope(['consistency', 'shaders/lightning/decode.wgsl', ...asked], nothing);
    expect(right.code).toBe(0);
    expect(right.stdout).toMatch(/✔ {2}decode token by token, against one run +o +\S+ +\S+ +4\.0e-5$/m);
    expect(right.stdout).toMatch(/Consistent in all 2 checks\./);
    const files = ['shaders/lightning/decode.wgsl', path('undecayed.wgsl')];
    const wrong = await tilescope(['consistency', ...files, ...asked, '--json'], nothing);
    expect(wrong.code).toBe(1);
    const { passed, results } = JSON.parse(wrong.stdout) as {
      passed: boolean;
      results: { mechanism: string; kernels: object[]; checks: { passed: boolean; kind: string; title: string }[] }[];
    };
    expect(passed).toBe(false);
    expect(results.map(({ mechanism }) => mechanism)).toEqual(['lightning-attention']);
    expect(results[0]!.checks.filter((check) => !check.passed).map(({ title }) => title)).toEqual([
      'undecayed token by token, against one run',
      'undecayed 4 tokens at a time, against one run',
    ]);
    const none = await tilescope(['consistency', path('good.wgsl'), ...asked.slice(2)], nothing);
    expect(none.stdout).toMatch(/There is nothing to check\./);
    expect(none.code).toBe(1);
  });

  it('ends with 3 where no adapter can be had', async () => {
    for (const args of [['device'], ['compare', path('good.wgsl')], ['bench', path('good.wgsl')]]) {
      const { code, stdout, stderr } = await tilescope(args, nothing);
      expect(stdout + stderr).toMatch(/no adapter/);
      expect(stderr.includes('--device simulator')).toBe(args[0] === 'compare');
      expect(code).toBe(3);
    }
  });
});

describe.skipIf(!open)('the command line on a device', () => {
  it('describes the device', async () => {
    const { code, stdout, stderr } = await tilescope(['device', '--json']);
    expect(code).toBe(0);
    const found = open!.description.software && !driverIsChosen(environment);
    expect(stderr.includes('using the software Vulkan driver')).toBe(found);
    const { schemaVersion, device } = JSON.parse(stdout) as { schemaVersion: number; device: { vendor: string } };
    expect(schemaVersion).toBe(1);
    expect(device.vendor).not.toBe('');
  });

  it('ends with 0 for kernels that are right, and tells each case as JSON', async () => {
    const { code, stdout } = await tilescope(['compare', path('good.wgsl'), '--json']);
    expect(code).toBe(0);
    const { schemaVersion, passed, results } = JSON.parse(stdout) as {
      schemaVersion: number;
      passed: boolean;
      results: { kernel: string; case: string; passed: boolean; tensors: Record<string, unknown>[] }[];
    };
    expect(schemaVersion).toBe(1);
    expect(passed).toBe(true);
    expect(results).toHaveLength(3);
    expect(results[0]).toMatchObject({ kernel: path('good.wgsl'), case: 'own shape', passed: true });
    const [tensor] = results[0]!.tensors;
    expect(tensor).toMatchObject({ name: 'o', bound: 2e-5 });
    expect(tensor!.maxAbs).toBeTypeOf('number');
    expect(tensor!.rmsRatio).toBeLessThan(2e-5);
  });

  it('ends with 1 for a glob with a wrong kernel in it, and shows where', async () => {
    const { code, stdout } = await tilescope(['compare', join(folder, '{good,twice}.wgsl'), '--shape', 'seqlen=12']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/Right: /);
    expect(stdout).toMatch(/Wrong in 1 of 1 cases\./);
    expect(stdout).toMatch(/o\[\d+, \d+, \d+, \d+\]\s+got .*expected .*\(batch 0, heads/);
  });

  it('checks files with the places of what is wrong', async () => {
    const { code, stdout } = await tilescope(['check', path('good.wgsl'), path('broken.wgsl')]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✔ .*good\.wgsl/);
    expect(stdout).toMatch(/✘ .*broken\.wgsl/);
    expect(stdout).toMatch(/broken\.wgsl:\d+:\d+: error: /);
  });

  it('measures what is right and refuses what is wrong', async () => {
    const right = await tilescope(['bench', path('good.wgsl'), '--json']);
    expect(right.code).toBe(0);
    const { schemaVersion, results } = JSON.parse(right.stdout) as {
      schemaVersion: number;
      results: { gpuTimeNs: { median: number; p20: number; p80: number; samples: number[] }; adapter: object }[];
    };
    expect(schemaVersion).toBe(1);
    const [result] = results;
    expect(result!.gpuTimeNs.median).toBeGreaterThan(0);
    expect(result!.gpuTimeNs.samples.length).toBeGreaterThanOrEqual(5);
    expect(Object.keys(result!.adapter)).toEqual(['vendor', 'architecture', 'description', 'software', 'simulated']);
    expect(result).toMatchObject({ kernel: path('good.wgsl'), shape: { seqlen: 9 }, compulsoryBytes: 1152 });

    const wrong = await tilescope(['bench', path('twice.wgsl')]);
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(/its speed is not measured/);
    expect(wrong.stdout).not.toMatch(/GFLOP/);
  });

  it('agrees with golden vectors by reference and by kernel', { timeout: 240_000 }, async () => {
    const cases = sampleGoldens(path('goldens'));
    const { code, stdout } = await tilescope(['golden', path('goldens'), '--json']);
    const { results, totals } = JSON.parse(stdout) as {
      results: { case: string; by: string; direction: string; passed: boolean; sentence: string }[];
      totals: { by: string; passed: number; failed: number }[];
    };
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
    expect(code).toBe(0);
    // Every case has a forward and, where it holds gradients, a backward; states let some be decoded too.
    const byReference = results.filter(({ by }) => by === 'reference');
    const inDirection = (direction: string): object[] => byReference.filter((result) => result.direction === direction);
    expect(inDirection('forward')).toHaveLength(cases.length);
    const withGradients = cases.filter(({ grads }) => Object.keys(grads).length > 0);
    expect(inDirection('backward')).toHaveLength(withGradients.length);
    expect(byReference.some(({ direction }) => direction === 'decode')).toBe(true);
    const shaders = readdirSync(join(root, 'shaders'), { recursive: true, encoding: 'utf8' });
    const held = shaders.filter((file) => /^(?:softmax\W(?!paged)|lightning\W|newton-schulz\W).*\.wgsl$/.test(file));
    const byKernel = totals.filter(({ by }) => by !== 'reference');
    expect(byKernel.map(({ by }) => by).filter((name) => !held.some((file) => name.endsWith(file)))).toEqual([]);
    expect(byKernel).toHaveLength(held.length);
    expect(byKernel.every(({ passed }) => passed > 0)).toBe(true);
  });
});
