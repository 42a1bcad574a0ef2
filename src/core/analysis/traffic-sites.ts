import type { PassTrace, Simulation, Site, WorkgroupLog } from '../simulator/trace.js';
import { bankCycleBytes } from './banks.js';
import { lineBytes, sectorBytes } from './ledger.js';
import { forEachInstruction, type Instruction } from './traffic-instructions.js';
import { InstructionMeter } from './traffic-patterns.js';

/** A site that touches memory outside an invocation's own. */
export type MemorySite = Site & {
  readonly kind: 'read' | 'write' | 'atomic';
  readonly space: 'storage' | 'uniform' | 'workgroup';
};

/** What one site moves in a whole dispatch, scaled up where not all workgroups ran. */
export interface SiteTraffic {
  readonly pass: number;
  readonly site: MemorySite;
  readonly accesses: number;
  readonly requestedBytes: number;
  /** Bytes that the instructions' lanes ask for, those that several lanes of one ask for counted once. */
  readonly distinctBytes: number;
  /** Whole sectors for storage and uniforms; for workgroup memory what the banks could give in the cycles used. */
  readonly transferredBytes: number;
  /** Whole lines for storage and uniforms; 0 for workgroup memory. */
  readonly lines: number;
  /** Cycles of the banks of workgroup memory, as they are and as they would be without conflicts; else 0. */
  readonly cycles: number;
  readonly cyclesWithoutConflicts: number;
  /** Bytes from an invocation's address to its neighbour's, where most instructions agree on it; else null. */
  readonly laneStride: number | null;
  /** The largest power of two, up to 16 bytes, that every logged access consists of. */
  readonly unitBytes: number;
}

/** Whether accesses by this site count as traffic: those to an invocation's own memory do not. */
export function isMemorySite(site: Site): site is MemorySite {
  return site.kind !== 'declare' && site.space !== 'function' && site.space !== 'private';
}

/** Workgroups of a pass, run or not. */
export function workgroupsOf({ workgroups: [x, y, z] }: PassTrace): number {
  return x * y * z;
}

/**
 * Executions of a site in all workgroups. Those that were only counted stand for those that did not run: they are spread
 * evenly over them, while the logged and followed ones were chosen for other reasons and stand for themselves. Without
 * counted ones, the others must stand for all.
 */
export function scaledCount(trace: PassTrace, site: number): number {
  const { executed, counted, siteCounts } = trace;
  const all = workgroupsOf(trace);
  if (counted.workgroups === 0) return siteCounts[site]! * (all / executed);
  const known = executed - counted.workgroups;
  const sampled = counted.siteCounts[site]!;
  return siteCounts[site]! - sampled + sampled * ((all - known) / counted.workgroups);
}

/**
 * The traffic of every site that a simulation executed. Requested bytes are the counts of the executed workgroups, exact
 * where all ran; what depends on addresses is taken from the logged workgroups and scaled by the site's own count. A
 * site that no logged workgroup came by is taken to be perfectly coalesced.
 */
export function siteTraffic(simulation: Simulation): readonly SiteTraffic[] {
  return simulation.passes.flatMap((pass, index) => {
    const tally = new SiteTally(pass.sites, simulation.subgroupSize);
    const wanted = Uint8Array.from(pass.sites, (site) => (isMemorySite(site) ? 1 : 0));
    for (const log of pass.logs) tally.add(log, wanted);
    return pass.sites.flatMap((site, at) =>
      isMemorySite(site) && pass.siteCounts[at]! > 0 ? tally.traffic(index, pass, site, at) : [],
    );
  });
}

/** What the logs of one pass say about each site. */
class SiteTally {
  readonly #accesses: Float64Array;
  readonly #bytes: Float64Array;
  readonly #sectors: Float64Array;
  readonly #lines: Float64Array;
  readonly #cycles: Float64Array;
  readonly #cyclesWithoutConflicts: Float64Array;
  readonly #addressBits: Uint8Array;
  /** Majority vote over the strides between the first two lanes (Boyer and Moore). */
  readonly #stride: Float64Array;
  readonly #strideVotes: Float64Array;
  readonly #meter: InstructionMeter;

  constructor(
    sites: readonly Site[],
    readonly subgroupSize: number,
  ) {
    const { length } = sites;
    this.#meter = new InstructionMeter(sites, subgroupSize);
    this.#accesses = new Float64Array(length);
    this.#bytes = new Float64Array(length);
    this.#sectors = new Float64Array(length);
    this.#lines = new Float64Array(length);
    this.#cycles = new Float64Array(length);
    this.#cyclesWithoutConflicts = new Float64Array(length);
    this.#addressBits = new Uint8Array(length);
    this.#stride = new Float64Array(length);
    this.#strideVotes = new Float64Array(length);
  }

  add(log: WorkgroupLog, wanted: Uint8Array): void {
    forEachInstruction(log, wanted, this.subgroupSize, (instruction) => {
      this.#take(instruction);
    });
  }

  #take(instruction: Instruction): void {
    const { site, from, to } = instruction;
    this.#voteForStride(instruction);
    const cost = this.#meter.measure(instruction);
    this.#accesses[site]! += to - from;
    this.#bytes[site]! += cost.bytes;
    this.#sectors[site]! += cost.sectors;
    this.#lines[site]! += cost.lines;
    this.#cycles[site]! += cost.cycles;
    this.#cyclesWithoutConflicts[site]! += cost.cyclesWithoutConflicts;
    this.#addressBits[site]! |= cost.addressBits;
  }

  #voteForStride({ site: at, from, to, addresses, lanes }: Instruction): void {
    if (to - from < 2 || lanes[from + 1] !== lanes[from]! + 1) return;
    const stride = addresses[from + 1]! - addresses[from]!;
    if (this.#strideVotes[at] === 0) this.#stride[at] = stride;
    this.#strideVotes[at]! += stride === this.#stride[at] ? 1 : -1;
  }

  traffic(pass: number, trace: PassTrace, site: MemorySite, at: number): SiteTraffic {
    const accesses = scaledCount(trace, at);
    const requestedBytes = accesses * site.bytes;
    const logged = this.#accesses[at]!;
    const inWorkgroup = site.space === 'workgroup';
    const bits = 16 | site.bytes | this.#addressBits[at]!;
    const known = { pass, site, accesses, requestedBytes, unitBytes: bits & -bits };
    if (logged === 0) {
      const cycles = inWorkgroup ? requestedBytes / bankCycleBytes : 0;
      return {
        ...known,
        distinctBytes: requestedBytes,
        transferredBytes: requestedBytes,
        lines: inWorkgroup ? 0 : requestedBytes / lineBytes,
        cycles,
        cyclesWithoutConflicts: cycles,
        laneStride: null,
      };
    }
    const scale = accesses / logged;
    return {
      ...known,
      distinctBytes: this.#bytes[at]! * scale,
      transferredBytes: (inWorkgroup ? this.#cycles[at]! * bankCycleBytes : this.#sectors[at]! * sectorBytes) * scale,
      lines: inWorkgroup ? 0 : this.#lines[at]! * scale,
      cycles: this.#cycles[at]! * scale,
      cyclesWithoutConflicts: this.#cyclesWithoutConflicts[at]! * scale,
      laneStride: this.#strideVotes[at]! > 0 ? this.#stride[at]! : null,
    };
  }
}
