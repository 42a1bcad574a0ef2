import { scaleLog } from 'd3-scale';

/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Whether small errors should recede into a dark or a light background. */
export type Ground = 'dark' | 'light';

/**
 * Maps an error to a place on a colour ramp and to a colour. Lightness runs evenly over the logarithm of the error from
 * the background outwards; hue changes once, at the limit, so that "beyond the limit" does not hang on lightness alone.
 */
export interface ErrorScale {
  readonly low: number;
  readonly high: number;
  readonly limit: number;
  /** 0 at `low` and below (also for an error of zero), 1 at `high` and above. */
  readonly position: (error: number) => number;
  readonly colour: (error: number) => Rgb;
  /** Powers of ten inside the domain, for the legend. */
  readonly ticks: readonly number[];
}

/** An OKLab colour (Ottosson 2020) by lightness 0–1, chroma and hue in degrees, as sRGB clipped to its gamut. */
export function fromOklch(lightness: number, chroma: number, hue: number): Rgb {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** The colour at `position` of a ramp whose limit lies at `limitPosition` (both 0 to 1). */
export function rampColour(position: number, limitPosition: number, ground: Ground): Rgb {
  const beyond = position > limitPosition;
  const along = beyond
    ? (position - limitPosition) / Math.max(1e-6, 1 - limitPosition)
    : position / Math.max(1e-6, limitPosition);
  if (ground === 'dark') {
    const lightness = beyond ? 0.66 + 0.26 * along : 0.27 + 0.31 * along;
    return beyond
      ? fromOklch(lightness, 0.16 - 0.03 * along, 45 + 55 * along)
      : fromOklch(lightness, 0.025 + 0.075 * along, 250);
  }
  const lightness = beyond ? 0.7 - 0.32 * along : 0.965 - 0.225 * along;
  return beyond
    ? fromOklch(lightness, 0.17 - 0.02 * along, 55 - 27 * along)
    : fromOklch(lightness, 0.012 + 0.075 * along, 250);
}

/**
 * A logarithmic error scale that always shows the limit with at least one decade on either side.
 * `smallest` is the smallest error above zero and `largest` the largest finite one; zero where there is none.
 */
export function errorScale(smallest: number, largest: number, limit: number, ground: Ground): ErrorScale {
  const edge = limit > 0 ? limit : Math.max(largest, 1e-30);
  const high = 10 ** Math.ceil(Math.log10(Math.max(largest, edge) * 2));
  const floor = Math.max(smallest > 0 ? smallest : edge / 1e4, high * 1e-9);
  const low = 10 ** Math.floor(Math.log10(Math.min(floor, edge / 10)));
  const log = scaleLog().domain([low, high]).range([0, 1]).clamp(true);
  const position = (error: number): number => (error > low ? log(error) : 0);
  const limitPosition = position(edge);
  const decades = Math.round(Math.log10(high / low));
  const step = Math.max(1, Math.ceil(decades / 6));
  const ticks: number[] = [];
  for (let exponent = Math.round(Math.log10(low)); exponent <= Math.round(Math.log10(high)); exponent += step) {
    ticks.push(10 ** exponent);
  }
  return {
    low,
    high,
    limit: edge,
    position,
    colour: (error) => rampColour(position(error), limitPosition, ground),
    ticks,
  };
}

/** CSS text of a colour. */
export function css(colour: Rgb): string {
  return `rgb(${colour[0]}, ${colour[1]}, ${colour[2]})`;
}

function encode(linear: number): number {
  const clipped = Math.min(1, Math.max(0, linear));
  const value = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(value * 255);
}
