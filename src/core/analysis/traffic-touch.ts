import type { PassTrace, Simulation, WorkgroupLog } from '../simulator/trace.js';
import { segmentEnd } from './segment-order.js';
import { isMemorySite, workgroupsOf, type MemorySite, type SiteTraffic } from './traffic-sites.js';

/** Which bytes of a storage buffer one pass touches, from its logged workgroups and scaled up to all of them. */
export interface PassTouch {
  readonly pass: number;
  readonly buffer: number;
  /** Distinct bytes that each workgroup reads, summed over the workgroups. */
  readonly readPerWorkgroupBytes: number;
  /** Distinct bytes that the workgroups read together, at most the whole buffer. */
  readonly readBytes: number;
}

/** Which bytes of a storage buffer all passes touch together, at most the whole buffer. */
export interface BufferTouch {
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Reads of each unit of `unitBytes` by the logged workgroups; null where they were not asked for. */
  readonly unitBytes: number;
  readonly reads: Uint32Array | null;
}

/** Whether invocations read of a workgroup variable what others put there. Only of variables that are read at all. */
export interface WorkgroupReuse {
  readonly pass: number;
  readonly variable: string;
  readonly isShared: boolean;
}

/** What the logs say about who touches which bytes. */
export interface Touches {
  /** By buffer of the plan. */
  readonly buffers: readonly BufferTouch[];
  readonly passes: readonly PassTouch[];
  readonly workgroup: readonly WorkgroupReuse[];
  /**
   * By pass and site of a storage buffer: the part of its accesses, 0 to 1, that begin where the same invocation's access
   * before ended: a walk through neighbouring elements. 0 for other sites.
   */
  readonly walks: readonly Float64Array[];
}

interface BufferMarks {
  readonly unitShift: number;
  /** Number of the log that read or wrote each unit last; logs are numbered from 1. */
  readonly read: Uint32Array;
  readonly written: Uint32Array;
  readonly reads: Uint32Array | null;
  readUnits: number;
  writtenUnits: number;
  /** In the current pass. */
  passUnits: number;
  workgroupUnits: number;
}

/**
 * Goes through all logs in order, given what their sites move. `counted` says of which buffers the reads are counted unit
 * by unit. Where not all workgroups of a pass were logged, the bytes touched are taken to grow with their number until the
 * buffer is full.
 */
export function findTouches(
  simulation: Simulation,
  traffic: readonly SiteTraffic[],
  counted: (buffer: number) => boolean,
): Touches {
  const shifts = unitShifts(simulation, traffic);
  const marks = simulation.buffers.map(({ bytes }, buffer): BufferMarks => {
    const units = Math.ceil(bytes.byteLength / 2 ** shifts[buffer]!);
    return {
      unitShift: shifts[buffer]!,
      read: new Uint32Array(units),
      written: new Uint32Array(units),
      reads: counted(buffer) ? new Uint32Array(units) : null,
      readUnits: 0,
      writtenUnits: 0,
      passUnits: 0,
      workgroupUnits: 0,
    };
  });
  const passes: PassTouch[] = [];
  const workgroup: WorkgroupReuse[] = [];
  const walks: Float64Array[] = [];
  const growth = marks.map(() => 1);
  let logNumber = 1;
  for (const [index, pass] of simulation.passes.entries()) {
    const walk = new PassWalk(pass, marks, logNumber);
    for (const log of pass.logs) walk.take(log, logNumber++);
    const scale = pass.logs.length === 0 ? 0 : workgroupsOf(pass) / pass.logs.length;
    for (const [buffer, mark] of marks.entries()) {
      if (!pass.sites.some((site) => site.buffer === buffer)) continue;
      growth[buffer] = Math.max(growth[buffer]!, scale);
      if (mark.passUnits > 0) passes.push(passTouch(index, buffer, mark, simulation, scale));
      mark.passUnits = 0;
      mark.workgroupUnits = 0;
    }
    workgroup.push(...walk.reuse(index));
    walks.push(walk.walks());
  }
  const buffers = marks.map((mark, buffer): BufferTouch => {
    const whole = simulation.buffers[buffer]!.bytes.byteLength;
    const unitBytes = 2 ** mark.unitShift;
    const touched = (units: number): number => Math.min(whole, units * unitBytes * growth[buffer]!);
    return {
      readBytes: touched(mark.readUnits),
      writtenBytes: touched(mark.writtenUnits),
      unitBytes,
      reads: mark.reads,
    };
  });
  return { buffers, passes, workgroup, walks };
}

function passTouch(pass: number, buffer: number, mark: BufferMarks, { buffers }: Simulation, scale: number): PassTouch {
  const unitBytes = 2 ** mark.unitShift;
  return {
    pass,
    buffer,
    readPerWorkgroupBytes: mark.workgroupUnits * unitBytes * scale,
    readBytes: Math.min(buffers[buffer]!.bytes.byteLength, mark.passUnits * unitBytes * scale),
  };
}

/** Powers of two of the widest units, up to 16 bytes, that every logged access to a buffer consists of. */
function unitShifts({ buffers }: Simulation, traffic: readonly SiteTraffic[]): readonly number[] {
  const units = buffers.map(() => 16);
  for (const { site, unitBytes } of traffic) {
    if (site.buffer !== null) units[site.buffer] = Math.min(units[site.buffer]!, unitBytes);
  }
  return units.map((unit) => Math.log2(unit));
}

const actions = { none: 0, read: 1, write: 2, workgroupRead: 3, workgroupWrite: 4 } as const;

function actionOf(site: MemorySite): number {
  if (site.space === 'uniform') return actions.none;
  const reads = site.kind === 'read';
  if (site.space === 'workgroup') return reads ? actions.workgroupRead : actions.workgroupWrite;
  return reads ? actions.read : actions.write;
}

/** Walks through the logs of one pass in the order in which things happened. */
class PassWalk {
  readonly #actions: Uint8Array;
  readonly #bytes: Uint32Array;
  readonly #marks: readonly (BufferMarks | undefined)[];
  /** Where each invocation's last access by each site ended. */
  readonly #ends: Uint32Array;
  readonly #follows: Float64Array;
  readonly #accesses: Float64Array;
  /** Index of the site's variable among the pass's workgroup variables. */
  readonly #variables: Int32Array;
  readonly #names: readonly string[];
  /** By workgroup variable and word: the invocation that wrote it last, from 1. */
  readonly #writers: Uint16Array[];
  readonly #isRead: boolean[];
  readonly #isShared: boolean[];

  constructor(
    pass: PassTrace,
    marks: readonly BufferMarks[],
    /** Number of the pass's first log. */
    readonly firstLog: number,
  ) {
    const { sites, workgroupSize, workgroupBytes } = pass;
    const [x, y, z] = workgroupSize;
    this.#names = [...new Set(sites.flatMap((site) => (site.space === 'workgroup' ? site.variable : [])))];
    this.#actions = Uint8Array.from(sites, (site) => (isMemorySite(site) ? actionOf(site) : actions.none));
    this.#bytes = Uint32Array.from(sites, ({ bytes }) => bytes);
    this.#marks = sites.map(({ buffer }) => marks[buffer ?? -1]);
    this.#ends = new Uint32Array(x * y * z * sites.length);
    this.#follows = new Float64Array(sites.length);
    this.#accesses = new Float64Array(sites.length);
    this.#variables = Int32Array.from(sites, ({ variable }) => this.#names.indexOf(variable));
    this.#writers = this.#names.map(() => new Uint16Array(Math.ceil(workgroupBytes / 4)));
    this.#isRead = this.#names.map(() => false);
    this.#isShared = this.#names.map(() => false);
  }

  take(log: WorkgroupLog, logNumber: number): void {
    const { site: sites, address: addresses, segments, segmentStart, segmentInvocation } = log;
    this.#ends.fill(0);
    for (const writers of this.#writers) writers.fill(0);
    for (let segment = 0; segment < segments; segment++) {
      const invocation = segmentInvocation[segment]!;
      const to = segmentEnd(log, segment);
      for (let access = segmentStart[segment]!; access < to; access++) {
        const site = sites[access]!;
        const action = this.#actions[site]!;
        if (action === actions.none) continue;
        const address = addresses[access]!;
        if (action === actions.workgroupRead) this.#readShared(site, address, invocation + 1);
        else if (action === actions.workgroupWrite) this.#writeShared(site, address, invocation + 1);
        else {
          this.#walk(site, address, invocation);
          if (action === actions.read) this.#read(site, address, logNumber);
          else this.#write(site, address, logNumber);
        }
      }
    }
  }

  #walk(site: number, address: number, invocation: number): void {
    const last = invocation * this.#actions.length + site;
    this.#accesses[site]!++;
    // 0 is where no access can have ended.
    if (address !== 0 && this.#ends[last] === address) this.#follows[site]!++;
    this.#ends[last] = address + this.#bytes[site]!;
  }

  #read(site: number, address: number, logNumber: number): void {
    const mark = this.#marks[site];
    if (mark === undefined) return;
    const { unitShift, read, reads } = mark;
    const lastUnit = (address + this.#bytes[site]! - 1) >>> unitShift;
    for (let unit = address >>> unitShift; unit <= lastUnit; unit++) {
      if (reads) reads[unit]!++;
      const before = read[unit]!;
      if (before === logNumber) continue;
      read[unit] = logNumber;
      mark.workgroupUnits++;
      if (before < this.firstLog) mark.passUnits++;
      if (before === 0) mark.readUnits++;
    }
  }

  #write(site: number, address: number, logNumber: number): void {
    const mark = this.#marks[site];
    if (mark === undefined) return;
    const { unitShift, written } = mark;
    const lastUnit = (address + this.#bytes[site]! - 1) >>> unitShift;
    for (let unit = address >>> unitShift; unit <= lastUnit; unit++) {
      if (written[unit] === 0) mark.writtenUnits++;
      written[unit] = logNumber;
    }
  }

  #writeShared(site: number, address: number, writer: number): void {
    const writers = this.#writers[this.#variables[site]!]!;
    const lastWord = (address + this.#bytes[site]! - 1) >>> 2;
    for (let word = address >>> 2; word <= lastWord; word++) writers[word] = writer;
  }

  #readShared(site: number, address: number, reader: number): void {
    const variable = this.#variables[site]!;
    this.#isRead[variable] = true;
    if (this.#writers[variable]![address >>> 2] === reader) return;
    this.#isShared[variable] = true;
    // Nothing more is asked of the variable, whose accesses are often most of all.
    for (const [other, known] of this.#variables.entries()) {
      if (known === variable) this.#actions[other] = actions.none;
    }
  }

  /** Of each workgroup variable that is read at all, whether it is shared. */
  reuse(pass: number): readonly WorkgroupReuse[] {
    return this.#names.flatMap((variable, index) =>
      this.#isRead[index] ? { pass, variable, isShared: this.#isShared[index]! } : [],
    );
  }

  walks(): Float64Array {
    return this.#follows.map((follows, site) => (this.#accesses[site]! > 0 ? follows / this.#accesses[site]! : 0));
  }
}
