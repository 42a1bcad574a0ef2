import { describe, expect, it } from 'vitest';
import type { LineTraffic } from '../../../src/core/analysis/ledger.js';
import { formatBytes, lineNotes } from '../../../src/extension/lineNoteText.js';
import { english } from './english.js';

const read: LineTraffic = {
  line: 12,
  text: 'tile[i] = k[j];',
  span: { start: 300, end: 304 },
  pass: 0,
  variable: 'k',
  space: 'storage',
  kind: 'read',
  accesses: 32768,
  requestedBytes: 131072,
  transferredBytes: 131072,
  efficiency: 1,
  bankConflict: null,
  timesCompulsory: 32,
};

const staged: LineTraffic = {
  ...read,
  variable: 'tile',
  space: 'workgroup',
  kind: 'write',
  requestedBytes: 65536,
  bankConflict: 1,
  timesCompulsory: null,
};

const textOf = (...lines: LineTraffic[]): string[] => lineNotes(lines, english).map(({ text }) => text);

describe('the note at the end of a line', () => {
  it('tells bytes, times compulsory and coalescing of the one tensor that the line moves', () => {
    expect(textOf(read)).toEqual(['128 KiB · 32× · 100 % coalesced']);
    expect(textOf({ ...read, transferredBytes: 4 * 131072, efficiency: 0.25, timesCompulsory: 1.5 })).toEqual([
      '128 KiB · 1.5× · 25 % coalesced',
    ]);
  });

  it('is about device memory where a line moves both, and has the rest in its details', () => {
    const [note, ...others] = lineNotes([staged, read], english);
    expect(others).toEqual([]);
    expect(note).toMatchObject({ line: 12, text: '128 KiB · 32× · 100 % coalesced' });
    expect(note!.details).toEqual([
      'k: 128 KiB read · 128 KiB in whole sectors · 32× the tensor',
      'tile: 64 KiB written · no bank conflicts',
    ]);
  });

  it('adds up several variables, weighs their coalescing by what was transferred, and names no factor then', () => {
    const other = { ...read, variable: 'v', requestedBytes: 131072, transferredBytes: 3 * 131072, efficiency: 1 / 3 };
    expect(textOf(read, other)).toEqual(['256 KiB · 50 % coalesced']);
  });

  it('says what bank conflicts cost in workgroup memory, and nothing where there are none', () => {
    expect(textOf(staged)).toEqual(['64 KiB workgroup memory']);
    expect(textOf({ ...staged, bankConflict: 7.9 })).toEqual(['64 KiB workgroup memory · 7.9× bank conflicts']);
  });

  it('leaves out uniforms', () => {
    expect(textOf({ ...read, space: 'uniform', variable: 'params', efficiency: 0.125 })).toEqual([]);
  });

  it('stands in the order of the lines', () => {
    const notes = lineNotes([{ ...read, line: 40 }, staged, { ...read, line: 3 }], english);
    expect(notes.map(({ line }) => line)).toEqual([3, 12, 40]);
  });
});

describe('a size', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [134217728, '128 MiB'],
    [1047552, '1023 KiB'],
  ])('of %d bytes is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
