/*---
mechanism: lightning-attention
direction: decode
shape: { batch: 8, heads: 8, seqlen: 1, headDim: 64 }
limits: { headDim: 128 }
passes:
  - { entry: step, workgroups: [ceil(headDimV / 32), heads, batch] }
---*/

// Lightning Attention (Qin et al. 2024), decoding: the recurrence as it stands, for one new token or the few of a draft.
// With the decay λ = e^(-slope) of the head:
//
//   S ← λ S + k_tᵀ v_t
//   o_t = scale · q_t S
//
// The state is all that costs: it is read once and written once, whatever the number of tokens, and stays in registers
// between. Each value column of it is independent of the others, so a workgroup takes 32 of them. Invocation (x, y) of
// the 8 × 16 owns the vec4 column x in the rows y, y+16, .. of the state, up to 128 rows; the 16 invocations of a column
// add up their parts of the output through workgroup memory. To go back to an earlier token, keep s0: s goes elsewhere.

const LANES = 8u; // invocations side by side along value columns
const ROWS = 16u; // invocations along headDim
const OWNED = 8u; // rows of the state per invocation: headDim may be up to ROWS * OWNED = 128

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // at most 128
  head_dim_v: u32, // a multiple of 4
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> slopes: array<f32>; // [heads]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]

var<workgroup> parts: array<vec4<f32>, ROWS * LANES>; // of the output, [rows, columns]

@compute @workgroup_size(8, 16)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y;
  let width_v = params.head_dim_v / 4u;
  let column = group.x * LANES + lane.x;
  let inside = column < width_v;
  let decay = exp(-slopes[group.y]);

  var state = array<vec4<f32>, OWNED>();
  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      state[n] = s0[(batch_head * params.head_dim + d) * width_v + column];
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    var value = vec4(0.0);
    if (inside) {
      value = v[row * width_v + column];
    }
    var part = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        state[n] = decay * state[n] + k[row * params.head_dim + d] * value;
        part += q[row * params.head_dim + d] * state[n];
      }
    }
    parts[index] = part;
    workgroupBarrier();
    if (inside && lane.y == 0u) {
      var sum = vec4(0.0);
      for (var y = 0u; y < ROWS; y++) {
        sum += parts[LANES * y + lane.x];
      }
      o[row * width_v + column] = params.scale * sum;
    }
    workgroupBarrier();
  }

  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      s[(batch_head * params.head_dim + d) * width_v + column] = state[n];
    }
  }
}
