import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { preprocess } from '../../../src/core/wgsl/preprocess.js';

const kernel = (name: string): string => readFileSync(new URL(`kernels/${name}.wgsl`, import.meta.url), 'utf8');

/** What the text under each diagnostic is, beside its code. */
function findings(source: string, defines: Record<string, string> = {}): string[] {
  const { diagnostics } = preprocess(source, defines);
  return diagnostics.map(({ code, span }) => `${code}: ${source.slice(span.start, span.end)}`);
}

/** The lines of the code that hold anything, trimmed. */
function lines(source: string, defines: Record<string, string> = {}): string[] {
  const { code } = preprocess(source, defines);
  return code
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

describe('a text without directives', () => {
  test('passes unchanged, with an identity map', () => {
    const source = kernel('flash');
    const { code, toSource, diagnostics, definitions } = preprocess(source, { UNUSED: '1' });
    expect(code).toBe(source);
    expect(diagnostics).toEqual([]);
    expect(definitions).toEqual([]);
    for (const at of [0, 1, 500, source.length]) expect(toSource(at)).toBe(at);
  });

  test.each(['', '\r\n', 'é😀\u2028x', 'a\\\nb'])('keeps %j', (source) => {
    expect(preprocess(source).code).toBe(source);
  });
});

describe('macros', () => {
  test('replace whole names, not parts of names, numbers or comments', () => {
    const source = '#define N 64\nN N1 0xN 1N aN a.N /* N /* N */ N */ N // N\nN';
    expect(preprocess(source).code).toBe('\n64 N1 0xN 1N aN a.64 /* N /* N */ N */ 64 // N\n64');
  });

  test('may name each other and themselves without end', () => {
    expect(lines('#define A B + A\n#define B A\nA B')).toEqual(['A + A B + A']);
    expect(lines('#define F(x) F(x) x\nF(F(1))')).toEqual(['F(F(1) 1) F(1) 1']);
  });

  test('take parameters, paste tokens and keep the number of lines of their use', () => {
    const source =
      '#define AT(b, i) b[(i) * 2]\n#define CAT(a, b) a ## _ ## b\nAT(q, f(1, 2)) CAT(k, tile)\nAT(q,\n 1)\nend';
    expect(lines(source)).toEqual(['q[(f(1, 2)) * 2] k_tile', 'q[(1) * 2]', 'end']);
    expect(preprocess(source).code.split('\n')[5]).toBe('end');
  });

  test('that take parameters stay where they are only named', () => {
    expect(lines('#define F(x) x\nF; F')).toEqual(['F; F']);
  });

  test('go on over a backslash and through a block comment', () => {
    expect(lines('#define N 1 \\\n + 2 /* a\n b */ + 3\nN\r\n#define M \\\r\n 4\r\nM')).toEqual([
      '1    + 2            + 3',
      '4',
    ]);
  });

  test('from outside hold until the file defines the name itself', () => {
    expect(lines('N\n#define N 2\nN\n#undef N\nN', { N: '1' })).toEqual(['1', '2', 'N']);
    expect(lines('#ifndef N\n#define N 2\n#endif\nN', { N: '1' })).toEqual(['1']);
  });

  test('are listed with their values and places', () => {
    const source = '#define TILE 32 // rows\n#if 0\n#define NO 1\n#endif\n#define ADD(a, b) a + b\n#define FLAG';
    expect(preprocess(source).definitions).toEqual([
      { name: 'TILE', value: '32', parameters: null, nameSpan: { start: 8, end: 12 } },
      { name: 'ADD', value: 'a + b', parameters: ['a', 'b'], nameSpan: { start: 58, end: 61 } },
      { name: 'FLAG', value: '', parameters: null, nameSpan: { start: 82, end: 86 } },
    ]);
  });

  test('that would fill the memory end as a message', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `#define M${i} M${i + 1} M${i + 1}\n`).join('');
    expect(findings(`${doubling}M0`)).toEqual(['preprocessor-macro: M0']);
  });
});

describe('conditions', () => {
  const truth = (expression: string): boolean => lines(`#define N 8\n#if ${expression}\nyes\n#endif`)[0] === 'yes';

  test.each([
    ['1'],
    ['true'],
    ['N == 8 && defined(N) && !defined M'],
    ['7 / 2 == 3 && 7 % 4 == 3 && -7 / 2 == -3'],
    ['1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 10 - 3 - 2 == 5'],
    ['0x10 == 16u && 1 << 4 == 16 && 256 >> 4 == 16'],
    ['(6 & 3) == 2 && (6 | 3) == 7 && (6 ^ 3) == 5 && ~0 == -1'],
    ['UNKNOWN == 0'],
    ['0 ? 1 / 0 : 1'],
    ['!0 || 1 / 0'],
    ['N >= 8 && N <= 8 && N > 7 && N < 9 && N != 7'],
    ['1.5 * 2 == 3 // comment'],
    ['N /* in\n between */ == 8'],
  ])('%s holds', (expression) => {
    expect(truth(expression)).toBe(true);
    expect(findings(`#define N 8\n#if ${expression}\n#endif`)).toEqual([]);
  });

  test.each(['0', 'false', 'defined(M)', 'N < 8', '!N', '0 && 1 / 0'])('%s does not hold', (expression) => {
    expect(truth(expression)).toBe(false);
    expect(findings(`#define N 8\n#if ${expression}\n#endif`)).toEqual([]);
  });

  test('choose one branch, and nest', () => {
    const source = (a: number, b: number): string =>
      `#if ${a} == 0\nA0\n#elif ${a} == 1\nA1\n#if ${b}\nB\n#else\nnotB\n#endif\n#else\nA2\n#if 1\nC\n#endif\n#endif\nend`;
    expect(lines(source(0, 1))).toEqual(['A0', 'end']);
    expect(lines(source(1, 1))).toEqual(['A1', 'B', 'end']);
    expect(lines(source(1, 0))).toEqual(['A1', 'notB', 'end']);
    expect(lines(source(2, 1))).toEqual(['A2', 'C', 'end']);
  });

  test('leave what they skip unread', () => {
    expect(findings('#if 0\n#error no\n#nonsense\n#if 1/0\n#endif\n#elif 1\n#else\n#if (\n#endif\n#endif')).toEqual([]);
  });

  test('do not see directives in comments', () => {
    expect(findings('/*\n#if 0\n*/ // #if 0\n/* */ x #if')).toEqual([]);
    expect(lines('/* c */ #if 0\nx\n#endif\ny')).toEqual(['/* c */', 'y']);
  });
});

describe('mistakes', () => {
  test.each([
    ['#if 1\nx', ['preprocessor-unterminated-if: #if']],
    ['x\n#endif', ['preprocessor-stray: #endif']],
    ['  #else', ['preprocessor-stray: #else']],
    ['#if 0\n#else\n#else\n#elif 1\n#endif', ['preprocessor-after-else: #else', 'preprocessor-after-else: #elif']],
    ['#if\n#endif', ['preprocessor-condition: #if']],
    ['#if 1 +\n#endif', ['preprocessor-condition: 1 +']],
    ['#if 4 / (2 - 2)\n#endif', ['preprocessor-condition: /']],
    ['#if 1 $ 2\n#endif', ['preprocessor-condition: $']],
    ['#if (1\n#endif', ['preprocessor-condition: (1']],
    ['#if f(1)\n#endif', ['preprocessor-condition: f']],
    ['#if defined\n#endif', ['preprocessor-condition: defined']],
    ['#ifdef\n#endif', ['preprocessor-name: #ifdef']],
    ['#define', ['preprocessor-name: #define']],
    ['#define 3x 4', ['preprocessor-name: 3x 4']],
    ['#define F(a, 1) a', ['preprocessor-parameters: F']],
    ['#define F(a a', ['preprocessor-parameters: F']],
    ['#define F(a) a\nx F(1, 2)', ['preprocessor-macro: F']],
    ['#define F(a) a\nx F(1', ['preprocessor-macro: F']],
    ['# pragma once', ['preprocessor-unknown-directive: # pragma']],
    ['#include "x.wgsl"', ['preprocessor-include: #include']],
    ['#error no such tile', ['preprocessor-error: #error']],
  ])('%j', (source, expected) => {
    expect(findings(source)).toEqual(expected);
  });

  test('have a remedy each', () => {
    const { diagnostics } = preprocess('#nope\n#if 1/0\n#endif\n#define\n#endif\n#if 1');
    expect(diagnostics).toHaveLength(5);
    for (const { remedy, message } of diagnostics) {
      expect(remedy).toMatch(/\.$/);
      expect(message).toMatch(/\.$/);
    }
  });
});

describe('the source map', () => {
  const source = kernel('macros');
  const { code, toSource, toSourceSpan } = preprocess(source, { TILE: '32', FEATURE: '1', LOOP_UNROLL: '1' });

  test('keeps every line on its number', () => {
    const codeLines = code.split('\n');
    const sourceLines = source.split('\n');
    expect(codeLines).toHaveLength(sourceLines.length);
    sourceLines.forEach((line, i) => {
      if (codeLines[i] !== '' && !/TILE|LOAD|CAT|LANES|HEAD_DIM/.test(line) && !line.startsWith(' ')) {
        expect(codeLines[i]).toBe(line);
      }
    });
  });

  test('finds each copied word where it stands in the source, and a macro at its use', () => {
    for (const word of ['attend', 'struct Shape', 'seqlen', 'key_tile[lane.x]', 'var sum']) {
      const at = code.indexOf(word);
      expect(source.slice(toSource(at), toSource(at) + word.length)).toBe(word);
    }
    const expanded = code.indexOf('(32 / 4)');
    const span = toSourceSpan(expanded + 1, expanded + 3);
    expect(source.slice(span.start, span.end)).toBe('LANES');
    const call = code.indexOf('k[(group.x)');
    const use = toSourceSpan(call, call + 3);
    expect(source.slice(use.start, use.end)).toMatch(/^LOAD\(k, group\.x,\s+lane\.x\)$/);
  });

  test('never runs backwards', () => {
    let last = 0;
    for (let at = 0; at <= code.length; at++) {
      expect(toSource(at)).toBeGreaterThanOrEqual(last);
      last = toSource(at);
    }
    expect(last).toBe(source.length);
  });
});
