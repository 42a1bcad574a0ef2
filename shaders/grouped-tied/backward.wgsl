/*---
mechanism: grouped-tied-attention
direction: backward
shape: { batch: 1, heads: 4, headsKv: 2, seqlen: 256, headDim: 64 }
limits: { headDim: 128 }
bindings: { do_rows: do }
scratch:
  log_sums: f32[batch, heads, seqlen]
  means: f32[batch, heads, seqlen]
  rope_parts: f32[batch, headsKv, seqlenK, ropeDim]
passes:
  - { entry: queries, workgroups: [ceil(seqlen / 16), heads, batch] }
  - { entry: tied_states, workgroups: [ceil(seqlenK / 16), headsKv, batch] }
  - { entry: rotated_slice, workgroups: [ceil(seqlenK * ropeDim / 256), batch, 1] }
---*/

// Grouped-Tied Attention (Zadouri, Strauss, Dao 2025), backward: the gradients of the queries, of the tied states and of the
// rotated slice, with no score in device memory. With K = [KV_n ‖ K_rope], KV_n being the unrotated channels of KV,
//
//   S  = scale · Q Kᵀ               P  = e^(S - lse)
//   dP = dO KVᵀ                     dS = P ⊙ (dP - Δ)            Δ_i = Σ_j P_ij dP_ij - dlse_i
//   dQ = scale · dS K
//   dKV = Pᵀ dO + [scale · dSᵀ Q_n ‖ 0]                          what is tied forward is added backward
//   dK_rope = Σ_heads scale · dSᵀ Q_r                            what is shared forward is summed
//
// A gradient is summed where it is owned, so that no two workgroups write the same place. Three passes:
//
//   queries        16 queries of a head, over the keys:    lse, Δ and dQ
//   tied_states    16 keys of a tied head, over the queries of its group:    dKV, and this head's part of dK_rope
//   rotated_slice  the sum of those parts over the tied heads:    dK_rope
//
// The first pass takes Δ out of the sum, dQ = scale · (Σ_j P_j dP_j k_j - Δ Σ_j P_j k_j): both sums grow in one walk over the
// keys, by an online softmax, and S and dP are formed once instead of a second time when Δ is known.
//
// Invocation (x, y) of the 16 × 8 owns the vec4 columns x and x+16 of the rows 2y and 2y+1, in registers: of the queries
// and dO in the first pass, of KV, K and both gradients in the second. Rows of the other side come through workgroup memory, 4
// at a time and once for everything that is made of them. Each invocation forms its columns' parts of S and dP; a
// second step adds up the parts of the 16 invocations of a row.

const STEP = 4u; // rows of the other side per step: a vec4 of numbers for each owned row
const TILE = 16u; // rows a workgroup owns
const LANES = 16u; // invocations side by side along the columns of a row
const OWNED = 2u; // rows of an invocation
const COLUMNS = 2u; // vec4s of a row per invocation at most: 16 × 2 × 4 = 128 numbers

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
@group(0) @binding(4) var<storage, read> do_rows: array<vec4<f32>>; // dO, [batch, heads, seqlen, headDim]
@group(0) @binding(5) var<storage, read> dlse: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read_write> dq: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(7) var<storage, read_write> dkv: array<vec4<f32>>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(8) var<storage, read_write> dk_rope: array<vec4<f32>>; // [batch, seqlenK, ropeDim]
@group(0) @binding(9) var<storage, read_write> log_sums: array<f32>; // lse · log2(e), [batch, heads, seqlen]
@group(0) @binding(10) var<storage, read_write> means: array<f32>; // Δ, [batch, heads, seqlen]
@group(0) @binding(11) var<storage, read_write> rope_parts: array<vec4<f32>>; // [batch, headsKv, seqlenK, ropeDim]

// The rows of a step: [kv ‖ k_rope] of 4 tokens, or [q ‖ dO] of 4 queries.
var<workgroup> step_rows: array<vec4<f32>, STEP * 64>;
// What each invocation's columns add to S and dP of its rows, a vec4 being the step: [TILE, S or dP, LANES].
var<workgroup> parts: array<vec4<f32>, TILE * 2 * LANES>;
// S and dP: [TILE, S or dP, STEP].
var<workgroup> totals: array<f32, TILE * 2 * STEP>;
// log_sums and means of the queries of a step.
var<workgroup> statistics: array<vec2<f32>, STEP>;

const LOG2_E = 1.4426950408889634;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;
// log_sums of a query that sees no key: 2 to the power of anything less this is zero.
const NO_KEY = 1.0e30;

// How many of the first keys a query sees: the queries are the last seqlen of the seqlenK positions.
fn visible_keys(query: u32) -> u32 {
  let before = query + 1u + params.seqlen_k;
  return select(params.seqlen_k, min(max(before, params.seqlen) - params.seqlen, params.seqlen_k), params.causal != 0u);
}

// What an invocation's columns add to S and dP of its two rows.
fn write_parts(sums: array<vec4<f32>, 4>, lane: vec2<u32>) {
  for (var i = 0u; i < 4u; i++) {
    parts[(4u * lane.y + i) * LANES + lane.x] = sums[i];
  }
}

// Adds up the parts of the 16 invocations of a row: each takes one of the 16 numbers that a pair of rows has in a step. They
// begin at different places, so that no two read one memory bank.
fn add_up(lane: vec2<u32>) {
  var sum = 0.0;
  for (var i = 0u; i < LANES; i++) {
    let other = (i + lane.x / STEP + STEP * lane.y) % LANES;
    sum += parts[(4u * lane.y + lane.x / STEP) * LANES + other][lane.x % STEP];
  }
  totals[LANES * lane.y + lane.x] = sum;
}

// S (which = 0) or dP (1) of an owned row with the 4 rows of the step.
fn total(lane: vec2<u32>, row: u32, which: u32) -> vec4<f32> {
  let at = LANES * lane.y + (2u * row + which) * STEP;
  return vec4(totals[at], totals[at + 1u], totals[at + 2u], totals[at + 3u]);
}

// --- lse, Δ and dQ ---

@compute @workgroup_size(16, 8)
fn queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  let stride = width + rope_width;
  let factor = params.scale * LOG2_E;
  // The last queries see the most keys under a causal mask: they go first, so that no long workgroup starts late.
  let first_query = (groups.x - 1u - group.x) * TILE;
  let own_query = first_query + OWNED * lane.y;
  let head_row = (group.z * params.heads + group.y) * params.seqlen;
  let tied_head = group.y / (params.heads / params.heads_kv);
  let tied_row = (group.z * params.heads_kv + tied_head) * params.seqlen_k;
  let rope_row = group.z * params.seqlen_k;

  var query = array<vec4<f32>, 4>(); // columns of the owned rows, [OWNED, COLUMNS]
  var gradient = array<vec4<f32>, 4>(); // of dO
  for (var i = 0u; i < OWNED * COLUMNS; i++) {
    let column = lane.x + LANES * (i % COLUMNS);
    if (own_query + i / COLUMNS < params.seqlen && column < width) {
      let at = (head_row + own_query + i / COLUMNS) * width + column;
      query[i] = factor * q[at];
      gradient[i] = do_rows[at];
    }
  }

  let visible = vec2(visible_keys(own_query), visible_keys(own_query + 1u));
  var product_keys = array<vec4<f32>, 4>(); // Σ P dP k
  var weight_keys = array<vec4<f32>, 4>(); // Σ P k
  var maximum = vec2(MASKED);
  var weight_sum = vec2(0.0); // Σ P
  var product_sum = vec2(0.0); // Σ P dP
  let end = visible_keys(min(first_query + TILE, params.seqlen) - 1u);
  for (var first_key = 0u; first_key < end; first_key += STEP) {
    // [kv ‖ k_rope] of 4 tokens, each read once. Tokens past the end are zero.
    let key = first_key + lane.y;
    if (lane.y < STEP) {
      for (var column = lane.x; column < stride; column += LANES) {
        var numbers = vec4(0.0);
        if (key < params.seqlen_k) {
          if (column < width) {
            numbers = kv[(tied_row + key) * width + column];
          } else {
            numbers = k_rope[(rope_row + key) * rope_width + column - width];
          }
        }
        step_rows[lane.y * stride + column] = numbers;
      }
    }
    workgroupBarrier();

    // Of a tied row the key leaves out the middle, the value the end.
    var sums = array<vec4<f32>, 4>(); // [OWNED, S or dP]
    for (var c = 0u; c < COLUMNS; c++) {
      let column = lane.x + LANES * c;
      let key_column = column + select(0u, rope_width, column + rope_width >= width);
      if (column < width) {
        for (var j = 0u; j < STEP; j++) {
          let key_numbers = step_rows[j * stride + key_column];
          let value_numbers = step_rows[j * stride + column];
          for (var row = 0u; row < OWNED; row++) {
            sums[2u * row][j] += dot(query[COLUMNS * row + c], key_numbers);
            sums[2u * row + 1u][j] += dot(gradient[COLUMNS * row + c], value_numbers);
          }
        }
      }
    }
    write_parts(sums, lane);
    workgroupBarrier();
    add_up(lane);
    workgroupBarrier();

    var weights = array<vec4<f32>, 2>();
    var products = array<vec4<f32>, 2>();
    for (var row = 0u; row < OWNED; row++) {
      let hidden = vec4(first_key) + vec4(0u, 1u, 2u, 3u) >= vec4(visible[row]);
      let scores = select(total(lane, row, 0u), vec4(MASKED), hidden);
      let new_max = max(max(maximum[row], max(scores.x, scores.y)), max(scores.z, scores.w));
      let rescale = exp2(maximum[row] - new_max);
      // A masked key weighs nothing even where a query has seen no other.
      weights[row] = select(exp2(scores - new_max), vec4(0.0), hidden);
      products[row] = weights[row] * total(lane, row, 1u);
      maximum[row] = new_max;
      weight_sum[row] = rescale * weight_sum[row] + dot(weights[row], vec4(1.0));
      product_sum[row] = rescale * product_sum[row] + dot(products[row], vec4(1.0));
      for (var c = 0u; c < COLUMNS; c++) {
        product_keys[COLUMNS * row + c] *= rescale;
        weight_keys[COLUMNS * row + c] *= rescale;
      }
    }
    for (var c = 0u; c < COLUMNS; c++) {
      let column = lane.x + LANES * c;
      let key_column = column + select(0u, rope_width, column + rope_width >= width);
      if (column < width) {
        for (var j = 0u; j < STEP; j++) {
          let numbers = step_rows[j * stride + key_column];
          for (var row = 0u; row < OWNED; row++) {
            product_keys[COLUMNS * row + c] += products[row][j] * numbers;
            weight_keys[COLUMNS * row + c] += weights[row][j] * numbers;
          }
        }
      }
    }
    workgroupBarrier();
  }

  for (var row = 0u; row < OWNED; row++) {
    if (own_query + row < params.seqlen) {
      // A query that sees no key has sums of zero, and no gradient.
      let at = head_row + own_query + row;
      let seen = weight_sum[row] > 0.0;
      let divisor = select(1.0, weight_sum[row], seen);
      let mean = product_sum[row] / divisor - dlse[at];
      for (var c = 0u; c < COLUMNS; c++) {
        let column = lane.x + LANES * c;
        if (column < width) {
          let i = COLUMNS * row + c;
          dq[at * width + column] = params.scale / divisor * (product_keys[i] - mean * weight_keys[i]);
        }
      }
      if (lane.x == 0u) {
        log_sums[at] = select(NO_KEY, maximum[row] + log2(divisor), seen);
        means[at] = mean;
      }
    }
  }
}

// --- dKV, and dK_rope by tied heads ---

@compute @workgroup_size(16, 8)
fn tied_states(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  let plain_width = width - rope_width;
  let stride = 2u * width;
  let factor = params.scale * LOG2_E;
  // The first keys are seen by the most queries under a causal mask: they go first.
  let first_key = group.x * TILE;
  let own_key = first_key + OWNED * lane.y;
  let tied_row = (group.z * params.heads_kv + group.y) * params.seqlen_k;
  let rope_row = group.z * params.seqlen_k;
  let shared_by = params.heads / params.heads_kv;

  // Columns of the owned rows, [OWNED, COLUMNS]: of the values, and of the keys, which have their first ones from these.
  var value = array<vec4<f32>, 4>();
  var key = array<vec4<f32>, 4>();
  for (var i = 0u; i < OWNED * COLUMNS; i++) {
    let column = lane.x + LANES * (i % COLUMNS);
    let row = own_key + i / COLUMNS;
    if (row < params.seqlen_k && column < width) {
      value[i] = kv[(tied_row + row) * width + column];
      key[i] = value[i];
      if (column >= plain_width) {
        key[i] = k_rope[(rope_row + row) * rope_width + column - plain_width];
      }
    }
  }

  var value_gradient = array<vec4<f32>, 4>(); // Pᵀ dO
  var key_gradient = array<vec4<f32>, 4>(); // dSᵀ Q
  // The first query that sees the first key.
  let begin = select(0u, max(first_key + params.seqlen, params.seqlen_k) - params.seqlen_k, params.causal != 0u);
  for (var member = 0u; member < shared_by; member++) {
    let head_row = (group.z * params.heads + group.y * shared_by + member) * params.seqlen;
    for (var first_query = begin; first_query < params.seqlen; first_query += STEP) {
      // [q ‖ dO] of 4 queries, and what the first pass found out about them. Queries past the end weigh nothing.
      let query = first_query + lane.y;
      if (lane.y < STEP) {
        for (var column = lane.x; column < stride; column += LANES) {
          var numbers = vec4(0.0);
          if (query < params.seqlen) {
            if (column < width) {
              numbers = q[(head_row + query) * width + column];
            } else {
              numbers = do_rows[(head_row + query) * width + column - width];
            }
          }
          step_rows[lane.y * stride + column] = numbers;
        }
        if (lane.x == 0u) {
          var known = vec2(NO_KEY, 0.0);
          if (query < params.seqlen) {
            known = vec2(log_sums[head_row + query], means[head_row + query]);
          }
          statistics[lane.y] = known;
        }
      }
      workgroupBarrier();

      var log_sum = vec4(0.0);
      var mean = vec4(0.0);
      var visible = vec4(0u);
      for (var j = 0u; j < STEP; j++) {
        log_sum[j] = statistics[j].x;
        mean[j] = statistics[j].y;
        visible[j] = visible_keys(first_query + j);
      }
      var sums = array<vec4<f32>, 4>(); // [OWNED, S or dP]
      for (var c = 0u; c < COLUMNS; c++) {
        let column = lane.x + LANES * c;
        if (column < width) {
          for (var j = 0u; j < STEP; j++) {
            let query_numbers = step_rows[j * stride + column];
            let output_numbers = step_rows[j * stride + width + column];
            for (var row = 0u; row < OWNED; row++) {
              sums[2u * row][j] += dot(key[COLUMNS * row + c], query_numbers);
              sums[2u * row + 1u][j] += dot(value[COLUMNS * row + c], output_numbers);
            }
          }
        }
      }
      write_parts(sums, lane);
      workgroupBarrier();
      add_up(lane);
      workgroupBarrier();

      // P and dS of the owned rows.
      var weights = array<vec4<f32>, 2>();
      var changes = array<vec4<f32>, 2>();
      for (var row = 0u; row < OWNED; row++) {
        let seen = vec4(own_key + row) < visible;
        let exponents = select(vec4(MASKED), factor * total(lane, row, 0u) - log_sum, seen);
        weights[row] = exp2(exponents);
        changes[row] = weights[row] * (total(lane, row, 1u) - mean);
      }
      for (var c = 0u; c < COLUMNS; c++) {
        let column = lane.x + LANES * c;
        if (column < width) {
          for (var j = 0u; j < STEP; j++) {
            let query_numbers = step_rows[j * stride + column];
            let output_numbers = step_rows[j * stride + width + column];
            for (var row = 0u; row < OWNED; row++) {
              value_gradient[COLUMNS * row + c] += weights[row][j] * output_numbers;
              key_gradient[COLUMNS * row + c] += changes[row][j] * query_numbers;
            }
          }
        }
      }
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < OWNED * COLUMNS; i++) {
    let column = lane.x + LANES * (i % COLUMNS);
    let row = own_key + i / COLUMNS;
    if (row < params.seqlen_k && column < width) {
      var gradient = value_gradient[i];
      if (column < plain_width) {
        gradient += params.scale * key_gradient[i];
      } else {
        rope_parts[(tied_row + row) * rope_width + column - plain_width] = params.scale * key_gradient[i];
      }
      dkv[(tied_row + row) * width + column] = gradient;
    }
  }
}

// --- dK_rope ---

@compute @workgroup_size(64)
fn rotated_slice(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let count = params.seqlen_k * params.rope_dim / 4u;
  let at = group.x * 64u + index;
  if (at < count) {
    var sum = vec4(0.0);
    for (var head = 0u; head < params.heads_kv; head++) {
      sum += rope_parts[(group.y * params.heads_kv + head) * count + at];
    }
    dk_rope[group.y * count + at] = sum;
  }
}
