/** The scalar types of WGSL that a concrete value can have. */
export type Scalar = 'f32' | 'f16' | 'i32' | 'u32' | 'bool';

/** One member of a struct. `align` and `size` are the attributes as written, null where absent. */
export interface StructMember {
  readonly name: string;
  readonly type: WgslType;
  readonly align: number | null;
  readonly size: number | null;
}

/** A matrix held by a whole subgroup (Chromium's experimental `subgroup_matrix_left` and its siblings). */
export interface SubgroupMatrixType {
  readonly kind: 'subgroup-matrix';
  readonly use: 'left' | 'right' | 'result';
  /** What its elements are; in the shader i8 counts as i32 and u8 as u32. */
  readonly scalar: 'f32' | 'f16' | 'i32' | 'u32' | 'i8' | 'u8';
  readonly columns: number;
  readonly rows: number;
}

/**
 * A resolved WGSL type, as far as buffers, overrides and workgroup memory need one.
 *
 * `array.count` is null for a runtime-sized array, a number where it is known, and the text of the expression where
 * it depends on an `override` (only workgroup memory may do so). Subgroup matrices, and what holds them, exist in functions
 * alone. `unknown` stands for what could not be resolved.
 */
export type WgslType =
  | { readonly kind: 'scalar'; readonly scalar: Scalar }
  | { readonly kind: 'atomic'; readonly scalar: 'i32' | 'u32' }
  | { readonly kind: 'vector'; readonly width: 2 | 3 | 4; readonly scalar: Scalar }
  | { readonly kind: 'matrix'; readonly columns: 2 | 3 | 4; readonly rows: 2 | 3 | 4; readonly scalar: 'f32' | 'f16' }
  | { readonly kind: 'array'; readonly element: WgslType; readonly count: number | string | null }
  | { readonly kind: 'struct'; readonly name: string; readonly members: readonly StructMember[] }
  | SubgroupMatrixType
  | { readonly kind: 'unknown'; readonly text: string };
