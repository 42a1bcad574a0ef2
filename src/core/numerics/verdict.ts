import type { Tolerance } from '../attention/mechanism.js';

/** Why an element is worth showing apart from a finite error. */
export type ElementState = 'ok' | 'nan' | 'inf' | 'unwritten';

/** One element of a tensor, with its coordinates in the tensor's dimensions. */
export interface WorstElement {
  readonly index: readonly number[];
  readonly state: ElementState;
  /** JSON has no infinities: null stands for a value that is not finite or was never written (see `state`). */
  readonly reference: number | null;
  readonly candidate: number | null;
  readonly error: number | null;
  /** The largest error allowed it. */
  readonly bound: number;
  /** Distance in units in the last place of the storage format, null where not finite. */
  readonly ulp: number | null;
  /** The whole row of this element, reference and candidate (null = not finite), for the first few elements; else null. */
  readonly row: {
    readonly reference: readonly (number | null)[];
    readonly candidate: readonly (number | null)[];
  } | null;
}

/**
 * Largest error per cell over (row × column) planes of one tensor: one plane per index over the leading dimensions
 * (batch × heads, say), binned where the plane is large. Data is base64 so that a result is plain JSON.
 */
export interface ErrorMap {
  /** Names and sizes of the leading dimensions, e.g. batch 1, heads 8. The plane index runs over them, last fastest. */
  readonly planeDims: readonly { readonly name: string; readonly size: number }[];
  readonly rowName: string;
  readonly columnName: string;
  readonly rows: number;
  readonly columns: number;
  /** Elements of the tensor per cell along each axis (at least 1). */
  readonly rowsPerCell: number;
  readonly columnsPerCell: number;
  readonly cellRows: number;
  readonly cellColumns: number;
  /** base64 of a little-endian Float32Array [planes, cellRows, cellColumns]: largest |error|; -1 where not compared. */
  readonly errors: string;
  /** base64 of a Uint8Array of the same extents: 0 finite, 1 NaN, 2 infinite, 3 never written, 4 not compared. */
  readonly states: string;
}

/** Counts of elements per decade of |error| / largest |reference|. `from` is the exponent of the first bin's lower edge. */
export interface ErrorHistogram {
  readonly from: number;
  readonly binsPerDecade: number;
  readonly counts: readonly number[];
  /** Elements that match the reference exactly. */
  readonly exact: number;
}

/** The verdict on one output tensor of one case. */
export interface TensorVerdict {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dimNames: readonly string[];
  readonly passed: boolean;
  /** One sentence in plain words: what is right or wrong, where it begins, by how much. */
  readonly sentence: string;
  readonly tolerance: Tolerance;
  /** Elements in the tensor, and how many of them were compared (fewer when rows were sampled). */
  readonly elements: number;
  readonly compared: number;
  readonly maxAbs: number | null;
  readonly maxReference: number;
  /** sqrt(mean((x-ref)^2)) / (sqrt(mean(ref^2)) + 1e-8); null where an element is not finite. */
  readonly rmsRatio: number | null;
  /** The number the verdict held it to: the ratio, or the absolute error. */
  readonly bound: number;
  readonly maxUlp: number | null;
  /** rmsRatio over that of the naive algorithm at the same precision; null where the naive one makes no error. */
  readonly timesNaive: number | null;
  readonly nan: number;
  readonly infinite: number;
  readonly unwritten: number;
  /** Guard words before or after the tensor that the kernel overwrote. */
  readonly guardsTouched: number;
  /** Elements beyond their bound. */
  readonly wrong: number;
  /** Coordinates of the first wrong element in the tensor's order, or null. */
  readonly firstWrong: readonly number[] | null;
  readonly worst: readonly WorstElement[];
  readonly histogram: ErrorHistogram;
  /** Null where it was left out to keep the report small. */
  readonly map: ErrorMap | null;
}
