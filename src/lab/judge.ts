import type { KernelCase } from '../core/kernel/model.js';
import { floatFormat, unpackTensor } from '../core/kernel/tensor.js';
import { judgeTensor } from '../core/numerics/compare.js';
import type { TensorVerdict } from '../core/numerics/verdict.js';
import type { OutputBytes } from '../gpu/run.js';
import type { CaseVerdict, LabFailure } from './contract.js';
import type { ReadyKernel } from './prepare.js';
import type { Truth } from './truth.js';

/** What a kernel left behind in a case, whoever ran it. */
export interface CaseRun {
  readonly outputs: readonly OutputBytes[];
  /** Two runs gave the same bits; null where the kernel was run once. */
  readonly repeatable: boolean | null;
  /** What it means where they did not, in a sentence. */
  readonly race: string;
}

/** The verdict on one case, from what a run left in the outputs and what must stand there. */
export function judgeCase(
  ready: ReadyKernel,
  { name, shape, options }: KernelCase,
  truth: Truth,
  { outputs, repeatable, race }: CaseRun,
  withMaps: boolean,
): CaseVerdict {
  const tensors = judgeOutputs(ready, truth, outputs, withMaps);
  const sampled = Object.values(truth.reference).some(({ rows }) => rows !== null);
  const passed = repeatable !== false && tensors.every((tensor) => tensor.passed);
  const sentence = caseSentence(tensors, repeatable === false ? race : null);
  return { name, shape, options, passed, sentence, tensors, failure: null, sampled, repeatable };
}

/** The verdict on a case whose kernel could not be run, for the reason given. */
export function failedCase({ name, shape, options }: KernelCase, failure: LabFailure): CaseVerdict {
  const sentence = failure.message;
  return { name, shape, options, passed: false, sentence, tensors: [], failure, sampled: false, repeatable: null };
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
    const format = floatFormat(content.view);
    return judgeTensor({ spec, direction, format, reference, baseline, values, states, guardsTouched, withMap });
  });
}

function caseSentence(tensors: readonly TensorVerdict[], race: string | null): string {
  const wrong = tensors.filter(({ passed }) => !passed);
  if (race !== null) return [race, ...wrong.map(({ sentence }) => sentence)].join(' ');
  return (wrong.length > 0 ? wrong : tensors).map(({ sentence }) => sentence).join(' ');
}
