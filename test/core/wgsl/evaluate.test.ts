import { describe, expect, test } from 'vitest';
import { evaluateConst, overrideValues, workgroupBytes, workgroupSizeOf } from '../../../src/core/wgsl/evaluate.js';
import { parseWgsl } from '../../../src/core/wgsl/parse.js';

describe('evaluateConst', () => {
  test.each([
    ['64', 64],
    ['7 / 2', 3],
    ['-7 / 2', -3],
    ['7 % 4', 3],
    ['7.0 / 2', 3.5],
    ['f32(7) / 2', 3.5],
    ['1 + 2 * 3', 7],
    ['10 - 3 - 2', 5],
    ['(1u << 4u) | 3u', 19],
    ['4u - 5u', 4294967295],
    ['-1 >> 1u', -1],
    ['~0u', 4294967295],
    ['0x1Fu + 0xF', 46],
    ['0x1.8p1', 3],
    ['1e2f', 100],
    ['min(3, 4) + max(3u, 4u)', 7],
    ['min(3i, 4) + max(3u, 4u)', null],
    ['min(3, 4) + max(3, 4)', 7],
    ['u32(ceil(f32(TILE) / 3.0))', 6],
    ['u32(2.9) + u32(floor(1.9))', 3],
    ['clamp(9, 1, 4)', 4],
    ['select(1, 2, TILE > 8)', 2],
    ['abs(-3)', 3],
    ['pow(2.0, 5.0)', 32],
    ['2147483647i + 1i', -2147483648],
    ['true', 1],
    ['!(1 < 2) || false', 0],
    ['TILE * TILE', 256],
    ['HALF * 2', 1],
    ['1 / 0', null],
    ['1u + 1i', null],
    ['UNKNOWN', null],
    ['constructor', null],
    ['f(1)', null],
    ['valueOf(1)', null],
    ['1 +', null],
    ['(1', null],
    ['', null],
    ['1 2', null],
    ['(('.repeat(5000), null],
  ])('%s', (text, expected) => {
    expect(evaluateConst(text, { TILE: 16, HALF: 0.5 })).toBe(expected);
  });
});

describe('a module with overrides', () => {
  const module = parseWgsl(`
    override TILE: u32 = 16;
    override COLUMNS: u32 = TILE * 2u + 1u;
    override RATIO = 1.5;
    override HEAD_DIM: u32;
    const PAD = 4u;
    alias Row = array<vec4<f32>, HEAD_DIM / PAD>;
    var<workgroup> tile: array<Row, 2>;
    var<workgroup> rows: array<vec3<f32>, TILE>;
    var<workgroup> lone: atomic<u32>;
    var<workgroup> unused: array<f32, 4096>;
    fn read() -> f32 { return tile_free() + rows[0].x; }
    fn tile_free() -> f32 { return f32(atomicLoad(&lone)); }
    @compute @workgroup_size(TILE, COLUMNS / 11u, u32(RATIO)) fn main() { _ = read(); }
    @compute @workgroup_size(HEAD_DIM) fn other() { rows[0] = vec3f(); }
    @compute @workgroup_size(TILE - TILE) fn empty() {}
  `);
  const [main, other, empty] = module.entryPoints;

  test('gives every override its value', () => {
    expect(module.diagnostics).toEqual([]);
    expect(overrideValues(module, {})).toEqual({ TILE: 16, COLUMNS: 33, RATIO: 1.5 });
    expect(overrideValues(module, { TILE: 8, HEAD_DIM: 64 })).toEqual({
      TILE: 8,
      COLUMNS: 17,
      RATIO: 1.5,
      HEAD_DIM: 64,
    });
  });

  test('gives workgroup sizes, or null where a value is missing or not positive', () => {
    expect(workgroupSizeOf(module, main!)).toEqual([16, 3, 1]);
    expect(workgroupSizeOf(module, main!, { TILE: 64 })).toEqual([64, 11, 1]);
    expect(workgroupSizeOf(module, other!)).toBeNull();
    expect(workgroupSizeOf(module, other!, { HEAD_DIM: 32 })).toEqual([32, 1, 1]);
    expect(workgroupSizeOf(module, empty!)).toBeNull();
  });

  test('counts the workgroup memory an entry point reaches, each variable in units of 16 bytes', () => {
    expect(workgroupBytes(module, main!, { HEAD_DIM: 64 })).toBe(16 * 16 + 16);
    expect(workgroupBytes(module, other!, { TILE: 3 })).toBe(48);
    expect(workgroupBytes(module, empty!, {})).toBe(0);
  });

  test('knows no size where an array count has no value', () => {
    const open = parseWgsl(
      'override N: u32; var<workgroup> a: array<u32, N>; @compute @workgroup_size(1) fn f() { a[0] = 1; }',
    );
    expect(workgroupBytes(open, open.entryPoints[0]!)).toBeNull();
    expect(workgroupBytes(open, open.entryPoints[0]!, { N: 5 })).toBe(32);
  });
});
