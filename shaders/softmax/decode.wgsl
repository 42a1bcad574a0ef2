/*---
mechanism: softmax-attention
direction: decode
shape: { batch: 1, heads: 32, headsKv: 8, seqlen: 1, seqlenK: 4096, headDim: 128 }
limits: { headDim: 128, headDimV: 128 }
scratch:
  part_o: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT), headDimV]
  part_lse: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT)]
passes:
  - { entry: attend, workgroups: [ceil(seqlenK / SPLIT), headsKv * ceil(heads / headsKv * seqlen / 8), batch] }
  - { entry: merge, workgroups: [seqlen, heads, batch] }
tune:
  SPLIT: [64, 128, 256]
---*/

// Softmax attention, decoding: one new token, or the few of a draft, against a cache of keys and values. A layer has far
// fewer rows of queries than a GPU has processors, so that the keys are split instead (flash-decoding; Dao et al. 2023):
//
//   part p of the keys:   o_p = softmax(scale q K_pᵀ) V_p,  lse_p = log2 of the sum of its exponentials
//   merge:                M = max_p lse_p;  w_p = 2^(lse_p - M);  o = Σ w_p o_p / Σ w_p;  lse = M + log2 Σ w_p
//
// attend: a workgroup takes SPLIT keys of the cache and 8 rows, a row being one query of one head of a group: the heads of a
// group share the keys and values that are loaded ("packed GQA"). It walks over its keys 16 at a time, and a step is
//
//   S = Q Kᵀ                        one score for each invocation
//   m' = max(m, rowmax S)           the running maximum of each row
//   P = 2^(S - m')                  one weight for each invocation
//   l  = 2^(m - m') l + rowsum P    the running denominator
//   O  = 2^(m - m') O + P V         the running numerator, in registers
//
// Invocation (x, y) of the 16 × 8 owns row y, key x of each step, and of the output the vec4 columns x and x+16. A step reads
// its values from device memory together with its keys, and holds them in registers until the tile is free for them.

override SPLIT: u32 = 128; // keys of a workgroup, a multiple of 16
const KEYS = 16u; // keys per step, and invocations side by side along the columns of the output
const ROWS = 8u; // rows of a workgroup
const COLUMNS = 2u; // vec4s of the output per invocation and row at most: 16 × 2 × 4 = 128 numbers
const WIDTH = 32u; // vec4s of a key or a value at most: 128 numbers
const LOADS = 4u; // vec4s of a step's keys, and of its values, per invocation at most: 16 × 32 / 128

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32, // new tokens, the last of seqlen_k
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4 up to 128, as is head_dim_v
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
@group(0) @binding(4) var<storage, read_write> part_o: array<vec4<f32>>; // [batch, heads, seqlen, parts, headDimV]
@group(0) @binding(5) var<storage, read_write> part_lse: array<f32>; // [batch, heads, seqlen, parts]
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// Q, [ROWS, headDim].
var<workgroup> query_tile: array<vec4<f32>, ROWS * WIDTH>;
// The keys of a step, then its values.
var<workgroup> tile: array<vec4<f32>, KEYS * (WIDTH + 1u)>;
// The scores of a step, then its weights, [ROWS, KEYS] each.
var<workgroup> scores: array<f32, ROWS * KEYS>;
var<workgroup> weights: array<f32, ROWS * KEYS>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

// The keys [x, y) that a query sees. The queries are the last seqlen of the seqlenK positions.
fn visible_keys(query: u32) -> vec2<u32> {
  let count = i32(params.seqlen_k);
  let position = i32(query) + count - i32(params.seqlen);
  let right = select(params.window_right, 0, params.causal != 0u);
  let begin = select(0, max(position - params.window_left, 0), params.window_left >= 0);
  let end = select(count, clamp(position + right + 1, 0, count), right >= 0);
  return vec2(u32(begin), u32(end));
}

@compute @workgroup_size(16, 8)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let value_width = params.head_dim_v / 4u;
  // An odd distance between keys, so that 8 invocations that read 8 of them at a time use all memory banks.
  let stride = width | 1u;
  // Row r of a group is query r % seqlen of its query head r / seqlen.
  let group_size = params.heads / params.heads_kv;
  let rows = group_size * params.seqlen;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let kv_head = group.y / tiles;
  let first_row = group.y % tiles * ROWS;
  let row = first_row + lane.y;
  let first_query_row = (group.z * params.heads + kv_head * group_size) * params.seqlen + first_row;
  let cache = (group.z * params.heads_kv + kv_head) * params.seqlen_k;

  // Of its own keys, a workgroup walks over those that the first or the last query, or one between, can see.
  let begin = max(group.x * SPLIT, visible_keys(0u).x);
  let end = min(group.x * SPLIT + SPLIT, visible_keys(params.seqlen - 1u).y);
  let visible = select(vec2(0u), visible_keys(row % params.seqlen), row < rows);

  for (var e = index; e < ROWS * width; e += ROWS * KEYS) {
    var value = vec4(0.0);
    if (first_row + e / width < rows) {
      value = params.scale * LOG2_E * q[first_query_row * width + e];
    }
    query_tile[e] = value;
  }

  var row_max = MASKED;
  var row_sum = 0.0;
  var output = array<vec4<f32>, COLUMNS>();
  for (var first = begin; first < end; first += KEYS) {
    let count = min(KEYS, end - first);
    var values = array<vec4<f32>, LOADS>();
    for (var i = 0u; i < LOADS; i++) {
      let e = index + ROWS * KEYS * i;
      if (e < count * width) {
        tile[e / width * stride + e % width] = k[(cache + first) * width + e];
      }
      if (e < count * value_width) {
        values[i] = v[(cache + first) * value_width + e];
      }
    }
    workgroupBarrier();

    let key = first + lane.x;
    let seen = lane.x < count && key >= visible.x && key < visible.y;
    var score = MASKED;
    if (seen) {
      score = 0.0;
      for (var c = 0u; c < width; c++) {
        score += dot(query_tile[lane.y * width + c], tile[lane.x * stride + c]);
      }
    }
    scores[lane.y * KEYS + lane.x] = score;
    workgroupBarrier();

    for (var i = 0u; i < LOADS; i++) {
      let e = index + ROWS * KEYS * i;
      if (e < count * value_width) {
        tile[e] = values[i];
      }
    }
    // Until a row has seen a key, m' is MASKED and a hidden key would weigh 2^0, so hidden keys are left out by name.
    var new_max = row_max;
    for (var j = 0u; j < KEYS; j++) {
      new_max = max(new_max, scores[lane.y * KEYS + j]);
    }
    weights[lane.y * KEYS + lane.x] = select(0.0, exp2(score - new_max), seen);
    workgroupBarrier();

    let rescale = exp2(row_max - new_max);
    row_max = new_max;
    row_sum *= rescale;
    for (var i = 0u; i < COLUMNS; i++) {
      output[i] *= rescale;
    }
    for (var j = 0u; j < select(0u, count, row < rows); j++) {
      let weight = weights[lane.y * KEYS + j];
      row_sum += weight;
      for (var i = 0u; i < COLUMNS; i++) {
        let column = lane.x + KEYS * i;
        if (column < value_width) {
          output[i] += weight * tile[j * value_width + column];
        }
      }
    }
    workgroupBarrier();
  }

  // A part in which a row sees no key adds nothing to it: its log-sum-exp is MASKED.
  if (row < rows) {
    let parts = (params.seqlen_k + SPLIT - 1u) / SPLIT;
    let part_row = (first_query_row + lane.y) * parts + group.x;
    let sees = row_sum > 0.0;
    for (var i = 0u; i < COLUMNS; i++) {
      let column = lane.x + KEYS * i;
      if (column < value_width) {
        part_o[part_row * value_width + column] = output[i] / select(1.0, row_sum, sees);
      }
    }
    if (lane.x == 0u) {
      part_lse[part_row] = select(MASKED, row_max + log2(select(1.0, row_sum, sees)), sees);
    }
  }
}

@compute @workgroup_size(32)
fn merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let value_width = params.head_dim_v / 4u;
  let parts = (params.seqlen_k + SPLIT - 1u) / SPLIT;
  let query_row = (group.z * params.heads + group.y) * params.seqlen + group.x;

  var top = MASKED;
  for (var p = 0u; p < parts; p++) {
    top = max(top, part_lse[query_row * parts + p]);
  }
  let seen = top > MASKED;
  var weight_sum = 0.0;
  var sum = vec4(0.0);
  for (var p = 0u; p < parts; p++) {
    let part_row = query_row * parts + p;
    let weight = exp2(part_lse[part_row] - top);
    weight_sum += weight;
    if (column < value_width) {
      sum += weight * part_o[part_row * value_width + column];
    }
  }
  if (column < value_width) {
    o[query_row * value_width + column] = select(vec4(0.0), sum / weight_sum, seen);
  }
  if (column == 0u) {
    lse[query_row] = select(MASKED, (top + log2(weight_sum)) * LN_2, seen);
  }
}
