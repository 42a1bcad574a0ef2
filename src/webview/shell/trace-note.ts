import { html, type TemplateResult } from 'lit';
import type { TraceReport } from '../../lab/contract.js';
import type { Kept, PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { formatCount, significant } from '../format.js';
import { t } from '../strings.js';
import { button } from '../toolkit.js';
import { blockedReason } from './states.js';

/** What was traced and whether counts are scaled up, with a button that traces again. */
export function traceNote(
  snapshot: PanelSnapshot,
  { report, stale }: Kept<TraceReport>,
  actions: Actions,
): TemplateResult {
  const reason = blockedReason(snapshot);
  return html`<p class="trace-note muted small">
    <span
      >${report.exact ? '' : html`<strong class="scaled">${t('Scaled up.')}</strong> `}${report.sentence}
      ${t(
        '{0} accesses simulated in {1} s, subgroups of {2}.',
        formatCount(report.accesses),
        significant(report.elapsedMs / 1000, 2),
        report.subgroupSize,
      )}</span
    >
    ${button({
      label: t('Trace again'),
      icon: 'refresh',
      kind: stale ? 'secondary' : 'icon',
      disabled: reason !== null,
      hint: reason ?? t('Simulate the kernel again as it stands in the editor'),
      onClick: () => actions.start('trace'),
    })}
  </p>`;
}
