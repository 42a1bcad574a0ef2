/** A first kernel of latent attention with a paged cache, decoding. */
export const pagedLatentAttentionTemplate = `/*---
mechanism: paged-latent-attention
direction: decode
shape: { batch: 2, heads: 4, headsKv: 2, seqlen: 1, seqlenK: 256, pageSize: 16, latentDim: 64, ropeDim: 16 }
options: { lengths: uneven }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(latentDim / TILE_N), batch] }
---*/

// Latent attention (MLA, Grouped Latent Attention) with a paged cache, decoding in the absorbed form: the latents of a
// sequence lie in pages that a table names, and sequences have different lengths.
//
// One workgroup per query and block of TILE_N columns of the output. It takes TILE_N keys at a time: first each invocation
// looks up where one key lies and finds its score, then each adds the weighted latents in one column. A place to start
// from: right on every device, and slow, because the latents are read anew for every query head, and twice: as keys and as
// values.

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  heads_kv: u32, // latent heads
  seqlen: u32, // new tokens, the last of each sequence
  page_size: u32,
  table_pages: u32, // entries of block_table for each sequence
  latent_dim: u32,
  rope_dim: u32,
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_lat: array<f32>; // [batch, heads, seqlen, latentDim]
@group(0) @binding(2) var<storage, read> q_pe: array<f32>; // [batch, heads, seqlen, ropeDim]
@group(0) @binding(3) var<storage, read> c_pages: array<f32>; // [pages, pageSize, headsKv, latentDim]
@group(0) @binding(4) var<storage, read> k_pe_pages: array<f32>; // [pages, pageSize, ropeDim]
@group(0) @binding(5) var<storage, read> block_table: array<i32>; // [batch, tablePages]
@group(0) @binding(6) var<storage, read> seqlens: array<i32>; // [batch]
@group(0) @binding(7) var<storage, read_write> o_lat: array<f32>; // [batch, heads, seqlen, latentDim]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> slots: array<u32, TILE_N>; // where the keys of a step lie, counted over all pages
var<workgroup> scores: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let width = params.latent_dim;
  let head = group.y % params.heads;
  let latent_head = head / (params.heads / params.heads_kv);
  let column = group.y / params.heads * TILE_N + lane;
  let query = (group.z * params.heads + head) * params.seqlen + group.x;
  // Where causal, query i of the last seqlen positions sees the keys below i + 1 + length - seqlen, if there are any.
  let length = u32(seqlens[group.z]);
  let before = group.x + 1u + length;
  let end = select(length, max(before, params.seqlen) - params.seqlen, params.causal != 0u);

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = 0u; first < end; first += TILE_N) {
    let key = first + lane;
    var slot = 0u;
    var score = MASKED;
    if (key < end) {
      let page = u32(block_table[group.z * params.table_pages + key / params.page_size]);
      slot = page * params.page_size + key % params.page_size;
      var sum = 0.0;
      for (var d = 0u; d < width; d++) {
        sum += q_lat[query * width + d] * c_pages[(slot * params.heads_kv + latent_head) * width + d];
      }
      for (var d = 0u; d < params.rope_dim; d++) {
        sum += q_pe[query * params.rope_dim + d] * k_pe_pages[slot * params.rope_dim + d];
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
      if (column < width) {
        numerator += weight * c_pages[(slots[j] * params.heads_kv + latent_head) * width + column];
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (column < width) {
    o_lat[query * width + column] = numerator / select(1.0, denominator, end > 0u);
  }
}
`;
