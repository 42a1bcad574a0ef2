import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mechanisms } from '../../../src/core/attention/catalogue.js';
import {
  compareWithGolden,
  goldenAgreement,
  goldenMechanism,
  goldenOf,
  type GoldenEntry,
} from '../../../src/core/attention/golden.js';
import { readSafetensors } from '../../../src/core/numerics/safetensors.js';

const folder = new URL('../../goldens/', import.meta.url);
const index = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8')) as { cases: GoldenEntry[] };

function tensorsOf(entry: GoldenEntry): Parameters<typeof goldenOf>[1] {
  const bytes = new Uint8Array(readFileSync(new URL(entry.file, folder)));
  const file = readSafetensors(bytes.buffer);
  if (!file.ok) throw new Error(file.message);
  return file.tensors;
}

describe('the reference agrees with the golden vectors', () => {
  it('has cases of every operation of the catalogue', () => {
    const operations = mechanisms.flatMap(({ golden }) => Object.keys(golden));
    expect(operations.length).toBeGreaterThanOrEqual(6);
    expect(new Set(index.cases.map(({ op }) => op))).toEqual(new Set(operations));
  });

  for (const entry of index.cases) {
    const outward = goldenMechanism(entry)?.golden[entry.op]?.direction ?? 'forward';
    for (const direction of [outward, 'backward'] as const) {
      const outputs = direction === 'backward' ? entry.grads : entry.outputs;
      if (Object.keys(outputs).length === 0) continue;
      it(`${entry.case} ${direction}`, () => {
        const golden = goldenOf(entry, tensorsOf(entry), direction)!;
        expect(golden).not.toBeNull();
        const differences = compareWithGolden(golden);
        expect(differences).toHaveLength(Object.keys(outputs).length);
        for (const { tensor, relative } of differences) {
          expect(relative, `${tensor} differs`).toBeLessThanOrEqual(goldenAgreement);
        }
      });
    }
  }

  it('tells an operation it does not have from a mistake', () => {
    const entry = { ...index.cases[0]!, op: 'no_attention' };
    expect(goldenOf(entry, new Map(), 'forward')).toBeNull();
  });

  it('decodes nothing whose files hold what only a forward pass gives', () => {
    const entry = index.cases.find(({ case: name }) => name === 'mosaic__n2')!;
    expect(goldenOf(entry, tensorsOf(entry), 'decode')).toBeNull();
  });

  it('names a tensor that the file should have and does not', () => {
    expect(() => goldenOf(index.cases[0]!, new Map(), 'forward')).toThrow(/no tensor q.*index\.json/);
  });

  it('sees a wrong reference', () => {
    const entry = index.cases.find(({ case: name }) => name === 'attn__swa16_n100')!;
    const golden = goldenOf(entry, tensorsOf(entry), 'forward')!;
    const shifted = { ...golden, options: { ...golden.options, window: [16, 0] as const } };
    expect(compareWithGolden(shifted)[0]!.relative).toBeGreaterThan(1e-3);
  });
});
