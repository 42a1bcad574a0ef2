import type { TensorSpec } from '../attention/mechanism.js';
import { typeText } from '../wgsl/abstract-types.js';
import { isRuntimeSized, scalarLeaves } from '../wgsl/layout.js';
import type { Binding, WgslModule } from '../wgsl/module.js';
import { keySpan, sectionOf, type FrontMatter } from './frontMatter.js';
import type { BindingUse, Pass, ScratchSpec } from './model.js';
import { suggestName } from './nearest.js';
import type { Report } from './report.js';
import { readScratchUse, readTensorUse } from './storage.js';
import { readUniformUse, warnUnusedUniforms } from './uniforms.js';
import type { Scope } from './scope.js';
import { entryOf } from './yamlTree.js';

/** What the reading of the bindings needs to know. */
export interface BindingContext {
  readonly frontMatter: FrontMatter;
  readonly module: WgslModule;
  readonly tensors: readonly TensorSpec[];
  readonly scratch: readonly ScratchSpec[];
  readonly passes: readonly Pass[];
  readonly scope: Scope;
  readonly report: Report;
}

/** Whether a pass of the kernel uses the binding; without readable passes, whether any entry point does. */
function isUsed(binding: Binding, { module, passes }: BindingContext): boolean {
  const entries =
    passes.length === 0
      ? module.entryPoints
      : module.entryPoints.filter(({ name }) => passes.some((pass) => pass.entry === name));
  return entries.some((entry) => entry.uses.has(binding.name));
}

/** Whether a variable holds single values rather than an array of them: it is then filled like a uniform. */
function isParameters(binding: Binding): boolean {
  if (binding.space === 'uniform') return true;
  return (
    binding.access === 'read' &&
    binding.type.kind !== 'array' &&
    !isRuntimeSized(binding.type) &&
    scalarLeaves(binding.type) !== null
  );
}

/** Finds out what each binding of the WGSL is for, and reports every one that does not fit. */
export function readBindings(context: BindingContext): ReadonlyMap<Binding, BindingUse> {
  const { frontMatter, module, report } = context;
  const uses = new Map<Binding, BindingUse>();
  const targets = readTargets(context);
  const bound = new Set<string>();
  for (const binding of module.bindings) {
    const target = targets.get(binding.name) ?? sameName(binding, context);
    const used = isUsed(binding, context);
    if (target === null) {
      const use = isParameters(binding) ? readUniformUse(binding, used, context) : null;
      if (use) uses.set(binding, use);
      else if (used && !isParameters(binding)) reportUnbound(binding, context);
      continue;
    }
    const tensor = context.tensors.find(({ name }) => name === target);
    const use = tensor ? readTensorUse(binding, tensor, context) : readScratchUse(binding, target, context);
    checkSecondBinding(binding, target, tensor?.role !== 'input' && bound.has(target), report);
    bound.add(target);
    if (use) uses.set(binding, use);
    if (!used && module.entryPoints.length > 0) reportUnused(binding, tensor ?? null, report);
  }
  reportMissingTensors(bound, context);
  reportClashes(module, report);
  warnUnusedUniforms(uses, context);
  warnUnusedTensorKeys(frontMatter, bound, report);
  return uses;
}

function reportUnused(binding: Binding, tensor: TensorSpec | null, report: Report): void {
  const remedy = 'Use it in an entry point that a pass runs, or remove it.';
  if (tensor?.role === 'output' && tensor.required) {
    const message = `No pass uses "${binding.name}", so that the output "${tensor.name}" is never written.`;
    report.error('unused-binding', binding.nameSpan, message, remedy);
  } else {
    report.warning('unused-binding', binding.nameSpan, `No pass uses "${binding.name}".`, remedy);
  }
}

function sameName(binding: Binding, { tensors, scratch }: BindingContext): string | null {
  if (binding.space === 'uniform') return null;
  return [...tensors, ...scratch].find(({ name }) => name === binding.name)?.name ?? null;
}

/** The front matter's own `bindings`: variable → tensor or scratch buffer. */
function readTargets({ frontMatter, module, tensors, scratch, report }: BindingContext): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  const storage = module.bindings.filter(({ space }) => space === 'storage').map(({ name }) => name);
  const known = [...tensors, ...scratch].map(({ name }) => name);
  for (const { key, keySpan: span, value } of sectionOf(frontMatter, 'bindings').entries) {
    const declared = module.bindings.find(({ name }) => name === key);
    if (declared?.space !== 'storage') {
      const message = declared
        ? `"${key}" is a uniform: its members take dimensions and options, not tensors.`
        : `The WGSL has no storage variable "${key}".`;
      const remedy = declared ? 'Name its members under "uniforms".' : suggestName(key, storage);
      report.error('unknown-binding', span, message, remedy);
      continue;
    }
    const target = value.kind === 'scalar' ? String(value.value) : '';
    if (known.includes(target)) targets.set(key, target);
    else if (known.length > 0 && !entryOf(sectionOf(frontMatter, 'scratch'), target)) {
      const message = `"${target}" is neither a tensor of the mechanism nor a scratch buffer.`;
      report.error('unknown-tensor', value.span, message, suggestName(target, known));
    }
  }
  return targets;
}

function reportUnbound(binding: Binding, { frontMatter, tensors, scratch, report }: BindingContext): void {
  // A misspelt target, a missing mechanism and an unreadable scratch buffer have their own message.
  if (tensors.length === 0 || entryOf(sectionOf(frontMatter, 'bindings'), binding.name)) return;
  if (entryOf(sectionOf(frontMatter, 'scratch'), binding.name)) return;
  const known = [...tensors, ...scratch].map(({ name }) => name);
  report.error(
    'binding-without-tensor',
    binding.nameSpan,
    `"${binding.name}" (${typeText(binding.type)}) is no tensor of the mechanism and no scratch buffer.`,
    `Say what it holds: bindings: { ${binding.name}: ${known[0] ?? 'q'} }. ${suggestName(binding.name, known)}`,
  );
}

function checkSecondBinding(binding: Binding, target: string, again: boolean, report: Report): void {
  if (!again) return;
  report.error(
    'tensor-bound-twice',
    binding.nameSpan,
    `"${binding.name}" is a second variable for "${target}", which a kernel writes.`,
    'Use one variable for it in all passes.',
  );
}

function reportMissingTensors(
  bound: ReadonlySet<string>,
  { frontMatter, module, tensors, report }: BindingContext,
): void {
  if (module.diagnostics.some(({ severity }) => severity === 'error')) return;
  const given = sectionOf(frontMatter, 'bindings').entries.map(({ value }) =>
    value.kind === 'scalar' ? value.value : null,
  );
  for (const { name, role, required, whole } of tensors) {
    if (!required || bound.has(name) || given.includes(name)) continue;
    const access = role === 'input' ? 'read' : 'read_write';
    report.error(
      'tensor-without-binding',
      entryOf(frontMatter.root, 'mechanism')?.value.span ?? keySpan(frontMatter, 'mechanism'),
      `No variable of the WGSL holds the ${role} "${name}".`,
      `Declare "var<storage, ${access}> ${name}: array<${whole ? 'i32' : 'f32'}>;", or name its variable: bindings: { my_${name}: ${name} }`,
    );
  }
}

/** Two variables may share a place in a bind group only if no entry point uses both. */
function reportClashes(module: WgslModule, report: Report): void {
  module.bindings.forEach((binding, index) => {
    const other = module.bindings
      .slice(0, index)
      .find((earlier) => earlier.group === binding.group && earlier.binding === binding.binding);
    if (!other || !module.entryPoints.some((entry) => entry.uses.has(binding.name) && entry.uses.has(other.name)))
      return;
    report.error(
      'duplicate-binding',
      binding.nameSpan,
      `"${binding.name}" has the same @group(${binding.group}) @binding(${binding.binding}) as "${other.name}".`,
      'Give one of them another @binding number.',
    );
  });
}

function warnUnusedTensorKeys(frontMatter: FrontMatter, bound: ReadonlySet<string>, report: Report): void {
  for (const key of ['layout', 'dtype']) {
    for (const entry of sectionOf(frontMatter, key).entries) {
      if (bound.has(entry.key) || report.diagnostics.some(({ span }) => span.start === entry.keySpan.start)) continue;
      const message = `"${entry.key}" under "${key}" has no effect: no variable holds that tensor.`;
      report.warning('unused-entry', entry.keySpan, message, 'Remove it, or bind the tensor.');
    }
  }
}
