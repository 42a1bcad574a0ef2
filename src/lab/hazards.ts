import type { CaseHazards, Hazard } from '../core/analysis/hazard.js';
import { subgroupSizeHazards, subgroupUse, type SubgroupRun } from '../core/analysis/hazard-subgroups.js';
import { findHazards, mergeHazards } from '../core/analysis/hazards.js';
import type { Mechanism } from '../core/attention/mechanism.js';
import type { KernelCase } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import type { Simulation } from '../core/simulator/trace.js';
import type { HazardReport, Progress } from './contract.js';
import { chosenCase, planCase, type ReadyKernel } from './prepare.js';
import { contextOf, inputsOf, simulateCase, type CompiledCase, type TaskCase } from './simulation.js';
import type { SimulatorTask } from './simulator.js';
import { smallEnough } from './smaller-case.js';
import { everyResult, everyWorkgroup } from './workgroup-choice.js';

type HazardTask = Extract<SimulatorTask, { readonly kind: 'hazards' }>;

/** Floating-point operations a case may ask for: every workgroup of it is run, with every access logged. */
const caseFlops = 12_000_000;
/** Accesses after which no further case is begun. */
const accessBudget = 40_000_000;
/** Cases of the kernel's grid that are looked at beside its own shape. */
const mostCases = 8;

const recording = { accesses: true, faults: true, provenance: false, values: false, contents: true } as const;
const usualSubgroup = 32;
const otherSubgroups = [4, 8, 16, 64, 128] as const;
/** A case that costs no more accesses than this is run with subgroups of other sizes, too. */
const subgroupAccesses = 4_000_000;
/** How many cases are. */
const subgroupCases = 2;

/**
 * The simulations of a search for hazards: the case that was asked for; without an override the file's own shape and then
 * cheap cases of its grid. A case that is too large to run whole is made smaller.
 */
export function hazardCases(ready: ReadyKernel, { override }: HazardTask): readonly TaskCase[] {
  const chosen = chosenCase(ready, override);
  const own = override ? chosen : smallEnough(ready, chosen, caseFlops);
  const first: TaskCase = { ready, theCase: own, plan: planCase(ready, own), recording };
  if (override) return [first];
  const { computation, kernel, mechanism } = ready;
  const cost = ({ shape, options }: KernelCase): number => computation.flops(shape, options);
  const key = ({ shape, options }: KernelCase): string => JSON.stringify([shape, options]);
  const others = kernel.cases
    .filter((theCase) => cost(theCase) <= caseFlops && key(theCase) !== key(own))
    .sort((a, b) => cost(a) - cost(b));
  const planned = chooseCases(mechanism, others).flatMap((theCase): TaskCase[] => {
    const result = planKernel(kernel, theCase.shape, theCase.options);
    return result.ok ? [{ ready, theCase, plan: result.plan, recording }] : [];
  });
  return [first, ...planned];
}

/**
 * At most `mostCases` of the cases, which stand from the cheapest to the dearest: of each variant that takes other ways
 * through a kernel the dearest, and beside those at even distances.
 */
function chooseCases(mechanism: Mechanism, cases: readonly KernelCase[]): readonly KernelCase[] {
  if (cases.length <= mostCases) return cases;
  const variants = new Map(cases.map((theCase) => [variantOf(mechanism, theCase), theCase]));
  const chosen = new Set([...variants.values()].slice(0, mostCases));
  for (let at = 0; chosen.size < mostCases; at++) {
    chosen.add(cases[Math.floor((at * cases.length) / mostCases) % cases.length]!);
  }
  return cases.filter((theCase) => chosen.has(theCase));
}

/** What decides which ways a case takes through a kernel: switches and choices, and which sizes differ. */
function variantOf({ options: specs }: Mechanism, { shape, options }: KernelCase): string {
  const switches = specs.flatMap(({ name, kind }) => (kind === 'number' ? [] : [options[name]]));
  const { seqlen = 1, seqlenK = seqlen, heads = 1, headsKv = heads } = shape;
  return JSON.stringify([switches, Math.sign(seqlenK - seqlen), headsKv < heads]);
}

/** Simulates the cases, every workgroup logged, and lists the hazards they show, each pair of places once. */
export function* reportHazards(
  { kernel: source }: HazardTask,
  cases: readonly CompiledCase[],
): Generator<Progress, HazardReport> {
  const started = performance.now();
  const found: CaseHazards[] = [];
  const done: KernelCase[] = [];
  let accesses = 0;
  let sized = 0;
  for (const [index, each] of cases.entries()) {
    if (accesses > accessBudget) break;
    const { theCase, plan } = each;
    const message = `case ${index + 1} of ${cases.length}: ${theCase.name}`;
    const simulation = yield* simulateCase(
      each,
      { requests: everyWorkgroup(plan), subgroupSize: usualSubgroup, provenance: null, watch: null },
      ({ pass, workgroupsDone, workgroupsToDo }) => ({
        message,
        fraction: (index + (pass + workgroupsDone / Math.max(1, workgroupsToDo)) / plan.passes.length) / cases.length,
      }),
    );
    accesses += simulation.accesses;
    found.push(findHazards(contextOf(each, simulation, null), theCase.name));
    done.push(theCase);
    // The other cases would not end either, and each takes its time to find out.
    if (simulation.passes.some(({ faults }) => faults.some(({ kind }) => kind === 'endless-loop'))) break;
    if (sized < subgroupCases && simulation.accesses <= subgroupAccesses && subgroupUse(plan) !== null) {
      sized++;
      found.push(yield* subgroupHazards(each, simulation));
    }
  }
  const hazards = mergeHazards(found);
  const hash = cases[0]!.ready.kernel.hash;
  return {
    hash,
    kernel: source.name,
    hazards,
    cases: done.map(({ name, shape, options }) => ({ name, shape, options })),
    subgroupSizes: sized > 0 ? [usualSubgroup, ...otherSubgroups].sort((a, b) => a - b) : [usualSubgroup],
    sentence: hazardSentence(hazards, done.length),
    elapsedMs: performance.now() - started,
  };
}

/** Whether a case's result depends on the size of the subgroups: it is run with each, and held against the reference. */
function* subgroupHazards(each: CompiledCase, usual: Simulation): Generator<Progress, CaseHazards> {
  const { theCase, plan, ready } = each;
  const runs: SubgroupRun[] = [{ subgroupSize: usualSubgroup, buffers: usual.buffers }];
  for (const subgroupSize of otherSubgroups) {
    const requests = everyResult(plan);
    const { buffers } = yield* simulateCase(each, { requests, subgroupSize, provenance: null, watch: null }, () => ({
      message: `${theCase.name} with subgroups of ${subgroupSize}`,
      fraction: null,
    }));
    runs.push({ subgroupSize, buffers });
  }
  runs.sort((a, b) => a.subgroupSize - b.subgroupSize);
  const { shape, options } = theCase;
  const inputs = inputsOf(each);
  const reference = ready.computation.reference(inputs, shape, options, 'f64', Infinity);
  const baseline = ready.computation.reference(inputs, shape, options, 'f32', Infinity);
  const context = contextOf(each, usual, null);
  const hazards = subgroupSizeHazards(context, theCase.name, runs, { reference, baseline });
  return { caseName: theCase.name, hazards, readWrites: [] };
}

/** What was found, in a sentence: how many of each severity, and in how many cases was looked. */
function hazardSentence(hazards: readonly Hazard[], cases: number): string {
  const where = cases === 1 ? 'in the one case that was simulated' : `in ${cases} simulated cases`;
  if (hazards.length === 0) return `No hazard ${where}.`;
  const count = (severity: Hazard['severity'], one: string, many: string): string[] => {
    const number = hazards.filter((hazard) => hazard.severity === severity).length;
    return number === 0 ? [] : [`${number} ${number === 1 ? one : many}`];
  };
  const counts = [
    ...count('error', 'error', 'errors'),
    ...count('warning', 'warning', 'warnings'),
    ...count('info', 'note', 'notes'),
  ];
  return `${counts.join(', ')} ${where}, first in line ${hazards[0]!.line}: ${hazards[0]!.message}`;
}
