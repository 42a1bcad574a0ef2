import type { OutputBytes } from '../gpu/run.js';
import { outputsOf, simulatorInfo } from './compare-simulated.js';
import { planConsistency, type ConsistencyPlan } from './consistency-plan.js';
import { runChecks, runKey, segmentCase, type RunRequest } from './consistency-run.js';
import type { ConsistencyReport, Progress } from './contract.js';
import { planCase } from './prepare.js';
import { rejectEndless, simulateCase, type CompiledCase, type TaskCase } from './simulation.js';
import type { SimulatorTask } from './simulator.js';
import { everyResult } from './workgroup-choice.js';

type ConsistencyTask = Extract<SimulatorTask, { readonly kind: 'consistencySimulated' }>;

const recording = { accesses: false, faults: false, provenance: false, values: false, contents: true } as const;

/** The simulations of a check of consistency: each kernel at each case that its runs have. */
export function consistencyCases({ kernels, override }: ConsistencyTask): readonly TaskCase[] {
  return [...casesByRun(planConsistency(kernels, override)).values()];
}

function casesByRun(plan: ConsistencyPlan): ReadonlyMap<string, TaskCase> {
  const cases = new Map<string, TaskCase>();
  for (const check of plan.checks) {
    for (const part of [...check.expected, ...check.found]) {
      const theCase = segmentCase(plan, check, part);
      const key = runKey(part, theCase);
      const ready = plan.kernels[part.kernel]!;
      if (!cases.has(key)) cases.set(key, { ready, theCase, plan: planCase(ready, theCase), recording });
    }
  }
  return cases;
}

/** Whether kernels of one mechanism agree with each other and with themselves, on the simulator. */
export function* reportConsistency(
  { kernels, override, seed, subgroupSize }: ConsistencyTask,
  compiled: readonly CompiledCase[],
): Generator<Progress, ConsistencyReport> {
  const plan = planConsistency(kernels, override);
  const byRun = new Map([...casesByRun(plan).keys()].map((key, at) => [key, compiled[at]!]));
  const running = runChecks(plan, seed, simulatorInfo(subgroupSize));
  let step = running.next();
  while (!step.done) {
    const request = step.value;
    let outputs: readonly OutputBytes[];
    try {
      outputs = yield* runOnce(byRun.get(request.key)!, request, subgroupSize);
    } catch (error) {
      step = running.throw(error);
      continue;
    }
    step = running.next(outputs);
  }
  return step.value;
}

function* runOnce(
  each: CompiledCase,
  { inputs, progress }: RunRequest,
  subgroupSize: number,
): Generator<Progress, readonly OutputBytes[]> {
  const requests = everyResult(each.plan);
  const settings = { requests, subgroupSize, provenance: null, watch: null };
  const simulation = yield* simulateCase(each, settings, () => progress, inputs);
  rejectEndless(simulation);
  return outputsOf(each.plan, simulation);
}
