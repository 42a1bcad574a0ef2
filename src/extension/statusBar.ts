import * as vscode from 'vscode';
import { disposeAll, type Disposables } from './disposal.js';
import type { Jobs } from './jobs.js';
import { nameOf, type Kernels } from './kernels.js';
import { resultText, runningText, verdictOf } from './lensText.js';
import type { Results } from './results.js';

const icons = { right: '$(pass)', wrong: '$(error)', stale: '$(history)', unknown: '$(beaker)' } as const;

/** Mechanism and verdict of the kernel in the active editor; a click opens the lab. */
export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('tilescope.kernel', vscode.StatusBarAlignment.Right, 100);
  private readonly subscriptions: Disposables;

  constructor(
    private readonly kernels: Kernels,
    private readonly results: Results,
    private readonly jobs: Jobs,
  ) {
    this.item.name = vscode.l10n.t('Tilescope: Kernel');
    this.item.command = 'tilescope.openLab';
    const refresh = (): void => this.refresh();
    this.subscriptions = [
      this.item,
      kernels.onDidChange(refresh),
      kernels.onDidChangeCurrent(refresh),
      results.onDidChange(refresh),
      jobs.onDidChange(refresh),
      vscode.window.onDidChangeActiveTextEditor(refresh),
    ];
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private refresh(): void {
    const document = vscode.window.activeTextEditor?.document;
    const kernel = document === undefined ? null : this.kernels.read(document);
    if (document === undefined || kernel === null) {
      this.item.hide();
      return;
    }
    const { l10n } = vscode;
    const running = this.jobs.running;
    const record = this.results.get(document.uri);
    const title = kernel.mechanism?.title ?? l10n.t('Unknown mechanism');
    const verdict = verdictOf(record, kernel.hash);
    const words = { right: l10n.t('right'), wrong: l10n.t('wrong'), stale: l10n.t('stale'), unknown: '' }[verdict];
    const text = words === '' ? title : `${title}: ${words}`;
    this.item.text =
      running?.uri === document.uri.toString()
        ? `$(sync~spin) ${runningText(running.job, running.progress, l10n.t)}`
        : `${icons[verdict]} ${text}`;
    this.item.tooltip = `${nameOf(document)}: ${resultText(record, kernel.hash, l10n.t)}`;
    this.item.accessibilityInformation = { label: `Tilescope: ${text}` };
    this.item.show();
  }
}
