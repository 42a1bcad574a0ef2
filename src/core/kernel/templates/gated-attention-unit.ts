import { rowsComment, weighKeys } from './sum-over-keys.js';

/** A first kernel of a gated attention unit. */
export const gatedAttentionUnitTemplate = `/*---
mechanism: gated-attention-unit
shape: { batch: 1, seqlen: 256, headDim: 64, headDimV: 128 }
passes:
  - { entry: attend, workgroups: [seqlen, ceil(headDimV / TILE_N), batch] }
---*/

// The gated attention unit, o = u ⊙ (A v) with A = max(0, scale · q kᵀ + bias)², one head.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  bias_dim: u32,
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> u: array<f32>; // [batch, seqlen, headDimV]
@group(0) @binding(5) var<storage, read> bias: array<f32>; // [biasDim], distance 0 in the middle
@group(0) @binding(6) var<storage, read_write> o: array<f32>; // [batch, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

// The weight of a key. One past the end has no bias, and nobody uses its weight.
fn weigh(score: f32, query: u32, key: u32) -> f32 {
  let at = params.bias_dim / 2u + key - query;
  let root = max(params.scale * score + bias[min(at, params.bias_dim - 1u)], 0.0);
  return root * root;
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let column = group.y * TILE_N + lane;
  let first_row = group.z * params.seqlen;
  let query_row = first_row + query;
  let keys = select(params.seqlen, query + 1u, params.causal != 0u); // those the query sees

  var numerator = 0.0;
${weighKeys({
  PRODUCT: 'q[query_row * params.head_dim + d] * k[(first_row + key) * params.head_dim + d]',
  WEIGHT: 'weigh(weight, query, key)',
  ADD: '',
})}

  if (column < params.head_dim_v) {
    let at = query_row * params.head_dim_v + column;
    o[at] = u[at] * numerator;
  }
}
`;
