/*---
mechanism: linear-attention
shape: { batch: 1, heads: 8, seqlen: 1024, headDim: 64 }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
tune:
  TILE_M: [32, 64]
---*/

// Linear attention (Katharopoulos et al. 2020) by the left product: the scores first, tile by tile.
//
//   A = scale · φ(Q) φ(K)ᵀ            masked to j <= i where causal
//   O = (A V) / (rowsum A + eps)      or A V where not normalised
//
// Quadratic in seqlen like softmax attention, but without a running maximum: a step just adds to the output and to the
// denominator. It wins over right-product.wgsl, beside this file, only where seqlen is small against headDim.
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
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  causal: u32,
  feature: u32, // 0 identity, 1 elu + 1, 2 SiLU
  normalize: u32,
  scale: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]

// φ(Q) by slices [TILE_M, 32 of headDim], then the scores A [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// φ(K)ᵀ by slices [32 of headDim, TILE_N], then V by steps [keys of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// What each of the 8 invocations of a query contributes to its denominator, [TILE_M, 8].
var<workgroup> row_parts: array<f32, TILE_M * LANES>;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// The feature map φ. Both exponentials take an argument of at most zero, so neither can overflow.
fn phi(x: vec4<f32>) -> vec4<f32> {
  if (params.feature == 1u) {
    return select(exp(min(x, vec4(0.0))), x + 1.0, x > vec4(0.0));
  }
  if (params.feature == 2u) {
    let e = exp(-abs(x));
    return x * select(e, vec4(1.0), x > vec4(0.0)) / (1.0 + e);
  }
  return x;
}

// Scores of one query for the keys from `key` on, zero where it must not look.
fn mask(scores: vec4<f32>, query: u32, key: u32) -> vec4<f32> {
  let keys = vec4(key) + vec4(0u, 1u, 2u, 3u);
  let visible = vec4(params.causal == 0u) | (keys <= vec4(query));
  return select(vec4(0.0), scores, visible);
}

// left_tile = one slice of scale · φ(Q). Rows past the end are zero: φ(0) need not be.
fn load_queries(head_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + row < params.seqlen && column < width) {
      value = params.scale * phi(q[(head_row + first_query + row) * width + column]);
    }
    left_tile[place(row, e % SLICE)] = value;
  }
}

// right_tile = one slice of φ(K), transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys.
fn load_keys(key_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen_k && column < width) {
        keys[j] = phi(k[(key_row + key) * width + column]);
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(key_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen_k && column < width) {
      value = v[(key_row + key) * width + column];
    }
    right_tile[e] = value;
  }
}

// scores[i] += φ(Q) slice · φ(K)ᵀ slice for query 4y+i and the keys 4x..4x+3.
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

// output[4c + i] += left_tile · V for query 4y+i and vec4 column x+8c, over `count` keys of which the first is column
// `first` of left_tile.
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
  let end_key = select(params.seqlen_k, min(first_query + TILE_M, params.seqlen_k), params.causal != 0u);
  let head = group.y % params.heads;
  let head_row = (group.z * params.heads + head) * params.seqlen;
  let key_row = (group.z * params.heads + head) * params.seqlen_k;
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_sum = vec4(0.0); // this invocation's part of the denominators
  for (var first_key = 0u; first_key < end_key; first_key += TILE_N) {
    // A = scale · φ(Q) φ(K)ᵀ
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(head_row, first_query, slice, index);
      load_keys(key_row, first_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }

    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      let weights = mask(scores[i], first_query + row, first_key + 4u * lane.x);
      row_sum[i] += dot(weights, vec4(1.0));
      left_tile[place(row, lane.x)] = weights;
    }

    // O += A V
    for (var first = 0u; first < TILE_N; first += keys_per_load) {
      load_values(key_row, first_key + first, keys_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_values(&output, first, keys_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  // The denominator of a query is the sum over its 8 invocations.
  for (var i = 0u; i < 4u; i++) {
    row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    var denominator = 1.0;
    if (params.normalize != 0u) {
      denominator = params.eps;
      for (var x = 0u; x < LANES; x++) {
        denominator += row_parts[(4u * lane.y + i) * LANES + x];
      }
    }
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (query < params.seqlen && column < width_v) {
        o[(head_row + query) * width_v + column] = output[4u * c + i] / denominator;
      }
    }
  }
}
