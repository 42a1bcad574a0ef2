import { slotOf } from './key-sets.js';

/** Counters stay here when they are full: a pair that is reached so often is doubled in any case. */
const fullCount = 65535;
/** Bytes that the counters of pairs may take in all. */
const mostBytes = 512 * 2 ** 20;

const noCounts = new Uint16Array(0);

/** Multiply-adds for each (query, key) pair; the counters of a query row come into being with its first one. */
export class PairCounts {
  private readonly rows: Uint16Array[];
  private bytes = 0;

  constructor(
    queryRows: number,
    private readonly keys: number,
  ) {
    this.rows = new Array<Uint16Array>(queryRows).fill(noCounts);
  }

  /** Counts multiply-adds. */
  add(queryRow: number, key: number, times: number): void {
    let counts = this.rows[queryRow]!;
    if (counts.length === 0) counts = this.open(queryRow);
    const count = counts[key]!;
    counts[key] = Math.min(fullCount, count + times);
  }

  /** The counters of a query row by key; empty where there was nothing to count. */
  row(queryRow: number): Uint16Array {
    return this.rows[queryRow] ?? noCounts;
  }

  /** Whether there was no memory for some rows. */
  get overflowed(): boolean {
    return this.bytes > mostBytes;
  }

  private open(queryRow: number): Uint16Array {
    const counts = new Uint16Array(this.keys);
    if (!this.overflowed) {
      this.bytes += counts.byteLength;
      this.rows[queryRow] = counts;
    }
    return counts;
  }
}

/** Multiply-adds of query rows with sums over keys: an open hash table of (query row, set). */
export class ThroughCounts {
  private queryRows = new Int32Array(1 << 12);
  private sets = new Int32Array(1 << 12);
  private counts = new Float64Array(1 << 12);
  private used = 0;

  /** Counts multiply-adds of a query row with a set (from 1). */
  add(queryRow: number, set: number, times: number): void {
    const mask = this.sets.length - 1;
    let slot = slotOf(queryRow, set, mask);
    while (this.sets[slot] !== 0) {
      if (this.sets[slot] === set && this.queryRows[slot] === queryRow) {
        this.counts[slot]! += times;
        return;
      }
      slot = (slot + 1) & mask;
    }
    this.queryRows[slot] = queryRow;
    this.sets[slot] = set;
    this.counts[slot] = times;
    this.used++;
    if (2 * this.used > mask) this.grow();
  }

  /** Calls `visit` for each (query row, set) that met. */
  forEach(visit: (queryRow: number, set: number, count: number) => void): void {
    this.sets.forEach((set, slot) => {
      if (set !== 0) visit(this.queryRows[slot]!, set, this.counts[slot]!);
    });
  }

  private grow(): void {
    const { queryRows, sets, counts } = this;
    const size = 2 * sets.length;
    this.queryRows = new Int32Array(size);
    this.sets = new Int32Array(size);
    this.counts = new Float64Array(size);
    sets.forEach((set, old) => {
      if (set === 0) return;
      let slot = slotOf(queryRows[old]!, set, size - 1);
      while (this.sets[slot] !== 0) slot = (slot + 1) & (size - 1);
      this.queryRows[slot] = queryRows[old]!;
      this.sets[slot] = set;
      this.counts[slot] = counts[old]!;
    });
  }
}
