import { describe, expect, test } from 'vitest';
import { layoutOf, memberOffsets, scalarLeaves, uniformLayoutProblem } from '../../../src/core/wgsl/layout.js';
import { parseWgsl } from '../../../src/core/wgsl/parse.js';
import type { WgslType } from '../../../src/core/wgsl/types.js';

/** The resolved type of `binding: <type>`, with helper declarations before it. */
function typeOf(type: string, declarations = ''): WgslType {
  const module = parseWgsl(
    `enable f16; ${declarations} @group(0) @binding(0) var<storage, read_write> value: ${type};`,
  );
  expect(module.diagnostics).toEqual([]);
  return module.bindings[0]!.type;
}

/** Offsets of the members of `struct S { … }`, its size and its alignment. */
function structOf(members: string, declarations = ''): { offsets: number[]; size: number; align: number } {
  const type = typeOf('S', `${declarations} struct S { ${members} }`);
  const layout = layoutOf(type)!;
  const offsets = type.kind === 'struct' ? memberOffsets(type)!.map((member) => member.byteOffset) : [];
  return { offsets, size: layout.sizeBytes, align: layout.alignBytes };
}

describe('size and alignment (the tables of the WGSL specification)', () => {
  test.each([
    ['f32', 4, 4],
    ['f16', 2, 2],
    ['i32', 4, 4],
    ['atomic<u32>', 4, 4],
    ['vec2<f32>', 8, 8],
    ['vec3<f32>', 12, 16],
    ['vec4<f32>', 16, 16],
    ['vec2h', 4, 4],
    ['vec3h', 6, 8],
    ['vec4<f16>', 8, 8],
    ['mat2x2<f32>', 16, 8],
    ['mat3x2f', 24, 8],
    ['mat4x2f', 32, 8],
    ['mat2x3f', 32, 16],
    ['mat3x3<f32>', 48, 16],
    ['mat4x3f', 64, 16],
    ['mat2x4f', 32, 16],
    ['mat4x4f', 64, 16],
    ['mat2x2h', 8, 4],
    ['mat3x3h', 24, 8],
    ['mat4x3<f16>', 32, 8],
  ])('%s', (type, sizeBytes, alignBytes) => {
    expect(layoutOf(typeOf(type))).toMatchObject({ sizeBytes, alignBytes });
  });

  test.each([
    ['array<f32, 3>', 12, 4, 4],
    ['array<vec3<f32>, 3>', 48, 16, 16],
    ['array<vec3h, 2>', 16, 8, 8],
    ['array<array<u32, 3>, 2>', 24, 4, 12],
    ['array<mat3x3f, 2>', 96, 16, 48],
    ['array<vec4<f32>>', 0, 16, 16],
  ])('%s', (type, sizeBytes, alignBytes, strideBytes) => {
    expect(layoutOf(typeOf(type))).toEqual({ sizeBytes, alignBytes, strideBytes });
  });

  test('a type that cannot be resolved has no layout', () => {
    expect(layoutOf({ kind: 'unknown', text: 'x' })).toBeNull();
    expect(layoutOf({ kind: 'array', element: { kind: 'scalar', scalar: 'f32' }, count: 'N' })).toBeNull();
  });
});

describe('structs', () => {
  test('put a scalar into the gap after a vec3', () => {
    expect(structOf('a: vec3<f32>, b: f32, c: vec3<f32>')).toEqual({ offsets: [0, 12, 16], size: 32, align: 16 });
  });

  test('round up to their alignment, also inside of others', () => {
    const inner = 'struct A { x: u32, y: vec2<f32>, z: u32 }';
    expect(structOf('a: u32, b: A, c: f16, d: f32', inner)).toEqual({ offsets: [0, 8, 32, 36], size: 40, align: 8 });
  });

  test('obey @align and @size, with constant expressions', () => {
    const members = '@size(16) a: u32, @align(32) b: f32, @align(N * 2) @size(20) c: vec3h, d: u32';
    expect(structOf(members, 'const N = 4;')).toEqual({ offsets: [0, 32, 40, 60], size: 64, align: 32 });
  });

  test('count a runtime-sized array at the end as empty', () => {
    expect(structOf('count: u32, values: array<vec4<f32>>')).toEqual({ offsets: [0, 16], size: 16, align: 16 });
  });

  test('follow the worked example of the specification', () => {
    const a = 'struct A { u: f32, v: f32, w: vec2<f32>, x: f32 }';
    const members = 'a: vec2<f32>, b: vec3<f32>, c: f32, d: f32, e: A, f: vec3<f32>, g: array<A, 3>, h: i32';
    expect(structOf(members, a)).toEqual({ offsets: [0, 16, 28, 32, 40, 64, 80, 152], size: 160, align: 16 });
  });
});

describe('scalarLeaves', () => {
  test('name every scalar with its path and offset', () => {
    const type = typeOf('S', 'struct I { w: vec2<i32> } struct S { n: u32, i: array<I, 2>, m: mat2x3<f16>, h: f16 }');
    expect(scalarLeaves(type)!.map(({ path, byteOffset, scalar }) => `${path}@${byteOffset}:${scalar}`)).toEqual([
      ...['n@0:u32', 'i.0.w.x@8:i32', 'i.0.w.y@12:i32', 'i.1.w.x@16:i32', 'i.1.w.y@20:i32'],
      ...['m.0.x@24:f16', 'm.0.y@26:f16', 'm.0.z@28:f16', 'm.1.x@32:f16', 'm.1.y@34:f16', 'm.1.z@36:f16'],
      'h@40:f16',
    ]);
  });

  test('of a bare scalar have an empty path', () => {
    expect(scalarLeaves(typeOf('u32'))).toEqual([{ path: '', byteOffset: 0, scalar: 'u32' }]);
  });

  test('are not listed without end', () => {
    expect(scalarLeaves(typeOf('array<u32>'))).toBeNull();
    expect(scalarLeaves(typeOf('array<array<u32, 65536>, 65536>'))).toBeNull();
    const doubling = Array.from({ length: 40 }, (_, i) => `struct S${i + 1} { a: S${i}, b: S${i} }`).join(' ');
    const type = typeOf('S40', `struct S0 { x: u32 } ${doubling}`);
    expect(scalarLeaves(type)).toBeNull();
    expect(layoutOf(type)!.sizeBytes).toBe(4 * 2 ** 40);
    expect(uniformLayoutProblem(type)).not.toBeNull();
  });
});

describe('uniformLayoutProblem', () => {
  test.each([
    ['u32', null],
    ['array<vec4<f32>, 4>', null],
    ['array<f32, 4>', /stride of 4 bytes/],
    ['array<vec2<f32>, 4>', /stride of 8 bytes/],
  ])('%s', (type, expected) => {
    const problem = uniformLayoutProblem(typeOf(type));
    if (expected === null) expect(problem).toBeNull();
    else expect(problem).toMatch(expected);
  });

  test.each([
    ['a: vec3<f32>, b: f32, c: mat3x3<f32>', null],
    ['n: u32, @align(16) w: I, @align(16) m: u32', null],
    ['n: u32, w: I', /S\.w begins at byte 8.*@align\(16\)/],
    ['@align(16) w: I, m: u32', /S\.m begins at byte 8, inside the last 16 bytes of struct S\.w/],
    ['n: array<u32, 4>', /S\.n is an array with a stride of 4/],
    ['n: array<E, 4>', null],
  ])('struct S { %s }', (members, expected) => {
    const helpers = 'struct I { x: vec2<u32> } struct E { @size(16) x: u32 }';
    const problem = uniformLayoutProblem(typeOf('S', `${helpers} struct S { ${members} }`));
    if (expected === null) expect(problem).toBeNull();
    else expect(problem).toMatch(expected);
  });
});
