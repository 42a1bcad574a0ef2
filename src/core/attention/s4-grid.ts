import type { GridCase, Options } from './mechanism.js';

const large: Options = { stepKind: 'large' };
/** The cases that every S4D kernel over whole sequences is held to. Chunks are of 64 tokens, and eight of them go together. */
export const grid: readonly GridCase[] = [
  { name: 'a single token', shape: { channels: 3, seqlen: 1, stateDim: 4 }, options: {} },
  { name: 'two tokens, one mode', shape: { channels: 2, seqlen: 2, stateDim: 1 }, options: large },
  { name: 'one below a chunk of 64', shape: { channels: 3, seqlen: 63, stateDim: 8 }, options: {} },
  { name: 'exactly one chunk of 64', shape: { channels: 2, seqlen: 64, stateDim: 16 }, options: {} },
  { name: 'one above a chunk of 64', shape: { channels: 2, seqlen: 65, stateDim: 32 }, options: {} },
  { name: 'one below two chunks', shape: { channels: 2, seqlen: 127, stateDim: 3 }, options: large },
  { name: 'one above two chunks', shape: { channels: 2, seqlen: 129, stateDim: 5 }, options: {} },
  { name: 'several batches', shape: { batch: 3, channels: 5, seqlen: 70, stateDim: 8 }, options: {} },
  { name: 'a single channel', shape: { channels: 1, seqlen: 200, stateDim: 32 }, options: {} },
  { name: 'more modes than invocations', shape: { channels: 2, seqlen: 100, stateDim: 96 }, options: {} },
  { name: 'modes of S4D-Inv', shape: { channels: 3, seqlen: 150, stateDim: 32 }, options: { modeKind: 'inv' } },
  { name: 'steps that forget within a few tokens', shape: { channels: 3, seqlen: 150, stateDim: 16 }, options: large },
  { name: 'exactly eight chunks', shape: { batch: 2, channels: 1, seqlen: 512, stateDim: 8 }, options: {} },
  { name: 'one above eight chunks', shape: { channels: 2, seqlen: 513, stateDim: 8 }, options: {} },
  { name: 'many chunks, no multiple of any', shape: { channels: 2, seqlen: 1100, stateDim: 16 }, options: {} },
];

/** The cases that kernels which decode are held to: one token, the few of a draft and more, with 1 to 128 modes. */
export const decodeCases: readonly GridCase[] = [
  { name: 'a single token', shape: { channels: 16, seqlen: 1 }, options: {} },
  { name: 'a single channel', shape: { channels: 1, seqlen: 1, stateDim: 16 }, options: {} },
  { name: 'channels no multiple of eight', shape: { channels: 13, seqlen: 1, stateDim: 16 }, options: {} },
  { name: 'several batches', shape: { batch: 3, channels: 5, seqlen: 1, stateDim: 8 }, options: {} },
  { name: 'one mode', shape: { channels: 4, seqlen: 2, stateDim: 1 }, options: { modeKind: 'inv' } },
  { name: 'modes no multiple of sixteen', shape: { channels: 4, seqlen: 2, stateDim: 21 }, options: {} },
  { name: '64 modes', shape: { channels: 4, seqlen: 1, stateDim: 64 }, options: {} },
  { name: '96 modes', shape: { channels: 4, seqlen: 1, stateDim: 96 }, options: {} },
  { name: '128 modes', shape: { channels: 4, seqlen: 1, stateDim: 128 }, options: {} },
  { name: 'two tokens', shape: { channels: 8, seqlen: 2 }, options: {} },
  { name: 'four tokens, several batches', shape: { batch: 2, channels: 9, seqlen: 4 }, options: {} },
  { name: 'seventeen tokens', shape: { channels: 8, seqlen: 17, stateDim: 16 }, options: {} },
  { name: 'modes of S4D-Inv', shape: { channels: 8, seqlen: 4 }, options: { modeKind: 'inv' } },
  { name: 'steps that forget within a few tokens', shape: { channels: 8, seqlen: 4 }, options: large },
];
