import type { AttentionParts, Computation, Mechanism, Options, Shape } from '../attention/mechanism.js';
import { elementCount, tensorDims } from '../attention/sizes.js';
import { isPaged } from './tensor-places.js';

/** Planes of a tensor: one for each batch and head it has. */
interface Planes {
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly width: number;
}

/**
 * How queries, keys and values lie to each other at a shape. The score matrix has a plane for each batch and head; where
 * several heads share queries, keys or values, their planes are fewer, and `…PlaneOf` tells which one a head uses.
 */
export interface PairSizes {
  readonly queries: number;
  readonly keys: number;
  /** Numbers of a query that meet a state, which is its width unless features change that; and the width of the output. */
  readonly headDim: number;
  readonly headDimV: number;
  readonly heads: number;
  /** Planes of the score matrix, of the queries, of the keys and of the values. */
  readonly planes: number;
  readonly queryPlanes: number;
  readonly keyPlanes: number;
  readonly valuePlanes: number;
  readonly queryPlaneOf: (plane: number) => number;
  readonly keyPlaneOf: (plane: number) => number;
  readonly valuePlaneOf: (plane: number) => number;
}

/** The tensors that meet in the products of a computation; null where it has no queries and keys. */
export function partsOf(mechanism: Mechanism, computation: Computation): AttentionParts | null {
  return computation.parts ?? mechanism.parts;
}

/**
 * The sizes of a computation's queries, keys and values at a complete shape. Null where it has none, and where no query head
 * or value head could say which keys it meets: heads of keys must not be more than those of queries and of values, and keys
 * in pages must be such that they can be followed.
 */
export function pairSizes(
  mechanism: Mechanism,
  computation: Computation,
  { shape, options }: { readonly shape: Shape; readonly options: Options },
): PairSizes | null {
  const parts = partsOf(mechanism, computation);
  if (parts === null || computation.paged?.follows(shape, options) === false) return null;
  const query = planesOf(mechanism, parts.query, shape);
  const key = planesOf(mechanism, parts.key, shape);
  const value = planesOf(mechanism, parts.value, shape);
  if (key.heads > query.heads || key.heads > value.heads) return null;
  const heads = Math.max(query.heads, value.heads);
  const planeOf =
    (tensor: Planes) =>
    (plane: number): number =>
      Math.floor(plane / heads) * tensor.heads + Math.floor(((plane % heads) * tensor.heads) / heads);
  return {
    queries: query.rows,
    keys: key.rows,
    headDim: parts.featureDim?.(shape) ?? query.width,
    headDimV: planesOf(mechanism, parts.output, shape).width,
    heads,
    planes: query.batch * heads,
    queryPlanes: query.batch * query.heads,
    keyPlanes: query.batch * key.heads,
    valuePlanes: query.batch * value.heads,
    queryPlaneOf: planeOf(query),
    keyPlaneOf: planeOf(key),
    valuePlaneOf: planeOf(value),
  };
}

function planesOf({ id, computations }: Mechanism, name: string, shape: Shape): Planes {
  const spec = computations.flatMap(({ tensors }) => tensors).find((tensor) => tensor.name === name);
  if (spec === undefined) throw new Error(`Bug in Tilescope: ${id} names a tensor ${name} that it does not have.`);
  const dims = tensorDims(spec.dims, shape);
  // The tokens of all sequences lie in the pages, each sequence in pages of its own.
  if (isPaged(spec.dims))
    return {
      batch: shape.batch ?? 1,
      heads: elementCount(dims.slice(2, -1)),
      rows: shape.seqlenK ?? 1,
      width: dims.at(-1) ?? 1,
    };
  const [rows = 1, width = 1] = dims.slice(-2);
  const [batch = 1, ...heads] = dims.slice(0, -2);
  return { batch, heads: elementCount(heads), rows, width };
}
