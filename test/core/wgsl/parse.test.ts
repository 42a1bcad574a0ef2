import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { WgslModule } from '../../../src/core/wgsl/module.js';
import { parseWgsl } from '../../../src/core/wgsl/parse.js';
import { templateStarts } from '../../../src/core/wgsl/template-lists.js';

const kernel = (name: string): string => readFileSync(new URL(`kernels/${name}.wgsl`, import.meta.url), 'utf8');

/** `severity code: text under the span` of each diagnostic. */
function findings(module: WgslModule): string[] {
  return module.diagnostics.map(({ severity, code, span }) => {
    return `${severity} ${code}: ${module.source.slice(span.start, span.end)}`;
  });
}

const entry = (body: string): string => `@compute @workgroup_size(1) fn main() { ${body} }`;

describe('a kernel with online softmax', () => {
  const module = parseWgsl(kernel('flash'));
  const text = (span: { start: number; end: number }): string => module.source.slice(span.start, span.end);

  test('is in order', () => {
    expect(module.diagnostics).toEqual([]);
    expect(module.code).toBe(module.source);
  });

  test('has its enables', () => {
    expect(module.enables.map(({ name, span }) => [name, text(span)])).toEqual([['f16', 'f16']]);
  });

  test('has its overrides', () => {
    const short = module.overrides.map((o) => [o.name, o.scalar, o.id, o.defaultValue, o.defaultText]);
    expect(short).toEqual([
      ['TILE_M', 'u32', null, 32, null],
      ['TILE_N', 'u32', 3, null, 'TILE_M / 2u + 16'],
      ['HEAD_DIM', 'u32', null, null, null],
      ['USE_MASK', 'bool', null, 1, null],
      ['SCALE_LOG2', 'f32', null, 1.5, null],
    ]);
    expect(module.overrides.map((o) => text(o.nameSpan))).toEqual(module.overrides.map((o) => o.name));
    expect(text(module.overrides[1]!.span)).toBe('@id(3) override TILE_N: u32 = TILE_M / 2u + 16;');
  });

  test('has its bindings, with constant expressions as numbers', () => {
    const short = module.bindings.map(
      (b) => `${b.name} ${b.group}.${b.binding} ${b.space} ${b.access} ${text(b.typeSpan)}`,
    );
    expect(short).toEqual([
      'q 0.0 storage read array<vec4<f32>>',
      'k 0.1 storage read array<vec4<f32>>',
      'v 0.2 storage read array<vec4<f16>>',
      'o 0.3 storage read_write array<vec4<f32>>',
      'params 1.0 uniform read Params',
    ]);
    expect(module.bindings[2]!.type).toEqual({
      kind: 'array',
      element: { kind: 'vector', width: 4, scalar: 'f16' },
      count: null,
    });
    expect(text(module.bindings[3]!.nameSpan)).toBe('o');
    expect(text(module.bindings[0]!.span)).toMatch(/^@group\(0\).*;$/);
  });

  test('has its workgroup variables, whose counts name only overrides', () => {
    const f32 = { kind: 'scalar', scalar: 'f32' };
    expect(module.workgroupVariables.map(({ name, type }) => [name, type])).toEqual([
      [
        'k_tile',
        { kind: 'array', element: { kind: 'vector', width: 4, scalar: 'f32' }, count: 'TILE_N * (HEAD_DIM / 4u)' },
      ],
      ['v_tile', { kind: 'array', element: { kind: 'array', element: f32, count: 8 }, count: 'TILE_N' }],
      ['done', { kind: 'atomic', scalar: 'u32' }],
    ]);
  });

  test('has an entry point that uses what its functions use, and not what only looks so', () => {
    const [forward] = module.entryPoints;
    expect(forward!.name).toBe('forward');
    expect(forward!.workgroupSize).toEqual(['TILE_M', '4u / 2u']);
    expect([...forward!.uses].sort()).toEqual(['done', 'k', 'k_tile', 'o', 'params', 'q']);
    expect(text(forward!.nameSpan)).toBe('forward');
    expect(text(forward!.span)).toMatch(/^@compute[^]*}$/);
  });
});

describe('legal WGSL is never rejected', () => {
  test('in any of its forms', () => {
    const module = parseWgsl(kernel('syntax'));
    expect(findings(module).filter((finding) => finding.startsWith('error'))).toEqual([]);
    expect(module.entryPoints.map(({ name }) => name)).toEqual(['main']);
    expect(module.enables.map(({ name }) => name)).toEqual(['f16', 'subgroups']);
  });

  test('written without a space too many', () => {
    const module = parseWgsl(kernel('terse'));
    expect(module.diagnostics).toEqual([]);
    expect([...module.entryPoints[0]!.uses].sort()).toEqual(['k', 'o', 'p', 'q', 't', 'v']);
  });

  test.each([
    'let a = 1u; let b = vec2u(a >> 1u, a << 1u); _ = select(0u, 1u, a < 2u) * 3u > b.x;',
    'var s: array<u32, 4>; s[select(0u, 1u, 1 < 2)] = 4u >> 1u;',
    'var s: array<u32, 4>; s[u32(1 < 2)] >>= 1u;',
    'let i = 1; { let i = i + 1; _ = i; }',
    'for (var i = 0; i < 3; i++) { for (var j = i; j > 0; j--) {} }',
    'const u = 3; var<function> f = array<f32, u>();',
  ])('%s', (body) => {
    expect(findings(parseWgsl(entry(body)))).toEqual([]);
  });

  test('with names of newer devices, which are only warned of', () => {
    const module = parseWgsl(entry('let m = subgroupMatrixLoad(1);'));
    expect(findings(module)).toEqual(['warning wgsl-undeclared: subgroupMatrixLoad']);
  });

  test('with names of an extension that is enabled', () => {
    const load = 'let m = subgroupMatrixLoad<subgroup_matrix_left<i8, 8, 8>, row_major>(1);';
    const enabled = `enable chromium_experimental_subgroup_matrix;\n${entry(load)}`;
    expect(findings(parseWgsl(enabled))).toEqual([]);
    expect(findings(parseWgsl(entry('let m = row_major;')))).toEqual(['error wgsl-undeclared: row_major']);
  });
});

describe('template lists', () => {
  test.each([
    ['a<b>c', [1]],
    ['a < b', []],
    ['f(a<b, c>d)', [3]],
    ['f(a<b, (c>d))', []],
    ['a<b && c>d', []],
    ['a[b<c] = d>>e', []],
    ['a<b>=c', [1]],
    ['a<=b>c', []],
    ['a<<b>c', []],
    ['array<vec4<f32>>', [5, 10]],
    ['array<f32, (8>>1)>', [5]],
    ['if a<b { c>d }', []],
    ['a < b; c > d', []],
    ['1<2>(3)', []],
    ['1.f<2>(3)', []],
    ['a1.f<b>(3)', [4]],
    ['Δ \n <b>', [4]],
    ['0x1p3<2>(3) .5<c>d', []],
    ['a == b<c>d', [6]],
  ])('%s', (text, expected) => {
    expect([...templateStarts(text)].sort((a, b) => a - b)).toEqual(expected);
  });
});

describe('through the preprocessor', () => {
  const source = kernel('macros');
  const module = parseWgsl(source, { TILE: '32', FEATURE: '1', LOOP_UNROLL: '1' });
  const text = (span: { start: number; end: number }): string => source.slice(span.start, span.end);

  test('spans point into the text the user wrote', () => {
    expect(module.diagnostics).toEqual([]);
    expect(module.entryPoints[0]!.workgroupSize).toEqual(['(32 / 4)', '32']);
    expect(text(module.entryPoints[0]!.nameSpan)).toBe('attend');
    expect(module.workgroupVariables.map((v) => [v.name, text(v.span)])).toEqual([
      ['key_tile', 'var<workgroup> CAT(key_, tile): array<f32, TILE * STRIDE(64)>;'],
    ]);
    expect(module.workgroupVariables[0]!.type).toMatchObject({ count: 544 });
  });

  test('defines choose the code', () => {
    const other = parseWgsl(source, { FEATURE: '0', NORMALIZE: '' });
    expect(findings(other)).toEqual([]);
    expect(other.bindings[0]!.type).toMatchObject({
      members: [{ name: 'seqlen' }, { name: 'heads' }, { name: 'eps' }],
    });
    expect(findings(parseWgsl(source, { FEATURE: '7' }))[0]).toBe('error preprocessor-error: #error');
  });

  test('a mistake that a macro brings is shown at the use of the macro', () => {
    const bad = parseWgsl(`#define SUM(a) a + missing\n\n${entry('let x = SUM(1);')}`);
    expect(findings(bad)).toEqual(['error wgsl-undeclared: SUM(1)']);
  });
});

describe('mistakes', () => {
  test.each([
    ['fn f() { let x = 1 }', ['error wgsl-syntax: 1']],
    ['fn f( { }', ['error wgsl-syntax: {']],
    ['fn f() { a b; }', ['error wgsl-syntax: b']],
    ['const a = 1 & 2 + 3 | 4;', ['error wgsl-syntax: 4']],
    ['struct S { a: f32 b: f32 }', ['error wgsl-syntax: b']],
    ['var<private> x: f32;\nenable f16;', ['error wgsl-syntax: enable']],
    ['const x = $1;', ['error wgsl-syntax: $']],
    ['/* open', ['error wgsl-unclosed-comment: /*']],
    ['import a::b;', ['error wgsl-import: import a::b;']],
    ['@if(x) const a = 1;', ['error wgsl-condition: @if']],
    [entry('let x = missing + 1;'), ['error wgsl-undeclared: missing']],
    [entry('{ let y = 1; } _ = y;'), ['error wgsl-undeclared: y']],
    [entry('let z = z;'), ['error wgsl-undeclared: z']],
    ['var<private> v: vec5<f32>;', ['error wgsl-undeclared: vec5']],
    ['const a = 1; fn a() {}', ['error wgsl-duplicate: a']],
    ['@compute fn main() {}', ['error wgsl-workgroup-size: main']],
    ['var<storage> x: array<f32>;', ['error wgsl-binding: x']],
    ['@group(0) var<uniform> x: f32;', ['error wgsl-binding: x']],
    ['struct S { s: array<S, 2> } var<workgroup> x: S;', ['error wgsl-type-cycle: S']],
    ['alias A = B; alias B = A; var<workgroup> x: A;', ['error wgsl-type-cycle: A']],
    ['const N = 4; var<workgroup> x: N;', ['error wgsl-not-a-type: N']],
    ['var<workgroup> x: array<u32, 1 - 2>;', ['error wgsl-array-count: 1 - 2']],
    ['@group(0) @binding(0) var<uniform> x: array<f32, 4>;', ['warning wgsl-uniform-layout: array<f32, 4>']],
    [
      '@compute @workgroup_sise(4) fn main() {}',
      ['error wgsl-unknown-word: workgroup_sise', 'error wgsl-workgroup-size: main'],
    ],
    ['@future_thing fn f() {}', ['warning wgsl-unknown-word: future_thing']],
    ['fn f(@builtin(workgroup_ids) x: vec3u) {}', ['error wgsl-unknown-word: workgroup_ids']],
    ['var<workgrup> x: u32;', ['error wgsl-unknown-word: workgrup']],
    ['struct S { head: u32 } fn f(s: S) -> u32 { let t = s; return t.heads; }', ['error wgsl-no-member: heads']],
    ['fn f(s: ptr<function, vec4f>) -> f32 { return (*s).width + s.x; }', ['error wgsl-no-member: width']],
    ['@group(0) @binding(0) var t: sampler;', ['warning wgsl-resource: t']],
    [
      `@group(0) @binding(0) var<storage> a: f32; @group(0) @binding(0) var<storage> b: f32; ${entry('_ = a + b;')}`,
      ['error wgsl-binding-clash: b'],
    ],
  ])('%s', (source, expected) => {
    const module = parseWgsl(source);
    expect(findings(module)).toEqual(expected);
    for (const { message } of module.diagnostics) expect(message).toMatch(/\.$/);
  });

  test('an array count may be any constant expression', () => {
    const module = parseWgsl(
      'const sizes = vec2(3u, 5u); const list = array(7, 9); var<workgroup> a: array<u32, sizes.y + u32(list[1])>;',
    );
    expect(module.diagnostics).toEqual([]);
    expect(module.workgroupVariables[0]!.type).toMatchObject({ count: 14 });
  });

  test('a misspelt name is offered the right one', () => {
    const module = parseWgsl(`const TILE_SIZE = 4; ${entry('_ = TILE_SZIE;')}`);
    expect(module.diagnostics[0]!.remedy).toBe('Did you mean TILE_SIZE?');
  });

  test('two entry points may share a binding number', () => {
    const two = (name: string): string => `@compute @workgroup_size(1) fn f_${name}() { _ = ${name}; }`;
    const source = `@group(0) @binding(0) var<storage> a: f32; @group(0) @binding(0) var<storage> b: f32;`;
    expect(parseWgsl(`${source} ${two('a')} ${two('b')}`).diagnostics).toEqual([]);
  });

  test('one bad declaration does not hide the others', () => {
    const module = parseWgsl(
      `override A: u32 = 1; const b = ; @group(0) @binding(0) var<storage> c: f32; ${entry('')}`,
    );
    expect(findings(module)).toEqual(['error wgsl-syntax: ;']);
    expect([module.overrides, module.bindings, module.entryPoints].map((list) => list.length)).toEqual([1, 1, 1]);
  });
});

describe('texts beyond all reason', () => {
  test.each([
    ['nested parentheses', entry(`let x = ${'('.repeat(100_000)}1${')'.repeat(100_000)};`)],
    ['nested blocks', entry('{'.repeat(100_000))],
    ['nested templates', `var<private> x: ${'array<'.repeat(50_000)}`],
    ['a long sum', entry(`let x = ${'1 + '.repeat(50_000)}1;`)],
    ['a long chain of members', entry(`let x = a${'.b'.repeat(50_000)};`)],
    ['comparisons that never close', entry(`let x = ${'a < '.repeat(50_000)}1;`)],
    ['unclosed comments', '/*'.repeat(200_000)],
    [
      'a chain of constants',
      Array.from({ length: 20_000 }, (_, i) => `const c${i + 1} = c${i};`)
        .reverse()
        .join(''),
    ],
    ['a chain of aliases', Array.from({ length: 20_000 }, (_, i) => `alias A${i + 1} = A${i};`).join('')],
    ['unclosed macro calls', `#define F(a) a\n${'F('.repeat(50_000)}`],
    ['a hundred thousand errors', '} ) ]\n'.repeat(50_000)],
    ['more text than is read', ' '.repeat(3_000_000)],
  ])('%s end in good time', (_, source) => {
    const begin = process.cpuUsage();
    const module = parseWgsl(source);
    expect(process.cpuUsage(begin).user / 1000).toBeLessThan(3000);
    expect(module.diagnostics.length).toBeLessThanOrEqual(100);
    for (const { span } of module.diagnostics) expect(span.end).toBeLessThanOrEqual(source.length);
  });
});
