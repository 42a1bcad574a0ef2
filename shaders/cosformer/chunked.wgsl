/*---
mechanism: cosformer-attention
shape: { batch: 1, heads: 8, seqlen: 1024, headDim: 64 }
scratch:
  states: f32[batch, heads, ceil(seqlenK / CHUNK) + 1, 2 * headDim * (headDimV + 1)]
passes:
  - { entry: sum_chunks, workgroups: [ceil(seqlenK / CHUNK), heads * ceil(headDim / 32) * ceil(headDimV / 64), batch] }
  - { entry: scan_states, workgroups: [ceil(headDim * (headDimV + 1) / 128), heads, batch] }
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
tune:
  CHUNK: [64, 128, 256]
  TILE_M: [32, 64]
---*/

// cosFormer (Qin et al. 2022), in time linear in seqlen: linear attention of rectified queries and keys, r(x) = max(x, 0),
// whose weights fall with the distance of their positions i and j as a cosine that reaches zero at m = maxSeqlen.
//
//   A_ij = r(q_i) · r(k_j) cos(π (i - j) / 2m),   o_i = Σ A_ij v_j / max(Σ A_ij, eps)
//
// The cosine of a difference is a sum of products, so that the weights are those of features of twice the width: with the
// angle a_i = π i / 2m, q'_i = [r(q_i) sin a_i, r(q_i) cos a_i], and k' alike, A_ij = q'_i · k'_j. Sines and cosines come in
// as a table, because WGSL's own may be off by 2^-11. From there on it is linear attention by the right product: a state
// S = Σ k'ᵀ v [2 headDim, headDimV] and z = Σ k' [2 headDim].
//
// A causal query takes the state before its chunk of CHUNK tokens, and the left product with the keys inside the chunk.
// Three passes, of which the first and the last run all chunks at once:
//
//   sum_chunks    S and z of each chunk by itself
//   scan_states   the sums before each chunk, in their place, and after the last one; the latter also go to s and z
//   attend        O
//
// In `attend`, invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys
// 4x..4x+3, and of the output the vec4 columns x, x+8, x+16 and x+24. All products read their left operand from
// left_tile and their right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override CHUNK: u32 = 64; // tokens per chunk, a multiple of TILE_M
override TILE_M: u32 = 64; // queries per workgroup of `attend`, a multiple of 4
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of a feature row per step of Q' K'ᵀ and Q' S: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  causal: u32,
  max_seqlen: u32, // m, and the rows of the table
  offset: u32, // tokens before the first
  eps: f32, // the least divisor
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read> angles: array<vec2<f32>>; // sine and cosine, [maxSeqlen]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, 2, headDim, headDimV]
@group(0) @binding(6) var<storage, read> z0: array<vec4<f32>>; // [batch, heads, 2, headDim]
@group(0) @binding(7) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(8) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, 2, headDim, headDimV]
@group(0) @binding(9) var<storage, read_write> z: array<vec4<f32>>; // [batch, heads, 2, headDim]
// S [2 headDim, headDimV] and then z [2 headDim] for each of [batch, heads, chunks + 1].
@group(0) @binding(10) var<storage, read_write> states: array<vec4<f32>>;

fn chunk_count() -> u32 {
  return (params.seqlen_k + CHUNK - 1u) / CHUNK;
}

// vec4s of a feature row: sines, then cosines.
fn feature_width() -> u32 {
  return params.head_dim / 2u;
}

// vec4s of S alone, and of S and z together.
fn matrix_size() -> u32 {
  return feature_width() * params.head_dim_v;
}

fn state_size() -> u32 {
  return matrix_size() + feature_width();
}

// One vec4 of q' or k', from a vec4 of q or k; `token` counts from the first.
fn wave(x: vec4<f32>, token: u32, column: u32) -> vec4<f32> {
  // A position past the table keeps its last angle, where the weights of far keys are zero.
  let angle = angles[min(params.offset + token, params.max_seqlen - 1u)];
  return max(x, vec4(0.0)) * select(angle.y, angle.x, column < params.head_dim / 4u);
}

// --- The sums of each chunk ---

const BLOCK = 16u; // vec4s of a feature row and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> key_tile: array<vec4<f32>, TOKENS * BLOCK>; // k', [TOKENS, 64 of its numbers]
var<workgroup> value_tile: array<vec4<f32>, TOKENS * BLOCK>; // v, [TOKENS, 64 of headDimV]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of a feature row and x and x+8 of headDimV: 8 × 8 numbers of the state.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = feature_width();
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let head = group.y % params.heads;
  let block = group.y / params.heads;
  let blocks_v = (width_v + BLOCK - 1u) / BLOCK;
  let first_d = block / blocks_v * BLOCK;
  let first_e = block % blocks_v * BLOCK;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen_k + chunk * CHUNK;
  let length = min(CHUNK, params.seqlen_k - chunk * CHUNK);

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of vec4 y+8a of a feature row, vec4 x+8b of headDimV
  var key_sums = array<vec4<f32>, 2>();
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * BLOCK; e += 64u) {
      let row = first + e / BLOCK;
      let column = e % BLOCK;
      var key = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && first_d + column < width) {
        let at = (first_d + column) % (params.head_dim / 4u);
        key = wave(k[(first_row + row) * (params.head_dim / 4u) + at], chunk * CHUNK + row, first_d + column);
      }
      if (row < length && first_e + column < width_v) {
        value = v[(first_row + row) * width_v + first_e + column];
      }
      key_tile[e] = key;
      value_tile[e] = value;
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let v0 = value_tile[BLOCK * n + lane.x];
      let v1 = value_tile[BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let key = key_tile[BLOCK * n + lane.y + 8u * a];
        key_sums[a] += key;
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += key[t] * v0;
          sums[8u * a + 2u * t + 1u] += key[t] * v1;
        }
      }
    }
    workgroupBarrier();
  }

  let state = (batch_head * (chunk_count() + 1u) + chunk) * state_size();
  for (var a = 0u; a < 2u; a++) {
    let d4 = first_d + lane.y + 8u * a;
    for (var t = 0u; t < 4u; t++) {
      for (var b = 0u; b < 2u; b++) {
        let column = first_e + lane.x + 8u * b;
        if (d4 < width && column < width_v) {
          states[state + (4u * d4 + t) * width_v + column] = sums[8u * a + 2u * t + b];
        }
      }
    }
    if (d4 < width && lane.x == 0u && first_e == 0u) {
      states[state + matrix_size() + d4] = key_sums[a];
    }
  }
}

// --- The sums before each chunk ---

const AHEAD = 4u; // chunks read before the first of them is written, so that their loads overlap

// One invocation per vec4 of S and z.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let element = id.x;
  if (element >= state_size()) {
    return;
  }
  let batch_head = id.z * params.heads + id.y;
  let chunks = chunk_count();
  let first = batch_head * (chunks + 1u) * state_size() + element;
  let in_matrix = element < matrix_size();
  let matrix_at = batch_head * matrix_size() + element;
  let vector_at = batch_head * feature_width() + element - matrix_size();

  var sum = vec4(0.0);
  if (in_matrix) {
    sum = s0[matrix_at];
  } else {
    sum = z0[vector_at];
  }
  for (var chunk = 0u; chunk < chunks; chunk += AHEAD) {
    var added = array<vec4<f32>, AHEAD>();
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < chunks) {
        added[n] = states[first + (chunk + n) * state_size()];
      }
    }
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < chunks) {
        states[first + (chunk + n) * state_size()] = sum;
        sum += added[n];
      }
    }
  }
  states[first + chunks * state_size()] = sum;
  if (in_matrix) {
    s[matrix_at] = sum;
  } else {
    z[vector_at] = sum;
  }
}

// --- The output ---

// Q' by slices [TILE_M, 32 numbers], then the scores [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// K'ᵀ by slices [32 numbers, TILE_N]; rows of V or of S by steps [rows of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// What each of the 8 invocations of a query contributes to its denominator, [TILE_M, 8].
var<workgroup> row_parts: array<f32, TILE_M * LANES>;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// Scores of one query for the keys from `key` on, zero where it must not look.
fn mask(scores: vec4<f32>, query: u32, key: u32) -> vec4<f32> {
  let keys = vec4(key) + vec4(0u, 1u, 2u, 3u);
  let visible = vec4(params.causal == 0u) | (keys <= vec4(query));
  return select(vec4(0.0), scores, visible);
}

// left_tile = one slice of Q'. Rows past the end are zero.
fn load_queries(head_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    let query = first_query + row;
    if (query < params.seqlen && column < feature_width()) {
      value = wave(q[(head_row + query) * width + column % width], query, column);
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of K', transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys.
fn load_keys(key_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen_k && column < feature_width()) {
        keys[j] = wave(k[(key_row + key) * width + column % width], key, column);
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(key_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen_k && column < width) {
      value = v[(key_row + key) * width + column];
    }
    right_tile[e] = value;
  }
}

// right_tile = `count` rows of a state, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_state(state: u32, first_d: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let d = first_d + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (d < 4u * feature_width() && column < width) {
      value = states[state + d * width + column];
    }
    right_tile[e] = value;
  }
}

// scores[i] += Q' slice · K'ᵀ slice for query 4y+i and the keys 4x..4x+3.
fn multiply_keys(scores: ptr<function, array<vec4<f32>, 4>>, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let k0 = right_tile[place(4u * d, lane.x)];
    let k1 = right_tile[place(4u * d + 1u, lane.x)];
    let k2 = right_tile[place(4u * d + 2u, lane.x)];
    let k3 = right_tile[place(4u * d + 3u, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      let query = left_tile[place(4u * lane.y + i, d)];
      var sum = (*scores)[i];
      sum += query.x * k0;
      sum += query.y * k1;
      sum += query.z * k2;
      sum += query.w * k3;
      (*scores)[i] = sum;
    }
  }
}

// output[4c + i] += left_tile · right_tile for query 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
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
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let first_query = group.x * TILE_M;
  let causal = params.causal != 0u;
  // Causal queries take the state before their chunk, others the one after the last.
  let chunk = select(chunk_count(), first_query / CHUNK, causal);
  let first_key = chunk * CHUNK;
  let end_key = select(first_key, min(first_query + TILE_M, params.seqlen_k), causal);
  let head = group.y % params.heads;
  let batch_head = group.z * params.heads + head;
  let head_row = batch_head * params.seqlen;
  let key_row = batch_head * params.seqlen_k;
  let state = (batch_head * (chunk_count() + 1u) + chunk) * state_size();
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the rows of it that fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_sum = vec4(0.0); // this invocation's part of the denominators

  // O = Q' S and Q' z: all keys before the chunk
  for (var slice = 0u; slice < feature_width(); slice += SLICE) {
    load_queries(head_row, first_query, slice, index);
    var key_sum = vec4(0.0);
    if (slice + lane.x < feature_width()) {
      key_sum = states[state + matrix_size() + slice + lane.x];
    }
    for (var first = 0u; first < 4u * SLICE; first += rows_per_load) {
      load_state(state, 4u * slice + first, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      if (first == 0u) {
        for (var i = 0u; i < 4u; i++) {
          row_sum[i] += dot(left_tile[place(4u * lane.y + i, lane.x)], key_sum);
        }
      }
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var key = first_key; key < end_key; key += TILE_N) {
    // A = Q' K'ᵀ within the chunk
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < feature_width(); slice += SLICE) {
      load_queries(head_row, first_query, slice, index);
      load_keys(key_row, key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      let weights = mask(scores[i], first_query + row, key + 4u * lane.x);
      row_sum[i] += dot(weights, vec4(1.0));
      left_tile[place(row, lane.x)] = weights;
    }

    // O += A V
    for (var first = 0u; first < TILE_N; first += rows_per_load) {
      load_values(key_row, key + first, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  // The denominator of a query is the sum over its 8 invocations.
  for (var i = 0u; i < 4u; i++) {
    row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    var denominator = 0.0;
    for (var x = 0u; x < LANES; x++) {
      denominator += row_parts[(4u * lane.y + i) * LANES + x];
    }
    denominator = max(denominator, params.eps);
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (query < params.seqlen && column < width_v) {
        o[(head_row + query) * width_v + column] = output[4u * c + i] / denominator;
      }
    }
  }
}
