import { geluFunctions } from './gelu.js';

/** A first kernel of the gradient of an MLP memory. */
export const mlpGradientTemplate = `/*---
mechanism: mlp-gradient
shape: { batch: 1, heads: 2, seqlen: 64, headDim: 32, hiddenDim: 64 }
scratch:
  units: f32[batch, heads, seqlen, hiddenDim]
  misses: f32[batch, heads, seqlen, headDim]
  blames: f32[batch, heads, seqlen, hiddenDim]
passes:
  - { entry: judge, workgroups: [seqlen, heads, batch] }
  - { entry: collect, workgroups: [heads, batch, 1] }
---*/

// The gradient of the loss Σ w |M(x) - v|² of a memory M(x) = x + gelu(x W1) W2 by its weights:
//
//   h = x W1, r = M(x) - v, b = 2w (r W2ᵀ) gelu'(h), dW1 = Σ xᵀ b, dW2 = Σ 2w gelu(h)ᵀ r
//
// One workgroup per token finds gelu(h), r and b, and one per head then adds up the gradients. A place to start from: right on
// every device and for any size, and slow, because all operands come from device memory.

override LANES: u32 = 64;

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  hidden_dim: u32,
  gelu: u32, // 0: erf, 1: tanh
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> w: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(4) var<storage, read> w1: array<f32>; // [batch, heads, headDim, hiddenDim]
@group(0) @binding(5) var<storage, read> w2: array<f32>; // [batch, heads, hiddenDim, headDim]
@group(0) @binding(6) var<storage, read_write> loss: array<f32>; // [batch, heads]
@group(0) @binding(7) var<storage, read_write> dw1: array<f32>; // [batch, heads, headDim, hiddenDim]
@group(0) @binding(8) var<storage, read_write> dw2: array<f32>; // [batch, heads, hiddenDim, headDim]
@group(0) @binding(9) var<storage, read_write> units: array<f32>; // gelu(h), [batch, heads, seqlen, hiddenDim]
@group(0) @binding(10) var<storage, read_write> misses: array<f32>; // r, [batch, heads, seqlen, headDim]
@group(0) @binding(11) var<storage, read_write> blames: array<f32>; // gelu'(h), then b, [batch, heads, seqlen, hiddenDim]

${geluFunctions}
@compute @workgroup_size(LANES)
fn judge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.z * params.heads + group.y;
  let row = batch_head * params.seqlen + group.x;
  let weights = batch_head * params.head_dim * params.hidden_dim; // where those of this head start

  for (var f = lane; f < params.hidden_dim; f += LANES) {
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      sum += x[row * params.head_dim + d] * w1[weights + d * params.hidden_dim + f];
    }
    units[row * params.hidden_dim + f] = gelu(sum);
    blames[row * params.hidden_dim + f] = gelu_slope(sum);
  }
  storageBarrier();
  for (var d = lane; d < params.head_dim; d += LANES) {
    var sum = x[row * params.head_dim + d] - v[row * params.head_dim + d];
    for (var f = 0u; f < params.hidden_dim; f++) {
      sum += units[row * params.hidden_dim + f] * w2[weights + f * params.head_dim + d];
    }
    misses[row * params.head_dim + d] = sum;
  }
  storageBarrier();
  for (var f = lane; f < params.hidden_dim; f += LANES) {
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      sum += misses[row * params.head_dim + d] * w2[weights + f * params.head_dim + d];
    }
    blames[row * params.hidden_dim + f] *= 2.0 * w[row] * sum;
  }
}

@compute @workgroup_size(LANES)
fn collect(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.y * params.heads + group.x;
  let first_row = batch_head * params.seqlen;
  let size = params.head_dim * params.hidden_dim;
  for (var e = lane; e < size; e += LANES) {
    var up = 0.0; // dW1 at row e / hiddenDim
    var down = 0.0; // dW2 at row e / headDim
    for (var row = first_row; row < first_row + params.seqlen; row++) {
      up += x[row * params.head_dim + e / params.hidden_dim] * blames[row * params.hidden_dim + e % params.hidden_dim];
      let unit = units[row * params.hidden_dim + e / params.head_dim];
      down += 2.0 * w[row] * unit * misses[row * params.head_dim + e % params.head_dim];
    }
    dw1[batch_head * size + e] = up;
    dw2[batch_head * size + e] = down;
  }
  if (lane == 0u) {
    var sum = 0.0;
    for (var row = first_row; row < first_row + params.seqlen; row++) {
      for (var d = 0u; d < params.head_dim; d++) {
        sum += w[row] * misses[row * params.head_dim + d] * misses[row * params.head_dim + d];
      }
    }
    loss[batch_head] = sum;
  }
}
`;
