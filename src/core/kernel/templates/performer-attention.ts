import { weighKeys } from './sum-over-keys.js';

/** A first Performer attention kernel. */
export const performerAttentionTemplate = `/*---
mechanism: performer-attention
shape: { batch: 1, heads: 4, seqlen: 128, headDim: 32, featureDim: 64 }
scratch:
  query_features: f32[batch, heads, seqlen, featureDim]
  key_exponents: f32[batch, heads, seqlenK, featureDim]
  largest: f32[batch, heads, seqlenK]
passes:
  - { entry: map_queries, workgroups: [ceil(seqlen / TILE_N), heads, batch] }
  - { entry: project_keys, workgroups: [ceil(seqlenK / TILE_N), heads, batch] }
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Performer attention (Choromanski et al. 2021), FAVOR+, by the left product: with x̂ = headDim^(-1/4) x and u = W x̂,
// φ(x) = exp(u - |x̂|²/2 - c) + eps and o = (A v) / rowsum A with A = φ(q) φ(k)ᵀ. c is the largest u of a query, or of all
// keys of a head. (A factor of φ would cancel.)
//
// First the features of the queries, one invocation per query, and the exponents of the keys and the largest u of each;
// then one workgroup per query and block of TILE_N value columns. A place to start from: right on every device, and slow,
// because keys and values are read anew for every query.

override TILE_N: u32 = 64; // tokens per workgroup and keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  feature_dim: u32,
  head_dim_v: u32,
  causal: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read> projection: array<f32>; // W, [featureDim, headDim]
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(6) var<storage, read_write> query_features: array<f32>; // [batch, heads, seqlen, featureDim]
@group(0) @binding(7) var<storage, read_write> key_exponents: array<f32>; // u - |x̂|²/2, [batch, heads, seqlenK, featureDim]
@group(0) @binding(8) var<storage, read_write> largest: array<f32>; // u, [batch, heads, seqlenK]

const LOWEST = -1e30; // less than any projection

var<workgroup> weights: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn map_queries(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let token = group.x * TILE_N + lane;
  if (token >= params.seqlen) {
    return;
  }
  let row = (group.z * params.heads + group.y) * params.seqlen + token;
  let factor = inverseSqrt(sqrt(f32(params.head_dim)));
  var half_square = 0.0;
  for (var d = 0u; d < params.head_dim; d++) {
    let x = factor * q[row * params.head_dim + d];
    half_square += x * x / 2.0;
  }
  var top = LOWEST;
  for (var j = 0u; j < params.feature_dim; j++) {
    var u = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      u += projection[j * params.head_dim + d] * (factor * q[row * params.head_dim + d]);
    }
    query_features[row * params.feature_dim + j] = u - half_square;
    top = max(top, u);
  }
  for (var j = 0u; j < params.feature_dim; j++) {
    let at = row * params.feature_dim + j;
    query_features[at] = exp(query_features[at] - top) + params.eps;
  }
}

@compute @workgroup_size(TILE_N)
fn project_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let token = group.x * TILE_N + lane;
  if (token >= params.seqlen_k) {
    return;
  }
  let row = (group.z * params.heads + group.y) * params.seqlen_k + token;
  let factor = inverseSqrt(sqrt(f32(params.head_dim)));
  var half_square = 0.0;
  for (var d = 0u; d < params.head_dim; d++) {
    let x = factor * k[row * params.head_dim + d];
    half_square += x * x / 2.0;
  }
  var top = LOWEST;
  for (var j = 0u; j < params.feature_dim; j++) {
    var u = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      u += projection[j * params.head_dim + d] * (factor * k[row * params.head_dim + d]);
    }
    key_exponents[row * params.feature_dim + j] = u - half_square;
    top = max(top, u);
  }
  largest[row] = top;
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let query_row = (group.z * params.heads + head) * params.seqlen + query;
  let first_row = (group.z * params.heads + head) * params.seqlen_k;
  let keys = select(params.seqlen_k, query + 1u, params.causal != 0u); // those the query sees
  var top = LOWEST;
  for (var key = 0u; key < params.seqlen_k; key++) {
    top = max(top, largest[first_row + key]);
  }

  var numerator = 0.0;
  var denominator = 0.0;
${weighKeys(
  {
    PRODUCT:
      'query_features[query_row * params.feature_dim + d] * (exp(key_exponents[(first_row + key) * params.feature_dim + d] - top) + params.eps)',
    WEIGHT: 'weight',
    ADD: 'denominator += weights[j];',
  },
  'feature_dim',
)}

  if (column < params.head_dim_v) {
    o[query_row * params.head_dim_v + column] = numerator / denominator;
  }
}
`;
