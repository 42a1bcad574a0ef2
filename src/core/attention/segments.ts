import type { Inputs, Recurrence, Shape, TensorSpec } from './mechanism.js';

/** The tokens [from, to) of a sequence. */
export interface Tokens {
  readonly from: number;
  readonly to: number;
}

/** The shape of a part of a sequence: so many tokens, all else as it is. */
export function segmentShape({ tokens }: Recurrence, shape: Shape, count: number): Shape {
  return { ...shape, ...Object.fromEntries(tokens.map((name) => [name, count])) };
}

/** The inputs of a part of a sequence: the tensors with a dimension of tokens cut to it, the others as they are. */
export function segmentInputs(
  recurrence: Recurrence,
  specs: readonly TensorSpec[],
  shape: Shape,
  inputs: Inputs,
  part: Tokens,
): Inputs {
  const cut: Record<string, Float32Array> = {};
  for (const { name, role, dims } of specs) {
    const values = inputs[name];
    if (role !== 'input' || values === undefined) continue;
    const layout = layoutOf(recurrence, dims, shape);
    cut[name] = layout === null ? values : cutTokens(values, layout, part);
  }
  return cut;
}

/** Puts a part's values of a tensor in their place in the whole one; returns false for a tensor without tokens. */
export function placeSegment<T extends Float32Array | Uint8Array>(
  recurrence: Recurrence,
  dims: readonly string[],
  shape: Shape,
  whole: T,
  values: T,
  { from, to }: Tokens,
): boolean {
  const layout = layoutOf(recurrence, dims, shape);
  if (layout === null) return false;
  const { before, count, after } = layout;
  const length = (to - from) * after;
  for (let row = 0; row < before; row++) {
    whole.set(values.subarray(row * length, (row + 1) * length), (row * count + from) * after);
  }
  return true;
}

/** True for a tensor that is cut along tokens. */
export function hasTokens({ tokens }: Recurrence, dims: readonly string[]): boolean {
  return dims.some((name) => tokens.includes(name));
}

/** How a tensor lies around its dimension of tokens: elements counted before it, along it and behind it. */
interface Layout {
  readonly before: number;
  readonly count: number;
  readonly after: number;
}

function layoutOf({ tokens }: Recurrence, dims: readonly string[], shape: Shape): Layout | null {
  const axis = dims.findIndex((name) => tokens.includes(name));
  if (axis < 0) return null;
  const product = (names: readonly string[]): number => names.reduce((size, name) => size * shape[name]!, 1);
  return { before: product(dims.slice(0, axis)), count: shape[dims[axis]!]!, after: product(dims.slice(axis + 1)) };
}

function cutTokens(values: Float32Array, { before, count, after }: Layout, { from, to }: Tokens): Float32Array {
  const length = (to - from) * after;
  const cut = new Float32Array(before * length);
  for (let row = 0; row < before; row++) {
    const start = (row * count + from) * after;
    cut.set(values.subarray(start, start + length), row * length);
  }
  return cut;
}
