import * as vscode from 'vscode';
import { createCommands } from './commands.js';
import { Diagnostics } from './diagnostics.js';
import { DriverChecks } from './driverChecks.js';
import { registerCompletion, registerHover } from './frontMatterHelp.js';
import { Gpu } from './gpu.js';
import { HazardProblems } from './hazardProblems.js';
import { InvocationValues } from './invocationValues.js';
import { Jobs } from './jobs.js';
import { Kernels } from './kernels.js';
import { LabHost } from './labHost.js';
import { LabPanel, labViewType } from './labPanel.js';
import { LayersPanel, layersViewType } from './layersPanel.js';
import { Lenses } from './lenses.js';
import { LineNotes } from './lineNotes.js';
import { restoredUri } from './record.js';
import { Results } from './results.js';
import { SidePanel } from './sidePanel.js';
import { StatusBar } from './statusBar.js';

/** Called by VS Code when the first WGSL file, command or restored panel needs the extension. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Tilescope', { log: true });
  const kernels = new Kernels();
  const results = new Results(context, log);
  const diagnostics = new Diagnostics(kernels);
  const panel = new LabPanel(context.extensionUri, log);
  const jobs = new Jobs(kernels, results, diagnostics, panel, log);
  const side = new SidePanel(context.extensionUri, log);
  const host = new LabHost(kernels, results, diagnostics, jobs, panel, side);
  const gpu = new Gpu(panel, host, log);
  const lineNotes = new LineNotes(kernels, results);
  const values = new InvocationValues(kernels);
  const layers = new LayersPanel(context.extensionUri, results, log);
  const commands = createCommands({ context, kernels, results, jobs, panel, layers, gpu, lineNotes, values, log });
  context.subscriptions.push(
    log,
    kernels,
    results,
    diagnostics,
    panel,
    side,
    layers,
    jobs,
    host,
    gpu,
    lineNotes,
    values,
    new HazardProblems(kernels, results),
    new DriverChecks(kernels, diagnostics, jobs, panel, log),
    new Lenses(kernels, results, jobs),
    new StatusBar(kernels, results, jobs),
    registerCompletion(),
    registerHover(),
    followContext(kernels, jobs),
    ...Object.entries(commands).map(([id, command]) => vscode.commands.registerCommand(id, command)),
    vscode.window.registerWebviewPanelSerializer(labViewType, {
      deserializeWebviewPanel: (restored, state) => restore(restored, state, kernels, panel, log),
    }),
    vscode.window.registerWebviewPanelSerializer(layersViewType, {
      deserializeWebviewPanel: (restored) => {
        layers.attach(restored);
        return Promise.resolve();
      },
    }),
    kernels.onDidChange((document) => void results.load(document.uri)),
    kernels.onDidClose((document) => {
      // The next untitled file may get this one's name, and is another kernel.
      if (document.isUntitled) void results.forget(document.uri);
    }),
  );
  kernels.start();
}

/** Puts a panel of an earlier window back to work, on the kernel it showed. */
async function restore(
  restored: vscode.WebviewPanel,
  state: unknown,
  kernels: Kernels,
  panel: LabPanel,
  log: vscode.LogOutputChannel,
): Promise<void> {
  const uri = restoredUri(state);
  if (uri !== null && kernels.current === null) {
    try {
      kernels.select(await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true)));
    } catch (error) {
      log.info(`The kernel of the restored panel is gone: ${String(error)}`);
    }
  }
  panel.attach(restored);
}

/** Keeps the context keys of the `when` clauses: whether there is a kernel to work on, and whether a job is running. */
function followContext(kernels: Kernels, jobs: Jobs): vscode.Disposable {
  const set = (key: string, value: boolean): void =>
    void vscode.commands.executeCommand('setContext', `tilescope.${key}`, value);
  const refresh = (): void => {
    set('hasKernel', kernels.current !== null && kernels.read(kernels.current) !== null);
    // A panel that takes the focus leaves no active text editor: the buttons of the editor beside it stay.
    const active = vscode.window.activeTextEditor?.document;
    if (active !== undefined) set('editorHasKernel', kernels.read(active) !== null);
  };
  return vscode.Disposable.from(
    kernels.onDidChange(refresh),
    kernels.onDidChangeCurrent(refresh),
    vscode.window.onDidChangeActiveTextEditor(refresh),
    jobs.onDidChange(() => set('running', jobs.running !== null)),
  );
}
