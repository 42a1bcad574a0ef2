import * as vscode from 'vscode';
import type { Kernel } from '../core/kernel/model.js';
import { readKernel } from '../core/kernel/read.js';

/** Most kernels of a folder that are held together; a mechanism has a handful. */
const mostSiblings = 12;

/**
 * The other kernels of a kernel's mechanism in its folder, as they stand in an editor, else on disk, in the order of their
 * names. Those with mistakes are left out. Empty for a kernel without a folder that can be listed.
 */
export async function siblingKernels(document: vscode.TextDocument, { mechanism }: Kernel): Promise<readonly Kernel[]> {
  if (document.isUntitled || mechanism === null) return [];
  const folder = vscode.Uri.joinPath(document.uri, '..');
  const found: Kernel[] = [];
  for (const name of await wgslFiles(folder)) {
    const uri = vscode.Uri.joinPath(folder, name);
    if (uri.toString() === document.uri.toString()) continue;
    const kernel = readKernel(await textOf(uri), vscode.workspace.asRelativePath(uri));
    const sound = kernel?.diagnostics.every(({ severity }) => severity !== 'error') ?? false;
    if (kernel?.mechanism === mechanism && sound) found.push(kernel);
    if (found.length === mostSiblings) break;
  }
  return found;
}

async function wgslFiles(folder: vscode.Uri): Promise<readonly string[]> {
  try {
    const entries = await vscode.workspace.fs.readDirectory(folder);
    return entries.flatMap(([name]) => (name.endsWith('.wgsl') ? [name] : [])).sort();
  } catch {
    // Not every file system can list its folders (an extension that is served over http, say).
    return [];
  }
}

async function textOf(uri: vscode.Uri): Promise<string> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  return open?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}
