/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 4, seqlen: 96, headDim: 32 }
passes:
  - { entry: main, workgroups: [ceil(seqlen / 64), heads, batch] }
bindings: { query: q, key: k, value: v, output: o }
layout:
  q: [batch, seqlen, heads, headDim]
  k: [batch, seqlenK, headsKv, headDim]
  v: [batch, seqlenK, headsKv, headDimV]
  o: [batch, seqlen, heads, headDimV]
uniforms:
  new_sequence_length: seqlen
  total_sequence_length: seqlenK
  past_sequence_length: seqlenK - seqlen
  n_reps: heads / headsKv
  num_kv_heads: headsKv
  num_heads: heads
  head_size_vec: div(headDim, 4)
  v_head_size_vec: div(headDimV, 4)
  is_unidirectional: causal
  local_window: [windowLeft, windowRight]
  alpha: scale
---*/

// Softmax attention with one query in the registers of each invocation. The rows of keys and values come from workgroup
// memory, but an invocation loads only one row in four: the others come from its neighbours by subgroupShuffle. Four is
// the smallest subgroup there is, so that the kernel is right at every size. Tokens come before heads in memory.

enable subgroups;

const workgroup_size_x = 64u;
const key_step = 16u;
const rows_in_flight = 4u;
const max_head_vecs = 32u;
const min_value = -3.0e38;

alias value_t = vec4<f32>;

struct Uniforms {
  new_sequence_length: u32,
  total_sequence_length: u32,
  past_sequence_length: i32,
  n_reps: u32,
  num_heads: u32,
  num_kv_heads: u32,
  head_size_vec: u32,
  v_head_size_vec: u32,
  local_window: vec2<i32>,
  is_unidirectional: u32,
  alpha: f32,
}

@group(0) @binding(0) var<storage, read> query: array<value_t>;
@group(0) @binding(1) var<storage, read> key: array<value_t>;
@group(0) @binding(2) var<storage, read> value: array<value_t>;
@group(0) @binding(3) var<storage, read_write> output: array<value_t>;
@group(0) @binding(4) var<uniform> uniforms: Uniforms;

var<workgroup> k_tile: array<array<value_t, max_head_vecs>, key_step>;
var<workgroup> v_tile: array<array<value_t, max_head_vecs>, key_step>;

fn load_rows(batch: u32, kv_head: u32, first_key: u32, local_idx: u32) {
  let k_width = uniforms.head_size_vec;
  for (var i = local_idx; i < key_step * k_width; i += workgroup_size_x) {
    let row = i / k_width;
    let token = first_key + row;
    var loaded = value_t(0);
    if (token < uniforms.total_sequence_length) {
      let at = (batch * uniforms.total_sequence_length + token) * uniforms.num_kv_heads + kv_head;
      loaded = key[at * k_width + i % k_width];
    }
    k_tile[row][i % k_width] = loaded;
  }
  let v_width = uniforms.v_head_size_vec;
  for (var i = local_idx; i < key_step * v_width; i += workgroup_size_x) {
    let row = i / v_width;
    let token = first_key + row;
    var loaded = value_t(0);
    if (token < uniforms.total_sequence_length) {
      let at = (batch * uniforms.total_sequence_length + token) * uniforms.num_kv_heads + kv_head;
      loaded = value[at * v_width + i % v_width];
    }
    v_tile[row][i % v_width] = loaded;
  }
}

// How far ahead of a query a key may lie; negative: any distance.
fn right_reach() -> i32 {
  return select(uniforms.local_window.y, 0, uniforms.is_unidirectional == 1u);
}

fn masked(scores: value_t, position: i32, first_key: u32) -> value_t {
  let keys = vec4<i32>(i32(first_key)) + vec4<i32>(0, 1, 2, 3);
  let ahead = keys - vec4(position);
  let inside = keys < vec4(i32(uniforms.total_sequence_length));
  let right = (ahead <= vec4(right_reach())) | vec4(right_reach() < 0);
  let left = (-ahead <= vec4(uniforms.local_window.x)) | vec4(uniforms.local_window.x < 0);
  return select(value_t(min_value), scores, inside & right & left);
}

@compute @workgroup_size(workgroup_size_x)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) local_idx: u32,
  @builtin(subgroup_invocation_id) sg_id: u32,
) {
  let batch = workgroup_id.z;
  let head = workgroup_id.y;
  let kv_head = head / uniforms.n_reps;
  let first_query = workgroup_id.x * workgroup_size_x;
  let token = first_query + local_idx;
  let query_row = (batch * uniforms.new_sequence_length + token) * uniforms.num_heads + head;

  var q_row = array<value_t, max_head_vecs>();
  if (token < uniforms.new_sequence_length) {
    for (var d = 0u; d < uniforms.head_size_vec; d++) {
      q_row[d] = query[query_row * uniforms.head_size_vec + d];
    }
  }

  // Keys that some query of the workgroup may see.
  let last_query = min(first_query + workgroup_size_x, uniforms.new_sequence_length) - 1u;
  var first_key = 0;
  if (uniforms.local_window.x >= 0) {
    first_key = max(0, i32(first_query) + uniforms.past_sequence_length - uniforms.local_window.x);
  }
  var end_key = i32(uniforms.total_sequence_length);
  if (right_reach() >= 0) {
    end_key = min(end_key, i32(last_query) + uniforms.past_sequence_length + right_reach() + 1);
  }

  var o_row = array<value_t, max_head_vecs>();
  var previous_max = min_value;
  var denominator = 0.0;
  let position = i32(token) + uniforms.past_sequence_length;
  for (var step = first_key; step < end_key; step += i32(key_step)) {
    load_rows(batch, kv_head, u32(step), local_idx);
    workgroupBarrier();
    for (var row = 0u; row < key_step; row += rows_in_flight) {
      let own_row = row + sg_id % rows_in_flight;
      var scores = value_t(0);
      for (var d = 0u; d < uniforms.head_size_vec; d++) {
        let own = k_tile[own_row][d];
        let q_part = q_row[d];
        scores += value_t(
          dot(q_part, subgroupShuffle(own, 0u)),
          dot(q_part, subgroupShuffle(own, 1u)),
          dot(q_part, subgroupShuffle(own, 2u)),
          dot(q_part, subgroupShuffle(own, 3u)),
        );
      }
      scores = masked(scores * uniforms.alpha, position, u32(step) + row);
      let new_max = max(previous_max, max(max(scores.x, scores.y), max(scores.z, scores.w)));
      let weights = select(exp(scores - new_max), value_t(0), scores <= value_t(min_value));
      let o_ratio = exp(previous_max - new_max);
      previous_max = new_max;
      denominator = denominator * o_ratio + dot(weights, value_t(1));
      for (var d = 0u; d < uniforms.v_head_size_vec; d++) {
        let own = v_tile[own_row][d];
        var sum = o_row[d] * o_ratio;
        sum += weights.x * subgroupShuffle(own, 0u);
        sum += weights.y * subgroupShuffle(own, 1u);
        sum += weights.z * subgroupShuffle(own, 2u);
        sum += weights.w * subgroupShuffle(own, 3u);
        o_row[d] = sum;
      }
    }
    workgroupBarrier();
  }

  if (token < uniforms.new_sequence_length) {
    // Nothing was seen: the row stays zero.
    let inverse = select(0.0, 1.0 / max(denominator, 1e-30), denominator > 0.0);
    for (var d = 0u; d < uniforms.v_head_size_vec; d++) {
      output[query_row * uniforms.v_head_size_vec + d] = o_row[d] * inverse;
    }
  }
}
