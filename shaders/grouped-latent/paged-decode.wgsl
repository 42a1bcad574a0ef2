/*---
mechanism: paged-latent-attention
direction: decode
shape: { batch: 2, heads: 16, headsKv: 2, seqlen: 1, seqlenK: 1024, pageSize: 64, latentDim: 256, ropeDim: 64 }
limits: { latentDim: 512, ropeDim: 128 }
scratch:
  part_o: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT), latentDim]
  part_lse: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT)]
passes:
  - { entry: attend, workgroups: [ceil(seqlenK / SPLIT), headsKv * ceil(heads / headsKv * seqlen / 16), batch] }
  - { entry: merge, workgroups: [seqlen, heads, batch] }
tune:
  SPLIT: [64, 128, 256]
---*/

// Grouped Latent Attention (Zadouri, Strauss, Dao 2025) with a paged cache, decoding in the absorbed form: one new token, or the
// few of a draft, for sequences of different lengths. With one latent head it is multi-head latent attention (MLA).
//
// The tokens of a sequence lie in pages of pageSize slots, which may be anywhere: token t is slot t mod pageSize of page
// block_table[t / pageSize]. What the table says beyond the last token, and what is in the slots there, is undefined, so
// nothing of it is read.
//
// A query head has absorbed the up-projection of its keys (q_lat = w_ukᵀ q_nope): the latent c of a token is the key and the
// value of all query heads of its group, and their rotated part k_pe is shared by all heads.
//
//   s_j   = scale (q_lat · c_j + q_pe · k_pe_j)
//   o_lat = softmax(s) c
//
// attend: a workgroup takes SPLIT keys of a sequence and 16 rows, a row being one query of one head of a group. First its
// invocations look up the slots of the keys, each of other keys, and put them where all can read them (the distributed
// offset calculation of the paper, section 4.2). From there on the kernel knows no pages: a look-up for each key, not one
// for each read of a latent, is why pages of one token cost no more than pages of 64.
// Then it walks over its keys 4 at a time. A step brings 4 latents into workgroup memory, once, and uses them twice: as keys,
// and as the values that the weights made of them multiply. Invocation (x, y) of the 16 × 16 owns the vec4 columns x, x+16, ..
// of row y: of the query, and of the output, which is as wide as the query. So all columns of 16 rows stay in registers, the
// 16 invocations of a row add up their parts of a score through workgroup memory, and no score is computed twice.
//
// merge: each part has its own maximum. With the log-sum-exp of each part, in base 2 here,
//   M = max_p lse_p;  w_p = 2^(lse_p - M);  o_lat = Σ w_p o_p / Σ w_p;  lse = M + log2 Σ w_p
// A sequence has the parts that its length fills, and an empty one none.

override SPLIT: u32 = 128; // keys of a workgroup, a multiple of 4
const LANES = 16u; // invocations side by side along the columns of a row
const ROWS = 16u; // rows of a workgroup
const COLUMNS = 8u; // vec4s of a latent per invocation at most: 16 × 8 × 4 = 512 numbers
const ROPE_COLUMNS = 2u; // vec4s of the rotated part per invocation at most: 128 numbers
const KEYS = 4u; // keys per step

struct Params {
  heads: u32,
  heads_kv: u32, // latent heads
  seqlen: u32, // new tokens, the last of each sequence
  seqlen_k: u32, // tokens of the longest sequence
  page_size: u32,
  table_pages: u32, // entries of block_table for each sequence
  latent_dim: u32, // a multiple of 4, at most 512
  rope_dim: u32, // a multiple of 4, at most 128
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_lat: array<vec4<f32>>; // [batch, heads, seqlen, latentDim]
@group(0) @binding(2) var<storage, read> q_pe: array<vec4<f32>>; // [batch, heads, seqlen, ropeDim]
@group(0) @binding(3) var<storage, read> c_pages: array<vec4<f32>>; // [pages, pageSize, headsKv, latentDim]
@group(0) @binding(4) var<storage, read> k_pe_pages: array<vec4<f32>>; // [pages, pageSize, ropeDim]
@group(0) @binding(5) var<storage, read> block_table: array<i32>; // [batch, tablePages]
@group(0) @binding(6) var<storage, read> seqlens: array<i32>; // tokens of each sequence, the new ones included: [batch]
@group(0) @binding(7) var<storage, read_write> part_o: array<vec4<f32>>; // [batch, heads, seqlen, parts, latentDim]
@group(0) @binding(8) var<storage, read_write> part_lse: array<f32>; // [batch, heads, seqlen, parts]
@group(0) @binding(9) var<storage, read_write> o_lat: array<vec4<f32>>; // [batch, heads, seqlen, latentDim]
@group(0) @binding(10) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// The slot of each key of the workgroup, counted over all pages.
var<workgroup> slots: array<u32, SPLIT>;
// The latents of a step, [KEYS, latentDim].
var<workgroup> latents: array<vec4<f32>, KEYS * LANES * COLUMNS>;
// Their rotated parts, [KEYS, ropeDim].
var<workgroup> rotated: array<vec4<f32>, KEYS * LANES * ROPE_COLUMNS>;
// What each of the 16 invocations of a row adds to its scores, a vec4 being the 4 keys of a step: [ROWS, LANES].
var<workgroup> score_parts: array<vec4<f32>, ROWS * LANES>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

@compute @workgroup_size(16, 16)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.latent_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  // Row r of a group is query r % seqlen of its query head r / seqlen.
  let group_size = params.heads / params.heads_kv;
  let rows = group_size * params.seqlen;
  let tiles = (rows + ROWS - 1u) / ROWS;
  let latent_head = group.y / tiles;
  let row = group.y % tiles * ROWS + lane.y;
  let query = row % params.seqlen;
  let query_row = (group.z * params.heads + latent_head * group_size) * params.seqlen + row;
  let parts = (params.seqlen_k + SPLIT - 1u) / SPLIT;
  // A workgroup past the end of its sequence has no keys, and merge does not ask for its part.
  let length = u32(seqlens[group.z]);
  let first_key = group.x * SPLIT;
  let end_key = min(first_key + SPLIT, length);
  // Where causal, query i of the last seqlen positions sees the keys below i + 1 + length - seqlen, if there are any.
  let before = query + 1u + length;
  let visible = select(length, max(before, params.seqlen) - params.seqlen, params.causal != 0u);

  for (var key = first_key + index; key < end_key; key += LANES * ROWS) {
    let page = u32(block_table[group.z * params.table_pages + key / params.page_size]);
    slots[key - first_key] = page * params.page_size + key % params.page_size;
  }
  workgroupBarrier();

  // This invocation's columns of the query, times scale · log2(e).
  let factor = params.scale * LOG2_E;
  var own_query = array<vec4<f32>, COLUMNS>();
  var own_rope = array<vec4<f32>, ROPE_COLUMNS>();
  var output = array<vec4<f32>, COLUMNS>();
  if (row < rows) {
    for (var i = 0u; i < COLUMNS; i++) {
      if (lane.x + LANES * i < width) {
        own_query[i] = factor * q_lat[query_row * width + lane.x + LANES * i];
      }
    }
    for (var i = 0u; i < ROPE_COLUMNS; i++) {
      if (lane.x + LANES * i < rope_width) {
        own_rope[i] = factor * q_pe[query_row * rope_width + lane.x + LANES * i];
      }
    }
  }

  var row_max = MASKED;
  var row_sum = 0.0;
  for (var key = first_key; key < end_key; key += KEYS) {
    for (var e = index; e < KEYS * width; e += LANES * ROWS) {
      var latent = vec4(0.0);
      if (key + e / width < end_key) {
        let slot = slots[key - first_key + e / width];
        latent = c_pages[(slot * params.heads_kv + latent_head) * width + e % width];
      }
      latents[e] = latent;
    }
    if (index < KEYS * rope_width) {
      var keys = vec4(0.0);
      if (key + index / rope_width < end_key) {
        let slot = slots[key - first_key + index / rope_width];
        keys = k_pe_pages[slot * rope_width + index % rope_width];
      }
      rotated[index] = keys;
    }
    workgroupBarrier();

    // The latents as keys: this invocation's columns of 4 scores.
    var part = vec4(0.0);
    for (var j = 0u; j < KEYS; j++) {
      var sum = 0.0;
      for (var i = 0u; i < COLUMNS; i++) {
        let column = lane.x + LANES * i;
        if (column < width) {
          sum += dot(own_query[i], latents[j * width + column]);
        }
      }
      for (var i = 0u; i < ROPE_COLUMNS; i++) {
        let column = lane.x + LANES * i;
        if (column < rope_width) {
          sum += dot(own_rope[i], rotated[j * rope_width + column]);
        }
      }
      part[j] = sum;
    }
    score_parts[lane.y * LANES + lane.x] = part;
    workgroupBarrier();

    var scores = vec4(0.0);
    for (var x = 0u; x < LANES; x++) {
      scores += score_parts[lane.y * LANES + x];
    }
    let hidden = vec4(key) + vec4(0u, 1u, 2u, 3u) >= vec4(min(visible, end_key));
    scores = select(scores, vec4(MASKED), hidden);

    // m' = max(m, max s), and what came before is brought to it. Until a row has seen a key, m' is MASKED and a hidden key
    // would weigh 2^0, so hidden keys are left out by name.
    let new_max = max(max(row_max, max(scores.x, scores.y)), max(scores.z, scores.w));
    let rescale = exp2(row_max - new_max);
    let weights = select(exp2(scores - new_max), vec4(0.0), hidden);
    row_sum = rescale * row_sum + dot(weights, vec4(1.0));
    row_max = new_max;

    // The latents as values.
    for (var i = 0u; i < COLUMNS; i++) {
      let column = lane.x + LANES * i;
      if (column < width) {
        var sum = rescale * output[i];
        for (var j = 0u; j < KEYS; j++) {
          sum += weights[j] * latents[j * width + column];
        }
        output[i] = sum;
      }
    }
    workgroupBarrier();
  }

  // A part in which a row sees no key adds nothing to it: its log-sum-exp is MASKED.
  if (row < rows && first_key < end_key) {
    let part_row = query_row * parts + group.x;
    let seen = row_sum > 0.0;
    for (var i = 0u; i < COLUMNS; i++) {
      let column = lane.x + LANES * i;
      if (column < width) {
        part_o[part_row * width + column] = output[i] / select(1.0, row_sum, seen);
      }
    }
    if (lane.x == 0u) {
      part_lse[part_row] = select(MASKED, row_max + log2(select(1.0, row_sum, seen)), seen);
    }
  }
}

@compute @workgroup_size(64)
fn merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let width = params.latent_dim / 4u;
  let parts = (params.seqlen_k + SPLIT - 1u) / SPLIT;
  let filled = (u32(seqlens[group.z]) + SPLIT - 1u) / SPLIT;
  let query_row = (group.z * params.heads + group.y) * params.seqlen + group.x;

  var top = MASKED;
  for (var p = 0u; p < filled; p++) {
    top = max(top, part_lse[query_row * parts + p]);
  }
  let seen = top > MASKED;
  var weight_sum = 0.0;
  for (var p = 0u; p < filled; p++) {
    weight_sum += exp2(part_lse[query_row * parts + p] - top);
  }
  // Where no part has a key for the row, there is nothing in any sum.
  let divisor = select(1.0, weight_sum, seen);
  for (var column = index; column < width; column += 64u) {
    var sum = vec4(0.0);
    for (var p = 0u; p < filled; p++) {
      let part_row = query_row * parts + p;
      sum += exp2(part_lse[part_row] - top) * part_o[part_row * width + column];
    }
    o_lat[query_row * width + column] = select(vec4(0.0), sum / divisor, seen);
  }
  if (index == 0u) {
    lse[query_row] = select(MASKED, (top + log2(divisor)) * LN_2, seen);
  }
}
