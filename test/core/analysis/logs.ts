import type { PassTrace, Simulation, Site, WorkgroupLog } from '../../../src/core/simulator/trace.js';

/** What one invocation does in one epoch and phase: accesses as [site, address], in order. */
export interface LoggedSegment {
  readonly invocation: number;
  readonly epoch?: number;
  readonly phase?: number;
  readonly accesses: readonly (readonly [site: number, address: number])[];
}

/**
 * A log as the simulator writes it, from segments in the order in which they ran. Its barriers order workgroup memory and
 * storage, unless `orders` says otherwise.
 */
export function workgroupLog(segments: readonly LoggedSegment[], orders = 3): WorkgroupLog {
  const epochs = 1 + Math.max(0, ...segments.map(({ epoch }) => epoch ?? 0));
  const accesses = segments.flatMap((segment) => segment.accesses);
  let start = 0;
  const starts = segments.map((segment) => {
    const first = start;
    start += segment.accesses.length;
    return first;
  });
  return {
    workgroup: [0, 0, 0],
    site: Uint16Array.from(accesses, ([site]) => site),
    address: Uint32Array.from(accesses, ([, address]) => address),
    count: accesses.length,
    segmentStart: Uint32Array.from(starts),
    segmentInvocation: Uint16Array.from(segments, ({ invocation }) => invocation),
    segmentEpoch: Uint32Array.from(segments, ({ epoch }) => epoch ?? 0),
    segmentPhase: Uint32Array.from(segments, ({ phase }) => phase ?? 0),
    segments: segments.length,
    epochs,
    barriers: new Uint8Array(epochs - 1).fill(orders),
  };
}

/** A site of `bytes` in storage (buffer 0) unless `more` says otherwise. */
export function siteOf(bytes: number, more: Partial<Site> = {}): Site {
  return {
    kind: 'read',
    space: 'storage',
    variable: 'q',
    variableId: 0,
    buffer: more.space === 'workgroup' ? null : 0,
    bytes,
    span: { start: 0, end: 1 },
    functionName: 'main',
    ...more,
  };
}

/** A simulation of one pass whose workgroups all ran and were logged. */
export function simulationOf(
  sites: readonly Site[],
  logs: readonly WorkgroupLog[],
  more: Partial<PassTrace> = {},
  subgroupSize = 32,
): Simulation {
  const siteCounts = new Float64Array(sites.length);
  let invocations = 1;
  for (const { site, segmentInvocation } of logs) {
    for (const index of site) siteCounts[index]!++;
    for (const invocation of segmentInvocation) invocations = Math.max(invocations, invocation + 1);
  }
  const pass: PassTrace = {
    entry: 'main',
    workgroups: [logs.length, 1, 1],
    workgroupSize: [invocations, 1, 1],
    workgroupBytes: 16_384,
    sites,
    logs,
    executed: logs.length,
    siteCounts,
    counted: { workgroups: 0, siteCounts: new Float64Array(sites.length) },
    executedWorkgroups: Uint32Array.from(logs, (_, index) => index),
    faults: [],
    ...more,
  };
  const accesses = siteCounts.reduce((sum, count) => sum + count, 0);
  const buffers = [{ variable: 'q', bytes: new ArrayBuffer(1 << 16) }];
  return { buffers, passes: [pass], values: [], subgroupSize, accesses };
}

/** One access of each of `lanes` invocations by site 0, at the address that `addressOf` gives for the lane. */
export function oneInstruction(lanes: number, addressOf: (lane: number) => number): WorkgroupLog {
  return workgroupLog(
    Array.from({ length: lanes }, (_, lane) => ({ invocation: lane, accesses: [[0, addressOf(lane)]] })),
  );
}
