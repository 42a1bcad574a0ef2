import type { Mistake } from './mistake.js';

/** Mistakes in titans/chunked.wgsl. */
export const titansChunked: readonly Mistake[] = [
  {
    name: 'the retention is taken for the forgetting',
    find: 'kept_tile[lane] = 1.0 - alpha[first_row + lane];',
    replace: 'kept_tile[lane] = alpha[first_row + lane];',
    caughtBy: 'a single token',
    why: 'In Titans alpha is what is lost.',
  },
  {
    name: 'the momentum gate acts on the surprise of its own token',
    find: 'in_momentum = eta_tile[row] * in_momentum + arrived;',
    replace: 'in_momentum = eta_tile[row] * (in_momentum + arrived);',
    caughtBy: 'one below a chunk of 16',
    why: 'It acts on the momentum before.',
  },
  {
    name: 'the error is taken at the memory alone',
    find: 'error = params.loss_coef * (error - v[row * width_v + column]);',
    replace: 'error = params.loss_coef * error;',
    caughtBy: 'a single token',
    why: 'The error is the difference to the value.',
  },
  {
    name: 'the gradient without its factor',
    find: 'error = params.loss_coef * (error',
    replace: 'error = (error',
    caughtBy: 'one below a chunk of 16',
    why: 'The loss is a sum of squares.',
  },
  {
    name: 'a chunk does not see the momentum before it',
    find: 'left = factors[row].y * q[row * width + n - width];',
    replace: 'left = 0.0 * q[row * width + n - width];',
    caughtBy: 'a single token',
    why: 'Momentum goes on moving the memory.',
  },
  {
    name: 'momentum does not reach the memory of the next chunk',
    find: 'memory[n] = last.x * memory[n] + last.y * momentum[n] - into_memory;',
    replace: 'memory[n] = last.x * memory[n] - into_memory;',
    caughtBy: 'one above a chunk of 16, several batches',
    why: 'f of the last row carries it over.',
  },
  {
    name: 'all chunks recall from the first memory',
    find: 'let state = state_start(batch_head, chunk);\n  let total',
    replace: 'let state = state_start(batch_head, 0u);\n  let total',
    caughtBy: 'one above a chunk of 16, several batches',
    why: 'Each chunk has the memory before it.',
  },
  {
    name: 'no barrier before the errors are used',
    find: `      left_behind[lane.y] = factors[row].zw;
    }
    workgroupBarrier();`,
    replace: `      left_behind[lane.y] = factors[row].zw;
    }`,
    caughtBy: 'one below a chunk of 64',
    why: 'A row of the memory needs the errors of all tokens.',
  },
  {
    name: 'the chunk ends as a whole one does',
    find: 'let last = factors[first_row + length - 1u];',
    replace: 'let last = factors[min(first_row + params.chunk, (batch_head + 1u) * params.seqlen) - 2u];',
    caughtBy: 'one above a chunk of 16, several batches',
    why: 'P and f are those of the last row of the chunk.',
  },
];

/** Mistakes in titans/decode-f16.wgsl. */
export const titansDecodeF16: readonly Mistake[] = [
  {
    name: 'the halves of a pair of keys are swapped',
    find: `tokens[keys + 2u * lane] = key.x;
    tokens[keys + 2u * lane + 1u] = key.y;`,
    replace: `tokens[keys + 2u * lane] = key.y;
    tokens[keys + 2u * lane + 1u] = key.x;`,
    caughtBy: 'a single token',
    why: 'The first number of a pair is in the low half of the word.',
  },
  {
    name: 'pairs of queries are counted as if they were numbers',
    find: 'q[row * pairs + lane]',
    replace: 'q[row * params.head_dim + lane]',
    caughtBy: 'a single token',
    why: 'A row has half as many words as numbers.',
  },
  {
    name: 'the values of a four are unpacked in the wrong order',
    find: 'vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y))',
    replace: 'vec4(unpack2x16float(pairs.y), unpack2x16float(pairs.x))',
    caughtBy: 'a single token',
    why: 'Columns come in their order, which the memory in f32 shows.',
  },
  {
    name: 'the memory keeps what the momentum keeps',
    find: 'memory[n] = tokens[gates + 2u] * memory[n] + momentum[n];',
    replace: 'memory[n] = tokens[gates + 1u] * memory[n] + momentum[n];',
    caughtBy: 'a single token',
    why: 'η is what is kept of the momentum, 1 − α of the memory.',
  },
];

/** Mistakes in titans/decode.wgsl. */
export const titansDecode: readonly Mistake[] = [
  {
    name: 'the answer is read before the token is learned',
    find: `        momentum[n] = tokens[gates + 1u] * momentum[n] - tokens[gates] * tokens[token + d] * error;
        memory[n] = tokens[gates + 2u] * memory[n] + momentum[n];
        answer += tokens[token + params.head_dim + d] * memory[n];`,
    replace: `        answer += tokens[token + params.head_dim + d] * memory[n];
        momentum[n] = tokens[gates + 1u] * momentum[n] - tokens[gates] * tokens[token + d] * error;
        memory[n] = tokens[gates + 2u] * memory[n] + momentum[n];`,
    caughtBy: 'a single token',
    why: 'A query sees what its own token taught.',
  },
  {
    name: 'forgetting acts on the momentum as well',
    find: 'memory[n] = tokens[gates + 2u] * memory[n] + momentum[n];',
    replace: 'memory[n] = tokens[gates + 2u] * (memory[n] + momentum[n]);',
    caughtBy: 'a single token',
    why: 'Only the memory before the token is forgotten.',
  },
  {
    name: 'half of the rows are left out of a sum',
    find: 'for (var y = 0u; y < ROWS; y++) {',
    replace: 'for (var y = 0u; y < ROWS / 2u; y++) {',
    caughtBy: 'a head of 16',
    why: 'All 16 invocations of a column have a part of it.',
  },
  {
    name: 'the gradient without its factor',
    find: 'tokens[gates] = params.loss_coef * theta[row];',
    replace: 'tokens[gates] = theta[row];',
    caughtBy: 'a single token',
    why: 'The loss is a sum of squares.',
  },
  {
    name: 'all batches start from the momentum of the first',
    find: 'momentum[n] = s0[(batch_head * params.head_dim + d) * width_v + column];',
    replace: 'momentum[n] = s0[(group.y * params.head_dim + d) * width_v + column];',
    caughtBy: 'several batches',
    why: 's0 has a momentum for every batch and head.',
  },
];
