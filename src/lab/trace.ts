import { buildCoverage } from '../core/analysis/coverage-build.js';
import type { Coverage } from '../core/analysis/coverage.js';
import { buildLedger } from '../core/analysis/ledger-build.js';
import type { Ledger, TrafficScaling } from '../core/analysis/ledger.js';
import { countedTraffic, withScaling } from '../core/analysis/ledger-scaling.js';
import { createProvenance } from '../core/analysis/provenance.js';
import { buildSchedule } from '../core/analysis/schedule-build.js';
import { isFollowable } from '../core/analysis/tag-space.js';
import type { Inputs } from '../core/attention/mechanism.js';
import { followsLeaders } from '../core/attention/sizes.js';
import type { KernelCase, Plan } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import type { Simulation, SimulationProgress } from '../core/simulator/trace.js';
import type { Progress, TraceReport } from './contract.js';
import { chosenCase, planCase, type ReadyKernel } from './prepare.js';
import {
  contextOf,
  inputsOf,
  inputsWithin,
  rejectEndless,
  simulateCase,
  type CompiledCase,
  type TaskCase,
} from './simulation.js';
import type { SimulatorTask } from './simulator.js';
import { chooseWorkgroups, type WorkgroupBudget } from './workgroup-choice.js';

type TraceTask = Extract<SimulatorTask, { readonly kind: 'trace' }>;

/** What the traced workgroups' neighbours may cost: with it traces take less than two seconds (docs/measurements.md). */
const traceBudget: WorkgroupBudget = { followed: 6_000_000, counted: 30_000_000 };
/** The same where there are no pairs to look for. */
const uncoveredBudget: WorkgroupBudget = { ...traceBudget, followed: 0 };
/** The same for each other sequence length, where accesses are only counted. */
const scalingBudget: WorkgroupBudget = { followed: 0, counted: 5_000_000 };

const recorded = { accesses: false, faults: false, provenance: false, values: false, contents: false } as const;

/** Shares of the sequence length at which the traffic is counted beside the one that was asked for. */
const scalingShares = [8, 4] as const;

/** The simulations of a trace: the case that was asked for, then those of shorter sequences, the shortest first. */
export function traceCases(ready: ReadyKernel, { override, request }: TraceTask): readonly TaskCase[] {
  const theCase = chosenCase(ready, override);
  const plan = planCase(ready, theCase);
  const provenance = isFollowable(plan, ready.mechanism, ready.computation);
  const own: TaskCase = { ready, theCase, plan, recording: { ...recorded, accesses: true, provenance } };
  if (!request.scaling) return [own];
  const shorter = scalingShares.flatMap((share) => shorterCase(ready, theCase, share) ?? []);
  return [own, ...shorter];
}

/** The case at a share of its sequence length; null where the kernel cannot take that. */
function shorterCase(ready: ReadyKernel, { shape, options }: KernelCase, share: number): TaskCase | null {
  const { kernel } = ready;
  const { seqlen, seqlenK } = shape;
  if (seqlen === undefined || seqlen < 2 * share || !kernel.takes.has('seqlen')) return null;
  const size = Math.round(seqlen / share);
  // What follows the length, such as a table with an entry for each distance, grows with it.
  const follows = (name: string): boolean =>
    ready.mechanism.dimensions.some((dimension) => dimension.name === name && followsLeaders(dimension, shape));
  const own = Object.fromEntries(Object.entries(shape).filter(([name]) => !follows(name)));
  const longer =
    seqlenK === undefined || follows('seqlenK') ? {} : { seqlenK: Math.max(1, Math.round(seqlenK / share)) };
  const result = planKernel(kernel, { ...own, seqlen: size, ...longer }, options);
  if (!result.ok) return null;
  return {
    ready,
    theCase: { name: `seqlen ${size}`, shape: result.plan.shape, options },
    plan: result.plan,
    recording: recorded,
  };
}

/** Simulates a trace's cases and says what was seen. */
export function* reportTrace(
  { kernel: source, request }: TraceTask,
  [own, ...shorter]: readonly CompiledCase[],
): Generator<Progress, TraceReport> {
  if (!own) throw new Error('A trace has a case.');
  const started = performance.now();
  const { ready, plan, theCase } = own;
  const { kernel, mechanism, computation } = ready;
  const inputs = inputsOf(own);
  const provenance = own.recording.provenance ? createProvenance(plan, mechanism, computation, inputs) : null;
  const share = shorter.length > 0 ? 0.6 : 0.8;
  const { requests, isComplete } = chooseWorkgroups(
    plan,
    request.workgroups,
    computation.direction === 'forward' ? traceBudget : uncoveredBudget,
  );
  const simulation = yield* simulateCase(
    own,
    {
      requests,
      subgroupSize: request.subgroupSize,
      provenance,
      watch: null,
    },
    (progress) => ({ message: simulating(plan, progress), fraction: share * doneOf(plan, progress) }),
    inputs,
  );
  rejectEndless(simulation);
  const context = contextOf(own, simulation, provenance);
  yield { message: 'looking for pairs that were missed', fraction: share };
  const coverage = certainOnly(buildCoverage(context), isComplete());
  yield { message: 'counting bytes', fraction: share + 0.05 };
  const ledger = buildLedger(context, coverage);
  yield { message: 'laying out the tiles', fraction: share + 0.1 };
  const schedule = buildSchedule(context);
  const points: TrafficScaling['points'][number][] = [];
  for (const smaller of shorter) {
    const fraction = 0.8 + 0.1 * points.length;
    points.push(yield* scalingPoint(smaller, ledger, inputs, request.subgroupSize, fraction));
  }
  const { compulsoryBytes, requestedBytes, transferredBytes } = ledger.totals;
  points.push({ size: theCase.shape.seqlen ?? 1, compulsoryBytes, requestedBytes, transferredBytes });
  return {
    hash: kernel.hash,
    kernel: source.name,
    mechanism: mechanism.id,
    direction: computation.direction,
    shape: theCase.shape,
    options: theCase.options,
    subgroupSize: simulation.subgroupSize,
    passes: simulation.passes.map(({ entry, workgroups, workgroupSize, workgroupBytes, logs, executed }) => ({
      ...{ entry, workgroups, workgroupSize, workgroupBytes, executed },
      traced: logs.map(({ workgroup }) => workgroup),
    })),
    exact: isExact(simulation),
    sentence: traceSentence(simulation),
    ledger: points.length > 1 ? withScaling(ledger, points) : ledger,
    schedule,
    coverage,
    accesses: simulation.accesses,
    elapsedMs: performance.now() - started,
  };
}

/**
 * A coverage, unless it accuses a kernel of what may only be the budget's fault: a state whose making was not followed has
 * no keys, as if they were missed.
 */
function certainOnly(coverage: Coverage | null, isComplete: boolean): Coverage | null {
  const accuses = coverage !== null && coverage.totals.missed + coverage.totals.doubled > 0;
  return accuses && !isComplete ? null : coverage;
}

function* scalingPoint(
  smaller: CompiledCase,
  ledger: Ledger,
  larger: Inputs,
  subgroupSize: number,
  fraction: number,
): Generator<Progress, TrafficScaling['points'][number]> {
  const { plan, theCase } = smaller;
  const { requests } = chooseWorkgroups(plan, 'sampled', scalingBudget);
  const simulation = yield* simulateCase(
    smaller,
    { requests, subgroupSize, provenance: null, watch: null },
    () => ({ message: `tracing ${theCase.name}`, fraction }),
    inputsWithin(smaller, larger),
  );
  return { size: theCase.shape.seqlen ?? 1, ...countedTraffic(contextOf(smaller, simulation, null), ledger) };
}

function simulating({ passes }: Plan, { pass, workgroupsDone, workgroupsToDo }: SimulationProgress): string {
  return `tracing ${passes[pass]?.entry ?? ''}: workgroup ${workgroupsDone} of ${workgroupsToDo}`;
}

function doneOf({ passes }: Plan, { pass, workgroupsDone, workgroupsToDo }: SimulationProgress): number {
  return (pass + workgroupsDone / Math.max(1, workgroupsToDo)) / passes.length;
}

function isExact({ passes }: Simulation): boolean {
  return passes.every(({ workgroups: [x, y, z], executed }) => executed === x * y * z);
}

/** What was traced and what that stands for, in one sentence. */
function traceSentence(simulation: Simulation): string {
  const parts = simulation.passes.map(({ entry, workgroups: [x, y, z], executed, logs }) => {
    const total = x * y * z;
    const ran =
      executed === total
        ? total === 1
          ? 'its one workgroup'
          : `all ${total} workgroups`
        : `${executed} of ${total} workgroups`;
    return `${ran} of "${entry}" (${logs.length} access by access)`;
  });
  const listed = parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)!}` : (parts[0] ?? 'nothing');
  return isExact(simulation)
    ? `Simulated ${listed}: all counts are exact.`
    : `Simulated ${listed}: counts are scaled up to the whole dispatch.`;
}
