import { stackPresets } from '../../core/stack/presets.js';
import { stackText } from '../../core/stack/stack-list.js';
import { savedFields } from '../saved-state.js';

/** What a picture of a stack is about: bytes kept, operations of a token, or bytes of a decode step. */
export type StackMeasure = 'kept' | 'flops' | 'decode';

/** What the page of layer stacks remembers. */
export interface StackState {
  /** The list of layers as text, as `readStack` reads it. */
  readonly text: string;
  readonly seqlen: number;
  readonly elementBytes: number;
  readonly measure: StackMeasure;
}

/** The measures in the order in which they are offered. */
export const stackMeasures: readonly StackMeasure[] = ['kept', 'flops', 'decode'];

/** The state of a page that has never been used. */
export const freshStackState: StackState = {
  text: stackText(stackPresets[0]!.stack),
  seqlen: 131072,
  elementBytes: 2,
  measure: 'kept',
};

/** Reads a saved state; what is missing or of another kind takes its fresh value. */
export function readStackState(saved: unknown): StackState {
  const fields = savedFields(saved);
  const size = (name: 'seqlen' | 'elementBytes'): number => {
    const value = fields.get(name);
    return typeof value === 'number' && Number.isInteger(value) && value >= 1 ? value : freshStackState[name];
  };
  const text = fields.get('text');
  return {
    text: typeof text === 'string' ? text : freshStackState.text,
    seqlen: size('seqlen'),
    elementBytes: size('elementBytes'),
    measure: stackMeasures.find((measure) => measure === fields.get('measure')) ?? freshStackState.measure,
  };
}
