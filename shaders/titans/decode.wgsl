/*---
mechanism: titans
direction: decode
shape: { batch: 8, heads: 8, seqlen: 1, headDim: 64 }
limits: { headDim: 128 }
options: { chunk: 1 }
scratch:
  tokens: f32[batch, heads, seqlen, headDim * 2 + 3]
passes:
  - { entry: gather, workgroups: [seqlen, heads, batch] }
  - { entry: step, workgroups: [ceil(headDimV / 32), heads, batch] }
---*/

// The linear memory of Titans (Behrouz et al. 2025), decoding: each new token is learned at the memory before it, and
// answered from the memory after it. κ is the factor of the gradient of the loss:
//
//   e_t = κ (Mᵀk_t − v_t)
//   S ← η_t S − θ_t k_t e_tᵀ
//   M ← (1 − α_t) M + S
//   o_t = Mᵀ q_t
//
// Memory and momentum are all that costs: they are read once and written once, whatever the number of tokens, and stay in
// registers between. Each value column of them is independent of the others, so a workgroup takes 32 of them. Invocation
// (x, y) of 8 × 16 owns the vec4 column x in the rows y, y+16, .. of both, up to 128 rows; the 16 invocations of a column
// add up their parts of Mᵀk and of Mᵀq through workgroup memory. To go back to an earlier token, keep m0 and s0: the new
// ones go elsewhere.
//
// A pass may bind eight storage buffers by default, and there are eleven tensors: what is small and read by every
// workgroup, all of a token but its value, is gathered into one row first.

const LANES = 8u; // invocations side by side along value columns
const ROWS = 16u; // invocations along headDim
const OWNED = 8u; // rows of memory and momentum per invocation: headDim may be up to ROWS * OWNED = 128

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // at most 128
  head_dim_v: u32, // a multiple of 4
  loss_coef: f32, // κ
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> m0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(9) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(10) var<storage, read_write> m: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(11) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(12) var<storage, read_write> tokens: array<f32>; // rows k, q, θκ, η, 1 − α

fn token_width() -> u32 {
  return 2u * params.head_dim + 3u;
}

@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (group.z * params.heads + group.y) * params.seqlen + group.x;
  let first = row * token_width();
  for (var d = lane; d < params.head_dim; d += 64u) {
    tokens[first + d] = k[row * params.head_dim + d];
    tokens[first + params.head_dim + d] = q[row * params.head_dim + d];
  }
  if (lane == 0u) {
    let gates = first + 2u * params.head_dim;
    tokens[gates] = params.loss_coef * theta[row];
    tokens[gates + 1u] = eta[row];
    tokens[gates + 2u] = 1.0 - alpha[row];
  }
}

var<workgroup> parts: array<vec4<f32>, ROWS * LANES>; // of one row, [rows, columns]

// The sum of what the 16 invocations of a column have.
fn sum_of_column(part: vec4<f32>, column: u32, index: u32) -> vec4<f32> {
  parts[index] = part;
  workgroupBarrier();
  var sum = vec4(0.0);
  for (var y = 0u; y < ROWS; y++) {
    sum += parts[LANES * y + column];
  }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(LANES, ROWS)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y;
  let width_v = params.head_dim_v / 4u;
  let column = group.x * LANES + lane.x;
  let inside = column < width_v;

  var memory = array<vec4<f32>, OWNED>();
  var momentum = array<vec4<f32>, OWNED>();
  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      memory[n] = m0[(batch_head * params.head_dim + d) * width_v + column];
      momentum[n] = s0[(batch_head * params.head_dim + d) * width_v + column];
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    let token = row * token_width();
    let gates = token + 2u * params.head_dim;

    var predicted = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        predicted += tokens[token + d] * memory[n];
      }
    }
    var error = sum_of_column(predicted, lane.x, index);
    if (inside) {
      error -= v[row * width_v + column];
    }

    var answer = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        momentum[n] = tokens[gates + 1u] * momentum[n] - tokens[gates] * tokens[token + d] * error;
        memory[n] = tokens[gates + 2u] * memory[n] + momentum[n];
        answer += tokens[token + params.head_dim + d] * memory[n];
      }
    }
    answer = sum_of_column(answer, lane.x, index);
    if (inside && lane.y == 0u) {
      o[row * width_v + column] = answer;
    }
  }

  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      m[(batch_head * params.head_dim + d) * width_v + column] = memory[n];
      s[(batch_head * params.head_dim + d) * width_v + column] = momentum[n];
    }
  }
}
