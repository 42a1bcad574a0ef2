import type { Mistake } from './mistake.js';

/** Mistakes in lightning/lightning1.wgsl. */
export const lightning1: readonly Mistake[] = [
  {
    name: 'the decay grows',
    find: 'exp2(-rate * max(distance, vec4(0.0)))',
    replace: 'exp2(rate * max(distance, vec4(0.0)))',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'A slope is minus the logarithm of the decay.',
  },
  {
    name: 'the decay counts one token too many',
    find: 'let distance = vec4(f32(query) - f32(key))',
    replace: 'let distance = vec4(f32(query) - f32(key) + 1.0)',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'A token does not decay at its own place, and the next one must not be seen.',
  },
  {
    name: 'slopes are taken for binary logarithms',
    find: 'slopes[head] * LOG2_E',
    replace: 'slopes[head]',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'exp2 needs the slope times log2(e).',
  },
  {
    name: 'the slope of another head',
    find: 'slopes[head]',
    replace: 'slopes[(head + 1u) % params.heads]',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Each head has its own decay.',
  },
  {
    name: 'values are read one row late',
    find: 'value = v[(head_row + key) * width + column];',
    replace: 'value = v[(head_row + min(key + 1u, params.seqlen - 1u)) * width + column];',
    caughtBy: 'one above a tile of 32',
    why: 'Value j belongs to key j.',
  },
  {
    name: 'the last step of keys is skipped',
    find: 'first_key < end_query; first_key += TILE_N',
    replace: 'first_key + TILE_N < end_query; first_key += TILE_N',
    caughtBy: 'one above a tile of 32',
    why: 'The diagonal tile is dropped.',
  },
  {
    name: 'one product of four is missing',
    find: '      sum += query.w * k3;\n',
    replace: '',
    caughtBy: 'one above a tile of 32',
    why: 'A dot product leaves out every fourth number.',
  },
  {
    name: 'the rows of Q are shifted by one',
    find: 'let query = left_tile[place(4u * lane.y + i, d)];',
    replace: 'let query = left_tile[place((4u * lane.y + i + 1u) % TILE_M, d)];',
    caughtBy: 'one above a tile of 32',
    why: 'Scores belong to the next query.',
  },
];

/** Mistakes in lightning/lightning2.wgsl. */
export const lightning2: readonly Mistake[] = [
  {
    name: 'Λ starts at λ^0',
    find: '- chunk * CHUNK + 1u;',
    replace: '- chunk * CHUNK;',
    caughtBy: 'one above a tile of 64',
    why: 'The state before a chunk has decayed once by its first row.',
  },
  {
    name: 'the state is scaled by λ',
    find: 'f32(length - 1u - row)',
    replace: 'f32(length - row)',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'The last key of a chunk has not decayed yet.',
  },
  {
    name: 'the last chunk decays by a full chunk',
    find: 'f32(chunk_length(chunk + n))',
    replace: 'f32(CHUNK)',
    caughtBy: 'one above a tile of 64',
    why: 'A chunk decays by the rows it has.',
  },
  {
    name: 'all batches start from the state of the first',
    find: 'var state = s0[batch_head * size + id.x];',
    replace: 'var state = s0[id.y * size + id.x];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 's0 has a state for every batch and head.',
  },
  {
    name: 'the final state is taken before the last chunk',
    find: 's[batch_head * size + id.x] = state;',
    replace: 's[batch_head * size + id.x] = states[first + (chunks - 1u) * size];',
    caughtBy: 'one above a tile of 64',
    why: 'The last chunk is part of the final state.',
  },
  {
    name: 'no barrier between loading and multiplying a step of a chunk',
    find: 'value_tile[e] = value;\n    }\n    workgroupBarrier();',
    replace: 'value_tile[e] = value;\n    }',
    caughtBy: 'exactly one tile of 64',
    why: 'Invocations multiply what others have not loaded yet.',
  },
  {
    name: 'no barrier before the next step of a chunk is loaded',
    find: '    workgroupBarrier();\n  }\n\n  let state =',
    replace: '  }\n\n  let state =',
    caughtBy: 'exactly one tile of 64',
    why: 'Invocations overwrite what others still multiply.',
  },
  {
    name: 'the left product starts at the first token',
    find: 'var first_key = chunk * CHUNK;',
    replace: 'var first_key = 0u;',
    caughtBy: 'one above a tile of 64',
    why: 'Keys before the chunk are in the state already.',
  },
  {
    name: 'rows of the state are taken from the wrong slice',
    find: 'load_state(state_row, 4u * slice + first,',
    replace: 'load_state(state_row, slice + first,',
    caughtBy: 'one above a tile of 64',
    why: 'A slice counts vec4s, a row of the state is one number of headDim.',
  },
  {
    name: 'the scale is forgotten',
    find: 'params.scale * output[4u * c + i]',
    replace: 'output[4u * c + i]',
    caughtBy: 'last layer, scale 1/8',
    why: 'The output is scaled.',
  },
  {
    name: 'a chunk ends one token early',
    find: 'return min(CHUNK, params.seqlen - chunk * CHUNK);',
    replace: 'return min(CHUNK, params.seqlen - chunk * CHUNK) - 1u;',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Its last key is missing from the state.',
  },
];

/** Mistakes in lightning/backward.wgsl. */
export const lightningBackward: readonly Mistake[] = [
  {
    name: 'the gradient of the state reaches a key decayed once too often',
    find: 'value = exp2(-rate * f32(length - 1u - row)) * v[(first_row + row) * width_v + column];',
    replace: 'value = exp2(-rate * f32(length - row)) * v[(first_row + row) * width_v + column];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'The last key of a chunk has not decayed in the state after it.',
  },
  {
    name: 'the output gradient of a query reaches the state before undecayed by its own token',
    find: 'left = params.scale * exp2(-rate * f32(row + 1u)) * q[at];',
    replace: 'left = params.scale * exp2(-rate * f32(row)) * q[at];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'A query reads the state before after the decay of its own token.',
  },
  {
    name: 'the gradient of the weights has no decay',
    find: 'params.scale * decay * gradients[i];',
    replace: 'params.scale * gradients[i];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Keys ahead are seen, and those behind count as near.',
  },
  {
    name: 'the gradient of the final state is forgotten',
    find: 'var gradient = ds[batch_head * size + id.x];',
    replace: 'var gradient = 0.0 * ds[batch_head * size + id.x];',
    caughtBy: 'one above a tile of 64',
    why: 'Keys and values reach the final state.',
  },
  {
    name: 'the state is not transposed',
    find: `              block[i] = states[(state_row + d) * width_v + column_v];
            }
          }
          let by_value = transpose(block);`,
    replace: `              block[i] = states[(state_row + d) * width_v + column_v];
            }
          }
          let by_value = block;`,
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Channels and value columns are swapped within blocks of four.',
  },
  {
    name: 'the weights are not transposed',
    find: `        block[i] = weights[(first_row + query) * CHUNK / 4u + key_column];
      }
    }
    let by_key = transpose(block);`,
    replace: `        block[i] = weights[(first_row + query) * CHUNK / 4u + key_column];
      }
    }
    let by_key = block;`,
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Queries and keys are swapped within blocks of four.',
  },
];

/** Mistakes in lightning/decode.wgsl. */
export const lightningDecode: readonly Mistake[] = [
  {
    name: 'the output is read before the token is added',
    find: `        state[n] = decay * state[n] + k[row * params.head_dim + d] * value;
        part += q[row * params.head_dim + d] * state[n];`,
    replace: `        part += q[row * params.head_dim + d] * decay * state[n];
        state[n] = decay * state[n] + k[row * params.head_dim + d] * value;`,
    caughtBy: 'a single token',
    why: 'A query sees the key of its own token.',
  },
  {
    name: 'the new token decays',
    find: 'state[n] = decay * state[n] + k[row * params.head_dim + d] * value;',
    replace: 'state[n] = decay * (state[n] + k[row * params.head_dim + d] * value);',
    caughtBy: 'several batches',
    why: 'The decay acts on what came before.',
  },
  {
    name: 'every batch has slopes of its own',
    find: 'slopes[group.y]',
    replace: 'slopes[min(group.z * params.heads + group.y, params.heads - 1u)]',
    caughtBy: 'several batches',
    why: 'Slopes belong to heads.',
  },
  {
    name: 'the written state lacks the last decay',
    find: `      s[(batch_head * params.head_dim + d) * width_v + column] = state[n];`,
    replace: `      s[(batch_head * params.head_dim + d) * width_v + column] = state[n] / decay;`,
    caughtBy: 'two tokens',
    why: 'The state after a token has decayed by it.',
  },
];

/** Mistakes in lightning/lightning2-loop.wgsl. */
export const lightning2Loop: readonly Mistake[] = [
  {
    name: 'the state decays by a whole chunk at the tail too',
    find: 'var sum = exp2(-rate * f32(length)) * state[at];',
    replace: 'var sum = exp2(-rate * f32(CHUNK)) * state[at];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'The last chunk has b tokens: S decays by λ^b.',
  },
  {
    name: 'the first row of a chunk does not decay the state',
    find: 'var sum = exp2(-rate * f32(r + 1u)) * inter[half];',
    replace: 'var sum = exp2(-rate * f32(r)) * inter[half];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Λ begins at λ^1, as Algorithm 1 of the paper has it, not at λ^0 as its equation 9.',
  },
  {
    name: 'the state that is handed on decays once more',
    find: 'let key = exp2(-rate * f32(length - 1u - r))',
    replace: 'let key = exp2(-rate * f32(length - r))',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'The last token of a chunk enters the state undecayed; the λ S of the official kernel is wrong for a decoder.',
  },
  {
    name: 'the state is brought on before all queries have met it',
    find: `      inter[1] += meet_state(row + 16u, slice, column);
      workgroupBarrier();`,
    replace: `      inter[1] += meet_state(row + 16u, slice, column);`,
    caughtBy: 'one above a tile of 64',
    why: 'Other invocations still read the rows of S that one overwrites.',
  },
];

/** Mistakes in lightning/decode-f16.wgsl. */
export const lightningDecodeF16: readonly Mistake[] = [
  {
    name: 'the halves of a pair of keys are swapped',
    find: 'let key = unpack2x16float(k[row * pairs + pair]);',
    replace: 'let key = unpack2x16float(k[row * pairs + pair]).yx;',
    caughtBy: 'a single token',
    why: 'The first number of a pair is in the low half of the word.',
  },
  {
    name: 'only the even rows of the state are read out',
    find: 'part += query.x * even[n] + query.y * odd[n];',
    replace: 'part += query.x * even[n];',
    caughtBy: 'a single token',
    why: 'Half of every product is missing.',
  },
  {
    name: 'the values of a four are unpacked in the wrong order',
    find: 'vec4(unpack2x16float(halves.x), unpack2x16float(halves.y))',
    replace: 'vec4(unpack2x16float(halves.y), unpack2x16float(halves.x))',
    caughtBy: 'a single token',
    why: 'Columns come in their order, which the f32 state shows.',
  },
  {
    name: 'the odd rows do not forget',
    find: 'odd[n] = decay * odd[n] + key.y * value;',
    replace: 'odd[n] = odd[n] + key.y * value;',
    caughtBy: 'several batches',
    why: 'All rows of the state decay.',
  },
];
