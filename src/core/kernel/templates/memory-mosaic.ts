/** A first context memory of Memory Mosaics. */
export const memoryMosaicTemplate = `/*---
mechanism: memory-mosaic
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: average_keys, workgroups: [ceil(headDim / 64), heads, batch] }
  - { entry: scale_pairs, workgroups: [ceil(seqlenK / 64), heads, batch] }
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// The context memory of Memory Mosaics. Each token stores a pair, of a key averaged over the past and a value that looks one
// token ahead, and asks with its own key for the values of the tokens before it:
//
//   K̄_t = λ K̄_(t-1) + k_t               K̂_t = σ K̄_t / (‖K̄_t‖ + eps)        λ = e^(-leak)
//   V′_t = (1 - c) v_(t+1) + c v_t      V̂_t = τ V′_t / (‖V′_t‖ + eps)
//   O_t = Σ_(j<t) softmax_j(K̂_t · K̂_j) V̂_j, and zero for the first token, which sees none
//
// Three passes: one invocation per column of the keys follows the averages from token to token, one per token gives keys and
// values their lengths, and one workgroup per query and block of TILE_N columns of the output takes TILE_N keys at a time. A
// place to start from: right on every device, and slow, because the averages have one token after the other and every query
// reads all keys anew.

override TILE_N: u32 = 64; // keys per step of \`attend\`, and invocations per workgroup of it

struct Params {
  heads: u32,
  seqlen: u32, // outputs, of the last of the tokens
  seqlen_k: u32, // tokens
  head_dim: u32,
  head_dim_v: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<f32>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(2) var<storage, read> v: array<f32>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(3) var<storage, read> leak: array<f32>; // [heads]
@group(0) @binding(4) var<storage, read> mix: array<f32>; // [heads]
@group(0) @binding(5) var<storage, read> key_scale: array<f32>; // [heads]
@group(0) @binding(6) var<storage, read> value_scale: array<f32>; // [heads]
@group(0) @binding(7) var<storage, read_write> k_hat: array<f32>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(8) var<storage, read_write> v_hat: array<f32>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(9) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

@compute @workgroup_size(64)
fn average_keys(@builtin(global_invocation_id) id: vec3<u32>) {
  let column = id.x;
  if (column >= params.head_dim) {
    return;
  }
  let first_row = (id.z * params.heads + id.y) * params.seqlen_k;
  let kept = exp(-leak[id.y]);
  var average = 0.0;
  for (var t = 0u; t < params.seqlen_k; t++) {
    let at = (first_row + t) * params.head_dim + column;
    average = kept * average + k[at];
    k_hat[at] = average;
  }
}

@compute @workgroup_size(64)
fn scale_pairs(@builtin(global_invocation_id) id: vec3<u32>) {
  let token = id.x;
  if (token >= params.seqlen_k) {
    return;
  }
  let row = (id.z * params.heads + id.y) * params.seqlen_k + token;

  let key = row * params.head_dim;
  var square = 0.0;
  for (var d = 0u; d < params.head_dim; d++) {
    square += k_hat[key + d] * k_hat[key + d];
  }
  let key_factor = key_scale[id.y] / (sqrt(square) + params.eps);
  for (var d = 0u; d < params.head_dim; d++) {
    k_hat[key + d] *= key_factor;
  }

  let value = row * params.head_dim_v;
  square = 0.0;
  for (var d = 0u; d < params.head_dim_v; d++) {
    var mixed = mix[id.y] * v[value + d];
    // What comes after the last token counts as zero.
    if (token + 1u < params.seqlen_k) {
      mixed += (1.0 - mix[id.y]) * v[value + params.head_dim_v + d];
    }
    v_hat[value + d] = mixed;
    square += mixed * mixed;
  }
  let value_factor = value_scale[id.y] / (sqrt(square) + params.eps);
  for (var d = 0u; d < params.head_dim_v; d++) {
    v_hat[value + d] *= value_factor;
  }
}

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let batch_head = group.z * params.heads + group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let first_row = batch_head * params.seqlen_k;
  // The query is a key too, and sees those before it.
  let token = params.seqlen_k - params.seqlen + group.x;

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = 0u; first < token; first += TILE_N) {
    var score = MASKED;
    if (first + lane < token) {
      score = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        score += k_hat[(first_row + token) * params.head_dim + d] * k_hat[(first_row + first + lane) * params.head_dim + d];
      }
    }
    scores[lane] = score;
    workgroupBarrier();

    let count = min(TILE_N, token - first);
    var next = maximum;
    for (var j = 0u; j < count; j++) {
      next = max(next, scores[j]);
    }
    let shrink = exp(maximum - next);
    denominator *= shrink;
    numerator *= shrink;
    for (var j = 0u; j < count; j++) {
      let weight = exp(scores[j] - next);
      denominator += weight;
      if (column < params.head_dim_v) {
        numerator += weight * v_hat[(first_row + first + j) * params.head_dim_v + column];
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (column < params.head_dim_v) {
    var result = 0.0;
    if (token > 0u) {
      result = numerator / denominator;
    }
    o[(batch_head * params.seqlen + group.x) * params.head_dim_v + column] = result;
  }
}
`;
