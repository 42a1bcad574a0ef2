import { expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/core/diagnostic.js';
import { readKernel } from '../../../src/core/kernel/read.js';

const yaml = `mechanism: softmax-attention
shape: { batch: 2, heads: 4, seqlen: 128, headDim: 32 }
passes:
  - { entry: attend, workgroups: [ceil(seqlen / TILE_M), heads, batch] }
`;

const wgsl = `override TILE_M: u32 = 64;
struct Params { seqlen: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(TILE_M)
fn attend(@builtin(global_invocation_id) id: vec3<u32>) {
  o[id.x] = params.scale * (q[id.x] + k[id.x] + v[id.x]) * f32(params.seqlen);
}
`;

/** A replacement in the text of the good kernel. */
export type Edit = readonly [from: string | RegExp, to: string];

/** The good kernel with edits; each must find its text. */
export function kernelWith(...edits: readonly Edit[]): string {
  let source = `/*---\n${yaml}---*/\n${wgsl}`;
  for (const [from, to] of edits) {
    const edited = source.replace(from, to);
    if (edited === source) throw new Error(`The edit ${String(from)} found nothing.`);
    source = edited;
  }
  return source;
}

/** Adds a line to the front matter. */
export const add = (line: string): Edit => ['---*/', `${line}\n---*/`];

function findings(source: string): { diagnostics: readonly Diagnostic[]; covered: (found: Diagnostic) => string } {
  const { diagnostics } = readKernel(source, 'test')!;
  return { diagnostics, covered: ({ span }) => source.slice(span.start, span.end) };
}

/** The shape of the good kernel as it is written. */
export const shapeText = '{ batch: 2, heads: 4, seqlen: 128, headDim: 32 }';
/** Its workgroups as they are written. */
export const workgroups = '[ceil(seqlen / TILE_M), heads, batch]';
/** Makes the kernel use a scratch buffer `part`. */
export const useScratch: readonly Edit[] = [
  [/@compute/, '@group(0) @binding(5) var<storage, read_write> part: array<f32>;\n@compute'],
  ['o[id.x] =', 'part[id.x] = 1.0; o[id.x] = part[id.x] *'],
];
/** Makes the kernel declare and read one more variable. */
export const useExtra = (declaration: string, read: string): readonly Edit[] => [
  [/@compute/, `${declaration}\n@compute`],
  ['o[id.x] =', `o[id.x] = ${read} *`],
];

/** A mistake: how to make it, the finding it must give, the text that must cover, and what its remedy says. */
export interface Mistake {
  readonly what: string;
  readonly edits: readonly Edit[];
  readonly code: string;
  readonly covers: string;
  readonly remedy: RegExp;
  readonly severity?: 'warning' | 'info';
}

/** The checks every mistake of a table must pass. */
export function testMistakes(mistakes: readonly Mistake[]): void {
  it.each(mistakes)('$what is found, placed and explained', ({ edits, code, covers, remedy, severity }) => {
    const { diagnostics, covered } = findings(kernelWith(...edits));
    const found = diagnostics.filter((diagnostic) => diagnostic.code === code);
    const shown = diagnostics.map((diagnostic) => [
      diagnostic.code,
      covered(diagnostic),
      diagnostic.message,
      diagnostic.remedy,
    ]);
    expect(shown.map(([seen]) => seen)).toContain(code);
    expect(found.map(covered)).toContain(covers);
    const [match] = found.filter((diagnostic) => covered(diagnostic) === covers);
    expect(match?.remedy ?? '').toMatch(remedy);
    expect(match?.severity).toBe(severity ?? 'error');
    expect(match?.message).toMatch(/\.$/);
  });

  it.each(
    mistakes.filter(({ code }) => !['yaml-syntax', 'yaml-alias', 'missing-mechanism', 'duplicate-key'].includes(code)),
  )('$what is told once, without others that follow from it', ({ edits, covers }) => {
    const { diagnostics, covered } = findings(kernelWith(...edits));
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors.filter((diagnostic) => covered(diagnostic) !== covers).map(({ message }) => message)).toEqual([]);
  });
}

/** The findings on the kernel all mistakes are made from. */
export function findingsOnGoodKernel(): readonly Diagnostic[] {
  return findings(kernelWith()).diagnostics;
}
