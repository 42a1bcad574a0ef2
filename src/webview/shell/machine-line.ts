import { html, nothing, type TemplateResult } from 'lit';
import type { DeviceInfo } from '../../lab/contract.js';
import type { PanelSnapshot } from '../../lab/panel.js';
import { formatClock } from '../format.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';

/** The line at the bottom: on which machine, from which source, and when the results came about. */
export function machineLine(snapshot: PanelSnapshot): TemplateResult {
  const measured = snapshot.tab === 'benchmark' ? snapshot.benchmark : null;
  const kept = measured ?? snapshot.compare ?? snapshot.run;
  const device = kept?.report.device ?? snapshot.device;
  const hash = kept?.report.hash ?? snapshot.kernel?.hash ?? null;
  return html`<footer class="machine" aria-label=${t('Machine')}>
    ${codicon('vm')}
    <span class="machine-part machine-adapter">${device ? adapterName(device) : t('no GPU opened yet')}</span>
    ${
      device?.software && device.host !== 'simulator'
        ? html`<span
            class="badge badge-software"
            title=${t('Runs on the CPU: right for comparisons, never for headline speeds.')}
            >${t('software adapter')}</span
          >`
        : nothing
    }
    ${device ? html`<span class="machine-part">${hostName(device)}</span>` : nothing}
    ${hash === null ? nothing : html`<span class="machine-part">${t('source')} <span class="mono">${hash.slice(0, 8)}</span></span>`}
    ${kept ? html`<span class="machine-part"><time>${formatClock(kept.at)}</time></span>` : nothing}
  </footer>`;
}

function hostName({ host, subgroupMinSize }: DeviceInfo): string {
  switch (host) {
    case 'webview':
      return t('webview WebGPU');
    case 'native':
      return t('native Dawn');
    case 'simulator':
      return t('subgroups of {0}', subgroupMinSize ?? 0);
  }
}

/** The adapter as people know it: its description where it has one, else vendor and architecture. */
export function adapterName(device: DeviceInfo): string {
  if (device.host === 'simulator') return t('Simulator, no GPU');
  const names = [device.vendor, device.architecture].filter((part) => part !== '').join(' ');
  const said = device.description !== '' ? device.description : device.device;
  if (said === '') return names === '' ? t('unnamed adapter') : names;
  return names === '' || said.toLowerCase().includes(device.vendor.toLowerCase()) ? said : `${said} (${names})`;
}
