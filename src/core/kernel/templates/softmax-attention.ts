import { rowsComment } from './sum-over-keys.js';

/** A first softmax attention kernel. */
export const softmaxAttentionTemplate = `/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Softmax attention, o = softmax(scale · q kᵀ) v, with the softmax computed online.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  window_left: i32, // -1: unlimited
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, headsKv, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

// The queries are the last seqlen of the seqlen_k positions.
fn visible(query: u32, key: u32) -> bool {
  let distance = i32(key + params.seqlen) - i32(query + params.seqlen_k);
  return (params.causal == 0u || distance <= 0)
    && (params.window_right < 0 || distance <= params.window_right)
    && (params.window_left < 0 || -distance <= params.window_left);
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let head_kv = head / (params.heads / params.heads_kv);
  let query_row = (group.z * params.heads + head) * params.seqlen + query;
  let first_row = (group.z * params.heads_kv + head_kv) * params.seqlen_k;

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = 0u; first < params.seqlen_k; first += TILE_N) {
    var score = MASKED;
    if (first + lane < params.seqlen_k && visible(query, first + lane)) {
      var sum = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        sum += q[query_row * params.head_dim + d] * k[(first_row + first + lane) * params.head_dim + d];
      }
      score = params.scale * sum;
    }
    scores[lane] = score;
    workgroupBarrier();

    var next = maximum;
    for (var j = 0u; j < TILE_N; j++) {
      next = max(next, scores[j]);
    }
    let shrink = exp(maximum - next);
    denominator *= shrink;
    numerator *= shrink;
    for (var j = 0u; j < TILE_N; j++) {
      if (scores[j] > MASKED) {
        let weight = exp(scores[j] - next);
        denominator += weight;
        if (column < params.head_dim_v) {
          numerator += weight * v[(first_row + first + j) * params.head_dim_v + column];
        }
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  // A query that sees no key gives zero.
  if (column < params.head_dim_v) {
    var result = 0.0;
    if (denominator > 0.0) {
      result = numerator / denominator;
    }
    o[query_row * params.head_dim_v + column] = result;
  }
}
`;
