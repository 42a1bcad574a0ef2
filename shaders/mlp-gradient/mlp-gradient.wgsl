/*---
mechanism: mlp-gradient
shape: { batch: 1, heads: 8, seqlen: 512, headDim: 64, hiddenDim: 128 }
scratch:
  units: f32[batch, heads, seqlen, hiddenDim]
  misses: f32[batch, heads, seqlen, headDim]
  blames: f32[batch, heads, seqlen, hiddenDim]
passes:
  - { entry: judge, workgroups: [ceil(seqlen / 64), heads, batch] }
  - { entry: collect, workgroups: [ceil(headDim / 64) * ceil(hiddenDim / 64), heads, batch] }
---*/

// The gradient by which a memory with a hidden layer, M(x) = x + gelu(x W₁) W₂, learns at test time. For the loss
// Σ w ‖M(x) − v‖² over the tokens of a head, whose weights are its own:
//
//   H = X W₁,   R = X + gelu(H) W₂ − V,   B = 2w ⊙ (R W₂ᵀ) ⊙ gelu'(H)
//   dW₁ = Xᵀ B,   dW₂ = gelu(H)ᵀ (2w ⊙ R),   loss = Σ w ‖R‖²
//
// Two passes, both of products of matrices in blocks of 64 × 64, of which each invocation of 16 × 16 owns 4 × 4:
//
//   judge     gelu(H), R and B of 64 tokens. The weights stay where they are: a slice of them at a time, as of the left side
//   collect   a block of dW₁ and the block of dW₂ that mirrors it, over all tokens
//
// The tokens of a workgroup go through both layers and back before the next pass, so that the rows between the products
// come from a cache, and only its own invocations have to wait for each other.

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is hidden_dim
  hidden_dim: u32,
  gelu: u32, // 0: erf, 1: tanh
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> w: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(4) var<storage, read> w1: array<vec4<f32>>; // [batch, heads, headDim, hiddenDim]
@group(0) @binding(5) var<storage, read> w2: array<vec4<f32>>; // [batch, heads, hiddenDim, headDim]
@group(0) @binding(6) var<storage, read_write> loss: array<f32>; // [batch, heads]
@group(0) @binding(7) var<storage, read_write> dw1: array<vec4<f32>>; // [batch, heads, headDim, hiddenDim]
@group(0) @binding(8) var<storage, read_write> dw2: array<vec4<f32>>; // [batch, heads, hiddenDim, headDim]
@group(0) @binding(9) var<storage, read_write> units: array<vec4<f32>>; // gelu(H), [batch, heads, seqlen, hiddenDim]
@group(0) @binding(10) var<storage, read_write> misses: array<vec4<f32>>; // R, [batch, heads, seqlen, headDim]
@group(0) @binding(11) var<storage, read_write> blames: array<vec4<f32>>; // gelu'(H), then B, as units

// --- The activation ---

// gelu(x) = x share(x), where share is the normal distribution, or the logistic function that comes near it. The tail of the
// former is by Abramowitz and Stegun 7.1.26, off by 7.5e-8 before rounding: WGSL has no erf, and its tanh may be off by 1e-5.
fn share(x: vec4<f32>) -> vec4<f32> {
  let z = abs(x);
  var tail = vec4(0.0); // 1 - share(|x|)
  if (params.gelu == 0u) {
    let t = 1.0 / (1.0 + 0.2316419 * z);
    let sum = t * (0.127414796 + t * (-0.142248368 + t * (0.7107068705 + t * (-0.7265760135 + t * 0.5307027145))));
    tail = sum * exp(-0.5 * z * z);
  } else {
    let e = exp(-1.5957691216 * (z + 0.044715 * z * z * z));
    tail = e / (1.0 + e);
  }
  return select(tail, 1.0 - tail, x > vec4(0.0));
}

fn gelu(x: vec4<f32>) -> vec4<f32> {
  return x * share(x);
}

// gelu'(x) = share(x) + x share'(x)
fn gelu_slope(x: vec4<f32>) -> vec4<f32> {
  let s = share(x);
  if (params.gelu == 0u) {
    return s + x * 0.3989422804 * exp(-0.5 * x * x);
  }
  return s + x * s * (1.0 - s) * 1.5957691216 * (1.0 + 0.134145 * x * x);
}

// --- The way of 64 tokens forward and back ---

const ROWS = 64u; // tokens of a workgroup
const SLICE = 4u; // vec4s of the sum's length per step: 16 numbers

// A slice of the left side, [ROWS, SLICE], and of the right one, [16 numbers, 64 columns]. Padded, so that rows start in
// different banks.
var<workgroup> left_tile: array<vec4<f32>, ROWS * (SLICE + 1)>;
var<workgroup> right_tile: array<vec4<f32>, 4 * SLICE * (ROWS / 4 + 1)>;

fn left_place(row: u32, column: u32) -> u32 {
  return (SLICE + 1u) * row + column;
}

fn right_place(row: u32, column: u32) -> u32 {
  return (ROWS / 4u + 1u) * row + column;
}

// Adds the product of the slices to the block of an invocation.
fn add_product(block: mat4x4<f32>, lane: vec3<u32>) -> mat4x4<f32> {
  var sums = block;
  for (var d = 0u; d < SLICE; d++) {
    let r0 = right_tile[right_place(4u * d, lane.x)];
    let r1 = right_tile[right_place(4u * d + 1u, lane.x)];
    let r2 = right_tile[right_place(4u * d + 2u, lane.x)];
    let r3 = right_tile[right_place(4u * d + 3u, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      let row = left_tile[left_place(4u * lane.y + i, d)];
      sums[i] += row.x * r0 + row.y * r1 + row.z * r2 + row.w * r3;
    }
  }
  return sums;
}

// The rows of a workgroup: the first one, and how many there are.
struct Tokens {
  first: u32,
  count: u32,
  weights: u32, // where W₁ and W₂ of the head start, in vec4s
}

// gelu(H) and gelu'(H) at the vec4 columns from `first_column` on
fn activate(tokens: Tokens, first_column: u32, lane: vec3<u32>, index: u32) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let column = first_column + lane.x;
  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    var left = vec4(0.0);
    if (index / SLICE < tokens.count && slice + index % SLICE < width) {
      left = x[(tokens.first + index / SLICE) * width + slice + index % SLICE];
    }
    left_tile[left_place(index / SLICE, index % SLICE)] = left;
    var right = vec4(0.0);
    if (4u * slice + index / 16u < params.head_dim && first_column + index % 16u < hidden) {
      right = w1[tokens.weights + (4u * slice + index / 16u) * hidden + first_column + index % 16u];
    }
    right_tile[right_place(index / 16u, index % 16u)] = right;
    workgroupBarrier();
    sums = add_product(sums, lane);
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    if (row < tokens.count && column < hidden) {
      units[(tokens.first + row) * hidden + column] = gelu(sums[i]);
      blames[(tokens.first + row) * hidden + column] = gelu_slope(sums[i]);
    }
  }
}

// R = X + gelu(H) W₂ − V at the vec4 columns from `first_column` on
fn answer(tokens: Tokens, first_column: u32, lane: vec3<u32>, index: u32) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let column = first_column + lane.x;
  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < hidden; slice += SLICE) {
    var left = vec4(0.0);
    if (index / SLICE < tokens.count && slice + index % SLICE < hidden) {
      left = units[(tokens.first + index / SLICE) * hidden + slice + index % SLICE];
    }
    left_tile[left_place(index / SLICE, index % SLICE)] = left;
    var right = vec4(0.0);
    if (4u * slice + index / 16u < params.hidden_dim && first_column + index % 16u < width) {
      right = w2[tokens.weights + (4u * slice + index / 16u) * width + first_column + index % 16u];
    }
    right_tile[right_place(index / 16u, index % 16u)] = right;
    workgroupBarrier();
    sums = add_product(sums, lane);
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    if (row < tokens.count && column < width) {
      let at = (tokens.first + row) * width + column;
      misses[at] = x[at] - v[at] + sums[i];
    }
  }
}

// B = 2w ⊙ (R W₂ᵀ) ⊙ gelu'(H) at the vec4 columns from `first_column` on
fn blame(tokens: Tokens, first_column: u32, lane: vec3<u32>, index: u32) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let column = first_column + lane.x;
  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    var left = vec4(0.0);
    if (index / SLICE < tokens.count && slice + index % SLICE < width) {
      left = misses[(tokens.first + index / SLICE) * width + slice + index % SLICE];
    }
    left_tile[left_place(index / SLICE, index % SLICE)] = left;
    // Four rows of W₂ at a time, turned to columns.
    if (index < 16u * SLICE) {
      var rows = mat4x4<f32>();
      let block = first_column + index / SLICE;
      if (block < hidden && slice + index % SLICE < width) {
        for (var j = 0u; j < 4u; j++) {
          rows[j] = w2[tokens.weights + (4u * block + j) * width + slice + index % SLICE];
        }
      }
      let columns = transpose(rows);
      for (var d = 0u; d < 4u; d++) {
        right_tile[right_place(4u * (index % SLICE) + d, index / SLICE)] = columns[d];
      }
    }
    workgroupBarrier();
    sums = add_product(sums, lane);
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = tokens.first + 4u * lane.y + i;
    if (4u * lane.y + i < tokens.count && column < hidden) {
      blames[row * hidden + column] *= 2.0 * w[row] * sums[i];
    }
  }
}

// Invocation (x, y) of 16 × 16 owns the rows 4y..4y+3 and the vec4 column x of each block of columns.
@compute @workgroup_size(16, 16)
fn judge(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y;
  let tokens = Tokens(
    batch_head * params.seqlen + group.x * ROWS,
    min(ROWS, params.seqlen - group.x * ROWS),
    batch_head * params.head_dim * (params.hidden_dim / 4u),
  );
  for (var column = 0u; column < params.hidden_dim / 4u; column += 16u) {
    activate(tokens, column, lane, index);
  }
  storageBarrier();
  for (var column = 0u; column < params.head_dim / 4u; column += 16u) {
    answer(tokens, column, lane, index);
  }
  storageBarrier();
  for (var column = 0u; column < params.hidden_dim / 4u; column += 16u) {
    blame(tokens, column, lane, index);
  }
}

// --- The gradients ---

const STEP = 16u; // tokens at a time

// STEP rows each, [tokens, 64 columns]: all the workgroup memory there is by default.
var<workgroup> key_tile: array<vec4<f32>, STEP * 16>; // X
var<workgroup> blame_tile: array<vec4<f32>, STEP * 16>; // B
var<workgroup> unit_tile: array<vec4<f32>, STEP * 16>; // gelu(H)
var<workgroup> miss_tile: array<vec4<f32>, STEP * 16>; // 2w ⊙ R

// Invocation (x, y) of 16 × 16 owns the rows 4y..4y+3 and the vec4 column x of a block of dW₁, and of one of dW₂.
@compute @workgroup_size(16, 16)
fn collect(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let blocks = (hidden + 15u) / 16u; // along the hidden layer
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen;
  let first_outer = group.x / blocks * 16u; // vec4s of headDim before this block
  let first_inner = group.x % blocks * 16u; // and of hiddenDim

  var up = mat4x4<f32>(); // dW₁
  var down = mat4x4<f32>(); // dW₂
  for (var start = 0u; start < params.seqlen; start += STEP) {
    let row = first_row + start + index / 16u;
    let inside = start + index / 16u < params.seqlen;
    let outer = first_outer + index % 16u;
    let inner = first_inner + index % 16u;
    var key = vec4(0.0);
    var miss = vec4(0.0);
    if (inside && outer < width) {
      key = x[row * width + outer];
      miss = 2.0 * w[row] * misses[row * width + outer];
    }
    key_tile[index] = key;
    miss_tile[index] = miss;
    var responsible = vec4(0.0);
    var unit = vec4(0.0);
    if (inside && inner < hidden) {
      responsible = blames[row * hidden + inner];
      unit = units[row * hidden + inner];
    }
    blame_tile[index] = responsible;
    unit_tile[index] = unit;
    workgroupBarrier();
    for (var t = 0u; t < min(STEP, params.seqlen - start); t++) {
      let keys = key_tile[16u * t + lane.y];
      let columns_up = blame_tile[16u * t + lane.x];
      let rows_down = unit_tile[16u * t + lane.y];
      let columns_down = miss_tile[16u * t + lane.x];
      for (var i = 0u; i < 4u; i++) {
        up[i] += keys[i] * columns_up;
        down[i] += rows_down[i] * columns_down;
      }
    }
    workgroupBarrier();
  }

  let weights = batch_head * params.head_dim * hidden;
  for (var i = 0u; i < 4u; i++) {
    let outer = 4u * (first_outer + lane.y) + i;
    if (outer < params.head_dim && first_inner + lane.x < hidden) {
      dw1[weights + outer * hidden + first_inner + lane.x] = up[i];
    }
    let inner = 4u * (first_inner + lane.y) + i;
    if (inner < params.hidden_dim && first_outer + lane.x < width) {
      dw2[weights + inner * width + first_outer + lane.x] = down[i];
    }
  }

  // The first workgroup of a head adds up its loss.
  if (group.x == 0u) {
    var part = vec4(0.0);
    for (var e = index; e < params.seqlen * width; e += 256u) {
      let miss = misses[first_row * width + e];
      part += w[first_row + e / width] * miss * miss;
    }
    key_tile[index] = part;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
      if (index < half) {
        key_tile[index] += key_tile[index + half];
      }
      workgroupBarrier();
    }
    if (index == 0u) {
      loss[batch_head] = dot(key_tile[0], vec4(1.0));
    }
  }
}
