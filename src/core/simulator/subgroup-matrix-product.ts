import type { SubgroupMatrixType } from '../wgsl/types.js';
import { elementOf, emptyMatrix, type HeldMatrix } from './held-matrix.js';
import type { Machine } from './machine.js';
import type { Provenance } from './trace.js';

/**
 * left · right + sum. WGSL leaves the order of the sum and its precision open; here each element is a chain of fused
 * multiply-adds in f32, in ascending order of the inner index, that begins with the element of `sum`. Products of f16
 * and f32 are exact in it. Results in f16 are rounded once, at the end. Integers wrap round.
 */
export function multiplyMatrices(
  { provenance, mode }: Machine,
  type: SubgroupMatrixType,
  inner: number,
  left: HeldMatrix | null,
  right: HeldMatrix | null,
  sum: HeldMatrix | null,
): HeldMatrix | null {
  if (left === null || right === null) return sum;
  const data = emptyMatrix(type);
  const { rows, columns, scalar } = type;
  if (data instanceof Float32Array) multiplyFloats(data, rows, columns, inner, left.data, right.data, sum?.data);
  else multiplyIntegers(data, rows, columns, inner, left.data, right.data, sum?.data);
  if (scalar === 'f16' || scalar === 'i8' || scalar === 'u8') {
    for (let at = 0; at < data.length; at++) data[at] = elementOf(scalar, data[at]!);
  }
  const tags = provenance && mode.tags ? multiplyTags(provenance, rows, columns, inner, left, right, sum) : null;
  return { data, tags };
}

type Numbers = ArrayLike<number>;

function multiplyFloats(
  into: Float32Array,
  rows: number,
  columns: number,
  inner: number,
  left: Numbers,
  right: Numbers,
  sum: Numbers | undefined,
): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      let total = sum === undefined ? 0 : sum[at]!;
      for (let k = 0; k < inner; k++) {
        total = Math.fround(total + left[row * inner + k]! * right[k * columns + column]!);
      }
      into[at] = total;
    }
  }
}

function multiplyIntegers(
  into: Int32Array,
  rows: number,
  columns: number,
  inner: number,
  left: Numbers,
  right: Numbers,
  sum: Numbers | undefined,
): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      let total = sum === undefined ? 0 : sum[at]!;
      for (let k = 0; k < inner; k++) {
        total = (total + Math.imul(left[row * inner + k]!, right[k * columns + column]!)) | 0;
      }
      into[at] = total;
    }
  }
}

/** The tags of a product: of each multiply-add as of one that is written out in scalars. Null where there are none. */
function multiplyTags(
  { join, multiply }: Provenance,
  rows: number,
  columns: number,
  inner: number,
  left: HeldMatrix,
  right: HeldMatrix,
  sum: HeldMatrix | null,
): Int32Array | null {
  const [a, b] = [left.tags, right.tags];
  if (!a && !b) return sum?.tags ?? null;
  const tags = new Int32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      let tag = sum?.tags?.[at] ?? 0;
      for (let k = 0; k < inner; k++) {
        const x = a ? a[row * inner + k]! : 0;
        const y = b ? b[k * columns + column]! : 0;
        const product = x === 0 ? y : y === 0 ? x : multiply(x, y);
        if (product !== tag && product !== 0) tag = tag === 0 ? product : join(tag, product);
      }
      tags[at] = tag;
    }
  }
  return tags;
}
