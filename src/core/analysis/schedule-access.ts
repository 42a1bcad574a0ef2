import type { Plan } from '../kernel/model.js';
import type { Site } from '../simulator/trace.js';
import type { TileAccess } from './schedule.js';
import { placeFinder, viewOf, type PlaceFinder } from './tensor-places.js';

/** The accesses of one step to one plane of a tensor, growing. */
interface Growing {
  readonly slot: Slot;
  /** Rows of the plane, counted over all planes: [rowLow, rowHigh). */
  readonly rowLow: number;
  readonly rowHigh: number;
  row0: number;
  row1: number;
  column0: number;
  column1: number;
  bytes: number;
  words: number;
  readonly sites: Set<number>;
}

/** One buffer in one direction. `stamps` tells which words the current step has touched. */
interface Slot {
  readonly tensor: string;
  readonly mode: 'read' | 'write';
  readonly places: PlaceFinder;
  readonly stamps: Uint32Array;
  current: Growing | null;
  /** The tiles of the step by their first row. */
  readonly open: Map<number, Growing>;
}

/** Turns the accesses of steps into rectangles of tensors. One for each pass, used step by step. */
export class AccessCollector {
  private readonly slots: (Slot | null)[];
  /** By site: 1 where its accesses are to a tensor or scratch. */
  readonly collects: Uint8Array;
  private readonly bytes: Uint32Array;
  /** The tile that each site was added to last, of whatever step. */
  private readonly tileOfSite: (Growing | null)[];
  private tiles: Growing[] = [];
  private step = 0;

  /** `siteIndex` numbers the pass's sites for the result. */
  constructor(
    plan: Plan,
    sites: readonly Site[],
    private readonly siteIndex: readonly number[],
    places: readonly (PlaceFinder | null)[],
  ) {
    this.bytes = Uint32Array.from(sites, ({ bytes }) => bytes);
    this.tileOfSite = sites.map(() => null);
    const known = new Map<string, Slot>();
    this.slots = sites.map(({ kind, space, buffer }) => {
      const tensorPlaces = buffer === null ? null : (places[buffer] ?? null);
      if (kind === 'declare' || space !== 'storage' || buffer === null || tensorPlaces === null) return null;
      const mode = kind === 'read' ? 'read' : 'write';
      const name = `${buffer} ${mode}`;
      const slot = known.get(name) ?? {
        tensor: tensorName(plan, buffer),
        mode,
        places: tensorPlaces,
        stamps: new Uint32Array(tensorPlaces.words),
        current: null,
        open: new Map<number, Growing>(),
      };
      known.set(name, slot);
      return slot;
    });
    this.collects = Uint8Array.from(this.slots, (slot) => (slot === null ? 0 : 1));
  }

  /** Begins a step. */
  begin(): void {
    for (const { slot } of this.tiles) {
      slot.current = null;
      slot.open.clear();
    }
    this.tiles = [];
    this.step++;
  }

  /** Adds one access of the step; accesses to anything but tensors and scratch say nothing here. */
  add(site: number, address: number): void {
    const slot = this.slots[site];
    if (!slot) return;
    const bytes = this.bytes[site]!;
    const first = address >>> 2;
    const last = (address + bytes - 1) >>> 2;
    const { places } = slot;
    const row = places.rowAt(first);
    if (row >= 0 && (first === last || places.rowAt(last) === row)) this.addRun(slot, site, row, first, last, bytes);
    else this.addWords(slot, site, first, last, bytes);
  }

  private addWords(slot: Slot, site: number, first: number, last: number, bytes: number): void {
    for (let word = first; word <= last; word++) {
      const row = slot.places.rowAt(word);
      if (row >= 0) this.addRun(slot, site, row, word, word, bytes / (last - first + 1));
    }
  }

  private addRun(slot: Slot, site: number, row: number, first: number, last: number, bytes: number): void {
    let tile = slot.current;
    if (!tile || row < tile.rowLow || row >= tile.rowHigh) tile = this.open(slot, row);
    const { places, stamps } = slot;
    const column0 = places.columnAt(first);
    const column1 = places.columnAt(last) + places.perWord;
    if (row < tile.row0) tile.row0 = row;
    if (row >= tile.row1) tile.row1 = row + 1;
    if (column0 < tile.column0) tile.column0 = column0;
    if (column1 > tile.column1) tile.column1 = column1;
    tile.bytes += bytes;
    if (this.tileOfSite[site] !== tile) {
      this.tileOfSite[site] = tile;
      tile.sites.add(site);
    }
    for (let word = first; word <= last; word++) {
      if (stamps[word] === this.step) continue;
      stamps[word] = this.step;
      tile.words++;
    }
  }

  private open(slot: Slot, row: number): Growing {
    // Pages that are neighbours in memory are none in a sequence: each is a tile of its own.
    const { rows, pageRows } = slot.places.shape;
    const height = pageRows ?? rows;
    const rowLow = Math.floor(row / height) * height;
    let tile = slot.open.get(rowLow);
    if (!tile) {
      const empty = {
        row0: row,
        row1: row,
        column0: Infinity,
        column1: 0,
        bytes: 0,
        words: 0,
        sites: new Set<number>(),
      };
      tile = { slot, rowLow, rowHigh: rowLow + height, ...empty };
      this.tiles.push(tile);
      slot.open.set(rowLow, tile);
    }
    return (slot.current = tile);
  }

  /** The tiles of the step, one for each tensor, direction and plane (or page). */
  accesses(): readonly TileAccess[] {
    return this.tiles.map(({ slot, row0, row1, column0, column1, bytes, words, sites }) => {
      const { rows } = slot.places.shape;
      const plane = Math.floor(row0 / rows);
      const end = Math.min(column1, slot.places.shape.columns);
      const elements = (row1 - row0) * (end - column0);
      return {
        tensor: slot.tensor,
        mode: slot.mode,
        plane,
        rect: { row0: row0 - plane * rows, row1: row1 - plane * rows, column0, column1: end },
        bytes,
        density: Math.min(1, rounded((words * slot.places.perWord) / elements)),
        sites: [...sites].map((site) => this.siteIndex[site]!),
      };
    });
  }
}

/** Three digits: enough for a picture, and short in a report. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** The tensor a buffer holds; the variable's name for scratch. */
export function tensorName(plan: Plan, buffer: number): string {
  const { content, variable } = plan.buffers[buffer]!;
  return content.kind === 'tensor' ? content.tensor : variable;
}

/** Looks up the words of each buffer; null for uniforms. */
export function bufferPlaces(plan: Plan): readonly (PlaceFinder | null)[] {
  return plan.buffers.map((buffer) => {
    const view = viewOf(buffer);
    return view === null ? null : placeFinder(view, buffer.byteLength);
  });
}
