/*---
mechanism: linear-attention
direction: decode
shape: { batch: 8, heads: 8, seqlen: 1, headDim: 64 }
limits: { headDim: 128 }
passes:
  - { entry: step, workgroups: [ceil(headDimV / 32), heads, batch] }
---*/

// Linear attention (Katharopoulos et al. 2020), decoding: "Transformers are RNNs", for one new token or the few of a
// draft.
//
//   S ← S + φ(k_t)ᵀ v_t,   z ← z + φ(k_t)
//   o_t = scale · φ(q_t) S / (scale · φ(q_t) · z + eps)        without the divisor where not normalised
//
// The state is all that costs: it is read once and written once, whatever the number of tokens, and stays in registers
// between. Each value column of it is independent of the others, so a workgroup takes 32 of them, and every workgroup of a
// head keeps its own z. Invocation (x, y) of the 8 × 16 owns the vec4 column x in the rows y, y+16, .. of the state, up to
// 128 rows; the 16 invocations of a column add up their parts of numerator and divisor through workgroup memory. To go
// back to an earlier token, keep s0 and z0: s and z go elsewhere.

const LANES = 8u; // invocations side by side along value columns
const ROWS = 16u; // invocations along headDim
const OWNED = 8u; // rows of the state per invocation: headDim may be up to ROWS * OWNED = 128

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // at most 128
  head_dim_v: u32, // a multiple of 4
  feature: u32, // 0 identity, 1 elu + 1, 2 SiLU
  normalize: u32,
  scale: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(5) var<storage, read> z0: array<f32>; // [batch, heads, headDim]
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read_write> z: array<f32>; // [batch, heads, headDim]

var<workgroup> parts: array<vec4<f32>, ROWS * LANES>; // of φ(q) S, [rows, columns]
var<workgroup> weights: array<f32, ROWS>; // parts of φ(q) · z

// The feature map φ. Both exponentials take an argument of at most zero, so neither can overflow.
fn phi(x: f32) -> f32 {
  if (params.feature == 1u) {
    return select(exp(min(x, 0.0)), x + 1.0, x > 0.0);
  }
  if (params.feature == 2u) {
    let e = exp(-abs(x));
    return x * select(e, 1.0, x > 0.0) / (1.0 + e);
  }
  return x;
}

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

  var state = array<vec4<f32>, OWNED>();
  var key_sum = array<f32, OWNED>();
  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (d < params.head_dim) {
      key_sum[n] = z0[batch_head * params.head_dim + d];
      if (inside) {
        state[n] = s0[(batch_head * params.head_dim + d) * width_v + column];
      }
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    var value = vec4(0.0);
    if (inside) {
      value = v[row * width_v + column];
    }
    var part = vec4(0.0);
    var weight = 0.0;
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        let key = phi(k[row * params.head_dim + d]);
        let query = params.scale * phi(q[row * params.head_dim + d]);
        state[n] += key * value;
        key_sum[n] += key;
        part += query * state[n];
        weight += query * key_sum[n];
      }
    }
    parts[index] = part;
    if (lane.x == 0u) {
      weights[lane.y] = weight;
    }
    workgroupBarrier();
    if (inside && lane.y == 0u) {
      var sum = vec4(0.0);
      var divisor = params.eps;
      for (var y = 0u; y < ROWS; y++) {
        sum += parts[LANES * y + lane.x];
        divisor += weights[y];
      }
      o[row * width_v + column] = sum / select(1.0, divisor, params.normalize != 0u);
    }
    workgroupBarrier();
  }

  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (d < params.head_dim) {
      if (inside) {
        s[(batch_head * params.head_dim + d) * width_v + column] = state[n];
      }
      if (group.x == 0u && lane.x == 0u) {
        z[batch_head * params.head_dim + d] = key_sum[n];
      }
    }
  }
}
