import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/core/diagnostic.js';
import { completionsAt } from '../../../src/core/kernel/complete.js';
import { hoverAt } from '../../../src/core/kernel/hover.js';
import { planKernel } from '../../../src/core/kernel/plan.js';
import { readKernel } from '../../../src/core/kernel/read.js';
import { templateFor } from '../../../src/core/kernel/template.js';

/** A small file that uses every key, so that a mutation is likely to hit something. */
const everything = `/*---
mechanism: softmax-attention
direction: forward
shape: { batch: 1, heads: 4, seqlen: 33, headDim: 32 }
options: { causal: true, window: [8, 0], scale: 0.25 }
cases:
  - { seqlen: 65, causal: false }
  - { headsKv: 2, window: [-1, -1] }
passes:
  - { entry: a, workgroups: [ceil(seqlen / T), max(heads, 1), batch] }
  - entry: b
    workgroups: [div(seqlen, 2) + 1]
constants: { T: headDim / 2 }
scratch:
  part: f32[batch, heads, ceil(seqlen / T)]
bindings: { query: q, sums: part }
uniforms: { n: seqlen, dims: [batch, heads, headDim] }
layout: { o: [batch, seqlen, heads, headDimV] }
dtype: { k: f16 }
defines: { WIDE: headDim * 2, FAST: true }
requires: [subgroups]
tune: { T: [8, 16] }
---*/
override T: u32 = 4 * 2;
struct P { n: u32, dims: vec3<u32>, window_left: i32, _pad: f32 }
@group(0) @binding(0) var<uniform> p: P;
@group(0) @binding(1) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<u32>;
@group(1) @binding(0) var<storage, read> v: array<f32>;
@group(1) @binding(1) var<storage, read_write> o: array<vec3<f32>>;
@group(1) @binding(2) var<storage, read_write> sums: array<f32>;
var<workgroup> tile: array<f32, T * 4>;
#ifdef FAST
@compute @workgroup_size(T)
fn a() { tile[0] = query[0].x + v[0]; sums[0] = tile[0] * f32(WIDE); }
#endif
@compute @workgroup_size(1)
fn b() { o[0].x = sums[0] + f32(p.n) + f32(k[0]); }
`;

/** Little WGSL, so that most of the time goes into the front matter. */
const small = `/*---
mechanism: linear-attention
shape: { heads: 2, seqlen: 40 }
cases: [{ seqlen: 1 }]
passes: [{ entry: a, workgroups: [ceil(seqlen / T), heads] }]
uniforms: { n: seqlen }
---*/
override T: u32 = 8;
@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(T)
fn a() { o[n] = q[0] + k[0] + v[0]; }
`;

const tokens = [
  ...Array.from('{}[]():,-#&*!|>\'"%@`\\/?=+~.\t\r\n 0'),
  '---', '---*/', '/*---\n', '*/', '\n  - ', ': ', ', ', '-1', '0', '1e999', '.inf', '.nan', '99999999999999999999', '0x7fffffff',
  'null', '~', 'true', 'no', '!!binary', '<<', '&x', '*x', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length',
  'headDim', 'seqlen', 'causal', 'T', 'ceil(', 'max(1, 2)', '((((', ' / 0', '1 % 0', 'f32[', 'vec3<f32>', 'array<', '@group(0)', '@id(3)',
  '#define T', '#if', '#endif', 'override', 'struct', '\u{1F600}', '\ud800', '\u2028', '\uFEFF', '\0',
]; // prettier-ignore

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One to three edits, three in four of them in the first `focus` characters, where the front matter stands. */
function mutate(source: string, focus: number, next: () => number): string {
  const pick = (count: number): number => Math.floor(next() * count);
  let text = source;
  for (let edits = 1 + pick(3); edits > 0; edits--) {
    const at = pick(next() < 0.75 ? Math.min(focus, text.length) : text.length);
    const length = pick(next() < 0.8 ? 6 : 80);
    const rest = text.slice(at + length);
    const [cut, token] = [text.slice(at, at + length), tokens[pick(tokens.length)]!];
    switch (pick(6)) {
      case 0:
        text = text.slice(0, at) + rest;
        break;
      case 1:
        text = text.slice(0, at) + token + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + token + rest;
        break;
      case 3:
        text = text.slice(0, at) + cut + cut + rest;
        break;
      case 4:
        text = text.slice(0, at) + token.repeat(1 + pick(next() < 0.05 ? 3000 : 10)) + rest;
        break;
      default: {
        const other = pick(text.length);
        text = text.slice(0, at) + text.slice(other, other + length) + rest;
      }
    }
  }
  return text;
}

// Plain checks: a million calls of `expect` would take longer than what they check.
function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

function checkInside(diagnostics: readonly Diagnostic[], text: string): void {
  for (const { span, code, message } of diagnostics) {
    const inside = span.start >= 0 && span.start <= span.end && span.end <= text.length;
    check(inside && message !== '', `${code} at ${span.start} to ${span.end} of ${text.length}: ${message}`);
  }
}

/** Everything an editor and a run would ask of a text. Returns 1 where it could be planned. */
function exercise(text: string, next: () => number): number {
  const kernel = readKernel(text, 'fuzz');
  let planned = 0;
  if (kernel) {
    checkInside(kernel.diagnostics, text);
    const cases = [kernel, ...kernel.cases.slice(0, 1)];
    for (const { shape, options } of cases) {
      const result = planKernel(kernel, shape, options);
      if (result.ok) {
        planned = 1;
        for (const { byteLength } of result.plan.buffers) check(byteLength > 0, 'A buffer is empty.');
      } else {
        checkInside(result.diagnostics, text);
        check(result.diagnostics.length > 0, 'There is no plan, and nothing says why.');
      }
    }
  }
  if (next() > 0.2) return planned;
  const offset = Math.floor(next() * (text.length + 1));
  const completions = completionsAt(text, offset);
  if (completions) {
    const { start, end } = completions.span;
    check(
      start <= offset && offset <= end && end <= text.length,
      `Completions at ${offset} replace ${start} to ${end}.`,
    );
  }
  const hover = hoverAt(text, offset);
  check((hover?.span.end ?? 0) <= text.length, 'A hover ends outside the text.');
  return planned;
}

const seeds: readonly (readonly [name: string, text: string, rounds: number])[] = [
  ['a small file', small, 15_000],
  ['a file with every key', everything, 2_500],
  ['a template', templateFor('lightning-attention')!, 250],
  ['a shipped kernel', readFileSync('shaders/softmax/naive.wgsl', 'utf8'), 250],
];

it.each(seeds)(
  '%s: no mutation makes reading or planning throw, hang, or point outside the text',
  (_, seed, rounds) => {
    const next = random(1);
    const focus = seed.indexOf('---*/') + 8;
    const worst = { milliseconds: 0, text: '' };
    let planned = exercise(seed, next);
    expect(planned).toBe(1);
    for (let round = 0; round < rounds; round++) {
      const text = mutate(seed, focus, next);
      const from = performance.now();
      try {
        planned += exercise(text, next);
      } catch (error) {
        throw new Error(`Round ${round} failed on:\n${text}`, { cause: error });
      }
      const milliseconds = performance.now() - from;
      if (milliseconds > worst.milliseconds) Object.assign(worst, { milliseconds, text });
    }
    expect(planned).toBeGreaterThan(rounds / 100);
    expect(worst.milliseconds, worst.text).toBeLessThan(10_000);
  },
  300_000,
);
