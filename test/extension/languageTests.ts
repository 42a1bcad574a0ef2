import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import {
  builtin,
  findings,
  lenses,
  lensLike,
  lensTitles,
  noFindings,
  openKernel,
  rangeOf,
  replace,
  someFindings,
  tilescope,
} from './editor.js';
import { eventually, pause, hostTest, type HostTest } from './runner.js';

const lightning = 'lightning/lightning2.wgsl';

const plainWgsl = `@compute @workgroup_size(1)
fn main() {}
`;

async function completionsAt(document: vscode.TextDocument, position: vscode.Position): Promise<string[]> {
  const list = await vscode.commands.executeCommand<vscode.CompletionList>(
    'vscode.executeCompletionItemProvider',
    document.uri,
    position,
  );
  return list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
}

function entryLines(document: vscode.TextDocument): number[] {
  const lines = document.getText().split(/\r?\n/);
  return lines.flatMap((line, number) => (line.startsWith('@compute') ? [number] : []));
}

/** What a kernel file gets in the editor, without a GPU. */
export const languageTests: readonly HostTest[] = [
  hostTest('every contributed command is there', async () => {
    await tilescope().activate();
    const { contributes } = tilescope().packageJSON as { contributes: { commands: { command: string }[] } };
    const known = new Set(await vscode.commands.getCommands(true));
    const missing = contributes.commands.map(({ command }) => command).filter((id) => !known.has(id));
    assert.deepEqual(missing, []);
  }),
  hostTest('activation takes less than 50 ms', async () => {
    const startedAt = performance.now();
    await tilescope().activate();
    assert.ok(performance.now() - startedAt < 50);
  }),
  hostTest('a good kernel has no findings', async () => {
    const document = await openKernel(await builtin(lightning));
    assert.equal(document.languageId, 'wgsl');
    await pause(500);
    assert.deepEqual(findings(document), []);
  }),
  hostTest('a misspelt mechanism is found at its place, and one fix mends it', async () => {
    const text = await builtin(lightning);
    const document = await openKernel(text.replace('lightning-attention', 'lightening-attention'));
    const [finding] = await someFindings(document);
    assert.ok(finding);
    assert.deepEqual(finding.range, rangeOf(document, 'lightening-attention'));
    assert.equal(finding.severity, vscode.DiagnosticSeverity.Error);
    assert.match(finding.message, /lightening-attention.*Did you mean "lightning-attention"\?/s);
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      document.uri,
      finding.range,
      vscode.CodeActionKind.QuickFix.value,
    );
    const fix = actions.find(({ title }) => title === 'Change to "lightning-attention"');
    assert.ok(fix?.edit, `The actions were: ${actions.map(({ title }) => title).join(', ')}`);
    assert.ok(await vscode.workspace.applyEdit(fix.edit));
    assert.equal(document.getText(), text);
    await noFindings(document);
  }),
  hostTest('a mistake in the WGSL is found at its place', async () => {
    const document = await openKernel(await builtin(lightning));
    await replace(document, 'struct Params {', 'struct Params (');
    const found = await someFindings(document);
    const line = rangeOf(document, 'struct Params (').start.line;
    assert.ok(
      found.some(({ range }) => Math.abs(range.start.line - line) <= 1),
      `The findings were on the lines ${found.map(({ range }) => range.start.line).join(', ')}, not ${line}.`,
    );
    await replace(document, 'struct Params (', 'struct Params {');
    await noFindings(document);
  }),
  hostTest('the findings go away with the document, or when it becomes another language', async () => {
    const mistaken = '/*---\nmechanism: none-such\n---*/\n';
    // VS Code keeps the document of a file for minutes after its editor was closed, that of an untitled text not.
    const untitled = await vscode.workspace.openTextDocument({ language: 'wgsl', content: mistaken });
    await vscode.window.showTextDocument(untitled);
    await someFindings(untitled);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    await noFindings(untitled);
    const file = await openKernel(mistaken);
    await someFindings(file);
    await vscode.languages.setTextDocumentLanguage(file, 'plaintext');
    await noFindings(file);
    await vscode.languages.setTextDocumentLanguage(file, 'wgsl');
    await someFindings(file);
  }),
  hostTest('WGSL without front matter is left alone', async () => {
    const document = await openKernel(plainWgsl);
    await pause(500);
    assert.deepEqual(findings(document), []);
    assert.deepEqual(await lenses(document), []);
  }),
  hostTest('six lenses stand above the front matter and each entry point, and move with them', async () => {
    const document = await openKernel(await builtin(lightning));
    const linesOf = async (): Promise<number[]> => (await lenses(document)).map(({ range }) => range.start.line);
    const expected = [0, ...entryLines(document)].flatMap((line) => Array<number>(6).fill(line));
    assert.equal(expected.length, 24);
    assert.deepEqual((await linesOf()).sort(byNumber), expected);
    assert.deepEqual((await lensTitles(document)).slice(0, 6), [
      '$(play) Run',
      '$(check) Compare',
      '$(dashboard) Benchmark',
      '$(layout) Schedule',
      '$(arrow-swap) Traffic',
      'not compared yet',
    ]);
    await replace(document, 'struct Params {', '\n\nstruct Params {');
    assert.deepEqual(
      (await linesOf()).sort(byNumber),
      expected.map((line) => (line === 0 ? 0 : line + 2)),
    );
  }),
  hostTest('settings turn lenses off, all or one by one', async () => {
    const document = await openKernel(await builtin(lightning));
    const settings = vscode.workspace.getConfiguration('tilescope');
    const target = vscode.ConfigurationTarget.Global;
    try {
      await settings.update('lens.run', false, target);
      await eventually('Five lenses', async () => (await lenses(document)).length === 20);
      await settings.update('lens.enabled', false, target);
      await eventually('No lenses', async () => (await lenses(document)).length === 0);
    } finally {
      await settings.update('lens.run', undefined, target);
      await settings.update('lens.enabled', undefined, target);
    }
    await lensLike(document, /Run/);
  }),
  hostTest('the front matter is completed', async () => {
    const document = await openKernel(await builtin(lightning));
    const value = rangeOf(document, 'mechanism: lightning-attention').end;
    assert.ok((await completionsAt(document, value)).includes('softmax-attention'));
    const key = rangeOf(document, 'mechanism:').start;
    await replace(document, '---*/', '\n---*/');
    const keys = await completionsAt(document, new vscode.Position(rangeOf(document, '---*/').start.line - 1, 0));
    for (const name of ['cases', 'constants', 'layout']) assert.ok(keys.includes(name), `${name} is not offered.`);
    assert.equal(key.character, 0);
  }),
  hostTest('the front matter explains itself on hover', async () => {
    const document = await openKernel(await builtin(lightning));
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
      'vscode.executeHoverProvider',
      document.uri,
      rangeOf(document, 'lightning-attention').start.translate(0, 2),
    );
    const text = hovers
      .flatMap(({ contents }) => contents)
      .map((content) => (content instanceof vscode.MarkdownString ? content.value : JSON.stringify(content)))
      .join('\n');
    assert.match(text, /lightning/i);
  }),
  hostTest('the sample opens as an untitled copy without findings', async () => {
    const uri = await vscode.commands.executeCommand<vscode.Uri>('tilescope.openSample');
    assert.equal(uri.scheme, 'untitled');
    const document = vscode.window.activeTextEditor?.document;
    assert.equal(document?.uri.toString(), uri.toString());
    assert.equal(document.getText(), await builtin(lightning));
  }),
  hostTest('a new kernel starts from the chosen template', async () => {
    const created = vscode.commands.executeCommand<vscode.Uri | null>('tilescope.newKernel');
    await pause(500);
    await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
    const uri = await created;
    assert.ok(uri, 'No kernel was made.');
    const document = await vscode.workspace.openTextDocument(uri);
    assert.equal(document.getText(), await builtin('softmax/naive.wgsl'));
  }),
];

function byNumber(a: number, b: number): number {
  return a - b;
}
