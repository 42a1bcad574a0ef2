import { describe, expect, it } from 'vitest';
import { buildLedger } from '../../../src/core/analysis/ledger-build.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

/** What a step of decoding costs at a size of a page: all accesses, and the bytes that are read of the table. */
function costAt(pageSize: number, text: string): { accesses: number; tableBytes: number } {
  const size = { heads: 4, headsKv: 2, seqlen: 2, seqlenK: 37, latentDim: 32, ropeDim: 16, pageSize };
  const context = simulatedContext(plannedKernel(text, size), 'all');
  const table = buildLedger(context, null).tensors.find(({ name }) => name === 'block_table')!;
  return { accesses: context.simulation.accesses, tableBytes: table.readBytes };
}

describe('grouped-latent/paged-decode.wgsl', () => {
  const text = builtInText('grouped-latent/paged-decode.wgsl');

  it('does the same with pages of one token as with pages of 64', () => {
    expect(costAt(1, text)).toEqual(costAt(64, text));
  });

  it('looks up each key once in a workgroup', () => {
    // One workgroup for each of the two latent heads, and an entry of 4 bytes for each of 37 keys.
    expect(costAt(16, text).tableBytes).toBe(2 * 37 * 4);
  });
});
