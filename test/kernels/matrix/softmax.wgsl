/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 2, seqlen: 64, headDim: 32 }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / 16), heads, batch] }
---*/

// Softmax attention by matrix units: 16 queries a workgroup, 32 keys a step. S = Q Kᵀ and O += P V are products of
// 16 × 16 matrices with f16 operands and f32 sums, dealt to the subgroups column by column; the softmax between them is
// plain code over workgroup memory, a row an invocation.

enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

struct Params {
  heads: u32,
  heads_kv: u32,
  seqlen: u32,
  seqlen_k: u32,
  head_dim: u32,
  head_dim_v: u32,
  causal: u32,
  window_left: i32,
  window_right: i32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f16>;
@group(0) @binding(2) var<storage, read> k: array<f16>;
@group(0) @binding(3) var<storage, read> v: array<f16>;
@group(0) @binding(4) var<storage, read_write> o: array<f16>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;

const INVOCATIONS = 64u;
const ROWS = 16u;
const KEYS = 32u;
const WIDTH = 128u; // of the tiles: heads are padded with zeros to a multiple of 16
const LOWEST = -1.0e30;

var<workgroup> q_tile: array<f16, ROWS * WIDTH>;
var<workgroup> kv_tile: array<f16, KEYS * WIDTH>;
var<workgroup> scores: array<f32, ROWS * KEYS>;
var<workgroup> weights: array<f16, ROWS * KEYS>;
var<workgroup> sums: array<f32, ROWS * WIDTH>;
var<workgroup> corrections: array<f32, ROWS>;

fn is_visible(i: u32, j: u32) -> bool {
  let distance = i32(j) - (i32(i) + i32(params.seqlen_k) - i32(params.seqlen));
  let right = select(params.window_right, 0, params.causal != 0u);
  return j < params.seqlen_k && (right < 0 || distance <= right)
    && (params.window_left < 0 || -distance <= params.window_left);
}

fn padded(width: u32) -> u32 {
  return (width + 15u) / 16u * 16u;
}

@compute @workgroup_size(INVOCATIONS)
fn attend(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  let plane = group.z * params.heads + group.y;
  let kv_plane = group.z * params.heads_kv + group.y / (params.heads / params.heads_kv);
  let first = group.x * ROWS;
  let width = padded(params.head_dim);
  let width_v = padded(params.head_dim_v);

  for (var i = index; i < ROWS * width; i += INVOCATIONS) {
    let row = i / width;
    let d = i % width;
    var value = 0.0h;
    if (first + row < params.seqlen && d < params.head_dim) {
      value = q[(plane * params.seqlen + first + row) * params.head_dim + d];
    }
    q_tile[row * WIDTH + d] = value;
  }
  for (var i = index; i < ROWS * width_v; i += INVOCATIONS) {
    sums[i / width_v * WIDTH + i % width_v] = 0.0;
  }

  var row_max = LOWEST;
  var row_sum = 0.0;
  for (var start = 0u; start < params.seqlen_k; start += KEYS) {
    workgroupBarrier();
    for (var i = index; i < KEYS * width; i += INVOCATIONS) {
      let row = i / width;
      let d = i % width;
      var value = 0.0h;
      if (start + row < params.seqlen_k && d < params.head_dim) {
        value = k[(kv_plane * params.seqlen_k + start + row) * params.head_dim + d];
      }
      kv_tile[row * WIDTH + d] = value;
    }
    workgroupBarrier();

    for (var tile = subgroup * 16u; tile < KEYS; tile += subgroups * 16u) {
      var products = Sums();
      for (var d = 0u; d < width; d += 16u) {
        let queries = subgroupMatrixLoad<Left, row_major>(&q_tile, d, WIDTH);
        let keys = subgroupMatrixLoad<Right, col_major>(&kv_tile, tile * WIDTH + d, WIDTH);
        products = subgroupMatrixMultiplyAccumulate(queries, keys, products);
      }
      subgroupMatrixStore<row_major>(&scores, tile, products, KEYS);
    }
    workgroupBarrier();

    if (index < ROWS) {
      var tile_max = row_max;
      for (var j = 0u; j < KEYS; j++) {
        if (is_visible(first + index, start + j)) {
          tile_max = max(tile_max, params.scale * scores[index * KEYS + j]);
        }
      }
      let correction = exp(row_max - tile_max);
      row_sum *= correction;
      for (var j = 0u; j < KEYS; j++) {
        var weight = 0.0;
        if (is_visible(first + index, start + j)) {
          weight = exp(params.scale * scores[index * KEYS + j] - tile_max);
        }
        row_sum += weight;
        weights[index * KEYS + j] = f16(weight);
      }
      corrections[index] = correction;
      row_max = tile_max;
    }
    for (var i = index; i < KEYS * width_v; i += INVOCATIONS) {
      let row = i / width_v;
      let d = i % width_v;
      var value = 0.0h;
      if (start + row < params.seqlen_k && d < params.head_dim_v) {
        value = v[(kv_plane * params.seqlen_k + start + row) * params.head_dim_v + d];
      }
      kv_tile[row * WIDTH + d] = value;
    }
    workgroupBarrier();

    for (var i = index; i < ROWS * width_v; i += INVOCATIONS) {
      sums[i / width_v * WIDTH + i % width_v] *= corrections[i / width_v];
    }
    workgroupBarrier();

    for (var tile = subgroup * 16u; tile < width_v; tile += subgroups * 16u) {
      var total = subgroupMatrixLoad<Sums, row_major>(&sums, tile, WIDTH);
      for (var j = 0u; j < KEYS; j += 16u) {
        let part = subgroupMatrixLoad<Left, row_major>(&weights, j, KEYS);
        let values = subgroupMatrixLoad<Right, row_major>(&kv_tile, j * WIDTH + tile, WIDTH);
        total = subgroupMatrixMultiplyAccumulate(part, values, total);
      }
      subgroupMatrixStore<row_major>(&sums, tile, total, WIDTH);
    }
  }
  workgroupBarrier();

  if (index < ROWS) {
    corrections[index] = select(0.0, 1.0 / row_sum, row_sum > 0.0);
    if (first + index < params.seqlen) {
      lse[plane * params.seqlen + first + index] = select(-3.4e38, row_max + log(row_sum), row_sum > 0.0);
    }
  }
  workgroupBarrier();
  for (var i = index; i < ROWS * params.head_dim_v; i += INVOCATIONS) {
    let row = i / params.head_dim_v;
    let d = i % params.head_dim_v;
    if (first + row < params.seqlen) {
      o[(plane * params.seqlen + first + row) * params.head_dim_v + d] = f16(sums[row * WIDTH + d] * corrections[row]);
    }
  }
}
