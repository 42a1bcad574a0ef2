import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { PanelSnapshot } from '../../../src/lab/panel.js';
import { openBrowser, openPage, type WatchedPage } from './browser.js';
import type { Recorded } from './extension.js';
import { servePage, type PageServer, type RootElement, type ThemeName } from './server.js';
import { states } from './states.js';

/** What the tests of a file do with the Kernel Lab's page. */
export interface LabPages {
  /** Opens the page in a state of states.ts. One page a test; it is closed afterwards. */
  readonly open: (state: string, width?: number, theme?: ThemeName, element?: RootElement) => Promise<Page>;
}

/**
 * A browser and a server for the tests of a file. After each test the page is closed, and neither its console nor its
 * content security policy may have complained.
 */
export function useLabPages(): LabPages {
  let browser: Browser;
  let server: PageServer;
  let opened: WatchedPage | null = null;

  beforeAll(async () => {
    [browser, server] = await Promise.all([openBrowser(), servePage()]);
  });

  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  afterEach(async () => {
    const watched = opened;
    opened = null;
    if (!watched) return;
    const violations = await watched.page.evaluate(() => window.harness.violations);
    await watched.page.context().close();
    expect(watched.complaints).toEqual([]);
    expect(violations).toEqual([]);
  });

  return {
    open: async (state, width = 1200, theme = 'dark', element = 'tilescope-lab') => {
      opened = await openPage(browser, server.address(states[state]!(), theme, element), width);
      return opened.page;
    },
  };
}

/** What the page has asked of the extension so far. */
export function calls(page: Page): Promise<Recorded[]> {
  return page.evaluate(() => window.harness.calls);
}

/** The newest of them. A request takes a moment to arrive: poll for it. */
export async function last(page: Page): Promise<Recorded | undefined> {
  return (await calls(page)).at(-1);
}

/** A file that the page asked the extension to save: text, or bytes in base64. */
interface SavedFile {
  readonly suggestedName: string;
  readonly text: string;
  readonly base64: string | null;
}

/** The file that the page asked to save last, once that is one whose name matches. */
export async function saved(page: Page, fileName: RegExp): Promise<SavedFile> {
  const newest = async (): Promise<SavedFile | undefined> => (await last(page))?.params as SavedFile | undefined;
  await expect.poll(async () => (await newest())?.suggestedName).toMatch(fileName);
  return (await newest())!;
}

/** Lets the extension send a snapshot with these changes. */
export function show(page: Page, change: Partial<PanelSnapshot>): Promise<void> {
  return page.evaluate((given) => window.harness.show(given), change);
}
