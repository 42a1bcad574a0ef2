import type { Mistake } from './mistake.js';

/** Mistakes in gated-linear/chunked.wgsl. */
export const gatedChunked: readonly Mistake[] = [
  {
    name: 'the gates are taken for binary logarithms',
    find: 'decay = exp(g[at]);',
    replace: 'decay = exp2(g[at]);',
    caughtBy: 'one above a block of 16, several batches',
    why: 'Gates are natural logarithms.',
  },
  {
    name: 'within a block each weight lands one key early',
    find: `          near += select(vec4(0.0), vec4(weight), vec4(3u - j) == vec4(0u, 1u, 2u, 3u));
          walker *= decay_tile[place(c, d)];`,
    replace: `          walker *= decay_tile[place(c, d)];
          near += select(vec4(0.0), vec4(weight), vec4(2u - j) == vec4(0u, 1u, 2u, 3u));`,
    caughtBy: 'one below a block of 16',
    why: 'It then meets the value of another key.',
  },
  {
    name: 'a query decays up to its own token only',
    find: 'if (BLOCK * block + n <= row) {',
    replace: 'if (BLOCK * block + n < row) {',
    caughtBy: 'one above a block of 16, several batches',
    why: 'The gate of a token acts on all that came before it.',
  },
  {
    name: 'blocks in between do not decay',
    find: 'between *= block_totals[SLICE * n + d];',
    replace: 'between *= 1.0;',
    caughtBy: 'exactly one chunk of 64',
    why: 'A key two blocks back passes the gates of the block in between.',
  },
  {
    name: 'a key enters the state undecayed by later blocks',
    find: 'if (n > block) {',
    replace: 'if (n > block + 1u) {',
    caughtBy: 'exactly one chunk of 64',
    why: 'The next block decays it too.',
  },
  {
    name: 'the state decays by the gates of the next chunk',
    find: 'decays[n] = totals[first_total + (chunk + n) * (params.head_dim / 4u)][d % 4u];',
    replace: 'decays[n] = totals[first_total + min(chunk + n + 1u, chunks - 1u) * (params.head_dim / 4u)][d % 4u];',
    caughtBy: 'one above two chunks, head of 96',
    why: 'A chunk decays by its own gates.',
  },
  {
    name: 'all channels decay as the first of four does',
    find: '(params.head_dim / 4u)][d % 4u];',
    replace: '(params.head_dim / 4u)][0];',
    caughtBy: 'one above a chunk of 64',
    why: 'Each key channel has a gate of its own.',
  },
  {
    name: 'no barrier before the decayed rows are written',
    find: `    workgroupBarrier();
    query_tile[place(row, column)] = query * until_row;`,
    replace: `    query_tile[place(row, column)] = query * until_row;`,
    caughtBy: 'one above two chunks, head of 96',
    why: 'Others still walk over the rows that are overwritten.',
  },
  {
    name: 'keys that lie ahead are seen',
    find: 'key_block < query_block) {',
    replace: 'key_block != query_block) {',
    caughtBy: 'one above a block of 16, several batches',
    why: 'The mask between blocks is the order of the blocks.',
  },
];

/** Mistakes in gated-linear/simple.wgsl. */
export const gatedSimple: readonly Mistake[] = [
  {
    name: 'a key decays by its own gate',
    find: `      row[3u - j] = exp(sum);
      sum += gate_tile[c];`,
    replace: `      sum += gate_tile[c];
      row[3u - j] = exp(sum);`,
    caughtBy: 'one below a block of 16',
    why: 'The gate of a token acts on what came before it, not on its own key.',
  },
  {
    name: 'the sum between blocks starts one row late',
    find: 'for (var n = key + 4u; n < first; n++) {',
    replace: 'for (var n = key + 5u; n < first; n++) {',
    caughtBy: 'one below a block of 16',
    why: 'The first row after the keys has a gate as well.',
  },
  {
    name: 'the state reaches the first row undecayed',
    find: `    until += gate_tile[first + i];
    for (var c = 0u; c < COLUMNS; c++) {
      output[4u * c + i] *= exp(until);
    }`,
    replace: `    for (var c = 0u; c < COLUMNS; c++) {
      output[4u * c + i] *= exp(until);
    }
    until += gate_tile[first + i];`,
    caughtBy: 'one below a block of 16',
    why: 'The state before a chunk has decayed by the gate of its first token.',
  },
  {
    name: 'the gate of the last token fades its own key',
    find: 'for (var n = row + 1u; n < CHUNK; n++) {',
    replace: 'for (var n = row; n < CHUNK; n++) {',
    caughtBy: 'one below a block of 16',
    why: 'A key enters the state after the gate of its token.',
  },
  {
    name: 'the chunk decays without its first gate',
    find: '= gate_tile[0] + sum;',
    replace: '= sum;',
    caughtBy: 'one below a block of 16',
    why: 'All gates of a chunk act on the state before it.',
  },
];

/** Mistakes in gated-linear/decode.wgsl. */
export const gatedDecode: readonly Mistake[] = [
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
    name: 'the gate acts on the new token as well',
    find: 'state[n] = decay * state[n] + k[row * params.head_dim + d] * value;',
    replace: 'state[n] = decay * (state[n] + k[row * params.head_dim + d] * value);',
    caughtBy: 'several batches',
    why: 'The gate of a token decays what came before it.',
  },
  {
    name: 'one gate per head is read as one per channel',
    find: 'min(d, params.gate_dim - 1u)',
    replace: 'd',
    caughtBy: 'one gate per head',
    why: 'The gates of later tokens are read.',
  },
  {
    name: 'all batches start from the states of the first',
    find: 'state[n] = s0[(batch_head * params.head_dim + d) * width_v + column];',
    replace: 'state[n] = s0[(group.y * params.head_dim + d) * width_v + column];',
    caughtBy: 'several batches',
    why: 's0 has a state for every batch and head.',
  },
  {
    name: 'half of the rows are left out of the output',
    find: 'for (var y = 0u; y < ROWS; y++) {',
    replace: 'for (var y = 0u; y < ROWS / 2u; y++) {',
    caughtBy: 'a head of 16',
    why: 'All 16 invocations of a column have a part of it.',
  },
];

/** Mistakes in gated-linear/backward.wgsl. */
export const gatedBackward: readonly Mistake[] = [
  {
    name: 'the gate acts on the path of a key to its own query',
    find: 'ending[i] = query * query_gradient - key * key_terms[i];',
    replace: 'ending[i] = query * dq[at] - key * key_terms[i];',
    caughtBy: 'one below a block of 16',
    why: 'That path passes no gate.',
  },
  {
    name: 'paths from the state to the state after are forgotten',
    find: 'sum = until_row[0] * after_row[0] * across',
    replace: 'sum = 0.0 * across',
    caughtBy: 'one below a block of 16',
    why: 'Every gate of the chunk acts on the state that passes through.',
  },
  {
    name: 'the gradient of the final state is forgotten',
    find: 'var gradient = ds[batch_head * size + id.x];',
    replace: 'var gradient = 0.0 * ds[batch_head * size + id.x];',
    caughtBy: 'one above a chunk of 64',
    why: 'Keys, values and gates reach the final state.',
  },
  {
    name: 'a query decays the gradient of a key by its own gate once too often',
    find: 'key_terms[i] = decay * (key_terms[i] + gradients[i] * query);',
    replace: 'key_terms[i] = decay * key_terms[i] + gradients[i] * query;',
    caughtBy: 'one below a block of 16',
    why: 'The gate of the query acts on the key as well.',
  },
  {
    name: 'the gradient of the values is not scaled within the chunk',
    find: 'value = params.scale * do_rows[(first_row + n) * width_v + column];',
    replace: 'value = do_rows[(first_row + n) * width_v + column];',
    caughtBy: 'a scale of 2',
    why: 'The output is scaled.',
  },
  {
    name: 'the gradient of the weights is not scaled',
    find: 'select(vec4(0.0), params.scale * products[i], visible)',
    replace: 'select(vec4(0.0), products[i], visible)',
    caughtBy: 'a scale of 2',
    why: 'The output is scaled.',
  },
];

/** Mistakes in gated-linear/simple-backward.wgsl. */
export const gatedSimpleBackward: readonly Mistake[] = [
  {
    name: 'the gate acts on the path that begins at its own token',
    find: 'carried, vec4(0u, 1u, 2u, 3u) < vec4(t))',
    replace: 'carried, vec4(0u, 1u, 2u, 3u) <= vec4(t))',
    caughtBy: 'one below a block of 16',
    why: 'The gate of a token acts on what came before it.',
  },
  {
    name: 'paths that end in the next block of four are left out',
    find: 'for (var y = own + 1u; y < blocks; y++) {',
    replace: 'for (var y = own + 2u; y < blocks; y++) {',
    caughtBy: 'one below a block of 16',
    why: 'They pass every gate between their key and their query.',
  },
  {
    name: 'the sums of the blocks are read before all are there',
    find: `  column_tile[CHUNK / 4u * lane.y + lane.x] = key_sums;
  workgroupBarrier();`,
    replace: '  column_tile[CHUNK / 4u * lane.y + lane.x] = key_sums;',
    caughtBy: 'a scale of 2',
    why: 'Each token needs the sums of all blocks.',
  },
  {
    name: 'what the queries get from the state is taken with what they get from the chunk',
    find: `    if (step == value_steps) {
      // What the queries get`,
    replace: `    if (step == steps - 1u) {
      // What the queries get`,
    caughtBy: 'one below a block of 16',
    why: 'The paths within the chunk are counted in another place, gate by gate.',
  },
  {
    name: 'a key passes its own gate on the way to the state after',
    find: `  for (var n = 0u; n < row; n++) {
    sum += to_state[n];`,
    replace: `  for (var n = 0u; n <= row; n++) {
    sum += to_state[n];`,
    caughtBy: 'one below a block of 16',
    why: 'A key enters the state after the gate of its token.',
  },
  {
    name: 'paths from the state to the state after are forgotten',
    find: 'var sum = until[first_row + length - 1u] * through;',
    replace: 'var sum = 0.0 * through;',
    caughtBy: 'one below a block of 16',
    why: 'Every gate of the chunk acts on the state that passes through.',
  },
  {
    name: 'the gradient of the state decays by the first gate of a chunk only',
    find: 'gradient = until[first_row + chunk * CHUNK + chunk_length(chunk) - 1u] * gradient + sum;',
    replace: 'gradient = until[first_row + chunk * CHUNK] * gradient + sum;',
    caughtBy: 'a scale of 2',
    why: 'All gates of the chunk act on the state before it.',
  },
  {
    name: 'the last token of a chunk fades its own key',
    find: 'for (var n = row + 1u; n < length; n++) {',
    replace: 'for (var n = row; n < length; n++) {',
    caughtBy: 'one below a block of 16',
    why: 'A key enters the state after the gate of its token.',
  },
];

/** Mistakes in gated-linear/decode-f16.wgsl. */
export const gatedDecodeF16: readonly Mistake[] = [
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
    name: 'the odd rows take the gates of the even ones',
    find: 'odd[n] = decay.y * odd[n]',
    replace: 'odd[n] = decay.x * odd[n]',
    caughtBy: 'a single token',
    why: 'Every channel has a gate of its own.',
  },
];
