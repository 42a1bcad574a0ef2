/*---
mechanism: titans-mlp
shape: { batch: 1, heads: 4, seqlen: 128, headDim: 32, hiddenDim: 64 }
options: { chunk: 64 }
scratch:
  weights: f32[batch, heads, seqlen, ceil(chunk / 4) * 4]
  scores: f32[batch, heads, seqlen, ceil(chunk / 4) * 4]
  factors: f32[batch, heads, seqlen, 4]
  fades: f32[batch, heads, ceil(seqlen / chunk)]
  units: f32[batch, heads, seqlen, hiddenDim]
  blames: f32[batch, heads, seqlen, hiddenDim]
  errors: f32[batch, heads, seqlen, headDim]
  answers: f32[batch, heads, seqlen, hiddenDim]
  states: f32[batch, heads, ceil(seqlen / chunk) + 1, 4, headDim, hiddenDim]
passes:
  - { entry: weigh, workgroups: [ceil(seqlen / chunk), heads, batch] }
  - { entry: begin, workgroups: [ceil(headDim * hiddenDim / 1024), heads, batch] }
  - { entry: learn, workgroups: [heads, batch, 1] }
  - { entry: score_keys, workgroups: [ceil(seqlen / chunk), heads, batch] }
  - { entry: ask, workgroups: [ceil(seqlen / chunk), heads * ceil(hiddenDim / 64), batch] }
  - { entry: score_units, workgroups: [ceil(seqlen / chunk), heads, batch] }
  - { entry: recall, workgroups: [ceil(seqlen / chunk), heads * ceil(headDim / 64), batch] }
  - { entry: end, workgroups: [ceil(headDim * hiddenDim / 1024), heads, batch] }
---*/

// The memory of Titans (Behrouz et al. 2025) with a hidden layer, M(x) = x + gelu(x W₁) W₂, by chunks of up to 64 tokens. Each
// token is learned by a step of gradient descent on ‖M(k) − v‖² with momentum η and forgetting α, in both layers:
//
//   S_t = η_t S_(t-1) − θ_t ∂W,   W_t = (1 − α_t) W_(t-1) + S_t,   o_t = M_t(q_t)
//
// All gradients of a chunk are taken at the memory before it. Each is then a product of two rows that are known at once, so
// that within the chunk both layers are linear memories, with keys K and hidden units gelu(H) and with errors B and E:
//
//   H = K W₁,   E = 2 (K + gelu(H) W₂ − V),   B = (E W₂ᵀ) ⊙ gelu'(H)
//   A = gelu(P ⊙ (Q W₁) + f ⊙ (Q S₁) − ((Q Kᵀ) ⊙ W) B)
//   O = Q + P ⊙ (A W₂) + f ⊙ (A S₂) − ((A gelu(H)ᵀ) ⊙ W) E
//
// P, f and W: what a unit of weight, of momentum or of θ-weighted gradient before or in the chunk has become by a row, as
// in titans/chunked.wgsl. The passes:
//
//   weigh           W, and for each row P, f, and what it leaves in the weights and in the momentum at the end of the chunk
//   begin, end      the memory into `states`, and out of it
//   learn           chunk after chunk: H, E and B, and the memory after it. A workgroup takes a head through the sequence
//   score_, ask     A, all chunks at once: its scores, then one product [P ⊙ Q, f ⊙ Q, −scores] [W₁; S₁; B]
//   score_, recall  O in the same way from A

const ROWS = 64u; // tokens of a chunk at most

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is hidden_dim
  hidden_dim: u32,
  chunk: u32, // at most ROWS
  gelu: u32, // 0: erf, 1: tanh
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(4) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> w1: array<vec4<f32>>; // [batch, heads, headDim, hiddenDim], as s1
@group(0) @binding(8) var<storage, read> w2: array<vec4<f32>>; // [batch, heads, hiddenDim, headDim], as s2
@group(0) @binding(9) var<storage, read> s1: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read> s2: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(12) var<storage, read_write> w1Out: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> w2Out: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read_write> s1Out: array<vec4<f32>>;
@group(0) @binding(15) var<storage, read_write> s2Out: array<vec4<f32>>;
@group(0) @binding(16) var<storage, read_write> weights: array<vec4<f32>>; // W: a row has a place for each row of its chunk
@group(0) @binding(17) var<storage, read_write> scores: array<vec4<f32>>; // as W: (Q Kᵀ) ⊙ W, then (A gelu(H)ᵀ) ⊙ W
@group(0) @binding(18) var<storage, read_write> factors: array<vec4<f32>>; // P, f, into weights, into momentum
@group(0) @binding(19) var<storage, read_write> fades: array<f32>; // Π η of each chunk
@group(0) @binding(20) var<storage, read_write> units: array<vec4<f32>>; // gelu(H), [batch, heads, seqlen, hiddenDim]
@group(0) @binding(21) var<storage, read_write> blames: array<vec4<f32>>; // gelu'(H), then B
@group(0) @binding(22) var<storage, read_write> errors: array<vec4<f32>>; // E, [batch, heads, seqlen, headDim]
@group(0) @binding(23) var<storage, read_write> answers: array<vec4<f32>>; // A, as units
@group(0) @binding(24) var<storage, read_write> states: array<vec4<f32>>; // W₁, S₁, W₂, S₂ before each chunk and at the end

fn chunk_count() -> u32 {
  return (params.seqlen + params.chunk - 1u) / params.chunk;
}

// vec4s in a row of W and of scores.
fn score_width() -> u32 {
  return (params.chunk + 3u) / 4u;
}

// vec4s of one matrix of a memory.
fn matrix_size() -> u32 {
  return params.head_dim * (params.hidden_dim / 4u);
}

// First vec4 of the memory before a chunk in `states`.
fn state_start(batch_head: u32, chunk: u32) -> u32 {
  return (batch_head * (chunk_count() + 1u) + chunk) * 4u * matrix_size();
}

// The tokens of a chunk.
struct Tokens {
  first: u32, // row of the first one in all batches and heads
  count: u32,
}

fn tokens_of(batch_head: u32, chunk: u32) -> Tokens {
  let first = chunk * params.chunk;
  return Tokens(batch_head * params.seqlen + first, min(params.chunk, params.seqlen - first));
}

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

// --- What tokens leave behind ---

var<workgroup> theta_tile: array<f32, ROWS>;
var<workgroup> eta_tile: array<f32, ROWS>;
var<workgroup> kept_tile: array<f32, ROWS>; // 1 − α

// Invocation c follows the gradient of row c through the recurrence, and a weight and a momentum of 1 up to row c. The first
// ones follow four rows at a time as well, to write W by vec4s.
@compute @workgroup_size(ROWS)
fn weigh(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.z * params.heads + group.y;
  let tokens = tokens_of(batch_head, group.x);
  if (lane < tokens.count) {
    theta_tile[lane] = theta[tokens.first + lane];
    eta_tile[lane] = eta[tokens.first + lane];
    kept_tile[lane] = 1.0 - alpha[tokens.first + lane];
  }
  workgroupBarrier();

  var own = vec2(0.0); // what row `lane` has left in the weights and in the momentum
  var in_weights = vec4(0.0); // what the rows 4 · lane .. 4 · lane + 3 have left in the weights
  var in_momentum = vec4(0.0); // and in the momentum
  var before = vec2(0.0, 1.0); // what a unit of momentum before the chunk is in both
  var kept = 1.0; // what a unit of weight before the chunk is
  for (var row = 0u; row < tokens.count; row++) {
    let surprise = eta_tile[row] * own.y + select(0.0, theta_tile[row], row == lane);
    own = vec2(kept_tile[row] * own.x + surprise, surprise);
    if (row <= lane) {
      let momentum = eta_tile[row] * before.y;
      before = vec2(kept_tile[row] * before.x + momentum, momentum);
      kept *= kept_tile[row];
    }
    if (lane < score_width()) {
      let arrived = select(vec4(0.0), vec4(theta_tile[row]), vec4(row) == 4u * lane + vec4(0u, 1u, 2u, 3u));
      in_momentum = eta_tile[row] * in_momentum + arrived;
      in_weights = kept_tile[row] * in_weights + in_momentum;
      weights[(tokens.first + row) * score_width() + lane] = in_weights;
    }
  }
  if (lane < tokens.count) {
    factors[tokens.first + lane] = vec4(kept, before.x, own);
  }
  if (lane + 1u == tokens.count) {
    fades[batch_head * chunk_count() + group.x] = before.y;
  }
}

@compute @workgroup_size(256)
fn begin(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.z * params.heads + group.y;
  let size = matrix_size();
  let e = group.x * 256u + lane;
  if (e < size) {
    let state = state_start(batch_head, 0u) + e;
    states[state] = w1[batch_head * size + e];
    states[state + size] = s1[batch_head * size + e];
    states[state + 2u * size] = w2[batch_head * size + e];
    states[state + 3u * size] = s2[batch_head * size + e];
  }
}

@compute @workgroup_size(256)
fn end(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.z * params.heads + group.y;
  let size = matrix_size();
  let e = group.x * 256u + lane;
  if (e < size) {
    let state = state_start(batch_head, chunk_count()) + e;
    w1Out[batch_head * size + e] = states[state];
    s1Out[batch_head * size + e] = states[state + size];
    w2Out[batch_head * size + e] = states[state + 2u * size];
    s2Out[batch_head * size + e] = states[state + 3u * size];
  }
}

// --- Products of 64 rows and 64 columns ---

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

// Adds the product of the slices to the rows 4y..4y+3 and the vec4 column x, those of invocation (x, y) of 16 × 16.
fn add_product(block: mat4x4<f32>, lane: vec3<u32>, rows: u32) -> mat4x4<f32> {
  var sums = block;
  if (4u * lane.y < rows) {
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
  }
  return sums;
}

// Writes four rows to the right side as columns: number 4 · `number` + i of row 4 · `column` + j is rows[j][i].
fn keep_turned(rows: mat4x4<f32>, number: u32, column: u32) {
  let numbers = transpose(rows);
  for (var i = 0u; i < 4u; i++) {
    right_tile[right_place(4u * number + i, column)] = numbers[i];
  }
}

// --- The memory, chunk after chunk ---

const KEYS = 0u; // K W₁
const UNITS = 1u; // gelu(H) W₂
const ERRORS = 2u; // E W₂ᵀ

// One of these products for the tokens of a chunk, at the vec4 columns from `first_column` on. `state`: the memory before.
fn pass_through(what: u32, tokens: Tokens, state: u32, first_column: u32, lane: vec3<u32>, index: u32) -> mat4x4<f32> {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let length = select(width, hidden, what == UNITS); // vec4s of a row on the left
  let columns = select(hidden, width, what == UNITS); // and on the right
  let w2_start = state + 2u * matrix_size();
  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < length; slice += SLICE) {
    let n = slice + index % SLICE;
    let row = index / SLICE;
    var left = vec4(0.0);
    if (row < tokens.count && n < length) {
      let at = (tokens.first + row) * length + n;
      if (what == KEYS) {
        left = k[at];
      } else if (what == UNITS) {
        left = units[at];
      } else {
        left = errors[at];
      }
    }
    left_tile[left_place(row, index % SLICE)] = left;
    if (what != ERRORS) {
      let number = 4u * slice + index / 16u;
      let column = first_column + index % 16u;
      var right = vec4(0.0);
      if (number < 4u * length && column < columns) {
        right = states[select(state, w2_start, what == UNITS) + number * columns + column];
      }
      right_tile[right_place(index / 16u, index % 16u)] = right;
    } else if (index < 16u * SLICE) {
      var rows = mat4x4<f32>();
      if (first_column + row < columns && n < length) {
        for (var j = 0u; j < 4u; j++) {
          rows[j] = states[w2_start + (4u * (first_column + row) + j) * length + n];
        }
      }
      keep_turned(rows, index % SLICE, row);
    }
    workgroupBarrier();
    sums = add_product(sums, lane, tokens.count);
    workgroupBarrier();
  }
  return sums;
}

// H, then E, then B of a chunk.
fn judge(tokens: Tokens, state: u32, lane: vec3<u32>, index: u32) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  for (var first = 0u; first < hidden; first += 16u) {
    let sums = pass_through(KEYS, tokens, state, first, lane, index);
    for (var i = 0u; i < 4u; i++) {
      if (4u * lane.y + i < tokens.count && first + lane.x < hidden) {
        let at = (tokens.first + 4u * lane.y + i) * hidden + first + lane.x;
        units[at] = gelu(sums[i]);
        blames[at] = gelu_slope(sums[i]);
      }
    }
  }
  storageBarrier();
  for (var first = 0u; first < width; first += 16u) {
    let sums = pass_through(UNITS, tokens, state, first, lane, index);
    for (var i = 0u; i < 4u; i++) {
      if (4u * lane.y + i < tokens.count && first + lane.x < width) {
        let at = (tokens.first + 4u * lane.y + i) * width + first + lane.x;
        errors[at] = 2.0 * (k[at] - v[at] + sums[i]);
      }
    }
  }
  storageBarrier();
  for (var first = 0u; first < hidden; first += 16u) {
    let sums = pass_through(ERRORS, tokens, state, first, lane, index);
    for (var i = 0u; i < 4u; i++) {
      if (4u * lane.y + i < tokens.count && first + lane.x < hidden) {
        blames[(tokens.first + 4u * lane.y + i) * hidden + first + lane.x] *= sums[i];
      }
    }
  }
  storageBarrier();
}

const STEP = 16u; // tokens at a time

var<workgroup> left_behind: array<vec2<f32>, ROWS>; // what each row leaves in the weights and in the momentum

// The vec4 columns `outer` of K or gelu(H) and `inner` of B or E for the next STEP tokens, [tokens, 64 columns], in the tiles.
fn keep_rows(layer: u32, tokens: Tokens, start: u32, first_outer: u32, first_inner: u32, index: u32) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let row = tokens.first + start + index / 16u;
  let inside = start + index / 16u < tokens.count;
  let outer = first_outer + index % 16u;
  let inner = first_inner + index % 16u;
  var left = vec4(0.0);
  var right = vec4(0.0);
  if (layer == 1u) {
    if (inside && outer < width) {
      left = k[row * width + outer];
    }
    if (inside && inner < hidden) {
      right = blames[row * hidden + inner];
    }
  } else {
    if (inside && outer < hidden) {
      left = units[row * hidden + outer];
    }
    if (inside && inner < width) {
      right = errors[row * width + inner];
    }
  }
  left_tile[index] = left;
  right_tile[index] = right;
}

// Weights and momentum of a layer after a chunk, each by what the rows of the chunk leave in it.
fn descend(layer: u32, tokens: Tokens, state: u32, fade: f32, lane: vec3<u32>, index: u32) {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let rows = select(width, hidden, layer == 2u); // vec4s along the rows of the matrix
  let columns = select(hidden, width, layer == 2u);
  let size = matrix_size();
  let last = factors[tokens.first + tokens.count - 1u];
  for (var outer = 0u; outer < rows; outer += 16u) {
    for (var inner = 0u; inner < columns; inner += 16u) {
      var into_weights = mat4x4<f32>();
      var into_momentum = mat4x4<f32>();
      for (var start = 0u; start < tokens.count; start += STEP) {
        keep_rows(layer, tokens, start, outer, inner, index);
        workgroupBarrier();
        for (var t = 0u; t < min(STEP, tokens.count - start); t++) {
          let into = left_behind[start + t];
          let left = left_tile[16u * t + lane.y];
          let right = right_tile[16u * t + lane.x];
          for (var i = 0u; i < 4u; i++) {
            into_weights[i] += into.x * left[i] * right;
            into_momentum[i] += into.y * left[i] * right;
          }
        }
        workgroupBarrier();
      }
      for (var i = 0u; i < 4u; i++) {
        if (outer + lane.y < rows && inner + lane.x < columns) {
          let at = state + 2u * (layer - 1u) * size + (4u * (outer + lane.y) + i) * columns + inner + lane.x;
          states[at + 4u * size] = last.x * states[at] + last.y * states[at + size] - into_weights[i];
          states[at + 5u * size] = fade * states[at + size] - into_momentum[i];
        }
      }
    }
  }
}

@compute @workgroup_size(16, 16)
fn learn(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.y * params.heads + group.x;
  for (var chunk = 0u; chunk < chunk_count(); chunk++) {
    let tokens = tokens_of(batch_head, chunk);
    let state = state_start(batch_head, chunk);
    let fade = fades[batch_head * chunk_count() + chunk];
    if (index < tokens.count) {
      left_behind[index] = factors[tokens.first + index].zw;
    }
    judge(tokens, state, lane, index);
    descend(1u, tokens, state, fade, lane, index);
    descend(2u, tokens, state, fade, lane, index);
    storageBarrier();
  }
}

// --- The answers, all chunks at once ---

// scores = (left rightᵀ) ⊙ W, for Q and K or for A and gelu(H). W is zero beyond the diagonal.
fn score(layer: u32, group: vec3<u32>, lane: vec3<u32>, index: u32) {
  let length = select(params.head_dim, params.hidden_dim, layer == 2u) / 4u;
  let tokens = tokens_of(group.z * params.heads + group.y, group.x);
  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < length; slice += SLICE) {
    let n = slice + index % SLICE;
    let row = index / SLICE;
    var left = vec4(0.0);
    if (row < tokens.count && n < length) {
      let at = (tokens.first + row) * length + n;
      if (layer == 1u) {
        left = q[at];
      } else {
        left = answers[at];
      }
    }
    left_tile[left_place(row, index % SLICE)] = left;
    if (index < 16u * SLICE) {
      var rows = mat4x4<f32>();
      for (var j = 0u; j < 4u; j++) {
        if (4u * row + j < tokens.count && n < length) {
          let at = (tokens.first + 4u * row + j) * length + n;
          if (layer == 1u) {
            rows[j] = k[at];
          } else {
            rows[j] = units[at];
          }
        }
      }
      keep_turned(rows, index % SLICE, row);
    }
    workgroupBarrier();
    sums = add_product(sums, lane, tokens.count);
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    if (4u * lane.y + i < tokens.count && lane.x < score_width()) {
      let at = (tokens.first + 4u * lane.y + i) * score_width() + lane.x;
      scores[at] = weights[at] * sums[i];
    }
  }
}

@compute @workgroup_size(16, 16)
fn score_keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  score(1u, group, lane, index);
}

@compute @workgroup_size(16, 16)
fn score_units(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  score(2u, group, lane, index);
}

// [P ⊙ X, f ⊙ X, −scores] [W; S; R] of a layer, where X and R are Q and B, or A and E.
fn read_layer(layer: u32, batch_head: u32, chunk: u32, first_column: u32, lane: vec3<u32>, index: u32) -> mat4x4<f32> {
  let width = params.head_dim / 4u;
  let hidden = params.hidden_dim / 4u;
  let length = select(width, hidden, layer == 2u);
  let columns = select(hidden, width, layer == 2u);
  let tokens = tokens_of(batch_head, chunk);
  let state = state_start(batch_head, chunk) + 2u * (layer - 1u) * matrix_size();
  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < 2u * length + score_width(); slice += SLICE) {
    let row = tokens.first + index / SLICE;
    let n = slice + index % SLICE;
    var left = vec4(0.0);
    if (index / SLICE < tokens.count) {
      if (n < 2u * length) {
        let factor = select(factors[row].x, factors[row].y, n >= length);
        if (layer == 1u) {
          left = factor * q[row * length + n % length];
        } else {
          left = factor * answers[row * length + n % length];
        }
      } else if (n < 2u * length + score_width()) {
        left = -scores[row * score_width() + n - 2u * length];
      }
    }
    left_tile[left_place(index / SLICE, index % SLICE)] = left;
    let number = 4u * slice + index / 16u;
    let column = first_column + index % 16u;
    var right = vec4(0.0);
    if (column < columns) {
      if (number < 8u * length) {
        right = states[state + number * columns + column];
      } else if (number - 8u * length < tokens.count) {
        let at = (tokens.first + number - 8u * length) * columns + column;
        if (layer == 1u) {
          right = blames[at];
        } else {
          right = errors[at];
        }
      }
    }
    right_tile[right_place(index / 16u, index % 16u)] = right;
    workgroupBarrier();
    sums = add_product(sums, lane, tokens.count);
    workgroupBarrier();
  }
  return sums;
}

@compute @workgroup_size(16, 16)
fn ask(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_column = group.y / params.heads * 16u;
  let tokens = tokens_of(batch_head, group.x);
  let column = first_column + lane.x;
  let sums = read_layer(1u, batch_head, group.x, first_column, lane, index);
  for (var i = 0u; i < 4u; i++) {
    if (4u * lane.y + i < tokens.count && column < params.hidden_dim / 4u) {
      answers[(tokens.first + 4u * lane.y + i) * (params.hidden_dim / 4u) + column] = gelu(sums[i]);
    }
  }
}

@compute @workgroup_size(16, 16)
fn recall(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_column = group.y / params.heads * 16u;
  let tokens = tokens_of(batch_head, group.x);
  let column = first_column + lane.x;
  let sums = read_layer(2u, batch_head, group.x, first_column, lane, index);
  for (var i = 0u; i < 4u; i++) {
    if (4u * lane.y + i < tokens.count && column < params.head_dim / 4u) {
      let at = (tokens.first + 4u * lane.y + i) * (params.head_dim / 4u) + column;
      o[at] = q[at] + sums[i];
    }
  }
}
