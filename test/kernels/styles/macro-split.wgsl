/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 2, seqlen: 70, headDim: 64 }
defines: { KV_TYPE: vec4<f32>, MASK: 1, HEAD_V: 'div(headDimV, 4)' }
scratch:
  partial_rows: f32[batch * heads * seqlen, SPLITS, headDimV]
  partial_sums: f32[batch * heads * seqlen, SPLITS, 2]
passes:
  - { entry: attend_split, workgroups: [ceil(seqlen / 8), heads * SPLITS, batch] }
  - { entry: merge_splits, workgroups: [ceil(seqlen / 8), heads, batch] }
constants: { SPLITS: 3 }
uniforms:
  { ne1: seqlen, ne2: heads, ne12: headsKv, n_kv: seqlenK, ne0: headDim, mask_kind: causal, left: windowLeft, right: windowRight }
---*/

// Softmax attention with the keys divided into SPLITS parts, each a workgroup of its own, and merged by a second pass.
// Written for a preprocessor: the element type, the mask and the width of a row come from outside.

override SPLITS: u32 = 4;

#define ROWS 8
#define LANES 8
#define LOWEST (-1e30)
#define ROW(batch_, head_, token_) (((batch_) * params.ne2 + (head_)) * params.ne1 + (token_))

#ifndef HEAD_V
#error HEAD_V gives the vec4s of a row of V
#endif

#if HEAD_V > 16
#define COLUMNS 4
#else
#define COLUMNS 2
#endif

struct Params {
  ne1: u32,
  ne2: u32,
  ne12: u32,
  n_kv: u32,
  ne0: u32,
#ifdef MASK
  mask_kind: u32,
  left: i32,
  right: i32,
#endif
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<KV_TYPE>;
@group(0) @binding(2) var<storage, read> v: array<KV_TYPE>;
@group(0) @binding(3) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> partial_rows: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partial_sums: array<vec2<f32>>;
@group(0) @binding(6) var<uniform> params: Params;

#ifdef MASK
fn sees(token: u32, key: u32) -> bool {
  let ahead = i32(key) - i32(token) - i32(params.n_kv) + i32(params.ne1);
  return key < params.n_kv
    && (params.mask_kind == 0u || ahead <= 0)
    && (params.left < 0 || -ahead <= params.left)
    && (params.right < 0 || ahead <= params.right);
}
#else
fn sees(token: u32, key: u32) -> bool { return key < params.n_kv; }
#endif

var<workgroup> p_tile: array<array<f32, LANES>, ROWS>;

// Invocation (x, y): query y of the block, one key of each step, and of the output the vec4 columns x, x + 8, ...
@compute @workgroup_size(LANES, ROWS)
fn attend_split(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let token = wg.x * ROWS + lid.y;
  let head = wg.y / SPLITS;
  let split = wg.y % SPLITS;
  let row = ROW(wg.z, head, token);
  let kv_row = (wg.z * params.ne12 + head / (params.ne2 / params.ne12)) * params.n_kv;
  let per_split = (params.n_kv + SPLITS - 1u) / SPLITS;
  let end = min((split + 1u) * per_split, params.n_kv);

  var m = LOWEST;
  var l = 0.0;
  var acc = array<vec4<f32>, COLUMNS>();
  for (var first = split * per_split; first < end; first += LANES) {
    let key = first + lid.x;
    var score = LOWEST;
    if (token < params.ne1 && key < end && sees(token, key)) {
      var sum = 0.0;
      for (var d = 0u; d < params.ne0 / 4u; d++) {
        sum += dot(q[row * params.ne0 / 4u + d], k[(kv_row + key) * params.ne0 / 4u + d]);
      }
      score = sum * params.scale;
    }
    p_tile[lid.y][lid.x] = score;
    workgroupBarrier();

    var m_next = m;
    for (var j = 0u; j < LANES; j++) {
      m_next = max(m_next, p_tile[lid.y][j]);
    }
    let ratio = exp(m - m_next);
    l *= ratio;
    for (var c = 0u; c < COLUMNS; c++) {
      acc[c] *= ratio;
    }
    for (var j = 0u; j < LANES; j++) {
      let s = p_tile[lid.y][j];
      if (s > LOWEST) {
        let p = exp(s - m_next);
        l += p;
        for (var c = 0u; c < COLUMNS; c++) {
          let column = c * LANES + lid.x;
          if (column < HEAD_V) {
            acc[c] += p * v[(kv_row + first + j) * HEAD_V + column];
          }
        }
      }
    }
    m = m_next;
    workgroupBarrier();
  }

  if (token < params.ne1) {
    let part = row * SPLITS + split;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = c * LANES + lid.x;
      if (column < HEAD_V) {
        partial_rows[part * HEAD_V + column] = acc[c];
      }
    }
    if (lid.x == 0u) {
      partial_sums[part] = vec2(m, l);
    }
  }
}

@compute @workgroup_size(LANES, ROWS)
fn merge_splits(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let token = wg.x * ROWS + lid.y;
  if (token >= params.ne1) {
    return;
  }
  let row = ROW(wg.z, wg.y, token);
  var m = LOWEST;
  for (var split = 0u; split < SPLITS; split++) {
    m = max(m, partial_sums[row * SPLITS + split].x);
  }
  for (var column = lid.x; column < HEAD_V; column += LANES) {
    var l = 0.0;
    var sum = vec4<f32>();
    for (var split = 0u; split < SPLITS; split++) {
      let part = row * SPLITS + split;
      let weight = exp(partial_sums[part].x - m);
      l += weight * partial_sums[part].y;
      sum += weight * partial_rows[part * HEAD_V + column];
    }
    o[row * HEAD_V + column] = select(vec4<f32>(), sum / l, l > 0.0);
  }
}
