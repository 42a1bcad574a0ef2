/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 4, seqlen: 80, headDim: 64 }
passes:
  - { entry: decode_attention, workgroups: [seqlen, heads, batch] }
bindings: { Q: q, K_cache: k, V_cache: v, O: o, LSE: lse }
dtype: { k: f16, v: f16 }
uniforms:
  n_tokens: seqlen
  n_ctx: seqlenK
  gqa_ratio: heads / headsKv
  n_head: heads
  n_head_kv: headsKv
  n_embd_k: headDim
  n_embd_v: headDimV
  causal_mask: causal
  window: [windowLeft, windowRight]
  kq_scale: scale
---*/

// Softmax attention over a cache of keys and values in half precision, without shader-f16: eight halves are the vec4 of
// u32 that one load fetches, and unpack2x16float widens two at a time. One workgroup a query; two invocations share a key.

const WG_SIZE: u32 = 64;
const KEYS_PER_STEP: u32 = WG_SIZE / 2;
const NEG_LARGE: f32 = -1e30;

struct KqvParams {
  n_tokens: u32,
  n_ctx: u32,
  n_head: u32,
  n_head_kv: u32,
  gqa_ratio: u32,
  n_embd_k: u32,
  n_embd_v: u32,
  causal_mask: u32,
  window: vec2i,
  kq_scale: f32,
}

@group(0) @binding(0) var<storage, read> Q: array<vec4f>;
@group(0) @binding(1) var<storage, read> K_cache: array<vec4u>;
@group(0) @binding(2) var<storage, read> V_cache: array<u32>;
@group(1) @binding(0) var<storage, read_write> O: array<vec2f>;
@group(1) @binding(1) var<storage, read_write> LSE: array<f32>;
@group(2) @binding(0) var<uniform> params: KqvParams;

var<workgroup> halves_of_scores: array<array<f32, 2>, KEYS_PER_STEP>;
var<workgroup> weights: array<f32, KEYS_PER_STEP>;

// 8 numbers of a key against 8 of the query.
fn dot8(packed: vec4u, q_low: vec4f, q_high: vec4f) -> f32 {
  let low = vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
  let high = vec4f(unpack2x16float(packed.z), unpack2x16float(packed.w));
  return dot(low, q_low) + dot(high, q_high);
}

fn visible(token: u32, key: u32) -> bool {
  let ahead = i32(key) - (i32(token) + i32(params.n_ctx) - i32(params.n_tokens));
  if (key >= params.n_ctx || (params.causal_mask != 0u && ahead > 0)) {
    return false;
  }
  return (params.window.x < 0 || -ahead <= params.window.x) && (params.window.y < 0 || ahead <= params.window.y);
}

@compute @workgroup_size(WG_SIZE)
fn decode_attention(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let token = wid.x;
  let head = wid.y;
  let q_row = (wid.z * params.n_head + head) * params.n_tokens + token;
  let kv_row = (wid.z * params.n_head_kv + head / params.gqa_ratio) * params.n_ctx;
  let key_in_step = lid.x / 2u;
  let part = lid.x % 2u;

  var m = NEG_LARGE;
  var l = 0.0;
  var acc = vec2f();
  for (var base = 0u; base < params.n_ctx; base += KEYS_PER_STEP) {
    let key = base + key_in_step;
    var s = 0.0;
    if (key < params.n_ctx) {
      let n_vec = params.n_embd_k / 8u;
      for (var d = part; d < n_vec; d += 2u) {
        let at = q_row * n_vec * 2u + d * 2u;
        s += dot8(K_cache[(kv_row + key) * n_vec + d], Q[at], Q[at + 1u]);
      }
    }
    halves_of_scores[key_in_step][part] = s;
    workgroupBarrier();

    // Each invocation finds the maximum for itself: 32 loads cost less than a tree with five barriers.
    var m_new = m;
    for (var j = 0u; j < KEYS_PER_STEP; j++) {
      if (visible(token, base + j)) {
        m_new = max(m_new, params.kq_scale * (halves_of_scores[j][0] + halves_of_scores[j][1]));
      }
    }
    if (lid.x < KEYS_PER_STEP) {
      let score = params.kq_scale * (halves_of_scores[lid.x][0] + halves_of_scores[lid.x][1]);
      weights[lid.x] = select(0.0, exp(score - m_new), visible(token, base + lid.x));
    }
    workgroupBarrier();

    let shrink = exp(m - m_new);
    l *= shrink;
    acc *= shrink;
    m = m_new;
    for (var j = 0u; j < min(KEYS_PER_STEP, params.n_ctx - base); j++) {
      l += weights[j];
      if (2u * lid.x < params.n_embd_v) {
        acc += weights[j] * unpack2x16float(V_cache[(kv_row + base + j) * params.n_embd_v / 2u + lid.x]);
      }
    }
  }

  if (2u * lid.x < params.n_embd_v) {
    O[(q_row * params.n_embd_v) / 2u + lid.x] = select(vec2f(), acc / l, l > 0.0);
  }
  if (lid.x == 0u) {
    LSE[q_row] = select(-3.4e38, m + log(l), l > 0.0);
  }
}
