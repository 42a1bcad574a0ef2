import { sourceLines } from '../core/analysis/context.js';
import type { Plan } from '../core/kernel/model.js';
import type { PassRequest } from '../core/simulator/trace.js';
import type { Progress, ValuesReport } from './contract.js';
import { LabFault } from './failure.js';
import { chosenCase, planCase, type ReadyKernel } from './prepare.js';
import { rejectEndless, simulateCase, type CompiledCase, type TaskCase } from './simulation.js';
import type { SimulatorTask } from './simulator.js';
import { chooseWorkgroups, workgroupIndex, type WorkgroupBudget } from './workgroup-choice.js';

type ValuesTask = Extract<SimulatorTask, { readonly kind: 'values' }>;

/** Accesses of the passes before the watched one: their results are the values it works on. */
const earlierBudget: WorkgroupBudget = { followed: 400_000_000, counted: 0 };

/** The one simulation that shows an invocation's values. */
export function valuesCases(ready: ReadyKernel, { override }: ValuesTask): readonly TaskCase[] {
  const theCase = chosenCase(ready, override);
  const recording = { accesses: false, faults: false, provenance: false, values: true, contents: true };
  return [{ ready, theCase, plan: planCase(ready, theCase), recording }];
}

/** Simulates the passes up to the watched invocation's, of that pass its workgroup alone, and lists its values. */
export function* reportValues(
  { kernel: source, entry, workgroup, invocation }: ValuesTask,
  [only]: readonly CompiledCase[],
): Generator<Progress, ValuesReport> {
  if (!only) throw new Error('An invocation belongs to a case.');
  const started = performance.now();
  const { plan, theCase, ready } = only;
  const pass = passOf(plan, entry);
  const planned = plan.passes[pass]!;
  const index = workgroupIndex(planned, workgroup);
  const [x, y, z] = planned.workgroupSize;
  if (!Number.isInteger(invocation) || invocation < 0 || invocation >= x * y * z) {
    const message = `A workgroup of "${planned.entry}" has no invocation ${invocation}.`;
    throw new LabFault({
      kind: 'invalid-kernel',
      message,
      remedy: `Its ${x * y * z} invocations are counted from 0 by local_invocation_index.`,
      diagnostics: [],
    });
  }
  const nothing: PassRequest = { logged: [], others: () => ({ followed: [], counted: [] }) };
  const earlier = chooseWorkgroups(plan, 'sampled', earlierBudget).requests;
  const requests = plan.passes.map((_, at) =>
    at < pass ? earlier[at]! : at > pass ? nothing : { ...nothing, logged: [index] },
  );
  const simulation = yield* simulateCase(
    only,
    { requests, subgroupSize: 32, provenance: null, watch: { pass, workgroup: index, invocation } },
    (progress) => ({
      message: `simulating ${plan.passes[progress.pass]?.entry ?? ''}`,
      fraction: progress.pass / (pass + 1),
    }),
  );
  rejectEndless(simulation);
  const lines = sourceLines(ready.kernel.source);
  return {
    hash: ready.kernel.hash,
    kernel: source.name,
    shape: theCase.shape,
    options: theCase.options,
    entry: planned.entry,
    workgroup,
    invocation,
    values: simulation.values.map((value) => ({ ...value, line: lines.lineAt(value.span.start) })),
    elapsedMs: performance.now() - started,
  };
}

/** The pass of an entry point (the last one that dispatches it); the last pass where none is named. */
function passOf({ passes }: Plan, entry: string | null): number {
  const found = entry === null ? passes.length - 1 : passes.findLastIndex((pass) => pass.entry === entry);
  if (found >= 0) return found;
  throw new LabFault({
    kind: 'invalid-kernel',
    message: `No pass dispatches an entry point "${entry ?? ''}".`,
    remedy: `The passes are ${passes.map((pass) => pass.entry).join(', ')}.`,
    diagnostics: [],
  });
}
