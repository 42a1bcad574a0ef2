import type { WorkgroupLog } from './trace.js';
import { logMark, regionLimit } from './writer.js';

/**
 * A workgroup that has logged more accesses than this has no fuel left: its next loop without a known end is given up.
 * An endless loop would otherwise fill the memory long before it runs out of rounds.
 */
const mostLogged = 2 ** 26;

/** A list of integers in a typed array that grows. All are of one kind, so that writing to them stays one kind of code. */
class Column {
  length = 0;
  private values = new Uint32Array(256);

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Uint32Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  set(index: number, value: number): void {
    this.values[index] = value;
  }

  /** What was pushed since the last time. */
  take(): Uint32Array {
    const taken = this.values.slice(0, this.length);
    this.length = 0;
    return taken;
  }
}

/** Collects the accesses of one workgroup after another. */
export class AccessLog {
  /** Where the generated code writes; `state[0]` says how many entries are filled. */
  readonly site = new Uint16Array(logMark + regionLimit + 1);
  readonly address = new Uint32Array(logMark + regionLimit + 1);
  /** Copies of full arrays. They are kept from one workgroup to the next: fresh memory is what costs most here. */
  private readonly copies: { readonly site: Uint16Array; readonly address: Uint32Array; count: number }[] = [];
  private used = 0;
  private emptied = 0;
  private readonly start = new Column();
  private readonly invocation = new Column();
  private readonly epoch = new Column();
  private readonly phase = new Column();
  private readonly barriers = new Column();

  constructor(private readonly state: Int32Array) {}

  /** Whether what is written is wanted: else it is dropped whenever the arrays are full. */
  keeps = true;

  /** Moves what was written so far elsewhere and begins the arrays anew. Returns the number of entries: none. */
  readonly empty = (): number => {
    const count = this.state[0]!;
    if (this.keeps) this.copy(count);
    this.emptied += count;
    this.state[0] = 0;
    if (this.emptied > mostLogged) this.state[1] = Math.min(this.state[1]!, 0);
    return 0;
  };

  private copy(count: number): void {
    if (this.used === this.copies.length) {
      const { length } = this.site;
      this.copies.push({ site: new Uint16Array(length), address: new Uint32Array(length), count: 0 });
    }
    const copy = this.copies[this.used++]!;
    copy.site.set(this.site.subarray(0, count));
    copy.address.set(this.address.subarray(0, count));
    copy.count = count;
  }

  /** Forgets what was written since the last workgroup. */
  abandon(): void {
    this.state[0] = 0;
    this.used = 0;
    this.emptied = 0;
    this.lastStart = -1;
    for (const column of [this.start, this.invocation, this.epoch, this.phase, this.barriers]) column.length = 0;
  }

  /** The next accesses belong to this invocation, epoch and phase. */
  begin(invocation: number, epoch: number, phase: number): void {
    const at = this.emptied + this.state[0]!;
    const last = this.start.length - 1;
    if (last >= 0 && this.lastStart === at) {
      this.invocation.set(last, invocation);
      this.epoch.set(last, epoch);
      this.phase.set(last, phase);
      return;
    }
    this.lastStart = at;
    this.start.push(at);
    this.invocation.push(invocation);
    this.epoch.push(epoch);
    this.phase.push(phase);
  }

  private lastStart = -1;

  /** An epoch ends with a barrier that orders this (`barrierOrders`). */
  endEpoch(orders: number): void {
    this.barriers.push(orders);
  }

  /** The log of the workgroup that has just ended. */
  take(workgroup: readonly [number, number, number], epochs: number): WorkgroupLog {
    const rest = this.state[0]!;
    const count = this.emptied + rest;
    const site = new Uint16Array(count);
    const address = new Uint32Array(count);
    let at = 0;
    for (const copy of this.copies.slice(0, this.used)) {
      site.set(copy.site.subarray(0, copy.count), at);
      address.set(copy.address.subarray(0, copy.count), at);
      at += copy.count;
    }
    site.set(this.site.subarray(0, rest), at);
    address.set(this.address.subarray(0, rest), at);
    // A last segment in which nothing happened is none.
    if (this.start.length > 0 && this.lastStart === count) this.dropLast();
    const segments = this.start.length;
    this.used = 0;
    this.emptied = 0;
    this.state[0] = 0;
    this.lastStart = -1;
    return {
      workgroup,
      site,
      address,
      count,
      segmentStart: this.start.take(),
      segmentInvocation: new Uint16Array(this.invocation.take()),
      segmentEpoch: this.epoch.take(),
      segmentPhase: this.phase.take(),
      segments,
      epochs,
      barriers: new Uint8Array(this.barriers.take()),
    };
  }

  private dropLast(): void {
    this.start.length--;
    this.invocation.length--;
    this.epoch.length--;
    this.phase.length--;
  }
}
