import { rowsComment } from './sum-over-keys.js';

/** A first DiagAttention kernel. */
export const diagAttentionTemplate = `/*---
mechanism: diag-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// DiagAttention of TransNormer: softmax attention in which a query sees the keys of its own block of tokens only, with
// the softmax computed online.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  block: u32, // tokens of a block; the last one may be shorter
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let first_row = (group.z * params.heads + head) * params.seqlen;
  // The keys the query sees: of its block, and where causal none after it.
  let begin = query - query % params.block;
  let end = select(min(begin + params.block, params.seqlen), query + 1u, params.causal != 0u);

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = begin; first < end; first += TILE_N) {
    let key = first + lane;
    var score = MASKED;
    if (key < end) {
      var sum = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        sum += q[(first_row + query) * params.head_dim + d] * k[(first_row + key) * params.head_dim + d];
      }
      score = params.scale * sum;
    }
    scores[lane] = score;
    workgroupBarrier();

    let count = min(TILE_N, end - first);
    var next = maximum;
    for (var j = 0u; j < count; j++) {
      next = max(next, scores[j]);
    }
    let shrink = exp(maximum - next);
    denominator *= shrink;
    numerator *= shrink;
    for (var j = 0u; j < count; j++) {
      let weight = exp(scores[j] - next);
      denominator += weight;
      if (column < params.head_dim_v) {
        numerator += weight * v[(first_row + first + j) * params.head_dim_v + column];
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (column < params.head_dim_v) {
    o[(first_row + query) * params.head_dim_v + column] = numerator / denominator;
  }
}
`;
