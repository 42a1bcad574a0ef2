import { describe, expect, it, test } from 'vitest';
import type { Simulation, Site } from '../../../src/core/simulator/trace.js';
import { forEachInstruction } from '../../../src/core/analysis/traffic-instructions.js';
import { siteTraffic, type SiteTraffic } from '../../../src/core/analysis/traffic-sites.js';
import { findTouches, type Touches } from '../../../src/core/analysis/traffic-touch.js';
import { oneInstruction, simulationOf, siteOf, workgroupLog, type LoggedSegment } from './logs.js';

/** The traffic of site 0 when each lane accesses the address that `addressOf` gives. */
function measure(site: Site, lanes: number, addressOf: (lane: number) => number, subgroupSize = 32): SiteTraffic {
  const [traffic] = siteTraffic(simulationOf([site], [oneInstruction(lanes, addressOf)], {}, subgroupSize));
  if (!traffic) throw new Error('The site was not counted.');
  return traffic;
}

describe('sectors and lines of one instruction', () => {
  test.each([
    { name: '32 neighbouring f32', bytes: 4, at: (lane: number) => 4 * lane, sectors: 4, lines: 1, distinct: 128 },
    { name: '32 neighbouring vec4', bytes: 16, at: (lane: number) => 16 * lane, sectors: 16, lines: 4, distinct: 512 },
    { name: '32 neighbouring f16', bytes: 2, at: (lane: number) => 2 * lane, sectors: 2, lines: 1, distinct: 64 },
    { name: 'every second f32', bytes: 4, at: (lane: number) => 8 * lane, sectors: 8, lines: 2, distinct: 128 },
    { name: 'rows of 256 bytes', bytes: 4, at: (lane: number) => 256 * lane, sectors: 32, lines: 32, distinct: 128 },
    { name: 'a broadcast', bytes: 16, at: () => 4096, sectors: 1, lines: 1, distinct: 16 },
    { name: 'two rows of 16', bytes: 16, at: (lane: number) => (lane >> 4) * 1024, sectors: 2, lines: 2, distinct: 32 },
    // 128 bytes from 20 on: sectors 0 to 4, lines 0 and 1.
    { name: 'misaligned', bytes: 4, at: (lane: number) => 20 + 4 * lane, sectors: 5, lines: 2, distinct: 128 },
    { name: 'backwards', bytes: 4, at: (lane: number) => 4 * (31 - lane), sectors: 4, lines: 1, distinct: 128 },
    // Each struct of 12 bytes begins where the one before ends: 384 bytes without a gap.
    { name: 'structs of 12 bytes', bytes: 12, at: (lane: number) => 12 * lane, sectors: 12, lines: 3, distinct: 384 },
    // [16, 32) and [24, 40): 24 bytes, the middle ones twice, in sectors 0 and 1.
    { name: 'overlapping', bytes: 16, at: (lane: number) => 16 + 8 * (lane % 2), sectors: 2, lines: 1, distinct: 24 },
  ])('$name: $sectors sectors, $lines lines', ({ bytes, at, sectors, lines, distinct }) => {
    const traffic = measure(siteOf(bytes), 32, at);
    expect(traffic.transferredBytes).toBe(32 * sectors);
    expect(traffic.lines).toBe(lines);
    expect(traffic.distinctBytes).toBe(distinct);
    expect(traffic.requestedBytes).toBe(32 * bytes);
  });

  it('takes each subgroup for itself', () => {
    // 64 lanes read the same sector: once for each of 2 subgroups of 32, of 16 of 4.
    expect(measure(siteOf(4), 64, () => 0).transferredBytes).toBe(2 * 32);
    expect(measure(siteOf(4), 64, () => 0, 4).transferredBytes).toBe(16 * 32);
    expect(measure(siteOf(4), 64, () => 0, 128).transferredBytes).toBe(32);
  });

  it('measures a pattern again where it begins at another place of a line, and where other lanes have it', () => {
    const neighbours = (invocation: number, start: number): LoggedSegment => ({
      invocation,
      accesses: [[0, start + 4 * invocation]],
    });
    const lanes = Array.from({ length: 32 }, (_, lane) => lane);
    const sectorsOf = (...instructions: readonly LoggedSegment[][]): number => {
      const log = workgroupLog(instructions.flat());
      return siteTraffic(simulationOf([siteOf(4)], [log]))[0]!.transferredBytes / 32;
    };
    const round = (start: number): LoggedSegment[] => lanes.map((lane) => neighbours(lane, start));
    expect(sectorsOf(round(0), round(1280), round(20), round(148))).toBe(4 + 4 + 5 + 5);
    const upTo = (end: number, start: number): LoggedSegment[] => round(start).slice(0, end);
    const apart = lanes
      .slice(0, 16)
      .map((lane): LoggedSegment => ({ invocation: 2 * lane, epoch: 1, accesses: [[0, 4 * lane]] }));
    expect(sectorsOf(round(0), upTo(16, 1280))).toBe(4 + 2);
    expect(sectorsOf(upTo(16, 0), apart)).toBe(2 + 2);
  });

  it('says how far neighbouring lanes are apart', () => {
    expect(measure(siteOf(4), 32, (lane) => 256 * lane).laneStride).toBe(256);
    expect(measure(siteOf(4), 32, () => 64).laneStride).toBe(0);
    expect(measure(siteOf(4), 1, () => 64).laneStride).toBeNull();
  });
});

describe('banks of workgroup memory', () => {
  const cyclesOf = (bytes: number, lanes: number, at: (lane: number) => number, kind: 'read' | 'atomic' = 'read') => {
    const site = siteOf(bytes, { space: 'workgroup', variable: 'tile', kind });
    const { cycles, cyclesWithoutConflicts } = measure(site, lanes, at);
    return [cycles, cyclesWithoutConflicts];
  };

  test.each([
    { name: 'neighbouring words', bytes: 4, at: (lane: number) => 4 * lane, cycles: 1, free: 1 },
    { name: 'a broadcast', bytes: 4, at: () => 36, cycles: 1, free: 1 },
    { name: 'every second word', bytes: 4, at: (lane: number) => 8 * lane, cycles: 2, free: 1 },
    { name: 'a column of rows of 32 words', bytes: 4, at: (lane: number) => 128 * lane, cycles: 32, free: 1 },
    { name: 'a column of rows of 33 words', bytes: 4, at: (lane: number) => 132 * lane, cycles: 1, free: 1 },
    { name: 'an odd stride', bytes: 4, at: (lane: number) => 28 * lane, cycles: 1, free: 1 },
    { name: 'two halves of a word', bytes: 2, at: (lane: number) => 2 * lane, cycles: 1, free: 1 },
    // Rows of 8 words, 4 of them by 8 lanes that ask for the same word: 4 words in the same bank.
    { name: 'four rows in one bank', bytes: 4, at: (lane: number) => 128 * (lane >> 3), cycles: 4, free: 1 },
    { name: 'neighbouring vec2', bytes: 8, at: (lane: number) => 8 * lane, cycles: 2, free: 2 },
    { name: 'neighbouring vec4', bytes: 16, at: (lane: number) => 16 * lane, cycles: 4, free: 4 },
    // 8 lanes of a phase each in the same 4 banks.
    { name: 'a column of rows of 8 vec4', bytes: 16, at: (lane: number) => 128 * lane, cycles: 32, free: 4 },
    { name: 'a column of rows of 9 vec4', bytes: 16, at: (lane: number) => 144 * lane, cycles: 4, free: 4 },
    {
      name: 'vec4 that half of the lanes share',
      bytes: 16,
      at: (lane: number) => 16 * (lane >> 1),
      cycles: 4,
      free: 4,
    },
    // A mat4x4 is four vec4: columns of rows of 4 vec4, in each phase 8 lanes over 2 groups of banks.
    { name: 'neighbouring mat4x4', bytes: 64, at: (lane: number) => 64 * lane, cycles: 64, free: 16 },
    // A vec3 that is taken in words: words 0, 4, 8 … of 32 lanes lie in 8 banks.
    { name: 'neighbouring vec3', bytes: 12, at: (lane: number) => 16 * lane, cycles: 12, free: 3 },
  ])('$name: $cycles cycles instead of $free', ({ bytes, at, cycles, free }) => {
    expect(cyclesOf(bytes, 32, at)).toEqual([cycles, free]);
  });

  it('counts only phases in which a lane is active', () => {
    expect(cyclesOf(16, 8, (lane) => 16 * lane)).toEqual([1, 1]);
    expect(cyclesOf(16, 9, (lane) => 16 * lane)).toEqual([2, 2]);
  });

  it('takes atomic accesses to one word one after another', () => {
    expect(cyclesOf(4, 32, () => 0, 'atomic')).toEqual([32, 1]);
    expect(cyclesOf(4, 32, (lane) => 4 * lane, 'atomic')).toEqual([1, 1]);
  });

  it('are asked by accesses to workgroup memory alone, whatever came before', () => {
    const sites = [siteOf(4, { space: 'workgroup', variable: 'tile' }), siteOf(4)];
    const log = workgroupLog(
      Array.from({ length: 32 }, (_, lane) => ({
        invocation: lane,
        accesses: [
          [0, 128 * lane],
          [1, 4 * lane],
        ],
      })),
    );
    const [tile, buffer] = siteTraffic(simulationOf(sites, [log]));
    expect([tile!.cycles, buffer!.cycles, buffer!.cyclesWithoutConflicts]).toEqual([32, 0, 0]);
  });

  it('serve the same addresses in other phases where other lanes have them', () => {
    const site = siteOf(16, { space: 'workgroup', variable: 'tile' });
    const lanesFrom = (first: number, epoch: number): LoggedSegment[] =>
      Array.from({ length: 8 }, (_, at) => ({ invocation: first + at, epoch, accesses: [[0, 16 * at]] }));
    // 8 lanes are a phase: 0 to 7 are one, 4 to 11 are halves of two.
    const [traffic] = siteTraffic(simulationOf([site], [workgroupLog([...lanesFrom(0, 0), ...lanesFrom(4, 1)])]));
    expect(traffic!.cycles).toBe(1 + 2);
  });

  it('serves subgroups of 64 in two parts', () => {
    const site = siteOf(4, { space: 'workgroup', variable: 'tile' });
    expect(measure(site, 64, (lane) => 4 * lane, 64).cycles).toBe(2);
  });
});

describe('instructions', () => {
  /** Instructions as [site, addresses by lane] in the order in which they are visited. */
  function instructionsOf(segments: readonly LoggedSegment[], subgroupSize = 4, sites = 2): [number, number[]][] {
    const found: [number, number[]][] = [];
    const wanted = new Uint8Array(sites).fill(1);
    forEachInstruction(workgroupLog(segments), wanted, subgroupSize, ({ site, from, to, addresses }) => {
      found.push([site, [...addresses.subarray(from, to)]]);
    });
    return found;
  }

  it('are the n-th time that lanes come by a site', () => {
    const loop = (invocation: number, times: number): LoggedSegment => ({
      invocation,
      accesses: Array.from({ length: times }, (_, time) => [0, 100 * invocation + time] as const),
    });
    expect(instructionsOf([loop(0, 1), loop(1, 3), loop(2, 2)])).toEqual([
      [0, [0, 100, 200]],
      [0, [101, 201]],
      [0, [102]],
    ]);
  });

  it('do not cross phases, epochs and subgroups', () => {
    const found = instructionsOf([
      { invocation: 0, phase: 0, accesses: [[0, 1]] },
      { invocation: 0, phase: 1, accesses: [[0, 2]] },
      { invocation: 1, phase: 1, accesses: [[0, 3]] },
      { invocation: 4, phase: 1, accesses: [[0, 4]] },
      { invocation: 0, epoch: 1, accesses: [[0, 5]] },
      { invocation: 1, epoch: 1, accesses: [[0, 6]] },
    ]);
    expect(found).toEqual([
      [0, [1]],
      [0, [2, 3]],
      [0, [5, 6]],
      [0, [4]],
    ]);
  });

  it('do not cross a barrier where phases are the same', () => {
    const found = instructionsOf([
      { invocation: 0, accesses: [[0, 1]] },
      { invocation: 1, epoch: 1, accesses: [[0, 2]] },
    ]);
    expect(found).toEqual([
      [0, [1]],
      [0, [2]],
    ]);
  });

  it('go on where a subgroup operation has parted a segment', () => {
    const found = instructionsOf([
      { invocation: 0, accesses: [[0, 1]] },
      { invocation: 1, accesses: [[0, 2]] },
      { invocation: 0, accesses: [[0, 3]] },
      { invocation: 1, accesses: [[0, 4]] },
    ]);
    expect(found).toEqual([
      [0, [1, 2]],
      [0, [3, 4]],
    ]);
  });

  it('are those of all lanes where a subgroup operation parts the segments of some', () => {
    const part = (invocation: number, address: number): LoggedSegment => ({ invocation, accesses: [[0, address]] });
    const found = instructionsOf([
      part(0, 0),
      ...[1, 2, 3].flatMap((lane) => [part(lane, 4 * lane), part(lane, 100 + 4 * lane)]),
    ]);
    expect(found).toEqual([
      [0, [0, 4, 8, 12]],
      [0, [104, 108, 112]],
    ]);
  });

  it('leave out sites that are not wanted', () => {
    const found: number[] = [];
    const log = workgroupLog([{ invocation: 0, accesses: [[0, 1], [1, 2], [0, 3]] }]); // prettier-ignore
    forEachInstruction(log, Uint8Array.of(0, 1), 4, ({ site, from, to }) => found.push(site, to - from));
    expect(found).toEqual([1, 1]);
  });

  it('of sparse phases are found too', () => {
    expect(
      instructionsOf([
        { invocation: 1, phase: 4_000_000, accesses: [[1, 7]] },
        { invocation: 0, phase: 4_000_000, accesses: [[1, 5]] },
        { invocation: 0, phase: 3, accesses: [[0, 9]] },
      ]),
    ).toEqual([
      [0, [9]],
      [1, [5, 7]],
    ]);
  });
});

describe('scaling up', () => {
  const log = oneInstruction(32, (lane) => 8 * lane);

  it('multiplies by the workgroups that did not run, and by the executions that were not logged', () => {
    // 10 workgroups, 4 ran, 1 was logged: 32 logged accesses stand for 128 executed ones and 320 in all.
    const more = { workgroups: [10, 1, 1], executed: 4, siteCounts: Float64Array.of(128) } as const;
    const [traffic] = siteTraffic(simulationOf([siteOf(4)], [log], more));
    expect(traffic).toMatchObject({ accesses: 320, requestedBytes: 1280, transferredBytes: 10 * 8 * 32, lines: 20 });
  });

  it('lets the workgroups that were only counted stand for those that did not run, and the others for themselves', () => {
    // 10 workgroups: the logged one made 32 accesses, the 3 counted ones 40 each, and so do the 6 that did not run.
    const counted = { workgroups: 3, siteCounts: Float64Array.of(120) };
    const more = { workgroups: [10, 1, 1], executed: 4, siteCounts: Float64Array.of(152), counted } as const;
    expect(siteTraffic(simulationOf([siteOf(4)], [log], more))[0]?.accesses).toBe(32 + 9 * 40);
  });

  it('takes what was never logged to be coalesced', () => {
    const sites = [siteOf(4), siteOf(8)];
    const more = { siteCounts: Float64Array.of(32, 100) };
    expect(siteTraffic(simulationOf(sites, [log], more))[1]).toMatchObject({
      requestedBytes: 800,
      transferredBytes: 800,
      distinctBytes: 800,
    });
  });

  it('leaves out what never ran, and an invocation’s own memory', () => {
    const sites = [siteOf(4), siteOf(4), siteOf(4, { space: 'function', buffer: null })];
    expect(siteTraffic(simulationOf(sites, [log]))).toHaveLength(1);
  });
});

describe('touched bytes', () => {
  const touchesOf = (simulation: Simulation): Touches => findTouches(simulation, siteTraffic(simulation), () => true);
  const readsOf = (invocation: number, ...addresses: number[]): LoggedSegment => ({
    invocation,
    accesses: addresses.map((address) => [0, address] as const),
  });

  it('count once in a buffer, and once in each workgroup', () => {
    const logs = [
      workgroupLog([readsOf(0, 0, 16, 0), readsOf(1, 16, 32)]),
      workgroupLog([readsOf(0, 32, 48), readsOf(1, 32)]),
    ];
    const touches = touchesOf(simulationOf([siteOf(16)], logs));
    // 0, 16, 32 and 32, 48: four elements in all.
    expect(touches.buffers[0]).toMatchObject({ readBytes: 4 * 16, writtenBytes: 0, unitBytes: 16 });
    expect(touches.passes).toEqual([{ pass: 0, buffer: 0, readPerWorkgroupBytes: 5 * 16, readBytes: 4 * 16 }]);
    expect([...touches.buffers[0]!.reads!.subarray(0, 5)]).toEqual([2, 2, 3, 1, 0]);
  });

  it('are divided as finely as the accesses', () => {
    const touches = touchesOf(simulationOf([siteOf(16)], [workgroupLog([readsOf(0, 0, 8)])]));
    expect(touches.buffers[0]).toMatchObject({ unitBytes: 8, readBytes: 24 });
  });

  it('grow with the workgroups that were not logged, up to the whole buffer', () => {
    const logs = [workgroupLog([readsOf(0, 0, 16)])];
    const read = (workgroups: number): number | undefined =>
      touchesOf(simulationOf([siteOf(16)], logs, { workgroups: [workgroups, 1, 1] })).buffers[0]?.readBytes;
    expect(read(10)).toBe(320);
    expect(read(1_000_000)).toBe(1 << 16);
  });

  it('tell a walk through neighbours from jumps', () => {
    const walk = readsOf(0, 16, 20, 24, 28, 32);
    const jumps = readsOf(1, 0, 64, 128, 192, 256);
    expect(touchesOf(simulationOf([siteOf(4)], [workgroupLog([walk, jumps])])).walks[0]?.[0]).toBe(0.4);
  });

  it('of workgroup memory tell whether anybody reads what another one wrote', () => {
    const shared = { space: 'workgroup', variable: 'tile' } as const;
    const own = { space: 'workgroup', variable: 'own' } as const;
    const sites = [siteOf(4, { ...shared, kind: 'write' }), siteOf(4, shared), siteOf(4, { ...own, kind: 'write' }), siteOf(4, own)]; // prettier-ignore
    const log = workgroupLog([
      { invocation: 0, accesses: [[0, 0], [2, 0]] }, // prettier-ignore
      { invocation: 1, accesses: [[0, 4], [2, 4]] }, // prettier-ignore
      { invocation: 0, epoch: 1, accesses: [[1, 0], [1, 4], [1, 0], [3, 0]] }, // prettier-ignore
      { invocation: 1, epoch: 1, accesses: [[1, 4], [3, 4]] }, // prettier-ignore
    ]);
    expect(touchesOf(simulationOf(sites, [log])).workgroup).toEqual([
      { pass: 0, variable: 'tile', isShared: true },
      { pass: 0, variable: 'own', isShared: false },
    ]);
  });
});
