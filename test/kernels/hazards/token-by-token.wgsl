/*---
mechanism: lightning-attention
shape: { batch: 1, heads: 2, seqlen: 24, headDim: 16 }
passes:
  - { entry: forward, workgroups: [ceil(headDimV / 8), heads, batch] }
cases:
  - { seqlen: 1 }
  - { seqlen: 9, headDim: 8, headDimV: 20 }
---*/

// Lightning attention as the recurrence it is: an invocation owns a column of the state, which it holds in registers,
// and walks over the tokens. Eight of them share the rows of q and k by way of workgroup memory.

const COLUMNS = 8u;
const MOST = 64u; // headDim at most

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> slopes: array<f32>;
@group(0) @binding(5) var<storage, read_write> o: array<f32>;

var<workgroup> query: array<f32, MOST>;
var<workgroup> key: array<f32, MOST>;

@compute @workgroup_size(COLUMNS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane;
  let first_row = (group.z * params.heads + group.y) * params.seqlen;
  let decay = exp(-slopes[group.y]);
  var state = array<f32, MOST>();
  for (var t = 0u; t < params.seqlen; t++) {
    let row = first_row + t;
    for (var d = lane; d < params.head_dim; d += COLUMNS) {
      query[d] = q[row * params.head_dim + d];
      key[d] = k[row * params.head_dim + d];
    }
    workgroupBarrier();
    var value = 0.0;
    if (column < params.head_dim_v) {
      value = v[row * params.head_dim_v + column];
    }
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      state[d] = decay * state[d] + key[d] * value;
      sum += state[d] * query[d];
    }
    if (column < params.head_dim_v) {
      o[row * params.head_dim_v + column] = params.scale * sum;
    }
    workgroupBarrier();
  }
}
