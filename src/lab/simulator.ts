import type { CompiledSimulation } from '../core/simulator/compile.js';
import type { CallContext } from './channel.js';
import type {
  CompareReport,
  ConsistencyReport,
  HazardReport,
  LabMethods,
  Outcome,
  TraceReport,
  ValuesReport,
} from './contract.js';

/** A job for the simulator: the parameters of the lab's method of the same name. */
export type SimulatorTask =
  | ({ readonly kind: 'trace' } & Readonly<Parameters<LabMethods['trace']>[0]>)
  | ({ readonly kind: 'hazards' } & Readonly<Parameters<LabMethods['hazards']>[0]>)
  | ({ readonly kind: 'compareSimulated' } & Readonly<Parameters<LabMethods['compareSimulated']>[0]>)
  | ({ readonly kind: 'consistencySimulated' } & Readonly<Parameters<LabMethods['consistencySimulated']>[0]>)
  | ({ readonly kind: 'values' } & Readonly<Parameters<LabMethods['values']>[0]>);

/** The reports of the simulator's tasks by their kind. */
export interface SimulatorReports {
  readonly trace: TraceReport;
  readonly hazards: HazardReport;
  readonly values: ValuesReport;
  readonly compareSimulated: CompareReport;
  readonly consistencySimulated: ConsistencyReport;
}

/**
 * Where a lab simulates. The simulator makes JavaScript from a kernel, and how a text becomes a function is the host's
 * matter: a page whose content security policy forbids `eval` runs it in a worker, Node runs it where it is.
 * Never rejects for what a kernel does; a context whose signal is aborted ends it as `cancelled`.
 */
export interface SimulatorHost {
  perform: <K extends SimulatorTask['kind']>(
    task: Extract<SimulatorTask, { readonly kind: K }>,
    context: CallContext,
  ) => Promise<Outcome<SimulatorReports[K]>>;
}

/** What a page asks of a worker that simulates for it. Each worker does one of the two, and its end is its cancel. */
export interface WorkerMethods {
  /** The simulations of a task, compiled: the codes in them become part of the script of the worker that performs it. */
  compile: (params: { task: SimulatorTask }) => Promise<Outcome<readonly CompiledSimulation[]>>;
  perform: (params: {
    task: SimulatorTask;
    compiled: readonly CompiledSimulation[];
  }) => Promise<Outcome<SimulatorReports[SimulatorTask['kind']]>>;
}

/** The codes of compiled simulations, each once, in a fixed order. */
export function distinctCodes(compiled: readonly CompiledSimulation[]): readonly string[] {
  return [...new Set(compiled.flatMap(({ codes }) => codes))];
}
