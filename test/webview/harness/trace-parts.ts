import { readFileSync } from 'node:fs';
import { cellStates, type Coverage } from '../../../src/core/analysis/coverage.js';
import type { LineTraffic, ReadHeat, TensorTraffic } from '../../../src/core/analysis/ledger.js';
import type {
  Rect,
  ScheduleSite,
  ScheduleStep,
  ScheduleTensor,
  TensorPart,
  TileAccess,
  TileHeld,
} from '../../../src/core/analysis/schedule.js';

/** Parts of traces as the tiling of built-in kernels makes them, worked out without a simulation. */

export const heads = 8;
export const width = 64;
export const tile = 64;
export const keysPerStep = 32;
export const slice = 32;
export const kibi = 1024;

export type Id = readonly [number, number, number];

/** A kernel's text, with the places that the schedule refers to. */
export class Places {
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

export function rect(row0: number, row1: number, column0: number, column1: number): Rect {
  return { row0, row1, column0, column1 };
}

export function tensors(seqlen: number, more: readonly ScheduleTensor[]): readonly ScheduleTensor[] {
  const of = (name: string, role: ScheduleTensor['role'], part: TensorPart): ScheduleTensor => ({
    name,
    role,
    parts: [part],
    planeDims: [
      { name: 'batch', size: 1 },
      { name: 'heads', size: heads },
    ],
    rows: seqlen,
    columns: width,
    pageRows: null,
  });
  return [
    of('q', 'input', 'query'),
    of('k', 'input', 'key'),
    of('v', 'input', 'value'),
    of('o', 'output', 'output'),
    ...more,
  ];
}

/** Accesses of one step of a kernel like flash: reads of tiles, with the work they are for. */
export function step(places: Places, site: number, rest: Partial<ScheduleStep>): ScheduleStep {
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

export function access(tensor: string, mode: TileAccess['mode'], plane: number, area: Rect, site: number): TileAccess {
  const bytes = (area.row1 - area.row0) * (area.column1 - area.column0) * 4;
  return { tensor, mode, plane, rect: area, bytes, density: 1, sites: [site] };
}

export function numbered(steps: readonly ScheduleStep[]): readonly ScheduleStep[] {
  let epoch = 0;
  return steps.map((item) => ({ ...item, epoch: item.barrier ? epoch++ : epoch }));
}

export interface AttendSites {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly o: number;
  readonly scores: number;
  readonly values: number;
}

export function attendSites(places: Places, pass: number): AttendSites {
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
export function keySteps(
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

export function maskedPairs(query: number, key: number): number {
  let masked = 0;
  for (let i = query; i < query + tile; i++) masked += Math.min(keysPerStep, Math.max(0, key + keysPerStep - 1 - i));
  return masked;
}

export function storeStep(places: Places, sites: AttendSites, plane: number, query: number): ScheduleStep {
  return step(places, sites.o, {
    kind: 'store',
    barrier: false,
    accesses: [access('o', 'write', plane, rect(query, query + tile, 0, width), sites.o)],
    workgroupAccesses: 0,
  });
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Cells of a causal mask of which the queries in `traced` were followed; `reach` says what became of a pair. */
export function coverage(
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

export function traffic(
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

export function lineTraffic(places: Places, site: number, rest: Partial<LineTraffic>): LineTraffic {
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

export function heat(tensor: string, head: number, rows: number, reads: (bin: number) => number): ReadHeat {
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
    pageRows: null,
    reads: Array.from({ length: bins * 4 }, (_, i) => reads(Math.floor(i / 4))),
  };
}
