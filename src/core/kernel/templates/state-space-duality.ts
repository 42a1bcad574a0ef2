/** A first Mamba-2 kernel. */
export const stateSpaceDualityTemplate = `/*---
mechanism: state-space-duality
shape: { batch: 1, heads: 4, groups: 1, seqlen: 256, headDim: 64, stateDim: 64 }
passes:
  - { entry: forward, workgroups: [ceil(headDim / COLUMNS), heads, batch] }
---*/

// The layer of Mamba-2 (Dao & Gu 2024) by its recurrence, with a rate A < 0 for each head and B and C shared by the heads
// of a group: S = e^(dt A) S + dt Bᵀ x, y = C S + D x.
//
// One workgroup per head and block of COLUMNS columns of x, token after token. Each invocation holds one column of the
// state. A place to start from: right on every device, and slow, because tokens wait for each other.

override COLUMNS: u32 = 32; // columns of x, and invocations, per workgroup
const ROWS = 128u; // rows of the state: stateDim may be up to this

struct Params {
  heads: u32,
  groups: u32,
  seqlen: u32,
  head_dim: u32,
  state_dim: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> dt: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(3) var<storage, read> A: array<f32>; // [heads]
@group(0) @binding(4) var<storage, read> B: array<f32>; // [batch, groups, seqlen, stateDim]
@group(0) @binding(5) var<storage, read> C: array<f32>; // [batch, groups, seqlen, stateDim]
@group(0) @binding(6) var<storage, read> D: array<f32>; // [heads]
@group(0) @binding(7) var<storage, read_write> y: array<f32>; // [batch, heads, seqlen, headDim]

@compute @workgroup_size(COLUMNS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane;
  if (column >= params.head_dim) {
    return;
  }
  let head = group.y;
  let shared_by = params.heads / params.groups;
  var state = array<f32, ROWS>();
  for (var t = 0u; t < params.seqlen; t++) {
    let row = (group.z * params.heads + head) * params.seqlen + t;
    let group_row = (group.z * params.groups + head / shared_by) * params.seqlen + t;
    let token = x[row * params.head_dim + column];
    let decay = exp(dt[row] * A[head]);
    var sum = D[head] * token;
    for (var d = 0u; d < params.state_dim; d++) {
      state[d] = decay * state[d] + B[group_row * params.state_dim + d] * dt[row] * token;
      sum += C[group_row * params.state_dim + d] * state[d];
    }
    y[row * params.head_dim + column] = sum;
  }
}
`;
