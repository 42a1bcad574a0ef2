import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import type { Kernel, Plan } from '../../../src/core/kernel/model.js';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { floatFormat, packTensor, poisonTensor, unpackTensor } from '../../../src/core/kernel/tensor.js';
import { judgeTensor } from '../../../src/core/numerics/compare.js';
import { roundTo } from '../../../src/core/numerics/ulp.js';
import type { TensorVerdict } from '../../../src/core/numerics/verdict.js';
import { compileSimulation, type CompiledSimulation } from '../../../src/core/simulator/compile.js';
import { simulate } from '../../../src/core/simulator/simulate.js';
import type {
  PassRequest,
  Provenance,
  Recording,
  Simulation,
  SimulationInput,
} from '../../../src/core/simulator/trace.js';

/** What Node makes of a generated text. */
export const instantiate = (code: string): unknown => runInThisContext(code) as unknown;

export const bare: Recording = { accesses: false, faults: false, provenance: false, values: false, contents: true };
export const logging: Recording = { ...bare, accesses: true };

/** Where the built-in kernels are. */
export const builtIns = [
  'softmax/naive',
  'softmax/flash',
  'linear/left-product',
  'linear/right-product',
  'lightning/lightning1',
  'lightning/lightning2',
] as const;

/** A kernel that comes along, at its own shape or another. */
export function builtInPlan(name: string, shape: Shape = {}, options: Options = {}): { kernel: Kernel; plan: Plan } {
  const text = readFileSync(new URL(`../../../shaders/${name}.wgsl`, import.meta.url), 'utf8');
  return planText(text, shape, options);
}

/** A kernel file's plan; its diagnostics become the test's message. */
export function planText(text: string, shape: Shape = {}, options: Options = {}): { kernel: Kernel; plan: Plan } {
  const kernel = readKernel(text, 'test.wgsl');
  if (!kernel) throw new Error('The test kernel has no front matter.');
  const result = planKernel(kernel, { ...kernel.shape, ...shape }, { ...kernel.options, ...options });
  if (!result.ok) throw new Error(result.diagnostics.map(({ message }) => message).join('\n'));
  return { kernel, plan: result.plan };
}

/** A plan for a bare module: buffers of u32 by variable and bytes, in the order of their bindings in group 0. */
export function modulePlan(
  code: string,
  buffers: Readonly<Record<string, number>>,
  invocations: number,
  workgroups: readonly [number, number, number] = [1, 1, 1],
): Plan {
  return {
    name: 'module',
    hash: '',
    code,
    toSource: (offset) => offset,
    shape: {},
    options: {},
    constants: {},
    features: [],
    buffers: Object.entries(buffers).map(([variable, byteLength], binding) => ({
      variable,
      group: 0,
      binding,
      type: 'storage',
      byteLength,
      content: { kind: 'scratch', format: 'u32', dims: [], dimNames: [] },
    })),
    passes: [
      {
        entry: 'main',
        workgroups,
        workgroupSize: [invocations, 1, 1],
        workgroupBytes: 0,
        variables: Object.keys(buffers),
      },
    ],
    flops: 0,
    compulsoryBytes: 0,
  };
}

/** Simulates a bare module with zeroed buffers, or with the words given. */
export function simulatedModule(
  plan: Plan,
  more: { recording?: Recording; subgroupSize?: number; provenance?: Provenance; words?: readonly Int32Array[] } = {},
): Simulation {
  return finish(compiled(plan, more.recording ?? logging), {
    buffers: plan.buffers.map(({ byteLength }, index) => {
      const words = new Int32Array(byteLength / 4);
      words.set(more.words?.[index] ?? []);
      return words.buffer;
    }),
    requests: allLogged(plan),
    subgroupSize: more.subgroupSize ?? 32,
    provenance: more.provenance ?? null,
    watch: more.recording?.values === true ? { pass: 0, workgroup: 0, invocation: 1 } : null,
  });
}

/** The words of the last buffer of a simulation. */
export function lastWords({ buffers }: Simulation): Int32Array {
  return new Int32Array(buffers.at(-1)!.bytes);
}

/** Compiles a plan; its diagnostics become the test's message. */
export function compiled(plan: Plan, recording: Recording): CompiledSimulation {
  const result = compileSimulation(plan, recording);
  if (!result.ok)
    throw new Error(result.diagnostics.map(({ message, span }) => `${span.start}: ${message}`).join('\n'));
  return result.compiled;
}

/** The buffers of a plan before the first pass: inputs from the seed, uniforms, and everything else filled with NaN. */
export function initialBuffers(kernel: Kernel, plan: Plan, seed = 1): ArrayBuffer[] {
  const inputs = kernel.computation!.generate(plan.shape, plan.options, seed);
  return plan.buffers.map(({ content, byteLength }) => {
    if (content.kind === 'uniform') return content.bytes.slice().buffer;
    if (content.kind === 'scratch') return new Uint32Array(byteLength / 4).fill(0x7fc00000).buffer;
    if (content.role === 'output') return poisonTensor(content.view, byteLength);
    const values = inputs[content.tensor]!.map((value) => roundTo(floatFormat(content.view), value));
    return packTensor(content.view, values, byteLength);
  });
}

const everyWorkgroup = (plan: Plan): number[][] =>
  plan.passes.map(({ workgroups: [x, y, z] }) => Array.from({ length: x * y * z }, (_, linear) => linear));

/** Requests that log every workgroup of every pass. */
export function allLogged(plan: Plan): PassRequest[] {
  return everyWorkgroup(plan).map((logged) => ({ logged, others: () => ({ followed: [], counted: [] }) }));
}

/** Requests that run every workgroup without logging. */
export function all(plan: Plan, how: 'followed' | 'counted'): PassRequest[] {
  return everyWorkgroup(plan).map((ids) => ({
    logged: [],
    others: () => ({ followed: how === 'followed' ? ids : [], counted: how === 'counted' ? ids : [] }),
  }));
}

/** Simulates to the end. */
export function finish(compiledSimulation: CompiledSimulation, input: SimulationInput): Simulation {
  const run = simulate(compiledSimulation, input, instantiate);
  for (;;) {
    const step = run.next();
    if (step.done === true) return step.value;
  }
}

/** Simulates a plan whole, with every workgroup logged. */
export function simulated(
  { kernel, plan }: { kernel: Kernel; plan: Plan },
  recording: Recording = logging,
  more: { subgroupSize?: number; provenance?: Provenance; requests?: PassRequest[] } = {},
): Simulation {
  return finish(compiled(plan, recording), {
    buffers: initialBuffers(kernel, plan),
    requests: more.requests ?? allLogged(plan),
    subgroupSize: more.subgroupSize ?? 32,
    provenance: more.provenance ?? null,
    watch: null,
  });
}

/** The verdict on the outputs of a simulation, exactly as Compare gives it. */
export function verdicts({ kernel, plan }: { kernel: Kernel; plan: Plan }, { buffers }: Simulation): TensorVerdict[] {
  const computation = kernel.computation!;
  const bound = new Set(plan.buffers.flatMap(({ content }) => (content.kind === 'tensor' ? [content.tensor] : [])));
  const generated = Object.entries(computation.generate(plan.shape, plan.options, 1));
  const inputs = Object.fromEntries(generated.filter(([name]) => bound.has(name)));
  const reference = computation.reference(inputs, plan.shape, plan.options, 'f64', Infinity);
  const baseline = computation.reference(inputs, plan.shape, plan.options, 'f32', Infinity);
  return plan.buffers.flatMap(({ content, variable }) => {
    if (content.kind !== 'tensor' || content.role !== 'output') return [];
    const spec = computation.tensors.find(({ name }) => name === content.tensor)!;
    const { bytes } = buffers.find((buffer) => buffer.variable === variable)!;
    const { values, states } = unpackTensor(content.view, bytes);
    return judgeTensor({
      spec,
      direction: computation.direction,
      format: floatFormat(content.view),
      reference: reference[content.tensor]!,
      baseline: baseline[content.tensor]!,
      values,
      states,
      guardsTouched: 0,
      withMap: false,
    });
  });
}
