import type { SubgroupMatrixType } from '../wgsl/types.js';
import { f16 } from './numerics.js';

/** A subgroup matrix as the simulator holds it: never changed once it is made. A matrix of zeros is null instead. */
export interface HeldMatrix {
  /** Row by row. f16 as the numbers they are, integers as int32, those of 8 bits as the numbers they are. */
  readonly data: Float32Array | Int32Array;
  /** Where each element comes from, or null where nothing is known or followed. */
  readonly tags: Int32Array | null;
}

/** A matrix of zeros that is still to be filled. */
export function emptyMatrix({ scalar, rows, columns }: SubgroupMatrixType): Float32Array | Int32Array {
  const count = rows * columns;
  return scalar === 'f32' || scalar === 'f16' ? new Float32Array(count) : new Int32Array(count);
}

/** Rounds a number to an element of the type: floats to the nearest, integers by wrapping round. */
export function elementOf(scalar: SubgroupMatrixType['scalar'], value: number): number {
  switch (scalar) {
    case 'f32':
      return Math.fround(value);
    case 'f16':
      return f16(value);
    case 'i8':
      return (value << 24) >> 24;
    case 'u8':
      return value & 255;
    default:
      return value | 0;
  }
}

/** A scalar of the shader as an operand of a matrix: those of 8 bits are clamped first, as the extension asks. */
export function operandOf(scalar: SubgroupMatrixType['scalar'], value: number): number {
  if (scalar === 'i8') return Math.min(Math.max(value, -128), 127);
  if (scalar === 'u8') return Math.min(value >>> 0, 255);
  return value;
}
