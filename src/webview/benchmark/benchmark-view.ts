import { html, nothing, svg, type TemplateResult } from 'lit';
import type { BenchmarkReport } from '../../lab/contract.js';
import type { Kept, PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import {
  formatBytes,
  formatCount,
  formatFlops,
  formatOption,
  formatRate,
  formatSpread,
  formatTime,
  joined,
  type Quantity,
} from '../format.js';
import type { ChartSpec } from '../picture/chart-figure.js';
import { staleBadge } from '../shell/header.js';
import { speedWithheld } from '../shell/headline.js';
import { blockedReason, noResult } from '../shell/states.js';
import { t } from '../strings.js';
import { button, codicon } from '../toolkit.js';
import { stripTable } from './strip-plot.js';

/** The Benchmark tab: the time with its spread, the rates it means, the samples, and what was measured how. */
export function benchmarkView(snapshot: PanelSnapshot, actions: Actions): TemplateResult {
  if (speedWithheld(snapshot)) return withheld(snapshot, actions);
  const kept = snapshot.benchmark;
  if (!kept) return noResult('benchmark', blockedReason(snapshot), actions);
  const { report } = kept;
  return html`<div class="tab-content ${kept.stale ? 'is-stale' : ''}">
    ${report.device.software ? softwareNote() : nothing}
    <div class="numbers">${time(kept)} ${rates(report)}</div>
    <div class="split">
      <div class="split-main">
        <tilescope-chart-figure .spec=${samples(report)} .actions=${actions}></tilescope-chart-figure>
        ${report.passes && report.passes.length > 1 ? passes(report.passes) : nothing}
      </div>
      <div class="split-side">${method(report)}</div>
    </div>
  </div>`;
}

function withheld(snapshot: PanelSnapshot, actions: Actions): TemplateResult {
  return html`<div class="empty">
    <h2 class="withheld">${codicon('error')} ${t('No speed for a kernel whose comparison fails')}</h2>
    <p>${snapshot.compare?.report.sentence ?? ''}</p>
    <div class="empty-actions">
      ${button({
        label: t('See where it goes wrong'),
        icon: 'target',
        kind: 'primary',
        onClick: () => actions.setTab('compare'),
      })}
      ${button({
        label: t('Benchmark again'),
        icon: 'dashboard',
        kind: 'secondary',
        disabled: blockedReason(snapshot) !== null,
        hint: t('It is compared first; the time is shown if it is right now.'),
        onClick: () => actions.start('benchmark'),
      })}
    </div>
  </div>`;
}

function softwareNote(): TemplateResult {
  return html`<p class="inline-note">
    ${codicon('info')}
    <span>${t('Measured on a software adapter: good for comparing two versions here, never for a headline.')}</span>
  </p>`;
}

function time({ report, stale }: Kept<BenchmarkReport>): TemplateResult {
  const { gpuTimeNs } = report;
  const median = formatTime(gpuTimeNs.median);
  return html`<div class="number-block number-main">
    <p class="number-name">${t('Time of one run')} ${stale ? staleBadge() : nothing}</p>
    <p class="big-number">${median.value}<span class="unit">${median.unit}</span></p>
    <p class="muted small">
      ${t(
        '{0} around the median · p20 {1} · p80 {2} · n = {3}',
        formatSpread(gpuTimeNs),
        joined(formatTime(gpuTimeNs.p20)),
        joined(formatTime(gpuTimeNs.p80)),
        gpuTimeNs.samples.length,
      )}
    </p>
  </div>`;
}

function rates(report: BenchmarkReport): TemplateResult {
  const seconds = report.gpuTimeNs.median / 1e9;
  return html`${block(t('Arithmetic'), formatRate(report.flops / seconds, 'FLOP'), t('{0} the mathematics asks for', joined(formatFlops(report.flops))))}
  ${block(t('Compulsory traffic'), formatRate(report.compulsoryBytes / seconds, 'B'), t('{0}, each tensor once', joined(formatBytes(report.compulsoryBytes))))}`;
}

function block(name: string, quantity: Quantity, note: string): TemplateResult {
  return html`<div class="number-block">
    <p class="number-name">${name}</p>
    <p class="mid-number">${quantity.value}<span class="unit">${quantity.unit}</span></p>
    <p class="muted small">${note}</p>
  </div>`;
}

function samples(report: BenchmarkReport): ChartSpec {
  const { gpuTimeNs } = report;
  const count = gpuTimeNs.samples.length;
  return {
    id: 'samples',
    title: t('Samples'),
    summary: t(
      'Of {0} samples half lie below {1}; the middle three fifths lie between {2} and {3} (shaded).',
      count,
      joined(formatTime(gpuTimeNs.median)),
      joined(formatTime(gpuTimeNs.p20)),
      joined(formatTime(gpuTimeNs.p80)),
    ),
    fileName: `${report.kernel.replaceAll(/[^\w.-]+/g, '-')}-samples`,
    table: stripTable(gpuTimeNs),
    picture: html`<tilescope-strip .timing=${gpuTimeNs} .describedBy=${'samples-summary'}></tilescope-strip>`,
  };
}

function passes(list: NonNullable<BenchmarkReport['passes']>): TemplateResult {
  const total = list.reduce((sum, pass) => sum + pass.medianNs, 0);
  const barWidth = 120;
  return html`<section class="block" aria-labelledby="passes-title">
    <h3 id="passes-title">${t('Passes')}</h3>
    <div class="table-box">
      <table class="data">
        <thead>
          <tr>
            <th scope="col">${t('Entry point')}</th>
            <th scope="col" class="number">${t('Median')}</th>
            <th scope="col" class="number">${t('Share')}</th>
            <th scope="col"><span class="hidden">${t('Share as a bar')}</span></th>
          </tr>
        </thead>
        <tbody>
          ${list.map((pass) => {
            const share = total > 0 ? pass.medianNs / total : 0;
            return html`<tr>
              <th scope="row" class="code">${pass.entry}</th>
              <td class="number">${joined(formatTime(pass.medianNs))}</td>
              <td class="number">${Math.round(share * 100)} %</td>
              <td class="bar-cell">
                <svg width=${barWidth} height="10" aria-hidden="true">
                  ${svg`<rect class="bar-track" width=${barWidth} height="10" rx="2"></rect>
                    <rect class="bar" width=${Math.max(1, share * barWidth)} height="10" rx="2"></rect>`}
                </svg>
              </td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>
  </section>`;
}

function method(report: BenchmarkReport): TemplateResult {
  const resolution = formatTime(report.resolutionNs);
  const entries: readonly (readonly [string, string | TemplateResult])[] = [
    [
      t('Clock'),
      report.clock === 'timestamps' ? t('GPU timestamps') : t('wall clock over whole batches (no timestamps here)'),
    ],
    [t('Resolution'), joined(resolution)],
    [t('Runs per sample'), formatCount(report.runsPerSample)],
    [t('Warm-up'), t('{0} samples discarded', report.warmupSamples)],
    [
      t('Median'),
      report.settled
        ? html`<span class="right">${codicon('check')} ${t('settled')}</span>`
        : html`<span class="caution"
            >${codicon('warning')} ${t('did not settle: close other programs and measure again')}</span
          >`,
    ],
    [
      t('Compared first'),
      html`<span class=${report.verdict.passed ? 'right' : 'wrong'}
        >${codicon(report.verdict.passed ? 'pass-filled' : 'error')} ${report.verdict.sentence}</span
      >`,
    ],
    [t('Shape'), html`<span class="code">${shapeText(report)}</span>`],
  ];
  return html`<section class="block" aria-labelledby="method-title">
    <h3 id="method-title">${t('How it was measured')}</h3>
    <dl class="facts">
      ${entries.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}

function shapeText(report: BenchmarkReport): string {
  const sizes = Object.entries(report.shape).map(([name, size]) => `${name} ${size}`);
  const options = Object.entries(report.options).map(([name, value]) => `${name} ${formatOption(value)}`);
  return [...sizes, ...options].join(', ');
}
