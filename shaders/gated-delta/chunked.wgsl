/*---
mechanism: gated-delta-rule
shape: { batch: 1, heads: 8, seqlen: 1024, headDim: 64 }
scratch:
  weights: f32[batch, heads, seqlen, CHUNK]
  solved: f32[batch, heads, ceil(seqlen / CHUNK), headDim + headDimV, CHUNK]
  transitions: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDim]
  states: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDimV]
passes:
  - { entry: solve, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - entry: sum_chunks
    workgroups:
      - ceil(seqlen / CHUNK) * ceil(headDim / 64) * (ceil(headDim / 64) + ceil(headDimV / 64))
      - heads
      - batch
  - { entry: scan_states, workgroups: [ceil(headDimV / 8), heads, batch] }
  - { entry: attend, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDimV / 64), batch] }
tune:
  CHUNK: [16, 32, 64]
---*/

// The gated delta rule (Yang, Kautz and Hatamizadeh 2024), forward, a chunk of tokens at a time. Every token lets the
// state decay by e^(g_t), asks it for the value of its key, and corrects it by beta_t of the error. With keys of length 1:
//
//   S' = e^(g_t) S,   u_t = β_t (v_t - k_t S'),   S = S' + k_tᵀ u_t,   o_t = scale · q_t S
//
// Within a chunk of CHUNK tokens the corrections u depend on each other: what token r finds in the state has been changed
// by each token c before it. With G(a..b) = Σ g over the tokens a to b and L_rc = e^(G(c+1..r)), that is a system of
// equations whose matrix is 1 on the diagonal and has numbers below it only:
//
//   (I + A) U = β V - β diag(e^(G(1..r))) K S,   A_rc = β_r L_rc (k_r · k_c) for c < r, else 0
//
// S is the state before the chunk. It is not known yet when the system is solved, but the solution is linear in it:
//
//   U = Ū - W S,   (I + A) W = β diag(e^(G(1..r))) K,   (I + A) Ū = β V
//   O = scale · (diag(e^(G(1..r))) Q S + ((Q Kᵀ) ⊙ L) U)
//   S ← e^(G(1..CHUNK)) S + K̃ᵀ U = M S + N,   M = e^(G(1..CHUNK)) I - K̃ᵀ W,   N = K̃ᵀ Ū,   k̃_c = e^(G(c+1..CHUNK)) k_c
//
// So all but one step run all chunks at once, and the one that cannot is a single product for each chunk:
//
//   solve         W, Ū and the weights (Q Kᵀ) ⊙ L of each chunk
//   sum_chunks    M and N of each chunk
//   scan_states   the state before each chunk, in place of N; the final state goes to s
//   attend        O
//
// Each G is a sum of gates that are all zero or less, never a difference of two sums: no exponential can overflow, and a
// strong gate far away costs a pair no precision.

override CHUNK: u32 = 64; // tokens per chunk: 16, 32 or 64

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v; at most 128
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> beta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> g: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(7) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(8) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(9) var<storage, read_write> weights: array<vec4<f32>>; // (Q Kᵀ) ⊙ L, [batch, heads, seqlen, CHUNK]
@group(0) @binding(10) var<storage, read_write> solved: array<vec4<f32>>; // [W, Ū]ᵀ, [.., chunks, headDim + headDimV, CHUNK]
@group(0) @binding(11) var<storage, read_write> transitions: array<f32>; // Mᵀ, [batch, heads, chunks, headDim, headDim]
@group(0) @binding(12) var<storage, read_write> states: array<vec4<f32>>; // [batch, heads, chunks, headDim, headDimV]

fn chunk_count() -> u32 {
  return (params.seqlen + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(CHUNK, params.seqlen - chunk * CHUNK);
}

var<workgroup> gate_tile: array<f32, CHUNK>; // gates of a chunk; zeros past the end, where nothing decays

fn load_gates(first_row: u32, length: u32, index: u32, invocations: u32) {
  for (var row = index; row < CHUNK; row += invocations) {
    var gate = 0.0;
    if (row < length) {
      gate = g[first_row + row];
    }
    gate_tile[row] = gate;
  }
}

// Place in `solved` of the first 4 rows of a column; those of Ū come after those of W.
fn solved_place(batch_head: u32, chunk: u32, column: u32) -> u32 {
  let columns = params.head_dim + params.head_dim_v;
  return ((batch_head * chunk_count() + chunk) * columns + column) * (CHUNK / 4u);
}

// --- The triangular system of a chunk ---

const BLOCK = 16u; // rows that are solved together
const SLICE = 2u; // vec4s of headDim per step of Q Kᵀ and K Kᵀ: 8 numbers

var<workgroup> query_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // [CHUNK, 8 of headDim]
var<workgroup> key_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>;
var<workgroup> beta_tile: array<f32, CHUNK>;
var<workgroup> until_tile: array<f32, CHUNK>; // e^(G(1..r))
// A by blocks of 16 × 16, those on the diagonal and below it alone; a vec4 is 4 rows of a column.
var<workgroup> system: array<vec4<f32>, CHUNK / BLOCK * (CHUNK / BLOCK + 1) / 2 * BLOCK * BLOCK / 4>;

// Place of a vec4 in a tile of 2 columns. One vec4 of padding after every 4 rows spreads blocks of 4 rows over all
// memory banks.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// Place in `system` of the vec4 of rows 4 · row4.. and column c.
fn system_place(row4: u32, c: u32) -> u32 {
  let block = row4 / 4u;
  return (block * (block + 1u) / 2u + c / BLOCK) * (BLOCK * BLOCK / 4u) + c % BLOCK * 4u + row4 % 4u;
}

// Row of L for row `row` and the columns `column`..`column`+3. `between` is the sum of the gates from row `column`+4 to
// before row `first`, the first of a block of 4 rows to which `row` belongs.
fn decays(row: u32, column: u32, first: u32, between: f32) -> vec4<f32> {
  var sum = between;
  for (var n = max(first, column + 4u); n <= row; n++) {
    sum += gate_tile[n];
  }
  var decay = vec4(0.0);
  for (var j = 0u; j < 4u; j++) {
    let c = column + 3u - j;
    if (c <= row) {
      decay[3u - j] = exp(sum);
      sum += gate_tile[c];
    }
  }
  return decay;
}

// Invocation (x, y) owns the rows 4y..4y+3 and the columns 4x..4x+3 of the two products. Then each takes a column of W or
// of Ū, or several one after another.
@compute @workgroup_size(CHUNK / 4, CHUNK / 4)
fn solve(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let invocations = CHUNK * CHUNK / 16u;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x);

  load_gates(first_row, length, index, invocations);
  for (var row = index; row < CHUNK; row += invocations) {
    var factor = 0.0;
    if (row < length) {
      factor = beta[first_row + row];
    }
    beta_tile[row] = factor;
  }

  // Q Kᵀ and K Kᵀ
  var scores = array<vec4<f32>, 4>();
  var overlaps = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    for (var e = index; e < CHUNK * SLICE; e += invocations) {
      let row = e / SLICE;
      let column = slice + e % SLICE;
      var query = vec4(0.0);
      var key = vec4(0.0);
      if (row < length && column < width) {
        query = q[(first_row + row) * width + column];
        key = k[(first_row + row) * width + column];
      }
      query_tile[place(row, e % SLICE)] = query;
      key_tile[place(row, e % SLICE)] = key;
    }
    workgroupBarrier();
    if (lane.x <= lane.y) {
      for (var d = 0u; d < SLICE; d++) {
        let k0 = key_tile[place(4u * lane.x, d)];
        let k1 = key_tile[place(4u * lane.x + 1u, d)];
        let k2 = key_tile[place(4u * lane.x + 2u, d)];
        let k3 = key_tile[place(4u * lane.x + 3u, d)];
        for (var i = 0u; i < 4u; i++) {
          let query = query_tile[place(4u * lane.y + i, d)];
          let key = key_tile[place(4u * lane.y + i, d)];
          scores[i] += vec4(dot(query, k0), dot(query, k1), dot(query, k2), dot(query, k3));
          overlaps[i] += vec4(dot(key, k0), dot(key, k1), dot(key, k2), dot(key, k3));
        }
      }
    }
    workgroupBarrier();
  }

  // The weights, and A
  let first = 4u * lane.y;
  let columns = 4u * lane.x + vec4(0u, 1u, 2u, 3u);
  var between = 0.0;
  for (var n = 4u * lane.x + 4u; n < first; n++) {
    between += gate_tile[n];
  }
  var rows = mat4x4<f32>(); // of A
  for (var i = 0u; i < 4u; i++) {
    let row = first + i;
    let decay = decays(row, 4u * lane.x, first, between);
    if (row < length) {
      let weight = select(vec4(0.0), scores[i] * decay, columns <= vec4(row));
      weights[(first_row + row) * (CHUNK / 4u) + lane.x] = weight;
      rows[i] = select(vec4(0.0), beta_tile[row] * overlaps[i] * decay, columns < vec4(row));
    }
  }
  if (lane.x / 4u <= lane.y / 4u) {
    let by_column = transpose(rows);
    for (var j = 0u; j < 4u; j++) {
      system[system_place(lane.y, 4u * lane.x + j)] = by_column[j];
    }
  }
  for (var row = index; row < CHUNK; row += invocations) {
    var sum = 0.0;
    for (var n = 0u; n <= row; n++) {
      sum += gate_tile[n];
    }
    until_tile[row] = exp(sum);
  }
  workgroupBarrier();

  for (var column = index; column < params.head_dim + params.head_dim_v; column += invocations) {
    solve_column(batch_head, group.x, column);
  }
}

// Element of the right-hand side [β diag(e^(G(1..r))) K, β V].
fn right_hand_side(row: u32, chunk_row: u32, column: u32) -> f32 {
  if (column < params.head_dim) {
    let key = k[(row * params.head_dim + column) / 4u][column % 4u];
    return beta_tile[chunk_row] * until_tile[chunk_row] * key;
  }
  let column_v = column - params.head_dim;
  return beta_tile[chunk_row] * v[(row * params.head_dim_v + column_v) / 4u][column_v % 4u];
}

// One column of [W, Ū], block after block. Rows of earlier blocks are read back as this invocation wrote them. Rows past
// the end are zero.
fn solve_column(batch_head: u32, chunk: u32, column: u32) {
  let length = chunk_length(chunk);
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let first = solved_place(batch_head, chunk, column);
  for (var block = 0u; block < CHUNK / BLOCK; block++) {
    var x = array<vec4<f32>, 4>();
    for (var i = 0u; i < 4u; i++) {
      for (var t = 0u; t < 4u; t++) {
        let row = block * BLOCK + 4u * i + t;
        if (row < length) {
          x[i][t] = right_hand_side(first_row + row, row, column);
        }
      }
    }
    // What the rows of earlier blocks contribute
    for (var c4 = 0u; c4 < 4u * block; c4++) {
      let known = solved[first + c4];
      for (var t = 0u; t < 4u; t++) {
        for (var i = 0u; i < 4u; i++) {
          x[i] -= system[system_place(4u * block + i, 4u * c4 + t)] * known[t];
        }
      }
    }
    // Forward substitution within the block: as soon as a row is known, those below it lose its share.
    for (var c4 = 0u; c4 < 4u; c4++) {
      for (var t = 0u; t < 4u; t++) {
        let known = x[c4][t];
        for (var i = c4; i < 4u; i++) {
          x[i] -= system[system_place(4u * block + i, BLOCK * block + 4u * c4 + t)] * known;
        }
      }
    }
    for (var i = 0u; i < 4u; i++) {
      solved[first + 4u * block + i] = x[i];
    }
  }
}

// --- What each chunk does to the state ---

const STATE_BLOCK = 16u; // vec4s of rows and of columns per workgroup: 64 × 64 numbers of M or N
const TOKENS = 16u; // tokens per step

var<workgroup> fade_tile: array<f32, CHUNK>; // e^(G(c+1..CHUNK))
var<workgroup> left_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // [TOKENS, 64 of W for Mᵀ, or of K̃ for N]
var<workgroup> right_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // [TOKENS, 64 of K̃ for Mᵀ, or of Ū for N]

// One vec4 of a row of K̃, zero past the end.
fn faded_key(first_row: u32, row: u32, length: u32, column: u32) -> vec4<f32> {
  if (row < length && 4u * column < params.head_dim) {
    return fade_tile[row] * k[(first_row + row) * (params.head_dim / 4u) + column];
  }
  return vec4(0.0);
}

// 4 rows × 4 columns of W or of Ū by rows: the first of `solved` at `first`, of columns from `column` on, `end` of them.
fn solved_rows(first: u32, column: u32, end: u32) -> mat4x4<f32> {
  var columns = mat4x4<f32>();
  if (column < end) {
    for (var j = 0u; j < 4u; j++) {
      columns[j] = solved[first + (column + j) * (CHUNK / 4u)];
    }
  }
  return transpose(columns);
}

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of the rows and x and x+8 of the columns: 8 × 8 numbers.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let chunk = group.x % chunk_count();
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  // Which 64 × 64 numbers: first those of Mᵀ, whose rows and columns are both headDim, then those of N.
  let blocks = (params.head_dim + 63u) / 64u;
  let block = group.x / chunk_count();
  let of_transition = block < blocks * blocks;
  let left_block = select((block - blocks * blocks) % blocks, block % blocks, of_transition);
  let right_block = select((block - blocks * blocks) / blocks, block / blocks, of_transition);
  let first_left = left_block * STATE_BLOCK;
  let first_right = right_block * STATE_BLOCK;
  let first_solved = solved_place(batch_head, chunk, select(params.head_dim, 0u, of_transition));
  let end_solved = select(params.head_dim_v, params.head_dim, of_transition);

  load_gates(first_row, length, index, 64u);
  workgroupBarrier();
  for (var row = index; row < CHUNK; row += 64u) {
    var sum = 0.0;
    for (var n = row + 1u; n < CHUNK; n++) {
      sum += gate_tile[n];
    }
    fade_tile[row] = exp(sum);
  }
  workgroupBarrier();

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of row vec4 y+8a, column vec4 x+8b
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let column = e % STATE_BLOCK + select(first_left, first_right, of_transition);
      let key = faded_key(first_row, first + e / STATE_BLOCK, length, column);
      if (of_transition) {
        right_rows[e] = key;
      } else {
        left_rows[e] = key;
      }
    }
    // One block of 4 rows × 4 columns per invocation
    let block_row = index % (TOKENS / 4u);
    let block_column = index / (TOKENS / 4u);
    let column = 4u * (block_column + select(first_right, first_left, of_transition));
    let rows = solved_rows(first_solved + first / 4u + block_row, column, end_solved);
    for (var i = 0u; i < 4u; i++) {
      let at = STATE_BLOCK * (4u * block_row + i) + block_column;
      if (of_transition) {
        left_rows[at] = rows[i];
      } else {
        right_rows[at] = rows[i];
      }
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let r0 = right_rows[STATE_BLOCK * n + lane.x];
      let r1 = right_rows[STATE_BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let left = left_rows[STATE_BLOCK * n + lane.y + 8u * a];
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += left[t] * r0;
          sums[8u * a + 2u * t + 1u] += left[t] * r1;
        }
      }
    }
    workgroupBarrier();
  }

  let total = fade_tile[0] * exp(gate_tile[0]); // e^(G(1..CHUNK))
  let matrix = (batch_head * chunk_count() + chunk) * params.head_dim;
  for (var a = 0u; a < 2u; a++) {
    for (var t = 0u; t < 4u; t++) {
      let row = 4u * (first_left + lane.y + 8u * a) + t;
      for (var b = 0u; b < 2u; b++) {
        let column = first_right + lane.x + 8u * b;
        let sum = sums[8u * a + 2u * t + b];
        if (of_transition && row < params.head_dim && 4u * column < params.head_dim) {
          let diagonal = 4u * column + vec4(0u, 1u, 2u, 3u) == vec4(row);
          let entries = select(vec4(0.0), vec4(total), diagonal) - sum;
          for (var j = 0u; j < 4u; j++) {
            transitions[(matrix + row) * params.head_dim + 4u * column + j] = entries[j];
          }
        }
        if (!of_transition && row < params.head_dim && 4u * column < params.head_dim_v) {
          states[(matrix + row) * (params.head_dim_v / 4u) + column] = sum;
        }
      }
    }
  }
}

// --- The state before each chunk ---

const INVOCATIONS = 256u; // of a workgroup of `scan_states`, for 8 value columns
const MOST_ROWS = 128u; // headDim may be up to this
const AHEAD = 16u; // entries of M per invocation that are read before the state they meet is known

var<workgroup> state_tile: array<vec4<f32>, 2u * MOST_ROWS>; // [headDim, 8 of headDimV]
var<workgroup> parts: array<vec4<f32>, 2u * INVOCATIONS>; // of M S, [parts, headDim, 8 of headDimV]

// The entries first, first + stride, .. of a row of M, those past the end zero.
fn load_entries(matrix: u32, row: u32, first: u32, stride: u32) -> array<f32, AHEAD> {
  var entries = array<f32, AHEAD>();
  for (var n = 0u; n < AHEAD; n++) {
    let j = first + stride * n;
    if (j < params.head_dim) {
      entries[n] = transitions[(matrix + j) * params.head_dim + row];
    }
  }
  return entries;
}

// The columns of a state do not meet, so a workgroup takes 8 of them through all chunks. Several invocations share a row
// of M S: invocation `row` + headDim · `part` multiplies the entries part, part + part_count, .. of it. What it reads of
// the next chunk's M is on its way while the parts of this chunk are added up.
@compute @workgroup_size(INVOCATIONS)
fn scan_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let head_dim = params.head_dim;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y;
  let chunks = chunk_count();
  let row = index % head_dim;
  let part = index / head_dim;
  let part_count = INVOCATIONS / head_dim;
  let column = 2u * group.x;
  let owns0 = part == 0u;
  let owns1 = part == 0u && column + 1u < width_v;
  let first_state = (batch_head * head_dim + row) * width_v + column;

  if (owns0) {
    var beside = vec4(0.0);
    if (owns1) {
      beside = s0[first_state + 1u];
    }
    state_tile[2u * row] = s0[first_state];
    state_tile[2u * row + 1u] = beside;
  }
  var entries = load_entries(batch_head * chunks * head_dim, row, part, part_count);
  workgroupBarrier();

  for (var chunk = 0u; chunk < chunks; chunk++) {
    let matrix = (batch_head * chunks + chunk) * head_dim;
    let at = (matrix + row) * width_v + column;
    var learnt0 = vec4(0.0);
    var learnt1 = vec4(0.0);
    if (owns0) {
      learnt0 = states[at];
    }
    if (owns1) {
      learnt1 = states[at + 1u];
    }

    var sum0 = vec4(0.0);
    var sum1 = vec4(0.0);
    for (var first = part; first < head_dim; first += AHEAD * part_count) {
      if (first != part) {
        entries = load_entries(matrix, row, first, part_count);
      }
      for (var n = 0u; n < AHEAD; n++) {
        let j = first + part_count * n;
        if (j < head_dim) {
          sum0 += entries[n] * state_tile[2u * j];
          sum1 += entries[n] * state_tile[2u * j + 1u];
        }
      }
    }
    if (chunk + 1u < chunks) {
      entries = load_entries(matrix + head_dim, row, part, part_count);
    }
    parts[2u * index] = sum0;
    parts[2u * index + 1u] = sum1;
    workgroupBarrier();

    for (var n = 1u; n < part_count && owns0; n++) {
      sum0 += parts[2u * (row + head_dim * n)];
      sum1 += parts[2u * (row + head_dim * n) + 1u];
    }
    if (owns0) {
      states[at] = state_tile[2u * row];
      state_tile[2u * row] = sum0 + learnt0;
    }
    if (owns1) {
      states[at + 1u] = state_tile[2u * row + 1u];
      state_tile[2u * row + 1u] = sum1 + learnt1;
    }
    workgroupBarrier();
  }

  if (owns0) {
    s[first_state] = state_tile[2u * row];
  }
  if (owns1) {
    s[first_state + 1u] = state_tile[2u * row + 1u];
  }
}

// --- The output ---

const LANES = 8u; // invocations side by side along output columns
const COLUMNS = 16u; // vec4s of the output per workgroup: 64 numbers
const STEP = 4u; // vec4s of headDim, or of keys, per step: 16 numbers

var<workgroup> solved_tile: array<vec4<f32>, CHUNK * STEP>; // Wᵀ, [16 of headDim, CHUNK]
var<workgroup> left_tile: array<vec4<f32>, CHUNK * STEP + CHUNK / 4>; // [CHUNK, 16 of Q, or 16 weights]
var<workgroup> right_tile: array<vec4<f32>, 4u * STEP * COLUMNS>; // 16 rows of S or of U, [16, 64 of headDimV]

// Place of a vec4 in left_tile, padded as the tiles of `solve` are.
fn step_place(row: u32, column: u32) -> u32 {
  return STEP * row + row / 4u + column;
}

// Invocation (x, y) owns the rows 4y..4y+3 of the chunk and the vec4 columns x and x+8 of U and of O.
@compute @workgroup_size(8, CHUNK / 4)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let invocations = LANES * CHUNK / 4u;
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let state_row = (batch_head * chunk_count() + chunk) * params.head_dim;
  let first_solved = solved_place(batch_head, chunk, 0u);
  let first_column = group.y / params.heads * COLUMNS;

  load_gates(first_row, length, index, invocations);

  // W S and Q S
  var known = array<vec4<f32>, 8>(); // known[2i + b]: row 4y+i, vec4 column x+8b
  var output = array<vec4<f32>, 8>();
  for (var slice = 0u; slice < width; slice += STEP) {
    for (var e = index; e < CHUNK * STEP; e += invocations) {
      let row = e / STEP;
      let column = slice + e % STEP;
      var query = vec4(0.0);
      if (row < length && column < width) {
        query = q[(first_row + row) * width + column];
      }
      left_tile[step_place(row, e % STEP)] = query;
    }
    for (var e = index; e < CHUNK * STEP; e += invocations) {
      let d = 4u * slice + e / (CHUNK / 4u);
      var column = vec4(0.0);
      if (d < params.head_dim) {
        column = solved[first_solved + d * (CHUNK / 4u) + e % (CHUNK / 4u)];
      }
      solved_tile[e] = column;
    }
    for (var e = index; e < 4u * STEP * COLUMNS; e += invocations) {
      let d = 4u * slice + e / COLUMNS;
      let column = first_column + e % COLUMNS;
      var value = vec4(0.0);
      if (d < params.head_dim && column < width_v) {
        value = states[(state_row + d) * width_v + column];
      }
      right_tile[e] = value;
    }
    workgroupBarrier();
    for (var n = 0u; n < STEP; n++) {
      for (var t = 0u; t < 4u; t++) {
        let r0 = right_tile[COLUMNS * (4u * n + t) + lane.x];
        let r1 = right_tile[COLUMNS * (4u * n + t) + lane.x + 8u];
        let of_keys = solved_tile[CHUNK / 4u * (4u * n + t) + lane.y];
        for (var i = 0u; i < 4u; i++) {
          let of_query = left_tile[step_place(4u * lane.y + i, n)][t];
          known[2u * i] += of_keys[i] * r0;
          known[2u * i + 1u] += of_keys[i] * r1;
          output[2u * i] += of_query * r0;
          output[2u * i + 1u] += of_query * r1;
        }
      }
    }
    workgroupBarrier();
  }

  // U = Ū - W S, and the decay of Q S
  for (var b = 0u; b < 2u; b++) {
    let column = 4u * (first_column + lane.x + 8u * b);
    let rows = solved_rows(first_solved + params.head_dim * (CHUNK / 4u) + lane.y, column, params.head_dim_v);
    for (var i = 0u; i < 4u; i++) {
      known[2u * i + b] = rows[i] - known[2u * i + b];
    }
  }
  var until = 0.0;
  for (var n = 0u; n < 4u * lane.y; n++) {
    until += gate_tile[n];
  }
  for (var i = 0u; i < 4u; i++) {
    until += gate_tile[4u * lane.y + i];
    output[2u * i] *= exp(until);
    output[2u * i + 1u] *= exp(until);
  }

  // O += ((Q Kᵀ) ⊙ L) U, 16 keys a step
  for (var first = 0u; first < length; first += 4u * STEP) {
    for (var e = index; e < CHUNK * STEP; e += invocations) {
      let row = e / STEP;
      var value = vec4(0.0);
      if (row < length) {
        value = weights[(first_row + row) * (CHUNK / 4u) + first / 4u + e % STEP];
      }
      left_tile[step_place(row, e % STEP)] = value;
    }
    if (lane.y / STEP == first / (4u * STEP)) {
      for (var i = 0u; i < 4u; i++) {
        let key = 4u * lane.y + i - first;
        right_tile[COLUMNS * key + lane.x] = known[2u * i];
        right_tile[COLUMNS * key + lane.x + 8u] = known[2u * i + 1u];
      }
    }
    workgroupBarrier();
    if (first <= 4u * lane.y) {
      for (var n = 0u; n < STEP; n++) {
        for (var t = 0u; t < 4u; t++) {
          let u0 = right_tile[COLUMNS * (4u * n + t) + lane.x];
          let u1 = right_tile[COLUMNS * (4u * n + t) + lane.x + 8u];
          for (var i = 0u; i < 4u; i++) {
            let weight = left_tile[step_place(4u * lane.y + i, n)][t];
            output[2u * i] += weight * u0;
            output[2u * i + 1u] += weight * u1;
          }
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var b = 0u; b < 2u; b++) {
      let column = first_column + lane.x + 8u * b;
      if (row < length && column < width_v) {
        o[(first_row + row) * width_v + column] = params.scale * output[2u * i + b];
      }
    }
  }
}
