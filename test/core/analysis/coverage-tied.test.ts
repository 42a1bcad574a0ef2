import { describe, expect, it } from 'vitest';
import { buildCoverage } from '../../../src/core/analysis/coverage-build.js';
import { buildLedger } from '../../../src/core/analysis/ledger-build.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const size = { heads: 4, headsKv: 2, seqlen: 2, seqlenK: 37, headDim: 16 };
// Four heads of two queries that see 36 and 37 tokens.
const pairs = 4 * (36 + 37);

/** A kernel at the small size, with a change in its text. */
function planned(file: string, find = '', replace = ''): ReturnType<typeof plannedKernel> {
  const text = builtInText(file);
  expect(find === '' || text.split(find).length === 2).toBe(true);
  return plannedKernel(text.replace(find, replace), size, {});
}

function totalsOf(...[file, find, replace]: Parameters<typeof planned>): unknown {
  return buildCoverage(simulatedContext(planned(file, find, replace), 'all', { provenance: true }))!.totals;
}

describe('a tied state', () => {
  it.each(['grouped-tied/decode.wgsl', 'grouped-tied/prefill.wgsl'])(
    'reaches each query of %s once, as the key of its score and as the value of its weight',
    (file) => {
      expect(totalsOf(file)).toMatchObject({ required: pairs, once: pairs, doubled: 0, missed: 0 });
    },
  );

  it.each([
    ['grouped-tied/decode.wgsl', 'output[i] += weight * tied['],
    ['grouped-tied/prefill.wgsl', '(*output)[4u * c] += weights.x * value;'],
  ])('of %s is missed where its scores are formed and a value is not weighed', (file, find) => {
    expect(totalsOf(file, find, find.replace(/\+= (weight|weights\.x) \*/, '+= 0.0 *'))).not.toMatchObject({
      missed: 0,
    });
  });

  it('is read once where it is key and value of all queries of its group', () => {
    const { tensors } = buildLedger(simulatedContext(planned('grouped-tied/decode.wgsl'), 'none'));
    const read = (name: string): number => tensors.find((tensor) => tensor.name === name)!.readBytes;
    // Of every tied head its 37 tokens; the rotated slice, half as wide, for each of them.
    expect(read('kv')).toBe(2 * 37 * 16 * 4);
    expect(read('k_rope')).toBe(2 * 37 * 8 * 4);
  });
});
