import * as vscode from 'vscode';
import { disposeAll, Timer, type Disposables } from './disposal.js';
import type { Kernels } from './kernels.js';
import { lineEndDecoration, lineEndOptions } from './lineEnds.js';
import { lineNotes } from './lineNoteText.js';
import type { Results } from './results.js';

const refreshPauseMs = 50;
const setting = 'lineNotes';

/**
 * Notes at the ends of lines: the bytes each moves and how well, by the last trace. They are shown for the text that was
 * traced and for no other: an edit hides them until the next trace, or until it is undone.
 */
export class LineNotes implements vscode.Disposable {
  private readonly decoration = lineEndDecoration('editorCodeLens.foreground');
  private readonly refreshing = new Timer(() => this.refresh());
  private readonly subscriptions: Disposables;

  constructor(
    private readonly kernels: Kernels,
    private readonly results: Results,
  ) {
    const later = (): void => this.refreshing.startOnce(refreshPauseMs);
    this.subscriptions = [
      this.decoration,
      this.refreshing,
      results.onDidChange(later),
      kernels.onDidChange(later),
      vscode.window.onDidChangeVisibleTextEditors(later),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        // A wrong number beside the line that is being typed would be worse than none.
        if (contentChanges.length > 0) this.refresh(document);
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(`tilescope.${setting}`)) this.refresh();
      }),
    ];
  }

  /** Turns the notes on or off, for every window of the user; returns whether they are on now. */
  async toggle(): Promise<boolean> {
    const on = !areOn(undefined);
    await vscode.workspace.getConfiguration('tilescope').update(setting, on, vscode.ConfigurationTarget.Global);
    return on;
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private refresh(only?: vscode.TextDocument): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const { document } = editor;
      if (only !== undefined && document !== only) continue;
      if (document.languageId !== 'wgsl') continue;
      editor.setDecorations(this.decoration, this.optionsFor(document));
    }
  }

  private optionsFor(document: vscode.TextDocument): vscode.DecorationOptions[] {
    const report = this.results.get(document.uri).trace?.report;
    if (report === undefined || !areOn(document) || this.kernels.read(document)?.hash !== report.hash) return [];
    const shape = Object.entries(report.shape).map(([name, size]) => `${name} ${size}`);
    const heading = vscode.l10n.t('By the last trace, at {0}:', shape.join(', '));
    return lineEndOptions(
      document,
      lineNotes(report.ledger.lines, vscode.l10n.t).map(({ line, text, details }) => ({
        line,
        text,
        hover: new vscode.MarkdownString([heading, '', ...details.map((detail) => `- ${detail}`)].join('\n')),
      })),
    );
  }
}

function areOn(document: vscode.TextDocument | undefined): boolean {
  return vscode.workspace.getConfiguration('tilescope', document).get<boolean>(setting, false);
}
