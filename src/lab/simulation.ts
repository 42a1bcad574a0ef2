import { analysisContext, type AnalysisContext } from '../core/analysis/context.js';
import type { ProvenanceRecorder } from '../core/analysis/provenance.js';
import type { Inputs } from '../core/attention/mechanism.js';
import { elementCount } from '../core/attention/sizes.js';
import type { KernelCase, Plan, PlannedBuffer } from '../core/kernel/model.js';
import { packTensor, poisonTensor } from '../core/kernel/tensor.js';
import type { CompiledSimulation } from '../core/simulator/compile.js';
import { simulate } from '../core/simulator/simulate.js';
import type { Recording, Simulation, SimulationInput, SimulationProgress } from '../core/simulator/trace.js';
import { scratchPoison } from '../gpu/buffers.js';
import type { Progress } from './contract.js';
import { LabFault } from './failure.js';
import type { ReadyKernel } from './prepare.js';
import { storedInputs } from './truth.js';

/** Makes the value of a JavaScript expression from its text. */
export type Instantiate = (code: string) => unknown;

/** One simulation of a task: a case of the kernel, its plan, and what is written down of it. */
export interface TaskCase {
  readonly ready: ReadyKernel;
  readonly theCase: KernelCase;
  readonly plan: Plan;
  readonly recording: Recording;
}

/** A case that is ready to be simulated. */
export interface CompiledCase extends TaskCase {
  readonly compiled: CompiledSimulation;
  readonly instantiate: Instantiate;
}

/** What a simulation runs on, beside the inputs, which come from its case. */
export type SimulationSettings = Omit<SimulationInput, 'buffers'>;

/** Simulations have no verdict that another seed could change. */
const simulationSeed = 1;

const wordBytes = 4;

/**
 * Simulates a case, on inputs from a fixed seed unless it is given others; yields after each workgroup, `tell` says how.
 * Throws `timeout` for a loop that goes on for ever.
 */
export function* simulateCase(
  given: CompiledCase,
  settings: SimulationSettings,
  tell: (progress: SimulationProgress) => Progress,
  inputs: Inputs = inputsOf(given),
): Generator<Progress, Simulation> {
  const { plan, compiled, instantiate } = given;
  const needed = new Set(compiled.contents);
  const buffers = plan.buffers.map((buffer) => initialBytes(buffer, needed.has(buffer.variable) ? inputs : null));
  const running = simulate(compiled, { ...settings, buffers }, instantiate);
  for (;;) {
    const step = running.next();
    if (step.done) return step.value;
    yield tell(step.value);
  }
}

/**
 * The inputs a case is simulated on, every value as the kernel's storage holds it; none where nothing depends on them.
 * Pages always count: which token lies in which slot is asked of them beside the kernel.
 */
export function inputsOf(given: CompiledCase): Inputs {
  const {
    ready: { computation },
    plan,
    theCase: { shape, options },
  } = given;
  if (computation.paged === undefined && !plan.buffers.some(isNeededIn(given))) return {};
  return storedInputs(plan, computation.generate(shape, options, simulationSeed));
}

/** Inputs for a case that is smaller than another one in every tensor: the beginnings of the other's. */
export function inputsWithin({ plan }: CompiledCase, larger: Inputs): Inputs {
  const inputs: Record<string, Float32Array> = {};
  for (const { content } of plan.buffers) {
    if (content.kind !== 'tensor' || content.role !== 'input') continue;
    const values = larger[content.tensor];
    if (values) inputs[content.tensor] = values.subarray(0, elementCount(content.view.dims));
  }
  return inputs;
}

/** Whether a buffer is an input that something in the kernel depends on. */
function isNeededIn({ compiled }: CompiledCase): (buffer: PlannedBuffer) => boolean {
  const needed = new Set(compiled.contents);
  return ({ variable, content }) => content.kind === 'tensor' && content.role === 'input' && needed.has(variable);
}

/** The context of the analyses of one simulated case. */
export function contextOf(
  { ready, plan }: CompiledCase,
  simulation: Simulation,
  provenance: ProvenanceRecorder | null,
): AnalysisContext {
  const { kernel, mechanism, computation } = ready;
  return analysisContext({ source: kernel.source, plan, mechanism, computation, simulation, provenance });
}

/** Throws `timeout` where a loop of the kernel goes on for ever: what else its simulation says is of no use then. */
export function rejectEndless({ passes }: Simulation): void {
  for (const { entry, faults } of passes) {
    const fault = faults.find(({ kind }) => kind === 'endless-loop');
    if (!fault) continue;
    const place = `workgroup ${fault.workgroup.join(', ')}`;
    const message = `A loop of "${entry}" goes on for ever: ${place} was given up.`;
    const remedy = 'Look at what ends the loop; every invocation has to come by it.';
    const { span } = fault;
    const diagnostics = [{ code: 'endless-loop', severity: 'error', span, message, remedy }] as const;
    throw new LabFault({ kind: 'timeout', message, remedy, diagnostics });
  }
}

/**
 * What a buffer holds before the first pass, as on a device: outputs are never written, scratch is NaN. Without inputs,
 * which is where nothing depends on what it holds, zeros.
 */
function initialBytes({ variable, content, byteLength }: PlannedBuffer, inputs: Inputs | null): ArrayBuffer {
  const size = Math.max(wordBytes, Math.ceil(byteLength / wordBytes) * wordBytes);
  if (inputs === null && content.kind !== 'uniform') return new ArrayBuffer(size);
  switch (content.kind) {
    case 'uniform': {
      const bytes = new ArrayBuffer(size);
      new Uint8Array(bytes).set(content.bytes);
      return bytes;
    }
    case 'scratch': {
      const bytes = new ArrayBuffer(size);
      new Uint32Array(bytes).fill(scratchPoison[content.format]);
      return bytes;
    }
    case 'tensor': {
      if (content.role === 'output') return poisonTensor(content.view, size);
      const values = inputs?.[content.tensor];
      if (!values) throw new Error(`There are no values for the input "${variable}".`);
      return packTensor(content.view, values, size);
    }
  }
}
