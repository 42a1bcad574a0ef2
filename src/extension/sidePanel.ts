import * as vscode from 'vscode';
import { Channel, type Handlers } from '../lab/channel.js';
import type { HostMethods, PanelSnapshot, ViewMethods } from '../lab/panel.js';
import { panelHtml } from './panelHtml.js';
import { webviewPort } from './webviewPort.js';

/** The id of the view in package.json. */
export const sideViewId = 'tilescope.side';

/**
 * The side panel: the pictures in small of the kernel at the cursor. Its page shows the same snapshot as the Kernel Lab,
 * asks for the same things, and hosts no lab.
 */
export class SidePanel implements vscode.WebviewViewProvider, vscode.Disposable {
  private channel: Channel<ViewMethods, HostMethods> | null = null;
  private view: vscode.WebviewView | null = null;
  private readonly registration: vscode.Disposable;
  private handlers: Handlers<HostMethods> | null = null;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.registration = vscode.window.registerWebviewViewProvider(sideViewId, this);
  }

  /** Must be called once, before the view is shown. */
  serve(handlers: Handlers<HostMethods>): void {
    this.handlers = handlers;
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    if (this.handlers === null) throw new Error('The side panel is not served yet.');
    const { webview } = view;
    webview.options = { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(this.extensionUri, 'dist')] };
    const channel = new Channel<ViewMethods, HostMethods>(webviewPort(webview, this.log), this.handlers);
    this.view = view;
    this.channel = channel;
    view.onDidDispose(() => {
      channel.dispose();
      if (this.view !== view) return;
      this.view = null;
      this.channel = null;
    });
    webview.html = panelHtml(webview, this.extensionUri, 'tilescope-side');
  }

  /** Shows a snapshot where the panel is in sight; the page asks for one itself whenever it comes into it. */
  send(snapshot: PanelSnapshot): void {
    this.tell((channel) => channel.call('show', { snapshot }));
  }

  /** Tells the page on which line (from 1) of its kernel the cursor stands. */
  point(line: number | null): void {
    this.tell((channel) => channel.call('point', { line }));
  }

  dispose(): void {
    this.channel?.dispose();
    this.registration.dispose();
  }

  private tell(call: (channel: Channel<ViewMethods, HostMethods>) => Promise<null>): void {
    const { channel, view } = this;
    if (channel === null || view?.visible !== true) return;
    call(channel).catch((error: unknown) => {
      // A page that went away is a page that needs nothing.
      if (this.channel === channel) this.log.error(`The side panel could not show its state: ${String(error)}`);
    });
  }
}
