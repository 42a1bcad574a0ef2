import {
  flash,
  leftProduct,
  lightning1,
  lightning2,
  matrixSoftmax,
  packedHalves,
  planted,
  rightProduct,
  threeEntries,
  tokenByToken,
  treeSoftmax,
  type PlantedFault,
} from './planted.js';

/** Indices that reach past the end of what they index. */
export const outOfBounds: readonly PlantedFault[] = [
  ...planted('out-of-bounds', flash, [
    {
      name: 'keys past the end are loaded',
      edits: [
        {
          find: 'if (key < params.seqlen_k && column < width) {\n        keys[j]',
          replace: 'if (column < width) {\n        keys[j]',
        },
      ],
      at: 'keys[j] = k[(kv_row + key) * width + column];',
      mended: true,
    },
  ]),
  ...planted('out-of-bounds', matrixSoftmax, [
    {
      name: 'a matrix of keys begins a tile too far on',
      edits: [{ find: '&kv_tile, tile * WIDTH + d, WIDTH)', replace: '&kv_tile, (tile + 16u) * WIDTH + d, WIDTH)' }],
      at: 'let keys = subgroupMatrixLoad<Right, col_major>(&kv_tile, (tile + 16u) * WIDTH + d, WIDTH);',
    },
  ]),
  ...planted('matrix-stride', matrixSoftmax, [
    {
      name: 'the stride of the weights is half a row',
      edits: [{ find: '(&weights, j, KEYS)', replace: '(&weights, j, KEYS / 4u)' }],
      at: 'let part = subgroupMatrixLoad<Left, row_major>(&weights, j, KEYS / 4u);',
    },
  ]),
  ...planted('non-uniform-operand', matrixSoftmax, [
    {
      name: 'each invocation loads its own matrix',
      edits: [{ find: '(&q_tile, d, WIDTH)', replace: '(&q_tile, d + index % 2u, WIDTH)' }],
      at: 'let queries = subgroupMatrixLoad<Left, row_major>(&q_tile, d + index % 2u, WIDTH);',
    },
  ]),
  ...planted('out-of-bounds', lightning1, [
    {
      name: 'values past the end are loaded',
      edits: [
        {
          find: 'if (key < params.seqlen && column < width) {\n      value',
          replace: 'if (column < width) {\n      value',
        },
      ],
      at: 'value = v[(head_row + key) * width + column];',
      mended: true,
    },
    {
      name: 'rows past the end are stored',
      edits: [{ find: 'if (query < params.seqlen && column < width_v)', replace: 'if (column < width_v)' }],
      at: 'o[(head_row + query) * width_v + column] = params.scale * output[4u * c + i];',
      shape: { heads: 1, batch: 1 },
      mended: true,
    },
  ]),
  ...planted('out-of-bounds', lightning2, [
    {
      name: 'sums of a chunk are indexed by another stride than they were added with',
      edits: [{ find: '= sums[8u * a + 2u * t + b];', replace: '= sums[8u * a + 4u * t + b];' }],
      at: '= sums[8u * a + 4u * t + b];',
      shape: { headDim: 64 },
      mended: true,
    },
  ]),
  ...planted('out-of-bounds', leftProduct, [
    {
      name: 'a loop over lanes goes one too far',
      edits: [{ find: 'for (var x = 0u; x < LANES; x++)', replace: 'for (var x = 0u; x <= LANES; x++)' }],
      at: 'denominator += row_parts[(4u * lane.y + i) * LANES + x];',
      mended: true,
    },
  ]),
  ...planted('out-of-bounds', threeEntries, [
    {
      name: 'the decay of the next head',
      edits: [{ find: 'log_decay[head]', replace: 'log_decay[head + 1u]' }],
      at: 'log_decay[head + 1u]',
      mended: true,
    },
  ]),
  ...planted('out-of-bounds', treeSoftmax, [
    {
      name: 'a signed window begins before the first key',
      edits: [
        { find: 'for (var j = 0u; j <= query; j++)', replace: 'for (var j = i32(query) - 8; j <= i32(query); j++)' },
        {
          find: 'result += weights[j] * v[(first_key + j) * params.head_dim_v + column];',
          replace: 'result += weights[j] * v[(first_key + u32(max(j, 0))) * params.head_dim_v + column];',
        },
      ],
      at: 'result += weights[j] *',
      mended: true,
    },
  ]),
  ...planted('out-of-bounds', tokenByToken, [
    {
      name: 'rows of workgroup memory are shorter than a head',
      edits: [{ find: 'var<workgroup> key: array<f32, MOST>;', replace: 'var<workgroup> key: array<f32, MOST / 8u>;' }],
      at: 'key[d] = k[row * params.head_dim + d];',
      alsoAt: ['state[d] = decay * state[d] + key[d] * value;'],
      mended: true,
    },
  ]),
];

/** Index arithmetic that leaves its type. */
export const indexOverflow: readonly PlantedFault[] = [
  ...planted('index-overflow', tokenByToken, [
    {
      name: 'the token before the first',
      edits: [
        { find: 'key[d] = k[row * params.head_dim + d];', replace: 'key[d] = k[(row - 1u) * params.head_dim + d];' },
      ],
      at: 'key[d] = k[(row - 1u) * params.head_dim + d];',
    },
    {
      name: 'values from the end, one too many',
      edits: [
        {
          find: 'value = v[row * params.head_dim_v + column];',
          replace:
            'let back = params.seqlen - 2u - t;\n      value = v[(first_row + back) * params.head_dim_v + column];',
        },
      ],
      at: 'value = v[(first_row + back) * params.head_dim_v + column];',
      shape: { heads: 1 },
    },
  ]),
  ...planted('index-overflow', threeEntries, [
    {
      name: 'the state before the first block',
      edits: [
        {
          find: 'kv[kv_start(wid.y) + d * config.dim_v + e]',
          replace: 'kv[kv_start(wid.y - 1u) + d * config.dim_v + e]',
        },
      ],
      at: 'kv[kv_start(wid.y - 1u) + d * config.dim_v + e]',
    },
  ]),
  ...planted('index-overflow', rightProduct, [
    {
      name: 'the state one chunk back',
      edits: [
        {
          find: 'value = states[state + d * width + column];',
          replace: 'value = states[state - state_size() + d * width + column];',
        },
      ],
      at: 'value = states[state - state_size() + d * width + column];',
    },
  ]),
  ...planted('index-overflow', packedHalves, [
    {
      name: 'the weight of the key before',
      edits: [{ find: 'acc += weights[j] *', replace: 'acc += weights[j - 1u] *' }],
      at: 'acc += weights[j - 1u] *',
    },
  ]),
  ...planted('index-overflow', treeSoftmax, [
    {
      name: 'a distance counted the wrong way round',
      edits: [{ find: 'result += weights[j] * v', replace: 'result += weights[j - query] * v' }],
      at: 'result += weights[j - query] * v',
    },
  ]),
];
