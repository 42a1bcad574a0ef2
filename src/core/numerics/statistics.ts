import { median as medianOf, quantile } from 'simple-statistics';

/** The median of samples; there must be at least one. */
export function median(samples: readonly number[]): number {
  return medianOf([...samples]);
}

/** Median and spread of samples: the 20th and 80th percentile. */
export interface Spread {
  readonly median: number;
  readonly p20: number;
  readonly p80: number;
}

/** Median, 20th and 80th percentile of samples; there must be at least one. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples];
  return { median: medianOf(sorted), p20: quantile(sorted, 0.2), p80: quantile(sorted, 0.8) };
}

/**
 * Whether a running measurement has come to rest: the medians of the last `window` samples and of the `window` before
 * them differ by at most `tolerance` of the smaller.
 */
export function settled(samples: readonly number[], window: number, tolerance: number): boolean {
  if (window < 1 || samples.length < 2 * window) return false;
  const last = median(samples.slice(-window));
  const before = median(samples.slice(-2 * window, -window));
  return Math.abs(last - before) <= tolerance * Math.min(last, before);
}
