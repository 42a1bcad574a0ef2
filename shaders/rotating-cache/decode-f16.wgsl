/*---
mechanism: rotating-cache-attention
direction: decode
shape: { batch: 4, heads: 16, headsKv: 4, seqlen: 1, capacity: 1024, headDim: 64 }
limits: { headDim: 128, headDimV: 128 }
dtype: { q: f16, k: f16, v: f16, k_cache: f16, v_cache: f16, o: f16, k_cache_next: f16, v_cache_next: f16 }
scratch:
  partial: f32[batch, heads, seqlen, ceil((capacity + seqlen) / SPLIT), headDimV + 4]
passes:
  - entry: attend
    workgroups: [ceil((capacity + seqlen) / SPLIT), headsKv * ceil(heads / headsKv * seqlen / 8), batch]
  - { entry: merge, workgroups: [seqlen, heads, batch] }
  - { entry: turn, workgroups: [ceil(capacity / 16), headsKv, batch] }
tune:
  SPLIT: [64, 128, 256]
---*/

// Rotating KV caches in f16: what decode.wgsl does, moving half the bytes, and the rings are nearly all that a step moves. A
// token is rounded once, when it enters a ring, and copied bit by bit from then on, so that no error grows with the steps.
// Numbers are packed in pairs, two to a u32, so that no device feature is needed; all sums, the parts of an output and its
// lse are f32.
//
//   slots   [ . . . o x x x x x x n p . . . ]    o the oldest token, n the newest one, p position, . nothing
//
// The keys of a stream are its used slots as they lie, from the oldest one on and once around the end, and behind them the new
// tokens, each of which sees the cached ones and the new ones up to itself.
//
// attend: a workgroup takes SPLIT keys of a stream and 8 rows, a row being one query of one head of a group. It walks over its
// keys 32 at a time, twice as many as in f32, so that as many bytes are on their way at once:
//
//   S = Q Kᵀ;  m' = max(m, rowmax S);  P = 2^(S - m');  l = 2^(m - m') l + rowsum P;  O = 2^(m - m') O + P V
//
// Invocation (x, y) of the 32 × 8 owns row y, key x of each step, and of the output the vec4 column x. Keys and values stay
// packed in workgroup memory, where 32 of them in f32 would have no room.
//
// merge: with the log-sum-exp of each part, in base 2,
//   M = max_p lse_p;  w_p = 2^(lse_p - M);  o = Σ w_p o_p / Σ w_p;  lse = M + log2 Σ w_p
//
// turn: the caches after the step, where new token t is in slot (position + t) mod capacity.

override SPLIT: u32 = 128; // keys of a workgroup, a multiple of 32
const KEYS = 32u; // keys per step, and invocations side by side, a vec4 column of the output each: 32 × 4 = 128 numbers
const ROWS = 8u; // rows of a workgroup
const WIDTH = 32u; // fours of a key or a value at most: 128 numbers
const LOADS = 4u; // fours of a step's keys, and of its values, per invocation at most: 32 × 32 / 256

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32, // new tokens, at most capacity
  capacity: u32,
  head_dim: u32, // a multiple of 4 up to 128, as is head_dim_v
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec2<u32>>; // fours of [batch, headsKv, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec2<u32>>; // fours of [batch, headsKv, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> k_cache: array<vec2<u32>>; // fours of [batch, headsKv, capacity, headDim]
@group(0) @binding(5) var<storage, read> v_cache: array<vec2<u32>>; // fours of [batch, headsKv, capacity, headDimV]
@group(0) @binding(6) var<storage, read> position: array<u32>; // [batch]
@group(0) @binding(7) var<storage, read> fill: array<u32>; // [batch]
// Of each part the output of a row, then its log-sum-exp: [batch, heads, seqlen, parts, headDimV + 4].
@group(0) @binding(8) var<storage, read_write> partial: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> o: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDimV]
@group(0) @binding(10) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(11) var<storage, read_write> k_cache_next: array<vec2<u32>>; // fours of [batch, headsKv, capacity, headDim]
@group(0) @binding(12) var<storage, read_write> v_cache_next: array<vec2<u32>>; // fours of [batch, headsKv, capacity, headDimV]

// Q, [ROWS, headDim].
var<workgroup> query_tile: array<vec4<f32>, ROWS * WIDTH>;
// The keys of a step, then its values, packed.
var<workgroup> tile: array<vec2<u32>, KEYS * (WIDTH + 1u)>;
// The scores of a step, then its weights, [ROWS, KEYS] each.
var<workgroup> scores: array<f32, ROWS * KEYS>;
var<workgroup> weights: array<f32, ROWS * KEYS>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

// Four numbers from two packed pairs, and back.
fn unpack(pairs: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}

fn pack(numbers: vec4<f32>) -> vec2<u32> {
  return vec2(pack2x16float(numbers.xy), pack2x16float(numbers.zw));
}

// The slot of cached token `token`, counted from the oldest, which lies `oldest` slots behind the first one of the ring.
fn slot_of(oldest: u32, token: u32) -> u32 {
  let ahead = oldest + token; // below 2 · capacity
  return select(ahead, ahead - params.capacity, ahead >= params.capacity);
}

fn parts() -> u32 {
  return (params.capacity + params.seqlen + SPLIT - 1u) / SPLIT;
}

@compute @workgroup_size(32, 8)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let value_width = params.head_dim_v / 4u;
  // An odd distance between keys, so that 16 invocations that read 16 of them at a time use all memory banks.
  let stride = width | 1u;
  // Row r of a group is query r % seqlen of its query head r / seqlen.
  let group_size = params.heads / params.heads_kv;
  let rows = group_size * params.seqlen;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let kv_head = group.y / tiles;
  let first_row = group.y % tiles * ROWS;
  let row = first_row + lane.y;
  let stream = group.z;
  let first_query_row = (stream * params.heads + kv_head * group_size) * params.seqlen + first_row;
  let new_tokens = (stream * params.heads_kv + kv_head) * params.seqlen;
  let cache = (stream * params.heads_kv + kv_head) * params.capacity;

  // Of the keys of the stream, the cached ones first. New token t sees all of those, and of the new ones those up to itself.
  let cached = fill[stream];
  let oldest = position[stream] + params.capacity - cached;
  let begin = group.x * SPLIT;
  let end = min(begin + SPLIT, cached + params.seqlen);
  let visible = select(0u, cached + row % params.seqlen + 1u, row < rows);

  for (var e = index; e < ROWS * width; e += ROWS * KEYS) {
    var value = vec4(0.0);
    if (first_row + e / width < rows) {
      value = params.scale * LOG2_E * unpack(q[first_query_row * width + e]);
    }
    query_tile[e] = value;
  }

  var row_max = MASKED;
  var row_sum = 0.0;
  var output = vec4(0.0);
  for (var first = begin; first < end; first += KEYS) {
    let count = min(KEYS, end - first);
    // Values are read from device memory together with keys, and wait in registers until the tile is free for them.
    var values = array<vec2<u32>, LOADS>();
    for (var i = 0u; i < LOADS; i++) {
      let e = index + ROWS * KEYS * i;
      if (e < count * width) {
        let key = first + e / width;
        let column = e % width;
        var numbers = vec2(0u);
        if (key < cached) {
          numbers = k_cache[(cache + slot_of(oldest, key)) * width + column];
        } else {
          numbers = k[(new_tokens + key - cached) * width + column];
        }
        tile[e / width * stride + column] = numbers;
      }
      if (e < count * value_width) {
        let key = first + e / value_width;
        let column = e % value_width;
        if (key < cached) {
          values[i] = v_cache[(cache + slot_of(oldest, key)) * value_width + column];
        } else {
          values[i] = v[(new_tokens + key - cached) * value_width + column];
        }
      }
    }
    workgroupBarrier();

    let seen = lane.x < count && first + lane.x < visible;
    var score = MASKED;
    if (seen) {
      score = 0.0;
      for (var c = 0u; c < width; c++) {
        score += dot(query_tile[lane.y * width + c], unpack(tile[lane.x * stride + c]));
      }
    }
    scores[lane.y * KEYS + lane.x] = score;
    workgroupBarrier();

    for (var i = 0u; i < LOADS; i++) {
      let e = index + ROWS * KEYS * i;
      if (e < count * value_width) {
        tile[e] = values[i];
      }
    }
    // Until a row has seen a key, m' is MASKED and a hidden key would weigh 2^0, so hidden keys are left out by name.
    var new_max = row_max;
    for (var j = 0u; j < KEYS; j++) {
      new_max = max(new_max, scores[lane.y * KEYS + j]);
    }
    weights[lane.y * KEYS + lane.x] = select(0.0, exp2(score - new_max), seen);
    workgroupBarrier();

    let rescale = exp2(row_max - new_max);
    row_max = new_max;
    row_sum *= rescale;
    output *= rescale;
    for (var j = 0u; j < select(0u, count, row < rows); j++) {
      let weight = weights[lane.y * KEYS + j];
      row_sum += weight;
      if (lane.x < value_width) {
        output += weight * unpack(tile[j * value_width + lane.x]);
      }
    }
    workgroupBarrier();
  }

  // A part in which a row sees no key adds nothing to it: its log-sum-exp is MASKED. Parts beyond the keys are not merged.
  if (row < rows && begin < end) {
    let part = ((first_query_row + lane.y) * parts() + group.x) * (value_width + 1u);
    let sees = row_sum > 0.0;
    if (lane.x < value_width) {
      partial[part + lane.x] = output / select(1.0, row_sum, sees);
    }
    if (lane.x == 0u) {
      partial[part + value_width] = vec4(select(MASKED, row_max + log2(select(1.0, row_sum, sees)), sees));
    }
  }
}

@compute @workgroup_size(32)
fn merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let value_width = params.head_dim_v / 4u;
  let query_row = (group.z * params.heads + group.y) * params.seqlen + group.x;
  let first_part = query_row * parts();
  let used = (fill[group.z] + params.seqlen + SPLIT - 1u) / SPLIT;

  // Every query sees its own key at least, so that the maximum is a true one.
  var top = MASKED;
  for (var p = 0u; p < used; p++) {
    top = max(top, partial[(first_part + p) * (value_width + 1u) + value_width].x);
  }
  var weight_sum = 0.0;
  var sum = vec4(0.0);
  for (var p = 0u; p < used; p++) {
    let part = (first_part + p) * (value_width + 1u);
    let weight = exp2(partial[part + value_width].x - top);
    weight_sum += weight;
    if (column < value_width) {
      sum += weight * partial[part + column];
    }
  }
  if (column < value_width) {
    o[query_row * value_width + column] = pack(sum / weight_sum);
  }
  if (column == 0u) {
    lse[query_row] = (top + log2(weight_sum)) * LN_2;
  }
}

// 16 slots of a ring: new tokens where they go, other tokens as they are, and nothing in slots that hold none.
@compute @workgroup_size(128)
fn turn(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let width = params.head_dim / 4u;
  let value_width = params.head_dim_v / 4u;
  let ring = group.z * params.heads_kv + group.y;
  let first_slot = group.x * 16u;
  let count = min(16u, params.capacity - first_slot);
  let start = position[group.z];
  let held = fill[group.z];

  for (var e = index; e < count * max(width, value_width); e += 128u) {
    let slot = first_slot + e / max(width, value_width);
    let column = e % max(width, value_width);
    let row = ring * params.capacity + slot;
    // How far the slot lies behind `position`, going on, and before it, going back.
    let ahead = (slot + params.capacity - start) % params.capacity;
    let back = params.capacity - ahead;
    if (ahead < params.seqlen) {
      let token = ring * params.seqlen + ahead;
      if (column < width) {
        k_cache_next[row * width + column] = k[token * width + column];
      }
      if (column < value_width) {
        v_cache_next[row * value_width + column] = v[token * value_width + column];
      }
    } else if (back <= held) {
      if (column < width) {
        k_cache_next[row * width + column] = k_cache[row * width + column];
      }
      if (column < value_width) {
        v_cache_next[row * value_width + column] = v_cache[row * value_width + column];
      }
    }
  }
}
