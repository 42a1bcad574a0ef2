import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { LayerStack } from '../../core/stack/layer-stack.js';
import type { MeasuredRate } from '../../core/stack/prediction.js';
import { readStack } from '../../core/stack/stack-list.js';
import type { SaveActions } from '../actions.js';
import { savedFields } from '../saved-state.js';
import { t } from '../strings.js';
import { codicon, tabs } from '../toolkit.js';
import { troubleNote } from '../trouble.js';
import { freshKvState, readKvState, type KvState } from './kv-state.js';
import { intensityFigure, kvControls, shardFigure } from './kv-view.js';
import { freshStackState, readStackState, type StackState } from './stack-state.js';
import { growthFigure, layersFigure, predictionNote, stackControls, stackEditor } from './stack-view.js';

/** Everything the page remembers. */
export interface LayersState {
  readonly tab: 'cache' | 'stack';
  readonly kv: KvState;
  readonly stack: StackState;
}

/** Reads a saved state; what is missing or of another kind takes its fresh value. */
export function readLayersState(saved: unknown): LayersState {
  const fields = savedFields(saved);
  return {
    tab: fields.get('tab') === 'stack' ? 'stack' : 'cache',
    kv: readKvState(fields.get('kv')),
    stack: readStackState(fields.get('stack')),
  };
}

/** The page of caches and layer stacks: what mechanisms keep of a token, and what the attention of a model costs. */
export class LayersPage extends LitElement {
  static override readonly properties = {
    state: { state: true },
    refused: { state: true },
    trouble: { state: true },
    actions: { state: true },
    rates: { state: true },
  };

  declare private state: LayersState;
  /** Why what was typed last is not taken, or null. */
  declare private refused: string | null;
  /** A request to the host that failed, in words; null for none. */
  declare trouble: string | null;
  /** How fast kernels were measured to be in this window. */
  declare rates: readonly MeasuredRate[];
  /** Null until the page has its ties. */
  declare private actions: SaveActions | null;
  private saveState: (state: LayersState) => void = () => undefined;
  /** The last list that could be read, which the pictures keep while the text is being edited. */
  private lastStack: LayerStack | null = null;

  constructor() {
    super();
    this.state = { tab: 'cache', kv: freshKvState, stack: freshStackState };
    this.refused = null;
    this.trouble = null;
    this.actions = null;
    this.rates = [];
  }

  override createRenderRoot(): this {
    return this;
  }

  /** Gives the page its ties to the host and what it remembers, after the texts have been set. */
  connect(actions: SaveActions, state: LayersState, saveState: (state: LayersState) => void): void {
    this.state = state;
    this.saveState = saveState;
    this.actions = actions;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { actions, state } = this;
    if (!actions) return nothing;
    return html`<div class="page">
      <main class="content layers-content">
        ${troubleNote(this.trouble)}
        ${tabs({
          label: t('Caches and layers'),
          active: state.tab,
          tabs: [
            { id: 'cache', title: t('KV cache'), view: state.tab === 'cache' ? this.cache(actions) : html`` },
            { id: 'stack', title: t('Layer stack'), view: state.tab === 'stack' ? this.stack(actions) : html`` },
          ],
          onChange: (tab) => {
            this.refused = null;
            this.change({ tab: tab === 'stack' ? 'stack' : 'cache' });
          },
        })}
      </main>
      <footer class="machine">
        <span class="machine-part"
          >${codicon('info')}
          ${
            state.tab === 'cache'
              ? t('Calculated, not measured. Formulas: arXiv:2505.21487, §3.')
              : t('Calculated, not measured. Attention alone: no weights, no other layers. States in f32.')
          }</span
        >
      </footer>
    </div>`;
  }

  private cache(actions: SaveActions): TemplateResult {
    const { kv } = this.state;
    return html`<div class="layers-view">
      ${kvControls(kv, this.refused, { set: (next) => this.change({ kv: next }), refuse: this.refuse })}
      <div class="kv-figures">
        <tilescope-chart-figure .spec=${shardFigure(kv)} .actions=${actions}></tilescope-chart-figure>
        <tilescope-chart-figure .spec=${intensityFigure(kv)} .actions=${actions}></tilescope-chart-figure>
      </div>
    </div>`;
  }

  private stack(actions: SaveActions): TemplateResult {
    const state = this.state.stack;
    const stackActions = { set: (next: StackState) => this.change({ stack: next }), refuse: this.refuse };
    const read = readStack(state.text);
    if (read.ok) this.lastStack = read.stack;
    const stack = this.lastStack;
    return html`<div class="layers-view">
      ${stackControls(state, this.refused, stackActions)}
      ${
        stack === null
          ? nothing
          : html`<div class="kv-figures">
                <tilescope-chart-figure
                  .spec=${layersFigure(stack, state)}
                  .actions=${actions}
                ></tilescope-chart-figure>
                <tilescope-chart-figure
                  .spec=${growthFigure(stack, state)}
                  .actions=${actions}
                ></tilescope-chart-figure>
              </div>
              ${predictionNote(stack, state, this.rates)}`
      }
      ${stackEditor(state, read.ok ? null : read.problem, stackActions)}
    </div>`;
  }

  private readonly refuse = (reason: string | null): void => {
    this.refused = reason;
  };

  private change(change: Partial<LayersState>): void {
    this.state = { ...this.state, ...change };
    this.saveState(this.state);
  }
}
