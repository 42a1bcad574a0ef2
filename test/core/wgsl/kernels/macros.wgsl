/*---
mechanism: linear-attention
defines: { TILE: 32, FEATURE: 1, LOOP_UNROLL: true }
---*/
// #define NOT_A_DIRECTIVE in a comment, TILE stays
#ifndef TILE
#define TILE 16 // rows a workgroup holds
#endif
#define LANES (TILE / 4)
#define STRIDE(cols) ((cols) / 4 \
  + 1) /* one more against
          bank conflicts */
#define LOAD(buffer, row, col) buffer[(row) * STRIDE(HEAD_DIM) + (col)]
#define CAT(a, b) a ## b
#define HEAD_DIM 64u
#define IDENTITY 0
#define ELU1 1
#if defined(FEATURE) && FEATURE == ELU1
fn feature(x: f32) -> f32 { return select(exp(x), x + 1.0, x > 0.0); }
#elif FEATURE == IDENTITY
fn feature(x: f32) -> f32 { return x; }
#else
#error unknown feature map
#endif

struct Shape {
  seqlen: u32,
  heads: u32,
#ifdef NORMALIZE
  eps: f32,
#endif
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;
var<workgroup> CAT(key_, tile): array<f32, TILE * STRIDE(64)>;

@compute @workgroup_size(LANES, TILE)
fn attend(@builtin(local_invocation_id) lane: vec3u, @builtin(workgroup_id) group: vec3u) {
#if LOOP_UNROLL
  key_tile[lane.x] = feature(LOAD(k, group.x,
                                  lane.x));
#else
  for (var i = 0u; i < TILE; i++) { key_tile[i] = feature(LOAD(k, i, lane.x)); }
#endif
  workgroupBarrier();
# if TILE > 16 /* wide
  tiles */ && !defined(NORMALIZE)
  var sum = 0.0;
  for (var i = 0u; i < HEAD_DIM; i++) { sum += q[i] * key_tile[i]; }
  o[lane.x] = sum * LOAD(v, lane.y, lane.x);
# else
  o[lane.x] = 0.0;
# endif
#undef TILE
}
