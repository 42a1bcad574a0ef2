/*---
mechanism: state-space-duality
direction: decode
shape: { batch: 8, heads: 16, groups: 1, seqlen: 1, headDim: 64, stateDim: 128 }
limits: { stateDim: 128 }
passes:
  - { entry: skip, workgroups: [ceil(seqlen * headDim / 256), heads, batch] }
  - { entry: step, workgroups: [ceil(headDim / 32), heads, batch] }
dtype: { x: f16, B: f16, C: f16, s0: f16, y: f16, s: f16 }
---*/

// The layer of Mamba-2, decoding with half precision in memory: what decode.wgsl does, with half of its bytes. All sums are
// kept in f32; two halves share a u32, so that no device feature is needed.
//
//   S ← e^(dt_t A) S + dt_t B_tᵀ x_t
//   y_t = C_t S + D x_t
//
// The state is all that costs: it is read once and written once, whatever the number of tokens, and stays in registers
// between. Each column of it is independent of the others, so a workgroup takes 32 of them. Invocation (x, y) of the
// 8 × 16 owns the vec4 column x in the rows y, y+16, .. of the state, up to 128 rows; the 16 invocations of a column add
// up their parts of the output through workgroup memory. To go back to an earlier token, keep s0: s goes elsewhere.
//
// A pass of its own writes D x first, because a ninth buffer would exceed the default limit of eight.
//
// The state between runs is rounded to a half, and what was rounded decays with it. The RMS error of the outputs is 0.04 %
// where e^(dt A) is 0.9, 0.15 % where it is 0.99 and 0.46 % where it is 0.999, after 4096 tokens of which each is a run. A
// token of a small dt brings little and lets little decay, so that none lets the state decay alone. For slower heads
// decode.wgsl keeps the state in f32.

const LANES = 8u; // invocations side by side along headDim
const ROWS = 16u; // invocations along stateDim
const OWNED = 8u; // rows of the state per invocation: stateDim may be up to ROWS * OWNED = 128

struct Params {
  heads: u32,
  groups: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // a multiple of 4
  state_dim: u32, // even, at most 128
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2<u32>>; // packed, [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> dt: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(3) var<storage, read> A: array<f32>; // [heads]
@group(0) @binding(4) var<storage, read> B: array<u32>; // packed, [batch, groups, seqlen, stateDim]
@group(0) @binding(5) var<storage, read> C: array<u32>; // packed, [batch, groups, seqlen, stateDim]
@group(0) @binding(6) var<storage, read> D: array<f32>; // [heads]
@group(0) @binding(7) var<storage, read> s0: array<vec2<u32>>; // packed, [batch, heads, stateDim, headDim]
@group(0) @binding(8) var<storage, read_write> y: array<vec2<u32>>; // packed, [batch, heads, seqlen, headDim]
@group(0) @binding(9) var<storage, read_write> s: array<vec2<u32>>; // packed, [batch, heads, stateDim, headDim]

// Four halves.
fn unpack(pair: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(pair.x), unpack2x16float(pair.y));
}

// The half at an index, from the u32 that holds it.
fn half_at(pair: u32, at: u32) -> f32 {
  return unpack2x16float(pair)[at % 2u];
}

fn pack(value: vec4<f32>) -> vec2<u32> {
  return vec2(pack2x16float(value.xy), pack2x16float(value.zw));
}

// What skips the state: y = D x.
@compute @workgroup_size(64)
fn skip(@builtin(global_invocation_id) id: vec3<u32>) {
  let size = params.seqlen * params.head_dim / 4u;
  if (id.x < size) {
    let at = (id.z * params.heads + id.y) * size + id.x;
    y[at] = pack(D[id.y] * unpack(x[at]));
  }
}

var<workgroup> parts: array<vec4<f32>, ROWS * LANES>; // of the output, [rows, columns]

@compute @workgroup_size(8, 16)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let head = group.y;
  let batch_head = group.z * params.heads + head;
  let group_row = (group.z * params.groups + head / (params.heads / params.groups)) * params.seqlen;
  let width = params.head_dim / 4u;
  let column = group.x * LANES + lane.x;
  let inside = column < width;

  var state = array<vec4<f32>, OWNED>();
  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.state_dim) {
      state[n] = unpack(s0[(batch_head * params.state_dim + d) * width + column]);
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    let decay = exp(dt[row] * A[head]);
    var value = vec4(0.0);
    if (inside) {
      value = dt[row] * unpack(x[row * width + column]);
    }
    var part = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.state_dim) {
        let at = (group_row + t) * params.state_dim + d;
        state[n] = decay * state[n] + half_at(B[at / 2u], at) * value;
        part += half_at(C[at / 2u], at) * state[n];
      }
    }
    parts[index] = part;
    workgroupBarrier();
    if (inside && lane.y == 0u) {
      var sum = unpack(y[row * width + column]);
      for (var r = 0u; r < ROWS; r++) {
        sum += parts[LANES * r + lane.x];
      }
      y[row * width + column] = pack(sum);
    }
    workgroupBarrier();
  }

  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.state_dim) {
      s[(batch_head * params.state_dim + d) * width + column] = pack(state[n]);
    }
  }
}
