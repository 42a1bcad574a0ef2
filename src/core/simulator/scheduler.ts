import type { Span } from '../diagnostic.js';
import { Endless, fuelPerWorkgroup, type Entry, type Machine } from './machine.js';
import { performMatrixOperation } from './subgroup-matrices.js';
import { performSubgroup } from './subgroups.js';
import { barrierOrders } from './trace.js';

/** What an invocation waits for: the number of a sync point, or one of these. */
const running = -1;
const ended = -2;

/**
 * Runs one workgroup to its end: everything that all its invocations do. Returns the number of its epochs, or null where
 * it was given up in an endless loop; nothing of it is in the log then.
 */
export function runWorkgroup(machine: Machine, entry: Entry, linear: number, watched: number | null): number | null {
  const { pass, state, position } = machine;
  const [nx, ny] = pass.workgroups;
  position.linear = linear;
  position.workgroup = [linear % nx, Math.floor(linear / nx) % ny, Math.floor(linear / (nx * ny))];
  state[1] = fuelPerWorkgroup;
  for (const [index, { space }] of pass.memories.entries()) {
    if (space !== 'workgroup') continue;
    const { F, I, T } = machine.memories[index]!;
    F.fill(0);
    I.fill(0);
    T.fill(0);
  }
  try {
    return machine.mode.synchronizing ? runTogether(machine, entry, watched) : runAlone(machine, entry, watched);
  } catch (error) {
    if (!(error instanceof Endless)) throw error;
    machine.log.abandon();
    return null;
  }
}

function start(machine: Machine, entry: Entry, inv: number): ReturnType<Entry> {
  const [sx, sy] = machine.pass.workgroupSize;
  const [wx, wy, wz] = machine.position.workgroup;
  const fp = inv * machine.pass.stackWords;
  return entry(fp, inv, inv % sx, Math.floor(inv / sx) % sy, Math.floor(inv / (sx * sy)), wx, wy, wz);
}

function runAlone(machine: Machine, entry: Entry, watched: number | null): number {
  const { state } = machine;
  for (let inv = 0; inv < machine.invocations; inv++) {
    state[2] = inv;
    state[3] = inv === watched ? 1 : 0;
    machine.moveTo(inv, 0, 0);
    start(machine, entry, inv);
  }
  endEpoch(machine);
  return 1;
}

/** Tells what workgroup memory of a logged workgroup holds when all invocations stand at a barrier or at the end. */
function endEpoch(machine: Machine): void {
  const { provenance, mode, pass, memories } = machine;
  if (!provenance || !mode.tags || !mode.logs) return;
  const own = pass.memories.flatMap(({ space, variable }, index) =>
    space === 'workgroup' ? [{ variable, tags: memories[index]!.T }] : [],
  );
  provenance.epochEnd(
    own.map(({ variable }) => variable),
    own.map(({ tags }) => tags),
  );
}

/** The invocations of a workgroup whose kernel waits. */
class Together {
  private readonly generators: Generator<number, void>[] = [];
  private readonly waiting: Int32Array;
  private readonly phases: Int32Array;
  private readonly hasSubgroupOperations: boolean;
  epoch = 0;

  constructor(
    private readonly machine: Machine,
    entry: Entry,
    private readonly watched: number | null,
  ) {
    const { invocations } = machine;
    this.waiting = new Int32Array(invocations).fill(running);
    this.phases = new Int32Array(invocations);
    this.hasSubgroupOperations = machine.pass.syncs.some(({ kind }) => kind === 'subgroup');
    for (let inv = 0; inv < invocations; inv++) {
      const generator = start(machine, entry, inv);
      if (generator) this.generators.push(generator);
    }
  }

  /** Runs one invocation up to its next wait. */
  private resume(inv: number): void {
    const { machine, phases, waiting } = this;
    machine.state[2] = inv;
    machine.state[3] = inv === this.watched ? 1 : 0;
    machine.moveTo(inv, this.epoch, phases[inv]!);
    const next = this.generators[inv]!.next();
    phases[inv] = machine.position.phase;
    waiting[inv] = next.done === true ? ended : next.value;
  }

  /** Runs everybody up to the next barrier or the end. */
  runEpoch(): void {
    const { invocations, subgroupSize } = this.machine;
    for (let inv = 0; inv < invocations; inv++) if (this.waiting[inv] === running) this.resume(inv);
    if (!this.hasSubgroupOperations) return;
    for (let first = 0; first < invocations; first += subgroupSize) {
      this.runSubgroup(first, Math.min(first + subgroupSize, invocations));
    }
  }

  /** Lets the subgroup operations of one subgroup happen until all its invocations stand at barriers or the end. */
  private runSubgroup(first: number, end: number): void {
    const { syncs } = this.machine.pass;
    for (;;) {
      let point = -1;
      let alive = 0;
      for (let inv = first; inv < end; inv++) {
        const at = this.waiting[inv]!;
        if (at === ended) continue;
        alive++;
        const own = syncs[at]!;
        if (own.kind === 'subgroup' && (point < 0 || own.span.start < syncs[point]!.span.start)) point = at;
      }
      if (point < 0) return;
      const { span } = syncs[point]!;
      const active: number[] = [];
      for (let inv = first; inv < end; inv++) {
        const at = this.waiting[inv]!;
        if (at !== ended && syncs[at]!.span.start === span.start && syncs[at]!.kind === 'subgroup') active.push(inv);
      }
      if (active.length < alive) this.noteDivergence(span);
      const { matrix } = syncs[point]!;
      if (matrix) performMatrixOperation(this.machine, matrix, active, this.phases);
      else performSubgroup(this.machine, syncs[point]!, active, first);
      for (const inv of active) this.resume(inv);
    }
  }

  private noteDivergence(span: Span): void {
    this.machine.faults.add({
      kind: 'non-uniform-subgroup',
      span,
      variable: null,
      limit: null,
      index: null,
      otherSpan: null,
    });
  }

  /** Lets those at the barrier go on; false when all have ended. Notes a barrier that not all reached. */
  passBarrier(): boolean {
    const { waiting, phases, machine } = this;
    const { syncs } = machine.pass;
    let earliest = -1;
    for (let inv = 0; inv < waiting.length; inv++) {
      const at = waiting[inv]!;
      if (at === ended || at === earliest) continue;
      if (earliest < 0 || syncs[at]!.span.start < syncs[earliest]!.span.start) earliest = at;
    }
    endEpoch(machine);
    if (earliest < 0) return false;
    const { start } = syncs[earliest]!.span;
    let other: Span | null = null;
    let culprit = -1;
    for (let inv = 0; inv < waiting.length; inv++) {
      const at = waiting[inv]!;
      phases[inv] = 0;
      if (at === earliest || (at !== ended && syncs[at]!.span.start === start)) {
        waiting[inv] = running;
        continue;
      }
      if (culprit < 0) culprit = inv;
      if (at !== ended) other = syncs[at]!.span;
    }
    if (culprit >= 0) this.noteApart(syncs[earliest]!.span, other, culprit);
    const isStorage = syncs[earliest]!.name === 'storageBarrier';
    if (machine.mode.logs) machine.log.endEpoch(isStorage ? barrierOrders.storage : barrierOrders.workgroup);
    this.epoch++;
    return true;
  }

  private noteApart(span: Span, otherSpan: Span | null, culprit: number): void {
    const { faults, position } = this.machine;
    position.invocation = culprit;
    position.epoch = this.epoch;
    faults.add({ kind: 'non-uniform-barrier', span, otherSpan, variable: null, limit: null, index: null });
  }
}

function runTogether(machine: Machine, entry: Entry, watched: number | null): number {
  const together = new Together(machine, entry, watched);
  do together.runEpoch();
  while (together.passBarrier());
  return together.epoch + 1;
}
