import type { Mistake } from './mistake.js';

const bothSides = 'heads 2, seqlen 130, headDim 16, window 8/8';

/** Mistakes in softmax/sliding-window.wgsl, whose cases are its own. */
export const slidingWindow: readonly Mistake[] = [
  {
    name: 'the band ends where the first query ceases to see',
    find: 'end = min(end, position(last) + right_reach() + 1);',
    replace: 'end = min(end, position(first) + right_reach() + 1);',
    caughtBy: bothSides,
    why: 'The last query of a tile sees keys that the first one does not.',
  },
  {
    name: 'the band begins where the last query begins to see',
    find: 'begin = max(begin, position(first) - params.window_left);',
    replace: 'begin = max(begin, position(first) + i32(TILE_M) - 1 - params.window_left);',
    caughtBy: bothSides,
    why: 'The first query of a tile sees keys that the last one does not.',
  },
  {
    name: 'the corners of the band are not masked',
    find: '&& (params.window_left < 0 || i32(first_key) >= position(last) - params.window_left);',
    replace: '&& (params.window_left < 0 || i32(first_key) >= position(first) - params.window_left);',
    caughtBy: 'heads 1, seqlen 200',
    why: 'A step that the first query sees whole has keys too old for the last one.',
  },
  {
    name: 'a window of 0 is taken for none',
    find: 'visible &= vec4(right_reach() < 0) | (distance <= vec4(right_reach()));',
    replace: 'visible &= vec4(right_reach() <= 0) | (distance <= vec4(right_reach()));',
    caughtBy: 'heads 2, seqlen 97, headDim 16, window 0/0',
    why: 'Only a negative window is without end: 0 leaves a query its own key.',
  },
  {
    name: 'no barrier between the maxima and the weights that take their place',
    find: 'new_max = max(new_max, weights[lane.y * LANES + x]);\n    }\n    workgroupBarrier();',
    replace: 'new_max = max(new_max, weights[lane.y * LANES + x]);\n    }',
    caughtBy: bothSides,
    why: 'A fast invocation writes weights over maxima that others have still to read.',
  },
  {
    name: 'the second slice of Q is read at the place of the first',
    find: 'let query = queries[(4u * lane.y + i) * stride + slice + d];',
    replace: 'let query = queries[(4u * lane.y + i) * stride + d];',
    caughtBy: 'heads 1, seqlen 50, headDim 96, headDimV 48, window 9/9',
    why: 'Q lies whole in workgroup memory, K slice by slice.',
  },
];
