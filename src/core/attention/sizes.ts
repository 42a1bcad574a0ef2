import type { DimensionSpec, Options, Shape } from './mechanism.js';

/** The sizes of a complete shape by name; those a mechanism does not have equal what they fall back to. */
export interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly headsKv: number;
  readonly seqlen: number;
  readonly seqlenK: number;
  readonly headDim: number;
  readonly headDimV: number;
}

/** Reads the sizes of a complete shape. */
export function sizesOf(shape: Shape): Sizes {
  const { batch, heads, seqlen, headDim } = shape;
  if (batch === undefined || heads === undefined || seqlen === undefined || headDim === undefined) {
    throw new Error('Bug in Tilescope: a shape reached the reference incomplete. Complete it with completeShape.');
  }
  return {
    batch,
    heads,
    headsKv: shape.headsKv ?? heads,
    seqlen,
    seqlenK: shape.seqlenK ?? seqlen,
    headDim,
    headDimV: shape.headDimV ?? headDim,
  };
}

/** The dimensions that another one follows when it is not given; none for one that has a size of its own. */
export function leadersOf({ fallback }: DimensionSpec): readonly string[] {
  if (typeof fallback === 'number') return [];
  return typeof fallback === 'string' ? [fallback] : fallback.from;
}

/** The size of a dimension that is not given, when those that it follows (`leadersOf`) have the sizes that `sizeOf` tells. */
export function fallbackSize({ fallback }: DimensionSpec, sizeOf: (leader: string) => number): number {
  if (typeof fallback === 'number') return fallback;
  return typeof fallback === 'string' ? sizeOf(fallback) : fallback.size(...fallback.from.map(sizeOf));
}

/** Whether a dimension has just the size in a complete shape that the dimensions it follows give it. */
export function followsLeaders(dimension: DimensionSpec, shape: Shape): boolean {
  if (leadersOf(dimension).length === 0) return false;
  return shape[dimension.name] === fallbackSize(dimension, (leader) => shape[leader] ?? Number.NaN);
}

/** The sizes of a tensor whose dimensions have these names. */
export function tensorDims(names: readonly string[], shape: Shape): readonly number[] {
  return names.map((name) => {
    const size = shape[name];
    if (size === undefined) throw new Error(`Bug in Tilescope: the shape has no dimension ${name}.`);
    return size;
  });
}

/** The number of elements of a tensor of these sizes. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

function wrongKind(name: string, kind: string): Error {
  return new Error(`Bug in Tilescope: option ${name} reached the reference without a ${kind}. Use completeOptions.`);
}

/** The value of an option that is a number. */
export function numberOption(options: Options, name: string): number {
  const value = options[name];
  if (typeof value !== 'number') throw wrongKind(name, 'number');
  return value;
}

/** The value of an option that is a switch. */
export function switchOption(options: Options, name: string): boolean {
  const value = options[name];
  if (typeof value !== 'boolean') throw wrongKind(name, 'switch');
  return value;
}

/** The value of an option that is one of several words. */
export function choiceOption(options: Options, name: string): string {
  const value = options[name];
  if (typeof value !== 'string') throw wrongKind(name, 'word');
  return value;
}

/** The value of an option that is a window [left, right]. */
export function windowOption(options: Options, name: string): readonly [number, number] {
  const value = options[name];
  if (typeof value !== 'object') throw wrongKind(name, 'window');
  return value;
}
