import type { Diagnostic } from '../diagnostic.js';
import type { Plan, PlannedPass } from '../kernel/model.js';
import { lowerProgram, type LoweredProgram } from '../wgsl/lower.js';
import type { Program } from '../wgsl/program.js';
import type { CompiledPass, CompiledSimulation } from './compiled.js';
import { Unsupported, type Variant } from './emit-context.js';
import { emitPass } from './emit-pass.js';
import { analyseFlow, type Flow } from './flow.js';
import { createTables, memoriesOf } from './tables.js';
import type { Recording } from './trace.js';

export type { CompiledSimulation } from './compiled.js';

/** A compiled plan, or why it cannot be simulated: at its place, in words for people. */
export type CompileResult =
  | { readonly ok: true; readonly compiled: CompiledSimulation }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Makes JavaScript of every pass of a plan. Never throws for what a kernel contains. */
export function compileSimulation(plan: Plan, recording: Recording): CompileResult {
  return new SimulationCompiler().compile(plan, recording);
}

/** A pass whose counted text is right for smaller sizes, too. */
interface ReusablePass {
  readonly pass: CompiledPass;
  readonly counted: string;
}

/**
 * Compiles plans of one kernel after another. They differ in their buffers and seldom in anything else: what was made
 * for one of them is kept for those that follow, so that the largest is best compiled first.
 */
export class SimulationCompiler {
  private readonly programs = new Map<string, LoweredProgram>();
  private readonly flows = new Map<Program, Map<string, Flow>>();
  private readonly reusable = new Map<Flow, ReusablePass>();

  /** Makes JavaScript of every pass of a plan. Never throws for what a kernel contains. */
  compile(plan: Plan, recording: Recording): CompileResult {
    const codes: string[] = [];
    const passes: CompiledPass[] = [];
    let laterStorage: ReadonlySet<string> = new Set();
    // From the last pass to the first: what a pass leaves behind must be right where a later one branches on it.
    for (const pass of plan.passes.toReversed()) {
      const lowered = this.lower(plan, pass.entry);
      if (!lowered.ok) return { ok: false, diagnostics: lowered.diagnostics };
      try {
        const flow = this.flow(lowered.program, laterStorage);
        laterStorage = new Set([...laterStorage, ...flow.relevantStorage]);
        passes.unshift(this.pass(lowered.program, pass, plan, flow, recording, codes));
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        const { span, message, remedy } = error;
        return {
          ok: false,
          diagnostics: [{ code: 'simulator-unsupported', severity: 'error', span, message, remedy }],
        };
      }
    }
    const buffers = plan.buffers.map(({ variable, byteLength }) => ({ variable, byteLength }));
    return { ok: true, compiled: { codes, passes, buffers, recording } };
  }

  private lower({ code, toSource, constants }: Plan, entry: string): LoweredProgram {
    const key = [entry, JSON.stringify(constants), code].join('\n');
    const lowered = this.programs.get(key) ?? lowerProgram(code, toSource, entry, constants);
    this.programs.set(key, lowered);
    return lowered;
  }

  private flow(program: Program, laterStorage: ReadonlySet<string>): Flow {
    const known = this.flows.get(program) ?? new Map<string, Flow>();
    this.flows.set(program, known);
    const key = [...laterStorage].sort().join(' ');
    const flow = known.get(key) ?? analyseFlow(program, laterStorage);
    known.set(key, flow);
    return flow;
  }

  private pass(
    program: Program,
    planned: PlannedPass,
    plan: Plan,
    flow: Flow,
    recording: Recording,
    codes: string[],
  ): CompiledPass {
    const known = this.reusable.get(flow);
    if (recording.countsOnly && known?.pass.workgroups.every((most, axis) => planned.workgroups[axis]! <= most)) {
      const { workgroups, workgroupBytes } = planned;
      const texts = { full: null, counted: codes.push(known.counted) - 1 };
      return { ...known.pass, workgroups, workgroupBytes, memories: memoriesOf(program, plan), texts };
    }
    const { pass, counted, fitsSmaller } = compilePass(program, planned, plan, flow, recording, codes);
    if (fitsSmaller) this.reusable.set(flow, { pass, counted });
    return pass;
  }
}

/**
 * What the two texts of a pass do. Workgroups that are only followed run the text of the logged ones, and their log is
 * dropped: a text of their own would have to be compiled and warmed up by the JavaScript engine, which costs more.
 */
function variantsOf({ accesses, faults, provenance, values }: Recording): Record<'full' | 'counted', Variant> {
  return {
    full: { logs: accesses, tags: provenance, faults, values, slices: false },
    counted: { logs: false, tags: false, faults: false, values: false, slices: true },
  };
}

function compilePass(
  program: Program,
  planned: PlannedPass,
  plan: Plan,
  flow: Flow,
  recording: Recording,
  codes: string[],
): { readonly pass: CompiledPass; readonly counted: string; readonly fitsSmaller: boolean } {
  const tables = createTables(program, plan);
  const variants = variantsOf(recording);
  const full = recording.countsOnly ? null : emitPass(program, planned, flow, variants.full, tables);
  const counted = emitPass(program, planned, flow, variants.counted, tables);
  const texts = {
    full: full === null ? null : codes.push(full.code) - 1,
    counted: codes.push(counted.code) - 1,
  };
  const { entry, workgroups, workgroupSize, workgroupBytes } = planned;
  const waits = tables.synchronizing.has(program.entry.function.id);
  const { stackWords, memories, sites, blocks, faults, syncs, records } = tables;
  const pass: CompiledPass = {
    entry,
    workgroups,
    workgroupSize,
    workgroupBytes,
    stackWords: stackWords(),
    memories,
    sites,
    blocks,
    faults,
    syncs,
    records,
    synchronizing: { full: waits, counted: waits && flow.needsWaits },
    texts,
  };
  return { pass, counted: counted.code, fitsSmaller: counted.fitsSmaller };
}
