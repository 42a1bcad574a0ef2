import type { Mistake } from './mistake.js';

/** Mistakes in mlp-gradient/mlp-gradient.wgsl. */
export const mlpGradientKernel: readonly Mistake[] = [
  {
    name: 'the tanh form for both',
    find: 'if (params.gelu == 0u) {\n    let t =',
    replace: 'if (params.gelu == 2u) {\n    let t =',
    caughtBy: 'a single token',
    why: 'The two differ by up to 5e-4, far more than rounding.',
  },
  {
    name: 'the slope without the part of the share',
    find: 'return s + x * 0.3989422804 * exp(-0.5 * x * x);',
    replace: 'return s;',
    caughtBy: 'a single token',
    why: "gelu'(x) is share(x) + x share'(x).",
  },
  {
    name: 'the slope of the tanh form without its cubic term',
    find: '1.5957691216 * (1.0 + 0.134145 * x * x)',
    replace: '1.5957691216',
    caughtBy: 'the tanh form',
    why: 'The argument of the logistic function is not linear in x.',
  },
  {
    name: 'the memory without its residual',
    find: 'misses[at] = x[at] - v[at] + sums[i];',
    replace: 'misses[at] = sums[i] - v[at];',
    caughtBy: 'a single token',
    why: 'M(x) is x plus what the network makes of it.',
  },
  {
    name: 'the loss of halves',
    find: 'miss = 2.0 * w[row] * misses',
    replace: 'miss = w[row] * misses',
    caughtBy: 'a single token',
    why: 'The gradient of a square is twice the number.',
  },
  {
    name: 'the rows of the second layer are not turned',
    find: 'let columns = transpose(rows);',
    replace: 'let columns = rows;',
    caughtBy: 'a single token',
    why: 'The way back goes through the transposed weights.',
  },
  {
    name: 'every workgroup has 64 tokens',
    find: 'min(ROWS, params.seqlen - group.x * ROWS),',
    replace: 'ROWS,',
    caughtBy: 'several batches',
    why: 'The rows that follow are those of another head.',
  },
  {
    name: 'the gradient of the second layer as if it were the first',
    find: 'let inner = 4u * (first_inner + lane.y) + i;\n    if (inner < params.hidden_dim && first_outer + lane.x < width) {\n      dw2[weights + inner * width + first_outer + lane.x] = down[i];',
    replace:
      'let inner = 4u * (first_inner + lane.y) + i;\n    if (inner < params.hidden_dim && first_outer + lane.x < width) {\n      dw2[weights + inner * hidden + first_outer + lane.x] = down[i];',
    caughtBy: 'a head of 20, hidden 36',
    why: 'Its rows are headDim wide.',
  },
];
