/*---
mechanism: softmax-attention
shape: { batch: 1, heads: 8, seqlen: 1024, headDim: 64 }
passes:
  - { entry: forward, workgroups: [ceil(seqlen / TILE_M), heads, batch] }
---*/
enable f16;
requires readonly_and_readwrite_storage_textures;
diagnostic(off, derivative_uniformity);

override TILE_M: u32 = 32;
@id(3) override TILE_N: u32 = TILE_M / 2u + 16;
override HEAD_DIM: u32;
override USE_MASK = true;
override SCALE_LOG2 = 1.5;

const LANES = 4u;
const ROWS: u32 = LANES * 2;
const NEG_INF = -0x1.fffffep+127f;

alias Tile = array<vec4f, TILE_N * (HEAD_DIM / LANES)>;

struct Mask {
  causal: u32,
  window: vec2<i32>,
}

struct Params {
  seqlen: u32,
  seqlen_k: u32,
  @align(16) scale: f32,
  @align(16) mask: Mask,
  slopes: array<vec4<f32>, 2>,
  @size(16) tail: vec3<f32>,
}

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f16>>;
@group(0) @binding(LANES - 1u) var<storage, read_write> o: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> k_tile: Tile;
var<workgroup> v_tile: array<array<f32, ROWS>, TILE_N>;
var<workgroup> done: atomic<u32>;
var<private> row_max: array<f32, 4>;

const_assert LANES == 4u && ROWS > 2;

fn load_row(src: ptr<storage, array<vec4<f32>>, read>, row: u32) -> vec4f {
  let index = row * (HEAD_DIM / LANES);
  return (*src)[select(0u, index, index < arrayLength(src))];
}

fn fill(tile: u32, lane: u32) {
  for (var i = lane; i < TILE_N; i += 64u) {
    k_tile[select(0u, i, i < TILE_N)] = load_row(&k, tile * TILE_N + i) * vec4f(f32(lane >> 1u));
  }
}

@must_use
fn score(a: vec4f, b: vec4f) -> f32 { return dot(a, b) * params.scale; }

@compute @workgroup_size(TILE_M, LANES / 2u)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  var acc = array<vec4f, 4>();
  let q = q[group.x * TILE_M + lane];
  var m = NEG_INF;
  var l: f32 = 0.0;
  for (var tile = 0u; tile < (params.seqlen_k + TILE_N - 1u) / TILE_N; tile++) {
    fill(tile, lane);
    workgroupBarrier();
    for (var j = 0u; j < TILE_N; j++) {
      let s = score(q, k_tile[j]);
      let visible = (j <= lane) || !USE_MASK;
      if (!visible) { continue; }
      let next = max(m, s);
      let alpha = exp2((m - next) * SCALE_LOG2);
      l = l * alpha + exp2(s - next);
      acc[j % 4u] *= alpha;
      m = next;
    }
    workgroupBarrier();
  }
  _ = atomicAdd(&done, 1u);
  o[group.x * TILE_M + lane] = acc[0] / l;
}
