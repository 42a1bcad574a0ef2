import { html, nothing, type TemplateResult } from 'lit';
import type { PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import type { PageState } from '../page-state.js';
import { staleBadge } from '../shell/header.js';
import { blockedReason, noResult } from '../shell/states.js';
import { traceNote } from '../shell/trace-note.js';
import { codicon } from '../toolkit.js';

/** The Tile schedule tab: which tile is where at each step, what it computes, and the line that does it. */
export function scheduleView(snapshot: PanelSnapshot, state: PageState, actions: Actions): TemplateResult {
  const kept = snapshot.trace;
  if (!kept) return noResult('trace', blockedReason(snapshot), actions);
  const { report, stale } = kept;
  const { coverage } = report;
  const bad = coverage !== null && coverage.totals.missed + coverage.totals.doubled > 0;
  return html`<div class="tab-content ${stale ? 'is-stale' : ''}">
    <div class="result-head">
      <p class="verdict ${bad ? 'wrong' : ''}">
        ${codicon(bad ? 'error' : 'layers')}
        <span>${coverage?.sentence ?? report.schedule.sentence}</span>
        ${stale ? staleBadge() : nothing}
      </p>
      ${traceNote(snapshot, kept, actions)}
    </div>
    <tilescope-tile-schedule
      .report=${report}
      .pass=${state.pass}
      .workgroup=${state.workgroup}
      .start=${state.step}
      .coverage=${state.coverage && coverage !== null}
      .cursorLine=${stale ? null : snapshot.cursorLine}
      .busy=${blockedReason(snapshot) !== null}
      .actions=${actions}
    ></tilescope-tile-schedule>
  </div>`;
}
