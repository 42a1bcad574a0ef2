import { describe, expect, it } from 'vitest';
import { buildLedger } from '../../../src/core/analysis/ledger-build.js';
import type { Shape } from '../../../src/core/attention/mechanism.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const heads = { heads: 4, headsKv: 2, seqlen: 2, seqlenK: 37 };
const kernels = [
  ['grouped-latent/paged-decode.wgsl', { ...heads, latentDim: 32, ropeDim: 16 }],
  ['softmax/paged-decode.wgsl', { ...heads, headDim: 16 }],
] as const;

/** What a step of decoding costs at a size of a page: all accesses, and the bytes that are read of the table. */
function costAt(pageSize: number, text: string, size: Shape): { accesses: number; tableBytes: number } {
  const context = simulatedContext(plannedKernel(text, { ...size, pageSize }), 'all');
  const table = buildLedger(context, null).tensors.find(({ name }) => name === 'block_table')!;
  return { accesses: context.simulation.accesses, tableBytes: table.readBytes };
}

describe.each(kernels)('%s', (file, size) => {
  const text = builtInText(file);

  it('does the same with pages of one token as with pages of 64', () => {
    expect(costAt(1, text, size)).toEqual(costAt(64, text, size));
  });

  it('looks up each key once in a workgroup', () => {
    // One workgroup for each of the two heads of the cache, and an entry of 4 bytes for each of 37 keys.
    expect(costAt(16, text, size).tableBytes).toBe(2 * 37 * 4);
  });
});
