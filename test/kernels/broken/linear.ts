import type { Mistake } from './mistake.js';

/** Mistakes in linear/left-product.wgsl. */
export const leftProduct: readonly Mistake[] = [
  {
    name: 'elu lacks its one',
    find: 'select(exp(min(x, vec4(0.0))), x + 1.0, x > vec4(0.0))',
    replace: 'select(exp(min(x, vec4(0.0))), x, x > vec4(0.0))',
    caughtBy: 'one above a tile of 32',
    why: 'The feature map is elu(x) + 1.',
  },
  {
    name: 'eps is forgotten',
    find: 'denominator = params.eps;',
    replace: 'denominator = 0.0;',
    caughtBy: 'a large eps and scale',
    why: 'eps is added to the denominator.',
  },
  {
    name: 'eps multiplies the denominator',
    find: 'output[4u * c + i] / denominator;',
    replace: 'output[4u * c + i] / (denominator * (1.0 + params.eps));',
    caughtBy: 'a large eps and scale',
    why: 'eps is added to the denominator, once.',
  },
  {
    name: 'the denominator leaves out one invocation',
    find: 'for (var x = 0u; x < LANES; x++)',
    replace: 'for (var x = 1u; x < LANES; x++)',
    caughtBy: 'one above a tile of 32',
    why: 'A query has the parts of eight invocations.',
  },
  {
    name: 'the output is written transposed',
    find: 'o[(head_row + query) * width_v + column] =',
    replace: 'o[head_row * width_v + column * params.seqlen + query] =',
    caughtBy: 'one above a tile of 32',
    why: 'The layout is [seqlen, headDimV].',
  },
  {
    name: 'the causal mask is always on',
    find: 'vec4(params.causal == 0u) | ',
    replace: '',
    caughtBy: 'not causal, more keys than queries',
    why: 'Without a causal mask a query sees every key.',
  },
];

/** Mistakes in linear/right-product.wgsl. */
export const rightProduct: readonly Mistake[] = [
  {
    name: 'the initial state is ignored',
    find: 'sum = s0[matrix_at];',
    replace: 'sum = 0.0 * s0[matrix_at];',
    caughtBy: 'one above a tile of 32',
    why: 'S starts at s0.',
  },
  {
    name: 'z holds the last key alone',
    find: 'key_sums[a] += key;',
    replace: 'key_sums[a] = key;',
    caughtBy: 'one above a tile of 32',
    why: 'z is the sum over the keys.',
  },
  {
    name: 'a chunk counts its own keys twice',
    find: '= sum;\n        sum += added[n];',
    replace: '= sum + added[n];\n        sum += added[n];',
    caughtBy: 'one above a tile of 64',
    why: 'The state handed to a chunk must end before it.',
  },
  {
    name: 'the last chunk is left out where all keys are visible',
    find: 'select(chunk_count(), first_query / CHUNK, causal)',
    replace: 'select(chunk_count() - 1u, first_query / CHUNK, causal)',
    caughtBy: 'not causal, more keys than queries',
    why: 'The state after the last chunk has the index chunk_count().',
  },
  {
    name: 'SiLU is a sigmoid',
    find: 'return x * select(e, vec4(1.0), x > vec4(0.0))',
    replace: 'return select(e, vec4(1.0), x > vec4(0.0))',
    caughtBy: 'silu without divisor',
    why: 'SiLU is x times the sigmoid of x.',
  },
  {
    name: 'the last, shorter chunk is dropped',
    find: 'return (params.seqlen_k + CHUNK - 1u) / CHUNK;',
    replace: 'return max(params.seqlen_k / CHUNK, 1u);',
    caughtBy: 'many tiles, no multiple of any',
    why: 'The number of chunks must be rounded up.',
  },
];

const outputFirst = {
  name: 'the output is read before the token is added',
  caughtBy: 'a single token',
  why: 'A query sees the key of its own token.',
};

/** Mistakes in linear/decode.wgsl. */
export const linearDecode: readonly Mistake[] = [
  {
    ...outputFirst,
    find: `        state[n] += key * value;
        key_sum[n] += key;
        part += query * state[n];`,
    replace: `        part += query * state[n];
        state[n] += key * value;
        key_sum[n] += key;`,
  },
  {
    name: 'the divisor leaves out the new key',
    find: `        key_sum[n] += key;
        part += query * state[n];
        weight += query * key_sum[n];`,
    replace: `        part += query * state[n];
        weight += query * key_sum[n];
        key_sum[n] += key;`,
    caughtBy: 'a single token',
    why: 'Numerator and divisor run over the same keys.',
  },
  {
    name: 'keys pass no feature map',
    find: 'let key = phi(k[row * params.head_dim + d]);',
    replace: 'let key = k[row * params.head_dim + d];',
    caughtBy: 'a single token',
    why: 'Both queries and keys are mapped.',
  },
  {
    name: 'the output is always divided',
    find: 'sum / select(1.0, divisor, params.normalize != 0u)',
    replace: 'sum / divisor',
    caughtBy: 'silu without divisor',
    why: 'Without a divisor the output is the sum itself.',
  },
  {
    name: 'eps is forgotten',
    find: 'var divisor = params.eps;',
    replace: 'var divisor = 0.0;',
    caughtBy: 'a large eps and scale',
    why: 'eps is added to the divisor.',
  },
  {
    name: 'z is written by the workgroups of the first columns of the first head alone',
    find: 'if (group.x == 0u && lane.x == 0u) {',
    replace: 'if (group.x == 0u && group.y == 0u && lane.x == 0u) {',
    caughtBy: 'several batches',
    why: 'Every head has a z.',
  },
];

/** Mistakes in linear/decode-f16.wgsl. */
export const linearDecodeF16: readonly Mistake[] = [
  {
    ...outputFirst,
    find: `        state[n] += key * value;
        key_sum[n] += key;
        part += query * state[n];`,
    replace: `        part += query * state[n];
        state[n] += key * value;
        key_sum[n] += key;`,
  },
  {
    name: 'odd channels read the number of the even one before',
    find: 'unpack2x16float(q[at / 2u])[at % 2u]',
    replace: 'unpack2x16float(q[at / 2u])[0]',
    caughtBy: 'a single token',
    why: 'A pair holds two numbers.',
  },
  {
    name: 'the pairs of a four change places',
    find: 'return vec2(pack2x16float(numbers.xy), pack2x16float(numbers.zw));',
    replace: 'return vec2(pack2x16float(numbers.zw), pack2x16float(numbers.xy));',
    caughtBy: 'a single token',
    why: 'The first pair holds the first two numbers.',
  },
  {
    name: 'the state is written as integers',
    find: '+ column] = pack(state[n]);',
    replace: '+ column] = vec2<u32>(state[n].xy);',
    caughtBy: 'two tokens',
    why: 'A packed pair is the bits of two halves.',
  },
];

/** Mistakes in linear/backward.wgsl. */
export const linearBackward: readonly Mistake[] = [
  {
    name: 'the divisor is taken for a constant',
    find: 'delta = -total.y / divisor / divisor;',
    replace: 'delta = 0.0 * total.y;',
    caughtBy: 'one below a tile of 16',
    why: 'The divisor depends on queries and keys.',
  },
  {
    name: 'the divisor of a query leaves out its own key',
    find: `        if (causal) {
          sums[c] += mapped_key(first_row + row, column);
        }`,
    replace: `        if (causal && i > 0u) {
          sums[c] += mapped_key(first_row + row, column);
        }`,
    caughtBy: 'a single token',
    why: 'A query sees the key of its own token.',
  },
  {
    name: 'the slope of elu is that of its value',
    find: 'return exp(min(x, vec4(0.0)));',
    replace: 'return phi(x);',
    caughtBy: 'a single token',
    why: 'elu(x) + 1 has the slope 1 where x > 0.',
  },
  {
    name: 'SiLU has the slope of a sigmoid',
    find: 'return gate * (1.0 + x * (1.0 - gate));',
    replace: 'return gate * (1.0 - gate);',
    caughtBy: 'silu without divisor, not causal',
    why: 'The derivative of x · g(x) is g + x · g · (1 - g).',
  },
  {
    name: "keys see the divisor's part of queries before them",
    find: 'block[i] = select(vec4(0.0), gradient, visible);',
    replace: 'block[i] = gradient;',
    caughtBy: 'one below a tile of 16',
    why: 'δ is added to every pair, so those ahead of the query have to be masked again.',
  },
  {
    name: 'the gradient of the final state is forgotten',
    find: 'gradient = ds[matrix_at];',
    replace: 'gradient = 0.0 * ds[matrix_at];',
    caughtBy: 'one below a tile of 16',
    why: 'Keys and values reach the final state.',
  },
  {
    name: 'without a causal mask keys take the gradients after their chunk',
    find: `  let chunks = chunk_count(params.seqlen);
  return (batch_head * (chunks + 1u) + select(chunk, chunks, params.causal == 0u)) * state_size();`,
    replace: `  let chunks = chunk_count(params.seqlen);
  return (batch_head * (chunks + 1u) + min(chunk, chunks)) * state_size();`,
    caughtBy: 'not causal, more keys than queries',
    why: 'Every query sees every key.',
  },
  {
    name: 'values are weighed by queries not divided',
    find: 'value = divisors[first_row + n].x * do_rows[(first_row + n) * width_v + column];',
    replace: 'value = do_rows[(first_row + n) * width_v + column];',
    caughtBy: 'one below a tile of 16',
    why: 'The gradient of the output reaches values through the divisor.',
  },
];
