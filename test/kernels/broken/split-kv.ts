import type { Mistake } from './mistake.js';

/** Mistakes in split-kv/merge.wgsl. */
export const splitKvMerge: readonly Mistake[] = [
  {
    name: 'parts without keys count where there are no others',
    find: 'select(exp(part_lse - top), 0.0, part_lse <= EMPTY)',
    replace: 'exp(part_lse - top)',
    caughtBy: 'no part with keys',
    why: 'The difference of two masks is zero, and its power one.',
  },
  {
    name: 'all parts weigh alike',
    find: 'select(exp(part_lse - top), 0.0, part_lse <= EMPTY)',
    replace: 'select(1.0, 0.0, part_lse <= EMPTY)',
    caughtBy: 'two parts',
    why: 'A part weighs what its keys weigh together.',
  },
  {
    name: 'the weights are powers of two',
    find: 'exp(part_lse - top)',
    replace: 'exp2(part_lse - top)',
    caughtBy: 'two parts',
    why: 'lse is a natural logarithm.',
  },
  {
    name: 'the second team is forgotten',
    find: '(sum + others[lane.x]) / divisor',
    replace: 'sum / divisor',
    caughtBy: 'two parts',
    why: 'Every second part is in its sums.',
  },
  {
    name: 'no barrier between the parts of the maximum and the weights that take their place',
    find: 'top = max(top, weights[i]);\n  }\n  workgroupBarrier();',
    replace: 'top = max(top, weights[i]);\n  }',
    caughtBy: 'three parts, several batches',
    why: 'An invocation takes weights for maxima.',
  },
  {
    name: 'the parts beyond 64 are left out',
    find: 'first < params.parts; first += PARTS',
    replace: 'first < min(params.parts, PARTS); first += PARTS',
    caughtBy: 'one part above 64',
    why: 'There can be more parts than a workgroup has invocations.',
  },
  {
    name: 'lse leaves out the weights',
    find: 'top + log(divisor)',
    replace: 'top',
    caughtBy: 'two parts',
    why: 'The largest part is not all of them.',
  },
];
