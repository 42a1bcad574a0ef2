import type { Mistake } from './mistake.js';

/** Mistakes that both delta/chunked.wgsl and gated-delta/chunked.wgsl can have. */
const chunked: readonly Mistake[] = [
  {
    name: 'the system is not weighted by beta',
    find: 'beta_tile[row] * overlaps[i]',
    replace: 'overlaps[i]',
    caughtBy: 'one below a block of 16',
    why: 'A row of the system is weighted by the beta of its token.',
  },
  {
    name: 'earlier blocks are forgotten in the substitution',
    find: 'for (var c4 = 0u; c4 < 4u * block; c4++) {',
    replace: 'for (var c4 = 0u; c4 < 0u * block; c4++) {',
    caughtBy: 'one above a block of 16, several batches',
    why: 'What earlier blocks learnt changes what this one finds in the state.',
  },
  {
    name: 'within a block a row is taken away one row late',
    find: 'BLOCK * block + 4u * c4 + t)] * known;',
    replace: 'BLOCK * block + min(4u * c4 + t + 1u, BLOCK - 1u))] * known;',
    caughtBy: 'one below a block of 16',
    why: 'Each column of the system belongs to the row that has just been solved.',
  },
  {
    name: 'the transition is transposed',
    find: 'transitions[(matrix + j) * params.head_dim + row];',
    replace: 'transitions[(matrix + row) * params.head_dim + j];',
    caughtBy: 'exactly one block of 16',
    why: 'K̃ᵀ W is not symmetric.',
  },
  {
    name: 'the next transition is never fetched',
    find: 'entries = load_entries(matrix + head_dim, row, part, part_count);',
    replace: 'entries = load_entries(matrix, row, part, part_count);',
    caughtBy: 'one above a chunk of 64',
    why: 'Every chunk has a transition of its own.',
  },
  {
    name: 'what the state knows is not taken off the corrections',
    find: 'known[2u * i + b] = rows[i] - known[2u * i + b];',
    replace: 'known[2u * i + b] = rows[i];',
    caughtBy: 'a single token',
    why: 'U = Ū - W S.',
  },
];

/** Mistakes in delta/chunked.wgsl. */
export const deltaChunked: readonly Mistake[] = [
  ...chunked,
  {
    name: 'a query sees the key of the next token',
    find: 'scores[i], columns <= vec4(row));',
    replace: 'scores[i], columns <= vec4(row + 1u));',
    caughtBy: 'two tokens',
    why: 'The mask ends at the token itself.',
  },
];

/** Mistakes in gated-delta/chunked.wgsl. */
export const gatedDeltaChunked: readonly Mistake[] = [
  ...chunked,
  {
    name: 'a token asks the state before its gate',
    find: `    for (var n = 0u; n <= row; n++) {
      sum += gate_tile[n];
    }
    until_tile`,
    replace: `    for (var n = 0u; n < row; n++) {
      sum += gate_tile[n];
    }
    until_tile`,
    caughtBy: 'a single token',
    why: 'The gate acts before the prediction.',
  },
  {
    name: 'the state is carried on undecayed',
    find: 'vec4(total), diagonal',
    replace: 'vec4(1.0), diagonal',
    caughtBy: 'one below a block of 16',
    why: 'M is e^(G(1..CHUNK)) I - K̃ᵀ W.',
  },
  {
    name: 'the gate of the last token fades its own key',
    find: 'for (var n = row + 1u; n < CHUNK; n++) {',
    replace: 'for (var n = row; n < CHUNK; n++) {',
    caughtBy: 'a single token',
    why: 'A correction enters the state after the gate of its token.',
  },
];

/** Mistakes that all kernels that decode with a delta rule can have. */
const decode: readonly Mistake[] = [
  {
    name: 'the state learns the value instead of the error',
    find: 'beta[row] * (value - known);',
    replace: 'beta[row] * value;',
    caughtBy: 'a single token',
    why: 'What the state knows already is not learnt again.',
  },
  {
    name: 'beta is left out',
    find: 'let correction = beta[row] * (value - known);',
    replace: 'let correction = value - known;',
    caughtBy: 'several batches',
    why: 'A token corrects beta of its error.',
  },
  {
    name: 'half of the rows are asked',
    find: `    for (var y = 0u; y < ROWS; y++) {
      known`,
    replace: `    for (var y = 0u; y < ROWS / 2u; y++) {
      known`,
    caughtBy: 'a head of 16',
    why: 'All 16 invocations of a column hold rows of the state.',
  },
];

/** Mistakes in delta/decode.wgsl and delta/decode-f16.wgsl. */
export const deltaDecode: readonly Mistake[] = decode;

/** Mistakes in gated-delta/decode.wgsl and gated-delta/decode-f16.wgsl. */
export const gatedDeltaDecode: readonly Mistake[] = [
  ...decode,
  {
    name: 'the state is asked before it decays',
    find: `    known_parts[index] = part;`,
    replace: `    known_parts[index] = part / decay;`,
    caughtBy: 'a single token',
    why: 'The gate acts before the prediction.',
  },
];
