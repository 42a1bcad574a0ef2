import { expect, it } from 'vitest';
import { consistencyReport, kept } from './harness/fixtures.js';
import { show, useLabPages } from './harness/lab-page.js';

const { open } = useLabPages();

it('shows which checks of consistency agree, where one does not, and what was left out, until an edit', async () => {
  const page = await open('idle');
  await show(page, { running: 'consistency' });
  await show(page, { running: null, consistency: kept(consistencyReport()) });
  const note = page.getByRole('region', { name: 'Consistency' });
  expect(await note.locator('.note-title').innerText()).toBe('Inconsistent in 1 of 2 checks');
  const rows = await note
    .locator('tbody tr')
    .evaluateAll((all) => all.map((row) => [...row.children].slice(0, 2).map((cell) => cell.textContent.trim())));
  expect(rows).toEqual([
    ['agrees', 'lightning2: 91 tokens, then 28 from its state'],
    ['', 'o'],
    ['', 's'],
    ['differs', 'lightning2: 91 tokens, then decode token by token'],
    ['', 'o'],
    ['', 's'],
  ]);
  expect(await note.innerText()).toMatch(
    /token by token: o differs from row 91 on\.\s+Not checked: backward\.wgsl: it computes/,
  );
  expect(await page.locator('[role=status]').innerText()).toBe(
    'Consistency check finished: Inconsistent in 1 of 2 checks.',
  );
  await show(page, { consistency: kept(consistencyReport(), true) });
  await note.waitFor({ state: 'detached' });
});
