import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';

/** Two curves over one row, as SVG path data, with ticks and the places where the candidate is not finite. */
export interface CurveLayout {
  readonly reference: string;
  readonly candidate: string;
  readonly gaps: readonly number[];
  readonly xTicks: readonly { readonly x: number; readonly value: number }[];
  readonly yTicks: readonly { readonly y: number; readonly text: string }[];
  readonly xOf: (column: number) => number;
  readonly yOf: (value: number) => number;
}

/** Lays out reference and candidate of one row of a tensor on a common scale; null values leave gaps. */
export function layoutCurves(
  reference: readonly (number | null)[],
  candidate: readonly (number | null)[],
  width: number,
  height: number,
): CurveLayout {
  const finite = [...reference, ...candidate].filter((value): value is number => value !== null);
  const least = Math.min(0, ...finite);
  const most = Math.max(0, ...finite);
  const flat = most - least < 1e-30 ? 1 : 0;
  const x = scaleLinear()
    .domain([0, Math.max(1, reference.length - 1)])
    .range([2, width - 2]);
  const y = scaleLinear()
    .domain([least - flat, most + flat])
    .nice(4)
    .range([height - 2, 2]);
  const path = line<number | null>()
    .defined((value) => value !== null)
    .x((_, column) => x(column))
    .y((value) => y(value ?? 0));
  const plain = y.tickFormat(4);
  const small = most - least < 0.01;
  const tickText = (value: number): string => (small && value !== 0 ? value.toExponential(0) : plain(value));
  return {
    reference: path(reference) ?? '',
    candidate: path(candidate) ?? '',
    gaps: candidate.flatMap((value, column) => (value === null ? [x(column)] : [])),
    xTicks: x
      .ticks(Math.max(2, Math.floor(width / 60)))
      .filter(Number.isInteger)
      .map((value) => ({ x: x(value), value })),
    yTicks: y.ticks(4).map((value) => ({ y: y(value), text: tickText(value) })),
    xOf: (column) => x(column),
    yOf: (value) => y(value),
  };
}
