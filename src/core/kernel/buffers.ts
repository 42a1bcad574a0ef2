import { setFloat16 } from '@petamoriken/float16';
import { layoutOf, roundUp } from '../wgsl/layout.js';
import type { Binding } from '../wgsl/module.js';
import { misfit } from './constants.js';
import { elementRun } from './elements.js';
import { evaluateText } from './expression.js';
import { findPlace } from './frontMatter.js';
import type { BindingUse, ElementFormat, PlannedBuffer, TensorView } from './model.js';
import type { PlanContext } from './plan.js';

/** Larger buffers than this are no shape anybody runs: 2 GiB, WebGPU's usual maximum and beyond. */
const maxBufferBytes = 2 ** 31;

/** The buffers of the given variables at the plan's shape. Reports what cannot be sized or filled. */
export function planBuffers(variables: ReadonlySet<string>, context: PlanContext): PlannedBuffer[] {
  return [...context.kernel.uses].flatMap(([binding, use]) => {
    if (!variables.has(binding.name)) return [];
    const sized = planContent(binding, use, context);
    if (!sized) return [];
    if (sized.byteLength > maxBufferBytes) {
      const mebibytes = Math.round(sized.byteLength / 2 ** 20);
      const message = `"${binding.name}" would take ${mebibytes} MiB, more than the 2048 MiB a buffer may have.`;
      context.report.error('buffer-too-large', binding.nameSpan, message, 'Choose a smaller shape.');
      return [];
    }
    const type = binding.space === 'uniform' ? 'uniform' : binding.access === 'read' ? 'read-only-storage' : 'storage';
    return [{ variable: binding.name, group: binding.group, binding: binding.binding, type, ...sized }];
  });
}

type SizedContent = Pick<PlannedBuffer, 'byteLength' | 'content'>;

function planContent(binding: Binding, use: BindingUse, context: PlanContext): SizedContent | null {
  switch (use.kind) {
    case 'tensor':
      return planTensor(binding, use, context);
    case 'scratch':
      return planScratch(binding, use.scratch, context);
    case 'uniform':
      return planUniform(binding, use, context);
  }
}

/** Distance along each logical dimension when the dimensions lie in memory in the order of `layout`. */
function stridesOf(dimNames: readonly string[], dims: readonly number[], layout: readonly string[]): readonly number[] {
  const strides = new Map<string, number>();
  let stride = 1;
  for (const name of layout.toReversed()) {
    strides.set(name, stride);
    stride *= dims[dimNames.indexOf(name)] ?? 1;
  }
  return dimNames.map((name) => strides.get(name) ?? 0);
}

function planTensor(binding: Binding, use: BindingUse & { kind: 'tensor' }, context: PlanContext): SizedContent | null {
  const spec = context.kernel.computation?.tensors.find(({ name }) => name === use.tensor);
  const run = elementRun(binding.type);
  if (!spec || !run) return null;
  const dims = spec.dims.map((name) => context.shape[name] ?? 1);
  const elements = dims.reduce((product, size) => product * size, 1);
  const lanes = use.format === 'f16' && run.scalar === 'u32' ? 2 * run.scalarsPerStride : run.scalarsPerStride;
  const bytes = run.byteOffset + Math.ceil(elements / lanes) * run.strideBytes;
  if (run.count !== null && elements > run.count * lanes) {
    context.report.error(
      'array-too-small',
      binding.typeSpan,
      `"${binding.name}" has room for ${run.count * lanes} elements, but "${use.tensor}" has ${elements} at this shape.`,
      'Leave out the number of elements: a runtime-sized array takes any shape.',
    );
    return null;
  }
  const view: TensorView = {
    dims,
    dimNames: spec.dims,
    strides: stridesOf(spec.dims, dims, use.layout),
    format: use.format,
    byteOffset: run.byteOffset,
    lanes,
    strideBytes: run.strideBytes,
  };
  const byteLength = roundUp(Math.max(bytes, run.leastBytes), 4);
  return { byteLength, content: { kind: 'tensor', tensor: use.tensor, role: spec.role, view } };
}

function planScratch(binding: Binding, name: string, context: PlanContext): SizedContent | null {
  const spec = context.kernel.scratch.find((candidate) => candidate.name === name);
  if (!spec) return null;
  const dims: number[] = [];
  for (const text of spec.dims) {
    const result = evaluateText(text, context.values);
    const good = result.ok && Number.isInteger(result.value) && result.value >= 1;
    if (good) {
      dims.push(result.value);
      continue;
    }
    const problem = result.ok ? `comes to ${result.value}, not a whole number of at least 1` : result.error.message;
    const span = findPlace(context.kernel.source, ['scratch', name]) ?? spec.span;
    context.report.error(
      'scratch-size',
      span,
      `The size "${text}" of "${name}" ${problem}.`,
      `Round it: ceil(${text}).`,
    );
    return null;
  }
  const elements = dims.reduce((product, size) => product * size, 1);
  const run = elementRun(binding.type);
  const formatBytes = spec.format === 'f16' ? 2 : 4;
  const strideBytes = run?.strideBytes ?? layoutOf(binding.type)?.strideBytes ?? formatBytes;
  const scalarBytes = run?.scalar === 'f16' ? 2 : 4;
  // What a stride holds of the declared format, leaving out the gap after a vec3.
  const perStride = run ? (run.scalarsPerStride * scalarBytes) / formatBytes : strideBytes / formatBytes;
  const bytes = (run?.byteOffset ?? 0) + Math.ceil(elements / perStride) * strideBytes;
  const least = run?.leastBytes ?? layoutOf(binding.type)?.sizeBytes ?? 0;
  return {
    byteLength: roundUp(Math.max(bytes, least, 4), 4),
    content: { kind: 'scratch', format: spec.format, dims, dimNames: spec.dims },
  };
}

function planUniform(
  binding: Binding,
  use: BindingUse & { kind: 'uniform' },
  context: PlanContext,
): SizedContent | null {
  const layout = layoutOf(binding.type);
  if (!layout) return null;
  const bytes = new Uint8Array(roundUp(layout.sizeBytes, 16));
  const data = new DataView(bytes.buffer);
  for (const { path, byteOffset, scalar, expression } of use.members) {
    const result = evaluateText(expression, context.values);
    const problem = result.ok ? misfit(result.value, scalar) : result.error.message;
    if (!result.ok || problem !== null) {
      const span = findPlace(context.kernel.source, ['uniforms', path]) ?? binding.nameSpan;
      const value = result.ok ? `is ${result.value}, which is ${problem ?? ''} for ${scalar}.` : (problem ?? '');
      context.report.error('uniform-value', span, `The uniform "${path}": "${expression}" ${value}`, null);
      continue;
    }
    writeScalar(data, byteOffset, scalar, result.value);
  }
  return { byteLength: bytes.byteLength, content: { kind: 'uniform', bytes } };
}

function writeScalar(data: DataView, byteOffset: number, scalar: ElementFormat, value: number): void {
  switch (scalar) {
    case 'f32':
      data.setFloat32(byteOffset, value, true);
      return;
    case 'f16':
      setFloat16(data, byteOffset, value, true);
      return;
    case 'i32':
      data.setInt32(byteOffset, value, true);
      return;
    case 'u32':
      data.setUint32(byteOffset, value, true);
  }
}
