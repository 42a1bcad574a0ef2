import { html, nothing, type TemplateResult } from 'lit';
import type { RunReport } from '../../lab/contract.js';
import type { Kept, PanelSnapshot } from '../../lab/panel.js';
import { formatCount, formatError, formatTime, joined, significant } from '../format.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';

/** A first look at the outputs of a run, while no later comparison says more. */
export function runNote(snapshot: PanelSnapshot): TemplateResult | typeof nothing {
  const { run, compare } = snapshot;
  if (!run || (compare && compare.at >= run.at)) return nothing;
  return html`<section class="note note-info" aria-label=${t('Outputs of the run')}>
    ${codicon('play')}
    <div class="note-body">
      <p class="note-title">${title(run)}</p>
      <div class="table-box">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">${t('Output')}</th>
              <th scope="col" class="number">${t('Min')}</th>
              <th scope="col" class="number">${t('Max')}</th>
              <th scope="col" class="number">${t('Mean')}</th>
              <th scope="col" class="number">${t('Not finite')}</th>
              <th scope="col" class="number">${t('Never written')}</th>
              <th scope="col">${t('First values')}</th>
            </tr>
          </thead>
          <tbody>
            ${run.report.outputs.map(output)}
          </tbody>
        </table>
      </div>
      <p class="muted small">${t('A run is not a verdict: Compare holds the outputs against the reference.')}</p>
    </div>
  </section>`;
}

function title({ report, stale }: Kept<RunReport>): string {
  const time =
    report.gpuTimeNs === null
      ? t('The kernel ran')
      : t('The kernel ran once in {0}', joined(formatTime(report.gpuTimeNs)));
  return stale ? t('{0} (before the last edit)', time) : time;
}

function output(item: RunReport['outputs'][number]): TemplateResult {
  const broken = item.nan + item.infinite;
  return html`<tr>
    <th scope="row" class="code">${item.name} [${item.dims.join(', ')}]</th>
    <td class="number">${formatError(item.min)}</td>
    <td class="number">${formatError(item.max)}</td>
    <td class="number">${formatError(item.mean)}</td>
    <td class="number ${broken > 0 ? 'bad' : ''}">${broken > 0 ? formatCount(broken) : t('none')}</td>
    <td class="number ${item.unwritten > 0 ? 'bad' : ''}">
      ${item.unwritten > 0 ? formatCount(item.unwritten) : t('none')}
    </td>
    <td class="code">${item.head.slice(0, 4).map(headText).join(', ')}</td>
  </tr>`;
}

function headText(value: number | null): string {
  return value === null ? t('not finite') : significant(value, 3);
}
