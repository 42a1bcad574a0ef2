import {
  chromium,
  type Browser,
  type BrowserContext,
  type FrameLocator,
  type Locator,
  type Page,
} from 'playwright-core';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { remoteUri, softwareGpuFlags, startWorkbench, type Workbench } from '../../scripts/workbench.mjs';

/** The project's folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** How long a test waits for one thing to appear: far beyond what it takes, for machines that are busy. */
const patienceMs = 90_000;

const screenshots = join(root, '.build/e2e');

/** A VS Code server and a browser with WebGPU on a software adapter, shared by the tests of one file. */
export class Machine {
  private constructor(
    private readonly home: string,
    private readonly workbench: Workbench,
    private readonly browser: Browser,
  ) {}

  /** Starts both; the packaged extension is installed by VS Code itself unless `withExtension` is false. */
  static async start(options: {
    withExtension: boolean;
    env?: Readonly<Record<string, string>>;
    /** Settings that a workspace cannot have. */
    userSettings?: Readonly<Record<string, unknown>>;
  }): Promise<Machine> {
    const home = mkdtempSync(join(tmpdir(), 'tilescope-e2e-'));
    const userFolder = join(home, 'data/data/User');
    mkdirSync(userFolder, { recursive: true });
    writeFileSync(join(userFolder, 'settings.json'), JSON.stringify(options.userSettings ?? {}));
    const vsix = options.withExtension ? join(root, '.build/tilescope.vsix') : null;
    const workbench = await startWorkbench({ home, vsix, env: options.env ?? {} });
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage', ...softwareGpuFlags],
    });
    return new Machine(home, workbench, browser);
  }

  /** A folder with these files and settings, and a copy of nothing else. Returns its path. */
  makeFolder(
    name: string,
    files: Readonly<Record<string, string>>,
    settings: Readonly<Record<string, unknown>>,
  ): string {
    const folder = join(this.home, 'folders', name);
    const all = { ...files, '.vscode/settings.json': JSON.stringify({ ...quietSettings, ...settings }) };
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return folder;
  }

  /** Opens a window on a folder, with `file` (relative to it) in the editor where it is given. */
  async openWindow(folder: string, file: string | null): Promise<WorkbenchWindow> {
    const [context, page] = await this.newTab();
    const payload = file === null ? [] : [['openFile', remoteUri(this.workbench.origin, join(folder, file))] as const];
    await page.goto(this.workbench.url(folder, payload));
    return new WorkbenchWindow(context, page, this.workbench.url(folder));
  }

  /** Opens a window that runs a test module inside the extension host, which ends by itself. */
  async runInExtensionHost(folder: string, testModule: string): Promise<WorkbenchWindow> {
    const { origin } = this.workbench;
    const [context, page] = await this.newTab();
    const payload = [
      ['extensionDevelopmentPath', remoteUri(origin, root)],
      ['extensionTestsPath', remoteUri(origin, testModule)],
    ] as const;
    await page.goto(this.workbench.url(folder, payload));
    return new WorkbenchWindow(context, page, this.workbench.url(folder));
  }

  private async newTab(): Promise<[BrowserContext, Page]> {
    const context = await this.browser.newContext({ viewport: { width: 1600, height: 1000 } });
    context.setDefaultTimeout(patienceMs);
    return [context, await context.newPage()];
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.workbench.stop();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Nothing pops up over the editor while a test types into it. */
const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'editor.autoClosingBrackets': 'never',
  'editor.hover.enabled': false,
  'editor.minimap.enabled': false,
  'editor.find.seedSearchStringFromSelection': 'never',
  'files.autoSave': 'off',
  'extensions.ignoreRecommendations': true,
} as const;

/** One VS Code window in a browser tab, driven the way a user does. */
export class WorkbenchWindow {
  constructor(
    private readonly context: BrowserContext,
    readonly page: Page,
    private readonly folderUrl: string,
  ) {}

  /** The editor that has the kernel's text. */
  get editor(): Locator {
    return this.page.locator('.editor-instance .monaco-editor').first();
  }

  /** The first CodeLens in view whose text matches. */
  lens(text: string | RegExp): Locator {
    const links = this.page.locator('.codelens-decoration').locator('a, span:not(.codicon)');
    return links.filter({ hasText: text, visible: true }).first();
  }

  /**
   * Clicks a lens until a lens shows the effect, or until something appears. VS Code draws lenses anew whenever something about them changes, and a click
   * that meets the old ones is lost.
   */
  async pressLens(text: string, effect: RegExp | Locator): Promise<void> {
    const shown = effect instanceof RegExp ? this.lens(effect) : effect;
    for (let attempt = 0; attempt < 5; attempt++) {
      await this.lens(text).click();
      if (await appears(shown, 10_000)) return;
    }
    throw new Error(`The lens "${text}" was clicked five times, and nothing shows ${String(effect)}.`);
  }

  /** The document inside the panel's webview, two frames down. */
  get panel(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready').frameLocator('#active-frame');
  }

  /** Rows of the Problems view, which this opens. */
  async problems(): Promise<Locator> {
    const view = this.page.locator('.markers-panel');
    if (!(await view.isVisible())) await this.runCommand('View: Focus Problems');
    await view.waitFor();
    return view.locator('.monaco-list-row');
  }

  /** Runs a command of the palette by its whole title. */
  async runCommand(title: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input');
    await this.page.keyboard.press('F1');
    await input.waitFor();
    await input.fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first().click();
    await input.waitFor({ state: 'hidden' });
  }

  /** Opens a file of the folder by its name in the explorer, in the group of the editor. */
  async openFile(name: string): Promise<void> {
    await this.page.keyboard.press('Control+1');
    await this.page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: name }).first().dblclick();
    await this.page.locator('.tab.active').filter({ hasText: name }).first().waitFor();
  }

  /** The panel's verdict on the text as it stands: `right` or `wrong`, not stale. */
  verdict(word: 'right' | 'wrong'): Locator {
    return this.panel.locator(`.header-verdict.${word}:not(:has(.badge-stale))`);
  }

  /** Finds `text` in the editor, as with Ctrl+F, which selects it and scrolls it into view. */
  async find(text: string): Promise<void> {
    const focused = this.editor.and(this.page.locator('.focused'));
    const widget = this.editor.locator('.find-widget.visible');
    // A view that was opened just now may take the focus once more.
    for (let attempt = 0; attempt < 5; attempt++) {
      await this.page.keyboard.press('Control+1');
      await focused.waitFor();
      await this.page.keyboard.press('Control+Home');
      await this.page.keyboard.press('Control+f');
      if (await appears(widget, 5_000)) break;
    }
    const field = widget.locator('textarea.input').first();
    const matches = widget.locator('.matchesCount');
    await field.fill(text);
    await matches.filter({ hasText: 'of 1' }).waitFor();
    await field.press('Enter');
    await matches.filter({ hasText: '1 of 1' }).waitFor();
    // The first Escape may go to a tooltip that the pointer has called up.
    for (let attempt = 0; attempt < 5 && (await widget.isVisible()); attempt++) {
      await field.press('Escape', { timeout: 5_000 }).catch(() => undefined);
      await widget.waitFor({ state: 'detached', timeout: 3_000 }).catch(() => undefined);
    }
    await widget.waitFor({ state: 'detached' });
    await focused.waitFor();
  }

  /** Finds `text` and types `replacement` over it. */
  async replaceText(text: string, replacement: string): Promise<void> {
    await this.find(text);
    await this.page.keyboard.insertText(replacement);
  }

  /** Reloads the window as a user does; VS Code restores its editors and panels. */
  async reload(): Promise<void> {
    await this.page.goto(this.folderUrl);
  }

  async screenshot(name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}

async function appears(locator: Locator, timeoutMs: number): Promise<boolean> {
  return locator.waitFor({ timeout: timeoutMs }).then(
    () => true,
    () => false,
  );
}
