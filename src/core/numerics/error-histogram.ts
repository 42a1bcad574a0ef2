import { elementStates, type Comparison } from './element-errors.js';
import type { ErrorHistogram } from './verdict.js';

const binsPerDecade = 2;
const lowestExponent = -20;
const highestExponent = 10;

/** Counts of |error| / max|reference| (of |error| where the reference is all zero) over half decades. */
export function errorHistogram({ errors, states }: Comparison, maxReference: number): ErrorHistogram {
  const bins = new Uint32Array((highestExponent - lowestExponent) * binsPerDecade);
  const factor = 1 / (maxReference > 0 ? maxReference : 1);
  let exact = 0;
  for (let at = 0; at < errors.length; at++) {
    if (states[at] !== elementStates.finite) continue;
    const error = errors[at]!;
    if (error === 0) {
      exact++;
      continue;
    }
    const place = Math.floor((Math.log10(error * factor) - lowestExponent) * binsPerDecade);
    bins[Math.min(Math.max(place, 0), bins.length - 1)]!++;
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
