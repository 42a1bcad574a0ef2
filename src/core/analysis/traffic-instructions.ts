import type { WorkgroupLog } from '../simulator/trace.js';
import { orderSegments, segmentEnd } from './segment-order.js';

/** The accesses that the lanes of one subgroup make together, in the order of their lanes. Read it, do not keep it. */
export interface Instruction {
  readonly site: number;
  /** Accesses [from, to) of `addresses` and `lanes`. */
  readonly from: number;
  readonly to: number;
  /** Byte addresses in the site's variable. */
  readonly addresses: Uint32Array;
  /** Index of the invocation in its subgroup. */
  readonly lanes: Uint8Array;
}

/**
 * Puts the accesses of a workgroup together to the instructions of its subgroups: the n-th time that the lanes of a
 * subgroup come by a site within an epoch and phase is one instruction. Invocations belong to subgroups in the order of
 * their local index. Calls `visit` once for each instruction, for those of one site in the order of subgroup, epoch, phase
 * and n; sites for which `wanted` is 0 are left out.
 */
export function forEachInstruction(
  log: WorkgroupLog,
  wanted: Uint8Array,
  subgroupSize: number,
  visit: (instruction: Instruction) => void,
): void {
  const { segments, segmentInvocation, segmentEpoch, segmentPhase } = log;
  const laneOf = new Uint16Array(segments);
  const subgroupOf = new Uint16Array(segments);
  for (let segment = 0; segment < segments; segment++) {
    laneOf[segment] = segmentInvocation[segment]! % subgroupSize;
    subgroupOf[segment] = Math.floor(segmentInvocation[segment]! / subgroupSize);
  }
  const order = orderSegments(log, [laneOf, segmentPhase, segmentEpoch, subgroupOf]);
  const together = new LanesTogether(log, wanted, subgroupSize);
  const apart = new LanesApart(log, wanted, subgroupSize);
  for (let first = 0; first < segments;) {
    const segment = order[first]!;
    let last = first + 1;
    for (; last < segments; last++) {
      const other = order[last]!;
      if (
        segmentPhase[other] !== segmentPhase[segment] ||
        segmentEpoch[other] !== segmentEpoch[segment] ||
        subgroupOf[other] !== subgroupOf[segment]
      ) {
        break;
      }
    }
    const group = order.subarray(first, last);
    if (together.take(group)) together.visit(visit);
    else {
      apart.take(group);
      apart.visit(visit);
    }
    first = last;
  }
}

/** The accesses of one subgroup in one epoch and phase, all lanes of which came by the same sites in the same order. */
class LanesTogether {
  #segments: Uint32Array = new Uint32Array(0);
  /** Segments of each lane: more than one where operations of the subgroup part them. */
  #pieces = 0;
  readonly #lanes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #addresses: Uint32Array;
  #count = 0;

  constructor(
    readonly log: WorkgroupLog,
    readonly wanted: Uint8Array,
    readonly subgroupSize: number,
  ) {
    this.#lanes = new Uint8Array(subgroupSize);
    this.#starts = new Uint32Array(subgroupSize);
    this.#addresses = new Uint32Array(subgroupSize);
  }

  /** Takes the accesses of `segments`, which must be in the order of their lanes; false if the lanes part ways. */
  take(segments: Uint32Array): boolean {
    const { segmentInvocation } = this.log;
    let pieces = 1;
    while (pieces < segments.length && segmentInvocation[segments[pieces]!] === segmentInvocation[segments[0]!])
      pieces++;
    if (segments.length % pieces !== 0) return false;
    this.#segments = segments;
    this.#pieces = pieces;
    this.#count = segments.length / pieces;
    for (let piece = 0; piece < pieces; piece++) if (!this.#isAlike(piece)) return false;
    for (let lane = 0; lane < this.#count; lane++) {
      this.#lanes[lane] = segmentInvocation[segments[lane * pieces]!]! % this.subgroupSize;
    }
    return true;
  }

  /** Whether this piece of each lane is its own, of as many as the first lane has, and all came by the same sites. */
  #isAlike(piece: number): boolean {
    const { log } = this;
    const { site: sites, segmentStart, segmentInvocation } = log;
    const segments = this.#segments;
    const start = segmentStart[segments[piece]!]!;
    const length = segmentEnd(log, segments[piece]!) - start;
    for (let lane = 1; lane < this.#count; lane++) {
      const first = segments[lane * this.#pieces]!;
      const before = segments[(lane - 1) * this.#pieces]!;
      if (segmentInvocation[first] === segmentInvocation[before]) return false;
      const segment = segments[lane * this.#pieces + piece]!;
      if (segmentInvocation[segment] !== segmentInvocation[first]) return false;
      const shift = segmentStart[segment]! - start;
      if (segmentEnd(log, segment) !== start + shift + length) return false;
      for (let access = start; access < start + length; access++) {
        if (sites[access] !== sites[access + shift]) return false;
      }
    }
    return true;
  }

  visit(visit: (instruction: Instruction) => void): void {
    const { log, wanted } = this;
    const { site: sites, address, segmentStart } = log;
    const starts = this.#starts;
    const addresses = this.#addresses;
    const count = this.#count;
    const instruction = { site: 0, from: 0, to: count, addresses, lanes: this.#lanes };
    for (let piece = 0; piece < this.#pieces; piece++) {
      for (let lane = 0; lane < count; lane++) {
        starts[lane] = segmentStart[this.#segments[lane * this.#pieces + piece]!]!;
      }
      const length = segmentEnd(log, this.#segments[piece]!) - starts[0]!;
      for (let access = 0; access < length; access++) {
        const site = sites[starts[0]! + access]!;
        if (wanted[site] === 0) continue;
        for (let lane = 0; lane < count; lane++) addresses[lane] = address[starts[lane]! + access]!;
        instruction.site = site;
        visit(instruction);
      }
    }
  }
}

/** The same for lanes that part ways: sorted by site and occurrence with a counting sort. */
class LanesApart {
  /** By site: times round it so far in the current lane, and the lane (as a running number) that holds for. */
  readonly #occurrences: Uint32Array;
  readonly #lane: Uint32Array;
  /** By site: most times any lane came by, first bucket, and the group (as a running number) that holds for. */
  readonly #most: Uint32Array;
  readonly #bucket: Uint32Array;
  readonly #group: Uint32Array;
  #lanesSeen = 0;
  #groupsSeen = 0;
  #sites: number[] = [];
  /** By access of the group that counts: which one of the log it is, its lane and occurrence. */
  #accesses = new Uint32Array(0);
  #laneOf = new Uint8Array(0);
  #occurrence = new Uint32Array(0);
  /** Then sorted ones. */
  #addresses = new Uint32Array(0);
  #lanes = new Uint8Array(0);
  #ends = new Uint32Array(1);

  constructor(
    readonly log: WorkgroupLog,
    readonly wanted: Uint8Array,
    readonly subgroupSize: number,
  ) {
    const sites = wanted.length;
    this.#occurrences = new Uint32Array(sites);
    this.#lane = new Uint32Array(sites);
    this.#most = new Uint32Array(sites);
    this.#bucket = new Uint32Array(sites);
    this.#group = new Uint32Array(sites);
  }

  /** Takes the accesses of `segments`, which must be in the order of their lanes. */
  take(segments: Uint32Array): void {
    this.#makeRoom(segments);
    const taken = this.#number(segments);
    let buckets = 0;
    for (const site of this.#sites) {
      this.#bucket[site] = buckets;
      buckets += this.#most[site]!;
    }
    this.#sort(taken, buckets);
  }

  #makeRoom(segments: Uint32Array): void {
    let accesses = 0;
    for (const segment of segments) accesses += segmentEnd(this.log, segment) - this.log.segmentStart[segment]!;
    if (this.#accesses.length >= accesses) return;
    const size = Math.max(accesses, 2 * this.#accesses.length);
    this.#accesses = new Uint32Array(size);
    this.#laneOf = new Uint8Array(size);
    this.#occurrence = new Uint32Array(size);
    this.#addresses = new Uint32Array(size);
    this.#lanes = new Uint8Array(size);
  }

  /** Gives each access its occurrence, and each site the most of any lane. Returns how many accesses count. */
  #number(segments: Uint32Array): number {
    const { wanted, subgroupSize } = this;
    const { site: sites, segmentStart, segmentInvocation } = this.log;
    const occurrences = this.#occurrences;
    const lanes = this.#lane;
    const most = this.#most;
    this.#groupsSeen++;
    this.#sites = [];
    let taken = 0;
    let invocation = -1;
    for (const segment of segments) {
      if (segmentInvocation[segment] !== invocation) {
        invocation = segmentInvocation[segment]!;
        this.#lanesSeen++;
      }
      const lane = this.#lanesSeen;
      const to = segmentEnd(this.log, segment);
      for (let access = segmentStart[segment]!; access < to; access++) {
        const site = sites[access]!;
        if (wanted[site] === 0) continue;
        if (lanes[site] !== lane) {
          lanes[site] = lane;
          occurrences[site] = 0;
          if (this.#group[site] !== this.#groupsSeen) {
            this.#group[site] = this.#groupsSeen;
            most[site] = 0;
            this.#sites.push(site);
          }
        }
        const occurrence = occurrences[site]!++;
        if (occurrence >= most[site]!) most[site] = occurrence + 1;
        this.#accesses[taken] = access;
        this.#laneOf[taken] = invocation % subgroupSize;
        this.#occurrence[taken++] = occurrence;
      }
    }
    return taken;
  }

  #sort(taken: number, buckets: number): void {
    const { site: sites, address } = this.log;
    const accesses = this.#accesses;
    const occurrence = this.#occurrence;
    const bucket = this.#bucket;
    if (this.#ends.length < buckets + 1) this.#ends = new Uint32Array(2 * buckets + 1);
    const ends = this.#ends.fill(0, 0, buckets + 1);
    for (let at = 0; at < taken; at++) ends[bucket[sites[accesses[at]!]!]! + occurrence[at]! + 1]!++;
    for (let index = 1; index <= buckets; index++) ends[index]! += ends[index - 1]!;
    // ends[b] is where bucket b begins, and moves to where it ends.
    for (let at = 0; at < taken; at++) {
      const access = accesses[at]!;
      const to = ends[bucket[sites[access]!]! + occurrence[at]!]!++;
      this.#addresses[to] = address[access]!;
      this.#lanes[to] = this.#laneOf[at]!;
    }
  }

  visit(visit: (instruction: Instruction) => void): void {
    const instruction = { site: 0, from: 0, to: 0, addresses: this.#addresses, lanes: this.#lanes };
    for (const site of this.#sites) {
      for (let occurrence = 0; occurrence < this.#most[site]!; occurrence++) {
        instruction.site = site;
        instruction.from = instruction.to;
        instruction.to = this.#ends[this.#bucket[site]! + occurrence]!;
        visit(instruction);
      }
    }
  }
}
