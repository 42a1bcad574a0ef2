import type { Translate } from '../../../src/extension/translate.js';

/** What `vscode.l10n.t` does in an English window. */
export const english: Translate = (message, ...values) =>
  message.replace(/\{(\d+)\}/g, (_, index: string) => String(values[Number(index)]));
