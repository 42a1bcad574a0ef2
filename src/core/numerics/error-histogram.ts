import { elementStates, type Comparison } from './element-errors.js';
import type { ErrorHistogram } from './verdict.js';

const binsPerDecade = 2;
const lowestExponent = -20;
const highestExponent = 10;
const binCount = (highestExponent - lowestExponent) * binsPerDecade;
const lowerEdges = Float64Array.from(
  { length: binCount + 1 },
  (_, bin) => 10 ** (lowestExponent + bin / binsPerDecade),
);

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
/** Bin of the smallest float32 with given sign, exponent and three bits of mantissa: logarithms without logarithms. */
const binOfBits = Uint8Array.from({ length: 2048 }, (_, leading) => {
  bits[0] = leading << 20;
  const bin = lowerEdges.findLastIndex((edge) => edge <= float[0]!);
  return Math.min(Math.max(bin, 0), binCount - 1);
});

/** The bin of a positive number. */
function binOf(value: number): number {
  float[0] = value;
  const bin = binOfBits[bits[0]! >>> 20]!;
  return value >= lowerEdges[bin + 1]! && bin + 1 < binCount ? bin + 1 : bin;
}

/** Counts of |error| / max|reference| (of |error| where the reference is all zero) over half decades. */
export function errorHistogram({ errors, states }: Comparison, maxReference: number): ErrorHistogram {
  const bins = new Uint32Array(binCount);
  const factor = 1 / (maxReference > 0 ? maxReference : 1);
  let exact = 0;
  for (let at = 0; at < errors.length; at++) {
    if (states[at] !== elementStates.finite) continue;
    const error = errors[at]!;
    if (error === 0) {
      exact++;
      continue;
    }
    bins[binOf(error * factor)]!++;
  }
  const first = bins.findIndex((count) => count > 0);
  if (first < 0) return { from: -8, binsPerDecade, counts: [], exact };
  const last = bins.findLastIndex((count) => count > 0);
  const start = first - (first % binsPerDecade);
  return {
    from: lowestExponent + start / binsPerDecade,
    binsPerDecade,
    counts: Array.from(bins.subarray(start, last + 1)),
    exact,
  };
}
