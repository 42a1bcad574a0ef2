import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  completeOptions,
  completeShape,
  compulsoryBytes,
  findMechanism,
  mechanisms,
} from '../../../src/core/attention/catalogue.js';
import type { Computation, Mechanism } from '../../../src/core/attention/mechanism.js';
import { elementCount, tensorDims } from '../../../src/core/attention/sizes.js';

const page = readFileSync(new URL('../../../docs/mechanisms/README.md', import.meta.url), 'utf8');

/** The cells of the table of costs, row by row, below its head. */
const rows = page
  .slice(page.indexOf('| state, numbers'))
  .split('\n\n')[0]!
  .split('\n')
  .slice(2)
  .map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

function computationOf({ computations }: Mechanism, direction: string): Computation | null {
  return computations.find((computation) => computation.direction === direction) ?? null;
}

/** What the second table says of a mechanism: everything for one head of its own shape, in f32. */
function costsOf(mechanism: Mechanism, decode: Computation): readonly string[] {
  const shape = completeShape(mechanism, {});
  const one = completeShape(mechanism, { seqlen: 1 });
  const options = completeOptions(mechanism, shape, {});
  const heads = shape.heads!;
  const forward = computationOf(mechanism, 'forward')!;
  const states = Object.keys(mechanism.recurrence!.states).map((name) =>
    forward.tensors.find((tensor) => tensor.name === name)!,
  );
  const numbers = states.reduce((sum, { dims }) => sum + elementCount(tensorDims(dims, one)), 0) / heads;
  const perToken = forward.flops(shape, options) / (heads * shape.seqlen!);
  const bound = decode.tensors.filter(({ required }) => required).map(({ name }) => ({ name, bytesPerElement: 4 }));
  const bytes = Math.round(compulsoryBytes(decode, one, bound) / heads);
  expect(decode.flops(one, options) / heads).toBe(perToken);
  return [...[numbers, perToken, bytes].map((value) => value.toLocaleString('en')), (perToken / bytes).toFixed(2)];
}

describe('the overview of the mechanisms', () => {
  it.each(mechanisms.map(({ id }) => id))('has a link to %s', (id) => {
    expect(page).toContain(`](${id}.md)`);
  });

  it('has the family of linear attention', () => {
    expect(rows.length).toBeGreaterThanOrEqual(7);
  });

  it.each(rows)('says what the state of %s costs', (link, ...cells) => {
    const id = /\]\((.*)\.md\)$/.exec(link)?.[1] ?? '';
    const mechanism = findMechanism(id)!;
    expect(cells).toEqual(costsOf(mechanism, computationOf(mechanism, 'decode')!));
  });
});
