import { readFileSync } from 'node:fs';
import { cellStates, type Coverage } from '../../../src/core/analysis/coverage.js';
import type { Ledger, LineTraffic, ReadHeat, TensorTraffic } from '../../../src/core/analysis/ledger.js';
import type {
  Rect,
  Schedule,
  ScheduleSite,
  ScheduleStep,
  ScheduleTensor,
  TileAccess,
  TileHeld,
  WorkgroupSchedule,
} from '../../../src/core/analysis/schedule.js';
import type { TraceReport } from '../../../src/lab/contract.js';

/** Traces as the tiling of two built-in kernels makes them, worked out here without a simulation. */

const heads = 8;
const width = 64;
const tile = 64;
const keysPerStep = 32;
const slice = 32;
const kibi = 1024;

type Id = readonly [number, number, number];

/** A kernel's text, with the places that the schedule refers to. */
class Places {
  readonly sites: ScheduleSite[] = [];
  private readonly text: string;

  constructor(path: string) {
    this.text = readFileSync(`${process.cwd()}/shaders/${path}`, 'utf8');
  }

  /** Adds the place of `code` (its first occurrence after `after`) and returns its index. */
  site(
    code: string,
    after: string,
    rest: Pick<ScheduleSite, 'variable' | 'space' | 'kind'> & { readonly pass?: number },
  ): number {
    const start = this.text.indexOf(code, this.text.indexOf(after));
    if (start < 0) throw new Error(`"${code}" is not in the kernel.`);
    const span = { start, end: start + code.length };
    this.sites.push({ pass: 0, ...rest, span, line: this.lineAt(start) });
    return this.sites.length - 1;
  }

  lineAt(offset: number): number {
    return this.text.slice(0, offset).split('\n').length;
  }

  textOf(line: number): string {
    return this.text.split('\n')[line - 1]!.trim();
  }
}

function rect(row0: number, row1: number, column0: number, column1: number): Rect {
  return { row0, row1, column0, column1 };
}

function tensors(seqlen: number, more: readonly ScheduleTensor[]): readonly ScheduleTensor[] {
  const of = (name: string, role: ScheduleTensor['role']): ScheduleTensor => ({
    name,
    role,
    dims: [
      { name: 'batch', size: 1 },
      { name: 'heads', size: heads },
      { name: 'seqlen', size: seqlen },
      { name: name === 'q' || name === 'k' ? 'headDim' : 'headDimV', size: width },
    ],
    rows: seqlen,
    columns: width,
  });
  return [of('q', 'input'), of('k', 'input'), of('v', 'input'), of('o', 'output'), ...more];
}

/** Accesses of one step of a kernel like flash: reads of tiles, with the work they are for. */
function step(places: Places, site: number, rest: Partial<ScheduleStep>): ScheduleStep {
  const { span, line } = places.sites[site]!;
  const accesses = rest.accesses ?? [];
  const device = accesses.reduce((sum, { bytes }) => sum + bytes / 16, 0);
  return {
    epoch: 0,
    phase: 0,
    kind: 'load',
    barrier: true,
    accesses,
    held: [],
    scores: [],
    states: [],
    deviceAccesses: device,
    workgroupAccesses: device,
    span,
    line,
    ...rest,
  };
}

function access(tensor: string, mode: TileAccess['mode'], plane: number, area: Rect, site: number): TileAccess {
  const bytes = (area.row1 - area.row0) * (area.column1 - area.column0) * 4;
  return { tensor, mode, plane, rect: area, bytes, density: 1, sites: [site] };
}

function numbered(steps: readonly ScheduleStep[]): readonly ScheduleStep[] {
  let epoch = 0;
  return steps.map((item) => ({ ...item, epoch: item.barrier ? epoch++ : epoch }));
}

interface AttendSites {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly o: number;
  readonly scores: number;
  readonly values: number;
}

function attendSites(places: Places, pass: number): AttendSites {
  const tileRead = { variable: 'right_tile', space: 'workgroup', kind: 'read', pass } as const;
  return {
    q: places.site('q[(head_row + first_query + row) * width + column]', 'fn load_queries', {
      variable: 'q',
      space: 'storage',
      kind: 'read',
      pass,
    }),
    k: places.site('k[(', 'fn load_keys', { variable: 'k', space: 'storage', kind: 'read', pass }),
    v: places.site('v[(', 'fn load_values', { variable: 'v', space: 'storage', kind: 'read', pass }),
    o: places.site('o[(head_row + query) * width_v + column]', 'fn attend', {
      variable: 'o',
      space: 'storage',
      kind: 'write',
      pass,
    }),
    scores: places.site('right_tile[place(4u * d, lane.x)]', 'fn multiply_keys', tileRead),
    values: places.site('right_tile[at]', 'let at = n * stride', tileRead),
  };
}

/** The walk of one workgroup of `attend` over a step of keys: scores in two slices, then values in two. */
function keySteps(
  places: Places,
  sites: AttendSites,
  plane: number,
  query: number,
  key: number,
): readonly ScheduleStep[] {
  const steps: ScheduleStep[] = [];
  const masked = maskedPairs(query, key);
  for (let column = 0; column < width; column += slice) {
    const queries = rect(query, query + tile, column, column + slice);
    const keys = rect(key, key + keysPerStep, column, column + slice);
    const held: readonly TileHeld[] = [
      { variable: 'left_tile', tensor: 'q', plane, rect: queries, bytes: tile * slice * 4 },
      { variable: 'right_tile', tensor: 'k', plane, rect: keys, bytes: keysPerStep * slice * 4 },
    ];
    steps.push(
      step(places, sites.q, {
        phase: key / keysPerStep,
        accesses: [access('q', 'read', plane, queries, sites.q), access('k', 'read', plane, keys, sites.k)],
        held,
      }),
      step(places, sites.scores, {
        phase: key / keysPerStep,
        kind: 'compute',
        held,
        scores: [{ by: 'score', plane, rect: rect(query, query + tile, key, key + keysPerStep), masked }],
        deviceAccesses: 0,
        workgroupAccesses: (tile / 4) * 8 * 8 * 8,
      }),
    );
  }
  for (let first = 0; first < keysPerStep; first += 16) {
    const values = rect(key + first, key + first + 16, 0, width);
    const held: readonly TileHeld[] = [
      {
        variable: 'left_tile',
        tensor: 'scores',
        plane,
        rect: rect(query, query + tile, key, key + keysPerStep),
        bytes: tile * keysPerStep * 4,
      },
      { variable: 'right_tile', tensor: 'v', plane, rect: values, bytes: 16 * width * 4 },
    ];
    steps.push(
      step(places, sites.v, {
        phase: key / keysPerStep,
        accesses: [access('v', 'read', plane, values, sites.v)],
        held,
      }),
      step(places, sites.values, {
        phase: key / keysPerStep,
        kind: 'compute',
        held,
        deviceAccesses: 0,
        workgroupAccesses: (tile / 4) * 8 * 4 * 12,
      }),
    );
  }
  return steps;
}

function maskedPairs(query: number, key: number): number {
  let masked = 0;
  for (let i = query; i < query + tile; i++) masked += Math.min(keysPerStep, Math.max(0, key + keysPerStep - 1 - i));
  return masked;
}

function storeStep(places: Places, sites: AttendSites, plane: number, query: number): ScheduleStep {
  return step(places, sites.o, {
    kind: 'store',
    barrier: false,
    accesses: [access('o', 'write', plane, rect(query, query + tile, 0, width), sites.o)],
    workgroupAccesses: 0,
  });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Cells of a causal mask of which the queries in `traced` were followed; `reach` says what became of a pair. */
function coverage(
  seqlen: number,
  traced: readonly { readonly plane: number; readonly query: number }[],
  reach: (query: number, key: number) => 'once' | 'throughState' | 'wasted' | 'outside' | 'doubled' | 'missed',
  sentence: string,
  balance: Coverage['balance'],
): Coverage {
  const cell = Math.ceil(seqlen / 256);
  const side = Math.ceil(seqlen / cell);
  const totals = { required: 0, once: 0, throughState: 0, doubled: 0, missed: 0, wasted: 0 };
  const planes = [...new Set(traced.map(({ plane }) => plane))].map((plane) => {
    const cells = new Uint8Array(side * side).fill(cellStates.untraced);
    for (const { query: first } of traced.filter((item) => item.plane === plane)) {
      for (let query = first; query < first + tile; query++) {
        for (let key = 0; key < seqlen; key++) {
          const found = reach(query, key);
          if (found !== 'outside') totals[found]++;
          if (found !== 'outside' && found !== 'wasted') totals.required++;
          const at = Math.floor(query / cell) * side + Math.floor(key / cell);
          const state = cellStates[found];
          if (query % cell === 0 || cells[at]! < state) cells[at] = state;
        }
      }
    }
    return { plane, batch: 0, head: plane, cells: base64(cells) };
  });
  return {
    queries: seqlen,
    keys: seqlen,
    planes,
    cellQueries: cell,
    cellKeys: cell,
    totals,
    firstMissed: totals.missed > 0 ? { plane: traced[0]!.plane, query: traced[0]!.query, key: 96 } : null,
    firstDoubled: null,
    balance,
    complete: false,
    sentence,
  };
}

function traffic(
  name: string,
  role: TensorTraffic['role'],
  bytes: number,
  rest: Partial<TensorTraffic>,
): TensorTraffic {
  const read = rest.readBytes ?? 0;
  const written = rest.writtenBytes ?? 0;
  return {
    name,
    variable: name,
    role,
    compulsoryBytes: role === 'input' || role === 'output' ? bytes : 0,
    readBytes: 0,
    writtenBytes: 0,
    atomicBytes: 0,
    transferredReadBytes: read,
    transferredWrittenBytes: written,
    linesRead: read / 128,
    linesWritten: written / 128,
    rereadFactor: read > 0 ? read / bytes : 1,
    coalescing: 1,
    stagedBytes: role === 'input' ? read : 0,
    ...rest,
  };
}

function lineTraffic(places: Places, site: number, rest: Partial<LineTraffic>): LineTraffic {
  const { span, line, variable, space, kind, pass } = places.sites[site]!;
  const requestedBytes = rest.requestedBytes ?? 0;
  return {
    line,
    text: places.textOf(line),
    span,
    pass,
    variable,
    space,
    kind,
    accesses: requestedBytes / 16,
    requestedBytes,
    transferredBytes: requestedBytes,
    efficiency: 1,
    bankConflict: space === 'workgroup' ? 1 : null,
    timesCompulsory: null,
    ...rest,
  };
}

function heat(tensor: string, head: number, rows: number, reads: (bin: number) => number): ReadHeat {
  const bins = 32;
  return {
    tensor,
    plane: [
      { name: 'batch', index: 0 },
      { name: 'heads', index: head },
    ],
    rows,
    columns: width,
    binRows: rows / bins,
    binColumns: 16,
    reads: Array.from({ length: bins * 4 }, (_, i) => reads(Math.floor(i / 4))),
  };
}

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
    return { pass: 0, workgroup, steps: numbered(steps), merged: false };
  });
  const schedule: Schedule = {
    tensors: tensors(seqlen, [
      {
        name: 'lse',
        role: 'output',
        dims: [
          { name: 'batch', size: 1 },
          { name: 'heads', size: heads },
          { name: 'seqlen', size: seqlen },
        ],
        rows: seqlen,
        columns: 1,
      },
    ]),
    score: { rows: seqlen, columns: seqlen, planes: heads },
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
        : 'Every pair of the causal mask is computed once; 5 % of the computed pairs are masked.',
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

/** Lightning Attention-2 at 2048 tokens: three passes, the state between chunks, scaled up. */
export function lightningTrace(): TraceReport {
  const seqlen = 2048;
  const chunk = 64;
  const chunks = seqlen / chunk;
  const places = new Places('lightning/lightning2.wgsl');
  const keySite = places.site('k[(first_row + row) * width + first_d + column]', 'fn sum_chunks', {
    variable: 'k',
    space: 'storage',
    kind: 'read',
  });
  const valueSite = places.site('v[(first_row + row) * width_v + first_e + column]', 'fn sum_chunks', {
    variable: 'v',
    space: 'storage',
    kind: 'read',
  });
  const sumSite = places.site('sums[8u * a + 2u * t]', 'fn sum_chunks', {
    variable: 'value_tile',
    space: 'workgroup',
    kind: 'read',
  });
  const sumStore = places.site('states[(state + d) * width_v + column]', 'fn sum_chunks', {
    variable: 'states',
    space: 'storage',
    kind: 'write',
  });
  const scanRead = places.site('states[first + (chunk + n) * size]', 'fn scan_states', {
    variable: 'states',
    space: 'storage',
    kind: 'read',
    pass: 1,
  });
  const scanWrite = places.site('states[first + (chunk + n) * size] = state', 'fn scan_states', {
    variable: 'states',
    space: 'storage',
    kind: 'write',
    pass: 1,
  });
  const stateSite = places.site('states[(state_row + d) * width + column]', 'fn load_state', {
    variable: 'states',
    space: 'storage',
    kind: 'read',
    pass: 2,
  });
  const sites = attendSites(places, 2);
  const ids: readonly Id[] = [
    [0, 0, 0],
    [16, 4, 0],
    [31, 7, 0],
  ];
  const sums = ids.map(([x, plane]): WorkgroupSchedule => {
    const steps: ScheduleStep[] = [];
    for (let row = x * chunk; row < (x + 1) * chunk; row += 16) {
      const rows = rect(row, row + 16, 0, width);
      const held: readonly TileHeld[] = [
        { variable: 'key_tile', tensor: 'k', plane, rect: rows, bytes: 4 * kibi },
        { variable: 'value_tile', tensor: 'v', plane, rect: rows, bytes: 4 * kibi },
      ];
      steps.push(
        step(places, keySite, {
          accesses: [access('k', 'read', plane, rows, keySite), access('v', 'read', plane, rows, valueSite)],
          held,
        }),
        step(places, sumSite, {
          kind: 'compute',
          held,
          deviceAccesses: 0,
          workgroupAccesses: 64 * 16 * 4,
          states: [{ mode: 'update', plane, keys: { from: row, to: row + 16 } }],
        }),
      );
    }
    steps.push(
      step(places, sumStore, {
        kind: 'store',
        barrier: false,
        accesses: [access('states', 'write', plane * chunks + x, rect(0, width, 0, width), sumStore)],
        workgroupAccesses: 0,
      }),
    );
    return { pass: 0, workgroup: [x, plane, 0], steps: numbered(steps), merged: false };
  });
  const scanIds: readonly Id[] = [
    [0, 0, 0],
    [2, 4, 0],
    [3, 7, 0],
  ];
  const scans = scanIds.map(([x, plane]): WorkgroupSchedule => {
    const steps = Array.from({ length: chunks }, (_, i) =>
      step(places, scanRead, {
        kind: 'mixed',
        barrier: false,
        phase: i,
        accesses: [
          access('states', 'read', plane * chunks + i, rect(x * 16, x * 16 + 16, 0, width), scanRead),
          access('states', 'write', plane * chunks + i, rect(x * 16, x * 16 + 16, 0, width), scanWrite),
        ],
        states: [{ mode: 'update', plane, keys: { from: 0, to: (i + 1) * chunk } }],
      }),
    );
    return { pass: 1, workgroup: [x, plane, 0], steps, merged: false };
  });
  const attends = ids.map(([x, plane]): WorkgroupSchedule => {
    const query = x * tile;
    const steps: ScheduleStep[] = [];
    for (let block = 0; block < 4; block++) {
      const queries = rect(query, query + tile, Math.floor(block / 2) * slice, Math.floor(block / 2) * slice + slice);
      const rows = rect(block * 16, block * 16 + 16, 0, width);
      const held: readonly TileHeld[] = [
        { variable: 'left_tile', tensor: 'q', plane, rect: queries, bytes: 8 * kibi },
        { variable: 'right_tile', tensor: 'states', plane: plane * chunks + x, rect: rows, bytes: 4 * kibi },
      ];
      const reads = [access('states', 'read', plane * chunks + x, rows, stateSite)];
      if (block % 2 === 0) reads.unshift(access('q', 'read', plane, queries, sites.q));
      steps.push(
        step(places, stateSite, { accesses: reads, held }),
        step(places, sites.values, {
          kind: 'compute',
          held,
          deviceAccesses: 0,
          workgroupAccesses: (tile / 4) * 8 * 4 * 12,
          scores: x > 0 ? [{ by: 'state', plane, rect: rect(query, query + tile, 0, x * chunk), masked: 0 }] : [],
          states: [{ mode: 'read', plane, keys: { from: 0, to: x * chunk } }],
        }),
      );
    }
    for (let key = query; key < query + tile; key += keysPerStep)
      steps.push(...keySteps(places, sites, plane, query, key));
    steps.push(storeStep(places, sites, plane, query));
    return { pass: 2, workgroup: [x, plane, 0], steps: numbered(steps), merged: false };
  });
  const plane = [
    { name: 'batch', size: 1 },
    { name: 'heads', size: heads },
  ];
  const square = [
    { name: 'headDim', size: width },
    { name: 'headDimV', size: width },
  ];
  const tensorBytes = heads * seqlen * width * 4;
  const stateBytes = heads * chunks * width * width * 4;
  const compulsory = 4 * tensorBytes + 2 * heads * width * width * 4 + heads * 4;
  const requested = 2 * tensorBytes + 4 * tensorBytes + 2 * tensorBytes + 4 * stateBytes + tensorBytes;
  return {
    hash: '3f2ac81e90b7d455',
    kernel: 'lightning2.wgsl',
    mechanism: 'lightning-attention',
    direction: 'forward',
    shape: { batch: 1, heads, seqlen, headDim: width, headDimV: width },
    options: { slopeKind: 'alibi', layer: 0, layers: 24, scale: 1 },
    subgroupSize: 32,
    passes: [
      {
        entry: 'sum_chunks',
        workgroups: [chunks, heads, 1],
        workgroupSize: [8, 8, 1],
        workgroupBytes: 8 * kibi,
        traced: ids,
        executed: 256,
      },
      {
        entry: 'scan_states',
        workgroups: [4, heads, 1],
        workgroupSize: [64, 1, 1],
        workgroupBytes: 0,
        traced: scanIds,
        executed: 32,
      },
      {
        entry: 'attend',
        workgroups: [chunks, heads, 1],
        workgroupSize: [8, 16, 1],
        workgroupBytes: 14_592,
        traced: ids,
        executed: 64,
      },
    ],
    exact: false,
    sentence: 'Of pass attend 64 of 256 workgroups ran; its counts are scaled up by 4.',
    schedule: {
      tensors: tensors(seqlen, [
        { name: 'slopes', role: 'input', dims: [{ name: 'heads', size: heads }], rows: heads, columns: 1 },
        { name: 's0', role: 'input', dims: [...plane, ...square], rows: width, columns: width },
        { name: 's', role: 'output', dims: [...plane, ...square], rows: width, columns: width },
        {
          name: 'states',
          role: 'scratch',
          dims: [...plane, { name: 'chunks', size: chunks }, ...square],
          rows: width,
          columns: width,
        },
      ]),
      score: { rows: seqlen, columns: seqlen, planes: heads },
      sites: places.sites,
      workgroups: [...sums, ...scans, ...attends],
      sentence:
        'Each workgroup of attend owns 64 queries: everything before their chunk of 64 tokens comes through the state, the chunk itself by the left product, 32 keys a step.',
    },
    coverage: coverage(
      seqlen,
      ids.map(([x, head]) => ({ plane: head, query: x * tile })),
      (query, key) => {
        const begin = Math.floor(query / chunk) * chunk;
        if (key < begin) return 'throughState';
        if (key <= query) return 'once';
        return key < begin + chunk ? 'wasted' : 'outside';
      },
      'Every pair of the causal mask is reached once: 3.1 % by the left product, 96.9 % through the state; 49 % of the computed pairs are masked.',
      Array.from({ length: 64 }, (_, i) => ({
        pass: 2,
        workgroup: [i % 32, Math.floor(i / 32), 0] as const,
        accesses: 42_000 + (i % 2),
        pairs: tile * tile,
      })),
    ),
    ledger: {
      tensors: [
        traffic('q', 'input', tensorBytes, { readBytes: 3 * tensorBytes }),
        traffic('k', 'input', tensorBytes, { readBytes: 2 * tensorBytes }),
        traffic('v', 'input', tensorBytes, { readBytes: 2 * tensorBytes }),
        traffic('slopes', 'input', heads * 4, { readBytes: 300 * kibi, stagedBytes: 0, coalescing: 0.125 }),
        traffic('s0', 'input', heads * width * width * 4, { readBytes: heads * width * width * 4, stagedBytes: 0 }),
        traffic('o', 'output', tensorBytes, { writtenBytes: tensorBytes }),
        traffic('s', 'output', heads * width * width * 4, { writtenBytes: heads * width * width * 4 }),
        traffic('states', 'scratch', stateBytes, {
          readBytes: 2 * stateBytes,
          writtenBytes: 2 * stateBytes,
          stagedBytes: stateBytes,
        }),
      ],
      lines: [
        lineTraffic(places, sites.q, { requestedBytes: 3 * tensorBytes, timesCompulsory: 3 }),
        lineTraffic(places, sites.k, { requestedBytes: tensorBytes, timesCompulsory: 1 }),
        lineTraffic(places, sites.v, { requestedBytes: tensorBytes, timesCompulsory: 1 }),
        lineTraffic(places, keySite, { requestedBytes: tensorBytes, timesCompulsory: 1 }),
        lineTraffic(places, valueSite, { requestedBytes: tensorBytes, timesCompulsory: 1 }),
        lineTraffic(places, sumStore, { requestedBytes: stateBytes }),
        lineTraffic(places, scanRead, { requestedBytes: stateBytes }),
        lineTraffic(places, stateSite, { requestedBytes: stateBytes }),
        lineTraffic(places, sites.o, { requestedBytes: tensorBytes, timesCompulsory: 1 }),
        lineTraffic(places, sites.scores, { requestedBytes: 12 * tensorBytes }),
        lineTraffic(places, sites.values, { requestedBytes: 16 * tensorBytes }),
      ],
      workgroup: {
        capacityBytes: 14_592,
        readBytes: 28 * tensorBytes,
        writtenBytes: 9 * tensorBytes,
        bankConflict: 1,
        byVariable: [
          { variable: 'left_tile', readBytes: 12 * tensorBytes, writtenBytes: 4 * tensorBytes },
          { variable: 'right_tile', readBytes: 12 * tensorBytes, writtenBytes: 4 * tensorBytes },
          { variable: 'value_tile', readBytes: 2 * tensorBytes, writtenBytes: 0.5 * tensorBytes },
          { variable: 'key_tile', readBytes: 2 * tensorBytes, writtenBytes: 0.5 * tensorBytes },
        ],
      },
      totals: {
        compulsoryBytes: compulsory,
        requestedBytes: requested,
        transferredBytes: requested,
        flops: 9.4e8,
        intensity: {
          compulsory: 9.4e8 / compulsory,
          requested: 9.4e8 / requested,
          transferred: 9.4e8 / requested,
          workgroup: 9.4e8 / (37 * tensorBytes),
        },
      },
      findings: [
        {
          code: 'scratch-traffic',
          severity: 'info',
          message: 'The scratch buffer states moves 16.0 MiB, a quarter of all that the kernel asks for.',
          remedy: 'A larger CHUNK makes fewer states.',
          span: places.sites[scanRead]!.span,
          bytes: 4 * stateBytes,
        },
      ],
      sentence:
        'The kernel asks for 3.2 times the bytes it must move; the states between its passes are a third of that.',
      scaling: null,
      heat: [heat('q', 0, seqlen, () => 3), heat('k', 0, seqlen, () => 2)],
    },
    accesses: 41_231_104,
    elapsedMs: 1630,
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
