/*---
mechanism: lightning-attention
shape: { batch: 1, heads: 2, seqlen: 100, headDim: 32 }
passes:
  - { entry: emit, workgroups: [heads, ceil(seqlen / block), batch] }
  - { entry: carry, workgroups: [ceil(headDim / 8), heads, batch] }
  - { entry: add_past, workgroups: [heads, ceil(seqlen / block), batch] }
bindings: { inputs_q: q, inputs_k: k, inputs_v: v, log_decay: slopes, out: o }
layout:
  q: [batch, seqlen, heads, headDim]
  k: [batch, seqlen, heads, headDim]
  v: [batch, seqlen, heads, headDimV]
  o: [batch, seqlen, heads, headDimV]
scratch:
  kv: f32[batch, heads, ceil(seqlen / block), headDim, headDimV]
uniforms: { dims: [batch, seqlen, heads, headDim], dim_v: headDimV, alpha: scale }
tune:
  block: [16, 32]
---*/

// Lightning attention, tokens before heads in memory, in three entry points: each block for itself and what it adds to
// the state; the state carried from block to block; and what the past adds to each block's output.

override block: u32 = 16;

struct Config {
  dims: vec4<u32>, // batch, seqlen, heads, headDim
  dim_v: u32,
  alpha: f32,
}

@group(0) @binding(0) var<uniform> config: Config;
@group(0) @binding(1) var<storage, read> inputs_q: array<f32>;
@group(0) @binding(2) var<storage, read> inputs_k: array<f32>;
@group(0) @binding(3) var<storage, read> inputs_v: array<f32>;
@group(0) @binding(4) var<storage, read> log_decay: array<f32>;
@group(1) @binding(0) var<storage, read_write> kv: array<f32>;
@group(1) @binding(1) var<storage, read_write> out: array<f32>;

var<private> head: u32 = 0;
var<private> batch: u32 = 0;
var<workgroup> weights: array<f32, block * block>;

fn token_row(token: u32) -> u32 {
  return (batch * config.dims.y + token) * config.dims.z + head;
}

fn decay_over(steps: u32) -> f32 {
  return exp(-log_decay[head] * f32(steps));
}

fn blocks() -> u32 {
  return (config.dims.y + block - 1u) / block;
}

fn kv_start(index: u32) -> u32 {
  return ((batch * config.dims.z + head) * blocks() + index) * config.dims.w * config.dim_v;
}

@compute @workgroup_size(block, 4)
fn emit(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  head = wid.x;
  batch = wid.z;
  let first = wid.y * block;
  let count = min(block, config.dims.y - first);

  // Weights of the block's own keys.
  for (var j = lid.y; j < block; j += 4u) {
    var weight = 0.0;
    if (lid.x < count && j <= lid.x) {
      for (var d = 0u; d < config.dims.w; d++) {
        weight = fma(
          inputs_q[token_row(first + lid.x) * config.dims.w + d],
          inputs_k[token_row(first + j) * config.dims.w + d],
          weight,
        );
      }
      weight *= decay_over(lid.x - j);
    }
    weights[lid.x * block + j] = weight;
  }
  workgroupBarrier();
  if (lid.x < count) {
    for (var e = lid.y; e < config.dim_v; e += 4u) {
      var sum = 0.0;
      for (var j = 0u; j <= lid.x; j++) {
        sum = fma(weights[lid.x * block + j], inputs_v[token_row(first + j) * config.dim_v + e], sum);
      }
      out[token_row(first + lid.x) * config.dim_v + e] = config.alpha * sum;
    }
  }

  // What the block adds to the state.
  for (var cell = lid.y * block + lid.x; cell < config.dims.w * config.dim_v; cell += 4u * block) {
    let d = cell / config.dim_v;
    let e = cell % config.dim_v;
    var sum = 0.0;
    for (var j = 0u; j < count; j++) {
      let key = decay_over(count - 1u - j) * inputs_k[token_row(first + j) * config.dims.w + d];
      sum = fma(key, inputs_v[token_row(first + j) * config.dim_v + e], sum);
    }
    kv[kv_start(wid.y) + cell] = sum;
  }
}

// One invocation for 8 rows × 1 column of the state at a time: the state before each block takes the place of its sum.
@compute @workgroup_size(64)
fn carry(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  head = wid.y;
  batch = wid.z;
  for (var e = lid.x; e < config.dim_v; e += 64u) {
    for (var d = 8u * wid.x; d < min(8u * wid.x + 8u, config.dims.w); d++) {
      var state = 0.0;
      for (var b = 0u; b < blocks(); b++) {
        let at = kv_start(b) + d * config.dim_v + e;
        let added = kv[at];
        kv[at] = state;
        state = decay_over(min(block, config.dims.y - b * block)) * state + added;
      }
    }
  }
}

@compute @workgroup_size(block, 4)
fn add_past(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  head = wid.x;
  batch = wid.z;
  let token = wid.y * block + lid.x;
  if (token < config.dims.y) {
    for (var e = lid.y; e < config.dim_v; e += 4u) {
      var sum = 0.0;
      for (var d = 0u; d < config.dims.w; d++) {
        sum = fma(inputs_q[token_row(token) * config.dims.w + d], kv[kv_start(wid.y) + d * config.dim_v + e], sum);
      }
      out[token_row(token) * config.dim_v + e] += config.alpha * decay_over(lid.x + 1u) * sum;
    }
  }
}
