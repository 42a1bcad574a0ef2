/*---
mechanism: diag-attention
shape: { batch: 1, heads: 8, seqlen: 2048, headDim: 64 }
options: { block: 64 }
passes:
  - entry: attend
    workgroups: [ceil(seqlen / block) * ceil(min(block, seqlen) / TILE_M), heads * ceil(headDimV / 128), batch]
tune:
  TILE_M: [16, 32, 64]
---*/

// DiagAttention of TransNormer (Qin et al. 2022): softmax attention inside blocks of tokens that do not overlap, so that
// the matrix of scores is block-diagonal and time linear in seqlen. The first half of TransNormer's layers look at their
// neighbourhood this way and leave the rest of the sequence to NormAttention, in norm-attention.wgsl.
//
// A workgroup owns up to TILE_M queries of one block and walks over the block's keys, TILE_N at a time, as flash
// attention does over all of them:
//
//   S = Q Kᵀ                        scores of this step, in registers
//   m' = max(m, rowmax S)           the running maximum of each query
//   P = 2^(S - m')                  weights of this step, through workgroup memory
//   l  = 2^(m - m') l + rowsum P    the running denominator
//   O  = 2^(m - m') O + P V         the running numerator, in registers
//
// and divides O by l once at the end. The scale of the scores and log2(e) are folded into Q. Tiles never reach across a
// block, whatever its size: no product of two blocks is formed, and the mask is left with the causal triangle and the end
// of the block.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys 4x..4x+3, and
// of the output the vec4 columns x, x+8, x+16 and x+24. Both products read their left operand from left_tile and their
// right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override TILE_M: u32 = 64; // queries per workgroup, a multiple of 4; more than a block are of no use
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  causal: u32,
  block: u32, // tokens of a block; the last one may be shorter
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
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

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// Scores of one query for the keys from `key` on, with MASKED where it must not look: from `end_key` on, where the next
// block begins, and where causal after the query.
fn mask(scores: vec4<f32>, query: u32, key: u32, end_key: u32) -> vec4<f32> {
  let keys = vec4(key) + vec4(0u, 1u, 2u, 3u);
  let ahead = (keys > vec4(query)) & vec4(params.causal != 0u);
  return select(scores, vec4(MASKED), ahead | (keys >= vec4(end_key)));
}

// left_tile = one slice of Q, times scale · log2(e). Rows from `end_query` on are zero.
fn load_queries(head_row: u32, first_query: u32, end_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  let factor = params.scale * LOG2_E;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < end_query && column < width) {
      value = factor * q[(head_row + first_query + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of K, transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys. Keys from
// `end_key` on are zero.
fn load_keys(head_row: u32, first_key: u32, end_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let quad = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * quad + j;
      if (key < end_key && column < width) {
        keys[j] = k[(head_row + key) * width + column];
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, quad)] = numbers[d];
    }
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Keys from `end_key` on are zero.
fn load_values(
  head_row: u32,
  first_key: u32,
  end_key: u32,
  count: u32,
  first_column: u32,
  columns: u32,
  index: u32,
) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < end_key && column < width) {
      value = v[(head_row + key) * width + column];
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
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  // The tiles of the first block, then those of the next. Of a short last block some have no queries.
  let tiles = (min(params.block, params.seqlen) + TILE_M - 1u) / TILE_M;
  let first_of_block = group.x / tiles * params.block;
  let end_of_block = min(first_of_block + params.block, params.seqlen);
  let first_query = first_of_block + group.x % tiles * TILE_M;
  if (first_query >= end_of_block) {
    return;
  }
  let end_query = min(first_query + TILE_M, end_of_block);
  let end_key = select(end_of_block, end_query, params.causal != 0u);
  let head = group.y % params.heads;
  let head_row = (group.z * params.heads + head) * params.seqlen;
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_max = vec4(MASKED); // m of the queries 4y..4y+3
  var row_sum = vec4(0.0); // this invocation's part of l

  for (var first_key = first_of_block; first_key < end_key; first_key += TILE_N) {
    // S = Q Kᵀ
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(head_row, first_query, end_query, slice, index);
      load_keys(head_row, first_key, end_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }
    // A step that lies in the block, and where causal before the tile, needs no mask.
    let last_key = first_key + TILE_N - 1u;
    if (last_key >= end_key || (params.causal != 0u && last_key > first_query)) {
      for (var i = 0u; i < 4u; i++) {
        scores[i] = mask(scores[i], first_query + 4u * lane.y + i, first_key + 4u * lane.x, end_key);
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

    // P = 2^(S - m'), and what came before is brought to the new maximum. Every query sees the first key of its block, so
    // from the first step on m' is a score, and a masked key weighs 2^(MASKED - m') = 0.
    row_sum *= rescale;
    for (var i = 0u; i < 4u; i++) {
      let weights = exp2(scores[i] - row_max[i]);
      row_sum[i] += dot(weights, vec4(1.0));
      left_tile[place(4u * lane.y + i, lane.x)] = weights;
      for (var c = 0u; c < COLUMNS; c++) {
        output[4u * c + i] *= rescale[i];
      }
    }

    // O += P V
    for (var first = 0u; first < TILE_N; first += keys_per_load) {
      load_values(head_row, first_key + first, end_key, keys_per_load, first_column, columns, index);
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
    if (query < end_query) {
      for (var c = 0u; c < COLUMNS; c++) {
        let column = first_column + LANES * c + lane.x;
        if (column < width_v) {
          o[(head_row + query) * width_v + column] = output[4u * c + i] / sum;
        }
      }
      if (lane.x == 0u && first_column == 0u) {
        lse[head_row + query] = (row_max[i] + log2(sum)) * LN_2;
      }
    }
  }
}
