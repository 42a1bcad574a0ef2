import { html, nothing, type TemplateResult } from 'lit';
import type { LayerStack } from '../../core/stack/layer-stack.js';
import { predict, type MeasuredRate } from '../../core/stack/prediction.js';
import { stackPresets } from '../../core/stack/presets.js';
import { stackText } from '../../core/stack/stack-list.js';
import { formatCount, formatTime, joined } from '../format.js';
import type { ChartSpec } from '../picture/chart-figure.js';
import { t } from '../strings.js';
import { textArea } from '../toolkit.js';
import { choiceField, sizeField, storageFormats } from './fields.js';
import {
  layerBars,
  layerWords,
  measureText,
  measureWord,
  stackCase,
  stackLengths,
  stackSeries,
  type LayerBar,
  type StackSeries,
} from './stack-figures.js';
import { stackMeasures, type StackState } from './stack-state.js';

/** What the view of layer stacks asks of its page. */
export interface StackActions {
  readonly set: (stack: StackState) => void;
  readonly refuse: (reason: string | null) => void;
}

/** The model, the length of its sequence, and what the pictures are about. */
export function stackControls(state: StackState, refused: string | null, actions: StackActions): TemplateResult {
  const preset = stackPresets.find(({ stack }) => stackText(stack) === state.text);
  const named = stackPresets.map(({ id, stack: { title } }) => ({ value: id, text: title }));
  const measures = stackMeasures.map((measure) => ({ value: measure, text: measureWord(measure) }));
  return html`<div class="bar">
    <div class="kv-controls">
      <div class="shape-bar" role="group" aria-label=${t('Model and sequence')}>
        ${choiceField(
          t('model'),
          preset?.id ?? '',
          preset ? named : [{ value: '', text: t('own') }, ...named],
          (id) => {
            const found = stackPresets.find((item) => item.id === id);
            if (found) actions.set({ ...state, text: stackText(found.stack) });
          },
        )}
        ${sizeField({
          id: 'stack-seqlen',
          name: 'seqlen',
          hint: t('Tokens of the sequence.'),
          value: state.seqlen,
          set: (seqlen) => actions.set({ ...state, seqlen }),
          refuse: actions.refuse,
        })}
        ${choiceField(t('stored as'), String(state.elementBytes), storageFormats, (bytes) =>
          actions.set({ ...state, elementBytes: Number(bytes) }),
        )}
        ${choiceField(t('picture of'), state.measure, measures, (measure) =>
          actions.set({ ...state, measure: stackMeasures.find((each) => each === measure) ?? 'kept' }),
        )}
      </div>
      ${refused === null ? nothing : html`<p class="refused" role="alert">${refused}</p>`}
    </div>
  </div>`;
}

/** The list of layers as text, to be edited, with what is wrong with it. */
export function stackEditor(state: StackState, problem: string | null, actions: StackActions): TemplateResult {
  return html`<section class="stack-editor" aria-label=${t('Layers')}>
    ${textArea({
      id: 'stack-text',
      label: t('Layers'),
      value: state.text,
      rows: Math.min(12, Math.max(6, state.text.split('\n').length)),
      onInput: (text) => actions.set({ ...state, text }),
    })}
    ${problem === null ? nothing : html`<p class="refused" role="alert">${problem}</p>`}
  </section>`;
}

/** The time of the stack's attention, if kernels kept the rates they were measured at, and where those are from. */
export function predictionNote(stack: LayerStack, state: StackState, rates: readonly MeasuredRate[]): TemplateResult {
  const { prefill, decode, used, missing } = predict(stack, stackCase(state), rates);
  const time = (seconds: number | null): string => (seconds === null ? '–' : joined(formatTime(seconds * 1e9)));
  const words =
    used.length === 0
      ? t('Benchmark forward and decode kernels of these mechanisms on a GPU to see a time predicted here.')
      : t('If {0} kept the rates they were measured at.', used.map(({ kernel }) => kernel).join(', '));
  const lack = missing.length === 0 || used.length === 0 ? '' : t('Not measured: {0}.', missing.join(', '));
  return html`<section class="stack-prediction" aria-label=${t('Predicted time')}>
    <h3>${t('Predicted time')}</h3>
    <p class="stack-times">
      ${t('the sequence')} <span class="mono">${time(prefill)}</span> · ${t('a further token')}
      <span class="mono">${time(decode)}</span>
    </p>
    <p class="muted small">${words} ${lack}</p>
  </section>`;
}

/** The figure with a bar for each layer. */
export function layersFigure(stack: LayerStack, state: StackState): ChartSpec {
  const { measure } = state;
  const bars = layerBars(stack, state);
  return {
    id: 'stack-layers',
    title: t('Each layer: {0}', measureWord(measure)),
    summary: layersSummary(bars, state),
    fileName: `layers-${measure}`,
    picture: html`${stackKey()}<tilescope-layer-bars
        .bars=${bars}
        .measure=${measure}
        .describedBy=${'stack-layers-summary'}
      ></tilescope-layer-bars>`,
    table: {
      header: [t('layer'), t('what'), measureWord(measure)],
      rows: bars.map(({ place, layer, value }) => [
        place + 1,
        layerWords(layer),
        value === null ? null : Math.round(value),
      ]),
    },
  };
}

/** The figure of the stack and its twins along the length of the sequence. */
export function growthFigure(stack: LayerStack, state: StackState): ChartSpec {
  const { measure, seqlen } = state;
  const series = stackSeries(stack, state);
  return {
    id: 'stack-growth',
    title: t('With the length of the sequence: {0}', measureWord(measure)),
    summary: growthSummary(series, state),
    fileName: `stack-${measure}`,
    picture: html`<tilescope-growth
      .series=${series}
      .measure=${measure}
      .seqlen=${seqlen}
      .describedBy=${'stack-growth-summary'}
    ></tilescope-growth>`,
    table: {
      header: [t('tokens'), ...series.map(({ title }) => title)],
      rows: stackLengths.map((length, at) => [
        length,
        ...series.map(({ values }) => {
          const value = values[at] ?? null;
          return value === null ? null : Math.round(value);
        }),
      ]),
    },
  };
}

function stackKey(): TemplateResult {
  return html`<ul class="kv-key">
    <li><span class="swatch hue-state"></span>${t('a state')}</li>
    <li><span class="swatch stack-swatch-cache"></span>${t('a cache that grows')}</li>
    <li><span class="swatch stack-swatch-cache stack-swatch-window"></span>${t('a window')}</li>
  </ul>`;
}

function layersSummary(bars: readonly LayerBar[], { measure, seqlen }: StackState): string {
  const known = bars.flatMap(({ value }) => value ?? []);
  if (known.length === 0) return t('No layer has a decode step: all tokens see each other.');
  const total = known.reduce((sum, value) => sum + value, 0);
  const growing = bars.filter(({ kind }) => kind === 'cache');
  const share = growing.reduce((sum, { value }) => sum + (value ?? 0), 0) / total;
  return t(
    '{0} layers at {1} tokens, {2}: {3} in all, {4} % of it in the {5} whose cache grows.',
    bars.length,
    formatCount(seqlen),
    measureWord(measure),
    measureText(total, measure),
    Math.round(100 * share),
    growing.length,
  );
}

function growthSummary(series: readonly StackSeries[], { measure }: StackState): string {
  const [own, softmax] = series;
  const last = stackLengths.length - 1;
  const mine = own?.values[last] ?? null;
  const theirs = softmax?.values[last] ?? null;
  if (own === undefined || mine === null || theirs === null) {
    return t('No layer has a decode step: all tokens see each other.');
  }
  return t(
    'At {0} tokens {1} takes {2}, and {3} made of softmax attention alone.',
    formatCount(stackLengths[last]!),
    own.title,
    measureText(mine, measure),
    measureText(theirs, measure),
  );
}
