/*---
mechanism: cosformer-attention
direction: decode
shape: { batch: 8, heads: 8, seqlen: 1, headDim: 64, maxSeqlen: 4096 }
limits: { headDim: 128 }
scratch:
  divisors: f32[batch, heads, seqlen]
passes:
  - { entry: sum_keys, workgroups: [heads, batch] }
  - { entry: step, workgroups: [ceil(headDimV / 32), heads, batch] }
---*/

// cosFormer (Qin et al. 2022), decoding, for one new token or the few of a draft. chunked.wgsl explains the features of
// twice the width, with the angle a_t = π t / 2m of position t:
//
//   q'_t = [r(q_t) sin a_t, r(q_t) cos a_t],   k' alike
//   z ← z + k'_t,   D_t = max(q'_t · z, eps)                first pass: sum_keys
//   S ← S + k'_tᵀ v_t,   o_t = q'_t S / D_t                 second pass: step
//
// m is the most tokens the sequence may come to: were it the number of tokens so far, each new one would change the angles
// of all keys that the state has summed.
//
// The state is all that costs: it is read once and written once, whatever the number of tokens, and stays in registers
// between. Each value column of it is independent of the others, so a workgroup of `step` takes 32 of them. Invocation
// (x, y) of the 8 × 16 owns the vec4 column x in the rows y, y+16, .. of the state, up to 256 rows; the 16 invocations of a
// column add up their parts of the output through workgroup memory. To go back to an earlier token, keep s0 and z0: s and z
// go elsewhere.

const LANES = 8u; // invocations side by side along value columns
const ROWS = 16u; // invocations along the rows of the state
const OWNED = 16u; // rows of the state per invocation: 2 headDim may be up to ROWS * OWNED = 256
const SUMMERS = 64u; // invocations per workgroup of sum_keys
const SUMMED = 4u; // numbers of z per invocation: up to SUMMERS * SUMMED = 256

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // at most 128
  head_dim_v: u32, // a multiple of 4
  max_seqlen: u32, // m, and the rows of the table
  offset: u32, // tokens before these
  eps: f32, // the least divisor
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> angles: array<vec2<f32>>; // sine and cosine, [maxSeqlen]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, 2, headDim, headDimV]
@group(0) @binding(6) var<storage, read> z0: array<f32>; // [batch, heads, 2, headDim]
@group(0) @binding(7) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(8) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, 2, headDim, headDimV]
@group(0) @binding(9) var<storage, read_write> z: array<f32>; // [batch, heads, 2, headDim]
@group(0) @binding(10) var<storage, read_write> divisors: array<f32>; // D, [batch, heads, seqlen]

// The sine and cosine of a new token. A position past the table keeps its last angle, where the weights of far keys are
// zero.
fn angle_of(t: u32) -> vec2<f32> {
  return angles[min(params.offset + t, params.max_seqlen - 1u)];
}

// Number d of q' or k', from x, number d % headDim of q or k.
fn wave(x: f32, angle: vec2<f32>, d: u32) -> f32 {
  return max(x, 0.0) * select(angle.y, angle.x, d < params.head_dim);
}

var<workgroup> weights: array<f32, SUMMERS>; // parts of q' · z

@compute @workgroup_size(64)
fn sum_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let batch_head = group.y * params.heads + group.x;
  let rows = 2u * params.head_dim;
  var key_sum = array<f32, SUMMED>();
  for (var n = 0u; n < SUMMED; n++) {
    let d = index + SUMMERS * n;
    if (d < rows) {
      key_sum[n] = z0[batch_head * rows + d];
    }
  }
  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    let angle = angle_of(t);
    var weight = 0.0;
    for (var n = 0u; n < SUMMED; n++) {
      let d = index + SUMMERS * n;
      if (d < rows) {
        let at = row * params.head_dim + d % params.head_dim;
        key_sum[n] += wave(k[at], angle, d);
        weight += wave(q[at], angle, d) * key_sum[n];
      }
    }
    weights[index] = weight;
    workgroupBarrier();
    if (index == 0u) {
      var sum = 0.0;
      for (var n = 0u; n < SUMMERS; n++) {
        sum += weights[n];
      }
      divisors[row] = max(sum, params.eps);
    }
    workgroupBarrier();
  }
  for (var n = 0u; n < SUMMED; n++) {
    let d = index + SUMMERS * n;
    if (d < rows) {
      z[batch_head * rows + d] = key_sum[n];
    }
  }
}

var<workgroup> parts: array<vec4<f32>, ROWS * LANES>; // of q' S, [rows, columns]

@compute @workgroup_size(8, 16)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y;
  let rows = 2u * params.head_dim;
  let width_v = params.head_dim_v / 4u;
  let column = group.x * LANES + lane.x;
  let inside = column < width_v;

  var state = array<vec4<f32>, OWNED>();
  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < rows) {
      state[n] = s0[(batch_head * rows + d) * width_v + column];
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    let angle = angle_of(t);
    var value = vec4(0.0);
    if (inside) {
      value = v[row * width_v + column];
    }
    var part = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < rows) {
        let at = row * params.head_dim + d % params.head_dim;
        state[n] += wave(k[at], angle, d) * value;
        part += wave(q[at], angle, d) * state[n];
      }
    }
    parts[index] = part;
    workgroupBarrier();
    if (inside && lane.y == 0u) {
      var sum = vec4(0.0);
      for (var y = 0u; y < ROWS; y++) {
        sum += parts[LANES * y + lane.x];
      }
      o[row * width_v + column] = sum / divisors[row];
    }
    workgroupBarrier();
  }

  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < rows) {
      s[(batch_head * rows + d) * width_v + column] = state[n];
    }
  }
}
