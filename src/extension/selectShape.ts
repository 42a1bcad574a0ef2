import * as vscode from 'vscode';
import type { Mechanism } from '../core/attention/mechanism.js';
import type { Kernel } from '../core/kernel/model.js';
import type { CaseOverride } from '../lab/contract.js';
import { formatOverride, parseOverride } from './overrides.js';
import type { KernelRecord } from './record.js';

interface ShapeItem extends vscode.QuickPickItem {
  /** The choice, or `enter` to type one. */
  readonly choice?: { readonly override: CaseOverride | null } | 'enter';
}

/** What the user chose: an override, null for the file's own shape, or `undefined` where they turned back. */
export async function askForShape(kernel: Kernel, record: KernelRecord): Promise<CaseOverride | null | undefined> {
  const { mechanism } = kernel;
  if (mechanism === null) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('The front matter names no known mechanism, so there is no shape to choose.'),
    );
    return undefined;
  }
  const chosen = await vscode.window.showQuickPick(shapeItems(kernel, record), {
    title: vscode.l10n.t('Select Shape'),
    placeHolder: vscode.l10n.t('Sizes and options to run, compare and benchmark {0} at', kernel.name),
    matchOnDescription: true,
  });
  if (chosen?.choice === undefined) return undefined;
  return chosen.choice === 'enter' ? typeShape(mechanism, record.override) : chosen.choice.override;
}

function shapeItems(kernel: Kernel, record: KernelRecord): ShapeItem[] {
  const { l10n } = vscode;
  const separator = (label: string): ShapeItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const own = Object.entries(kernel.shape).map(([name, size]) => `${name}=${size}`);
  const cases = kernel.cases.map((kernelCase): ShapeItem => {
    const override = differences(kernel, kernelCase);
    return { label: kernelCase.name, description: formatOverride(override), choice: { override } };
  });
  return [
    { label: `$(edit) ${l10n.t('Enter sizes and options…')}`, choice: 'enter' },
    {
      label: `$(discard) ${l10n.t("The file's own shape")}`,
      description: own.join(', '),
      picked: record.override === null,
      choice: { override: null },
    },
    ...(record.recent.length === 0 ? [] : [separator(l10n.t('Recent'))]),
    ...record.recent.map((override): ShapeItem => ({ label: formatOverride(override), choice: { override } })),
    ...(cases.length === 0 ? [] : [separator(l10n.t('Cases of the file'))]),
    ...cases.filter((item) => item.description !== ''),
  ];
}

async function typeShape(mechanism: Mechanism, current: CaseOverride | null): Promise<CaseOverride | null | undefined> {
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('Select Shape'),
    prompt: vscode.l10n.t('Names not given keep the values of the file.'),
    placeHolder: 'seqlen=300, headDim=64',
    value: current === null ? '' : formatOverride(current),
    validateInput: (value) => {
      const parsed = parseOverride(value, mechanism, vscode.l10n.t);
      return parsed.ok ? null : parsed.message;
    },
  });
  if (text === undefined) return undefined;
  const parsed = parseOverride(text, mechanism, vscode.l10n.t);
  return parsed.ok ? parsed.override : undefined;
}

/** What a case changes of the file's own shape and options. */
function differences(kernel: Kernel, other: CaseOverride): CaseOverride {
  const changed = <T>(mine: Readonly<Record<string, T>>, theirs: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(theirs).filter(([name, value]) => JSON.stringify(mine[name]) !== JSON.stringify(value)),
    );
  return { shape: changed(kernel.shape, other.shape), options: changed(kernel.options, other.options) };
}
