import { html, nothing, type TemplateResult } from 'lit';
import type { PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';
import { finding } from './states.js';

/** What the last check for hazards found in the kernel as it stands; an edit takes it away, as it does the problems. */
export function hazardNote({ hazards: kept }: PanelSnapshot, actions: Actions): TemplateResult | typeof nothing {
  if (!kept || kept.stale) return nothing;
  const { hazards, cases } = kept.report;
  const severe = hazards.some(({ severity }) => severity === 'error');
  const kind = hazards.length === 0 ? 'note-info' : severe ? 'note-error' : 'note-warning';
  const title =
    hazards.length === 0
      ? t('No hazard in {0} simulated cases', cases.length)
      : hazards.length === 1
        ? t('1 hazard in {0} simulated cases', cases.length)
        : t('{0} hazards in {1} simulated cases', hazards.length, cases.length);
  return html`<section class="note ${kind}" aria-label=${t('Hazards')}>
    ${codicon(hazards.length === 0 ? 'pass' : severe ? 'error' : 'warning')}
    <div class="note-body">
      <p class="note-title">${title}</p>
      ${
        hazards.length === 0
          ? html`<p class="muted small">${cases.map(({ name }) => name).join(' · ')}</p>`
          : html`<ul class="findings">
              ${hazards.map((hazard) => finding(hazard, t('line {0}', hazard.line), actions))}
            </ul>`
      }
    </div>
  </section>`;
}
