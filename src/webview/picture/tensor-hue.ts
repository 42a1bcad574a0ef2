import type { Theme } from '../theme.js';

/** The hues of the pictures. `other` is for slopes, log-sum-exps and whatever else has no hue of its own. */
export type TensorHue = 'q' | 'k' | 'v' | 'o' | 'state' | 'scratch' | 'other' | 'score';

/** The hue a tensor keeps everywhere: its own, or that of the tensor it is the gradient of; states share one. */
export function tensorHue(name: string, role: string | null = null): TensorHue {
  const base = name.replace(/^d(?=[qkvos]0?$)/, '');
  if (base === 'q' || base === 'k' || base === 'v' || base === 'o') return base;
  if (base === 's' || base === 's0' || /state/i.test(base)) return 'state';
  if (/score|pair/i.test(base)) return 'score';
  return role === 'scratch' ? 'scratch' : 'other';
}

const variables: Readonly<Record<TensorHue, readonly [string, string]>> = {
  q: ['tilescope-tensorQ', 'charts-blue'],
  k: ['tilescope-tensorK', 'charts-orange'],
  v: ['tilescope-tensorV', 'charts-green'],
  o: ['tilescope-tensorO', 'charts-purple'],
  state: ['tilescope-tensorState', 'charts-yellow'],
  scratch: ['tilescope-tensorScratch', 'charts-lines'],
  other: ['tilescope-tensorOther', 'charts-foreground'],
  score: ['tilescope-scorePairs', 'charts-blue'],
};

/** The colour of a hue in a theme, for a canvas. Style sheets have the same as `--hue` of the class `hue-…`. */
export function hueColour(theme: Theme, hue: TensorHue): string {
  return theme.colour(...variables[hue]);
}
