import { scaleLinear } from 'd3-scale';
import { extent } from 'd3-array';
import type { Timing } from '../../lab/contract.js';

/** One sample of a strip plot. */
export interface StripDot {
  readonly x: number;
  readonly y: number;
  readonly sample: number;
  readonly value: number;
}

/** A strip plot in pixels: dots that do not overlap where there is room, the median, and the 20th to 80th percentile. */
export interface StripLayout {
  readonly dots: readonly StripDot[];
  readonly radius: number;
  readonly medianX: number;
  readonly p20X: number;
  readonly p80X: number;
  readonly ticks: readonly { readonly x: number; readonly value: number }[];
}

/**
 * Lays out the samples of a timing along one axis; neighbours that would overlap step up and down around the middle
 * line, in the order they were taken. `width` and `height` are those of the plot area in pixels.
 */
export function layoutStrip(timing: Timing, width: number, height: number, radius = 3.5): StripLayout {
  const [least = 0, most = 1] = extent(timing.samples.length > 0 ? timing.samples : [0, 1]);
  const pad = Math.max((most - least) * 0.06, most * 0.005, 1e-9);
  const x = scaleLinear()
    .domain([Math.max(0, least - pad), most + pad])
    .range([radius + 1, width - radius - 1]);
  const rows = Math.max(1, Math.floor((height - 2 * radius) / (2 * radius + 1)));
  const lastInRow = new Array<number>(rows).fill(Number.NEGATIVE_INFINITY);
  const order = timing.samples.map((value, sample) => ({ value, sample })).sort((a, b) => a.value - b.value);
  const dots = order.map(({ value, sample }, place) => {
    const at = x(value);
    let row = lastInRow.findIndex((right) => at - right >= 2 * radius + 0.5);
    if (row === -1) row = place % rows;
    lastInRow[row] = at;
    return { x: at, y: height / 2 + offset(row) * (2 * radius + 1), sample, value };
  });
  return {
    dots: dots.sort((a, b) => a.sample - b.sample),
    radius,
    medianX: x(timing.median),
    p20X: x(timing.p20),
    p80X: x(timing.p80),
    ticks: x.ticks(Math.max(2, Math.floor(width / 110))).map((value) => ({ x: x(value), value })),
  };
}

/** 0, 1, -1, 2, -2, …: rows fill from the middle outwards. */
function offset(row: number): number {
  return row % 2 === 1 ? (row + 1) / 2 : -row / 2;
}
