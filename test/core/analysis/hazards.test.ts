import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findHazards, mergeHazards } from '../../../src/core/analysis/hazards.js';
import { subgroupSizeHazards, subgroupUse } from '../../../src/core/analysis/hazard-subgroups.js';
import type { Hazard } from '../../../src/core/analysis/hazard.js';
import type { Options, Shape } from '../../../src/core/attention/mechanism.js';
import { unpackTensor } from '../../../src/core/kernel/tensor.js';
import { plantedFaults } from '../../kernels/hazards.js';
import type { PlantedFault } from '../../kernels/hazards/planted.js';
import { subgroupSizes } from '../../kernels/hazards/subgroups.js';
import { plannedKernel } from './planned.js';
import { simulatedContext } from './simulated.js';

const textOf = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

/** Small, with tails: two tiles of queries and three of keys at least, a head that does not fill its slice. */
const smallShape: Shape = { batch: 1, heads: 1, seqlen: 70, headDim: 24 };

/** The hazards of a kernel at some shapes together. */
function hazardsOf(
  source: string,
  shapes: readonly Shape[],
  options: Options = {},
  subgroupSize = 32,
): readonly Hazard[] {
  return mergeHazards(
    shapes.map((each) => {
      const context = simulatedContext(plannedKernel(source, each, options), 'all', { subgroupSize, faults: true });
      return findHazards(context, JSON.stringify(each));
    }),
  );
}

/** The shape that shows a fault; two for a write that is never read, since one does not tell it. */
function shapesOf({ file, kind, shape }: PlantedFault): readonly Shape[] {
  const own = file.includes('tree-softmax') ? { seqlen: 40 } : file.includes('token-by-token') ? { seqlen: 12 } : {};
  const first = { ...smallShape, ...own, ...shape };
  return kind === 'never-read' ? [first, { ...first, seqlen: first.seqlen! - 1 }] : [first];
}

function mutate({ file, edits }: PlantedFault): string {
  return edits.reduce((text, { find, replace }) => {
    expect(text.split(find), find).toHaveLength(2);
    return text.replace(find, () => replace);
  }, textOf(file));
}

/** The line, from 1, on which a text that stands once ends. */
function lineOf(source: string, text: string): number {
  expect(source.split(text), text).toHaveLength(2);
  return source.slice(0, source.indexOf(text) + text.length).split('\n').length;
}

function applied(source: string, { fix }: Hazard): string {
  const edits = [...(fix?.edits ?? [])].sort((a, b) => b.span.start - a.span.start);
  return edits.reduce((text, { span, text: put }) => text.slice(0, span.start) + put + text.slice(span.end), source);
}

const tell = ({ kind, line }: Hazard): string => `${kind} in line ${line}`;

describe('a planted fault', () => {
  it.each(plantedFaults.map((fault) => [`${fault.kind}: ${fault.name}`, fault] as const))('%s', (_, fault) => {
    const source = mutate(fault);
    const shapes = shapesOf(fault);
    const hazards = hazardsOf(source, shapes, fault.options);
    const lines = [fault.at, ...(fault.alsoAt ?? [])].map((at) => `${fault.kind} in line ${lineOf(source, at)}`);
    expect(hazards.map(tell).sort(), hazards.map(({ message }) => message).join('\n')).toEqual(lines.sort());
    if (!fault.mended) return;
    let text = source;
    for (let round = 0; round < 3; round++) {
      const [hazard] = hazardsOf(text, shapes, fault.options);
      if (!hazard) break;
      expect(hazard.fix, hazard.message).not.toBeNull();
      text = applied(text, hazard);
    }
    expect(hazardsOf(text, shapes, fault.options).map(tell)).toEqual([]);
  });
});

/** What a kernel must give at a case, from the inputs that `plannedKernel` has packed. */
function truthOf({
  plan,
  computation,
  inputs,
}: ReturnType<typeof plannedKernel>): Parameters<typeof subgroupSizeHazards>[3] {
  const values = plan.buffers.flatMap(({ variable, content }) => {
    const bytes = inputs.get(variable);
    return content.kind === 'tensor' && bytes
      ? [[content.tensor, unpackTensor(content.view, bytes).values] as const]
      : [];
  });
  const stored = Object.fromEntries(values);
  const reference = computation.reference(stored, plan.shape, plan.options, 'f64', Infinity);
  return { reference, baseline: computation.reference(stored, plan.shape, plan.options, 'f32', Infinity) };
}

function subgroupHazards(source: string, shape: Shape): readonly Hazard[] {
  const kernel = plannedKernel(source, shape);
  const runs = [4, 8, 16, 32, 64, 128].map((subgroupSize) => {
    const context = simulatedContext(kernel, 'all', { subgroupSize });
    return { context, subgroupSize, buffers: context.simulation.buffers };
  });
  return subgroupSizeHazards(runs[0]!.context, 'small', runs, truthOf(kernel));
}

describe('a kernel for subgroups of one size', () => {
  const shape = { batch: 1, heads: 1, seqlen: 20, headDim: 16 };

  it.each(subgroupSizes.map((fault) => [fault.name, fault] as const))('%s', (_, fault) => {
    const source = mutate(fault);
    const hazards = subgroupHazards(source, { ...shape, ...fault.shape });
    expect(hazards.map(tell), hazards.map(({ message }) => message).join('\n')).toEqual([
      `subgroup-size in line ${lineOf(source, fault.at)}`,
    ]);
    const sizes = new Intl.ListFormat('en-GB').format(fault.right.map(String));
    expect(hazards[0]!.message).toContain(`right with subgroups of ${sizes}, wrong`);
  });

  it.each(['subgroup-shuffle', 'subgroup-sum'])('%s is right at every size', (name) => {
    const source = textOf(`test/kernels/styles/${name}.wgsl`);
    expect(subgroupUse(plannedKernel(source, shape).plan)).not.toBeNull();
    expect(subgroupHazards(source, shape)).toEqual([]);
  });
});
