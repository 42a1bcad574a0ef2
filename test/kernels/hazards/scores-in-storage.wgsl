/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 2, seqlen: 40, headDim: 16 }
scratch:
  row_scores: f32[batch, heads, seqlen, seqlenK]
passes:
  - { entry: attend_row, workgroups: [seqlen, heads, batch] }
---*/

// A workgroup per query row, which keeps its scores in device memory: each invocation forms some of them, and after a
// storageBarrier every one of them reads all.

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  window_left: i32,
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> row_scores: array<f32>;

const LANES = 32u;

fn is_visible(i: u32, j: u32) -> bool {
  let distance = i32(j) - (i32(i) + i32(params.seqlen_k) - i32(params.seqlen));
  let right = select(params.window_right, 0, params.causal != 0u);
  return (right < 0 || distance <= right) && (params.window_left < 0 || -distance <= params.window_left);
}

@compute @workgroup_size(LANES)
fn attend_row(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = group.x;
  let head = group.z * params.heads + group.y;
  let kv_head = group.z * params.heads_kv + group.y / (params.heads / params.heads_kv);
  let row = (head * params.seqlen + i) * params.seqlen_k;
  for (var j = lane; j < params.seqlen_k; j += LANES) {
    var score = -1.0e30;
    if (is_visible(i, j)) {
      score = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        let key = k[(kv_head * params.seqlen_k + j) * params.head_dim + d];
        score += q[(head * params.seqlen + i) * params.head_dim + d] * key;
      }
      score *= params.scale;
    }
    row_scores[row + j] = score;
  }
  storageBarrier();

  var highest = -1.0e30;
  for (var j = 0u; j < params.seqlen_k; j++) {
    highest = max(highest, row_scores[row + j]);
  }
  var divisor = 0.0;
  for (var j = 0u; j < params.seqlen_k; j++) {
    divisor += select(0.0, exp(row_scores[row + j] - highest), is_visible(i, j));
  }
  for (var d = lane; d < params.head_dim_v; d += LANES) {
    var sum = 0.0;
    for (var j = 0u; j < params.seqlen_k; j++) {
      if (is_visible(i, j)) {
        sum += exp(row_scores[row + j] - highest) * v[(kv_head * params.seqlen_k + j) * params.head_dim_v + d];
      }
    }
    o[(head * params.seqlen + i) * params.head_dim_v + d] = sum / max(divisor, 1.0e-30);
  }
  if (lane == 0u) {
    lse[head * params.seqlen + i] = select(-3.4e38, highest + log(divisor), divisor > 0.0);
  }
}
