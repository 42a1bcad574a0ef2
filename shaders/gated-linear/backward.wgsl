/*---
mechanism: gated-linear-attention
direction: backward
shape: { batch: 1, heads: 8, seqlen: 512, headDim: 64 }
scratch:
  weights: f32[batch, heads, seqlen, CHUNK]
  dweights: f32[batch, heads, seqlen, CHUNK]
  queries: f32[batch, heads, seqlen, headDim]
  keys: f32[batch, heads, seqlen, headDim]
  totals: f32[batch, heads, ceil(seqlen / CHUNK), headDim]
  across: f32[batch, heads, ceil(seqlen / CHUNK), headDim]
  states: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDimV]
  dstates: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDimV]
passes:
  - { entry: weigh, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - entry: sum_chunks
    workgroups: [2 * ceil(seqlen / CHUNK), heads * ceil(headDim / 64) * ceil(headDimV / 64), batch]
  - { entry: scan_states, workgroups: [ceil(headDim * headDimV / 256), heads, batch] }
  - { entry: weigh_gradients, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: values, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDimV / 128), batch] }
  - { entry: through_states, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 64), batch] }
  - { entry: within_chunks, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 16), batch] }
bindings: { do_rows: do }
tune:
  CHUNK: [16, 32, 64]
---*/

// Gated Linear Attention (Yang et al. 2023), backward: the gradients of queries, keys, values and gates from that of the
// output (and of the final state), in time linear in seqlen. chunked.wgsl explains A, S, α and the blocks of 16.
//
// Over a chunk, with S the state before it and dH the gradient of the state after it:
//
//   dA_rc = scale · do_r · v_c                                     for keys c <= r of the chunk, else 0
//   dq_r = α_(1..r) ⊙ scale · S do_r + Σ_c dA_rc k_c ⊙ α_(c+1..r)
//   dk_c = α_(c+1..CHUNK) ⊙ dH v_c + Σ_r dA_rc q_r ⊙ α_(c+1..r)
//   dv_c = scale · Σ_r A_rc do_r + (k_c ⊙ α_(c+1..CHUNK)) dH
//   dH ← diag(α_(1..CHUNK)) dH + scale · Σ_r (q_r ⊙ α_(1..r))ᵀ do_r         going back to the chunk before
//
// The gate of token t scales all that passes it on the way from a key to a query, so its gradient is the sum of what
// these paths carry:
//
//   from a key c < t to a query r >= t of the chunk     q_r · dA_rc k_c ⊙ α_(c+1..r)
//   from the state S to a query r >= t                  q_r ⊙ its term of dq_r with S
//   from a key c < t to the state after                 k_c ⊙ its term of dk_c with dH
//   from S to the state after                           α_(1..CHUNK) ⊙ rowsum(S ⊙ dH)
//
// The paths of the first kind are those that end at t or later, less those that begin there: sums of q ⊙ dq and of
// k ⊙ dk over the tokens from t on. A key's path to the query of its own token passes no gate and is left out of both,
// so that a strong gate, whose gradient is next to nothing, is not the difference of two large numbers. Seven passes, of
// which all but `scan_states` run all chunks at once:
//
//   weigh             A, and the decayed queries and keys that meet a state
//   sum_chunks        what each chunk adds to S, and to dH
//   scan_states       S before each chunk and dH after it, in their place; the gradient of the initial state goes to ds0
//   weigh_gradients   dA
//   values            dv
//   through_states    the terms of dq and dk with S and dH, not yet decayed; rowsum(S ⊙ dH)
//   within_chunks     the rest of dq and dk, and dg

override CHUNK: u32 = 64; // tokens per chunk: 16, 32 or 64

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> g: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(6) var<storage, read> do_rows: array<vec4<f32>>; // do, [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read> ds: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read_write> dq: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(9) var<storage, read_write> dk: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(10) var<storage, read_write> dv: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(11) var<storage, read_write> dg: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(12) var<storage, read_write> ds0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(13) var<storage, read_write> weights: array<vec4<f32>>; // A, [batch, heads, seqlen, CHUNK]
@group(0) @binding(14) var<storage, read_write> dweights: array<vec4<f32>>; // dA, [batch, heads, seqlen, CHUNK]
@group(0) @binding(15) var<storage, read_write> queries: array<vec4<f32>>; // Q ⊙ α_(1..r), as q
@group(0) @binding(16) var<storage, read_write> keys: array<vec4<f32>>; // K ⊙ α_(c+1..CHUNK), as k
@group(0) @binding(17) var<storage, read_write> totals: array<vec4<f32>>; // α_(1..CHUNK), [batch, heads, chunks, headDim]
@group(0) @binding(18) var<storage, read_write> across: array<vec4<f32>>; // rowsum(S ⊙ dH), [batch, heads, chunks, headDim]
@group(0) @binding(19) var<storage, read_write> states: array<vec4<f32>>; // S, [batch, heads, chunks, headDim, headDimV]
@group(0) @binding(20) var<storage, read_write> dstates: array<vec4<f32>>; // dH, as states

fn chunk_count() -> u32 {
  return (params.seqlen + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(CHUNK, params.seqlen - chunk * CHUNK);
}

// --- The weights within a chunk ---

const BLOCK = 16u; // tokens per block
const SLICE = 4u; // vec4s of headDim per step: 16 numbers

var<workgroup> query_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // [CHUNK, 16 of headDim]
var<workgroup> key_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>;
var<workgroup> decay_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // α
var<workgroup> block_totals: array<vec4<f32>, CHUNK / BLOCK * SLICE>; // product of the decays of each block

// Place of a vec4 in a tile of 4 columns. One vec4 of padding after every 4 rows spreads neighbouring blocks of 4 rows
// over all memory banks.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// Invocation `index` stands for a row and a vec4 column of each tile. Of A it owns 1 × 4 numbers within a block (the
// query `row`, and the keys near_key..near_key+3 of its block) and 4 × 4 numbers between blocks (4y.. and 4x..).
@compute @workgroup_size(4 * CHUNK)
fn weigh(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let width = params.head_dim / 4u;
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let row = index / SLICE;
  let column = index % SLICE;
  let block = row / BLOCK;
  let near_key = BLOCK * block + 4u * column;
  let x = index % (CHUNK / 4u);
  let y = index / (CHUNK / 4u);
  let query_block = 4u * y / BLOCK;
  let key_block = 4u * x / BLOCK;

  var near = vec4(0.0);
  var far = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    let inside = row < length && slice + column < width;
    let at = (first_row + row) * width + slice + column;
    var query = vec4(0.0);
    var key = vec4(0.0);
    var decay = vec4(1.0);
    if (inside) {
      query = q[at];
      key = k[at];
      decay = exp(g[at]);
    }
    query_tile[place(row, column)] = query;
    key_tile[place(row, column)] = key;
    decay_tile[place(row, column)] = decay;
    workgroupBarrier();

    // Within the block: the query walks back to the keys and decays at each step.
    for (var d = 0u; d < SLICE; d++) {
      var walker = query_tile[place(row, d)];
      for (var passed = row; passed > near_key + 3u; passed--) {
        walker *= decay_tile[place(passed, d)];
      }
      for (var j = 0u; j < 4u; j++) {
        let c = near_key + 3u - j;
        if (c <= row) {
          let weight = dot(walker, key_tile[place(c, d)]);
          near += select(vec4(0.0), vec4(weight), vec4(3u - j) == vec4(0u, 1u, 2u, 3u));
          walker *= decay_tile[place(c, d)];
        }
      }
    }

    // The decays from the start of the block to this row, and from after this row to the end of the block.
    var until_row = vec4(1.0);
    var after_row = vec4(1.0);
    for (var n = 0u; n < BLOCK; n++) {
      let factor = decay_tile[place(BLOCK * block + n, column)];
      if (BLOCK * block + n <= row) {
        until_row *= factor;
      } else {
        after_row *= factor;
      }
    }
    workgroupBarrier();
    query_tile[place(row, column)] = query * until_row;
    key_tile[place(row, column)] = key * after_row;
    if (row % BLOCK == BLOCK - 1u) {
      block_totals[SLICE * block + column] = until_row;
    }
    workgroupBarrier();

    // Between blocks: a query in units of the start of its block, a key in units of the end of its own.
    if (y < CHUNK / 4u && key_block < query_block) {
      for (var d = 0u; d < SLICE; d++) {
        var between = vec4(1.0);
        for (var n = key_block + 1u; n < query_block; n++) {
          between *= block_totals[SLICE * n + d];
        }
        let k0 = between * key_tile[place(4u * x, d)];
        let k1 = between * key_tile[place(4u * x + 1u, d)];
        let k2 = between * key_tile[place(4u * x + 2u, d)];
        let k3 = between * key_tile[place(4u * x + 3u, d)];
        for (var i = 0u; i < 4u; i++) {
          let row_query = query_tile[place(4u * y + i, d)];
          far[i] += vec4(dot(row_query, k0), dot(row_query, k1), dot(row_query, k2), dot(row_query, k3));
        }
      }
    }

    // The same from the start and to the end of the chunk, for the states.
    for (var n = 0u; n < CHUNK / BLOCK; n++) {
      let total = block_totals[SLICE * n + column];
      if (n < block) {
        until_row *= total;
      }
      if (n > block) {
        after_row *= total;
      }
    }
    if (inside) {
      queries[at] = query * until_row;
      keys[at] = key * after_row;
    }
    if (row == CHUNK - 1u && slice + column < width) {
      totals[(batch_head * chunk_count() + chunk) * width + slice + column] = until_row;
    }
    workgroupBarrier();
  }

  if (row < length) {
    weights[((first_row + row) * CHUNK + near_key) / 4u] = near;
  }
  // What lies ahead of a query keeps its zeros.
  for (var i = 0u; i < 4u; i++) {
    if (y < CHUNK / 4u && key_block != query_block && 4u * y + i < length) {
      weights[(first_row + 4u * y + i) * CHUNK / 4u + x] = far[i];
    }
  }
}

// --- What each chunk adds to S and to dH ---

const STATE_BLOCK = 16u; // vec4s of headDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> left_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // decayed keys or queries, [TOKENS, 64 of headDim]
var<workgroup> right_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // values or gradients of outputs, [TOKENS, 64 of headDimV]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of headDim and x and x+8 of headDimV: 8 × 8 numbers of the state.
// The first half of the workgroups along x sums for S, the second for dH.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let backward = group.x >= chunk_count();
  let chunk = select(group.x, group.x - chunk_count(), backward);
  let head = group.y % params.heads;
  let blocks_v = (width_v + STATE_BLOCK - 1u) / STATE_BLOCK;
  let block = group.y / params.heads;
  let first_d = block / blocks_v * STATE_BLOCK;
  let first_e = block % blocks_v * STATE_BLOCK;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of vec4 y+8a of headDim, vec4 x+8b of headDimV
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let row = first + e / STATE_BLOCK;
      let column = e % STATE_BLOCK;
      var left = vec4(0.0);
      var right = vec4(0.0);
      if (row < length && first_d + column < width) {
        let at = (first_row + row) * width + first_d + column;
        if (backward) {
          left = params.scale * queries[at];
        } else {
          left = keys[at];
        }
      }
      if (row < length && first_e + column < width_v) {
        let at = (first_row + row) * width_v + first_e + column;
        if (backward) {
          right = do_rows[at];
        } else {
          right = v[at];
        }
      }
      left_rows[e] = left;
      right_rows[e] = right;
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let r0 = right_rows[STATE_BLOCK * n + lane.x];
      let r1 = right_rows[STATE_BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let left = left_rows[STATE_BLOCK * n + lane.y + 8u * a];
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += left[t] * r0;
          sums[8u * a + 2u * t + 1u] += left[t] * r1;
        }
      }
    }
    workgroupBarrier();
  }

  let state = (batch_head * chunk_count() + chunk) * params.head_dim;
  for (var a = 0u; a < 2u; a++) {
    for (var t = 0u; t < 4u; t++) {
      let d = 4u * (first_d + lane.y + 8u * a) + t;
      for (var b = 0u; b < 2u; b++) {
        let column = first_e + lane.x + 8u * b;
        if (d < params.head_dim && column < width_v) {
          let at = (state + d) * width_v + column;
          if (backward) {
            dstates[at] = sums[8u * a + 2u * t + b];
          } else {
            states[at] = sums[8u * a + 2u * t + b];
          }
        }
      }
    }
  }
}

// --- S before and dH after each chunk ---

// One invocation per vec4 of a state: it goes through the chunks forwards for S, then backwards for dH.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let width_v = params.head_dim_v / 4u;
  let size = params.head_dim * width_v;
  if (id.x >= size) {
    return;
  }
  let batch_head = id.z * params.heads + id.y;
  let chunks = chunk_count();
  let first = batch_head * chunks * size + id.x;
  let d = id.x / width_v;
  let first_total = batch_head * chunks * (params.head_dim / 4u) + d / 4u;

  var state = s0[batch_head * size + id.x];
  for (var chunk = 0u; chunk < chunks; chunk++) {
    let sum = states[first + chunk * size];
    states[first + chunk * size] = state;
    state = totals[first_total + chunk * (params.head_dim / 4u)][d % 4u] * state + sum;
  }
  var gradient = ds[batch_head * size + id.x];
  for (var left = chunks; left > 0u; left--) {
    let chunk = left - 1u;
    let sum = dstates[first + chunk * size];
    dstates[first + chunk * size] = gradient;
    gradient = totals[first_total + chunk * (params.head_dim / 4u)][d % 4u] * gradient + sum;
  }
  ds0[batch_head * size + id.x] = gradient;
}

// --- The gradient of the weights ---

// Tiles are those of `weigh`: query_tile holds rows of do, key_tile rows of v, 16 numbers of headDimV at a time.
// Invocation (x, y) owns the queries 4y..4y+3 and the keys 4x..4x+3.
@compute @workgroup_size(CHUNK / 4, CHUNK / 4)
fn weigh_gradients(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width_v = params.head_dim_v / 4u;
  let first_row = (group.z * params.heads + group.y) * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x);

  var products = array<vec4<f32>, 4>();
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
      query_tile[place(row, e % SLICE)] = gradient;
      key_tile[place(row, e % SLICE)] = value;
    }
    workgroupBarrier();
    if (lane.x <= lane.y) {
      for (var d = 0u; d < SLICE; d++) {
        let v0 = key_tile[place(4u * lane.x, d)];
        let v1 = key_tile[place(4u * lane.x + 1u, d)];
        let v2 = key_tile[place(4u * lane.x + 2u, d)];
        let v3 = key_tile[place(4u * lane.x + 3u, d)];
        for (var i = 0u; i < 4u; i++) {
          let gradient = query_tile[place(4u * lane.y + i, d)];
          products[i] += vec4(dot(gradient, v0), dot(gradient, v1), dot(gradient, v2), dot(gradient, v3));
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    if (row < length) {
      let visible = vec4(4u * lane.x) + vec4(0u, 1u, 2u, 3u) <= vec4(row);
      let gradient = select(vec4(0.0), params.scale * products[i], visible);
      dweights[(first_row + row) * CHUNK / 4u + lane.x] = gradient;
    }
  }
}

// --- The gradient of the values ---

const STEP = 8u; // vec4s of a row of [Aᵀ, K ⊙ α] per step: 32 numbers
const LANES = 8u; // invocations side by side along output columns
const COLUMNS = 4u; // vec4s of the output per invocation and key at most: 8 × 4 × 4 = 128 numbers

var<workgroup> left_tile: array<vec4<f32>, CHUNK * STEP + CHUNK / 4>; // [CHUNK, 32 numbers of Aᵀ or of K ⊙ α]
var<workgroup> right_tile: array<vec4<f32>, 32u * LANES>; // rows of do or of dH by steps, [rows of the step, columns]

// Place of a vec4 in left_tile, padded as the tiles above are.
fn left_place(row: u32, column: u32) -> u32 {
  return STEP * row + row / 4u + column;
}

// output[4c + i] += left_tile · right_tile for key 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
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

// left_tile = 32 queries of Aᵀ from query 4·slice on: A read by blocks of 4 queries × 4 keys, each transposed. Queries
// past the end have no weights.
fn load_transposed(first_row: u32, length: u32, slice: u32, index: u32) {
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

// dv as one product [Aᵀ, K ⊙ α] [scale · do; dH]. Invocation (x, y) owns the keys 4y..4y+3 and the vec4 columns x, x+8,
// x+16 and x+24 of their values' gradients.
@compute @workgroup_size(8, CHUNK / 4)
fn values(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let state_row = (batch_head * chunk_count() + chunk) * params.head_dim;
  // This workgroup's part of dv: up to 128 numbers of headDimV, and the rows of it that fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  // The inner dimension: first the queries of the chunk, padded to whole steps, then headDim.
  let query_steps = (CHUNK / 4u + STEP - 1u) / STEP;
  let steps = query_steps + (width + STEP - 1u) / STEP;

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_queries = step < query_steps;
    let slice = STEP * select(step - query_steps, step, of_queries);
    if (of_queries) {
      load_transposed(first_row, length, slice, index);
    } else {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width) {
          value = keys[(first_row + row) * width + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let n = 4u * slice + first + e / stride; // a query of the chunk, or a channel of headDim
        let column = first_column + e % stride;
        var value = vec4(0.0);
        if (of_queries && n < length && column < width_v) {
          value = params.scale * do_rows[(first_row + n) * width_v + column];
        }
        if (!of_queries && n < params.head_dim && column < width_v) {
          value = dstates[(state_row + n) * width_v + column];
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

// --- The terms of dq and dk with the states ---

const PAIR = 2u; // vec4s of headDimV per step
const CHANNELS = 64u; // channels of headDim per workgroup

var<workgroup> do_tile: array<vec4<f32>, CHUNK * PAIR + CHUNK / 4>; // [CHUNK, 8 of headDimV]
var<workgroup> v_tile: array<vec4<f32>, CHUNK * PAIR + CHUNK / 4>;
var<workgroup> s_tile: array<vec4<f32>, CHANNELS * PAIR + CHANNELS / 4>; // [64 of headDim, 8 of headDimV]
var<workgroup> dh_tile: array<vec4<f32>, CHANNELS * PAIR + CHANNELS / 4>;

fn pair_place(row: u32, column: u32) -> u32 {
  return PAIR * row + row / 4u + column;
}

// dq = scale · do Sᵀ and dk = v dHᵀ, both without their decays. Invocation (x, y) owns the tokens 4y..4y+3 and the
// channels 4x..4x+3 of 64.
@compute @workgroup_size(16, CHUNK / 4)
fn through_states(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let first_d = group.y / params.heads * CHANNELS;
  let state_row = (batch_head * chunk_count() + chunk) * params.head_dim;

  var query_terms = array<vec4<f32>, 4>();
  var key_terms = array<vec4<f32>, 4>();
  var state_terms = vec4(0.0);
  for (var slice = 0u; slice < width_v; slice += PAIR) {
    for (var e = index; e < CHUNK * PAIR; e += 4u * CHUNK) {
      let row = e / PAIR;
      let column = slice + e % PAIR;
      var gradient = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && column < width_v) {
        gradient = do_rows[(first_row + row) * width_v + column];
        value = v[(first_row + row) * width_v + column];
      }
      do_tile[pair_place(row, e % PAIR)] = gradient;
      v_tile[pair_place(row, e % PAIR)] = value;
    }
    for (var e = index; e < CHANNELS * PAIR; e += 4u * CHUNK) {
      let d = first_d + e / PAIR;
      let column = slice + e % PAIR;
      var state = vec4(0.0);
      var gradient = vec4(0.0);
      if (d < params.head_dim && column < width_v) {
        state = states[(state_row + d) * width_v + column];
        gradient = dstates[(state_row + d) * width_v + column];
      }
      s_tile[pair_place(e / PAIR, e % PAIR)] = state;
      dh_tile[pair_place(e / PAIR, e % PAIR)] = gradient;
    }
    workgroupBarrier();
    for (var e = 0u; e < PAIR; e++) {
      let s_0 = s_tile[pair_place(4u * lane.x, e)];
      let s_1 = s_tile[pair_place(4u * lane.x + 1u, e)];
      let s_2 = s_tile[pair_place(4u * lane.x + 2u, e)];
      let s_3 = s_tile[pair_place(4u * lane.x + 3u, e)];
      let h_0 = dh_tile[pair_place(4u * lane.x, e)];
      let h_1 = dh_tile[pair_place(4u * lane.x + 1u, e)];
      let h_2 = dh_tile[pair_place(4u * lane.x + 2u, e)];
      let h_3 = dh_tile[pair_place(4u * lane.x + 3u, e)];
      for (var i = 0u; i < 4u; i++) {
        let gradient = do_tile[pair_place(4u * lane.y + i, e)];
        let value = v_tile[pair_place(4u * lane.y + i, e)];
        query_terms[i] += vec4(dot(gradient, s_0), dot(gradient, s_1), dot(gradient, s_2), dot(gradient, s_3));
        key_terms[i] += vec4(dot(value, h_0), dot(value, h_1), dot(value, h_2), dot(value, h_3));
      }
      if (lane.y == 0u) {
        state_terms += vec4(dot(s_0, h_0), dot(s_1, h_1), dot(s_2, h_2), dot(s_3, h_3));
      }
    }
    workgroupBarrier();
  }

  let column = first_d / 4u + lane.x;
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    if (row < length && column < width) {
      dq[(first_row + row) * width + column] = params.scale * query_terms[i];
      dk[(first_row + row) * width + column] = key_terms[i];
    }
  }
  if (lane.y == 0u && column < width) {
    across[(batch_head * chunk_count() + chunk) * width + column] = state_terms;
  }
}

// --- The terms of dq and dk within the chunk, and the gates ---

// dA of one query for the keys 4·column..: zeros past the end, where no weights are.
fn weight_gradients(first_row: u32, row: u32, length: u32, column: u32) -> vec4<f32> {
  if (row >= length) {
    return vec4(0.0);
  }
  return dweights[(first_row + row) * CHUNK / 4u + column];
}

// Decays act token by token here, as in the recurrence: a sum over keys (or queries) is decayed by the next token before
// that one is added. Tiles are those of `weigh`. Invocation (x, y) owns the tokens 4y..4y+3 and the vec4 column x.
@compute @workgroup_size(4, CHUNK / 4)
fn within_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let slice = group.y / params.heads * SLICE;
  let column = slice + lane.x;
  let first = 4u * lane.y;

  for (var e = index; e < CHUNK * SLICE; e += CHUNK) {
    let row = e / SLICE;
    var query = vec4(0.0);
    var key = vec4(0.0);
    var decay = vec4(1.0);
    if (row < length && slice + e % SLICE < width) {
      let at = (first_row + row) * width + slice + e % SLICE;
      query = q[at];
      key = k[at];
      decay = exp(g[at]);
    }
    query_tile[place(row, e % SLICE)] = query;
    key_tile[place(row, e % SLICE)] = key;
    decay_tile[place(row, e % SLICE)] = decay;
  }
  workgroupBarrier();

  // dq without the key of its own token, and α_(1..r)
  var query_terms = array<vec4<f32>, 4>();
  var until_row = array<vec4<f32>, 4>(vec4(1.0), vec4(1.0), vec4(1.0), vec4(1.0));
  for (var c4 = 0u; c4 <= lane.y; c4++) {
    var gradients = array<vec4<f32>, 4>();
    for (var i = 0u; i < 4u; i++) {
      gradients[i] = weight_gradients(first_row, first + i, length, c4);
    }
    for (var j = 0u; j < 4u; j++) {
      let c = 4u * c4 + j;
      let key = key_tile[place(c, lane.x)];
      let decay = decay_tile[place(c, lane.x)];
      for (var i = 0u; i < 4u; i++) {
        if (c <= first + i) {
          until_row[i] *= decay;
          query_terms[i] *= decay;
        }
        if (c < first + i) {
          query_terms[i] += gradients[i][j] * key;
        }
      }
    }
  }

  // dk without the query of its own token, and α_(c+1..CHUNK)
  var key_terms = array<vec4<f32>, 4>();
  var after_row = array<vec4<f32>, 4>(vec4(1.0), vec4(1.0), vec4(1.0), vec4(1.0));
  for (var r = CHUNK - 1u; r > first; r--) {
    let gradients = weight_gradients(first_row, r, length, lane.y);
    let query = query_tile[place(r, lane.x)];
    let decay = decay_tile[place(r, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      if (r > first + i) {
        after_row[i] *= decay;
        key_terms[i] = decay * (key_terms[i] + gradients[i] * query);
      }
    }
  }

  // What the paths carry that end at a token (less those that begin there), and those that leave it for the state after.
  var ending = array<vec4<f32>, 4>();
  var leaving = array<vec4<f32>, 4>();
  for (var i = 0u; i < 4u; i++) {
    let row = first + i;
    if (row < length && column < width) {
      let at = (first_row + row) * width + column;
      let query = query_tile[place(row, lane.x)];
      let key = key_tile[place(row, lane.x)];
      let own = weight_gradients(first_row, row, length, lane.y)[i];
      let query_gradient = until_row[i] * dq[at] + query_terms[i];
      let state_gradient = after_row[i] * dk[at];
      dq[at] = query_gradient + own * key;
      dk[at] = state_gradient + key_terms[i] + own * query;
      ending[i] = query * query_gradient - key * key_terms[i];
      leaving[i] = key * state_gradient;
    }
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    query_tile[place(first + i, lane.x)] = ending[i];
    key_tile[place(first + i, lane.x)] = leaving[i];
  }
  workgroupBarrier();

  // dg: what is common to the four tokens, then each one's own.
  var sum = vec4(0.0);
  if (column < width) {
    sum = until_row[0] * after_row[0] * across[(batch_head * chunk_count() + chunk) * width + column];
  }
  for (var c = 0u; c < first; c++) {
    sum += key_tile[place(c, lane.x)];
  }
  for (var r = first + 4u; r < CHUNK; r++) {
    sum += query_tile[place(r, lane.x)];
  }
  for (var i = 0u; i < 4u; i++) {
    var gradient = sum;
    for (var j = 0u; j < 4u; j++) {
      if (j < i) {
        gradient += leaving[j];
      } else {
        gradient += ending[j];
      }
    }
    if (first + i < length && column < width) {
      dg[(first_row + first + i) * width + column] = gradient;
    }
  }
}
