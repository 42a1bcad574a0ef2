/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 2, seqlen: 40, headDim: 16 }
passes:
  - { entry: attend, workgroups: [seqlen, heads, batch] }
cases:
  - { seqlen: 1 }
  - { seqlen: 64, headDim: 32 }
  - { seqlen: 33, heads: 4, headsKv: 2 }
---*/

// Causal softmax attention for at most 64 tokens: one workgroup a query, one invocation a key, and trees in workgroup
// memory for the maximum and the sum of a row.

const N = 64u;

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;

const LOWEST = -1e30;

var<workgroup> tree: array<f32, N>;
var<workgroup> weights: array<f32, N>;

@compute @workgroup_size(N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let row = (group.z * params.heads + group.y) * params.seqlen + query;
  let head_kv = group.y / (params.heads / params.heads_kv);
  let first_key = (group.z * params.heads_kv + head_kv) * params.seqlen;

  var score = LOWEST;
  if (lane <= query) {
    var product = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      product += q[row * params.head_dim + d] * k[(first_key + lane) * params.head_dim + d];
    }
    score = params.scale * product;
  }
  tree[lane] = score;
  workgroupBarrier();
  for (var half = N / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      tree[lane] = max(tree[lane], tree[lane + half]);
    }
    workgroupBarrier();
  }
  let row_max = tree[0];
  workgroupBarrier();

  let weight = select(0.0, exp(score - row_max), lane <= query);
  weights[lane] = weight;
  tree[lane] = weight;
  workgroupBarrier();
  for (var half = N / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      tree[lane] += tree[lane + half];
    }
    workgroupBarrier();
  }
  let row_sum = tree[0];

  for (var column = lane; column < params.head_dim_v; column += N) {
    var result = 0.0;
    for (var j = 0u; j <= query; j++) {
      result += weights[j] * v[(first_key + j) * params.head_dim_v + column];
    }
    o[row * params.head_dim_v + column] = result / row_sum;
  }
}
