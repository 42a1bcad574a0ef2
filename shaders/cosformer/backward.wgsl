/*---
mechanism: cosformer-attention
direction: backward
shape: { batch: 1, heads: 8, seqlen: 512, headDim: 64 }
bindings: { do_rows: do }
scratch:
  weights: f32[batch, heads, seqlen, CHUNK]
  dweights: f32[batch, heads, seqlen, CHUNK]
  divisors: f32[batch, heads, seqlen, 2]
  states: f32[batch, heads, ceil(seqlenK / CHUNK) + 1, 2 * headDim * (headDimV + 1)]
  dstates: f32[batch, heads, ceil(seqlen / CHUNK) + 1, 2 * headDim * (headDimV + 1)]
passes:
  - { entry: weigh, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: sum_keys, workgroups: [ceil(seqlenK / CHUNK), heads * ceil(headDim / 32) * ceil(headDimV / 64), batch] }
  - { entry: scan_states, workgroups: [ceil(headDim * (headDimV + 1) / 128), heads, batch] }
  - { entry: queries, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: sum_queries, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 32) * ceil(headDimV / 64), batch] }
  - { entry: scan_gradients, workgroups: [ceil(headDim * (headDimV + 1) / 128), heads, batch] }
  - { entry: keys, workgroups: [ceil(seqlenK / CHUNK), heads, batch] }
  - { entry: values, workgroups: [ceil(seqlenK / CHUNK), heads * ceil(headDimV / 128), batch] }
tune:
  CHUNK: [32, 64]
---*/

// cosFormer (Qin et al. 2022), backward: the gradients of queries, keys and values from that of the output, in time linear
// in seqlen. chunked.wgsl is the way forward: with the angle a_i = π i / 2m of a position and r(x) = max(x, 0), the weights
// are A_ij = r(q_i) · r(k_j) C_ij, C_ij = cos(a_i - a_j) = sin a_i sin a_j + cos a_i cos a_j, and the output is
// o_i = Σ A_ij v_j / D_i with D_i = max(Σ A_ij, eps). Then, over the pairs that see each other,
//
//   dA_ij = (do_i · v_j) / D_i + δ_i,   δ_i = -Σ_j A_ij (do_i · v_j) / D_i², or 0 where eps holds the divisor up
//   dq_i = [q_i > 0] ⊙ Σ_j C_ij dA_ij r(k_j)
//   dk_j = [k_j > 0] ⊙ Σ_i C_ij dA_ij r(q_i)
//   dv_j = Σ_i A_ij do_i / D_i
//
// Two states, one for the sines and one for the cosines, stand for all pairs that are not in one chunk of CHUNK tokens:
// S = Σ sin a_j r(k_j)ᵀ v_j and z = Σ sin a_j r(k_j) run forward over the tokens, R = Σ sin a_i r(q_i)ᵀ do_i / D_i and
// r = Σ sin a_i δ_i r(q_i) backward, and alike with cosines. A causal query takes S before its chunk, a key R after it,
// and the pairs of the chunk come by the left product. The cosine of a pair is a factor of its weight there, so that no
// product needs rows of twice the width. Eight passes, of which all but the scans run all chunks at once:
//
//   weigh            where causal, A and C (dO Vᵀ), both zero ahead of the query, and of each query what they sum up to
//   sum_keys         what each chunk adds to S and z
//   scan_states      S and z before each chunk, in their place, and after the last one
//   queries          dQ, as one product [sin a dO / D, cos a dO / D, C dA] [Sᵀ sines; Sᵀ cosines; r(K)]; on the way D, δ, C dA
//   sum_queries      what each chunk adds to R and r
//   scan_gradients   R and r after each chunk, in their place, and before the first one
//   keys             dK, as one product [sin a V, cos a V, (C dA)ᵀ] [Rᵀ sines; Rᵀ cosines; r(Q)], and r
//   values           dV, as one product [sin a r(K), cos a r(K), Aᵀ] [R sines; R cosines; dO / D]
//
// In the products that make gradients, invocation (x, y) of the 8 × CHUNK/4 in a workgroup owns the tokens 4y..4y+3 and
// the vec4 columns x, x+8, x+16 and x+24 of the result; the left operand is read from left_tile and the right one from
// right_tile.

override CHUNK: u32 = 64; // tokens per chunk: 32 or 64

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, at most 128
  head_dim_v: u32, // a multiple of 4
  causal: u32,
  max_seqlen: u32, // m, and the rows of the table
  offset: u32, // tokens before the first
  eps: f32, // the least divisor
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read> angles: array<vec2<f32>>; // sine and cosine, [maxSeqlen]
@group(0) @binding(5) var<storage, read> do_rows: array<vec4<f32>>; // dO, [batch, heads, seqlen, headDimV]
@group(0) @binding(6) var<storage, read_write> dq: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(7) var<storage, read_write> dk: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(8) var<storage, read_write> dv: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(9) var<storage, read_write> weights: array<vec4<f32>>; // A, [batch, heads, seqlen, CHUNK]
@group(0) @binding(10) var<storage, read_write> dweights: array<vec4<f32>>; // C (dO Vᵀ), then C dA, as weights
// Σ A and Σ A (dO Vᵀ) of each query over the keys of its chunk, then 1 / D and δ, [batch, heads, seqlen].
@group(0) @binding(11) var<storage, read_write> divisors: array<vec2<f32>>;
// S [2, headDim, headDimV] and then z [2, headDim], sines first, for each of [batch, heads, chunks of keys + 1].
@group(0) @binding(12) var<storage, read_write> states: array<vec4<f32>>;
// R and then r alike for each of [batch, heads, chunks of queries + 1].
@group(0) @binding(13) var<storage, read_write> dstates: array<vec4<f32>>;

fn chunk_count(tokens: u32) -> u32 {
  return (tokens + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32, tokens: u32) -> u32 {
  return min(CHUNK, tokens - chunk * CHUNK);
}

// vec4s of S alone, and of S and z together.
fn matrix_size() -> u32 {
  return params.head_dim / 2u * params.head_dim_v;
}

fn state_size() -> u32 {
  return matrix_size() + params.head_dim / 2u;
}

// Place of S and z before a chunk of keys, and of R and r after a chunk of queries. Without a causal mask every query sees
// all keys, and every key all queries: the sums over all chunks, which stand behind the others.
fn state_before(batch_head: u32, chunk: u32) -> u32 {
  let chunks = chunk_count(params.seqlen_k);
  return (batch_head * (chunks + 1u) + select(chunk, chunks, params.causal == 0u)) * state_size();
}

fn gradient_after(batch_head: u32, chunk: u32) -> u32 {
  let chunks = chunk_count(params.seqlen);
  return (batch_head * (chunks + 1u) + select(chunk, chunks, params.causal == 0u)) * state_size();
}

fn rectified(x: vec4<f32>) -> vec4<f32> {
  return max(x, vec4(0.0));
}

// Sine and cosine of the angle of a token, counted from the first. A position past the table keeps its last angle.
fn angle_of(token: u32) -> vec2<f32> {
  return angles[min(params.offset + token, params.max_seqlen - 1u)];
}

// Sines and cosines of a chunk, for C.
var<workgroup> angle_tile: array<vec2<f32>, CHUNK>;

// C of one query and the keys `key`..`key`+3, all rows of the chunk, with zeros for those ahead of the query.
fn cosines(query: u32, key: u32) -> vec4<f32> {
  var row = vec4(0.0);
  for (var j = 0u; j < 4u; j++) {
    if (key + j <= query) {
      row[j] = dot(angle_tile[query], angle_tile[key + j]);
    }
  }
  return row;
}

// --- The weights and their gradients ---

const SLICE = 4u; // vec4s of headDim or headDimV per step: 16 numbers

var<workgroup> row_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // rows of Q or dO, [CHUNK, 16 numbers]
var<workgroup> column_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // rows of K or V

// Place of a vec4 in a tile of 4 columns. One vec4 of padding after every 4 rows spreads neighbouring blocks of 4 rows
// over all memory banks.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// products[i] += the numbers of one slice of row 4y+i of row_tile with those of the rows 4x..4x+3 of column_tile.
fn multiply_slices(products: ptr<function, array<vec4<f32>, 4>>, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let c0 = column_tile[place(4u * lane.x, d)];
    let c1 = column_tile[place(4u * lane.x + 1u, d)];
    let c2 = column_tile[place(4u * lane.x + 2u, d)];
    let c3 = column_tile[place(4u * lane.x + 3u, d)];
    for (var i = 0u; i < 4u; i++) {
      let row = row_tile[place(4u * lane.y + i, d)];
      (*products)[i] += vec4(dot(row, c0), dot(row, c1), dot(row, c2), dot(row, c3));
    }
  }
}

// Invocation (x, y) owns the queries 4y..4y+3 and the keys 4x..4x+3 of both. Blocks ahead of the query stay zero. Without a
// causal mask there is nothing to do: the states hold all keys.
@compute @workgroup_size(CHUNK / 4, CHUNK / 4)
fn weigh(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  if (params.causal == 0u) {
    return;
  }
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let first_row = (group.z * params.heads + group.y) * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen);
  if (index < CHUNK) {
    angle_tile[index] = angle_of(group.x * CHUNK + index);
  }

  var scores = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    for (var e = index; e < CHUNK * SLICE; e += CHUNK * CHUNK / 16u) {
      let row = e / SLICE;
      let column = slice + e % SLICE;
      var query = vec4(0.0);
      var key = vec4(0.0);
      if (row < length && column < width) {
        query = rectified(q[(first_row + row) * width + column]);
        key = rectified(k[(first_row + row) * width + column]);
      }
      row_tile[place(row, e % SLICE)] = query;
      column_tile[place(row, e % SLICE)] = key;
    }
    workgroupBarrier();
    if (lane.x <= lane.y) {
      multiply_slices(&scores, lane);
    }
    workgroupBarrier();
  }

  var gradients = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width_v; slice += SLICE) {
    for (var e = index; e < CHUNK * SLICE; e += CHUNK * CHUNK / 16u) {
      let row = e / SLICE;
      let column = slice + e % SLICE;
      var gradient = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && column < width_v) {
        gradient = do_rows[(first_row + row) * width_v + column];
        value = v[(first_row + row) * width_v + column];
      }
      row_tile[place(row, e % SLICE)] = gradient;
      column_tile[place(row, e % SLICE)] = value;
    }
    workgroupBarrier();
    if (lane.x <= lane.y) {
      multiply_slices(&gradients, lane);
    }
    workgroupBarrier();
  }

  var weight_sums = vec4(0.0); // of the queries 4y..4y+3
  var product_sums = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    let cosine = cosines(row, 4u * lane.x);
    let weight = cosine * scores[i];
    weight_sums[i] = dot(weight, vec4(1.0));
    product_sums[i] = dot(weight, gradients[i]);
    if (row < length) {
      weights[(first_row + row) * CHUNK / 4u + lane.x] = weight;
      dweights[(first_row + row) * CHUNK / 4u + lane.x] = cosine * gradients[i];
    }
  }
  row_tile[CHUNK / 4u * lane.y + lane.x] = weight_sums;
  column_tile[CHUNK / 4u * lane.y + lane.x] = product_sums;
  workgroupBarrier();
  if (index < length) {
    var sums = vec2(0.0);
    for (var x = 0u; x < CHUNK / 4u; x++) {
      let at = CHUNK / 4u * (index / 4u) + x;
      sums += vec2(row_tile[at][index % 4u], column_tile[at][index % 4u]);
    }
    divisors[first_row + index] = sums;
  }
}

// --- What each chunk adds to S and z, and to R and r ---

const STATE_BLOCK = 16u; // vec4s of both waves of headDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> left_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // both waves of K or Q, [TOKENS, 64 of 2 · headDim]
var<workgroup> right_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // V or dO / D, [TOKENS, 64 of headDimV]
var<workgroup> factors: array<f32, TOKENS>; // of the rows of K in z, or of Q in r

// Part of a state in the registers of invocation (x, y) of 8 × 8: the vec4s y and y+8 of 2 · headDim with the vec4s x
// and x+8 of headDimV. matrix[8a + 2t + b] is number t of vec4 y+8a and vec4 x+8b, vector[a] the part of z or r.
struct Sums {
  matrix: array<vec4<f32>, 16>,
  vector: array<vec4<f32>, 2>,
}

// The block of the state that a workgroup sums: its first vec4 of 2 · headDim and of headDimV.
fn block_origin(block: u32) -> vec2<u32> {
  let blocks_v = (params.head_dim_v / 4u + STATE_BLOCK - 1u) / STATE_BLOCK;
  return vec2(block / blocks_v, block % blocks_v) * STATE_BLOCK;
}

// Adds the TOKENS rows in the tiles.
fn add_rows(sums: ptr<function, Sums>, lane: vec2<u32>) {
  for (var n = 0u; n < TOKENS; n++) {
    let r0 = right_rows[STATE_BLOCK * n + lane.x];
    let r1 = right_rows[STATE_BLOCK * n + lane.x + 8u];
    for (var a = 0u; a < 2u; a++) {
      let left = left_rows[STATE_BLOCK * n + lane.y + 8u * a];
      (*sums).vector[a] += factors[n] * left;
      for (var t = 0u; t < 4u; t++) {
        (*sums).matrix[8u * a + 2u * t] += left[t] * r0;
        (*sums).matrix[8u * a + 2u * t + 1u] += left[t] * r1;
      }
    }
  }
}

// A vec4 of a row of both waves, sines first, from the vec4 of headDim that it is made from.
fn wave(x: vec4<f32>, token: u32, column: u32) -> vec4<f32> {
  let angle = angle_of(token);
  return rectified(x) * select(angle.y, angle.x, column < params.head_dim / 4u);
}

@compute @workgroup_size(8, 8)
fn sum_keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 2u; // of both waves
  let width_v = params.head_dim_v / 4u;
  let origin = block_origin(group.y / params.heads);
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen_k + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen_k);

  var sums = Sums();
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let row = first + e / STATE_BLOCK;
      let column = origin + vec2(e % STATE_BLOCK);
      var key = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && column.x < width) {
        let at = (first_row + row) * (width / 2u) + column.x % (width / 2u);
        key = wave(k[at], group.x * CHUNK + row, column.x);
      }
      if (row < length && column.y < width_v) {
        value = v[(first_row + row) * width_v + column.y];
      }
      left_rows[e] = key;
      right_rows[e] = value;
    }
    if (index < TOKENS) {
      factors[index] = 1.0;
    }
    workgroupBarrier();
    add_rows(&sums, lane.xy);
    workgroupBarrier();
  }

  let state = (batch_head * (chunk_count(params.seqlen_k) + 1u) + group.x) * state_size();
  for (var a = 0u; a < 2u; a++) {
    let d4 = origin.x + lane.y + 8u * a;
    for (var t = 0u; t < 4u; t++) {
      for (var b = 0u; b < 2u; b++) {
        let column = origin.y + lane.x + 8u * b;
        if (d4 < width && column < width_v) {
          states[state + (4u * d4 + t) * width_v + column] = sums.matrix[8u * a + 2u * t + b];
        }
      }
    }
    if (d4 < width && lane.x == 0u && origin.y == 0u) {
      states[state + matrix_size() + d4] = sums.vector[a];
    }
  }
}

@compute @workgroup_size(8, 8)
fn sum_queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 2u; // of both waves
  let width_v = params.head_dim_v / 4u;
  let origin = block_origin(group.y / params.heads);
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen);

  var sums = Sums();
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let row = first + e / STATE_BLOCK;
      let column = origin + vec2(e % STATE_BLOCK);
      var query = vec4(0.0);
      var gradient = vec4(0.0);
      if (row < length && column.x < width) {
        let at = (first_row + row) * (width / 2u) + column.x % (width / 2u);
        query = wave(q[at], group.x * CHUNK + row, column.x);
      }
      if (row < length && column.y < width_v) {
        gradient = divisors[first_row + row].x * do_rows[(first_row + row) * width_v + column.y];
      }
      left_rows[e] = query;
      right_rows[e] = gradient;
    }
    if (index < TOKENS) {
      var factor = 0.0;
      if (first + index < length) {
        factor = divisors[first_row + first + index].y;
      }
      factors[index] = factor;
    }
    workgroupBarrier();
    add_rows(&sums, lane.xy);
    workgroupBarrier();
  }

  let state = (batch_head * (chunk_count(params.seqlen) + 1u) + group.x) * state_size();
  for (var a = 0u; a < 2u; a++) {
    let d4 = origin.x + lane.y + 8u * a;
    for (var t = 0u; t < 4u; t++) {
      for (var b = 0u; b < 2u; b++) {
        let column = origin.y + lane.x + 8u * b;
        if (d4 < width && column < width_v) {
          dstates[state + (4u * d4 + t) * width_v + column] = sums.matrix[8u * a + 2u * t + b];
        }
      }
    }
    if (d4 < width && lane.x == 0u && origin.y == 0u) {
      dstates[state + matrix_size() + d4] = sums.vector[a];
    }
  }
}

// --- S and z before, R and r after each chunk ---

// One invocation per vec4 of S and z: it goes through the chunks of keys forwards.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= state_size()) {
    return;
  }
  let chunks = chunk_count(params.seqlen_k);
  let first = (id.z * params.heads + id.y) * (chunks + 1u) * state_size() + id.x;
  var state = vec4(0.0);
  for (var chunk = 0u; chunk < chunks; chunk++) {
    let at = first + chunk * state_size();
    let sum = states[at];
    states[at] = state;
    state += sum;
  }
  states[first + chunks * state_size()] = state;
}

// One invocation per vec4 of R and r: it goes through the chunks of queries backwards.
@compute @workgroup_size(64)
fn scan_gradients(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= state_size()) {
    return;
  }
  let chunks = chunk_count(params.seqlen);
  let first = (id.z * params.heads + id.y) * (chunks + 1u) * state_size() + id.x;
  var gradient = vec4(0.0);
  for (var left = chunks; left > 0u; left--) {
    let at = first + (left - 1u) * state_size();
    let sum = dstates[at];
    dstates[at] = gradient;
    gradient += sum;
  }
  dstates[first + chunks * state_size()] = gradient;
}

// --- The products that make the gradients ---

const STEP = 8u; // vec4s of a row of the left operand per step: 32 numbers
const LANES = 8u; // invocations side by side along output columns
const COLUMNS = 4u; // vec4s of the result per invocation and token at most: 8 × 4 × 4 = 128 numbers

var<workgroup> left_tile: array<vec4<f32>, CHUNK * STEP + CHUNK / 4>; // [CHUNK, 32 numbers of a row of the left operand]
var<workgroup> right_tile: array<vec4<f32>, 32u * LANES>; // rows of the right operand by steps, [rows of the step, columns]
var<workgroup> query_factors: array<vec2<f32>, CHUNK>; // 1 / D and δ

// Place of a vec4 in left_tile, padded as the tiles above are.
fn left_place(row: u32, column: u32) -> u32 {
  return STEP * row + row / 4u + column;
}

// output[4c + i] += left_tile · right_tile for token 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
// the first belongs to number `first` of a row of left_tile.
fn multiply_rows(
  output: ptr<function, array<vec4<f32>, 16>>,
  first: u32,
  count: u32,
  columns: u32,
  lane: vec2<u32>,
) {
  let stride = LANES * columns;
  for (var n = 0u; n < count; n += 4u) {
    let w0 = left_tile[left_place(4u * lane.y, (first + n) / 4u)];
    let w1 = left_tile[left_place(4u * lane.y + 1u, (first + n) / 4u)];
    let w2 = left_tile[left_place(4u * lane.y + 2u, (first + n) / 4u)];
    let w3 = left_tile[left_place(4u * lane.y + 3u, (first + n) / 4u)];
    let rows = array<vec4<f32>, 4>(w0, w1, w2, w3);
    for (var c = 0u; c < COLUMNS; c++) {
      if (c < columns) {
        let at = n * stride + LANES * c + lane.x;
        let r0 = right_tile[at];
        let r1 = right_tile[at + stride];
        let r2 = right_tile[at + 2u * stride];
        let r3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += rows[i].x * r0;
          sum += rows[i].y * r1;
          sum += rows[i].z * r2;
          sum += rows[i].w * r3;
          (*output)[4u * c + i] = sum;
        }
      }
    }
  }
}

// Block e of 4 channels × 4 value columns of a state goes into right_tile by value columns; block[i] holds channel i.
fn store_transposed(block: mat4x4<f32>, e: u32, stride: u32) {
  let by_value = transpose(block);
  for (var j = 0u; j < 4u; j++) {
    right_tile[(e / stride * 4u + j) * stride + e % stride] = by_value[j];
  }
}

// dQ = [sin a dO / D, cos a dO / D, C dA] [Sᵀ sines; Sᵀ cosines; r(K)] where q > 0
@compute @workgroup_size(8, CHUNK / 4)
fn queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let causal = params.causal != 0u;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen);
  let state = state_before(batch_head, group.x);
  // vec4 columns per invocation, and the rows of the right operand that fit the tile.
  let columns = (width + LANES - 1u) / LANES;
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  for (var row = index; row < CHUNK; row += LANES * CHUNK / 4u) {
    angle_tile[row] = angle_of(group.x * CHUNK + row);
  }
  workgroupBarrier();

  // What the states give, not yet over D: the sines, then the cosines.
  var output = array<vec4<f32>, 16>();
  for (var wave = 0u; wave < 2u; wave++) {
    for (var slice = 0u; slice < width_v; slice += STEP) {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width_v) {
          value = angle_tile[row][wave] * do_rows[(first_row + row) * width_v + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
      for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
        for (var e = index; e < rows_per_load / 4u * stride; e += LANES * CHUNK / 4u) {
          let column_v = slice + first / 4u + e / stride;
          var block = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) {
            let d = 4u * (e % stride) + i;
            if (d < params.head_dim && column_v < width_v) {
              block[i] = states[state + (wave * params.head_dim + d) * width_v + column_v];
            }
          }
          store_transposed(block, e, stride);
        }
        workgroupBarrier();
        multiply_rows(&output, first, rows_per_load, columns, lane);
        workgroupBarrier();
      }
    }
  }

  // D and δ of each query: what its 8 invocations have of Σ A and Σ A (dO Vᵀ) over the keys of the states, and those of
  // its chunk.
  var key_sums = array<vec4<f32>, 16>(); // sin a z sines + cos a z cosines, as output
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    var parts = vec2(0.0);
    for (var c = 0u; c < COLUMNS; c++) {
      let column = LANES * c + lane.x;
      if (row < length && column < width) {
        let z = state + matrix_size() + column;
        key_sums[4u * c + i] = angle_tile[row].x * states[z] + angle_tile[row].y * states[z + width];
        let query = rectified(q[(first_row + row) * width + column]);
        parts += vec2(dot(query, key_sums[4u * c + i]), dot(query, output[4u * c + i]));
      }
    }
    left_tile[left_place(row, lane.x)] = vec4(parts, 0.0, 0.0);
  }
  workgroupBarrier();
  if (index < CHUNK) {
    var sums = vec2(0.0);
    if (causal && index < length) {
      sums = divisors[first_row + index];
    }
    for (var x = 0u; x < LANES; x++) {
      sums += left_tile[left_place(index, x)].xy;
    }
    // Where eps holds the divisor up it is a constant.
    let inverse = 1.0 / max(sums.x, params.eps);
    let delta = select(0.0, -sums.y * inverse * inverse, sums.x > params.eps);
    query_factors[index] = vec2(inverse, delta);
    if (index < length) {
      divisors[first_row + index] = vec2(inverse, delta);
    }
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let factor = query_factors[4u * lane.y + i];
    for (var c = 0u; c < COLUMNS; c++) {
      output[4u * c + i] = factor.x * output[4u * c + i] + factor.y * key_sums[4u * c + i];
    }
  }

  // The keys of the chunk.
  for (var slice = 0u; causal && slice < CHUNK / 4u; slice += STEP) {
    for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
      let row = e / STEP;
      let column = slice + e % STEP;
      var value = vec4(0.0);
      if (row < length) {
        let at = (first_row + row) * CHUNK / 4u + column;
        let factor = query_factors[row];
        value = factor.x * dweights[at] + factor.y * cosines(row, 4u * column);
        dweights[at] = value;
      }
      left_tile[left_place(row, e % STEP)] = value;
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let token = 4u * slice + first + e / stride;
        var value = vec4(0.0);
        if (token < length && e % stride < width) {
          value = rectified(k[(first_row + token) * width + e % stride]);
        }
        right_tile[e] = value;
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = LANES * c + lane.x;
      if (row < length && column < width) {
        let at = (first_row + row) * width + column;
        dq[at] = select(vec4(0.0), output[4u * c + i], q[at] > vec4(0.0));
      }
    }
  }
}

// left_tile = 32 queries of (C dA)ᵀ from query 4·slice on: C dA read by blocks of 4 queries × 4 keys, each transposed.
// Queries past the end have no weights.
fn load_transposed_gradients(first_row: u32, length: u32, slice: u32, index: u32) {
  for (var e = index; e < CHUNK / 4u * STEP; e += LANES * CHUNK / 4u) {
    let key_column = e % (CHUNK / 4u);
    let query_column = e / (CHUNK / 4u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let query = 4u * (slice + query_column) + i;
      if (query < length) {
        block[i] = dweights[(first_row + query) * CHUNK / 4u + key_column];
      }
    }
    let by_key = transpose(block);
    for (var j = 0u; j < 4u; j++) {
      left_tile[left_place(4u * key_column + j, query_column)] = by_key[j];
    }
  }
}

// dK = [sin a V, cos a V, (C dA)ᵀ] [Rᵀ sines; Rᵀ cosines; r(Q)] + sin a r sines + cos a r cosines where k > 0
@compute @workgroup_size(8, CHUNK / 4)
fn keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen_k + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen_k);
  let state = gradient_after(batch_head, group.x);
  // vec4 columns per invocation, and the rows of the right operand that fit the tile.
  let columns = (width + LANES - 1u) / LANES;
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  for (var wave = 0u; wave < 2u; wave++) {
    for (var slice = 0u; slice < width_v; slice += STEP) {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width_v) {
          value = angle_of(group.x * CHUNK + row)[wave] * v[(first_row + row) * width_v + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
      for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
        for (var e = index; e < rows_per_load / 4u * stride; e += LANES * CHUNK / 4u) {
          let column_v = slice + first / 4u + e / stride;
          var block = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) {
            let d = 4u * (e % stride) + i;
            if (d < params.head_dim && column_v < width_v) {
              block[i] = dstates[state + (wave * params.head_dim + d) * width_v + column_v];
            }
          }
          store_transposed(block, e, stride);
        }
        workgroupBarrier();
        multiply_rows(&output, first, rows_per_load, columns, lane);
        workgroupBarrier();
      }
    }
  }

  // The queries of the chunk.
  for (var slice = 0u; params.causal != 0u && slice < CHUNK / 4u; slice += STEP) {
    load_transposed_gradients(first_row, length, slice, index);
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let token = 4u * slice + first + e / stride;
        var value = vec4(0.0);
        if (token < length && e % stride < width) {
          value = rectified(q[(first_row + token) * width + e % stride]);
        }
        right_tile[e] = value;
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    let angle = angle_of(group.x * CHUNK + row);
    for (var c = 0u; c < COLUMNS; c++) {
      let column = LANES * c + lane.x;
      if (row < length && column < width) {
        let at = (first_row + row) * width + column;
        let r = state + matrix_size() + column;
        let gradient = output[4u * c + i] + angle.x * dstates[r] + angle.y * dstates[r + width];
        dk[at] = select(vec4(0.0), gradient, k[at] > vec4(0.0));
      }
    }
  }
}

// left_tile = 32 queries of Aᵀ from query 4·slice on: A read by blocks of 4 queries × 4 keys, each transposed. Queries
// past the end have no weights.
fn load_transposed_weights(first_row: u32, length: u32, slice: u32, index: u32) {
  for (var e = index; e < CHUNK / 4u * STEP; e += LANES * CHUNK / 4u) {
    let key_column = e % (CHUNK / 4u);
    let query_column = e / (CHUNK / 4u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let query = 4u * (slice + query_column) + i;
      if (query < length) {
        block[i] = weights[(first_row + query) * CHUNK / 4u + key_column];
      }
    }
    let by_key = transpose(block);
    for (var j = 0u; j < 4u; j++) {
      left_tile[left_place(4u * key_column + j, query_column)] = by_key[j];
    }
  }
}

// dV = [sin a r(K), cos a r(K), Aᵀ] [R sines; R cosines; dO / D]
@compute @workgroup_size(8, CHUNK / 4)
fn values(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen_k + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen_k);
  let state = gradient_after(batch_head, group.x);
  // This workgroup's part of the result: up to 128 numbers of a row, and the rows of the right operand that fit the tile.
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  // The inner dimension: the waves of headDim, then the queries of the chunk, where causal.
  let wave_steps = (width + STEP - 1u) / STEP;
  let steps = 2u * wave_steps + select(0u, CHUNK / 4u / STEP, params.causal != 0u);

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_tokens = step >= 2u * wave_steps;
    let wave = step / wave_steps;
    let slice = STEP * select(step % wave_steps, step - 2u * wave_steps, of_tokens);
    if (of_tokens) {
      load_transposed_weights(first_row, length, slice, index);
    } else {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width) {
          value = angle_of(group.x * CHUNK + row)[wave] * rectified(k[(first_row + row) * width + column]);
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let n = 4u * slice + first + e / stride; // a query of the chunk, or a channel of headDim
        let column = first_column + e % stride;
        var value = vec4(0.0);
        if (of_tokens && n < length && column < width_v) {
          value = divisors[first_row + n].x * do_rows[(first_row + n) * width_v + column];
        }
        if (!of_tokens && n < params.head_dim && column < width_v) {
          value = dstates[state + (wave * params.head_dim + n) * width_v + column];
        }
        right_tile[e] = value;
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (row < length && column < width_v) {
        dv[(first_row + row) * width_v + column] = output[4u * c + i];
      }
    }
  }
}
