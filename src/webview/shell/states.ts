import { html, nothing, type TemplateResult } from 'lit';
import type { LabFailure } from '../../lab/contract.js';
import type { Job, PanelKernel, PanelSnapshot, Problem } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { t } from '../strings.js';
import { button, codicon } from '../toolkit.js';
import { jobWord } from './headline.js';

/** What stands in the panel while no kernel file is open. */
export function noKernel(actions: Actions): TemplateResult {
  return html`<div class="empty">
    <h2>${t('No kernel is open')}</h2>
    <p>
      ${t('Open a WGSL file that begins with a Tilescope front matter. The panel follows the editor: it shows whether the kernel is right, where it is not, and how fast it is.')}
    </p>
    <div class="empty-actions">
      ${button({ label: t('Open a sample kernel'), icon: 'book', kind: 'primary', onClick: () => actions.command('open-sample') })}
      ${button({ label: t('New kernel from template'), icon: 'new-file', kind: 'secondary', onClick: () => actions.command('new-kernel') })}
    </div>
    <pre class="sample" aria-label=${t('A front matter')}>
/*---
mechanism: lightning-attention
shape: { seqlen: 2048, headDim: 64 }
passes:
  - { entry: forward, workgroups: [heads, batch, 1] }
---*/</pre>
  </div>`;
}

/** What stands in a tab that has no result yet. */
export function noResult(
  job: 'compare' | 'benchmark' | 'trace',
  reason: string | null,
  actions: Actions,
): TemplateResult {
  const { title, words, label, icon } = invitation(job);
  return html`<div class="empty">
    <h2>${title}</h2>
    <p>${words}</p>
    <div class="empty-actions">
      ${button({
        label,
        icon,
        kind: 'primary',
        disabled: reason !== null,
        hint: reason ?? '',
        onClick: () => actions.start(job),
      })}
    </div>
    ${reason === null ? nothing : html`<p class="muted">${reason}</p>`}
  </div>`;
}

function invitation(
  job: 'compare' | 'benchmark' | 'trace',
): Readonly<Record<'title' | 'words' | 'label' | 'icon', string>> {
  switch (job) {
    case 'compare':
      return {
        title: t('Not compared yet'),
        words: t('Run the kernel on this GPU and hold every output against float64 reference mathematics.'),
        label: t('Compare with reference'),
        icon: 'check',
      };
    case 'benchmark':
      return {
        title: t('Not measured yet'),
        words: t('Measure the kernel on this GPU. It is compared first: a kernel that is wrong has no speed.'),
        label: t('Benchmark this kernel'),
        icon: 'dashboard',
      };
    case 'trace':
      return {
        title: t('Not traced yet'),
        words: t(
          'Simulate the kernel, access by access: which tile is where at each step, and every byte that moves. This needs no GPU.',
        ),
        label: t('Trace this kernel'),
        icon: 'layers',
      };
  }
}

/** Why no job can be started now, or null. */
export function blockedReason(snapshot: PanelSnapshot): string | null {
  if (!snapshot.kernel) return t('No kernel is open.');
  if (!snapshot.trusted) return t('Running a kernel executes workspace content, and this workspace is not trusted.');
  if (snapshot.running) return t('{0} is under way.', jobWord(snapshot.running));
  if (snapshot.kernel.problems.some((problem) => problem.severity === 'error')) {
    return t('The file has problems that must be solved first.');
  }
  return null;
}

/** The notes above the tabs: restricted mode, problems in the file, the failure of the last job. */
export function notes(snapshot: PanelSnapshot, actions: Actions): TemplateResult | typeof nothing {
  const { kernel, failure, trusted } = snapshot;
  const problems = kernel?.problems ?? [];
  if (trusted && problems.length === 0 && !failure) return nothing;
  return html`<div class="notes">
    ${trusted ? nothing : restricted(actions)} ${kernel && problems.length > 0 ? problemList(kernel, actions) : nothing}
    ${
      failure && problems.every((problem) => problem.severity !== 'error')
        ? failureNote(failure.job, failure.failure, actions)
        : nothing
    }
  </div>`;
}

function restricted(actions: Actions): TemplateResult {
  return html`<section class="note note-warning" aria-label=${t('Restricted mode')}>
    ${codicon('shield')}
    <div class="note-body">
      <p class="note-title">${t('Kernels do not run in Restricted Mode')}</p>
      <p>
        ${t('Running a kernel executes workspace content on the GPU. Trust this workspace to run, compare and benchmark.')}
      </p>
      ${button({ label: t('Manage workspace trust'), icon: null, kind: 'secondary', onClick: () => actions.command('manage-trust') })}
    </div>
  </section>`;
}

function problemList(kernel: PanelKernel, actions: Actions): TemplateResult {
  const errors = kernel.problems.filter((problem) => problem.severity === 'error').length;
  const title =
    errors === 0
      ? t('Notes on {0}', kernel.name)
      : errors === 1
        ? t('1 problem keeps {0} from running', kernel.name)
        : t('{0} problems keep {1} from running', errors, kernel.name);
  return html`<section
    class="note ${errors > 0 ? 'note-error' : 'note-warning'}"
    aria-label=${t('Problems in the file')}
  >
    ${codicon(errors > 0 ? 'error' : 'warning')}
    <div class="note-body">
      <p class="note-title">${title}</p>
      <ul class="findings">
        ${kernel.problems.map((problem) => finding(problem, t('line {0}', problem.line), actions))}
      </ul>
    </div>
  </section>`;
}

function failureNote(job: Job, failure: LabFailure, actions: Actions): TemplateResult {
  const cancelled = failure.kind === 'cancelled';
  return html`<section class="note ${cancelled ? 'note-info' : 'note-error'}" aria-label=${t('Why there is no result')}>
    ${codicon(cancelled ? 'circle-slash' : failure.kind === 'no-device' ? 'vm-outline' : 'error')}
    <div class="note-body">
      <p class="note-title">${failureTitle(job, failure.kind)}</p>
      <p>${failure.message}</p>
      ${failure.remedy === null ? nothing : html`<p class="remedy">${failure.remedy}</p>`}
      ${
        failure.diagnostics.length === 0
          ? nothing
          : html`<ul class="findings">
              ${failure.diagnostics.map((diagnostic) => finding(diagnostic, t('show'), actions))}
            </ul>`
      }
      <div class="note-actions">
        ${
          failure.kind === 'no-device'
            ? button({
                label: t('Check GPU'),
                icon: 'pulse',
                kind: 'secondary',
                onClick: () => actions.command('check-gpu'),
              })
            : nothing
        }
        ${button({ label: t('Try again'), icon: 'refresh', kind: 'secondary', onClick: () => actions.start(job) })}
      </div>
    </div>
  </section>`;
}

function failureTitle(job: Job, kind: LabFailure['kind']): string {
  const name = jobWord(job);
  switch (kind) {
    case 'no-device':
      return t('No GPU to run on');
    case 'invalid-kernel':
      return t('{0}: the kernel file cannot be used as it is', name);
    case 'compile-error':
      return t('{0}: the driver refuses the shader', name);
    case 'validation-error':
      return t('{0}: the GPU refuses the dispatch', name);
    case 'wrong-result':
      return t('No speed for a kernel whose comparison fails');
    case 'limits-exceeded':
      return t('{0}: the kernel needs more than this GPU has', name);
    case 'out-of-memory':
      return t('{0}: out of GPU memory', name);
    case 'device-lost':
      return t('{0}: the GPU was lost', name);
    case 'timeout':
      return t('{0}: the kernel did not end', name);
    case 'cancelled':
      return t('{0} was stopped', name);
    case 'internal':
      return t('{0} went wrong inside Tilescope', name);
  }
}

/** A finding as a row that reveals its place; `place` says where that is. */
export function finding(
  item: Pick<Problem, 'severity' | 'message' | 'remedy' | 'span'>,
  place: string,
  actions: Actions,
): TemplateResult {
  const icon = item.severity === 'info' ? 'info' : item.severity;
  return html`<li>
    <button class="finding" @click=${() => actions.reveal(item.span.start, item.span.end)}>
      <span
        class="codicon codicon-${icon} severity-${item.severity}"
        role="img"
        aria-label=${severityWord(item.severity)}
      ></span>
      <span class="finding-text">${item.message} <span class="muted">${item.remedy ?? ''}</span></span>
      <span class="finding-place">${place}</span>
    </button>
  </li>`;
}

function severityWord(severity: Problem['severity']): string {
  return { error: t('Error'), warning: t('Warning'), info: t('Information') }[severity];
}
