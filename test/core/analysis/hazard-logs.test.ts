import { describe, expect, it } from 'vitest';
import { racesBetweenWorkgroups, racesInWorkgroups } from '../../../src/core/analysis/hazard-races.js';
import { granuleCount, siteTable } from '../../../src/core/analysis/hazard-sites.js';
import { unwrittenVariableReads, unwrittenWorkgroupReads } from '../../../src/core/analysis/hazard-uninitialised.js';
import { useOfWrites } from '../../../src/core/analysis/hazard-unread.js';
import { barrierOrders, type PassTrace, type Site, type WorkgroupLog } from '../../../src/core/simulator/trace.js';
import { type LoggedSegment, simulationOf, siteOf, workgroupLog } from './logs.js';

const tile = (kind: Site['kind'], bytes = 4): Site =>
  siteOf(bytes, { kind, space: 'workgroup', variable: 'tile', variableId: 1 });
const local = (kind: Site['kind'], bytes = 4): Site =>
  siteOf(bytes, { kind, space: 'function', variable: 'sum', variableId: 2 });

function passOf(sites: readonly Site[], ...workgroups: readonly (readonly LoggedSegment[])[]): PassTrace {
  const logs = workgroups.map((segments, x) => ({ ...workgroupLog(segments), workgroup: [x, 0, 0] as const }));
  const more = { workgroups: [workgroups.length, 1, 1], workgroupSize: [8, 1, 1] } as const;
  return simulationOf(sites, logs, more).passes[0]!;
}

/** Pairs of sites that race, sorted, of one workgroup. */
function racing(sites: readonly Site[], ...segments: readonly LoggedSegment[]): string[] {
  const pass = passOf(sites, segments);
  return racesInWorkgroups(pass, siteTable(pass)).map(({ first, second, byte }) => `${first}-${second} at ${byte}`);
}

describe('races within a workgroup', () => {
  const sites = [tile('write'), tile('read'), tile('atomic')];

  it('are a write and a read by different invocations between two barriers', () => {
    const write = { invocation: 0, accesses: [[0, 8]] } as const;
    expect(racing(sites, write, { invocation: 1, accesses: [[1, 8]] })).toEqual(['0-1 at 8']);
    expect(racing(sites, write, { invocation: 0, accesses: [[1, 8]] })).toEqual([]);
    expect(racing(sites, write, { invocation: 1, accesses: [[1, 12]] })).toEqual([]);
    expect(racing(sites, write, { invocation: 1, epoch: 1, accesses: [[1, 8]] })).toEqual([]);
  });

  it('are found whichever comes first in the log, and however many read', () => {
    const reads = [0, 1, 2].map((invocation) => ({ invocation, accesses: [[1, 0]] as const }));
    expect(racing(sites, ...reads, { invocation: 0, accesses: [[0, 0]] })).toEqual(['1-0 at 0']);
    expect(racing(sites, ...reads)).toEqual([]);
  });

  it('are two writes, also of one site', () => {
    const writes = [0, 1].map((invocation) => ({ invocation, accesses: [[0, 0]] as const }));
    expect(racing(sites, ...writes)).toEqual(['0-0 at 0']);
  });

  it('are an atomic operation and a plain access, but not two atomic operations', () => {
    const updates = [0, 1].map((invocation) => ({ invocation, accesses: [[2, 0]] as const }));
    expect(racing(sites, ...updates)).toEqual([]);
    expect(racing(sites, ...updates, { invocation: 0, accesses: [[1, 0]] })).toEqual(['2-1 at 0']);
    expect(racing(sites, ...updates, { invocation: 1, accesses: [[0, 0]] })).toEqual(['2-0 at 0']);
  });

  it('are accesses of different widths that overlap, down to halves', () => {
    const wide = [tile('write', 16), tile('read', 4)];
    const write = { invocation: 0, accesses: [[0, 16]] } as const;
    expect(racing(wide, write, { invocation: 1, accesses: [[1, 28]] })).toEqual(['0-1 at 28']);
    expect(racing(wide, write, { invocation: 1, accesses: [[1, 32]] })).toEqual([]);
    const halves = [tile('write', 2), tile('read', 2)];
    const half = { invocation: 0, accesses: [[0, 2]] } as const;
    expect(racing(halves, half, { invocation: 1, accesses: [[1, 0]] })).toEqual([]);
    expect(racing(halves, half, { invocation: 1, accesses: [[1, 2]] })).toEqual(['0-1 at 2']);
  });

  it('are accesses with barriers between them that order other memory alone', () => {
    const stored = [siteOf(4, { kind: 'write' }), siteOf(4)];
    const segments = [
      { invocation: 0, accesses: [[0, 8]] },
      { invocation: 1, epoch: 1, accesses: [[1, 8]] },
    ] as const;
    const found = (own: readonly Site[], orders: number): readonly object[] => {
      const { passes } = simulationOf(own, [workgroupLog(segments, orders)]);
      return racesInWorkgroups(passes[0]!, siteTable(passes[0]!));
    };
    const { workgroup, storage } = barrierOrders;
    expect(found(stored, workgroup)).toMatchObject([{ first: 0, second: 1, byte: 8, parted: true, epoch: 1 }]);
    expect(found(stored, storage)).toEqual([]);
    expect(found(sites, storage)).toMatchObject([{ parted: true }]);
    expect(found(sites, workgroup)).toEqual([]);
    expect(found(stored, workgroup | storage)).toEqual([]);
  });

  it('tell neighbouring bytes apart where a site moves single ones', () => {
    const bytes = [tile('write', 1), tile('read', 1)];
    const write = { invocation: 0, accesses: [[0, 2]] } as const;
    expect(racing(bytes, write, { invocation: 1, accesses: [[1, 3]] })).toEqual([]);
    expect(racing(bytes, write, { invocation: 1, accesses: [[1, 2]] })).toEqual(['0-1 at 2']);
  });

  it('are counted, a pair of sites once', () => {
    const write = { invocation: 0, accesses: Array.from({ length: 5 }, (_, index) => [0, 4 * index] as const) };
    const read = { invocation: 1, accesses: Array.from({ length: 5 }, (_, index) => [1, 4 * index] as const) };
    const pass = passOf(sites, [write, read]);
    expect(racesInWorkgroups(pass, siteTable(pass))).toMatchObject([{ count: 5, firstActor: 0, secondActor: 1 }]);
  });

  it('do not reach from one workgroup into another', () => {
    const pass = passOf(sites, [{ invocation: 0, accesses: [[0, 0]] }], [{ invocation: 1, accesses: [[1, 0]] }]);
    expect(racesInWorkgroups(pass, siteTable(pass))).toEqual([]);
    expect(racesBetweenWorkgroups(pass, siteTable(pass))).toEqual([]);
  });
});

describe('races between workgroups', () => {
  it('are accesses to one place of a buffer, barriers or not', () => {
    const sites = [siteOf(4, { kind: 'write' }), siteOf(4)];
    const writer = [{ invocation: 0, accesses: [[0, 40]] as const }];
    const reader = [{ invocation: 0, epoch: 3, accesses: [[1, 40]] as const }];
    const pass = passOf(sites, writer, reader);
    expect(racesBetweenWorkgroups(pass, siteTable(pass))).toMatchObject([
      { first: 0, second: 1, firstActor: 0, secondActor: 1, byte: 40, epoch: 3 },
    ]);
    const apart = passOf(sites, writer, [{ invocation: 0, accesses: [[1, 44]] }]);
    expect(racesBetweenWorkgroups(apart, siteTable(apart))).toEqual([]);
  });
});

describe('reads of workgroup memory that nobody has written', () => {
  const sites = [tile('write'), tile('read')];
  const found = (...segments: readonly LoggedSegment[]): string[] => {
    const pass = passOf(sites, segments);
    return unwrittenWorkgroupReads(pass, siteTable(pass)).map(({ site, byte }) => `${site} at ${byte}`);
  };

  it('are reads before the first write, in the same invocation or in no other', () => {
    const read = { invocation: 0, accesses: [[1, 4]] } as const;
    expect(found(read)).toEqual(['1 at 4']);
    expect(found({ invocation: 0, accesses: [[1, 4], [0, 4]] })).toEqual(['1 at 4']); // prettier-ignore
    expect(found({ invocation: 0, accesses: [[0, 4], [1, 4]] })).toEqual([]); // prettier-ignore
    expect(found({ invocation: 3, accesses: [[0, 4]] }, { ...read, epoch: 1 })).toEqual([]);
  });

  it('leave it to the races where another invocation writes meanwhile', () => {
    const read = { invocation: 0, accesses: [[1, 4]] } as const;
    const write = { invocation: 1, accesses: [[0, 4]] } as const;
    expect(found(read, write)).toEqual([]);
    expect(found(write, read)).toEqual([]);
    expect(found(read, { ...write, epoch: 1 })).toEqual(['1 at 4']);
  });
});

describe('reads of variables without an initializer', () => {
  const sites = [local('declare'), local('write'), local('read')];
  const kinds = (...accesses: readonly (readonly [number, number])[]): string[] => {
    const pass = passOf(sites, [{ invocation: 5, accesses }]);
    return unwrittenVariableReads(pass, siteTable(pass)).map(({ kind, byte }) => `${kind} at ${byte}`);
  };

  it('are told from those after a write', () => {
    expect(kinds([0, 0], [2, 0])).toEqual(['variable at 0']);
    expect(kinds([0, 0], [1, 0], [2, 0])).toEqual([]);
    expect(kinds([0, 0], [1, 0], [2, 4])).toEqual(['variable at 4']);
  });

  it('are worse where an earlier time round the loop has left something', () => {
    expect(kinds([0, 0], [1, 0], [0, 0], [2, 0])).toEqual(['loop-variable at 0']);
    expect(kinds([0, 0], [1, 0], [0, 0], [1, 0], [2, 0])).toEqual([]);
    expect(kinds([0, 0], [0, 0], [2, 0])).toEqual(['variable at 0']);
  });
});

describe('writes that are never read', () => {
  const sites = [tile('write'), tile('write'), tile('read')];
  const unread = (...accesses: readonly (readonly [number, number])[]): number[] => {
    const pass = passOf(sites, [{ invocation: 0, accesses }]);
    return useOfWrites([pass], [siteTable(pass)], []).unread.map(({ site }) => site);
  };

  it('are those that are overwritten first, or end with the workgroup', () => {
    expect(unread([0, 0], [1, 0], [2, 0])).toEqual([0]);
    expect(unread([0, 0], [2, 0], [1, 0])).toEqual([1]);
    expect(unread([0, 0], [2, 0], [1, 4], [2, 4])).toEqual([]);
  });

  it('are none where only padding of the site is not read', () => {
    expect(unread([0, 0], [0, 4], [0, 8], [2, 4])).toEqual([]);
  });
});

it('keeps no books for a variable that a whole pass leaves alone', () => {
  const left = siteOf(4, { variable: 'left', variableId: 99, space: 'workgroup' });
  const { passes } = simulationOf([tile('write'), left], [workgroupLog([{ invocation: 0, accesses: [[0, 0]] }])]);
  const table = siteTable(passes[0]!);
  expect(table.variables.map((variable) => granuleCount(variable))).toEqual([1, 0]);
  expect(unwrittenWorkgroupReads(passes[0]!, table)).toEqual([]);
  expect(racesInWorkgroups(passes[0]!, table)).toEqual([]);
});

it('goes through ten million accesses in a few seconds', () => {
  const sites = [tile('write', 16), tile('read', 16), siteOf(4, { kind: 'write' }), siteOf(4)];
  const [perSegment, segments] = [20_000, 500];
  const count = perSegment * segments;
  const [site, address] = [new Uint16Array(count), new Uint32Array(count)];
  for (let at = 0; at < count; at++) {
    const epoch = Math.floor(at / perSegment / 8);
    const invocation = Math.floor(at / perSegment) % 8;
    const inStorage = at % 4 === 0;
    site[at] = (epoch % 2) + (inStorage ? 2 : 0);
    address[at] = inStorage ? 4096 * invocation + 4 * (at % 1024) : 2048 * invocation + 16 * (at & 127);
  }
  const perSegmentOf = (value: (segment: number) => number): Uint32Array =>
    Uint32Array.from({ length: segments }, (_, segment) => value(segment));
  const log: WorkgroupLog = {
    workgroup: [0, 0, 0],
    site,
    address,
    count,
    segmentStart: perSegmentOf((segment) => segment * perSegment),
    segmentInvocation: Uint16Array.from({ length: segments }, (_, segment) => segment % 8),
    segmentEpoch: perSegmentOf((segment) => Math.floor(segment / 8)),
    segmentPhase: new Uint32Array(segments),
    segments,
    epochs: Math.ceil(segments / 8),
    barriers: new Uint8Array(Math.ceil(segments / 8) - 1).fill(barrierOrders.workgroup),
  };
  const pass = simulationOf(sites, [log]).passes[0]!;
  const start = performance.now();
  const table = siteTable(pass);
  expect(racesInWorkgroups(pass, table)).toEqual([]);
  unwrittenWorkgroupReads(pass, table);
  useOfWrites([pass], [table], []);
  // About 2 s on one core that has nothing else to do.
  expect(performance.now() - start).toBeLessThan(12_000);
});
