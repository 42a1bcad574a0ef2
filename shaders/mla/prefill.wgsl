/*---
mechanism: multi-head-latent-attention
direction: forward
shape: { batch: 1, heads: 8, seqlen: 512, seqlenK: 512, latentDim: 256, ropeDim: 32, headDim: 64 }
scratch:
  k_nope: f32[batch, heads, seqlenK, headDim]
  v: f32[batch, heads, seqlenK, headDimV]
passes:
  - entry: materialise
    workgroups: [ceil(seqlenK / TILE_M) * (ceil(headDim / 32) + ceil(headDimV / 32)), heads, batch]
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads * ceil(headDimV / 128), batch] }
tune:
  TILE_M: [32, 64]
---*/

// Multi-head latent attention (MLA; DeepSeek-V2, 2024) of a prompt, in the materialised form: the keys and values of each
// head are written out, and what follows is flash attention (Dao 2022, 2023).
//
// The cache keeps one latent c and one rotated part k_pe of a token for all heads. Head h makes its keys and values of them:
//
//   k_j = [w_uk,h c_j ‖ k_pe_j],   v_j = w_uv,h c_j
//
// Written out, a score costs headDim + ropeDim multiply-adds. In the absorbed form (decode.wgsl) it costs latentDim +
// ropeDim, with values of latentDim: for the one query of a decode step that is little beside reading the cache, for the
// many of a prompt it is three to four times the work.
//
// materialise: w_uk c and w_uv c of each head. A workgroup makes 32 columns of TILE_M tokens; all 32 are of keys or all of
// values. k_pe stays as it is, since all heads share it.
//
// attend: a workgroup owns TILE_M queries of one head and walks over the keys, TILE_N at a time:
//
//   S = Q Kᵀ                        scores of this step, in registers: q_nope with k_nope, then q_pe with k_pe
//   m' = max(m, rowmax S)           the running maximum of each query
//   P = 2^(S - m')                  weights of this step, through workgroup memory
//   l  = 2^(m - m') l + rowsum P    the running denominator
//   O  = 2^(m - m') O + P V         the running numerator, in registers
//
// and divides O by l once at the end. The scale of the scores and log2(e) are folded into Q, so that the powers are
// powers of two, which is what the hardware computes.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the rows 4y..4y+3 (tokens, or queries) and of a product with 32
// columns the columns 4x..4x+3; of the output it owns the vec4 columns x, x+8, x+16 and x+24. All products read their left
// operand from left_tile and their right one from right_tile; 8 loads of a vec4 feed 64 or more multiply-adds.

override TILE_M: u32 = 64; // queries or tokens per workgroup, a multiple of 4
const TILE_N = 32u; // keys per step of attend, columns per workgroup of materialise
const SLICE = 8u; // vec4s of the common dimension per step of a product: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  seqlen: u32, // queries, the last of seqlen_k
  seqlen_k: u32,
  latent_dim: u32, // a multiple of 4, as are the other widths
  rope_dim: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_nope: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> q_pe: array<vec4<f32>>; // [batch, heads, seqlen, ropeDim]
@group(0) @binding(3) var<storage, read> c: array<vec4<f32>>; // [batch, seqlenK, latentDim]
@group(0) @binding(4) var<storage, read> k_pe: array<vec4<f32>>; // [batch, seqlenK, ropeDim]
@group(0) @binding(5) var<storage, read> w_uk: array<vec4<f32>>; // [heads, headDim, latentDim]
@group(0) @binding(6) var<storage, read> w_uv: array<vec4<f32>>; // [heads, headDimV, latentDim]
@group(0) @binding(7) var<storage, read_write> k_nope: array<vec4<f32>>; // w_uk c, [batch, heads, seqlenK, headDim]
@group(0) @binding(8) var<storage, read_write> v: array<vec4<f32>>; // w_uv c, [batch, heads, seqlenK, headDimV]
@group(0) @binding(9) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(10) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// Rows by slices [TILE_M, 32 numbers]: of latents, or of Q and then P [TILE_M, TILE_N].
var<workgroup> left_tile: array<vec4<f32>, TILE_M * SLICE + TILE_M / 4>;
// Columns by slices, transposed [32 numbers, TILE_N]: of an up-projection, or Kᵀ and then V by steps [keys, columns].
var<workgroup> right_tile: array<vec4<f32>, TILE_N * SLICE + TILE_N / 4>;
// What each of the 8 invocations of a query contributes to its maximum or sum, [TILE_M, 8].
var<workgroup> row_parts: array<f32, TILE_M * LANES>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;
// Stands for -infinity in lse.
const MINUS_INFINITY = -3.4e38;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// products[i] += left slice · right slice for row 4y+i and the columns 4x..4x+3.
fn multiply_slices(products: ptr<function, array<vec4<f32>, 4>>, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let r0 = right_tile[place(4u * d, lane.x)];
    let r1 = right_tile[place(4u * d + 1u, lane.x)];
    let r2 = right_tile[place(4u * d + 2u, lane.x)];
    let r3 = right_tile[place(4u * d + 3u, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      let left = left_tile[place(4u * lane.y + i, d)];
      var sum = (*products)[i];
      sum += left.x * r0;
      sum += left.y * r1;
      sum += left.z * r2;
      sum += left.w * r3;
      (*products)[i] = sum;
    }
  }
}

// right_tile = 4 columns × 4 numbers, transposed so that a vec4 holds 4 columns.
fn store_transposed(block: u32, number: u32, columns: mat4x4<f32>) {
  let numbers = transpose(columns);
  for (var d = 0u; d < 4u; d++) {
    right_tile[place(4u * number + d, block)] = numbers[d];
  }
}

// --- Keys and values of each head ---

// left_tile = one slice of the latents. Tokens past the end are zero.
fn load_latents(latent_row: u32, first_token: u32, slice: u32, index: u32) {
  let width = params.latent_dim / 4u;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var latent = vec4(0.0);
    if (first_token + row < params.seqlen_k && column < width) {
      latent = c[(latent_row + first_token + row) * width + column];
    }
    left_tile[place(row, e % SLICE)] = latent;
  }
}

// right_tile = one slice of the rows of w_uk or w_uv that make the columns of this workgroup.
fn load_weights(of_keys: bool, head: u32, first_column: u32, slice: u32, index: u32) {
  let width = params.latent_dim / 4u;
  let rows = select(params.head_dim_v, params.head_dim, of_keys);
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let number = slice + e % SLICE;
    var weights = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let row = first_column + 4u * block + j;
      if (row < rows && number < width) {
        let at = (head * rows + row) * width + number;
        if (of_keys) {
          weights[j] = w_uk[at];
        } else {
          weights[j] = w_uv[at];
        }
      }
    }
    store_transposed(block, e % SLICE, weights);
  }
}

@compute @workgroup_size(8, TILE_M / 4)
fn materialise(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  // The blocks of 32 columns of a head: first those of its keys, then those of its values.
  let key_blocks = (params.head_dim + TILE_N - 1u) / TILE_N;
  let value_blocks = (params.head_dim_v + TILE_N - 1u) / TILE_N;
  let block = group.x % (key_blocks + value_blocks);
  let first_token = group.x / (key_blocks + value_blocks) * TILE_M;
  let of_keys = block < key_blocks;
  let first_column = select(block - key_blocks, block, of_keys) * TILE_N;
  let latent_row = group.z * params.seqlen_k;

  var products = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < params.latent_dim / 4u; slice += SLICE) {
    load_latents(latent_row, first_token, slice, index);
    load_weights(of_keys, group.y, first_column, slice, index);
    workgroupBarrier();
    multiply_slices(&products, lane);
    workgroupBarrier();
  }

  let width = select(params.head_dim_v, params.head_dim, of_keys) / 4u;
  let column = first_column / 4u + lane.x;
  let head_row = (group.z * params.heads + group.y) * params.seqlen_k;
  for (var i = 0u; i < 4u; i++) {
    let token = first_token + 4u * lane.y + i;
    if (token < params.seqlen_k && column < width) {
      let at = (head_row + token) * width + column;
      if (of_keys) {
        k_nope[at] = products[i];
      } else {
        v[at] = products[i];
      }
    }
  }
}

// --- Flash attention with these keys and values ---

// The keys a query sees are those below this. The queries are the last seqlen of the seqlenK positions.
fn visible_keys(query: u32) -> u32 {
  let before = query + 1u + params.seqlen_k;
  return select(params.seqlen_k, max(before, params.seqlen) - params.seqlen, params.causal != 0u);
}

// left_tile = one slice of q_nope ‖ q_pe, times scale · log2(e). Rows past the end are zero.
fn load_queries(query_row: u32, first_query: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  let factor = params.scale * LOG2_E;
  for (var e = index; e < TILE_M * SLICE; e += LANES * TILE_M / 4u) {
    let row = query_row + first_query + e / SLICE;
    let column = slice + e % SLICE;
    var value = vec4(0.0);
    if (first_query + e / SLICE < params.seqlen) {
      if (column < width) {
        value = q_nope[row * width + column];
      } else if (column < width + rope_width) {
        value = q_pe[row * rope_width + column - width];
      }
    }
    left_tile[place(e / SLICE, e % SLICE)] = factor * value;
  }
}

// right_tile = one slice of k_nope ‖ k_pe. k_pe has no heads.
fn load_keys(head_row: u32, rope_row: u32, first_key: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  for (var e = index; e < TILE_N / 4u * SLICE; e += LANES * TILE_M / 4u) {
    let block = e / SLICE;
    let column = slice + e % SLICE;
    var keys = mat4x4<f32>();
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + 4u * block + j;
      if (key < params.seqlen_k) {
        if (column < width) {
          keys[j] = k_nope[(head_row + key) * width + column];
        } else if (column < width + rope_width) {
          keys[j] = k_pe[(rope_row + key) * rope_width + column - width];
        }
      }
    }
    store_transposed(block, e % SLICE, keys);
  }
}

// right_tile = `count` rows of V, `columns` · 8 vec4s of each. Rows past the end are zero.
fn load_values(head_row: u32, first_key: u32, count: u32, first_column: u32, columns: u32, index: u32) {
  let width = params.head_dim_v / 4u;
  let stride = LANES * columns;
  for (var e = index; e < count * stride; e += LANES * TILE_M / 4u) {
    let key = first_key + e / stride;
    let column = first_column + e % stride;
    var value = vec4(0.0);
    if (key < params.seqlen_k && column < width) {
      value = v[(head_row + key) * width + column];
    }
    right_tile[e] = value;
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
    for (var b = 0u; b < COLUMNS; b++) {
      if (b < columns) {
        let at = n * stride + LANES * b + lane.x;
        let v0 = right_tile[at];
        let v1 = right_tile[at + stride];
        let v2 = right_tile[at + 2u * stride];
        let v3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * b + i];
          sum += weights[i].x * v0;
          sum += weights[i].y * v1;
          sum += weights[i].z * v2;
          sum += weights[i].w * v3;
          (*output)[4u * b + i] = sum;
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
  let last_query = min(first_query + TILE_M, params.seqlen) - 1u;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let query_row = batch_head * params.seqlen;
  let head_row = batch_head * params.seqlen_k;
  let rope_row = group.z * params.seqlen_k;
  // This workgroup's part of the output: up to 128 numbers of headDimV, and the keys whose values fit the tile.
  let width_v = params.head_dim_v / 4u;
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let keys_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);

  var output = array<vec4<f32>, 16>();
  var row_max = vec4(MASKED); // m of the queries 4y..4y+3
  var row_sum = vec4(0.0); // this invocation's part of l

  let end_key = visible_keys(last_query);
  for (var first_key = 0u; first_key < end_key; first_key += TILE_N) {
    // S = Q Kᵀ
    var scores = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < (params.head_dim + params.rope_dim) / 4u; slice += SLICE) {
      load_queries(query_row, first_query, slice, index);
      load_keys(head_row, rope_row, first_key, slice, index);
      workgroupBarrier();
      multiply_slices(&scores, lane);
      workgroupBarrier();
    }
    // Where the first of the queries sees all keys of the step, no score needs a mask.
    if (first_key + TILE_N > visible_keys(first_query)) {
      for (var i = 0u; i < 4u; i++) {
        let keys = vec4(first_key + 4u * lane.x) + vec4(0u, 1u, 2u, 3u);
        let seen = keys < vec4(visible_keys(first_query + 4u * lane.y + i));
        scores[i] = select(vec4(MASKED), scores[i], seen);
      }
    }

    // m' = max(m, rowmax S): 8 invocations hold the scores of a query.
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

    // P = 2^(S - m'), and what came before is brought to the new maximum. A masked key weighs nothing even where a
    // query has seen no other.
    row_sum *= rescale;
    for (var i = 0u; i < 4u; i++) {
      let weights = select(exp2(scores[i] - row_max[i]), vec4(0.0), scores[i] <= vec4(MASKED));
      row_sum[i] += dot(weights, vec4(1.0));
      left_tile[place(4u * lane.y + i, lane.x)] = weights;
      for (var b = 0u; b < COLUMNS; b++) {
        output[4u * b + i] *= rescale[i];
      }
    }

    // O += P V
    for (var first = 0u; first < TILE_N; first += keys_per_load) {
      load_values(head_row, first_key + first, keys_per_load, first_column, columns, index);
      workgroupBarrier();
      multiply_values(&output, first, keys_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  // l of a query is the sum over its 8 invocations.
  for (var i = 0u; i < 4u; i++) {
    row_parts[(4u * lane.y + i) * LANES + lane.x] = row_sum[i];
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    var sum = 0.0;
    for (var x = 0u; x < LANES; x++) {
      sum += row_parts[(4u * lane.y + i) * LANES + x];
    }
    // A query that saw no key has a sum of zero: output zero, log-sum-exp -infinity.
    var inverse = 0.0;
    var log_sum = MINUS_INFINITY;
    if (sum > 0.0) {
      inverse = 1.0 / sum;
      log_sum = (row_max[i] + log2(sum)) * LN_2;
    }
    if (query < params.seqlen) {
      for (var b = 0u; b < COLUMNS; b++) {
        let column = first_column + LANES * b + lane.x;
        if (column < width_v) {
          o[(query_row + query) * width_v + column] = inverse * output[4u * b + i];
        }
      }
      if (lane.x == 0u && first_column == 0u) {
        lse[query_row + query] = log_sum;
      }
    }
  }
}
