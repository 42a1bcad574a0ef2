/** A first kernel of ATLAS. */
export const atlasTemplate = `/*---
mechanism: atlas
shape: { batch: 1, heads: 4, seqlen: 16, headDim: 16 }
scratch:
  gates: f32[batch, heads, seqlen, 4]
  work: f32[batch, heads, 5, featureDim, headDimV]
  grams: f32[batch, heads, 2, headDimV, headDimV]
passes:
  - { entry: gather, workgroups: [seqlen, heads, batch] }
  - { entry: learn, workgroups: [heads, batch, 1] }
---*/

// ATLAS (Behrouz et al. 2025) by its recurrence, starting from an empty memory, with A the memory before the token's chunk:
//
//   S = theta S + sum of gamma lossCoef f(k) (Aᵀ f(k) - v)ᵀ over the window, M = alpha M - eta NS(S), o = Mᵀ f(q)
//
// One workgroup per head, token after token; an invocation has one column of every matrix, all of which lie in device memory.
// A place to start from: right on every device, and slow, because nothing is kept close.

const COLUMNS = 64u; // invocations, and columns of the memory at most
// The matrices of a head in the buffer "work", one after another.
const MEMORY = 0u;
const ANCHOR = 1u; // the memory before the chunk
const MOMENTUM = 2u;
const X = 3u; // the iterate of Newton-Schulz
const NEXT = 4u;

struct Params {
  heads: u32,
  seqlen: u32,
  head_dim: u32,
  feature_dim: u32,
  head_dim_v: u32, // at most COLUMNS
  window: u32,
  chunk: u32,
  steps: u32,
  loss_coef: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(2) var<storage, read> k: array<f32>; // [batch, heads, seqlen, headDim]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(4) var<storage, read> gamma: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(5) var<storage, read> theta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(6) var<storage, read> eta: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(7) var<storage, read> alpha: array<f32>; // [batch, heads, seqlen]
@group(0) @binding(8) var<storage, read_write> o: array<f32>; // [batch, heads, seqlen, headDimV]
@group(0) @binding(9) var<storage, read_write> gates: array<vec4<f32>>; // gamma, theta, eta, alpha of each token
@group(0) @binding(10) var<storage, read_write> work: array<f32>; // five matrices of [featureDim, headDimV] a head
@group(0) @binding(11) var<storage, read_write> grams: array<f32>; // A and B, [headDimV, headDimV] each, of each head

// A pass may bind 8 storage buffers: the gates go through one.
@compute @workgroup_size(1)
fn gather(@builtin(workgroup_id) group: vec3<u32>) {
  let row = (group.z * params.heads + group.y) * params.seqlen + group.x;
  gates[row] = vec4(gamma[row], theta[row], eta[row], alpha[row]);
}

// Which two numbers of a row make feature r, or head_dim for a factor of 1.
fn factors_of(r: u32) -> vec2<u32> {
  if (params.feature_dim == params.head_dim) {
    return vec2(r, params.head_dim);
  }
  if (r <= params.head_dim) {
    return vec2(select(r - 1u, params.head_dim, r == 0u), params.head_dim);
  }
  let pair = r - 1u - params.head_dim;
  return vec2(pair / params.head_dim, pair % params.head_dim);
}

fn key_feature(row: u32, r: u32) -> f32 {
  let at = factors_of(r);
  var feature = 1.0;
  if (at.x < params.head_dim) {
    feature = k[row * params.head_dim + at.x];
  }
  if (at.y < params.head_dim) {
    feature *= 0.70710678 * k[row * params.head_dim + at.y];
  }
  return feature;
}

fn query_feature(row: u32, r: u32) -> f32 {
  let at = factors_of(r);
  var feature = 1.0;
  if (at.x < params.head_dim) {
    feature = q[row * params.head_dim + at.x];
  }
  if (at.y < params.head_dim) {
    feature *= 0.70710678 * q[row * params.head_dim + at.y];
  }
  return feature;
}

// Where a number of a head's matrix stands.
fn at(head: u32, matrix: u32, r: u32, column: u32) -> u32 {
  return ((head * 5u + matrix) * params.feature_dim + r) * params.head_dim_v + column;
}

fn gram_at(head: u32, matrix: u32, i: u32, j: u32) -> u32 {
  return ((head * 2u + matrix) * params.head_dim_v + i) * params.head_dim_v + j;
}

// X = S / norm, then X = a X + X (b A + c A²) with A = XᵀX, as often as there are steps.
fn newton_schulz(head: u32, column: u32, inside: bool) {
  if (inside) {
    var squares = 0.0;
    for (var n = 0u; n < params.feature_dim * params.head_dim_v; n++) {
      let number = work[at(head, MOMENTUM, 0u, n)];
      squares += number * number;
    }
    for (var r = 0u; r < params.feature_dim; r++) {
      work[at(head, X, r, column)] = work[at(head, MOMENTUM, r, column)] / (sqrt(squares) + 1e-7);
    }
  }
  storageBarrier();
  for (var step = 0u; step < params.steps; step++) {
    if (inside) {
      for (var i = 0u; i < params.head_dim_v; i++) {
        var sum = 0.0;
        for (var r = 0u; r < params.feature_dim; r++) {
          sum += work[at(head, X, r, i)] * work[at(head, X, r, column)];
        }
        grams[gram_at(head, 0u, i, column)] = sum;
      }
    }
    storageBarrier();
    if (inside) {
      for (var i = 0u; i < params.head_dim_v; i++) {
        var sum = 0.0;
        for (var j = 0u; j < params.head_dim_v; j++) {
          sum += grams[gram_at(head, 0u, i, j)] * grams[gram_at(head, 0u, j, column)];
        }
        grams[gram_at(head, 1u, i, column)] = -4.775 * grams[gram_at(head, 0u, i, column)] + 2.0315 * sum;
      }
      for (var r = 0u; r < params.feature_dim; r++) {
        var sum = 3.4445 * work[at(head, X, r, column)];
        for (var j = 0u; j < params.head_dim_v; j++) {
          sum += work[at(head, X, r, j)] * grams[gram_at(head, 1u, j, column)];
        }
        work[at(head, NEXT, r, column)] = sum;
      }
    }
    storageBarrier();
    if (inside) {
      for (var r = 0u; r < params.feature_dim; r++) {
        work[at(head, X, r, column)] = work[at(head, NEXT, r, column)];
      }
    }
    storageBarrier();
  }
}

@compute @workgroup_size(COLUMNS)
fn learn(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) column: u32) {
  let head = group.y * params.heads + group.x;
  let inside = column < params.head_dim_v;
  if (inside) {
    for (var r = 0u; r < params.feature_dim; r++) {
      work[at(head, MEMORY, r, column)] = 0.0;
      work[at(head, MOMENTUM, r, column)] = 0.0;
    }
  }
  for (var t = 0u; t < params.seqlen; t++) {
    let row = head * params.seqlen + t;
    if (inside) {
      for (var r = 0u; r < params.feature_dim; r++) {
        if (t % params.chunk == 0u) {
          work[at(head, ANCHOR, r, column)] = work[at(head, MEMORY, r, column)];
        }
        work[at(head, MOMENTUM, r, column)] *= gates[row].y;
      }
      for (var back = min(params.window, t + 1u); back > 0u; back--) {
        let token = row + 1u - back;
        var error = -v[token * params.head_dim_v + column];
        for (var r = 0u; r < params.feature_dim; r++) {
          error += key_feature(token, r) * work[at(head, ANCHOR, r, column)];
        }
        error *= params.loss_coef * gates[token].x;
        for (var r = 0u; r < params.feature_dim; r++) {
          work[at(head, MOMENTUM, r, column)] += key_feature(token, r) * error;
        }
      }
    }
    storageBarrier();
    if (params.steps > 0u) {
      newton_schulz(head, column, inside);
    }
    if (inside) {
      let update = select(MOMENTUM, X, params.steps > 0u);
      var sum = 0.0;
      for (var r = 0u; r < params.feature_dim; r++) {
        let kept = gates[row].w * work[at(head, MEMORY, r, column)];
        let memory = kept - gates[row].z * work[at(head, update, r, column)];
        work[at(head, MEMORY, r, column)] = memory;
        sum += query_feature(row, r) * memory;
      }
      o[row * params.head_dim_v + column] = sum;
    }
    storageBarrier();
  }
}
`;
