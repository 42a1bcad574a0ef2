import type { Diagnostic } from '../diagnostic.js';
import type { Plan, PlannedPass } from '../kernel/model.js';
import { lowerProgram, type LoweredProgram } from '../wgsl/lower.js';
import type { Program } from '../wgsl/program.js';
import type { CompiledPass, CompiledSimulation } from './compiled.js';
import { Unsupported, type Variant } from './emit-context.js';
import { emitPass } from './emit-pass.js';
import { analyseFlow, type Flow, type LaterNeeds } from './flow.js';
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
    let later: LaterNeeds = { counting: new Set(), logging: new Set(), following: new Set() };
    // From the last pass to the first: what a pass leaves behind must be right where something of a later one depends on it.
    for (const pass of plan.passes.toReversed()) {
      const lowered = this.lower(plan, pass.entry);
      if (!lowered.ok) return { ok: false, diagnostics: lowered.diagnostics };
      try {
        const flow = this.flow(lowered.program, later);
        later = {
          counting: new Set([...later.counting, ...flow.counting.buffers]),
          logging: new Set([...later.logging, ...flow.logging.buffers]),
          following: new Set([...later.following, ...flow.following.buffers]),
        };
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
    const contents = keepsValues(recording)
      ? buffers.map(({ variable }) => variable)
      : [...(recordsNothing(recording) ? later.counting : recording.provenance ? later.following : later.logging)];
    return { ok: true, compiled: { codes, passes, buffers, contents, recording } };
  }

  private lower({ code, toSource, constants }: Plan, entry: string): LoweredProgram {
    const key = [entry, JSON.stringify(constants), code].join('\n');
    const lowered = this.programs.get(key) ?? lowerProgram(code, toSource, entry, constants);
    this.programs.set(key, lowered);
    return lowered;
  }

  private flow(program: Program, later: LaterNeeds): Flow {
    const known = this.flows.get(program) ?? new Map<string, Flow>();
    this.flows.set(program, known);
    const key = [later.counting, later.logging, later.following].map((names) => [...names].sort().join(' ')).join();
    const flow = known.get(key) ?? analyseFlow(program, later);
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
    if (recordsNothing(recording) && known?.pass.workgroups.every((most, axis) => planned.workgroups[axis]! <= most)) {
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
function variantsOf(recording: Recording, flow: Flow): Record<'full' | 'counted', Variant> {
  const { accesses, faults, provenance, values } = recording;
  // What a subgroup exchanges goes by way of the scheduler, which knows nothing of values that are left out.
  const omits = keepsValues(recording) || flow.hasSubgroups ? 'nothing' : 'values';
  return {
    full: { logs: accesses, tags: provenance, faults, values, omits },
    counted: { logs: false, tags: false, faults: false, values: false, omits: 'addresses' },
  };
}

/** Whether any value of the kernel may be asked for. */
const keepsValues = ({ contents, faults, values }: Recording): boolean => contents || faults || values;

const recordsNothing = (recording: Recording): boolean =>
  !keepsValues(recording) && !recording.accesses && !recording.provenance;

function compilePass(
  program: Program,
  planned: PlannedPass,
  plan: Plan,
  flow: Flow,
  recording: Recording,
  codes: string[],
): { readonly pass: CompiledPass; readonly counted: string; readonly fitsSmaller: boolean } {
  const tables = createTables(program, plan);
  const variants = variantsOf(recording, flow);
  const full = recordsNothing(recording) ? null : emitPass(program, planned, flow, variants.full, tables);
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
