import type { Mistake } from './mistake.js';

/** Mistakes in rotary-embedding/rotate.wgsl. */
export const rotate: readonly Mistake[] = [
  {
    name: 'halves are taken for neighbours',
    find: 'params.pairing == 0u',
    replace: 'params.pairing == 1u',
    caughtBy: 'a single token',
    why: 'The two pairings differ by a permutation of the channels.',
  },
  {
    name: 'rows turn backwards',
    find: 'y[row + first] = cosine * a - sine * b;',
    replace: 'y[row + first] = cosine * a + sine * b;',
    caughtBy: 'a single token',
    why: 'One sign makes a rotation of it.',
  },
  {
    name: 'the first token stands at position 1',
    find: 'rotations[token * pairs + pair]',
    replace: 'rotations[min(token + 1u, params.seqlen - 1u) * pairs + pair]',
    caughtBy: 'several batches',
    why: 'Each token has a row of the table.',
  },
  {
    name: 'the channels past the rotated ones are left out',
    find: 'pair < params.head_dim / 2u;',
    replace: 'pair < pairs;',
    caughtBy: 'two of the channels',
    why: 'They are copied.',
  },
  {
    name: 'the heads of the last workgroup are left out',
    find: 'let end_head = min(first_head + HEADS, params.heads);',
    replace: 'let end_head = min(first_head + HEADS, params.heads / HEADS * HEADS);',
    caughtBy: 'five heads',
    why: 'Heads need not come in whole groups.',
  },
];

/** Mistakes in rotary-embedding/rotate-back.wgsl. */
export const rotateBack: readonly Mistake[] = [
  {
    name: 'gradients turn as rows do',
    find: 'cosine * a + sine * b',
    replace: 'cosine * a - sine * b',
    caughtBy: 'a single token',
    why: 'The transpose of a rotation turns back.',
  },
  {
    name: 'the table is read as if all channels turned',
    find: 'rotations[token * pairs + pair]',
    replace: 'rotations[min(token * (params.head_dim / 2u) + pair, params.seqlen * pairs - 1u)]',
    caughtBy: 'half of the channels',
    why: 'It has as many pairs as are rotated.',
  },
  {
    name: 'halves start from the width of a head',
    find: 'pair + pairs, halves)',
    replace: 'pair + params.head_dim / 2u, halves)',
    caughtBy: 'half of the channels',
    why: 'The rotated channels are halved, not all of them.',
  },
];
