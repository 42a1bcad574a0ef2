import { nothing, svg, type SVGTemplateResult } from 'lit';

/** One tick of an axis: its place in pixels and its text. */
export interface AxisTick {
  readonly at: number;
  readonly text: string;
}

/** A horizontal axis along the bottom of a plot, with a title below its ticks. */
export function bottomAxis(
  ticks: readonly AxisTick[],
  title: string,
  left: number,
  top: number,
  width: number,
): SVGTemplateResult {
  return svg`<g class="axis" transform="translate(${left}, ${top})">
    <line class="axis-line" x1="0" x2=${width} y1="0.5" y2="0.5"></line>
    ${ticks.map(
      (tick) => svg`<line class="axis-line" x1=${tick.at} x2=${tick.at} y1="0" y2="4"></line>
        <text class="tick" x=${tick.at} y="15" text-anchor=${anchor(tick.at, width)}>${tick.text}</text>`,
    )}
    <text class="axis-title" x=${width / 2} y="30" text-anchor="middle">${title}</text>
  </g>`;
}

/** A vertical axis along the left of a plot; its title stands turned beside it. */
export function leftAxis(
  ticks: readonly AxisTick[],
  title: string,
  left: number,
  top: number,
  height: number,
  grid: number | null = null,
): SVGTemplateResult {
  return svg`<g class="axis" transform="translate(${left}, ${top})">
    ${ticks.map(
      (
        tick,
      ) => svg`${grid === null ? nothing : svg`<line class="grid-line" x1="0" x2=${grid} y1=${tick.at} y2=${tick.at}></line>`}
        <text class="tick" x="-6" y=${tick.at} dy="0.32em" text-anchor="end">${tick.text}</text>`,
    )}
    <text class="axis-title" transform="translate(-40, ${height / 2}) rotate(-90)" text-anchor="middle">${title}</text>
  </g>`;
}

/** Text for a power of ten: `1`, `10`, `10³`, `10⁻⁵`. */
export function powerText(exponent: number): string {
  if (exponent === 0) return '1';
  if (exponent === 1) return '10';
  const digits = '⁰¹²³⁴⁵⁶⁷⁸⁹';
  const raised = String(Math.abs(exponent)).replaceAll(/\d/g, (digit) => digits[Number(digit)]!);
  return `10${exponent < 0 ? '⁻' : ''}${raised}`;
}

/** Powers of a base between two values, at most five: where there are more, every second or third of them. */
export function powerTicks([low = 1, high = 1]: readonly number[], base: number): readonly number[] {
  const first = Math.ceil(Math.log2(low) / Math.log2(base));
  const last = Math.floor(Math.log2(high) / Math.log2(base));
  const step = Math.max(1, Math.ceil((last - first + 1) / 5));
  const ticks: number[] = [];
  for (let power = first; power <= last; power += step) ticks.push(base ** power);
  return ticks.length > 0 ? ticks : [low];
}

/** Heights of the names at the ends of lines, in the order of the lines, moved down where they would overlap. */
export function endHeights(ends: readonly number[]): readonly number[] {
  const order = ends.map((_, at) => at).sort((a, b) => ends[a]! - ends[b]!);
  const moved = [...ends];
  for (const [rank, at] of order.entries()) {
    if (rank > 0) moved[at] = Math.max(moved[at]!, moved[order[rank - 1]!]! + 13);
  }
  return moved;
}

/** Ticks at the ends of an axis stay inside the picture. */
function anchor(at: number, width: number): 'start' | 'middle' | 'end' {
  return at < 8 ? 'start' : at > width - 8 ? 'end' : 'middle';
}
