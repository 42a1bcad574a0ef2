import { findMechanism } from '../../core/attention/catalogue.js';
import {
  layerCost,
  stackCost,
  twinOf,
  type LayerCost,
  type LayerStack,
  type StackCase,
  type StackCost,
  type StackLayer,
} from '../../core/stack/layer-stack.js';
import { formatBytes, formatFlops, joined } from '../format.js';
import { t } from '../strings.js';
import type { StackMeasure, StackState } from './stack-state.js';

/** A layer of the model at its place, with what is drawn of it. */
export interface LayerBar {
  /** From 0. */
  readonly place: number;
  readonly layer: StackLayer;
  /** What is kept between tokens. */
  readonly kind: LayerCost['kept'];
  /** Null where the measure has no meaning for the layer. */
  readonly value: number | null;
}

/** A stack along the lengths of a sequence. */
export interface StackSeries {
  readonly title: string;
  readonly id: 'own' | 'softmax' | 'lightning';
  readonly values: readonly (number | null)[];
}

/** The value of a measure; null where all tokens see each other and there is no decode step. */
export function measured(cost: StackCost, measure: StackMeasure, seqlen: number): number | null {
  switch (measure) {
    case 'kept':
      return cost.keptBytes;
    case 'flops':
      return cost.prefillFlops / seqlen;
    case 'decode':
      return cost.decode?.bytes ?? null;
  }
}

/** A measure in words. */
export function measureWord(measure: StackMeasure): string {
  return {
    kept: t('bytes kept'),
    flops: t('FLOP a token'),
    decode: t('bytes of a decode step'),
  }[measure];
}

/** A value of a measure with its unit. */
export function measureText(value: number | null, measure: StackMeasure): string {
  if (value === null) return '–';
  return joined(measure === 'flops' ? formatFlops(value) : formatBytes(Math.round(value)));
}

/** The case that a page's state is about, at its own length or at another; states are f32. */
export function stackCase({ seqlen, elementBytes }: StackState, length = seqlen): StackCase {
  return { seqlen: length, elementBytes, stateBytes: 4 };
}

/** A bar for every layer of the model, in order. */
export function layerBars(stack: LayerStack, state: StackState): readonly LayerBar[] {
  let place = 0;
  return stack.layers.flatMap((layer) => {
    const cost = layerCost(layer, stackCase(state));
    const value = measured(cost, state.measure, state.seqlen);
    return Array.from({ length: layer.repeat }, (): LayerBar => ({ place: place++, layer, kind: cost.kept, value }));
  });
}

/** Lengths from 1024 to 1048576 tokens, each twice the one before. */
export const stackLengths: readonly number[] = Array.from({ length: 11 }, (_, at) => 1024 * 2 ** at);

/** The stack and its twins along `stackLengths`. */
export function stackSeries(stack: LayerStack, state: StackState): readonly StackSeries[] {
  const along = (each: LayerStack): (number | null)[] =>
    stackLengths.map((length) => measured(stackCost(each, stackCase(state, length)), state.measure, length));
  return [
    { title: stack.title, id: 'own', values: along(stack) },
    { title: t('all softmax'), id: 'softmax', values: along(twinOf(stack, 'softmax-attention')) },
    { title: t('all lightning'), id: 'lightning', values: along(twinOf(stack, 'lightning-attention')) },
  ];
}

/** A layer in words: its mechanism, heads and what it sees. */
export function layerWords({ mechanism, heads, headsKv, headDim, window, causal }: StackLayer): string {
  const title = findMechanism(mechanism)?.title ?? mechanism;
  const shared = headsKv === null ? '' : `, ${t('{0} key heads', headsKv)}`;
  const seen = window === null ? '' : `, ${causal ? t('{0} keys before', window) : t('{0} keys to each side', window)}`;
  return `${title}, ${t('{0} heads of {1}', heads, headDim)}${shared}${seen}`;
}
