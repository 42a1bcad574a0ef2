import { merged, type LayerStack, type StackLayer } from './layer-stack.js';

/** A stack that comes along, with where its shape is published. */
export interface StackPreset {
  readonly id: string;
  readonly source: string;
  readonly stack: LayerStack;
}

const untied = { headsKv: null, window: null, causal: true, repeat: 1 };

/** MiniMax-01: after seven layers of Lightning Attention one of softmax attention with 8 key and value heads, ten times. */
function miniMax(): LayerStack {
  const lightning: StackLayer = {
    ...untied,
    mechanism: 'lightning-attention',
    heads: 64,
    headDim: 128,
    headDimV: 128,
    repeat: 7,
  };
  const softmax: StackLayer = { ...lightning, mechanism: 'softmax-attention', headsKv: 8, repeat: 1 };
  return { title: 'MiniMax-01', layers: Array.from({ length: 10 }, () => [lightning, softmax]).flat() };
}

/** ModernBERT: every third layer global, the others see 64 tokens to each side; an encoder, all tokens at once. */
function modernBert(title: string, layers: number, heads: number): LayerStack {
  const global: StackLayer = {
    ...untied,
    mechanism: 'softmax-attention',
    heads,
    headDim: 64,
    headDimV: 64,
    causal: false,
  };
  const local: StackLayer = { ...global, window: 64 };
  return { title, layers: merged(Array.from({ length: layers }, (_, at) => (at % 3 === 0 ? global : local))) };
}

/** The stacks that come along. */
export const stackPresets: readonly StackPreset[] = [
  { id: 'minimax-01', source: 'arXiv:2501.08313', stack: miniMax() },
  {
    id: 'modernbert-base',
    source: 'arXiv:2412.13663',
    stack: modernBert('ModernBERT base', 22, 12),
  },
  {
    id: 'modernbert-large',
    source: 'arXiv:2412.13663',
    stack: modernBert('ModernBERT large', 28, 16),
  },
];
