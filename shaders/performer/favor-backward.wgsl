/*---
mechanism: performer-attention
direction: backward
shape: { batch: 1, heads: 8, seqlen: 256, headDim: 64, featureDim: 128 }
bindings: { do_rows: do }
scratch:
  query_features: f32[batch, heads, seqlen, featureDim]
  key_features: f32[batch, heads, seqlenK, featureDim]
  maxima: f32[batch, heads, ceil(seqlenK / CHUNK)]
  weights: f32[batch, heads, seqlen, CHUNK]
  dweights: f32[batch, heads, seqlen, CHUNK]
  divisors: f32[batch, heads, seqlen, 2]
  states: f32[batch, heads, ceil(seqlenK / CHUNK) + 1, featureDim * (headDimV + 1)]
  dstates: f32[batch, heads, ceil(seqlen / CHUNK) + 1, featureDim * (headDimV + 1)]
  query_gradients: f32[batch, heads, seqlen, featureDim]
  key_gradients: f32[batch, heads, seqlenK, featureDim]
passes:
  - { entry: project, workgroups: [ceil(seqlen / CHUNK) + ceil(seqlenK / CHUNK), heads, batch] }
  - { entry: map_keys, workgroups: [ceil(seqlenK * featureDim / 1024), heads, batch] }
  - { entry: weigh, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: sum_keys, workgroups: [ceil(seqlenK / CHUNK), heads * ceil(featureDim / 64) * ceil(headDimV / 64), batch] }
  - { entry: scan_states, workgroups: [ceil(featureDim * (headDimV + 1) / 256), heads, batch] }
  - { entry: queries, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: sum_queries, workgroups: [ceil(seqlen / CHUNK), heads * ceil(featureDim / 64) * ceil(headDimV / 64), batch] }
  - { entry: scan_gradients, workgroups: [ceil(featureDim * (headDimV + 1) / 256), heads, batch] }
  - { entry: keys, workgroups: [ceil(seqlenK / CHUNK), heads * ceil(featureDim / 128), batch] }
  - { entry: values, workgroups: [ceil(seqlenK / CHUNK), heads * ceil(headDimV / 128), batch] }
  - entry: project_back
    workgroups: [ceil(seqlen / CHUNK) + ceil(seqlenK / CHUNK), heads * ceil(headDim / 128), batch]
tune:
  CHUNK: [32, 64]
---*/

// Performer attention (Choromanski et al. 2021), FAVOR+, backward: the gradients of queries, keys and values from that of
// the output, in time linear in seqlen. favor.wgsl is the way forward and explains the features φ of a token. They come
// again, and from there on it is linear attention with a divisor. With S_i = Σ φ(k)ᵀ v and z_i = Σ φ(k) over the keys that
// query i sees, the output is o_i = φ(q_i) S_i / D_i with D_i = φ(q_i) · z_i. Then
//
//   P_i = do_i S_iᵀ,   δ_i = -(φ(q_i) · P_i) / D_i²
//   dφ(q_i) = P_i / D_i + δ_i z_i
//   R_j = Σ φ(q_i)ᵀ do_i / D_i,   r_j = Σ δ_i φ(q_i)            over the queries that see key j
//   dφ(k_j) = v_j R_jᵀ + r_j
//   dv_j = φ(k_j) R_j
//
// and back from the features, with t = dφ ⊙ featureDim^(-1/2) exp(u - |x̂|²/2 - c), where c counts as a constant:
//
//   dx = headDim^(-1/4) (t W - (Σ t) x̂)
//
// A causal query takes S before its chunk of CHUNK tokens and the keys of the chunk by the left product, with
// A = φ(Q) φ(K)ᵀ and dA = dO Vᵀ, both zero ahead of the query; a key takes R after its chunk and the queries of the chunk
// alike. Eleven passes, of which all but the scans run all chunks at once:
//
//   project          φ(Q); u - |x̂|²/2 of the keys, and the largest u of each chunk of them
//   map_keys         φ(K), in their place
//   weigh            where causal, A and dA, and of each query Σ A and Σ (A ⊙ dA)
//   sum_keys         what each chunk adds to S and z
//   scan_states      S and z before each chunk, in their place, and after the last one
//   queries          D, δ, and t of the queries from [do / D, dA / D + δ] [Sᵀ; φ(K)] and z
//   sum_queries      what each chunk adds to R and r
//   scan_gradients   R and r after each chunk, in their place, and before the first one
//   keys             t of the keys from [(dA / D + δ)ᵀ, V] [φ(Q); Rᵀ] and r
//   values           dV, as one product [Aᵀ, φ(K)] [dO / D; R]
//   project_back     dQ and dK
//
// In the products that make gradients, invocation (x, y) of the 8 × CHUNK/4 in a workgroup owns the tokens 4y..4y+3 and
// the vec4 columns x, x+8, x+16 and x+24 of a block of the result; the left operand is read from left_tile and the right
// one from right_tile.

override CHUNK: u32 = 64; // tokens per chunk: 32 or 64
const LOWEST = -1e30; // less than any projection

struct Params {
  heads: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32, // a multiple of 4, as are feature_dim and head_dim_v
  feature_dim: u32,
  head_dim_v: u32,
  causal: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(4) var<storage, read> projection: array<vec4<f32>>; // W, [featureDim, headDim]
@group(0) @binding(5) var<storage, read> do_rows: array<vec4<f32>>; // dO, [batch, heads, seqlen, headDimV]
@group(0) @binding(6) var<storage, read_write> dq: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(7) var<storage, read_write> dk: array<vec4<f32>>; // [batch, heads, seqlenK, headDim]
@group(0) @binding(8) var<storage, read_write> dv: array<vec4<f32>>; // [batch, heads, seqlenK, headDimV]
@group(0) @binding(9) var<storage, read_write> query_features: array<vec4<f32>>; // φ(Q), [batch, heads, seqlen, featureDim]
@group(0) @binding(10) var<storage, read_write> key_features: array<vec4<f32>>; // φ(K), [batch, heads, seqlenK, featureDim]
@group(0) @binding(11) var<storage, read_write> maxima: array<f32>; // [batch, heads, chunks of keys]
@group(0) @binding(12) var<storage, read_write> weights: array<vec4<f32>>; // A, [batch, heads, seqlen, CHUNK]
@group(0) @binding(13) var<storage, read_write> dweights: array<vec4<f32>>; // dA, [batch, heads, seqlen, CHUNK]
// Σ A and Σ (A ⊙ dA) of each query over the keys of its chunk, then 1 / D and δ, [batch, heads, seqlen].
@group(0) @binding(14) var<storage, read_write> divisors: array<vec2<f32>>;
// S [featureDim, headDimV] and then z [featureDim] for each of [batch, heads, chunks of keys + 1].
@group(0) @binding(15) var<storage, read_write> states: array<vec4<f32>>;
// R and then r alike for each of [batch, heads, chunks of queries + 1].
@group(0) @binding(16) var<storage, read_write> dstates: array<vec4<f32>>;
@group(0) @binding(17) var<storage, read_write> query_gradients: array<vec4<f32>>; // P, then t, as query_features
@group(0) @binding(18) var<storage, read_write> key_gradients: array<vec4<f32>>; // t, as key_features

fn chunk_count(tokens: u32) -> u32 {
  return (tokens + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32, tokens: u32) -> u32 {
  return min(CHUNK, tokens - chunk * CHUNK);
}

// vec4s of S alone, and of S and z together.
fn matrix_size() -> u32 {
  return params.feature_dim * params.head_dim_v / 4u;
}

fn state_size() -> u32 {
  return matrix_size() + params.feature_dim / 4u;
}

// Place of S and z before a chunk of keys, and of R and r after a chunk of queries. Without a causal mask every query sees
// all keys, and every key all queries: the sums over all chunks, which stand behind the others.
fn state_before(batch_head: u32, chunk: u32) -> u32 {
  let chunks = chunk_count(params.seqlen_k);
  return (batch_head * (chunks + 1u) + select(chunk, chunks, params.causal == 0u)) * state_size();
}

fn gradient_after(batch_head: u32, chunk: u32) -> u32 {
  let chunks = chunk_count(params.seqlen);
  return (batch_head * (chunks + 1u) + select(chunk, chunks, params.causal == 0u)) * state_size();
}

// φ from the exponent u - |x̂|²/2 - c.
fn phi(exponent: vec4<f32>) -> vec4<f32> {
  return inverseSqrt(f32(params.feature_dim)) * (exp(exponent) + params.eps);
}

// The derivative of φ by u, from φ.
fn slope(feature: vec4<f32>) -> vec4<f32> {
  return feature - inverseSqrt(f32(params.feature_dim)) * params.eps;
}

// headDim^(-1/4), by which x̂ is smaller than x.
fn token_factor() -> f32 {
  return inverseSqrt(sqrt(f32(params.head_dim)));
}

// --- Products of rows with rows ---

const SLICE = 4u; // vec4s of a row per step: 16 numbers

var<workgroup> row_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // rows of X̂, φ(Q) or dO, [CHUNK, 16 numbers]
var<workgroup> column_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // rows of W, φ(K) or V

// Place of a vec4 in a tile of 4 columns. One vec4 of padding after every 4 rows spreads neighbouring blocks of 4 rows
// over all memory banks.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// products[i] += the numbers of one slice of row 4y+i of row_tile with those of the rows 4x..4x+3 of column_tile.
fn multiply_slices(products: ptr<function, array<vec4<f32>, 4>>, lane: vec2<u32>) {
  for (var d = 0u; d < SLICE; d++) {
    let c0 = column_tile[place(4u * lane.x, d)];
    let c1 = column_tile[place(4u * lane.x + 1u, d)];
    let c2 = column_tile[place(4u * lane.x + 2u, d)];
    let c3 = column_tile[place(4u * lane.x + 3u, d)];
    for (var i = 0u; i < 4u; i++) {
      let row = row_tile[place(4u * lane.y + i, d)];
      (*products)[i] += vec4(dot(row, c0), dot(row, c1), dot(row, c2), dot(row, c3));
    }
  }
}

// --- Features ---

// The chunks of queries come first along x, those of keys after them. Invocation (x, y) owns the tokens 4y..4y+3 and of each
// block of CHUNK features those from 4x to 4x+3.
@compute @workgroup_size(CHUNK / 4, CHUNK / 4)
fn project(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let of_keys = group.x >= chunk_count(params.seqlen);
  let chunk = select(group.x, group.x - chunk_count(params.seqlen), of_keys);
  let tokens = select(params.seqlen, params.seqlen_k, of_keys);
  let width = params.head_dim / 4u;
  let width_f = params.feature_dim / 4u;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * tokens + chunk * CHUNK;
  let length = chunk_length(chunk, tokens);
  let factor = token_factor();

  var squares = vec4(0.0); // this invocation's part of |x̂|²
  var largest = vec4(LOWEST);
  for (var first = 0u; first < width_f; first += CHUNK / 4u) {
    var products = array<vec4<f32>, 4>();
    for (var slice = 0u; slice < width; slice += SLICE) {
      for (var e = index; e < CHUNK * SLICE; e += CHUNK * CHUNK / 16u) {
        let row = e / SLICE;
        let column = slice + e % SLICE;
        var token = vec4(0.0);
        var direction = vec4(0.0);
        if (row < length && column < width) {
          let at = (first_row + row) * width + column;
          if (of_keys) {
            token = factor * k[at];
          } else {
            token = factor * q[at];
          }
        }
        if (4u * first + row < params.feature_dim && column < width) {
          direction = projection[(4u * first + row) * width + column];
        }
        row_tile[place(row, e % SLICE)] = token;
        column_tile[place(row, e % SLICE)] = direction;
      }
      workgroupBarrier();
      multiply_slices(&products, lane);
      if (first == 0u && lane.x < SLICE) {
        for (var i = 0u; i < 4u; i++) {
          let part = row_tile[place(4u * lane.y + i, lane.x)];
          squares[i] += dot(part, part);
        }
      }
      workgroupBarrier();
    }
    let column = first + lane.x;
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      if (row < length && column < width_f) {
        let at = (first_row + row) * width_f + column;
        if (of_keys) {
          key_features[at] = products[i];
        } else {
          query_features[at] = products[i];
        }
        let pairs = max(products[i].xy, products[i].zw);
        largest[i] = max(largest[i], max(pairs.x, pairs.y));
      }
    }
  }

  // |x̂|²/2 and the largest u of the tokens 4y..4y+3, of which each of CHUNK/4 invocations has a part.
  row_tile[CHUNK / 4u * lane.y + lane.x] = squares;
  column_tile[CHUNK / 4u * lane.y + lane.x] = largest;
  workgroupBarrier();
  var half_square = vec4(0.0);
  for (var x = 0u; x < CHUNK / 4u; x++) {
    half_square += 0.5 * row_tile[CHUNK / 4u * lane.y + x];
    largest = max(largest, column_tile[CHUNK / 4u * lane.y + x]);
  }
  workgroupBarrier();
  for (var column = lane.x; column < width_f; column += CHUNK / 4u) {
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      if (row < length) {
        let at = (first_row + row) * width_f + column;
        if (of_keys) {
          key_features[at] -= vec4(half_square[i]);
        } else {
          query_features[at] = phi(query_features[at] - half_square[i] - largest[i]);
        }
      }
    }
  }
  if (lane.x == 0u) {
    row_tile[lane.y] = largest;
  }
  workgroupBarrier();
  if (of_keys && index == 0u) {
    var of_chunk = LOWEST;
    for (var row = 0u; row < CHUNK; row++) {
      of_chunk = max(of_chunk, row_tile[row / 4u][row % 4u]);
    }
    maxima[batch_head * chunk_count(params.seqlen_k) + chunk] = of_chunk;
  }
}

const MAPPERS = 256u; // invocations per workgroup of map_keys, with a vec4 of features each

var<workgroup> largest_parts: array<f32, MAPPERS>;

@compute @workgroup_size(256)
fn map_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let batch_head = group.z * params.heads + group.y;
  let chunks = chunk_count(params.seqlen_k);
  var largest = LOWEST;
  for (var chunk = index; chunk < chunks; chunk += MAPPERS) {
    largest = max(largest, maxima[batch_head * chunks + chunk]);
  }
  largest_parts[index] = largest;
  workgroupBarrier();
  for (var half = MAPPERS / 2u; half > 0u; half /= 2u) {
    if (index < half) {
      largest_parts[index] = max(largest_parts[index], largest_parts[index + half]);
    }
    workgroupBarrier();
  }
  let size = params.seqlen_k * params.feature_dim / 4u;
  let element = group.x * MAPPERS + index;
  if (element < size) {
    let at = batch_head * size + element;
    key_features[at] = phi(key_features[at] - largest_parts[0]);
  }
}

// --- The weights and their gradients ---

// Invocation (x, y) owns the queries 4y..4y+3 and the keys 4x..4x+3 of both. Blocks ahead of the query stay zero. Without a
// causal mask there is nothing to do: states hold all keys.
@compute @workgroup_size(CHUNK / 4, CHUNK / 4)
fn weigh(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  if (params.causal == 0u) {
    return;
  }
  let lane = id.xy;
  let width = params.feature_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let first_row = (group.z * params.heads + group.y) * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen);

  var scores = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    for (var e = index; e < CHUNK * SLICE; e += CHUNK * CHUNK / 16u) {
      let row = e / SLICE;
      let column = slice + e % SLICE;
      var query = vec4(0.0);
      var key = vec4(0.0);
      if (row < length && column < width) {
        query = query_features[(first_row + row) * width + column];
        key = key_features[(first_row + row) * width + column];
      }
      row_tile[place(row, e % SLICE)] = query;
      column_tile[place(row, e % SLICE)] = key;
    }
    workgroupBarrier();
    if (lane.x <= lane.y) {
      multiply_slices(&scores, lane);
    }
    workgroupBarrier();
  }

  var gradients = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width_v; slice += SLICE) {
    for (var e = index; e < CHUNK * SLICE; e += CHUNK * CHUNK / 16u) {
      let row = e / SLICE;
      let column = slice + e % SLICE;
      var gradient = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && column < width_v) {
        gradient = do_rows[(first_row + row) * width_v + column];
        value = v[(first_row + row) * width_v + column];
      }
      row_tile[place(row, e % SLICE)] = gradient;
      column_tile[place(row, e % SLICE)] = value;
    }
    workgroupBarrier();
    if (lane.x <= lane.y) {
      multiply_slices(&gradients, lane);
    }
    workgroupBarrier();
  }

  var weight_sums = vec4(0.0); // of the queries 4y..4y+3
  var product_sums = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    let visible = vec4(4u * lane.x) + vec4(0u, 1u, 2u, 3u) <= vec4(row);
    let weight = select(vec4(0.0), scores[i], visible);
    weight_sums[i] = dot(weight, vec4(1.0));
    product_sums[i] = dot(weight, gradients[i]);
    if (row < length) {
      weights[(first_row + row) * CHUNK / 4u + lane.x] = weight;
      dweights[(first_row + row) * CHUNK / 4u + lane.x] = select(vec4(0.0), gradients[i], visible);
    }
  }
  row_tile[CHUNK / 4u * lane.y + lane.x] = weight_sums;
  column_tile[CHUNK / 4u * lane.y + lane.x] = product_sums;
  workgroupBarrier();
  if (index < length) {
    var sums = vec2(0.0);
    for (var x = 0u; x < CHUNK / 4u; x++) {
      let at = CHUNK / 4u * (index / 4u) + x;
      sums += vec2(row_tile[at][index % 4u], column_tile[at][index % 4u]);
    }
    divisors[first_row + index] = sums;
  }
}

// --- What each chunk adds to S and z, and to R and r ---

const STATE_BLOCK = 16u; // vec4s of featureDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> left_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // φ(K) or φ(Q), [TOKENS, 64 of featureDim]
var<workgroup> right_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // V or dO / D, [TOKENS, 64 of headDimV]
var<workgroup> factors: array<f32, TOKENS>; // of the rows of φ(K) in z, or of φ(Q) in r

// Part of a state in the registers of invocation (x, y) of 8 × 8: the vec4s y and y+8 of featureDim with the vec4s x
// and x+8 of headDimV. matrix[8a + 2t + b] is number t of vec4 y+8a and vec4 x+8b, vector[a] the part of z or r.
struct Sums {
  matrix: array<vec4<f32>, 16>,
  vector: array<vec4<f32>, 2>,
}

// The block of the state that a workgroup sums: its first vec4 of featureDim and of headDimV.
fn block_origin(block: u32) -> vec2<u32> {
  let blocks_v = (params.head_dim_v / 4u + STATE_BLOCK - 1u) / STATE_BLOCK;
  return vec2(block / blocks_v, block % blocks_v) * STATE_BLOCK;
}

// Adds the TOKENS rows in the tiles.
fn add_rows(sums: ptr<function, Sums>, lane: vec2<u32>) {
  for (var n = 0u; n < TOKENS; n++) {
    let r0 = right_rows[STATE_BLOCK * n + lane.x];
    let r1 = right_rows[STATE_BLOCK * n + lane.x + 8u];
    for (var a = 0u; a < 2u; a++) {
      let left = left_rows[STATE_BLOCK * n + lane.y + 8u * a];
      (*sums).vector[a] += factors[n] * left;
      for (var t = 0u; t < 4u; t++) {
        (*sums).matrix[8u * a + 2u * t] += left[t] * r0;
        (*sums).matrix[8u * a + 2u * t + 1u] += left[t] * r1;
      }
    }
  }
}

@compute @workgroup_size(8, 8)
fn sum_keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.feature_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let origin = block_origin(group.y / params.heads);
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen_k + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen_k);

  var sums = Sums();
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let row = first + e / STATE_BLOCK;
      let column = origin + vec2(e % STATE_BLOCK);
      var key = vec4(0.0);
      var value = vec4(0.0);
      if (row < length && column.x < width) {
        key = key_features[(first_row + row) * width + column.x];
      }
      if (row < length && column.y < width_v) {
        value = v[(first_row + row) * width_v + column.y];
      }
      left_rows[e] = key;
      right_rows[e] = value;
    }
    if (index < TOKENS) {
      factors[index] = 1.0;
    }
    workgroupBarrier();
    add_rows(&sums, lane.xy);
    workgroupBarrier();
  }

  let state = (batch_head * (chunk_count(params.seqlen_k) + 1u) + group.x) * state_size();
  for (var a = 0u; a < 2u; a++) {
    let d4 = origin.x + lane.y + 8u * a;
    for (var t = 0u; t < 4u; t++) {
      for (var b = 0u; b < 2u; b++) {
        let column = origin.y + lane.x + 8u * b;
        if (d4 < width && column < width_v) {
          states[state + (4u * d4 + t) * width_v + column] = sums.matrix[8u * a + 2u * t + b];
        }
      }
    }
    if (d4 < width && lane.x == 0u && origin.y == 0u) {
      states[state + matrix_size() + d4] = sums.vector[a];
    }
  }
}

@compute @workgroup_size(8, 8)
fn sum_queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.feature_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let origin = block_origin(group.y / params.heads);
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen);

  var sums = Sums();
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let row = first + e / STATE_BLOCK;
      let column = origin + vec2(e % STATE_BLOCK);
      var query = vec4(0.0);
      var gradient = vec4(0.0);
      if (row < length && column.x < width) {
        query = query_features[(first_row + row) * width + column.x];
      }
      if (row < length && column.y < width_v) {
        gradient = divisors[first_row + row].x * do_rows[(first_row + row) * width_v + column.y];
      }
      left_rows[e] = query;
      right_rows[e] = gradient;
    }
    if (index < TOKENS) {
      var factor = 0.0;
      if (first + index < length) {
        factor = divisors[first_row + first + index].y;
      }
      factors[index] = factor;
    }
    workgroupBarrier();
    add_rows(&sums, lane.xy);
    workgroupBarrier();
  }

  let state = (batch_head * (chunk_count(params.seqlen) + 1u) + group.x) * state_size();
  for (var a = 0u; a < 2u; a++) {
    let d4 = origin.x + lane.y + 8u * a;
    for (var t = 0u; t < 4u; t++) {
      for (var b = 0u; b < 2u; b++) {
        let column = origin.y + lane.x + 8u * b;
        if (d4 < width && column < width_v) {
          dstates[state + (4u * d4 + t) * width_v + column] = sums.matrix[8u * a + 2u * t + b];
        }
      }
    }
    if (d4 < width && lane.x == 0u && origin.y == 0u) {
      dstates[state + matrix_size() + d4] = sums.vector[a];
    }
  }
}

// --- S and z before, R and r after each chunk ---

// One invocation per vec4 of S and z: it goes through the chunks of keys forwards.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= state_size()) {
    return;
  }
  let chunks = chunk_count(params.seqlen_k);
  let first = (id.z * params.heads + id.y) * (chunks + 1u) * state_size() + id.x;
  var state = vec4(0.0);
  for (var chunk = 0u; chunk < chunks; chunk++) {
    let at = first + chunk * state_size();
    let sum = states[at];
    states[at] = state;
    state += sum;
  }
  states[first + chunks * state_size()] = state;
}

// One invocation per vec4 of R and r: it goes through the chunks of queries backwards.
@compute @workgroup_size(64)
fn scan_gradients(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= state_size()) {
    return;
  }
  let chunks = chunk_count(params.seqlen);
  let first = (id.z * params.heads + id.y) * (chunks + 1u) * state_size() + id.x;
  var gradient = vec4(0.0);
  for (var left = chunks; left > 0u; left--) {
    let at = first + (left - 1u) * state_size();
    let sum = dstates[at];
    dstates[at] = gradient;
    gradient += sum;
  }
  dstates[first + chunks * state_size()] = gradient;
}

// --- The products that make the gradients ---

const STEP = 8u; // vec4s of a row of the left operand per step: 32 numbers
const LANES = 8u; // invocations side by side along output columns
const COLUMNS = 4u; // vec4s of the result per invocation and token at most: 8 × 4 × 4 = 128 numbers
const RESULT_BLOCK = LANES * COLUMNS; // vec4s of a row of the result that a workgroup makes at a time

var<workgroup> left_tile: array<vec4<f32>, CHUNK * STEP + CHUNK / 4>; // [CHUNK, 32 numbers of a row of the left operand]
var<workgroup> right_tile: array<vec4<f32>, 32u * LANES>; // rows of the right operand by steps, [rows of the step, columns]
var<workgroup> query_factors: array<vec2<f32>, CHUNK>; // 1 / D and δ

// Place of a vec4 in left_tile, padded as the tiles above are.
fn left_place(row: u32, column: u32) -> u32 {
  return STEP * row + row / 4u + column;
}

// output[4c + i] += left_tile · right_tile for token 4y+i and vec4 column x+8c, over `count` rows of right_tile of which
// the first belongs to number `first` of a row of left_tile.
fn multiply_rows(
  output: ptr<function, array<vec4<f32>, 16>>,
  first: u32,
  count: u32,
  columns: u32,
  lane: vec2<u32>,
) {
  let stride = LANES * columns;
  for (var n = 0u; n < count; n += 4u) {
    let w0 = left_tile[left_place(4u * lane.y, (first + n) / 4u)];
    let w1 = left_tile[left_place(4u * lane.y + 1u, (first + n) / 4u)];
    let w2 = left_tile[left_place(4u * lane.y + 2u, (first + n) / 4u)];
    let w3 = left_tile[left_place(4u * lane.y + 3u, (first + n) / 4u)];
    let rows = array<vec4<f32>, 4>(w0, w1, w2, w3);
    for (var c = 0u; c < COLUMNS; c++) {
      if (c < columns) {
        let at = n * stride + LANES * c + lane.x;
        let r0 = right_tile[at];
        let r1 = right_tile[at + stride];
        let r2 = right_tile[at + 2u * stride];
        let r3 = right_tile[at + 3u * stride];
        for (var i = 0u; i < 4u; i++) {
          var sum = (*output)[4u * c + i];
          sum += rows[i].x * r0;
          sum += rows[i].y * r1;
          sum += rows[i].z * r2;
          sum += rows[i].w * r3;
          (*output)[4u * c + i] = sum;
        }
      }
    }
  }
}

// Block e of 4 features × 4 value columns of a state goes into right_tile by value columns; block[i] holds feature i.
fn store_transposed(block: mat4x4<f32>, e: u32, stride: u32) {
  let by_value = transpose(block);
  for (var j = 0u; j < 4u; j++) {
    right_tile[(e / stride * 4u + j) * stride + e % stride] = by_value[j];
  }
}

// vec4s of the result per invocation and token, for the block that begins at vec4 `first` of `width`.
fn columns_of(first: u32, width: u32) -> u32 {
  return min((width - first + LANES - 1u) / LANES, COLUMNS);
}

// Rows of the right operand that fit the tile.
fn rows_per_load_of(columns: u32) -> u32 {
  return select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
}

// t of the queries. P goes to its place until D and δ are known, which takes all blocks of features.
@compute @workgroup_size(8, CHUNK / 4)
fn queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width_f = params.feature_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let causal = params.causal != 0u;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen);
  let state = state_before(batch_head, group.x);

  // P = dO Sᵀ, and this invocation's part of φ(q) · z and φ(q) · P
  var parts = array<vec2<f32>, 4>();
  for (var block = 0u; block < width_f; block += RESULT_BLOCK) {
    let columns = columns_of(block, width_f);
    let stride = LANES * columns;
    let rows_per_load = rows_per_load_of(columns);
    var output = array<vec4<f32>, 16>();
    for (var slice = 0u; slice < width_v; slice += STEP) {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width_v) {
          value = do_rows[(first_row + row) * width_v + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
      for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
        for (var e = index; e < rows_per_load / 4u * stride; e += LANES * CHUNK / 4u) {
          let column_v = slice + first / 4u + e / stride;
          var numbers = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) {
            let feature = 4u * (block + e % stride) + i;
            if (feature < params.feature_dim && column_v < width_v) {
              numbers[i] = states[state + feature * width_v + column_v];
            }
          }
          store_transposed(numbers, e, stride);
        }
        workgroupBarrier();
        multiply_rows(&output, first, rows_per_load, columns, lane);
        workgroupBarrier();
      }
    }
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      for (var c = 0u; c < COLUMNS; c++) {
        let column = block + LANES * c + lane.x;
        if (row < length && column < width_f) {
          let at = (first_row + row) * width_f + column;
          let query = query_features[at];
          parts[i] += vec2(dot(query, states[state + matrix_size() + column]), dot(query, output[4u * c + i]));
          query_gradients[at] = output[4u * c + i];
        }
      }
    }
  }

  // D and δ: the parts of the 8 invocations of a query, and those of its chunk.
  for (var i = 0u; i < 4u; i++) {
    left_tile[left_place(4u * lane.y + i, lane.x)] = vec4(parts[i], 0.0, 0.0);
  }
  workgroupBarrier();
  if (index < length) {
    var sums = vec2(0.0);
    if (causal) {
      sums = divisors[first_row + index];
    }
    for (var x = 0u; x < LANES; x++) {
      sums += left_tile[left_place(index, x)].xy;
    }
    let inverse = 1.0 / sums.x;
    query_factors[index] = vec2(inverse, -sums.y * inverse * inverse);
    divisors[first_row + index] = query_factors[index];
  }
  workgroupBarrier();

  // P / D + δ z, and the keys of the chunk
  for (var block = 0u; block < width_f; block += RESULT_BLOCK) {
    let columns = columns_of(block, width_f);
    let stride = LANES * columns;
    let rows_per_load = rows_per_load_of(columns);
    var output = array<vec4<f32>, 16>();
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      for (var c = 0u; c < COLUMNS; c++) {
        let column = block + LANES * c + lane.x;
        if (row < length && column < width_f) {
          let before = query_gradients[(first_row + row) * width_f + column];
          let factor = query_factors[row];
          output[4u * c + i] = factor.x * before + factor.y * states[state + matrix_size() + column];
        }
      }
    }
    for (var slice = 0u; causal && slice < CHUNK / 4u; slice += STEP) {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length) {
          let factor = query_factors[row];
          let gradient = factor.x * dweights[(first_row + row) * CHUNK / 4u + column] + factor.y;
          value = select(vec4(0.0), gradient, vec4(4u * column) + vec4(0u, 1u, 2u, 3u) <= vec4(row));
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
      for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
        for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
          let token = 4u * slice + first + e / stride;
          let column = block + e % stride;
          var value = vec4(0.0);
          if (token < length && column < width_f) {
            value = key_features[(first_row + token) * width_f + column];
          }
          right_tile[e] = value;
        }
        workgroupBarrier();
        multiply_rows(&output, first, rows_per_load, columns, lane);
        workgroupBarrier();
      }
    }
    for (var i = 0u; i < 4u; i++) {
      let row = 4u * lane.y + i;
      for (var c = 0u; c < COLUMNS; c++) {
        let column = block + LANES * c + lane.x;
        if (row < length && column < width_f) {
          let at = (first_row + row) * width_f + column;
          query_gradients[at] = slope(query_features[at]) * output[4u * c + i];
        }
      }
    }
  }
}

// left_tile = 32 queries of (dA / D + δ)ᵀ from query 4·slice on: dA read by blocks of 4 queries × 4 keys, each transposed.
// Queries past the end have no weights.
fn load_transposed_gradients(first_row: u32, length: u32, slice: u32, index: u32) {
  for (var e = index; e < CHUNK / 4u * STEP; e += LANES * CHUNK / 4u) {
    let key_column = e % (CHUNK / 4u);
    let query_column = e / (CHUNK / 4u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let query = 4u * (slice + query_column) + i;
      if (query < length) {
        let divisor = divisors[first_row + query];
        let gradient = divisor.x * dweights[(first_row + query) * CHUNK / 4u + key_column] + divisor.y;
        let visible = vec4(4u * key_column) + vec4(0u, 1u, 2u, 3u) <= vec4(query);
        block[i] = select(vec4(0.0), gradient, visible);
      }
    }
    let by_key = transpose(block);
    for (var j = 0u; j < 4u; j++) {
      left_tile[left_place(4u * key_column + j, query_column)] = by_key[j];
    }
  }
}

// t of the keys: dφ(K) = [(dA / D + δ)ᵀ, V] [φ(Q); Rᵀ] + r, times the slopes.
@compute @workgroup_size(8, CHUNK / 4)
fn keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width_f = params.feature_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen_k + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen_k);
  let state = gradient_after(batch_head, group.x);
  let block = group.y / params.heads * RESULT_BLOCK;
  let columns = columns_of(block, width_f);
  let stride = LANES * columns;
  let rows_per_load = rows_per_load_of(columns);
  // The inner dimension: first the queries of the chunk, where causal, then headDimV.
  let token_steps = select(0u, CHUNK / 4u / STEP, params.causal != 0u);
  let steps = token_steps + (width_v + STEP - 1u) / STEP;

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_tokens = step < token_steps;
    let slice = STEP * select(step - token_steps, step, of_tokens);
    if (of_tokens) {
      load_transposed_gradients(first_row, length, slice, index);
    } else {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width_v) {
          value = v[(first_row + row) * width_v + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      if (of_tokens) {
        for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
          let token = 4u * slice + first + e / stride;
          let column = block + e % stride;
          var value = vec4(0.0);
          if (token < length && column < width_f) {
            value = query_features[(first_row + token) * width_f + column];
          }
          right_tile[e] = value;
        }
      } else {
        for (var e = index; e < rows_per_load / 4u * stride; e += LANES * CHUNK / 4u) {
          let column_v = slice + first / 4u + e / stride;
          var numbers = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) {
            let feature = 4u * (block + e % stride) + i;
            if (feature < params.feature_dim && column_v < width_v) {
              numbers[i] = dstates[state + feature * width_v + column_v];
            }
          }
          store_transposed(numbers, e, stride);
        }
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = block + LANES * c + lane.x;
      if (row < length && column < width_f) {
        let at = (first_row + row) * width_f + column;
        let gradient = output[4u * c + i] + dstates[state + matrix_size() + column];
        key_gradients[at] = slope(key_features[at]) * gradient;
      }
    }
  }
}

// left_tile = 32 queries of Aᵀ from query 4·slice on: A read by blocks of 4 queries × 4 keys, each transposed. Queries
// past the end have no weights.
fn load_transposed_weights(first_row: u32, length: u32, slice: u32, index: u32) {
  for (var e = index; e < CHUNK / 4u * STEP; e += LANES * CHUNK / 4u) {
    let key_column = e % (CHUNK / 4u);
    let query_column = e / (CHUNK / 4u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let query = 4u * (slice + query_column) + i;
      if (query < length) {
        block[i] = weights[(first_row + query) * CHUNK / 4u + key_column];
      }
    }
    let by_key = transpose(block);
    for (var j = 0u; j < 4u; j++) {
      left_tile[left_place(4u * key_column + j, query_column)] = by_key[j];
    }
  }
}

// dV = [Aᵀ, φ(K)] [dO / D; R]
@compute @workgroup_size(8, CHUNK / 4)
fn values(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width_f = params.feature_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * params.seqlen_k + group.x * CHUNK;
  let length = chunk_length(group.x, params.seqlen_k);
  let state = gradient_after(batch_head, group.x);
  let block = group.y / params.heads * RESULT_BLOCK;
  let columns = columns_of(block, width_v);
  let stride = LANES * columns;
  let rows_per_load = rows_per_load_of(columns);
  // The inner dimension: first the queries of the chunk, where causal, then featureDim.
  let token_steps = select(0u, CHUNK / 4u / STEP, params.causal != 0u);
  let steps = token_steps + (width_f + STEP - 1u) / STEP;

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_tokens = step < token_steps;
    let slice = STEP * select(step - token_steps, step, of_tokens);
    if (of_tokens) {
      load_transposed_weights(first_row, length, slice, index);
    } else {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width_f) {
          value = key_features[(first_row + row) * width_f + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let n = 4u * slice + first + e / stride; // a query of the chunk, or a feature
        let column = block + e % stride;
        var value = vec4(0.0);
        if (of_tokens && n < length && column < width_v) {
          value = divisors[first_row + n].x * do_rows[(first_row + n) * width_v + column];
        }
        if (!of_tokens && n < params.feature_dim && column < width_v) {
          value = dstates[state + n * width_v + column];
        }
        right_tile[e] = value;
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = block + LANES * c + lane.x;
      if (row < length && column < width_v) {
        dv[(first_row + row) * width_v + column] = output[4u * c + i];
      }
    }
  }
}

// --- From the features back to the tokens ---

// dQ and dK; workgroups along x as in `project`.
@compute @workgroup_size(8, CHUNK / 4)
fn project_back(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let of_keys = group.x >= chunk_count(params.seqlen);
  let chunk = select(group.x, group.x - chunk_count(params.seqlen), of_keys);
  let tokens = select(params.seqlen, params.seqlen_k, of_keys);
  let width = params.head_dim / 4u;
  let width_f = params.feature_dim / 4u;
  let batch_head = group.z * params.heads + group.y % params.heads;
  let first_row = batch_head * tokens + chunk * CHUNK;
  let length = chunk_length(chunk, tokens);
  let block = group.y / params.heads * RESULT_BLOCK;
  let columns = columns_of(block, width);
  let stride = LANES * columns;
  let rows_per_load = rows_per_load_of(columns);

  var output = array<vec4<f32>, 16>(); // t W
  var parts = vec4(0.0); // this invocation's part of Σ t
  for (var slice = 0u; slice < width_f; slice += STEP) {
    for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
      let row = e / STEP;
      let column = slice + e % STEP;
      var value = vec4(0.0);
      if (row < length && column < width_f) {
        let at = (first_row + row) * width_f + column;
        if (of_keys) {
          value = key_gradients[at];
        } else {
          value = query_gradients[at];
        }
      }
      left_tile[left_place(row, e % STEP)] = value;
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let feature = 4u * slice + first + e / stride;
        let column = block + e % stride;
        var value = vec4(0.0);
        if (feature < params.feature_dim && column < width) {
          value = projection[feature * width + column];
        }
        right_tile[e] = value;
      }
      workgroupBarrier();
      if (first == 0u) {
        for (var i = 0u; i < 4u; i++) {
          parts[i] += dot(left_tile[left_place(4u * lane.y + i, lane.x)], vec4(1.0));
        }
      }
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  right_tile[LANES * lane.y + lane.x] = parts;
  workgroupBarrier();
  var sums = vec4(0.0); // Σ t of the tokens 4y..4y+3
  for (var x = 0u; x < LANES; x++) {
    sums += right_tile[LANES * lane.y + x];
  }
  let factor = token_factor();
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = block + LANES * c + lane.x;
      if (row < length && column < width) {
        let at = (first_row + row) * width + column;
        if (of_keys) {
          dk[at] = factor * (output[4u * c + i] - sums[i] * factor * k[at]);
        } else {
          dq[at] = factor * (output[4u * c + i] - sums[i] * factor * q[at]);
        }
      }
    }
  }
}
