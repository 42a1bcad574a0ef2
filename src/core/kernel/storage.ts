import type { TensorSpec } from '../attention/mechanism.js';
import { typeText } from '../wgsl/abstract-types.js';
import type { Binding } from '../wgsl/module.js';
import type { BindingContext } from './bindings.js';
import { elementRun, type ElementRun } from './elements.js';
import { sectionOf } from './frontMatter.js';
import type { BindingUse, ElementFormat } from './model.js';
import { suggestName } from './nearest.js';
import { entryOf, type YamlNode } from './yamlTree.js';

/** The types that can hold a tensor, in words. */
const arraysFor = ({ whole }: TensorSpec): string =>
  whole
    ? 'array<i32> or array<u32>'
    : 'array<f32>, array<vec4<f32>>, array<f16> or, for packed pairs, array<u32> with dtype f16';

/** How a tensor lies in its variable, or null where the variable cannot hold it. */
export function readTensorUse(binding: Binding, tensor: TensorSpec, context: BindingContext): BindingUse | null {
  checkAccess(binding, tensor, context);
  const layout = readLayout(tensor, context);
  const run = elementRun(binding.type);
  if (!run) {
    // A type that could not be resolved has its own message.
    if (binding.type.kind !== 'unknown') {
      context.report.error(
        'element-type',
        binding.typeSpan,
        `"${binding.name}" is ${typeText(binding.type)}, which cannot hold the tensor "${tensor.name}".`,
        `Declare it as ${arraysFor(tensor)}.`,
      );
    }
    return null;
  }
  const format = readFormat(binding, tensor, run, context);
  return format && layout ? { kind: 'tensor', tensor: tensor.name, format, layout } : null;
}

function checkAccess(binding: Binding, tensor: TensorSpec, { report }: BindingContext): void {
  if (tensor.role === 'output' && binding.access === 'read') {
    report.error(
      'wrong-access',
      binding.nameSpan,
      `"${binding.name}" holds the output "${tensor.name}", but can only be read.`,
      'Declare it var<storage, read_write>.',
    );
  }
  if (tensor.role === 'input' && binding.access === 'read_write') {
    report.warning(
      'wrong-access',
      binding.nameSpan,
      `"${binding.name}" holds the input "${tensor.name}", but may be written.`,
      'Declare it var<storage, read>: drivers can cache what is only read.',
    );
  }
}

function readLayout(tensor: TensorSpec, { frontMatter, report }: BindingContext): readonly string[] | null {
  const entry = entryOf(sectionOf(frontMatter, 'layout'), tensor.name);
  if (entry?.value.kind !== 'list') return entry ? null : tensor.dims;
  const given = entry.value.items.map((item) => (item.kind === 'scalar' ? String(item.value) : ''));
  const wanted = `"${tensor.name}" has ${tensor.dims.join(', ')}.`;
  const strange = entry.value.items.find((_, index) => !tensor.dims.includes(given[index]!));
  if (strange) {
    const name = given[entry.value.items.indexOf(strange)]!;
    const message = `"${name}" is no dimension of "${tensor.name}".`;
    report.error('unknown-dimension', strange.span, message, suggestName(name, tensor.dims));
    return null;
  }
  if (given.length === tensor.dims.length && new Set(given).size === given.length) return given;
  const remedy = `Name each of its dimensions once: ${tensor.name}: [${tensor.dims.join(', ')}]`;
  report.error(
    'layout-not-permutation',
    entry.value.span,
    `This layout does not name each dimension once; ${wanted}`,
    remedy,
  );
  return null;
}

function dtypeNode(tensor: string, { frontMatter }: BindingContext): YamlNode | null {
  return entryOf(sectionOf(frontMatter, 'dtype'), tensor)?.value ?? null;
}

function readFormat(
  binding: Binding,
  tensor: TensorSpec,
  run: ElementRun,
  context: BindingContext,
): ElementFormat | null {
  const node = dtypeNode(tensor.name, context);
  const declared = node?.kind === 'scalar' ? node.value : null;
  const written = typeText(binding.type);
  const own = plainFormat(tensor, run);
  if (own) {
    if (node === null || declared === null || declared === own) return own;
    context.report.error(
      'dtype-mismatch',
      node.span,
      `"${tensor.name}" is declared ${String(declared)} here, but its variable "${binding.name}" is ${written}.`,
      `Write ${own}, or remove the entry: the WGSL type says it.`,
    );
    return null;
  }
  const packed = run.scalar === 'u32' && !tensor.whole;
  if (packed && (declared === 'f16' || declared === 'f32')) return declared;
  context.report.error(
    'element-type',
    binding.typeSpan,
    `"${binding.name}" is ${written}, but the tensor "${tensor.name}" holds ${tensor.whole ? 'whole' : 'floating-point'} numbers.`,
    packed
      ? `If it holds packed pairs of f16, add: dtype: { ${tensor.name}: f16 }`
      : `Declare it as ${arraysFor(tensor)}.`,
  );
  return null;
}

/** The format of a variable whose scalars are the tensor's elements as they are, or null where they are not. */
function plainFormat({ whole }: TensorSpec, { scalar }: ElementRun): ElementFormat | null {
  switch (scalar) {
    case 'f32':
    case 'f16':
      return whole ? null : scalar;
    case 'i32':
    case 'u32':
      return whole ? scalar : null;
    case 'bool':
      return null;
  }
}

/** The use of a variable that holds a scratch buffer, or null where its type does not fit the declared format. */
export function readScratchUse(binding: Binding, name: string, { scratch, report }: BindingContext): BindingUse | null {
  const spec = scratch.find((candidate) => candidate.name === name);
  if (!spec) return null;
  const run = elementRun(binding.type);
  if (run && run.scalar !== spec.format && run.scalar !== 'u32') {
    report.error(
      'element-type',
      binding.typeSpan,
      `"${binding.name}" is ${typeText(binding.type)}, but the scratch buffer "${name}" is declared ${spec.format}.`,
      `Make the two agree, for example: ${name}: ${run.scalar}[${spec.dims.join(', ')}]`,
    );
    return null;
  }
  if (binding.access === 'read') {
    report.error(
      'wrong-access',
      binding.nameSpan,
      `"${binding.name}" holds the scratch buffer "${name}", but can only be read: no pass could fill it.`,
      'Declare it var<storage, read_write>.',
    );
  }
  return { kind: 'scratch', scratch: name };
}

/** Reports names under `layout` and `dtype` that are no tensors of the computation. */
export function checkTensorKeys({ frontMatter, tensors, report }: BindingContext): void {
  const names = tensors.map(({ name }) => name);
  if (names.length === 0) return;
  for (const key of ['layout', 'dtype']) {
    for (const entry of sectionOf(frontMatter, key).entries) {
      if (names.includes(entry.key)) continue;
      const message = `"${entry.key}" is no tensor of the mechanism.`;
      report.error('unknown-tensor', entry.keySpan, message, suggestName(entry.key, names));
    }
  }
}
