import { isRuntimeSized, layoutOf, memberOffsets, roundUp, scalarLeaves } from '../wgsl/layout.js';
import type { Scalar, WgslType } from '../wgsl/types.js';

/** How a storage variable holds a run of equal scalars: `array<f32>`, `array<vec4<f16>>`, or a struct that ends in one. */
export interface ElementRun {
  readonly scalar: Scalar;
  /** Bytes before the array, for a struct whose last member it is. */
  readonly byteOffset: number;
  /** Scalars per array stride, one after another, and bytes per stride (more than they fill for `vec3`). */
  readonly scalarsPerStride: number;
  readonly strideBytes: number;
  /** Strides of a fixed-size array; null for a runtime-sized one. */
  readonly count: number | null;
  /** The least a buffer for this variable must hold. */
  readonly leastBytes: number;
}

/** The run of scalars in a storage type, or null where it is no array of equal scalars without gaps between them. */
export function elementRun(type: WgslType): ElementRun | null {
  if (type.kind === 'struct') {
    const last = memberOffsets(type)?.at(-1);
    if (!last || !isRuntimeSized(type)) return null;
    const run = elementRun(last.type);
    if (!run) return null;
    const align = layoutOf(type)?.alignBytes ?? 4;
    const byteOffset = last.byteOffset + run.byteOffset;
    return { ...run, byteOffset, leastBytes: roundUp(last.byteOffset + run.leastBytes, align) };
  }
  if (type.kind !== 'array' || typeof type.count === 'string') return null;
  const strideBytes = layoutOf(type)?.strideBytes;
  const inner = contiguous(type.element);
  if (strideBytes === undefined || !inner) return null;
  const leastBytes = (type.count ?? 1) * strideBytes;
  return { ...inner, byteOffset: 0, strideBytes, count: type.count, leastBytes };
}

function contiguous(type: WgslType): { readonly scalar: Scalar; readonly scalarsPerStride: number } | null {
  const leaves = scalarLeaves(type);
  const [first] = leaves ?? [];
  if (!leaves || !first) return null;
  const bytes = first.scalar === 'f16' ? 2 : 4;
  const regular = leaves.every((leaf, index) => leaf.scalar === first.scalar && leaf.byteOffset === index * bytes);
  return regular ? { scalar: first.scalar, scalarsPerStride: leaves.length } : null;
}
