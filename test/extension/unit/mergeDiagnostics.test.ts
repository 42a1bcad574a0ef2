import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/core/diagnostic.js';
import { mergeDiagnostics, suggestedReplacement } from '../../../src/extension/mergeDiagnostics.js';
import { suggestName } from '../../../src/core/kernel/nearest.js';

const finding = (start: number, end: number, change: Partial<Diagnostic> = {}): Diagnostic => ({
  code: 'c',
  severity: 'error',
  span: { start, end },
  message: 'm',
  remedy: null,
  ...change,
});

describe('the findings of parser and driver', () => {
  it('stand once where both speak of one place', () => {
    const own = [finding(10, 15)];
    expect(mergeDiagnostics(own, [finding(12, 20, { message: 'unresolved' })])).toEqual(own);
  });

  it('stand both where the driver knows more', () => {
    const own = [finding(10, 15)];
    const elsewhere = finding(30, 31);
    const milder = finding(12, 13, { severity: 'warning', message: 'unreachable' });
    expect(mergeDiagnostics(own, [elsewhere, milder])).toEqual([...own, elsewhere, milder]);
  });
});

describe('a suggested replacement', () => {
  it('is the word asked about', () => {
    expect(suggestedReplacement(`There is no key "mechansim". ${suggestName('mechansim', ['mechanism'])}`)).toBe(
      'mechanism',
    );
  });

  it('is absent where the remedy is of another kind', () => {
    expect(suggestedReplacement('There is no key "x". Choose from: a, b.')).toBeNull();
  });
});
