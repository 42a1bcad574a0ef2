import type { PassTrace, Site } from '../simulator/trace.js';

/** A variable that sites of one pass touch. */
export interface SiteVariable {
  readonly name: string;
  /** Its id in the program of the pass. */
  readonly id: number;
  readonly space: Site['space'];
  /** Index among the simulation's buffers, or null. */
  readonly buffer: number | null;
  /** Its bytes are looked at in granules of 1 << `shift`: the widest, up to 4, that every site moves whole. */
  readonly shift: number;
  /** One past the last byte that is touched in the logs. */
  readonly extent: number;
  /** Whether some site of the pass writes it, atomically or not. */
  readonly written: boolean;
}

/** Granules of a variable that the logs touch: none where they touch none of its bytes. */
export function granuleCount({ extent, shift }: Pick<SiteVariable, 'extent' | 'shift'>): number {
  return extent === 0 ? 0 : ((extent - 1) >>> shift) + 1;
}

/** Sites of a pass as numbers, for loops over millions of accesses. */
export interface SiteTable {
  readonly sites: readonly Site[];
  readonly kind: Uint8Array;
  readonly bytes: Uint32Array;
  /** Index of the site's variable among `variables`. */
  readonly variable: Uint16Array;
  readonly variables: readonly SiteVariable[];
}

/** The numbers of `SiteTable.kind`. */
export const siteKinds = { read: 0, write: 1, atomic: 2, declare: 3 } as const;

/** The site table of a pass. Goes once over its logs, for the extents of the variables. */
export function siteTable({ sites, logs }: PassTrace): SiteTable {
  const indices = new Map<number, number>();
  const variable = Uint16Array.from(sites, ({ variableId }) => {
    const index = indices.get(variableId) ?? indices.size;
    indices.set(variableId, index);
    return index;
  });
  const bytes = Uint32Array.from(sites, (site) => site.bytes);
  const extents = new Float64Array(indices.size);
  for (const { site, address, count } of logs) {
    for (let at = 0; at < count; at++) {
      const s = site[at]!;
      const end = address[at]! + bytes[s]!;
      if (end > extents[variable[s]!]!) extents[variable[s]!] = end;
    }
  }
  const variables = [...indices.values()].map((index): SiteVariable => {
    const own = sites.filter((_, s) => variable[s] === index);
    const first = own[0]!;
    return {
      name: first.variable,
      id: first.variableId,
      space: first.space,
      buffer: first.buffer,
      shift: Math.min(...own.map((site) => (site.bytes % 4 === 0 ? 2 : site.bytes % 2 === 0 ? 1 : 0))),
      extent: extents[index]!,
      written: own.some(({ kind }) => kind === 'write' || kind === 'atomic'),
    };
  });
  return { sites, kind: Uint8Array.from(sites, ({ kind }) => siteKinds[kind]), bytes, variable, variables };
}
