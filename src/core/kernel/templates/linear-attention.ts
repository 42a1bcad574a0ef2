import { rowsComment, weighKeys } from './sum-over-keys.js';

/** A first linear attention kernel. */
export const linearAttentionTemplate = `/*---
mechanism: linear-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Linear attention by the left product, o = (A v) / (rowsum A + eps) with A = scale · φ(q) φ(k)ᵀ.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  feature: u32, // 0 identity, 1 elu + 1, 2 SiLU
  normalize: u32,
  scale: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

// The feature map φ. No exponential takes a positive argument, so that none can overflow.
fn phi(x: f32) -> f32 {
  if (params.feature == 1u) {
    return select(exp(min(x, 0.0)), x + 1.0, x > 0.0);
  }
  if (params.feature == 2u) {
    let e = exp(-abs(x));
    return x * select(e, 1.0, x > 0.0) / (1.0 + e);
  }
  return x;
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
  PRODUCT: 'phi(q[query_row * params.head_dim + d]) * phi(k[(first_row + key) * params.head_dim + d])',
  WEIGHT: 'params.scale * weight',
  ADD: 'denominator += weights[j];',
})}

  if (column < params.head_dim_v) {
    if (params.normalize != 0u) {
      numerator /= denominator + params.eps;
    }
    o[query_row * params.head_dim_v + column] = numerator;
  }
}
`;
