/*---
mechanism: titans
shape: { batch: 1, heads: 8, seqlen: 2048, headDim: 64 }
options: { chunk: 64 }
scratch:
  scores: f32[batch, heads, seqlen, ceil(chunk / 4) * 4]
  factors: f32[batch, heads, seqlen, 4]
  fades: f32[batch, heads, ceil(seqlen / chunk)]
  errors: f32[batch, heads, seqlen, headDimV]
  states: f32[batch, heads, ceil(seqlen / chunk) + 1, 2, headDim, headDimV]
passes:
  - { entry: weigh, workgroups: [ceil(seqlen / chunk), heads, batch] }
  - { entry: score, workgroups: [ceil(seqlen / chunk), heads, batch] }
  - { entry: learn, workgroups: [ceil(headDimV / 8), heads, batch] }
  - { entry: recall, workgroups: [ceil(seqlen / chunk), heads * ceil(headDimV / 64), batch] }
---*/

// The linear memory of Titans (Behrouz et al. 2025), by chunks of up to 64 tokens. Each token is learned by a step of
// gradient descent on ‖Mᵀk − v‖² with momentum η and forgetting α:
//
//   S_t = η_t S_(t-1) − θ_t k_t e_tᵀ,   M_t = (1 − α_t) M_(t-1) + S_t,   o_t = M_tᵀ q_t
//
// All errors of a chunk are taken at the memory M before it, e_t = κ (Mᵀk_t − v_t), so that within a chunk everything is
// linear in what its tokens leave behind. For the rows r and c of a chunk, with S the momentum before it:
//
//   M_r = P_r M + f_r S − Σ_c≤r W_rc k_c e_cᵀ
//   P_r = Π (1 − α),   f_r and W_rc: what a unit of S, or of θ-weighted gradient at c, has become in M by row r
//   O   = P ⊙ (Q M) + f ⊙ (Q S) − ((Q Kᵀ) ⊙ W) E
//
// P, f and each column of W follow from the recurrence above, run on single numbers: no logarithms of products, whose
// differences lose what matters, and nothing that can overflow. Four passes:
//
//   weigh   W (into scores), and for each row P, f, and what it leaves in M and in S at the end of the chunk
//   score   scores = (Q Kᵀ) ⊙ W
//   learn   chunk after chunk: the errors E of the memory, then the memory and momentum after it. Value columns do not
//           depend on each other: a workgroup takes 8 of them through the whole sequence
//   recall  the outputs, all chunks at once, as one product [P ⊙ Q, f ⊙ Q, −scores] [M; S; E]

const ROWS = 64u; // tokens of a chunk at most

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // at most 128, a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  chunk: u32, // at most ROWS
  loss_coef: f32, // κ
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> m0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(9) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(10) var<storage, read_write> m: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(11) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(12) var<storage, read_write> scores: array<vec4<f32>>; // a row has a place for each row of its chunk
@group(0) @binding(13) var<storage, read_write> factors: array<vec4<f32>>; // P, f, into M, into S, for each token
@group(0) @binding(14) var<storage, read_write> fades: array<f32>; // Π η of each chunk
@group(0) @binding(15) var<storage, read_write> errors: array<vec4<f32>>; // E, [batch, heads, seqlen, headDimV]
@group(0) @binding(16) var<storage, read_write> states: array<vec4<f32>>; // M and S before each chunk and at the end

fn chunk_count() -> u32 {
  return (params.seqlen + params.chunk - 1u) / params.chunk;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(params.chunk, params.seqlen - chunk * params.chunk);
}

// vec4s in a row of scores.
fn score_width() -> u32 {
  return (params.chunk + 3u) / 4u;
}

// First vec4 of M before a chunk in `states`; that of S comes headDim rows later.
fn state_start(batch_head: u32, chunk: u32) -> u32 {
  return (batch_head * (chunk_count() + 1u) + chunk) * 2u * params.head_dim * (params.head_dim_v / 4u);
}

// --- What tokens leave behind ---

var<workgroup> theta_tile: array<f32, ROWS>;
var<workgroup> eta_tile: array<f32, ROWS>;
var<workgroup> kept_tile: array<f32, ROWS>; // 1 − α

// Invocation c follows the gradient of row c through the recurrence, and a memory and a momentum of 1 up to row c. The first
// ones follow four rows at a time as well, to write W by vec4s.
@compute @workgroup_size(ROWS)
fn weigh(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + group.x * params.chunk;
  let length = chunk_length(group.x);
  if (lane < length) {
    theta_tile[lane] = theta[first_row + lane];
    eta_tile[lane] = eta[first_row + lane];
    kept_tile[lane] = 1.0 - alpha[first_row + lane];
  }
  workgroupBarrier();

  var own = vec2(0.0); // what row `lane` has left in M and in S
  var in_memory = vec4(0.0); // what the rows 4 · lane .. 4 · lane + 3 have left in M
  var in_momentum = vec4(0.0); // and in S
  var before = vec2(0.0, 1.0); // what a unit of S before the chunk is in M and in S
  var kept = 1.0; // what a unit of M before the chunk is in M
  for (var row = 0u; row < length; row++) {
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
      in_memory = kept_tile[row] * in_memory + in_momentum;
      scores[(first_row + row) * score_width() + lane] = in_memory;
    }
  }
  if (lane < length) {
    factors[first_row + lane] = vec4(kept, before.x, own);
  }
  if (lane + 1u == length) {
    fades[batch_head * chunk_count() + group.x] = before.y;
  }
}

// --- The scores within a chunk ---

const SLICE = 4u; // vec4s of the sum's length per step: 16 numbers

// A slice of Q, [ROWS, SLICE], and of Kᵀ, [16 numbers, ROWS / 4]. Padded, so that rows start in different banks.
var<workgroup> left_tile: array<vec4<f32>, ROWS * (SLICE + 1)>;
var<workgroup> right_tile: array<vec4<f32>, 4 * SLICE * (ROWS / 4 + 1)>;

fn left_place(row: u32, column: u32) -> u32 {
  return (SLICE + 1u) * row + column;
}

fn right_place(row: u32, column: u32) -> u32 {
  return (ROWS / 4u + 1u) * row + column;
}

// Invocation (x, y) of 16 × 16 owns the rows 4y..4y+3 and the columns 4x..4x+3 of the scores.
@compute @workgroup_size(16, 16)
fn score(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let first_row = (group.z * params.heads + group.y) * params.seqlen + group.x * params.chunk;
  let length = chunk_length(group.x);

  var sums = mat4x4<f32>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    // One vec4 of Q, and a block of 4 keys × 4 numbers for the first invocations.
    var query = vec4(0.0);
    if (index / SLICE < length && slice + index % SLICE < width) {
      query = q[(first_row + index / SLICE) * width + slice + index % SLICE];
    }
    left_tile[left_place(index / SLICE, index % SLICE)] = query;
    if (index < ROWS / 4u * SLICE) {
      var keys = mat4x4<f32>();
      for (var j = 0u; j < 4u; j++) {
        let row = 4u * (index / SLICE) + j;
        if (row < length && slice + index % SLICE < width) {
          keys[j] = k[(first_row + row) * width + slice + index % SLICE];
        }
      }
      let numbers = transpose(keys);
      for (var d = 0u; d < 4u; d++) {
        right_tile[right_place(4u * (index % SLICE) + d, index / SLICE)] = numbers[d];
      }
    }
    workgroupBarrier();
    for (var d = 0u; d < SLICE; d++) {
      let k0 = right_tile[right_place(4u * d, lane.x)];
      let k1 = right_tile[right_place(4u * d + 1u, lane.x)];
      let k2 = right_tile[right_place(4u * d + 2u, lane.x)];
      let k3 = right_tile[right_place(4u * d + 3u, lane.x)];
      for (var i = 0u; i < 4u; i++) {
        let row = left_tile[left_place(4u * lane.y + i, d)];
        sums[i] += row.x * k0 + row.y * k1 + row.z * k2 + row.w * k3;
      }
    }
    workgroupBarrier();
  }

  // W is zero beyond the diagonal.
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    if (row < length && lane.x < score_width()) {
      scores[(first_row + row) * score_width() + lane.x] *= sums[i];
    }
  }
}

// --- Errors, memory and momentum, chunk after chunk ---

const PAIRS = 2u; // vec4s of headDimV per workgroup

var<workgroup> memory_tile: array<vec4<f32>, 128 * PAIRS>; // M, [headDim, 8 value columns]
var<workgroup> error_tile: array<vec4<f32>, ROWS * PAIRS>; // E, [ROWS, 8 value columns]
var<workgroup> left_behind: array<vec2<f32>, ROWS>; // what each row leaves in M and in S

// Invocation (x, y) of 2 × 64 owns the vec4 column x of the error of row y, and the rows y and y+64 of that column of M
// and S.
@compute @workgroup_size(PAIRS, ROWS)
fn learn(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y;
  let column = group.x * PAIRS + lane.x;
  let inside = column < width_v;
  let chunks = chunk_count();

  var memory = array<vec4<f32>, 2>();
  var momentum = array<vec4<f32>, 2>();
  for (var n = 0u; n < 2u; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      memory[n] = m0[(batch_head * params.head_dim + d) * width_v + column];
      momentum[n] = s0[(batch_head * params.head_dim + d) * width_v + column];
    }
  }

  for (var chunk = 0u; chunk <= chunks; chunk++) {
    let state = state_start(batch_head, chunk) + column;
    for (var n = 0u; n < 2u; n++) {
      let d = lane.y + ROWS * n;
      memory_tile[PAIRS * d + lane.x] = memory[n];
      if (inside && d < params.head_dim) {
        states[state + d * width_v] = memory[n];
        states[state + (params.head_dim + d) * width_v] = momentum[n];
      }
    }
    if (chunk == chunks) {
      break;
    }
    let first_row = batch_head * params.seqlen + chunk * params.chunk;
    let length = chunk_length(chunk);

    // E = κ (K M − V)
    var error = vec4(0.0);
    for (var slice = 0u; slice < width; slice += SLICE) {
      for (var e = index; e < ROWS * SLICE; e += ROWS * PAIRS) {
        var key = vec4(0.0);
        if (e / SLICE < length && slice + e % SLICE < width) {
          key = k[(first_row + e / SLICE) * width + slice + e % SLICE];
        }
        left_tile[left_place(e / SLICE, e % SLICE)] = key;
      }
      workgroupBarrier();
      for (var d = 0u; d < min(SLICE, width - slice); d++) {
        let key = left_tile[left_place(lane.y, d)];
        let at = 4u * PAIRS * (slice + d) + lane.x;
        error += key.x * memory_tile[at];
        error += key.y * memory_tile[at + PAIRS];
        error += key.z * memory_tile[at + 2u * PAIRS];
        error += key.w * memory_tile[at + 3u * PAIRS];
      }
      workgroupBarrier();
    }
    let row = first_row + lane.y;
    if (inside && lane.y < length) {
      error = params.loss_coef * (error - v[row * width_v + column]);
      errors[row * width_v + column] = error;
    }
    error_tile[index] = error;
    if (lane.x == 0u && lane.y < length) {
      left_behind[lane.y] = factors[row].zw;
    }
    workgroupBarrier();

    // M and S, each by what the rows of the chunk leave in it
    let last = factors[first_row + length - 1u];
    let fade = fades[batch_head * chunks + chunk];
    for (var n = 0u; n < 2u; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        var into_memory = vec4(0.0);
        var into_momentum = vec4(0.0);
        for (var c = 0u; c < length; c++) {
          let key = k[(first_row + c) * width + d / 4u][d % 4u];
          let gradient = key * error_tile[PAIRS * c + lane.x];
          into_memory += left_behind[c].x * gradient;
          into_momentum += left_behind[c].y * gradient;
        }
        memory[n] = last.x * memory[n] + last.y * momentum[n] - into_memory;
        momentum[n] = fade * momentum[n] - into_momentum;
      }
    }
  }
}

// --- The output ---

// Invocation (x, y) of 8 × 16 owns the rows 4y..4y+3 and the vec4 columns x and x+8 of the output.
@compute @workgroup_size(8, 16)
fn recall(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_column = group.y / params.heads * 16u;
  let first_row = batch_head * params.seqlen + chunk * params.chunk;
  let length = chunk_length(chunk);
  let state = state_start(batch_head, chunk);
  let total = 2u * width + score_width(); // vec4s of a row of [P ⊙ Q, f ⊙ Q, −scores]

  var output = array<vec4<f32>, 8>(); // output[2i + b]: row 4y+i, vec4 column x+8b
  for (var slice = 0u; slice < total; slice += SLICE) {
    for (var e = index; e < ROWS * SLICE; e += 128u) {
      let row = first_row + e / SLICE;
      let n = slice + e % SLICE;
      var left = vec4(0.0);
      if (e / SLICE < length) {
        if (n < width) {
          left = factors[row].x * q[row * width + n];
        } else if (n < 2u * width) {
          left = factors[row].y * q[row * width + n - width];
        } else if (n < total) {
          left = -scores[row * score_width() + n - 2u * width];
        }
      }
      left_tile[left_place(e / SLICE, e % SLICE)] = left;
    }
    for (var e = index; e < 4u * SLICE * 16u; e += 128u) {
      let n = 4u * slice + e / 16u;
      let column = first_column + e % 16u;
      var right = vec4(0.0);
      if (column < width_v) {
        if (n < 2u * params.head_dim) {
          right = states[state + n * width_v + column];
        } else if (n - 2u * params.head_dim < length) {
          right = errors[(first_row + n - 2u * params.head_dim) * width_v + column];
        }
      }
      right_tile[right_place(e / 16u, e % 16u)] = right;
    }
    workgroupBarrier();
    for (var n = 0u; n < SLICE; n++) {
      for (var b = 0u; b < 2u; b++) {
        let r0 = right_tile[right_place(4u * n, lane.x + 8u * b)];
        let r1 = right_tile[right_place(4u * n + 1u, lane.x + 8u * b)];
        let r2 = right_tile[right_place(4u * n + 2u, lane.x + 8u * b)];
        let r3 = right_tile[right_place(4u * n + 3u, lane.x + 8u * b)];
        for (var i = 0u; i < 4u; i++) {
          let left = left_tile[left_place(4u * lane.y + i, n)];
          output[2u * i + b] += left.x * r0 + left.y * r1 + left.z * r2 + left.w * r3;
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    for (var b = 0u; b < 2u; b++) {
      let column = first_column + lane.x + 8u * b;
      if (4u * lane.y + i < length && column < width_v) {
        o[(first_row + 4u * lane.y + i) * width_v + column] = output[2u * i + b];
      }
    }
  }

  // The final memory and momentum stand behind those before the last chunk.
  if (chunk + 1u == chunk_count()) {
    let final_state = state_start(batch_head, chunk + 1u);
    for (var e = index; e < params.head_dim * 16u; e += 128u) {
      let column = first_column + e % 16u;
      if (column < width_v) {
        let at = e / 16u * width_v + column;
        m[batch_head * params.head_dim * width_v + at] = states[final_state + at];
        s[batch_head * params.head_dim * width_v + at] = states[final_state + params.head_dim * width_v + at];
      }
    }
  }
}
