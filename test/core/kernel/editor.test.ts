import { describe, expect, it } from 'vitest';
import { completionsAt } from '../../../src/core/kernel/complete.js';
import { hoverAt } from '../../../src/core/kernel/hover.js';

const wgsl = `
override TILE_M: u32 = 64;
struct Params { seqlen: u32, n_ctx: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<f32>;
@group(0) @binding(2) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(TILE_M) fn attend() { o[0] = query[params.seqlen + params.n_ctx]; }
@compute @workgroup_size(1) fn merge() { o[1] = 0.0; }
`;

/** Puts the front matter around the text, and takes `|` as the cursor. */
function at(yaml: string): { source: string; offset: number } {
  const marked = `/*---\n${yaml}\n---*/${wgsl}`;
  const offset = marked.indexOf('|');
  return { source: marked.replace('|', ''), offset };
}

function complete(yaml: string): { labels: string[]; replaced: string; inserts: string[] } {
  const { source, offset } = at(yaml);
  const found = completionsAt(source, offset);
  if (!found) return { labels: [], replaced: '', inserts: [] };
  const { start, end } = found.span;
  return {
    labels: found.items.map(({ label }) => label),
    inserts: found.items.map(({ insertText }) => insertText),
    replaced: source.slice(start, end),
  };
}

const softmax = 'mechanism: softmax-attention\n';
const dims = ['batch', 'heads', 'headsKv', 'seqlen', 'seqlenK', 'headDim', 'headDimV'];

describe('completion in the front matter', () => {
  it.each<[string, string, string[], string]>([
    ['keys of an empty front matter', '|', ['mechanism', 'shape', 'passes', 'tune'], ''],
    ['a key begun', `${softmax}sha|`, ['shape'], 'sha'],
    ['mechanisms', 'mechanism: soft|', ['softmax-attention', 'linear-attention'], 'soft'],
    ['mechanisms on a line of their own', 'mechanism:\n  |', ['softmax-attention'], ''],
    ['directions', `${softmax}direction: |`, ['forward', 'backward'], ''],
    ['dimensions in braces', `${softmax}shape: { batch: 1, |`, ['heads', 'seqlen'], ''],
    ['dimensions in lines', `${softmax}shape:\n  batch: 1\n  he|`, ['heads', 'headDim'], 'he'],
    ['options', `${softmax}options: { ca| }`, ['causal', 'window', 'scale'], 'ca'],
    ['values of a switch', `${softmax}options: { causal: | }`, ['true', 'false'], ''],
    ['values of a choice', 'mechanism: linear-attention\noptions: { feature: e| }', ['identity', 'elu1', 'silu'], 'e'],
    ['both kinds in a case', `${softmax}cases:\n  - { seqlen: 3, |`, ['headDim', 'causal'], ''],
    ['keys of a pass', `${softmax}passes:\n  - |`, ['entry', 'workgroups'], ''],
    ['the second key of a pass', `${softmax}passes:\n  - entry: attend\n    wor|`, ['workgroups'], 'wor'],
    ['entry points', `${softmax}passes:\n  - { entry: | }`, ['attend', 'merge'], ''],
    [
      'names in workgroups',
      `${softmax}passes:\n  - { entry: attend, workgroups: [ceil(seq|`,
      ['seqlen', 'TILE_M', 'ceil', 'causal'],
      'seq',
    ],
    ['names after an inner comma', `${softmax}passes: { workgroups: [max(1, se|), 1] }`, ['seqlen'], 'se'],
    ['overrides', `${softmax}constants: { | }`, ['TILE_M'], ''],
    ['overrides to tune', `${softmax}tune:\n  TI|`, ['TILE_M'], 'TI'],
    ['values of constants', `${softmax}constants: { TILE_M: he|`, ['headDim'], 'he'],
    ['variables', `${softmax}bindings: { | }`, ['query', 'o'], ''],
    ['tensors', `${softmax}bindings: { query: | }`, ['q', 'k', 'v', 'o', 'lse'], ''],
    [
      'scratch buffers as targets',
      `${softmax}scratch:\n  part: f32[seqlen]\nbindings: { query: | }`,
      ['q', 'part'],
      '',
    ],
    ['uniform members', `${softmax}uniforms: { | }`, ['seqlen', 'n_ctx'], ''],
    ['tensors in a layout', `${softmax}layout: { | }`, ['q', 'o'], ''],
    ['dimensions in a layout', `${softmax}layout: { q: [batch, | ] }`, dims, ''],
    ['formats', `${softmax}dtype: { q: | }`, ['f32', 'f16'], ''],
    ['features', `${softmax}requires: [shader-|]`, ['shader-f16', 'subgroups'], 'shader-'],
  ])('offers %s', (_, yaml, expected, replaced) => {
    const found = complete(yaml);
    expect(found.labels).toEqual(expect.arrayContaining(expected));
    expect(found.replaced).toBe(replaced);
  });

  it('leaves out keys that are already there', () => {
    expect(complete(`${softmax}|`).labels).not.toContain('mechanism');
    expect(complete(`${softmax}shape: { batch: 1, | }`).labels).not.toContain('batch');
  });

  it('puts a colon after a key, unless there is one', () => {
    expect(complete(`${softmax}sha|`).inserts).toContain('shape: ');
    expect(complete(`${softmax}sha|: { }`).inserts).toContain('shape');
  });

  it('offers an example where a mapping or list is to begin', () => {
    expect(complete(`${softmax}shape: |`).inserts[0]).toMatch(/^\{ batch: 1/);
  });

  it('is silent in the WGSL, on the fence and in comments', () => {
    const { source } = at(softmax);
    expect(completionsAt(source, source.indexOf('override'))).toBeNull();
    expect(completionsAt(source, 5)).toBeNull();
    expect(complete(`${softmax}# sh|`).labels).toEqual([]);
  });
});

describe('hover in the front matter', () => {
  function hover(yaml: string): { markdown: string; on: string } | null {
    const { source, offset } = at(yaml);
    const found = hoverAt(source, offset);
    return found && { markdown: found.markdown, on: source.slice(found.span.start, found.span.end) };
  }

  it.each<[string, string, RegExp, string]>([
    ['a key', `${softmax}sha|pe: { batch: 2 }`, /sizes to run[\s\S]*Default/, 'shape'],
    ['a mechanism', 'mechanism: softmax-|attention', /\| `q` \| input \|/, 'softmax-attention'],
    ['a dimension', `${softmax}shape: { bat|ch: 2 }`, /Here 2; default 1/, 'batch'],
    ['an option', `${softmax}options: { cau|sal: false }`, /boolean[\s\S]*Here false/, 'causal'],
    ['an entry point', `${softmax}passes: { entry: att|end, workgroups: 1 }`, /workgroup_size\(64, 1, 1\)/, 'attend'],
    [
      'an expression, with its value',
      `${softmax}shape: { seqlen: 200 }\npasses: { entry: attend, workgroups: [ceil(seq|len / TILE_M), 1, 1] }`,
      /Here 200[\s\S]*= 4$/,
      'ceil(seqlen / TILE_M)',
    ],
    ['an override', `${softmax}constants: { TILE|_M: 32 }`, /override TILE_M: u32[\s\S]*Here 32; default 64/, 'TILE_M'],
    ['a tensor', `${softmax}bindings: { query: |q }`, /Required input `\[batch, heads, seqlen, headDim\]`/, 'q'],
    ['a size of scratch', `${softmax}scratch:\n  part: f32[batch, head|Dim]`, /Here 64/, 'headDim'],
    ['a feature', `${softmax}requires: [shader|-f16]`, /type f16/, 'shader-f16'],
  ])('explains %s', (_, yaml, markdown, on) => {
    const found = hover(yaml);
    expect(found?.markdown).toMatch(markdown);
    expect(found?.on).toBe(on);
  });

  it('has nothing to say outside it', () => {
    const { source } = at(softmax);
    expect(hoverAt(source, source.indexOf('override'))).toBeNull();
  });
});
