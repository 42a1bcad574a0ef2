/** Workgroup memory is divided into this many banks, each of which gives one word of `bankBytes` a cycle. */
export const banks = 32;
export const bankBytes = 4;
/** What all banks together give in a cycle. */
export const bankCycleBytes = banks * bankBytes;
/** Lanes that the banks serve together. Larger subgroups are served one part after another. */
const lanesServed = 32;

/** How long one instruction of a subgroup keeps the banks busy. */
export interface BankUse {
  /** Cycles, and what they would be if no two words stood in the same bank. */
  cycles: number;
  cyclesWithoutConflicts: number;
}

/** A bank use to hand to `BankModel.measure`. */
export const emptyBankUse = (): BankUse => ({ cycles: 0, cyclesWithoutConflicts: 0 });

/**
 * Counts the cycles in which the banks serve an instruction. The rules are those of NVIDIA GPUs since Volta, as NVIDIA
 * gave them in "cuTENSOR: high-performance tensor operations in CUDA" (GTC 2019, S9593) and in the CUDA C++ Programming
 * Guide ("Shared Memory"): accesses of up to 4 bytes are served for 32 lanes at once, of 8 bytes for 16 lanes (two
 * phases), of 16 bytes for 8 lanes (four phases). In a phase each bank gives one word a cycle; lanes that ask for the
 * same word get it together. Other accesses are taken as several: in the widest pieces that their alignment allows.
 * Other makers' banks differ in number and width, rarely in which patterns are good.
 */
export class BankModel {
  /** By unit of memory: the phase (as a running number) in which it was asked for last. */
  #seen = new Uint32Array(1024);
  readonly #load = new Uint32Array(banks);
  #phases = 0;

  /**
   * `addresses` [from, to) of accesses of `accessBytes`, in ascending order of `lanes`. Atomic accesses to the same word
   * are taken one after another. Writes to `into`.
   */
  measure(
    addresses: Uint32Array,
    lanes: Uint8Array,
    from: number,
    to: number,
    accessBytes: number,
    atomic: boolean,
    into: BankUse,
  ): void {
    let alignment = accessBytes | 16;
    for (let index = from; index < to; index++) alignment |= addresses[index]!;
    const pieceBytes = alignment & -alignment;
    // A phase moves up to 128 bytes: its units are pieces of a lane, in as many columns of banks as they fill.
    const unitBytes = Math.max(pieceBytes, bankBytes);
    const lanesPerPhase = Math.min(lanesServed, bankCycleBytes / unitBytes);
    into.cycles = 0;
    into.cyclesWithoutConflicts = 0;
    for (let offset = 0; offset < accessBytes; offset += pieceBytes) {
      for (let first = from; first < to;) {
        const phase = Math.floor(lanes[first]! / lanesPerPhase);
        let last = first + 1;
        while (last < to && Math.floor(lanes[last]! / lanesPerPhase) === phase) last++;
        into.cycles += this.#serve(addresses, first, last, offset, unitBytes, atomic);
        into.cyclesWithoutConflicts++;
        first = last;
      }
    }
  }

  /** Cycles of one phase: the most distinct units that any column of banks has to give. */
  #serve(addresses: Uint32Array, from: number, to: number, offset: number, unitBytes: number, atomic: boolean): number {
    const columns = bankCycleBytes / unitBytes;
    const load = this.#load.fill(0, 0, columns);
    const phase = ++this.#phases;
    let cycles = 0;
    for (let index = from; index < to; index++) {
      const unit = Math.floor((addresses[index]! + offset) / unitBytes);
      if (unit >= this.#seen.length) this.#grow(unit);
      if (!atomic && this.#seen[unit] === phase) continue;
      this.#seen[unit] = phase;
      const busy = ++load[unit % columns]!;
      if (busy > cycles) cycles = busy;
    }
    return cycles;
  }

  #grow(unit: number): void {
    const seen = new Uint32Array(2 * unit + 1);
    seen.set(this.#seen);
    this.#seen = seen;
  }
}
