import * as vscode from 'vscode';
import type { Diagnostic, Severity } from '../core/diagnostic.js';
import { disposeAll, type Disposables } from './disposal.js';
import type { Kernels } from './kernels.js';
import { mergeDiagnostics, suggestedReplacement } from './mergeDiagnostics.js';

/** What every diagnostic of the extension names as its source. */
export const diagnosticSource = 'Tilescope';

interface DriverFindings {
  readonly hash: string;
  readonly diagnostics: readonly Diagnostic[];
}

const severities: Readonly<Record<Severity, vscode.DiagnosticSeverity>> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  info: vscode.DiagnosticSeverity.Information,
};

/** Shows the findings on every open kernel: the parser's at once, the driver's as long as they are about this text. */
export class Diagnostics implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('tilescope');
  private readonly driver = new Map<string, DriverFindings>();
  private readonly changed = new vscode.EventEmitter<vscode.TextDocument>();
  private readonly subscriptions: Disposables;

  /** The findings on a document were put up anew. */
  readonly onDidChange = this.changed.event;

  constructor(private readonly kernels: Kernels) {
    this.subscriptions = [
      this.collection,
      this.changed,
      kernels.onDidChange((document) => this.refresh(document)),
      kernels.onDidClose((document) => {
        this.driver.delete(document.uri.toString());
        this.collection.delete(document.uri);
      }),
      vscode.languages.registerCodeActionsProvider({ language: 'wgsl' }, new ReplacementFixes(), {
        providedCodeActionKinds: [vscode.CodeActionKind.QuickFix],
      }),
    ];
  }

  /** Adds what the driver says about the source with this hash. */
  setDriver(document: vscode.TextDocument, findings: DriverFindings): void {
    this.driver.set(document.uri.toString(), findings);
    this.refresh(document);
  }

  /** Everything known about a document as it stands, the parser's findings first. */
  findings(document: vscode.TextDocument): readonly Diagnostic[] {
    const kernel = this.kernels.read(document);
    if (kernel === null) return [];
    const driver = this.driver.get(document.uri.toString());
    return mergeDiagnostics(kernel.diagnostics, driver?.hash === kernel.hash ? driver.diagnostics : []);
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private refresh(document: vscode.TextDocument): void {
    if (document.isClosed) return;
    this.collection.set(
      document.uri,
      this.findings(document).map((finding) => toDiagnostic(finding, document)),
    );
    this.changed.fire(document);
  }
}

/** A finding on a document as VS Code's list of problems takes it. */
export function toDiagnostic(finding: Diagnostic, document: vscode.TextDocument): vscode.Diagnostic {
  const range = new vscode.Range(document.positionAt(finding.span.start), document.positionAt(finding.span.end));
  const message = finding.remedy === null ? finding.message : `${finding.message} ${finding.remedy}`;
  const diagnostic = new vscode.Diagnostic(range, message, severities[finding.severity]);
  diagnostic.source = diagnosticSource;
  diagnostic.code = finding.code;
  return diagnostic;
}

/** Offers the word a finding asks "Did you mean …?" about. */
class ReplacementFixes implements vscode.CodeActionProvider {
  provideCodeActions(
    document: vscode.TextDocument,
    _range: vscode.Range,
    context: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    return context.diagnostics.flatMap((diagnostic) => {
      if (diagnostic.source !== diagnosticSource) return [];
      const replacement = suggestedReplacement(diagnostic.message);
      if (replacement === null) return [];
      const action = new vscode.CodeAction(
        vscode.l10n.t('Change to "{0}"', replacement),
        vscode.CodeActionKind.QuickFix,
      );
      action.edit = new vscode.WorkspaceEdit();
      action.edit.replace(document.uri, diagnostic.range, replacement);
      action.diagnostics = [diagnostic];
      action.isPreferred = true;
      return [action];
    });
  }
}
