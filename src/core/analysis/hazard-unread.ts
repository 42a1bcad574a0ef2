import type { PlannedBuffer } from '../kernel/model.js';
import type { PassTrace } from '../simulator/trace.js';
import { granuleCount, siteKinds, type SiteTable } from './hazard-sites.js';

/** A write site and how often it was executed. */
export interface WriteSite {
  readonly pass: number;
  readonly site: number;
  readonly count: number;
  /** The first workgroup that wrote here, by log, and its invocation and epoch. */
  readonly log: number;
  readonly invocation: number;
  readonly epoch: number;
}

/** The writes of a simulation to memory that nobody but the kernel sees. */
export interface WriteUse {
  /** None of the bytes they wrote was ever read before it was overwritten, or at all. */
  readonly unread: readonly WriteSite[];
  /** Some of their bytes were read. */
  readonly read: readonly { readonly pass: number; readonly site: number }[];
}

/** Which write each granule of a variable holds: the id of its site, or 0. */
interface Memory {
  readonly writer: Int32Array;
  readonly shift: number;
}

/**
 * Which writes to workgroup memory and to scratch buffers are read. Outputs are read by the host, so that they are not
 * looked at. Scratch is followed only where every workgroup of every pass was logged: another one may read it.
 */
export function useOfWrites(
  passes: readonly PassTrace[],
  tables: readonly SiteTable[],
  buffers: readonly PlannedBuffer[],
): WriteUse {
  const whole = passes.every(({ workgroups: [x, y, z], logs }) => logs.length === x * y * z);
  const scratch = scratchMemory(tables, whole ? buffers : []);
  // Ids count the sites of all passes from 1.
  const firstId = passes.map((_, pass) => 1 + passes.slice(0, pass).reduce((sum, { sites }) => sum + sites.length, 0));
  const ids = passes.reduce((sum, { sites }) => sum + sites.length, 1);
  const wasRead = new Uint8Array(ids);
  const written = new Map<number, WriteSite>();
  passes.forEach((trace, pass) => {
    const table = tables[pass]!;
    const memories = table.variables.map(({ space, extent, shift, buffer }): Memory | null => {
      if (space === 'storage') return (buffer === null ? null : scratch.get(buffer)) ?? null;
      return space === 'workgroup' ? { writer: new Int32Array(granuleCount({ extent, shift })), shift } : null;
    });
    const workgroupMemories = memories.filter((_, index) => table.variables[index]!.space === 'workgroup');
    trace.logs.forEach((log, logIndex) => {
      for (const memory of workgroupMemories) memory?.writer.fill(0);
      const { site, address, segmentStart, segmentInvocation, segmentEpoch, segments, count } = log;
      for (let s = 0; s < segments; s++) {
        const end = s + 1 < segments ? segmentStart[s + 1]! : count;
        for (let at = segmentStart[s]!; at < end; at++) {
          const here = site[at]!;
          const memory = memories[table.variable[here]!];
          if (!memory) continue;
          const id = firstId[pass]! + here;
          const kind = table.kind[here]!;
          const last = (address[at]! + table.bytes[here]! - 1) >>> memory.shift;
          for (let granule = address[at]! >>> memory.shift; granule <= last; granule++) {
            // An atomic operation reads what was there; what it leaves is its own business.
            if (kind !== siteKinds.write) wasRead[memory.writer[granule]!] = 1;
            if (kind !== siteKinds.read) memory.writer[granule] = kind === siteKinds.write ? id : 0;
          }
          if (kind === siteKinds.write && !written.has(id)) {
            const example = { log: logIndex, invocation: segmentInvocation[s]!, epoch: segmentEpoch[s]! };
            written.set(id, { pass, site: here, count: trace.siteCounts[here] ?? 0, ...example });
          }
        }
      }
    });
  });
  const all = [...written];
  return {
    unread: all.flatMap(([id, write]) => (wasRead[id] ? [] : [write])),
    read: all.flatMap(([id, { pass, site }]) => (wasRead[id] ? [{ pass, site }] : [])),
  };
}

/** The scratch buffers, by index among the plan's buffers, with one granularity for all passes. */
function scratchMemory(tables: readonly SiteTable[], buffers: readonly PlannedBuffer[]): ReadonlyMap<number, Memory> {
  const memories = new Map<number, Memory>();
  buffers.forEach(({ content, byteLength }, buffer) => {
    if (content.kind !== 'scratch') return;
    const shifts = tables.flatMap(({ variables }) => variables.filter((v) => v.buffer === buffer).map((v) => v.shift));
    const shift = Math.min(2, ...shifts);
    memories.set(buffer, { writer: new Int32Array((byteLength >>> shift) + 1), shift });
  });
  return memories;
}
