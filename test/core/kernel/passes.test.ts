import { describe } from 'vitest';
import { add, testMistakes, workgroups, type Mistake } from './mistake.js';

const mistakes: readonly Mistake[] = [
  // Passes.
  {
    what: 'no passes',
    edits: [[/passes:\n.*\n/, '']],
    code: 'missing-workgroups',
    covers: '/*---',
    remedy: /entry: attend, workgroups/,
  },
  {
    what: 'a pass without workgroups',
    edits: [[`, workgroups: ${workgroups}`, '']],
    code: 'missing-workgroups',
    covers: 'entry: attend',
    remedy: /workgroups: \[/,
  },
  {
    what: 'an unknown entry point',
    edits: [['entry: attend', 'entry: atend']],
    code: 'unknown-entry',
    covers: 'atend',
    remedy: /"attend"/,
  },
  {
    what: 'a pass of two entry points that names none',
    edits: [
      ['entry: attend, ', ''],
      [/$/, '@compute @workgroup_size(1) fn other() {}'],
    ],
    code: 'missing-entry',
    covers: `{ workgroups: ${workgroups} }`,
    remedy: /attend, other/,
  },
  {
    what: 'an entry point that no pass runs',
    edits: [[/$/, '@compute @workgroup_size(1) fn other() {}']],
    code: 'unused-entry-point',
    covers: 'other',
    remedy: /entry: other/,
    severity: 'info',
  },
  {
    what: 'no entry point',
    edits: [[/@compute[^]*/, '']],
    code: 'no-entry-point',
    covers: 'passes',
    remedy: /@compute/,
  },
  {
    what: 'four axes of workgroups',
    edits: [[workgroups, '[1, 2, 3, 4]']],
    code: 'wrong-count',
    covers: '[1, 2, 3, 4]',
    remedy: /For example/,
  },
  {
    what: 'workgroups by an unknown name',
    edits: [['seqlen / TILE_M', 'seqlen / TILE_N']],
    code: 'unknown-name',
    covers: 'TILE_N',
    remedy: /"TILE_M"/,
  },
  {
    what: 'workgroups by a snake_case name',
    edits: [['heads, batch]', 'heads_kv, batch]']],
    code: 'unknown-name',
    covers: 'heads_kv',
    remedy: /"headsKv"/,
  },
  {
    what: 'workgroups that do not parse',
    edits: [['heads, batch]', 'heads *, batch]']],
    code: 'expression-syntax',
    covers: '',
    remedy: /Complete it/,
  },
  {
    what: 'a sign that is no operator',
    edits: [['heads, batch]', 'heads ^ 2, batch]']],
    code: 'expression-syntax',
    covers: '^',
    remedy: /\+ - \*/,
  },
  {
    what: 'an unknown function',
    edits: [['ceil(', 'round(']],
    code: 'expression-syntax',
    covers: 'round',
    remedy: /ceil, floor/,
  },
  {
    what: 'an open parenthesis in quotes',
    edits: [['ceil(seqlen / TILE_M)', '"ceil(seqlen"']],
    code: 'expression-syntax',
    covers: '(',
    remedy: /Add a "\)"/,
  },
  // Constants.
  {
    what: 'a constant for no override',
    edits: [add('constants: { TILE_N: 3 }')],
    code: 'unknown-constant',
    covers: 'TILE_N',
    remedy: /"TILE_M"/,
  },
  {
    what: 'a constant by an unknown name',
    edits: [add('constants: { TILE_M: headdim }')],
    code: 'unknown-name',
    covers: 'headdim',
    remedy: /"headDim"/,
  },
  {
    what: 'an override without a value',
    edits: [['TILE_M: u32 = 64', 'TILE_M: u32']],
    code: 'missing-constant',
    covers: 'TILE_M',
    remedy: /constants: \{ TILE_M: 1 \}/,
  },
  {
    what: 'tuning of no override',
    edits: [add('tune: { TILE: [1, 2] }')],
    code: 'unknown-constant',
    covers: 'TILE',
    remedy: /"TILE_M"/,
  },
];

describe('a mistake in passes or constants', () => {
  testMistakes(mistakes);
});
