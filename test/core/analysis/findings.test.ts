import { describe, expect, it } from 'vitest';
import { sourceLines } from '../../../src/core/analysis/context.js';
import { buildLedger } from '../../../src/core/analysis/ledger-build.js';
import type { Ledger, TrafficFinding } from '../../../src/core/analysis/ledger.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

/** A kernel of 64 workgroups of 64 invocations over 256 tokens with heads of 16 numbers: one number each. */
function kernelOf(body: string, declarations = '', frontMatter = ''): string {
  return `/*---
mechanism: linear-attention
shape: { batch: 1, heads: 1, seqlen: 256, headDim: 16 }
${frontMatter === '' ? 'passes: [{ entry: main, workgroups: [64, 1, 1] }]' : frontMatter}
---*/
@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> o: array<f32>;
${declarations}
@compute @workgroup_size(64)
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(workgroup_id) group: vec3<u32>,
) {
  let i = id.x;
${body}
}
`;
}

function ledgerOf(text: string): Ledger {
  return buildLedger(simulatedContext(plannedKernel(text), 'all'));
}

/** Code and line of each finding, the most bytes first; 0 where it has no place. */
function findingsOf(text: string): readonly (readonly [code: string, line: number])[] {
  const { lineAt } = sourceLines(text);
  return ledgerOf(text).findings.map(({ code, span }) => [code, span ? lineAt(span.start) : 0] as const);
}

/** The line of `text` that holds `part`. */
const lineWith = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

function findingOf(text: string, code: TrafficFinding['code']): TrafficFinding {
  const found = ledgerOf(text).findings.find((finding) => finding.code === code);
  if (!found) throw new Error(`There is no finding "${code}".`);
  return found;
}

describe('findings', () => {
  it('are none where each byte moves once', () => {
    const ledger = ledgerOf(kernelOf('  o[i] = q[i] * k[i] + v[i];'));
    expect(ledger.findings).toEqual([]);
    expect(ledger.totals).toMatchObject({ requestedBytes: 4 * 16384, transferredBytes: 4 * 16384 });
    expect(ledger.tensors.map(({ rereadFactor, coalescing }) => [rereadFactor, coalescing])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    expect(ledger.sentence).toBe(
      '64 KiB move to and from device memory, 1 times the compulsory 64 KiB. Nothing stands out that could be saved.',
    );
  });

  it('name rows that neighbouring invocations read side by side', () => {
    const text = kernelOf(`  var sum = 0.0;
  if (i < 256u) {
    for (var d = 0u; d < 16u; d++) {
      sum += q[16u * i + d];
    }
    o[i] = sum * k[i] * v[i];
  }`);
    const finding = findingOf(text, 'uncoalesced');
    expect(text.slice(finding.span!.start, finding.span!.end)).toBe('q[16u * i + d]');
    // 256 rows × 16 numbers, each in a sector of its own.
    expect(finding.message).toBe(
      `Line ${lineWith(text, 'sum += q')} reads q with 13 % of the sectors used: 128 KiB move for 16 KiB (neighbouring invocations are 64 B apart).`,
    );
    expect(finding.bytes).toBe((128 - 16) * 1024);
    expect(finding.remedy).toContain('vec4');
  });

  it('tell reading again within a workgroup from reading by many', () => {
    const within = kernelOf(`  var sum = 0.0;
  for (var j = 0u; j < 32u; j++) {
    sum += q[i];
  }
  o[i] = sum + k[i] + v[i];`);
    expect(findingOf(within, 'reread').message).toBe(
      'Each workgroup of "main" reads every byte of q that it needs 32 times: 512 KiB move where 16 KiB would do.',
    );
    const between = kernelOf(`  var sum = 0.0;
  for (var j = lane; j < 4096u; j += 64u) {
    sum += k[j];
  }
  o[i] = sum + q[i] + v[i];`);
    expect(findingOf(between, 'reread')).toMatchObject({
      severity: 'info',
      message: 'Every byte of k is read by 64 workgroups of "main" on average, 1 MiB for 16 KiB.',
    });
  });

  it('do not take a broadcast for waste', () => {
    const text = kernelOf(`  o[i] = q[i] + k[group.x] + v[i];`);
    expect(findingsOf(text)).toEqual([]);
  });

  it('name narrow steps along a row that all invocations read', () => {
    const text = kernelOf(`  var sum = 0.0;
  for (var d = 0u; d < 16u; d++) {
    sum += k[16u * (group.x % 16u) + d];
  }
  o[i] = sum + q[i] + v[i];`);
    expect(findingsOf(text)).toContainEqual(['narrow-access', lineWith(text, 'sum += k')]);
  });

  it('name banks that are asked for several words', () => {
    const text = kernelOf(
      `  tile[lane * 32u] = q[i];
  workgroupBarrier();
  o[i] = tile[(63u - lane) * 32u] + k[i] + v[i];`,
      'var<workgroup> tile: array<f32, 2048>;',
    );
    const conflicts = findingsOf(text).filter(([code]) => code === 'bank-conflict');
    expect(conflicts.map(([, line]) => line).toSorted()).toEqual([
      lineWith(text, 'tile[lane * 32u]'),
      lineWith(text, 'tile[(63u'),
    ]);
    expect(ledgerOf(text).workgroup).toMatchObject({ readBytes: 16384, writtenBytes: 16384, bankConflict: 32 });
    const padded = text.replaceAll('* 32u', '* 33u').replace('2048', '2112');
    expect(ledgerOf(padded).workgroup.bankConflict).toBe(1);
    expect(findingsOf(padded)).toEqual([]);
  });

  it('name workgroup memory that nobody shares', () => {
    const text = kernelOf(
      `  tile[lane] = q[i];
  workgroupBarrier();
  o[i] = tile[lane] + k[i] + v[i];`,
      'var<workgroup> tile: array<f32, 64>;',
    );
    expect(findingsOf(text)).toEqual([['unused-staging', lineWith(text, 'tile[lane] =')]]);
  });

  it('name what passes hand on through device memory', () => {
    const text = kernelOf(
      '  sums[i] = q[i] * k[i];',
      `@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3<u32>) {
  o[id.x] = sums[id.x] + v[id.x];
}`,
      `scratch: { sums: "f32[4096]" }
passes:
  - { entry: main, workgroups: [64, 1, 1] }
  - { entry: finish, workgroups: [64, 1, 1] }`,
    );
    const finding = findingOf(text, 'scratch-traffic');
    expect(finding.message).toBe('sums, which the mathematics does not ask for, moves 32 KiB: 33 % of all bytes.');
    expect(finding.bytes).toBe(2 * 16384);
  });

  it('name scores that are computed for nothing, where they are many', () => {
    const text = kernelOf('  o[i] = q[i] * k[i] + v[i];');
    const context = simulatedContext(plannedKernel(text), 'all');
    const messagesAt = (wasted: number, throughState: number): readonly string[] => {
      const totals = { required: 0, once: 60, throughState, doubled: 0, missed: 0, wasted };
      const map = { queries: 1, keys: 1, planes: [], cellQueries: 1, cellKeys: 1, balance: [] };
      const coverage = { ...map, totals, firstMissed: null, firstDoubled: null, complete: true, sentence: '' };
      return buildLedger(context, coverage).findings.map(({ message }) => message);
    };
    expect(messagesAt(40, 0)).toEqual(['40 % of the scores computed are shut out by the mask.']);
    expect(messagesAt(10, 0)).toEqual([]);
    expect(messagesAt(40, 1000)).toEqual([]);
  });

  it('name a workgroup that the others wait for', () => {
    const text = kernelOf(`  var sum = 0.0;
  for (var j = 0u; j < select(1u, 4096u, group.x == 5u); j += 64u) {
    sum += k[j + lane];
  }
  o[i] = sum + q[i] + v[i];`);
    expect(findingOf(text, 'imbalance').message).toContain('Workgroup (5, 0, 0) of "main"');
  });
});

describe('lines', () => {
  it('sum up the accesses of one kind to one variable', () => {
    const text = kernelOf('  o[i] = q[i] + q[4095u - i] + k[i] + v[i];');
    const line = ledgerOf(text).lines.find(({ variable }) => variable === 'q');
    expect(line).toMatchObject({
      line: lineWith(text, 'o[i] ='),
      text: 'o[i] = q[i] + q[4095u - i] + k[i] + v[i];',
      accesses: 8192,
      requestedBytes: 32768,
      transferredBytes: 32768,
      efficiency: 1,
      timesCompulsory: 2,
    });
  });
});

describe('heat', () => {
  it('counts the reads of each element', () => {
    const text = kernelOf('  o[i] = q[i] + select(0.0, k[i], i < 2048u) + v[i / 16u];');
    const { heat } = ledgerOf(text);
    const byTensor = new Map(heat.map((entry) => [entry.tensor, entry]));
    expect(byTensor.get('q')).toMatchObject({ rows: 256, columns: 16, binRows: 4, binColumns: 1 });
    expect(new Set(byTensor.get('q')!.reads)).toEqual(new Set([1]));
    // WGSL evaluates both arguments of select: all of k is read.
    expect(new Set(byTensor.get('k')!.reads)).toEqual(new Set([1]));
    // The first 256 numbers of v, 16 times each: 16 of 256 rows, which are 4 of 64 bins high.
    expect(byTensor.get('v')!.reads).toEqual(Array.from({ length: 64 * 16 }, (_, bin) => (bin < 4 * 16 ? 16 : 0)));
  });
});

describe('heat of uneven sizes', () => {
  it('passes over the gap after each vec3', () => {
    const kernel = plannedKernel(
      `/*---
mechanism: softmax-attention
passes: { workgroups: [1] }
---*/
@group(0) @binding(0) var<storage, read> q: array<vec3<f32>>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(1) fn main() { o[0] = q[0].x + q[1].x + k[0] + v[0]; }
`,
      { heads: 1, seqlen: 3, headDim: 2, headDimV: 2 },
    );
    const { heat } = buildLedger(simulatedContext(kernel, 'all'));
    // The elements 0 and 3 of 3 × 2, the second of them behind a gap.
    expect(heat.find(({ tensor }) => tensor === 'q')!.reads).toEqual([1, 0, 0, 1, 0, 0]);
  });

  it('weighs bins at the edges by what is in them', () => {
    const kernel = plannedKernel(builtInText('softmax/flash.wgsl'), { heads: 2, seqlen: 101, headDim: 68 });
    const { heat, tensors } = buildLedger(simulatedContext(kernel, 'all'));
    for (const name of ['q', 'k', 'v']) {
      let reads = 0;
      const planes = heat.filter(({ tensor }) => tensor === name);
      expect(planes.map(({ plane }) => plane)).toEqual([
        [{ name: 'batch', index: 0 }, { name: name === 'q' ? 'heads' : 'headsKv', index: 0 }], // prettier-ignore
        [{ name: 'batch', index: 0 }, { name: name === 'q' ? 'heads' : 'headsKv', index: 1 }], // prettier-ignore
      ]);
      for (const plane of planes) {
        expect(plane).toMatchObject({ rows: 101, columns: 68, binRows: 2, binColumns: 2 });
        expect(plane.reads).toHaveLength(51 * 34);
        // 101 rows are 50 bins of two rows and one of one.
        plane.reads.forEach((mean, bin) => (reads += mean * 2 * (bin < 50 * 34 ? 2 : 1)));
      }
      expect(4 * reads).toBe(tensors.find((tensor) => tensor.name === name)?.readBytes);
    }
  });
});

describe('built-in kernels', () => {
  it.each([
    ['softmax/naive.wgsl', 'scratch-traffic', ['scratch-traffic', 'uncoalesced', 'reread']],
    ['softmax/flash.wgsl', 'reread', ['reread', 'bank-conflict']],
    ['linear/left-product.wgsl', 'reread', ['reread']],
    ['linear/right-product.wgsl', 'reread', ['reread', 'scratch-traffic']],
    ['lightning/lightning1.wgsl', 'reread', ['reread']],
    ['lightning/lightning2.wgsl', 'reread', ['reread', 'scratch-traffic']],
  ])('are told what %s could save, first of all %s', (name, first, codes) => {
    const kernel = plannedKernel(builtInText(name), { heads: 1, seqlen: 512, headDim: 64 });
    const { findings } = buildLedger(simulatedContext(kernel, [0, 3, 7]));
    expect(findings[0]?.code).toBe(first);
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(codes));
  });
});
