/*---
mechanism: gated-linear-attention
shape: { batch: 1, heads: 8, seqlen: 2048, headDim: 64 }
scratch:
  weights: f32[batch, heads, seqlen, CHUNK]
  queries: f32[batch, heads, seqlen, headDim]
  keys: f32[batch, heads, seqlen, headDim]
  totals: f32[batch, heads, ceil(seqlen / CHUNK), headDim]
  states: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDimV]
passes:
  - { entry: weigh, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: sum_chunks, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 64) * ceil(headDimV / 64), batch] }
  - { entry: scan_states, workgroups: [ceil(headDim * headDimV / 256), heads, batch] }
  - { entry: attend, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDimV / 128), batch] }
tune:
  CHUNK: [16, 32, 64]
---*/

// Gated Linear Attention (Yang et al. 2023), forward, in time linear in seqlen. Every token brings a decay
// α_t = e^(g_t) in (0, 1] for each key channel: S_t = diag(α_t) S_(t-1) + k_tᵀ v_t, o_t = scale · q_t S_t. Over a chunk
// of CHUNK tokens, with α_(a..b) the product of the decays of the tokens a to b:
//
//   A_rc = Σ_d q_rd k_cd α_(c+1..r),d      for keys c <= r of the chunk, else 0
//   O = scale · (A V + (Q ⊙ α_(1..r)) S)
//   S ← diag(α_(1..CHUNK)) S + Σ_c (k_c ⊙ α_(c+1..CHUNK))ᵀ v_c
//
// A is no product of two matrices as it stands: its decay has three indices. It becomes one by a point between c and r,
// α_(c+1..r) = α_(c+1..point) α_(point+1..r), of which the left factor goes to the key and the right one to the query.
// One point for a whole chunk would make factors larger than 1 for the keys behind it, and those overflow. So the
// chunk is cut once more ("secondary chunking"), into blocks of 16 tokens: a query takes the keys of earlier blocks by a
// product with the ends of the blocks as points, and those of its own block pair by pair.
//
// Decays are multiplied, never divided, and never taken as a difference of two sums of gates: a product of numbers in
// (0, 1] loses no precision, however strong a gate far away may be, and where it underflows to 0 it may. Four passes, of
// which all but `scan_states` run all chunks at once:
//
//   weigh         A, and the decayed queries and keys that meet a state
//   sum_chunks    the sum Σ_c (k_c ⊙ α_(c+1..CHUNK))ᵀ v_c of each chunk
//   scan_states   the state before each chunk, in place of the sums; the final state goes to s
//   attend        O, as one product [A, Q ⊙ α] [V; S]

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
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read_write> weights: array<vec4<f32>>; // A, [batch, heads, seqlen, CHUNK]
@group(0) @binding(9) var<storage, read_write> queries: array<vec4<f32>>; // Q ⊙ α_(1..r), as q
@group(0) @binding(10) var<storage, read_write> keys: array<vec4<f32>>; // K ⊙ α_(c+1..CHUNK), as k
@group(0) @binding(11) var<storage, read_write> totals: array<vec4<f32>>; // α_(1..CHUNK), [batch, heads, chunks, headDim]
@group(0) @binding(12) var<storage, read_write> states: array<vec4<f32>>; // [batch, heads, chunks, headDim, headDimV]

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

// --- The sum of each chunk ---

const STATE_BLOCK = 16u; // vec4s of headDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> key_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // decayed keys, [TOKENS, 64 of headDim]
var<workgroup> value_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // values, [TOKENS, 64 of headDimV]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of headDim and x and x+8 of headDimV: 8 × 8 numbers of the state.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let head = group.y % params.heads;
  let block = group.y / params.heads;
  let blocks_v = (width_v + STATE_BLOCK - 1u) / STATE_BLOCK;
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
      var key = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && first_d + column < width) {
        key = keys[(first_row + row) * width + first_d + column];
      }
      if (row < length && first_e + column < width_v) {
        value = v[(first_row + row) * width_v + first_e + column];
      }
      key_rows[e] = key;
      value_rows[e] = value;
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let v0 = value_rows[STATE_BLOCK * n + lane.x];
      let v1 = value_rows[STATE_BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let key = key_rows[STATE_BLOCK * n + lane.y + 8u * a];
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += key[t] * v0;
          sums[8u * a + 2u * t + 1u] += key[t] * v1;
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
          states[(state + d) * width_v + column] = sums[8u * a + 2u * t + b];
        }
      }
    }
  }
}

// --- The state before each chunk ---

const AHEAD = 4u; // chunks read before the first of them is written, so that their loads overlap

// One invocation per vec4 of a state.
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
  for (var chunk = 0u; chunk < chunks; chunk += AHEAD) {
    var sums = array<vec4<f32>, AHEAD>();
    var decays = array<f32, AHEAD>();
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < chunks) {
        sums[n] = states[first + (chunk + n) * size];
        decays[n] = totals[first_total + (chunk + n) * (params.head_dim / 4u)][d % 4u];
      }
    }
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < chunks) {
        states[first + (chunk + n) * size] = state;
        state = decays[n] * state + sums[n];
      }
    }
  }
  s[batch_head * size + id.x] = state;
}

// --- The output ---

const STEP = 8u; // vec4s of a row of [A, Q ⊙ α] per step: 32 numbers
const LANES = 8u; // invocations side by side along output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

var<workgroup> left_tile: array<vec4<f32>, CHUNK * STEP + CHUNK / 4>; // [CHUNK, 32 numbers of A or of Q ⊙ α]
var<workgroup> right_tile: array<vec4<f32>, 32u * LANES>; // rows of V or of S by steps, [rows of the step, columns]

// Place of a vec4 in left_tile, padded as the tiles above are.
fn left_place(row: u32, column: u32) -> u32 {
  return STEP * row + row / 4u + column;
}

// output[4c + i] += left_tile · right_tile for query 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
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

// Invocation (x, y) owns the queries 4y..4y+3 and the vec4 columns x, x+8, x+16 and x+24 of their outputs.
@compute @workgroup_size(8, CHUNK / 4)
fn attend(
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
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the rows of it that fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  // The inner dimension: first the keys of the chunk, padded to whole steps, then headDim.
  let key_steps = (CHUNK / 4u + STEP - 1u) / STEP;
  let steps = key_steps + (width + STEP - 1u) / STEP;

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_keys = step < key_steps;
    let slice = STEP * select(step - key_steps, step, of_keys);
    for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
      let row = e / STEP;
      let column = slice + e % STEP;
      var value = vec4(0.0);
      if (of_keys && row < length && column < CHUNK / 4u) {
        value = weights[(first_row + row) * CHUNK / 4u + column];
      }
      if (!of_keys && row < length && column < width) {
        value = queries[(first_row + row) * width + column];
      }
      left_tile[left_place(row, e % STEP)] = value;
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let n = 4u * slice + first + e / stride; // a key of the chunk, or a channel of headDim
        let column = first_column + e % stride;
        var value = vec4(0.0);
        if (of_keys && n < length && column < width_v) {
          value = v[(first_row + n) * width_v + column];
        }
        if (!of_keys && n < params.head_dim && column < width_v) {
          value = states[(state_row + n) * width_v + column];
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
        o[(first_row + row) * width_v + column] = params.scale * output[4u * c + i];
      }
    }
  }
}
