import type { PassTrace, WorkgroupLog } from '../simulator/trace.js';
import { granuleCount, siteKinds, type SiteTable } from './hazard-sites.js';

/** Reads, at one site, of bytes that nobody has written since they came to be. */
export interface UnwrittenRead {
  readonly kind: 'workgroup' | 'variable' | 'loop-variable';
  readonly site: number;
  /** Index among the table's variables, and the first such byte. */
  readonly variable: number;
  readonly byte: number;
  readonly log: number;
  readonly invocation: number;
  readonly epoch: number;
  readonly count: number;
}

type MutableRead = { -readonly [K in keyof UnwrittenRead]: UnwrittenRead[K] };

/** Unwritten reads by site and kind. */
class ReadList {
  private readonly reads = new Map<string, MutableRead>();

  add(read: Omit<UnwrittenRead, 'count'>): void {
    const key = `${read.kind} ${read.site}`;
    const known = this.reads.get(key);
    if (known) known.count++;
    else this.reads.set(key, { ...read, count: 1 });
  }

  get found(): readonly UnwrittenRead[] {
    return [...this.reads.values()];
  }
}

/** A read of unwritten workgroup memory, to be judged when the epoch is over. */
interface Candidate {
  readonly site: number;
  readonly variable: number;
  readonly granule: number;
  readonly invocation: number;
}

/**
 * Plain reads of workgroup memory that no invocation of the workgroup has written before. Where another invocation
 * writes the bytes between the same two barriers it is a race, and not told here.
 */
export function unwrittenWorkgroupReads(pass: PassTrace, table: SiteTable): readonly UnwrittenRead[] {
  const isWorkgroup = table.variables.map(({ space }) => space === 'workgroup');
  if (!isWorkgroup.includes(true)) return [];
  const memories = table.variables.map(({ extent, shift }, index) =>
    isWorkgroup[index] ? new WrittenBy(granuleCount({ extent, shift })) : null,
  );
  const list = new ReadList();
  pass.logs.forEach((log, logIndex) => {
    for (const memory of memories) memory?.clear();
    scanWorkgroup(log, logIndex, table, memories, list);
  });
  return list.found;
}

/**
 * Who has written each granule first: nobody (0), invocation + 1, or several (-1) where somebody asks for it meanwhile.
 * `asked`: it was read in this epoch before anybody had written it.
 */
class WrittenBy {
  readonly writer: Int32Array;
  readonly asked: Uint8Array;
  constructor(granules: number) {
    this.writer = new Int32Array(granules);
    this.asked = new Uint8Array(granules);
  }
  clear(): void {
    this.writer.fill(0);
    this.asked.fill(0);
  }
}

function scanWorkgroup(
  log: WorkgroupLog,
  logIndex: number,
  table: SiteTable,
  memories: readonly (WrittenBy | null)[],
  list: ReadList,
): void {
  let candidates: Candidate[] = [];
  let epoch = 0;
  const judge = (): void => {
    for (const { site, variable, granule, invocation } of candidates) {
      const memory = memories[variable]!;
      memory.asked[granule] = 0;
      const writer = memory.writer[granule]!;
      if (writer !== 0 && writer !== invocation + 1) continue;
      const byte = granule << table.variables[variable]!.shift;
      list.add({ kind: 'workgroup', site, variable, byte, log: logIndex, invocation, epoch });
    }
    candidates = [];
  };
  const { site, address, segmentStart, segmentInvocation, segmentEpoch, segments, count } = log;
  for (let s = 0; s < segments; s++) {
    if (segmentEpoch[s] !== epoch) {
      judge();
      epoch = segmentEpoch[s]!;
    }
    const invocation = segmentInvocation[s]!;
    const end = s + 1 < segments ? segmentStart[s + 1]! : count;
    for (let at = segmentStart[s]!; at < end; at++) {
      const here = site[at]!;
      const variable = table.variable[here]!;
      const memory = memories[variable];
      if (!memory) continue;
      const shift = table.variables[variable]!.shift;
      const last = (address[at]! + table.bytes[here]! - 1) >>> shift;
      for (let granule = address[at]! >>> shift; granule <= last; granule++) {
        const writer = memory.writer[granule]!;
        if (table.kind[here] !== siteKinds.read) {
          if (writer === 0) memory.writer[granule] = invocation + 1;
          else if (memory.asked[granule] === 1 && writer !== invocation + 1) memory.writer[granule] = -1;
        } else if (writer !== 0) continue;
        else if (memory.asked[granule] === 0) {
          memory.asked[granule] = 1;
          candidates.push({ site: here, variable, granule, invocation });
        }
      }
    }
  }
  judge();
}

/** Lives of one variable of functions, or of a private one, in each invocation of a workgroup. */
class Lives {
  /** Lives begun so far: the variable's declaration was come by so many times. */
  readonly life: Int32Array;
  /** The life in which each granule was last written, by granule and then invocation. */
  readonly written: Int32Array;
  constructor(granules: number, invocations: number) {
    this.life = new Int32Array(invocations);
    this.written = new Int32Array(granules * invocations);
  }
  clear(): void {
    this.life.fill(0);
    this.written.fill(0);
  }
}

/**
 * Reads of variables without an initializer before anything was written to them in the same life. A life begins with
 * the declaration (`declare` sites), or with the invocation. From the second life on the bytes may still hold what an
 * earlier one left: that is a `loop-variable`, which drivers are known to get wrong. Bytes that no life has written are
 * zero in either case.
 */
export function unwrittenVariableReads(pass: PassTrace, table: SiteTable): readonly UnwrittenRead[] {
  const [x, y, z] = pass.workgroupSize;
  const invocations = x * y * z;
  const lives = table.variables.map(({ space, extent, shift }) =>
    space === 'function' || space === 'private' ? new Lives(granuleCount({ extent, shift }), invocations) : null,
  );
  if (lives.every((life) => life === null)) return [];
  const list = new ReadList();
  pass.logs.forEach((log, logIndex) => {
    for (const life of lives) life?.clear();
    scanLives(log, logIndex, table, lives, invocations, list);
  });
  return list.found;
}

function scanLives(
  log: WorkgroupLog,
  logIndex: number,
  table: SiteTable,
  lives: readonly (Lives | null)[],
  invocations: number,
  list: ReadList,
): void {
  const { site, address, segmentStart, segmentInvocation, segmentEpoch, segments, count } = log;
  for (let s = 0; s < segments; s++) {
    const invocation = segmentInvocation[s]!;
    const end = s + 1 < segments ? segmentStart[s + 1]! : count;
    for (let at = segmentStart[s]!; at < end; at++) {
      const here = site[at]!;
      const variable = table.variable[here]!;
      const own = lives[variable];
      if (!own) continue;
      const kind = table.kind[here]!;
      if (kind === siteKinds.declare) {
        own.life[invocation]!++;
        continue;
      }
      const shift = table.variables[variable]!.shift;
      const life = own.life[invocation]! || 1;
      const last = (address[at]! + table.bytes[here]! - 1) >>> shift;
      for (let granule = address[at]! >>> shift; granule <= last; granule++) {
        const place = granule * invocations + invocation;
        if (kind === siteKinds.write) own.written[place] = life;
        else if (own.written[place] !== life) {
          const stale = own.written[place] !== 0;
          const byte = granule << shift;
          const example = { site: here, variable, byte, log: logIndex, invocation, epoch: segmentEpoch[s]! };
          list.add({ kind: stale ? 'loop-variable' : 'variable', ...example });
        }
      }
    }
  }
}
