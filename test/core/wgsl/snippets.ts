const declarations = `
struct Inner { a: vec3<f32>, b: u32 }
struct Params { n: u32, scale: f32, inner: Inner, m: mat3x2<f32> }
struct Counters { total: atomic<u32>, lowest: atomic<i32>, list: array<atomic<u32>> }
override TILE: u32 = 16;
override SCALE = 0.5;
override FLAG: bool = true;
override LENGTH: u32 = TILE * 2u;
override ROWS: u32 = TILE / 4u + 1u;
const EIGHT = 8;
const TABLE = array(1, 2, 4, 8);
const THIRD = 1.0 / 3.0;
alias V = vec4<f32>;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read_write> o: array<f32>;
@group(0) @binding(3) var<storage, read_write> counters: Counters;
@group(0) @binding(4) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> halves: array<f16>;
var<workgroup> tile: array<vec4<f32>, LENGTH>;
var<workgroup> grid: array<array<f32, 5>, 3>;
var<workgroup> flag: atomic<i32>;
var<private> state: vec3<f32> = vec3(1, 2, 3);
fn twice(x: f32) -> f32 { return 2 * x; }
fn add_to(p: ptr<function, V>, x: f32) { (*p).x += x; p.y = x; p[2] = x; }
fn first(p: ptr<workgroup, array<vec4<f32>, LENGTH>>) -> f32 { return (*p)[0].x; }
`;
/** An entry point `main` with variables of many types, and these statements at its end. */
export const body = (statements: string): string =>
  `${declarations}@compute @workgroup_size(8, TILE / 8) fn main(@builtin(global_invocation_id) id: vec3<u32>,
  @builtin(subgroup_size) lanes: u32) {
  var i = id.x; var j = 3i; var x = 1.5; var v = vec4(x); var b = i > 2u; var h = 1h; var m = mat2x3<f32>();
  var w = vec2<u32>(i); let y = x;
${statements}
}`;

/** Expressions that are computed when the kernel runs, and what the program makes of them. */
export const runtimeExpressions = [
  ['x', 'ld(x)'],
  ['y', 'y'],
  ['id.x', 'id.x'],
  ['x * 2', '(ld(x) * 2:f32)'],
  ['2 + y', '(2:f32 + y)'],
  ['i < TILE * 2 + 1', '(ld(i) < 33:u32)'],
  ['i < lanes * 2 + 1', '(ld(i) < ((lanes * 2:u32) + 1:u32))'],
  ['b || i * 2 + 1 > 4', '(ld(b) || (((ld(i) * 2:u32) + 1:u32) > 4:u32))'],
  ['(b && i + 1 < 4) || b', '((ld(b) && ((ld(i) + 1:u32) < 4:u32)) || ld(b))'],
  ['b && (FLAG || b)', '(ld(b) && true:bool)'],
  ['FLAG && b', 'ld(b)'],
  ['!b', '!ld(b)'],
  ['-x', '-ld(x)'],
  ['~i', '~ld(i)'],
  ['1 << i', '(1:i32 << ld(i))'],
  ['i >> 1', '(ld(i) >> 1:u32)'],
  ['v * 2', '(ld(v) * 2:f32)'],
  ['2 * v + vec4(1)', '((2:f32 * ld(v)) + [1 1 1 1]:vec4<f32>)'],
  ['m * vec2(1, 2)', '(ld(m) * [1 2]:vec2<f32>)'],
  ['vec3f() * m', '([0 0 0]:vec3<f32> * ld(m))'],
  ['v.x', 'ld(v[0:u32])'],
  ['v.xy', 'ld(v).xy'],
  ['v.bgr.y', 'ld(v).zyx.y'],
  ['v[i]', 'ld(v[ld(i)])'],
  ['v[1]', 'ld(v[1:i32])'],
  ['m[1]', 'ld(m[1:i32])'],
  ['m[1].y', 'ld(m[1:i32][1:u32])'],
  ['(v + v)[i]', '(ld(v) + ld(v))[ld(i)]'],
  ['(v + v).y', '(ld(v) + ld(v)).y'],
  ['q[i + 1]', 'ld(q[(ld(i) + 1:u32)])'],
  ['params.inner.a.y', 'ld(params.inner.a[1:u32])'],
  ['params.inner', 'ld(params.inner)'],
  ['vectors[i].xz', 'ld(vectors[ld(i)]).xz'],
  ['grid[j][i]', 'ld(grid[ld(j)][ld(i)])'],
  ['halves[0] + 1', '(ld(halves[0:i32]) + 1:f16)'],
  ['f32(h)', 'f32<-ld(h)'],
  ['u32(i)', 'ld(i)'],
  ['vec2f(w)', 'vec2<f32><-ld(w)'],
  ['vec4(x)', 'vec4<f32>(ld(x))'],
  ['vec4(1, v.xy, 2)', 'vec4<f32>(1:f32, ld(v).xy, 2:f32)'],
  ['vec4<f32>(v)', 'ld(v)'],
  ['vec2<f32>(1, x)', 'vec2<f32>(1:f32, ld(x))'],
  ['vec3(i)', 'vec3<u32>(ld(i))'],
  ['array(x, 1)', 'array<f32, 2>(ld(x), 1:f32)'],
  ['array<V, 2>(v, V(1))', 'array<vec4<f32>, 2>(ld(v), [1 1 1 1]:vec4<f32>)'],
  ['mat2x2(x, 0, 0, x)', 'mat2x2<f32>(ld(x), 0:f32, 0:f32, ld(x))'],
  ['Inner(v.xyz, 1)', 'Inner(ld(v).xyz, 1:u32)'],
  ['Inner(v.xyz, 1).a', 'Inner(ld(v).xyz, 1:u32).0'],
  ['max(x, 0)', 'max(ld(x), 0:f32)'],
  ['exp2(v - 1)', 'exp2((ld(v) - 1:f32))'],
  ['dot(v, vec4(1))', 'dot(ld(v), [1 1 1 1]:vec4<f32>)'],
  ['select(v, vec4(0), v > vec4(1))', 'select(ld(v), [0 0 0 0]:vec4<f32>, (ld(v) > [1 1 1 1]:vec4<f32>))'],
  ['select(0, x, b)', 'select(0:f32, ld(x), ld(b))'],
  ['mix(v, v, 0.5)', 'mix(ld(v), ld(v), 0.5:f32)'],
  ['ldexp(x, 2)', 'ldexp(ld(x), 2:i32)'],
  ['ldexp(1.0, j)', 'ldexp(1:f32, ld(j))'],
  ['frexp(x).exp', 'frexp(ld(x)).1'],
  ['modf(v).whole', 'modf(ld(v)).1'],
  ['transpose(m)', 'transpose(ld(m))'],
  ['extractBits(i, 4, 4)', 'extractBits(ld(i), 4:u32, 4:u32)'],
  ['pack2x16float(v.xy)', 'pack2x16float(ld(v).xy)'],
  ['unpack2x16float(i)', 'unpack2x16float(ld(i))'],
  ['dot4U8Packed(i, 1)', 'dot4U8Packed(ld(i), 1:u32)'],
  ['bitcast<f32>(i)', 'bitcast<f32>(ld(i))'],
  ['bitcast<vec2<f16>>(i)', 'bitcast<vec2<f16>>(ld(i))'],
  ['bitcast<u32>(i)', 'ld(i)'],
  ['twice(1)', 'twice(1:f32)'],
  ['first(&tile)', 'first(&tile)'],
  ['(&v).x', 'ld(v[0:u32])'],
  ['arrayLength(&q)', 'arrayLength(&q)'],
  ['arrayLength(&counters.list)', 'arrayLength(&counters.list)'],
  ['atomicLoad(&counters.total)', 'atomicLoad(&counters.total)'],
  ['atomicAdd(&counters.list[i], 1)', 'atomicAdd(&counters.list[ld(i)], 1:u32)'],
  ['atomicCompareExchangeWeak(&flag, 0, 1).exchanged', 'atomicCompareExchangeWeak(&flag, 0:i32, 1:i32).1'],
  ['workgroupUniformLoad(&grid[1][0])', 'workgroupUniformLoad(&grid[1:i32][0:i32])'],
  ['workgroupUniformLoad(&flag)', 'workgroupUniformLoad(&flag)'],
  ['subgroupAdd(x)', 'subgroupAdd(ld(x))'],
  ['subgroupShuffleXor(v, 4)', 'subgroupShuffleXor(ld(v), 4:u32)'],
  ['subgroupBroadcast(1, 0)', 'subgroupBroadcast(1:i32, 0:i32)'],
  ['subgroupShuffle(x, i)', 'subgroupShuffle(ld(x), ld(i))'],
  ['subgroupBallot(b)', 'subgroupBallot(ld(b))'],
  ['subgroupElect()', 'subgroupElect()'],
  ['quadSwapX(v)', 'quadSwapX(ld(v))'],
  ['subgroupMax(1.5)', 'subgroupMax(1.5:f32)'],
] as const satisfies readonly (readonly string[])[];

/** Statements, and what the program makes of them. */
export const statements = [
  ['var a: f32;', 'var a: f32;'],
  ['var a: vec2<f32> = vec2(1, 2);', 'var a: vec2<f32> = [1 2]:vec2<f32>;'],
  ['var a = 1;', 'var a: i32 = 1:i32;'],
  ['let a: f32 = 1;', 'let a: f32 = 1:f32;'],
  ['const a = 2; let c = x * a;', 'let c: f32 = (ld(x) * 2:f32);'],
  ['const a: u32 = 2; var c: array<f32, a * 2>;', 'var c: array<f32, 4>;'],
  [
    'let a = x; { let a = i; let c = a; } let d = a;',
    'let a: f32 = ld(x); { let a: u32 = ld(i); let c: u32 = a; } let d: f32 = a;',
  ],
  ['x = 2;', 'x = 2:f32;'],
  ['v.y = 1;', 'v[1:u32] = 1:f32;'],
  ['o[i] += q[i];', 'o[ld(i)] += ld(q[ld(i)]);'],
  ['v *= 2;', 'v *= 2:f32;'],
  ['i <<= 1;', 'i <<= 1:u32;'],
  ['i++; j--;', 'i += 1:u32; j -= 1:i32;'],
  ['_ = x;', 'ld(x);'],
  ['_ = &q;', '&q;'],
  ['_ = twice(x); add_to(&v, 1);', 'twice(ld(x)); add_to(&v, 1:f32);'],
  [
    'let p = &v; (*p).x = 1; p.y = 2; p[2] = 3; *p = vec4();',
    'let p: ptr<function, vec4<f32>> = &v; *p[0:u32] = 1:f32; *p[1:u32] = 2:f32; *p[2:i32] = 3:f32; *p = [0 0 0 0]:vec4<f32>;',
  ],
  [
    'let p = &grid[1]; let c = (*p)[i] + p[0];',
    'let p: ptr<workgroup, array<f32, 5>> = &grid[1:i32]; let c: f32 = (ld(*p[ld(i)]) + ld(*p[0:i32]));',
  ],
  ['*&x = 1;', 'x = 1:f32;'],
  [
    'atomicStore(&flag, 1); atomicMax(&counters.total, i);',
    'atomicStore(&flag, 1:i32); atomicMax(&counters.total, ld(i));',
  ],
  ['workgroupBarrier(); storageBarrier();', 'barrier(workgroup); barrier(storage);'],
  [
    'if i < 3 { x = 1; } else if b { x = 2; } else { ; }',
    'if (ld(i) < 3:u32) { x = 1:f32; } else { if ld(b) { x = 2:f32; } }',
  ],
  [
    'for (var k = 0; k < 3; k++) { if k == 1 { continue; } x += 1; }',
    'loop (var k: i32 = 0:i32; ; (ld(k) < 3:i32)) { if (ld(k) == 1:i32) { continue; } x += 1:f32; } continuing { k += 1:i32; }',
  ],
  ['for (;;) { break; }', 'loop (;) { break; } continuing {  }'],
  ['for (i = 0; ; i += 2u) { return; }', 'loop (i = 0:u32; ;) { return; } continuing { i += 2:u32; }'],
  ['while i < 4 { i++; }', 'loop (; (ld(i) < 4:u32)) { i += 1:u32; } continuing {  }'],
  [
    'loop { let k = i + 1; if b { break; } continuing { i = k; break if k > 7; } }',
    'loop (;) { let k: u32 = (ld(i) + 1:u32); if ld(b) { break; } } continuing { i = k; break if (k > 7:u32); }',
  ],
  [
    'switch i { case 1, 2u: { x = 1; } case 3, default { break; } }',
    'switch ld(i) { 1|2 { x = 1:f32; } 3|default { break; } }',
  ],
  ['switch (EIGHT) { case 8: {} default {} }', 'switch 8:i32 { 8 {  } default {  } }'],
  ['switch j { default { } case -1 { } }', 'switch ld(j) { default {  } -1 {  } }'],
  ['const_assert EIGHT == 8 && TABLE[3] == 8;', ''],
  ['@diagnostic(off, derivative_uniformity) if b { x = 1; }', 'if ld(b) { x = 1:f32; }'],
  ['let dot = x; let max = dot + 1;', 'let dot: f32 = ld(x); let max: f32 = (dot + 1:f32);'],
] as const satisfies readonly (readonly string[])[];

/** Statements that are no WGSL, or none of the simulator: the text of the place that is told, and the code. */
export const wrongStatements = [
  ['let a = x + i;', 'x + i', 'simulator-type'],
  ['let a = 1 / 0;', '1 / 0', 'simulator-type'],
  ['let a = 1u << 32;', '1u << 32', 'simulator-type'],
  ['let a: u32 = -1;', '-1', 'simulator-type'],
  ['let a: i32 = 2147483648;', '2147483648', 'simulator-type'],
  ['let a = 4294967296u;', '4294967296u', 'simulator-type'],
  ['let a = 1e39f;', '1e39f', 'simulator-type'],
  ['let a = 65520h;', '65520h', 'simulator-type'],
  ['let a = sqrt(-1.0);', 'sqrt(-1.0)', 'simulator-type'],
  ['let a = v[4];', '4', 'simulator-type'],
  ['let a = v.xq;', 'v.xq', 'simulator-type'],
  ['let a = w.z;', 'w.z', 'simulator-type'],
  ['let a = params.skale;', 'params.skale', 'simulator-type'],
  ['let a = x.y;', 'x.y', 'simulator-type'],
  ['let a = nothing;', 'nothing', 'simulator-type'],
  ['let a = twice(1, 2);', 'twice(1, 2)', 'simulator-type'],
  ['let a = twice(i);', 'i', 'simulator-type'],
  ['let a = vec3(v.xy);', 'vec3(v.xy)', 'simulator-type'],
  ['let a = vec2<f32>(i, i);', 'vec2<f32>(i, i)', 'simulator-type'],
  ['let a = dot(v, v.xyz);', 'dot(v, v.xyz)', 'simulator-type'],
  ['let a = max(x, i);', 'max(x, i)', 'simulator-type'],
  ['let a = subgroupAdd(b);', 'subgroupAdd(b)', 'simulator-type'],
  ['let a = bitcast<vec2<u32>>(x);', 'bitcast<vec2<u32>>(x)', 'simulator-type'],
  ['let a = counters.total;', 'counters.total', 'simulator-type'],
  ['let a = q;', 'q', 'simulator-type'],
  ['let a = &v.x;', '&v.x', 'simulator-type'],
  ['let a = &(x + x);', '&(x + x)', 'simulator-type'],
  ['let a = *x;', '*x', 'simulator-type'],
  ['let a = add_to(&v, 1);', 'add_to(&v, 1)', 'simulator-type'],
  ['let a = dpdx(x);', 'dpdx(x)', 'simulator-type'],
  ['let a = textureLoad(x);', 'textureLoad(x)', 'simulator-unsupported'],
  ['let a = brandNew(x);', 'brandNew(x)', 'simulator-unsupported'],
  ['const a = x;', 'x', 'simulator-type'],
  ['const_assert EIGHT == 9;', 'const_assert EIGHT == 9;', 'simulator-type'],
  ['var a: texture_2d<f32>;', 'texture_2d<f32>', 'simulator-unsupported'],
  ['var a: array<f32>;', 'a', 'simulator-type'],
  ['var a: array<f32, 0>;', '0', 'simulator-type'],
  ['var a: array<f32, i>;', 'i', 'simulator-type'],
  ['q[0] = 1;', 'q[0]', 'simulator-type'],
  ['params.n = 1;', 'params.n', 'simulator-type'],
  ['y = 1;', 'y', 'simulator-type'],
  ['counters.total = 1;', 'counters.total', 'simulator-type'],
  ['x += i;', 'x += i;', 'simulator-type'],
  ['x++;', 'x++;', 'simulator-type'],
  ['if i { }', 'i', 'simulator-type'],
  ['if b && i { }', 'i', 'simulator-type'],
  ['break;', 'break;', 'simulator-type'],
  ['continue;', 'continue;', 'simulator-type'],
  ['discard;', 'discard;', 'simulator-type'],
  ['switch i { case 1 { } }', 'switch i { case 1 { } }', 'simulator-type'],
  ['switch i { case -1 { } default { } }', '-1', 'simulator-type'],
  ['return 1;', 'return 1;', 'simulator-type'],
  ['loop { continuing { return; } }', 'return;', 'simulator-type'],
  ['atomicAdd(&x, 1);', '&x', 'simulator-type'],
  ['atomicAdd(&flag, 1u);', '1u', 'simulator-type'],
] as const satisfies readonly (readonly string[])[];
