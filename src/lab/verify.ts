import type { KernelCase, Plan } from '../core/kernel/model.js';
import { packTensor, unpackTensor } from '../core/kernel/tensor.js';
import { judgeTensor } from '../core/numerics/compare.js';
import type { TensorVerdict } from '../core/numerics/verdict.js';
import { compile } from '../gpu/compile.js';
import { load, type LoadedKernel, type OutputBytes } from '../gpu/run.js';
import type { CaseVerdict, LabFailure } from './contract.js';
import { toFailure, unwrap } from './failure.js';
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
  { open, patience, compilePatience }: Bench,
  { kernel }: ReadyKernel,
  plan: Plan,
  inputs: Truth['inputs'],
): Promise<LoadedKernel> {
  const ids = kernel.module.overrides.flatMap(({ name, id }) => (id === null ? [] : [[name, id] as const]));
  const compiled = unwrap(await compile(open, plan, new Map(ids), compilePatience));
  const packed = new Map<string, ArrayBuffer>();
  for (const { variable, content, byteLength } of plan.buffers) {
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
    const repeatable = sameBits(first, outputs);
    const tensors = judgeOutputs(ready, truth, outputs, withMaps);
    const sampled = Object.values(truth.reference).some(({ rows }) => rows !== null);
    const passed = repeatable && tensors.every((tensor) => tensor.passed);
    const sentence = caseSentence(tensors, repeatable);
    const { name, shape, options } = theCase;
    const verdict = { name, shape, options, passed, sentence, tensors, failure: null, sampled, repeatable };
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
    const { name, shape, options } = theCase;
    const sentence = failure.message;
    return { name, shape, options, passed: false, sentence, tensors: [], failure, sampled: false, repeatable: null };
  }
}

/** True for failures after which the other cases cannot be run, or would fail alike. */
function endsJob({ kind }: LabFailure): boolean {
  return kind === 'cancelled' || kind === 'timeout' || kind === 'device-lost' || kind === 'compile-error';
}

/** True where two runs left the same bits in every output. */
export function sameBits(first: readonly OutputBytes[], second: readonly OutputBytes[]): boolean {
  return first.every(({ bytes }, at) => {
    const other = second[at]!.bytes;
    return bytes.length === other.length && bytes.every((byte, index) => byte === other[index]);
  });
}

function judgeOutputs(
  { computation }: ReadyKernel,
  truth: Truth,
  outputs: readonly OutputBytes[],
  withMap: boolean,
): TensorVerdict[] {
  return outputs.flatMap(({ planned, bytes, guardsTouched }) => {
    const { content } = planned;
    if (content.kind !== 'tensor') return [];
    const spec = computation.tensors.find(({ name }) => name === content.tensor);
    const reference = truth.reference[content.tensor];
    const baseline = truth.baseline[content.tensor];
    if (!spec || !reference || !baseline) return [];
    const { values, states } = unpackTensor(content.view, bytes);
    const { direction } = computation;
    const { format } = content.view;
    return judgeTensor({ spec, direction, format, reference, baseline, values, states, guardsTouched, withMap });
  });
}

function caseSentence(tensors: readonly TensorVerdict[], repeatable: boolean): string {
  const wrong = tensors.filter(({ passed }) => !passed);
  const race = 'Two runs on the same inputs gave different bits: the kernel has a race.';
  if (!repeatable) return [race, ...wrong.map(({ sentence }) => sentence)].join(' ');
  return (wrong.length > 0 ? wrong : tensors).map(({ sentence }) => sentence).join(' ');
}
