import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/lab.js';
import { createProcessSimulator } from '../../src/native/simulator.js';
import { testDevice } from '../gpu/dawn.js';
import { kernelFiles, textOf } from './mutants.js';

/** Files that share the kernels between them, so that as many can be run side by side. */
const parts = 2;

/** A part of the kernels that come along. What one costs is its compilation, so that each part gets as much text. */
function kernelsOf(part: number): readonly string[] {
  const longestFirst = kernelFiles.toSorted((a, b) => textOf(b).length - textOf(a).length);
  const shares = Array.from({ length: parts }, (): { files: string[]; characters: number } => ({
    files: [],
    characters: 0,
  }));
  for (const file of longestFirst) {
    const share = shares.reduce((least, each) => (each.characters < least.characters ? each : least));
    share.files.push(file);
    share.characters += textOf(file).length;
  }
  return shares[part]!.files.sort();
}

/**
 * A kernel whose own shape has at most so many tokens and heads: at its whole size the software driver takes seconds for each,
 * which is many workgroups that do the same. The grid is left as it is.
 */
function withFewerTokens(text: string): string {
  const atMost = (most: number) => (_: string, name: string, size: string) =>
    `${name}: ${Math.min(Number(size), most)}`;
  return text.replace(/^shape: \{.*\}$/m, (line) =>
    line
      .replace(/\b(seqlen): (\d+)/, atMost(200))
      .replace(/\b(heads): (\d+)/, atMost(4))
      .replace(/\b(headsKv): (\d+)/, atMost(2)),
  );
}

/** Compares a part of the kernels that come along (0 or 1), on a device. */
export async function testKernelGrid(part: number): Promise<void> {
  const device = await testDevice();

  describe.skipIf(!device)(`the kernels that come along, part ${part + 1} of ${parts}`, () => {
    const lab = createLab(() => Promise.resolve({ ok: true, value: device! }), createProcessSimulator(), 'native', {
      abandon: () => undefined,
      timeoutMs: 200_000,
    });

    it.each(kernelsOf(part))(
      '%s is right at its own shape with fewer tokens, and in every case of the grid',
      async (name) => {
        const kernel = { name, text: withFewerTokens(textOf(name)) };
        const context = { signal: new AbortController().signal, report: () => undefined };
        const outcome = await lab.compare({ kernel, override: null, seed: 7 }, context);
        if (!outcome.ok) throw new Error(outcome.failure.message);
        const { cases } = outcome.value;
        expect(cases.filter(({ passed }) => !passed).map((wrong) => `${wrong.name}: ${wrong.sentence}`)).toEqual([]);
        // A grid that has shrunk to nothing proves nothing.
        expect(cases.length).toBeGreaterThanOrEqual(15);
        const tensors = cases.flatMap((theCase) => theCase.tensors);
        // A bound of 1e-3 or more stands only where the mathematics amplifies rounding errors or a tensor is f16. Where the
        // truth is zero, as in the gradient of a query that sees one key, there is no ratio to it.
        const near = tensors.filter(
          ({ rmsRatio, bound, maxReference }) =>
            maxReference > 1e-6 && (rmsRatio ?? Infinity) >= (bound < 1e-3 ? 5e-6 : bound / 4),
        );
        expect(near.map(({ sentence }) => sentence)).toEqual([]);
      },
      480_000,
    );
  });
}
