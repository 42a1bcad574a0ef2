import { describe, expect, it } from 'vitest';
import { buildSchedule } from '../../../src/core/analysis/schedule-build.js';
import type { KeySplit, Schedule } from '../../../src/core/analysis/schedule.js';
import type { Shape } from '../../../src/core/attention/mechanism.js';
import { builtInText, plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

function scheduleOf(file: string, shape: Shape): Schedule {
  return buildSchedule(simulatedContext(plannedKernel(builtInText(file), shape), 'all', { provenance: true }));
}

const splitsOf = ({ workgroups }: Schedule, pass: number): readonly (KeySplit | null)[] =>
  workgroups.filter((item) => item.pass === pass).map(({ split }) => split);

describe('decoding from latents, the keys split between workgroups', () => {
  const schedule = scheduleOf('mla/decode.wgsl', { heads: 2, seqlen: 2, seqlenK: 300, latentDim: 32, ropeDim: 16 });

  it('finds each workgroup’s keys, in their order', () => {
    const splits = splitsOf(schedule, 0).filter((split) => split?.plane === 0);
    expect(splits.map((split) => [split!.from, split!.to])).toEqual([
      [0, 128],
      [128, 256],
      [256, 300],
    ]);
  });

  it('says who shares the keys and who puts the results together', () => {
    expect(schedule.sentence).toContain(
      'The keys of a query are split between workgroups, 128 each. "merge" puts their results together.',
    );
  });

  it('knows a latent as keys and values, and what has a row for each key or query', () => {
    const parts = Object.fromEntries(schedule.tensors.map(({ name, parts: own }) => [name, own]));
    expect(parts).toMatchObject({
      q_lat: ['query'],
      q_pe: ['query'],
      c: ['key', 'value'],
      k_pe: ['key'],
      o_lat: ['output'],
      lse: [],
      part_o: [],
    });
  });
});

describe('workgroups that finish their queries or their keys alone', () => {
  it('split nothing, be it that they stay with their queries or, for gradients of keys, with their keys', () => {
    const schedule = scheduleOf('softmax/backward.wgsl', { heads: 1, seqlen: 66, headDim: 16 });
    for (const pass of [0, 1, 2]) expect(splitsOf(schedule, pass).every((split) => split === null)).toBe(true);
    expect(schedule.sentence).not.toContain('split');
    const parts = Object.fromEntries(schedule.tensors.map(({ name, parts: own }) => [name, own]));
    expect(parts).toMatchObject({ q: ['query'], dq: ['query'], dk: ['key'], dv: ['value'], do: ['output'] });
  });

  it('split nothing where scores are formed tile by tile for others to weigh values with', () => {
    const schedule = scheduleOf('softmax/naive.wgsl', { heads: 1, seqlen: 40, headDim: 16 });
    expect(splitsOf(schedule, 0).every((split) => split === null)).toBe(true);
    expect(schedule.sentence).not.toContain('split');
  });
});

describe('the parts of the tensors of a ring', () => {
  it('are those of the caches for what becomes of them, and none for the new keys and values', () => {
    const { tensors } = scheduleOf('rotating-cache/decode.wgsl', {
      heads: 2,
      headsKv: 1,
      seqlen: 2,
      capacity: 16,
      headDim: 16,
    });
    const parts = Object.fromEntries(tensors.map(({ name, parts: own }) => [name, own]));
    expect(parts).toMatchObject({ q: ['query'], k: [], v: [], k_cache: ['key'], v_cache: ['value'], o: ['output'] });
    expect(parts).toMatchObject({ k_cache_next: ['key'], v_cache_next: ['value'] });
  });
});
