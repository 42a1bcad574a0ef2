import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { ConsistencyReport, HazardReport, Outcome, TraceReport, ValuesReport } from '../../src/lab/contract.js';
import { builtin, findings, lensLike, noFindings, openKernel, rangeOf, replace } from './editor.js';
import { eventually, hostTest, type HostTest } from './runner.js';

const barrier = '\n    workgroupBarrier();';

/** A kernel with tiles in workgroup memory, at sizes that take a moment to simulate. */
async function smallFlash(): Promise<string> {
  const text = await builtin('softmax/flash.wgsl');
  const shape = '{ batch: 1, heads: 2, seqlen: 96, headDim: 32 }';
  return text.replace(/shape: \{.*\}/, `shape: ${shape}\ncases: [{ seqlen: 33 }]`);
}

function valueOf<T>(outcome: Outcome<T> | null): T {
  assert.ok(outcome !== null, 'The job did not start.');
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.kind}: ${outcome.failure.message}`);
  return outcome.value;
}

async function run<T>(command: string, document: vscode.TextDocument, ...more: unknown[]): Promise<T> {
  return valueOf(await vscode.commands.executeCommand<Outcome<T> | null>(command, document.uri, ...more));
}

function hazardsOf(document: vscode.TextDocument): vscode.Diagnostic[] {
  return findings(document).filter(({ code }) => typeof code === 'string' && code.startsWith('hazard-'));
}

async function quickFixes(document: vscode.TextDocument, problem: vscode.Diagnostic): Promise<vscode.CodeAction[]> {
  return vscode.commands.executeCommand<vscode.CodeAction[]>(
    'vscode.executeCodeActionProvider',
    document.uri,
    problem.range,
    vscode.CodeActionKind.QuickFix.value,
  );
}

/** What the simulator brings into the editor; it needs a window, but no GPU in it. */
export const simulatorTests: readonly HostTest[] = [
  hostTest('a trace is made once for the text as it stands, whichever picture asks for it', async () => {
    const document = await openKernel(await smallFlash());
    const first = await run<TraceReport>('tilescope.showSchedule', document);
    assert.equal(first.exact, true);
    assert.equal(first.shape.seqlen, 96);
    assert.equal(first.schedule.workgroups.length, 2);
    const again = await run<TraceReport>('tilescope.showTraffic', document);
    assert.equal(again.elapsedMs, first.elapsedMs, 'The kernel was traced again.');
    await replace(document, 'struct Params {', '\nstruct Params {');
    const later = await run<TraceReport>('tilescope.showTraffic', document);
    assert.notEqual(later.hash, first.hash);
    assert.deepEqual(later.ledger.totals, first.ledger.totals);
  }),
  hostTest('a trace leaves the verdict in the lens as it is', async () => {
    const document = await openKernel(await smallFlash());
    await run<TraceReport>('tilescope.traceKernel', document);
    await lensLike(document, /^not compared yet$/);
  }),
  hostTest('a kernel without hazards has no problems', async () => {
    const document = await openKernel(await smallFlash());
    const report = await run<HazardReport>('tilescope.checkHazards', document);
    assert.deepEqual(report.hazards, []);
    assert.deepEqual(findings(document), []);
  }),
  hostTest('a missing barrier is a problem at its place, and one fix mends it', async () => {
    const text = await smallFlash();
    const document = await openKernel(text.replace(barrier, ''));
    assert.notEqual(document.getText(), text, 'The kernel has no barrier to take away.');
    const report = await run<HazardReport>('tilescope.checkHazards', document);
    assert.ok(report.hazards.some(({ kind }) => kind === 'race-in-workgroup'));
    const problems = await eventually('A hazard among the problems', () => {
      const found = hazardsOf(document);
      return found.length > 0 ? found : null;
    });
    const race = problems.find(({ code }) => code === 'hazard-race-in-workgroup');
    assert.ok(race?.relatedInformation?.length, 'The race names no other place.');
    const fix = (await quickFixes(document, race)).find(({ edit, title }) => edit && /barrier/i.test(title));
    assert.ok(fix?.edit, 'There is no fix with a barrier.');
    assert.ok(await vscode.workspace.applyEdit(fix.edit));
    await noFindings(document);
    const mended = await run<HazardReport>('tilescope.checkHazards', document);
    assert.deepEqual(
      mended.hazards.map(({ message }) => message),
      [],
    );
  }),
  hostTest('hazards go away with an edit, and come back when it is undone', async () => {
    const document = await openKernel((await smallFlash()).replace(barrier, ''));
    await run<HazardReport>('tilescope.checkHazards', document);
    await eventually('A hazard among the problems', () => hazardsOf(document).length > 0);
    await replace(document, 'struct Params {', 'struct Params { ');
    await eventually('No hazard after an edit', () => hazardsOf(document).length === 0);
    await replace(document, 'struct Params { ', 'struct Params {');
    await eventually('The hazard of the text that was checked', () => hazardsOf(document).length > 0);
  }),
  hostTest("an invocation's values come with the lines that gave them", async () => {
    const document = await openKernel(await smallFlash());
    const place = { entry: 'attend', workgroup: [1, 1, 0], invocation: 5 };
    const report = await run<ValuesReport>('tilescope.traceInvocation', document, place);
    assert.equal(report.entry, 'attend');
    assert.deepEqual(report.workgroup, [1, 1, 0]);
    assert.ok(report.values.length > 5);
    const lines = document.getText().split(/\r?\n/);
    for (const { name, line } of report.values) {
      assert.ok(lines[line - 1]?.includes(name), `${name} is not in line ${line}: ${lines[line - 1] ?? ''}`);
    }
    await vscode.commands.executeCommand('tilescope.clearInvocationValues');
  }),
  hostTest('a kernel that cannot be simulated is a failure with its place, and the next trace works', async () => {
    const document = await openKernel(await smallFlash());
    const statement = 'var scores = array<vec4<f32>, 4>();';
    await replace(document, statement, `let mistake: f32 = 1u;\n    ${statement}`);
    const failed = await vscode.commands.executeCommand<Outcome<TraceReport> | null>(
      'tilescope.traceKernel',
      document.uri,
    );
    assert.ok(failed?.ok === false, 'It was traced.');
    const [finding] = failed.failure.diagnostics;
    assert.equal(finding && document.positionAt(finding.span.start).line, rangeOf(document, 'let mistake').start.line);
    const good = await openKernel(await smallFlash());
    assert.equal((await run<TraceReport>('tilescope.traceKernel', good)).exact, true);
  }),
  hostTest('a kernel that decodes is held to the others in its folder, and to itself where there is none', async () => {
    const text = await builtin('lightning/decode.wgsl');
    const small = text.replace(/shape: \{.*\}/, 'shape: { batch: 1, heads: 2, seqlen: 1, headDim: 16 }');
    const beside = {
      'prefill.wgsl': await builtin('lightning/lightning1.wgsl'),
      'other.wgsl': await builtin('softmax/naive.wgsl'),
    };
    const right = await run<ConsistencyReport>('tilescope.checkConsistency', await openKernel(small, beside));
    assert.equal(right.passed, true, right.sentence);
    assert.match(right.checks[0]?.title ?? '', /^kernel\d+ token by token against prefill$/);
    const undecayed = small.replace('decay * state[n] +', 'select(1.0, decay, t == 0u) * state[n] +');
    const document = await openKernel(undecayed);
    const wrong = await run<ConsistencyReport>('tilescope.checkConsistency', document);
    assert.match(wrong.sentence, /^Inconsistent in 2 of 2 checks, first in ".* token by token, against one run"/);
    await lensLike(document, /^not compared yet$/);
  }),
  hostTest('line notes are turned on and off by command', async () => {
    const document = await openKernel(await smallFlash());
    await run<TraceReport>('tilescope.traceKernel', document);
    const areOn = (): boolean => vscode.workspace.getConfiguration('tilescope').get('lineNotes') === true;
    const target = vscode.ConfigurationTarget.Global;
    try {
      assert.equal(areOn(), false);
      await vscode.commands.executeCommand('tilescope.toggleLineNotes');
      assert.equal(areOn(), true);
      await vscode.commands.executeCommand('tilescope.toggleLineNotes');
      assert.equal(areOn(), false);
    } finally {
      await vscode.workspace.getConfiguration('tilescope').update('lineNotes', undefined, target);
    }
  }),
];
