import type { Inputs, ReferenceTensor } from '../core/attention/mechanism.js';
import type { KernelCase, Plan } from '../core/kernel/model.js';
import { fromBase64 } from '../core/numerics/base64.js';
import type { CaseVerdict, LabMethods } from './contract.js';
import { LabFault } from './failure.js';
import { readyKernel, type ReadyKernel } from './prepare.js';
import { storedInputs, type Truth } from './truth.js';
import { verifyCase } from './verify.js';
import { breathe, type Bench } from './workbench.js';

/**
 * The verdict on one case whose inputs and right outputs come from outside: golden vectors. A kernel that stores an input
 * as f16 computes from other numbers than those the right outputs belong to; it is held to the reference for the rounded
 * ones instead.
 */
export async function verifyGiven(
  bench: Bench,
  { kernel, theCase, inputs, expected }: Parameters<LabMethods['verify']>[0],
): Promise<CaseVerdict> {
  const ready = readyKernel(kernel);
  await breathe(bench);
  const given = mapValues(inputs, (text, name) => new Float32Array(bytesOf(text, name)));
  const right = mapValues(expected, (text, name) => new Float64Array(bytesOf(text, name)));
  const truthFor = (plan: Plan): Truth => givenTruth(ready, theCase, plan, given, right);
  return verifyCase(bench, ready, theCase, { truthFor }, false);
}

function givenTruth(
  { computation }: ReadyKernel,
  { shape, options }: KernelCase,
  plan: Plan,
  given: Inputs,
  right: Readonly<Record<string, Float64Array>>,
): Truth {
  const all: Record<string, Float32Array> = { ...given };
  for (const { content } of plan.buffers) {
    if (content.kind !== 'tensor' || content.role !== 'input' || all[content.tensor]) continue;
    all[content.tensor] = new Float32Array(content.view.dims.reduce((product, size) => product * size, 1));
  }
  const inputs = storedInputs(plan, all);
  const own = computation.reference(inputs, shape, options, 'f64', Infinity);
  const baseline = computation.reference(inputs, shape, options, 'f32', Infinity);
  const rounded = Object.entries(inputs).some(([name, values]) => !sameValues(values, all[name]!));
  const reference: Record<string, ReferenceTensor> = {};
  for (const [name, values] of Object.entries(right)) {
    const tensor = own[name];
    if (tensor?.values.length !== values.length) {
      throw wrongVectors(`The expected output "${name}" does not have the size it has at this shape.`);
    }
    reference[name] = rounded ? tensor : { ...tensor, values };
  }
  return { inputs, reference, baseline };
}

function sameValues(a: Float32Array, b: Float32Array): boolean {
  return a === b || a.every((value, at) => value === b[at]);
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A, name: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}

function bytesOf(text: string, name: string): ArrayBuffer {
  const bytes = fromBase64(text);
  if (!bytes || bytes.byteLength % 4 !== 0)
    throw wrongVectors(`The values given for "${name}" are no base64 of floats.`);
  return bytes.slice().buffer;
}

function wrongVectors(message: string): LabFault {
  return new LabFault({ kind: 'internal', message, remedy: null, diagnostics: [] });
}
