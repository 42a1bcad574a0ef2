import type { Computation, Inputs, Mechanism } from '../attention/mechanism.js';
import type { Plan } from '../kernel/model.js';
import type { Provenance } from '../simulator/trace.js';
import { heldContents } from './held-contents.js';
import { KeySets } from './key-sets.js';
import { PairCounts, ThroughCounts } from './pair-counts.js';
import { extend, noTile, WorkgroupRecord, type PairTile } from './step-record.js';
import { partsOf } from './pair-sizes.js';
import { tagSpace, type TagSpace } from './tag-space.js';

/**
 * Workgroups of a pass whose steps are kept one by one, and those of the first that are looked at after each epoch for what
 * their memory holds, where they are logged.
 */
const mostDetailed = 256;
const mostHeld = 32;

/** What a simulation with provenance found out about queries, keys, values and states. */
export interface ProvenanceRecorder extends Provenance {
  readonly space: TagSpace;
  readonly sets: KeySets;
  /** Multiply-adds q · k of each pair (headDim of them are one score), by query row. */
  readonly formed: PairCounts;
  /** Multiply-adds of each pair's weight with the values of its key (headDimV of them are one use), by pair row. */
  readonly used: PairCounts;
  /** Multiply-adds of pair rows with states (headDim · headDimV of them are one visit of each key in the state). */
  readonly through: ThroughCounts;
  /** The workgroups that ran with provenance, in order. */
  readonly workgroups: readonly WorkgroupRecord[];
  /** Products of a query with the keys or the state of another plane: the kernel mixes up heads or batches. */
  readonly foreignProducts: number;
  /**
   * Bytes of a tensor that one pass put into workgroup memory, over the workgroups that ran with provenance; 0 for a
   * tensor whose values are not followed.
   */
  readonly stagedBytes: (pass: number, tensor: string) => number;
  /** Whether something was too large to be counted, so that a pair that looks missed may not be. */
  readonly overflowed: boolean;
}

/**
 * A recorder for a plan, to be handed to one simulation of these inputs (null where it is not run). Null where the
 * computation has no queries, keys and values, the kernel does not bind them, or they cannot be followed (`isFollowable`).
 */
export function createProvenance(
  plan: Plan,
  mechanism: Mechanism,
  computation: Computation,
  inputs: Inputs | null,
): ProvenanceRecorder | null {
  const space = tagSpace(plan, mechanism, computation, inputs);
  const corrected = partsOf(mechanism, computation)?.corrected === true;
  return space === null ? null : new Recorder(space, isPacked(plan), corrected);
}

/**
 * Whether two f16 may share a word. Workgroup memory has one tag for a word, so that a score may carry the pair of its
 * neighbour: then a weight is matched to the values of the next key too.
 */
function isPacked(plan: Plan): boolean {
  const halfTensors = plan.buffers.some(({ content }) => content.kind === 'tensor' && content.view.format === 'f16');
  return halfTensors || plan.features.includes('shader-f16') || plan.code.includes('pack2x16float');
}

/**
 * The algebra of tags. Products: q · k is a score, a score times a value of its key its use, k · v (same row) the state
 * of one key, q times a state a visit of all its keys. Sums of states and of keys are their union.
 * Anything else that meets becomes `mixed`, which absorbs all; a factor of a score (a scale, a decay) changes nothing.
 * Where keys are values too (a latent), a score times a key is a use.
 * Where values are corrected (`AttentionParts`), `mixed` and what is read of a state absorb no value and no state: a value
 * less its prediction is the value, and a matrix times a state is that state, carried on.
 */
class Recorder implements ProvenanceRecorder {
  readonly base: Int32Array;
  readonly madeFrom: number;
  readonly sets: KeySets;
  readonly formed: PairCounts;
  readonly used: PairCounts;
  readonly through = new ThroughCounts();
  readonly workgroups: WorkgroupRecord[] = [];
  foreignProducts = 0;
  private readonly staged: Float64Array[] = [];
  private readonly workgroupsOf: number[] = [];
  private record: WorkgroupRecord | null = null;
  private pass = 0;
  private epoch = 0;
  private tiles: PairTile[] = [];
  private scoreTile = noTile;
  private stateTile = noTile;
  private useTile = noTile;
  private updateTile = noTile;
  private sumTile = noTile;

  // Copies of what the inner loop of every kernel asks for: one load instead of two.
  private readonly qEnd: number;
  private readonly kEnd: number;
  private readonly vEnd: number;
  private readonly mixed: number;
  private readonly setBase: number;
  private readonly pairBase: number;
  private readonly keyBits: number;
  private readonly keysAreValues: boolean;
  private readonly keys: number;
  private readonly rowOf: Int32Array;
  private readonly keyBase: Int32Array;
  private readonly keyOfValue: Int32Array;
  private readonly pairShift: Int32Array;
  private readonly valueBase: Int32Array;

  constructor(
    readonly space: TagSpace,
    private readonly packed: boolean,
    private readonly corrected: boolean,
  ) {
    this.base = space.base;
    this.sets = new KeySets(space.valueRows, space.keyRows);
    this.formed = new PairCounts(space.queryRows, space.keys);
    this.used = new PairCounts(space.pairRows, space.keys);
    this.qEnd = space.qEnd;
    this.kEnd = space.kEnd;
    this.vEnd = space.vEnd;
    this.mixed = space.mixed;
    this.madeFrom = space.mixed;
    this.setBase = space.setBase;
    this.pairBase = space.pairBase;
    this.keyBits = space.keyBits;
    this.keysAreValues = space.keysAreValues;
    this.keys = space.keys;
    this.rowOf = space.rowOf;
    this.keyBase = space.keyBase;
    this.keyOfValue = space.keyOfValue;
    this.pairShift = space.pairShift;
    this.valueBase = space.valueBase;
  }

  get overflowed(): boolean {
    return this.sets.overflowed || this.formed.overflowed || this.used.overflowed;
  }

  /** A word of two f16 stands for two keys, whose products are asked for in turn. */
  get repeats(): boolean {
    return !this.packed;
  }

  readonly alike = (first: number, last: number): boolean => {
    if (last >= this.mixed || this.rowOf[first] !== this.rowOf[last]) return false;
    const { columnOf } = this.space;
    return last - first === columnOf[last]! - columnOf[first]!;
  };

  readonly stagedBytes = (pass: number, tensor: string): number =>
    this.staged[pass]?.[this.space.tensors.indexOf(tensor)] ?? 0;

  readonly multiply = (left: number, right: number, times = 1): number => {
    const a = left < right ? left : right;
    const b = left < right ? right : left;
    if (a < this.qEnd) return this.multiplyQuery(a, b, times);
    if (a < this.kEnd) {
      if (b < this.kEnd) return this.rowOf[a] === this.rowOf[b] ? a : this.mixed;
      if (b < this.vEnd) return this.addToState(a, b, times);
      if (b < this.pairBase) return this.mixed;
      return this.keysAreValues ? this.use(a, b, times) : b;
    }
    if (a < this.vEnd) {
      if (b < this.vEnd) return this.rowOf[a] === this.rowOf[b] ? a : this.mixed;
      return b >= this.pairBase ? this.use(a, b, times) : this.mixed;
    }
    return this.corrected && a === this.mixed ? this.carry(b) : a;
  };

  /** A matrix of which nothing is known, times something. */
  private carry(tag: number): number {
    if (tag < this.setBase || tag >= this.pairBase || this.sets.kinds[tag - this.setBase] === 2) return this.mixed;
    const set = this.sets.carried(tag - this.setBase);
    return set === 0 ? this.mixed : this.setBase + set;
  }

  private multiplyQuery(a: number, b: number, times: number): number {
    if (b < this.qEnd) return a;
    if (b < this.kEnd) return this.form(a, b, times);
    if (b < this.vEnd || b === this.mixed) return this.mixed;
    if (b >= this.pairBase) return b;
    if (b < this.mixed) return this.meetState(this.rowOf[a]!, this.rowOf[b]!, 0, times);
    const set = b - this.setBase;
    if (this.sets.kinds[set] === 1) return this.meetState(this.rowOf[a]!, this.sets.from[set]!, set, times);
    return this.packed ? this.formPacked(a, set) : this.mixed;
  }

  /** Multiply-adds of a score. */
  private form(queryWord: number, keyWord: number, times: number): number {
    const row = this.rowOf[queryWord]!;
    return this.formPair(row, this.rowOf[keyWord]! - this.keyBase[row]!, times);
  }

  private formPair(row: number, key: number, times: number): number {
    if (key < 0 || key >= this.keys) return this.meetForeign(times);
    let tile = this.scoreTile;
    if (row < tile.rowLow || row >= tile.rowHigh)
      tile = this.scoreTile = this.openTile('score', row, this.space.queries);
    extend(tile, row, row + 1, key, key + 1, times);
    this.formed.add(row, key, times);
    return this.pairBase + (row << this.keyBits) + key;
  }

  /** A word of two neighbouring keys, as f16 packs them: their products are asked for in turn, one of each. */
  private formPacked(queryWord: number, set: number): number {
    const { from, to } = this.sets;
    if (to[set]! - from[set]! !== 2) return this.mixed;
    const row = this.rowOf[queryWord]!;
    const key = from[set]! - this.keyBase[row]!;
    const counts = this.formed.row(row);
    return this.formPair(row, (counts[key] ?? 0) > (counts[key + 1] ?? 0) ? key + 1 : key, 1);
  }

  /** Multiply-adds of a weight with values of one key. */
  private use(valueWord: number, score: number, times: number): number {
    const pair = score - this.pairBase;
    const queryRow = pair >> this.keyBits;
    const valueRow = this.rowOf[valueWord]!;
    const row = queryRow + this.pairShift[valueRow]!;
    // Beyond the last row this is not a number, and equal to nothing.
    const key = valueRow - this.valueBase[row]!;
    const distance = key - (pair - (queryRow << this.keyBits));
    if (distance === 0 || (this.packed && (distance === 1 || distance === -1) && key >= 0 && key < this.keys)) {
      this.used.add(row, key, times);
      let tile = this.useTile;
      if (row < tile.rowLow || row >= tile.rowHigh) tile = this.useTile = this.openTile('use', row, this.space.queries);
      extend(tile, row, row + 1, key, key + 1, times);
    }
    return this.mixed;
  }

  /** Multiply-adds of a key's share of a state. */
  private addToState(keyWord: number, valueWord: number, times: number): number {
    const row = this.rowOf[valueWord]!;
    if (this.keyOfValue[row] !== this.rowOf[keyWord]) return this.mixed;
    let tile = this.updateTile;
    if (row < tile.rowLow || row >= tile.rowHigh) tile = this.updateTile = this.openTile('update', row, this.keys);
    extend(tile, row, row + 1, 0, 0, times);
    const set = this.sets.single('state', row);
    return set === 0 ? this.mixed : this.setBase + set;
  }

  /**
   * Multiply-adds of a query with a state that begins with a value row; `set` 0 is a state before the first token,
   * which holds none.
   */
  private meetState(queryRow: number, valueRow: number, set: number, times: number): number {
    const row = queryRow + this.pairShift[valueRow]!;
    const first = this.valueBase[row] ?? -1;
    const key0 = valueRow - first;
    const key1 = set === 0 ? key0 : this.sets.to[set]! - first;
    if (first < 0 || key0 < 0 || key0 >= this.keys || key1 > this.keys) return this.meetForeign(times);
    let tile = this.stateTile;
    if (row < tile.rowLow || row >= tile.rowHigh)
      tile = this.stateTile = this.openTile('state', row, this.space.queries);
    extend(tile, row, row + 1, key0, key1, times);
    if (set !== 0) this.through.add(row, set, times);
    return this.mixed;
  }

  private meetForeign(times: number): number {
    this.foreignProducts += times;
    return this.mixed;
  }

  private addStates(from: number, to: number, times: number): void {
    let tile = this.sumTile;
    if (from < tile.rowLow || from >= tile.rowHigh) tile = this.sumTile = this.openTile('sum', from, this.keys);
    extend(tile, from, to, 0, 0, times);
  }

  readonly join = (a: number, b: number, times = 1): number => {
    // A score and a maximum or sum of its row: the first of them, for it is s - m, never m - s. Such a statistic keeps the
    // pair it began with, and nothing but that pair's own value could take it for a weight.
    if (a >= this.pairBase) return a;
    if (b >= this.pairBase) return a === this.mixed ? a : b;
    if (a === this.mixed || b === this.mixed)
      return this.corrected ? this.correct(a === this.mixed ? b : a) : this.mixed;
    if (a < this.vEnd && b < this.vEnd && this.rowOf[a] === this.rowOf[b] && this.sameTensor(a, b)) return a;
    return this.joinSums(a, b, times);
  };

  /** A value or a state to which something is added of which nothing is known. */
  private correct(tag: number): number {
    if (tag < this.setBase) return tag < this.kEnd ? this.mixed : tag;
    return this.sets.kinds[tag - this.setBase] === 2 ? this.mixed : tag;
  }

  private isValue(tag: number): boolean {
    return tag >= this.kEnd && tag < this.vEnd;
  }

  private sameTensor(a: number, b: number): boolean {
    if (a < this.qEnd || b < this.qEnd) return a < this.qEnd && b < this.qEnd;
    return a < this.kEnd === b < this.kEnd;
  }

  /** Keys of different rows, states, and what was there before the first token. */
  private joinSums(a: number, b: number, times: number): number {
    if (this.corrected && (this.isValue(a) || this.isValue(b))) return this.isValue(a) ? a : b;
    if (this.isShifted(a, b)) return a;
    if (this.isShifted(b, a)) return b;
    const initialA = a >= this.vEnd && a < this.mixed;
    const initialB = b >= this.vEnd && b < this.mixed;
    if (initialA && initialB) return a;
    const setA = initialA ? 0 : this.setOf(a);
    const setB = initialB ? 0 : this.setOf(b);
    if (setA < 0 || setB < 0) return this.mixed;
    if (initialA || initialB) return this.setBase + setA + setB;
    const { kinds } = this.sets;
    if (kinds[setA] === 3 && setA === setB) return a;
    if ((kinds[setA] === 2) !== (kinds[setB] === 2) || (kinds[setA] === 3 && kinds[setB] === 3)) return this.mixed;
    const sum = this.sets.sum(setA, setB);
    if (sum === 0) return this.mixed;
    if (kinds[sum] === 1) this.addStates(this.sets.from[sum]!, this.sets.to[sum]!, times);
    return this.setBase + sum;
  }

  /** A key and a maximum or sum over keys that it is among: the key, less what keeps its exponential from overflowing. */
  private isShifted(key: number, sum: number): boolean {
    return (
      key >= this.qEnd && key < this.kEnd && sum >= this.setBase && this.sets.has(sum - this.setBase, this.rowOf[key]!)
    );
  }

  /** The set that a tag stands for in a sum; -1 for what makes no sum. */
  private setOf(tag: number): number {
    if (tag >= this.setBase) return tag - this.setBase;
    if (tag < this.qEnd || tag >= this.kEnd) return -1;
    const set = this.sets.single('keySum', this.rowOf[tag]!);
    return set === 0 ? -1 : set;
  }

  private openTile(by: PairTile['by'], row: number, perPlane: number): PairTile {
    const plane = Math.floor(row / perPlane);
    const known = this.tiles.find((tile) => tile.by === by && tile.plane === plane);
    if (known) return known;
    const tile: PairTile = {
      by,
      plane,
      rowLow: plane * perPlane,
      rowHigh: (plane + 1) * perPlane,
      row0: row,
      row1: row,
      key0: this.keys,
      key1: 0,
      products: 0,
    };
    this.tiles.push(tile);
    return tile;
  }

  readonly stage = (_variable: number, tag: number, bytes: number): void => {
    if (tag >= this.mixed) return;
    const { ends } = this.space;
    let tensor = 0;
    while (tag >= ends[tensor]!) tensor++;
    (this.staged[this.pass] ??= new Float64Array(ends.length))[tensor]! += bytes;
  };

  readonly store = (_buffer: number, tag: number): void => {
    if (tag < this.setBase || tag >= this.pairBase) return;
    const set = tag - this.setBase;
    if (this.sets.kinds[set] === 1) this.record?.storesState(this.sets.from[set]!, this.sets.to[set]!);
  };

  readonly move = (pass: number, workgroup: number, _invocation: number, epoch: number, phase: number): void => {
    let record = this.record;
    if (record?.pass !== pass || record.workgroup !== workgroup) record = this.openWorkgroup(pass, workgroup);
    this.epoch = epoch;
    const tiles = record.step(epoch, phase);
    if (tiles === this.tiles) return;
    this.tiles = tiles;
    this.scoreTile = this.stateTile = this.useTile = this.updateTile = this.sumTile = noTile;
  };

  private openWorkgroup(pass: number, workgroup: number): WorkgroupRecord {
    const count = (this.workgroupsOf[pass] ?? 0) + 1;
    this.workgroupsOf[pass] = count;
    const record = new WorkgroupRecord(pass, workgroup, count <= mostDetailed);
    this.workgroups.push(record);
    this.pass = pass;
    return (this.record = record);
  }

  readonly epochEnd = (names: readonly string[], tags: readonly Int32Array[]): void => {
    const { record } = this;
    if (!record || this.workgroupsOf[record.pass]! > mostHeld) return;
    const held = names.flatMap((name, index) => heldContents(name, tags[index]!, this.space, this.sets));
    record.holds(this.epoch, held);
  };
}
