/**
 * Gives a text in the language of the window; `{0}`, `{1}`, … stand for the values.
 * Texts that are made without VS Code at hand take it as a parameter: in the extension it is `vscode.l10n.t`.
 */
export type Translate = (message: string, ...values: (string | number)[]) => string;
