/*---
mechanism: linear-attention
shape: { batch: 1, heads: 2, seqlen: 72, headDim: 64 }
passes:
  - { entry: linear_attention, workgroups: [heads, ceil(seqlen / 16), batch] }
bindings: { queries: q, keys: k, values: v, outputs: o }
uniforms:
  tokens.q: seqlen
  tokens.k: seqlenK
  width.k: headDim
  width.v: headDimV
  kernel_map: feature
  flags: [causal, normalize]
---*/

// Linear attention by the left product in tiles of 16 × 16, each a struct in workgroup memory that functions take by
// pointer. Every invocation owns one score of a tile and, by 16s, columns of the output.

requires unrestricted_pointer_parameters;

const T = 16u;
const MAX_COLUMNS = 8u;

struct Tile {
  // One column more than is used: rows then start in different banks.
  cells: array<array<f32, T + 1>, T>,
}

struct Counts {
  q: u32,
  k: u32,
}

struct Widths {
  k: u32,
  v: u32,
}

struct Problem {
  heads: u32,
  tokens: Counts,
  width: Widths,
  kernel_map: u32,
  flags: vec2<u32>,
  scale: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> problem: Problem;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> outputs: array<f32>;

var<workgroup> q_tile: Tile;
var<workgroup> k_tile: Tile;
var<workgroup> a_tile: Tile;
var<workgroup> v_tile: Tile;

fn feature(x: f32) -> f32 {
  switch problem.kernel_map {
    case 1u: {
      return select(exp(min(x, 0.0)), x + 1.0, x > 0.0);
    }
    case 2u: {
      let e = exp(-abs(x));
      return x * select(e, 1.0, x > 0.0) / (1.0 + e);
    }
    default: {
      return x;
    }
  }
}

fn put(tile: ptr<workgroup, Tile>, at: vec2<u32>, value: f32) {
  (*tile).cells[at.y][at.x] = value;
}

// Row `row` of one tile times row `column` of another.
fn multiply_rows(a: ptr<workgroup, Tile>, b: ptr<workgroup, Tile>, row: u32, column: u32) -> f32 {
  let left = &(*a).cells[row];
  let right = &(*b).cells[column];
  var sum = 0.0;
  for (var i = 0u; i < T; i++) {
    sum += (*left)[i] * (*right)[i];
  }
  return sum;
}

fn row_sum(tile: ptr<workgroup, Tile>, row: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < T; i++) {
    sum += (*tile).cells[row][i];
  }
  return sum;
}

fn accumulate(sums: ptr<function, array<f32, MAX_COLUMNS>>, index: u32, lane: vec2<u32>) {
  let sum = &(*sums)[index];
  for (var j = 0u; j < T; j++) {
    *sum += a_tile.cells[lane.y][j] * v_tile.cells[j][lane.x];
  }
}

@compute @workgroup_size(T, T)
fn linear_attention(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
  let lane = id.xy;
  let batch_head = group.z * problem.heads + group.x;
  let query = group.y * T + lane.y;
  let query_row = batch_head * problem.tokens.q + query;
  let is_causal = problem.flags.x == 1u;

  var sums = array<f32, MAX_COLUMNS>();
  var denominator = problem.eps;
  let end = select(problem.tokens.k, min((group.y + 1u) * T, problem.tokens.k), is_causal);
  var first = 0u;
  loop {
    if (first >= end) {
      break;
    }
    var score = 0.0;
    for (var d = 0u; d < problem.width.k; d += T) {
      var a = 0.0;
      var b = 0.0;
      if (d + lane.x < problem.width.k) {
        if (query < problem.tokens.q) {
          a = problem.scale * feature(queries[query_row * problem.width.k + d + lane.x]);
        }
        if (first + lane.y < problem.tokens.k) {
          let key_row = batch_head * problem.tokens.k + first + lane.y;
          b = feature(keys[key_row * problem.width.k + d + lane.x]);
        }
      }
      put(&q_tile, lane, a);
      put(&k_tile, lane, b);
      workgroupBarrier();
      score += multiply_rows(&q_tile, &k_tile, lane.y, lane.x);
      workgroupBarrier();
    }
    put(&a_tile, lane, select(score, 0.0, is_causal && first + lane.x > query));

    var column = 0u;
    while (column * T < problem.width.v) {
      var value = 0.0;
      if (first + lane.y < problem.tokens.k && column * T + lane.x < problem.width.v) {
        let value_row = batch_head * problem.tokens.k + first + lane.y;
        value = values[value_row * problem.width.v + column * T + lane.x];
      }
      put(&v_tile, lane, value);
      workgroupBarrier();
      if (column == 0u) {
        denominator += row_sum(&a_tile, lane.y);
      }
      accumulate(&sums, column, lane);
      workgroupBarrier();
      column++;
    }

    continuing {
      first += T;
    }
  }

  if (query < problem.tokens.q) {
    for (var column = 0u; column * T + lane.x < problem.width.v; column++) {
      let divisor = select(1.0, denominator, problem.flags.y == 1u);
      outputs[query_row * problem.width.v + column * T + lane.x] = sums[column] / divisor;
    }
  }
}
