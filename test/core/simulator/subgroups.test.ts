import { describe, expect, it } from 'vitest';
import { lastWords, modulePlan, simulatedModule } from './simulated.js';
import { invocations, subgroupModule, subgroupOperations } from './subgroup-operations.js';

/** What each invocation gets from an expression. */
function results(expression: string, subgroupSize: number, before = ''): number[] {
  const plan = modulePlan(subgroupModule(expression, before), { results: invocations * 4 }, invocations);
  return [...new Uint32Array(lastWords(simulatedModule(plan, { subgroupSize })).buffer)];
}

/** The same calculated here: `of` gets the index of the invocation and those of its subgroup. */
function expected(subgroupSize: number, of: (at: number, members: readonly number[]) => number): number[] {
  return Array.from({ length: invocations }, (_, at) => {
    const first = Math.floor(at / subgroupSize) * subgroupSize;
    return of(
      at,
      Array.from({ length: subgroupSize }, (_unused, lane) => first + lane),
    );
  });
}

describe.each([4, 8, 16, 32, 64, 128])('subgroups of %i', (size) => {
  it.each(subgroupOperations())('$expression', ({ expression, expected: of }) => {
    expect(results(expression, size)).toEqual(expected(size, of));
  });
});

describe('a subgroup that diverges', () => {
  it('meets those that wait at the same operation', () => {
    const before = 'var x = 0u; if (lane < 3u) { x = subgroupAdd(1u); } else { x = subgroupAdd(100u); }';
    expect(results('x', 8, before)).toEqual(expected(8, (at, [first]) => (at - first! < 3 ? 3 : 500)));
  });

  it('goes on together after a loop of different lengths', () => {
    const before = 'var n = 0u; for (var i = 0u; i <= lane; i++) { n += 1u; } let all = subgroupAdd(n);';
    expect(results('all', 4, before)).toEqual(Array.from({ length: invocations }, () => 10));
  });
});
