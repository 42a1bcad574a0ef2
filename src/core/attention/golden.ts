import type { StoredTensor } from '../numerics/safetensors.js';
import { completeOptions, completeShape, findComputation, findMechanism, mechanisms } from './catalogue.js';
import type { Computation, Direction, GoldenOperation, Inputs, Mechanism, Options, Shape } from './mechanism.js';

/** One case of a golden folder's index.json. Sizes by tensor name. */
export interface GoldenEntry {
  readonly file: string;
  readonly op: string;
  readonly case: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly cotangents: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly grads: Readonly<Record<string, readonly number[]>>;
}

/** A golden case in the catalogue's terms: what to compute, from which inputs, and what should come out. */
export interface GoldenCase {
  readonly name: string;
  readonly mechanismId: string;
  readonly direction: Direction;
  readonly shape: Shape;
  readonly options: Options;
  readonly inputs: Inputs;
  /** Expected outputs in default layout by tensor name. */
  readonly expected: Readonly<Record<string, Float64Array>>;
}

/** The largest relative difference of a reference and a golden output, over RMS of the golden one. */
export interface GoldenDifference {
  readonly tensor: string;
  readonly relative: number;
}

/** The float64 reference agrees with a golden vector where no tensor differs by more than this. */
export const goldenAgreement = 1e-10;

interface KnownOperation {
  readonly mechanism: Mechanism;
  readonly operation: GoldenOperation;
}

/** The mechanism that has the operation of a case, and what the operation means to it; null where there is none. */
function operationOf({ op, inputs }: GoldenEntry): KnownOperation | null {
  for (const mechanism of mechanisms) {
    const operation = mechanism.golden[op];
    if (operation && (operation.holds?.(inputs) ?? true)) return { mechanism, operation };
  }
  return null;
}

/** Golden files name states S and z; the catalogue s and z, unless the operation says otherwise. */
function catalogueName({ names }: GoldenOperation, goldenName: string): string {
  return names?.[goldenName] ?? goldenName.replace('S', 's');
}

function namesIn(tensors: Readonly<Record<string, readonly number[]>>): readonly string[] {
  return Object.keys(tensors);
}

/** The mechanism of a golden case's operation, or null where the catalogue does not have it (yet). */
export function goldenMechanism(entry: GoldenEntry): Mechanism | null {
  return operationOf(entry)?.mechanism ?? null;
}

/**
 * A golden case in the catalogue's terms, from its entry in the index and the tensors of its file. Null where the
 * catalogue does not have its operation, or the case has nothing in that direction. Decoding a whole sequence from its
 * initial state leads to what the forward pass does.
 */
export function goldenOf(
  entry: GoldenEntry,
  tensors: ReadonlyMap<string, StoredTensor>,
  direction: Direction,
): GoldenCase | null {
  const known = operationOf(entry);
  if (known === null || !findComputation(known.mechanism, direction)) return null;
  const { mechanism, operation } = known;
  const backward = direction === 'backward';
  if (!backward && (operation.direction ?? direction) !== direction) return null;
  const expectedNames = namesIn(backward ? entry.grads : entry.outputs);
  const inputNames = [...namesIn(entry.inputs), ...(backward ? namesIn(entry.cotangents) : [])];
  if (expectedNames.length === 0) return null;
  const shape = completeShape(mechanism, operation.shape(entry.inputs, entry.params));
  const inputs: Record<string, Float32Array> = { ...operation.inputs?.(shape) };
  for (const name of inputNames)
    inputs[catalogueName(operation, name)] = new Float32Array(stored(entry, tensors, name).values);
  const expected: Record<string, Float64Array> = {};
  for (const name of expectedNames) {
    expected[catalogueName(operation, name)] = new Float64Array(stored(entry, tensors, name).values);
  }
  return {
    name: entry.case,
    mechanismId: mechanism.id,
    direction,
    shape,
    options: completeOptions(mechanism, shape, operation.options(entry.params)),
    inputs,
    expected,
  };
}

function stored(entry: GoldenEntry, tensors: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) {
    throw new Error(`${entry.file} has no tensor ${name}, which index.json lists for it. Copy the folder again.`);
  }
  return tensor;
}

/** How far the float64 reference is from a golden case, per tensor. Every one at most `goldenAgreement` is agreement. */
export function compareWithGolden(golden: GoldenCase): readonly GoldenDifference[] {
  const mechanism = findMechanism(golden.mechanismId);
  const computation: Computation | null = mechanism && findComputation(mechanism, golden.direction);
  if (computation === null) throw new Error(`Bug in Tilescope: no computation for the golden case ${golden.name}.`);
  const outputs = computation.reference(golden.inputs, golden.shape, golden.options, 'f64', Infinity);
  return Object.entries(golden.expected).map(([tensor, expected]) => ({
    tensor,
    relative: relativeDifference(outputs[tensor]?.values ?? new Float64Array(0), expected),
  }));
}

/**
 * Largest |a - b| over max(RMS(b), 1e-5), so that rounding alone is no difference where b is zero; infinite where sizes or
 * infinities differ.
 */
function relativeDifference(actual: ArrayLike<number>, expected: Float64Array): number {
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  let squares = 0;
  for (let at = 0; at < expected.length; at++) {
    const [a, b] = [actual[at]!, expected[at]!];
    if (a === b) {
      if (Number.isFinite(b)) squares += b * b;
      continue;
    }
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Infinity;
    largest = Math.max(largest, Math.abs(a - b));
    squares += b * b;
  }
  return largest / Math.max(Math.sqrt(squares / Math.max(expected.length, 1)), 1e-5);
}
