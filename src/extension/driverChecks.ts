import * as vscode from 'vscode';
import type { Diagnostics } from './diagnostics.js';
import { disposeAll, Timer, type Disposables } from './disposal.js';
import type { Jobs } from './jobs.js';
import type { Kernels } from './kernels.js';
import type { LabPanel } from './labPanel.js';

/** Together with the pause before a document counts as changed this is about a second. */
const typingPauseMs = 850;

/**
 * Asks the driver about a kernel when it is saved or typing pauses, while the panel is there to ask. The parser's own
 * errors come first: where there are any, the driver would only say them again.
 */
export class DriverChecks implements vscode.Disposable {
  private readonly subscriptions: Disposables;
  private readonly asked = new WeakMap<vscode.TextDocument, string>();
  private readonly pauses = new Map<vscode.TextDocument, Timer>();
  private underway: AbortController | null = null;

  constructor(
    private readonly kernels: Kernels,
    private readonly diagnostics: Diagnostics,
    private readonly jobs: Jobs,
    private readonly panel: LabPanel,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.subscriptions = [
      kernels.onDidChange((document) => {
        if (mode(document) === 'onType') this.later(document);
      }),
      vscode.workspace.onDidSaveTextDocument((document) => {
        if (mode(document) !== 'off') void this.check(document);
      }),
      panel.onDidBecomeReady(() => {
        const { current } = kernels;
        if (current !== null && mode(current) !== 'off') this.later(current);
      }),
    ];
  }

  dispose(): void {
    for (const pause of this.pauses.values()) pause.dispose();
    this.underway?.abort();
    disposeAll(this.subscriptions);
  }

  private later(document: vscode.TextDocument): void {
    let pause = this.pauses.get(document);
    if (pause === undefined) {
      pause = new Timer(() => {
        this.pauses.delete(document);
        void this.check(document);
      });
      this.pauses.set(document, pause);
    }
    pause.restart(typingPauseMs);
  }

  private async check(document: vscode.TextDocument): Promise<void> {
    const kernel = this.kernels.read(document);
    if (kernel === null || kernel.diagnostics.some(({ severity }) => severity === 'error')) return;
    if (!this.panel.isReady || this.jobs.running !== null || !vscode.workspace.isTrusted) return;
    if (this.asked.get(document) === kernel.hash) return;
    this.underway?.abort();
    const controller = new AbortController();
    this.underway = controller;
    try {
      const outcome = await this.panel.call(
        'check',
        { kernel: { name: kernel.name, text: kernel.source } },
        { signal: controller.signal },
      );
      if (!outcome.ok) return;
      this.asked.set(document, kernel.hash);
      this.diagnostics.setDriver(document, outcome.value);
    } catch (error) {
      if (!controller.signal.aborted) this.log.warn(`The driver could not check ${kernel.name}: ${String(error)}`);
    } finally {
      if (this.underway === controller) this.underway = null;
    }
  }
}

function mode(document: vscode.TextDocument): 'onType' | 'onSave' | 'off' {
  return vscode.workspace
    .getConfiguration('tilescope', document)
    .get<'onType' | 'onSave' | 'off'>('diagnostics.driver', 'onType');
}
