import { describe, expect, it } from 'vitest';
import { logging, modulePlan, simulatedModule } from './simulated.js';
import type { Fault } from '../../../src/core/simulator/trace.js';

const watching = { ...logging, faults: true };

/** Faults of a module with 8 invocations, `data` of 16 u32 and `results` of 8; and the text each span covers. */
function faultsOf(body: string, declarations = ''): { fault: Fault; text: string }[] {
  const code = `@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
${declarations}
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32) {
  let n = arrayLength(&results);
  ${body}
}`;
  const plan = modulePlan(code, { data: 64, results: 32 }, 8);
  const { passes } = simulatedModule(plan, { recording: watching });
  return passes[0]!.faults.map((fault) => ({ fault, text: code.slice(fault.span.start, fault.span.end) }));
}

describe('indices out of bounds', () => {
  it('are clamped, and noted with index, limit, variable and the first invocation', () => {
    const [found, ...rest] = faultsOf('results[lane] = data[lane + 12u];');
    expect(rest).toEqual([]);
    expect(found!.fault).toMatchObject({
      kind: 'out-of-bounds',
      variable: 'data',
      index: 16,
      limit: 16,
      count: 4,
      invocation: 4,
    });
    expect(found!.text).toBe('lane + 12u');
  });

  it('are noted for fixed arrays, vectors and workgroup memory, signed where they are', () => {
    const [found] = faultsOf('var a = array<u32, 4>(); results[lane] = a[i32(lane) - 1];');
    expect(found!.fault).toMatchObject({ kind: 'out-of-bounds', variable: 'a', index: -1, limit: 4, count: 4 + 0 * 1 });
  });

  it('are not noted where they stay inside', () => {
    expect(faultsOf('for (var i = 0u; i < 16u; i++) { data[i] = i; } results[lane] = data[lane * 2u];')).toEqual([]);
  });
});

describe('overflow on the way to an index', () => {
  it('is noted with the exact value', () => {
    const found = faultsOf(
      'let big = (lane + 1u) * 4000000000u; results[lane] = data[big % 16u] + data[(lane * 1000000000u) & 15u];',
    );
    expect(found).toEqual([]);
    const [overflow] = faultsOf('let at = lane * 1073741824u; results[lane] = data[at];').filter(
      ({ fault }) => fault.kind === 'index-overflow',
    );
    expect(overflow!.fault).toMatchObject({ index: 4 * 1073741824, invocation: 4, variable: 'data' });
  });

  it('is noted for a difference below zero', () => {
    const kinds = faultsOf('results[lane] = data[lane - 1u];').map(({ fault }) => fault.kind);
    expect(kinds).toContain('index-overflow');
  });

  it('is no matter where the result is right all the same, or bounded', () => {
    expect(faultsOf('results[lane] = data[lane - 1u + 1u];')).toEqual([]);
    expect(faultsOf('results[lane] = data[min(lane - 1u, 15u)];')).toEqual([]);
    expect(faultsOf('results[lane] = data[u32(i32(lane) - 3 + 3)];')).toEqual([]);
    expect(faultsOf('results[lane] = (lane - 1u) * 4000000000u;')).toEqual([]);
  });

  it('is followed through variables and functions', () => {
    const declarations =
      'fn place(row: u32, width: u32) -> u32 { var at = row * width; if (at > 3u) { return at; } return at + 0u; }';
    const found = faultsOf('results[lane] = data[place(lane, 2147483648u)];', declarations);
    expect(found.map(({ fault }) => fault.kind)).toContain('index-overflow');
  });
});

describe('barriers', () => {
  const tile = 'var<workgroup> tile: array<u32, 8>;';

  it('that only some reach are noted, with where the others are', () => {
    const [found] = faultsOf('if (data[lane] == 0u && lane < 5u) { workgroupBarrier(); } results[lane] = 1u;');
    expect(found!.fault).toMatchObject({ kind: 'non-uniform-barrier', otherSpan: null, invocation: 5, epoch: 0 });
    expect(found!.text).toContain('workgroupBarrier()');
  });

  it('that are two different ones are noted as a pair', () => {
    const [found] = faultsOf(
      'if (lane < 5u) { workgroupBarrier(); } else { storageBarrier(); } results[lane] = 1u;',
      tile,
    );
    expect(found!.fault.kind).toBe('non-uniform-barrier');
    expect(found!.fault.otherSpan).not.toBeNull();
  });

  it('that all reach are in order', () => {
    expect(faultsOf('tile[lane] = lane; workgroupBarrier(); results[lane] = tile[7u - lane];', tile)).toEqual([]);
  });
});

describe('other faults', () => {
  it('division by zero', () => {
    const [found] = faultsOf('results[lane] = 8u / lane;');
    expect(found!.fault).toMatchObject({ kind: 'division-by-zero', count: 1, invocation: 0 });
  });

  it('subgroup operations that a part of the subgroup reaches', () => {
    const found = faultsOf('if (lane < 3u) { results[lane] = subgroupAdd(lane); }');
    // The others have ended: those that still run are all there.
    expect(found).toEqual([]);
    const apart = faultsOf(
      'var x = 0u; if (lane < 3u) { x = subgroupAdd(lane); } results[lane] = x + subgroupAdd(1u);',
    );
    expect(apart.map(({ fault }) => fault.kind)).toEqual(['non-uniform-subgroup']);
  });

  it('a loop without end', { timeout: 120_000 }, () => {
    const found = faultsOf('var x = 1u; loop { x = x * 3u + data[0]; if (x == 0u) { break; } } results[lane] = x;');
    expect(found.map(({ fault }) => fault.kind)).toEqual(['endless-loop']);
  });
});

describe('first uses', () => {
  it('of variables without initializer are logged behind their declaration', () => {
    const code = `@group(0) @binding(0) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(1)
fn main() {
  for (var i = 0; i < 2; i++) {
    var sums: array<f32, 4>;
    sums[i] += 1.0;
    results[i] = sums[i];
  }
}`;
    const { passes } = simulatedModule(modulePlan(code, { results: 16 }, 1), { recording: watching });
    const { sites, logs } = passes[0]!;
    const [log] = logs;
    const seen = Array.from({ length: log!.count }, (_, at) => {
      const site = sites[log!.site[at]!]!;
      return `${site.kind} ${site.variable} ${log!.address[at]!} ${site.bytes}`;
    });
    const round = (i: number): string[] => [
      'declare sums 0 16',
      `read sums ${4 * i} 4`,
      `write sums ${4 * i} 4`,
      `read sums ${4 * i} 4`,
      `write results ${4 * i} 4`,
    ];
    expect(seen).toEqual([...round(0), ...round(1)]);
  });
});
