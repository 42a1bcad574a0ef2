import type { KeyRange } from '../attention/mechanism.js';
import type { Coverage } from './coverage.js';
import type { ProvenanceRecorder } from './provenance.js';

/** A share in whole percent, and with a digit where it would be 0 or 100 and is not. */
function percent(part: number, whole: number): string {
  const share = (100 * part) / whole;
  const rounded = Math.round(share);
  const shown = (rounded === 0 && part > 0) || (rounded === 100 && part < whole) ? share.toFixed(1) : String(rounded);
  return `${shown} %`;
}

const counted = (count: number, one: string, many: string): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** What the mask looks like, in the field's words. */
function maskName(range: (query: number) => KeyRange, queries: number, keys: number): string {
  const first = range(0);
  const last = range(queries - 1);
  const opening = [first, last].every(({ from }) => from === 0);
  if (opening && first.to === keys && last.to === keys) return 'the full score matrix';
  return opening ? 'the causal mask' : 'the mask';
}

/**
 * A coverage to be put in words, with the pairs of a complete trace that could not be followed to their query, and whether
 * some pairs may be reached more than once.
 */
type Found = Omit<Coverage, 'sentence'> & { readonly unknown: number; readonly repeats: boolean };

/** What became of the pairs, in one to three sentences: missed and doubled first, then by which way, then waste. */
export function coverageSentence(
  coverage: Found,
  range: (query: number) => KeyRange,
  { foreignProducts, overflowed }: ProvenanceRecorder,
): string {
  const { totals, queries, keys, complete, unknown } = coverage;
  const mask = maskName(range, queries, keys);
  const place = complete ? mask : `${mask}, as far as it was traced,`;
  if (totals.required === 0) {
    return complete && !overflowed && unknown === 0
      ? `No pair of ${mask} is asked for at this shape.`
      : 'No query was traced with the values it meets, so that nothing can be said of pairs.';
  }
  const sentences = [verdictOf(coverage, place)];
  if (totals.wasted > 0) {
    // Of the scores alone: what goes through a state computes no pair by itself.
    const scores = totals.once + totals.doubled + totals.wasted;
    sentences.push(`${percent(totals.wasted, scores)} of the scores computed are masked.`);
  }
  if (foreignProducts > 0) {
    sentences.push('Some queries meet keys or states of another head or batch.');
  }
  return sentences.join(' ');
}

function verdictOf({ totals, firstMissed, firstDoubled, unknown, repeats }: Found, place: string): string {
  if (unknown > 0) {
    const seen = `${counted(totals.required, 'pair', 'pairs')} of ${place} could be followed, and ${totals.required === 1 ? 'is' : 'are'} reached`;
    return `${seen}; what became of ${counted(unknown, 'other', 'others')} after corrections cannot be told.`;
  }
  if (!firstMissed && !firstDoubled) {
    const reached = `Every pair of ${place} is reached${repeats ? '' : ' once'}`;
    if (totals.throughState === 0) return `${reached}.`;
    if (totals.once === 0) return `${reached}, through the state.`;
    const left = percent(totals.once, totals.required);
    return `${reached}: ${left} by the left product, ${percent(totals.throughState, totals.required)} through the state.`;
  }
  const parts = [
    firstMissed &&
      `${counted(totals.missed, 'pair is', 'pairs are')} never reached, first query ${firstMissed.query} with key ${firstMissed.key}`,
    firstDoubled &&
      `${counted(totals.doubled, 'pair is', 'pairs are')} reached ${repeats ? 'too often' : 'more than once'}, first query ${firstDoubled.query} with key ${firstDoubled.key}`,
  ];
  const said = parts.filter((part) => part !== null).join('; ');
  return `Of ${counted(totals.required, 'pair', 'pairs')} of ${place} ${said}.`;
}
