/** A first Newton–Schulz kernel. */
export const newtonSchulzTemplate = `/*---
mechanism: newton-schulz
shape: { batch: 4, rows: 32, columns: 48 }
scratch:
  gram: f32[batch, rows, rows]
  factors: f32[batch, rows, rows]
  next: f32[batch, rows, columns]
passes:
  - { entry: orthogonalise, workgroups: [batch, 1, 1] }
---*/

// Newton-Schulz as the Muon optimiser runs it: X = G / (|G| + 1e-7), and then at each step A = X Xᵀ, B = bA + cA²,
// X = aX + B X, which brings the singular values of X near 1.
//
// One workgroup per matrix; each invocation takes every LANES-th element of each product. A place to start from: right on
// every device and for any size, and slow, because all operands come from device memory.

override LANES: u32 = 64;

struct Params {
  rows: u32,
  columns: u32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>; // [batch, rows, columns]
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // [batch, rows, columns]
@group(0) @binding(3) var<storage, read_write> gram: array<f32>; // A, [batch, rows, rows]
@group(0) @binding(4) var<storage, read_write> factors: array<f32>; // B, [batch, rows, rows]
@group(0) @binding(5) var<storage, read_write> next: array<f32>; // the new X, [batch, rows, columns]

var<workgroup> squares: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn orthogonalise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let rows = params.rows;
  let columns = params.columns;
  let first = group.x * rows * columns; // of this matrix in g, x and next
  let first_pair = group.x * rows * rows; // of this matrix in gram and factors

  var part = 0.0;
  for (var e = lane; e < rows * columns; e += LANES) {
    part += g[first + e] * g[first + e];
  }
  squares[lane] = part;
  workgroupBarrier();
  var sum = 0.0;
  for (var n = 0u; n < LANES; n++) {
    sum += squares[n];
  }
  for (var e = lane; e < rows * columns; e += LANES) {
    x[first + e] = g[first + e] / (sqrt(sum) + 1e-7);
  }
  storageBarrier();

  for (var step = 0u; step < params.steps; step++) {
    for (var e = lane; e < rows * rows; e += LANES) {
      var product = 0.0;
      for (var d = 0u; d < columns; d++) {
        product += x[first + e / rows * columns + d] * x[first + e % rows * columns + d];
      }
      gram[first_pair + e] = product;
    }
    storageBarrier();
    for (var e = lane; e < rows * rows; e += LANES) {
      var square = 0.0;
      for (var d = 0u; d < rows; d++) {
        square += gram[first_pair + e / rows * rows + d] * gram[first_pair + d * rows + e % rows];
      }
      factors[first_pair + e] = 2.0315 * square - 4.775 * gram[first_pair + e];
    }
    storageBarrier();
    for (var e = lane; e < rows * columns; e += LANES) {
      var value = 3.4445 * x[first + e];
      for (var d = 0u; d < rows; d++) {
        value += factors[first_pair + e / columns * rows + d] * x[first + d * columns + e % columns];
      }
      next[first + e] = value;
    }
    storageBarrier();
    for (var e = lane; e < rows * columns; e += LANES) {
      x[first + e] = next[first + e];
    }
    storageBarrier();
  }
}
`;
