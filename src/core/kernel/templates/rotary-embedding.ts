/** A first kernel of rotary position embedding. */
export const rotaryEmbeddingTemplate = `/*---
mechanism: rotary-embedding
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: rotate, workgroups: [ceil(seqlen / TOKENS), heads, batch] }
---*/

// Rotary position embedding: pairs of channels turn by an angle that comes as a table of cosines and sines. Channels past
// rotary_dim stay as they are.
//
// One invocation per row. A place to start from: right on every device, and slow, because neighbouring invocations read
// and write far apart.

override TOKENS: u32 = 64; // rows, and invocations, per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  rotary_dim: u32,
  pairing: u32, // 0: channels i and i + rotary_dim / 2, 1: channels 2i and 2i + 1
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> rotations: array<vec2<f32>>; // cosine and sine, [seqlen, rotaryDim / 2]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [batch, heads, seqlen, headDim]

@compute @workgroup_size(TOKENS)
fn rotate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let token = group.x * TOKENS + lane;
  if (token >= params.seqlen) {
    return;
  }
  let first = ((group.z * params.heads + group.y) * params.seqlen + token) * params.head_dim;
  let pairs = params.rotary_dim / 2u;
  for (var pair = 0u; pair < pairs; pair++) {
    let halves = params.pairing == 0u;
    let one = first + select(2u * pair, pair, halves);
    let other = first + select(2u * pair + 1u, pair + pairs, halves);
    let rotation = rotations[token * pairs + pair];
    y[one] = rotation.x * x[one] - rotation.y * x[other];
    y[other] = rotation.x * x[other] + rotation.y * x[one];
  }
  for (var d = params.rotary_dim; d < params.head_dim; d++) {
    y[first + d] = x[first + d];
  }
}
`;
