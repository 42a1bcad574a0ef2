/*---
mechanism: linear-attention
shape: { batch: 1, heads: 2, seqlen: 40, headDim: 64 }
passes:
  - { entry: recurrent, workgroups: [ceil(headDimV / 4), heads, batch] }
bindings: { r: q, w: k, x: v, y: o, state_out: s, norm_out: z }
uniforms: { T: seqlen, S: seqlenK, H: heads, D: headDim, E: headDimV, causal_flag: causal, phi_kind: feature, divide: normalize }
---*/

// Linear attention as the recurrence it is: a workgroup holds 4 columns of the state, an invocation 1 row of them (2 for
// heads above 64). A token costs one pass over the state and two sums over the workgroup: subgroupAdd first, then what
// the subgroups found, by way of workgroup memory.

enable subgroups;

const BLOCK = 64u;
const ROWS = 2u;

struct Sizes {
  T: u32,
  S: u32,
  H: u32,
  D: u32,
  E: u32,
  causal_flag: u32,
  phi_kind: u32,
  divide: u32,
  scale: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> r: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> state_out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> norm_out: array<f32>;

// What each subgroup found, in the place of its first invocation, zero in all others; weighted values and divisor.
var<workgroup> found: array<vec4<f32>, BLOCK>;
var<workgroup> found_norm: array<f32, BLOCK>;

fn phi(value: f32) -> f32 {
  if (sizes.phi_kind == 1u) {
    if (value > 0.0) {
      return value + 1.0;
    }
    return exp(value);
  }
  if (sizes.phi_kind == 2u) {
    let e = exp(-abs(value));
    return value * select(e, 1.0, value > 0.0) / (1.0 + e);
  }
  return value;
}

struct State {
  rows: array<vec4<f32>, ROWS>,
  norm: array<f32, ROWS>,
}

fn update(state: ptr<function, State>, token: u32, lane: u32, head: u32, column: u32) {
  let value = x[(head * sizes.S + token) * (sizes.E / 4u) + column];
  for (var i = 0u; i < ROWS; i++) {
    let d = lane + i * BLOCK;
    if (d < sizes.D) {
      let key = phi(w[(head * sizes.S + token) * sizes.D + d]);
      (*state).rows[i] += key * value;
      (*state).norm[i] += key;
    }
  }
}

@compute @workgroup_size(BLOCK)
fn recurrent(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) place: u32,
) {
  let head = group.z * sizes.H + group.y;
  let column = group.x;
  var state = State();
  if (sizes.causal_flag == 0u) {
    for (var token = 0u; token < sizes.S; token++) {
      update(&state, token, lane, head, column);
    }
  }
  for (var token = 0u; token < sizes.T; token++) {
    if (sizes.causal_flag != 0u) {
      update(&state, token, lane, head, column);
    }
    var sum = vec4<f32>();
    var norm = 0.0;
    for (var i = 0u; i < ROWS; i++) {
      let d = lane + i * BLOCK;
      if (d < sizes.D) {
        let query = sizes.scale * phi(r[(head * sizes.T + token) * sizes.D + d]);
        sum += query * state.rows[i];
        norm += query * state.norm[i];
      }
    }
    let subgroup_sum = subgroupAdd(sum);
    let subgroup_norm = subgroupAdd(norm);
    found[lane] = select(vec4<f32>(), subgroup_sum, place == 0u);
    found_norm[lane] = select(0.0, subgroup_norm, place == 0u);
    workgroupBarrier();
    if (lane == 0u) {
      var total = vec4<f32>();
      var divisor = sizes.eps;
      for (var i = 0u; i < BLOCK; i++) {
        total += found[i];
        divisor += found_norm[i];
      }
      y[(head * sizes.T + token) * (sizes.E / 4u) + column] = total / select(1.0, divisor, sizes.divide != 0u);
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < ROWS; i++) {
    let d = lane + i * BLOCK;
    if (d < sizes.D) {
      state_out[(head * sizes.D + d) * (sizes.E / 4u) + column] = state.rows[i];
      if (column == 0u) {
        norm_out[head * sizes.D + d] = state.norm[i];
      }
    }
  }
}
