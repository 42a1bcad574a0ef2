import * as vscode from 'vscode';
import type { Hazard } from '../core/analysis/hazard.js';
import { diagnosticSource, toDiagnostic } from './diagnostics.js';
import { disposeAll, type Disposables } from './disposal.js';
import { kernelSelector, type Kernels } from './kernels.js';
import type { Results } from './results.js';

/**
 * Shows the hazards that the last check found as problems, with their quick fixes, as long as the kernel is the one that
 * was checked: after an edit nobody knows which of them are left, until the next check or until the edit is undone.
 */
export class HazardProblems implements vscode.CodeActionProvider, vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('tilescope-hazards');
  private readonly subscriptions: Disposables;

  constructor(
    private readonly kernels: Kernels,
    private readonly results: Results,
  ) {
    this.subscriptions = [
      this.collection,
      kernels.onDidChange((document) => this.refresh(document)),
      kernels.onDidClose(({ uri }) => this.collection.delete(uri)),
      results.onDidChange((uri) => {
        for (const document of kernels.documents) if (document.uri.toString() === uri) this.refresh(document);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0 && this.collection.has(document.uri)) this.refresh(document);
      }),
      vscode.languages.registerCodeActionsProvider(kernelSelector, this, {
        providedCodeActionKinds: [vscode.CodeActionKind.QuickFix],
      }),
    ];
  }

  provideCodeActions(
    document: vscode.TextDocument,
    _range: vscode.Range,
    { diagnostics }: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    const hazards = this.hazardsOf(document);
    return diagnostics.flatMap((diagnostic) => {
      if (diagnostic.source !== diagnosticSource) return [];
      const hazard = hazards.find(
        ({ code, span }) => code === diagnostic.code && document.offsetAt(diagnostic.range.start) === span.start,
      );
      if (!hazard?.fix) return [];
      const action = new vscode.CodeAction(hazard.fix.title, vscode.CodeActionKind.QuickFix);
      action.edit = new vscode.WorkspaceEdit();
      for (const { span, text } of hazard.fix.edits) {
        const range = new vscode.Range(document.positionAt(span.start), document.positionAt(span.end));
        action.edit.replace(document.uri, range, text);
      }
      action.diagnostics = [diagnostic];
      action.isPreferred = true;
      return [action];
    });
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  /** What is known of the hazards of a document's text as it stands. */
  private hazardsOf(document: vscode.TextDocument): readonly Hazard[] {
    const report = this.results.get(document.uri).hazards?.report;
    return report !== undefined && report.hash === this.kernels.read(document)?.hash ? report.hazards : [];
  }

  private refresh(document: vscode.TextDocument): void {
    this.collection.set(
      document.uri,
      this.hazardsOf(document).map((hazard) => problemOf(hazard, document)),
    );
  }
}

function problemOf(hazard: Hazard, document: vscode.TextDocument): vscode.Diagnostic {
  const problem = toDiagnostic(hazard, document);
  const { other } = hazard;
  if (other !== null) {
    const place = new vscode.Range(document.positionAt(other.span.start), document.positionAt(other.span.end));
    const location = new vscode.Location(document.uri, place);
    problem.relatedInformation = [new vscode.DiagnosticRelatedInformation(location, other.label)];
  }
  if (hazard.kind === 'never-read') problem.tags = [vscode.DiagnosticTag.Unnecessary];
  return problem;
}
