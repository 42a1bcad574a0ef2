/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 8, seqlen: 512, headDim: 64 }
scratch:
  scores: f32[batch, heads, seqlen, seqlenK]
passes:
  - { entry: multiply_queries_keys, workgroups: [ceil(seqlenK / 16), ceil(seqlen / 16), batch * heads] }
  - { entry: softmax_rows, workgroups: [ceil(seqlen / 64), heads, batch] }
  - { entry: multiply_weights_values, workgroups: [ceil(headDimV / 32), ceil(seqlen / 8), batch * heads] }
---*/

// Softmax attention as the textbook writes it, one pass a line:
//
//   S = scale · Q Kᵀ        multiply_queries_keys
//   P = softmax(S)          softmax_rows, in place
//   O = P V                 multiply_weights_values
//
// Every pass reads or writes all seqlen × seqlenK scores in device memory. That traffic is what the flash kernel
// beside this one does away with; nothing here is tiled, so that the mathematics stays in plain sight.

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
@group(0) @binding(6) var<storage, read_write> scores: array<f32>; // [batch, heads, seqlen, seqlenK]

// Stands for -infinity in lse: WGSL promises nothing about arithmetic that produces a real one.
const MINUS_INFINITY = -3.4e38;
// Below every score that can occur; the running maximum starts here.
const LOWEST = -1.0e30;

// The queries are the last seqlen of the seqlenK positions, so that query i stands at position i + seqlenK - seqlen.
fn is_visible(i: u32, j: u32) -> bool {
  let position = i32(i) + i32(params.seqlen_k) - i32(params.seqlen);
  let distance = i32(j) - position; // > 0: the key lies ahead of the query
  let right = select(params.window_right, 0, params.causal != 0u);
  return (right < 0 || distance <= right) && (params.window_left < 0 || -distance <= params.window_left);
}

// Grouped queries: heads / headsKv neighbouring query heads share one head of keys and values.
fn kv_head(batch_head: u32) -> u32 {
  let batch = batch_head / params.heads;
  let head = batch_head % params.heads;
  return batch * params.heads_kv + head / (params.heads / params.heads_kv);
}

// One invocation per score. Scores of keys that a query must not see are left out: the softmax does not look at them.
@compute @workgroup_size(16, 16)
fn multiply_queries_keys(@builtin(global_invocation_id) id: vec3<u32>) {
  let j = id.x;
  let i = id.y;
  if (i >= params.seqlen || j >= params.seqlen_k || !is_visible(i, j)) {
    return;
  }
  let width = params.head_dim / 4u;
  let query = (id.z * params.seqlen + i) * width;
  let key = (kv_head(id.z) * params.seqlen_k + j) * width;
  var sum = 0.0;
  for (var d = 0u; d < width; d++) {
    sum += dot(q[query + d], k[key + d]);
  }
  scores[(id.z * params.seqlen + i) * params.seqlen_k + j] = params.scale * sum;
}

// One invocation per query row. Subtracting the row's maximum keeps every exponent at or below zero.
@compute @workgroup_size(64)
fn softmax_rows(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  if (i >= params.seqlen) {
    return;
  }
  let row = (id.z * params.heads + id.y) * params.seqlen + i;
  let first = row * params.seqlen_k;

  var row_max = LOWEST;
  for (var j = 0u; j < params.seqlen_k; j++) {
    if (is_visible(i, j)) {
      row_max = max(row_max, scores[first + j]);
    }
  }

  var row_sum = 0.0;
  for (var j = 0u; j < params.seqlen_k; j++) {
    var weight = 0.0;
    if (is_visible(i, j)) {
      weight = exp(scores[first + j] - row_max);
    }
    scores[first + j] = weight;
    row_sum += weight;
  }

  // A query that sees no key has weights of zero throughout: its output is zero and its log-sum-exp -infinity.
  if (row_sum == 0.0) {
    lse[row] = MINUS_INFINITY;
    return;
  }
  for (var j = 0u; j < params.seqlen_k; j++) {
    scores[first + j] = scores[first + j] / row_sum;
  }
  lse[row] = row_max + log(row_sum);
}

// One invocation per vec4 of the output.
@compute @workgroup_size(8, 8)
fn multiply_weights_values(@builtin(global_invocation_id) id: vec3<u32>) {
  let width = params.head_dim_v / 4u;
  let i = id.y;
  let column = id.x;
  if (i >= params.seqlen || column >= width) {
    return;
  }
  let weights = (id.z * params.seqlen + i) * params.seqlen_k;
  let values = kv_head(id.z) * params.seqlen_k * width + column;
  var sum = vec4(0.0);
  for (var j = 0u; j < params.seqlen_k; j++) {
    sum += scores[weights + j] * v[values + j * width];
  }
  o[(id.z * params.seqlen + i) * width + column] = sum;
}
