import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PanelSnapshot } from '../../src/lab/panel.js';
import { openBrowser, openPage, type WatchedPage } from './harness/browser.js';
import { idle, kernel } from './harness/fixtures.js';
import { servePage, type PageServer } from './harness/server.js';

/** The page's own lab on the browser's own WebGPU: nothing stands in for either. */

const textOf = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../shaders/${name}.wgsl`, import.meta.url)), 'utf8');

const small = textOf('lightning/lightning2')
  .replace(/shape: \{[^}]*\}/, 'shape: { batch: 1, heads: 2, seqlen: 96, headDim: 16 }')
  .replace('---*/', 'cases:\n  - { seqlen: 65 }\n---*/');
/** Its last workgroup goes through all keys, which takes seconds to trace. */
const long = textOf('softmax/flash').replace('heads: 8, seqlen: 1024', 'heads: 1, seqlen: 16384');
const mistaken = small.replace('let ', 'let mistake: f32 = 1u;\n  let ');
const wrong = small.replace('params.scale * output[', '1.01 * params.scale * output[');

let browser: Browser;
let server: PageServer;

beforeAll(async () => {
  [browser, server] = await Promise.all([openBrowser(), servePage()]);
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

const fresh: PanelSnapshot = { ...idle, kernel: { ...kernel, problems: [] }, device: null };

async function open(text: string, snapshot: PanelSnapshot = fresh): Promise<WatchedPage> {
  const watched = await openPage(browser, server.address(snapshot));
  await watched.page.evaluate((source) => {
    window.harness.kernel = { name: 'lightning2.wgsl', text: source };
  }, text);
  return watched;
}

describe('the lab on the page', () => {
  it('compares a built-in kernel on WebGPU and shows the verdict, the map and the machine', async () => {
    const { page, complaints } = await open(small);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.locator('.header-word', { hasText: /^right$/ }).waitFor({ timeout: 90_000 });
    expect(await page.locator('tilescope-cases tbody tr').count()).toBe(2);
    expect(await page.locator('.machine').innerText()).toMatch(/swiftshader[^]*software adapter[^]*webview WebGPU/i);
    expect(await page.locator('#error-map-summary').innerText()).toMatch(
      /^All 3,072 compared elements of o are within/,
    );
    expect(await page.locator('[role=status]').innerText()).toBe('Compare finished: right');
    expect(complaints).toEqual([]);
    expect(await page.evaluate(() => window.harness.violations)).toEqual([]);
    await page.context().close();
  });

  it('finds a kernel wrong, says where, and shows no speed of it', async () => {
    expect(wrong).not.toBe(small);
    const { page, complaints } = await open(wrong);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.locator('.header-word', { hasText: /^wrong$/ }).waitFor({ timeout: 90_000 });
    expect(await page.locator('tilescope-cases tbody tr.failed').count()).toBe(2);
    expect(await page.locator('.metrics tbody tr').first().innerText()).toMatch(/Max error\s+[\d.e-]+\s+\(too much\)/);
    expect(await page.locator('tilescope-worst tbody tr').count()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Benchmark', exact: true }).click();
    await page.getByRole('tab', { name: 'Benchmark' }).click();
    await page.getByText('No speed for a kernel whose comparison fails').first().waitFor({ timeout: 90_000 });
    expect(await page.locator('.header-time').count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('stops a job when asked, and works again afterwards', async () => {
    const { page } = await open(small.replace('seqlen: 96', 'seqlen: 8192').replace('heads: 2', 'heads: 16'));
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.locator('.progress-text', { hasText: /\w/ }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.note-title', { hasText: 'Compare was stopped' }).waitFor({ timeout: 60_000 });
    await page.evaluate((source) => {
      window.harness.kernel = { name: 'lightning2.wgsl', text: source };
    }, small);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.locator('.note-title', { hasText: 'The kernel ran' }).waitFor({ timeout: 90_000 });
    await page.context().close();
  });

  it('traces it in a worker without eval, shows where its tiles are, and hears of no violation of the policy', async () => {
    const { page, complaints } = await open(small);
    await page.getByRole('tab', { name: 'Tile schedule' }).click();
    await page.getByRole('button', { name: 'Trace this kernel' }).click();
    await page.locator('.trace-note').waitFor({ timeout: 90_000 });
    const trace = await page.evaluate(() => window.harness.snapshot.trace!.report);
    expect(trace.exact).toBe(true);
    expect(trace.passes.map(({ entry }) => entry)).toEqual(['sum_chunks', 'scan_states', 'attend']);
    expect(trace.coverage!.totals).toMatchObject({ missed: 0, doubled: 0 });
    expect(await page.locator('[role=status]').innerText()).toMatch(/^Trace finished: .* all counts are exact\.$/);
    await page.getByRole('tab', { name: 'Memory traffic' }).click();
    await page.locator('tilescope-traffic-table').first().waitFor();
    expect(complaints).toEqual([]);
    expect(await page.evaluate(() => window.harness.violations)).toEqual([]);
    await page.context().close();
  });

  it('stops a trace by ending its worker, says why a kernel cannot be traced, and traces the next one', async () => {
    const { page } = await open(long);
    await page.getByRole('tab', { name: 'Tile schedule' }).click();
    const start = page.getByRole('button', { name: 'Trace this kernel' });
    await start.click();
    await page.locator('.progress-text', { hasText: /tracing/ }).waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.note-title', { hasText: 'Trace was stopped' }).waitFor({ timeout: 20_000 });
    await page.evaluate((source) => {
      window.harness.kernel = { name: 'lightning2.wgsl', text: source };
    }, mistaken);
    await start.click();
    await page
      .locator('.note-title', { hasText: 'Trace: the kernel file cannot be used as it is' })
      .waitFor({ timeout: 60_000 });
    await page.evaluate((source) => {
      window.harness.kernel = { name: 'lightning2.wgsl', text: source };
    }, small);
    await start.click();
    await page.locator('.trace-note').waitFor({ timeout: 90_000 });
    await page.context().close();
  });

  it('benchmarks it and says that the adapter is software', async () => {
    const { page, complaints } = await open(small);
    await page.getByRole('button', { name: 'Benchmark', exact: true }).click();
    await page.locator('.header-time').waitFor({ timeout: 110_000 });
    await page.getByRole('tab', { name: 'Benchmark' }).click();
    expect(await page.locator('.number-main').innerText()).toMatch(/^Time of one run\s+[\d.]+\s*(ns|µs|ms|s)/);
    expect(await page.locator('.header-word').innerText()).toBe('right');
    expect(await page.locator('.inline-note').innerText()).toContain('software adapter');
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
