/** A first kernel of the linear memory of Titans. */
export const titansTemplate = `/*---
mechanism: titans
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
options: { chunk: 16 }
passes:
  - { entry: forward, workgroups: [ceil(headDimV / COLUMNS), heads, batch] }
---*/

// The linear memory of Titans (Behrouz et al. 2025) by its recurrence, starting from an empty memory:
//
//   e = lossCoef * (Aᵀ k - v), S = eta S - theta k eᵀ, M = (1 - alpha) M + S, o = Mᵀ q
//
// where A is the memory M before the chunk of the token. One workgroup per head and block of COLUMNS value columns, token
// after token. Each invocation holds one column of M, S and A. A place to start from: right on every device, and slow,
// because tokens wait for each other.

override COLUMNS: u32 = 32; // value columns, and invocations, per workgroup
const CHANNELS = 128u; // rows of the memory: headDim may be up to this

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  chunk: u32,
  loss_coef: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

@compute @workgroup_size(COLUMNS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane;
  if (column >= params.head_dim_v) {
    return;
  }
  var memory = array<f32, CHANNELS>();
  var momentum = array<f32, CHANNELS>();
  var anchor = array<f32, CHANNELS>();
  for (var t = 0u; t < params.seqlen; t++) {
    let row = (group.z * params.heads + group.y) * params.seqlen + t;
    if (t % params.chunk == 0u) {
      anchor = memory;
    }
    var error = -v[row * params.head_dim_v + column];
    for (var d = 0u; d < params.head_dim; d++) {
      error += k[row * params.head_dim + d] * anchor[d];
    }
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      let gradient = params.loss_coef * k[row * params.head_dim + d] * error;
      momentum[d] = eta[row] * momentum[d] - theta[row] * gradient;
      memory[d] = (1.0 - alpha[row]) * memory[d] + momentum[d];
      sum += q[row * params.head_dim + d] * memory[d];
    }
    o[row * params.head_dim_v + column] = sum;
  }
}
`;
