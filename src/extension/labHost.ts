import * as vscode from 'vscode';
import type { Handlers } from '../lab/channel.js';
import type { CaseOverride, DeviceInfo } from '../lab/contract.js';
import type { HostMethods, Job, PanelSnapshot } from '../lab/panel.js';
import type { Diagnostics } from './diagnostics.js';
import type { Jobs } from './jobs.js';
import { disposeAll, Timer, type Disposables } from './disposal.js';
import { nameOf, type Kernels } from './kernels.js';
import type { LabPanel, LabPanelHost } from './labPanel.js';
import { normalizeOverride, remember } from './overrides.js';
import { emptyRecord } from './record.js';
import type { Results } from './results.js';
import { saveFile } from './saveFile.js';
import type { SidePanel } from './sidePanel.js';
import { kept, panelKernel } from './snapshot.js';

const recentLimit = 8;
const sendPauseMs = 50;
/** A cursor that is on its way through the lines need not be followed into each of them. */
const cursorPauseMs = 80;

/** The commands by which the page's jobs are started. */
const jobCommands: Readonly<Record<Job, string>> = {
  run: 'tilescope.runKernel',
  compare: 'tilescope.compareKernel',
  benchmark: 'tilescope.benchmarkKernel',
  trace: 'tilescope.traceKernel',
  hazards: 'tilescope.checkHazards',
  consistency: 'tilescope.checkConsistency',
};

const pageCommands = {
  'open-sample': 'tilescope.openSample',
  'new-kernel': 'tilescope.newKernel',
  'check-gpu': 'tilescope.checkGpu',
  'manage-trust': 'workbench.trust.manage',
  'open-lab': 'tilescope.openLab',
  'show-schedule': 'tilescope.showSchedule',
  'show-traffic': 'tilescope.showTraffic',
} as const;

/** Stores the override for a kernel and remembers it among the recent ones; null goes back to the file's own shape. */
export async function chooseOverride(results: Results, uri: vscode.Uri, override: CaseOverride | null): Promise<void> {
  await results.load(uri);
  const { recent } = results.get(uri);
  await results.update(uri, {
    override,
    recent: override === null ? recent : remember(recent, override, recentLimit),
  });
}

/** The other half of the panels: answers what their pages ask, and sends a whole snapshot whenever something changed. */
export class LabHost implements LabPanelHost, vscode.Disposable {
  readonly handlers: Handlers<HostMethods>;
  private readonly subscriptions: Disposables;
  private readonly sending = new Timer(() => {
    const snapshot = this.snapshot();
    this.panel.send(snapshot);
    this.side.send(snapshot);
  });
  private readonly pointing = new Timer(() => {
    const line = this.cursorLine();
    this.panel.point(line);
    this.side.point(line);
  });
  private knownDevice: DeviceInfo | null = null;
  private shownJob: Job | null = null;

  constructor(
    private readonly kernels: Kernels,
    private readonly results: Results,
    private readonly diagnostics: Diagnostics,
    private readonly jobs: Jobs,
    private readonly panel: LabPanel,
    private readonly side: SidePanel,
  ) {
    this.handlers = this.makeHandlers();
    const refresh = (): void => this.refresh();
    const refreshIfCurrent = (document: vscode.TextDocument): void => {
      if (document === kernels.current) this.refresh();
    };
    this.subscriptions = [
      kernels.onDidChange(refreshIfCurrent),
      kernels.onDidChangeCurrent((document) => {
        this.refresh();
        if (document !== null) void results.load(document.uri);
      }),
      diagnostics.onDidChange(refreshIfCurrent),
      results.onDidChange((uri) => {
        if (uri === kernels.current?.uri.toString()) this.refresh();
      }),
      // The page knows the progress of its own jobs: only their beginning and their end are news to it.
      jobs.onDidChange(() => {
        if (this.runningJob() !== this.shownJob) this.refresh();
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (textEditor.document === kernels.current) this.pointing.restart(cursorPauseMs);
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(refresh),
    ];
    panel.serve(this);
    side.serve(this.handlers);
  }

  /** The GPU of the panel's page, null until it was asked for. */
  get device(): DeviceInfo | null {
    return this.knownDevice;
  }

  set device(device: DeviceInfo | null) {
    this.knownDevice = device;
    this.refresh();
  }

  title(): string {
    const { current } = this.kernels;
    if (current === null) return vscode.l10n.t('Kernel Lab');
    return vscode.l10n.t('Lab: {0}', nameOf(current).split('/').at(-1) ?? '');
  }

  /** Everything the page shows, as it is now. */
  snapshot(): PanelSnapshot {
    const document = this.kernels.current;
    const kernel = document === null ? null : this.kernels.read(document);
    const record = document === null ? emptyRecord : this.results.get(document.uri);
    const uri = document?.uri.toString() ?? '';
    const hash = kernel?.hash ?? '';
    this.shownJob = this.runningJob();
    return {
      kernel:
        document === null || kernel === null
          ? null
          : panelKernel(uri, kernel, this.diagnostics.findings(document), record.override, (offset) =>
              document.positionAt(offset),
            ),
      tab: record.tab,
      running: this.shownJob,
      run: kept(record.run, hash),
      compare: kept(record.compare, hash),
      benchmark: kept(record.benchmark, hash),
      trace: kept(record.trace, hash),
      hazards: kept(record.hazards, hash),
      consistency: kept(record.consistency, hash),
      cursorLine: this.cursorLine(),
      failure: record.failed,
      device: this.knownDevice,
      trusted: vscode.workspace.isTrusted,
      strings: vscode.l10n.bundle ?? {},
    };
  }

  dispose(): void {
    this.sending.dispose();
    this.pointing.dispose();
    disposeAll(this.subscriptions);
  }

  private refresh(): void {
    this.sending.startOnce(sendPauseMs);
  }

  /** The job that runs on the kernel the panel shows, or null. */
  private runningJob(): Job | null {
    const { running } = this.jobs;
    return running !== null && running.uri === this.kernels.current?.uri.toString() ? running.job : null;
  }

  /** The line (from 1) of the cursor in the kernel the panel shows, or null where no editor shows that. */
  private cursorLine(): number | null {
    const { current } = this.kernels;
    const { activeTextEditor: active, visibleTextEditors: visible } = vscode.window;
    const editor = active?.document === current ? active : visible.find(({ document }) => document === current);
    return editor === undefined ? null : editor.selection.active.line + 1;
  }

  private makeHandlers(): Handlers<HostMethods> {
    return {
      ready: async () => {
        const document = this.kernels.current;
        if (document !== null) await this.results.load(document.uri);
        return this.snapshot();
      },
      start: ({ job }) => {
        // Not awaited: the answer of a job is the next snapshot, and its failures are results.
        void vscode.commands.executeCommand(jobCommands[job], this.kernels.current?.uri);
        return Promise.resolve(null);
      },
      traceWorkgroup: (asked) => {
        void vscode.commands.executeCommand(jobCommands.trace, this.kernels.current?.uri, [asked]);
        return Promise.resolve(null);
      },
      cancel: () => {
        this.jobs.cancel();
        return Promise.resolve(null);
      },
      setOverride: async ({ override }) => {
        const { current } = this.kernels;
        if (current !== null) await chooseOverride(this.results, current.uri, normalizeOverride(override));
        return null;
      },
      setTab: async ({ tab }) => {
        const { current } = this.kernels;
        if (current !== null) await this.results.update(current.uri, { tab });
        return null;
      },
      reveal: async ({ start, end }) => {
        const { current } = this.kernels;
        if (current !== null) await reveal(current, start, end);
        return null;
      },
      command: async ({ command }) => {
        if (Object.hasOwn(pageCommands, command)) await vscode.commands.executeCommand(pageCommands[command]);
        return null;
      },
      save: async ({ suggestedName, text, base64 }) => {
        await saveFile(suggestedName, text, base64);
        return null;
      },
    };
  }
}

async function reveal(document: vscode.TextDocument, start: number, end: number): Promise<void> {
  const shown = vscode.window.visibleTextEditors.find((editor) => editor.document === document);
  await vscode.window.showTextDocument(document, {
    viewColumn: shown?.viewColumn ?? vscode.ViewColumn.One,
    selection: new vscode.Range(document.positionAt(start), document.positionAt(end)),
  });
}
