import { expect, it } from 'vitest';
import type { ConsistencyReport } from '../../src/lab/contract.js';
import { compareReport, idle, kept } from './harness/fixtures.js';
import { show, useLabPages } from './harness/lab-page.js';

const { open } = useLabPages();

/** Two checks, of which the second fails in one tensor. */
function report(): ConsistencyReport {
  const { cases, device } = compareReport(true);
  const tensors = [cases[0]!, cases.find(({ passed }) => !passed)!].map(({ tensors: [tensor] }) => tensor!);
  const about = { shape: {}, options: {}, failure: null, kernels: ['lightning2.wgsl', 'decode.wgsl'] };
  return {
    hash: idle.kernel!.hash,
    mechanism: 'lightning-attention',
    kernels: about.kernels.map((name) => ({ name, hash: 'h', direction: 'forward' })),
    passed: false,
    sentence: 'Inconsistent in 1 of 2 checks.',
    checks: [
      { ...about, kind: 'resume', title: 'lightning2: cut', passed: true, sentence: '', tensors: [tensors[0]!] },
      {
        ...about,
        kind: 'decode',
        title: 'decode: steps',
        passed: false,
        sentence: 'o differs from row 91 on.',
        tensors,
      },
    ],
    skipped: [{ kernel: 'backward.wgsl', reason: 'it computes gradients.' }],
    seed: 1,
    device,
    elapsedMs: 1,
  };
}

it('shows which checks of consistency agree, where one does not, and what was left out, until an edit', async () => {
  const page = await open('idle');
  await show(page, { running: 'consistency' });
  await show(page, { running: null, consistency: kept(report()) });
  const note = page.getByRole('region', { name: 'Consistency' });
  expect(await note.locator('.note-title').innerText()).toBe('Inconsistent in 1 of 2 checks');
  const rows = (await note.locator('tbody tr').allInnerTexts()).map((row) => row.split(/\s*\t\s*/));
  expect(rows.map((row) => row.slice(0, -2))).toEqual([
    ['lightning2: cut', 'agrees', 'o'],
    ['decode: steps', 'differs', 'o'],
    ['o'],
  ]);
  expect(await note.innerText()).toMatch(
    /decode: steps: o differs from row 91 on\.\s+Not checked: backward\.wgsl: it computes/,
  );
  expect(await page.locator('[role=status]').innerText()).toBe(
    'Consistency check finished: Inconsistent in 1 of 2 checks.',
  );
  await show(page, { consistency: kept(report(), true) });
  await note.waitFor({ state: 'detached' });
});
