/*---
mechanism: rotary-embedding
shape: { batch: 1, heads: 8, seqlen: 2048, headDim: 64 }
passes:
  - { entry: rotate, workgroups: [ceil(seqlen / 8), ceil(heads / HEADS), batch] }
tune:
  HEADS: [1, 2, 4, 8]
---*/

// Rotary position embedding (Su et al. 2021): pairs of channels of a query or key turn by an angle that grows with the
// position of the token, so that products of queries and keys depend on how far apart the two stand.
//
//   y₁ = x₁ cos φ - x₂ sin φ
//   y₂ = x₂ cos φ + x₁ sin φ
//
// The angles φ = position · frequency come as a table of cosines and sines made in float64: WGSL's own may be off by 2^-11,
// and by anything outside [-π, π]. Two pairings of the first `rotary_dim` channels are in use, and a checkpoint goes with
// one of them: channel i with i + rotary_dim / 2, or 2i with 2i + 1. The other channels stay as they are.
//
// There is little to calculate, so what counts is that neighbouring invocations take neighbouring channels, and that a
// rotation, once read, serves HEADS heads. Invocation (x, y) of the 16 × TOKENS owns the pairs x, x+16, .. of token y.

override HEADS: u32 = 4; // heads per workgroup
const LANES = 16u; // invocations side by side along pairs
const TOKENS = 8u; // tokens per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // an even number, as is rotary_dim
  rotary_dim: u32,
  pairing: u32, // 0: halves, 1: interleaved
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> rotations: array<vec2<f32>>; // cos φ and sin φ, [seqlen, rotaryDim / 2]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [batch, heads, seqlen, headDim]

@compute @workgroup_size(16, 8)
fn rotate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
  let token = group.x * TOKENS + lane.y;
  if (token >= params.seqlen) {
    return;
  }
  let first_head = group.y * HEADS;
  let end_head = min(first_head + HEADS, params.heads);
  let pairs = params.rotary_dim / 2u;
  for (var pair = lane.x; pair < params.head_dim / 2u; pair += LANES) {
    // Pairs past the rotated channels turn by no angle, and are neighbours in either pairing.
    let turns = pair < pairs;
    let halves = turns && params.pairing == 0u;
    let first = select(2u * pair, pair, halves);
    let second = select(2u * pair + 1u, pair + pairs, halves);
    var cosine = 1.0;
    var sine = 0.0;
    if (turns) {
      let rotation = rotations[token * pairs + pair];
      cosine = rotation.x;
      sine = rotation.y;
    }
    for (var head = first_head; head < end_head; head++) {
      let row = ((group.z * params.heads + head) * params.seqlen + token) * params.head_dim;
      let a = x[row + first];
      let b = x[row + second];
      y[row + first] = cosine * a - sine * b;
      y[row + second] = cosine * b + sine * a;
    }
  }
}
