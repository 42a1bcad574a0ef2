import type { Program } from './corpus.js';

/** Statements, memory and functions: each body returns a u32 that depends on all of what it does. */
const bodies: Readonly<Record<string, string | { readonly declarations: string; readonly body: string }>> = {
  'for with every part': 'var sum = 0u; for (var i = 0u; i < 10u; i++) { sum += i * u0; } return sum;',
  'for without parts': 'var i = 0u; for (;;) { if (i >= 7u) { break; } i++; } return i;',
  'for with continue':
    'var sum = 0u; for (var i = 0u; i < 20u; i += 3u) { if (i % 2u == 0u) { continue; } sum += i; } return sum + u0;',
  while:
    'var n = u0 % 100u; var steps = 0u; while (n > 1u) { n = select(n / 2u, 3u * n + 1u, n % 2u == 1u); steps++; } return steps;',
  'loop with continuing':
    'var i = 0u; var sum = 0u; loop { if (i == 3u) { continue; } sum += i * 2u; continuing { i++; break if i > 9u; } } return sum;',
  'names of the body in continuing':
    'var i = 0u; var sum = 0u; loop { let twice = i * 2u; if (twice == 6u) { continue; } sum += 1u; continuing { i++; sum += twice; break if twice > 12u; } } return sum;',
  'nested loops with breaks':
    'var c = 0u; for (var i = 0u; i < 6u; i++) { for (var j = 0u; j < 6u; j++) { if (j > i) { break; } if (i == 4u) { continue; } c += i * j; } } return c;',
  switch: 'switch (u0 % 5u) { case 0u: { return 10u; } case 1u, 2u: { return 20u; } default: { return 30u; } }',
  'switch on i32 with default among others':
    'var r = 0; switch (i0) { case -1, 2: { r = 5; } case 0, default: { r = 7; } case 7: { r = 9; break; } } return bitcast<u32>(r);',
  'switch in a loop':
    'var r = 0u; for (var i = 0u; i < 8u; i++) { switch (i) { case 2u: { continue; } case 5u: { break; } default: { r += i; } } r += 100u; } return r;',
  'if else if': 'if (f0 < 0.0) { return 1u; } else if (f0 < 1.0) { return 2u; } else { return 3u; }',
  'short circuit skips the right side': {
    declarations: 'var<private> calls_N: u32;\nfn count_N(x: bool) -> bool { calls_N++; return x; }',
    body: 'calls_N = 0u; let a = count_N(i0 > 0) && count_N(true); let b = count_N(i1 > 0) || count_N(true); return calls_N * 4u + u32(a) * 2u + u32(b);',
  },
  'compound assignments':
    'var x = u0; x += 3u; x -= u1; x *= 5u; x ^= 7u; x |= 16u; x &= 0xffffu; x <<= 2u; x >>= 1u; x %= 1000u; x /= 3u; return x;',
  'increment and decrement': 'var a = i0; a++; a++; a--; var b = u0; b--; return bitcast<u32>(a) + b;',
  'phony assignment': {
    declarations: 'var<private> seen_N: u32;\nfn touch_N() -> u32 { seen_N += 3u; return seen_N; }',
    body: 'seen_N = u0; _ = touch_N(); _ = u1; return seen_N;',
  },
  'vector components assigned':
    'var v = vec4(1u, 2u, 3u, 4u); v.y = u0; v[2] = u1; v.x += 5u; v.w++; return v.x + v.y * 3u + v.z * 5u + v.w;',
  'vector component by index':
    'var v = vec4(1u, 2u, 3u, 4u); v[u0 % 4u] = 77u; return v.x * 1000u + v.y * 100u + v.z * 10u + v.w;',
  'vectors that swap':
    'var a = vec2(u0, u1); a = a.yx; var b = vec3(1u, 2u, 3u); b = vec3(b.z, b.x, b.y); return a.x * 7u + a.y + b.x * 100u + b.y * 10u + b.z;',
  'matrix columns':
    'var m = mat3x2<f32>(); m[1] = vec2(f0, 2.0); m[u0 % 3u].y += 1.0; m[2][0] = 4.0; return u32(m[0].y + m[1].y * 10.0 + m[2].y * 100.0 + m[2].x * 1000.0);',
  'matrix times assigned':
    'var m = mat2x2(1.0, 2.0, 3.0, 4.0); m *= mat2x2(0.0, 1.0, 1.0, 0.0); m *= 2.0; return u32(m[0].x * 1000.0 + m[0].y * 100.0 + m[1].x * 10.0 + m[1].y);',
  'array by index':
    'var a = array<u32, 5>(1u, 2u, 3u, 4u, 5u); a[u0 % 5u] += 100u; a[u1 % 5u] *= 2u; return a[0] + a[1] * 3u + a[2] * 5u + a[3] * 7u + a[4] * 11u;',
  'array of vectors':
    'var a: array<vec3<u32>, 4>; for (var i = 0u; i < 4u; i++) { a[i] = vec3(i, i * 2u, u0); a[i].y += 1u; } return a[u1 % 4u].y + a[3].x + a[2].z;',
  'array of arrays':
    'var a: array<array<u32, 3>, 4>; for (var i = 0u; i < 12u; i++) { a[i / 3u][i % 3u] = i * i; } let row = a[u0 % 4u]; return row[1] + a[3][u1 % 3u];',
  'copies are copies':
    'var a = array<u32, 3>(1u, 2u, 3u); var b = a; b[1] = u0; a[0] = 9u; return a[1] + b[1] * 10u + b[0] * 100u + a[0];',
  'let array by index':
    'let a = array<vec2<u32>, 4>(vec2(1u, 2u), vec2(u0, 4u), vec2(5u, u1), vec2(7u, 8u)); var s = 0u; for (var i = 0u; i < 4u; i++) { s = s * 3u + a[i].x + a[3u - i].y; } return s;',
  structs: {
    declarations:
      'struct Inner_N { a: u32, b: vec3<f32> }\nstruct Outer_N { x: f32, inner: array<Inner_N, 2>, y: u32 }',
    body: 'var s: Outer_N; s.inner[u0 % 2u].a = u1; s.inner[1].b.y = 3.0; s.y = 4u; let t = s; s.y = 100u; return t.inner[0].a + t.inner[1].a * 2u + u32(t.inner[1].b.y) + t.y + s.y;',
  },
  'struct values': {
    declarations:
      'struct Pair_N { first: u32, second: vec2<u32> }\nfn make_N(a: u32, b: u32) -> Pair_N { return Pair_N(a, vec2(b, a + b)); }',
    body: 'let p = make_N(u0, u1); let q = make_N(p.second.y, p.first); return p.first + q.second.x * 3u + q.first * 5u;',
  },
  'pointers to variables': {
    declarations: 'fn add_N(p: ptr<function, u32>, by: u32) -> u32 { let old = *p; *p += by; return old; }',
    body: 'var x = u0; let p = &x; let a = add_N(p, 5u); let b = add_N(&x, a); *p ^= 3u; return x + b * 7u;',
  },
  'pointers to parts': {
    declarations:
      'fn scale_N(v: ptr<function, vec4<f32>>, by: f32) { *v = *v * by; (*v).x += 1.0; }\nfn all_N(a: ptr<function, array<vec4<f32>, 3>>) { for (var i = 0; i < 3; i++) { (*a)[i] += vec4(f32(i)); } }',
    body: 'var m = array<vec4<f32>, 3>(); all_N(&m); var w = vec4(2.0); scale_N(&w, 3.0); let p = &m[u0 % 3u]; (*p).y = 9.0; return u32(m[0].y + m[1].y * 10.0 + m[2].y * 100.0 + w.x * 1000.0 + w.z);',
  },
  'pointers passed on': {
    declarations:
      'fn inner_N(p: ptr<function, array<u32, 4>>, i: u32) { (*p)[i] = i + 10u; }\nfn outer_N(p: ptr<function, array<u32, 4>>) { inner_N(p, 1u); inner_N(p, 3u); }',
    body: 'var a = array<u32, 4>(u0, u0, u0, u0); outer_N(&a); return a[0] + a[1] * 3u + a[2] + a[3] * 5u;',
  },
  'private variables': {
    declarations:
      'var<private> total_N: u32 = 5u;\nvar<private> table_N = array<u32, 3>(1u, 2u, 3u);\nfn bump_N(by: u32) { total_N += by; table_N[by % 3u]++; }',
    body: 'bump_N(u0 % 7u); bump_N(u1 % 7u); return total_N + table_N[0] * 100u + table_N[1] * 1000u + table_N[2] * 10000u;',
  },
  'pointers to private': {
    declarations:
      'var<private> box_N: vec2<u32>;\nfn set_N(p: ptr<private, vec2<u32>>, x: u32) { (*p).y = x; (*p).x = 2u; }',
    body: 'box_N = vec2(0u); set_N(&box_N, u0); return box_N.x + box_N.y * 3u;',
  },
  'zero values':
    'var a: u32; var b: vec3<f32>; var c: array<i32, 4>; var d: mat2x2<f32>; var e: bool; return a + u32(b.x) + bitcast<u32>(c[u0 % 4u]) + u32(d[1].x) + u32(e) + 3u;',
  'variables of a loop begin anew':
    'var s = 0u; for (var i = 0u; i < 4u; i++) { var x = 0u; x += i + u0; s = s * 5u + x; } return s;',
  shadowing: 'let x = u0; var s = x; { let x = 3u; s += x; { var x = 5u; x++; s += x; } } s += x; return s;',
  'constants and overrides of the module': {
    declarations:
      'const A_N = 7; const B_N: f32 = 1.0 / 3.0; const C_N = vec3(1, 2, 3) * A_N; const D_N = array(3u, 5u, 8u);',
    body: 'return u32(A_N) + bitcast<u32>(B_N) + u32(C_N.z) + D_N[u0 % 3u] + u32(A_N / 2) + u32(f32(A_N) / 2.0 * 10.0);',
  },
  'early return from a loop': {
    declarations:
      'fn find_N(x: u32) -> u32 { for (var i = 0u; i < 50u; i++) { if (i * i > x) { return i; } } return 99u; }',
    body: 'return find_N(u0 % 4000u) + find_N(u1) * 100u;',
  },
  'functions with vectors': {
    declarations: 'fn turn_N(v: vec3<f32>, k: f32) -> vec3<f32> { if (k > 0.0) { return v.zxy * k; } return -v; }',
    body: 'let a = turn_N(vec3(1.0, 2.0, 3.0), 2.0); let b = turn_N(a, -1.0); return bitcast<u32>(a.x + b.y * 100.0 + b.z);',
  },
  'functions with booleans': {
    declarations: 'fn both_N(a: bool, b: bool) -> vec2<bool> { if (a) { return vec2(b, a); } return vec2(a, !b); }',
    body: 'let r = both_N(i0 > 0, u0 > 9u); return u32(r.x) + 2u * u32(r.y);',
  },
  'functions with matrices': {
    declarations:
      'fn square_N(m: mat2x2<f32>) -> mat2x2<f32> { var r = m; for (var i = 0; i < 2; i++) { r = r * m; } return r; }',
    body: 'let m = square_N(mat2x2(1.0, 2.0, 0.5, 1.0)); return bitcast<u32>(m[0].y + m[1].x * 8.0);',
  },
  'a bool in variables':
    'var found = false; var flags = vec3<bool>(false, true, false); for (var i = 0u; i < 5u; i++) { found = found || i == u0 % 7u; flags[i % 3u] = found; } return u32(found) + 2u * u32(flags.x) + 4u * u32(flags.y) + 8u * u32(flags.z);',
  'wrap around': 'var x = 0x7fffffff; x += i0; var y = 0u; y -= u0; return bitcast<u32>(x) ^ y;',
  'division by zero':
    'let z = u0 - u0; let s = i0 - i0; return u1 / z + (u1 % z) * 3u + bitcast<u32>(i1 / s) + bitcast<u32>(i1 % s);',
  'the least integer':
    'let least = bitcast<i32>(0x80000000u); let minus = -abs(i0) / max(abs(i0), 1); return bitcast<u32>(least / minus) ^ bitcast<u32>(least % minus) ^ bitcast<u32>(-least) ^ bitcast<u32>(abs(least));',
  'a sum of products':
    'var s = 0.0; for (var i = 0; i < 8; i++) { s += f32(i) * 0.5 * f32(i0 & 7); } return bitcast<u32>(s);',
  'order of evaluation': {
    declarations: 'var<private> trail_N: u32;\nfn step_N(x: u32) -> u32 { trail_N = trail_N * 10u + x; return x; }',
    body: 'trail_N = 0u; var a: array<u32, 4>; a[step_N(1u)] = step_N(2u) + step_N(3u) * step_N(4u); return trail_N + a[1];',
  },
  'workgroup memory': {
    declarations: 'var<workgroup> tile_N: array<u32, 64>;',
    body: 'tile_N[lane] = u0 + lane; workgroupBarrier(); let other = tile_N[(lane + 17u) % 64u]; workgroupBarrier(); return other;',
  },
  'workgroup reduction': {
    declarations: 'var<workgroup> sums_N: array<u32, 64>;',
    body: 'sums_N[lane] = lane * 3u + 1u; workgroupBarrier(); for (var half = 32u; half > 0u; half /= 2u) { if (lane < half) { sums_N[lane] += sums_N[lane + half]; } workgroupBarrier(); } return sums_N[0];',
  },
  'workgroup structs and vec3': {
    declarations:
      'struct Cell_N { value: vec3<f32>, flag: bool, small: array<u32, 3> }\nvar<workgroup> cells_N: array<Cell_N, 8>;',
    body: 'if (lane < 8u) { cells_N[lane].value = vec3(f32(lane), 2.0, 3.0); cells_N[lane].flag = lane % 2u == 0u; cells_N[lane].small[lane % 3u] = lane; } workgroupBarrier(); let c = cells_N[(lane + 3u) % 8u]; return u32(c.value.x + c.value.z) + u32(c.flag) * 100u + c.small[1] * 1000u;',
  },
  'barriers in functions': {
    declarations:
      'var<workgroup> ring_N: array<u32, 64>;\nfn rotate_N(x: u32, lane: u32) -> u32 { ring_N[lane] = x; workgroupBarrier(); let y = ring_N[(lane + 1u) % 64u]; workgroupBarrier(); return y; }',
    body: 'var x = lane; for (var i = 0; i < 3; i++) { x = rotate_N(x, lane) * 2u; } return x;',
  },
  'workgroup pointers': {
    declarations:
      'var<workgroup> left_N: array<u32, 64>;\nvar<workgroup> right_N: array<u32, 64>;\nfn put_N(p: ptr<workgroup, array<u32, 64>>, lane: u32, x: u32) { (*p)[lane] = x; }\nfn get_N(p: ptr<workgroup, array<u32, 64>>, lane: u32) -> u32 { return (*p)[63u - lane]; }',
    body: 'put_N(&left_N, lane, lane); put_N(&right_N, lane, lane * 100u); workgroupBarrier(); return get_N(&left_N, lane) + get_N(&right_N, lane);',
  },
  workgroupUniformLoad: {
    declarations: 'var<workgroup> shared_N: u32;',
    body: 'if (lane == 5u) { shared_N = 42u; } let x = workgroupUniformLoad(&shared_N); return x + lane;',
  },
  'workgroup memory begins at zero': {
    declarations: 'var<workgroup> zeroed_N: array<vec2<u32>, 64>;',
    body: 'let x = zeroed_N[lane].y; workgroupBarrier(); zeroed_N[lane].y = 5u; return x + 1u;',
  },
  'atomics that commute': {
    declarations:
      'var<workgroup> add_N: atomic<u32>; var<workgroup> most_N: atomic<i32>; var<workgroup> least_N: atomic<u32>; var<workgroup> bits_N: atomic<u32>; var<workgroup> x_N: atomic<u32>; var<workgroup> down_N: atomic<i32>;',
    body: 'if (lane == 0u) { atomicStore(&least_N, 1000u); atomicStore(&down_N, 7); } workgroupBarrier(); atomicAdd(&add_N, lane); atomicMax(&most_N, i32(lane) - 30); atomicMin(&least_N, 100u - lane); atomicOr(&bits_N, 1u << (lane % 31u)); atomicXor(&x_N, lane * 5u); atomicSub(&down_N, i32(lane)); workgroupBarrier(); return atomicLoad(&add_N) + bitcast<u32>(atomicLoad(&most_N)) * 3u + atomicLoad(&least_N) * 5u + atomicLoad(&bits_N) + atomicLoad(&x_N) + bitcast<u32>(atomicLoad(&down_N));',
  },
  'atomics one by one': {
    declarations: 'var<workgroup> one_N: array<atomic<u32>, 64>;',
    body: 'atomicStore(&one_N[lane], lane); let a = atomicExchange(&one_N[lane], 9u); let b = atomicCompareExchangeWeak(&one_N[lane], 8u, 1u); let c = atomicAnd(&one_N[lane], 8u); return a + b.old_value * 100u + u32(b.exchanged) + c * 1000u + atomicLoad(&one_N[lane]);',
  },
};

/** Programs for statements and memory. All results are fixed by WGSL. */
export const statementPrograms: readonly Program[] = Object.entries(bodies).map(([name, text]) => ({
  name,
  features: [],
  declarations: typeof text === 'string' ? '' : text.declarations,
  body: typeof text === 'string' ? text : text.body,
  result: 'u32',
  closeness: 'exact',
}));
