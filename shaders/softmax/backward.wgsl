/*---
mechanism: softmax-attention
direction: backward
shape: { batch: 1, heads: 4, seqlen: 512, headDim: 64 }
bindings: { do_rows: do }
scratch:
  log_sums: f32[batch, heads, seqlen]
  means: f32[batch, heads, seqlen]
passes:
  - { entry: summarize, workgroups: [ceil(seqlen / TILE), heads, batch] }
  - { entry: queries, workgroups: [ceil(seqlen / TILE), heads * ceil(headDim / 64), batch] }
  - entry: keys_values
    workgroups: [ceil(seqlenK / TILE), headsKv * ceil(max(headDim, headDimV) / 64), batch]
tune:
  TILE: [32, 64]
---*/

// Flash attention, backward (Dao 2023), without atomic additions: the gradients of queries, keys and values from that of
// the output (and of lse), with no score in device memory. Where query i sees key j,
//
//   S = scale · Q Kᵀ                P = e^(S - lse)              the weights again, from one number per query
//   dP = dO Vᵀ                      dS = P ⊙ (dP - Δ)            Δ_i = Σ_j P_ij dP_ij - dlse_i
//   dQ = scale · dS K               dK = scale · dSᵀ Q           dV = Pᵀ dO
//
// A gradient is summed where it is owned, so that no two workgroups write the same place. Three passes:
//
//   summarize     a tile of queries, over the keys:     lse and Δ, by an online softmax
//   queries       a tile of queries, over the keys:     dQ
//   keys_values   a tile of keys, over the queries of all query heads that share them:     dK and dV
//
// CUDA's form makes all three gradients in one walk over the keys and adds dQ atomically. WGSL has no atomic f32, so S
// and dP are formed anew in each pass. Where the forward pass has kept lse and o, Δ is do · o and the first pass can go.
//
// In every pass a workgroup owns TILE rows (the left operand) and takes STEP rows of the other side at a time (the right
// one). Invocation (x, y) of the 8 × TILE/4 owns the rows 4y..4y+3, of each step the rows 4x..4x+3, and of its gradient
// the vec4 columns x and x+8. A workgroup makes 64 columns of a gradient: wider heads take several, which keeps the sums
// of dK and dV in 64 registers.

override TILE: u32 = 64; // rows per workgroup, a multiple of 4
const STEP = 32u; // rows of the other side per step
const SLICE = 8u; // vec4s of headDim or headDimV per step of Q Kᵀ or dO Vᵀ: 32 numbers
const LANES = 8u; // invocations side by side along the rows of a step and the columns of a gradient
const BLOCK = 16u; // vec4s of a gradient per workgroup: 64 numbers
const LOAD = 16u; // rows of the right operand of a gradient per load

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  causal: u32,
  window_left: i32,
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read> do_rows: array<vec4<f32>>; // dO, [batch, heads, seqlen, headDimV]
@group(0) @binding(5) var<storage, read> dlse: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read_write> dq: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(7) var<storage, read_write> dk: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(8) var<storage, read_write> dv: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDimV]
@group(0) @binding(9) var<storage, read_write> log_sums: array<f32>; // lse · log2(e), [batch, heads, seqlen]
@group(0) @binding(10) var<storage, read_write> means: array<f32>; // Δ, [batch, heads, seqlen]

// Slices of the owned rows, [TILE, 32 numbers]; then P or dS with the owned rows first, [TILE, STEP].
var<workgroup> left_tile: array<vec4<f32>, TILE * SLICE + TILE / 4>;
// Slices of the step's rows, transposed, [32 numbers, STEP]; then the rows themselves by loads, [LOAD, 64 columns].
var<workgroup> right_tile: array<vec4<f32>, STEP * SLICE + STEP / 4>;
// What each of the 8 invocations of a query contributes to its maximum or sums, [TILE, 8].
var<workgroup> row_parts: array<f32, TILE * LANES>;

const LOG2_E = 1.4426950408889634;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;
// log_sums of a query that sees no key: 2 to the power of anything less this is zero.
const NO_KEY = 1.0e30;

// Place of a vec4 in a tile of 8 columns. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows
// over all memory banks, both where 8 invocations read rows 4y and where they write a transposed block.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// How far to the right of its own position a query sees; negative means to the end.
fn right_reach() -> i32 {
  return select(params.window_right, 0, params.causal != 0u);
}

// The queries are the last seqlen of the seqlenK positions.
fn position(query: u32) -> i32 {
  return i32(query) + i32(params.seqlen_k) - i32(params.seqlen);
}

fn visible(query: u32, key: u32) -> bool {
  let distance = i32(key) - position(query);
  return query < params.seqlen
    && key < params.seqlen_k
    && (right_reach() < 0 || distance <= right_reach())
    && (params.window_left < 0 || -distance <= params.window_left);
}

// The keys that at least one of the queries first..last can see, from the start of a step to the end (exclusive).
fn key_range(first: u32, last: u32) -> vec2<u32> {
  var begin = 0;
  var end = i32(params.seqlen_k);
  if (params.window_left >= 0) {
    begin = max(begin, position(first) - params.window_left);
  }
  if (right_reach() >= 0) {
    end = min(end, position(last) + right_reach() + 1);
  }
  return vec2(u32(begin) / STEP * STEP, u32(max(end, 0)));
}

// The queries that can see at least one of the keys first..last, as key_range has the keys.
fn query_range(first: u32, last: u32) -> vec2<u32> {
  var begin = 0;
  var end = i32(params.seqlen);
  if (right_reach() >= 0) {
    begin = max(begin, i32(first) - right_reach() - position(0u));
  }
  if (params.window_left >= 0) {
    end = min(end, i32(last) + params.window_left + 1 - position(0u));
  }
  return vec2(u32(begin) / STEP * STEP, u32(max(end, 0)));
}

// Whether every one of the `queries` queries from `query` on sees all `keys` keys from `key` on: then no score needs a mask.
fn all_visible(query: u32, queries: u32, key: u32, keys: u32) -> bool {
  return visible(query, key + keys - 1u) && visible(query + queries - 1u, key);
}

// --- Tiles ---

// The tensors that products are made of.
const Q = 0u;
const K = 1u;
const V = 2u;
const DO = 3u;

fn numbers(operand: u32, at: u32) -> vec4<f32> {
  switch (operand) {
    case Q: {
      return q[at];
    }
    case K: {
      return k[at];
    }
    case V: {
      return v[at];
    }
    default: {
      return do_rows[at];
    }
  }
}

// Rows of a tensor: those below `end` exist, and a row has `width` vec4s. What lies outside counts as zero.
struct Rows {
  operand: u32,
  head_row: u32, // where the head's row 0 stands among the rows of the tensor
  end: u32,
  width: u32,
}

fn fetch(rows: Rows, row: u32, column: u32) -> vec4<f32> {
  if (row < rows.end && column < rows.width) {
    return numbers(rows.operand, (rows.head_row + row) * rows.width + column);
  }
  return vec4(0.0);
}

fn query_rows(operand: u32, head: u32, batch: u32) -> Rows {
  let width = select(params.head_dim, params.head_dim_v, operand == DO) / 4u;
  return Rows(operand, (batch * params.heads + head) * params.seqlen, params.seqlen, width);
}

fn key_rows(operand: u32, kv_head: u32, batch: u32) -> Rows {
  let width = select(params.head_dim, params.head_dim_v, operand == V) / 4u;
  return Rows(operand, (batch * params.heads_kv + kv_head) * params.seqlen_k, params.seqlen_k, width);
}

// sums[i] = row 4y+i of the left rows with the rows 4x..4x+3 of the right ones: a tile of Q Kᵀ or dO Vᵀ.
fn multiply(left: Rows, first_left: u32, right: Rows, first_right: u32, lane: vec2<u32>) -> array<vec4<f32>, 4> {
  let index = LANES * lane.y + lane.x;
  var sums = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < left.width; slice += SLICE) {
    for (var e = index; e < TILE * SLICE; e += LANES * TILE / 4u) {
      left_tile[place(e / SLICE, e % SLICE)] = fetch(left, first_left + e / SLICE, slice + e % SLICE);
    }
    // In blocks of 4 rows × 4 numbers, transposed so that a vec4 holds 4 rows.
    for (var e = index; e < STEP / 4u * SLICE; e += LANES * TILE / 4u) {
      let row = first_right + e / SLICE * 4u;
      let column = slice + e % SLICE;
      let block = transpose(mat4x4(
        fetch(right, row, column),
        fetch(right, row + 1u, column),
        fetch(right, row + 2u, column),
        fetch(right, row + 3u, column),
      ));
      for (var d = 0u; d < 4u; d++) {
        right_tile[place(4u * (e % SLICE) + d, e / SLICE)] = block[d];
      }
    }
    workgroupBarrier();
    for (var d = 0u; d < SLICE; d++) {
      let r0 = right_tile[place(4u * d, lane.x)];
      let r1 = right_tile[place(4u * d + 1u, lane.x)];
      let r2 = right_tile[place(4u * d + 2u, lane.x)];
      let r3 = right_tile[place(4u * d + 3u, lane.x)];
      for (var i = 0u; i < 4u; i++) {
        let row = left_tile[place(4u * lane.y + i, d)];
        var sum = sums[i];
        sum += row.x * r0;
        sum += row.y * r1;
        sum += row.z * r2;
        sum += row.w * r3;
        sums[i] = sum;
      }
    }
    workgroupBarrier();
  }
  return sums;
}

// gradient[2i + c] += left_tile · the right rows, for row 4y+i and vec4 column x+8c from first_column on. The tile holds
// a weight for each of the step's rows.
fn add_weighted(
  gradient: ptr<function, array<vec4<f32>, 8>>,
  right: Rows,
  first_right: u32,
  first_column: u32,
  lane: vec2<u32>,
) {
  for (var first = 0u; first < STEP; first += LOAD) {
    for (var e = LANES * lane.y + lane.x; e < LOAD * BLOCK; e += LANES * TILE / 4u) {
      right_tile[e] = fetch(right, first_right + first + e / BLOCK, first_column + e % BLOCK);
    }
    workgroupBarrier();
    for (var n = 0u; n < LOAD; n += 4u) {
      let w0 = left_tile[place(4u * lane.y, (first + n) / 4u)];
      let w1 = left_tile[place(4u * lane.y + 1u, (first + n) / 4u)];
      let w2 = left_tile[place(4u * lane.y + 2u, (first + n) / 4u)];
      let w3 = left_tile[place(4u * lane.y + 3u, (first + n) / 4u)];
      let weights = array<vec4<f32>, 4>(w0, w1, w2, w3);
      for (var c = 0u; c < 2u; c++) {
        let at = n * BLOCK + LANES * c + lane.x;
        let r0 = right_tile[at];
        let r1 = right_tile[at + BLOCK];
        let r2 = right_tile[at + 2u * BLOCK];
        let r3 = right_tile[at + 3u * BLOCK];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*gradient)[2u * i + c];
          sum += weights[i].x * r0;
          sum += weights[i].y * r1;
          sum += weights[i].z * r2;
          sum += weights[i].w * r3;
          (*gradient)[2u * i + c] = sum;
        }
      }
    }
    workgroupBarrier();
  }
}

// --- lse and Δ ---

// The maximum (or the sum) of a query's number over the 8 invocations that hold its scores.
fn row_max(parts: vec4<f32>, lane: vec2<u32>) -> vec4<f32> {
  for (var i = 0u; i < 4u; i++) {
    row_parts[(4u * lane.y + i) * LANES + lane.x] = parts[i];
  }
  workgroupBarrier();
  var most = vec4(MASKED);
  for (var i = 0u; i < 4u; i++) {
    for (var x = 0u; x < LANES; x++) {
      most[i] = max(most[i], row_parts[(4u * lane.y + i) * LANES + x]);
    }
  }
  workgroupBarrier();
  return most;
}

fn row_sum(parts: vec4<f32>, lane: vec2<u32>) -> vec4<f32> {
  for (var i = 0u; i < 4u; i++) {
    row_parts[(4u * lane.y + i) * LANES + lane.x] = parts[i];
  }
  workgroupBarrier();
  var sum = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    for (var x = 0u; x < LANES; x++) {
      sum[i] += row_parts[(4u * lane.y + i) * LANES + x];
    }
  }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(8, TILE / 4)
fn summarize(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
) {
  let lane = id.xy;
  // The last queries see the most keys under a causal mask: they go first, so that no long workgroup starts late.
  let first_query = (groups.x - 1u - group.x) * TILE;
  let last_query = min(first_query + TILE, params.seqlen) - 1u;
  let kv_head = group.y / (params.heads / params.heads_kv);
  let queries = query_rows(Q, group.y, group.z);
  let gradients = query_rows(DO, group.y, group.z);
  let keys = key_rows(K, kv_head, group.z);
  let values = key_rows(V, kv_head, group.z);

  let factor = params.scale * LOG2_E;
  var maximum = vec4(MASKED); // of the queries 4y..4y+3
  var sum = vec4(0.0); // this invocation's part of Σ e^(S - maximum)
  var mean = vec4(0.0); // and of Σ e^(S - maximum) dP
  let range = key_range(first_query, last_query);
  for (var first_key = range.x; first_key < range.y; first_key += STEP) {
    var scores = multiply(queries, first_query, keys, first_key, lane);
    let products = multiply(gradients, first_query, values, first_key, lane);
    let whole = all_visible(first_query, TILE, first_key, STEP);
    var step_max = vec4(MASKED);
    for (var i = 0u; i < 4u; i++) {
      scores[i] *= factor;
      if (!whole) {
        for (var j = 0u; j < 4u; j++) {
          let seen = visible(first_query + 4u * lane.y + i, first_key + 4u * lane.x + j);
          scores[i][j] = select(MASKED, scores[i][j], seen);
        }
      }
      let pairs = max(scores[i].xy, scores[i].zw);
      step_max[i] = max(pairs.x, pairs.y);
    }
    let new_max = max(maximum, row_max(step_max, lane));
    let rescale = exp2(maximum - new_max);
    maximum = new_max;
    sum *= rescale;
    mean *= rescale;
    for (var i = 0u; i < 4u; i++) {
      // A masked key weighs nothing even where a query has seen no other.
      let weights = select(exp2(scores[i] - maximum[i]), vec4(0.0), scores[i] <= vec4(MASKED));
      sum[i] += dot(weights, vec4(1.0));
      mean[i] += dot(weights, products[i]);
    }
  }

  sum = row_sum(sum, lane);
  mean = row_sum(mean, lane);
  if (lane.x == 0u) {
    for (var i = 0u; i < 4u; i++) {
      let query = first_query + 4u * lane.y + i;
      if (query < params.seqlen) {
        let at = queries.head_row + query;
        log_sums[at] = select(NO_KEY, maximum[i] + log2(sum[i]), sum[i] > 0.0);
        means[at] = select(0.0, mean[i] / sum[i], sum[i] > 0.0) - dlse[at];
      }
    }
  }
}

// --- dQ ---

@compute @workgroup_size(8, TILE / 4)
fn queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
) {
  let lane = id.xy;
  let first_query = (groups.x - 1u - group.x) * TILE;
  let last_query = min(first_query + TILE, params.seqlen) - 1u;
  let head = group.y % params.heads;
  let first_column = group.y / params.heads * BLOCK;
  let kv_head = head / (params.heads / params.heads_kv);
  let queries = query_rows(Q, head, group.z);
  let gradients = query_rows(DO, head, group.z);
  let keys = key_rows(K, kv_head, group.z);
  let values = key_rows(V, kv_head, group.z);
  var log_sum = vec4(NO_KEY);
  var mean = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    if (query < params.seqlen) {
      log_sum[i] = log_sums[queries.head_row + query];
      mean[i] = means[queries.head_row + query];
    }
  }

  let factor = params.scale * LOG2_E;
  var gradient = array<vec4<f32>, 8>();
  let range = key_range(first_query, last_query);
  for (var first_key = range.x; first_key < range.y; first_key += STEP) {
    let scores = multiply(queries, first_query, keys, first_key, lane);
    let products = multiply(gradients, first_query, values, first_key, lane);
    let whole = all_visible(first_query, TILE, first_key, STEP);
    for (var i = 0u; i < 4u; i++) {
      var exponents = factor * scores[i] - log_sum[i];
      if (!whole) {
        for (var j = 0u; j < 4u; j++) {
          let seen = visible(first_query + 4u * lane.y + i, first_key + 4u * lane.x + j);
          exponents[j] = select(MASKED, exponents[j], seen);
        }
      }
      left_tile[place(4u * lane.y + i, lane.x)] = exp2(exponents) * (products[i] - mean[i]);
    }
    add_weighted(&gradient, keys, first_key, first_column, lane);
  }

  for (var i = 0u; i < 4u; i++) {
    let query = first_query + 4u * lane.y + i;
    for (var c = 0u; c < 2u; c++) {
      let column = first_column + LANES * c + lane.x;
      if (query < params.seqlen && column < queries.width) {
        dq[(queries.head_row + query) * queries.width + column] = params.scale * gradient[2u * i + c];
      }
    }
  }
}

// --- dK and dV ---

@compute @workgroup_size(8, TILE / 4)
fn keys_values(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
  let lane = id.xy;
  // The first keys are seen by the most queries under a causal mask: they go first.
  let first_key = group.x * TILE;
  let last_key = min(first_key + TILE, params.seqlen_k) - 1u;
  let kv_head = group.y % params.heads_kv;
  let first_column = group.y / params.heads_kv * BLOCK;
  let shared_by = params.heads / params.heads_kv;
  let keys = key_rows(K, kv_head, group.z);
  let values = key_rows(V, kv_head, group.z);

  let factor = params.scale * LOG2_E;
  var key_gradient = array<vec4<f32>, 8>();
  var value_gradient = array<vec4<f32>, 8>();
  let range = query_range(first_key, last_key);
  for (var member = 0u; member < shared_by; member++) {
    let queries = query_rows(Q, kv_head * shared_by + member, group.z);
    let gradients = query_rows(DO, kv_head * shared_by + member, group.z);
    for (var first_query = range.x; first_query < range.y; first_query += STEP) {
      let scores = multiply(keys, first_key, queries, first_query, lane);
      let products = multiply(values, first_key, gradients, first_query, lane);
      var log_sum = vec4(NO_KEY);
      var mean = vec4(0.0);
      for (var j = 0u; j < 4u; j++) {
        let query = first_query + 4u * lane.x + j;
        if (query < params.seqlen) {
          log_sum[j] = log_sums[queries.head_row + query];
          mean[j] = means[queries.head_row + query];
        }
      }
      let whole = all_visible(first_query, STEP, first_key, TILE);
      var weights = array<vec4<f32>, 4>();
      for (var i = 0u; i < 4u; i++) {
        var exponents = factor * scores[i] - log_sum;
        if (!whole) {
          for (var j = 0u; j < 4u; j++) {
            let seen = visible(first_query + 4u * lane.x + j, first_key + 4u * lane.y + i);
            exponents[j] = select(MASKED, exponents[j], seen);
          }
        }
        weights[i] = exp2(exponents);
        left_tile[place(4u * lane.y + i, lane.x)] = weights[i];
      }
      add_weighted(&value_gradient, gradients, first_query, first_column, lane);
      for (var i = 0u; i < 4u; i++) {
        left_tile[place(4u * lane.y + i, lane.x)] = weights[i] * (products[i] - mean);
      }
      add_weighted(&key_gradient, queries, first_query, first_column, lane);
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let key = first_key + 4u * lane.y + i;
    for (var c = 0u; c < 2u; c++) {
      let column = first_column + LANES * c + lane.x;
      if (key < params.seqlen_k && column < keys.width) {
        dk[(keys.head_row + key) * keys.width + column] = params.scale * key_gradient[2u * i + c];
      }
      if (key < params.seqlen_k && column < values.width) {
        dv[(values.head_row + key) * values.width + column] = value_gradient[2u * i + c];
      }
    }
  }
}
