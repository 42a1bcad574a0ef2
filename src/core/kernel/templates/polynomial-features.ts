/** A first kernel of polynomial features. */
export const polynomialFeaturesTemplate = `/*---
mechanism: polynomial-features
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 16, featureDim: 273 }
passes:
  - { entry: expand, workgroups: [ceil(seqlen / TOKENS), heads, batch] }
---*/

// Polynomial features of degree 2, told apart by their width: taylor2(x) = [1, x, x_i x_j / sqrt(2) for all i, j] is
// 1 + headDim + headDim² wide, monomial2(x) = [1, x, x_i x_j for i <= j] is (headDim + 1)(headDim + 2) / 2 wide.
//
// One invocation per row. A place to start from: right on every device, and slow, because neighbouring invocations write
// far apart.

override TOKENS: u32 = 64; // rows, and invocations, per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  feature_dim: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [batch, heads, seqlen, featureDim]

@compute @workgroup_size(TOKENS)
fn expand(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let token = group.x * TOKENS + lane;
  if (token >= params.seqlen) {
    return;
  }
  let width = params.head_dim;
  let taylor = params.feature_dim == 1u + width + width * width;
  let row = (group.z * params.heads + group.y) * params.seqlen + token;
  let first = row * width;
  var at = row * params.feature_dim;
  y[at] = 1.0;
  at += 1u;
  for (var d = 0u; d < width; d++) {
    y[at] = x[first + d];
    at += 1u;
  }
  for (var i = 0u; i < width; i++) {
    for (var j = select(i, 0u, taylor); j < width; j++) {
      y[at] = select(1.0, inverseSqrt(2.0), taylor) * x[first + i] * x[first + j];
      at += 1u;
    }
  }
}
`;
