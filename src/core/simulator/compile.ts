import type { Diagnostic } from '../diagnostic.js';
import type { Plan, PlannedPass } from '../kernel/model.js';
import { lowerProgram } from '../wgsl/lower.js';
import type { Program } from '../wgsl/program.js';
import type { CompiledPass, CompiledSimulation } from './compiled.js';
import { Unsupported, type Variant } from './emit-context.js';
import { emitPass } from './emit-pass.js';
import { analyseFlow, type Flow } from './flow.js';
import { createTables } from './tables.js';
import type { Recording } from './trace.js';

export type { CompiledSimulation } from './compiled.js';

/** A compiled plan, or why it cannot be simulated: at its place, in words for people. */
export type CompileResult =
  | { readonly ok: true; readonly compiled: CompiledSimulation }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * Makes JavaScript of every pass of a plan. Never throws for what a kernel contains. `lower` is asked for the program of
 * each pass: whoever compiles several plans of one kernel may answer with what it knows.
 */
export function compileSimulation(plan: Plan, recording: Recording, lower = lowerProgram): CompileResult {
  const codes: string[] = [];
  const passes: CompiledPass[] = [];
  let laterStorage: ReadonlySet<string> = new Set();
  // From the last pass to the first: what a pass leaves behind must be right where a later one branches on it.
  for (const pass of plan.passes.toReversed()) {
    const lowered = lower(plan.code, plan.toSource, pass.entry, plan.constants);
    if (!lowered.ok) return { ok: false, diagnostics: lowered.diagnostics };
    try {
      const flow = analyseFlow(lowered.program, laterStorage);
      laterStorage = new Set([...laterStorage, ...flow.relevantStorage]);
      passes.unshift(compilePass(lowered.program, pass, plan, flow, recording, codes));
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
  pass: PlannedPass,
  plan: Plan,
  flow: Flow,
  recording: Recording,
  codes: string[],
): CompiledPass {
  const tables = createTables(program, plan);
  const variants = variantsOf(recording);
  const text = (variant: Variant): number => codes.push(emitPass(program, pass, flow, variant, tables)) - 1;
  const texts = { full: recording.countsOnly ? null : text(variants.full), counted: text(variants.counted) };
  const { entry, workgroups, workgroupSize, workgroupBytes } = pass;
  const waits = tables.synchronizing.has(program.entry.function.id);
  const { stackWords, memories, sites, blocks, faults, syncs, records } = tables;
  return {
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
}
