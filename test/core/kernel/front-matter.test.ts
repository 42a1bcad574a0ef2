import { describe, expect, it } from 'vitest';
import { add, findingsOnGoodKernel, shapeText, testMistakes, type Mistake } from './mistake.js';

const mistakes: readonly Mistake[] = [
  // The form of the front matter.
  {
    what: 'YAML that does not parse',
    edits: [[shapeText, '{ batch: 2, heads: [4 }']],
    code: 'yaml-syntax',
    covers: '}',
    remedy: /key: value/,
  },
  {
    what: 'a tab as indentation',
    edits: [['  - { entry', '\t- { entry']],
    code: 'yaml-syntax',
    covers: '\t',
    remedy: /spaces/,
  },
  {
    what: 'scratch sizes in braces without quotes',
    edits: [add('scratch: { part: f32[batch, heads] }')],
    code: 'yaml-syntax',
    covers: '[',
    remedy: /quotes/,
  },
  {
    what: 'a key twice',
    edits: [add('mechanism: softmax-attention')],
    code: 'duplicate-key',
    covers: 'mechanism',
    remedy: /one of the two/,
  },
  {
    what: 'an alias',
    edits: [['shape: {', 'shape: &s {'], add('options: *s')],
    code: 'yaml-alias',
    covers: '*s',
    remedy: /Write the value out/,
  },
  {
    what: 'an unclosed front matter',
    edits: [['---*/', '*/']],
    code: 'front-matter-unclosed',
    covers: '/*---',
    remedy: /---\*\//,
  },
  { what: 'an unknown key', edits: [['shape:', 'shapes:']], code: 'unknown-key', covers: 'shapes', remedy: /"shape"/ },
  {
    what: 'an unknown key of a pass',
    edits: [['entry: attend', 'entrypoint: attend']],
    code: 'unknown-key',
    covers: 'entrypoint',
    remedy: /entry, workgroups|"entry"/,
  },
  {
    what: 'a key without a value',
    edits: [[shapeText, '']],
    code: 'missing-value',
    covers: 'shape',
    remedy: /For example: shape:/,
  },
  {
    what: 'a list where a mapping belongs',
    edits: [[shapeText, '[1, 2]']],
    code: 'wrong-type',
    covers: '[1, 2]',
    remedy: /batch: 1/,
  },
  {
    what: 'a word where a size belongs',
    edits: [['batch: 2', 'batch: two']],
    code: 'wrong-type',
    covers: 'two',
    remedy: /For example/,
  },
  {
    what: 'a mapping where a mechanism belongs',
    edits: [['mechanism: softmax-attention', 'mechanism: { a: 1 }']],
    code: 'wrong-type',
    covers: '{ a: 1 }',
    remedy: /For example/,
  },
  // What it computes.
  {
    what: 'no mechanism',
    edits: [['mechanism: softmax-attention\n', '']],
    code: 'missing-mechanism',
    covers: '/*---',
    remedy: /softmax-attention/,
  },
  {
    what: 'a misspelt mechanism',
    edits: [['softmax-attention', 'softmax-atention']],
    code: 'unknown-mechanism',
    covers: 'softmax-atention',
    remedy: /"softmax-attention"/,
  },
  {
    what: 'a mechanism unlike any other',
    edits: [['softmax-attention', 'mamba']],
    code: 'unknown-mechanism',
    covers: 'mamba',
    remedy: /softmax-attention, linear-attention/,
  },
  {
    what: 'a misspelt direction',
    edits: [add('direction: foward')],
    code: 'unknown-direction',
    covers: 'foward',
    remedy: /"forward"/,
  },
  {
    what: 'a direction the mechanism does not have',
    edits: [add('direction: decode')],
    code: 'unknown-direction',
    covers: 'decode',
    remedy: /forward, backward/,
  },
  {
    what: 'an unknown dimension',
    edits: [['headDim: 32', 'headdim: 32']],
    code: 'unknown-dimension',
    covers: 'headdim',
    remedy: /"headDim"/,
  },
  {
    what: 'an option among the dimensions',
    edits: [['headDim: 32', 'causal: 1']],
    code: 'unknown-dimension',
    covers: 'causal',
    remedy: /move it to "options"/,
  },
  {
    what: 'an unknown option',
    edits: [add('options: { casual: true }')],
    code: 'unknown-option',
    covers: 'casual',
    remedy: /"causal"/,
  },
  {
    what: 'a dimension among the options',
    edits: [add('options: { heads: 2 }')],
    code: 'unknown-option',
    covers: 'heads',
    remedy: /move it to "shape"/,
  },
  { what: 'a size of zero', edits: [['batch: 2', 'batch: 0']], code: 'invalid-size', covers: '0', remedy: /batch: 64/ },
  {
    what: 'a fractional size',
    edits: [['batch: 2', 'batch: 2.5']],
    code: 'invalid-size',
    covers: '2.5',
    remedy: /For example/,
  },
  {
    what: 'a size beyond all memory',
    edits: [['batch: 2', 'batch: 1e300']],
    code: 'invalid-size',
    covers: '1e300',
    remedy: /For example/,
  },
  {
    what: 'a number for a switch',
    edits: [add('options: { causal: 2 }')],
    code: 'invalid-option',
    covers: '2',
    remedy: /true or false/,
  },
  {
    what: 'a word for a number',
    edits: [add('options: { scale: big }')],
    code: 'invalid-option',
    covers: 'big',
    remedy: /scale: 1/,
  },
  {
    what: 'a window of one side',
    edits: [add('options: { window: [3] }')],
    code: 'invalid-option',
    covers: '[3]',
    remedy: /\[128, 0\]/,
  },
  {
    what: 'a shape the mechanism refuses',
    edits: [['heads: 4', 'heads: 4, headsKv: 3']],
    code: 'invalid-shape',
    covers: 'shape',
    remedy: /Change "shape"/,
  },
  {
    what: 'an unknown name in a case',
    edits: [add('cases: [{ seqlen: 3, colour: 1 }]')],
    code: 'unknown-dimension',
    covers: 'colour',
    remedy: /seqlen/,
  },
  {
    what: 'a bad size in a case',
    edits: [add('cases: [{ seqlen: -3 }]')],
    code: 'invalid-size',
    covers: '-3',
    remedy: /For example/,
  },
  {
    what: 'a case the mechanism refuses',
    edits: [add('cases: [{ headsKv: 3 }]')],
    code: 'invalid-shape',
    covers: '{ headsKv: 3 }',
    remedy: /Change this case/,
  },
  {
    what: 'a case that varies what the kernel does not take',
    edits: [add('cases: [{ headDim: 16 }]')],
    code: 'untaken-dimension',
    covers: 'headDim',
    remedy: /another way/,
    severity: 'info',
  },
];

describe('a mistake in the form or the setting of a front matter', () => {
  it('is absent from the kernel they are all made from', () => {
    expect(findingsOnGoodKernel()).toEqual([]);
  });

  testMistakes(mistakes);
});
