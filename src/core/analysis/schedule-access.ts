import type { Plan } from '../kernel/model.js';
import type { Site } from '../simulator/trace.js';
import type { TileAccess } from './schedule.js';
import { viewOf, wordPlaces, type WordPlaces } from './tensor-places.js';

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
  readonly places: WordPlaces;
  readonly stamps: Uint32Array;
  current: Growing | null;
  /** The tiles of the step by their first row. */
  readonly open: Map<number, Growing>;
}

/** Turns the accesses of steps into rectangles of tensors. One for each pass, used step by step. */
export class AccessCollector {
  private readonly slots: (Slot | null)[];
  private tiles: Growing[] = [];
  private step = 0;

  /** `siteIndex` numbers the pass's sites for the result. */
  constructor(
    plan: Plan,
    private readonly sites: readonly Site[],
    private readonly siteIndex: readonly number[],
    places: readonly (WordPlaces | null)[],
  ) {
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
        stamps: new Uint32Array(tensorPlaces.rows.length),
        current: null,
        open: new Map<number, Growing>(),
      };
      known.set(name, slot);
      return slot;
    });
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

  /** Whether the accesses of a site are to a tensor or scratch. */
  collects(site: number): boolean {
    return this.slots[site] !== null;
  }

  /** Adds one access of the step; accesses to anything but tensors and scratch say nothing here. */
  add(site: number, address: number): void {
    const slot = this.slots[site];
    if (!slot) return;
    const { bytes } = this.sites[site]!;
    const first = address >>> 2;
    const last = (address + bytes - 1) >>> 2;
    const { rows } = slot.places;
    const row = rows[first] ?? -1;
    if (row >= 0 && rows[last] === row) this.addRun(slot, site, row, first, last, bytes);
    else this.addWords(slot, site, first, last, bytes);
  }

  private addWords(slot: Slot, site: number, first: number, last: number, bytes: number): void {
    const { rows } = slot.places;
    for (let word = first; word <= last; word++) {
      const row = rows[word] ?? -1;
      if (row >= 0) this.addRun(slot, site, row, word, word, bytes / (last - first + 1));
    }
  }

  private addRun(slot: Slot, site: number, row: number, first: number, last: number, bytes: number): void {
    let tile = slot.current;
    if (!tile || row < tile.rowLow || row >= tile.rowHigh) tile = this.open(slot, row);
    const { columns, perWord } = slot.places;
    if (row < tile.row0) tile.row0 = row;
    if (row >= tile.row1) tile.row1 = row + 1;
    if (columns[first]! < tile.column0) tile.column0 = columns[first]!;
    if (columns[last]! + perWord > tile.column1) tile.column1 = columns[last]! + perWord;
    tile.bytes += bytes;
    tile.sites.add(site);
    for (let word = first; word <= last; word++) {
      if (slot.stamps[word] === this.step) continue;
      slot.stamps[word] = this.step;
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

/** The places of the words of each buffer; null for uniforms. */
export function bufferPlaces(plan: Plan): readonly (WordPlaces | null)[] {
  return plan.buffers.map((buffer) => {
    const view = viewOf(buffer);
    return view === null ? null : wordPlaces(view, buffer.byteLength);
  });
}
