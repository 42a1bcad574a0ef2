import type { Mistake } from './mistake.js';

/** Mistakes in titans-mlp/chunked.wgsl. */
export const titansMlpChunked: readonly Mistake[] = [
  {
    name: 'the retention is taken for the forgetting',
    find: 'kept_tile[lane] = 1.0 - alpha[tokens.first + lane];',
    replace: 'kept_tile[lane] = alpha[tokens.first + lane];',
    caughtBy: 'a single token',
    why: 'In Titans alpha is what is lost.',
  },
  {
    name: 'the memory without its residual',
    find: 'errors[at] = 2.0 * (k[at] - v[at] + sums[i]);',
    replace: 'errors[at] = 2.0 * (sums[i] - v[at]);',
    caughtBy: 'a single token',
    why: 'M(k) is k plus what the network makes of it.',
  },
  {
    name: 'the slope of the answer, not of the hidden unit',
    find: 'blames[at] = gelu_slope(sums[i]);',
    replace: 'blames[at] = gelu_slope(gelu(sums[i]));',
    caughtBy: 'a single token',
    why: "The way back passes gelu'(h).",
  },
  {
    name: 'the error goes back through the first layer',
    find: 'rows[j] = states[w2_start + (4u * (first_column + row) + j) * length + n];',
    replace: 'rows[j] = states[state + (4u * (first_column + row) + j) * length + n];',
    caughtBy: 'a single token',
    why: 'What a hidden unit has to do with an error is its row of W₂.',
  },
  {
    name: 'the momentum does not move the weights of the next chunk',
    find: 'last.x * states[at] + last.y * states[at + size] - into_weights[i];',
    replace: 'last.x * states[at] - into_weights[i];',
    caughtBy: 'chunks of 5',
    why: 'f of the last row carries it over.',
  },
  {
    name: 'the second layer of the query sees its hidden units as the key had them',
    find: '          left = factor * answers[row * length + n % length];',
    replace: '          left = factor * units[row * length + n % length];',
    caughtBy: 'a single token',
    why: 'A query has hidden units of its own.',
  },
  {
    name: 'what the chunk itself has taught is added',
    find: 'left = -scores[row * score_width() + n - 2u * length];',
    replace: 'left = scores[row * score_width() + n - 2u * length];',
    caughtBy: 'one below a chunk of 16',
    why: 'Descent goes against the gradient.',
  },
  {
    name: 'the answer without its residual',
    find: 'o[at] = q[at] + sums[i];',
    replace: 'o[at] = sums[i];',
    caughtBy: 'a single token',
    why: 'M(q) is q plus what the network makes of it.',
  },
  {
    name: 'all chunks learn from the first memory',
    find: 'let state = state_start(batch_head, chunk);\n    let fade',
    replace: 'let state = state_start(batch_head, 0u);\n    let fade',
    caughtBy: 'one above a chunk of 16, several batches',
    why: 'Each chunk has the memory before it.',
  },
];
