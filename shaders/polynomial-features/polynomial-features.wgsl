/*---
mechanism: polynomial-features
shape: { batch: 1, heads: 8, seqlen: 2048, headDim: 16, featureDim: 273 }
passes:
  - { entry: expand, workgroups: [ceil(seqlen / ROWS), heads, batch] }
---*/

// Polynomial features of degree 2 of queries or keys, told apart by their width:
//
//   taylor2(x)   = [1, x, x_i x_j / √2 for all i, j]      1 + headDim + headDim² wide
//   monomial2(x) = [1, x, x_i x_j for i <= j]             (headDim + 1)(headDim + 2) / 2 wide
//
// There is one multiplication for each number that is written: what counts is that neighbouring invocations write
// neighbouring features. A workgroup takes ROWS rows one after another. Which pair (i, j) a feature is would take a
// division, or for the triangle i <= j a square root, so each invocation walks instead: LANES columns on, and into the
// next rows of pairs where a row ends.

const LANES = 64u;
override ROWS: u32 = 4; // rows of x per workgroup

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32, // 2 to 128
  feature_dim: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [batch, heads, seqlen, featureDim]

var<workgroup> numbers: array<f32, 128>; // one row of x

@compute @workgroup_size(LANES)
fn expand(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let width = params.head_dim;
  let taylor = params.feature_dim == 1u + width + width * width;
  let factor = select(1.0, inverseSqrt(2.0), taylor);
  let first_row = (group.z * params.heads + group.y) * params.seqlen;

  let end = min(group.x * ROWS + ROWS, params.seqlen);
  for (var token = group.x * ROWS; token < end; token++) {
    let row = first_row + token;
    for (var d = lane; d < width; d += LANES) {
      numbers[d] = x[row * width + d];
    }
    workgroupBarrier();

    let features = row * params.feature_dim;
    for (var d = lane; d <= width; d += LANES) {
      var feature = 1.0;
      if (d > 0u) {
        feature = numbers[d - 1u];
      }
      y[features + d] = feature;
    }
    var at = features + 1u + width + lane;
    var i = 0u;
    var j = lane;
    loop {
      // Past the end of row i by j - width: as far into the next row, which starts at its diagonal in the triangle.
      while (i < width && j >= width) {
        i += 1u;
        j = j - width + select(i, 0u, taylor);
      }
      if (i >= width) {
        break;
      }
      y[at] = factor * numbers[i] * numbers[j];
      at += LANES;
      j += LANES;
    }
    workgroupBarrier();
  }
}
