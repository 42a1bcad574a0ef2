/** A first kernel of rotating KV caches. */
export const rotatingCacheAttentionTemplate = `/*---
mechanism: rotating-cache-attention
direction: decode
shape: { batch: 4, heads: 8, headsKv: 2, seqlen: 1, capacity: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
  - { entry: turn, workgroups: [capacity, headsKv, batch] }
---*/

// Rotating KV caches: the new tokens of each stream attend to the \`fill\` tokens that its ring holds, in the slots before
// \`position\`, and causally to each other; then new token t goes to slot (position + t) mod capacity, over the oldest.
//
// One workgroup per new token, head and block of TILE_N columns of the output. It takes TILE_N keys at a time, cached ones
// first: each invocation finds the score of one key, then each adds the weighted values in one column. A second pass makes the
// caches after the step. A place to start from: right on every device, and slow, because the heads of a group read the cache
// one after another, and no two workgroups share the keys of a stream.

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32, // new tokens, at most capacity
  capacity: u32,
  head_dim: u32,
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, headsKv, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, headsKv, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> k_cache: array<f32>; // [batch, headsKv, capacity, headDim]
@group(0) @binding(5) var<storage, read> v_cache: array<f32>; // [batch, headsKv, capacity, headDimV]
@group(0) @binding(6) var<storage, read> position: array<u32>; // [batch]
@group(0) @binding(7) var<storage, read> fill: array<u32>; // [batch]
@group(0) @binding(8) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(9) var<storage, read_write> k_cache_next: array<f32>; // [batch, headsKv, capacity, headDim]
@group(0) @binding(10) var<storage, read_write> v_cache_next: array<f32>; // [batch, headsKv, capacity, headDimV]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

// Row of the cache that holds token \`token\` of a stream, counted from its oldest. \`ring\` counts streams and key heads.
fn cached_row(stream: u32, ring: u32, token: u32) -> u32 {
  let slot = (position[stream] + params.capacity - fill[stream] + token) % params.capacity;
  return ring * params.capacity + slot;
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let stream = group.z;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let query = (stream * params.heads + head) * params.seqlen + group.x;
  let ring = stream * params.heads_kv + head / (params.heads / params.heads_kv);
  let cached = fill[stream];
  let end = cached + group.x + 1u; // keys this token sees, its own the last

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = 0u; first < end; first += TILE_N) {
    let key = first + lane;
    var score = MASKED;
    if (key < cached) {
      let row = cached_row(stream, ring, key) * params.head_dim;
      var sum = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        sum += q[query * params.head_dim + d] * k_cache[row + d];
      }
      score = params.scale * sum;
    } else if (key < end) {
      let row = (ring * params.seqlen + key - cached) * params.head_dim;
      var sum = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        sum += q[query * params.head_dim + d] * k[row + d];
      }
      score = params.scale * sum;
    }
    scores[lane] = score;
    workgroupBarrier();

    let count = min(TILE_N, end - first);
    var next = maximum;
    for (var j = 0u; j < count; j++) {
      next = max(next, scores[j]);
    }
    let shrink = exp(maximum - next);
    denominator *= shrink;
    numerator *= shrink;
    for (var j = 0u; j < count; j++) {
      let weight = exp(scores[j] - next);
      denominator += weight;
      if (column < params.head_dim_v) {
        let token = first + j;
        if (token < cached) {
          numerator += weight * v_cache[cached_row(stream, ring, token) * params.head_dim_v + column];
        } else {
          numerator += weight * v[(ring * params.seqlen + token - cached) * params.head_dim_v + column];
        }
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (column < params.head_dim_v) {
    o[query * params.head_dim_v + column] = numerator / denominator;
  }
}

// One slot of a ring: a new token where one goes there, else the token it holds, else nothing.
@compute @workgroup_size(64)
fn turn(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let ring = group.z * params.heads_kv + group.y;
  let row = ring * params.capacity + group.x;
  let ahead = (group.x + params.capacity - position[group.z]) % params.capacity; // slots from position on
  let is_new = ahead < params.seqlen;
  if (!is_new && params.capacity - ahead > fill[group.z]) {
    return;
  }
  let token = ring * params.seqlen + ahead;
  for (var d = lane; d < params.head_dim; d += 64u) {
    if (is_new) {
      k_cache_next[row * params.head_dim + d] = k[token * params.head_dim + d];
    } else {
      k_cache_next[row * params.head_dim + d] = k_cache[row * params.head_dim + d];
    }
  }
  for (var d = lane; d < params.head_dim_v; d += 64u) {
    if (is_new) {
      v_cache_next[row * params.head_dim_v + d] = v[token * params.head_dim_v + d];
    } else {
      v_cache_next[row * params.head_dim_v + d] = v_cache[row * params.head_dim_v + d];
    }
  }
}
`;
