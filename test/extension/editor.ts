import * as assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { eventually } from './runner.js';

/** The extension under test. */
export function tilescope(): vscode.Extension<unknown> {
  const extension = vscode.extensions.getExtension('tilescope.tilescope');
  assert.ok(extension, 'The extension is not installed.');
  return extension;
}

/** The text of a built-in kernel. */
export async function builtin(path: string): Promise<string> {
  const uri = vscode.Uri.joinPath(tilescope().extensionUri, 'shaders', path);
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}

const folder = mkdtempSync(join(tmpdir(), 'tilescope-host-'));
let files = 0;

/** Removes the files that the tests made. */
export function removeFiles(): void {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Opens a text in the editor, as a new file in a folder of its own: no test sees the results or backups of another. Files
 * that lie beside it are given by their names.
 */
export async function openKernel(
  content: string,
  beside: Readonly<Record<string, string>> = {},
): Promise<vscode.TextDocument> {
  const own = join(folder, String(++files));
  mkdirSync(own);
  for (const [name, text] of Object.entries(beside)) writeFileSync(join(own, name), text);
  const path = join(own, `kernel${files}.wgsl`);
  writeFileSync(path, content);
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(path));
  await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
  return document;
}

/** Replaces the only occurrence of `search` in a document, as an edit that can be undone. */
export async function replace(document: vscode.TextDocument, search: string, replacement: string): Promise<void> {
  const edit = new vscode.WorkspaceEdit();
  edit.replace(document.uri, rangeOf(document, search), replacement);
  assert.ok(await vscode.workspace.applyEdit(edit), 'The edit was refused.');
}

/** The range of the only occurrence of `search`. */
export function rangeOf(document: vscode.TextDocument, search: string): vscode.Range {
  const text = document.getText();
  const start = text.indexOf(search);
  assert.ok(start >= 0, `"${search}" is not in the document.`);
  assert.equal(text.indexOf(search, start + 1), -1, `"${search}" stands more than once in the document.`);
  return new vscode.Range(document.positionAt(start), document.positionAt(start + search.length));
}

/** What the extension says about a document now. */
export function findings(document: vscode.TextDocument): vscode.Diagnostic[] {
  return vscode.languages.getDiagnostics(document.uri).filter(({ source }) => source === 'Tilescope');
}

/** The findings on a document as soon as there are any. */
export function someFindings(document: vscode.TextDocument): Promise<vscode.Diagnostic[]> {
  return eventually('A finding', () => (findings(document).length > 0 ? findings(document) : null));
}

/** Waits until a document has no findings. */
export async function noFindings(document: vscode.TextDocument): Promise<void> {
  await eventually('A document without findings', () => findings(document).length === 0);
}

/** The lenses of a document, resolved. */
export async function lenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
  return vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', document.uri, 100);
}

/** The title of each lens of a document. */
export async function lensTitles(document: vscode.TextDocument): Promise<string[]> {
  return (await lenses(document)).map((lens) => lens.command?.title ?? '');
}

/** Waits for a lens whose title matches. */
export async function lensLike(document: vscode.TextDocument, title: RegExp): Promise<string> {
  let last: string[] = [];
  try {
    return await eventually(`A lens like ${String(title)}`, async () => {
      last = await lensTitles(document);
      return last.find((text) => title.test(text)) ?? null;
    });
  } catch (error) {
    throw new Error(`${String(error)} The lenses were: ${last.join(' | ')}`, { cause: error });
  }
}

/** Closes every editor without asking; untitled texts are given up. */
export async function closeEditors(): Promise<void> {
  while (vscode.window.activeTextEditor !== undefined) {
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  }
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
}
