import * as vscode from 'vscode';
import { Channel } from '../lab/channel.js';
import { rateOf, type MeasuredRate } from '../core/stack/prediction.js';
import type { LayersHostMethods } from '../lab/panel.js';
import { panelHtml } from './panelHtml.js';
import type { KernelRecord } from './record.js';
import type { Results } from './results.js';
import { saveFile } from './saveFile.js';
import { webviewPort } from './webviewPort.js';

/** The view type of the panel of caches, by which VS Code restores it. */
export const layersViewType = 'tilescope.layers';

/** The panel of caches: at most one, whose page calculates everything itself and keeps its own state. */
export class LayersPanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | null = null;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly results: Results,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Opens the panel or brings it to the front. */
  show(): void {
    if (this.panel !== null) {
      this.panel.reveal();
      return;
    }
    this.attach(
      vscode.window.createWebviewPanel(layersViewType, vscode.l10n.t('KV Cache'), vscode.ViewColumn.Active, {}),
    );
  }

  /** Takes over a panel: a new one, or one that VS Code restored. */
  attach(panel: vscode.WebviewPanel): void {
    this.panel?.dispose();
    this.panel = panel;
    panel.iconPath = vscode.Uri.joinPath(this.extensionUri, 'media', 'icon.png');
    panel.webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(this.extensionUri, 'dist')],
    };
    const channel = new Channel<object, LayersHostMethods>(webviewPort(panel.webview, this.log), {
      ready: () => Promise.resolve({ strings: vscode.l10n.bundle ?? {}, rates: ratesIn(this.results.known) }),
      save: async ({ suggestedName, text, base64 }) => {
        await saveFile(suggestedName, text, base64);
        return null;
      },
    });
    panel.onDidDispose(() => {
      channel.dispose();
      if (this.panel === panel) this.panel = null;
    });
    panel.webview.html = panelHtml(panel.webview, this.extensionUri, 'tilescope-layers');
  }

  dispose(): void {
    this.panel?.dispose();
  }
}

/** The rates of kernels that a GPU was measured with; a software adapter's say nothing of one. */
function ratesIn(records: Iterable<KernelRecord>): readonly MeasuredRate[] {
  return [...records].flatMap(({ benchmark }) =>
    benchmark === null || benchmark.report.device.software ? [] : (rateOf(benchmark.report) ?? []),
  );
}
