import type { Diagnostic } from '../core/diagnostic.js';
import { SimulationCompiler, type CompiledSimulation } from '../core/simulator/compile.js';
import { throwIfCancelled } from '../gpu/wait.js';
import type { CallContext } from './channel.js';
import { comparisonCases, reportComparison } from './compare-simulated.js';
import { consistencyCases, reportConsistency } from './consistency-simulated.js';
import type { Outcome, Progress } from './contract.js';
import { invalidKernel, outcome } from './failure.js';
import { hazardCases, reportHazards } from './hazards.js';
import { readyKernel } from './prepare.js';
import type { CompiledCase, Instantiate, TaskCase } from './simulation.js';
import type { SimulatorReports, SimulatorTask } from './simulator.js';
import { traceCases, reportTrace } from './trace.js';
import { reportValues, valuesCases } from './values.js';

/** A task whose kernel was read: the simulations that it consists of. */
export interface ReadyTask<T extends SimulatorTask = SimulatorTask> {
  readonly task: T;
  readonly cases: readonly TaskCase[];
}

/** Reads the kernels of a task and plans its simulations. Throws `invalid-kernel` where that cannot be done. */
export function readTask<T extends SimulatorTask>(task: T): ReadyTask<T> {
  return { task, cases: casesOf(task) };
}

function casesOf(task: SimulatorTask): readonly TaskCase[] {
  switch (task.kind) {
    case 'trace':
      return traceCases(readyKernel(task.kernel), task);
    case 'hazards':
      return hazardCases(readyKernel(task.kernel), task);
    case 'values':
      return valuesCases(readyKernel(task.kernel), task);
    case 'compareSimulated':
      return comparisonCases(readyKernel(task.kernel), task);
    case 'consistencySimulated':
      return consistencyCases(task);
  }
}

/** Compiles the simulations of a task, in order; yields before each. Throws `invalid-kernel` for what cannot be simulated. */
export function* compileTask({ cases }: ReadyTask): Generator<Progress, readonly CompiledSimulation[]> {
  const all: CompiledSimulation[] = [];
  const compiler = new SimulationCompiler();
  for (const { plan, recording } of cases) {
    yield { message: 'preparing the simulator', fraction: null };
    const result = compiler.compile(plan, recording);
    if (!result.ok) throw invalidKernel(result.diagnostics.map(asError));
    all.push(result.compiled);
  }
  return all;
}

/** What keeps a kernel from being simulated is an error there, whatever it is elsewhere. */
function asError(diagnostic: Diagnostic): Diagnostic {
  return { ...diagnostic, severity: 'error' };
}

/**
 * Runs the compiled simulations of a task and makes its report; yields at least once per workgroup. `instantiate` gives
 * the value of each of the compiled codes. Throws what stops it.
 */
export function* performTask<T extends SimulatorTask>(
  { task, cases }: ReadyTask<T>,
  compiled: readonly CompiledSimulation[],
  instantiate: Instantiate,
): Generator<Progress, SimulatorReports[T['kind']]> {
  const simulations = cases.map((theCase, at): CompiledCase => ({
    ...theCase,
    compiled: compiled[at]!,
    instantiate,
  }));
  // The switch below gives each kind its own report, which TypeScript cannot follow through a type parameter.
  return (yield* reportOf(task, simulations)) as SimulatorReports[T['kind']];
}

function reportOf(
  task: SimulatorTask,
  cases: readonly CompiledCase[],
): Generator<Progress, SimulatorReports[SimulatorTask['kind']]> {
  switch (task.kind) {
    case 'trace':
      return reportTrace(task, cases);
    case 'hazards':
      return reportHazards(task, cases);
    case 'values':
      return reportValues(task, cases);
    case 'compareSimulated':
      return reportComparison(task, cases);
    case 'consistencySimulated':
      return reportConsistency(task, cases);
  }
}

/** Milliseconds of work between two looks at the rest of the world: soon enough for people, and each look takes one or two. */
const sliceMs = 60;

/**
 * Does the work of a generator in slices, with room for messages and a cancel between them, and tells its progress.
 * Never rejects; throws nothing but into the outcome.
 */
export function driveTask<T>(work: () => Generator<Progress, T>, { signal, report }: CallContext): Promise<Outcome<T>> {
  return outcome(async () => {
    throwIfCancelled(signal);
    const running = work();
    let furthest = 0;
    let sliceEnd = performance.now() + sliceMs;
    for (;;) {
      const step = running.next();
      if (step.done) return step.value;
      if (performance.now() < sliceEnd) continue;
      // How much there is to do turns out on the way: what was reached already is never taken back.
      const { message, fraction } = step.value;
      if (fraction !== null) furthest = Math.max(furthest, fraction);
      report({ message, fraction: fraction === null ? null : furthest });
      await new Promise<void>((resolve) => {
        setTimeout(resolve, 0);
      });
      throwIfCancelled(signal);
      sliceEnd = performance.now() + sliceMs;
    }
  });
}

/** A whole task where it is: read, compiled and performed by the caller's `instantiate`. */
export function* runTask<T extends SimulatorTask>(
  task: T,
  instantiate: Instantiate,
): Generator<Progress, SimulatorReports[T['kind']]> {
  const ready = readTask(task);
  const compiled = yield* compileTask(ready);
  return yield* performTask(ready, compiled, instantiate);
}
