import type { Mistake } from './mistake.js';

/** Mistakes in state-space/chunked.wgsl. */
export const stateSpaceChunked: readonly Mistake[] = [
  {
    name: 'heads take groups in turn',
    find: 'head / (params.heads / params.groups)) * params.seqlen;',
    replace: 'head % params.groups) * params.seqlen;',
    caughtBy: 'two groups of three heads',
    why: 'Neighbouring heads share a group.',
  },
  {
    name: 'tokens enter the state without their step',
    find: 'weight_tile[row] *= exp(sum);',
    replace: 'weight_tile[row] = exp(sum);',
    caughtBy: 'one below a tile of 16',
    why: 'A token adds dt B x to the state.',
  },
  {
    name: 'a token decays by its own step',
    find: `      weights[3u - j] = weight_tile[c] * exp(sum);
      sum += rate_tile[c];`,
    replace: `      sum += rate_tile[c];
      weights[3u - j] = weight_tile[c] * exp(sum);`,
    caughtBy: 'one below a tile of 16',
    why: 'A token decays by the steps after it.',
  },
  {
    name: 'a row does not see its own token',
    find: 'if (c <= row) {',
    replace: 'if (c < row) {',
    caughtBy: 'one below a tile of 16',
    why: 'The output is read after the token has entered the state.',
  },
  {
    name: 'states are passed on undecayed',
    find: 'state = exp(totals[batch_head * chunks + chunk + n]) * state + sums[n];',
    replace: 'state = state + sums[n];',
    caughtBy: 'one above a chunk of 64',
    why: 'A chunk decays the state before it by all its steps.',
  },
  {
    name: 'every head skips the state as the first does',
    find: 'vec4(D[head])',
    replace: 'vec4(D[0])',
    caughtBy: 'a single token',
    why: 'Each head has a factor of its own.',
  },
  {
    name: 'the state before a chunk reaches its rows undecayed',
    find: 'output[4u * c + i] *= exp(until);',
    replace: 'output[4u * c + i] *= 1.0;',
    caughtBy: 'one below a tile of 16',
    why: 'What comes from before the chunk passes the steps of the rows before.',
  },
];

/** Mistakes in state-space/decode.wgsl. */
export const stateSpaceDecode: readonly Mistake[] = [
  {
    name: 'the decay forgets the step',
    find: 'exp(dt[row] * A[head])',
    replace: 'exp(A[head])',
    caughtBy: 'heads and states of 16',
    why: 'A longer step forgets more.',
  },
  {
    name: 'the output is read before the token enters',
    find: `        state[n] = decay * state[n] + B[(group_row + t) * params.state_dim + d] * value;
        part += C[(group_row + t) * params.state_dim + d] * state[n];`,
    replace: `        part += C[(group_row + t) * params.state_dim + d] * state[n];
        state[n] = decay * state[n] + B[(group_row + t) * params.state_dim + d] * value;`,
    caughtBy: 'heads and states of 16',
    why: 'A token sees itself.',
  },
  {
    name: 'the output replaces what skips the state',
    find: 'var sum = y[row * width + column];',
    replace: 'var sum = vec4(0.0);',
    caughtBy: 'heads and states of 16',
    why: 'D x is part of the output.',
  },
  {
    name: 'heads take groups in turn',
    find: 'head / (params.heads / params.groups)) * params.seqlen;',
    replace: 'head % params.groups) * params.seqlen;',
    caughtBy: 'two groups of three heads',
    why: 'Neighbouring heads share a group.',
  },
];

/** Mistakes in state-space/decode-f16.wgsl. */
export const stateSpaceDecodeF16: readonly Mistake[] = [
  {
    name: 'the halves of a pair change places',
    find: '[at % 2u];',
    replace: '[1u - at % 2u];',
    caughtBy: 'heads and states of 16',
    why: 'The first half lies in the low bits.',
  },
  {
    name: 'half of the numbers are stored twice',
    find: 'pack2x16float(value.zw)',
    replace: 'pack2x16float(value.xy)',
    caughtBy: 'heads and states of 16',
    why: 'The other half is lost.',
  },
  {
    name: 'every token of a draft reads B and C of the first',
    find: 'let at = (group_row + t) * params.state_dim + d;',
    replace: 'let at = group_row * params.state_dim + d;',
    caughtBy: 'two tokens',
    why: 'Each token has its own.',
  },
];
