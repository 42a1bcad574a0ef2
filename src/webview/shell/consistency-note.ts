import { html, nothing, type TemplateResult } from 'lit';
import type { ConsistencyCheck } from '../../lab/contract.js';
import type { PanelSnapshot } from '../../lab/panel.js';
import { formatError } from '../format.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';

/** Whether the kernels of the mechanism agreed when they were last held together; an edit takes it away. */
export function consistencyNote({ consistency: kept }: PanelSnapshot): TemplateResult | typeof nothing {
  if (!kept || kept.stale) return nothing;
  const { checks, passed, skipped, kernels, device } = kept.report;
  const wrong = checks.filter((check) => !check.passed).length;
  const title = passed
    ? t('Consistent in {0} checks of {1} kernels', checks.length, kernels.length)
    : t('Inconsistent in {0} of {1} checks', wrong, checks.length);
  return html`<section class="note ${passed ? 'note-info' : 'note-error'}" aria-label=${t('Consistency')}>
    ${codicon(passed ? 'pass' : 'error')}
    <div class="note-body">
      <p class="note-title">${title}</p>
      <div class="table-box">
        <table class="data checks">
          <thead>
            <tr>
              <th scope="col" class="mark-column"><span class="hidden">${t('Verdict')}</span></th>
              <th scope="col">${t('Check')}, ${t('Tensor')}</th>
              <th scope="col" class="number">${t('RMS ratio')}</th>
              <th scope="col" class="number">${t('Allowed')}</th>
            </tr>
          </thead>
          ${checks.map(rows)}
        </table>
      </div>
      ${checks.filter((check) => !check.passed).map(({ title: name, sentence }) => html`<p>${name}: ${sentence}</p>`)}
      ${skipped.map(({ kernel, reason }) => html`<p class="muted small">${t('Not checked: {0}: {1}', kernel, reason)}</p>`)}
      ${device.host === 'simulator' ? html`<p class="muted small">${t('Run on the simulator, no GPU.')}</p>` : nothing}
    </div>
  </section>`;
}

/** A check as a line of its own, for its name is long, and its tensors below it. */
function rows({ title, passed, tensors }: ConsistencyCheck): TemplateResult {
  const verdict = passed ? t('agrees') : tensors.length > 0 ? t('differs') : t('no result');
  return html`<tbody>
    <tr>
      <td class="mark-column">
        <span class="mark ${passed ? 'right' : 'wrong'}" title=${verdict}
          >${codicon(passed ? 'pass-filled' : 'error')}<span class="hidden">${verdict}</span></span
        >
      </td>
      <th scope="rowgroup" colspan="3">${title}</th>
    </tr>
    ${tensors.map(
      (tensor) =>
        html`<tr>
          <td></td>
          <th scope="row" class="code">${tensor.name}</th>
          <td class="number ${tensor.passed ? '' : 'bad'}">${formatError(tensor.rmsRatio)}</td>
          <td class="number">${formatError(tensor.bound)}</td>
        </tr>`,
    )}
  </tbody>`;
}
