/*---
mechanism: split-kv-merge
shape: { parts: 32, batch: 8, heads: 32, seqlen: 1, headDimV: 128 }
limits: { headDimV: 128 }
passes:
  - { entry: merge, workgroups: [seqlen, heads, batch] }
---*/

// The second half of flash-decoding (Dao et al. 2023): softmax attention over all keys from what it gave for parts of them,
//
//   M = max_p lse_p;  w_p = e^(lse_p - M);  o = Σ w_p o_p / Σ w_p;  lse = M + ln Σ w_p
//
// which is right in any order and for any split, because the numerator e^lse_p o_p and the denominator e^lse_p of a part are
// sums over its keys. A part in which a row saw no key has an lse of -1e30 or less, and counts nothing whatever its output
// says. The softmax/decode kernel has this pass built in.
//
// A workgroup makes one row: it finds the weights of 64 parts at a time, each once, and keeps them in workgroup memory. Then
// invocation (x, y) of the 32 × 2 adds the vec4 column x of every second of them. The two sums of a column meet in the end.

const LANES = 32u; // vec4s of a row at most: 128 numbers
const TEAMS = 2u; // parts that are added at a time
const PARTS = 64u; // parts whose weights are known at a time, LANES × TEAMS

struct Params {
  parts: u32,
  batch: u32,
  heads: u32,
  seqlen: u32,
  head_dim_v: u32, // a multiple of 4, at most 128
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> o_parts: array<vec4<f32>>; // [parts, batch, heads, seqlen, headDimV]
@group(0) @binding(2) var<storage, read> lse_parts: array<f32>; // [parts, batch, heads, seqlen]
@group(0) @binding(3) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

// The weights of PARTS parts, or the largest lse that each invocation has seen.
var<workgroup> weights: array<f32, PARTS>;
// What the second team adds to each column.
var<workgroup> others: array<vec4<f32>, LANES>;

// An lse of this or less is one over no keys. It also stands for -infinity in lse.
const EMPTY = -1.0e30;

@compute @workgroup_size(32, 2)
fn merge(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim_v / 4u;
  let rows = params.batch * params.heads * params.seqlen;
  let row = (group.z * params.heads + group.y) * params.seqlen + group.x;

  var top = EMPTY;
  for (var p = index; p < params.parts; p += PARTS) {
    top = max(top, lse_parts[p * rows + row]);
  }
  weights[index] = top;
  workgroupBarrier();
  for (var i = 0u; i < PARTS; i++) {
    top = max(top, weights[i]);
  }
  workgroupBarrier();

  var weight_sum = 0.0;
  var sum = vec4(0.0);
  for (var first = 0u; first < params.parts; first += PARTS) {
    let count = min(PARTS, params.parts - first);
    if (index < count) {
      let part_lse = lse_parts[(first + index) * rows + row];
      weights[index] = select(exp(part_lse - top), 0.0, part_lse <= EMPTY);
    }
    workgroupBarrier();
    for (var i = 0u; i < count; i++) {
      weight_sum += weights[i];
    }
    for (var i = lane.y; i < count; i += TEAMS) {
      // A part without a key may hold anything, and nothing times that need not be nothing.
      if (lane.x < width && weights[i] > 0.0) {
        sum += weights[i] * o_parts[((first + i) * rows + row) * width + lane.x];
      }
    }
    workgroupBarrier();
  }

  if (lane.y == 1u) {
    others[lane.x] = sum;
  }
  workgroupBarrier();
  let seen = top > EMPTY;
  let divisor = select(1.0, weight_sum, seen);
  if (lane.y == 0u && lane.x < width) {
    o[row * width + lane.x] = (sum + others[lane.x]) / divisor;
  }
  if (index == 0u) {
    lse[row] = select(EMPTY, top + log(divisor), seen);
  }
}
