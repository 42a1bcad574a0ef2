/** A first S4D kernel. */
export const s4Template = `/*---
mechanism: s4
shape: { batch: 1, channels: 64, seqlen: 256, stateDim: 32 }
passes:
  - { entry: forward, workgroups: [ceil(channels / CHANNELS), batch, 1] }
---*/

// S4D (Gu et al. 2022) by its recurrence: x = Ā ⊙ x + B̄ u, y = 2 Re(Σ_n C_n x_n) + D u, with complex modes x.
//
// One invocation per channel, token after token. A complex number is a vec2 of its real and imaginary part. A place to start
// from: right on every device, and slow, because tokens wait for each other.

override CHANNELS: u32 = 32; // channels, and invocations, per workgroup
const MODES = 128u; // stateDim may be up to this

struct Params {
  channels: u32,
  seqlen: u32,
  state_dim: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>; // [batch, channels, seqlen]
@group(0) @binding(2) var<storage, read> Abar: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(3) var<storage, read> Bbar: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(4) var<storage, read> C: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(5) var<storage, read> D: array<f32>; // [channels]
@group(0) @binding(6) var<storage, read_write> y: array<f32>; // [batch, channels, seqlen]

fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

@compute @workgroup_size(CHANNELS)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  let channel = id.x;
  if (channel >= params.channels) {
    return;
  }
  let first = channel * params.state_dim;
  var state = array<vec2<f32>, MODES>();
  for (var t = 0u; t < params.seqlen; t++) {
    let at = (id.y * params.channels + channel) * params.seqlen + t;
    var sum = 0.0;
    for (var n = 0u; n < params.state_dim; n++) {
      state[n] = multiply(Abar[first + n], state[n]) + Bbar[first + n] * u[at];
      sum += multiply(C[first + n], state[n]).x;
    }
    y[at] = 2.0 * sum + D[channel] * u[at];
  }
}
`;
