import type { Theme } from '../theme.js';

/** The hues of the pictures. `other` is for slopes, log-sum-exps and whatever else has no hue of its own. */
export type TensorHue = 'q' | 'k' | 'v' | 'o' | 'state' | 'scratch' | 'other' | 'score';

/** Names that other notations have for queries, keys, values and outputs, and what holds keys and values at once. */
const otherNames: Readonly<Record<string, TensorHue>> = { C: 'q', B: 'k', x: 'v', y: 'o', c: 'k', kv: 'k' };

/**
 * The hue a tensor keeps everywhere: that of what its name begins with (`k_pages`, `q_lat`), or of what it is the gradient
 * of; states share one.
 */
export function tensorHue(name: string, role: string | null = null): TensorHue {
  const base = name.replace(/^d(?=([qkvos]0?|kv|[CBxy])(_|$))/, '');
  if (base === 's' || base === 's0' || /state/i.test(base)) return 'state';
  const stem = base.replace(/_.*/, '');
  if (role !== 'scratch' || stem === base) {
    if (stem === 'q' || stem === 'k' || stem === 'v' || stem === 'o') return stem;
    const known = otherNames[stem];
    if (known !== undefined) return known;
  }
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
