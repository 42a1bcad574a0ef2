/*---
mechanism: s4
direction: decode
shape: { batch: 8, channels: 1024, seqlen: 1, stateDim: 32 }
limits: { stateDim: 128 }
passes:
  - { entry: step, workgroups: [ceil(channels / 8), batch, 1] }
---*/

// S4D, decoding: the recurrence as it stands, for one new token or the few of a draft.
//
//   x ← Ā ⊙ x + B̄ u_t
//   y_t = 2 Re(Σ_n C_n x_n) + D u_t
//
// The state is read once and written once, whatever the number of tokens, and stays in registers between. A workgroup takes
// 8 channels. Invocation (x, y) of the 16 × 8 owns the modes x, x+16, .. of channel y, up to 128 modes; the 16 invocations
// of a channel add up their parts of the output through workgroup memory. To go back to an earlier token, keep s0: s goes
// elsewhere.

const MODES = 16u; // invocations along the modes of a channel
const CHANNELS = 8u; // channels per workgroup
const OWNED = 8u; // modes per invocation: stateDim may be up to MODES * OWNED = 128

struct Params {
  channels: u32,
  seqlen: u32, // new tokens
  state_dim: u32, // at most 128
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>; // [batch, channels, seqlen]
@group(0) @binding(2) var<storage, read> Abar: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(3) var<storage, read> Bbar: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(4) var<storage, read> C: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(5) var<storage, read> D: array<f32>; // [channels]
@group(0) @binding(6) var<storage, read> s0: array<vec2<f32>>; // [batch, channels, stateDim]
@group(0) @binding(7) var<storage, read_write> y: array<f32>; // [batch, channels, seqlen]
@group(0) @binding(8) var<storage, read_write> s: array<vec2<f32>>; // [batch, channels, stateDim]

var<workgroup> parts: array<f32, CHANNELS * MODES>; // of Re(Σ C x), [channels, modes]

fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

@compute @workgroup_size(16, 8)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let channel = group.x * CHANNELS + lane.y;
  let inside = channel < params.channels;
  let batch_channel = group.y * params.channels + channel;

  var a = array<vec2<f32>, OWNED>();
  var b = array<vec2<f32>, OWNED>();
  var c = array<vec2<f32>, OWNED>();
  var state = array<vec2<f32>, OWNED>();
  for (var k = 0u; k < OWNED; k++) {
    let n = lane.x + MODES * k;
    if (inside && n < params.state_dim) {
      a[k] = Abar[channel * params.state_dim + n];
      b[k] = Bbar[channel * params.state_dim + n];
      c[k] = C[channel * params.state_dim + n];
      state[k] = s0[batch_channel * params.state_dim + n];
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    var token = 0.0;
    if (inside) {
      token = u[batch_channel * params.seqlen + t];
    }
    var part = 0.0;
    for (var k = 0u; k < OWNED; k++) {
      state[k] = multiply(a[k], state[k]) + b[k] * token;
      part += multiply(c[k], state[k]).x;
    }
    parts[index] = part;
    workgroupBarrier();
    if (inside && lane.x == 0u) {
      var sum = 0.0;
      for (var m = 0u; m < MODES; m++) {
        sum += parts[MODES * lane.y + m];
      }
      y[batch_channel * params.seqlen + t] = 2.0 * sum + D[channel] * token;
    }
    workgroupBarrier();
  }

  for (var k = 0u; k < OWNED; k++) {
    let n = lane.x + MODES * k;
    if (inside && n < params.state_dim) {
      s[batch_channel * params.state_dim + n] = state[k];
    }
  }
}
