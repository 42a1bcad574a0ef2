import type { Mistake } from './mistake.js';

/** Mistakes in atlas/omega.wgsl. */
export const atlasOmega: readonly Mistake[] = [
  {
    name: 'the gates of the newest token weigh the whole window',
    find: 'params.loss_coef * gates[token].x',
    replace: 'params.loss_coef * gates[row].x',
    caughtBy: 'a window longer than the sequence',
    why: 'Each token brings its own γ into every window it lies in.',
  },
  {
    name: 'the window is one token short',
    find: 'min(params.window, t + 1u)',
    replace: 'min(params.window - 1u, t + 1u)',
    caughtBy: 'each token alone',
    why: 'A window of c tokens has the newest one in it.',
  },
  {
    name: 'the retention is taken for a forgetting',
    find: 'added(scaled(gate.w, memory)',
    replace: 'added(scaled(1.0 - gate.w, memory)',
    caughtBy: 'a single token',
    why: 'In ATLAS α is what is kept; in Titans it is what is lost.',
  },
  {
    name: 'the memory climbs',
    find: 'scaled(-gate.z, update)',
    replace: 'scaled(gate.z, update)',
    caughtBy: 'a single token',
    why: 'A step goes against the gradient.',
  },
  {
    name: 'gradients at the newest memory within a chunk',
    find: 'if (t % params.chunk == 0u) {',
    replace: 'if (true) {',
    caughtBy: 'chunks shorter than the window',
    why: 'All tokens of a chunk learn from the memory before it.',
  },
  {
    name: 'the momentum is not divided by its norm',
    find: 'scaled(1.0 / (sqrt(square_norm(momentum, index)) + EPSILON), momentum)',
    replace: 'scaled(1.0 + 0.0 * square_norm(momentum, index), momentum)',
    caughtBy: 'a single token',
    why: 'The iteration converges for singular values up to 1.',
  },
  {
    name: 'the lower rows are left out of XᵀX',
    find: 'products += gram(x.lower, params.feature_dim - 64u, lane);',
    replace: 'products += 0.0 * gram(x.lower, params.feature_dim - 64u, lane);',
    caughtBy: 'heads of 128, narrow values',
    why: 'A sums over all rows.',
  },
  {
    name: 'the product of features without its root',
    find: 'let factor = select(1.0, SQRT_HALF, at.y < params.head_dim);',
    replace: 'let factor = 1.0;',
    caughtBy: 'features of degree 2',
    why: 'x_i x_j stands twice in vec(x xᵀ): the Taylor series has half of each square.',
  },
  {
    name: 'no barrier before the partial sums are added up',
    find: `  tile[SIDE * lane.y + lane.x] = sum;
  workgroupBarrier();`,
    replace: '  tile[SIDE * lane.y + lane.x] = sum;',
    caughtBy: 'several batches',
    why: 'Other rows are summed by other invocations.',
  },
];
