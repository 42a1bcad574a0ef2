import { barrierOrders, type PassTrace, type WorkgroupLog } from '../simulator/trace.js';
import { granuleCount, siteKinds, type SiteTable } from './hazard-sites.js';

/** Two accesses that nothing orders, at least one of which writes; the first time the two sites were seen so. */
export interface Race {
  readonly scope: 'workgroup' | 'dispatch';
  /** Barriers stand between the two, but only such as order other memory than this. */
  readonly parted: boolean;
  /** Sites of the two accesses. `first` stands first in the log, which says nothing about a GPU. */
  readonly first: number;
  readonly second: number;
  /** Invocations of the workgroup, or linear indices of the workgroups. */
  readonly firstActor: number;
  readonly secondActor: number;
  /** Index among the table's variables, and the byte where the two met. */
  readonly variable: number;
  readonly byte: number;
  /** Index among the pass's logs of the (second) workgroup, and its epoch. */
  readonly log: number;
  readonly epoch: number;
  readonly count: number;
}

/**
 * Who touched each granule of one variable last. Only what carries the current stamp counts, so that nothing is cleared
 * between epochs. Of readers two different ones are kept, which is enough to tell any writer that it is not alone.
 */
class Touches {
  private readonly writeStamp: Int32Array;
  private readonly writeActor: Int32Array;
  private readonly writeSite: Int32Array;
  private readonly readers: TwoActors;
  private readonly atomics: TwoActors;
  /** The actor that the last call found in the way. */
  conflictActor = -1;

  constructor(granules: number) {
    this.writeStamp = new Int32Array(granules);
    this.writeActor = new Int32Array(granules);
    this.writeSite = new Int32Array(granules);
    this.readers = new TwoActors(granules);
    this.atomics = new TwoActors(granules);
  }

  /** Notes an access; returns the site of another actor's access that conflicts with it, or -1. */
  touch(kind: number, granule: number, stamp: number, actor: number, site: number): number {
    let conflict = -1;
    if (this.writeStamp[granule] === stamp && this.writeActor[granule] !== actor) {
      conflict = this.writeSite[granule]!;
      this.conflictActor = this.writeActor[granule]!;
    }
    if (kind === siteKinds.read) {
      if (conflict < 0) conflict = this.meet(this.atomics, granule, stamp, actor);
      this.readers.note(granule, stamp, actor, site);
      return conflict;
    }
    if (conflict < 0) conflict = this.meet(this.readers, granule, stamp, actor);
    if (kind === siteKinds.atomic) {
      this.atomics.note(granule, stamp, actor, site);
      return conflict;
    }
    if (conflict < 0) conflict = this.meet(this.atomics, granule, stamp, actor);
    this.writeStamp[granule] = stamp;
    this.writeActor[granule] = actor;
    this.writeSite[granule] = site;
    return conflict;
  }

  private meet(others: TwoActors, granule: number, stamp: number, actor: number): number {
    const site = others.siteOfOther(granule, stamp, actor);
    if (site >= 0) this.conflictActor = others.otherActor;
    return site;
  }
}

/** The first actor of each granule under the current stamp, and the first that is another one. */
class TwoActors {
  private readonly stamp: Int32Array;
  private readonly actor1: Int32Array;
  private readonly site1: Int32Array;
  private readonly actor2: Int32Array;
  private readonly site2: Int32Array;
  otherActor = -1;

  constructor(granules: number) {
    this.stamp = new Int32Array(granules);
    this.actor1 = new Int32Array(granules);
    this.site1 = new Int32Array(granules);
    this.actor2 = new Int32Array(granules);
    this.site2 = new Int32Array(granules);
  }

  note(granule: number, stamp: number, actor: number, site: number): void {
    if (this.stamp[granule] !== stamp) {
      this.stamp[granule] = stamp;
      this.actor1[granule] = actor;
      this.site1[granule] = site;
      this.actor2[granule] = -1;
    } else if (this.actor2[granule]! < 0 && this.actor1[granule] !== actor) {
      this.actor2[granule] = actor;
      this.site2[granule] = site;
    }
  }

  /** The site of an actor other than the given one, or -1; the actor is then `otherActor`. */
  siteOfOther(granule: number, stamp: number, actor: number): number {
    if (this.stamp[granule] !== stamp) return -1;
    if (this.actor1[granule] !== actor) {
      this.otherActor = this.actor1[granule]!;
      return this.site1[granule]!;
    }
    this.otherActor = this.actor2[granule]!;
    return this.otherActor < 0 ? -1 : this.site2[granule]!;
  }
}

/** One number for two sites, whichever of them came first. */
const pairKey = (first: number, second: number): number =>
  first < second ? first * 0x10000 + second : second * 0x10000 + first;

type MutableRace = { -readonly [K in keyof Race]: Race[K] };

/** Races by pair of sites, whichever of the two came first. */
class RaceList {
  private readonly races = new Map<number, MutableRace>();
  private lastKey = -1;
  private last: MutableRace | null = null;

  /** Counts one more race between two sites that are known to race; false where they are not known yet. */
  countAgain(first: number, second: number): boolean {
    const key = pairKey(first, second);
    if (key !== this.lastKey) {
      this.lastKey = key;
      this.last = this.races.get(key) ?? null;
    }
    if (this.last) this.last.count++;
    return this.last !== null;
  }

  /** Adds a race that `countAgain` has just been asked for in vain. */
  add(race: Omit<Race, 'count'>): void {
    this.last = { ...race, count: 1 };
    this.races.set(this.lastKey, this.last);
  }

  get found(): readonly Race[] {
    return [...this.races.values()];
  }
}

/** Whether accesses to a variable can race: workgroup memory, and storage that the pass writes. */
function raceable(table: SiteTable): readonly boolean[] {
  return table.variables.map(({ space, written }) => written && (space === 'workgroup' || space === 'storage'));
}

function touchTables(table: SiteTable, wanted: readonly boolean[]): readonly (Touches | null)[] {
  return table.variables.map(({ extent, shift }, index) =>
    wanted[index] ? new Touches(granuleCount({ extent, shift })) : null,
  );
}

/**
 * For each epoch of a log, the number of barriers before it that order accesses to memory of this space: what lies in
 * epochs of the same number is not ordered.
 */
export function orderedEpochs({ epochs, barriers }: WorkgroupLog, space: 'workgroup' | 'storage'): Uint32Array {
  const numbers = new Uint32Array(epochs);
  for (let epoch = 1; epoch < epochs; epoch++) {
    numbers[epoch] = numbers[epoch - 1]! + ((barriers[epoch - 1]! & barrierOrders[space]) === 0 ? 0 : 1);
  }
  return numbers;
}

/**
 * Races within a workgroup: accesses of different invocations to the same bytes of workgroup or storage memory, of which
 * at least one is a plain write, between the same two barriers or with only barriers between that order other memory
 * (`parted`). Atomic operations do not race with each other.
 */
export function racesInWorkgroups(pass: PassTrace, table: SiteTable): readonly Race[] {
  const able = raceable(table);
  const together = scanWorkgroups(pass, table, able, false);
  const orders = pass.logs.reduce((all, { barriers }) => barriers.reduce((sum, own) => sum | own, all), 0);
  // Where no barrier leaves a variable's memory out, nothing new can be found.
  const unordered = table.variables.map(({ space }, index) => {
    const others = space === 'storage' ? barrierOrders.workgroup : barrierOrders.storage;
    return able[index] === true && (orders & others) !== 0;
  });
  if (!unordered.includes(true)) return together;
  const known = new Set(together.map(({ first, second }) => pairKey(first, second)));
  const parted = scanWorkgroups(pass, table, unordered, true);
  return [...together, ...parted.filter(({ first, second }) => !known.has(pairKey(first, second)))];
}

/** The races of some variables. With `parted`, epochs that the memory's own barriers do not part are taken as one. */
function scanWorkgroups(
  pass: PassTrace,
  table: SiteTable,
  wanted: readonly boolean[],
  parted: boolean,
): readonly Race[] {
  const tables = touchTables(table, wanted);
  const races = new RaceList();
  let stampBase = 1;
  pass.logs.forEach((log, logIndex) => {
    const { site, address, segmentStart, segmentInvocation, segmentEpoch, segments, count } = log;
    const ordered = { workgroup: orderedEpochs(log, 'workgroup'), storage: orderedEpochs(log, 'storage') };
    for (let s = 0; s < segments; s++) {
      const actor = segmentInvocation[s]!;
      const epoch = segmentEpoch[s]!;
      const end = s + 1 < segments ? segmentStart[s + 1]! : count;
      for (let at = segmentStart[s]!; at < end; at++) {
        const here = site[at]!;
        const variable = table.variable[here]!;
        const touches = tables[variable];
        if (!touches) continue;
        const { shift, space } = table.variables[variable]!;
        const stamp = stampBase + (parted ? ordered[space === 'storage' ? space : 'workgroup'][epoch]! : epoch);
        const last = (address[at]! + table.bytes[here]! - 1) >>> shift;
        for (let granule = address[at]! >>> shift; granule <= last; granule++) {
          const other = touches.touch(table.kind[here]!, granule, stamp, actor, here);
          if (other < 0 || races.countAgain(other, here)) continue;
          const pair = { first: other, second: here, firstActor: touches.conflictActor, secondActor: actor };
          races.add({ scope: 'workgroup', parted, ...pair, variable, byte: granule << shift, log: logIndex, epoch });
        }
      }
    }
    stampBase += log.epochs + 1;
  });
  return races.found;
}

/**
 * Races between workgroups: one writes bytes of a storage buffer that another touches in the same pass. No barrier
 * orders workgroups. Only logged workgroups are seen.
 */
export function racesBetweenWorkgroups(pass: PassTrace, table: SiteTable): readonly Race[] {
  const storage = raceable(table).map((able, index) => able && table.variables[index]!.space === 'storage');
  if (!storage.includes(true) || pass.logs.length < 2) return [];
  const tables = touchTables(table, storage);
  const [width, height] = pass.workgroups;
  const races = new RaceList();
  pass.logs.forEach((log, logIndex) => {
    const [x, y, z] = log.workgroup;
    const actor = x + width * (y + height * z);
    const { site, address, count } = log;
    for (let at = 0; at < count; at++) {
      const here = site[at]!;
      const variable = table.variable[here]!;
      const touches = tables[variable];
      if (!touches) continue;
      const shift = table.variables[variable]!.shift;
      const last = (address[at]! + table.bytes[here]! - 1) >>> shift;
      for (let granule = address[at]! >>> shift; granule <= last; granule++) {
        const other = touches.touch(table.kind[here]!, granule, 1, actor, here);
        if (other < 0 || races.countAgain(other, here)) continue;
        const pair = { first: other, second: here, firstActor: touches.conflictActor, secondActor: actor };
        const epoch = epochOf(log, at);
        races.add({
          scope: 'dispatch',
          parted: false,
          ...pair,
          variable,
          byte: granule << shift,
          log: logIndex,
          epoch,
        });
      }
    }
  });
  return races.found;
}

function epochOf({ segmentStart, segmentEpoch, segments }: PassTrace['logs'][number], at: number): number {
  let segment = 0;
  while (segment + 1 < segments && segmentStart[segment + 1]! <= at) segment++;
  return segmentEpoch[segment] ?? 0;
}
