import { describe, expect, it } from 'vitest';
import { planeShape, wordPlaces } from '../../../src/core/analysis/tensor-places.js';
import type { TensorView } from '../../../src/core/kernel/model.js';

/** A tensor without gaps, row-major, in f32. */
function viewOf(dimNames: readonly string[], dims: readonly number[]): TensorView {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, size) => product * size, 1));
  return { dimNames, dims, strides, format: 'f32', byteOffset: 0, lanes: 1, strideBytes: 4 };
}

describe('a cache in pages', () => {
  it('is a plane for each head, with the slots of all pages as rows', () => {
    const [names, dims] = [
      ['pages', 'pageSize', 'headsKv', 'headDim'],
      [3, 4, 2, 8],
    ] as const;
    expect(planeShape(names, dims)).toEqual({ planeAxes: [2], planes: 2, rows: 12, columns: 8, pageRows: 4 });
    const places = wordPlaces(viewOf(names, dims), 3 * 4 * 2 * 8 * 4);
    // Page 2, slot 1 in it, head 1, column 5.
    const word = ((2 * 4 + 1) * 2 + 1) * 8 + 5;
    expect([places.rows[word], places.columns[word]]).toEqual([12 + 2 * 4 + 1, 5]);
  });

  it('has one plane where all heads share it', () => {
    expect(planeShape(['pages', 'pageSize', 'ropeDim'], [3, 4, 8])).toMatchObject({ planes: 1, rows: 12, pageRows: 4 });
  });

  it('is none because of a dimension of that name elsewhere', () => {
    expect(planeShape(['batch', 'pageSize', 'headDim'], [3, 4, 8])).toMatchObject({
      planes: 3,
      rows: 4,
      pageRows: null,
    });
  });
});
