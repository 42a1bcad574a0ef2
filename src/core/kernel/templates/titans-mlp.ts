import { geluFunctions } from './gelu.js';

/** A first kernel of the MLP memory of Titans. */
export const titansMlpTemplate = `/*---
mechanism: titans-mlp
shape: { batch: 1, heads: 2, seqlen: 64, headDim: 32, hiddenDim: 64 }
options: { chunk: 16 }
scratch:
  gates: f32[batch, heads, seqlen, 3]
  memory: f32[batch, heads, 3, 2, headDim, hiddenDim]
passes:
  - { entry: gather, workgroups: [ceil(seqlen / 64), heads, batch] }
  - { entry: begin, workgroups: [heads, batch, 1] }
  - { entry: forward, workgroups: [heads, batch, 1] }
---*/

// The memory M(x) = x + gelu(x W1) W2 of Titans by its recurrence, starting without momentum. For both layers:
//
//   S = eta S - theta dW, W = (1 - alpha) W + S, o = M(q)
//
// where dW is the gradient of |M(k) - v|² at the memory before the chunk of the token. One workgroup per head, token after
// token. Each invocation has hidden units of its own: their columns of W1 and rows of W2. A place to start from: right on
// every device, and slow, because all weights come from device memory for every token.

override LANES: u32 = 64;
const WIDTH = 128u; // headDim may be up to this
const HIDDEN = 512u; // and hiddenDim up to this

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  hidden_dim: u32,
  chunk: u32,
  gelu: u32, // 0: erf, 1: tanh
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(4) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> w1: array<f32>; // [batch, heads, headDim, hiddenDim]
@group(0) @binding(8) var<storage, read> w2: array<f32>; // [batch, heads, hiddenDim, headDim]
@group(0) @binding(9) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(10) var<storage, read_write> gates: array<f32>; // theta, eta and 1 - alpha of each token
@group(0) @binding(11) var<storage, read_write> memory: array<f32>; // W, S, and W before the chunk: both layers of each

${geluFunctions}
@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let token = group.x * 64u + lane;
  if (token < params.seqlen) {
    let row = (group.z * params.heads + group.y) * params.seqlen + token;
    gates[3u * row] = theta[row];
    gates[3u * row + 1u] = eta[row];
    gates[3u * row + 2u] = 1.0 - alpha[row];
  }
}

@compute @workgroup_size(LANES)
fn begin(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.y * params.heads + group.x;
  let size = params.head_dim * params.hidden_dim;
  for (var e = lane; e < size; e += LANES) {
    memory[6u * size * batch_head + e] = w1[size * batch_head + e];
    memory[6u * size * batch_head + size + e] = w2[size * batch_head + e];
    memory[6u * size * batch_head + 2u * size + e] = 0.0;
    memory[6u * size * batch_head + 3u * size + e] = 0.0;
  }
}

var<workgroup> units: array<f32, HIDDEN>; // gelu of the hidden units of the key, then of the query
var<workgroup> slopes: array<f32, HIDDEN>; // gelu' of the hidden units of the key
var<workgroup> error: array<f32, WIDTH>; // 2 (M(k) - v)

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.y * params.heads + group.x;
  let width = params.head_dim;
  let hidden = params.hidden_dim;
  let size = width * hidden;
  let up = 6u * size * batch_head; // where W1 starts, then W2, S1, S2, and W1 and W2 before the chunk
  let down = up + size;

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    if (t % params.chunk == 0u) {
      for (var e = lane; e < 2u * size; e += LANES) {
        memory[up + 4u * size + e] = memory[up + e];
      }
      storageBarrier();
    }

    for (var f = lane; f < hidden; f += LANES) {
      var sum = 0.0;
      for (var d = 0u; d < width; d++) {
        sum += k[row * width + d] * memory[up + 4u * size + d * hidden + f];
      }
      units[f] = gelu(sum);
      slopes[f] = gelu_slope(sum);
    }
    workgroupBarrier();
    for (var d = lane; d < width; d += LANES) {
      var sum = k[row * width + d] - v[row * width + d];
      for (var f = 0u; f < hidden; f++) {
        sum += units[f] * memory[down + 4u * size + f * width + d];
      }
      error[d] = 2.0 * sum;
    }
    workgroupBarrier();

    for (var f = lane; f < hidden; f += LANES) {
      var back = 0.0;
      for (var d = 0u; d < width; d++) {
        back += error[d] * memory[down + 4u * size + f * width + d];
      }
      let blame = back * slopes[f];
      var asked = 0.0;
      for (var d = 0u; d < width; d++) {
        let in_up = up + d * hidden + f;
        let s1 = gates[3u * row + 1u] * memory[in_up + 2u * size] - gates[3u * row] * k[row * width + d] * blame;
        memory[in_up + 2u * size] = s1;
        memory[in_up] = gates[3u * row + 2u] * memory[in_up] + s1;
        asked += q[row * width + d] * memory[in_up];
        let in_down = down + f * width + d;
        let s2 = gates[3u * row + 1u] * memory[in_down + 2u * size] - gates[3u * row] * units[f] * error[d];
        memory[in_down + 2u * size] = s2;
        memory[in_down] = gates[3u * row + 2u] * memory[in_down] + s2;
      }
      units[f] = gelu(asked);
    }
    workgroupBarrier();
    storageBarrier();
    for (var d = lane; d < width; d += LANES) {
      var sum = q[row * width + d];
      for (var f = 0u; f < hidden; f++) {
        sum += units[f] * memory[down + f * width + d];
      }
      o[row * width + d] = sum;
    }
    workgroupBarrier();
    storageBarrier();
  }
}
`;
