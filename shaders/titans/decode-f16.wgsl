/*---
mechanism: titans
direction: decode
shape: { batch: 8, heads: 8, seqlen: 1, headDim: 64 }
limits: { headDim: 128 }
options: { chunk: 1 }
dtype: { q: f16, k: f16, v: f16, s0: f16, o: f16, s: f16 }
scratch:
  tokens: f32[batch, heads, seqlen, headDim * 2 + 3]
passes:
  - { entry: gather, workgroups: [seqlen, heads, batch] }
  - { entry: step, workgroups: [ceil(headDimV / 32), heads, batch] }
---*/

// The linear memory of Titans (Behrouz et al. 2025), decoding, with tokens and momentum in f16 and the memory in f32:
// decode.wgsl, which explains it, moving a quarter less. Numbers are packed in pairs, two to a u32, so that no device feature
// is needed; all arithmetic is f32. κ is the factor of the gradient of the loss:
//
//   e_t = κ (Mᵀk_t − v_t)
//   S ← η_t S − θ_t k_t e_tᵀ
//   M ← (1 − α_t) M + S
//   o_t = Mᵀ q_t
//
// S forgets within some tokens, what was rounded with the rest: in f16 it leaves the outputs within 0.35 % of the truth after
// 2048 tokens, for η up to 0.99.
//
// M has to keep for thousands. While tokens teach it they correct what rounding did to it, and f16 would do: about 0.5 %. But
// tokens that teach nothing, θ = 0, only let it forget, and times 1 - 2^-12 a number of 11 bits rounds to itself. 768 such
// tokens after 256 others leave the outputs wrong by 18 % where α = 2^-12, and by 5.7 % where α = 2^-10.
//
// A workgroup takes 32 value columns of both states. Invocation (x, y) of 8 × 16 owns the vec4 column x in the rows y, y+16,
// .. of both, up to 128 rows; the 16 invocations of a column add up their parts of Mᵀk and of Mᵀq through workgroup memory.
// To go back to an earlier token, keep m0 and s0: the new ones go elsewhere.
//
// A pass may bind eight storage buffers by default, and there are eleven tensors: what is small and read by every
// workgroup, all of a token but its value, is unpacked into one row first.

const LANES = 8u; // invocations side by side along value columns
const ROWS = 16u; // invocations along headDim
const OWNED = 8u; // rows of memory and momentum per invocation: headDim may be up to ROWS * OWNED = 128

struct Params {
  heads: u32,
  seqlen: u32, // new tokens
  head_dim: u32, // even, at most 128
  head_dim_v: u32, // a multiple of 4
  loss_coef: f32, // κ
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<u32>; // pairs of [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<u32>; // pairs of [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> m0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read> s0: array<vec2<u32>>; // fours of [batch, heads, headDim, headDimV]
@group(0) @binding(9) var<storage, read_write> o: array<vec2<u32>>; // fours of [batch, heads, seqlen, headDimV]
@group(0) @binding(10) var<storage, read_write> m: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(11) var<storage, read_write> s: array<vec2<u32>>; // fours of [batch, heads, headDim, headDimV]
@group(0) @binding(12) var<storage, read_write> tokens: array<f32>; // rows k, q, θκ, η, 1 − α

// Four numbers from two packed pairs, and back.
fn unpack(pairs: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}

fn pack(numbers: vec4<f32>) -> vec2<u32> {
  return vec2(pack2x16float(numbers.xy), pack2x16float(numbers.zw));
}

fn token_width() -> u32 {
  return 2u * params.head_dim + 3u;
}

@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (group.z * params.heads + group.y) * params.seqlen + group.x;
  let pairs = params.head_dim / 2u;
  let keys = row * token_width();
  let queries = keys + params.head_dim;
  if (lane < pairs) {
    let key = unpack2x16float(k[row * pairs + lane]);
    let query = unpack2x16float(q[row * pairs + lane]);
    tokens[keys + 2u * lane] = key.x;
    tokens[keys + 2u * lane + 1u] = key.y;
    tokens[queries + 2u * lane] = query.x;
    tokens[queries + 2u * lane + 1u] = query.y;
  }
  if (lane == 0u) {
    let gates = queries + params.head_dim;
    tokens[gates] = params.loss_coef * theta[row];
    tokens[gates + 1u] = eta[row];
    tokens[gates + 2u] = 1.0 - alpha[row];
  }
}

var<workgroup> parts: array<vec4<f32>, ROWS * LANES>; // of one row, [rows, columns]

// The sum of what the 16 invocations of a column have.
fn sum_of_column(part: vec4<f32>, column: u32, index: u32) -> vec4<f32> {
  parts[index] = part;
  workgroupBarrier();
  var sum = vec4(0.0);
  for (var y = 0u; y < ROWS; y++) {
    sum += parts[LANES * y + column];
  }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(LANES, ROWS)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let batch_head = group.z * params.heads + group.y;
  let width_v = params.head_dim_v / 4u;
  let column = group.x * LANES + lane.x;
  let inside = column < width_v;

  var memory = array<vec4<f32>, OWNED>();
  var momentum = array<vec4<f32>, OWNED>();
  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      memory[n] = m0[(batch_head * params.head_dim + d) * width_v + column];
      momentum[n] = unpack(s0[(batch_head * params.head_dim + d) * width_v + column]);
    }
  }

  for (var t = 0u; t < params.seqlen; t++) {
    let row = batch_head * params.seqlen + t;
    let token = row * token_width();
    let gates = token + 2u * params.head_dim;

    var predicted = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        predicted += tokens[token + d] * memory[n];
      }
    }
    var error = sum_of_column(predicted, lane.x, index);
    if (inside) {
      error -= unpack(v[row * width_v + column]);
    }

    var answer = vec4(0.0);
    for (var n = 0u; n < OWNED; n++) {
      let d = lane.y + ROWS * n;
      if (d < params.head_dim) {
        momentum[n] = tokens[gates + 1u] * momentum[n] - tokens[gates] * tokens[token + d] * error;
        memory[n] = tokens[gates + 2u] * memory[n] + momentum[n];
        answer += tokens[token + params.head_dim + d] * memory[n];
      }
    }
    answer = sum_of_column(answer, lane.x, index);
    if (inside && lane.y == 0u) {
      o[row * width_v + column] = pack(answer);
    }
  }

  for (var n = 0u; n < OWNED; n++) {
    let d = lane.y + ROWS * n;
    if (inside && d < params.head_dim) {
      m[(batch_head * params.head_dim + d) * width_v + column] = memory[n];
      s[(batch_head * params.head_dim + d) * width_v + column] = pack(momentum[n]);
    }
  }
}
