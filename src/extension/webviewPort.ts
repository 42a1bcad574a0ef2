import type * as vscode from 'vscode';
import type { Port } from '../lab/channel.js';

/** The message path to a webview's page. */
export function webviewPort(webview: vscode.Webview, log: vscode.LogOutputChannel): Port {
  return {
    post: (message) => {
      webview.postMessage(message).then(undefined, (error: unknown) => {
        log.error(`A message to a page of Tilescope was not sent: ${String(error)}`);
      });
    },
    listen: (receive) => {
      const subscription = webview.onDidReceiveMessage((message: unknown) => receive(message));
      return () => {
        subscription.dispose();
      };
    },
  };
}
