import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { SaveActions } from '../actions.js';
import { t } from '../strings.js';
import { codicon } from '../toolkit.js';
import { freshKvState, type KvState } from './kv-state.js';
import { intensityFigure, kvControls, shardFigure } from './kv-view.js';

/** The page of caches: what the mechanisms keep of a token on one device and on several, and what that does to decoding. */
export class LayersPage extends LitElement {
  static override readonly properties = {
    kv: { state: true },
    refused: { state: true },
    trouble: { state: true },
    actions: { state: true },
  };

  declare private kv: KvState;
  /** Why what was typed last is not taken, or null. */
  declare private refused: string | null;
  /** A request to the host that failed, in words; null for none. */
  declare trouble: string | null;
  /** Null until the page has its ties. */
  declare private actions: SaveActions | null;
  private saveState: (kv: KvState) => void = () => undefined;

  constructor() {
    super();
    this.kv = freshKvState;
    this.refused = null;
    this.trouble = null;
    this.actions = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  /** Gives the page its ties to the host and what it remembers, after the texts have been set. */
  connect(actions: SaveActions, kv: KvState, saveState: (kv: KvState) => void): void {
    this.kv = kv;
    this.saveState = saveState;
    this.actions = actions;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { kv, actions } = this;
    if (!actions) return nothing;
    return html`<div class="page">
      <div class="top">
        <header class="header"><h1 class="kv-heading">${t('KV cache')}</h1></header>
        ${kvControls(kv, this.refused, {
          set: (next) => {
            this.kv = next;
            this.saveState(next);
          },
          refuse: (reason) => (this.refused = reason),
        })}
      </div>
      <main class="content">
        ${this.troubleNote()}
        <div class="kv-figures">
          <tilescope-chart-figure .spec=${shardFigure(kv)} .actions=${actions}></tilescope-chart-figure>
          <tilescope-chart-figure .spec=${intensityFigure(kv)} .actions=${actions}></tilescope-chart-figure>
        </div>
      </main>
      <footer class="machine">
        <span class="machine-part"
          >${codicon('info')} ${t('Calculated, not measured. Formulas: arXiv:2505.21487, §3.')}</span
        >
      </footer>
    </div>`;
  }

  private troubleNote(): TemplateResult | typeof nothing {
    if (this.trouble === null) return nothing;
    return html`<div class="notes">
      <section class="note note-error" role="alert">
        ${codicon('error')}
        <div class="note-body"><p>${this.trouble}</p></div>
      </section>
    </div>`;
  }
}
