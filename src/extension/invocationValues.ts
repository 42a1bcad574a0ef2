import * as vscode from 'vscode';
import type { ValuesReport } from '../lab/contract.js';
import { disposeAll, type Disposables } from './disposal.js';
import type { Kernels } from './kernels.js';
import { lineEndDecoration, lineEndOptions } from './lineEnds.js';
import { lineValues } from './valueText.js';

interface ShownValues {
  readonly document: vscode.TextDocument;
  readonly report: ValuesReport;
}

/**
 * The values of one invocation at the ends of the lines that gave them. They stay until they are cleared, until another
 * invocation is traced, or until the text is another one than was traced.
 */
export class InvocationValues implements vscode.Disposable {
  private readonly decoration = lineEndDecoration('editorInlayHint.foreground');
  private readonly subscriptions: Disposables;
  private shown: ShownValues | null = null;

  constructor(private readonly kernels: Kernels) {
    this.subscriptions = [
      this.decoration,
      vscode.window.onDidChangeVisibleTextEditors(() => this.refresh()),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0 && document === this.shown?.document) this.clear();
      }),
      kernels.onDidClose((document) => {
        if (document === this.shown?.document) this.clear();
      }),
    ];
  }

  /** Shows a report beside its document's lines, unless the text is another one by now. */
  show(document: vscode.TextDocument, report: ValuesReport): void {
    this.clear();
    if (this.kernels.read(document)?.hash !== report.hash) return;
    this.shown = { document, report };
    this.refresh();
    this.announce();
  }

  /** Takes the values away. */
  clear(): void {
    this.shown = null;
    this.refresh();
    this.announce();
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private refresh(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      editor.setDecorations(this.decoration, this.optionsFor(editor.document));
    }
  }

  private optionsFor(document: vscode.TextDocument): vscode.DecorationOptions[] {
    if (this.shown?.document !== document) return [];
    const { values, entry, workgroup, invocation } = this.shown.report;
    const { l10n } = vscode;
    const heading = l10n.t('Invocation {0} of workgroup {1} of "{2}":', invocation, workgroup.join(', '), entry);
    return lineEndOptions(
      document,
      lineValues(values, l10n.t).map(({ line, text, details }) => ({
        line,
        text,
        hover: new vscode.MarkdownString([heading, '', ...details.map((detail) => `- ${detail}`)].join('\n')),
      })),
    );
  }

  private announce(): void {
    void vscode.commands.executeCommand('setContext', 'tilescope.showsValues', this.shown !== null);
  }
}
