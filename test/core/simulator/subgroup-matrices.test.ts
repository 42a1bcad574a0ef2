import { describe, expect, it } from 'vitest';
import type { Fault, PassTrace } from '../../../src/core/simulator/trace.js';
import { all, bare, compiled, finish, lastWords, logging, modulePlan, simulatedModule } from './simulated.js';
import {
  numbersOf,
  subgroupMatrixPrograms,
  type MatrixConfig,
  type MatrixProgram,
} from './subgroup-matrix-programs.js';

const configs: readonly MatrixConfig[] = [
  { scalar: 'f16', result: 'f32', M: 16, N: 16, K: 16 },
  { scalar: 'f16', result: 'f16', M: 16, N: 8, K: 16 },
  { scalar: 'f32', result: 'f32', M: 8, N: 8, K: 8 },
  { scalar: 'i8', result: 'i32', M: 16, N: 16, K: 32 },
  { scalar: 'u8', result: 'u32', M: 8, N: 16, K: 32 },
  { scalar: 'i32', result: 'i32', M: 8, N: 8, K: 8 },
];

function planOf({ code, invocations, inputs, results }: MatrixProgram): ReturnType<typeof modulePlan> {
  return modulePlan(code, { inputs: inputs.byteLength, results: results.byteLength }, invocations);
}

describe('subgroup matrices', () => {
  const programs = configs.flatMap((config) =>
    subgroupMatrixPrograms(config, 32).map((program) => ({ ...program, result: config.result })),
  );

  it.each(programs)('$name', (program) => {
    const simulation = simulatedModule(planOf(program), { recording: bare, words: [program.inputs, program.results] });
    expect(simulation.passes[0]!.faults).toEqual([]);
    expect(numbersOf(program.result, lastWords(simulation))).toEqual(program.expected);
  });
});

/** A module for one subgroup of 32: `data` of 256 f32, `out` of as many. */
function moduleWith(body: string): ReturnType<typeof modulePlan> {
  const code = `enable subgroups;
enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
alias Left = subgroup_matrix_left<f32, 8, 8>;
alias Result = subgroup_matrix_result<f32, 8, 8>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lane: u32) {
  let n = arrayLength(&out) + arrayLength(&data);
  ${body}
}`;
  return modulePlan(code, { data: 1024, out: 1024 }, 32);
}

const store = (value: string): string => `subgroupMatrixStore<row_major>(&out, 0, ${value}, 16);`;

describe('the accesses of subgroup matrices', () => {
  const body = `let a = subgroupMatrixLoad<Left, col_major>(&data, 4 + data[3] * 0, 16); ${store('a')}`.replace(
    'data[3] * 0',
    'u32(data[3])',
  );

  function pass(): PassTrace {
    return simulatedModule(moduleWith(body)).passes[0]!;
  }

  it('are one for each element, dealt to the invocations in the order of memory', () => {
    const { sites, logs, siteCounts } = pass();
    const load = sites.findIndex(
      ({ kind, bytes, span }) => kind === 'read' && bytes === 4 && span.end - span.start > 20,
    );
    const written = sites.findIndex(({ kind }) => kind === 'write');
    expect([siteCounts[load], siteCounts[written]]).toEqual([64, 64]);
    const log = logs[0]!;
    const dealt: string[] = [];
    for (let s = 0; s < log.segments; s++) {
      const end = s + 1 < log.segments ? log.segmentStart[s + 1]! : log.count;
      for (let at = log.segmentStart[s]!; at < end; at++) {
        if (log.site[at] === load) dealt.push(`${log.segmentInvocation[s]}: ${log.address[at]! / 4}`);
      }
    }
    // Column by column, 16 floats from one to the next, and two elements for each of the 32.
    const expected = Array.from({ length: 64 }, (_, at) => [at % 32, 4 + (at >> 3) * 16 + (at % 8)] as const);
    expect(dealt.toSorted()).toEqual(expected.map(([lane, place]) => `${lane}: ${place}`).toSorted());
  });

  it('are as many where they are only counted', () => {
    const plan = moduleWith(body);
    const buffers = plan.buffers.map(({ byteLength }) => new ArrayBuffer(byteLength));
    const more = { subgroupSize: 32, provenance: null, watch: null };
    const counted = finish(compiled(plan, bare), { buffers, requests: all(plan, 'counted'), ...more });
    expect(counted.accesses).toBe(simulatedModule(plan).accesses);
  });

  it('are right where a branch depends on what a matrix stored', () => {
    const branching = `${store('Left(3)')} if (out[5] > 2.0) { data[lane] = 1.0; }`;
    const plan = moduleWith(branching);
    const buffers = plan.buffers.map(({ byteLength }) => new ArrayBuffer(byteLength));
    const more = { subgroupSize: 32, provenance: null, watch: null };
    const counted = finish(compiled(plan, bare), { buffers, requests: all(plan, 'counted'), ...more });
    expect(counted.accesses).toBe(64 + 32 + 32);
  });

  it('are right where a branch depends on one product, and on the next nothing does', () => {
    const code = `enable subgroups; enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<storage, read_write> products: array<f32>;
var<workgroup> scores: array<f32, 64>;
@compute @workgroup_size(32) fn main(@builtin(local_invocation_index) lane: u32) {
  let q = subgroupMatrixLoad<subgroup_matrix_left<f32, 8, 8>>(&x, 0u, false, 8u);
  let k = subgroupMatrixLoad<subgroup_matrix_right<f32, 8, 8>>(&x, 0u, false, 8u);
  subgroupMatrixStore(&scores, 0u, subgroupMatrixMultiply<f32>(q, k), false, 8u);
  workgroupBarrier();
  if (scores[lane] > 0.5) { results[lane] = 1.0; }
  let w = subgroupMatrixLoad<subgroup_matrix_left<f32, 8, 8>>(&scores, 0u, false, 8u);
  let v = subgroupMatrixLoad<subgroup_matrix_right<f32, 8, 8>>(&x, 64u, false, 8u);
  var sum = subgroup_matrix_result<f32, 8, 8>(0.0);
  sum = subgroupMatrixMultiplyAccumulate(w, v, sum);
  subgroupMatrixStore(&products, 0u, sum, false, 8u);
}`;
    const plan = modulePlan(code, { x: 512, results: 256, products: 256 }, 32);
    const accesses = (how: 'followed' | 'counted'): number => {
      const buffers = plan.buffers.map(({ byteLength }) => new Float32Array(byteLength / 4).fill(1).buffer);
      const more = { subgroupSize: 32, provenance: null, watch: null };
      return finish(compiled(plan, logging), { buffers, requests: all(plan, how), ...more }).accesses;
    };
    expect(accesses('counted')).toBe(accesses('followed'));
  });
});

describe('what goes wrong with subgroup matrices', () => {
  function faultsOf(body: string): readonly Fault[] {
    return simulatedModule(moduleWith(body), { recording: { ...logging, faults: true } }).passes[0]!.faults;
  }

  it('one that ends past its array is noted, and taken from the beginning', () => {
    const plan = moduleWith(`data[lane] = f32(lane) + 1.0; storageBarrier();
      ${store('subgroupMatrixLoad<Left, row_major>(&data, 200, 8)')}`);
    const simulation = simulatedModule(plan, { recording: { ...logging, faults: true } });
    expect(simulation.passes[0]!.faults).toMatchObject([
      { kind: 'out-of-bounds', variable: 'data', index: 263, limit: 256 },
    ]);
    expect(new Float32Array(lastWords(simulation).buffer)[17]).toBe(10);
  });

  it('a stride below the length of a row', () => {
    expect(faultsOf(store('subgroupMatrixLoad<Left, row_major>(&data, 0, 7)'))).toMatchObject([
      { kind: 'matrix-stride', index: 7, limit: 8 },
    ]);
    expect(faultsOf(store('subgroupMatrixLoad<Left>(&data, 0, true, 8)'))).toEqual([]);
  });

  it('an operand that differs within the subgroup', () => {
    expect(faultsOf(store('Left(f32(lane))'))).toMatchObject([{ kind: 'non-uniform-operand', invocation: 1 }]);
    expect(faultsOf(store('subgroupMatrixLoad<Left, row_major>(&data, lane / 31u, 8)'))).toMatchObject([
      { kind: 'non-uniform-operand', invocation: 31 },
    ]);
    expect(faultsOf(store('Left(f32(n))'))).toEqual([]);
  });

  it('an operation that only a part of the subgroup comes by', () => {
    const faults = faultsOf(`if (lane < 4u) { ${store('Left()')} }`);
    expect(faults).toEqual([]);
    const apart = faultsOf(`if (lane < 4u) { ${store('Left()')} } storageBarrier(); let b = subgroupAdd(lane);`);
    expect(apart.map(({ kind }) => kind)).toContain('non-uniform-subgroup');
  });

  it('an overflow on the way to an offset', () => {
    const kinds = faultsOf(store('subgroupMatrixLoad<Left, row_major>(&data, (n - 600u) + 88u, 8)')).map(
      ({ kind }) => kind,
    );
    expect(kinds).toEqual([]);
    expect(
      faultsOf(store('subgroupMatrixLoad<Left, row_major>(&data, n - 513u, 8)')).map(({ kind }) => kind),
    ).toContain('index-overflow');
  });
});
