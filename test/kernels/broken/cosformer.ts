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

/** Mistakes in cosformer/decode-f16.wgsl. */
export const cosformerDecodeF16: readonly Mistake[] = [
  {
    name: 'the sum of the cosines is read with sines',
    find: 'angle.x * sine_sum + angle.y * cosine_sum',
    replace: 'angle.x * (sine_sum + cosine_sum)',
    caughtBy: 'a single token',
    why: 'Each wave of the query meets its own wave of the keys.',
  },
  {
    name: 'the cosines start half of the way into the sines',
    find: `s0[sine + width_v]));
      cosines[n] = mat2x4(unpack(s0[cosine]),`,
    replace: `s0[sine + width_v]));
      cosines[n] = mat2x4(unpack(s0[sine + params.head_dim / 2u * width_v]),`,
    caughtBy: 'a single token',
    why: 'Before the cosines stand the sines of all channels.',
  },
  {
    name: 'a key that is packed is rectified as a whole',
    find: 'return max(unpack2x16float(pair), vec2(0.0));',
    replace: 'return unpack2x16float(select(pair, 0u, (pair & 0x8000u) != 0u));',
    caughtBy: 'a single token',
    why: 'The two halves of a word have signs of their own.',
  },
  {
    name: 'the odd rows are written where the next pair has its even ones',
    find: 's[cosine + width_v] = pack(cosines[n][1]);',
    replace: 's[cosine + 2u * width_v] = pack(cosines[n][1]);',
    caughtBy: 'a single token',
    why: 'Rows of a pair follow each other.',
  },
];

/** Mistakes in cosformer/backward.wgsl. */
export const cosformerBackward: readonly Mistake[] = [
  {
    name: 'the divisor is taken for a variable where eps holds it up',
    find: 'select(0.0, -sums.y * inverse * inverse, sums.x > params.eps)',
    replace: '-sums.y * inverse * inverse',
    caughtBy: 'a least divisor that many reach',
    why: 'The gradient of max(x, eps) is zero below eps.',
  },
  {
    name: 'the divisor is taken for a constant',
    find: 'select(0.0, -sums.y * inverse * inverse, sums.x > params.eps)',
    replace: '0.0',
    caughtBy: 'one below a tile of 16',
    why: 'The divisor is a sum of the weights.',
  },
  {
    name: 'queries below zero have a gradient',
    find: 'dq[at] = select(vec4(0.0), output[4u * c + i], q[at] > vec4(0.0));',
    replace: 'dq[at] = output[4u * c + i];',
    caughtBy: 'one below a tile of 16',
    why: 'The rectifier is flat there.',
  },
  {
    name: 'the cosine of a pair is forgotten where the divisor acts',
    find: 'factor.y * cosines(row, 4u * column);',
    replace: 'select(vec4(0.0), vec4(factor.y), vec4(4u * column) + vec4(0u, 1u, 2u, 3u) <= vec4(row));',
    caughtBy: 'one below a tile of 16',
    why: 'It is a factor of the weight, and so of its gradient.',
  },
  {
    name: 'keys before the chunk are left out of the divisor',
    find: 'parts += vec2(dot(query, key_sums[4u * c + i]), dot(query, output[4u * c + i]));',
    replace: 'parts += vec2(0.0, dot(query, output[4u * c + i]));',
    caughtBy: 'not causal, more keys than queries',
    why: 'Their sum is in z.',
  },
  {
    name: 'the sums of the queries lack their cosines',
    find: 'let gradient = output[4u * c + i] + angle.x * dstates[r] + angle.y * dstates[r + width];',
    replace: 'let gradient = output[4u * c + i] + angle.x * dstates[r];',
    caughtBy: 'not causal, more keys than queries',
    why: 'r has a part for each wave.',
  },
  {
    name: 'a key takes the queries before its chunk',
    find: 'for (var left = chunks; left > 0u; left--) {',
    replace: 'for (var left = 1u; left <= chunks; left++) {',
    caughtBy: 'one above a tile of 64',
    why: 'A causal key is seen by what comes after it.',
  },
];
