/** A first kernel of Grouped-Tied Attention. */
export const groupedTiedAttentionTemplate = `/*---
mechanism: grouped-tied-attention
shape: { batch: 1, heads: 4, headsKv: 2, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads, batch] }
---*/

// Grouped-Tied Attention: one tied state of a token is the value of a group of heads, and the unrotated channels of its key;
// the rotated ones stand in a slice that all heads share. The softmax is computed online.
//
// One workgroup per query. It takes TILE_N keys at a time: first each invocation finds the score of one key, then each adds
// the weighted values in one column. A place to start from: right on every device, and slow, because the tied states are
// read anew for every query, and twice: as keys and as values.

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  heads_kv: u32, // tied heads
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // at most 2 TILE_N
  rope_dim: u32,
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> kv: array<f32>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> k_rope: array<f32>; // [batch, seqlenK, ropeDim]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDim]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let width = params.head_dim;
  let plain = width - params.rope_dim; // channels of a key that are not rotated
  let query = (group.z * params.heads + group.y) * params.seqlen + group.x;
  let tied_head = group.y / (params.heads / params.heads_kv);
  let first_tied = (group.z * params.heads_kv + tied_head) * params.seqlen_k;
  let first_rope = group.z * params.seqlen_k;
  // Where causal, query i of the last seqlen positions sees the keys below i + 1 + seqlen_k - seqlen, if there are any.
  let before = group.x + 1u + params.seqlen_k;
  let end = select(params.seqlen_k, max(before, params.seqlen) - params.seqlen, params.causal != 0u);

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = vec2(0.0); // of the columns lane and lane + TILE_N
  for (var first = 0u; first < end; first += TILE_N) {
    let key = first + lane;
    var score = MASKED;
    if (key < end) {
      var sum = 0.0;
      for (var d = 0u; d < plain; d++) {
        sum += q[query * width + d] * kv[(first_tied + key) * width + d];
      }
      for (var d = 0u; d < params.rope_dim; d++) {
        sum += q[query * width + plain + d] * k_rope[(first_rope + key) * params.rope_dim + d];
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
      let value = (first_tied + first + j) * width + lane;
      denominator += weight;
      if (lane < width) {
        numerator.x += weight * kv[value];
      }
      if (lane + TILE_N < width) {
        numerator.y += weight * kv[value + TILE_N];
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (lane < width) {
    o[query * width + lane] = numerator.x / select(1.0, denominator, end > 0u);
  }
  if (lane + TILE_N < width) {
    o[query * width + lane + TILE_N] = numerator.y / select(1.0, denominator, end > 0u);
  }
}
`;
