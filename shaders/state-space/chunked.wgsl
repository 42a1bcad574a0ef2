/*---
mechanism: state-space-duality
shape: { batch: 1, heads: 16, groups: 1, seqlen: 2048, headDim: 64, stateDim: 128 }
scratch:
  states: f32[batch, heads, ceil(seqlen / CHUNK), stateDim, headDim]
  totals: f32[batch, heads, ceil(seqlen / CHUNK)]
  scores: f32[batch, groups, seqlen, CHUNK]
passes:
  - { entry: sum_chunks, workgroups: [ceil(seqlen / CHUNK) * ceil(stateDim / 64) * ceil(headDim / 64), heads, batch] }
  - { entry: pass_states, workgroups: [ceil(stateDim * headDim / 256), heads, batch] }
  - { entry: score_chunks, workgroups: [ceil(seqlen / TILE_M), groups, batch] }
  - { entry: scan_chunks, workgroups: [ceil(seqlen / TILE_M) * ceil(headDim / 128), heads, batch] }
tune:
  CHUNK: [64, 128]
  TILE_M: [32, 64]
---*/

// The layer of Mamba-2 by state space duality (Dao & Gu 2024): S_t = e^(dt_t A) S_(t-1) + dt_t B_tᵀ x_t and y_t = C_t S_t +
// D x_t, with one rate A < 0 for each head, and B and C shared by the heads of a group. This is attention with queries C,
// keys B and values dt x under a mask of decays. With a_t = dt_t A and G(a..b) = Σ a_t over the tokens a to b, for the rows
// r and c of a chunk of CHUNK tokens:
//
//   L_rc = e^(G(c+1..r)) for c <= r, else 0
//   Y = (((C Bᵀ) ⊙ L) diag(dt) + D) X + diag(e^(G(1..r))) C S
//   S ← e^(G(1..CHUNK)) S + Σ_c e^(G(c+1..CHUNK)) dt_c B_cᵀ x_c
//
// Each G is a sum of the a_t between two tokens, all zero or less, and no difference of two longer sums (the stable segment
// sum of Mamba-2's ssd_minimal.py): a large step far away costs a pair no precision, and no exponential can overflow. Four
// passes, of which all but the second run all chunks at once:
//
//   sum_chunks    the sum Σ_c e^(G(c+1..CHUNK)) dt_c B_cᵀ x_c of each chunk, and its G(1..CHUNK)
//   pass_states   the state before each chunk, in place of the sums; the final state goes to s
//   score_chunks  C Bᵀ within each chunk: once for a group, however many heads share it
//   scan_chunks   Y
//
// D x needs no pass over x of its own: it is D on the diagonal of ((C Bᵀ) ⊙ L) dt.
//
// In the last two, invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the tokens 4y..4y+3 as rows of Y, of each step
// the tokens 4x..4x+3 as columns of L, and of Y the vec4 columns x, x+8, x+16 and x+24. All products read their left
// operand from left_tile and their right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override CHUNK: u32 = 64; // tokens per chunk, a multiple of TILE_M
override TILE_M: u32 = 64; // rows of Y per workgroup, a multiple of 4
const TILE_N = 32u; // columns of L per step
const SLICE = 8u; // vec4s of stateDim per step of C Bᵀ and C S: 32 numbers
const LANES = 8u; // invocations side by side along columns of L and of Y
const COLUMNS = 4u; // vec4s of Y per invocation and row at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  groups: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is state_dim
  state_dim: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> dt: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(3) var<storage, read> A: array<f32>; // [heads]
@group(0) @binding(4) var<storage, read> B: array<vec4<f32>>; // [batch, groups, seqlen, stateDim]
@group(0) @binding(5) var<storage, read> C: array<vec4<f32>>; // [batch, groups, seqlen, stateDim]
@group(0) @binding(6) var<storage, read> D: array<f32>; // [heads]
@group(0) @binding(7) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, stateDim, headDim]
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(9) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, stateDim, headDim]
@group(0) @binding(10) var<storage, read_write> states: array<vec4<f32>>; // [batch, heads, chunks, stateDim, headDim]
@group(0) @binding(11) var<storage, read_write> totals: array<f32>; // sums of a_t, [batch, heads, chunks]
@group(0) @binding(12) var<storage, read_write> scores: array<vec4<f32>>; // C Bᵀ, [batch, groups, seqlen, CHUNK]

fn chunk_count() -> u32 {
  return (params.seqlen + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(CHUNK, params.seqlen - chunk * CHUNK);
}

// First row of a head's group in B, C and scores.
fn group_row(batch: u32, head: u32) -> u32 {
  return (batch * params.groups + head / (params.heads / params.groups)) * params.seqlen;
}

var<workgroup> rate_tile: array<f32, CHUNK>; // a_t of a chunk; zeros past the end, where nothing decays
var<workgroup> weight_tile: array<f32, CHUNK>; // of the tokens of a chunk: dt, or e^(G(c+1..CHUNK)) dt

// rate_tile = dt A and weight_tile = dt for the chunk whose first row is `first_row` in dt.
fn load_steps(first_row: u32, length: u32, head: u32, index: u32, lanes: u32) {
  for (var row = index; row < CHUNK; row += lanes) {
    var step = 0.0;
    if (row < length) {
      step = dt[first_row + row];
    }
    rate_tile[row] = step * A[head];
    weight_tile[row] = step;
  }
}

// --- The sum of each chunk ---

const BLOCK = 16u; // vec4s of stateDim and of headDim per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> b_tile: array<vec4<f32>, TOKENS * BLOCK>; // decayed rows of B, [TOKENS, 64 of stateDim]
var<workgroup> x_tile: array<vec4<f32>, TOKENS * BLOCK>; // rows of x, [TOKENS, 64 of headDim]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of stateDim and x and x+8 of headDim: 8 × 8 numbers of the state.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.state_dim / 4u;
  let width_x = params.head_dim / 4u;
  let blocks_x = (width_x + BLOCK - 1u) / BLOCK;
  let chunk = group.x % chunk_count();
  let block = group.x / chunk_count();
  let head = group.y;
  let first_d = block / blocks_x * BLOCK;
  let first_e = block % blocks_x * BLOCK;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let first_b = group_row(group.z, head) + chunk * CHUNK;
  let length = chunk_length(chunk);

  load_steps(first_row, length, head, index, 64u);
  workgroupBarrier();
  for (var row = index; row < CHUNK; row += 64u) {
    var sum = 0.0;
    for (var n = row + 1u; n < CHUNK; n++) {
      sum += rate_tile[n];
    }
    weight_tile[row] *= exp(sum);
    if (row == 0u && block == 0u) {
      totals[batch_head * chunk_count() + chunk] = rate_tile[0] + sum;
    }
  }
  workgroupBarrier();

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of vec4 y+8a of stateDim, vec4 x+8b of headDim
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * BLOCK; e += 64u) {
      let row = first + e / BLOCK;
      let column = e % BLOCK;
      var b = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && first_d + column < width) {
        b = weight_tile[row] * B[(first_b + row) * width + first_d + column];
      }
      if (row < length && first_e + column < width_x) {
        value = x[(first_row + row) * width_x + first_e + column];
      }
      b_tile[e] = b;
      x_tile[e] = value;
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let x0 = x_tile[BLOCK * n + lane.x];
      let x1 = x_tile[BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let b = b_tile[BLOCK * n + lane.y + 8u * a];
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += b[t] * x0;
          sums[8u * a + 2u * t + 1u] += b[t] * x1;
        }
      }
    }
    workgroupBarrier();
  }

  let state = (batch_head * chunk_count() + chunk) * params.state_dim;
  for (var a = 0u; a < 2u; a++) {
    for (var t = 0u; t < 4u; t++) {
      let d = 4u * (first_d + lane.y + 8u * a) + t;
      for (var b = 0u; b < 2u; b++) {
        let column = first_e + lane.x + 8u * b;
        if (d < params.state_dim && column < width_x) {
          states[(state + d) * width_x + column] = sums[8u * a + 2u * t + b];
        }
      }
    }
  }
}

// --- The state before each chunk ---

const AHEAD = 4u; // chunks read before the first of them is written, so that their loads overlap

// One invocation per vec4 of a state.
@compute @workgroup_size(64)
fn pass_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let size = params.state_dim * params.head_dim / 4u;
  if (id.x >= size) {
    return;
  }
  let batch_head = id.z * params.heads + id.y;
  let chunks = chunk_count();
  let first = batch_head * chunks * size + id.x;

  var state = s0[batch_head * size + id.x];
  for (var chunk = 0u; chunk < chunks; chunk += AHEAD) {
    var sums = array<vec4<f32>, AHEAD>();
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < chunks) {
        sums[n] = states[first + (chunk + n) * size];
      }
    }
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < chunks) {
        states[first + (chunk + n) * size] = state;
        state = exp(totals[batch_head * chunks + chunk + n]) * state + sums[n];
      }
    }
  }
  s[batch_head * size + id.x] = state;
}

// --- C Bᵀ within each chunk ---

// C by slices [TILE_M, 32 of stateDim], then the decayed scores [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// Bᵀ by slices [32 of stateDim, TILE_N]; rows of S or of x by steps [rows of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// left_tile = one slice of C. Rows past the end are zero.
fn load_c(group_first: u32, first_row: u32, slice: u32, index: u32) {
  let width = params.state_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_row + row < params.seqlen && column < width) {
      value = C[(group_first + first_row + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of B, transposed in blocks of 4 tokens × 4 numbers so that a vec4 holds 4 tokens.
fn load_b(group_first: u32, first_token: u32, slice: u32, index: u32) {
  let width = params.state_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var rows = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let token = first_token + 4u * block + j;
      if (token < params.seqlen && column < width) {
        rows[j] = B[(group_first + token) * width + column];
      }
    }
    let numbers = transpose(rows);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// products[i] += C slice · Bᵀ slice for row 4y+i and the tokens 4x..4x+3.
fn multiply_b(products: ptr<function, array<vec4<f32>, 4>>, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let b0 = right_tile[place(4u * d, lane.x)];
    let b1 = right_tile[place(4u * d + 1u, lane.x)];
    let b2 = right_tile[place(4u * d + 2u, lane.x)];
    let b3 = right_tile[place(4u * d + 3u, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      let c = left_tile[place(4u * lane.y + i, d)];
      var sum = (*products)[i];
      sum += c.x * b0;
      sum += c.y * b1;
      sum += c.z * b2;
      sum += c.w * b3;
      (*products)[i] = sum;
    }
  }
}

// One workgroup per group and TILE_M rows: tiles of TILE_N tokens, from the first of the chunk to the diagonal.
@compute @workgroup_size(8, TILE_M / 4)
fn score_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let first_row = group.x * TILE_M;
  let end_row = min(first_row + TILE_M, params.seqlen);
  let first_token = first_row / CHUNK * CHUNK;
  let group_first = (group.z * params.groups + group.y) * params.seqlen;
  for (var token = first_token; token < end_row; token += TILE_N) {
    var products = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.state_dim / 4u; slice += SLICE) {
      load_c(group_first, first_row, slice, index);
      load_b(group_first, token, slice, index);
      workgroupBarrier();
      multiply_b(&products, lane);
      workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
      let row = first_row + 4u * lane.y + i;
      if (row < params.seqlen) {
        scores[(group_first + row) * (CHUNK / 4u) + (token - first_token) / 4u + lane.x] = products[i];
      }
    }
  }
}

// --- The output ---

// Row of L, times dt, for one row and the tokens `token`..`token`+3, all rows of the chunk. `between` is the sum of the
// rates from row `token`+4 to before row `first`, the first of a block of 4 rows to which `row` belongs.
fn decays(row: u32, token: u32, first: u32, between: f32) -> vec4<f32> {
  var sum = between;
  for (var n = max(first, token + 4u); n <= row; n++) {
    sum += rate_tile[n];
  }
  var weights = vec4(0.0);
  for (var j = 0u; j < 4u; j++) {
    let c = token + 3u - j;
    if (c <= row) {
      weights[3u - j] = weight_tile[c] * exp(sum);
      sum += rate_tile[c];
    }
  }
  return weights;
}

// right_tile = `count` rows of x, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_x(head_row: u32, first_token: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let token = first_token + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (token < params.seqlen && column < width) {
      value = x[(head_row + token) * width + column];
    }
    right_tile[e] = value;
  }
}

// right_tile = `count` rows of a state, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_state(state_row: u32, first_d: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let d = first_d + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (d < params.state_dim && column < width) {
      value = states[(state_row + d) * width + column];
    }
    right_tile[e] = value;
  }
}

// output[4c + i] += left_tile · right_tile for row 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
// the first belongs to column `first` of left_tile.
fn multiply_rows(
  output: ptr<function, array<vec4<f32>, 16>>,
  first: u32,
  count: u32,
  columns: u32,
  lane: vec2<u32>,
) {
  let stride = LANES * columns;
  for (var n = 0u; n < count; n += 4u) {
    let w0 = left_tile[place(4u * lane.y, (first + n) / 4u)];
    let w1 = left_tile[place(4u * lane.y + 1u, (first + n) / 4u)];
    let w2 = left_tile[place(4u * lane.y + 2u, (first + n) / 4u)];
    let w3 = left_tile[place(4u * lane.y + 3u, (first + n) / 4u)];
    let weights = array<vec4<f32>, 4>(w0, w1, w2, w3);
    for (var c = 0u; c < COLUMNS; c++) {
      if (c < columns) {
        let at = n * stride + LANES * c + lane.x;
        let r0 = right_tile[at];
        let r1 = right_tile[at + stride];
        let r2 = right_tile[at + 2u * stride];
        let r3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += weights[i].x * r0;
          sum += weights[i].y * r1;
          sum += weights[i].z * r2;
          sum += weights[i].w * r3;
          (*output)[4u * c + i] = sum;
        }
      }
    }
  }
}

@compute @workgroup_size(8, TILE_M / 4)
fn scan_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let tiles = (params.seqlen + TILE_M - 1u) / TILE_M;
  let first_row = group.x % tiles * TILE_M;
  let end_row = min(first_row + TILE_M, params.seqlen);
  let chunk = first_row / CHUNK;
  let head = group.y;
  let batch_head = group.z * params.heads + head;
  let head_row = batch_head * params.seqlen;
  let group_first = group_row(group.z, head);
  let state_row = (batch_head * chunk_count() + chunk) * params.state_dim;
  // This workgroup's part of Y: up to 128 numbers of headDim, and the rows of them that fit the tile.
  let width = params.head_dim / 4u;
  let first_column = group.x / tiles * LANES * COLUMNS;
  let columns = min((width - first_column + LANES - 1u) / LANES, COLUMNS);
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  load_steps(head_row + chunk * CHUNK, chunk_length(chunk), head, index, LANES * TILE_M / 4u);

  // C S, and then its decay
  var output = array<vec4<f32>, 16>();
  for (var slice = 0u; slice < params.state_dim / 4u; slice += SLICE) {
    load_c(group_first, first_row, slice, index);
    for (var first = 0u; first < 4u * SLICE; first += rows_per_load) {
      load_state(state_row, 4u * slice + first, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }
  let first = first_row - chunk * CHUNK + 4u * lane.y; // the first of this invocation's rows in the chunk
  var until = 0.0;
  for (var n = 0u; n < first; n++) {
    until += rate_tile[n];
  }
  for (var i = 0u; i < 4u; i++) {
    until += rate_tile[first + i];
    for (var c = 0u; c < COLUMNS; c++) {
      output[4u * c + i] *= exp(until);
    }
  }

  for (var first_token = chunk * CHUNK; first_token < end_row; first_token += TILE_N) {
    // ((C Bᵀ) ⊙ L) dt + D: what skips the state is a weight of each row for itself
    let token = first_token - chunk * CHUNK + 4u * lane.x;
    var between = 0.0;
    for (var n = token + 4u; n < first; n++) {
      between += rate_tile[n];
    }
    for (var i = 0u; i < 4u; i++) {
      let row = first_row + 4u * lane.y + i;
      var weights = vec4(0.0);
      if (row < params.seqlen) {
        weights = scores[(group_first + row) * (CHUNK / 4u) + token / 4u] * decays(first + i, token, first, between);
        weights += select(vec4(0.0), vec4(D[head]), vec4(first + i) == token + vec4(0u, 1u, 2u, 3u));
      }
      left_tile[place(4u * lane.y + i, lane.x)] = weights;
    }

    for (var step = 0u; step < TILE_N; step += rows_per_load) {
      load_x(head_row, first_token + step, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_rows(&output, step, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = first_row + 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (row < params.seqlen && column < width) {
        y[(head_row + row) * width + column] = output[4u * c + i];
      }
    }
  }
}
