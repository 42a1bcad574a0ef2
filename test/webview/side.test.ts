import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { PanelSnapshot } from '../../src/lab/panel.js';
import { compareReport, idle, kept } from './harness/fixtures.js';
import { useLabPages } from './harness/lab-page.js';
import { lightningTrace } from './harness/lightning-trace.js';

const { open } = useLabPages();

interface Side extends HTMLElement {
  readonly connect: (actions: Record<'start' | 'command', (what: string) => void>) => void;
  readonly show: (snapshot: unknown) => void;
}

/** Puts the side panel's page in the place of the Kernel Lab's, as wide as a side panel is. */
async function openSide(snapshot: PanelSnapshot): Promise<Page> {
  const page = await open('idle', 280);
  await page.evaluate((given) => {
    const side = document.createElement('tilescope-side') as Side;
    const record =
      (method: string) =>
      (what: string): void => {
        window.harness.calls.push({ method, params: what });
      };
    side.connect({ start: record('start'), command: record('command') });
    side.show(given);
    document.querySelector('tilescope-lab')!.replaceWith(side);
  }, snapshot);
  await page.locator('.side').waitFor();
  return page;
}

const last = (page: Page): Promise<unknown> => page.evaluate(() => window.harness.calls.at(-1));
const traced = { ...idle, compare: kept(compareReport(false)), trace: kept(lightningTrace()) };

describe('the side panel', () => {
  it('shows the verdict, the score square and the bands of the kernel at the cursor', async () => {
    const page = await openSide(traced);
    expect(await page.locator('.side-kernel').innerText()).toBe('lightning2.wgsl');
    expect(await page.locator('.side-verdict').innerText()).toContain('right');
    expect(await page.getByRole('img', { name: /^Score matrix: Every pair of the causal mask/ }).count()).toBe(1);
    expect((await page.locator('.side-band').allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      'q 3.0 ×',
      'k 2.0 ×',
      'v 2.0 ×',
      'slopes 9600 ×',
      's0 1.0 ×',
      'o 1.0 ×',
      's 1.0 ×',
      'states 16.0 MiB',
    ]);
  });

  it('opens the tabs of the Kernel Lab on a click', async () => {
    const page = await openSide(traced);
    await page.getByRole('button', { name: /^Tile schedule/ }).click();
    expect(await last(page)).toEqual({ method: 'command', params: 'show-schedule' });
    await page.getByRole('button', { name: /^Memory traffic/ }).click();
    expect(await last(page)).toEqual({ method: 'command', params: 'show-traffic' });
  });

  it('offers to trace what was not traced, and says why where it cannot be', async () => {
    const page = await openSide(idle);
    await page.getByRole('button', { name: 'Trace this kernel' }).click();
    expect(await last(page)).toEqual({ method: 'start', params: 'trace' });
    await page.evaluate(
      (snapshot) => {
        const side = document.querySelector<Side>('tilescope-side');
        side?.show(snapshot);
      },
      { ...idle, trusted: false },
    );
    await page.getByText('this workspace is not trusted').waitFor();
    expect(await page.locator('.side vscode-button').getAttribute('disabled')).not.toBeNull();
  });

  it('fits a narrow panel and marks what is stale', async () => {
    const page = await openSide({ ...traced, trace: kept(lightningTrace(), true) });
    expect(await page.locator('.side-picture .badge-stale').count()).toBe(1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBe(0);
  });
});
