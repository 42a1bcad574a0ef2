import { cellStates } from '../../../src/core/analysis/coverage.js';
import type { Ledger } from '../../../src/core/analysis/ledger.js';
import type { Schedule, ScheduleStep, WorkgroupSchedule } from '../../../src/core/analysis/schedule.js';
import type { TraceReport } from '../../../src/lab/contract.js';
import {
  type AttendSites,
  type Id,
  Places,
  attendSites,
  base64,
  coverage,
  heads,
  heat,
  keySteps,
  keysPerStep,
  kibi,
  lineTraffic,
  numbered,
  slice,
  storeStep,
  tensors,
  tile,
  traffic,
  width,
} from './trace-parts.js';

/** Flash attention at 1024 tokens: three of 128 workgroups traced. `fault` leaves out a tile, or takes one twice. */
export function flashTrace(fault: 'missed' | null = null): TraceReport {
  const seqlen = 1024;
  const places = new Places('softmax/flash.wgsl');
  const sites = attendSites(places, 0);
  const ids: readonly Id[] = [
    [0, 0, 0],
    [8, 3, 0],
    [15, 7, 0],
  ];
  const firstQuery = (id: Id): number => seqlen - tile - id[0] * tile;
  const workgroups: readonly WorkgroupSchedule[] = ids.map((workgroup) => {
    const query = firstQuery(workgroup);
    const plane = workgroup[1];
    const steps: ScheduleStep[] = [];
    for (let key = 0; key < query + tile; key += keysPerStep) {
      if (fault === 'missed' && key === 96) continue;
      steps.push(...keySteps(places, sites, plane, query, key));
    }
    steps.push(storeStep(places, sites, plane, query));
    return { pass: 0, workgroup, steps: numbered(steps), split: null, merged: false };
  });
  const schedule: Schedule = {
    tensors: tensors(seqlen, [
      {
        name: 'lse',
        role: 'output',
        parts: [],
        planeDims: [
          { name: 'batch', size: 1 },
          { name: 'heads', size: heads },
        ],
        rows: seqlen,
        columns: 1,
        pageRows: null,
      },
    ]),
    score: { rows: seqlen, columns: seqlen, planes: heads },
    pages: null,
    sites: places.sites,
    workgroups,
    sentence:
      'Each workgroup owns 64 queries and walks over the keys, 32 a step: scores in two slices of 32 columns, then the values in two loads of 16 rows.',
  };
  const tensorBytes = heads * seqlen * width * 4;
  const reach = (query: number, key: number): 'once' | 'wasted' | 'outside' | 'missed' => {
    if (key <= query) return fault === 'missed' && key >= 96 && key < 128 ? 'missed' : 'once';
    return key < Math.floor(query / tile) * tile + tile ? 'wasted' : 'outside';
  };
  const keyBytes = 17 * 32 * heads * 2 * keysPerStep * slice * 4;
  return {
    hash: '3f2ac81e90b7d455',
    kernel: 'flash.wgsl',
    mechanism: 'softmax-attention',
    direction: 'forward',
    shape: { batch: 1, heads, headsKv: heads, seqlen, seqlenK: seqlen, headDim: width, headDimV: width },
    options: { causal: true, window: [-1, -1], scale: 0.125 },
    subgroupSize: 32,
    passes: [
      {
        entry: 'attend',
        workgroups: [16, heads, 1],
        workgroupSize: [8, 16, 1],
        workgroupBytes: 14_592,
        traced: ids,
        executed: 128,
      },
    ],
    exact: true,
    sentence: 'All 128 workgroups ran; 3 of them were followed access by access.',
    schedule,
    coverage: coverage(
      seqlen,
      ids.map((id) => ({ plane: id[1], query: firstQuery(id) })),
      reach,
      fault === 'missed'
        ? 'Keys 96 to 127 are never computed, first for query 960 of head 0.'
        : 'Every pair of the causal mask is computed once; 5 % of the scores computed are masked.',
      Array.from({ length: 128 }, (_, i) => ({
        pass: 0,
        workgroup: [i % 16, Math.floor(i / 16), 0] as const,
        accesses: (16 - (i % 16)) * 2 * 9000 + 4000,
        pairs: (16 - (i % 16)) * tile * tile,
      })),
    ),
    ledger: flashLedger(places, sites, tensorBytes, keyBytes),
    accesses: 10_412_032,
    elapsedMs: 742,
  };
}

function flashLedger(places: Places, sites: AttendSites, tensorBytes: number, keyBytes: number): Ledger {
  const compulsory = 4 * tensorBytes + heads * 1024 * 4;
  const inside = 9.5 * keyBytes;
  const requested = 4 * keyBytes + tensorBytes + heads * 1024 * 4;
  return {
    tensors: [
      traffic('q', 'input', tensorBytes, { readBytes: 2 * keyBytes }),
      traffic('k', 'input', tensorBytes, { readBytes: keyBytes }),
      traffic('v', 'input', tensorBytes, { readBytes: keyBytes }),
      traffic('o', 'output', tensorBytes, { writtenBytes: tensorBytes }),
      traffic('lse', 'output', heads * 1024 * 4, {
        writtenBytes: heads * 1024 * 4,
        transferredWrittenBytes: heads * 1024 * 32,
        coalescing: 0.125,
      }),
      traffic('params', 'uniform', 40, { readBytes: 3 * 1024 * kibi, coalescing: null }),
    ],
    lines: [
      lineTraffic(places, sites.q, { requestedBytes: 2 * keyBytes, timesCompulsory: (2 * keyBytes) / tensorBytes }),
      lineTraffic(places, sites.k, {
        requestedBytes: keyBytes,
        timesCompulsory: keyBytes / tensorBytes,
        efficiency: 0.5,
        transferredBytes: 2 * keyBytes,
      }),
      lineTraffic(places, sites.v, { requestedBytes: keyBytes, timesCompulsory: keyBytes / tensorBytes }),
      lineTraffic(places, sites.o, { requestedBytes: tensorBytes, timesCompulsory: 1 }),
      lineTraffic(places, sites.scores, { requestedBytes: 4 * keyBytes, bankConflict: 1.25, efficiency: 0.8 }),
      lineTraffic(places, sites.values, { requestedBytes: 3 * keyBytes }),
    ],
    workgroup: {
      capacityBytes: 14_592,
      readBytes: 7 * keyBytes,
      writtenBytes: inside - 4 * keyBytes,
      bankConflict: 1.12,
      byVariable: [
        { variable: 'left_tile', readBytes: 4 * keyBytes, writtenBytes: 3 * keyBytes },
        { variable: 'right_tile', readBytes: 2.6 * keyBytes, writtenBytes: 2 * keyBytes },
        { variable: 'row_parts', readBytes: 0.4 * keyBytes, writtenBytes: 0.5 * keyBytes },
      ],
    },
    totals: {
      compulsoryBytes: compulsory,
      requestedBytes: requested,
      transferredBytes: requested + keyBytes,
      flops: 1.1e9,
      intensity: {
        compulsory: 1.1e9 / compulsory,
        requested: 1.1e9 / requested,
        transferred: 1.1e9 / (requested + keyBytes),
        workgroup: 1.1e9 / inside,
      },
    },
    findings: [
      {
        code: 'reread',
        severity: 'warning',
        message: 'q is read 17 times over: load_queries loads the same 64 rows again for each step of 32 keys.',
        remedy: 'Load them once before the loop and keep them in registers or workgroup memory.',
        span: places.sites[sites.q]!.span,
        bytes: 2 * keyBytes - tensorBytes,
      },
      {
        code: 'bank-conflict',
        severity: 'info',
        message: 'Reads of right_tile take 1.25 times the cycles that they need: 8 invocations meet in 4 banks.',
        remedy: 'Pad the rows of the tile by one vec4.',
        span: places.sites[sites.scores]!.span,
        bytes: keyBytes,
      },
      {
        code: 'uncoalesced',
        severity: 'info',
        message: 'Each write of lse moves a sector of 32 bytes for 4 bytes.',
        remedy: 'Let neighbouring invocations write neighbouring queries.',
        span: places.sites[sites.o]!.span,
        bytes: heads * 1024 * 28,
      },
    ],
    sentence:
      'The kernel asks for 9.3 times the bytes it must move, and most of that is q: keep its tile over the loop.',
    scaling: {
      dimension: 'seqlen',
      exponent: 1.94,
      points: [256, 512, 1024].map((size) => ({
        size,
        compulsoryBytes: (compulsory * size) / 1024,
        requestedBytes: requested * (size / 1024) ** 1.94,
        transferredBytes: (requested + keyBytes) * (size / 1024) ** 1.94,
      })),
    },
    heat: [
      heat('q', 0, 1024, (bin) => bin + 1),
      heat('q', 3, 1024, (bin) => bin + 1),
      heat('k', 0, 1024, (bin) => Math.ceil((32 - bin) / 2)),
      heat('v', 0, 1024, (bin) => Math.ceil((32 - bin) / 2)),
    ],
  };
}

/**
 * A trace as large as one becomes: ten workgroups of two thousand steps, ten million accesses, to measure how smoothly
 * the pictures follow the playhead.
 */
export function largeTrace(): TraceReport {
  const base = flashTrace();
  const places = new Places('softmax/flash.wgsl');
  const sites = attendSites(places, 0);
  const seqlen = 16_384;
  const workgroups = Array.from({ length: 10 }, (_, i): WorkgroupSchedule => {
    const query = seqlen - tile - i * 128;
    const steps: ScheduleStep[] = [];
    for (let key = 0; steps.length < 1999; key += keysPerStep) steps.push(...keySteps(places, sites, 0, query, key));
    return {
      pass: 0,
      workgroup: [i * 2, 0, 0],
      steps: numbered([...steps.slice(0, 1999), storeStep(places, sites, 0, query)]),
      split: null,
      merged: true,
    };
  });
  const cell = seqlen / 256;
  const cells = new Uint8Array(256 * 256);
  for (let row = 0; row < 256; row++) {
    for (let column = 0; column <= row; column++) {
      cells[row * 256 + column] = row >= 230 ? cellStates.once : cellStates.untraced;
    }
  }
  return {
    ...base,
    shape: { ...base.shape, seqlen, seqlenK: seqlen },
    schedule: {
      ...base.schedule,
      tensors: base.schedule.tensors.map((tensor) => ({ ...tensor, rows: seqlen })),
      score: { rows: seqlen, columns: seqlen, planes: heads },
      pages: null,
      sites: places.sites,
      workgroups,
    },
    coverage: {
      ...base.coverage!,
      queries: seqlen,
      keys: seqlen,
      cellQueries: cell,
      cellKeys: cell,
      planes: [{ plane: 0, batch: 0, head: 0, cells: base64(cells) }],
    },
  };
}
