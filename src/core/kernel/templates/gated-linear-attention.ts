/** A first Gated Linear Attention kernel. */
export const gatedLinearAttentionTemplate = `/*---
mechanism: gated-linear-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: forward, workgroups: [ceil(headDimV / COLUMNS), heads, batch] }
---*/

// Gated Linear Attention (Yang et al. 2023) by its recurrence, with a gate g <= 0 for each key channel (or one for all
// of them, where gateDim is 1): S = diag(e^g) S + kᵀ v, o = scale · q S.
//
// One workgroup per head and block of COLUMNS value columns, token after token. Each invocation holds one column of the
// state. A place to start from: right on every device, and slow, because tokens wait for each other.

override COLUMNS: u32 = 32; // value columns, and invocations, per workgroup
const CHANNELS = 128u; // rows of the state: headDim may be up to this

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  gate_dim: u32, // head_dim, or 1
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> g: array<f32>; // [batch, heads, seqlen, gateDim]
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

@compute @workgroup_size(COLUMNS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane;
  if (column >= params.head_dim_v) {
    return;
  }
  var state = array<f32, CHANNELS>();
  for (var t = 0u; t < params.seqlen; t++) {
    let row = (group.z * params.heads + group.y) * params.seqlen + t;
    let value = v[row * params.head_dim_v + column];
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      let decay = exp(g[row * params.gate_dim + min(d, params.gate_dim - 1u)]);
      state[d] = decay * state[d] + k[row * params.head_dim + d] * value;
      sum += q[row * params.head_dim + d] * state[d];
    }
    o[row * params.head_dim_v + column] = params.scale * sum;
  }
}
`;
