import type { Mistake } from './mistake.js';

/** Mistakes in softmax/decode-f16.wgsl. */
export const softmaxDecodeF16: readonly Mistake[] = [
  {
    name: 'the pairs of a four are unpacked in the wrong order',
    find: 'vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y))',
    replace: 'vec4(unpack2x16float(pairs.y), unpack2x16float(pairs.x))',
    caughtBy: 'a single key',
    why: 'Queries and keys are swapped alike, but the output of one key is its value.',
  },
  {
    name: 'only the first half of a step is weighed',
    find: 'j < select(0u, count, row < rows); j++',
    replace: 'j < select(0u, min(count, KEYS / 2u), row < rows); j++',
    caughtBy: 'one above a step of 16, not causal',
    why: 'A step has 32 keys.',
  },
  {
    name: 'keys are read as close together as values',
    find: 'unpack(tile[lane.x * stride + c])',
    replace: 'unpack(tile[lane.x * width + c])',
    caughtBy: 'one below a step of 16',
    why: 'Keys are written with an odd distance.',
  },
  {
    name: 'the denominator is not brought to the new maximum',
    find: 'row_sum *= rescale;',
    replace: 'row_sum *= 1.0;',
    caughtBy: 'a draft of two',
    why: 'Steps before the maximum rose count too much.',
  },
  {
    name: 'the values of a step are those of the step before',
    find: `      if (e < count * value_width) {
        values[i] = v[(cache + first) * value_width + e];`,
    replace: `      if (e < count * value_width) {
        values[i] = v[(cache + max(first, begin + KEYS) - KEYS) * value_width + e];`,
    caughtBy: 'one below a part of 64',
    why: 'A weight belongs to the value of its own key.',
  },
];
