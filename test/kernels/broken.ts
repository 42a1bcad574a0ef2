/** One built-in kernel with one mistake in it, as people make them. */
export interface BrokenKernel {
  readonly name: string;
  /** The kernel, below `shaders/`. */
  readonly file: string;
  /** Text that stands exactly once in the kernel, and what the mistake makes of it. */
  readonly find: string;
  readonly replace: string;
  /** The case of the mechanism's grid that shows the mistake. */
  readonly caughtBy: string;
  /** What goes wrong. */
  readonly why: string;
}

const naive: readonly Omit<BrokenKernel, 'file'>[] = [
  {
    name: 'the mask is aligned at the top left',
    find: 'let position = i32(i) + i32(params.seqlen_k) - i32(params.seqlen);',
    replace: 'let position = i32(i);',
    caughtBy: 'few queries at the end of many keys',
    why: 'The last query must stand at the last key, not the first at the first.',
  },
  {
    name: 'a query does not see its own key',
    find: 'distance <= right)',
    replace: 'distance < right)',
    caughtBy: 'one above a tile of 16',
    why: 'The causal mask keeps j <= i; j < i leaves out the diagonal.',
  },
  {
    name: 'the window is one key short on the left',
    find: '-distance <= params.window_left',
    replace: '-distance < params.window_left',
    caughtBy: 'causal window of 16 keys',
    why: 'A window of 15 to the left holds 16 keys.',
  },
  {
    name: 'the window reaches one key too far to the right',
    find: 'right < 0 || distance <= right',
    replace: 'right < 0 || distance <= right + 1',
    caughtBy: 'window on both sides',
    why: 'A window of 8 to the right ends at i + 8.',
  },
  {
    name: 'the scale is forgotten',
    find: '= params.scale * sum;',
    replace: '= sum;',
    caughtBy: 'one above a tile of 16',
    why: 'Scores are scaled by headDim^-1/2.',
  },
  {
    name: 'the weights are powers of two',
    find: 'weight = exp(scores[first + j] - row_max);',
    replace: 'weight = exp2(scores[first + j] - row_max);',
    caughtBy: 'one above a tile of 16',
    why: 'exp2 needs scores times log2(e).',
  },
  {
    name: 'the weights are not normalised',
    find: 'scores[first + j] = scores[first + j] / row_sum;',
    replace: 'scores[first + j] = scores[first + j];',
    caughtBy: 'one above a tile of 16',
    why: 'The weights of a row must add up to one.',
  },
  {
    name: 'query heads are dealt to key heads in turn',
    find: 'head / (params.heads / params.heads_kv)',
    replace: 'head % params.heads_kv',
    caughtBy: 'grouped queries 4:2',
    why: 'Neighbouring query heads share a key head.',
  },
  {
    name: 'lse leaves out the maximum',
    find: 'lse[row] = row_max + log(row_sum);',
    replace: 'lse[row] = log(row_sum);',
    caughtBy: 'one above a tile of 16',
    why: 'The maximum that was subtracted must be added again.',
  },
  {
    name: 'a dot product drops the last four numbers',
    find: 'for (var d = 0u; d < width; d++)',
    replace: 'for (var d = 0u; d < width - 1u; d++)',
    caughtBy: 'one above a tile of 16',
    why: 'The loop over headDim ends one vec4 early.',
  },
  {
    name: 'lse of an empty row is never written',
    find: 'lse[row] = MINUS_INFINITY;',
    replace: '',
    caughtBy: 'queries that see no key',
    why: 'The early return leaves what was in the buffer.',
  },
];

const flash: readonly Omit<BrokenKernel, 'file'>[] = [
  {
    name: 'no barrier between loading Q and K and multiplying them',
    find: 'load_keys(kv_row, first_key, slice, index);\n      workgroupBarrier();',
    replace: 'load_keys(kv_row, first_key, slice, index);',
    caughtBy: 'exactly one tile of 64',
    why: 'Invocations multiply what others have not loaded yet.',
  },
  {
    name: 'no barrier between the parts of a maximum and the maximum',
    find: '= max(pairs.x, pairs.y);\n    }\n    workgroupBarrier();',
    replace: '= max(pairs.x, pairs.y);\n    }',
    caughtBy: 'exactly one tile of 64',
    why: 'The invocations of a query scale its weights by different maxima.',
  },
  {
    name: 'the numerator is not brought to the new maximum',
    find: 'output[4u * c + i] *= rescale[i];',
    replace: 'output[4u * c + i] *= 1.0;',
    caughtBy: 'many tiles',
    why: 'Steps before the maximum rose count too much.',
  },
  {
    name: 'the denominator is not brought to the new maximum',
    find: 'row_sum *= rescale;',
    replace: '',
    caughtBy: 'many tiles',
    why: 'Steps before the maximum rose count too much.',
  },
  {
    name: 'log2(e) is not folded into Q',
    find: 'let factor = params.scale * LOG2_E;',
    replace: 'let factor = params.scale;',
    caughtBy: 'one above a tile of 16',
    why: 'Powers of two stand in for powers of e.',
  },
  {
    name: 'lse is a binary logarithm',
    find: '(row_max[i] + log2(sum)) * LN_2',
    replace: '(row_max[i] + log2(sum))',
    caughtBy: 'one above a tile of 16',
    why: 'lse is a natural logarithm.',
  },
  {
    name: 'the last visible key is skipped with its step',
    find: 'position(last) + right_reach() + 1)',
    replace: 'position(last) + right_reach())',
    caughtBy: 'one above a tile of 64',
    why: 'The end of a range is exclusive; at 65 keys the last one stands alone in a step.',
  },
  {
    name: 'keys past the end are not masked',
    find: 'return last_key < params.seqlen_k',
    replace: 'return first_key < params.seqlen_k',
    caughtBy: 'no multiple of any tile, not causal',
    why: 'Padding has a score of zero, not of minus infinity.',
  },
  {
    name: 'masked keys weigh something where a row sees none',
    find: 'select(exp2(scores[i] - row_max[i]), vec4(0.0), scores[i] <= vec4(MASKED))',
    replace: 'exp2(scores[i] - row_max[i])',
    caughtBy: 'queries that see no key',
    why: 'The difference of two masks is zero, and its power one: the row becomes a mean of the values.',
  },
  {
    name: 'only the first columns of the output are written',
    find: 'for (var c = 0u; c < COLUMNS; c++) {\n        let column',
    replace: 'for (var c = 0u; c < 1u; c++) {\n        let column',
    caughtBy: 'one below a tile of 64',
    why: 'Columns 32 and up keep what was in the buffer.',
  },
  {
    name: 'key heads are counted like query heads across batches',
    find: 'let kv_row = (group.z * params.heads_kv + kv_head)',
    replace: 'let kv_row = (group.z * params.heads + kv_head)',
    caughtBy: 'one key head for all (MQA)',
    why: 'The second batch begins after headsKv heads.',
  },
  {
    name: 'the running maximum starts at zero',
    find: 'var row_max = vec4(MASKED);',
    replace: 'var row_max = vec4(0.0);\n  row_max += vec4(1000.0);',
    caughtBy: 'one above a tile of 16',
    why: 'A start above every score lets all weights underflow.',
  },
];

const leftProduct: readonly Omit<BrokenKernel, 'file'>[] = [
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

const rightProduct: readonly Omit<BrokenKernel, 'file'>[] = [
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

const lightning1: readonly Omit<BrokenKernel, 'file'>[] = [
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

const lightning2: readonly Omit<BrokenKernel, 'file'>[] = [
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

function of(file: string, kernels: readonly Omit<BrokenKernel, 'file'>[]): BrokenKernel[] {
  return kernels.map((kernel) => ({ ...kernel, file }));
}

/** Mistakes that the verdict must find, each by the one case it names. */
export const brokenKernels: readonly BrokenKernel[] = [
  ...of('softmax/naive.wgsl', naive),
  ...of('softmax/flash.wgsl', flash),
  ...of('linear/left-product.wgsl', leftProduct),
  ...of('linear/right-product.wgsl', rightProduct),
  ...of('lightning/lightning1.wgsl', lightning1),
  ...of('lightning/lightning2.wgsl', lightning2),
];
