/*---
mechanism: grouped-tied-attention
direction: decode
shape: { batch: 1, heads: 16, headsKv: 4, seqlen: 1, seqlenK: 2048, headDim: 128 }
limits: { headDim: 128, ropeDim: 64 }
dtype: { q: f16, kv: f16, k_rope: f16, o: f16 }
scratch:
  part_o: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT), headDim]
  part_lse: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT)]
passes:
  - { entry: attend, workgroups: [ceil(seqlenK / SPLIT), headsKv * ceil(heads / headsKv * seqlen / 4), batch] }
  - { entry: merge, workgroups: [seqlen, heads, batch] }
tune:
  SPLIT: [32, 64, 128]
---*/

// Grouped-Tied Attention (Zadouri, Strauss, Dao 2025), decoding from a cache in f16: what decode.wgsl does, moving half the
// bytes, three eighths of what grouped-query attention moves in f32. A tied state is rounded once, when it enters the cache, so
// that no error grows with the tokens. Numbers are packed in pairs, two to a u32, so that no device feature is needed; all
// sums, the parts of an output and its lse are f32.
//
//   value_j = kv_j                                    all headDim channels
//   key_j   = [kv_j[..headDim - ropeDim] ‖ k_rope_j]  the unrotated channels are the value's own
//   o       = softmax(scale q keyᵀ) value
//
// attend: a workgroup takes SPLIT keys of the cache and 4 rows, a row being one query of one head of a group. It walks over
// its keys 32 at a time, twice as many as in f32, so that as many bytes are on their way at once. A row of the tile is
// [kv ‖ k_rope] of one token, packed as in the cache: its key is the row without the middle, and its value is the row without
// the end. Invocation (x, y) of the 32 × 4 owns the score and the weight of row y and key x of a step, and of the output of row
// y the vec4 column x.
//
// merge: each part has its own maximum. With the log-sum-exp of each part, in base 2 here,
//   M = max_p lse_p;  w_p = 2^(lse_p - M);  o = Σ w_p o_p / Σ w_p;  lse = M + log2 Σ w_p

override SPLIT: u32 = 64; // keys of a workgroup, a multiple of 32
const KEYS = 32u; // keys per step, and invocations side by side, a vec4 column of the output each: 32 × 4 = 128 numbers
const ROWS = 4u; // rows of a workgroup

struct Params {
  heads: u32,
  heads_kv: u32, // tied heads
  seqlen: u32, // new tokens, the last of seqlen_k
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, at most 128
  rope_dim: u32, // a multiple of 4, at most 64
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> kv: array<vec2<u32>>; // fours of [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> k_rope: array<vec2<u32>>; // fours of [batch, seqlenK, ropeDim]
@group(0) @binding(4) var<storage, read_write> part_o: array<vec4<f32>>; // [batch, heads, seqlen, parts, headDim]
@group(0) @binding(5) var<storage, read_write> part_lse: array<f32>; // [batch, heads, seqlen, parts]
@group(0) @binding(6) var<storage, read_write> o: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDim]
@group(0) @binding(7) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// [kv ‖ k_rope] of the tokens of a step, packed, at most 192 numbers each. An odd number of fours from row to row spreads the
// keys that are read at once over all memory banks.
var<workgroup> tied: array<vec2<u32>, KEYS * 49>;
// The queries of the workgroup, [ROWS, headDim].
var<workgroup> queries: array<vec4<f32>, ROWS * KEYS>;
// The scores of a step, then its weights, [ROWS, KEYS] each.
var<workgroup> scores: array<f32, ROWS * KEYS>;
var<workgroup> weights: array<f32, ROWS * KEYS>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

// Four numbers from two packed pairs, and back.
fn unpack(pairs: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}

fn pack(numbers: vec4<f32>) -> vec2<u32> {
  return vec2(pack2x16float(numbers.xy), pack2x16float(numbers.zw));
}

@compute @workgroup_size(32, 4)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
  let width = params.head_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  let stride = (width + rope_width) | 1u;
  // Row r of a group is query r % seqlen of its query head r / seqlen.
  let group_size = params.heads / params.heads_kv;
  let rows = group_size * params.seqlen;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let tied_head = group.y / tiles;
  let row = group.y % tiles * ROWS + lane.y;
  let query_row = (group.z * params.heads + tied_head * group_size) * params.seqlen + row;
  let first_tied = (group.z * params.heads_kv + tied_head) * params.seqlen_k;
  let first_rope = group.z * params.seqlen_k;
  let parts = (params.seqlen_k + SPLIT - 1u) / SPLIT;
  let first_key = group.x * SPLIT;
  let end_key = min(first_key + SPLIT, params.seqlen_k);
  // Where causal, query i of the last seqlen positions sees the keys below i + 1 + seqlen_k - seqlen, if there are any.
  let before = row % params.seqlen + 1u + params.seqlen_k;
  let visible = select(params.seqlen_k, max(before, params.seqlen) - params.seqlen, params.causal != 0u);

  var query = vec4(0.0);
  if (row < rows && lane.x < width) {
    query = params.scale * LOG2_E * unpack(q[query_row * width + lane.x]);
  }
  queries[lane.y * KEYS + lane.x] = query;

  var output = vec4(0.0);
  var row_max = MASKED;
  var row_sum = 0.0; // this invocation's part
  for (var first = first_key; first < end_key; first += KEYS) {
    // Tokens past the end are zero: their score is masked, and their value weighs nothing.
    for (var j = lane.y; j < KEYS; j += ROWS) {
      let exists = first + j < end_key;
      if (lane.x < width) {
        var numbers = vec2(0u);
        if (exists) {
          numbers = kv[(first_tied + first + j) * width + lane.x];
        }
        tied[j * stride + lane.x] = numbers;
      }
      if (lane.x < rope_width) {
        var numbers = vec2(0u);
        if (exists) {
          numbers = k_rope[(first_rope + first + j) * rope_width + lane.x];
        }
        tied[j * stride + width + lane.x] = numbers;
      }
    }
    workgroupBarrier();

    // The tied rows as keys: the last rope_width columns of a key stand after the value.
    var score = 0.0;
    for (var column = 0u; column < width - rope_width; column++) {
      score += dot(queries[lane.y * KEYS + column], unpack(tied[lane.x * stride + column]));
    }
    for (var column = width - rope_width; column < width; column++) {
      score += dot(queries[lane.y * KEYS + column], unpack(tied[lane.x * stride + rope_width + column]));
    }
    score = select(MASKED, score, first + lane.x < min(visible, end_key));
    scores[lane.y * KEYS + lane.x] = score;
    workgroupBarrier();

    // m' = max(m, max s), and what came before is brought to it.
    var new_max = row_max;
    for (var j = 0u; j < KEYS; j++) {
      new_max = max(new_max, scores[lane.y * KEYS + j]);
    }
    let rescale = exp2(row_max - new_max);
    row_max = new_max;
    // A masked key weighs nothing even where a query has seen no other.
    let weight = select(exp2(score - row_max), 0.0, score <= MASKED);
    weights[lane.y * KEYS + lane.x] = weight;
    row_sum = rescale * row_sum + weight;
    output *= rescale;
    workgroupBarrier();

    // The same rows as values.
    if (lane.x < width) {
      for (var j = 0u; j < KEYS; j++) {
        output += weights[lane.y * KEYS + j] * unpack(tied[j * stride + lane.x]);
      }
    }
    workgroupBarrier();
  }

  // The denominator of a row is the sum over its 32 invocations.
  scores[lane.y * KEYS + lane.x] = row_sum;
  workgroupBarrier();
  var sum = 0.0;
  for (var x = 0u; x < KEYS; x++) {
    sum += scores[lane.y * KEYS + x];
  }

  // A part in which a row sees no key adds nothing to it: its log-sum-exp is MASKED.
  if (row < rows) {
    let part_row = query_row * parts + group.x;
    let seen = sum > 0.0;
    let divisor = select(1.0, sum, seen);
    if (lane.x < width) {
      part_o[part_row * width + lane.x] = output / divisor;
    }
    if (lane.x == 0u) {
      part_lse[part_row] = select(MASKED, row_max + log2(divisor), seen);
    }
  }
}

@compute @workgroup_size(32)
fn merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let width = params.head_dim / 4u;
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
    if (column < width) {
      sum += weight * part_o[part_row * width + column];
    }
  }
  if (column < width) {
    o[query_row * width + column] = pack(select(vec4(0.0), sum / weight_sum, seen));
  }
  if (column == 0u) {
    lse[query_row] = select(MASKED, (top + log2(weight_sum)) * LN_2, seen);
  }
}
