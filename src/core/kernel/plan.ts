import { compulsoryBytes, completeOptions, completeShape } from '../attention/catalogue.js';
import type { Options, Shape } from '../attention/mechanism.js';
import type { Diagnostic, Span } from '../diagnostic.js';
import { workgroupBytes, workgroupSizeOf } from '../wgsl/evaluate.js';
import type { EntryPoint } from '../wgsl/module.js';
import { planBuffers } from './buffers.js';
import { resolveConstants } from './constants.js';
import { resolveDefines } from './defines.js';
import { evaluateText } from './expression.js';
import { findPlace } from './frontMatter.js';
import { impossibleCase } from './limits.js';
import type { Kernel, Pass, Plan, PlannedPass, PlanResult } from './model.js';
import { readKernelFor } from './read.js';
import { Report } from './report.js';
import { scalarsOf } from './scope.js';

/** Most workgroups along one axis of a dispatch on any device of today. */
const maxWorkgroups = 65535;
/** More workgroup memory than any GPU has: the declaration is a mistake, whatever the adapter. */
const maxWorkgroupBytes = 256 * 1024;

/** What the parts of a plan are made from. */
export interface PlanContext {
  readonly kernel: Kernel;
  readonly shape: Shape;
  readonly options: Options;
  /** Dimensions, options and overrides by name. */
  readonly values: ReadonlyMap<string, number>;
  readonly report: Report;
}

const errorsOf = (diagnostics: readonly Diagnostic[]): readonly Diagnostic[] =>
  diagnostics.filter(({ severity }) => severity === 'error');

/**
 * Works out everything a device needs to run a kernel at a shape (sizes not given follow the mechanism's fallbacks).
 * Never throws: what stands in the way is told by diagnostics that point into the file.
 */
export function planKernel(kernel: Kernel, shape: Shape, options: Options): PlanResult {
  const errors = errorsOf(kernel.diagnostics);
  if (errors.length > 0) return { ok: false, diagnostics: errors };
  const report = new Report();
  const { mechanism } = kernel;
  if (!mechanism) return { ok: false, diagnostics: errors };
  const fullShape = completeShape(mechanism, shape);
  const fullOptions = completeOptions(mechanism, fullShape, options);
  const problem = impossibleCase(mechanism, fullShape, fullOptions, kernel.limits);
  if (problem !== null) {
    const span = findPlace(kernel.source, ['shape']) ?? kernel.frontMatterSpan;
    report.error('invalid-shape', span, problem, 'Choose another shape or other options.');
    return { ok: false, diagnostics: report.diagnostics };
  }
  const scalars = scalarsOf(mechanism, fullShape, fullOptions);
  const fitted = fitToShape(kernel, fullShape, fullOptions, scalars);
  const again = errorsOf(fitted.diagnostics);
  if (again.length > 0) return { ok: false, diagnostics: again };
  const constants = resolveConstants(fitted.module, fitted.constants, scalars);
  for (const { override, message, remedy } of constants.problems) {
    const place = findPlace(kernel.source, ['constants', override.name]);
    report.error('constant-value', place ?? override.nameSpan, message, remedy);
  }
  if (report.diagnostics.length > 0) return { ok: false, diagnostics: report.diagnostics };
  const values = new Map([...scalars, ...constants.values]);
  const context = { kernel: fitted, shape: fullShape, options: fullOptions, values, report };
  return assemble(context, Object.fromEntries(constants.values));
}

/** The kernel read again where its preprocessed code depends on the shape; else the kernel itself. */
function fitToShape(kernel: Kernel, shape: Shape, options: Options, scalars: ReadonlyMap<string, number>): Kernel {
  const own = resolveDefines(kernel.defines, scalarsOf(kernel.mechanism, kernel.shape, kernel.options));
  const wanted = resolveDefines(kernel.defines, scalars);
  if (Object.keys(wanted).every((name) => own[name] === wanted[name])) return kernel;
  return readKernelFor(kernel.source, kernel.name, { shape, options }) ?? kernel;
}

function assemble(context: PlanContext, constants: Readonly<Record<string, number>>): PlanResult {
  const { kernel, shape, options, report } = context;
  const passes = kernel.passes.flatMap((pass, index) => planPass(pass, index, constants, context) ?? []);
  const variables = new Set(passes.flatMap((pass) => pass.variables));
  const buffers = planBuffers(variables, context);
  if (report.diagnostics.length > 0 || !kernel.computation) return { ok: false, diagnostics: report.diagnostics };
  const tensors = new Map<string, number>();
  for (const { content } of buffers) {
    if (content.kind === 'tensor') tensors.set(content.tensor, content.view.format === 'f16' ? 2 : 4);
  }
  const bound = [...tensors].map(([name, bytesPerElement]) => ({ name, bytesPerElement }));
  const plan: Plan = {
    name: kernel.name,
    hash: kernel.hash,
    code: kernel.module.code,
    toSource: kernel.module.toSource,
    shape,
    options,
    constants,
    features: kernel.features,
    buffers,
    passes,
    flops: kernel.computation.flops(shape, options),
    compulsoryBytes: compulsoryBytes(kernel.computation, shape, bound),
  };
  return { ok: true, plan };
}

function planPass(
  pass: Pass,
  index: number,
  constants: Readonly<Record<string, number>>,
  context: PlanContext,
): PlannedPass | null {
  const { kernel, report } = context;
  const entry = kernel.module.entryPoints.find(({ name }) => name === pass.entry);
  if (!entry) return null;
  const [x, y, z] = pass.workgroups.map((_, axis) => countWorkgroups(pass, index, axis, context));
  const size = workgroupSizeOf(kernel.module, entry, constants);
  if (!size?.every((count) => Number.isInteger(count) && count >= 1)) {
    const written = entry.workgroupSize.join(', ');
    const message = `The workgroup size (${written}) of "${entry.name}" does not come to whole numbers of at least 1.`;
    report.error('workgroup-size', entry.nameSpan, message, 'Use whole numbers, const and override values.');
    return null;
  }
  const bytes = planWorkgroupMemory(entry, constants, context);
  if (!x || !y || !z || bytes === null) return null;
  return {
    entry: entry.name,
    workgroups: [x, y, z],
    workgroupSize: size,
    workgroupBytes: bytes,
    variables: kernel.module.bindings.flatMap(({ name }) => (entry.uses.has(name) ? name : [])),
  };
}

function countWorkgroups(pass: Pass, index: number, axis: number, context: PlanContext): number | null {
  const text = pass.workgroups[axis]!;
  const result = evaluateText(text, context.values);
  const place = (): Span => findPlace(context.kernel.source, ['passes', index, 'workgroups', axis]) ?? pass.span;
  if (!result.ok) {
    context.report.error('workgroups-value', place(), `"${text}": ${result.error.message}`, result.error.remedy);
    return null;
  }
  const { value } = result;
  if (Number.isInteger(value) && value >= 1 && value <= maxWorkgroups) return value;
  const problem = !Number.isInteger(value)
    ? 'not a whole number'
    : value < 1
      ? 'less than 1'
      : `more than the ${maxWorkgroups} that a dispatch can have along one axis`;
  const remedy = !Number.isInteger(value)
    ? `Round it: ceil(${text}).`
    : value < 1
      ? `Keep it at 1 or more: max(1, ${text}).`
      : 'Spread the work over two axes, or give each workgroup more of it.';
  const axisName = 'xyz'[axis] ?? '';
  const message = `The workgroups of "${pass.entry}" along ${axisName}, "${text}", come to ${value}, which is ${problem}.`;
  context.report.error('workgroups-value', place(), message, remedy);
  return null;
}

function planWorkgroupMemory(
  entry: EntryPoint,
  constants: Readonly<Record<string, number>>,
  { kernel, report }: PlanContext,
): number | null {
  const bytes = workgroupBytes(kernel.module, entry, constants);
  const [variable] = kernel.module.workgroupVariables.filter(({ name }) => entry.uses.has(name));
  const span = variable?.span ?? entry.nameSpan;
  if (bytes === null || !Number.isFinite(bytes) || bytes < 0) {
    const message = `The size of the workgroup memory of "${entry.name}" cannot be told.`;
    report.error('workgroup-memory', span, message, 'Size its arrays by whole numbers, const and override values.');
    return null;
  }
  if (bytes <= maxWorkgroupBytes) return bytes;
  const message = `"${entry.name}" uses ${bytes} bytes of workgroup memory, more than any GPU has.`;
  report.error('workgroup-memory', span, message, 'Use smaller tiles: 16384 bytes are available everywhere.');
  return null;
}
