import * as vscode from 'vscode';
import type { Span } from '../core/diagnostic.js';
import { completionsAt } from '../core/kernel/complete.js';
import { hoverAt } from '../core/kernel/hover.js';
import type { NameKind } from '../core/kernel/vocabulary.js';
import { kernelSelector } from './kernels.js';

const itemKinds: Readonly<Record<NameKind, vscode.CompletionItemKind>> = {
  key: vscode.CompletionItemKind.Property,
  mechanism: vscode.CompletionItemKind.Class,
  value: vscode.CompletionItemKind.EnumMember,
  dimension: vscode.CompletionItemKind.Unit,
  option: vscode.CompletionItemKind.Value,
  override: vscode.CompletionItemKind.Constant,
  function: vscode.CompletionItemKind.Function,
  variable: vscode.CompletionItemKind.Variable,
  tensor: vscode.CompletionItemKind.Field,
  entry: vscode.CompletionItemKind.Method,
};

/** Completes keys, names and values in the front matter of kernel files. */
export function registerCompletion(): vscode.Disposable {
  return vscode.languages.registerCompletionItemProvider(
    kernelSelector,
    {
      provideCompletionItems: (document, position) => {
        const found = completionsAt(document.getText(), document.offsetAt(position));
        if (found === null) return null;
        const range = rangeOf(document, found.span);
        return found.items.map((completion, index) => {
          const item = new vscode.CompletionItem(completion.label, itemKinds[completion.kind]);
          item.insertText = completion.insertText;
          item.detail = completion.detail;
          item.documentation = new vscode.MarkdownString(completion.documentation);
          item.range = range;
          // The core lists what fits best first; VS Code would sort by name.
          item.sortText = String(index).padStart(4, '0');
          return item;
        });
      },
    },
    ...[':', ' ', '{', '[', ','],
  );
}

/** Explains what stands under the pointer in the front matter of kernel files. */
export function registerHover(): vscode.Disposable {
  return vscode.languages.registerHoverProvider(kernelSelector, {
    provideHover: (document, position) => {
      const found = hoverAt(document.getText(), document.offsetAt(position));
      return found === null
        ? null
        : new vscode.Hover(new vscode.MarkdownString(found.markdown), rangeOf(document, found.span));
    },
  });
}

function rangeOf(document: vscode.TextDocument, span: Span): vscode.Range {
  return new vscode.Range(document.positionAt(span.start), document.positionAt(span.end));
}
