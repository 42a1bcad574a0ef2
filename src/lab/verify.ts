import type { KernelCase, Plan } from '../core/kernel/model.js';
import { packTensor } from '../core/kernel/tensor.js';
import { compile, type CompiledKernel } from '../gpu/compile.js';
import { load, type LoadedKernel, type OutputBytes } from '../gpu/run.js';
import type { CaseVerdict } from './contract.js';
import { endsJob, toFailure, unwrap } from './failure.js';
import { failedCase, judgeCase, sameBits } from './judge.js';
import { planCase, type ReadyKernel } from './prepare.js';
import { calculateTruth, type Truth } from './truth.js';
import { breathe, type Bench } from './workbench.js';

/** A case whose kernel was run and judged, with the kernel still on the device. */
export interface VerifiedCase {
  readonly verdict: CaseVerdict;
  readonly plan: Plan;
  readonly loaded: LoadedKernel;
  /** What the run that was judged left in the outputs. */
  readonly outputs: readonly OutputBytes[];
}

/** Compiles a plan and puts it on the device with its inputs. The caller disposes of it. Throws its failures. */
export async function loadPlan(
  bench: Bench,
  ready: ReadyKernel,
  plan: Plan,
  inputs: Truth['inputs'],
): Promise<LoadedKernel> {
  return loadCompiled(bench, await compilePlan(bench, ready, plan), inputs);
}

/** Compiles a plan. Throws its failures. */
export async function compilePlan(
  { open, compilePatience }: Bench,
  { kernel }: ReadyKernel,
  plan: Plan,
): Promise<CompiledKernel> {
  const ids = kernel.module.overrides.flatMap(({ name, id }) => (id === null ? [] : [[name, id] as const]));
  return unwrap(await compile(open, plan, new Map(ids), compilePatience));
}

/** Puts a compiled kernel on the device with its inputs. The caller disposes of it. Throws its failures. */
export async function loadCompiled(
  { open, patience }: Bench,
  compiled: CompiledKernel,
  inputs: Truth['inputs'],
): Promise<LoadedKernel> {
  const packed = new Map<string, ArrayBuffer>();
  for (const { variable, content, byteLength } of compiled.plan.buffers) {
    if (content.kind !== 'tensor' || content.role !== 'input') continue;
    packed.set(variable, packTensor(content.view, inputs[content.tensor]!, byteLength));
  }
  return unwrap(await load(open, compiled, packed, patience));
}

/** Compares one case: on inputs from the seed, or on the truth given. Hands the kernel, still loaded, to `next`. */
export async function withVerifiedCase<T>(
  bench: Bench,
  ready: ReadyKernel,
  theCase: KernelCase,
  source: { readonly seed: number } | { readonly truthFor: (plan: Plan) => Truth },
  withMaps: boolean,
  next: (verified: VerifiedCase) => Promise<T>,
): Promise<T> {
  const plan = planCase(ready, theCase);
  const truth =
    'seed' in source
      ? await calculateTruth(bench, ready.computation, theCase, plan, source.seed)
      : source.truthFor(plan);
  const loaded = await loadPlan(bench, ready, plan, truth.inputs);
  try {
    const first = unwrap(await loaded.run(bench.patience));
    await breathe(bench);
    const outputs = unwrap(await loaded.run(bench.patience));
    await breathe(bench);
    const race = 'Two runs on the same inputs gave different bits: the kernel has a race.';
    const run = { outputs, repeatable: sameBits(first, outputs), race };
    const verdict = judgeCase(ready, theCase, truth, run, withMaps);
    return await next({ verdict, plan, loaded, outputs });
  } finally {
    loaded.dispose();
  }
}

/** The verdict on one case. What stops the kernel is part of it; a lost device or a cancelled job is thrown on. */
export async function verifyCase(
  bench: Bench,
  ready: ReadyKernel,
  theCase: KernelCase,
  source: Parameters<typeof withVerifiedCase>[3],
  withMaps: boolean,
): Promise<CaseVerdict> {
  try {
    return await withVerifiedCase(bench, ready, theCase, source, withMaps, ({ verdict }) => Promise.resolve(verdict));
  } catch (error) {
    const failure = toFailure(error);
    if (endsJob(failure)) throw error;
    return failedCase(theCase, failure);
  }
}
