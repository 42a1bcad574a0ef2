import { rowsComment, weighKeys } from './sum-over-keys.js';

/** A first cosFormer kernel. */
export const cosformerAttentionTemplate = `/*---
mechanism: cosformer-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// cosFormer attention by the left product, o = (A v) / max(rowsum A, eps) with A_ij = r(q_i) · r(k_j) cos(a_i - a_j),
// r(x) = max(x, 0), and the angle a_i = π i / (2 · maxSeqlen), whose sine and cosine come in as a table.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  max_seqlen: u32, // rows of the table
  causal: u32,
  offset: u32, // tokens before the first
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read> angles: array<vec2<f32>>; // sine and cosine, [maxSeqlen]
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

fn angle_of(token: u32) -> vec2<f32> {
  return angles[min(params.offset + token, params.max_seqlen - 1u)];
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let query_row = (group.z * params.heads + head) * params.seqlen + query;
  let first_row = (group.z * params.heads + head) * params.seqlen_k;
  let keys = select(params.seqlen_k, query + 1u, params.causal != 0u); // those the query sees

  var numerator = 0.0;
  var denominator = 0.0;
${weighKeys({
  PRODUCT: 'max(q[query_row * params.head_dim + d], 0.0) * max(k[(first_row + key) * params.head_dim + d], 0.0)',
  WEIGHT: 'weight * dot(angle_of(query), angle_of(key))',
  ADD: 'denominator += weights[j];',
})}

  if (column < params.head_dim_v) {
    o[query_row * params.head_dim_v + column] = numerator / max(denominator, params.eps);
  }
}
`;
