import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HazardReport } from '../../src/lab/contract.js';
import type { Kept } from '../../src/lab/panel.js';
import { openBrowser, openPage } from './harness/browser.js';
import { idle } from './harness/fixtures.js';
import { servePage, type PageServer } from './harness/server.js';

let browser: Browser;
let server: PageServer;

beforeAll(async () => {
  [browser, server] = await Promise.all([openBrowser(), servePage()]);
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

const clean: Kept<HazardReport> = {
  at: 1,
  stale: false,
  report: {
    hash: 'h',
    kernel: 'flash.wgsl',
    hazards: [],
    cases: [
      { name: 'own shape', shape: { seqlen: 96 }, options: {} },
      { name: 'seqlen 33', shape: { seqlen: 33 }, options: {} },
    ],
    subgroupSizes: [32],
    sentence: 'No hazard in 2 simulated cases.',
    elapsedMs: 100,
  },
};

const racing: Kept<HazardReport> = {
  ...clean,
  report: {
    ...clean.report,
    hazards: [
      {
        kind: 'race-in-workgroup',
        code: 'hazard-race-in-workgroup',
        severity: 'error',
        span: { start: 120, end: 128 },
        line: 9,
        message: 'Line 9 reads row_parts[8], which line 7 writes in the same epoch.',
        remedy: 'Put a workgroupBarrier() between them.',
        other: { span: { start: 90, end: 99 }, line: 7, label: 'The write' },
        variable: 'row_parts',
        count: 512,
        example: { entry: 'attend', workgroup: [0, 0, 0], invocations: [0, 1], epoch: 0, caseName: 'own shape' },
        fix: null,
      },
    ],
    sentence: '1 error in 2 simulated cases.',
  },
};

describe('the hazards in the Kernel Lab', () => {
  it('are listed with their lines, and a click reveals the place', async () => {
    const { page, complaints } = await openPage(browser, server.address({ ...idle, hazards: racing }));
    const note = page.getByRole('region', { name: 'Hazards' });
    expect(await note.locator('.note-title').innerText()).toBe('1 hazard in 2 simulated cases');
    await note.getByRole('button', { name: /row_parts\[8\].*line 9/s }).click();
    const calls = await page.evaluate(() => window.harness.calls);
    expect(calls.at(-1)).toEqual({ method: 'reveal', params: { start: 120, end: 128 } });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('are none in a clean kernel, with the cases that were looked at, until an edit', async () => {
    const { page } = await openPage(browser, server.address({ ...idle, hazards: clean }));
    const note = page.getByRole('region', { name: 'Hazards' });
    expect(await note.innerText()).toMatch(/No hazard in 2 simulated cases\s+own shape · seqlen 33/);
    await page.evaluate((kept) => window.harness.show({ hazards: kept }), { ...clean, stale: true });
    await note.waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('are told to a screen reader when the check is over', async () => {
    const { page } = await openPage(browser, server.address({ ...idle, running: 'hazards' }));
    await page.evaluate((kept) => window.harness.show({ running: null, hazards: kept }), racing);
    await expect
      .poll(() => page.locator('[role=status]').innerText())
      .toBe('Hazard check finished: 1 error in 2 simulated cases.');
    await page.context().close();
  });
});
