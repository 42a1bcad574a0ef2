import { normalValues } from '../numerics/random.js';
import { normalInputs } from './inputs.js';
import type { Inputs, Options, Shape, TensorSpec } from './mechanism.js';
import { numberOption, sizesOf } from './sizes.js';

/** Normal keys and values; the parameters of the heads as training starts from and near to where it leads. */
export function mosaicInputs(
  tensors: readonly TensorSpec[],
  shape: Shape,
  options: Options,
  seed: number,
): Record<string, Float32Array> {
  const { heads } = sizesOf(shape);
  const between = (name: string, low: number, high: number): Float32Array =>
    normalValues(heads, seed, name).map((value) => low + ((high - low) * Math.min(Math.max(value + 2, 0), 4)) / 4);
  const sharpness = numberOption(options, 'sharpness');
  return {
    ...normalInputs(tensors, shape, seed),
    leak: Float32Array.from({ length: heads }, (_, head) => 0.5 + (4.5 * head) / Math.max(heads - 1, 1)),
    mix: between('mix', 0, 1),
    key_scale: between('key_scale', sharpness / 3, sharpness),
    value_scale: between('value_scale', 0.5, 1),
  };
}

/** A cache of rows as long as the scales of their heads say, and rows beyond, that no token has filled, far longer. */
function generateCache(rows: Float32Array, scales: Float32Array, shape: Shape, width: number): Float32Array {
  const { seqlen, seqlenK } = sizesOf(shape);
  return rows.map((value, at) => {
    const row = Math.floor(at / width);
    const filled = row % seqlenK < seqlenK - seqlen - 1;
    const scale = scales[Math.floor(row / seqlenK) % scales.length]!;
    return filled ? (value * scale) / Math.sqrt(width) : 1e3 * value;
  });
}

/** Inputs of a decoding kernel: as those of a whole sequence, with a cache of what came before. */
export function mosaicDecodeInputs(
  tensors: readonly TensorSpec[],
  shape: Shape,
  options: Options,
  seed: number,
): Inputs {
  const { headDim, headDimV } = sizesOf(shape);
  const inputs = mosaicInputs(tensors, shape, options, seed);
  return {
    ...inputs,
    k_cache: generateCache(inputs.k_cache!, inputs.key_scale!, shape, headDim),
    v_cache: generateCache(inputs.v_cache!, inputs.value_scale!, shape, headDimV),
  };
}
