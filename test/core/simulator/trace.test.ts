import { describe, expect, it } from 'vitest';
import type { Provenance } from '../../../src/core/simulator/trace.js';
import {
  all,
  allLogged,
  bare,
  builtIns,
  builtInPlan,
  compiled,
  finish,
  initialBuffers,
  lastWords,
  logging,
  modulePlan,
  simulated,
  simulatedModule,
  verdicts,
} from './simulated.js';

const small = (name: string): Readonly<Record<string, number>> =>
  name.startsWith('lightning')
    ? { heads: 2, seqlen: 70, headDim: 16 }
    : { heads: 2, headsKv: 2, seqlen: 70, seqlenK: 70, headDim: 16 };
const shapeOf = (name: string): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(small(name)).filter(([key]) => key !== 'headsKv' || name.startsWith('softmax')));

describe('the kernels that come along', () => {
  it.each(builtIns)('%s is right, and its counts are those of its log', (name) => {
    const full = builtInPlan(name, shapeOf(name));
    const simulation = simulated(full);
    for (const verdict of verdicts(full, simulation)) expect(verdict.passed, verdict.sentence).toBe(true);
    for (const { sites, siteCounts, logs, executed } of simulation.passes) {
      expect(executed).toBe(logs.length);
      const counted = new Float64Array(sites.length);
      for (const { site } of logs) for (const own of site) counted[own]!++;
      expect(siteCounts).toEqual(counted);
    }
  });

  it.each(builtIns)('%s has the same counts and results however it is run', (name) => {
    const full = builtInPlan(name, shapeOf(name));
    const { plan, kernel } = full;
    const logged = simulated(full);
    const run = (how: 'followed' | 'counted', recording: typeof bare) =>
      finish(compiled(plan, recording), {
        buffers: initialBuffers(kernel, plan),
        requests: all(plan, how),
        subgroupSize: 32,
        provenance: null,
        watch: null,
      });
    const followed = run('followed', { ...bare, faults: true });
    const counted = run('counted', bare);
    for (const [index, pass] of logged.passes.entries()) {
      const counts = (trace: typeof pass): Map<string, number> =>
        new Map(
          trace.sites.map(({ kind, span, variable }, site) => [
            `${kind} ${variable} ${span.start}`,
            trace.siteCounts[site]!,
          ]),
        );
      expect(counts(counted.passes[index]!)).toEqual(counts(pass));
      const watched = counts(followed.passes[index]!);
      for (const [key, count] of counts(pass)) expect(watched.get(key), key).toBe(count);
      expect(followed.passes[index]!.faults).toEqual([]);
    }
    for (const [index, { bytes, variable }] of logged.buffers.entries()) {
      expect(new Int32Array(followed.buffers[index]!.bytes), variable).toEqual(new Int32Array(bytes));
    }
  });
});

describe('the log', () => {
  const code = `@group(0) @binding(0) var<storage, read_write> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
var<workgroup> tile: array<vec2<u32>, 4>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
  tile[lane] = data[lane].xy;
  for (var i = 0u; i < 2u; i++) {
    workgroupBarrier();
    results[4u * group.x + lane] += tile[3u - lane].y;
  }
}`;
  const plan = modulePlan(code, { data: 64, results: 32 }, 4, [2, 1, 1]);
  const [pass] = simulatedModule(plan).passes;
  const [log] = pass!.logs;

  it('holds every access with its site and its address in bytes', () => {
    const seen = Array.from({ length: log!.count }, (_, at) => {
      const { kind, variable, bytes, span } = pass!.sites[log!.site[at]!]!;
      return `${kind} ${variable}+${log!.address[at]!}:${bytes} ${code.slice(span.start, span.end)}`;
    });
    expect(seen.slice(0, 4)).toEqual([
      'read data+0:16 data[lane]',
      'write tile+0:8 tile[lane]',
      'read data+16:16 data[lane]',
      'write tile+8:8 tile[lane]',
    ]);
    expect(seen.slice(8, 11)).toEqual([
      'read tile+28:4 tile[3u - lane].y',
      'read results+0:4 results[4u * group.x + lane]',
      'write results+0:4 results[4u * group.x + lane]',
    ]);
    expect(log!.count).toBe(4 * 2 + 2 * 4 * 3);
  });

  it('is divided by invocation, epoch and phase', () => {
    expect(log!.epochs).toBe(3);
    expect(log!.segments).toBe(12);
    expect([...log!.segmentInvocation]).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    expect([...log!.segmentEpoch]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    expect([...log!.segmentStart]).toEqual([0, 2, 4, 6, 8, 11, 14, 17, 20, 23, 26, 29]);
    expect([...log!.segmentPhase]).toEqual(Array.from({ length: 12 }, () => 0));
  });

  it('counts phases where loops have no barriers', () => {
    const loop = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(1)
fn main() {
  results[0] = 1u;
  for (var i = 1u; i < 3u; i++) { for (var j = 0u; j < 2u; j++) { results[i] += j; } }
}`;
    const [trace] = simulatedModule(modulePlan(loop, { results: 16 }, 1)).passes;
    const [own] = trace!.logs;
    expect([...own!.segmentStart]).toEqual([0, 1, 3, 5, 7]);
    expect([...own!.segmentPhase]).toEqual([...own!.segmentPhase].toSorted((a, b) => a - b));
    expect(new Set(own!.segmentPhase).size).toBe(5);
  });

  it('runs the workgroups that are asked for', () => {
    const [only] = allLogged(plan);
    const some = finish(compiled(plan, logging), {
      buffers: [new ArrayBuffer(64), new ArrayBuffer(32)],
      requests: [{ logged: [1], others: (cost) => ({ followed: [], counted: cost === 32 ? [0] : [] }) }],
      subgroupSize: 4,
      provenance: null,
      watch: null,
    });
    expect(only!.logged).toEqual([0, 1]);
    expect(some.passes[0]!.logs.map(({ workgroup }) => workgroup)).toEqual([[1, 0, 0]]);
    expect([...some.passes[0]!.executedWorkgroups]).toEqual([1, 0]);
    expect(some.accesses).toBe(64);
  });
});

/** Provenance that writes down what it is asked. */
function spy(bases: readonly number[]): { provenance: Provenance; heard: string[] } {
  const heard: string[] = [];
  const provenance: Provenance = {
    base: Int32Array.from(bases),
    madeFrom: 1000,
    alike: () => false,
    repeats: true,
    join: (a, b) => 1000 + a + b,
    multiply: (a, b) => 100_000 + a * b,
    stage: (variable, tag, bytes) => void heard.push(`stage ${variable} ${tag} ${bytes}`),
    store: (buffer, tag, bytes) => void heard.push(`store ${buffer} ${tag} ${bytes}`),
    move: () => undefined,
    epochEnd: (names, tags) => void heard.push(`end ${names.join()} ${tags.map((own) => [...own].join()).join(';')}`),
  };
  return { provenance, heard };
}

describe('provenance', () => {
  const tags = (statements: string, declarations = ''): string[] => {
    const code = `@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
${declarations}
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lane: u32) { ${statements} }`;
    const { provenance, heard } = spy([10, 50, 0]);
    const plan = modulePlan(code, { a: 32, b: 32, results: 32 }, 1);
    simulatedModule(plan, { recording: { ...bare, provenance: true }, provenance });
    return heard.filter((line) => !line.startsWith('end'));
  };

  it.each([
    ['results[0] = a[3];', ['store 2 13 4']],
    ['results[0] = a[1] + 1.0;', ['store 2 11 4']],
    ['results[0] = -exp(a[1] * 2.0);', ['store 2 11 4']],
    ['results[0] = a[1] + b[2];', ['store 2 1063 4']],
    ['results[0] = a[1] + a[1];', ['store 2 11 4']],
    ['results[0] = a[1] * b[2];', [`store 2 ${100_000 + 11 * 52} 4`]],
    ['results[0] = a[1] * a[1];', [`store 2 ${100_000 + 121} 4`]],
    ['results[0] = select(a[1], b[2], lane == 0u);', ['store 2 52 4']],
    ['results[0] = f32(a[1] > b[2]);', []],
    ['results[0] = f32(lane);', []],
    ['results[0] = dot(vec2(a[0], a[1]), vec2(b[0], b[1]));', [`store 2 ${1000 + 100_500 + 100_000 + 11 * 51} 4`]],
    ['var x = 0.0; for (var i = 0; i < 1; i++) { x += a[2] * b[0]; } results[0] = x;', [`store 2 ${100_000 + 600} 4`]],
    [
      'var x = array<f32, 3>(); x[lane + 1u] = a[2]; results[0] = x[lane + 1u]; results[1] = x[lane];',
      ['store 2 12 4'],
    ],
    [
      'results[0] = a[1]; results[1] = results[0]; results[0] = 0.0; results[2] = results[0];',
      ['store 2 11 4', 'store 2 11 4'],
    ],
    ['results[0] = max(a[1], -1e30);', ['store 2 11 4']],
    ['results[0] = min(a[1], b[1]);', ['store 2 1062 4']],
    ['results[0] = bitcast<f32>(bitcast<u32>(a[1]));', ['store 2 11 4']],
  ])('%s', (statements, expected) => {
    expect(tags(statements)).toEqual(expected);
  });

  it('goes through functions, pointers and workgroup memory', () => {
    const declarations = `var<workgroup> tile: array<f32, 2>;
fn twice(x: vec2<f32>) -> vec2<f32> { if (x.x > 1e9) { return x; } return x * 2.0; }
fn put(p: ptr<workgroup, array<f32, 2>>, x: f32) { (*p)[1] = x; }`;
    expect(
      tags('put(&tile, twice(vec2(0.0, a[4])).y); results[0] = tile[1]; results[1] = tile[0];', declarations),
    ).toEqual(['stage 0 14 4', 'store 2 14 4']);
  });

  it('tells what workgroup memory holds of logged workgroups alone', () => {
    const code = `@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
var<workgroup> tile: array<f32, 2>;
@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  tile[lane] = a[id.x];
  workgroupBarrier();
  results[id.x] = tile[1u - lane];
}`;
    const plan = modulePlan(code, { a: 16, results: 16 }, 2, [2, 1, 1]);
    const { provenance, heard } = spy([10, 0]);
    finish(compiled(plan, { ...logging, provenance: true }), {
      buffers: [new ArrayBuffer(16), new ArrayBuffer(16)],
      requests: [{ logged: [1], others: () => ({ followed: [0], counted: [] }) }],
      subgroupSize: 4,
      provenance,
      watch: null,
    });
    expect(heard.filter((line) => line.startsWith('end'))).toEqual(['end tile 12,13', 'end tile 12,13']);
    expect(heard.filter((line) => line.startsWith('store'))).toHaveLength(4);
  });

  it('follows tiles, scores and sums of every kernel that comes along without changing what it computes', () => {
    for (const name of builtIns) {
      const full = builtInPlan(name, shapeOf(name));
      const { provenance } = spy(
        full.plan.buffers.map(({ content }) => (content.kind === 'tensor' && content.role === 'input' ? 7 : 0)),
      );
      const plain = simulated(full);
      const tagged = simulated(full, { ...logging, provenance: true }, { provenance });
      for (const [index, { bytes }] of plain.buffers.entries()) {
        expect(new Int32Array(tagged.buffers[index]!.bytes)).toEqual(new Int32Array(bytes));
      }
    }
  });
});

describe('values of one invocation', () => {
  it('are recorded with how often, and the first and last of them', () => {
    const code = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lane: u32) {
  let a = lane * 2u;
  let pair = vec2(f32(lane), 0.5);
  let flag = lane > 0u;
  var sum = 0u;
  for (var i = 0u; i < 20u; i++) { sum += i; }
  results[lane] = sum + a + u32(pair.x) + u32(flag);
}`;
    const { values } = simulatedModule(modulePlan(code, { results: 16 }, 4), {
      recording: { ...logging, values: true },
    });
    const of = (name: string): unknown[] =>
      values.filter((value) => value.name === name).map(({ count, samples }) => [count, ...samples]);
    expect(of('a')).toEqual([[1, 2]]);
    expect(of('pair')).toEqual([[1, [1, 0.5]]]);
    expect(of('flag')).toEqual([[1, true]]);
    expect(of('sum')).toEqual([
      [1, 0],
      [20, 0, 1, 3, 6, 10, 15, 21, 28, 190],
    ]);
    expect(of('results')).toEqual([[1, 194]]);
  });

  it('leaves results as they are', () => {
    const code = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) { results[lane] = lane + 5u; }`;
    const plan = modulePlan(code, { results: 16 }, 4);
    expect([...lastWords(simulatedModule(plan, { recording: { ...logging, values: true } }))]).toEqual([5, 6, 7, 8]);
  });
});
