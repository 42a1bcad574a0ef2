/*---
mechanism: memory-mosaic
direction: decode
shape: { batch: 1, heads: 8, seqlen: 1, seqlenK: 4096, headDim: 64 }
limits: { headDim: 256, headDimV: 256 }
scratch:
  queries: f32[batch, heads, seqlen, headDim]
  partial: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT), headDimV]
  parts: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT), 2]
passes:
  - { entry: append_keys, workgroups: [1, heads, batch] }
  - { entry: append_values, workgroups: [seqlen, heads, batch] }
  - { entry: attend_split, workgroups: [ceil(seqlenK / SPLIT), heads * ceil(seqlen / 4), batch] }
  - { entry: merge_splits, workgroups: [seqlen, heads, batch] }
tune:
  SPLIT: [64, 128, 256]
---*/

// One step of a Memory Mosaic's context memory (Zhang et al. 2024), for one token or the few of a draft. A token's pair is
// finished only by the next token, at whose value its own looks ahead, so that a step first ends the pair before it:
//
//   V̂ of the token before = τ · normed((1 - c) v + c v_last)        goes to the cache with its key K̂
//   K̄ ← e^(-leak) K̄ + k, K̂ = σ · normed(K̄)                         the query of this token, and the key of its pair
//   O = softmax(K̂ · cached keys) cached values
//
// Four passes:
//
//   append_keys     queries, and the keys of the pairs they end
//   append_values   the values of those pairs
//   attend_split    for SPLIT pairs of the cache and four queries: their maximum, sum and weighed values
//   merge_splits    O, from the parts of all splits
//
// The cache is split because one workgroup for each head would leave most of a GPU idle. A workgroup reads each key and
// each value of its split once, for four queries, which it keeps side by side in the lanes of a vec4.

override SPLIT: u32 = 128; // pairs per workgroup, a multiple of STEP
const STEP = 64u; // keys whose scores are summed at a time, and invocations per workgroup
const LANES = 8u; // invocations side by side along a key

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  seqlen_k: u32, // tokens in all
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
// leak, mix, key_scale and value_scale of the heads, a buffer for each.
@group(0) @binding(3) var<storage, read> leak: array<f32>;
@group(0) @binding(4) var<storage, read> mix: array<f32>;
@group(0) @binding(5) var<storage, read> key_scale: array<f32>;
@group(0) @binding(6) var<storage, read> value_scale: array<f32>;
@group(0) @binding(7) var<storage, read> k_bar0: array<vec4<f32>>; // [batch, heads, headDim]
@group(0) @binding(8) var<storage, read> v_last: array<vec4<f32>>; // [batch, heads, headDimV]
@group(0) @binding(9) var<storage, read> k_cache: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(10) var<storage, read> v_cache: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(11) var<storage, read_write> k_hat: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(12) var<storage, read_write> v_hat: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(13) var<storage, read_write> k_bar: array<vec4<f32>>; // [batch, heads, headDim]
@group(0) @binding(14) var<storage, read_write> queries: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(15) var<storage, read_write> partial: array<vec4<f32>>; // [batch, heads, seqlen, splits, headDimV]
@group(0) @binding(16) var<storage, read_write> parts: array<vec2<f32>>; // maximum and sum of each split
@group(0) @binding(17) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]

const LOG2_E = 1.4426950408889634;
// The score of a pair that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

fn split_count() -> u32 {
  return (params.seqlen_k + SPLIT - 1u) / SPLIT;
}

// --- Queries and pairs ---

// What the invocations contribute to a sum or a maximum of all of them, one each; in `attend_split` also to the scores of STEP
// keys, LANES each, and to the weighed values of the four queries.
var<workgroup> lane_parts: array<vec4<f32>, STEP * LANES>;

// The sum of the workgroup's parts, for all of them.
fn sum_of(part: vec4<f32>, index: u32) -> vec4<f32> {
  lane_parts[index] = part;
  workgroupBarrier();
  for (var half = STEP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      lane_parts[index] += lane_parts[index + half];
    }
    workgroupBarrier();
  }
  let sum = lane_parts[0];
  workgroupBarrier();
  return sum;
}

// Likewise their maximum.
fn maximum_of(part: vec4<f32>, index: u32) -> vec4<f32> {
  lane_parts[index] = part;
  workgroupBarrier();
  for (var half = STEP / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      lane_parts[index] = max(lane_parts[index], lane_parts[index + half]);
    }
    workgroupBarrier();
  }
  let maximum = lane_parts[0];
  workgroupBarrier();
  return maximum;
}

// scale / (‖x‖ + eps) of a row of which each invocation has a vec4, or zeros.
fn row_factor(numbers: vec4<f32>, scale: f32, index: u32) -> f32 {
  let squares = sum_of(numbers * numbers, index);
  return scale / (sqrt(dot(squares, vec4(1.0))) + params.eps);
}

// One invocation per vec4 of headDim.
@compute @workgroup_size(STEP)
fn append_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let width = params.head_dim / 4u;
  let batch_head = group.z * params.heads + group.y;
  let kept = exp(-leak[group.y]);
  let inside = column < width;

  var average = vec4(0.0);
  if (inside) {
    average = k_bar0[batch_head * width + column];
  }
  // A token's key is that of its own pair, which only the next token ends: the first pair has the key from before.
  var key = row_factor(average, key_scale[group.y], column) * average;
  for (var t = 0u; t < params.seqlen; t++) {
    let at = (batch_head * params.seqlen + t) * width + column;
    if (inside) {
      k_hat[at] = key;
      average = kept * average + k[at];
    }
    key = row_factor(average, key_scale[group.y], column) * average;
    if (inside) {
      queries[at] = key;
    }
  }
  if (inside) {
    k_bar[batch_head * width + column] = average;
  }
}

// One workgroup per pair, one invocation per vec4 of headDimV.
@compute @workgroup_size(STEP)
fn append_values(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let width = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y;
  let row = batch_head * params.seqlen + group.x;
  let inside = column < width;

  var value = vec4(0.0);
  if (inside) {
    var own = v_last[batch_head * width + column];
    if (group.x > 0u) {
      own = v[(row - 1u) * width + column];
    }
    value = mix[group.y] * own + (1.0 - mix[group.y]) * v[row * width + column];
  }
  let factor = row_factor(value, value_scale[group.y], column);
  if (inside) {
    v_hat[row * width + column] = factor * value;
  }
}

// --- One split of the pairs ---

const GROUP = 4u; // queries of a workgroup
const WIDEST = 64u; // vec4s of a row at most

// Number d of the four queries, with the four numbers of a vec4 WIDEST apart, so that neighbours read neighbours.
var<workgroup> query_lanes: array<vec4<f32>, 4 * WIDEST>;
var<workgroup> weights: array<vec4<f32>, SPLIT>; // scores of a pair with the four queries, then its weights

// The pairs finished before the new tokens stand in the cache, the others were appended just now.
fn cached_pairs() -> u32 {
  let before = params.seqlen_k - params.seqlen;
  return max(before, 1u) - 1u;
}

// Row of the appended pairs that holds pair j. Before the first token of all there is no pair to end: row 0 is none then.
fn appended_row(batch_head: u32, j: u32) -> u32 {
  let none = u32(params.seqlen_k == params.seqlen);
  return batch_head * params.seqlen + j - cached_pairs() + none;
}

fn key_numbers(batch_head: u32, j: u32, column: u32) -> vec4<f32> {
  let width = params.head_dim / 4u;
  if (j < cached_pairs()) {
    return k_cache[(batch_head * params.seqlen_k + j) * width + column];
  }
  return k_hat[appended_row(batch_head, j) * width + column];
}

fn value_numbers(batch_head: u32, j: u32, column: u32) -> vec4<f32> {
  let width = params.head_dim_v / 4u;
  if (j < cached_pairs()) {
    return v_cache[(batch_head * params.seqlen_k + j) * width + column];
  }
  return v_hat[appended_row(batch_head, j) * width + column];
}

// Where a key's part of one of 8 invocations stands. Eight neighbouring keys begin with another of their parts each, so that
// the invocations that add them up read from all memory banks.
fn part_place(key: u32, lane: u32) -> u32 {
  return key * LANES + (lane ^ (key % LANES));
}

// Invocation x of 8 neighbours has the vec4s x, x+8, .. of a key, and workgroups of 64 have 8 keys at a time.
@compute @workgroup_size(STEP)
fn attend_split(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_query = group.y / params.heads * GROUP;
  // Query i stands at token seqlenK - seqlen + i and sees the pairs of all tokens before it.
  let place = vec4(params.seqlen_k - params.seqlen + first_query) + vec4(0u, 1u, 2u, 3u);
  let first = group.x * SPLIT;
  let end = min(first + SPLIT, params.seqlen_k - 1u);

  for (var d = index; d < params.head_dim; d += STEP) {
    var numbers = vec4(0.0);
    for (var i = 0u; i < GROUP; i++) {
      if (first_query + i < params.seqlen) {
        let query = batch_head * params.seqlen + first_query + i;
        numbers[i] = LOG2_E * queries[query * width + d / 4u][d % 4u];
      }
    }
    query_lanes[d % 4u * WIDEST + d / 4u] = numbers;
  }
  workgroupBarrier();

  for (var step = 0u; step < SPLIT; step += STEP) {
    for (var n = 0u; n < LANES; n++) {
      let row = n * (STEP / LANES) + index / LANES;
      let j = first + step + row;
      var part = vec4(0.0);
      if (j < end) {
        for (var column = index % LANES; column < width; column += LANES) {
          let key = key_numbers(batch_head, j, column);
          part += key.x * query_lanes[column];
          part += key.y * query_lanes[WIDEST + column];
          part += key.z * query_lanes[2u * WIDEST + column];
          part += key.w * query_lanes[3u * WIDEST + column];
        }
      }
      lane_parts[part_place(row, index % LANES)] = part;
    }
    workgroupBarrier();
    let j = first + step + index;
    var scores = vec4(0.0);
    for (var x = 0u; x < LANES; x++) {
      scores += lane_parts[part_place(index, x)];
    }
    weights[step + index] = select(vec4(MASKED), scores, (vec4(j) < place) & vec4(j < end));
    workgroupBarrier();
  }

  var maximum = vec4(MASKED);
  for (var row = index; row < SPLIT; row += STEP) {
    maximum = max(maximum, weights[row]);
  }
  maximum = maximum_of(maximum, index);
  var sum = vec4(0.0);
  for (var row = index; row < SPLIT; row += STEP) {
    // A masked pair weighs nothing even where a query sees none of this split.
    let scores = weights[row];
    let powers = select(exp2(scores - maximum), vec4(0.0), scores <= vec4(MASKED));
    weights[row] = powers;
    sum += powers;
  }
  sum = sum_of(sum, index);

  // Invocations side by side along the values, as many rows of them as fit; each has every so manyth pair.
  let rows = STEP / width_v;
  let column = index % width_v;
  var sums = mat4x4<f32>(); // of the four queries
  if (index < rows * width_v) {
    for (var j = first + index / width_v; j < end; j += rows) {
      let value = value_numbers(batch_head, j, column);
      let weight = weights[j - first];
      sums[0] += weight.x * value;
      sums[1] += weight.y * value;
      sums[2] += weight.z * value;
      sums[3] += weight.w * value;
    }
  }
  for (var i = 0u; i < GROUP; i++) {
    lane_parts[i * STEP + index] = sums[i];
  }
  workgroupBarrier();
  // One query after the other: the rows of an invocation's column.
  for (var e = index; e < GROUP * width_v; e += STEP) {
    let i = e / width_v;
    if (first_query + i < params.seqlen) {
      var total = vec4(0.0);
      for (var row = 0u; row < rows; row++) {
        total += lane_parts[i * STEP + row * width_v + e % width_v];
      }
      let at = (batch_head * params.seqlen + first_query + i) * split_count() + group.x;
      partial[at * width_v + e % width_v] = total;
      if (e % width_v == 0u) {
        parts[at] = vec2(maximum[i], sum[i]);
      }
    }
  }
}

// --- All of them ---

// One workgroup per query, one invocation per vec4 of headDimV.
@compute @workgroup_size(STEP)
fn merge_splits(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let width = params.head_dim_v / 4u;
  if (column >= width) {
    return;
  }
  let row = (group.z * params.heads + group.y) * params.seqlen + group.x;
  let first = row * split_count();
  var maximum = MASKED;
  for (var split = 0u; split < split_count(); split++) {
    maximum = max(maximum, parts[first + split].x);
  }
  var sum = 0.0;
  var numerator = vec4(0.0);
  for (var split = 0u; split < split_count(); split++) {
    let part = parts[first + split];
    let rescale = exp2(part.x - maximum);
    sum += rescale * part.y;
    numerator += rescale * partial[(first + split) * width + column];
  }
  // The first token of all sees no pair.
  o[row * width + column] = numerator / select(1.0, sum, sum > 0.0);
}
