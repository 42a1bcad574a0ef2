import * as vscode from 'vscode';
import type { Kernel, PlannedPass } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import type { CaseOverride, Outcome, ValuesReport } from '../lab/contract.js';
import { parseIndex, parseWorkgroup, type WorkgroupId } from './invocationId.js';
import type { InvocationValues } from './invocationValues.js';
import type { LabPanel } from './labPanel.js';
import { caseOf } from './snapshot.js';

/** One invocation of a kernel's dispatches. */
export interface InvocationPlace {
  readonly entry: string;
  readonly workgroup: WorkgroupId;
  /** By `local_invocation_index`. */
  readonly invocation: number;
}

/** Asks which invocation is to be traced: pass, workgroup, invocation. Null where the user turns back. */
export async function askForInvocation(kernel: Kernel, override: CaseOverride | null): Promise<InvocationPlace | null> {
  const wanted = caseOf(kernel, override);
  const result = wanted === null ? null : planKernel(kernel, wanted.shape, wanted.options);
  if (!result?.ok) {
    void vscode.window.showWarningMessage(
      vscode.l10n.t('The kernel has problems that must be solved before an invocation of it can be traced.'),
    );
    return null;
  }
  const pass = await askForPass(result.plan.passes);
  if (pass === null) return null;
  const workgroup = await askForWorkgroup(pass);
  if (workgroup === null) return null;
  const invocation = await askForIndex(pass);
  return invocation === null ? null : { entry: pass.entry, workgroup, invocation };
}

/** Has the page simulate an invocation and shows its values in the editor. Never rejects. */
export async function traceInvocation(
  panel: LabPanel,
  values: InvocationValues,
  document: vscode.TextDocument,
  kernel: Kernel,
  override: CaseOverride | null,
  place: InvocationPlace,
): Promise<Outcome<ValuesReport>> {
  const title = vscode.l10n.t('Tracing invocation {0} of workgroup {1}', place.invocation, place.workgroup.join(', '));
  const outcome = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token): Promise<Outcome<ValuesReport>> => {
      const controller = new AbortController();
      const subscription = token.onCancellationRequested(() => controller.abort());
      try {
        return await panel.call(
          'values',
          { kernel: { name: kernel.name, text: kernel.source }, override, ...place },
          { signal: controller.signal, onProgress: ({ message }) => progress.report({ message }) },
        );
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const kind = controller.signal.aborted ? 'cancelled' : 'internal';
        return { ok: false, failure: { kind, message, remedy: null, diagnostics: [] } };
      } finally {
        subscription.dispose();
      }
    },
  );
  if (outcome.ok) values.show(document, outcome.value);
  else if (outcome.failure.kind !== 'cancelled') {
    const { message, remedy } = outcome.failure;
    void vscode.window.showErrorMessage([message, remedy ?? ''].join(' ').trim());
  }
  return outcome;
}

async function askForPass(passes: readonly PlannedPass[]): Promise<PlannedPass | null> {
  const [only] = passes;
  if (passes.length === 1 && only !== undefined) return only;
  const items = passes.map((pass) => ({
    label: pass.entry,
    description: vscode.l10n.t(
      '{0} workgroups of {1} invocations',
      pass.workgroups.join(' × '),
      pass.workgroupSize.join(' × '),
    ),
    pass,
  }));
  const choice = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Trace Invocation: pass'),
    matchOnDescription: true,
  });
  return choice?.pass ?? null;
}

async function askForWorkgroup({ workgroups }: PlannedPass): Promise<WorkgroupId | null> {
  const last = workgroups.map((count) => count - 1) as [number, number, number];
  const middle = workgroups.map((count) => Math.floor(count / 2)) as [number, number, number];
  const { l10n } = vscode;
  const named: { readonly label: string; readonly id: WorkgroupId | null }[] = [
    { label: l10n.t('First'), id: [0, 0, 0] },
    { label: l10n.t('Middle'), id: middle },
    { label: l10n.t('Last'), id: last },
    { label: l10n.t('Another…'), id: null },
  ];
  const choice = await vscode.window.showQuickPick(
    named.map(({ label, id }) => ({ label, id, description: id?.join(', ') ?? '' })),
    { title: l10n.t('Trace Invocation: workgroup'), placeHolder: l10n.t('{0} workgroups', workgroups.join(' × ')) },
  );
  if (choice === undefined) return null;
  if (choice.id !== null) return choice.id;
  const text = await vscode.window.showInputBox({
    title: l10n.t('Trace Invocation: workgroup'),
    prompt: l10n.t('Workgroup id: x, y, z, each from 0, up to {0}', last.join(', ')),
    value: middle.join(', '),
    validateInput: (value) =>
      parseWorkgroup(value, workgroups) === null
        ? l10n.t('Three whole numbers from 0, 0, 0 to {0}.', last.join(', '))
        : null,
  });
  return text === undefined ? null : parseWorkgroup(text, workgroups);
}

async function askForIndex({ workgroupSize: [x, y, z] }: PlannedPass): Promise<number | null> {
  const count = x * y * z;
  if (count === 1) return 0;
  const { l10n } = vscode;
  const text = await vscode.window.showInputBox({
    title: l10n.t('Trace Invocation: invocation'),
    prompt: l10n.t('local_invocation_index, from 0 to {0}', count - 1),
    value: '0',
    validateInput: (value) =>
      parseIndex(value, count) === null ? l10n.t('A whole number from 0 to {0}.', count - 1) : null,
  });
  return text === undefined ? null : parseIndex(text, count);
}
