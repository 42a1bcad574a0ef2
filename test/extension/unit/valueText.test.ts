import { describe, expect, it } from 'vitest';
import type { RecordedValue } from '../../../src/core/simulator/trace.js';
import { parseIndex, parseWorkgroup } from '../../../src/extension/invocationId.js';
import { lineValues } from '../../../src/extension/valueText.js';
import { english } from './english.js';

function value(
  line: number,
  name: string,
  count: number,
  samples: RecordedValue['samples'],
): RecordedValue & { line: number } {
  return { line, name, span: { start: 0, end: 1 }, count, samples };
}

describe('the values of an invocation', () => {
  it('stand at the line that gave them, all of a few and the ends of many', () => {
    const values = lineValues(
      [value(9, 'score', 32, [0.5, 1 / 3, 0.25, -2]), value(4, 'row', 1, [17]), value(9, 'inside', 2, [true, false])],
      english,
    );
    expect(values).toEqual([
      { line: 4, text: 'row = 17', details: ['`row` (once): 17'] },
      {
        line: 9,
        text: 'score = 0.5, 0.333333, …, -2 (32 times)   inside = true, false',
        details: ['`score` (32 times): 0.5, 0.333333, 0.25, …, -2', '`inside` (2 times): true, false'],
      },
    ]);
  });

  it('show vectors and what is no finite number', () => {
    const [line] = lineValues(
      [
        value(1, 'v', 2, [
          [1, NaN, -0.1234567],
          [Infinity, 0, 16777217],
        ]),
      ],
      english,
    );
    expect(line!.text).toBe('v = (1, NaN, -0.123457), (Infinity, 0, 16777217)');
  });
});

describe('the id of a workgroup', () => {
  it.each([
    ['3, 1, 0', [3, 1, 0]],
    ['3 1', [3, 1, 0]],
    ['7', [7, 0, 0]],
  ])('reads %j', (text, id) => {
    expect(parseWorkgroup(text, [8, 2, 1])).toEqual(id);
  });

  it.each(['', '8, 0, 0', '0, 0, 1', '-1, 0, 0', '1.5', 'a', '1, 1, 0, 0'])('refuses %j', (text) => {
    expect(parseWorkgroup(text, [8, 2, 1])).toBeNull();
  });

  it('refuses an invocation that a workgroup does not have', () => {
    expect(parseIndex('63', 64)).toBe(63);
    expect(parseIndex('64', 64)).toBeNull();
    expect(parseIndex('', 64)).toBeNull();
  });
});
