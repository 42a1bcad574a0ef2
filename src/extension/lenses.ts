import * as vscode from 'vscode';
import { disposeAll, Timer, type Disposables } from './disposal.js';
import type { Jobs } from './jobs.js';
import { kernelSelector, type Kernels } from './kernels.js';
import { resultText, runningText } from './lensText.js';
import type { Results } from './results.js';

const refreshPauseMs = 100;

/** The lenses in their order; two of them show what one job, the trace, found out. */
const lensOrder = ['run', 'compare', 'benchmark', 'schedule', 'traffic', 'result'] as const;

type LensRole = (typeof lensOrder)[number];

const jobOf = { run: 'run', compare: 'compare', benchmark: 'benchmark', schedule: 'trace', traffic: 'trace' } as const;

/**
 * A lens that knows what it will say: its title is made when it is resolved. Its command has no arguments: VS Code forgets
 * those with every refresh, and a click on the lens that is still drawn would be lost. The click makes its editor the active one.
 */
class KernelLens extends vscode.CodeLens {
  constructor(
    range: vscode.Range,
    readonly role: LensRole,
    readonly document: vscode.TextDocument,
  ) {
    super(range);
  }
}

/**
 * Lenses above the front matter and each entry point of a kernel. Their number and places depend on the text and the settings alone;
 * what they say changes with jobs and results, so that nothing moves under the pointer.
 */
export class Lenses implements vscode.CodeLensProvider<KernelLens>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: Disposables;
  private readonly refreshing = new Timer(() => this.changed.fire());

  readonly onDidChangeCodeLenses = this.changed.event;

  constructor(
    private readonly kernels: Kernels,
    private readonly results: Results,
    private readonly jobs: Jobs,
  ) {
    this.subscriptions = [
      this.changed,
      results.onDidChange(() => this.refresh()),
      jobs.onDidChange(() => this.refresh()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('tilescope.lens')) this.refresh();
      }),
      vscode.languages.registerCodeLensProvider(kernelSelector, this),
    ];
  }

  provideCodeLenses(document: vscode.TextDocument): KernelLens[] {
    const roles = lensRoles(document);
    const kernel = roles.length === 0 ? null : this.kernels.read(document);
    if (kernel === null) return [];
    // Entry points often stand far below what a file says first: the front matter has the lenses too.
    const offsets = [kernel.frontMatterSpan.start, ...kernel.module.entryPoints.map((entry) => entry.span.start)];
    return offsets.flatMap((offset) => {
      const place = new vscode.Position(document.positionAt(offset).line, 0);
      return roles.map((role) => new KernelLens(new vscode.Range(place, place), role, document));
    });
  }

  resolveCodeLens(lens: KernelLens): KernelLens {
    lens.command = this.commandOf(lens);
    return lens;
  }

  dispose(): void {
    this.refreshing.dispose();
    disposeAll(this.subscriptions);
  }

  private commandOf({ role, document }: KernelLens): vscode.Command {
    const { l10n } = vscode;
    const uri = document.uri;
    const running = this.jobs.running?.uri === uri.toString() ? this.jobs.running : null;
    if (role === 'result') {
      const hash = this.kernels.read(document)?.hash ?? '';
      const text = running
        ? runningText(running.job, running.progress, l10n.t)
        : resultText(this.results.get(uri), hash, l10n.t);
      return { title: text, tooltip: l10n.t('Open the Kernel Lab'), command: 'tilescope.openLab' };
    }
    const lens = this.startOf(role);
    if (running?.job !== jobOf[role]) return lens;
    // As wide as before: the neighbours stay where they are.
    const title = lens.title.replace(/^\$\([^)]*\)/, '$(sync~spin)');
    return { title, tooltip: l10n.t('Stop it'), command: 'tilescope.cancel' };
  }

  private startOf(role: Exclude<LensRole, 'result'>): vscode.Command {
    const { l10n } = vscode;
    switch (role) {
      case 'run':
        return {
          title: `$(play) ${l10n.t('Run')}`,
          tooltip: l10n.t('Run once on the GPU and show the outputs'),
          command: 'tilescope.runKernel',
        };
      case 'compare':
        return {
          title: `$(check) ${l10n.t('Compare')}`,
          tooltip: l10n.t('Compare the outputs with the float64 reference'),
          command: 'tilescope.compareKernel',
        };
      case 'benchmark':
        return {
          title: `$(dashboard) ${l10n.t('Benchmark')}`,
          tooltip: l10n.t('Compare, then measure the GPU time'),
          command: 'tilescope.benchmarkKernel',
        };
      case 'schedule':
        return {
          title: `$(layout) ${l10n.t('Schedule')}`,
          tooltip: l10n.t('Show which tile is where at each step'),
          command: 'tilescope.showSchedule',
        };
      case 'traffic':
        return {
          title: `$(arrow-swap) ${l10n.t('Traffic')}`,
          tooltip: l10n.t('Show every byte that moves, and the least that must'),
          command: 'tilescope.showTraffic',
        };
    }
  }

  private refresh(): void {
    this.refreshing.startOnce(refreshPauseMs);
  }
}

function lensRoles(document: vscode.TextDocument): readonly LensRole[] {
  const settings = vscode.workspace.getConfiguration('tilescope.lens', document);
  if (!settings.get<boolean>('enabled', true)) return [];
  return lensOrder.filter((role) => settings.get<boolean>(role, true));
}
