import type { SubgroupMatrixType } from './types.js';

type MatrixScalar = SubgroupMatrixType['scalar'];

/** What an element of a subgroup matrix counts as in the shader: WGSL has no scalars of 8 bits. */
export function shaderScalar(scalar: MatrixScalar): 'f32' | 'f16' | 'i32' | 'u32' {
  return scalar === 'i8' ? 'i32' : scalar === 'u8' ? 'u32' : scalar;
}

/** Bytes of an element of a subgroup matrix in memory. */
export function matrixElementBytes(scalar: MatrixScalar): 1 | 2 | 4 {
  if (scalar === 'i8' || scalar === 'u8') return 1;
  return scalar === 'f16' ? 2 : 4;
}
