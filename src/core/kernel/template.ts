const rowsComment = `// One workgroup per query and block of TILE_N value columns. It takes TILE_N keys at a time: first each invocation finds
// the weight of one key, then each adds the weighted values of one column. A place to start from: right on every
// device, and slow, because keys and values are read anew for every query.`;

const softmax = `/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Softmax attention, o = softmax(scale · q kᵀ) v, with the softmax computed online.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  window_left: i32, // -1: unlimited
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, headsKv, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, headsKv, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

// The queries are the last seqlen of the seqlen_k positions.
fn visible(query: u32, key: u32) -> bool {
  let distance = i32(key + params.seqlen) - i32(query + params.seqlen_k);
  return (params.causal == 0u || distance <= 0)
    && (params.window_right < 0 || distance <= params.window_right)
    && (params.window_left < 0 || -distance <= params.window_left);
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let head_kv = head / (params.heads / params.heads_kv);
  let query_row = (group.z * params.heads + head) * params.seqlen + query;
  let first_row = (group.z * params.heads_kv + head_kv) * params.seqlen_k;

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = 0u; first < params.seqlen_k; first += TILE_N) {
    var score = MASKED;
    if (first + lane < params.seqlen_k && visible(query, first + lane)) {
      var sum = 0.0;
      for (var d = 0u; d < params.head_dim; d++) {
        sum += q[query_row * params.head_dim + d] * k[(first_row + first + lane) * params.head_dim + d];
      }
      score = params.scale * sum;
    }
    scores[lane] = score;
    workgroupBarrier();

    var next = maximum;
    for (var j = 0u; j < TILE_N; j++) {
      next = max(next, scores[j]);
    }
    let shrink = exp(maximum - next);
    denominator *= shrink;
    numerator *= shrink;
    for (var j = 0u; j < TILE_N; j++) {
      if (scores[j] > MASKED) {
        let weight = exp(scores[j] - next);
        denominator += weight;
        if (column < params.head_dim_v) {
          numerator += weight * v[(first_row + first + j) * params.head_dim_v + column];
        }
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  // A query that sees no key gives zero.
  if (column < params.head_dim_v) {
    var result = 0.0;
    if (denominator > 0.0) {
      result = numerator / denominator;
    }
    o[query_row * params.head_dim_v + column] = result;
  }
}
`;

/** The step over the keys that linear and lightning attention share: only the weight of a key differs. */
const weighedSum = `  for (var first = 0u; first < keys; first += TILE_N) {
    let key = first + lane;
    var weight = 0.0;
    if (key < keys) {
      for (var d = 0u; d < params.head_dim; d++) {
        weight += PRODUCT;
      }
    }
    weights[lane] = WEIGHT;
    workgroupBarrier();

    for (var j = 0u; j < min(TILE_N, keys - first); j++) {
      ADD
      if (column < params.head_dim_v) {
        numerator += weights[j] * v[(first_row + first + j) * params.head_dim_v + column];
      }
    }
    workgroupBarrier();
  }`;

function weighKeys(parts: Readonly<Record<'PRODUCT' | 'WEIGHT' | 'ADD', string>>): string {
  const text = weighedSum.replace(/\b(?:PRODUCT|WEIGHT|ADD)\b/g, (name) => parts[name as keyof typeof parts]);
  return text.replace(/^ *\n(?= *if \(column)/m, '');
}

const linear = `/*---
mechanism: linear-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Linear attention by the left product, o = (A v) / (rowsum A + eps) with A = scale · φ(q) φ(k)ᵀ.
//
${rowsComment}

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  feature: u32, // 0 identity, 1 elu + 1, 2 SiLU
  normalize: u32,
  scale: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

// The feature map φ. No exponential takes a positive argument, so that none can overflow.
fn phi(x: f32) -> f32 {
  if (params.feature == 1u) {
    return select(exp(min(x, 0.0)), x + 1.0, x > 0.0);
  }
  if (params.feature == 2u) {
    let e = exp(-abs(x));
    return x * select(e, 1.0, x > 0.0) / (1.0 + e);
  }
  return x;
}

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let query_row = (group.z * params.heads + head) * params.seqlen + query;
  let first_row = (group.z * params.heads + head) * params.seqlen_k;
  let keys = select(params.seqlen_k, query + 1u, params.causal != 0u); // those the query sees

  var numerator = 0.0;
  var denominator = 0.0;
${weighKeys({
  PRODUCT: 'phi(q[query_row * params.head_dim + d]) * phi(k[(first_row + key) * params.head_dim + d])',
  WEIGHT: 'params.scale * weight',
  ADD: 'denominator += weights[j];',
})}

  if (column < params.head_dim_v) {
    if (params.normalize != 0u) {
      numerator /= denominator + params.eps;
    }
    o[query_row * params.head_dim_v + column] = numerator;
  }
}
`;

const lightning = `/*---
mechanism: lightning-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(headDimV / TILE_N), batch] }
---*/

// Lightning attention by the left product: the key j <= i of query i has the weight scale · λ^(i-j) q_i · k_j with
// λ = e^(-slope) of its head.
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
@group(0) @binding(4) var<storage, read> slopes: array<f32>; // [heads]
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

var<workgroup> weights: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let query = group.x;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let first_row = (group.z * params.heads + head) * params.seqlen;
  let keys = query + 1u; // those the query sees

  var numerator = 0.0;
${weighKeys({
  PRODUCT: 'q[(first_row + query) * params.head_dim + d] * k[(first_row + key) * params.head_dim + d]',
  WEIGHT: 'params.scale * exp(-slopes[head] * f32(query - min(key, query))) * weight',
  ADD: '',
})}

  if (column < params.head_dim_v) {
    o[(first_row + query) * params.head_dim_v + column] = numerator;
  }
}
`;

const gated = `/*---
mechanism: gated-linear-attention
shape: { batch: 1, heads: 4, seqlen: 256, headDim: 64 }
passes:
  - { entry: forward, workgroups: [ceil(headDimV / COLUMNS), heads, batch] }
---*/

// Gated Linear Attention (Yang et al. 2023) by its recurrence, with a gate g <= 0 for each key channel (or one for all
// of them, where gateDim is 1): S = diag(e^g) S + kᵀ v, o = scale · q S.
//
// One workgroup per head and block of COLUMNS value columns, token after token. Each invocation holds one column of the
// state. A place to start from: right on every device, and slow, because tokens wait for each other.

override COLUMNS: u32 = 32; // value columns, and invocations, per workgroup
const CHANNELS = 128u; // rows of the state: headDim may be up to this

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  head_dim_v: u32,
  gate_dim: u32, // head_dim, or 1
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> g: array<f32>; // [batch, heads, seqlen, gateDim]
@group(0) @binding(5) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]

@compute @workgroup_size(COLUMNS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * COLUMNS + lane;
  if (column >= params.head_dim_v) {
    return;
  }
  var state = array<f32, CHANNELS>();
  for (var t = 0u; t < params.seqlen; t++) {
    let row = (group.z * params.heads + group.y) * params.seqlen + t;
    let value = v[row * params.head_dim_v + column];
    var sum = 0.0;
    for (var d = 0u; d < params.head_dim; d++) {
      let decay = exp(g[row * params.gate_dim + min(d, params.gate_dim - 1u)]);
      state[d] = decay * state[d] + k[row * params.head_dim + d] * value;
      sum += q[row * params.head_dim + d] * state[d];
    }
    o[row * params.head_dim_v + column] = params.scale * sum;
  }
}
`;

const templates: ReadonlyMap<string, string> = new Map([
  ['softmax-attention', softmax],
  ['linear-attention', linear],
  ['lightning-attention', lightning],
  ['gated-linear-attention', gated],
]);

/** The text of a new kernel file for a mechanism: a simple kernel that is right at every shape; null for an unknown id. */
export function templateFor(mechanismId: string): string | null {
  return templates.get(mechanismId) ?? null;
}
