import type { WorkgroupLog } from '../simulator/trace.js';

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

/** Segments of a log in the order of subgroup, epoch, phase and lane, by index. */
function orderSegments(log: WorkgroupLog, subgroupSize: number): Uint32Array {
  const { segments } = log;
  const lane = new Uint32Array(segments);
  const subgroup = new Uint32Array(segments);
  let order = new Uint32Array(segments);
  for (let segment = 0; segment < segments; segment++) {
    const invocation = log.segmentInvocation[segment]!;
    order[segment] = segment;
    lane[segment] = invocation % subgroupSize;
    subgroup[segment] = Math.floor(invocation / subgroupSize);
  }
  // Least significant key first: each round is stable, so that it keeps the order of the rounds before.
  for (const keys of [lane, log.segmentPhase, log.segmentEpoch, subgroup]) order = stableSort(order, keys);
  return order;
}

/** Counting sort where the keys are dense enough for it; else the runtime's sort. Both keep the order of equal keys. */
function stableSort(order: Uint32Array<ArrayBuffer>, keys: Uint32Array): Uint32Array<ArrayBuffer> {
  let largest = 0;
  for (const segment of order) if (keys[segment]! > largest) largest = keys[segment]!;
  if (largest === 0) return order;
  if (largest > 4 * order.length + 1024) return Uint32Array.from([...order].sort((a, b) => keys[a]! - keys[b]!));
  const next = new Uint32Array(largest + 2);
  for (const segment of order) next[keys[segment]! + 1]!++;
  for (let value = 1; value < next.length; value++) next[value]! += next[value - 1]!;
  const sorted = new Uint32Array(order.length);
  for (const segment of order) sorted[next[keys[segment]!]!++] = segment;
  return sorted;
}

/**
 * Puts the accesses of a workgroup together to the instructions of its subgroups: the n-th time that the lanes of a
 * subgroup come by a site within an epoch and phase is one instruction. Invocations belong to subgroups in the order of
 * their local index. Calls `visit` once for each instruction; sites for which `wanted` is 0 are left out.
 */
export function forEachInstruction(
  log: WorkgroupLog,
  wanted: Uint8Array,
  subgroupSize: number,
  visit: (instruction: Instruction) => void,
): void {
  const { segments, segmentStart, segmentInvocation, segmentEpoch, segmentPhase } = log;
  const order = orderSegments(log, subgroupSize);
  const group = new InstructionGroup(log, wanted, subgroupSize);
  const subgroupOf = (segment: number): number => Math.floor(segmentInvocation[segment]! / subgroupSize);
  for (let first = 0; first < segments;) {
    const segment = order[first]!;
    let last = first;
    let accesses = 0;
    for (; last < segments; last++) {
      const other = order[last]!;
      if (
        segmentPhase[other] !== segmentPhase[segment] ||
        segmentEpoch[other] !== segmentEpoch[segment] ||
        subgroupOf(other) !== subgroupOf(segment)
      ) {
        break;
      }
      accesses += (other + 1 < segments ? segmentStart[other + 1]! : log.count) - segmentStart[other]!;
    }
    group.take(order.subarray(first, last), accesses);
    group.visit(visit);
    first = last;
  }
}

/** The accesses of one subgroup in one epoch and phase, sorted by site and occurrence with a counting sort. */
class InstructionGroup {
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
  /** By access of the group: its occurrence, then sorted ones. */
  #occurrence = new Uint32Array(0);
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

  /** Takes the accesses of `segments`, which must be in the order of their lanes and number at most `accesses`. */
  take(segments: Uint32Array, accesses: number): void {
    if (this.#occurrence.length < accesses) {
      const size = Math.max(accesses, 2 * this.#occurrence.length);
      this.#occurrence = new Uint32Array(size);
      this.#addresses = new Uint32Array(size);
      this.#lanes = new Uint8Array(size);
    }
    const taken = this.#number(segments);
    let buckets = 0;
    for (const site of this.#sites) {
      this.#bucket[site] = buckets;
      buckets += this.#most[site]!;
    }
    this.#sort(segments, taken, buckets);
  }

  /** Gives each access its occurrence, and each site the most of any lane. */
  #number(segments: Uint32Array): number {
    const { wanted } = this;
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
      const to = segment + 1 < this.log.segments ? segmentStart[segment + 1]! : this.log.count;
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
        this.#occurrence[taken++] = occurrence;
      }
    }
    return taken;
  }

  #sort(segments: Uint32Array, taken: number, buckets: number): void {
    const { wanted, subgroupSize } = this;
    const { site: sites, address, segmentStart, segmentInvocation } = this.log;
    const occurrence = this.#occurrence;
    const bucket = this.#bucket;
    if (this.#ends.length < buckets + 1) this.#ends = new Uint32Array(2 * buckets + 1);
    const ends = this.#ends.fill(0, 0, buckets + 1);
    const forEach = (place: (at: number, access: number, lane: number) => void): void => {
      let at = 0;
      for (const segment of segments) {
        const lane = segmentInvocation[segment]! % subgroupSize;
        const to = segment + 1 < this.log.segments ? segmentStart[segment + 1]! : this.log.count;
        for (let access = segmentStart[segment]!; access < to; access++) {
          if (wanted[sites[access]!] !== 0) place(at++, access, lane);
        }
      }
    };
    forEach((at, access) => ends[bucket[sites[access]!]! + occurrence[at]! + 1]!++);
    for (let index = 1; index <= buckets; index++) ends[index]! += ends[index - 1]!;
    if (ends[buckets] !== taken) throw new Error('Bug in Tilescope: accesses were lost between two counts of them.');
    // ends[b] is where bucket b begins, and moves to where it ends.
    forEach((at, access, lane) => {
      const to = ends[bucket[sites[access]!]! + occurrence[at]!]!++;
      this.#addresses[to] = address[access]!;
      this.#lanes[to] = lane;
    });
  }

  visit(visit: (instruction: Instruction) => void): void {
    const addresses = this.#addresses;
    const lanes = this.#lanes;
    let from = 0;
    for (const site of this.#sites) {
      for (let occurrence = 0; occurrence < this.#most[site]!; occurrence++) {
        const to = this.#ends[this.#bucket[site]! + occurrence]!;
        visit({ site, from, to, addresses, lanes });
        from = to;
      }
    }
  }
}
