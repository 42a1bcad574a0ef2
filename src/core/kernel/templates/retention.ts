import { rowsComment, weighKeys } from './sum-over-keys.js';

/** A first retention kernel. */
export const retentionTemplate = `/*---
mechanism: retention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64, headDimV: 128 }
passes:
  - { entry: retain, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Retention by the left product: the key j <= i of query i has the weight scale · γ^(i-j) q_i · k_j with
// γ = 1 - 2^(-5-h) for head h = 0, 1, ..
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

// -ln γ of a head by the series x + x²/2 + x³/3 + .. for x = 2^(-5-head): log(1 - x) would be too coarse.
fn forgetting_rate(head: u32) -> f32 {
  let x = ldexp(1.0, -5 - i32(head));
  return x * (1.0 + x * (1.0 / 2.0 + x * (1.0 / 3.0 + x * (1.0 / 4.0 + x * (1.0 / 5.0 + x / 6.0)))));
}

@compute @workgroup_size(TILE_N)
fn retain(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let first_row = (group.z * params.heads + head) * params.seqlen;
  let keys = query + 1u; // those the query sees
  let rate = forgetting_rate(head);

  var numerator = 0.0;
${weighKeys({
  PRODUCT: 'q[(first_row + query) * params.head_dim + d] * k[(first_row + key) * params.head_dim + d]',
  WEIGHT: 'params.scale * exp(-rate * f32(query - min(key, query))) * weight',
  ADD: '',
})}

  if (column < params.head_dim_v) {
    o[(first_row + query) * params.head_dim_v + column] = numerator;
  }
}
`;
