/** A first kernel that merges the parts of split-KV decoding. */
export const splitKvMergeTemplate = `/*---
mechanism: split-kv-merge
shape: { parts: 16, batch: 2, heads: 8, seqlen: 1, headDimV: 64 }
passes:
  - { entry: merge, workgroups: [ceil(headDimV / LANES), heads * seqlen, batch] }
---*/

// Softmax attention over all keys from its results over parts of them: M = max lse_p, w_p = e^(lse_p - M),
// o = sum w_p o_p / sum w_p, lse = M + ln sum w_p. A part with an lse of -1e30 or less has no key and counts nothing.
//
// One invocation per number of the output. A place to start from: right on every device, and slow, because every column
// finds the weights of its row anew.

override LANES: u32 = 64;

struct Params {
  parts: u32,
  batch: u32,
  heads: u32,
  seqlen: u32,
  head_dim_v: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> o_parts: array<f32>; // [parts, batch, heads, seqlen, headDimV]
@group(0) @binding(2) var<storage, read> lse_parts: array<f32>; // [parts, batch, heads, seqlen]
@group(0) @binding(3) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read_write> lse: array<f32>; // [batch, heads, seqlen]

const EMPTY = -1e30; // WGSL has no infinity to rely on

@compute @workgroup_size(LANES)
fn merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * LANES + lane;
  let row = group.z * params.heads * params.seqlen + group.y;
  let rows = params.batch * params.heads * params.seqlen;
  if (column >= params.head_dim_v) {
    return;
  }

  var top = EMPTY;
  for (var p = 0u; p < params.parts; p++) {
    top = max(top, lse_parts[p * rows + row]);
  }
  var weights = 0.0;
  var sum = 0.0;
  for (var p = 0u; p < params.parts; p++) {
    let part_lse = lse_parts[p * rows + row];
    if (part_lse > EMPTY) {
      let weight = exp(part_lse - top);
      weights += weight;
      sum += weight * o_parts[(p * rows + row) * params.head_dim_v + column];
    }
  }
  let seen = weights > 0.0;
  o[row * params.head_dim_v + column] = select(0.0, sum / select(1.0, weights, seen), seen);
  if (column == 0u) {
    lse[row] = select(EMPTY, top + log(select(1.0, weights, seen)), seen);
  }
}
`;
