import { rowsComment, weighKeys } from './sum-over-keys.js';

/** A first NormAttention kernel. */
export const normAttentionTemplate = `/*---
mechanism: norm-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
  - { entry: normalize, workgroups: [ceil(seqlen / 64), max(1, heads * norm), batch] }
---*/

// NormAttention of TransNormer by the left product, raw = (q kᵀ) v without scale or divisor, and then o, which is raw over
// the root mean square of a token's numbers, across all heads or in each.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  norm: u32, // 0 across the heads of a token, 1 in each head
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read_write> raw: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let first_row = (group.z * params.heads + head) * params.seqlen;
  let keys = select(params.seqlen, query + 1u, params.causal != 0u); // those the query sees

  var numerator = 0.0;
${weighKeys({
  PRODUCT: 'q[(first_row + query) * params.head_dim + d] * k[(first_row + key) * params.head_dim + d]',
  WEIGHT: 'weight',
  ADD: '',
})}

  if (column < params.head_dim_v) {
    raw[(first_row + query) * params.head_dim_v + column] = numerator;
  }
}

// One invocation per token, in one head or in all of them.
@compute @workgroup_size(64)
fn normalize(@builtin(global_invocation_id) id: vec3<u32>) {
  let token = id.x;
  if (token >= params.seqlen) {
    return;
  }
  let heads = select(1u, params.heads, params.norm == 0u);
  let first_head = id.z * params.heads + id.y; // id.y is 0 where all heads are one row
  var square = 0.0;
  for (var head = first_head; head < first_head + heads; head++) {
    for (var d = 0u; d < params.head_dim_v; d++) {
      let value = raw[(head * params.seqlen + token) * params.head_dim_v + d];
      square += value * value;
    }
  }
  let factor = inverseSqrt(square / f32(heads * params.head_dim_v) + params.eps);
  for (var head = first_head; head < first_head + heads; head++) {
    for (var d = 0u; d < params.head_dim_v; d++) {
      let at = (head * params.seqlen + token) * params.head_dim_v + d;
      o[at] = factor * raw[at];
    }
  }
}
`;
