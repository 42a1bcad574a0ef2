/*---
mechanism: flash-mixed-chunk
shape: { batch: 2, seqlen: 1024, chunk: 128, headDim: 64, headDimV: 128 }
scratch:
  states: f32[batch, ceil(seqlen / chunk), headDim, headDimV]
passes:
  - entry: sum_chunks
    workgroups: [max(ceil(seqlen / chunk) - causal, 1), ceil(headDim / 64) * ceil(headDimV / 64), batch]
  - { entry: scan_states, workgroups: [ceil(headDim * headDimV / 256), batch] }
  - entry: attend
    workgroups: [ceil(seqlen / chunk) * ceil(min(chunk, seqlen) / TILE_M), ceil(headDimV / 128), batch]
tune:
  TILE_M: [32, 64]
---*/

// Mixed chunk attention of FLASH, Fast Linear Attention with a Single Head (Hua et al. 2022; not FlashAttention): a gated
// attention unit in time linear in seqlen. Within a chunk of tokens it is a GAU, with squared ReLU weights; between chunks
// it is linear attention, with queries and keys of its own, through a state S [headDim, headDimV]. For chunk c:
//
//   A_ij = max(0, scale · q_quad_i · k_quad_j + bias_(j-i))²      over the keys of the chunk, where causal j <= i
//   S_c  = linScale · Σ k_linᵀ v                                  over the chunks before c, or all where not causal
//   O    = U ⊙ (A V + Q_lin S_c)
//
// The causal S_c leaves out its own chunk: there the weights are A's alone. Where not causal, a query meets the keys of
// its chunk twice, as the paper has it. Three passes, of which the first and the last run all chunks at once:
//
//   sum_chunks    the sum Σ k_linᵀ v of each chunk
//   scan_states   the sum before each chunk, in place of its own; where not causal that of all, in place of the first
//   attend        O
//
// In `attend`, a workgroup owns up to TILE_M queries of one chunk and 128 numbers of the output; tiles never reach across
// a chunk, whatever its length. Values are wide (E = 2d, for models of width d), so that there are several such slices,
// and each forms the scores anew. A weight is what it is, whatever the others are: no maximum and no sum go along with a
// row. But relu(bias)² is not zero: a key after the query or past the end of the chunk has to be masked whatever its score.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys 4x..4x+3, and
// of the output the vec4 columns x, x+8, x+16 and x+24. All products read their left operand from left_tile and their
// right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override TILE_M: u32 = 64; // queries per workgroup of `attend`, a multiple of 4; more than a chunk are of no use
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ and Q_lin S: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  seqlen: u32,
  chunk: u32, // tokens of a chunk; the last one may be shorter
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  bias_dim: u32,
  causal: u32,
  scale: f32,
  lin_scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_quad: array<vec4<f32>>; // [batch, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k_quad: array<vec4<f32>>; // [batch, seqlen, headDim]
@group(0) @binding(3) var<storage, read> q_lin: array<vec4<f32>>; // [batch, seqlen, headDim]
@group(0) @binding(4) var<storage, read> k_lin: array<vec4<f32>>; // [batch, seqlen, headDim]
@group(0) @binding(5) var<storage, read> v: array<vec4<f32>>; // [batch, seqlen, headDimV]
@group(0) @binding(6) var<storage, read> u: array<vec4<f32>>; // [batch, seqlen, headDimV]
@group(0) @binding(7) var<storage, read> bias: array<f32>; // [biasDim]
@group(0) @binding(8) var<storage, read_write> o: array<vec4<f32>>; // [batch, seqlen, headDimV]
@group(0) @binding(9) var<storage, read_write> states: array<vec4<f32>>; // [batch, chunks, headDim, headDimV]

fn chunk_count() -> u32 {
  return (params.seqlen + params.chunk - 1u) / params.chunk;
}

// Chunks whose sums somebody reads: where causal, nothing comes after the last one.
fn summed_chunks() -> u32 {
  return chunk_count() - select(0u, 1u, params.causal != 0u);
}

// --- The sum of each chunk ---

const BLOCK = 16u; // vec4s of headDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> key_tile: array<vec4<f32>, TOKENS * BLOCK>; // k_lin, [TOKENS, 64 of headDim]
var<workgroup> value_tile: array<vec4<f32>, TOKENS * BLOCK>; // v, [TOKENS, 64 of headDimV]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of headDim and x and x+8 of headDimV: 8 × 8 numbers of the state.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let chunk = group.x;
  // There is one workgroup at least, even for a single chunk that nothing comes after.
  if (chunk >= summed_chunks()) {
    return;
  }
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let blocks_v = (width_v + BLOCK - 1u) / BLOCK;
  let first_d = group.y / blocks_v * BLOCK;
  let first_e = group.y % blocks_v * BLOCK;
  let first_row = group.z * params.seqlen + chunk * params.chunk;
  let length = min(params.chunk, params.seqlen - chunk * params.chunk);

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of vec4 y+8a of headDim, vec4 x+8b of headDimV
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * BLOCK; e += 64u) {
      let row = first + e / BLOCK;
      let column = e % BLOCK;
      var key = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && first_d + column < width) {
        key = k_lin[(first_row + row) * width + first_d + column];
      }
      if (row < length && first_e + column < width_v) {
        value = v[(first_row + row) * width_v + first_e + column];
      }
      key_tile[e] = key;
      value_tile[e] = value;
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let v0 = value_tile[BLOCK * n + lane.x];
      let v1 = value_tile[BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let key = key_tile[BLOCK * n + lane.y + 8u * a];
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += key[t] * v0;
          sums[8u * a + 2u * t + 1u] += key[t] * v1;
        }
      }
    }
    workgroupBarrier();
  }

  let state_row = (group.z * chunk_count() + chunk) * params.head_dim;
  for (var a = 0u; a < 2u; a++) {
    for (var t = 0u; t < 4u; t++) {
      let d = 4u * (first_d + lane.y + 8u * a) + t;
      for (var b = 0u; b < 2u; b++) {
        let column = first_e + lane.x + 8u * b;
        if (d < params.head_dim && column < width_v) {
          states[(state_row + d) * width_v + column] = sums[8u * a + 2u * t + b];
        }
      }
    }
  }
}

// --- The state that each chunk reads ---

const AHEAD = 4u; // chunks read before the first of them is written, so that their loads overlap

// One invocation per vec4 of a state.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let size = params.head_dim * params.head_dim_v / 4u;
  if (id.x >= size) {
    return;
  }
  let summed = summed_chunks();
  let first = id.y * chunk_count() * size + id.x;

  var state = vec4(0.0);
  for (var chunk = 0u; chunk < summed; chunk += AHEAD) {
    var sums = array<vec4<f32>, AHEAD>();
    for (var n = 0u; n < AHEAD; n++) {
      if (chunk + n < summed) {
        sums[n] = states[first + (chunk + n) * size];
      }
    }
    for (var n = 0u; n < AHEAD; n++) {
      if (params.causal != 0u && chunk + n > 0u && chunk + n < summed) {
        states[first + (chunk + n) * size] = state;
      }
      state += sums[n];
    }
  }
  // The last chunk reads what all before it left; where not causal, every chunk reads the first state.
  if (params.causal == 0u) {
    states[first] = state;
  } else if (summed > 0u) {
    states[first + summed * size] = state;
  }
}

// --- The output ---

// Q_lin or Q_quad by slices [TILE_M, 32 of headDim], then A [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// K_quadᵀ by slices [32 of headDim, TILE_N]; rows of V or of S by steps [rows of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// The biases of the diagonals of a step, from its last query with its first key on.
var<workgroup> bias_tile: array<f32, TILE_M + TILE_N>;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// left_tile = one slice of Q_quad. Rows from `end_query` on are zero.
fn load_queries(first_row: u32, first_query: u32, end_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < end_query && column < width) {
      value = q_quad[(first_row + first_query + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// The same of Q_lin.
fn load_linear_queries(first_row: u32, first_query: u32, end_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < end_query && column < width) {
      value = q_lin[(first_row + first_query + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of K_quad, transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys. Keys from
// `end_key` on are zero.
fn load_keys(first_row: u32, first_key: u32, end_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < end_key && column < width) {
        keys[j] = k_quad[(first_row + key) * width + column];
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// bias_tile[t] = bias of the distance j - i = first_key + t - (first_query + TILE_M - 1). Distance 0 stands in the middle of
// the table; a distance that it does not have is none of two tokens in a chunk.
fn load_biases(first_query: u32, first_key: u32, index: u32) {
  let middle = i32(params.bias_dim / 2u);
  for (var t = index; t < TILE_M + TILE_N - 1u; t += LANES * TILE_M / 4u) {
    let at = i32(first_key + t) - i32(first_query + TILE_M - 1u) + middle;
    var value = 0.0;
    if (at >= 0 && at < i32(params.bias_dim)) {
      value = bias[at];
    }
    bias_tile[t] = value;
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(first_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen && column < width) {
      value = v[(first_row + key) * width + column];
    }
    right_tile[e] = value;
  }
}

// right_tile = `count` rows of a state, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_state(state_row: u32, first_d: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let d = first_d + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (d < params.head_dim && column < width) {
      value = states[(state_row + d) * width + column];
    }
    right_tile[e] = value;
  }
}

// scores[i] += Q slice · Kᵀ slice for query 4y+i and the keys 4x..4x+3.
fn multiply_keys(scores: ptr<function, array<vec4<f32>, 4>>, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let k0 = right_tile[place(4u * d, lane.x)];
    let k1 = right_tile[place(4u * d + 1u, lane.x)];
    let k2 = right_tile[place(4u * d + 2u, lane.x)];
    let k3 = right_tile[place(4u * d + 3u, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      let query = left_tile[place(4u * lane.y + i, d)];
      var sum = (*scores)[i];
      sum += query.x * k0;
      sum += query.y * k1;
      sum += query.z * k2;
      sum += query.w * k3;
      (*scores)[i] = sum;
    }
  }
}

// A of the query in row `row` of the tile and the keys 4x..4x+3 of the step, zero for keys from `end_key` on.
fn weigh(scores: vec4<f32>, row: u32, first_query: u32, first_key: u32, end_key: u32, x: u32) -> vec4<f32> {
  let t = TILE_M - 1u - row + 4u * x;
  let biases = vec4(bias_tile[t], bias_tile[t + 1u], bias_tile[t + 2u], bias_tile[t + 3u]);
  let roots = max(params.scale * scores + biases, vec4(0.0));
  let keys = vec4(first_key + 4u * x) + vec4(0u, 1u, 2u, 3u);
  let ahead = vec4(params.causal != 0u) & (keys > vec4(first_query + row));
  return select(roots * roots, vec4(0.0), ahead | (keys >= vec4(end_key)));
}

// output[4c + i] += left_tile · right_tile for query 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
// the first belongs to column `first` of left_tile.
fn multiply_rows(
  output: ptr<function, array<vec4<f32>, 16>>,
  first: u32,
  count: u32,
  columns: u32,
  lane: vec2<u32>,
) {
  let stride = LANES * columns;
  for (var n = 0u; n < count; n += 4u) {
    let w0 = left_tile[place(4u * lane.y, (first + n) / 4u)];
    let w1 = left_tile[place(4u * lane.y + 1u, (first + n) / 4u)];
    let w2 = left_tile[place(4u * lane.y + 2u, (first + n) / 4u)];
    let w3 = left_tile[place(4u * lane.y + 3u, (first + n) / 4u)];
    let weights = array<vec4<f32>, 4>(w0, w1, w2, w3);
    for (var c = 0u; c < COLUMNS; c++) {
      if (c < columns) {
        let at = n * stride + LANES * c + lane.x;
        let r0 = right_tile[at];
        let r1 = right_tile[at + stride];
        let r2 = right_tile[at + 2u * stride];
        let r3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += weights[i].x * r0;
          sum += weights[i].y * r1;
          sum += weights[i].z * r2;
          sum += weights[i].w * r3;
          (*output)[4u * c + i] = sum;
        }
      }
    }
  }
}

@compute @workgroup_size(8, TILE_M / 4)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  // The tiles of the first chunk, then those of the next. Of a short last chunk some have no queries.
  let tiles = (min(params.chunk, params.seqlen) + TILE_M - 1u) / TILE_M;
  let chunk = group.x / tiles;
  let first_of_chunk = chunk * params.chunk;
  let end_of_chunk = min(first_of_chunk + params.chunk, params.seqlen);
  let first_query = first_of_chunk + group.x % tiles * TILE_M;
  if (first_query >= end_of_chunk) {
    return;
  }
  let end_query = min(first_query + TILE_M, end_of_chunk);
  let end_key = select(end_of_chunk, end_query, params.causal != 0u);
  let first_row = group.z * params.seqlen;
  // This workgroup's slice of the output: up to 128 numbers of headDimV, and the rows of it that fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  // linScale · Q_lin S; before the first chunk there is nothing.
  var output = array<vec4<f32>, 16>();
  if (params.causal == 0u || chunk > 0u) {
    let state_row = (group.z * chunk_count() + select(0u, chunk, params.causal != 0u)) * params.head_dim;
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_linear_queries(first_row, first_query, end_query, slice, index);
      for (var first = 0u; first < 4u * SLICE; first += rows_per_load) {
        load_state(state_row, 4u * slice + first, rows_per_load, first_column, columns, index);
        workgroupBarrier();
        multiply_rows(&output, first, rows_per_load, columns, lane);
        workgroupBarrier();
      }
    }
    for (var i = 0u; i < 16u; i++) {
      output[i] *= params.lin_scale;
    }
  }

  for (var first_key = first_of_chunk; first_key < end_key; first_key += TILE_N) {
    // Q_quad K_quadᵀ
    load_biases(first_query, first_key, index);
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(first_row, first_query, end_query, slice, index);
      load_keys(first_row, first_key, end_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }

    // A, through workgroup memory
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      left_tile[place(row, lane.x)] = weigh(scores[i], row, first_query, first_key, end_key, lane.x);
    }

    // A V
    for (var first = 0u; first < TILE_N; first += rows_per_load) {
      load_values(first_row, first_key + first, rows_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (query < end_query && column < width_v) {
        let at = (first_row + query) * width_v + column;
        o[at] = u[at] * output[4u * c + i];
      }
    }
  }
}
