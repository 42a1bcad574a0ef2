import * as vscode from 'vscode';
import { Channel, type CallOptions, type Handlers } from '../lab/channel.js';
import type { HostMethods, PageMethods, PanelSnapshot } from '../lab/panel.js';
import { panelHtml } from './panelHtml.js';
import { webviewPort } from './webviewPort.js';

/** The view type of the Kernel Lab, by which VS Code restores it. */
export const labViewType = 'tilescope.lab';

const readyTimeoutMs = 15_000;

/** The page went away (closed, reloaded) while it was being waited for. */
export class PageLostError extends Error {
  override readonly name = 'PageLostError';

  /** `closed` tells the user's own doing from a page that was loaded anew. */
  constructor(readonly closed: boolean) {
    super(closed ? vscode.l10n.t('The Kernel Lab was closed.') : vscode.l10n.t('The Kernel Lab was loaded anew.'));
  }
}

/** The page did not say that it is ready in time. */
export class PageSilentError extends Error {
  override readonly name = 'PageSilentError';
}

/** What the panel asks of the rest of the extension. */
export interface LabPanelHost {
  /** Answers the page's requests. `ready` is called each time a page was loaded. */
  readonly handlers: Handlers<HostMethods>;
  readonly title: () => string;
}

interface LivePage {
  readonly panel: vscode.WebviewPanel;
  readonly channel: Channel<PageMethods, HostMethods>;
  /** The page has asked for its first snapshot and so can be called. */
  ready: boolean;
}

/**
 * The Kernel Lab: at most one panel, and the calls to its page, which hosts the lab on the window's own WebGPU.
 *
 * Its context is retained while hidden. That can be chosen only once, when the panel is made, and without it a run
 * would die as soon as somebody looks at another tab of the group.
 */
export class LabPanel implements vscode.Disposable {
  private page: LivePage | null = null;
  private host: LabPanelHost | null = null;
  private readonly becameReady = new vscode.EventEmitter<void>();
  private readonly lost = new vscode.EventEmitter<PageLostError>();

  /** A page (a first or a reloaded one) can be called now. */
  readonly onDidBecomeReady = this.becameReady.event;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Must be called once before a panel is shown or restored. */
  serve(host: LabPanelHost): void {
    this.host = host;
  }

  /** True where there is a page that can be called. */
  get isReady(): boolean {
    return this.page?.ready ?? false;
  }

  get isVisible(): boolean {
    return this.page?.panel.visible ?? false;
  }

  /** Opens the panel beside the editor or brings it to the front, without taking the focus if so asked. */
  show(preserveFocus: boolean): void {
    if (this.page !== null) {
      this.page.panel.reveal(undefined, preserveFocus);
      return;
    }
    this.attach(
      vscode.window.createWebviewPanel(
        labViewType,
        vscode.l10n.t('Kernel Lab'),
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus },
        { enableScripts: true, retainContextWhenHidden: true, localResourceRoots: this.resourceRoots },
      ),
    );
  }

  /** Makes sure that there is a panel, in front unless that would cover the active editor. */
  showForJob(): void {
    const panel = this.page?.panel;
    const column = vscode.window.activeTextEditor?.viewColumn;
    if (panel === undefined || (!panel.visible && panel.viewColumn !== column)) this.show(true);
  }

  /** Takes over a panel: a new one, or one that VS Code restored. */
  attach(panel: vscode.WebviewPanel): void {
    if (this.host === null) throw new Error('The panel is not served yet.');
    this.page?.panel.dispose();
    panel.iconPath = vscode.Uri.joinPath(this.extensionUri, 'media', 'icon.png');
    panel.webview.options = { enableScripts: true, localResourceRoots: this.resourceRoots };
    const handlers = this.host.handlers;
    const page: LivePage = {
      panel,
      ready: false,
      channel: new Channel<PageMethods, HostMethods>(webviewPort(panel.webview, this.log), {
        ...handlers,
        ready: async (params, context) => {
          // A second `ready` comes from a page that was loaded anew: whatever the old one was asked has no answer.
          if (page.ready) this.lost.fire(new PageLostError(false));
          const snapshot = await handlers.ready(params, context);
          page.ready = true;
          this.becameReady.fire();
          return snapshot;
        },
      }),
    };
    this.page = page;
    panel.onDidDispose(() => this.detach(page));
    panel.webview.html = panelHtml(panel.webview, this.extensionUri, 'tilescope-lab');
    this.refreshTitle();
  }

  /** Loads the page anew, the last resort for one that no longer answers. */
  reload(): void {
    if (this.page === null) return;
    this.page.ready = false;
    this.lost.fire(new PageLostError(false));
    this.page.panel.webview.html = panelHtml(this.page.panel.webview, this.extensionUri, 'tilescope-lab');
  }

  /**
   * Calls a method of the page, waiting until there is one. Rejects with `PageSilentError` when none gets ready in time,
   * with `PageLostError` when it goes away meanwhile, and as `Channel.call` does.
   */
  async call<K extends keyof PageMethods>(
    method: K,
    params: Parameters<PageMethods[K]>[0],
    options: CallOptions = {},
  ): Promise<Awaited<ReturnType<PageMethods[K]>>> {
    const channel = await this.whenReady(options.signal ?? null);
    return this.orLost(() => channel.call(method, params, options));
  }

  /** Shows a snapshot if there is a page to show it; the page asks for one itself when it is loaded. */
  send(snapshot: PanelSnapshot): void {
    this.refreshTitle();
    this.tell('show', { snapshot });
  }

  /** Tells the page, if there is one, on which line (from 1) of its kernel the cursor stands. */
  point(line: number | null): void {
    this.tell('point', { line });
  }

  dispose(): void {
    this.page?.panel.dispose();
    this.becameReady.dispose();
    this.lost.dispose();
  }

  private tell<K extends 'show' | 'point'>(method: K, params: Parameters<PageMethods[K]>[0]): void {
    const { page } = this;
    if (page?.ready !== true) return;
    this.orLost(() => page.channel.call(method, params)).catch((error: unknown) => {
      if (!(error instanceof PageLostError))
        this.log.error(`The Kernel Lab could not show its state: ${String(error)}`);
    });
  }

  private get resourceRoots(): vscode.Uri[] {
    return [vscode.Uri.joinPath(this.extensionUri, 'dist')];
  }

  private detach(page: LivePage): void {
    page.channel.dispose();
    if (this.page !== page) return;
    this.page = null;
    this.lost.fire(new PageLostError(true));
  }

  private refreshTitle(): void {
    if (this.page !== null && this.host !== null) this.page.panel.title = this.host.title();
  }

  private async whenReady(signal: AbortSignal | null): Promise<Channel<PageMethods, HostMethods>> {
    const page = this.page;
    if (page === null) throw new PageLostError(true);
    if (!page.ready) {
      await this.orLost(
        () =>
          new Promise<void>((resolve, reject) => {
            const subscription = this.becameReady.event(() => settle(resolve));
            const timeout = setTimeout(() => settle(() => reject(silence())), readyTimeoutMs);
            const onAbort = (): void => settle(() => reject(new DOMException('Cancelled.', 'AbortError')));
            signal?.addEventListener('abort', onAbort, { once: true });
            const settle = (end: () => void): void => {
              clearTimeout(timeout);
              subscription.dispose();
              signal?.removeEventListener('abort', onAbort);
              end();
            };
          }),
      );
    }
    return page.channel;
  }

  /** What `start` gives, or a `PageLostError` as soon as the page goes away. */
  private async orLost<T>(start: () => Promise<T>): Promise<T> {
    let subscription: vscode.Disposable | null = null;
    try {
      return await new Promise<T>((resolve, reject) => {
        subscription = this.lost.event(reject);
        start().then(resolve, reject);
      });
    } finally {
      (subscription as vscode.Disposable | null)?.dispose();
    }
  }
}

function silence(): PageSilentError {
  return new PageSilentError(vscode.l10n.t('The Kernel Lab did not start within {0} seconds.', readyTimeoutMs / 1000));
}
