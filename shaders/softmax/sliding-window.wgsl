/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 12, seqlen: 1024, headDim: 64 }
options: { causal: false, window: [64, 64] }
limits: { headDim: 128 }
constants: { TILE_M: 16 * min(floor(128 / headDim), 2) }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
cases:
  - { heads: 2, seqlen: 1 }
  - { heads: 2, seqlen: 31, headDim: 16 }
  - { heads: 2, seqlen: 33, headDim: 16 }
  - { heads: 1, seqlen: 200 }
  - { heads: 2, seqlen: 97, headDim: 16, window: [0, 0] }
  - { heads: 2, seqlen: 130, headDim: 16, window: [8, 8] }
  - { heads: 2, seqlen: 70, headDim: 16, window: [3, 40] }
  - { heads: 2, seqlen: 65, headDim: 16, window: [5, -1] }
  - { heads: 2, seqlen: 65, headDim: 16, window: [-1, 5] }
  - { heads: 2, seqlen: 80, headDim: 16, window: [-1, -1] }
  - { heads: 2, seqlen: 80, headDim: 16, causal: true, window: [-1, -1] }
  - { heads: 2, seqlen: 100, headDim: 32, causal: true, window: [15, 0] }
  - { batch: 2, heads: 4, headsKv: 2, seqlen: 40, headDim: 16, window: [10, 10] }
  - { heads: 4, headsKv: 1, seqlen: 5, seqlenK: 70, headDim: 32, causal: true, window: [20, 0] }
  - { heads: 2, seqlen: 60, seqlenK: 19, headDim: 16, window: [4, 4] }
  - { heads: 1, seqlen: 50, headDim: 96, headDimV: 48, window: [9, 9] }
  - { heads: 1, seqlen: 65, headDim: 128, window: [16, 16], scale: 1 }
  - { heads: 1, seqlen: 40, headDim: 16, headDimV: 160, window: [8, 8] }
---*/

// Sliding window attention: softmax attention in which a query sees only the keys around its own position, as in the local
// layers of ModernBERT (64 to each side) or in Mistral's causal ones (W - 1 to the left). A global layer is the same kernel
// with a window of -1, which is without end.
//
// A workgroup owns TILE_M queries of one head. Together they see a band of keys, from the first key of the first query to
// the last key of the last:
//
//   keys   [ position(first) - left,  position(last) + right ]        at most TILE_M + left + right of them
//
// and it walks over that band, TILE_N keys at a time, beginning at its first key. So its work grows with the window, not
// with the sequence, and only the corners of the band and the rest of its last step are masked: what is computed for nothing is
// at most about TILE_M + TILE_N beside the left + right + 1 keys that each query sees. A step is that of flash attention (see flash.wgsl):
//
//   S = Q Kᵀ;  m' = max(m, rowmax S);  P = 2^(S - m');  l = 2^(m - m') l + rowsum P;  O = 2^(m - m') O + P V
//
// A band is short, so that what happens once a workgroup counts: Q is brought into workgroup memory once, whole and scaled,
// and stays there over all steps. That takes 8 KiB, for 32 queries of up to 64 numbers or 16 of up to 128.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys 4x..4x+3, and
// of the output the vec4 columns x, x+8, x+16 and x+24.

override TILE_M: u32 = 32; // queries per workgroup: 32 where headDim is at most 64, 16 where it is at most 128
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, at most 128
  head_dim_v: u32, // a multiple of 4
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

// Q [TILE_M, headDim in whole slices], 8 KiB.
var<workgroup> queries: array<vec4<f32>, 512>;
// K by slices [TILE_N, 32 of headDim], then V by parts of a step [keys, columns], 4 KiB.
var<workgroup> rows: array<vec4<f32>, 256>;
// First the part that each of 8 invocations has in the maximum (or sum) of 4 queries, [TILE_M / 4, 8]; then the weights
// P [TILE_M, TILE_N]. 4 KiB at most.
var<workgroup> weights: array<vec4<f32>, TILE_M * LANES>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;
// Stands for -infinity in lse.
const MINUS_INFINITY = -3.4e38;

// How far to the right of its own position a query sees; negative means to the end.
fn right_reach() -> i32 {
  return select(params.window_right, 0, params.causal != 0u);
}

// The queries are the last seqlen of the seqlenK positions.
fn position(query: u32) -> i32 {
  return i32(query) + i32(params.seqlen_k) - i32(params.seqlen);
}

// The band: the keys that at least one of the queries first..last sees, the end exclusive.
fn band(first: u32, last: u32) -> vec2<u32> {
  var begin = 0;
  var end = i32(params.seqlen_k);
  if (params.window_left >= 0) {
    begin = max(begin, position(first) - params.window_left);
  }
  if (right_reach() >= 0) {
    end = min(end, position(last) + right_reach() + 1);
  }
  return vec2(u32(begin), u32(max(end, 0)));
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

// queries = Q, times scale · log2(e). Rows and numbers past the end are zero.
fn load_queries(head_row: u32, first_query: u32, stride: u32, index: u32) {
  let width = params.head_dim / 4u;
  let factor = params.scale * LOG2_E;
  for (var e = index; e < TILE_M * stride; e += LANES * TILE_M / 4u) {
    let row = first_query + e / stride;
    let column = e % stride;
    var value = vec4(0.0);
    if (row < params.seqlen && column < width) {
      value = factor * q[(head_row + row) * width + column];
    }
    queries[e] = value;
  }
}

// Place of vec4 `column` of a key in a slice. Neighbouring blocks of 4 keys have their columns in another order, so that the 8
// invocations that read the same column of 8 blocks meet 8 different groups of memory banks.
fn place(key: u32, column: u32) -> u32 {
  return SLICE * key + (column ^ (key / 4u));
}

// rows = one slice of TILE_N keys. Keys and numbers past the end are zero.
fn load_keys(kv_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N * SLICE; e += LANES * TILE_M / 4u) {
    let key = first_key + e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (key < params.seqlen_k && column < width) {
      value = k[(kv_row + key) * width + column];
    }
    rows[place(e / SLICE, e % SLICE)] = value;
  }
}

// rows = `count` values, `columns` · 8 vec4s of each. Rows and numbers past the end are zero.
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
    rows[e] = value;
  }
}

// scores[i] += Q slice · Kᵀ slice for query 4y+i and the keys 4x..4x+3.
fn multiply_keys(scores: ptr<function, array<vec4<f32>, 4>>, slice: u32, stride: u32, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let k0 = rows[place(4u * lane.x, d)];
    let k1 = rows[place(4u * lane.x + 1u, d)];
    let k2 = rows[place(4u * lane.x + 2u, d)];
    let k3 = rows[place(4u * lane.x + 3u, d)];
    let keys = transpose(mat4x4(k0, k1, k2, k3));
    for (var i = 0u; i < 4u; i++) {
      let query = queries[(4u * lane.y + i) * stride + slice + d];
      var sum = (*scores)[i];
      sum += query.x * keys[0];
      sum += query.y * keys[1];
      sum += query.z * keys[2];
      sum += query.w * keys[3];
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
    let w0 = weights[4u * lane.y * LANES + (first + n) / 4u];
    let w1 = weights[(4u * lane.y + 1u) * LANES + (first + n) / 4u];
    let w2 = weights[(4u * lane.y + 2u) * LANES + (first + n) / 4u];
    let w3 = weights[(4u * lane.y + 3u) * LANES + (first + n) / 4u];
    let p = array<vec4<f32>, 4>(w0, w1, w2, w3);
    for (var c = 0u; c < COLUMNS; c++) {
      if (c < columns) {
        let at = n * stride + LANES * c + lane.x;
        let v0 = rows[at];
        let v1 = rows[at + stride];
        let v2 = rows[at + 2u * stride];
        let v3 = rows[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += p[i].x * v0;
          sum += p[i].y * v1;
          sum += p[i].z * v2;
          sum += p[i].w * v3;
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
  // Without a window the last queries of a causal mask see the most keys: they go first.
  let first_query = (groups.x - 1u - group.x) * TILE_M;
  let last_query = min(first_query + TILE_M, params.seqlen) - 1u;
  let head = group.y % params.heads;
  let head_row = (group.z * params.heads + head) * params.seqlen;
  // Grouped queries: heads / headsKv neighbouring query heads share one head of keys and values.
  let kv_head = head / (params.heads / params.heads_kv);
  let kv_row = (group.z * params.heads_kv + kv_head) * params.seqlen_k;
  // vec4s of a query in whole slices.
  let stride = (params.head_dim / 4u + SLICE - 1u) / SLICE * SLICE;
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_max = vec4(MASKED); // m of the queries 4y..4y+3
  var row_sum = vec4(0.0); // this invocation's part of l

  load_queries(head_row, first_query, stride, index);
  let range = band(first_query, last_query);
  for (var first_key = range.x; first_key < range.y; first_key += TILE_N) {
    // S = Q Kᵀ
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < stride; slice += SLICE) {
      load_keys(kv_row, first_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, slice, stride, lane);
      workgroupBarrier();
    }
    if (!sees_whole_step(first_query, last_query, first_key)) {
      for (var i = 0u; i < 4u; i++) {
        scores[i] = mask(scores[i], first_query + 4u * lane.y + i, first_key + 4u * lane.x);
      }
    }

    // m' = max(m, rowmax S): 8 invocations hold the scores of a query.
    var part = vec4(MASKED);
    for (var i = 0u; i < 4u; i++) {
      let pairs = max(scores[i].xy, scores[i].zw);
      part[i] = max(pairs.x, pairs.y);
    }
    weights[lane.y * LANES + lane.x] = part;
    workgroupBarrier();
    var new_max = row_max;
    for (var x = 0u; x < LANES; x++) {
      new_max = max(new_max, weights[lane.y * LANES + x]);
    }
    workgroupBarrier();
    let rescale = exp2(row_max - new_max);
    row_max = new_max;

    // P = 2^(S - m'), and what came before is brought to the new maximum. A masked key weighs nothing even where a
    // query has seen no other.
    row_sum *= rescale;
    for (var i = 0u; i < 4u; i++) {
      let p = select(exp2(scores[i] - row_max[i]), vec4(0.0), scores[i] <= vec4(MASKED));
      row_sum[i] += dot(p, vec4(1.0));
      weights[(4u * lane.y + i) * LANES + lane.x] = p;
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
  weights[lane.y * LANES + lane.x] = row_sum;
  workgroupBarrier();
  var sums = vec4(0.0);
  for (var x = 0u; x < LANES; x++) {
    sums += weights[lane.y * LANES + x];
  }
  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    // A query that saw no key has a sum of zero: output zero, log-sum-exp -infinity.
    let seen = sums[i] > 0.0;
    let sum = select(1.0, sums[i], seen);
    if (query < params.seqlen) {
      for (var c = 0u; c < COLUMNS; c++) {
        let column = first_column + LANES * c + lane.x;
        if (column < width_v) {
          o[(head_row + query) * width_v + column] = output[4u * c + i] / sum;
        }
      }
      if (lane.x == 0u && first_column == 0u) {
        lse[head_row + query] = select(MINUS_INFINITY, (row_max[i] + log2(sum)) * LN_2, seen);
      }
    }
  }
}
