/*---
mechanism: gated-linear-attention
direction: backward
shape: { batch: 1, heads: 8, seqlen: 512, headDim: 64, gateDim: 1 }
bindings: { do_rows: do }
scratch:
  until: f32[batch, heads, seqlen]
  after: f32[batch, heads, seqlen]
  weights: f32[batch, heads, seqlen, CHUNK]
  dweights: f32[batch, heads, seqlen, CHUNK]
  states: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDimV]
  dstates: f32[batch, heads, ceil(seqlen / CHUNK), headDim, headDimV]
  query_paths: f32[batch, heads, ceil(headDim / 128), seqlen]
  key_paths: f32[batch, heads, ceil(headDim / 128), seqlen]
passes:
  - { entry: fade, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - { entry: weigh, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
  - entry: sum_chunks
    workgroups: [2 * ceil(seqlen / CHUNK), heads * ceil(headDim / 64) * ceil(headDimV / 64), batch]
  - { entry: scan_states, workgroups: [ceil(headDim * headDimV / 256), heads, batch] }
  - { entry: queries, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 128), batch] }
  - { entry: keys, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDim / 128), batch] }
  - { entry: values, workgroups: [ceil(seqlen / CHUNK), heads * ceil(headDimV / 128), batch] }
  - { entry: gates, workgroups: [ceil(seqlen / CHUNK), heads, batch] }
tune:
  CHUNK: [32, 64]
---*/

// Gated Linear Attention (Yang et al. 2023) with one gate per head and token, backward: the gradients of queries, keys,
// values and gates from that of the output (and of the final state), in time linear in seqlen. simple.wgsl is the way
// forward. With G(a..b) = Σ g over the tokens a to b, S the state before a chunk and dH the gradient of the state after
// it, for the rows 1..b of the chunk:
//
//   A = scale · (Q Kᵀ) ⊙ L,   dA = scale · (dO Vᵀ) ⊙ L,   L_rc = e^(G(c+1..r)) for c <= r, else 0
//   dQ = dA K + scale · Λ dO Sᵀ            Λ = diag(e^(G(1..r)))
//   dK = dAᵀ Q + Γ V dHᵀ                   Γ = diag(e^(G(c+1..b)))
//   dV = Aᵀ dO + Γ K dH
//   dH ← e^(G(1..b)) dH + scale · (Λ Q)ᵀ dO        going back to the chunk before
//
// The gate of token t scales all that passes it on the way from a key to a query, so its gradient is the sum of what
// these paths carry:
//
//   from a key c < t to a query r >= t of the chunk     A_rc (do_r · v_c)
//   from the state S to a query r >= t                  q_r · its term of dQ with S
//   from a key c < t to the state after                 k_c · its term of dK with dH
//   from S to the state after                           e^(G(1..b)) Σ (S ⊙ dH)
//
// Sums, and no difference of two that hold the same paths: a strong gate, whose gradient is next to nothing, keeps all its
// digits. Eight passes, of which all but `scan_states` run all chunks at once:
//
//   fade          Λ and Γ
//   weigh         A and dA; of dg the paths within the chunk
//   sum_chunks    what each chunk adds to S, and to dH
//   scan_states   S before each chunk and dH after it, in their place; the gradient of the initial state goes to ds0
//   queries       dQ, as one product [scale · Λ dO, dA] [Sᵀ; K], and what each query gets from the state
//   keys          dK, as one product [Γ V, dAᵀ] [dHᵀ; Q], and what each key leaves in the state after
//   values        dV, as one product [Aᵀ, Γ K] [dO; dH]
//   gates         the rest of dg
//
// In `queries`, `keys` and `values`, invocation (x, y) of the 8 × CHUNK/4 in a workgroup owns the tokens 4y..4y+3 and the
// vec4 columns x, x+8, x+16 and x+24 of the result; the left operand is read from left_tile and the right one from
// right_tile.

override CHUNK: u32 = 64; // tokens per chunk: 32 or 64

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
@group(0) @binding(4) var<storage, read> g: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> s0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(6) var<storage, read> do_rows: array<vec4<f32>>; // dO, [batch, heads, seqlen, headDimV]
@group(0) @binding(7) var<storage, read> ds: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(8) var<storage, read_write> dq: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(9) var<storage, read_write> dk: array<vec4<f32>>; // [batch, heads, seqlen, headDim]
@group(0) @binding(10) var<storage, read_write> dv: array<vec4<f32>>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(11) var<storage, read_write> dg: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(12) var<storage, read_write> ds0: array<vec4<f32>>; // [batch, heads, headDim, headDimV]
@group(0) @binding(13) var<storage, read_write> until: array<f32>; // e^(G(1..r)), [batch, heads, seqlen]
@group(0) @binding(14) var<storage, read_write> after: array<f32>; // e^(G(c+1..b)), [batch, heads, seqlen]
@group(0) @binding(15) var<storage, read_write> weights: array<vec4<f32>>; // A, [batch, heads, seqlen, CHUNK]
@group(0) @binding(16) var<storage, read_write> dweights: array<vec4<f32>>; // dA, [batch, heads, seqlen, CHUNK]
@group(0) @binding(17) var<storage, read_write> states: array<vec4<f32>>; // S, [batch, heads, chunks, headDim, headDimV]
@group(0) @binding(18) var<storage, read_write> dstates: array<vec4<f32>>; // dH, as states
// What the paths of each query from the state carry, and those of each key to the state after, by blocks of 128 channels:
// [batch, heads, ceil(headDim / 128), seqlen].
@group(0) @binding(19) var<storage, read_write> query_paths: array<f32>;
@group(0) @binding(20) var<storage, read_write> key_paths: array<f32>;

fn chunk_count() -> u32 {
  return (params.seqlen + CHUNK - 1u) / CHUNK;
}

fn chunk_length(chunk: u32) -> u32 {
  return min(CHUNK, params.seqlen - chunk * CHUNK);
}

// --- The decays from the start of a chunk and to its end ---

var<workgroup> gate_tile: array<f32, CHUNK>; // gates of a chunk; zeros past the end, where nothing decays

fn load_gates(first_row: u32, length: u32, index: u32, invocations: u32) {
  for (var row = index; row < CHUNK; row += invocations) {
    var gate = 0.0;
    if (row < length) {
      gate = g[first_row + row];
    }
    gate_tile[row] = gate;
  }
}

// One invocation per token.
@compute @workgroup_size(CHUNK)
fn fade(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) row: u32) {
  let first_row = (group.z * params.heads + group.y) * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x);
  load_gates(first_row, length, row, CHUNK);
  workgroupBarrier();
  if (row >= length) {
    return;
  }
  var before = 0.0;
  for (var n = 0u; n <= row; n++) {
    before += gate_tile[n];
  }
  var behind = 0.0;
  for (var n = row + 1u; n < length; n++) {
    behind += gate_tile[n];
  }
  until[first_row + row] = exp(before);
  after[first_row + row] = exp(behind);
}

// --- The weights and their gradients ---

const SLICE = 4u; // vec4s of headDim or headDimV per step: 16 numbers

var<workgroup> row_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // rows of Q or dO, [CHUNK, 16 numbers]
var<workgroup> column_tile: array<vec4<f32>, CHUNK * SLICE + CHUNK / 4>; // rows of K or V

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

// Row of L for one query and the keys `key`..`key`+3, all rows of the chunk. `between` is the sum of the gates from row
// `key`+4 to before row `first`, the first of a block of 4 queries to which `query` belongs.
fn decays(query: u32, key: u32, first: u32, between: f32) -> vec4<f32> {
  var sum = between;
  for (var n = max(first, key + 4u); n <= query; n++) {
    sum += gate_tile[n];
  }
  var row = vec4(0.0);
  for (var j = 0u; j < 4u; j++) {
    let c = key + 3u - j;
    if (c <= query) {
      row[3u - j] = exp(sum);
      sum += gate_tile[c];
    }
  }
  return row;
}

// What the paths between the tokens of a chunk carry past token `row`, from the sums over blocks of 4 queries × 4 keys in
// the tiles: row_tile has those of each query, column_tile those of each key. On the diagonal row_tile has, for each
// token of the block, what passes it within the block.
fn passing(row: u32) -> f32 {
  let blocks = CHUNK / 4u;
  let own = row / 4u;
  let lower = vec4(0u, 1u, 2u, 3u) < vec4(row % 4u);
  var sum = row_tile[blocks * own + own][row % 4u];
  for (var x = 0u; x < own; x++) {
    sum += dot(select(row_tile[blocks * own + x], vec4(0.0), lower), vec4(1.0));
  }
  for (var y = own + 1u; y < blocks; y++) {
    sum += dot(select(vec4(0.0), column_tile[blocks * y + own], lower), vec4(1.0));
    for (var x = 0u; x < own; x++) {
      sum += dot(row_tile[blocks * y + x], vec4(1.0));
    }
  }
  return sum;
}

// Invocation (x, y) owns the queries 4y..4y+3 and the keys 4x..4x+3 of both. Blocks ahead of the query stay zero.
@compute @workgroup_size(CHUNK / 4, CHUNK / 4)
fn weigh(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let first_row = (group.z * params.heads + group.y) * params.seqlen + group.x * CHUNK;
  let length = chunk_length(group.x);
  load_gates(first_row, length, index, CHUNK * CHUNK / 16u);

  var scores = array<vec4<f32>, 4>();
  for (var slice = 0u; slice < width; slice += SLICE) {
    for (var e = index; e < CHUNK * SLICE; e += CHUNK * CHUNK / 16u) {
      let row = e / SLICE;
      let column = slice + e % SLICE;
      var query = vec4(0.0);
      var key = vec4(0.0);
      if (row < length && column < width) {
        query = q[(first_row + row) * width + column];
        key = k[(first_row + row) * width + column];
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

  var between = 0.0;
  for (var n = 4u * lane.x + 4u; n < 4u * lane.y; n++) {
    between += gate_tile[n];
  }
  var query_sums = vec4(0.0);
  var key_sums = vec4(0.0);
  var inside = vec4(0.0); // on the diagonal: number t has the paths from keys before t to queries from t on
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    let factor = params.scale * decays(row, 4u * lane.x, 4u * lane.y, between);
    let carried = factor * scores[i] * gradients[i];
    if (row < length) {
      weights[(first_row + row) * CHUNK / 4u + lane.x] = factor * scores[i];
      dweights[(first_row + row) * CHUNK / 4u + lane.x] = factor * gradients[i];
    }
    query_sums[i] = dot(carried, vec4(1.0));
    key_sums += carried;
    for (var t = 1u; t <= i; t++) {
      inside[t] += dot(select(vec4(0.0), carried, vec4(0u, 1u, 2u, 3u) < vec4(t)), vec4(1.0));
    }
  }
  row_tile[CHUNK / 4u * lane.y + lane.x] = select(query_sums, inside, lane.x == lane.y);
  column_tile[CHUNK / 4u * lane.y + lane.x] = key_sums;
  workgroupBarrier();
  if (index < length) {
    dg[first_row + index] = passing(index);
  }
}

// --- What each chunk adds to S and to dH ---

const STATE_BLOCK = 16u; // vec4s of headDim and of headDimV per workgroup: 64 × 64 numbers of a state
const TOKENS = 16u; // tokens per step

var<workgroup> left_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // decayed keys or queries, [TOKENS, 64 of headDim]
var<workgroup> right_rows: array<vec4<f32>, TOKENS * STATE_BLOCK>; // values or gradients of outputs, [TOKENS, 64 of headDimV]

// Invocation (x, y) of 8 × 8 owns the vec4s y and y+8 of headDim and x and x+8 of headDimV: 8 × 8 numbers of the state.
// The first half of the workgroups along x sums for S, the second for dH.
@compute @workgroup_size(8, 8)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) lane: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let backward = group.x >= chunk_count();
  let chunk = select(group.x, group.x - chunk_count(), backward);
  let head = group.y % params.heads;
  let blocks_v = (width_v + STATE_BLOCK - 1u) / STATE_BLOCK;
  let block = group.y / params.heads;
  let first_d = block / blocks_v * STATE_BLOCK;
  let first_e = block % blocks_v * STATE_BLOCK;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);

  var sums = array<vec4<f32>, 16>(); // sums[8a + 2t + b]: number t of vec4 y+8a of headDim, vec4 x+8b of headDimV
  for (var first = 0u; first < length; first += TOKENS) {
    for (var e = index; e < TOKENS * STATE_BLOCK; e += 64u) {
      let row = first + e / STATE_BLOCK;
      let column = e % STATE_BLOCK;
      var left = vec4(0.0);
      var right = vec4(0.0);
      if (row < length && first_d + column < width) {
        let at = (first_row + row) * width + first_d + column;
        if (backward) {
          left = params.scale * until[first_row + row] * q[at];
        } else {
          left = after[first_row + row] * k[at];
        }
      }
      if (row < length && first_e + column < width_v) {
        let at = (first_row + row) * width_v + first_e + column;
        if (backward) {
          right = do_rows[at];
        } else {
          right = v[at];
        }
      }
      left_rows[e] = left;
      right_rows[e] = right;
    }
    workgroupBarrier();
    for (var n = 0u; n < TOKENS; n++) {
      let r0 = right_rows[STATE_BLOCK * n + lane.x];
      let r1 = right_rows[STATE_BLOCK * n + lane.x + 8u];
      for (var a = 0u; a < 2u; a++) {
        let left = left_rows[STATE_BLOCK * n + lane.y + 8u * a];
        for (var t = 0u; t < 4u; t++) {
          sums[8u * a + 2u * t] += left[t] * r0;
          sums[8u * a + 2u * t + 1u] += left[t] * r1;
        }
      }
    }
    workgroupBarrier();
  }

  let state = (batch_head * chunk_count() + chunk) * params.head_dim;
  for (var a = 0u; a < 2u; a++) {
    for (var t = 0u; t < 4u; t++) {
      let d = 4u * (first_d + lane.y + 8u * a) + t;
      for (var b = 0u; b < 2u; b++) {
        let column = first_e + lane.x + 8u * b;
        if (d < params.head_dim && column < width_v) {
          let at = (state + d) * width_v + column;
          if (backward) {
            dstates[at] = sums[8u * a + 2u * t + b];
          } else {
            states[at] = sums[8u * a + 2u * t + b];
          }
        }
      }
    }
  }
}

// --- S before and dH after each chunk ---

// One invocation per vec4 of a state: it goes through the chunks forwards for S, then backwards for dH.
@compute @workgroup_size(64)
fn scan_states(@builtin(global_invocation_id) id: vec3<u32>) {
  let width_v = params.head_dim_v / 4u;
  let size = params.head_dim * width_v;
  if (id.x >= size) {
    return;
  }
  let batch_head = id.z * params.heads + id.y;
  let chunks = chunk_count();
  let first = batch_head * chunks * size + id.x;
  let first_row = batch_head * params.seqlen;

  var state = s0[batch_head * size + id.x];
  for (var chunk = 0u; chunk < chunks; chunk++) {
    let sum = states[first + chunk * size];
    states[first + chunk * size] = state;
    state = until[first_row + chunk * CHUNK + chunk_length(chunk) - 1u] * state + sum;
  }
  var gradient = ds[batch_head * size + id.x];
  for (var left = chunks; left > 0u; left--) {
    let chunk = left - 1u;
    let sum = dstates[first + chunk * size];
    dstates[first + chunk * size] = gradient;
    gradient = until[first_row + chunk * CHUNK + chunk_length(chunk) - 1u] * gradient + sum;
  }
  ds0[batch_head * size + id.x] = gradient;
}

// --- The products that make the gradients ---

const STEP = 8u; // vec4s of a row of the left operand per step: 32 numbers
const LANES = 8u; // invocations side by side along output columns
const COLUMNS = 4u; // vec4s of the result per invocation and token at most: 8 × 4 × 4 = 128 numbers

var<workgroup> left_tile: array<vec4<f32>, CHUNK * STEP + CHUNK / 4>; // [CHUNK, 32 numbers of a row of the left operand]
var<workgroup> right_tile: array<vec4<f32>, 32u * LANES>; // rows of the right operand by steps, [rows of the step, columns]

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

var<workgroup> path_parts: array<f32, CHUNK * LANES>; // what the invocations of each token have of its paths

// The paths of token `row`, whose parts are in path_parts.
fn path_of(row: u32) -> f32 {
  var sum = 0.0;
  for (var x = 0u; x < LANES; x++) {
    sum += path_parts[LANES * row + x];
  }
  return sum;
}

// dQ = [scale · Λ dO, dA] [Sᵀ; K]
@compute @workgroup_size(8, CHUNK / 4)
fn queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let head = group.y % params.heads;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let state_row = (batch_head * chunk_count() + chunk) * params.head_dim;
  // This workgroup's part of the result: up to 128 numbers of a row, and the rows of the right operand that fit the tile.
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width - first_column + LANES - 1u) / LANES, COLUMNS);
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  // The inner dimension: first headDimV, then the tokens of the chunk.
  let value_steps = (width_v + STEP - 1u) / STEP;
  let steps = value_steps + CHUNK / 4u / STEP;

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_tokens = step >= value_steps;
    let slice = STEP * select(step, step - value_steps, of_tokens);
    if (step == value_steps) {
      // What the queries get from the state: so far the result has nothing else.
      for (var i = 0u; i < 4u; i++) {
        let row = 4u * lane.y + i;
        var path = 0.0;
        for (var c = 0u; c < COLUMNS; c++) {
          let column = first_column + LANES * c + lane.x;
          if (row < length && column < width) {
            path += dot(q[(first_row + row) * width + column], output[4u * c + i]);
          }
        }
        path_parts[LANES * row + lane.x] = path;
      }
    }
    for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
      let row = e / STEP;
      let column = slice + e % STEP;
      var value = vec4(0.0);
      if (of_tokens && row < length) {
        value = dweights[(first_row + row) * CHUNK / 4u + column];
      }
      if (!of_tokens && row < length && column < width_v) {
        value = params.scale * until[first_row + row] * do_rows[(first_row + row) * width_v + column];
      }
      left_tile[left_place(row, e % STEP)] = value;
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      if (of_tokens) {
        for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
          let token = 4u * slice + first + e / stride;
          let column = first_column + e % stride;
          var value = vec4(0.0);
          if (token < length && column < width) {
            value = k[(first_row + token) * width + column];
          }
          right_tile[e] = value;
        }
      } else {
        // A block of 4 channels × 4 value columns of the state at a time, transposed.
        for (var e = index; e < rows_per_load / 4u * stride; e += LANES * CHUNK / 4u) {
          let column_v = slice + first / 4u + e / stride;
          let column = e % stride;
          var block = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) {
            let d = 4u * (first_column + column) + i;
            if (d < params.head_dim && column_v < width_v) {
              block[i] = states[(state_row + d) * width_v + column_v];
            }
          }
          let by_value = transpose(block);
          for (var j = 0u; j < 4u; j++) {
            right_tile[(e / stride * 4u + j) * stride + column] = by_value[j];
          }
        }
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  // The barriers of the last steps have made path_parts whole.
  if (index < length) {
    let block = batch_head * ((params.head_dim + 127u) / 128u) + group.y / params.heads;
    query_paths[block * params.seqlen + chunk * CHUNK + index] = path_of(index);
  }
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (row < length && column < width) {
        dq[(first_row + row) * width + column] = output[4u * c + i];
      }
    }
  }
}

// left_tile = 32 queries of dAᵀ from query 4·slice on: dA read by blocks of 4 queries × 4 keys, each transposed. Queries
// past the end have no weights.
fn load_transposed_gradients(first_row: u32, length: u32, slice: u32, index: u32) {
  for (var e = index; e < CHUNK / 4u * STEP; e += LANES * CHUNK / 4u) {
    let key_column = e % (CHUNK / 4u);
    let query_column = e / (CHUNK / 4u);
    var block = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
      let query = 4u * (slice + query_column) + i;
      if (query < length) {
        block[i] = dweights[(first_row + query) * CHUNK / 4u + key_column];
      }
    }
    let by_key = transpose(block);
    for (var j = 0u; j < 4u; j++) {
      left_tile[left_place(4u * key_column + j, query_column)] = by_key[j];
    }
  }
}

// dK = [Γ V, dAᵀ] [dHᵀ; Q]
@compute @workgroup_size(8, CHUNK / 4)
fn keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let head = group.y % params.heads;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let state_row = (batch_head * chunk_count() + chunk) * params.head_dim;
  // This workgroup's part of the result: up to 128 numbers of a row, and the rows of the right operand that fit the tile.
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width - first_column + LANES - 1u) / LANES, COLUMNS);
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  // The inner dimension: first headDimV, then the tokens of the chunk.
  let value_steps = (width_v + STEP - 1u) / STEP;
  let steps = value_steps + CHUNK / 4u / STEP;

  var output = array<vec4<f32>, 16>();
  for (var step = 0u; step < steps; step++) {
    let of_tokens = step >= value_steps;
    let slice = STEP * select(step, step - value_steps, of_tokens);
    if (step == value_steps) {
      // What the keys leave in the state after: so far the result has nothing else.
      for (var i = 0u; i < 4u; i++) {
        let row = 4u * lane.y + i;
        var path = 0.0;
        for (var c = 0u; c < COLUMNS; c++) {
          let column = first_column + LANES * c + lane.x;
          if (row < length && column < width) {
            path += dot(k[(first_row + row) * width + column], output[4u * c + i]);
          }
        }
        path_parts[LANES * row + lane.x] = path;
      }
    }
    if (of_tokens) {
      load_transposed_gradients(first_row, length, slice, index);
    } else {
      for (var e = index; e < CHUNK * STEP; e += LANES * CHUNK / 4u) {
        let row = e / STEP;
        let column = slice + e % STEP;
        var value = vec4(0.0);
        if (row < length && column < width_v) {
          value = after[first_row + row] * v[(first_row + row) * width_v + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      if (of_tokens) {
        for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
          let token = 4u * slice + first + e / stride;
          let column = first_column + e % stride;
          var value = vec4(0.0);
          if (token < length && column < width) {
            value = q[(first_row + token) * width + column];
          }
          right_tile[e] = value;
        }
      } else {
        // A block of 4 channels × 4 value columns of the state at a time, transposed.
        for (var e = index; e < rows_per_load / 4u * stride; e += LANES * CHUNK / 4u) {
          let column_v = slice + first / 4u + e / stride;
          let column = e % stride;
          var block = mat4x4<f32>();
          for (var i = 0u; i < 4u; i++) {
            let d = 4u * (first_column + column) + i;
            if (d < params.head_dim && column_v < width_v) {
              block[i] = dstates[(state_row + d) * width_v + column_v];
            }
          }
          let by_value = transpose(block);
          for (var j = 0u; j < 4u; j++) {
            right_tile[(e / stride * 4u + j) * stride + column] = by_value[j];
          }
        }
      }
      workgroupBarrier();
      multiply_rows(&output, first, rows_per_load, columns, lane);
      workgroupBarrier();
    }
  }

  // The barriers of the last steps have made path_parts whole.
  if (index < length) {
    let block = batch_head * ((params.head_dim + 127u) / 128u) + group.y / params.heads;
    key_paths[block * params.seqlen + chunk * CHUNK + index] = path_of(index);
  }
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * lane.y + i;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = first_column + LANES * c + lane.x;
      if (row < length && column < width) {
        dk[(first_row + row) * width + column] = output[4u * c + i];
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

// dV = [Aᵀ, Γ K] [dO; dH]
@compute @workgroup_size(8, CHUNK / 4)
fn values(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let width = params.head_dim / 4u;
  let width_v = params.head_dim_v / 4u;
  let chunk = group.x;
  let head = group.y % params.heads;
  let batch_head = group.z * params.heads + head;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let state_row = (batch_head * chunk_count() + chunk) * params.head_dim;
  // This workgroup's part of the result: up to 128 numbers of a row, and the rows of the right operand that fit the tile.
  let first_column = group.y / params.heads * LANES * COLUMNS;
  let columns = min((width_v - first_column + LANES - 1u) / LANES, COLUMNS);
  let stride = LANES * columns;
  let rows_per_load = select(select(8u, 16u, columns == 2u), 32u, columns == 1u);
  // The inner dimension: first the tokens of the chunk, then headDim.
  let token_steps = CHUNK / 4u / STEP;
  let steps = token_steps + (width + STEP - 1u) / STEP;

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
        if (row < length && column < width) {
          value = after[first_row + row] * k[(first_row + row) * width + column];
        }
        left_tile[left_place(row, e % STEP)] = value;
      }
    }
    for (var first = 0u; first < 4u * STEP; first += rows_per_load) {
      for (var e = index; e < rows_per_load * stride; e += LANES * CHUNK / 4u) {
        let n = 4u * slice + first + e / stride; // a token of the chunk, or a channel of headDim
        let column = first_column + e % stride;
        var value = vec4(0.0);
        if (of_tokens && n < length && column < width_v) {
          value = do_rows[(first_row + n) * width_v + column];
        }
        if (!of_tokens && n < params.head_dim && column < width_v) {
          value = dstates[(state_row + n) * width_v + column];
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
      let column = first_column + LANES * c + lane.x;
      if (row < length && column < width_v) {
        dv[(first_row + row) * width_v + column] = output[4u * c + i];
      }
    }
  }
}

// --- The gradient of the gates ---

var<workgroup> from_state: array<f32, CHUNK>; // what the paths of each query carry from the state
var<workgroup> to_state: array<f32, CHUNK>; // what those of each key carry to the state after
var<workgroup> products: array<f32, CHUNK>; // each invocation's part of Σ (S ⊙ dH)

// One invocation per token.
@compute @workgroup_size(CHUNK)
fn gates(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) row: u32) {
  let chunk = group.x;
  let batch_head = group.z * params.heads + group.y;
  let first_row = batch_head * params.seqlen + chunk * CHUNK;
  let length = chunk_length(chunk);
  let size = params.head_dim * params.head_dim_v / 4u;
  let first_state = (batch_head * chunk_count() + chunk) * size;

  var product = 0.0;
  for (var e = row; e < size; e += CHUNK) {
    product += dot(states[first_state + e], dstates[first_state + e]);
  }
  var query_path = 0.0;
  var key_path = 0.0;
  if (row < length) {
    let blocks = (params.head_dim + 127u) / 128u;
    for (var block = batch_head * blocks; block < (batch_head + 1u) * blocks; block++) {
      query_path += query_paths[block * params.seqlen + chunk * CHUNK + row];
      key_path += key_paths[block * params.seqlen + chunk * CHUNK + row];
    }
  }
  products[row] = product;
  from_state[row] = query_path;
  to_state[row] = key_path;
  workgroupBarrier();
  if (row >= length) {
    return;
  }
  var through = 0.0;
  for (var n = 0u; n < CHUNK; n++) {
    through += products[n];
  }
  var sum = until[first_row + length - 1u] * through;
  for (var n = 0u; n < row; n++) {
    sum += to_state[n];
  }
  for (var n = row; n < length; n++) {
    sum += from_state[n];
  }
  dg[first_row + row] += sum;
}
