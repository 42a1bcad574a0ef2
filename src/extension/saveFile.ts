import * as vscode from 'vscode';

/** Saves text, or bytes given in base64, where the user chooses; nothing where the choice is cancelled. */
export async function saveFile(suggestedName: string, text: string | null, base64: string | null): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const target = await vscode.window.showSaveDialog(
    folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, suggestedName) },
  );
  if (target === undefined) return;
  const bytes = base64 === null ? new TextEncoder().encode(text ?? '') : decodeBase64(base64);
  await vscode.workspace.fs.writeFile(target, bytes);
}

function decodeBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
