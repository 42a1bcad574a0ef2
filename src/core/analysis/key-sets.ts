/** What a set sums: products k vᵀ (a state), or keys alone (a denominator). */
export type KeySetKind = 'state' | 'keySum';

/** Kinds by their numbers in `KeySets.kinds`; a carried state is one that a matrix takes from one token to a later one. */
const kindNumbers = { state: 1, keySum: 2, carriedState: 3 } as const;

/** Keys [from, to) that a sum holds `times` times: value rows over all planes for a state, key rows for a sum of keys. */
export interface KeyRun {
  readonly from: number;
  readonly to: number;
  readonly times: number;
}

/** More sets or runs than these are no structure any more but noise; the memory is better kept. */
export const mostSets = 1 << 20;
const mostRuns = 1 << 22;
const memoSize = 1 << 15;

/** Mixes two ids into a slot of a table of a power of two. */
export function slotOf(a: number, b: number, mask: number): number {
  const mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) & mask;
}

/**
 * Sums over keys as numbers from 1. Equal sums (same kind, same keys as often) have the same number; 0 means that
 * there were too many. A key that is in a sum twice stays told apart from one that is in it once.
 */
export class KeySets {
  /** First and last key row (exclusive) of each set, and whether it is a state (1), a sum of keys (2) or a carried state (3). */
  from: Int32Array = new Int32Array(1024);
  to: Int32Array = new Int32Array(1024);
  kinds: Uint8Array = new Uint8Array(1024);
  private readonly runsOf: (readonly KeyRun[])[] = [[]];
  private readonly ids = new Map<string, number>();
  /** Sets of one run that is there once, which nearly all are: their ids by kind and ends. */
  private readonly runIds = new Map<number, number>();
  /** One more than there are rows of either. */
  private readonly rows: number;
  private readonly singles: Readonly<Record<KeySetKind, Int32Array>>;
  private readonly carriedOf: number[] = [];
  private totalRuns = 0;
  private readonly memoA = new Int32Array(memoSize);
  private readonly memoB = new Int32Array(memoSize);
  private readonly memoSum = new Int32Array(memoSize);

  constructor(valueRows: number, keyRows: number) {
    this.rows = Math.max(valueRows, keyRows) + 1;
    this.singles = { state: new Int32Array(valueRows), keySum: new Int32Array(keyRows) };
  }

  /** The set of one row. */
  single(kind: KeySetKind, row: number): number {
    const ids = this.singles[kind];
    const known = ids[row]!;
    return known === 0 ? (ids[row] = this.intern(kind, [{ from: row, to: row + 1, times: 1 }])) : known;
  }

  /** The set of the same keys as a state's that stands for a product of a matrix with it. */
  carried(set: number): number {
    if (this.kinds[set] === kindNumbers.carriedState) return set;
    return (this.carriedOf[set] ??= this.intern('carriedState', this.runsOf[set]!));
  }

  /** The sum of two sets of one kind, or of a state and a carried one. Sums over the same operands repeat for every element of a state: they are kept. */
  sum(a: number, b: number): number {
    const slot = slotOf(a, b, memoSize - 1);
    if (this.memoA[slot] === a && this.memoB[slot] === b) return this.memoSum[slot]!;
    const id = this.intern(
      this.kinds[a] === kindNumbers.keySum ? 'keySum' : 'state',
      addRuns(this.runsOf[a]!, this.runsOf[b]!),
    );
    this.memoA[slot] = a;
    this.memoB[slot] = b;
    this.memoSum[slot] = id;
    return id;
  }

  /** The keys of a set, ascending. */
  runs(id: number): readonly KeyRun[] {
    return this.runsOf[id] ?? [];
  }

  /** Whether a set is a sum of keys, and this key row is in it. */
  has(id: number, row: number): boolean {
    return this.kinds[id] === 2 && this.runs(id).some(({ from, to }) => row >= from && row < to);
  }

  /** Whether sums were lost because there were too many different ones. */
  get overflowed(): boolean {
    return this.runsOf.length > mostSets || this.totalRuns > mostRuns;
  }

  private intern(kind: keyof typeof kindNumbers, runs: readonly KeyRun[]): number {
    const [only] = runs;
    if (runs.length === 1 && only!.times === 1) return this.internRun(kind, only!);
    const name = kind + runs.map(({ from, to, times }) => `:${from},${to},${times}`).join('');
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const id = this.add(kind, runs);
    if (id !== 0) this.ids.set(name, id);
    return id;
  }

  private internRun(kind: keyof typeof kindNumbers, run: KeyRun): number {
    const name = (kindNumbers[kind] * this.rows + run.from) * this.rows + run.to;
    const known = this.runIds.get(name);
    if (known !== undefined) return known;
    const id = this.add(kind, [run]);
    if (id !== 0) this.runIds.set(name, id);
    return id;
  }

  /** A new set; 0 where there are too many. */
  private add(kind: keyof typeof kindNumbers, runs: readonly KeyRun[]): number {
    if (this.overflowed) return 0;
    const id = this.runsOf.length;
    this.grow(id);
    this.runsOf.push(runs);
    this.totalRuns += runs.length;
    this.from[id] = runs[0]!.from;
    this.to[id] = runs[runs.length - 1]!.to;
    this.kinds[id] = kindNumbers[kind];
    return id;
  }

  private grow(id: number): void {
    if (id < this.kinds.length) return;
    const widen = (old: Int32Array): Int32Array => {
      const wide = new Int32Array(2 * old.length);
      wide.set(old);
      return wide;
    };
    this.from = widen(this.from);
    this.to = widen(this.to);
    const kinds = new Uint8Array(2 * this.kinds.length);
    kinds.set(this.kinds);
    this.kinds = kinds;
  }
}

/** The sum of two lists of runs, as few runs as possible. */
export function addRuns(a: readonly KeyRun[], b: readonly KeyRun[]): readonly KeyRun[] {
  // A state that grows by the next key, which is what most sums are.
  const [first, next] = [a[0]!, b[0]!];
  if (a.length === 1 && b.length === 1 && first.times === next.times) {
    if (first.to === next.from) return [{ from: first.from, to: next.to, times: first.times }];
    if (next.to === first.from) return [{ from: next.from, to: first.to, times: first.times }];
  }
  const edges = [...a, ...b].flatMap(({ from, to, times }) => [
    { at: from, change: times },
    { at: to, change: -times },
  ]);
  edges.sort((left, right) => left.at - right.at);
  const runs: { from: number; to: number; times: number }[] = [];
  let times = 0;
  let start = 0;
  for (let index = 0; index < edges.length;) {
    const { at } = edges[index]!;
    let change = 0;
    for (; index < edges.length && edges[index]!.at === at; index++) change += edges[index]!.change;
    if (change === 0) continue;
    if (times > 0) runs.push({ from: start, to: at, times });
    times += change;
    start = at;
  }
  return runs;
}
