import { describe, expect, it } from 'vitest';
import { forwardTolerance, input, output, wholeInput } from '../../../src/core/attention/specs.js';
import { readBindings } from '../../../src/core/kernel/bindings.js';
import { readFrontMatter } from '../../../src/core/kernel/frontMatter.js';
import type { BindingUse } from '../../../src/core/kernel/model.js';
import { Report } from '../../../src/core/kernel/report.js';
import { parseWgsl } from '../../../src/core/wgsl/parse.js';

const tensors = [
  input('q', ['batch', 'headDim'], 'Queries.'),
  wholeInput('lengths', ['batch'], 'Tokens of each sequence.'),
  output('o', ['batch', 'headDim'], forwardTolerance, 'Results.'),
];

/** How a kernel that declares its lengths so holds each tensor, and what is said of it. */
function read(types: { lengths?: string; q?: string }, yaml = ''): { uses: BindingUse[]; said: string[] } {
  const { lengths = 'array<i32>', q = 'array<f32>' } = types;
  const declaration = lengths === '' ? '' : `@group(0) @binding(1) var<storage, read> lengths: ${lengths};\n`;
  const source = `/*---\nmechanism: made-up\n${yaml}---*/
@group(0) @binding(0) var<storage, read> q: ${q};
${declaration}@group(0) @binding(2) var<storage, read_write> o: array<f32>;
@compute @workgroup_size(1)
fn main() { o[0] = f32(q[0])${lengths === '' ? '' : ' * f32(lengths[0])'}; }
`;
  const report = new Report();
  const uses = readBindings({
    frontMatter: readFrontMatter(source, report)!,
    module: parseWgsl(source, {}),
    tensors,
    scratch: [],
    passes: [],
    scope: { scalars: new Map(), overrides: new Set(), taken: new Set() },
    report,
  });
  return {
    uses: [...uses.values()],
    said: report.diagnostics.map(({ code, message, remedy }) => `${code}: ${message} ${remedy ?? ''}`),
  };
}

describe('a tensor of whole numbers', () => {
  it.each(['i32', 'u32'] as const)('is held as %s where the WGSL says so', (scalar) => {
    const { uses, said } = read({ lengths: `array<${scalar}>` }, `dtype: { lengths: ${scalar} }\n`);
    expect(said).toEqual([]);
    expect(uses[1]).toMatchObject({ kind: 'tensor', tensor: 'lengths', format: scalar });
  });

  it.each([
    [
      'as floats',
      { lengths: 'array<f32>' },
      '',
      /element-type: "lengths" is array<f32>.*whole.*array<i32> or array<u32>/,
    ],
    ['as packed halves', { lengths: 'array<u32>' }, 'dtype: { lengths: f16 }\n', /dtype-mismatch: .*declared f16.*u32/],
    ['as both integers', { lengths: 'array<u32>' }, 'dtype: { lengths: i32 }\n', /dtype-mismatch: .*Write u32/],
    ['nowhere', { lengths: '' }, '', /tensor-without-binding: .*lengths: array<i32>;/],
  ])('is not held %s', (_, types, yaml, message) => {
    expect(read(types, yaml).said).toEqual([expect.stringMatching(message)]);
  });

  it('is not what a tensor of floats is held in', () => {
    const message = /element-type: "q" is array<i32>, but the tensor "q" holds floating-point numbers/;
    expect(read({ q: 'array<i32>' }).said).toEqual([expect.stringMatching(message)]);
  });
});
