import { describe, expect, it } from 'vitest';
import { compileSimulation } from '../../../src/core/simulator/compile.js';
import type { Provenance, Recording, WorkgroupLog } from '../../../src/core/simulator/trace.js';
import { corpus, inputWords, moduleOf, rows, type Program } from './corpus.js';
import { bare, builtInPlan, logging, modulePlan, simulatedModule, simulated } from './simulated.js';

const tracing: Recording = { ...bare, accesses: true, provenance: true };
const withoutContents: Recording = { ...tracing, contents: false };

interface Listener {
  readonly provenance: Provenance;
  /** What it was told, in order. */
  readonly heard: string[];
  /** How often it was asked for each join and product, by the rows of the tags. */
  readonly asked: Map<string, number>;
}

/** Provenance that writes down what it is asked and told; words of a row of 8 are alike. */
function listener(bases: readonly number[]): Listener {
  const heard: string[] = [];
  const asked = new Map<string, number>();
  const ask = (name: string, a: number, b: number, times: number): void => {
    const key = `${name} ${row(a)} ${row(b)}`;
    asked.set(key, (asked.get(key) ?? 0) + times);
  };
  const row = (tag: number): number => (tag < 1000 ? tag >> 3 : tag);
  const provenance: Provenance = {
    base: Int32Array.from(bases),
    madeFrom: 1000,
    alike: (first, last) => last < 1000 && row(first) === row(last),
    repeats: true,
    join: (a, b, times = 1) => {
      ask('join', a, b, times);
      return 1000 + ((31 * row(a) + row(b)) % 9000);
    },
    multiply: (a, b, times = 1) => {
      ask('multiply', a, b, times);
      return 10_000 + ((37 * row(a) + row(b)) % 9000);
    },
    stage: (variable, tag, bytes) => void heard.push(`stage ${variable} ${tag} ${bytes}`),
    store: (buffer, tag, bytes) => void heard.push(`store ${buffer} ${tag} ${bytes}`),
    move: (...at) => void heard.push(`move ${at.join(' ')}`),
    epochEnd: (names, tags) => void heard.push(`end ${names.join()} ${tags.map((own) => [...own].join()).join(';')}`),
  };
  return { provenance, heard, asked };
}

const declarations = `@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;
struct Pair { left: vec4<f32>, right: f32 }
var<workgroup> tile: array<vec4<f32>, 8>;
var<workgroup> counter: atomic<u32>;
var<private> kept: array<f32, 4>;
fn first(x: vec4<f32>, y: vec4<f32>) -> f32 { if (x.x > y.x) { return x.x; } return y.y; }
fn twice(x: vec4<f32>) -> Pair { return Pair(x * 2.0, x.w); }
fn product(x: f32, y: f32) -> f32 { return x * y; }
fn put(p: ptr<workgroup, vec4<f32>>, x: vec4<f32>) { *p = x + *p; }
fn put_part(p: ptr<function, array<f32, 4>>, at: u32, x: f32) { (*p)[at] = x; }`;

/** Numbers that grow, so that loops and branches over them do something. */
const growing = (count: number, step: number): Int32Array =>
  new Int32Array(Float32Array.from({ length: count }, (_, index) => index * step).buffer);

const buffers = { a: 256, b: 64, results: 256, places: 64 };

function listened(
  statements: string,
  recording: Recording,
): Pick<Listener, 'heard' | 'asked'> & { readonly trace: unknown } {
  const code = `${declarations}
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) { ${statements} }`;
  const { provenance, heard, asked } = listener([16, 512, 0, 0]);
  const { passes } = simulatedModule(modulePlan(code, buffers, 4), {
    recording,
    ...(recording.provenance ? { provenance } : {}),
    words: [growing(64, 0.5), growing(16, 0.75)],
  });
  return {
    heard,
    asked,
    trace: passes.map(({ logs, sites, siteCounts, faults }) => ({ logs, sites, siteCounts, faults })),
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Uint32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

describe('a trace without contents', () => {
  it.each([
    'results[lane] = a[lane] * b[lane];',
    'results[lane] = a[lane].yxwz + a[lane + 4u];',
    'var v = a[lane]; v = v.yxwz; v.x = b[1]; results[lane] = v;',
    'var v = a[lane]; v = v.wzyx + vec4(v.y); results[lane] = v; results[lane + 4u] = -exp(v);',
    'results[lane].x = dot(a[lane], a[lane + 4u]) + dot(a[lane].xyz, vec3(b[0], b[1], b[2]));',
    'var s = vec4<f32>(); for (var i = 0u; i < 12u; i++) { s += a[i] * b[i]; } results[lane] = s;',
    'var s = vec4<f32>(); for (var i = 0u; i < 12u; i++) { s = fma(a[i], vec4(b[lane]), s); } results[lane] = s;',
    'tile[lane] = a[lane]; workgroupBarrier(); results[lane] = tile[lane ^ 1u] * tile[lane];',
    'put(&tile[lane], a[lane]); workgroupBarrier(); put(&tile[lane ^ 1u], twice(a[lane + 4u]).left); results[0] = tile[0];',
    'var x: array<f32, 4>; put_part(&x, lane, b[lane]); results[lane] = vec4(x[0], x[1], x[2], x[3]);',
    'kept[lane] = a[lane][lane]; results[lane] = vec4(kept[0], kept[1], kept[2], kept[3]);',
    'let x = array(a[0], a[1], a[2], a[3]); results[lane] = x[lane] + x[3u - lane];',
    'let m = mat2x2(a[lane].xy, a[lane].zw); results[lane] = vec4(m * a[lane + 1u].xy, a[lane].xy * m);',
    'results[lane] = select(a[lane], a[lane + 4u], lane == 2u);',
    'results[lane] = max(a[lane], a[lane + 4u]) / b[lane];',
    // A let keeps what a variable was.
    'var v = a[lane]; let old = v; v = a[lane + 4u] * b[1]; results[lane] = old; results[lane + 4u] = v;',
    'var m = b[lane]; let old = m; m = max(m, b[lane + 4u]); results[lane].x = exp(old - m);',
    'var v = a[lane]; let turned = v.wzyx; v += a[1]; results[lane] = turned * v;',
    'var p = twice(a[lane]); let old = p; p.left = a[lane + 4u]; results[lane] = old.left + p.left * old.right;',
    // A product that several components are made of is asked for once.
    'results[lane] = vec4(vec2(b[0], 1.0) + vec2(b[1] * b[2]), 0.0, 0.0);',
    'results[lane] = vec4(vec3(b[0], 1.0, 2.0) + b[1] * b[2], 0.0);',
    'results[lane] = vec4(a[lane].xy + b[1] * b[2], a[lane].zw + (a[lane].xy * b[2]).xx);',
    'results[lane] = vec4(vec3(product(b[1], b[2])) + a[lane].xyz, (a[lane] * b[lane]).w);',
    // What follows depends on values: they are worked out.
    'results[lane] = select(a[lane], a[lane + 4u], a[lane] > a[lane + 4u]);',
    'results[lane].x = first(a[lane], a[lane + 1u]) * b[0];',
    'var x = b[0]; if (a[lane].x > b[lane]) { x = b[lane]; } results[lane].y = x;',
    'var i = 0u; loop { if (a[i].x > 6.0) { break; } i++; } results[lane] = a[i];',
    'results[u32(b[lane]) & 7u] = a[u32(a[lane].y) & 7u];',
    'let n = atomicAdd(&counter, u32(b[lane])); places[n & 7u] = n; results[lane] = a[lane] * f32(n);',
    'atomicStore(&counter, lane); atomicMax(&counter, u32(b[lane])); results[lane] = a[lane];',
    'places[lane] = u32(b[lane]); storageBarrier(); results[places[lane ^ 1u] & 7u] = a[lane];',
    'results[lane] = a[lane] * subgroupAdd(b[lane]);',
  ])('follows and logs the same: %s', (statements) => {
    const text = statements.includes('subgroup') ? statements : statements;
    const full = listened(text, tracing);
    expect(full.heard.some((line) => line.startsWith('store'))).toBe(true);
    expect(listened(text, withoutContents)).toEqual(full);
    const { trace } = listened(text, { ...withoutContents, provenance: false });
    expect(trace).toEqual(full.trace);
  });

  it('has no values in its code where nothing depends on them', () => {
    for (const name of ['lightning/lightning1', 'lightning/lightning2'] as const) {
      const { plan } = builtInPlan(name);
      const result = compileSimulation(plan, withoutContents);
      if (!result.ok) throw new Error('It compiles.');
      const { codes, contents, passes } = result.compiled;
      expect(contents, name).toEqual(['params']);
      for (const { texts } of passes) {
        const body = codes[texts.full!]!.split(/function\*? main/)[1]!;
        expect(body, name).not.toMatch(/Math\.|F[1-9]\d*\[/);
      }
    }
  });

  it('keeps the tags of what a subgroup matrix is filled with', () => {
    const code = `enable subgroups; enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read> b: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(4) fn main() {
  subgroupMatrixStore(&sums, 0u, subgroup_matrix_result<f32, 8, 8>(b[3]), false, 8u);
}`;
    const stores = (contents: boolean): readonly string[] => {
      const { provenance, heard } = listener([16, 0]);
      const plan = modulePlan(code, { b: 64, sums: 256 }, 4);
      simulatedModule(plan, { recording: { ...tracing, contents }, provenance, subgroupSize: 4 });
      return heard.filter((line) => line.startsWith('store'));
    };
    expect(stores(true).length).toBeGreaterThan(0);
    expect(stores(false)).toEqual(stores(true));
  });

  it('names the buffers whose contents a branch depends on', () => {
    const code = `${declarations}
@group(0) @binding(4) var<uniform> limits: array<vec4<u32>, 2>;
@group(0) @binding(5) var<uniform> scales: array<vec4<f32>, 2>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) {
  if (b[lane] > 1.0 && limits[0].x > 2u) { results[lane] = a[places[lane] & 7u] * scales[1]; }
}`;
    const result = compileSimulation(modulePlan(code, { ...buffers, limits: 32, scales: 32 }, 4), withoutContents);
    expect(result.ok && result.compiled.contents.toSorted()).toEqual(['b', 'limits', 'places']);
  });

  it('logs and follows the corpus of small programs alike', () => {
    const traced = (recording: Recording, programs: readonly Program[]): unknown => {
      const { provenance, heard, asked } = listener([16, 0]);
      const plan = modulePlan(moduleOf(programs), { inputs: rows * 32, results: programs.length * rows * 4 }, rows);
      const { passes } = simulatedModule(plan, { recording, provenance, words: [inputWords()] });
      return { heard: heard.filter((line) => line.startsWith('st')), asked, siteCounts: passes[0]!.siteCounts };
    };
    for (let at = 0; at < corpus.length; at += 40) {
      const programs = corpus.slice(at, at + 40);
      expect(traced(withoutContents, programs), `from "${programs[0]!.name}" on`).toEqual(traced(tracing, programs));
    }
  });

  it('has the log of kernels that come along', () => {
    for (const name of ['lightning/lightning1', 'lightning/lightning2'] as const) {
      const full = builtInPlan(name, { seqlen: 130, heads: 1 });
      const requests = full.plan.passes.map(() => ({ logged: [0], others: () => ({ followed: [], counted: [] }) }));
      const traced = (contents: boolean): readonly WorkgroupLog[] =>
        simulated(full, { ...logging, contents }, { requests }).passes.flatMap(({ logs }) => logs);
      const whole = traced(true);
      for (const [index, log] of traced(false).entries()) {
        // Typed arrays as buffers: comparing a million elements one by one takes a test runner seconds.
        for (const column of ['site', 'address', 'segmentStart', 'segmentEpoch', 'segmentPhase'] as const) {
          expect(Buffer.compare(bytesOf(log[column]), bytesOf(whole[index]![column])), `${name} ${column}`).toBe(0);
        }
      }
    }
  });
});
