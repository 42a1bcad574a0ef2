import type { Comparison } from './element-errors.js';
import type { TensorVerdict } from './verdict.js';

/** The verdict in one sentence. */
export function verdictSentence(
  verdict: Omit<TensorVerdict, 'sentence'>,
  _comparison: Comparison,
  _wrong: Uint8Array,
  _elementBound: number,
): string {
  return verdict.passed ? `${verdict.name} is right.` : `${verdict.name} is wrong.`;
}
