/*---
mechanism: gated-attention-unit
shape: { batch: 2, seqlen: 1024, headDim: 128, headDimV: 256 }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), ceil(headDimV / 128), batch] }
tune:
  TILE_M: [32, 64]
---*/

// The gated attention unit, GAU (Hua et al. 2022): one head whose weights are squares, with a gate for each number of the
// output.
//
//   A_ij = max(0, scale · q_i · k_j + bias_(j-i))²,   O = U ⊙ (A V)
//
// A weight is what it is, whatever the others are: no maximum, no sum and no division go along with a row, as softmax
// needs them. The one thing to watch is a pair that must not be: relu(bias)² is not zero, so that a key after the query
// or past the end has to be masked although its score is zero.
//
// A workgroup owns TILE_M queries and 128 numbers of the output, and walks over the keys, TILE_N at a time. The values of a
// GAU are wide (E = 2d, for models of width d), so that there are several such slices, and each forms the scores anew:
// headDim of headDim + 128 multiply-adds a pair. To keep them would take seqlen² numbers in device memory.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys 4x..4x+3, and
// of the output the vec4 columns x, x+8, x+16 and x+24. Both products read their left operand from left_tile and their
// right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override TILE_M: u32 = 64; // queries per workgroup, a multiple of 4
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  bias_dim: u32,
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> u: array<vec4<f32>>; // [batch, seqlen, headDimV]
@group(0) @binding(5) var<storage, read> bias: array<f32>; // [biasDim]
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // [batch, seqlen, headDimV]

// Q by slices [TILE_M, 32 of headDim], then A [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// Kᵀ by slices [32 of headDim, TILE_N], then V by steps [keys of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// The biases of the diagonals of a step, from its last query with its first key on.
var<workgroup> bias_tile: array<f32, TILE_M + TILE_N>;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// left_tile = one slice of Q. Rows past the end are zero.
fn load_queries(first_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < params.seqlen && column < width) {
      value = q[(first_row + first_query + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of K, transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys.
fn load_keys(first_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen && column < width) {
        keys[j] = k[(first_row + key) * width + column];
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// bias_tile[t] = bias of the distance j - i = first_key + t - (first_query + TILE_M - 1). Distance 0 stands in the middle of
// the table; a distance that it does not have is none of two tokens.
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

// A of the query in row `row` of the tile and the keys 4x..4x+3 of the step.
fn weigh(scores: vec4<f32>, row: u32, first_query: u32, first_key: u32, x: u32) -> vec4<f32> {
  let t = TILE_M - 1u - row + 4u * x;
  let biases = vec4(bias_tile[t], bias_tile[t + 1u], bias_tile[t + 2u], bias_tile[t + 3u]);
  let roots = max(params.scale * scores + biases, vec4(0.0));
  let keys = vec4(first_key + 4u * x) + vec4(0u, 1u, 2u, 3u);
  let ahead = vec4(params.causal != 0u) & (keys > vec4(first_query + row));
  return select(roots * roots, vec4(0.0), ahead | (keys >= vec4(params.seqlen)));
}

// output[4c + i] += A · V for query 4y+i and vec4 column x+8c, over `count` keys of which the first is column `first` of A.
fn multiply_values(
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
        let v0 = right_tile[at];
        let v1 = right_tile[at + stride];
        let v2 = right_tile[at + 2u * stride];
        let v3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += weights[i].x * v0;
          sum += weights[i].y * v1;
          sum += weights[i].z * v2;
          sum += weights[i].w * v3;
          (*output)[4u * c + i] = sum;
        }
      }
    }
  }
}

@compute @workgroup_size(8, TILE_M / 4)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  // The last queries see the most keys under a causal mask: they go first, so that no long workgroup starts late.
  let first_query = (groups.x - 1u - group.x) * TILE_M;
  let end_query = min(first_query + TILE_M, params.seqlen);
  let end_key = select(params.seqlen, end_query, params.causal != 0u);
  let first_row = group.z * params.seqlen;
  // This workgroup's slice of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  for (var first_key = 0u; first_key < end_key; first_key += TILE_N) {
    // Q Kᵀ
    load_biases(first_query, first_key, index);
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(first_row, first_query, slice, index);
      load_keys(first_row, first_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }

    // A, through workgroup memory
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      left_tile[place(row, lane.x)] = weigh(scores[i], row, first_query, first_key, lane.x);
    }

    // A V
    for (var first = 0u; first < TILE_N; first += keys_per_load) {
      load_values(first_row, first_key + first, keys_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_values(&output, first, keys_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (query < params.seqlen && column < width_v) {
        let at = (first_row + query) * width_v + column;
        o[at] = u[at] * output[4u * c + i];
      }
    }
  }
}
