import {
  flash,
  leftProduct,
  lightning1,
  lightning2,
  macroSplit,
  matrixSoftmax,
  packedHalves,
  planted,
  rightProduct,
  scoresInStorage,
  subgroupShuffle,
  subgroupSum,
  threeEntries,
  tilePointers,
  tokenByToken,
  treeSoftmax,
  type PlantedFault,
} from './planted.js';

/** Barriers that are missing, and memory that several invocations write. */
export const racesInWorkgroup: readonly PlantedFault[] = [
  ...planted('race-in-workgroup', flash, [
    {
      name: 'no barrier between loading tiles and multiplying them',
      edits: [{ find: '      workgroupBarrier();\n      multiply_keys(', replace: '      multiply_keys(' }],
      at: 'left_tile[place(row, e % SLICE)] = value;',
      mended: true,
    },
    {
      name: 'no barrier before the next step overwrites the values',
      edits: [
        {
          find: 'multiply_values(&output, first, keys_per_load, columns, lane);\n      workgroupBarrier();',
          replace: 'multiply_values(&output, first, keys_per_load, columns, lane);',
        },
      ],
      at: 'left_tile[place(row, e % SLICE)] = value;',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', matrixSoftmax, [
    {
      name: 'no barrier between the matrix units storing scores and the softmax reading them',
      edits: [
        {
          find: '&scores, tile, products, KEYS);\n    }\n    workgroupBarrier();',
          replace: '&scores, tile, products, KEYS);\n    }',
        },
      ],
      at: 'subgroupMatrixStore<row_major>(&scores, tile, products, KEYS);',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', scoresInStorage, [
    {
      name: 'scores in storage, and a barrier for workgroup memory',
      edits: [{ find: '  storageBarrier();', replace: '  workgroupBarrier();' }],
      at: 'row_scores[row + j] = score;',
      mended: true,
    },
    {
      name: 'scores in storage, and no barrier at all',
      edits: [{ find: '  storageBarrier();\n', replace: '' }],
      at: 'row_scores[row + j] = score;',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', matrixSoftmax, [
    {
      name: 'scores in workgroup memory, and a barrier for storage',
      edits: [
        {
          find: '&scores, tile, products, KEYS);\n    }\n    workgroupBarrier();',
          replace: '&scores, tile, products, KEYS);\n    }\n    storageBarrier();',
        },
      ],
      at: 'subgroupMatrixStore<row_major>(&scores, tile, products, KEYS);',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', leftProduct, [
    {
      name: 'no barrier between storing parts of a sum and adding them up',
      edits: [
        {
          find: '= row_sum[i];\n  }\n  workgroupBarrier();',
          replace: '= row_sum[i];\n  }',
        },
      ],
      at: 'row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', lightning2, [
    {
      name: 'no barrier before the next tokens overwrite the tiles',
      edits: [
        {
          find: '          sums[8u * a + 2u * t + 1u] += key[t] * v1;\n        }\n      }\n    }\n    workgroupBarrier();',
          replace: '          sums[8u * a + 2u * t + 1u] += key[t] * v1;\n        }\n      }\n    }',
        },
      ],
      at: 'key_tile[e] = key;',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', treeSoftmax, [
    {
      name: 'a tree without barriers',
      edits: [
        {
          find: '      tree[lane] = max(tree[lane], tree[lane + half]);\n    }\n    workgroupBarrier();',
          replace: '      tree[lane] = max(tree[lane], tree[lane + half]);\n    }',
        },
      ],
      at: 'tree[lane] = max(tree[lane], tree[lane + half]);',
      mended: true,
    },
    {
      name: 'the maximum is read while the next use of the tree begins',
      edits: [{ find: '  let row_max = tree[0];\n  workgroupBarrier();', replace: '  let row_max = tree[0];' }],
      at: 'tree[lane] = weight;',
      mended: true,
    },
    {
      name: 'all invocations add to one number',
      edits: [
        {
          find: 'var<workgroup> weights: array<f32, N>;',
          replace: 'var<workgroup> weights: array<f32, N>;\nvar<workgroup> total: f32;',
        },
        { find: '  tree[lane] = weight;', replace: '  tree[lane] = weight;\n  total = total + weight;' },
        { find: 'let row_sum = tree[0];', replace: 'let row_sum = max(tree[0], total);' },
      ],
      at: 'total = total + weight;',
    },
    {
      name: 'all invocations write the same number',
      edits: [
        {
          find: 'var<workgroup> weights: array<f32, N>;',
          replace: 'var<workgroup> weights: array<f32, N>;\nvar<workgroup> sharpness: f32;',
        },
        { find: '  tree[lane] = score;\n', replace: '  tree[lane] = score;\n  sharpness = params.scale * 4.0;\n' },
        { find: 'let row_sum = tree[0];', replace: 'let row_sum = tree[0] + 0.0 * sharpness;' },
      ],
      at: 'sharpness = params.scale * 4.0;',
    },
  ]),
  ...planted('race-in-workgroup', tokenByToken, [
    {
      name: 'no barrier between filling the rows and reading them',
      edits: [{ find: '    workgroupBarrier();\n    var value = 0.0;', replace: '    var value = 0.0;' }],
      at: 'query[d] = q[row * params.head_dim + d];',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', tilePointers, [
    {
      name: 'no barrier after a tile behind a pointer was put in place',
      edits: [
        {
          find: '      workgroupBarrier();\n      score += multiply_rows(',
          replace: '      score += multiply_rows(',
        },
      ],
      at: '(*tile).cells[at.y][at.x] = value;',
      mended: true,
    },
  ]),
  ...planted('race-in-workgroup', subgroupSum, [
    {
      name: 'a subgroup operation taken for a barrier',
      edits: [
        {
          find: '    found_norm[lane] = select(0.0, subgroup_norm, place == 0u);\n    workgroupBarrier();',
          replace: '    found_norm[lane] = select(0.0, subgroup_norm, place == 0u);',
        },
      ],
      at: 'found[lane] = select(vec4<f32>(), subgroup_sum, place == 0u);',
      mended: true,
    },
  ]),
];

/** Workgroups that meet in a buffer. */
export const racesBetweenWorkgroups: readonly PlantedFault[] = [
  ...planted('race-between-workgroups', flash, [
    {
      name: 'every block of columns stores the log-sum-exp',
      edits: [{ find: 'if (lane.x == 0u && first_column == 0u) {', replace: 'if (lane.x == 0u) {' }],
      at: 'lse[head_row + query] = log_sum;',
      shape: { headDimV: 144 },
    },
  ]),
  ...planted('race-between-workgroups', lightning2, [
    {
      name: 'all heads carry their state in the place of the first',
      edits: [
        {
          find: 'let first = batch_head * chunks * size + id.x;',
          replace: 'let first = id.z * params.heads * chunks * size + id.x;',
        },
      ],
      at: 'states[first + (chunk + n) * size] = state;',
      shape: { heads: 2 },
    },
  ]),
  ...planted('race-between-workgroups', rightProduct, [
    {
      name: 'every block of columns stores the sum of the keys',
      edits: [{ find: 'lane.x == 0u && first_e == 0u', replace: 'lane.x == 0u' }],
      at: 'states[state + matrix_size() + d4] = key_sums[a];',
      shape: { headDimV: 80 },
    },
  ]),
  ...planted('race-between-workgroups', macroSplit, [
    {
      name: 'all parts store their sum in one place',
      edits: [{ find: 'partial_sums[part] = vec2(m, l);', replace: 'partial_sums[row * SPLITS] = vec2(m, l);' }],
      at: 'partial_sums[row * SPLITS] = vec2(m, l);',
    },
  ]),
  ...planted('race-between-workgroups', threeEntries, [
    {
      name: 'rows of the state are shared out one too many',
      edits: [{ find: 'd < min(8u * wid.x + 8u, config.dims.w)', replace: 'd < min(8u * wid.x + 9u, config.dims.w)' }],
      at: 'kv[at] = state;',
    },
    {
      name: 'the block before is read in the pass that writes it',
      edits: [
        {
          find: '      out[token_row(first + lid.x) * config.dim_v + e] = config.alpha * sum;',
          replace:
            '      if (wid.y > 0u) {\n        sum += kv[kv_start(wid.y - 1u) + e];\n      }\n      out[token_row(first + lid.x) * config.dim_v + e] = config.alpha * sum;',
        },
      ],
      at: 'kv[kv_start(wid.y) + cell] = sum;',
    },
  ]),
];

/** Barriers that not all invocations reach. */
export const nonUniformBarriers: readonly PlantedFault[] = [
  ...planted('non-uniform-barrier', lightning1, [
    {
      name: 'invocations without a query leave early',
      edits: [
        {
          find: '  let width_v = params.head_dim_v / 4u;\n  let first_column',
          replace:
            '  if (first_query + 4u * lane.y >= params.seqlen) {\n    return;\n  }\n  let width_v = params.head_dim_v / 4u;\n  let first_column',
        },
      ],
      at: 'load_keys(head_row, first_key, slice, index);\n      workgroupBarrier();',
    },
  ]),
  ...planted('non-uniform-barrier', leftProduct, [
    {
      name: 'a barrier for those that have a key',
      edits: [
        {
          find: '= row_sum[i];\n  }\n  workgroupBarrier();',
          replace: '= row_sum[i];\n  }\n  if (4u * lane.x < params.seqlen_k) {\n    workgroupBarrier(); // parts\n  }',
        },
      ],
      at: 'workgroupBarrier(); // parts',
      shape: { seqlen: 9 },
    },
  ]),
  ...planted('non-uniform-barrier', threeEntries, [
    {
      name: 'a barrier among real tokens only',
      edits: [
        {
          find: '  workgroupBarrier();\n  if (lid.x < count) {',
          replace: '  if (lid.x < count) {\n    workgroupBarrier();',
        },
      ],
      at: 'workgroupBarrier();',
    },
  ]),
  ...planted('non-uniform-barrier', tilePointers, [
    {
      name: 'a loop over columns that lanes leave one after the other',
      edits: [
        { find: 'while (column * T < problem.width.v) {', replace: 'while (column * T + lane.x < problem.width.v) {' },
        {
          find: '      put(&v_tile, lane, value);\n      workgroupBarrier();',
          replace: '      put(&v_tile, lane, value);\n      workgroupBarrier(); // values',
        },
      ],
      at: 'workgroupBarrier(); // values',
      shape: { headDimV: 24 },
    },
  ]),
  ...planted('non-uniform-barrier', treeSoftmax, [
    {
      name: 'half of the tree synchronises',
      edits: [
        {
          find: '      tree[lane] += tree[lane + half];\n    }\n    workgroupBarrier();',
          replace: '      tree[lane] += tree[lane + half];\n      workgroupBarrier(); // in the tree\n    }',
        },
      ],
      at: 'workgroupBarrier(); // in the tree',
    },
  ]),
  ...planted('non-uniform-barrier', packedHalves, [
    {
      name: 'different barriers for weights and the rest',
      edits: [
        {
          find: 'visible(token, base + lid.x));\n    }\n    workgroupBarrier();',
          replace:
            'visible(token, base + lid.x));\n      workgroupBarrier(); // weights\n    } else {\n      workgroupBarrier();\n    }',
        },
      ],
      at: 'workgroupBarrier(); // weights',
    },
  ]),
];

/** Loops that never come to an end. */
export const endlessLoops: readonly PlantedFault[] = [
  ...planted('endless-loop', treeSoftmax, [
    {
      name: 'a signed half that stays above minus one',
      edits: [
        {
          find: 'for (var j = 0u; j <= query; j++) {',
          replace: 'for (var j = query; j >= 0u; j = max(j, 1u) - 1u) {',
        },
      ],
      at: 'for (var j = query; j >= 0u; j = max(j, 1u) - 1u) {',
      shape: { seqlen: 4, heads: 1 },
    },
  ]),
  ...planted('endless-loop', tokenByToken, [
    {
      name: 'a stride of zero',
      edits: [{ find: 'd < params.head_dim; d += COLUMNS)', replace: 'd < params.head_dim; d += COLUMNS / 16u)' }],
      at: 'd += COLUMNS / 16u)',
      shape: { seqlen: 2, heads: 1 },
    },
  ]),
  ...planted('endless-loop', tilePointers, [
    {
      name: 'the counter of a loop is forgotten',
      edits: [{ find: '    continuing {\n      first += T;\n    }\n', replace: '' }],
      at: '  loop {',
      shape: { seqlen: 4, heads: 1 },
    },
  ]),
  ...planted('endless-loop', macroSplit, [
    {
      name: 'the wrong counter is raised',
      edits: [
        {
          find: 'for (var column = lid.x; column < HEAD_V; column += LANES)',
          replace: 'for (var column = lid.x; column < HEAD_V; column -= column % LANES)',
        },
      ],
      at: 'column -= column % LANES)',
      shape: { seqlen: 4, heads: 1 },
    },
  ]),
  ...planted('endless-loop', subgroupShuffle, [
    {
      name: 'the step is rounded away',
      edits: [
        {
          find: 'i < key_step * v_width; i += workgroup_size_x)',
          replace: 'i < key_step * v_width; i += workgroup_size_x / 128u)',
        },
      ],
      at: 'i += workgroup_size_x / 128u)',
      shape: { seqlen: 4, heads: 1 },
    },
  ]),
];
