/** A first kernel of softmax attention with a paged cache, decoding. */
export const pagedAttentionTemplate = `/*---
mechanism: paged-attention
direction: decode
shape: { batch: 2, heads: 4, headsKv: 2, seqlen: 1, seqlenK: 256, pageSize: 16, headDim: 64 }
options: { lengths: uneven }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Softmax attention with a paged cache, decoding: the keys and values of a sequence lie in pages that a table names, and
// sequences have different lengths.
//
// One workgroup per query and block of TILE_N columns of the output. It takes TILE_N keys at a time: first each invocation
// looks up where one key lies and finds its score, then each adds the weighted values in one column. A place to start from:
// right on every device, and slow, because keys and values are read anew for every query head.

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32, // new tokens, the last of each sequence
  page_size: u32,
  table_pages: u32, // entries of block_table for each sequence
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  window_left: i32,
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k_pages: array<f32>; // [pages, pageSize, headsKv, headDim]
@group(0) @binding(3) var<storage, read> v_pages: array<f32>; // [pages, pageSize, headsKv, headDimV]
@group(0) @binding(4) var<storage, read> block_table: array<i32>; // [batch, tablePages]
@group(0) @binding(5) var<storage, read> seqlens: array<i32>; // [batch]
@group(0) @binding(6) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> slots: array<u32, TILE_N>; // where the keys of a step lie, counted over all pages
var<workgroup> scores: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let head = group.y % params.heads;
  let kv_head = head / (params.heads / params.heads_kv);
  let column = group.y / params.heads * TILE_N + lane;
  let query = (group.z * params.heads + head) * params.seqlen + group.x;
  // The queries are the last tokens of their sequence; a window of -1 is unlimited, and causal closes its right side.
  let length = seqlens[group.z];
  let position = i32(group.x) + length - i32(params.seqlen);
  let right = select(params.window_right, 0, params.causal != 0u);
  let begin = u32(select(0, max(position - params.window_left, 0), params.window_left >= 0));
  let end = u32(select(length, clamp(position + right + 1, 0, length), right >= 0));

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = begin; first < end; first += TILE_N) {
    let key = first + lane;
    var slot = 0u;
    var score = MASKED;
    if (key < end) {
      let page = u32(block_table[group.z * params.table_pages + key / params.page_size]);
      slot = page * params.page_size + key % params.page_size;
      var sum = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        sum += q[query * params.head_dim + d] * k_pages[(slot * params.heads_kv + kv_head) * params.head_dim + d];
      }
      score = params.scale * sum;
    }
    slots[lane] = slot;
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
        numerator += weight * v_pages[(slots[j] * params.heads_kv + kv_head) * params.head_dim_v + column];
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (column < params.head_dim_v) {
    o[query * params.head_dim_v + column] = numerator / select(1.0, denominator, end > begin);
  }
}
`;
