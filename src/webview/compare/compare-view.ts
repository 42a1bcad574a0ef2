import { html, nothing, type TemplateResult } from 'lit';
import type { TensorVerdict } from '../../core/numerics/verdict.js';
import type { CaseVerdict } from '../../lab/contract.js';
import type { PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import type { PageState } from '../page-state.js';
import type { ChartSpec } from '../picture/chart-figure.js';
import { histogramSummary, histogramTable } from '../picture/error-histogram.js';
import { curveSummary, curveTable } from '../picture/row-curves.js';
import { staleBadge } from '../shell/header.js';
import { blockedReason, noResult } from '../shell/states.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';
import { metrics } from './metrics.js';
import { planeOfWorst, select, type Selection } from './selection.js';

/** The Compare tab: the verdict in words, the map of where it goes wrong, and the numbers beside it. */
export function compareView(snapshot: PanelSnapshot, state: PageState, actions: Actions): TemplateResult {
  const kept = snapshot.compare;
  if (!kept) return noResult('compare', blockedReason(snapshot), actions);
  const { report } = kept;
  const selection = select(report, state);
  const { chosen, tensor } = selection;
  return html`<div class="tab-content ${kept.stale ? 'is-stale' : ''}">
    <p class="verdict ${report.passed ? 'right' : 'wrong'}">
      ${codicon(report.passed ? 'pass-filled' : 'error')}
      <span>${report.sentence}</span>
      ${kept.stale ? staleBadge() : nothing}
    </p>
    ${report.device.host === 'simulator' ? simulatorNote() : nothing}
    <div class="split">
      <div class="split-main">
        ${
          tensor
            ? html`<tilescope-map-figure
                .report=${report}
                .verdict=${tensor}
                .plane=${selection.plane}
                .actions=${actions}
              ></tilescope-map-figure>`
            : caseFailure(chosen)
        }
        ${tensor ? charts(tensor, selection, actions) : nothing}
      </div>
      <div class="split-side">
        <tilescope-cases
          .report=${report}
          .chosen=${chosen}
          @case-picked=${(event: CustomEvent<string>) => {
            actions.look({ caseName: event.detail, plane: null, worst: 0 });
          }}
        ></tilescope-cases>
        ${chosen && tensor ? metrics(chosen, tensor, actions) : nothing}
        ${
          tensor
            ? html`<tilescope-worst
                .verdict=${tensor}
                .place=${selection.worstPlace}
                @worst-picked=${(event: CustomEvent<number>) => {
                  actions.look({ worst: event.detail, plane: planeOfWorst(tensor, event.detail) });
                }}
                @save-csv=${(event: CustomEvent<string>) => {
                  actions.saveText(`${tensor.name}-worst.csv`, event.detail);
                }}
              ></tilescope-worst>`
            : nothing
        }
      </div>
    </div>
  </div>`;
}

function simulatorNote(): TemplateResult {
  return html`<p class="inline-note">
    ${codicon('info')}
    <span>
      ${t('Judged on the simulator: there is no GPU here that can run this kernel. Its numbers are right or wrong as anywhere; what a driver makes of it, and how fast it is, stays open.')}
    </span>
  </p>`;
}

function charts(tensor: TensorVerdict, selection: Selection, actions: Actions): TemplateResult {
  const histogram: ChartSpec = {
    id: 'error-histogram',
    title: t('Error histogram'),
    summary: histogramSummary(tensor),
    fileName: `${tensor.name}-histogram`,
    table: histogramTable(tensor),
    picture: html`<tilescope-histogram
      .verdict=${tensor}
      .describedBy=${'error-histogram-summary'}
    ></tilescope-histogram>`,
  };
  return html`<div class="charts">
    <tilescope-chart-figure .spec=${histogram} .actions=${actions}></tilescope-chart-figure>
    ${
      selection.worst
        ? html`<tilescope-chart-figure
            .spec=${curves(tensor, selection.worst)}
            .actions=${actions}
          ></tilescope-chart-figure>`
        : nothing
    }
  </div>`;
}

function curves(tensor: TensorVerdict, element: TensorVerdict['worst'][number]): ChartSpec {
  return {
    id: 'row-curves',
    title: t('Chosen row'),
    summary: curveSummary(element, tensor.dimNames),
    fileName: `${tensor.name}-row`,
    table: curveTable(element),
    picture: html`<tilescope-curves
      .element=${element}
      .dimNames=${tensor.dimNames}
      .describedBy=${'row-curves-summary'}
    ></tilescope-curves>`,
  };
}

function caseFailure(chosen: CaseVerdict | null): TemplateResult {
  return html`<div class="empty empty-small">
    <h2>${t('This case gave no output')}</h2>
    <p>${chosen?.failure?.message ?? chosen?.sentence ?? t('The comparison has no case.')}</p>
    ${chosen?.failure?.remedy ? html`<p class="remedy">${chosen.failure.remedy}</p>` : nothing}
  </div>`;
}
