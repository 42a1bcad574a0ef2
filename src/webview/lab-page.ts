import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Progress } from '../lab/contract.js';
import type { PanelSnapshot, Tab } from '../lab/panel.js';
import type { Actions } from './actions.js';
import { benchmarkView } from './benchmark/benchmark-view.js';
import { compareView } from './compare/compare-view.js';
import { forKernel, tabs, type PageState } from './page-state.js';
import { scheduleView } from './schedule/schedule-view.js';
import { consistencyNote } from './shell/consistency-note.js';
import { hazardNote } from './shell/hazard-note.js';
import { header, jobButtons, progressLine } from './shell/header.js';
import { announcement } from './shell/headline.js';
import { machineLine } from './shell/machine-line.js';
import { runNote } from './shell/run-note.js';
import { noKernel, notes } from './shell/states.js';
import { setStrings, t } from './strings.js';
import { progressRing, tabs as tabRow } from './toolkit.js';
import { trafficView } from './traffic/traffic-view.js';
import { troubleNote } from './trouble.js';

/** The Kernel Lab's page. It shows the host's snapshot; its own are only what is looked at and how far a job is. */
export class LabPage extends LitElement {
  static override readonly properties = {
    snapshot: { state: true },
    progress: { state: true },
    state: { state: true },
    said: { state: true },
    trouble: { state: true },
  };

  declare private snapshot: PanelSnapshot | null;
  declare progress: Progress | null;
  declare private state: PageState;
  declare private said: string;
  /** A request to the host that failed, in words; null for none. */
  declare trouble: string | null;
  declare private actions: Actions;
  private saveState: (state: PageState) => void = () => undefined;

  constructor() {
    super();
    this.snapshot = null;
    this.progress = null;
    this.said = '';
    this.trouble = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  /** Gives the page its ties to the host and what it remembers. Called once, before the first snapshot. */
  connect(actions: Actions, state: PageState, saveState: (state: PageState) => void): void {
    this.actions = { ...actions, look: (change) => this.remember({ ...this.state, ...change }) };
    this.state = state;
    this.saveState = saveState;
  }

  /** Shows a snapshot of the host. */
  show(snapshot: PanelSnapshot): void {
    setStrings(snapshot.strings);
    this.said = announcement(this.snapshot, snapshot) ?? this.said;
    if (snapshot.running === null) this.progress = null;
    this.snapshot = snapshot;
    this.trouble = null;
    const state = snapshot.kernel ? forKernel(this.state, snapshot.kernel.uri) : this.state;
    this.remember({ ...state, tab: snapshot.tab });
  }

  /** Moves the cursor (a line from 1) in the snapshot that is shown. */
  point(cursorLine: number | null): void {
    if (this.snapshot && this.snapshot.cursorLine !== cursorLine) this.snapshot = { ...this.snapshot, cursorLine };
  }

  protected override render(): TemplateResult {
    const { snapshot } = this;
    if (!snapshot) {
      return html`<div class="page">
        <div class="empty">
          ${progressRing()}
          <p>${t('Opening the Kernel Lab…')}</p>
          ${troubleNote(this.trouble)}
        </div>
      </div>`;
    }
    return html`<div class="page">
      <div class="top">
        ${header(snapshot, this.progress)}
        ${
          snapshot.kernel
            ? html`<div class="bar">
                <tilescope-shape-bar .kernel=${snapshot.kernel} .actions=${this.actions}></tilescope-shape-bar>
                ${jobButtons(snapshot, this.actions)}
              </div>`
            : nothing
        }
        ${progressLine(snapshot, this.progress)}
      </div>
      <main class="content">
        ${troubleNote(this.trouble)} ${notes(snapshot, this.actions)} ${runNote(snapshot)}
        ${hazardNote(snapshot, this.actions)} ${consistencyNote(snapshot)}
        ${snapshot.kernel ? this.results(snapshot) : noKernel(this.actions)}
      </main>
      ${machineLine(snapshot)}
      <div class="hidden" role="status" aria-live="polite">${this.said}</div>
    </div>`;
  }

  private results(snapshot: PanelSnapshot): TemplateResult {
    const { tab } = this.state;
    return tabRow({
      label: t('Results'),
      active: tab,
      tabs: [
        {
          id: 'compare',
          title: t('Compare'),
          view: tab === 'compare' ? compareView(snapshot, this.state, this.actions) : html``,
        },
        {
          id: 'schedule',
          title: t('Tile schedule'),
          view: tab === 'schedule' ? scheduleView(snapshot, this.state, this.actions) : html``,
        },
        {
          id: 'traffic',
          title: t('Memory traffic'),
          view: tab === 'traffic' ? trafficView(snapshot, this.state, this.actions) : html``,
        },
        {
          id: 'benchmark',
          title: t('Benchmark'),
          view: tab === 'benchmark' ? benchmarkView(snapshot, this.actions) : html``,
        },
      ],
      onChange: (id) => this.turnTo(tabs.find((tab) => tab === id) ?? 'compare'),
    });
  }

  private turnTo(tab: Tab): void {
    this.remember({ ...this.state, tab });
    this.actions.setTab(tab);
  }

  private remember(state: PageState): void {
    this.state = state;
    this.saveState(state);
  }
}
