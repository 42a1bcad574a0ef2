import { rowsComment } from './sum-over-keys.js';

/** A first kernel of mixed chunk attention (FLASH). */
export const flashMixedChunkTemplate = `/*---
mechanism: flash-mixed-chunk
shape: { batch: 1, seqlen: 256, chunk: 64, headDim: 64, headDimV: 128 }
passes:
  - { entry: attend, workgroups: [seqlen, ceil(headDimV / TILE_N), batch] }
---*/

// Mixed chunk attention of FLASH (not FlashAttention): o = u ⊙ (A v), where A holds max(0, scale · q_quad · k_quad + bias)²
// for the keys of a query's own chunk of tokens and linScale · q_lin · k_lin for those of the others, or for all keys where
// not causal. Forming the linear weights one by one takes time with the square of seqlen; a fast kernel sums k_linᵀ v of
// each chunk instead.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  seqlen: u32,
  chunk: u32,
  head_dim: u32,
  head_dim_v: u32,
  bias_dim: u32,
  causal: u32,
  scale: f32,
  lin_scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_quad: array<f32>; // [batch, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k_quad: array<f32>; // [batch, seqlen, headDim]
@group(0) @binding(3) var<storage, read> q_lin: array<f32>; // [batch, seqlen, headDim]
@group(0) @binding(4) var<storage, read> k_lin: array<f32>; // [batch, seqlen, headDim]
@group(0) @binding(5) var<storage, read> v: array<f32>; // [batch, seqlen, headDimV]
@group(0) @binding(6) var<storage, read> u: array<f32>; // [batch, seqlen, headDimV]
@group(0) @binding(7) var<storage, read> bias: array<f32>; // [biasDim], distance 0 in the middle
@group(0) @binding(8) var<storage, read_write> o: array<f32>; // [batch, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

// The weight of a key, counted like the query from the first row of the sequence.
fn weigh(first_row: u32, query: u32, key: u32) -> f32 {
  let q_at = (first_row + query) * params.head_dim;
  let k_at = (first_row + key) * params.head_dim;
  let together = query / params.chunk == key / params.chunk;
  var weight = 0.0;
  if (together) {
    var score = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      score += q_quad[q_at + d] * k_quad[k_at + d];
    }
    let root = max(params.scale * score + bias[params.bias_dim / 2u + key - query], 0.0);
    weight = root * root;
  }
  if (!together || params.causal == 0u) {
    var score = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      score += q_lin[q_at + d] * k_lin[k_at + d];
    }
    weight += params.lin_scale * score;
  }
  return weight;
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let column = group.y * TILE_N + lane;
  let first_row = group.z * params.seqlen;
  let keys = select(params.seqlen, query + 1u, params.causal != 0u); // those the query sees

  var numerator = 0.0;
  for (var first = 0u; first < keys; first += TILE_N) {
    let key = first + lane;
    var weight = 0.0;
    if (key < keys) {
      weight = weigh(first_row, query, key);
    }
    weights[lane] = weight;
    workgroupBarrier();

    for (var j = 0u; j < min(TILE_N, keys - first); j++) {
      if (column < params.head_dim_v) {
        numerator += weights[j] * v[(first_row + first + j) * params.head_dim_v + column];
      }
    }
    workgroupBarrier();
  }

  if (column < params.head_dim_v) {
    let at = (first_row + query) * params.head_dim_v + column;
    o[at] = u[at] * numerator;
  }
}
`;
