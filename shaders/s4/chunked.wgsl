/*---
mechanism: s4
shape: { batch: 1, channels: 256, seqlen: 2048, stateDim: 32 }
scratch:
  reads: f32[channels, stateDim, CHUNK, complex]
  leaps: f32[channels, stateDim, complex]
  taps: f32[channels, CHUNK]
  states: f32[batch, channels, ceil(seqlen / CHUNK), stateDim, complex]
passes:
  - { entry: tabulate, workgroups: [ceil(stateDim * CHUNK / 64), channels, 1] }
  - { entry: make_taps, workgroups: [ceil(CHUNK / 64), channels, 1] }
  - { entry: sum_chunks, workgroups: [ceil(seqlen / (8 * CHUNK)), channels, batch] }
  - { entry: pass_states, workgroups: [ceil(stateDim / 64), channels, batch] }
  - { entry: scan_chunks, workgroups: [ceil(seqlen / (8 * CHUNK)), channels, batch] }
tune:
  CHUNK: [32, 64]
---*/

// S4 in its diagonal form, S4D (Gu et al. 2022), in chunks. Each channel is a linear system of complex modes, x_t = Ā ⊙
// x_(t-1) + B̄ u_t and y_t = 2 Re(Σ_n C_n x_t,n) + D u_t, or in other words a convolution with K_l = 2 Re Σ_n C_n B̄_n Ā_n^l.
// For the rows r and c from 0 of a chunk of CHUNK tokens, with x the state before it:
//
//   y_r = Σ_(c<=r) T_rc u_c + Re Σ_n 2 C_n Ā_n^(r+1) x_n,   T_rc = K_(r-c) + (D where r = c)
//   x ← Ā^CHUNK ⊙ x + Σ_c Ā^(CHUNK-1-c) B̄ u_c
//
// Within a chunk it is a product with the Toeplitz matrix of K, between chunks a step by the power Ā^CHUNK. All powers are of
// numbers of size one at most, so that none can overflow. Five passes, of which all but the fourth run in parallel:
//
//   tabulate     reads = 2 C Ā^(r+1) for each row of a chunk, and leaps = Ā^CHUNK; they serve all chunks of a channel
//   make_taps    taps = K, with D in that of the token itself
//   sum_chunks   Σ_c Ā^(L-1-c) B̄ u_c of each chunk, of L tokens, by Horner's rule: the recurrence from a state of zero
//   pass_states  the state before each chunk, in place of the sums; the final state goes to s
//   scan_chunks  y
//
// A complex number is a vec2 of its real and imaginary part. In scan_chunks an invocation owns one row of TOGETHER chunks: a
// tap or a number of `reads` that it loads serves that many multiply-adds.

override CHUNK: u32 = 64; // tokens per chunk
const TOGETHER = 8u; // chunks per workgroup of sum_chunks and scan_chunks
const LANES = 64u; // invocations per workgroup

struct Params {
  channels: u32,
  seqlen: u32,
  state_dim: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>; // [batch, channels, seqlen]
@group(0) @binding(2) var<storage, read> Abar: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(3) var<storage, read> Bbar: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(4) var<storage, read> C: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(5) var<storage, read> D: array<f32>; // [channels]
@group(0) @binding(6) var<storage, read> s0: array<vec2<f32>>; // [batch, channels, stateDim]
@group(0) @binding(7) var<storage, read_write> y: array<f32>; // [batch, channels, seqlen]
@group(0) @binding(8) var<storage, read_write> s: array<vec2<f32>>; // [batch, channels, stateDim]
@group(0) @binding(9) var<storage, read_write> reads: array<vec2<f32>>; // [channels, stateDim, CHUNK]
@group(0) @binding(10) var<storage, read_write> leaps: array<vec2<f32>>; // [channels, stateDim]
@group(0) @binding(11) var<storage, read_write> taps: array<f32>; // [channels, CHUNK]
@group(0) @binding(12) var<storage, read_write> states: array<vec2<f32>>; // [batch, channels, chunks, stateDim]

fn chunk_count() -> u32 {
  return (params.seqlen + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(CHUNK, params.seqlen - chunk * CHUNK);
}

fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// a^n by repeated squaring: log n roundings deep, where n multiplications would gather n.
fn power(a: vec2<f32>, n: u32) -> vec2<f32> {
  var result = vec2(1.0, 0.0);
  var square = a;
  for (var rest = n; rest > 0u; rest /= 2u) {
    if (rest % 2u == 1u) {
      result = multiply(result, square);
    }
    square = multiply(square, square);
  }
  return result;
}

// --- What is the same for all chunks of a channel ---

// One invocation per mode and row.
@compute @workgroup_size(LANES)
fn tabulate(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.state_dim * CHUNK) {
    return;
  }
  let row = id.x % CHUNK;
  let mode = id.y * params.state_dim + id.x / CHUNK;
  let step = power(Abar[mode], row + 1u);
  reads[mode * CHUNK + row] = 2.0 * multiply(C[mode], step);
  if (row == CHUNK - 1u) {
    leaps[mode] = step;
  }
}

// One invocation per tap: K_0 = 2 Re Σ C B̄, and K_l = Re Σ (2 C Ā^l) B̄ from the reads of the row before.
@compute @workgroup_size(LANES)
fn make_taps(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= CHUNK) {
    return;
  }
  let first = id.y * params.state_dim;
  var sum = 0.0;
  for (var n = 0u; n < params.state_dim; n++) {
    var read = 2.0 * C[first + n];
    if (id.x > 0u) {
      read = reads[(first + n) * CHUNK + id.x - 1u];
    }
    sum += multiply(read, Bbar[first + n]).x;
  }
  if (id.x == 0u) {
    sum += D[id.y];
  }
  taps[id.y * CHUNK + id.x] = sum;
}

// --- The sum of each chunk ---

var<workgroup> u_tile: array<f32, CHUNK * TOGETHER>; // of TOGETHER chunks; zeros past the end

fn load_u(first_row: u32, first_token: u32, index: u32, lanes: u32) {
  for (var e = index; e < CHUNK * TOGETHER; e += lanes) {
    var value = 0.0;
    if (first_token + e < params.seqlen) {
      value = u[first_row + first_token + e];
    }
    u_tile[e] = value;
  }
}

@compute @workgroup_size(LANES)
fn sum_chunks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let first_chunk = group.x * TOGETHER;
  let chunks = min(TOGETHER, chunk_count() - first_chunk);
  let batch_channel = group.z * params.channels + group.y;
  load_u(batch_channel * params.seqlen, first_chunk * CHUNK, index, LANES);
  workgroupBarrier();

  // Neighbouring invocations take neighbouring modes of one chunk.
  for (var e = index; e < chunks * params.state_dim; e += LANES) {
    let chunk = e / params.state_dim;
    let n = e % params.state_dim;
    let a = Abar[group.y * params.state_dim + n];
    var sum = vec2(0.0);
    for (var c = 0u; c < chunk_length(first_chunk + chunk); c++) {
      sum = multiply(a, sum) + vec2(u_tile[chunk * CHUNK + c], 0.0);
    }
    let state = (batch_channel * chunk_count() + first_chunk + chunk) * params.state_dim;
    states[state + n] = multiply(Bbar[group.y * params.state_dim + n], sum);
  }
}

// --- The state before each chunk ---

// One invocation per mode.
@compute @workgroup_size(LANES)
fn pass_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let n = id.x;
  if (n >= params.state_dim) {
    return;
  }
  let batch_channel = id.z * params.channels + id.y;
  let mode = id.y * params.state_dim + n;
  let last = chunk_count() - 1u;
  let leap = leaps[mode];
  var state = s0[batch_channel * params.state_dim + n];
  for (var chunk = 0u; chunk < last; chunk++) {
    let at = (batch_channel * chunk_count() + chunk) * params.state_dim + n;
    let sum = states[at];
    states[at] = state;
    state = multiply(leap, state) + sum;
  }
  let at = (batch_channel * chunk_count() + last) * params.state_dim + n;
  let sum = states[at];
  states[at] = state;
  s[batch_channel * params.state_dim + n] = multiply(power(Abar[mode], chunk_length(last)), state) + sum;
}

// --- The output ---

const MODES = 32u; // modes per step

var<workgroup> tap_tile: array<f32, CHUNK>;
var<workgroup> state_tile: array<vec2<f32>, TOGETHER * MODES>; // before each chunk; zeros past the last mode or chunk

@compute @workgroup_size(CHUNK)
fn scan_chunks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) row: u32) {
  let first_chunk = group.x * TOGETHER;
  let first_token = first_chunk * CHUNK;
  let batch_channel = group.z * params.channels + group.y;
  let first_row = batch_channel * params.seqlen;

  load_u(first_row, first_token, row, CHUNK);
  tap_tile[row] = taps[group.y * CHUNK + row];
  workgroupBarrier();

  // The Toeplitz matrix of K
  var output = array<f32, TOGETHER>();
  for (var c = 0u; c < CHUNK; c++) {
    if (c <= row) {
      let tap = tap_tile[row - c];
      for (var j = 0u; j < TOGETHER; j++) {
        output[j] += tap * u_tile[j * CHUNK + c];
      }
    }
  }

  // What comes from the states
  for (var first = 0u; first < params.state_dim; first += MODES) {
    for (var e = row; e < TOGETHER * MODES; e += CHUNK) {
      let chunk = first_chunk + e / MODES;
      let n = first + e % MODES;
      var state = vec2(0.0);
      if (chunk < chunk_count() && n < params.state_dim) {
        state = states[(batch_channel * chunk_count() + chunk) * params.state_dim + n];
      }
      state_tile[e] = state;
    }
    workgroupBarrier();
    for (var n = 0u; n < min(MODES, params.state_dim - first); n++) {
      let read = reads[(group.y * params.state_dim + first + n) * CHUNK + row];
      for (var j = 0u; j < TOGETHER; j++) {
        output[j] += multiply(read, state_tile[j * MODES + n]).x;
      }
    }
    workgroupBarrier();
  }

  for (var j = 0u; j < TOGETHER; j++) {
    let token = first_token + j * CHUNK + row;
    if (token < params.seqlen) {
      y[first_row + token] = output[j];
    }
  }
}
