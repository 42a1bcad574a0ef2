import * as vscode from 'vscode';

/** A text at the end of a line, and what hovering over it says. */
export interface LineEnd {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly hover: vscode.MarkdownString | null;
}

/** How texts at line ends look: in a muted colour, a little apart from the code. */
export function lineEndDecoration(colour: string): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor(colour), margin: '0 0 0 3ch' },
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    isWholeLine: true,
  });
}

/** Texts at line ends as decorations of a document; lines that it has not are left out. */
export function lineEndOptions(document: vscode.TextDocument, ends: readonly LineEnd[]): vscode.DecorationOptions[] {
  return ends.flatMap(({ line, text, hover }) => {
    if (line < 1 || line > document.lineCount) return [];
    const { end } = document.lineAt(line - 1).range;
    const options: vscode.DecorationOptions = {
      range: new vscode.Range(end, end),
      renderOptions: { after: { contentText: text } },
    };
    return [hover === null ? options : { ...options, hoverMessage: hover }];
  });
}
