/** Tokens between the states that are kept for the way back. */
const checkpointTokens = 64;

/**
 * The states of a recurrence before each token, for one walk backwards from the last token to the first: those at the
 * start of every block of tokens are kept, the others of a block calculated when the walk enters it. `advance` takes a
 * state past a token, in place. What is returned for a token stays as it is until the walk leaves its block.
 */
export function statesBackwards(
  s0: Float64Array,
  seqlen: number,
  advance: (state: Float64Array, t: number) => void,
): (t: number) => Float64Array {
  const state = s0.slice();
  const kept: Float64Array[] = [];
  for (let t = 0; t < seqlen; t++) {
    if (t % checkpointTokens === 0) kept.push(state.slice());
    advance(state, t);
  }
  let first = seqlen;
  let block: Float64Array[] = [];
  return (t) => {
    if (t < first) {
      first = t - (t % checkpointTokens);
      const running = kept[first / checkpointTokens]!;
      block = [];
      for (let at = first; at <= t; at++) {
        block.push(running.slice());
        advance(running, at);
      }
    }
    return block[t - first]!;
  };
}
