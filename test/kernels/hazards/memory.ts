import {
  flash,
  leftProduct,
  lightning1,
  lightning2,
  macroSplit,
  naive,
  packedHalves,
  planted,
  rightProduct,
  subgroupShuffle,
  subgroupSum,
  threeEntries,
  tilePointers,
  tokenByToken,
  treeSoftmax,
  type PlantedFault,
} from './planted.js';

/** Workgroup memory that is read although nobody has written it. */
export const uninitialisedWorkgroup: readonly PlantedFault[] = [
  ...planted('uninitialised-workgroup', lightning2, [
    {
      name: 'half a tile of values is filled',
      edits: [
        {
          find: '      value_tile[e] = value;',
          replace: '      if (e < TOKENS * BLOCK / 2u) { value_tile[e] = value; }',
        },
      ],
      at: 'let v0 = value_tile[BLOCK * n + lane.x];',
    },
  ]),
  ...planted('uninitialised-workgroup', leftProduct, [
    {
      name: 'only rows of real queries store their part of the divisor',
      edits: [
        {
          find: '    row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];',
          replace:
            '    if (first_query + 4u * lane.y + i < params.seqlen) {\n      row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];\n    }',
        },
      ],
      at: 'denominator += row_parts[(4u * lane.y + i) * LANES + x];',
    },
  ]),
  ...planted('uninitialised-workgroup', threeEntries, [
    {
      name: 'the stride of the lanes skips columns',
      edits: [{ find: 'for (var j = lid.y; j < block; j += 4u)', replace: 'for (var j = lid.y; j < block; j += 8u)' }],
      at: 'sum = fma(weights[lid.x * block + j], inputs_v',
    },
  ]),
  ...planted('uninitialised-workgroup', tilePointers, [
    {
      name: 'the padding of a tile is summed up too',
      edits: [
        {
          find: '  for (var i = 0u; i < T; i++) {\n    sum += (*tile).cells[row][i];',
          replace: '  for (var i = 0u; i <= T; i++) {\n    sum += (*tile).cells[row][i];',
        },
      ],
      at: 'sum += (*tile).cells[row][i];',
    },
  ]),
  ...planted('uninitialised-workgroup', subgroupSum, [
    {
      name: 'only the first of a subgroup stores, all are summed up',
      edits: [
        {
          find: 'found_norm[lane] = select(0.0, subgroup_norm, place == 0u);',
          replace: 'if (place == 0u) { found_norm[lane] = subgroup_norm; }',
        },
      ],
      at: 'divisor += found_norm[i];',
    },
  ]),
  ...planted('uninitialised-workgroup', treeSoftmax, [
    {
      name: 'masked keys leave their place in the tree empty',
      edits: [
        {
          find: '    score = params.scale * product;',
          replace: '    score = params.scale * product;\n    tree[lane] = score;',
        },
        { find: '  tree[lane] = score;\n  workgroupBarrier();', replace: '  workgroupBarrier();' },
      ],
      at: 'tree[lane] = max(tree[lane], tree[lane + half]);',
    },
  ]),
];

/** Variables of functions and private ones that begin with whatever they begin with. */
export const uninitialisedPrivate: readonly PlantedFault[] = [
  ...planted('uninitialised-private', tokenByToken, [
    {
      name: 'the state begins without a value',
      edits: [{ find: 'var state = array<f32, MOST>();', replace: 'var state: array<f32, MOST>; // columns of S' }],
      at: 'var state: array<f32, MOST>; // columns of S',
      mended: true,
    },
  ]),
  ...planted('uninitialised-private', flash, [
    {
      name: 'the numerator begins without a value',
      edits: [{ find: 'var output = array<vec4<f32>, 16>();', replace: 'var output: array<vec4<f32>, 16>;' }],
      at: 'var output: array<vec4<f32>, 16>;',
      mended: true,
    },
  ]),
  ...planted('uninitialised-private', naive, [
    {
      name: 'a sum begins without a value',
      edits: [{ find: 'var sum = 0.0;', replace: 'var sum: f32;' }],
      at: 'var sum: f32;',
      mended: true,
    },
  ]),
  ...planted('uninitialised-private', threeEntries, [
    {
      name: 'one entry point forgets to set a private variable',
      edits: [
        { find: 'var<private> head: u32 = 0;', replace: 'var<private> head: u32;' },
        { find: '  head = wid.y;\n', replace: '' },
      ],
      at: 'var<private> head: u32;',
      shape: { heads: 1 },
      mended: true,
    },
  ]),
  ...planted('uninitialised-private', subgroupSum, [
    {
      name: 'a struct begins without a value',
      edits: [{ find: 'var state = State();', replace: 'var state: State;' }],
      at: 'var state: State;',
      mended: true,
    },
  ]),
  ...planted('uninitialised-private', macroSplit, [
    {
      name: 'a maximum over partial sums begins without a value',
      edits: [
        {
          find: '  var m = LOWEST;\n  for (var split = 0u; split < SPLITS; split++) {\n    m = max(',
          replace: '  var m : f32;\n  for (var split = 0u; split < SPLITS; split++) {\n    m = max(',
        },
      ],
      at: 'var m : f32;',
      mended: true,
    },
  ]),
];

/** Variables in loops that count on being zeroed each time round. */
export const loopVariables: readonly PlantedFault[] = [
  ...planted('loop-variable-not-zeroed', flash, [
    {
      name: 'scores of a step',
      edits: [{ find: 'var scores = array<vec4<f32>, 4>();', replace: 'var scores: array<vec4<f32>, 4>;' }],
      at: 'var scores: array<vec4<f32>, 4>;',
      mended: true,
    },
  ]),
  ...planted('loop-variable-not-zeroed', lightning1, [
    {
      name: 'queries past the end',
      edits: [
        {
          find: 'var value = vec4(0.0);\n    if (first_query + row < params.seqlen',
          replace: 'var value: vec4<f32>;\n    if (first_query + row < params.seqlen',
        },
      ],
      at: 'var value: vec4<f32>;',
      mended: true,
    },
  ]),
  ...planted('loop-variable-not-zeroed', rightProduct, [
    {
      name: 'the part of z of a slice',
      edits: [{ find: 'var key_sum = vec4(0.0);', replace: 'var key_sum: vec4<f32>;' }],
      at: 'var key_sum: vec4<f32>;',
      shape: { headDim: 48 },
      mended: true,
    },
  ]),
  ...planted('loop-variable-not-zeroed', packedHalves, [
    {
      name: 'a score in parts',
      edits: [{ find: 'var s = 0.0;', replace: 'var s: f32;' }],
      at: 'var s: f32;',
      mended: true,
    },
  ]),
  ...planted('loop-variable-not-zeroed', subgroupShuffle, [
    {
      name: 'four scores at a time',
      edits: [{ find: 'var scores = value_t(0);', replace: 'var scores: value_t;' }],
      at: 'var scores: value_t;',
      mended: true,
    },
  ]),
  ...planted('loop-variable-not-zeroed', threeEntries, [
    {
      name: 'a state for each row',
      edits: [{ find: 'var state = 0.0;', replace: 'var state: f32;' }],
      at: 'var state: f32;',
      mended: true,
    },
  ]),
];

/** Writes whose bytes nobody reads. */
export const neverRead: readonly PlantedFault[] = [
  ...planted('never-read', flash, [
    {
      name: 'scores are put where the weights go a moment later',
      edits: [
        {
          find: '      row_sum[i] += dot(weights, vec4(1.0));',
          replace:
            '      left_tile[place(4u * lane.y + i, lane.x)] = scores[i];\n      row_sum[i] += dot(weights, vec4(1.0));',
        },
      ],
      at: 'left_tile[place(4u * lane.y + i, lane.x)] = scores[i];',
    },
    {
      name: 'the sums of the other lanes are not added up',
      edits: [{ find: 'sum += row_parts[(4u * lane.y + i) * LANES + x];', replace: 'sum += row_sum[i];' }],
      at: 'row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];',
    },
  ]),
  ...planted('never-read', threeEntries, [
    {
      name: 'the carried state is not used',
      edits: [{ find: 'kv[kv_start(wid.y) + d * config.dim_v + e]', replace: '0.0' }],
      at: 'kv[at] = state;',
    },
  ]),
  ...planted('never-read', subgroupSum, [
    {
      name: 'the divisor of one subgroup is taken for that of all',
      edits: [{ find: 'divisor += found_norm[i];', replace: 'divisor += norm;' }],
      at: 'found_norm[lane] = select(0.0, subgroup_norm, place == 0u);',
    },
  ]),
  ...planted('never-read', macroSplit, [
    {
      name: 'rows of the parts are merged without the parts',
      edits: [{ find: 'sum += weight * partial_rows[part * HEAD_V + column];', replace: 'sum += vec4(weight);' }],
      at: 'partial_rows[part * HEAD_V + column] = acc[c];',
    },
  ]),
  ...planted('never-read', treeSoftmax, [
    {
      name: 'weights are stored but not looked at',
      edits: [{ find: 'result += weights[j] *', replace: 'result += weight *' }],
      at: 'weights[lane] = weight;',
    },
  ]),
];
