import * as vscode from 'vscode';

/** The elements that a page can consist of. */
export type PageElement = 'tilescope-lab' | 'tilescope-side' | 'tilescope-layers';

/** A page of the extension: one script with a nonce, its style sheets, its workers, nothing else from anywhere. */
export function panelHtml(webview: vscode.Webview, extensionUri: vscode.Uri, element: PageElement): string {
  const nonce = makeNonce();
  const file = (name: string): string =>
    escapeHtml(webview.asWebviewUri(vscode.Uri.joinPath(extensionUri, 'dist', name)).toString());
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    // The nonce lets the toolkit add its one (empty) style element, with which it asks what the browser can do.
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} blob: data:`,
    // The simulator's script is fetched as text: its workers run it together with the code made from the kernel.
    `connect-src ${webview.cspSource}`,
    'worker-src blob:',
  ].join('; ');
  return `<!doctype html>
<html lang="${escapeHtml(vscode.env.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(policy)}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" id="vscode-codicon-stylesheet" href="${file('codicon.css')}">
<link rel="stylesheet" href="${file('lab.css')}">
<title>${escapeHtml(titleOf(element))}</title>
</head>
<body>
<${element}></${element}>
<script nonce="${nonce}" src="${file('webview.js')}"></script>
</body>
</html>`;
}

function titleOf(element: PageElement): string {
  switch (element) {
    case 'tilescope-lab':
      return vscode.l10n.t('Kernel Lab');
    case 'tilescope-side':
      return vscode.l10n.t('Kernel');
    case 'tilescope-layers':
      return vscode.l10n.t('KV Cache');
  }
}

function makeNonce(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
