import { html, nothing, type TemplateResult } from 'lit';
import type { Ledger, TrafficFinding } from '../../core/analysis/ledger.js';
import type { TraceReport } from '../../lab/contract.js';
import type { PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { formatBytes, formatFactor, joined, significant } from '../format.js';
import type { PageState } from '../page-state.js';
import type { ChartSpec } from '../picture/chart-figure.js';
import { pictureKey } from '../picture/key-patch.js';
import { staleBadge } from '../shell/header.js';
import { blockedReason, noResult } from '../shell/states.js';
import { traceNote } from '../shell/trace-note.js';
import { t } from '../strings.js';
import { codicon, dropdown } from '../toolkit.js';
import { scalingSummary, scalingTable } from './scaling-chart.js';
import { flowTable } from './traffic-flow.js';
import { lineTable, tensorTable } from './traffic-rows.js';

/** The Memory traffic tab: every byte that moves, how much of it had to, and what to do about the rest. */
export function trafficView(snapshot: PanelSnapshot, state: PageState, actions: Actions): TemplateResult {
  const kept = snapshot.trace;
  if (!kept) return noResult('trace', blockedReason(snapshot), actions);
  const { report, stale } = kept;
  const { ledger } = report;
  const cursorLine = stale ? null : snapshot.cursorLine;
  const lit = new Set(ledger.lines.filter(({ line }) => line === cursorLine).map(({ variable }) => variable));
  const warned = ledger.findings.some(({ severity }) => severity === 'warning');
  const file = report.kernel.replaceAll(/[^\w.-]+/g, '-');
  return html`<div class="tab-content ${stale ? 'is-stale' : ''}">
    <div class="result-head">
      <p class="verdict ${warned ? 'caution' : 'right'}">
        ${codicon(warned ? 'lightbulb' : 'pass')} <span>${ledger.sentence}</span> ${stale ? staleBadge() : nothing}
      </p>
      ${traceNote(snapshot, kept, actions)}
    </div>
    <div class="numbers">${figures(ledger)}</div>
    <div class="split">
      <div class="split-main">
        <tilescope-chart-figure
          .spec=${flow(report, state, lit, file, actions)}
          .actions=${actions}
        ></tilescope-chart-figure>
        ${ledger.findings.length > 0 ? findings(ledger.findings, actions) : nothing}
      </div>
      <div class="split-side">
        <tilescope-read-figure
          .heats=${ledger.heat}
          .tensor=${state.readTensor}
          .plane=${state.readPlane}
          .actions=${actions}
        ></tilescope-read-figure>
        ${
          ledger.scaling
            ? html`<tilescope-chart-figure
                .spec=${scaling(ledger.scaling, file)}
                .actions=${actions}
              ></tilescope-chart-figure>`
            : nothing
        }
      </div>
    </div>
    <tilescope-traffic-table
      .spec=${tensorTable(ledger, `${file}-tensors`, lit)}
      .actions=${actions}
    ></tilescope-traffic-table>
    <tilescope-traffic-table
      .spec=${lineTable(ledger, `${file}-lines`, cursorLine)}
      .actions=${actions}
    ></tilescope-traffic-table>
  </div>`;
}

function figures({ totals, workgroup }: Ledger): TemplateResult {
  const block = (name: string, bytes: number, note: string, intensity: number | null): TemplateResult => {
    const { value, unit } = formatBytes(Math.round(bytes));
    return html`<div class="number-block">
      <p class="number-name">${name}</p>
      <p class="mid-number">${value}<span class="unit">${unit}</span></p>
      <p class="muted small">${note}</p>
      <p class="muted small">${intensity === null ? '–' : t('{0} FLOP per byte', significant(intensity))}</p>
    </div>`;
  };
  const times = (bytes: number): string =>
    totals.compulsoryBytes > 0 ? t('{0} the minimum', formatFactor(bytes / totals.compulsoryBytes)) : '–';
  const inside = workgroup.readBytes + workgroup.writtenBytes;
  return html`${block(t('Compulsory'), totals.compulsoryBytes, t('each tensor once'), totals.intensity.compulsory)}
  ${block(t('Requested'), totals.requestedBytes, times(totals.requestedBytes), totals.intensity.requested)}
  ${block(t('Transferred'), totals.transferredBytes, times(totals.transferredBytes), totals.intensity.transferred)}
  ${block(
    t('Workgroup memory'),
    inside,
    inside === 0
      ? t('not used')
      : workgroup.bankConflict > 1.005
        ? t('{0} cycles for bank conflicts', formatFactor(workgroup.bankConflict))
        : t('no bank conflicts'),
    totals.intensity.workgroup,
  )}`;
}

function flow(
  report: TraceReport,
  state: PageState,
  lit: ReadonlySet<string>,
  file: string,
  actions: Actions,
): ChartSpec {
  const { ledger } = report;
  const { totals } = ledger;
  return {
    id: 'traffic-flow',
    title: t('What moves'),
    summary: t(
      'The kernel asks for {0} of device memory where {1} would do; its accesses touch {2} in whole sectors. The full core of a band is the compulsory part; what is pale could be saved.',
      joined(formatBytes(Math.round(totals.requestedBytes))),
      joined(formatBytes(Math.round(totals.compulsoryBytes))),
      joined(formatBytes(Math.round(totals.transferredBytes))),
    ),
    fileName: `${file}-traffic`,
    controls: html`<span class="figure-controls"
      >${dropdown({
        label: t('Width of the bands'),
        value: state.measure,
        choices: [
          { value: 'requested', text: t('bytes requested') },
          { value: 'transferred', text: t('sectors transferred') },
        ],
        onChange: (value) => {
          const measure = value === 'transferred' ? 'transferred' : 'requested';
          if (measure !== state.measure) actions.look({ measure });
        },
      })}</span
    >`,
    table: flowTable(ledger, state.measure),
    picture: html`<tilescope-flow
        .ledger=${ledger}
        .measure=${state.measure}
        .lit=${lit}
        .describedBy=${'traffic-flow-summary'}
      ></tilescope-flow>
      ${pictureKey(t('Key'), [
        { name: t('compulsory'), fill: 'key-core', texture: null, outline: null },
        { name: t('more than that'), fill: 'key-waste', texture: null, outline: null },
      ])}`,
  };
}

function scaling(growth: NonNullable<Ledger['scaling']>, file: string): ChartSpec {
  return {
    id: 'traffic-scaling',
    title: t('With the sequence length'),
    summary: scalingSummary(growth),
    fileName: `${file}-scaling`,
    table: scalingTable(growth),
    picture: html`<tilescope-scaling .scaling=${growth} .describedBy=${'traffic-scaling-summary'}></tilescope-scaling>`,
  };
}

function findings(list: readonly TrafficFinding[], actions: Actions): TemplateResult {
  return html`<section class="block" aria-labelledby="traffic-findings-title">
    <h3 id="traffic-findings-title">${t('What could be saved')}<span class="count">${list.length}</span></h3>
    <ul class="findings">
      ${list.map((item) => finding(item, actions))}
    </ul>
  </section>`;
}

function finding({ severity, message, remedy, span, bytes }: TrafficFinding, actions: Actions): TemplateResult {
  return html`<li>
    <button
      class="finding"
      ?disabled=${span === null}
      @click=${() => {
        if (span) actions.reveal(span.start, span.end);
      }}
    >
      <span
        class="codicon codicon-${severity === 'warning' ? 'warning' : 'info'} severity-${severity}"
        role="img"
        aria-label=${severity === 'warning' ? t('Warning') : t('Information')}
      ></span>
      <span class="finding-text">${message} <span class="muted">${remedy}</span></span>
      <span class="finding-bytes number">${bytes > 0 ? joined(formatBytes(Math.round(bytes))) : ''}</span>
    </button>
  </li>`;
}
