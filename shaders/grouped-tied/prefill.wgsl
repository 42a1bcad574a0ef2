/*---
mechanism: grouped-tied-attention
shape: { batch: 1, heads: 8, headsKv: 2, seqlen: 1024, headDim: 64 }
limits: { headDim: 128 }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads, batch] }
tune:
  TILE_M: [16, 32]
---*/

// Grouped-Tied Attention (Zadouri, Strauss, Dao 2025) over a whole sequence: flash attention (Dao 2023) whose keys and
// values are one tensor.
//
//   value_j = kv_j                                    all headDim channels
//   key_j   = [kv_j[..headDim - ropeDim] ‖ k_rope_j]  the unrotated channels are the value's own
//
// A workgroup owns TILE_M queries of one head and walks over the keys, 32 at a time, or 16 of heads wider than 64:
//
//   S  = Q_r K_ropeᵀ                the rotated channels of the scores; then the tile of k_rope gives way to one of kv,
//   S += Q_n KV_nᵀ                  which serves as keys in its unrotated channels
//   m' = max(m, rowmax S)           the running maximum of each query
//   P  = 2^(S - m')                 weights of this step, through workgroup memory
//   l  = 2^(m - m') l + rowsum P    the running denominator
//   O  = 2^(m - m') O + P KV        and stays where it is to serve as values: kv is read once, where k and v are two reads
//
// and divides O by l once at the end. The scale of the scores and log2(e) are folded into Q, so that the powers are
// powers of two, which is what the hardware computes.
//
// Invocation (x, y) of the 8 × TILE_M/4 in a workgroup owns the queries 4y..4y+3, of each step the keys x, x+8, x+16 and
// x+24, and of the output the vec4 columns x, x+8, x+16 and x+24. Numbers of 4 queries stand in one vec4: the scores of a
// key, maxima, sums, and the weights of a key in workgroup memory. So one load of weights serves 4 queries.

override TILE_M: u32 = 32; // queries per workgroup, a multiple of 4
const SLICE = 8u; // vec4s of headDim per step of Q Kᵀ: 32 numbers
const LANES = 8u; // invocations side by side along keys and output columns
const COLUMNS = 4u; // vec4s of the output per invocation and query at most: 8 × 4 × 4 = 128 numbers

struct Params {
  heads: u32,
  heads_kv: u32, // tied heads
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, at most 128
  rope_dim: u32, // a multiple of 4, at most head_dim
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> kv: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> k_rope: array<vec4<f32>>; // [batch, seqlenK, ropeDim]
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(5) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// k_rope, then kv, of the tokens of a step: 32 rows of 16 vec4s or 16 of 32. Rows are an odd number of vec4s apart, which
// spreads the 8 keys that are read at once over all memory banks.
var<workgroup> token_tile: array<vec4<f32>, 544>;
// Q by slices [TILE_M, 32 of headDim], then P [keys of the step, TILE_M / 4], a vec4 being 4 queries.
var<workgroup> query_tile: array<vec4<f32>, TILE_M * SLICE + 32>;
// What each of the 8 invocations of 4 queries contributes to their maxima or sums, [TILE_M / 4, 8].
var<workgroup> row_parts: array<vec4<f32>, TILE_M / 4 * LANES>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;
// Stands for -infinity in lse.
const MINUS_INFINITY = -3.4e38;

// How many of the first keys a query sees: the queries are the last seqlen of the seqlenK positions.
fn visible_keys(query: u32) -> u32 {
  let before = query + 1u + params.seqlen_k;
  return select(params.seqlen_k, min(max(before, params.seqlen) - params.seqlen, params.seqlen_k), params.causal != 0u);
}

// Place of a vec4 in a slice of Q. One vec4 of padding after every 4 rows keeps neighbouring blocks of 4 apart.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// query_tile = `count` columns of Q from `first_column` on, times scale · log2(e). Rows past the end are zero.
fn load_queries(head_row: u32, first_query: u32, first_column: u32, count: u32, lane: vec2<u32>) {
  let width = params.head_dim / 4u;
  let factor = params.scale * LOG2_E;
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    if (lane.x < count) {
      var value = vec4(0.0);
      if (first_query + row < params.seqlen) {
        value = factor * q[(head_row + first_query + row) * width + first_column + lane.x];
      }
      query_tile[place(row, lane.x)] = value;
    }
  }
}

// token_tile = the slices k_rope of `step` tokens. Tokens past the end are zero.
fn load_rotated(first_row: u32, first_key: u32, step: u32, lane: vec2<u32>) {
  let width = params.rope_dim / 4u;
  for (var row = lane.y; row < step; row += TILE_M / 4u) {
    for (var column = lane.x; column < width; column += LANES) {
      var value = vec4(0.0);
      if (first_key + row < params.seqlen_k) {
        value = k_rope[(first_row + first_key + row) * width + column];
      }
      token_tile[row * (width | 1u) + column] = value;
    }
  }
}

// token_tile = the tied states kv of `step` tokens. Tokens past the end are zero.
fn load_tied(first_row: u32, first_key: u32, step: u32, lane: vec2<u32>) {
  let width = params.head_dim / 4u;
  for (var row = lane.y; row < step; row += TILE_M / 4u) {
    for (var column = lane.x; column < width; column += LANES) {
      var value = vec4(0.0);
      if (first_key + row < params.seqlen_k) {
        value = kv[(first_row + first_key + row) * width + column];
      }
      token_tile[row * (width | 1u) + column] = value;
    }
  }
}

// scores[j][i] += query 4y+i · key x+8j over `count` columns, the first of which is column `first` of the token tile.
fn add_scores(
  scores: ptr<function, array<vec4<f32>, 4>>,
  first: u32,
  count: u32,
  stride: u32,
  step: u32,
  lane: vec2<u32>,
) {
  for (var column = 0u; column < count; column++) {
    let q0 = query_tile[place(4u * lane.y, column)];
    let q1 = query_tile[place(4u * lane.y + 1u, column)];
    let q2 = query_tile[place(4u * lane.y + 2u, column)];
    let q3 = query_tile[place(4u * lane.y + 3u, column)];
    for (var j = 0u; j < 4u; j++) {
      if (LANES * j < step) {
        let key = token_tile[(lane.x + LANES * j) * stride + first + column];
        (*scores)[j] += vec4(dot(q0, key), dot(q1, key), dot(q2, key), dot(q3, key));
      }
    }
  }
}

// output[4c + i] += P · KV for query 4y+i and vec4 column x+8c.
fn add_values(output: ptr<function, array<vec4<f32>, 16>>, width: u32, step: u32, lane: vec2<u32>) {
  for (var key = 0u; key < step; key++) {
    let weights = query_tile[key * (TILE_M / 4u + 1u) + lane.y];
    for (var c = 0u; c < COLUMNS; c++) {
      let column = lane.x + LANES * c;
      if (column < width) {
        let value = token_tile[key * (width | 1u) + column];
        (*output)[4u * c] += weights.x * value;
        (*output)[4u * c + 1u] += weights.y * value;
        (*output)[4u * c + 2u] += weights.z * value;
        (*output)[4u * c + 3u] += weights.w * value;
      }
    }
  }
}

@compute @workgroup_size(8, TILE_M / 4)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  let plain_width = width - rope_width;
  let step = select(16u, 32u, width <= 16u);
  // The last queries see the most keys under a causal mask: they go first, so that no long workgroup starts late.
  let first_query = (groups.x - 1u - group.x) * TILE_M;
  let last_query = min(first_query + TILE_M, params.seqlen) - 1u;
  let head_row = (group.z * params.heads + group.y) * params.seqlen;
  // heads / headsKv neighbouring query heads share one tied head, and all of them the rotated slice.
  let tied_head = group.y / (params.heads / params.heads_kv);
  let tied_row = (group.z * params.heads_kv + tied_head) * params.seqlen_k;
  let rope_row = group.z * params.seqlen_k;
  let own_query = first_query + 4u * lane.y;
  let visible = vec4(
    visible_keys(own_query),
    visible_keys(own_query + 1u),
    visible_keys(own_query + 2u),
    visible_keys(own_query + 3u),
  );

  var output = array<vec4<f32>, 16>();
  var row_max = vec4(MASKED); // m of the queries 4y..4y+3
  var row_sum = vec4(0.0); // this invocation's part of l

  let end = visible_keys(last_query);
  for (var first_key = 0u; first_key < end; first_key += step) {
    // S = Q Kᵀ: the rotated channels, then those that the keys have from the values.
    var scores = array<vec4<f32>, 4>();
    load_rotated(rope_row, first_key, step, lane);
    for (var slice = 0u; slice < rope_width; slice += SLICE) {
      let count = min(SLICE, rope_width - slice);
      load_queries(head_row, first_query, plain_width + slice, count, lane);
      workgroupBarrier();
      add_scores(&scores, slice, count, rope_width | 1u, step, lane);
      workgroupBarrier();
    }
    load_tied(tied_row, first_key, step, lane);
    for (var slice = 0u; slice < plain_width; slice += SLICE) {
      let count = min(SLICE, plain_width - slice);
      load_queries(head_row, first_query, slice, count, lane);
      workgroupBarrier();
      add_scores(&scores, slice, count, width | 1u, step, lane);
      workgroupBarrier();
    }

    // m' = max(m, rowmax S): 8 invocations hold the scores of a query. Past the keys of a step there is none to see.
    var step_max = vec4(MASKED);
    for (var j = 0u; j < 4u; j++) {
      let key = first_key + lane.x + LANES * j;
      let seen = (vec4(key) < visible) & vec4(LANES * j < step);
      scores[j] = select(vec4(MASKED), scores[j], seen);
      step_max = max(step_max, scores[j]);
    }
    row_parts[LANES * lane.y + lane.x] = step_max;
    workgroupBarrier();
    var new_max = row_max;
    for (var x = 0u; x < LANES; x++) {
      new_max = max(new_max, row_parts[LANES * lane.y + x]);
    }
    let rescale = exp2(row_max - new_max);
    row_max = new_max;

    // P = 2^(S - m'), and what came before is brought to the new maximum. A masked key weighs nothing even where a
    // query has seen no other.
    row_sum *= rescale;
    for (var j = 0u; j < 4u; j++) {
      let weights = select(exp2(scores[j] - row_max), vec4(0.0), scores[j] <= vec4(MASKED));
      row_sum += weights;
      query_tile[(lane.x + LANES * j) * (TILE_M / 4u + 1u) + lane.y] = weights;
    }
    for (var c = 0u; c < COLUMNS; c++) {
      output[4u * c] *= rescale.x;
      output[4u * c + 1u] *= rescale.y;
      output[4u * c + 2u] *= rescale.z;
      output[4u * c + 3u] *= rescale.w;
    }
    workgroupBarrier();

    // O += P KV, from the tile that was the keys.
    add_values(&output, width, step, lane);
    workgroupBarrier();
  }

  // l of a query is the sum over its 8 invocations.
  row_parts[LANES * lane.y + lane.x] = row_sum;
  workgroupBarrier();
  var sum = vec4(0.0);
  for (var x = 0u; x < LANES; x++) {
    sum += row_parts[LANES * lane.y + x];
  }
  for (var i = 0u; i < 4u; i++) {
    // A query that saw no key has a sum of zero: output zero, log-sum-exp -infinity.
    let seen = sum[i] > 0.0;
    let divisor = select(1.0, sum[i], seen);
    if (own_query + i < params.seqlen) {
      for (var c = 0u; c < COLUMNS; c++) {
        let column = lane.x + LANES * c;
        if (column < width) {
          o[(head_row + own_query + i) * width + column] = output[4u * c + i] / divisor;
        }
      }
      if (lane.x == 0u) {
        lse[head_row + own_query + i] = select(MINUS_INFINITY, (row_max[i] + log2(divisor)) * LN_2, seen);
      }
    }
  }
}
