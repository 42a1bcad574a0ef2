import type { Mistake } from './mistake.js';

/** Mistakes in retention/chunked.wgsl. */
export const retentionChunked: readonly Mistake[] = [
  {
    name: 'heads are counted from 1',
    find: 'let x = ldexp(1.0, -5 - i32(head));',
    replace: 'let x = ldexp(1.0, -6 - i32(head));',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'The first head forgets at the rate of 2^-5.',
  },
  {
    name: 'Λ starts at γ^0',
    find: '- chunk * CHUNK + 1u;',
    replace: '- chunk * CHUNK;',
    caughtBy: 'one above a tile of 64',
    why: 'The state before a chunk has decayed once by its first row.',
  },
  {
    name: 'the last chunk decays by a full chunk',
    find: 'f32(chunk_length(chunk + n))',
    replace: 'f32(CHUNK)',
    caughtBy: 'one above a tile of 64',
    why: 'A chunk decays by the rows it has.',
  },
  {
    name: 'the norm divides by the width of a key',
    find: 'square / f32(params.head_dim_v)',
    replace: 'square / f32(params.head_dim)',
    caughtBy: 'a single token',
    why: 'The mean is over the values of a row.',
  },
  {
    name: 'the norm sums up squares before all have arrived',
    find: 'squares[LANES * lane.y + lane.x] = sum;\n  workgroupBarrier();',
    replace: 'squares[LANES * lane.y + lane.x] = sum;',
    caughtBy: 'one above a tile of 32',
    why: 'The parts of a row come from eight invocations.',
  },
  {
    name: 'the norm takes in the query of another row',
    find: 'square += squares[LANES * lane.y + x];',
    replace: 'square += squares[LANES * (lane.y / 2u) + x];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'Rows are normalised one by one.',
  },
];

/** Mistakes in retention/backward.wgsl. */
export const retentionBackward: readonly Mistake[] = [
  {
    name: 'the gradient of the normalised output goes straight to the output',
    find: 'factor * (dy_rows[at] - along * factor * rows[at])',
    replace: 'factor * dy_rows[at]',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'A row along itself is what the norm takes away.',
  },
  {
    name: 'the gradient of the output is forgotten',
    find: 'rows[at] = do_rows[at] + factor',
    replace: 'rows[at] = 0.0 * do_rows[at] + factor',
    caughtBy: 'a single token',
    why: 'Both outputs have gradients.',
  },
  {
    name: 'the state meets queries that have not decayed',
    find: 'value = params.scale * exp2(-rate * f32(row + 1u)) * q[(first_row + row) * width + column];',
    replace: 'value = params.scale * exp2(-rate * f32(row)) * q[(first_row + row) * width + column];',
    caughtBy: 'one above a tile of 64',
    why: 'The output that the norm needs is not that of the forward pass.',
  },
  {
    name: 'the gradient of the state reaches a key decayed once too often',
    find: 'value = exp2(-rate * f32(length - 1u - row)) * v[(first_row + row) * width_v + column];',
    replace: 'value = exp2(-rate * f32(length - row)) * v[(first_row + row) * width_v + column];',
    caughtBy: 'one above a tile of 16, several batches',
    why: 'The last key of a chunk has not decayed in the state after it.',
  },
  {
    name: 'the gradient of the final state is forgotten',
    find: 'var gradient = ds[batch_head * size + id.x];',
    replace: 'var gradient = 0.0 * ds[batch_head * size + id.x];',
    caughtBy: 'one above a tile of 64',
    why: 'Keys and values reach the final state.',
  },
];

/** Mistakes in retention/decode.wgsl. */
export const retentionDecode: readonly Mistake[] = [
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
    name: 'heads are counted over all batches',
    find: '-5 - i32(group.y)',
    replace: '-5 - i32(batch_head)',
    caughtBy: 'several batches',
    why: 'The decay belongs to a head, whatever the batch.',
  },
  {
    name: 'all batches start from the state of the first',
    find: 'state[n] = s0[(batch_head * params.head_dim + d) * width_v + column];',
    replace: 'state[n] = s0[(group.y * params.head_dim + d) * width_v + column];',
    caughtBy: 'several batches',
    why: 's0 has a state for every batch and head.',
  },
];

/** Mistakes in retention/decode-f16.wgsl. */
export const retentionDecodeF16: readonly Mistake[] = [
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
    name: 'the output is packed in the wrong order',
    find: 'vec2(pack2x16float(sum.xy), pack2x16float(sum.zw))',
    replace: 'vec2(pack2x16float(sum.zw), pack2x16float(sum.xy))',
    caughtBy: 'a single token',
    why: 'Columns come in their order.',
  },
  {
    name: 'the odd rows do not forget',
    find: 'odd[n] = decay * odd[n] + key.y * value;',
    replace: 'odd[n] = odd[n] + key.y * value;',
    caughtBy: 'several batches',
    why: 'All rows of the state decay, which the f32 state shows.',
  },
];
