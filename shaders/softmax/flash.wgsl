/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 8, seqlen: 1024, headDim: 64 }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
tune:
  TILE_M: [32, 64]
---*/

// Flash attention (Dao 2022, 2023): softmax attention that never stores a score in device memory.
//
// A workgroup owns TILE_M queries of one head and walks over the keys, TILE_N at a time:
//
//   S = Q Kᵀ                        scores of this step, in registers
//   m' = max(m, rowmax S)           the running maximum of each query
//   P = 2^(S - m')                  weights of this step, through workgroup memory
//   l  = 2^(m - m') l + rowsum P    the running denominator
//   O  = 2^(m - m') O + P V         the running numerator, in registers
//
// and divides O by l once at the end. The scale of the scores and log2(e) are folded into Q, so that the powers are
// powers of two, which is what the hardware computes.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys 4x..4x+3, and
// of the output the vec4 columns x, x+8, x+16 and x+24. Both products read their left operand from left_tile and their
// right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override TILE_M: u32 = 64; // queries per workgroup, a multiple of 4
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  causal: u32,
  window_left: i32,
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(5) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// Q by slices [TILE_M, 32 of headDim], then P [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// Kᵀ by slices [32 of headDim, TILE_N], then V by steps [keys of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// What each of the 8 invocations of a query contributes to its maximum or sum, [TILE_M, 8].
var<workgroup> row_parts: array<f32, TILE_M * LANES>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;
// Stands for -infinity in lse.
const MINUS_INFINITY = -3.4e38;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// How far to the right of its own position a query sees; negative means to the end.
fn right_reach() -> i32 {
  return select(params.window_right, 0, params.causal != 0u);
}

// The queries are the last seqlen of the seqlenK positions.
fn position(query: u32) -> i32 {
  return i32(query) + i32(params.seqlen_k) - i32(params.seqlen);
}

// The keys that at least one of the queries first..last can see, from the start of a step to the end (exclusive).
fn key_range(first: u32, last: u32) -> vec2<u32> {
  var begin = 0;
  var end = i32(params.seqlen_k);
  if (params.window_left >= 0) {
    begin = max(begin, position(first) - params.window_left);
  }
  if (right_reach() >= 0) {
    end = min(end, position(last) + right_reach() + 1);
  }
  return vec2(u32(begin) / TILE_N * TILE_N, u32(max(end, 0)));
}

// Whether every one of the queries first..last sees all keys of the step: then no score needs a mask.
fn sees_whole_step(first: u32, last: u32, first_key: u32) -> bool {
  let last_key = first_key + TILE_N - 1u;
  return last_key < params.seqlen_k
    && (right_reach() < 0 || i32(last_key) <= position(first) + right_reach())
    && (params.window_left < 0 || i32(first_key) >= position(last) - params.window_left);
}

// Scores of one query for the keys from `key` on, with MASKED where it must not look.
fn mask(scores: vec4<f32>, query: u32, key: u32) -> vec4<f32> {
  let keys = vec4<i32>(i32(key)) + vec4(0, 1, 2, 3);
  let distance = keys - vec4(position(query));
  var visible = keys < vec4(i32(params.seqlen_k));
  visible &= vec4(right_reach() < 0) | (distance <= vec4(right_reach()));
  visible &= vec4(params.window_left < 0) | (-distance <= vec4(params.window_left));
  return select(vec4(MASKED), scores, visible);
}

// left_tile = one slice of Q, times scale · log2(e). Rows past the end are zero.
fn load_queries(head_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  let factor = params.scale * LOG2_E;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < params.seqlen && column < width) {
      value = factor * q[(head_row + first_query + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of K, transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys.
fn load_keys(kv_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen_k && column < width) {
        keys[j] = k[(kv_row + key) * width + column];
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(kv_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen_k && column < width) {
      value = v[(kv_row + key) * width + column];
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

// output[4c + i] += P · V for query 4y+i and vec4 column x+8c, over `count` keys of which the first is column `first` of P.
fn multiply_values(
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
        let v0 = right_tile[at];
        let v1 = right_tile[at + stride];
        let v2 = right_tile[at + 2u * stride];
        let v3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += weights[i].x * v0;
          sum += weights[i].y * v1;
          sum += weights[i].z * v2;
          sum += weights[i].w * v3;
          (*output)[4u * c + i] = sum;
        }
      }
    }
  }
}

@compute @workgroup_size(8, TILE_M / 4)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  // The last queries see the most keys under a causal mask: they go first, so that no long workgroup starts late.
  let first_query = (groups.x - 1u - group.x) * TILE_M;
  let last_query = min(first_query + TILE_M, params.seqlen) - 1u;
  let head = group.y % params.heads;
  let head_row = (group.z * params.heads + head) * params.seqlen;
  // Grouped queries: heads / headsKv neighbouring query heads share one head of keys and values.
  let kv_head = head / (params.heads / params.heads_kv);
  let kv_row = (group.z * params.heads_kv + kv_head) * params.seqlen_k;
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_max = vec4(MASKED); // m of the queries 4y..4y+3
  var row_sum = vec4(0.0); // this invocation's part of l

  let range = key_range(first_query, last_query);
  for (var first_key = range.x; first_key < range.y; first_key += TILE_N) {
    // S = Q Kᵀ
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(head_row, first_query, slice, index);
      load_keys(kv_row, first_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }
    if (!sees_whole_step(first_query, last_query, first_key)) {
      for (var i = 0u; i < 4u; i++) {
        scores[i] = mask(scores[i], first_query + 4u * lane.y + i, first_key + 4u * lane.x);
      }
    }

    // m' = max(m, rowmax S): 8 invocations hold the scores of a query.
    for (var i = 0u; i < 4u; i++) {
      let pairs = max(scores[i].xy, scores[i].zw);
      row_parts[(4u * lane.y + i) * LANES + lane.x] = max(pairs.x, pairs.y);
    }
    workgroupBarrier();
    var new_max = row_max;
    for (var i = 0u; i < 4u; i++) {
      for (var x = 0u; x < LANES; x++) {
        new_max[i] = max(new_max[i], row_parts[(4u * lane.y + i) * LANES + x]);
      }
    }
    let rescale = exp2(row_max - new_max);
    row_max = new_max;

    // P = 2^(S - m'), and what came before is brought to the new maximum. A masked key weighs nothing even where a
    // query has seen no other.
    row_sum *= rescale;
    for (var i = 0u; i < 4u; i++) {
      let weights = select(exp2(scores[i] - row_max[i]), vec4(0.0), scores[i] <= vec4(MASKED));
      row_sum[i] += dot(weights, vec4(1.0));
      left_tile[place(4u * lane.y + i, lane.x)] = weights;
      for (var c = 0u; c < COLUMNS; c++) {
        output[4u * c + i] *= rescale[i];
      }
    }

    // O += P V
    for (var first = 0u; first < TILE_N; first += keys_per_load) {
      load_values(kv_row, first_key + first, keys_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_values(&output, first, keys_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  // l of a query is the sum over its 8 invocations.
  for (var i = 0u; i < 4u; i++) {
    row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    var sum = 0.0;
    for (var x = 0u; x < LANES; x++) {
      sum += row_parts[(4u * lane.y + i) * LANES + x];
    }
    // A query that saw no key has a sum of zero: output zero, log-sum-exp -infinity.
    var inverse = 0.0;
    var log_sum = MINUS_INFINITY;
    if (sum > 0.0) {
      inverse = 1.0 / sum;
      log_sum = (row_max[i] + log2(sum)) * LN_2;
    }
    if (query < params.seqlen) {
      for (var c = 0u; c < COLUMNS; c++) {
        let column = first_column + LANES * c + lane.x;
        if (column < width_v) {
          o[(head_row + query) * width_v + column] = inverse * output[4u * c + i];
        }
      }
      if (lane.x == 0u && first_column == 0u) {
        lse[head_row + query] = log_sum;
      }
    }
  }
}
