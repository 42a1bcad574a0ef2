import { describe, expect, it } from 'vitest';
import type { TraceReport } from '../../../src/lab/contract.js';
import {
  emptyRecord,
  parseRecord,
  restoredUri,
  serializeRecord,
  type KernelRecord,
} from '../../../src/extension/record.js';

const uri = 'file:///kernels/a.wgsl';
const override = { shape: { seqlen: 300 }, options: { causal: false } };

describe('a stored record', () => {
  it('comes back as it was, without the last failure', () => {
    const record: KernelRecord = {
      ...emptyRecord,
      override,
      recent: [override],
      tab: 'benchmark',
      failed: {
        job: 'run',
        hash: 'h',
        failure: { kind: 'timeout', message: 'It never ended.', remedy: null, diagnostics: [] },
      },
    };
    expect(parseRecord(uri, serializeRecord(uri, record))).toEqual({ ...record, failed: null });
  });

  it.each([
    ['damaged text', '{"schemaVersion": 1, "uri"'],
    ['another version', JSON.stringify({ schemaVersion: 0, uri, ...emptyRecord })],
    ['another file', serializeRecord('file:///other.wgsl', emptyRecord)],
    ['something else', '[1, 2]'],
  ])('counts as absent when it is %s', (_, text) => {
    expect(parseRecord(uri, text)).toBeNull();
  });

  it('keeps a trace and the tab it was looked at in, unless it is too large to be worth it', () => {
    const traced = (sentence: string): KernelRecord => ({
      ...emptyRecord,
      tab: 'traffic',
      // What else a report holds is no matter of the record's.
      trace: { at: 3, report: { hash: 'h', sentence } as TraceReport },
    });
    const small = traced('All counts are exact.');
    expect(parseRecord(uri, serializeRecord(uri, small))).toEqual(small);
    const large = traced('x'.repeat(2_000_000));
    expect(parseRecord(uri, serializeRecord(uri, large))).toEqual({ ...large, trace: null });
  });

  it('loses only the parts that are damaged', () => {
    const stored = JSON.parse(serializeRecord(uri, { ...emptyRecord, override })) as Record<string, unknown>;
    const damaged = { ...stored, compare: { at: 'noon' }, recent: 3 };
    expect(parseRecord(uri, JSON.stringify(damaged))).toEqual({ ...emptyRecord, override });
  });
});

describe('the state of a page', () => {
  it('names the kernel it showed', () => {
    expect(restoredUri({ uri, tab: 'compare' })).toBe(uri);
    expect(restoredUri({ uri: null })).toBeNull();
    expect(restoredUri(undefined)).toBeNull();
  });
});
