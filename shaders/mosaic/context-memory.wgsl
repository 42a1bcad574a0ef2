/*---
mechanism: memory-mosaic
shape: { batch: 1, heads: 8, seqlen: 1024, headDim: 64 }
limits: { headDim: 256 }
scratch:
  averages: f32[batch, heads, ceil(seqlenK / CHUNK), headDim]
passes:
  - { entry: sum_chunks, workgroups: [ceil(seqlenK / CHUNK), heads, batch] }
  - { entry: carry_averages, workgroups: [ceil(headDim / 256), heads, batch] }
  - { entry: average_keys, workgroups: [ceil(seqlenK / CHUNK), heads, batch] }
  - { entry: scale_rows, workgroups: [ceil(seqlenK / 8), heads, batch] }
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
tune:
  TILE_M: [32, 64]
---*/

// The context memory of Memory Mosaics (Zhang et al. 2024). A token stores a pair: as its key the leaky average of all keys
// up to it, as its value one that also looks at the next token. It asks with its own key for the values of the tokens
// before it, by their similarity:
//
//   K̄_t = λ K̄_(t-1) + k_t                     K̂_t = σ K̄_t / (‖K̄_t‖ + eps)  λ = e^(-leak)
//   V′_t = (1 - c) v_(t+1) + c v_t            V̂_t = τ V′_t / (‖V′_t‖ + eps)
//   O_t = Σ_(j<t) softmax_j(K̂_t · K̂_j) V̂_j    and O of the first token, which sees none, is zero
//
// Five passes, the first four in time linear in the tokens:
//
//   sum_chunks       the average of each chunk of 64 tokens, as if nothing came before it
//   carry_averages   the average before each chunk, in place of those
//   average_keys     K̄, from there on
//   scale_rows       K̂ in place of K̄, and V̂
//   attend           O, by flash attention whose queries are keys and see strictly earlier ones only
//
// In `attend` a workgroup owns TILE_M queries of one head and walks over the keys, TILE_N at a time. Invocation (x, y) of
// the 8 × TILE_M/4 owns the queries 4y..4y+3, of each step the keys 4x..4x+3, and of the output the vec4 columns x, x+8,
// x+16 and x+24. Both products read their left operand from left_tile and their right one from right_tile; 8 loads of a
// vec4 feed 64 or more multiply-adds.

override CHUNK: u32 = 64; // tokens whose averages one workgroup takes one after the other
override TILE_M: u32 = 64; // queries per workgroup of `attend`, a multiple of 4
const TILE_N = 32u; // keys per step
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ: 32 numbers
const LANES = 8u; // invocations side by side along a row, and in `attend` along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  seqlen: u32, // outputs, of the last of the tokens
  seqlen_k: u32, // tokens
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(3) var<storage, read> leak: array<f32>; // [heads]
@group(0) @binding(4) var<storage, read> mix: array<f32>; // [heads]
@group(0) @binding(5) var<storage, read> key_scale: array<f32>; // [heads]
@group(0) @binding(6) var<storage, read> value_scale: array<f32>; // [heads]
@group(0) @binding(7) var<storage, read_write> averages: array<vec4<f32>>; // [batch, heads, chunks, headDim]
@group(0) @binding(8) var<storage, read_write> k_hat: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(9) var<storage, read_write> v_hat: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(10) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]

fn chunk_count() -> u32 {
  return (params.seqlen_k + CHUNK - 1u) / CHUNK;
}

// --- Averages of the keys ---

// One invocation per vec4 of headDim.
@compute @workgroup_size(64)
fn sum_chunks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let width = params.head_dim / 4u;
  if (column >= width) {
    return;
  }
  let batch_head = group.z * params.heads + group.y;
  let kept = exp(-leak[group.y]);
  var average = vec4(0.0);
  for (var t = group.x * CHUNK; t < min((group.x + 1u) * CHUNK, params.seqlen_k); t++) {
    average = kept * average + k[(batch_head * params.seqlen_k + t) * width + column];
  }
  averages[(batch_head * chunk_count() + group.x) * width + column] = average;
}

@compute @workgroup_size(64)
fn carry_averages(@builtin(global_invocation_id) id: vec3<u32>) {
  let width = params.head_dim / 4u;
  if (id.x >= width) {
    return;
  }
  let first = (id.z * params.heads + id.y) * chunk_count() * width + id.x;
  let kept = exp(-leak[id.y] * f32(CHUNK)); // over a whole chunk
  var average = vec4(0.0);
  for (var chunk = 0u; chunk < chunk_count(); chunk++) {
    let own = averages[first + chunk * width];
    averages[first + chunk * width] = average;
    average = kept * average + own;
  }
}

@compute @workgroup_size(64)
fn average_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let width = params.head_dim / 4u;
  if (column >= width) {
    return;
  }
  let batch_head = group.z * params.heads + group.y;
  let kept = exp(-leak[group.y]);
  var average = averages[(batch_head * chunk_count() + group.x) * width + column];
  for (var t = group.x * CHUNK; t < min((group.x + 1u) * CHUNK, params.seqlen_k); t++) {
    let at = (batch_head * params.seqlen_k + t) * width + column;
    average = kept * average + k[at];
    k_hat[at] = average;
  }
}

// --- Keys and values of one length ---

// The value of a token mixed with the next one's; what comes after the last token counts as zero.
fn mixed_value(row: u32, token: u32, column: u32, own: f32) -> vec4<f32> {
  let width = params.head_dim_v / 4u;
  var value = own * v[row * width + column];
  if (token + 1u < params.seqlen_k) {
    value += (1.0 - own) * v[(row + 1u) * width + column];
  }
  return value;
}

// What each of the 8 invocations of a token contributes to the squared lengths of K̄ and V′, [8 tokens, 8].
var<workgroup> square_parts: array<vec2<f32>, 8 * LANES>;

// Eight invocations per token, which share its vec4 columns.
@compute @workgroup_size(LANES, 8)
fn scale_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let token = group.x * 8u + lane.y;
  let row = (group.z * params.heads + group.y) * params.seqlen_k + token;
  let own = mix[group.y];

  var squares = vec2(0.0);
  if (token < params.seqlen_k) {
    for (var column = lane.x; column < width; column += LANES) {
      let key = k_hat[row * width + column];
      squares.x += dot(key, key);
    }
    for (var column = lane.x; column < width_v; column += LANES) {
      let value = mixed_value(row, token, column, own);
      squares.y += dot(value, value);
    }
  }
  square_parts[lane.y * LANES + lane.x] = squares;
  workgroupBarrier();
  var sums = vec2(0.0);
  for (var x = 0u; x < LANES; x++) {
    sums += square_parts[lane.y * LANES + x];
  }

  if (token < params.seqlen_k) {
    let key_factor = key_scale[group.y] / (sqrt(sums.x) + params.eps);
    for (var column = lane.x; column < width; column += LANES) {
      k_hat[row * width + column] *= key_factor;
    }
    let value_factor = value_scale[group.y] / (sqrt(sums.y) + params.eps);
    for (var column = lane.x; column < width_v; column += LANES) {
      v_hat[row * width_v + column] = value_factor * mixed_value(row, token, column, own);
    }
  }
}

// --- The output ---

// Q by slices [TILE_M, 32 of headDim], then P [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// Kᵀ by slices [32 of headDim, TILE_N], then V by steps [keys of the step, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// What each of the 8 invocations of a query contributes to its maximum or sum, [TILE_M, 8].
var<workgroup> row_parts: array<f32, TILE_M * LANES>;

const LOG2_E = 1.4426950408889634;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// left_tile = one slice of the queries, times log2(e). Rows past the end are zero.
fn load_queries(head_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let token = first_query + e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (token < params.seqlen_k && column < width) {
      value = LOG2_E * k_hat[(head_row + token) * width + column];
    }
    left_tile[place(e / SLICE, e % SLICE)] = value;
  }
}

// right_tile = one slice of the keys, transposed in blocks of 4 keys × 4 numbers so that a vec4 holds 4 keys.
fn load_keys(head_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen_k && column < width) {
        keys[j] = k_hat[(head_row + key) * width + column];
      }
    }
    let numbers = transpose(keys);
    for (var d = 0u; d < 4u; d++) {
      right_tile[place(4u * (e % SLICE) + d, block)] = numbers[d];
    }
  }
}

// right_tile = `count` rows of values, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(head_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen_k && column < width) {
      value = v_hat[(head_row + key) * width + column];
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

// output[4c + i] += P · V for query 4y+i and vec4 column x+8c, over `count` keys of which the first is column `first` of P.
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
  // The last tokens see the most others: they go first, so that no long workgroup starts late.
  let first_row = (groups.x - 1u - group.x) * TILE_M;
  // Where the tile's queries stand among the tokens, and the keys that at least one of them sees.
  let first_query = params.seqlen_k - params.seqlen + first_row;
  let end_key = min(first_query + TILE_M, params.seqlen_k) - 1u;
  let head = group.y % params.heads;
  let batch_head = group.z * params.heads + head;
  let head_row = batch_head * params.seqlen_k;
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_max = vec4(MASKED); // of the queries 4y..4y+3
  var row_sum = vec4(0.0); // this invocation's part of the denominator

  for (var first_key = 0u; first_key < end_key; first_key += TILE_N) {
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_queries(head_row, first_query, slice, index);
      load_keys(head_row, first_key, slice, index);
      workgroupBarrier();
      multiply_keys(&scores, lane);
      workgroupBarrier();
    }
    // A step whose keys all come before the tile needs no mask.
    if (first_key + TILE_N > first_query) {
      for (var i = 0u; i < 4u; i++) {
        let earlier = vec4(first_key + 4u * lane.x) + vec4(0u, 1u, 2u, 3u) < vec4(first_query + 4u * lane.y + i);
        scores[i] = select(vec4(MASKED), scores[i], earlier);
      }
    }

    for (var i = 0u; i < 4u; i++) {
      let pairs = max(scores[i].xy, scores[i].zw);
      row_parts[(4u * lane.y + i) * LANES + lane.x] = max(pairs.x, pairs.y);
    }
    workgroupBarrier();
    var new_max = row_max;
    for (var i = 0u; i < 4u; i++) {
      for (var x = 0u; x < LANES; x++) {
        new_max[i] = max(new_max[i], row_parts[(4u * lane.y + i) * LANES + x]);
      }
    }
    let rescale = exp2(row_max - new_max);
    row_max = new_max;

    // A masked key weighs nothing even where the query has seen no other: the first token of all.
    row_sum *= rescale;
    for (var i = 0u; i < 4u; i++) {
      let weights = select(exp2(scores[i] - row_max[i]), vec4(0.0), scores[i] <= vec4(MASKED));
      row_sum[i] += dot(weights, vec4(1.0));
      left_tile[place(4u * lane.y + i, lane.x)] = weights;
      for (var c = 0u; c < COLUMNS; c++) {
        output[4u * c + i] *= rescale[i];
      }
    }

    for (var first = 0u; first < TILE_N; first += keys_per_load) {
      load_values(head_row, first_key + first, keys_per_load, first_column, columns, index);
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
    let query = first_row + 4u * lane.y + i;
    var sum = 0.0;
    for (var x = 0u; x < LANES; x++) {
      sum += row_parts[(4u * lane.y + i) * LANES + x];
    }
    if (query < params.seqlen) {
      for (var c = 0u; c < COLUMNS; c++) {
        let column = first_column + LANES * c + lane.x;
        if (column < width_v) {
          let row = batch_head * params.seqlen + query;
          o[row * width_v + column] = output[4u * c + i] / select(1.0, sum, sum > 0.0);
        }
      }
    }
  }
}
