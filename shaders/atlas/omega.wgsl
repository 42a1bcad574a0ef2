/*---
mechanism: atlas
shape: { batch: 1, heads: 16, seqlen: 16, headDim: 32 }
scratch:
  features: f32[batch, heads, seqlen, 2, ceil(featureDim / 4) * 4]
  gates: f32[batch, heads, seqlen, 4]
  states: f32[batch, heads, 2, featureDim, headDimV]
passes:
  - { entry: expand, workgroups: [seqlen, heads, batch] }
  - { entry: gather, workgroups: [heads, batch, 1] }
  - { entry: learn, workgroups: [heads, batch, 1] }
---*/

// ATLAS (Behrouz et al. 2025): a memory that learns from a window of tokens at once, the Omega rule, and takes its momentum
// through Newton–Schulz, as the Muon optimiser does. With features φ, and the memory A before the chunk of token t:
//
//   S_t = θ_t S_(t-1) + Σ_i γ_i κ φ(k_i) (Aᵀφ(k_i) − v_i)ᵀ     over the last `window` tokens i ≤ t
//   M_t = α_t M_(t-1) − η_t NS(S_t)
//   o_t = M_tᵀ φ(q_t)
//
// Newton–Schulz brings the singular values of X = S / (‖S‖ + ε) near 1:
//
//   steps times:  A = XᵀX,  B = bA + cA²,  X ← aX + X B
//
// (XᵀX and X Xᵀ give the same; this one is as wide as the values, and no X has to be turned.) Three passes:
//
//   expand  φ(k) and φ(q): the rows as they are, or [1, x, vec(x xᵀ) / √2]
//   gather  the four gates of a token side by side, and the first memory and momentum: a pass may bind 8 buffers
//   learn   the tokens of a head one after another
//
// Newton–Schulz is nearly all of the work, 6 · 64³ operations for each iteration and token of a memory of 64 × 64, and needs
// the whole matrix. So one workgroup keeps a head's matrices in registers, and only tokens touch device memory. A matrix has
// up to 128 rows (features) and 64 columns (values): invocation (x, y) of 16 × 16 owns the columns 4x.. of the rows 4y.. and
// 64 + 4y... What others need of it goes through one tile of 16 KiB, all the workgroup memory there is by default. Rows and
// columns past the end are zeros, and stay so.

const SIDE = 16u; // invocations along rows and columns, and vec4s in a row of the tile
const HALF = 32u; // columns of X, and rows of B, that share the tile
const EPSILON = 1e-7; // keeps a momentum of zeros what it is
const COEFFICIENTS = vec3(3.4445, -4.775, 2.0315); // a, b, c
const SQRT_HALF = 0.70710678;

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  feature_dim: u32, // head_dim, or 1 + head_dim + head_dim²; at most 128
  head_dim_v: u32, // at most 64
  window: u32,
  chunk: u32,
  steps: u32,
  loss_coef: f32, // κ
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> gamma: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(8) var<storage, read> m0: array<f32>; // [batch, heads, featureDim, headDimV]
@group(0) @binding(9) var<storage, read> s0: array<f32>; // [batch, heads, featureDim, headDimV]
@group(0) @binding(10) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(11) var<storage, read_write> m: array<f32>; // [batch, heads, featureDim, headDimV]
@group(0) @binding(12) var<storage, read_write> s: array<f32>; // [batch, heads, featureDim, headDimV]
@group(0) @binding(13) var<storage, read_write> features: array<vec4<f32>>; // φ(k), then φ(q) of each token
@group(0) @binding(14) var<storage, read_write> gates: array<vec4<f32>>; // γ, θ, η, α of each token
@group(0) @binding(15) var<storage, read_write> states: array<f32>; // M, then S of each head, before the first token

// vec4s in a row of features.
fn feature_width() -> u32 {
  return (params.feature_dim + 3u) / 4u;
}

// --- Features ---

// Which numbers of a row make feature r: their product is the feature but for its factor. The number after the last is 1.
fn factors_of(r: u32) -> vec2<u32> {
  let one = params.head_dim;
  if (params.feature_dim == params.head_dim) {
    return vec2(r, one);
  }
  if (r == 0u) {
    return vec2(one, one);
  }
  if (r <= params.head_dim) {
    return vec2(r - 1u, one);
  }
  let pair = r - 1u - params.head_dim;
  return vec2(pair / params.head_dim, pair % params.head_dim);
}

// A workgroup expands the key and the query of one token, one invocation for four features of each.
@compute @workgroup_size(32)
fn expand(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (group.z * params.heads + group.y) * params.seqlen + group.x;
  let first = row * params.head_dim;
  if (lane >= feature_width()) {
    return;
  }
  var key = vec4(0.0);
  var query = vec4(0.0);
  for (var j = 0u; j < 4u; j++) {
    let r = 4u * lane + j;
    if (r < params.feature_dim) {
      let at = factors_of(r);
      let factor = select(1.0, SQRT_HALF, at.y < params.head_dim);
      if (at.x < params.head_dim) {
        key[j] = factor * k[first + at.x];
        query[j] = factor * q[first + at.x];
        if (at.y < params.head_dim) {
          key[j] *= k[first + at.y];
          query[j] *= q[first + at.y];
        }
      } else {
        key[j] = 1.0;
        query[j] = 1.0;
      }
    }
  }
  features[2u * row * feature_width() + lane] = key;
  features[(2u * row + 1u) * feature_width() + lane] = query;
}

// --- Gates and first states ---

@compute @workgroup_size(256)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.y * params.heads + group.x;
  for (var t = lane; t < params.seqlen; t += 256u) {
    let row = batch_head * params.seqlen + t;
    gates[row] = vec4(gamma[row], theta[row], eta[row], alpha[row]);
  }
  let size = params.feature_dim * params.head_dim_v;
  for (var n = lane; n < size; n += 256u) {
    states[2u * batch_head * size + n] = m0[batch_head * size + n];
    states[(2u * batch_head + 1u) * size + n] = s0[batch_head * size + n];
  }
}

// --- Learning ---

// The two blocks of a matrix that an invocation owns: rows 4y + i and 64 + 4y + i, columns 4x + j.
struct Blocks {
  upper: mat4x4<f32>,
  lower: mat4x4<f32>,
}

var<workgroup> tile: array<vec4<f32>, 64 * SIDE>;

fn scaled(factor: f32, blocks: Blocks) -> Blocks {
  return Blocks(factor * blocks.upper, factor * blocks.lower);
}

fn added(left: Blocks, right: Blocks) -> Blocks {
  return Blocks(left.upper + right.upper, left.lower + right.lower);
}

// A block of four rows of a matrix of `states`, whose first number is `first`.
fn load(first: u32, row: u32, column: u32) -> mat4x4<f32> {
  var block = mat4x4<f32>();
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (row + i < params.feature_dim && column + j < params.head_dim_v) {
        block[i][j] = states[first + (row + i) * params.head_dim_v + column + j];
      }
    }
  }
  return block;
}

// Four features of a row: 4y.. or 64 + 4y..
fn features_at(row: u32, place: u32) -> vec4<f32> {
  if (place < feature_width()) {
    return features[row * feature_width() + place];
  }
  return vec4(0.0);
}

// The columns 4x.. of (matrix)ᵀ φ, where φ is a row of features: sums over all rows, so over all y.
fn recall(matrix: Blocks, row: u32, lane: vec2<u32>) -> vec4<f32> {
  let upper = features_at(row, lane.y);
  let lower = features_at(row, SIDE + lane.y);
  var sum = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    sum += upper[i] * matrix.upper[i] + lower[i] * matrix.lower[i];
  }
  tile[SIDE * lane.y + lane.x] = sum;
  workgroupBarrier();
  var total = vec4(0.0);
  for (var y = 0u; y < SIDE; y++) {
    total += tile[SIDE * y + lane.x];
  }
  workgroupBarrier();
  return total;
}

// Four values of a row of v, zeros past the end.
fn values_at(row: u32, column: u32) -> vec4<f32> {
  var values = vec4(0.0);
  for (var j = 0u; j < 4u; j++) {
    if (column + j < params.head_dim_v) {
      values[j] = v[row * params.head_dim_v + column + j];
    }
  }
  return values;
}

// The sum of squares of a matrix, from all its blocks.
fn square_norm(matrix: Blocks, index: u32) -> f32 {
  var squares = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    squares += matrix.upper[i] * matrix.upper[i] + matrix.lower[i] * matrix.lower[i];
  }
  tile[index] = squares;
  workgroupBarrier();
  var sum = vec4(0.0);
  if (index < SIDE) {
    for (var n = 0u; n < SIDE; n++) {
      sum += tile[SIDE * index + n];
    }
  }
  workgroupBarrier();
  if (index < SIDE) {
    tile[index] = sum;
  }
  workgroupBarrier();
  var total = vec4(0.0);
  for (var n = 0u; n < SIDE; n++) {
    total += tile[n];
  }
  workgroupBarrier();
  return dot(total, vec4(1.0));
}

// The block of TᵀT from `count` rows of the matrix T that is laid into the tile.
fn gram(block: mat4x4<f32>, count: u32, lane: vec2<u32>) -> mat4x4<f32> {
  for (var i = 0u; i < 4u; i++) {
    tile[SIDE * (4u * lane.y + i) + lane.x] = block[i];
  }
  workgroupBarrier();
  var sums = mat4x4<f32>();
  for (var d = 0u; d < count; d++) {
    let left = tile[SIDE * d + lane.y];
    let right = tile[SIDE * d + lane.x];
    for (var i = 0u; i < 4u; i++) {
      sums[i] += left[i] * right;
    }
  }
  workgroupBarrier();
  return sums;
}

// The block of X B that 32 columns of X and the same rows of B give: X, [64, HALF], lies in the first half of the tile and B,
// [HALF, 64], in the second. B has been laid there already.
fn share_of_product(block: mat4x4<f32>, half: u32, lane: vec2<u32>) -> mat4x4<f32> {
  if (4u * lane.x / HALF == half / HALF) {
    for (var i = 0u; i < 4u; i++) {
      tile[(4u * lane.y + i) * (HALF / 4u) + lane.x - half / 4u] = block[i];
    }
  }
  workgroupBarrier();
  var sums = mat4x4<f32>();
  for (var d = 0u; d < HALF / 4u; d++) {
    let right = SIDE * (HALF + 4u * d) + lane.x;
    let r0 = tile[right];
    let r1 = tile[right + SIDE];
    let r2 = tile[right + 2u * SIDE];
    let r3 = tile[right + 3u * SIDE];
    for (var i = 0u; i < 4u; i++) {
      let left = tile[(4u * lane.y + i) * (HALF / 4u) + d];
      sums[i] += left.x * r0 + left.y * r1 + left.z * r2 + left.w * r3;
    }
  }
  workgroupBarrier();
  return sums;
}

// NS(S): the matrix with the singular vectors of S whose singular values are near 1.
fn newton_schulz(momentum: Blocks, lane: vec2<u32>, index: u32) -> Blocks {
  let tall = params.feature_dim > 64u;
  var x = scaled(1.0 / (sqrt(square_norm(momentum, index)) + EPSILON), momentum);
  for (var step = 0u; step < params.steps; step++) {
    var products = gram(x.upper, min(params.feature_dim, 64u), lane); // A
    if (tall) {
      products += gram(x.lower, params.feature_dim - 64u, lane);
    }
    // A is symmetric, so that AᵀA is A².
    let factors = COEFFICIENTS.y * products + COEFFICIENTS.z * gram(products, params.head_dim_v, lane); // B
    var next = scaled(COEFFICIENTS.x, x);
    for (var half = 0u; half < params.head_dim_v; half += HALF) {
      if (4u * lane.y / HALF == half / HALF) {
        for (var i = 0u; i < 4u; i++) {
          tile[SIDE * (HALF + 4u * lane.y + i - half) + lane.x] = factors[i];
        }
      }
      next.upper += share_of_product(x.upper, half, lane);
      if (tall) {
        next.lower += share_of_product(x.lower, half, lane);
      }
    }
    x = next;
  }
  return x;
}

@compute @workgroup_size(SIDE, SIDE)
fn learn(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let column = 4u * lane.x;
  let batch_head = group.y * params.heads + group.x;
  let size = params.feature_dim * params.head_dim_v;
  let first_memory = 2u * batch_head * size;
  let first_momentum = first_memory + size;

  var memory = Blocks(load(first_memory, 4u * lane.y, column), load(first_memory, 64u + 4u * lane.y, column));
  var momentum = Blocks(load(first_momentum, 4u * lane.y, column), load(first_momentum, 64u + 4u * lane.y, column));
  var anchor = memory; // the memory before the chunk

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    let gate = gates[row];
    if (t % params.chunk == 0u) {
      anchor = memory;
    }

    // What the tokens of the window are surprised by, the oldest first.
    momentum = scaled(gate.y, momentum);
    for (var back = min(params.window, t + 1u); back > 0u; back--) {
      let token = row + 1u - back;
      let error = params.loss_coef * gates[token].x * (recall(anchor, 2u * token, lane) - values_at(token, column));
      let upper = features_at(2u * token, lane.y);
      let lower = features_at(2u * token, SIDE + lane.y);
      for (var i = 0u; i < 4u; i++) {
        momentum.upper[i] += upper[i] * error;
        momentum.lower[i] += lower[i] * error;
      }
    }

    var update = momentum;
    if (params.steps > 0u) {
      update = newton_schulz(momentum, lane, index);
    }
    memory = added(scaled(gate.w, memory), scaled(-gate.z, update));

    let output = recall(memory, 2u * row + 1u, lane);
    if (lane.y == 0u) {
      for (var j = 0u; j < 4u; j++) {
        if (column + j < params.head_dim_v) {
          o[row * params.head_dim_v + column + j] = output[j];
        }
      }
    }
  }

  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (column + j < params.head_dim_v) {
        let upper = 4u * lane.y + i;
        if (upper < params.feature_dim) {
          m[batch_head * size + upper * params.head_dim_v + column + j] = memory.upper[i][j];
          s[batch_head * size + upper * params.head_dim_v + column + j] = momentum.upper[i][j];
        }
        if (upper + 64u < params.feature_dim) {
          m[batch_head * size + (upper + 64u) * params.head_dim_v + column + j] = memory.lower[i][j];
          s[batch_head * size + (upper + 64u) * params.head_dim_v + column + j] = momentum.lower[i][j];
        }
      }
    }
  }
}
