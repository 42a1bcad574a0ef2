/** A first kernel of the gated delta rule. */
export const gatedDeltaRuleTemplate = `/*---
mechanism: gated-delta-rule
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: forward, workgroups: [ceil(headDimV / COLUMNS), heads, batch] }
---*/

// The gated delta rule (Yang, Kautz and Hatamizadeh 2024) by its recurrence, with a gate g <= 0 for each token:
// S = e^g S, u = beta (v - k S), S = S + kᵀ u, o = scale · q S.
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
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim], rows of length 1
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> beta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> g: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

@compute @workgroup_size(COLUMNS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane;
  if (column >= params.head_dim_v) {
    return;
  }
  var state = array<f32, CHANNELS>();
  for (var t = 0u; t < params.seqlen; t++) {
    let row = (group.z * params.heads + group.y) * params.seqlen + t;
    let decay = exp(g[row]);
    var known = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      state[d] *= decay;
      known += k[row * params.head_dim + d] * state[d];
    }
    let correction = beta[row] * (v[row * params.head_dim_v + column] - known);
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      state[d] += k[row * params.head_dim + d] * correction;
      sum += q[row * params.head_dim + d] * state[d];
    }
    o[row * params.head_dim_v + column] = params.scale * sum;
  }
}
`;
