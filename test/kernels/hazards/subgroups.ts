import { planted, subgroupShuffle, subgroupSum, treeSoftmax, type PlantedFault } from './planted.js';

const enableSubgroups = {
  find: '\nconst N = 64u;',
  replace: '\nenable subgroups;\n\nconst N = 64u;',
};

/** Kernels that are right at the subgroup size of their author's GPU. */
export const subgroupSizes: readonly (PlantedFault & { readonly right: readonly number[] })[] = [
  ...planted('subgroup-size', subgroupSum, [
    {
      name: 'one subgroup is taken for the whole workgroup',
      edits: [
        { find: 'total += found[i];', replace: 'total = found[0];' },
        { find: 'divisor += found_norm[i];', replace: 'divisor = sizes.eps + found_norm[0];' },
      ],
      at: 'let subgroup_sum = subgroupAdd(sum);',
      shape: { headDim: 64 },
    },
  ]).map((fault) => ({ ...fault, right: [64, 128] })),
  ...planted('subgroup-size', subgroupSum, [
    {
      name: 'the first invocations of subgroups are taken for every 32nd',
      edits: [{ find: 'for (var i = 0u; i < BLOCK; i++) {', replace: 'for (var i = 0u; i < BLOCK; i += 32u) {' }],
      at: 'let subgroup_sum = subgroupAdd(sum);',
      shape: { headDim: 64 },
    },
  ]).map((fault) => ({ ...fault, right: [32, 64, 128] })),
  ...planted('subgroup-size', subgroupSum, [
    {
      // Below 32 the last steps ask for invocations that are not there, which bring zero here.
      name: 'a butterfly of five steps',
      edits: [
        {
          find: 'let subgroup_sum = subgroupAdd(sum);',
          replace:
            'var subgroup_sum = sum;\n    for (var mask = 16u; mask > 0u; mask /= 2u) {\n      subgroup_sum += subgroupShuffleXor(subgroup_sum, mask);\n    }',
        },
      ],
      at: 'subgroup_sum += subgroupShuffleXor(subgroup_sum, mask);',
      shape: { headDim: 64 },
    },
  ]).map((fault) => ({ ...fault, right: [4, 8, 16, 32] })),
  ...planted('subgroup-size', subgroupShuffle, [
    {
      name: 'rows go to blocks of eight lanes',
      edits: [
        {
          find: 'let own_row = row + sg_id % rows_in_flight;',
          replace: 'let own_row = row + sg_id / 8u % rows_in_flight;',
        },
        ...[1, 2, 3].flatMap((part) => [
          {
            find: `dot(q_part, subgroupShuffle(own, ${part}u)),`,
            replace: `dot(q_part, subgroupShuffle(own, ${8 * part}u)),`,
          },
          {
            find: `weights.${'xyzw'[part]!} * subgroupShuffle(own, ${part}u);`,
            replace: `weights.${'xyzw'[part]!} * subgroupShuffle(own, ${8 * part}u);`,
          },
        ]),
      ],
      at: 'dot(q_part, subgroupShuffle(own, 0u)),',
    },
  ]).map((fault) => ({ ...fault, right: [32, 64, 128] })),
  ...planted('subgroup-size', treeSoftmax, [
    {
      name: 'the sum of a row by one subgroup',
      edits: [
        enableSubgroups,
        { find: 'let row_sum = tree[0];', replace: 'let row_sum = subgroupAdd(weight) + 0.0 * tree[0];' },
      ],
      at: 'let row_sum = subgroupAdd(weight) + 0.0 * tree[0];',
      shape: { seqlen: 40 },
    },
  ]).map((fault) => ({ ...fault, right: [64, 128] })),
];
