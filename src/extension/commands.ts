import * as vscode from 'vscode';
import type { LabFailure, Outcome, TraceReport, TraceRequest, ValuesReport } from '../lab/contract.js';
import type { Job, Tab } from '../lab/panel.js';
import { describeDevice, deviceDiagnostics, showNoDevice, type Gpu } from './gpu.js';
import type { InvocationValues } from './invocationValues.js';
import type { JobReports, Jobs } from './jobs.js';
import { nameOf, type Kernels } from './kernels.js';
import { chooseOverride } from './labHost.js';
import type { LabPanel } from './labPanel.js';
import type { LayersPanel } from './layersPanel.js';
import type { LineNotes } from './lineNotes.js';
import type { Results } from './results.js';
import { askForShape } from './selectShape.js';
import { isOfCase } from './snapshot.js';
import { newKernel, openBuiltin, samplePath } from './templates.js';
import { askForInvocation, traceInvocation, type InvocationPlace } from './traceInvocation.js';

/** What the commands work with. */
export interface CommandTools {
  readonly context: vscode.ExtensionContext;
  readonly kernels: Kernels;
  readonly results: Results;
  readonly jobs: Jobs;
  readonly panel: LabPanel;
  readonly layers: LayersPanel;
  readonly gpu: Gpu;
  readonly lineNotes: LineNotes;
  readonly values: InvocationValues;
  readonly log: vscode.LogOutputChannel;
}

type Command = (...args: unknown[]) => unknown;

/**
 * Every command of the extension by its id. Those on a kernel take its URI, or mean the active editor's. The jobs resolve
 * with their outcome, or with null where they did not start.
 */
export function createCommands(tools: CommandTools): Readonly<Record<string, Command>> {
  const { context, jobs, panel } = tools;
  return {
    'tilescope.runKernel': (uri) => startJob(tools, 'run', uri),
    'tilescope.compareKernel': (uri) => startJob(tools, 'compare', uri),
    'tilescope.benchmarkKernel': (uri) => startJob(tools, 'benchmark', uri),
    'tilescope.traceKernel': (uri, workgroups) => startJob(tools, 'trace', uri, workgroupsOf(workgroups)),
    'tilescope.checkHazards': (uri) => startJob(tools, 'hazards', uri),
    'tilescope.checkConsistency': (uri) => startJob(tools, 'consistency', uri),
    'tilescope.showSchedule': (uri) => showTrace(tools, 'schedule', uri),
    'tilescope.showTraffic': (uri) => showTrace(tools, 'traffic', uri),
    'tilescope.traceInvocation': (uri, place) => startInvocation(tools, uri, place),
    'tilescope.clearInvocationValues': () => tools.values.clear(),
    'tilescope.toggleLineNotes': () => toggleLineNotes(tools),
    'tilescope.cancel': () => jobs.cancel(),
    'tilescope.selectShape': (uri) => selectShape(tools, uri),
    'tilescope.newKernel': async () => (await newKernel(context.extensionUri))?.uri ?? null,
    'tilescope.openSample': async () => (await openBuiltin(context.extensionUri, samplePath)).uri,
    'tilescope.openLab': async (uri) => {
      const document = await documentFor(tools.kernels, uri);
      if (document !== null) tools.kernels.select(document);
      panel.show(false);
    },
    'tilescope.showKvCaches': () => tools.layers.show(),
    'tilescope.checkGpu': () => checkGpu(tools),
    'tilescope.showWalkthrough': () =>
      vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#start`, false),
    'tilescope.showLog': () => tools.log.show(),
  };
}

/** The kernel a command is about: the one named, else the active editor's, else the panel's. Null where there is none. */
async function documentFor(kernels: Kernels, uri: unknown): Promise<vscode.TextDocument | null> {
  if (uri instanceof vscode.Uri) return vscode.workspace.openTextDocument(uri);
  const active = vscode.window.activeTextEditor?.document;
  if (active !== undefined && kernels.read(active) !== null) return active;
  return kernels.current;
}

async function kernelFor(kernels: Kernels, uri: unknown): Promise<vscode.TextDocument | null> {
  const document = await documentFor(kernels, uri);
  if (document !== null && kernels.read(document) !== null) return document;
  const sample = vscode.l10n.t('Open Sample Kernel');
  const choice = await vscode.window.showInformationMessage(
    document === null
      ? vscode.l10n.t('Open a kernel file first: WGSL with a front matter that names a mechanism.')
      : vscode.l10n.t('{0} has no front matter. Begin it with a comment that names the mechanism.', nameOf(document)),
    sample,
  );
  if (choice === sample) await vscode.commands.executeCommand('tilescope.openSample');
  return null;
}

async function startJob<K extends Job>(
  tools: CommandTools,
  job: K,
  uri: unknown,
  workgroups: TraceRequest['workgroups'] = 'sampled',
): Promise<Outcome<JobReports[K]> | null> {
  const { kernels, results, jobs, panel } = tools;
  const document = await kernelFor(kernels, uri);
  if (document === null) return null;
  if (!vscode.workspace.isTrusted) return askForTrust();
  if (jobs.running !== null) return offerToStop(jobs);
  kernels.select(document);
  panel.showForJob();
  // Nothing is awaited between the look at the running job and this start: two clicks make one job.
  const started = jobs.start(job, document, workgroups);
  const tab = tabFor(job, results.get(document.uri).tab);
  if (tab !== null) await results.update(document.uri, { tab });
  const outcome = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: titleOf(job, nameOf(document)) },
    async (progress) => {
      const subscription = jobs.onDidChange(() => progress.report({ message: jobs.running?.progress?.message ?? '' }));
      try {
        return await started;
      } finally {
        subscription.dispose();
      }
    },
  );
  const report: JobReports[Job] | null = outcome.ok ? outcome.value : null;
  if (report !== null && 'passed' in report && !report.passed) {
    await vscode.commands.executeCommand('setContext', 'tilescope.sawFailure', true);
  }
  if (!outcome.ok) void showFailure(outcome.failure, panel);
  return outcome;
}

/** Turns to a picture of the trace, and makes a trace first where there is none of the kernel as it stands. */
async function showTrace(tools: CommandTools, tab: Tab, uri: unknown): Promise<Outcome<TraceReport> | null> {
  const { kernels, results, panel } = tools;
  const document = await kernelFor(kernels, uri);
  const kernel = document === null ? null : kernels.read(document);
  if (document === null || kernel === null) return null;
  await results.update(document.uri, { tab });
  const { trace, override } = results.get(document.uri);
  if (trace === null || !isOfCase(trace.report, kernel, override)) return startJob(tools, 'trace', document.uri);
  kernels.select(document);
  panel.showForJob();
  return { ok: true, value: trace.report };
}

/** Traces an invocation: the one a program names, else the one the user chooses. */
async function startInvocation(
  tools: CommandTools,
  uri: unknown,
  place: unknown,
): Promise<Outcome<ValuesReport> | null> {
  const { kernels, results, panel, values } = tools;
  const document = await kernelFor(kernels, uri);
  const kernel = document === null ? null : kernels.read(document);
  if (document === null || kernel === null) return null;
  if (!vscode.workspace.isTrusted) return askForTrust();
  await results.load(document.uri);
  const { override } = results.get(document.uri);
  // Programs that name an invocation hold to its type; VS Code itself passes nothing here.
  const chosen = isPlace(place) ? place : await askForInvocation(kernel, override);
  if (chosen === null) return null;
  panel.showForJob();
  return traceInvocation(panel, values, document, kernel, override, chosen);
}

function isPlace(value: unknown): value is InvocationPlace {
  return typeof value === 'object' && value !== null && 'workgroup' in value && 'invocation' in value;
}

/** Turns the notes at line ends on or off; those of a kernel that was never traced need a trace first. */
async function toggleLineNotes({ lineNotes, kernels, results }: CommandTools): Promise<void> {
  const on = await lineNotes.toggle();
  const { current } = kernels;
  const kernel = current === null ? null : kernels.read(current);
  if (!on || current === null || kernel === null) return;
  await results.load(current.uri);
  if (results.get(current.uri).trace?.report.hash === kernel.hash) return;
  const trace = vscode.l10n.t('Trace Kernel');
  const choice = await vscode.window.showInformationMessage(
    vscode.l10n.t('Line notes show what a trace has counted, and {0} was not traced as it stands.', nameOf(current)),
    trace,
  );
  if (choice === trace) await vscode.commands.executeCommand('tilescope.traceKernel', current.uri);
}

/** The workgroups a call of the trace command names; the sampled ones where it names none. */
function workgroupsOf(named: unknown): TraceRequest['workgroups'] {
  // Only the panel names them, by the contract that it shares with the lab.
  return Array.isArray(named) ? (named as Exclude<TraceRequest['workgroups'], string>) : 'sampled';
}

/** The tab that shows what a job finds out; null where that stands beside them. */
function tabFor(job: Job, shown: Tab): Tab | null {
  switch (job) {
    case 'compare':
    case 'benchmark':
      return job;
    case 'trace':
      return shown === 'traffic' ? 'traffic' : 'schedule';
    case 'run':
    case 'hazards':
    case 'consistency':
      return null;
  }
}

async function askForTrust(): Promise<null> {
  const manage = vscode.l10n.t('Manage Workspace Trust');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t('Running a kernel executes workspace content on the GPU. Trust this workspace to run kernels.'),
    manage,
  );
  if (choice === manage) await vscode.commands.executeCommand('workbench.trust.manage');
  return null;
}

async function offerToStop(jobs: Jobs): Promise<null> {
  const stop = vscode.l10n.t('Stop It');
  const choice = await vscode.window.showInformationMessage(
    vscode.l10n.t('Another job is still running. Wait for it, or stop it.'),
    stop,
  );
  if (choice === stop) jobs.cancel();
  return null;
}

/** A failure is told where the user looks: by the panel if it is in sight, else by a message. */
async function showFailure(failure: LabFailure, panel: LabPanel): Promise<void> {
  if (failure.kind === 'cancelled') return;
  if (failure.kind === 'no-device') {
    await showNoDevice(failure);
    return;
  }
  if (panel.isVisible) return;
  const open = vscode.l10n.t('Open Lab');
  const message = failure.remedy === null ? failure.message : `${failure.message} ${failure.remedy}`;
  if ((await vscode.window.showErrorMessage(message, open)) === open) panel.show(false);
}

async function selectShape(tools: CommandTools, uri: unknown): Promise<void> {
  const { kernels, results } = tools;
  const document = await kernelFor(kernels, uri);
  const kernel = document === null ? null : kernels.read(document);
  if (document === null || kernel === null) return;
  await results.load(document.uri);
  const override = await askForShape(kernel, results.get(document.uri));
  if (override !== undefined) await chooseOverride(results, document.uri, override);
}

async function checkGpu({ context, gpu, panel }: CommandTools): Promise<void> {
  panel.showForJob();
  const outcome = await gpu.ask();
  if (!outcome.ok && outcome.failure.kind === 'no-device') {
    void showNoDevice(outcome.failure);
    return;
  }
  const copy = vscode.l10n.t('Copy Diagnostics');
  const { version } = context.extension.packageJSON as { version: string };
  const shown = outcome.ok
    ? vscode.window.showInformationMessage(describeDevice(outcome.value), copy)
    : vscode.window.showErrorMessage([outcome.failure.message, outcome.failure.remedy ?? ''].join(' '), copy);
  // Not awaited: the command is done when the GPU was checked, however long its message stays.
  shown.then(
    async (choice) => {
      if (choice === copy) await vscode.env.clipboard.writeText(deviceDiagnostics(outcome, version));
    },
    () => undefined,
  );
}

function titleOf(job: Job, name: string): string {
  const { l10n } = vscode;
  switch (job) {
    case 'run':
      return l10n.t('Running {0}', name);
    case 'compare':
      return l10n.t('Comparing {0}', name);
    case 'benchmark':
      return l10n.t('Benchmarking {0}', name);
    case 'trace':
      return l10n.t('Tracing {0}', name);
    case 'hazards':
      return l10n.t('Looking for hazards in {0}', name);
    case 'consistency':
      return l10n.t('Checking the consistency of {0}', name);
  }
}
