import type { ReferenceTensor } from '../attention/mechanism.js';
import type { Span } from '../diagnostic.js';
import type { Plan } from '../kernel/model.js';
import { floatFormat, unpackTensor } from '../kernel/tensor.js';
import { judgeTensor } from '../numerics/compare.js';
import { walkStatements } from '../simulator/walk.js';
import type { SimulatedBuffer } from '../simulator/trace.js';
import { lowerProgram } from '../wgsl/lower.js';
import type { BuiltinInput, Program } from '../wgsl/program.js';
import type { AnalysisContext } from './context.js';
import type { Hazard } from './hazard.js';
import { codeOf } from './hazard-context.js';

/** What a simulation at one subgroup size left in the buffers. */
export interface SubgroupRun {
  readonly subgroupSize: number;
  readonly buffers: readonly SimulatedBuffer[];
}

/** What the outputs are held against: the reference in float64 and the naive algorithm in float32. */
export interface SubgroupTruth {
  readonly reference: Readonly<Record<string, ReferenceTensor>>;
  readonly baseline: Readonly<Record<string, ReferenceTensor>>;
}

const subgroupInputs: readonly BuiltinInput[] = [
  'subgroup_size',
  'subgroup_invocation_id',
  'subgroup_id',
  'num_subgroups',
];

/** Where a program first speaks of subgroups: an operation, else a built-in value; null where it does not. */
function firstUse(program: Program): Span | null {
  const found: Span[] = [];
  for (const { body } of [...program.functions].reverse()) {
    walkStatements(body, {
      expression: (expression) => {
        if (expression.kind === 'subgroup' || expression.kind === 'subgroup-matrix') found.push(expression.span);
      },
    });
  }
  const input = program.entry.inputs.find(({ builtin }) => subgroupInputs.includes(builtin));
  return found[0] ?? input?.parameter.nameSpan ?? null;
}

/** Where a kernel first speaks of subgroups, and in which pass; null where its result cannot depend on their size. */
export function subgroupUse({ passes, code, toSource, constants }: Plan): { span: Span; entry: string } | null {
  for (const { entry } of passes) {
    const lowered = lowerProgram(code, toSource, entry, constants);
    const span = lowered.ok ? firstUse(lowered.program) : null;
    if (span) return { span, entry };
  }
  return null;
}

/** Whether every output of a run is right by the verdict's bounds. */
function isRight({ plan, computation }: AnalysisContext, { buffers }: SubgroupRun, truth: SubgroupTruth): boolean {
  return plan.buffers.every(({ content }, index) => {
    if (content.kind !== 'tensor' || content.role !== 'output') return true;
    const spec = computation.tensors.find(({ name }) => name === content.tensor);
    const reference = truth.reference[content.tensor];
    const baseline = truth.baseline[content.tensor];
    const bytes = buffers[index]?.bytes;
    if (!spec || !reference || !baseline || !bytes) return true;
    const { values, states } = unpackTensor(content.view, bytes);
    const { direction } = computation;
    const question = { spec, direction, format: floatFormat(content.view), reference, baseline, values, states };
    return judgeTensor({ ...question, guardsTouched: 0, withMap: false }).passed;
  });
}

/** The outputs of a run as a truth to hold another run against. */
function asTruth({ plan, computation }: AnalysisContext, { buffers }: SubgroupRun): SubgroupTruth {
  const tensors = plan.buffers.flatMap(({ content }, index): [string, ReferenceTensor][] => {
    if (content.kind !== 'tensor' || content.role !== 'output') return [];
    const spec = computation.tensors.find(({ name }) => name === content.tensor);
    const bytes = buffers[index]?.bytes;
    if (!spec || !bytes) return [];
    const { dims, values } = { dims: content.view.dims, values: unpackTensor(content.view, bytes).values };
    return [[content.tensor, { dims, rows: null, values, exactRows: null }]];
  });
  const reference = Object.fromEntries(tensors);
  return { reference, baseline: reference };
}

const sizesText = (sizes: readonly number[]): string => {
  const last = sizes.at(-1);
  return sizes.length > 1 ? `${sizes.slice(0, -1).join(', ')} and ${String(last)}` : String(last);
};

/**
 * Whether a kernel's result changes with the size of its subgroups: right by the verdict at some sizes and wrong at
 * others, or wrong at all of them but not in the same way. At most one hazard; none for a kernel without subgroups.
 */
export function subgroupSizeHazards(
  context: AnalysisContext,
  caseName: string,
  runs: readonly SubgroupRun[],
  truth: SubgroupTruth,
): readonly Hazard[] {
  const use = subgroupUse(context.plan);
  const [first] = runs;
  if (!use || !first) return [];
  const right = runs.filter((run) => isRight(context, run, truth)).map(({ subgroupSize }) => subgroupSize);
  const wrong = runs.map(({ subgroupSize }) => subgroupSize).filter((size) => !right.includes(size));
  if (wrong.length === 0) return [];
  if (right.length === 0) {
    const own = asTruth(context, first);
    if (runs.every((run) => isRight(context, run, own))) return [];
  }
  const verdict =
    right.length === 0
      ? `wrong at every size, and not in the same way`
      : `right with subgroups of ${sizesText(right)}, wrong with ${sizesText(wrong)}`;
  return [
    {
      kind: 'subgroup-size',
      code: codeOf('subgroup-size'),
      severity: 'error',
      span: use.span,
      line: context.lines.lineAt(use.span.start),
      message: `The result depends on the size of the subgroups: it is ${verdict}. Which size a GPU takes is not the kernel's to choose.`,
      remedy:
        'Take the size from @builtin(subgroup_size) instead of a number, and let it be less or more than the tile.',
      other: null,
      variable: null,
      count: wrong.length,
      example: { entry: use.entry, workgroup: [0, 0, 0], invocations: [], epoch: 0, caseName },
      fix: null,
    },
  ];
}
