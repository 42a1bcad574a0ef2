import { analysisContext, type AnalysisContext } from '../../../src/core/analysis/context.js';
import { createProvenance } from '../../../src/core/analysis/provenance.js';
import { poisonTensor } from '../../../src/core/kernel/tensor.js';
import { compileSimulation } from '../../../src/core/simulator/compile.js';
import { simulate } from '../../../src/core/simulator/simulate.js';
import type { PassRequest, Simulation } from '../../../src/core/simulator/trace.js';
import { instantiate } from '../simulator/simulated.js';
import type { PlannedKernel } from './planned.js';

/** The bytes of each buffer of a plan before its first pass. */
function initialBuffers({ plan, inputs }: PlannedKernel): ArrayBuffer[] {
  return plan.buffers.map(({ variable, byteLength, content }) => {
    if (content.kind === 'uniform') return new Uint8Array(content.bytes).buffer;
    if (content.kind === 'scratch') return new ArrayBuffer(byteLength);
    return inputs.get(variable)?.slice(0) ?? poisonTensor(content.view, byteLength);
  });
}

/** Which workgroups of each pass to log; all others are counted. */
export type Logged = 'all' | 'none' | readonly number[];

/** Simulates every workgroup of a kernel. With `provenance` the recorder is in the context where values can be followed, with `faults` they are, and with `contents` its buffers hold results. */
export function simulatedContext(
  kernel: PlannedKernel,
  logged: Logged,
  { subgroupSize = 32, provenance = false, faults = false, contents = false } = {},
): AnalysisContext {
  const { plan } = kernel;
  const recorder = provenance ? createProvenance(plan, kernel.mechanism, kernel.computation, kernel.values) : null;
  const followed = recorder !== null;
  const recording = {
    accesses: logged !== 'none',
    faults,
    provenance: followed,
    values: false,
    contents: contents || faults,
  };
  const result = compileSimulation(plan, recording);
  if (!result.ok) throw new Error(result.diagnostics.map(({ message }) => message).join('\n'));
  const requests = plan.passes.map(({ workgroups: [x, y, z] }): PassRequest => {
    const all = Array.from({ length: x * y * z }, (_, index) => index);
    const chosen = logged === 'all' ? all : logged === 'none' ? [] : all.filter((index) => logged.includes(index));
    const counted = all.filter((index) => !chosen.includes(index));
    return { logged: chosen, others: () => ({ followed: [], counted }) };
  });
  const input = { buffers: initialBuffers(kernel), requests, subgroupSize, provenance: recorder, watch: null };
  const simulation = finish(simulate(result.compiled, input, instantiate));
  const { source, mechanism, computation } = kernel;
  return analysisContext({ source, plan, mechanism, computation, simulation, provenance: recorder });
}

function finish(run: Generator<unknown, Simulation>): Simulation {
  for (;;) {
    const step = run.next();
    if (step.done) return step.value;
  }
}
