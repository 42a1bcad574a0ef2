import type { Mistake } from './mistake.js';

/** Mistakes in s4/chunked.wgsl. */
export const s4Chunked: readonly Mistake[] = [
  {
    name: 'the output reads the state without the step of its own token',
    find: 'power(Abar[mode], row + 1u)',
    replace: 'power(Abar[mode], max(row, 1u))',
    caughtBy: 'two tokens, one mode',
    why: 'The state before the chunk passes the step of each row, its own among them.',
  },
  {
    name: 'the conjugate modes are forgotten',
    find: 'reads[mode * CHUNK + row] = 2.0 * multiply',
    replace: 'reads[mode * CHUNK + row] = multiply',
    caughtBy: 'a single token',
    why: 'Each mode stands for two.',
  },
  {
    name: 'complex products lose their sign',
    find: 'vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x)',
    replace: 'vec2(a.x * b.x + a.y * b.y, a.x * b.y + a.y * b.x)',
    caughtBy: 'two tokens, one mode',
    why: 'The square of i is -1.',
  },
  {
    name: 'taps are one row late',
    find: 'CHUNK + id.x - 1u]',
    replace: 'CHUNK + id.x]',
    caughtBy: 'one below a chunk of 64',
    why: 'Reads begin with the first power, taps with the power zero.',
  },
  {
    name: 'the last chunk counts as a whole one',
    find: 'multiply(power(Abar[mode], chunk_length(last)), state)',
    replace: 'multiply(leap, state)',
    caughtBy: 'one below a chunk of 64',
    why: 'A shorter chunk takes the state a shorter way.',
  },
  {
    name: 'the convolution is turned around',
    find: 'tap_tile[row - c]',
    replace: 'tap_tile[c]',
    caughtBy: 'two tokens, one mode',
    why: 'The nearest token meets the first tap.',
  },
  {
    name: 'states are not handed on',
    find: 'state = multiply(leap, state) + sum;',
    replace: 'state = sum;',
    caughtBy: 'one above two chunks',
    why: 'What came before a chunk reaches beyond it.',
  },
];

/** Mistakes in s4/decode-f16.wgsl. */
export const s4DecodeF16: readonly Mistake[] = [
  {
    name: 'real and imaginary part of the input change places',
    find: 'b[k] = unpack2x16float(Bbar[channel * params.state_dim + n]);',
    replace: 'b[k] = unpack2x16float(Bbar[channel * params.state_dim + n]).yx;',
    caughtBy: 'a single channel',
    why: 'The real part is in the low half of the word.',
  },
  {
    name: 'C is read as fractions of 32767',
    find: 'unpack2x16float(C[',
    replace: 'unpack2x16snorm(C[',
    caughtBy: 'a single channel',
    why: 'The words hold halves.',
  },
  {
    name: 'two modes share a word of C',
    find: 'C[channel * params.state_dim + n]',
    replace: 'C[(channel * params.state_dim + n) / 2u]',
    caughtBy: 'a single channel',
    why: 'A complex number is a whole word.',
  },
  {
    name: 'all sequences start from the state of the first',
    find: 'state[k] = s0[batch_channel * params.state_dim + n];',
    replace: 'state[k] = s0[channel * params.state_dim + n];',
    caughtBy: 'several batches',
    why: 'Parameters are shared by a batch, states are not.',
  },
];

/** Mistakes in s4/decode.wgsl. */
export const s4Decode: readonly Mistake[] = [
  {
    name: 'the imaginary part rotates the other way',
    find: 'a.x * b.y + a.y * b.x',
    replace: 'a.x * b.y - a.y * b.x',
    caughtBy: 'seventeen tokens',
    why: 'A mode turns by the angle of Ā.',
  },
  {
    name: 'only the first modes are added up',
    find: 'm < MODES; m++',
    replace: 'm < MODES / 2u; m++',
    caughtBy: 'modes no multiple of sixteen',
    why: 'All modes make up the output.',
  },
  {
    name: 'the output is that of one of two conjugate modes',
    find: '2.0 * sum + D[channel] * token',
    replace: 'sum + D[channel] * token',
    caughtBy: 'one mode',
    why: 'Each mode stands for two.',
  },
  {
    name: 'every channel reads the parameters of the first of its workgroup',
    find: 'a[k] = Abar[channel * params.state_dim + n];',
    replace: 'a[k] = Abar[group.x * CHANNELS * params.state_dim + n];',
    caughtBy: 'one mode',
    why: 'Each channel is a system of its own.',
  },
];
