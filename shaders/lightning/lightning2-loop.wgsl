/*---
mechanism: lightning-attention
shape: { batch: 4, heads: 16, seqlen: 512, headDim: 64 }
passes:
  - { entry: attend, workgroups: [ceil(headDimV / 16), heads, batch] }
---*/

// Lightning Attention-2 (Qin et al. 2024) as its Algorithm 1 has it: a loop over chunks that carries the state along. A
// workgroup owns 16 value columns of one head and keeps their part of S [headDim, 16] in workgroup memory from the first
// chunk to the last. With λ = e^(-slope) and the rows r = 1..b of a chunk:
//
//   O_intra = ((Q Kᵀ) ⊙ M) V,   M_rc = λ^(r-c) for c <= r, else 0
//   O_inter = Λ Q S,            Λ = diag(λ^1 .. λ^b)
//   S ← λ^b S + (Γ K)ᵀ V,       Γ = diag(λ^(b-1) .. λ^0)
//   O = scale · (O_intra + O_inter)
//
// One dispatch, and no state in device memory but the first and the last: the form for many heads and sequences, which
// fill the GPU side by side. Where they are few, lightning2.wgsl runs the chunks themselves side by side, in three passes.
//
// The products go through headDim in slices of 16 numbers: while a slice of Q and K is in workgroup memory, it gives its
// part of Q Kᵀ and of Q S, and then its rows of S are brought to the end of the chunk. Q Kᵀ is formed by 8 × 8 invocations,
// 4 × 4 scores each; everything with value columns by 16 × 4, one vec4 column each.

const CHUNK = 32u; // tokens per chunk
const SLICE = 4u; // vec4s of headDim per step: 16 numbers
const COLUMNS = 4u; // vec4s of headDimV per workgroup: 16 numbers
const HEAD_DIM = 128u; // headDim may be up to this

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // a multiple of 4, as is head_dim_v
  head_dim_v: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> slopes: array<f32>; // [heads]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read_write> s: array<vec4<f32>>; // [batch, heads, headDim, headDimV]

var<workgroup> state: array<vec4<f32>, HEAD_DIM * COLUMNS>; // S, [headDim, 16 columns]
var<workgroup> value_tile: array<vec4<f32>, CHUNK * COLUMNS>; // V of the chunk, [CHUNK, 16 columns]
// A slice of Q and one of K, [CHUNK, 16 numbers] each; then (Q Kᵀ) ⊙ M, [CHUNK, CHUNK].
var<workgroup> tile: array<vec4<f32>, 2 * (CHUNK * SLICE + CHUNK / 4)>;
const KEYS = CHUNK * SLICE + CHUNK / 4; // where the slice of K begins

const LOG2_E = 1.4426950408889634;

// Place of a vec4 in a slice. One vec4 of padding after every 4 rows spreads 8 neighbouring blocks of rows over all memory
// banks.
fn place(row: u32, column: u32) -> u32 {
  return SLICE * row + row / 4u + column;
}

// S before the first token.
fn load_state(batch_head: u32, first_column: u32, index: u32) {
  let width_v = params.head_dim_v / 4u;
  for (var e = index; e < params.head_dim * COLUMNS; e += 64u) {
    let column = first_column + e % COLUMNS;
    var value = vec4(0.0);
    if (column < width_v) {
      value = s0[(batch_head * params.head_dim + e / COLUMNS) * width_v + column];
    }
    state[e] = value;
  }
}

// S after the last token.
fn store_state(batch_head: u32, first_column: u32, index: u32) {
  let width_v = params.head_dim_v / 4u;
  for (var e = index; e < params.head_dim * COLUMNS; e += 64u) {
    let column = first_column + e % COLUMNS;
    if (column < width_v) {
      s[(batch_head * params.head_dim + e / COLUMNS) * width_v + column] = state[e];
    }
  }
}

// Rows past the end of the chunk are zero.
fn load_values(first_row: u32, length: u32, first_column: u32, index: u32) {
  let width_v = params.head_dim_v / 4u;
  for (var e = index; e < CHUNK * COLUMNS; e += 64u) {
    let column = first_column + e % COLUMNS;
    var value = vec4(0.0);
    if (e / COLUMNS < length && column < width_v) {
      value = v[(first_row + e / COLUMNS) * width_v + column];
    }
    value_tile[e] = value;
  }
}

fn load_slices(first_row: u32, length: u32, slice: u32, index: u32) {
  let width = params.head_dim / 4u;
  for (var e = index; e < CHUNK * SLICE; e += 64u) {
    let row = e / SLICE;
    let column = slice + e % SLICE;
    var query = vec4(0.0);
    var key = vec4(0.0);
    if (row < length && column < width) {
      query = q[(first_row + row) * width + column];
      key = k[(first_row + row) * width + column];
    }
    tile[place(row, e % SLICE)] = query;
    tile[KEYS + place(row, e % SLICE)] = key;
  }
}

// scores[i] += Q slice · K slice for row 4y+i and the keys 4x..4x+3.
fn multiply_keys(scores: ptr<function, array<vec4<f32>, 4>>, x: u32, y: u32) {
  for (var d = 0u; d < SLICE; d++) {
    let k0 = tile[KEYS + place(4u * x, d)];
    let k1 = tile[KEYS + place(4u * x + 1u, d)];
    let k2 = tile[KEYS + place(4u * x + 2u, d)];
    let k3 = tile[KEYS + place(4u * x + 3u, d)];
    for (var i = 0u; i < 4u; i++) {
      let query = tile[place(4u * y + i, d)];
      (*scores)[i] += vec4(dot(query, k0), dot(query, k1), dot(query, k2), dot(query, k3));
    }
  }
}

// What a slice of Q finds in its rows of S, for one row of the chunk and one vec4 column.
fn meet_state(row: u32, slice: u32, column: u32) -> vec4<f32> {
  var sum = vec4(0.0);
  for (var d = 0u; d < min(SLICE, params.head_dim / 4u - slice); d++) {
    let query = tile[place(row, d)];
    let first = 4u * (slice + d) * COLUMNS + column;
    sum += query.x * state[first];
    sum += query.y * state[first + COLUMNS];
    sum += query.z * state[first + 2u * COLUMNS];
    sum += query.w * state[first + 3u * COLUMNS];
  }
  return sum;
}

// S ← λ^b S + (Γ K)ᵀ V in row `d` of the slice, for one vec4 column. `rate` is -log2 λ.
fn update_state(slice: u32, d: u32, column: u32, length: u32, rate: f32) {
  let at = (4u * slice + d) * COLUMNS + column;
  var sum = exp2(-rate * f32(length)) * state[at];
  for (var r = 0u; r < length; r++) {
    let key = exp2(-rate * f32(length - 1u - r)) * tile[KEYS + place(r, d / 4u)][d % 4u];
    sum += key * value_tile[COLUMNS * r + column];
  }
  state[at] = sum;
}

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let batch_head = group.z * params.heads + group.y;
  let first_column = group.x * COLUMNS;
  let width_v = params.head_dim_v / 4u;
  let rate = slopes[group.y] * LOG2_E;
  let column = index % COLUMNS; // of the value columns
  let row = index / COLUMNS; // of the chunk: this one and the one 16 below; of a slice's 16 rows of S

  load_state(batch_head, first_column, index);
  for (var first = 0u; first < params.seqlen; first += CHUNK) {
    let first_row = batch_head * params.seqlen + first;
    let length = min(CHUNK, params.seqlen - first);
    load_values(first_row, length, first_column, index);

    var scores = array<vec4<f32>, 4>();
    var inter = array<vec4<f32>, 2>();
    for (var slice = 0u; slice < params.head_dim / 4u; slice += SLICE) {
      load_slices(first_row, length, slice, index);
      workgroupBarrier();
      if (index % 8u <= index / 8u) {
        multiply_keys(&scores, index % 8u, index / 8u);
      }
      inter[0] += meet_state(row, slice, column);
      inter[1] += meet_state(row + 16u, slice, column);
      workgroupBarrier();
      if (4u * slice + row < params.head_dim) {
        update_state(slice, row, column, length, rate);
      }
      workgroupBarrier();
    }

    // (Q Kᵀ) ⊙ M. The distance is clamped before the power, which would overflow for a key far ahead.
    for (var i = 0u; i < 4u; i++) {
      let r = 4u * (index / 8u) + i;
      let distance = vec4(f32(r) - f32(4u * (index % 8u))) - vec4(0.0, 1.0, 2.0, 3.0);
      let decay = select(vec4(0.0), exp2(-rate * max(distance, vec4(0.0))), distance >= vec4(0.0));
      tile[CHUNK / 4u * r + index % 8u] = decay * scores[i];
    }
    workgroupBarrier();

    for (var half = 0u; half < 2u; half++) {
      let r = row + 16u * half;
      var sum = exp2(-rate * f32(r + 1u)) * inter[half];
      for (var c = 0u; c < CHUNK / 4u; c++) {
        let weights = tile[CHUNK / 4u * r + c];
        sum += weights.x * value_tile[COLUMNS * (4u * c) + column];
        sum += weights.y * value_tile[COLUMNS * (4u * c + 1u) + column];
        sum += weights.z * value_tile[COLUMNS * (4u * c + 2u) + column];
        sum += weights.w * value_tile[COLUMNS * (4u * c + 3u) + column];
      }
      if (r < length && first_column + column < width_v) {
        o[(first_row + r) * width_v + first_column + column] = params.scale * sum;
      }
    }
    workgroupBarrier();
  }
  store_state(batch_head, first_column, index);
}
