import * as vscode from 'vscode';
import type { DeviceInfo, LabFailure, Outcome } from '../lab/contract.js';
import type { LabHost } from './labHost.js';
import { PageLostError, PageSilentError, type LabPanel } from './labPanel.js';

/** The flags with which a desktop VS Code on Linux offers WebGPU. */
export const webgpuFlags = '--enable-unsafe-webgpu --enable-features=Vulkan';

/** The window's GPU as the panel's page sees it. Asked for whenever a page gets ready, and by `Check GPU`. */
export class Gpu implements vscode.Disposable {
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly panel: LabPanel,
    private readonly host: LabHost,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.subscription = panel.onDidBecomeReady(() => void this.ask());
  }

  /** Describes the GPU, or says why there is none. Never rejects. */
  async ask(): Promise<Outcome<DeviceInfo>> {
    const outcome = await this.call();
    this.host.device = outcome.ok ? outcome.value : null;
    const state = !outcome.ok ? 'none' : outcome.value.software ? 'software' : 'ok';
    await vscode.commands.executeCommand('setContext', 'tilescope.gpu', state);
    if (outcome.ok) this.log.info(`GPU: ${describeDevice(outcome.value)}`);
    else this.log.warn(`No GPU: ${outcome.failure.message}`);
    return outcome;
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private async call(): Promise<Outcome<DeviceInfo>> {
    try {
      return await this.panel.call('device', null);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const remedy =
        error instanceof PageLostError || error instanceof PageSilentError
          ? vscode.l10n.t('Open the Kernel Lab and try again.')
          : null;
      return { ok: false, failure: { kind: 'internal', message, remedy, diagnostics: [] } };
    }
  }
}

/** A GPU in one line: what it is, where it is reached, and what it lacks. */
export function describeDevice(device: DeviceInfo): string {
  const name = device.description || device.device || [device.vendor, device.architecture].filter(Boolean).join(' ');
  return [
    name || vscode.l10n.t('Unnamed GPU'),
    device.host === 'webview' ? vscode.l10n.t('webview WebGPU') : vscode.l10n.t('Dawn'),
    ...(device.software ? [vscode.l10n.t('software adapter')] : []),
    device.timestamps ? vscode.l10n.t('GPU timestamps') : vscode.l10n.t('no GPU timestamps'),
    ...(device.features.includes('shader-f16') ? ['f16'] : []),
  ].join(' · ');
}

/** Everything about the GPU and the versions around it, for a bug report. */
export function deviceDiagnostics(outcome: Outcome<DeviceInfo>, version: string): string {
  return JSON.stringify(
    {
      tilescope: version,
      vscode: vscode.version,
      host: vscode.env.appHost,
      remote: vscode.env.remoteName ?? null,
      ui: vscode.env.uiKind === vscode.UIKind.Web ? 'web' : 'desktop',
      gpu: outcome.ok ? outcome.value : outcome.failure,
    },
    null,
    2,
  );
}

/** Says that there is no GPU, and offers what can be done about it. */
export async function showNoDevice(failure: LabFailure): Promise<void> {
  const copy = vscode.l10n.t('Copy Flags');
  const log = vscode.l10n.t('Show Log');
  const message = [
    failure.message,
    failure.remedy ?? '',
    vscode.l10n.t(
      'On Linux, start VS Code with {0}. Without WebGPU in the window, kernels are compared on the simulator, and "npx tilescope compare FILE" runs them in a terminal.',
      webgpuFlags,
    ),
  ].join(' ');
  const choice = await vscode.window.showErrorMessage(message, copy, log);
  if (choice === copy) await vscode.env.clipboard.writeText(webgpuFlags);
  if (choice === log) await vscode.commands.executeCommand('tilescope.showLog');
}
