import type { CompiledPass, CompiledSimulation } from './compiled.js';
import { bufferTags, createMachine, type Entry, type Machine } from './machine.js';
import { runWorkgroup } from './scheduler.js';
import type {
  PassTrace,
  RecordedValue,
  Simulation,
  SimulationInput,
  SimulationProgress,
  WorkgroupLog,
} from './trace.js';

/** Makes a function of a JavaScript expression; how is the host's matter. */
export type Instantiate = (code: string) => unknown;

/**
 * Runs a compiled plan on the input's buffers, which it changes. Yields after each workgroup, so that the host can show
 * how far it is, or stop. Never throws for what the kernel does: that is in the faults.
 */
export function* simulate(
  compiled: CompiledSimulation,
  input: SimulationInput,
  instantiate: Instantiate,
): Generator<SimulationProgress, Simulation> {
  const tags = bufferTags(input);
  const passes: PassTrace[] = [];
  let values: readonly RecordedValue[] = [];
  let accesses = 0;
  for (const [index, pass] of compiled.passes.entries()) {
    const run = new PassRun(compiled, pass, index, input, instantiate, tags);
    yield* run.all(accesses);
    const trace = run.trace();
    passes.push(trace);
    accesses += run.accesses;
    if (input.watch?.pass === index) ({ values } = run.machine.values);
  }
  const buffers = compiled.buffers.map(({ variable }, index) => ({ variable, bytes: input.buffers[index]! }));
  return { buffers, passes, values, subgroupSize: input.subgroupSize, accesses };
}

type Text = keyof CompiledPass['texts'];

/** What is done with a workgroup; `followed` is as `logged`, but its log is dropped. */
type Treatment = 'logged' | 'followed' | 'counted';

/** One pass under way. */
class PassRun {
  readonly machine: Machine;
  accesses = 0;
  /** A workgroup did not come to an end: the others would not either, and each would take as long to find out. */
  private givenUp = false;
  private readonly entries = new Map<Text, Entry>();
  private readonly siteCounts: Float64Array;
  /** What `executed` and `siteCounts` were before the workgroups that are only counted; null before there are any. */
  private uncounted: { readonly workgroups: number; readonly siteCounts: Float64Array } | null = null;
  private readonly logs: WorkgroupLog[] = [];
  private readonly executed: number[] = [];

  constructor(
    private readonly compiled: CompiledSimulation,
    private readonly pass: CompiledPass,
    private readonly index: number,
    private readonly input: SimulationInput,
    private readonly instantiate: Instantiate,
    tags: readonly Int32Array[],
  ) {
    this.machine = createMachine(pass, index, input, tags);
    this.siteCounts = new Float64Array(pass.sites.length);
  }

  *all(before: number): Generator<SimulationProgress, void> {
    const request = this.input.requests[this.index];
    if (!request) return;
    const { logged } = request;
    yield* this.some(logged, 'logged', logged.length, before);
    const perWorkgroup = logged.length === 0 ? 0 : this.accesses / logged.length;
    const { followed, counted } = request.others(perWorkgroup);
    const total = logged.length + followed.length + counted.length;
    yield* this.some(followed, 'followed', total, before);
    this.uncounted = { workgroups: this.executed.length, siteCounts: this.siteCounts.slice() };
    yield* this.some(counted, 'counted', total, before);
  }

  private *some(
    workgroups: readonly number[],
    treatment: Treatment,
    total: number,
    before: number,
  ): Generator<SimulationProgress, void> {
    if (workgroups.length === 0) return;
    const { recording } = this.compiled;
    const text = treatment === 'counted' || this.pass.texts.full === null ? 'counted' : 'full';
    const entry = this.entry(text);
    const { watch } = this.input;
    const logs = treatment === 'logged' && recording.accesses;
    this.machine.log.keeps = logs;
    this.machine.mode = {
      logs,
      tags: text !== 'counted' && recording.provenance,
      synchronizing: this.pass.synchronizing[text],
    };
    for (const linear of workgroups) {
      if (this.givenUp) return;
      const watched = watch?.pass === this.index && watch.workgroup === linear ? watch.invocation : null;
      const epochs = runWorkgroup(this.machine, entry, linear, watched);
      if (epochs === null) this.givenUp = true;
      else if (logs) this.logs.push(this.machine.log.take(this.machine.position.workgroup, epochs));
      else this.machine.log.abandon();
      this.executed.push(linear);
      this.drain();
      yield {
        pass: this.index,
        workgroupsDone: this.executed.length,
        workgroupsToDo: total,
        accesses: before + this.accesses,
      };
    }
  }

  private entry(text: Text): Entry {
    const known = this.entries.get(text);
    if (known) return known;
    const code = this.compiled.codes[this.pass.texts[text]!]!;
    const make = this.instantiate(code) as (environment: object) => Entry;
    const entry = make(this.machine.environment);
    this.entries.set(text, entry);
    return entry;
  }

  /** Adds the executions of the last workgroup's blocks to those of their sites. */
  private drain(): void {
    const { blockCounts } = this.machine;
    const { blocks } = this.pass;
    for (let block = 0; block < blocks.length; block++) {
      const count = blockCounts[block]!;
      if (count === 0) continue;
      const sites = blocks[block]!;
      for (const site of sites) this.siteCounts[site]! += count;
      this.accesses += count * sites.length;
      blockCounts[block] = 0;
    }
  }

  private counted(): PassTrace['counted'] {
    const { workgroups, siteCounts } = this.uncounted ?? {
      workgroups: this.executed.length,
      siteCounts: this.siteCounts,
    };
    return {
      workgroups: this.executed.length - workgroups,
      siteCounts: this.siteCounts.map((count, site) => count - siteCounts[site]!),
    };
  }

  trace(): PassTrace {
    const { entry, workgroups, workgroupSize, workgroupBytes, sites } = this.pass;
    return {
      entry,
      workgroups,
      workgroupSize,
      workgroupBytes,
      sites,
      logs: this.logs,
      executed: this.executed.length,
      siteCounts: this.siteCounts,
      counted: this.counted(),
      executedWorkgroups: Uint32Array.from(this.executed),
      faults: this.machine.faults.faults,
    };
  }
}
