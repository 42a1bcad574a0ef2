/*---
mechanism: norm-attention
shape: { batch: 1, heads: 8, seqlen: 2048, headDim: 64 }
scratch:
  states: f32[batch, heads, ceil(seqlen / CHUNK) + 1, headDim, headDimV]
passes:
  - { entry: sum_chunks, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 64) * ceil(headDimV / 64), batch] }
  - { entry: scan_states, workgroups: [ceil(headDim * headDimV / 256), heads, batch] }
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
  - { entry: normalize, workgroups: [ceil(seqlen / 16), max(1, heads * norm), batch] }
tune:
  CHUNK: [64, 128, 256]
  TILE_M: [32, 64]
---*/

// NormAttention of TransNormer (Qin et al. 2022, 2023): linear attention without feature map, scale and divisor. What
// keeps the output in bounds instead is a norm, RAW / √(mean(RAW²) + eps), of each token across all heads or in each head.
// In time linear in seqlen:
//
//   not causal   RAW = Q S                        with the state S = Σ kᵀ v [headDim, headDimV] of all keys
//   causal       RAW = ((Q Kᵀ) ⊙ M) V + Q S       M keeps the keys of the chunk up to the query, S has those before it
//
// Four passes, of which all but `scan_states` run all chunks of CHUNK tokens at once:
//
//   sum_chunks    the sum Σ kᵀ v of each chunk
//   scan_states   the state before each chunk, in place of the sums, and after them the state of all; that also goes to s
//   attend        RAW
//   normalize     O, which needs whole rows of RAW, across heads where norm is 0
//
// In `attend`, invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys
// 4x..4x+3, and of the output the vec4 columns x, x+8, x+16 and x+24. All products read their left operand from
// left_tile and their right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override CHUNK: u32 = 64; // tokens per chunk, a multiple of TILE_M
override TILE_M: u32 = 64; // queries per workgroup of `attend`, a multiple of 4
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ and Q S: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  causal: u32,
  norm: u32, // 0 across the heads of a token, 1 in each head
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(5) var<storage, read_write> raw: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // as raw
@group(0) @binding(7) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read_write> states: array<vec4<f32>>; // [batch, heads, chunks + 1, headDim, headDimV]

fn chunk_count() -> u32 {
  return (params.seqlen + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(CHUNK, params.seqlen - chunk * CHUNK);
}

// --- The sum of each chunk ---

const BLOCK = 16u; // vec4s of headDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> key_tile: array<vec4<f32>, TOKENS * BLOCK>; // k_r, [TOKENS, 64 of headDim]
var<workgroup> value_tile: array<vec4<f32>, TOKENS * BLOCK>; // v_r, [TOKENS, 64 of headDimV]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of headDim and x and x+8 of headDimV: 8 × 8 numbers of the state.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let head = group.y % params.heads;
  let block = group.y / params.heads;
  let blocks_v = (width_v + BLOCK - 1u) / BLOCK;
  let first_d = block / blocks_v * BLOCK;
  let first_e = block % blocks_v * BLOCK;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of vec4 y+8a of headDim, vec4 x+8b of headDimV
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * BLOCK; e += 64u) {
      let row = first + e / BLOCK;
      let column = e % BLOCK;
      var key = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && first_d + column < width) {
        key = k[(first_row + row) * width + first_d + column];
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
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += key[t] * v0;
          sums[8u * a + 2u * t + 1u] += key[t] * v1;
        }
      }
    }
    workgroupBarrier();
  }

  let state = (batch_head * (chunk_count() + 1u) + chunk) * params.head_dim;
  for (var a = 0u; a < 2u; a++) {
    for (var t = 0u; t < 4u; t++) {
      let d = 4u * (first_d + lane.y + 8u * a) + t;
      for (var b = 0u; b < 2u; b++) {
        let column = first_e + lane.x + 8u * b;
        if (d < params.head_dim && column < width_v) {
          states[(state + d) * width_v + column] = sums[8u * a + 2u * t + b];
        }
      }
    }
  }
}

// --- The state before each chunk ---

const AHEAD = 4u; // chunks read before the first of them is written, so that their loads overlap

// One invocation per vec4 of a state.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let size = params.head_dim * params.head_dim_v / 4u;
  if (id.x >= size) {
    return;
  }
  let batch_head = id.z * params.heads + id.y;
  let chunks = chunk_count();
  let first = batch_head * (chunks + 1u) * size + id.x;

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
        state += sums[n];
      }
    }
  }
  states[first + chunks * size] = state;
  s[batch_head * size + id.x] = state;
}

// --- The output ---

// Q by slices [TILE_M, 32 of headDim], then the scores the mask leaves [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// Kᵀ by slices [32 of headDim, TILE_N]; rows of V or of S by steps [rows of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// The scores of one query for the keys from `key` on, with zero for those that lie ahead.
fn mask(scores: vec4<f32>, query: u32, key: u32) -> vec4<f32> {
  return select(vec4(0.0), scores, vec4(key) + vec4(0u, 1u, 2u, 3u) <= vec4(query));
}

// left_tile = one slice of Q. Rows past the end are zero.
fn load_queries(head_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < params.seqlen && column < width) {
      value = q[(head_row + first_query + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of K, transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys.
fn load_keys(head_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen && column < width) {
        keys[j] = k[(head_row + key) * width + column];
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(head_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen && column < width) {
      value = v[(head_row + key) * width + column];
    }
    right_tile[e] = value;
  }
}

// right_tile = `count` rows of a state, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_state(state_row: u32, first_d: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let d = first_d + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (d < params.head_dim && column < width) {
      value = states[(state_row + d) * width + column];
    }
    right_tile[e] = value;
  }
}

// scores[i] += Q slice · Kᵀ slice for query 4y+i and the keys 4x..4x+3.
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
  let end_query = min(first_query + TILE_M, params.seqlen);
  let chunk = first_query / CHUNK;
  let head = group.y % params.heads;
  let batch_head = group.z * params.heads + head;
  let head_row = batch_head * params.seqlen;
  // A query that sees all keys takes the state after the last chunk, and no chunk's keys beside it.
  let state = select(chunk_count(), chunk, params.causal != 0u);
  let state_row = (batch_head * (chunk_count() + 1u) + state) * params.head_dim;
  let end_key = select(0u, end_query, params.causal != 0u);
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the rows of it that fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  // Q S
  var output = array<vec4<f32>, 16>();
  for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
    load_queries(head_row, first_query, slice, index);
    for (var first = 0u; first < 4u * SLICE; first += rows_per_load) {
      load_state(state_row, 4u * slice + first, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var first_key = chunk * CHUNK; first_key < end_key; first_key += TILE_N) {
    // Q Kᵀ
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(head_row, first_query, slice, index);
      load_keys(head_row, first_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }

    // (Q Kᵀ) ⊙ M
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      left_tile[place(row, lane.x)] = mask(scores[i], first_query + row, first_key + 4u * lane.x);
    }

    // RAW += ((Q Kᵀ) ⊙ M) V
    for (var first = 0u; first < TILE_N; first += rows_per_load) {
      load_values(head_row, first_key + first, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (query < params.seqlen && column < width_v) {
        raw[(head_row + query) * width_v + column] = output[4u * c + i];
      }
    }
  }
}

// --- The norm ---

const ROWS = 16u; // tokens per workgroup

var<workgroup> squares: array<f32, ROWS * LANES>;

// Invocation (x, y) of 8 × 16 owns the vec4s x, x+8, .. of token y, in one head or in all of them.
@compute @workgroup_size(8, 16)
fn normalize(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
  let width_v = params.head_dim_v / 4u;
  let token = group.x * ROWS + lane.y;
  let inside = token < params.seqlen;
  let heads = select(1u, params.heads, params.norm == 0u);
  let first_head = group.z * params.heads + group.y; // group.y is 0 where all heads are one row

  var sum = 0.0;
  if (inside) {
    for (var head = 0u; head < heads; head++) {
      let first = ((first_head + head) * params.seqlen + token) * width_v;
      for (var column = lane.x; column < width_v; column += LANES) {
        let value = raw[first + column];
        sum += dot(value, value);
      }
    }
  }
  squares[LANES * lane.y + lane.x] = sum;
  workgroupBarrier();
  var square = 0.0;
  for (var x = 0u; x < LANES; x++) {
    square += squares[LANES * lane.y + x];
  }
  let factor = inverseSqrt(square / f32(heads * params.head_dim_v) + params.eps);
  if (inside) {
    for (var head = 0u; head < heads; head++) {
      let first = ((first_head + head) * params.seqlen + token) * width_v;
      for (var column = lane.x; column < width_v; column += LANES) {
        o[first + column] = factor * raw[first + column];
      }
    }
  }
}
