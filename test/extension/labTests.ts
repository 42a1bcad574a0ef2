import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { CompareReport, Outcome, RunReport } from '../../src/lab/contract.js';
import { builtin, closeEditors, findings, lensLike, openKernel, rangeOf, replace, someFindings } from './editor.js';
import { eventually, hostTest, type HostTest } from './runner.js';

/** A built-in kernel at sizes that a software GPU computes in a moment. */
async function smallKernel(): Promise<string> {
  const text = await builtin('softmax/naive.wgsl');
  const shape = '{ batch: 1, heads: 2, seqlen: 33, headDim: 16 }';
  return text.replace(/shape: \{.*\}/, `shape: ${shape}\ncases: [{ seqlen: 1 }]`);
}

async function compare(document: vscode.TextDocument): Promise<CompareReport> {
  const outcome = await vscode.commands.executeCommand<Outcome<CompareReport>>('tilescope.compareKernel', document.uri);
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.kind}: ${outcome.failure.message}`);
  return outcome.value;
}

/** What the Kernel Lab does, on the GPU of the window. */
export const labTests: readonly HostTest[] = [
  hostTest('a kernel runs from its unsaved text', async () => {
    const document = await openKernel(await smallKernel());
    const outcome = await vscode.commands.executeCommand<Outcome<RunReport>>('tilescope.runKernel', document.uri);
    assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.kind}: ${outcome.failure.message}`);
    assert.ok(outcome.value.outputs.some(({ name, nan }) => name === 'o' && nan === 0));
    await lensLike(document, /^ran .*not compared$/);
  }),
  hostTest('a right kernel is right, stale after an edit, and wrong when broken', async () => {
    const document = await openKernel(await smallKernel());
    const right = await compare(document);
    assert.equal(right.passed, true, right.sentence);
    assert.ok(right.cases.length >= 2);
    await lensLike(document, /^✓ right in \d+ cases \((RMS|max) /);
    await replace(document, 'struct Params {', '\nstruct Params {');
    await lensLike(document, /^\[✓ .*\] stale$/);
    const text = document.getText();
    const broken = text.replace(/let value = .*|params\.scale/, (found) => `0.5 * ${found}`);
    assert.notEqual(broken, text, 'The kernel has nothing to break.');
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, new vscode.Range(document.positionAt(0), document.positionAt(text.length)), broken);
    await vscode.workspace.applyEdit(edit);
    const wrong = await compare(document);
    assert.equal(wrong.passed, false);
    await lensLike(document, /^✗ /);
  }),
  hostTest('a kernel that the GPU lacks a feature for is compared on the simulator, and the lens says so', async () => {
    const { device } = await compare(await openKernel(await smallKernel()));
    const text = await smallKernel();
    const report = await compare(await openKernel(text.replace('struct Params {', 'enable f16;\nstruct Params {')));
    assert.equal(report.passed, true, report.sentence);
    const onGpu = device.features.includes('shader-f16');
    assert.equal(report.device.host, onGpu ? device.host : 'simulator');
    if (!onGpu) await lensLike(vscode.window.activeTextEditor!.document, /^✓ right .* on the simulator, no GPU$/);
  }),
  hostTest("the driver's findings appear while the lab is open, and go away with the mistake", async () => {
    const document = await openKernel(await smallKernel());
    await vscode.commands.executeCommand('tilescope.openLab', document.uri);
    await compare(document);
    const search = 'struct Params {';
    const mistake = 'fn mistake() -> f32 { return 1u; }\n';
    await replace(document, search, `${mistake}${search}`);
    const found = await someFindings(document);
    const line = rangeOf(document, 'return 1u').start.line;
    assert.deepEqual([...new Set(found.map(({ range }) => range.start.line))], [line]);
    await replace(document, mistake, '');
    await eventually('A kernel without findings', () => findings(document).length === 0);
  }),
  hostTest('a kernel that does not compile is a result with its place, and the next run works', async () => {
    const document = await openKernel(await smallKernel());
    await replace(document, 'struct Params {', 'fn mistake() -> f32 { return 1u; }\nstruct Params {');
    const failed = await vscode.commands.executeCommand<Outcome<CompareReport>>(
      'tilescope.compareKernel',
      document.uri,
    );
    assert.equal(failed.ok, false);
    await lensLike(document, /^✗ /);
    await replace(document, 'fn mistake() -> f32 { return 1u; }\n', '');
    assert.equal((await compare(document)).passed, true);
  }),
  hostTest('a running job is cancelled by command, and the next one works', async () => {
    const document = await openKernel(await builtin('softmax/naive.wgsl'));
    const job = vscode.commands.executeCommand<Outcome<CompareReport>>('tilescope.compareKernel', document.uri);
    await lensLike(document, /comparing/);
    await vscode.commands.executeCommand('tilescope.cancel');
    const outcome = await job;
    assert.equal(outcome.ok ? 'done' : outcome.failure.kind, 'cancelled');
    await lensLike(document, /^not compared yet$/);
    const small = await openKernel(await smallKernel());
    assert.equal((await compare(small)).passed, true);
  }),
  hostTest('a job is stopped by closing its panel, and does not hang', async () => {
    const document = await openKernel(await builtin('softmax/naive.wgsl'));
    const job = vscode.commands.executeCommand<Outcome<CompareReport>>('tilescope.compareKernel', document.uri);
    await lensLike(document, /comparing/);
    await closeEditors();
    const outcome = await job;
    assert.equal(outcome.ok ? 'done' : outcome.failure.kind, 'cancelled');
    const again = await openKernel(await smallKernel());
    assert.equal((await compare(again)).passed, true);
  }),
];
