import type { Mistake } from './mistake.js';

/** Mistakes in cosformer/chunked.wgsl. */
export const cosformerChunked: readonly Mistake[] = [
  {
    name: 'eps is added to the divisor',
    find: 'denominator = max(denominator, params.eps);',
    replace: 'denominator = denominator + params.eps;',
    caughtBy: 'a least divisor that many reach',
    why: 'eps is the least the divisor may be.',
  },
  {
    name: 'queries and keys are not rectified',
    find: 'return max(x, vec4(0.0)) *',
    replace: 'return x *',
    caughtBy: 'one below a tile of 16',
    why: 'r(x) is zero below zero.',
  },
  {
    name: 'both waves are cosines',
    find: 'select(angle.y, angle.x, column < params.head_dim / 4u)',
    replace: 'angle.y',
    caughtBy: 'one below a tile of 16',
    why: 'The cosine of a difference needs the sines as well.',
  },
  {
    name: 'the tokens before are forgotten in the angles',
    find: 'angles[min(params.offset + token, params.max_seqlen - 1u)]',
    replace: 'angles[min(token, params.max_seqlen - 1u)]',
    caughtBy: 'angles of a longer sequence, and tokens before',
    why: 'The initial state is of other positions.',
  },
  {
    name: 'keys of a chunk have the angles of the first chunk',
    find: 'chunk * CHUNK + row, first_d + column);',
    replace: 'row, first_d + column);',
    caughtBy: 'many tiles, no multiple of any',
    why: 'Positions count over the sequence.',
  },
  {
    name: 'a block of the state takes its keys from the wrong column',
    find: 'let at = (first_d + column) % (params.head_dim / 4u);',
    replace: 'let at = column % (params.head_dim / 4u);',
    caughtBy: 'head of 96',
    why: 'A block begins at first_d.',
  },
];

/** Mistakes in cosformer/decode.wgsl. */
export const cosformerDecode: readonly Mistake[] = [
  {
    name: 'a new token has the angle of the one before',
    find: 'angles[min(params.offset + t, params.max_seqlen - 1u)]',
    replace: 'angles[min(max(params.offset + t, 1u) - 1u, params.max_seqlen - 1u)]',
    caughtBy: 'a single token',
    why: 'Keys in the state have angles of their own: all are off by one but the new.',
  },
  {
    name: 'the divisor has no least value',
    find: 'divisors[row] = max(sum, params.eps);',
    replace: 'divisors[row] = sum;',
    caughtBy: 'a least divisor above all',
    why: 'eps is the least divisor.',
  },
  {
    name: 'the divisor leaves out the new key',
    find: `        key_sum[n] += wave(k[at], angle, d);
        weight += wave(q[at], angle, d) * key_sum[n];`,
    replace: `        weight += wave(q[at], angle, d) * key_sum[n];
        key_sum[n] += wave(k[at], angle, d);`,
    caughtBy: 'a single token',
    why: 'Numerator and divisor run over the same keys.',
  },
  {
    name: 'sines and cosines change places halfway through a head',
    find: 'd < params.head_dim);',
    replace: 'd < params.head_dim / 2u);',
    caughtBy: 'a single token',
    why: 'The first headDim rows are sines.',
  },
];
