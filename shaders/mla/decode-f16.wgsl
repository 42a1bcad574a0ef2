/*---
mechanism: multi-head-latent-attention
direction: decode
shape: { batch: 1, heads: 16, seqlen: 1, seqlenK: 2048, latentDim: 512, ropeDim: 64 }
dtype: { c: f16, k_pe: f16 }
limits: { latentDim: 512, ropeDim: 128 }
scratch:
  part_o: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT), latentDim]
  part_lse: f32[batch, heads, seqlen, ceil(seqlenK / SPLIT)]
passes:
  - { entry: attend, workgroups: [ceil(seqlenK / SPLIT), ceil(heads * seqlen / 16), batch] }
  - { entry: merge, workgroups: [seqlen, heads, batch] }
tune:
  SPLIT: [64, 128, 256]
---*/

// Multi-head latent attention (MLA; DeepSeek-V2, 2024), decoding in the absorbed form from a cache in f16: what decode.wgsl
// does, moving half the bytes, and the cache is nearly all that a step moves. A latent is rounded once, when it enters the
// cache, so that no error grows with the tokens. Numbers are packed in pairs, two to a u32, so that no device feature is
// needed; queries, sums and outputs are f32.
//
//   s_j   = scale (q_lat · c_j + q_pe · k_pe_j)
//   o_lat = softmax(s) c
//
// attend: a workgroup takes SPLIT keys of the cache and 16 rows, a row being one query of one head. It walks over its keys 4 at
// a time. A step brings 4 latents into workgroup memory as they are, once, and unpacks them twice: as keys, and as the values
// that the weights made of them multiply. So the reads of workgroup memory, of which a step has most, take half the bytes too.
// Invocation (x, y) of the 16 × 16 owns the vec4 columns x, x+16, .. of row y: of the query, and of the output.
//
// merge: each part has its own maximum. With the log-sum-exp of each part, in base 2 here,
//   M = max_p lse_p;  w_p = 2^(lse_p - M);  o_lat = Σ w_p o_p / Σ w_p;  lse = M + log2 Σ w_p

override SPLIT: u32 = 128; // keys of a workgroup, a multiple of 4
const LANES = 16u; // invocations side by side along the columns of a row
const ROWS = 16u; // rows of a workgroup
const COLUMNS = 8u; // vec4s of a latent per invocation at most: 16 × 8 × 4 = 512 numbers
const ROPE_COLUMNS = 2u; // vec4s of the rotated part per invocation at most: 128 numbers
const KEYS = 4u; // keys per step

struct Params {
  heads: u32,
  seqlen: u32, // new tokens, the last of seqlen_k
  seqlen_k: u32,
  latent_dim: u32, // a multiple of 4, at most 512
  rope_dim: u32, // a multiple of 4, at most 128
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_lat: array<vec4<f32>>; // [batch, heads, seqlen, latentDim]
@group(0) @binding(2) var<storage, read> q_pe: array<vec4<f32>>; // [batch, heads, seqlen, ropeDim]
@group(0) @binding(3) var<storage, read> c: array<vec2<u32>>; // fours of [batch, seqlenK, latentDim]
@group(0) @binding(4) var<storage, read> k_pe: array<vec2<u32>>; // fours of [batch, seqlenK, ropeDim]
@group(0) @binding(5) var<storage, read_write> part_o: array<vec4<f32>>; // [batch, heads, seqlen, parts, latentDim]
@group(0) @binding(6) var<storage, read_write> part_lse: array<f32>; // [batch, heads, seqlen, parts]
@group(0) @binding(7) var<storage, read_write> o_lat: array<vec4<f32>>; // [batch, heads, seqlen, latentDim]
@group(0) @binding(8) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// The latents of a step, packed, [KEYS, latentDim].
var<workgroup> latents: array<vec2<u32>, KEYS * LANES * COLUMNS>;
// Their rotated parts, packed, [KEYS, ropeDim].
var<workgroup> rotated: array<vec2<u32>, KEYS * LANES * ROPE_COLUMNS>;
// What each of the 16 invocations of a row adds to its scores, a vec4 being the 4 keys of a step: [ROWS, LANES].
var<workgroup> score_parts: array<vec4<f32>, ROWS * LANES>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
// The score of a key that a query must not see. Finite, since WGSL promises nothing about infinities.
const MASKED = -1.0e30;

// The four numbers of two pairs.
fn unpack(pairs: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}

@compute @workgroup_size(16, 16)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.latent_dim / 4u;
  let rope_width = params.rope_dim / 4u;
  // Row r of a sequence is query r % seqlen of its query head r / seqlen.
  let rows = params.heads * params.seqlen;
  let row = group.y * ROWS + lane.y;
  let query = row % params.seqlen;
  let query_row = group.z * rows + row;
  let first_latent = group.z * params.seqlen_k;
  let parts = (params.seqlen_k + SPLIT - 1u) / SPLIT;
  let first_key = group.x * SPLIT;
  let end_key = min(first_key + SPLIT, params.seqlen_k);
  let first_rope = group.z * params.seqlen_k;
  // Where causal, query i of the last seqlen positions sees the keys below i + 1 + seqlen_k - seqlen, if there are any.
  let before = query + 1u + params.seqlen_k;
  let visible = select(params.seqlen_k, max(before, params.seqlen) - params.seqlen, params.causal != 0u);

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
      var latent = vec2(0u);
      if (key + e / width < end_key) {
        latent = c[(first_latent + key) * width + e];
      }
      latents[e] = latent;
    }
    if (index < KEYS * rope_width) {
      var keys = vec2(0u);
      if (key + index / rope_width < end_key) {
        keys = k_pe[(first_rope + key) * rope_width + index];
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
          sum += dot(own_query[i], unpack(latents[j * width + column]));
        }
      }
      for (var i = 0u; i < ROPE_COLUMNS; i++) {
        let column = lane.x + LANES * i;
        if (column < rope_width) {
          sum += dot(own_rope[i], unpack(rotated[j * rope_width + column]));
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
          sum += weights[j] * unpack(latents[j * width + column]);
        }
        output[i] = sum;
      }
    }
    workgroupBarrier();
  }

  // A part in which a row sees no key adds nothing to it: its log-sum-exp is MASKED.
  if (row < rows) {
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
  let query_row = (group.z * params.heads + group.y) * params.seqlen + group.x;

  var top = MASKED;
  for (var p = 0u; p < parts; p++) {
    top = max(top, part_lse[query_row * parts + p]);
  }
  let seen = top > MASKED;
  var weight_sum = 0.0;
  for (var p = 0u; p < parts; p++) {
    weight_sum += exp2(part_lse[query_row * parts + p] - top);
  }
  for (var column = index; column < width; column += 64u) {
    var sum = vec4(0.0);
    for (var p = 0u; p < parts; p++) {
      let part_row = query_row * parts + p;
      sum += exp2(part_lse[part_row] - top) * part_o[part_row * width + column];
    }
    o_lat[query_row * width + column] = select(vec4(0.0), sum / weight_sum, seen);
  }
  if (index == 0u) {
    lse[query_row] = select(MASKED, (top + log2(weight_sum)) * LN_2, seen);
  }
}
