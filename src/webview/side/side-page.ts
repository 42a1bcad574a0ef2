import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { Ledger, TensorTraffic } from '../../core/analysis/ledger.js';
import type { PanelSnapshot } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { formatBytes, formatFactor, joined } from '../format.js';
import { tensorHue } from '../picture/tensor-hue.js';
import { staleBadge } from '../shell/header.js';
import { headline, headlineTime } from '../shell/headline.js';
import { blockedReason } from '../shell/states.js';
import { setStrings, t } from '../strings.js';
import { button, codicon, progressRing } from '../toolkit.js';

/** What the side panel asks of its host. */
export type SideActions = Pick<Actions, 'start' | 'command'>;

/**
 * The side panel's page: the verdict, the score square and the traffic of the kernel at the cursor in small. A click on
 * a picture opens it in the Kernel Lab.
 */
export class SidePage extends LitElement {
  static override readonly properties = {
    snapshot: { state: true },
    trouble: { state: true },
  };

  declare private snapshot: PanelSnapshot | null;
  /** A request to the host that failed, in words; null for none. */
  declare trouble: string | null;
  private actions: SideActions | null = null;

  constructor() {
    super();
    this.snapshot = null;
    this.trouble = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  /** Gives the page its ties to the host. Called once, before the first snapshot. */
  connect(actions: SideActions): void {
    this.actions = actions;
  }

  /** Shows a snapshot of the host. */
  show(snapshot: PanelSnapshot): void {
    setStrings(snapshot.strings);
    this.snapshot = snapshot;
    this.trouble = null;
  }

  /** Moves the cursor of the snapshot that is shown. */
  point(line: number | null): void {
    if (this.snapshot) this.snapshot = { ...this.snapshot, cursorLine: line };
  }

  protected override render(): TemplateResult {
    const { snapshot, actions } = this;
    const trouble = this.trouble === null ? nothing : html`<p class="bad" role="alert">${this.trouble}</p>`;
    if (!snapshot || !actions) return html`<div class="side">${progressRing()} ${trouble}</div>`;
    if (!snapshot.kernel) {
      return html`<div class="side">
        ${trouble}
        <p class="muted">${t('Put the cursor into a kernel: its picture appears here.')}</p>
        ${button({
          label: t('Open a sample kernel'),
          icon: 'book',
          kind: 'secondary',
          onClick: () => actions.command('open-sample'),
        })}
      </div>`;
    }
    return html`<div class="side">
      ${trouble} ${verdict(snapshot)} ${snapshot.trace ? pictures(snapshot, actions) : invitation(snapshot, actions)}
    </div>`;
  }
}

function verdict(snapshot: PanelSnapshot): TemplateResult {
  const state = headline(snapshot);
  const time = headlineTime(snapshot);
  return html`<div class="side-head">
    <h1 class="side-kernel" title=${snapshot.kernel?.uri ?? ''}>${snapshot.kernel?.name}</h1>
    <p class="side-verdict ${state.tone}">
      ${state.tone === 'busy' ? progressRing() : codicon(state.icon)} <span>${state.text}</span>
      ${time ? html`<span class="muted number">${time.value} ${time.unit}</span>` : nothing}
      ${state.stale ? staleBadge() : nothing}
    </p>
  </div>`;
}

function invitation(snapshot: PanelSnapshot, actions: SideActions): TemplateResult {
  const reason = blockedReason(snapshot);
  return html`<p class="muted">
      ${t('Trace the kernel to see which tile is where, and every byte that moves. It needs no GPU.')}
    </p>
    ${button({
      label: t('Trace this kernel'),
      icon: 'layers',
      kind: 'primary',
      disabled: reason !== null,
      hint: reason ?? '',
      onClick: () => actions.start('trace'),
    })}
    ${reason === null ? nothing : html`<p class="muted small">${reason}</p>`}`;
}

function pictures(snapshot: PanelSnapshot, actions: SideActions): TemplateResult {
  const kept = snapshot.trace!;
  const { coverage, ledger, schedule } = kept.report;
  return html`<div class="side-pictures ${kept.stale ? 'is-stale-picture' : ''}">
    <button class="side-picture" title=${t('Show the tile schedule')} @click=${() => actions.command('show-schedule')}>
      <span class="side-title">${t('Tile schedule')} ${kept.stale ? staleBadge() : nothing}</span>
      ${coverage ? html`<tilescope-small-score .coverage=${coverage}></tilescope-small-score>` : nothing}
      <span class="small">${coverage?.sentence ?? schedule.sentence}</span>
    </button>
    <button class="side-picture" title=${t('Show the memory traffic')} @click=${() => actions.command('show-traffic')}>
      <span class="side-title">${t('Memory traffic')}</span>
      ${bands(ledger)}
      <span class="small">${ledger.sentence}</span>
    </button>
  </div>`;
}

const barWidth = 100;

/** What each tensor moves, as a bar with its compulsory part full: the bands of the flow picture, laid flat. */
function bands(ledger: Ledger): TemplateResult {
  const tensors = ledger.tensors
    .filter(({ role }) => role !== 'uniform')
    .map((tensor) => ({ tensor, bytes: moved(tensor) }))
    .filter(({ bytes }) => bytes > 0);
  const most = Math.max(1, ...tensors.map(({ bytes }) => bytes));
  return html`<span class="side-bands">
    ${tensors.map(({ tensor, bytes }) => {
      const share = (bytes / most) * barWidth;
      const core = Math.min(1, tensor.compulsoryBytes / bytes) * share;
      return html`<span class="side-band hue-${tensorHue(tensor.name, tensor.role)}">
        <span class="side-name code">${tensor.name}</span>
        <svg viewBox="0 0 ${barWidth} 10" preserveAspectRatio="none" aria-hidden="true">
          ${svg`<rect class="flow-waste" width=${Math.max(0.75, share)} height="10"></rect>
            <rect class="flow-core" width=${Math.max(tensor.compulsoryBytes > 0 ? 0.75 : 0, core)} height="10"></rect>`}
        </svg>
        <span class="number small" title=${joined(formatBytes(Math.round(bytes)))}
          >${tensor.compulsoryBytes > 0 ? formatFactor(bytes / tensor.compulsoryBytes) : joined(formatBytes(Math.round(bytes)))}</span
        >
      </span>`;
    })}
  </span>`;
}

function moved(tensor: TensorTraffic): number {
  return tensor.readBytes + tensor.writtenBytes + tensor.atomicBytes;
}
