import { html, nothing, type TemplateResult } from 'lit';
import type { Progress } from '../../lab/contract.js';
import type { Job, PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { t } from '../strings.js';
import { button, codicon, progressRing } from '../toolkit.js';
import { headline, headlineTime, jobWord } from './headline.js';
import { isOverridden } from './overrides.js';
import { blockedReason } from './states.js';

/** Top of the panel: the verdict first, then the time, then which kernel they are about. */
export function header(snapshot: PanelSnapshot, progress: Progress | null): TemplateResult {
  const { kernel } = snapshot;
  const state = headline(snapshot);
  const measured = headlineTime(snapshot);
  return html`<header class="header">
    <div class="header-verdict ${state.tone}">
      ${state.tone === 'busy' ? progressRing() : codicon(state.icon)}
      <span class="header-word">${state.text}</span>
      ${state.stale ? staleBadge() : nothing} ${snapshot.running ? progressWords(progress) : nothing}
    </div>
    ${
      measured
        ? html`<div class="header-time ${measured.stale ? 'is-stale-text' : ''}">
            <span class="mono">${measured.value}</span> ${measured.unit}
            <span class="muted">${measured.spread}</span> ${measured.stale ? staleBadge() : nothing}
          </div>`
        : nothing
    }
    <h1 class="header-kernel" title=${kernel?.uri ?? ''}>
      <span class="kernel-name">${kernel?.name ?? t('Kernel Lab')}</span>
      ${
        kernel
          ? html`<span class="muted"> · ${kernel.direction} · ${kernel.mechanismTitle ?? t('unknown mechanism')}</span>`
          : nothing
      }
    </h1>
  </header>`;
}

/** The buttons that start and stop jobs; they keep their places whatever is under way. */
export function jobButtons(snapshot: PanelSnapshot, actions: Actions): TemplateResult {
  const reason = blockedReason(snapshot);
  const changed = snapshot.kernel !== null && isOverridden(snapshot.kernel);
  const job = (name: Job, icon: string, kind: 'primary' | 'secondary', hint: string): TemplateResult =>
    button({
      label: jobWord(name),
      icon,
      kind,
      disabled: reason !== null,
      hint: reason ?? hint,
      onClick: () => actions.start(name),
    });
  return html`<div class="jobs" role="toolbar" aria-label=${t('Jobs')}>
    ${button({
      label: t('Reset to the file'),
      icon: 'discard',
      kind: 'icon',
      disabled: !changed,
      hint: changed
        ? t('Take back all changes: use the shape and options of the file')
        : t('Shape and options are those of the file'),
      onClick: () => actions.setOverride({ shape: {}, options: {} }),
    })}
    ${job('run', 'play', 'secondary', t('Run once and look at the outputs'))}
    ${job('compare', 'check', 'primary', t('Compare with float64 reference mathematics'))}
    ${job('benchmark', 'dashboard', 'secondary', t('Compare, then measure the time'))}
    ${button({
      label: t('Stop'),
      icon: 'debug-stop',
      kind: 'secondary',
      disabled: snapshot.running === null,
      hint: snapshot.running === null ? t('Nothing is under way') : t('Stop the job that is under way'),
      onClick: actions.cancel,
    })}
  </div>`;
}

/** A line under the header that shows how far a job is; it takes no room, so that nothing moves when a job begins. */
export function progressLine(snapshot: PanelSnapshot, progress: Progress | null): TemplateResult | typeof nothing {
  const { running } = snapshot;
  if (!running) return nothing;
  const fraction = progress?.fraction ?? null;
  return html`<progress
    class="progress ${fraction === null ? 'indeterminate' : ''}"
    max="1"
    .value=${fraction ?? 0}
    aria-label=${jobWord(running)}
    aria-valuetext=${progress?.message ?? jobWord(running)}
  ></progress>`;
}

function progressWords(progress: Progress | null): TemplateResult {
  if (!progress) return html`<span class="progress-text">${t('starting')}</span>`;
  const percent =
    progress.fraction === null ? nothing : html`<span class="mono">${Math.round(progress.fraction * 100)} %</span>`;
  return html`<span class="progress-text">${progress.message} ${percent}</span>`;
}

/** The badge of a result whose source has changed since. */
export function staleBadge(): TemplateResult {
  return html`<span class="badge badge-stale" title=${t('The kernel was edited after this result was made.')}
    >${codicon('history')} ${t('stale')}</span
  >`;
}
