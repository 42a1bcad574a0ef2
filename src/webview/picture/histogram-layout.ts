import { scaleLinear, scaleLog } from 'd3-scale';
import type { ErrorHistogram } from '../../core/numerics/verdict.js';

/** One bar. `from` and `to` are |error| / largest |reference|; both are zero for the bar of exact elements. */
export interface HistogramBar {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly beyond: boolean;
}

/** A histogram in pixels of its plot area. */
export interface HistogramLayout {
  readonly bars: readonly HistogramBar[];
  readonly limitX: number;
  readonly xTicks: readonly { readonly x: number; readonly exponent: number }[];
  readonly yTicks: readonly { readonly y: number; readonly count: number }[];
}

const exactWidth = 16;
const exactGap = 20;

/**
 * Lays out an error histogram: decades of relative error along x with the bar of exact elements apart at the left,
 * the logarithm of the count along y. `limit` is the largest relative error an element may have.
 */
export function layoutHistogram(
  histogram: ErrorHistogram,
  limit: number,
  width: number,
  height: number,
): HistogramLayout {
  const { from, binsPerDecade, counts } = histogram;
  const edge = (bin: number): number => 10 ** (from + bin / binsPerDecade);
  const firstDecade = Math.min(from, Math.floor(Math.log10(limit)) - 1);
  const lastDecade = Math.max(Math.ceil(from + counts.length / binsPerDecade), Math.ceil(Math.log10(limit)) + 1);
  const x = scaleLog()
    .domain([10 ** firstDecade, 10 ** lastDecade])
    .range([exactWidth + exactGap, width]);
  const largest = Math.max(10, histogram.exact, ...counts);
  const y = scaleLinear()
    .domain([0, Math.log10(1 + largest)])
    .range([height, 0]);
  const bar = (left: number, right: number, count: number, low: number, high: number): HistogramBar => {
    const top = count === 0 ? height : Math.min(height - 2, y(Math.log10(1 + count)));
    return {
      x: left,
      y: top,
      width: Math.max(1, right - left),
      height: height - top,
      from: low,
      to: high,
      count,
      beyond: low >= limit * 0.999,
    };
  };
  const bars = [bar(0, exactWidth, histogram.exact, 0, 0)];
  counts.forEach((count, bin) => {
    bars.push(bar(x(edge(bin)) + 0.5, x(edge(bin + 1)) - 0.5, count, edge(bin), edge(bin + 1)));
  });
  const decades = lastDecade - firstDecade;
  const step = Math.max(1, Math.ceil(decades / Math.max(2, Math.floor(width / 56))));
  const xTicks: { x: number; exponent: number }[] = [];
  for (let exponent = firstDecade; exponent <= lastDecade; exponent += step) {
    xTicks.push({ x: x(10 ** exponent), exponent });
  }
  const yTicks: { y: number; count: number }[] = [];
  const top = Math.floor(Math.log10(largest));
  for (let exponent = 0; exponent <= top; exponent += Math.max(1, Math.ceil(top / 4))) {
    yTicks.push({ y: y(Math.log10(1 + 10 ** exponent)), count: 10 ** exponent });
  }
  return { bars, limitX: x(limit), xTicks, yTicks };
}
