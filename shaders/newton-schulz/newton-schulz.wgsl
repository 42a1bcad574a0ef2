/*---
mechanism: newton-schulz
shape: { batch: 64, rows: 64, columns: 64 }
passes:
  - { entry: orthogonalise, workgroups: [batch, 1, 1] }
---*/

// Newton–Schulz as the Muon optimiser runs it (K. Jordan 2024), on matrices of up to 64 × 64:
//
//   X = G / (‖G‖ + ε), transposed where it has more rows than columns
//   steps times:  A = X Xᵀ,  B = bA + cA²,  X ← aX + B X
//
// Every singular value σ of X goes its own way, σ ← aσ + bσ³ + cσ⁵, and ends near 1: the singular vectors stay. X Xᵀ is
// the smaller of the two Gram matrices, hence the transposition.
//
// One workgroup per matrix; nothing but G and X touches device memory. Invocation (x, y) of 16 × 16 keeps rows 4y..4y+3
// and columns 4x..4x+3 of X in registers, and the same block of A. An operand that others need goes through one tile of
// 16 KiB, which is all the workgroup memory there is by default and just one 64 × 64 matrix:
//
//   A  = TᵀT with T = Xᵀ in the tile
//   A² = TᵀT with T = A, which is symmetric
//   BX         with 32 rows of B (symmetric too) and 32 rows of X at a time
//
// Rows and columns past the end are zeros, and stay so.

const SIDE = 16u; // invocations along rows and columns, and vec4s in a row of the tile
const HALF = 32u; // rows of B and of X that share the tile
const EPSILON = 1e-7; // keeps a matrix of zeros what it is
const COEFFICIENTS = vec3(3.4445, -4.775, 2.0315); // a, b, c

struct Params {
  rows: u32, // at most 64
  columns: u32, // at most 64
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>; // [batch, rows, columns]
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // [batch, rows, columns]

var<workgroup> tile: array<vec4<f32>, 64 * SIDE>;

// Place of a vec4 of the tile. The columns of every four rows are permuted, so that invocations side by side, which
// write a transposed matrix to rows four apart, reach different memory banks.
fn place(row: u32, column: u32) -> u32 {
  return SIDE * row + (column ^ (row / 4u % SIDE));
}

// Σ_d T_di T_dj over `count` rows d of the tile, for i = 4y.. and j = 4x..
fn gram(count: u32, lane: vec2<u32>) -> mat4x4<f32> {
  var sums = mat4x4<f32>();
  for (var d = 0u; d < count; d++) {
    let left = tile[place(d, lane.y)];
    let right = tile[place(d, lane.x)];
    for (var i = 0u; i < 4u; i++) {
      sums[i] += left[i] * right;
    }
  }
  return sums;
}

// Writes a block of a matrix to the tile, with its first row as row `first` of the tile.
fn keep(block: mat4x4<f32>, first: u32, column: u32) {
  for (var i = 0u; i < 4u; i++) {
    tile[place(first + i, column)] = block[i];
  }
}

// ‖X‖² from all blocks.
fn square_norm(block: mat4x4<f32>, index: u32) -> f32 {
  var squares = vec4(0.0);
  for (var i = 0u; i < 4u; i++) {
    squares += block[i] * block[i];
  }
  tile[index] = squares;
  workgroupBarrier();
  var sum = vec4(0.0);
  if (index < SIDE) {
    for (var n = 0u; n < SIDE; n++) {
      sum += tile[SIDE * index + n];
    }
  }
  workgroupBarrier();
  if (index < SIDE) {
    tile[index] = sum;
  }
  workgroupBarrier();
  var total = vec4(0.0);
  for (var n = 0u; n < SIDE; n++) {
    total += tile[n];
  }
  workgroupBarrier();
  return dot(total, vec4(1.0));
}

// Where number (row, column) of X, which may be the transposed matrix, stands in device memory.
fn address(first: u32, row: u32, column: u32) -> u32 {
  if (params.rows > params.columns) {
    return first + column * params.columns + row;
  }
  return first + row * params.columns + column;
}

@compute @workgroup_size(SIDE, SIDE)
fn orthogonalise(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = id.xy;
  let first = group.x * params.rows * params.columns;
  let rows = min(params.rows, params.columns);
  let columns = max(params.rows, params.columns);

  var block = mat4x4<f32>(); // block[i][j]: row 4y+i, column 4x+j of X
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (4u * lane.y + i < rows && 4u * lane.x + j < columns) {
        block[i][j] = g[address(first, 4u * lane.y + i, 4u * lane.x + j)];
      }
    }
  }
  block *= 1.0 / (sqrt(square_norm(block, index)) + EPSILON);

  for (var step = 0u; step < params.steps; step++) {
    keep(transpose(block), 4u * lane.x, lane.y);
    workgroupBarrier();
    let products = gram(columns, lane); // A
    workgroupBarrier();
    keep(products, 4u * lane.y, lane.x);
    workgroupBarrier();
    let factors = COEFFICIENTS.y * products + COEFFICIENTS.z * gram(rows, lane); // B
    workgroupBarrier();

    var sums = COEFFICIENTS.x * block;
    for (var half = 0u; half < rows; half += HALF) {
      if (4u * lane.y / HALF == half / HALF) {
        keep(factors, 4u * lane.y - half, lane.x);
        keep(block, 4u * lane.y - half + HALF, lane.x);
      }
      workgroupBarrier();
      for (var d = 0u; d < min(HALF, rows - half); d++) {
        let left = tile[place(d, lane.y)];
        let right = tile[place(d + HALF, lane.x)];
        for (var i = 0u; i < 4u; i++) {
          sums[i] += left[i] * right;
        }
      }
      workgroupBarrier();
    }
    block = sums;
  }

  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (4u * lane.y + i < rows && 4u * lane.x + j < columns) {
        x[address(first, 4u * lane.y + i, 4u * lane.x + j)] = block[i][j];
      }
    }
  }
}
