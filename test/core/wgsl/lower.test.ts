import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { lowerProgram, type LoweredProgram } from '../../../src/core/wgsl/lower.js';
import { parseWgsl } from '../../../src/core/wgsl/parse.js';
import type { Program } from '../../../src/core/wgsl/program.js';
import { preprocess } from '../../../src/core/wgsl/preprocess.js';
import { mutate, seededNumbers } from './mutate.js';
import { expressionText, spansOf, statementsText } from './program-text.js';
import { constantExpressions } from './constant-snippets.js';
import { body, runtimeExpressions, statements, wrongStatements } from './snippets.js';

const identity = (offset: number): number => offset;

const lower = (code: string, constants: Record<string, number> = {}): LoweredProgram =>
  lowerProgram(code, identity, 'main', constants);

function programOf(code: string, constants: Record<string, number> = {}): Program {
  const lowered = lower(code, constants);
  if (!lowered.ok) throw new Error(lowered.diagnostics.map(({ message }) => message).join('\n'));
  return lowered.program;
}

/** The statements of the entry point after the ones that `body` begins with. */
const lastStatements = (statements: string, constants: Record<string, number> = {}): string =>
  statementsText(programOf(body(statements), constants).entry.function.body.slice(9));

/** `value:type` of a constant expression, or the expression where it is none. */
function valueOf(expression: string, constants: Record<string, number> = {}): string {
  const statement = programOf(body(`let result = ${expression};`), constants).entry.function.body.at(-1);
  return statement?.kind === 'let' ? expressionText(statement.initializer) : 'no let';
}

describe('constant expressions have the value and type that WGSL gives them', () => {
  test.each(constantExpressions)('%s', (expression, expected) => {
    expect(valueOf(expression)).toBe(expected);
  });

  test('overrides take the values they are given, and those that follow from them', () => {
    const values = { TILE: 64, SCALE: 0.1, FLAG: 0 };
    expect(valueOf('vec2(TILE, ROWS)', values)).toBe('[64 17]:vec2<u32>');
    expect(valueOf('SCALE', values)).toBe(`${Math.fround(0.1)}:f32`);
    expect(valueOf('FLAG', values)).toBe('false:bool');
  });

  test('a table is one and the same value wherever it is used', () => {
    const { entry } = programOf(body('let one = TABLE[i]; let two = TABLE[i + 1u];'));
    const tables = entry.function.body.slice(-2).map((statement) => {
      const found =
        statement.kind === 'let' && statement.initializer.kind === 'element' ? statement.initializer.base : null;
      return found?.kind === 'constant' ? found.value : null;
    });
    expect(tables[0]).toEqual([1, 2, 4, 8]);
    expect(tables[1]).toBe(tables[0]);
  });
});

describe('expressions that are computed when the kernel runs', () => {
  test.each(runtimeExpressions)('%s', (expression, expected) => {
    expect(valueOf(expression)).toBe(expected);
  });
});

describe('statements', () => {
  test.each(statements)('%s', (statements, expected) => {
    expect(lastStatements(statements)).toBe(expected);
  });

  test('subgroup matrices in both forms of the extension', () => {
    const code = (load: string, store: string): string => `enable chromium_experimental_subgroup_matrix;
      @group(0) @binding(0) var<storage, read_write> data: array<f32>;
      @compute @workgroup_size(32) fn main() {
        let left = subgroupMatrixLoad<subgroup_matrix_left<f32, 4, 8>${load};
        let right = subgroupMatrixLoad<subgroup_matrix_right<f32, 8, 4>${load};
        var sum = subgroup_matrix_result<f32, 8, 8>();
        sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
        let product = subgroupMatrixMultiply<f32>(left, right);
        subgroupMatrixStore${store};
      }`;
    const older = programOf(code('>(&data, 4, true, 16)', '(&data, 0, sum, false, 8)'));
    const newer = programOf(code(', col_major>(&data, 4, 16)', '<row_major>(&data, 0, sum, 8)'));
    const text = statementsText(older.entry.function.body);
    expect(text).toBe(
      'let left: subgroup_matrix_left<f32, 4, 8> = subgroupMatrixLoad(&data, 4:u32, true:bool, 16:u32); ' +
        'let right: subgroup_matrix_right<f32, 8, 4> = subgroupMatrixLoad(&data, 4:u32, true:bool, 16:u32); ' +
        'var sum: subgroup_matrix_result<f32, 8, 8> = subgroup_matrix_result<f32, 8, 8>(0:f32); ' +
        'sum = subgroupMatrixMultiplyAccumulate(left, right, ld(sum)); ' +
        'let product: subgroup_matrix_result<f32, 8, 8> = subgroupMatrixMultiply(left, right); ' +
        'subgroupMatrixStore(&data, 0:u32, ld(sum), false:bool, 8:u32);',
    );
    expect(statementsText(newer.entry.function.body)).toBe(text);
  });

  const matrices = (statement: string, declarations = ''): string => `enable f16;
    enable chromium_experimental_subgroup_matrix;
    @group(0) @binding(0) var<storage, read_write> data: array<f32>;
    @group(0) @binding(1) var<storage, read_write> halves: array<f16>;
    alias Left = subgroup_matrix_left<f32, 8, 8>;
    alias Right = subgroup_matrix_right<f32, 8, 8>;
    ${declarations}
    @compute @workgroup_size(32) fn main() { ${statement} let used = arrayLength(&data) + arrayLength(&halves); }`;

  test.each([
    'let m = array<Left, 2>(); let n = m[1];',
    'var s: S; s.first = Left(2); let p = &s.rest[1]; *p = s.first;',
    'let m = subgroupMatrixMultiply<u32>(subgroup_matrix_left<i8, 8, 8>(-3), subgroup_matrix_right<i8, 8, 8>());',
    'let m = subgroupMatrixLoad<subgroup_matrix_left<f16, 8, 8>, row_major>(&data, 0, 8);',
  ])('subgroup matrices in %s', (statement) => {
    expect(lower(matrices(statement, 'struct S { first: Left, rest: array<Left, 2> }'))).toMatchObject({ ok: true });
  });

  test.each([
    ['let m = subgroupMatrixMultiply(Left(), Right());', 'subgroupMatrixMultiply does not take'],
    ['let m = subgroupMatrixMultiply<f16>(Left(), Right());', 'subgroupMatrixMultiply does not take'],
    ['let m = subgroupMatrixMultiply<f32>(Right(), Left());', 'subgroupMatrixMultiply does not take'],
    ['let m = subgroupMatrixMultiplyAccumulate(Left(), Right(), Left());', 'does not take'],
    ['let m = subgroupMatrixScalarAdd(Left(), 1u);', 'f32 is needed'],
    ['let m = subgroupMatrixLoad<Left>(&halves, 0, false, 8);', 'a pointer to an array<f32>'],
    ['let m = subgroupMatrixLoad<Left, row_major>(&halves, 0, 8);', 'of at least 4 bytes'],
    ['subgroupMatrixStore<row_major>(&data, 0, 1.0, 8);', 'subgroupMatrixStore does not take'],
  ])('no %s', (statement, message) => {
    const lowered = lower(matrices(statement));
    expect(lowered.ok ? [] : lowered.diagnostics.map((found) => found.message)).toEqual([
      expect.stringContaining(message),
    ]);
  });

  test('no subgroup matrices outside of functions', () => {
    const lowered = lower(matrices('tile[0] = Left();', 'var<workgroup> tile: array<Left, 2>;'));
    expect(lowered.ok ? [] : lowered.diagnostics.map((found) => found.message)).toEqual([
      'A workgroup variable cannot hold subgroup matrices.',
    ]);
  });
});

describe('a program', () => {
  const program = programOf(
    body('let r = twice(first(&tile)); add_to(&v, r); state.x = r; o[i] = params.scale; atomicAdd(&flag, 1);'),
    { TILE: 32 },
  );

  test('has the variables that the entry point reaches, in the order of the text, and no others', () => {
    const found = program.variables.map(({ name, space, access, binding }) => [name, space, access, binding?.binding]);
    expect(found).toEqual([
      ['params', 'uniform', 'read', 0],
      ['o', 'storage', 'read_write', 2],
      ['tile', 'workgroup', 'read_write', undefined],
      ['flag', 'workgroup', 'read_write', undefined],
      ['state', 'private', 'read_write', undefined],
    ]);
    expect(program.variables[2]!.type).toMatchObject({ kind: 'array', count: 64 });
    expect(expressionText(program.variables[4]!.initializer!)).toBe('[1 2 3]:vec3<f32>');
  });

  test('has the functions it reaches, each before its callers', () => {
    expect(program.functions.map(({ name }) => name)).toEqual(['twice', 'first', 'add_to', 'main']);
    expect(program.entry.function).toBe(program.functions.at(-1));
    expect(statementsText(program.functions[2]!.body)).toBe('*p[0:u32] += x; *p[1:u32] = x; *p[2:i32] = x;');
  });

  test('says how its entry point is run', () => {
    expect(program.entry.workgroupSize).toEqual([8, 4, 1]);
    const inputs = program.entry.inputs.map(({ parameter, member, builtin }) => [parameter.name, member, builtin]);
    expect(inputs).toEqual([
      ['id', null, 'global_invocation_id'],
      ['lanes', null, 'subgroup_size'],
    ]);
  });

  test('takes built-in values in structs', () => {
    const { entry } =
      programOf(`struct In { @builtin(local_invocation_index) index: u32, @builtin(workgroup_id) group: vec3u }
      @compute @workgroup_size(4) fn main(in: In, @builtin(num_workgroups) groups: vec3u) { _ = in.index; }`);
    expect(entry.inputs.map(({ member, builtin }) => [member, builtin])).toEqual([
      [0, 'local_invocation_index'],
      [1, 'workgroup_id'],
      [null, 'num_workgroups'],
    ]);
  });

  test('has ids that no two things share', () => {
    const ids = new Map<number, object>();
    const visit = (node: unknown): void => {
      if (typeof node !== 'object' || node === null || [...ids.values()].includes(node)) return;
      if ('id' in node && typeof node.id === 'number') {
        expect(ids.has(node.id)).toBe(false);
        ids.set(node.id, node);
      }
      Object.values(node).forEach(visit);
    };
    visit(program.variables);
    visit(program.functions);
    expect(ids.size).toBeGreaterThan(15);
  });

  test('points into the kernel file through macros', () => {
    const source = `#define TILE 16
#define AT(r, c) data[(r) * TILE + (c)]
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) {
  AT(id.x, 3u) = f32(id.y) + f32(TILE);
}`;
    const { code, toSource } = preprocess(source, {});
    const lowered = lowerProgram(code, toSource, 'main', {});
    if (!lowered.ok) throw new Error(lowered.diagnostics[0]!.message);
    const [statement] = lowered.program.entry.function.body;
    if (statement?.kind !== 'assign' || statement.value.kind !== 'binary') throw new Error('no assignment of a sum');
    const text = ({ span }: { span: { start: number; end: number } }): string => source.slice(span.start, span.end);
    expect(text(statement)).toBe('AT(id.x, 3u) = f32(id.y) + f32(TILE);');
    expect(text(statement.place)).toBe('AT(id.x, 3u)');
    expect(text(statement.value)).toBe('f32(id.y) + f32(TILE)');
    expect(text(statement.value.right)).toBe('f32(TILE)');
  });
});

describe('what is no program is told at its place', () => {
  test.each(wrongStatements)('%s', (statements, place, code) => {
    const text = body(statements);
    const lowered = lower(text);
    const found = lowered.ok ? [] : lowered.diagnostics;
    expect(found.map(({ span, code: id }) => [text.slice(span.start, span.end), id])).toEqual([[place, code]]);
    expect(found[0]!.message).toMatch(/^[A-Z&*+\-!~0-9a-z(].*\.$/);
    expect(found[0]!.remedy).not.toBeNull();
  });

  test.each([
    ['fn f() { g(); } fn g() { f(); }', 'f();', 'f()'],
    ['fn f(x: i32) -> i32 { if x > 0 { return 1; } }', '_ = f(1);', 'f'],
    ['struct S { s: S }', 'var s: S;', 'S'],
    ['const A = B; const B = A;', '_ = A;', 'A'],
    ['override N: u32;', '_ = N;', 'N'],
    ['@group(0) @binding(0) var t: texture_2d<f32>;', '_ = t;', 't'],
  ])('%s', (declared, statements, place) => {
    const text = `${declared} @compute @workgroup_size(1) fn main() { ${statements} }`;
    const lowered = lower(text);
    const found = lowered.ok ? [] : lowered.diagnostics;
    expect(found.map(({ span }) => text.slice(span.start, span.end))).toEqual([place]);
  });

  test('one wrong declaration is told once, and everything that is wrong besides it', () => {
    const text = body('let a = x + i; let c = a * 2; let d = nothing; v.x = a;');
    const lowered = lower(text);
    const places = lowered.ok ? [] : lowered.diagnostics.map(({ span }) => text.slice(span.start, span.end));
    expect(places).toEqual(['x + i', 'nothing']);
  });

  test('texts that cannot be read, and entry points that are not there', () => {
    for (const code of ['fn main( {', '/* open', `fn main() { let a = ${'('.repeat(5000)}1; }`, 'fn other() {}']) {
      expect(lower(code).ok, code.slice(0, 20)).toBe(false);
    }
  });

  test('expressions nested beyond all reason', () => {
    for (const [start, repeated, end] of [
      ['let a = x', ' + x', ';'],
      ['let a = ', '(-', 'x'],
      ['let a = b', ' && b', ';'],
    ] as const) {
      const lowered = lower(body(`${start}${repeated.repeat(20_000)}${end}`));
      expect(lowered.ok).toBe(false);
    }
  });
});

const kernels = [
  ...readdirSync('shaders', { recursive: true, encoding: 'utf8' }).map((name) => `shaders/${name}`),
  ...readdirSync('test/core/wgsl/kernels').map((name) => `test/core/wgsl/kernels/${name}`),
].filter((name) => name.endsWith('.wgsl'));
const texts = new Map(kernels.map((name) => [name, readFileSync(name, 'utf8')]));

describe('kernels as people write them', () => {
  test.each(kernels.filter((name) => name.startsWith('shaders/')))('%s is lowered at its own shape', (name) => {
    const kernel = readKernel(texts.get(name)!, name)!;
    const planned = planKernel(kernel, kernel.shape, kernel.options);
    if (!planned.ok) throw new Error(planned.diagnostics[0]!.message);
    const { code, toSource, passes, constants } = planned.plan;
    for (const { entry, workgroupSize, variables } of passes) {
      const lowered = lowerProgram(code, toSource, entry, constants);
      if (!lowered.ok) throw new Error(lowered.diagnostics.map(({ message }) => message).join('\n'));
      const { program } = lowered;
      expect(program.entry.workgroupSize).toEqual(workgroupSize);
      const bound = program.variables.flatMap((variable) => (variable.binding === null ? [] : variable.name));
      expect(bound).toEqual(variables);
      for (const { start, end } of spansOf(program)) expect(start).toBeLessThan(end);
    }
  });

  test.each([
    ['flash', { HEAD_DIM: 64 }, {}],
    ['macros', {}, { TILE: '32', FEATURE: '1', LOOP_UNROLL: '1' }],
    ['terse', {}, {}],
  ])('%s is lowered', (name, constants, defines) => {
    const { code, toSource, entryPoints } = parseWgsl(texts.get(`test/core/wgsl/kernels/${name}.wgsl`)!, defines);
    for (const { name: entry } of entryPoints) {
      const lowered = lowerProgram(code, toSource, entry, constants);
      expect(lowered.ok ? [] : lowered.diagnostics).toEqual([]);
    }
  });

  test('of all that parsers get wrong only the texture is refused', () => {
    const text = texts.get('test/core/wgsl/kernels/syntax.wgsl')!;
    const refused = (code: string): string[] => {
      const lowered = lowerProgram(code, identity, 'main', { flag: 1 });
      return lowered.ok ? [] : lowered.diagnostics.map(({ span }) => code.slice(span.start, span.end));
    };
    expect(refused(text)).toEqual(['image']);
    expect(refused(text.replace('textureStore(image, vec2u(0), vec4f(total));', ''))).toEqual([]);
  });

  test('a kernel of 400 lines takes less than 30 ms', () => {
    const kernel = readKernel(texts.get('shaders/linear/right-product.wgsl')!, 'right-product.wgsl')!;
    const { code, toSource } = kernel.module;
    const times = Array.from({ length: 30 }, () => {
      const begin = process.cpuUsage();
      expect(lowerProgram(code, toSource, 'attend', {}).ok).toBe(true);
      return process.cpuUsage(begin).user / 1000;
    });
    expect(times.toSorted((a, b) => a - b)[15]).toBeLessThan(30);
  });

  test('thousands of broken ones make diagnostics with a place, and never an exception or a hang', () => {
    const below = seededNumbers(20_251_125);
    const rounds = 2500;
    let lowered = 0;
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      const source = mutate(texts.get(kernels[round % kernels.length]!)!, below);
      const module = parseWgsl(source, { TILE: '32', FEATURE: '1', LOOP_UNROLL: '1' });
      const begin = process.cpuUsage();
      for (const { name } of module.entryPoints) {
        const result = lowerProgram(module.code, module.toSource, name, { HEAD_DIM: 64, flag: 1 });
        // A program has so many spans that looking at them takes longer than making it.
        const spans = result.ok
          ? round % 20 === 0
            ? spansOf(result.program)
            : []
          : result.diagnostics.map(({ span }) => span);
        for (const { start, end } of spans) {
          if (!(start >= 0 && start < end && end <= source.length)) expect.fail(`${start}..${end}\n${source}`);
        }
        if (result.ok) lowered += 1;
        else refused += 1;
        if (!result.ok && result.diagnostics.length === 0) expect.fail(`no diagnostic\n${source}`);
      }
      if (process.cpuUsage(begin).user > 1_000_000) expect.fail(`slow\n${source}`);
    }
    expect(lowered).toBeGreaterThan(rounds / 20);
    expect(refused).toBeGreaterThan(rounds / 20);
  }, 300_000);
});
