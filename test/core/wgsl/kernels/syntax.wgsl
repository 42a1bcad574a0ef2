// Legal WGSL that parsers get wrong: every construct here is taken by Tint and Naga's grammar.
enable f16, subgroups,;
requires packed_4x8_integer_dot_product;
diagnostic(warning, subgroup_uniformity);
;
/* a /* nested */ comment with < ( and #define inside */
const Δx = 1.5h; const _under = 0x1F; const big = 1e10; const half = .5f; const dot_end = 2.;
const hex_float = 0x1.8p+3; const bits = 0xDEADBEEFu; const neg: i32 = -7;
const shifted = 1u << 4u; const table = array(1, 2, 3); const pair = vec2<i32>(neg, 3);
alias Scalar = f32; alias V = vec4<Scalar>; alias M = mat4x4<f32>; alias P = ptr<function, V>;
override threads: u32 = _under + 1;
override scale: f32 = f32(big) / 2.0;
override flag: bool;

struct Empty_ish { a: i32 }
struct Inner { @size(32) w: vec3h, @align(16) m: mat3x2<f32>, };
struct Outer {
  inner: array<Inner, table[1]>,
  count: atomic<i32>,
  tail: array<vec2<u32>>,
};

@group(0) @binding(0) var<storage, read_write,> outer: Outer;
@binding(1) @group(0) var<storage> data: array<array<f32, 4>>;
@group(1) @binding(0x2) var image: texture_storage_2d<rgba8unorm, write>;
@group(1) @binding(3) var shade: texture_2d<f32>;
@group(1) @binding(4) var shade_sampler: sampler;
var<workgroup> s: array<u32, 64>;
var<private> state = vec3f();

fn helper(a: u32, b: u32) -> bool { return a < b; }
fn update(p: ptr<function, V>, i: i32) -> V { (*p)[i] += 1.; p.x = 2f; return *p; }
fn in_workgroup(p: ptr<workgroup, array<u32, 64>>) -> u32 { return (*p)[0]; }
fn nothing() {}

@compute @workgroup_size(threads, 1,)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(subgroup_size) lanes: u32,) {
  let i = id.x;
  var v: vec4<f32> = V(1, 2, 3, 4);
  let x = i;
  { let x = x + 1; _ = x; }
  s[select(0u, 1u, i < 3)] = x >> 1u;
  s[u32(i < 5)] = 3u; s[1] >>= 1u;
  let less = (i < 3) | (i > 5);
  let mixed = select(1u, 2u, i < 8u) * 2u > 3u;
  let call = helper(i, 4u) && helper(u32(i < 3u), 1u) == false;
  let generic = array<vec2<u32>, 2>(vec2<u32>(1), vec2(2u));
  let nested = array<array<f32, 2>, 2>();
  let shifted_array = array<i32, (8 >> 1)>();
  let compared = array<i32, select(1, 2, (3 > 2))>();
  if i < 3u { nothing(); } else if (i == 3u) { return; } else { ; }
  for (var j = 0; j < 3; j++) { if j == 1 { continue; } v[j] *= 2.; }
  for (;;) { break; }
  var k = 0u;
  while k < 4u { k += 1u; }
  loop {
    if k >= 8u { break; }
    continuing { k++; let done = k > 7u; break if done; }
  }
  switch k { case 1u, 2u: { k = 3; } case 4, default, { k--; } }
  switch (k) { default {} }
  let p = &v; (*p).y = 1; p.z = 2; var rows = M();
  let element = &rows[1 + 0]; (*element).x = 1;
  _ = update(&v, 1i);
  v.x = -v.y + - -v.z; k = ~k; k = ~(k & 3u); let not = !flag;
  let q = bitcast<u32>(1f) ^ bits; let t = vec2<f32>(1, 2).yx.x;
  let m = M() * v; let c = m[0]; state.x = f32(q);
  atomicAdd(&outer.count, 1); let old = atomicCompareExchangeWeak(&outer.count, 0, 1).exchanged;
  let length = arrayLength(&outer.tail) + arrayLength(&data);
  let total = subgroupAdd(f32(lanes)) + f32(dot4U8Packed(1u, 2u));
  const local = 4; var arr: array<f32, local>; arr[local - 1] = 1.0;
  textureStore(image, vec2u(0), vec4f(total));
  const_assert local < 5 && local > 3;
  @diagnostic(off, derivative_uniformity) if true { storageBarrier(); }
  if (lanes < 4 && (k > 3 || k < 1)) { workgroupBarrier(); }
  let unused = vec3(1, 2, 3) . zyx; let fma_ = fma(1.0, 2.0, 3.0);
  s[0] = in_workgroup(&s) + length + u32(scale) + u32(old) + u32(less) + u32(mixed) + u32(not);
}

@fragment fn shade_main(@builtin(position) at: vec4f) -> @location(0) vec4f {
  return textureSample(shade, shade_sampler, at.xy) * f32(Δx);
}
@vertex fn vertex_main(@location(0) @interpolate(flat, first) n: u32) -> @builtin(position) @invariant vec4f {
  return vec4f(f32(n));
}
