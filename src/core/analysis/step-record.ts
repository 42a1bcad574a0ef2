/**
 * What one step forms, as bounding rectangles. `score`: products q · k by query row and key. `state`: products of
 * queries with a sum over keys. `use`: products of weights with values. `update`: products k vᵀ, by key row. `sum`: the
 * keys in states that were added up. The last two have no keys beside their rows.
 */
export interface PairTile {
  readonly by: 'score' | 'state' | 'use' | 'update' | 'sum';
  /** Of keys for `update` and `sum`, else of queries. */
  readonly plane: number;
  /** Rows of the plane: [rowLow, rowHigh). */
  readonly rowLow: number;
  readonly rowHigh: number;
  row0: number;
  row1: number;
  key0: number;
  key1: number;
  /** Multiply-adds. */
  products: number;
}

/** Stands where a step has no tile yet: no row is in it. */
export const noTile: PairTile = {
  by: 'score',
  plane: 0,
  rowLow: 1,
  rowHigh: 0,
  row0: 0,
  row1: 0,
  key0: 0,
  key1: 0,
  products: 0,
};

/** Counts multiply-adds and widens the tile to hold them. */
export function extend(tile: PairTile, row0: number, row1: number, key0: number, key1: number, times: number): void {
  if (row0 < tile.row0) tile.row0 = row0;
  if (row1 > tile.row1) tile.row1 = row1;
  if (key0 < tile.key0) tile.key0 = key0;
  if (key1 > tile.key1) tile.key1 = key1;
  tile.products += times;
}

/** What can be told of a variable in workgroup memory at the end of an epoch. */
export interface HeldContent {
  readonly variable: string;
  readonly content: 'q' | 'k' | 'v' | 'scores' | 'state' | 'keySum' | 'initial' | 'mixed';
  /** The tensor that words of queries, keys, values and initial states are of; null for what was computed. */
  readonly tensor: string | null;
  readonly plane: number;
  /** Words, scores by query and key, or for states and sums the keys in them (as columns); null for `mixed`. */
  readonly rect: {
    readonly row0: number;
    readonly row1: number;
    readonly column0: number;
    readonly column1: number;
  } | null;
  readonly words: number;
}

/** What one workgroup formed, by epoch and phase. */
export class WorkgroupRecord {
  private readonly steps: (PairTile[] | undefined)[][] = [];
  private readonly heldByEpoch: (readonly HeldContent[])[] = [];
  /** Key rows of the states that were stored. */
  private readonly stored = { from: Infinity, to: 0 };

  /** Where `detailed` is false all steps are kept as one. */
  constructor(
    readonly pass: number,
    readonly workgroup: number,
    readonly detailed: boolean,
  ) {}

  /** The tiles of a step, to add to. */
  step(epoch: number, phase: number): PairTile[] {
    const phases = (this.steps[this.detailed ? epoch : 0] ??= []);
    return (phases[this.detailed ? phase : 0] ??= []);
  }

  /** The tiles of a step; none where it formed nothing. */
  tiles(epoch: number, phase: number): readonly PairTile[] {
    return this.steps[epoch]?.[phase] ?? [];
  }

  /** A state over these key rows was stored to a buffer. */
  storesState(from: number, to: number): void {
    this.stored.from = Math.min(this.stored.from, from);
    this.stored.to = Math.max(this.stored.to, to);
  }

  /**
   * Whether the states made here are ever read or stored. Products of keys and values that are not come from rows past
   * the last query: their scores are sums of zero times a key.
   */
  keepsState(keys: number): boolean {
    let { from, to } = this.stored;
    const made = { from: Infinity, to: 0 };
    this.forEachTile(({ by, plane, row0, row1, key0, key1 }) => {
      if (by === 'update') {
        made.from = Math.min(made.from, row0);
        made.to = Math.max(made.to, row1);
      } else if (by === 'state' && key0 < key1) {
        from = Math.min(from, plane * keys + key0);
        to = Math.max(to, plane * keys + key1);
      }
    });
    return made.from >= made.to || (made.from < to && from < made.to);
  }

  /** What workgroup memory holds at the end of an epoch. */
  held(epoch: number): readonly HeldContent[] {
    return this.heldByEpoch[epoch] ?? [];
  }

  holds(epoch: number, held: readonly HeldContent[]): void {
    this.heldByEpoch[epoch] = held;
  }

  /** The planes of the score matrix whose pairs reached an output here, by weights and values or through a state. */
  get pairPlanes(): readonly number[] {
    const planes = new Set<number>();
    this.forEachTile(({ by, plane }) => {
      if (by === 'use' || by === 'state') planes.add(plane);
    });
    return [...planes];
  }

  /** Multiply-adds of q · k in all steps. */
  get scoreProducts(): number {
    let products = 0;
    this.forEachTile((tile) => {
      if (tile.by === 'score') products += tile.products;
    });
    return products;
  }

  private forEachTile(visit: (tile: PairTile) => void): void {
    // forEach passes over epochs and phases that formed nothing.
    this.steps.forEach((phases) => phases.forEach((tiles) => tiles?.forEach(visit)));
  }
}
