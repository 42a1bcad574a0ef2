import type { KernelCase, Plan } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import type { Simulation } from '../core/simulator/trace.js';
import type { OutputBytes } from '../gpu/run.js';
import { caseKey, caseProgress, CompareBook, comparedCases, otherCases } from './compare-report.js';
import type { CaseVerdict, CompareReport, DeviceInfo, Progress } from './contract.js';
import { toFailure } from './failure.js';
import { failedCase, judgeCase, sameBits } from './judge.js';
import { planCase, type ReadyKernel } from './prepare.js';
import { rejectEndless, simulateCase, type CompiledCase, type TaskCase } from './simulation.js';
import type { SimulatorTask } from './simulator.js';
import { smallEnough } from './smaller-case.js';
import { truthSteps } from './truth.js';
import { everyResult } from './workgroup-choice.js';

type CompareTask = Extract<SimulatorTask, { readonly kind: 'compareSimulated' }>;

/** Floating-point operations of the file's own shape; a larger one is made smaller, unless it was asked for. */
const ownFlops = 300_000_000;
/** Multiply-adds the reference of one case may cost before rows are sampled. */
const referenceBudget = 1e9;
/** A case that costs no more accesses than this is run a second time, with its workgroups in the opposite order. */
const secondRunAccesses = 1_000_000;

/** The simulator as a device: it has every language feature, no clock, and subgroups of the size that was asked for. */
export function simulatorInfo(subgroupSize: number): DeviceInfo {
  return {
    vendor: '',
    architecture: '',
    description: 'Simulator, no GPU',
    device: '',
    software: true,
    host: 'simulator',
    features: ['shader-f16', 'subgroups'],
    limits: {},
    timestamps: false,
    subgroupMinSize: subgroupSize,
    subgroupMaxSize: subgroupSize,
  };
}

/** The cases of a comparison, of which only the file's own shape is too large to be simulated now and then. */
function casesOf(ready: ReadyKernel, { override }: CompareTask): readonly KernelCase[] {
  const [own, ...others] = comparedCases(ready, override);
  if (override) return [own!];
  const smaller = smallEnough(ready, own!, ownFlops);
  return smaller === own ? [own, ...others] : [smaller, ...otherCases(ready, smaller)];
}

/** The simulations of a comparison: one for each case that can be planned. Throws `invalid-kernel` where none can. */
export function comparisonCases(ready: ReadyKernel, task: CompareTask): readonly TaskCase[] {
  const cases = casesOf(ready, task);
  const recording = { accesses: false, faults: false, provenance: false, values: false, contents: true };
  const planned = cases.flatMap((theCase): TaskCase[] => {
    const result = planKernel(ready.kernel, theCase.shape, theCase.options);
    return result.ok ? [{ ready, theCase, plan: result.plan, recording }] : [];
  });
  if (planned.length === 0) planCase(ready, cases[0]!);
  return planned;
}

/** Runs every workgroup of every case and judges what they leave in the outputs, as it is judged on a device. */
export function* reportComparison(
  task: CompareTask,
  compiled: readonly CompiledCase[],
): Generator<Progress, CompareReport> {
  const book = new CompareBook();
  const { ready } = compiled[0]!;
  const cases = casesOf(ready, task);
  const simulations = new Map(compiled.map((each) => [caseKey(each.theCase), each]));
  for (const [index, theCase] of cases.entries()) {
    const each = simulations.get(caseKey(theCase));
    book.add(
      each ? yield* verdictOn(each, task, caseProgress(cases, index), 1 / cases.length) : unplanned(ready, theCase),
    );
  }
  return book.report(task.kernel.name, ready, task.seed, simulatorInfo(task.subgroupSize));
}

/** The verdict on a case that has no plan: the reason. */
function unplanned(ready: ReadyKernel, theCase: KernelCase): CaseVerdict {
  try {
    planCase(ready, theCase);
  } catch (error) {
    return failedCase(theCase, toFailure(error));
  }
  throw new Error(`"${theCase.name}" was not simulated.`);
}

function* verdictOn(
  each: CompiledCase,
  { seed, subgroupSize }: CompareTask,
  begun: Progress,
  share: number,
): Generator<Progress, CaseVerdict> {
  const { ready, theCase, plan } = each;
  const steps = truthSteps(ready.computation, theCase, plan, seed, referenceBudget);
  let step = steps.next();
  for (; !step.done; step = steps.next()) yield begun;
  const truth = step.value;
  const run = function* (order: 'ascending' | 'descending'): Generator<Progress, Simulation> {
    const requests = everyResult(plan, order);
    const simulation = yield* simulateCase(
      each,
      { requests, subgroupSize, provenance: null, watch: null },
      ({ pass, workgroupsDone, workgroupsToDo }) => ({
        message: begun.message,
        fraction: (begun.fraction ?? 0) + (share * (pass + workgroupsDone / workgroupsToDo)) / plan.passes.length,
      }),
      truth.inputs,
    );
    rejectEndless(simulation);
    return simulation;
  };
  const first = yield* run('ascending');
  const outputs = outputsOf(plan, first);
  const again = first.accesses <= secondRunAccesses ? outputsOf(plan, yield* run('descending')) : null;
  const repeatable = again && sameBits(outputs, again);
  const race = 'The workgroups in the opposite order gave different bits: the kernel has a race between workgroups.';
  return judgeCase(ready, theCase, truth, { outputs, repeatable, race }, true);
}

/** What a simulation left in the outputs. There is no memory around them: an access outside is one to the last element. */
export function outputsOf({ buffers }: Plan, simulation: Simulation): readonly OutputBytes[] {
  return buffers.flatMap((planned, at): OutputBytes[] => {
    const { content, byteLength } = planned;
    if (content.kind !== 'tensor' || content.role !== 'output') return [];
    return [{ planned, bytes: new Uint8Array(simulation.buffers[at]!.bytes, 0, byteLength), guardsTouched: 0 }];
  });
}
