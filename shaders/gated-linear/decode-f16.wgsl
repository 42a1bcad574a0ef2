/*---
mechanism: gated-linear-attention
direction: decode
shape: { batch: 8, heads: 8, seqlen: 1, headDim: 64 }
limits: { headDim: 128 }
dtype: { q: f16, k: f16, v: f16, o: f16 }
passes:
  - { entry: step, workgroups: [ceil(headDimV / 32), heads, batch] }
---*/

// Gated Linear Attention (Yang et al. 2023), decoding with tokens in f16 as models keep them: two halves to a word, so
// that no device feature is needed. The recurrence as it stands, for one new token or the few of a draft. With a decay α_t
// = e^(g_t) for each key channel (or one for all of them, where gateDim is 1):
//
//   S ← diag(α_t) S + k_tᵀ v_t
//   o_t = scale · q_t S
//
// The gates, the state and every sum are f32. A state in f16 would halve what moves, and break slow channels: times 1 -
// 2^-12 a number of 11 bits rounds to itself, so that the channel would never forget.
//
// A workgroup takes 32 value columns of the state. Invocation (x, y) of the 8 × 16 owns the vec4 column x in the pairs of
// rows y, y+16, .. of the state, up to 128 rows; the 16 invocations of a column add up their parts of the output through
// workgroup memory. To go back to an earlier token, keep s0: s goes elsewhere.

const LANES = 8u; // invocations side by side along value columns
const PAIRS = 16u; // invocations along headDim, a pair of rows each
const OWNED = 4u; // pairs of rows of the state per invocation: headDim may be up to 2 * PAIRS * OWNED = 128

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // an even number, at most 128
  head_dim_v: u32, // a multiple of 4
  gate_dim: u32, // head_dim, or 1
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<u32>; // pairs of [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<u32>; // pairs of [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> g: array<f32>; // [batch, heads, seqlen, gateDim]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(6) var<storage, read_write> o: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]

var<workgroup> parts: array<vec4<f32>, PAIRS * LANES>; // of the output, [pairs of rows, columns]

@compute @workgroup_size(8, 16)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y;
  let pairs = params.head_dim / 2u;
  let width_v = params.head_dim_v / 4u;
  let column = group.x * LANES + lane.x;
  let inside = column < width_v;

  var even = array<vec4<f32>, OWNED>(); // the rows 2p of the state
  var odd = array<vec4<f32>, OWNED>(); // and the rows 2p + 1
  for (var n = 0u; n < OWNED; n++) {
    let pair = lane.y + PAIRS * n;
    if (inside && pair < pairs) {
      let row = batch_head * params.head_dim + 2u * pair;
      even[n] = s0[row * width_v + column];
      odd[n] = s0[(row + 1u) * width_v + column];
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    var value = vec4(0.0);
    if (inside) {
      let halves = v[row * width_v + column];
      value = vec4(unpack2x16float(halves.x), unpack2x16float(halves.y));
    }
    var part = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let pair = lane.y + PAIRS * n;
      if (pair < pairs) {
        let key = unpack2x16float(k[row * pairs + pair]);
        let query = unpack2x16float(q[row * pairs + pair]);
        let channel = min(vec2(2u * pair, 2u * pair + 1u), vec2(params.gate_dim - 1u));
        let decay = exp(vec2(g[row * params.gate_dim + channel.x], g[row * params.gate_dim + channel.y]));
        even[n] = decay.x * even[n] + key.x * value;
        odd[n] = decay.y * odd[n] + key.y * value;
        part += query.x * even[n] + query.y * odd[n];
      }
    }
    parts[index] = part;
    workgroupBarrier();
    if (inside && lane.y == 0u) {
      var sum = vec4(0.0);
      for (var y = 0u; y < PAIRS; y++) {
        sum += parts[LANES * y + lane.x];
      }
      sum *= params.scale;
      o[row * width_v + column] = vec2(pack2x16float(sum.xy), pack2x16float(sum.zw));
    }
    workgroupBarrier();
  }

  for (var n = 0u; n < OWNED; n++) {
    let pair = lane.y + PAIRS * n;
    if (inside && pair < pairs) {
      let row = batch_head * params.head_dim + 2u * pair;
      s[row * width_v + column] = even[n];
      s[(row + 1u) * width_v + column] = odd[n];
    }
  }
}
