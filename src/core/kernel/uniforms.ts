import type { Span } from '../diagnostic.js';
import { typeText } from '../wgsl/abstract-types.js';
import { scalarLeaves, uniformLayoutProblem, type ScalarLeaf } from '../wgsl/layout.js';
import type { Binding, WgslModule } from '../wgsl/module.js';
import type { BindingContext } from './bindings.js';
import { misfit } from './constants.js';
import { evaluateText } from './expression.js';
import { sectionOf } from './frontMatter.js';
import type { BindingUse, UniformMember } from './model.js';
import { suggestName } from './nearest.js';
import { checkExpression } from './scope.js';
import type { YamlEntry, YamlScalar } from './yamlTree.js';

const padding = /^_*(?:pad|padding|unused|reserved|dummy)_*\d*$/i;
const components: Readonly<Record<string, number>> = { x: 0, y: 1, z: 2, w: 3 };
const maxLeaves = 4096;

/** The name of a dimension or option as WGSL code writes it: `headDimV` is `head_dim_v`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The place where a member of a struct is declared; the binding's name where it cannot be told. */
function memberSpan(binding: Binding, path: string, module: WgslModule): Span {
  const [member] = path.split('.');
  if (binding.type.kind !== 'struct' || member === undefined) return binding.nameSpan;
  const head = new RegExp(`\\bstruct\\s+${binding.type.name}\\s*\\{`).exec(module.source);
  if (!head) return binding.nameSpan;
  const from = head.index + head[0].length;
  const body = module.source.slice(from, module.source.indexOf('}', from));
  const found = new RegExp(`\\b${member}\\b(?=\\s*:)`).exec(body);
  return found ? { start: from + found.index, end: from + found.index + member.length } : binding.nameSpan;
}

/** The names by which the front matter may speak of a leaf. */
function aliases(binding: Binding, leaf: ScalarLeaf): readonly string[] {
  return leaf.path === '' ? [binding.name] : [leaf.path, `${binding.name}.${leaf.path}`];
}

/** The entry under `uniforms` that gives a leaf its value: its own, or that of a vector or array it belongs to. */
function givenFor(
  binding: Binding,
  leaf: ScalarLeaf,
  entries: readonly YamlEntry[],
): { readonly entry: YamlEntry; readonly scalar: YamlScalar | null } | null {
  for (const alias of aliases(binding, leaf)) {
    const steps = alias.split('.');
    for (let length = steps.length; length > 0; length--) {
      const entry = entries.find(({ key }) => key === steps.slice(0, length).join('.'));
      if (!entry) continue;
      let node = entry.value;
      for (const step of steps.slice(length)) {
        const next = node.kind === 'list' ? node.items[components[step] ?? Number(step)] : undefined;
        if (!next) return { entry, scalar: null };
        node = next;
      }
      return { entry, scalar: node.kind === 'scalar' ? node : null };
    }
  }
  return null;
}

/** Finds the expression for every scalar of a uniform; null where the type cannot be filled at all. */
export function readUniformUse(binding: Binding, used: boolean, context: BindingContext): BindingUse | null {
  const { report, module } = context;
  const leaves = scalarLeaves(binding.type);
  if (!leaves || leaves.length > maxLeaves) {
    if (used && binding.type.kind !== 'unknown') {
      const message = `"${binding.name}" is ${typeText(binding.type)}, which cannot be filled from dimensions and options.`;
      report.error(
        'uniform-type',
        binding.typeSpan,
        message,
        'Use a struct of f32, f16, i32 or u32 scalars and vectors.',
      );
    }
    return null;
  }
  const problem = binding.space === 'uniform' ? uniformLayoutProblem(binding.type) : null;
  if (problem !== null) {
    report.warning('uniform-layout', binding.typeSpan, `Not every device takes this uniform: ${problem}.`, null);
  }
  const members: UniformMember[] = [];
  for (const leaf of leaves) {
    const expression = expressionFor(binding, leaf, used, context);
    if (expression === null || leaf.scalar === 'bool') continue;
    members.push({
      path: leaf.path === '' ? binding.name : leaf.path,
      byteOffset: leaf.byteOffset,
      scalar: leaf.scalar,
      expression,
    });
    checkFit(memberSpan(binding, leaf.path, module), leaf, expression, context);
  }
  return { kind: 'uniform', members };
}

function expressionFor(binding: Binding, leaf: ScalarLeaf, used: boolean, context: BindingContext): string | null {
  const { frontMatter, scope, report, module } = context;
  const given = givenFor(binding, leaf, sectionOf(frontMatter, 'uniforms').entries);
  if (given?.scalar) {
    const good = checkExpression(given.scalar, `the uniform "${given.entry.key}"`, scope, report);
    return good
      ? String(Number(given.scalar.value) === given.scalar.value ? given.scalar.value : given.scalar.raw)
      : null;
  }
  const name = leaf.path === '' ? binding.name : leaf.path.split('.').at(-1)!;
  if (!given) {
    for (const scalar of scope.scalars.keys()) {
      if (scalar !== name && snakeCase(scalar) !== name) continue;
      scope.taken.add(scalar);
      return scalar;
    }
    if (leaf.path.split('.').some((step) => padding.test(step))) return '0';
  }
  if (used && scope.scalars.size > 0) {
    const path = leaf.path === '' ? binding.name : leaf.path;
    report.error(
      'missing-uniform',
      given ? given.entry.value.span : memberSpan(binding, leaf.path, module),
      `The uniform member "${path}" is no dimension or option of the mechanism.`,
      `Say what it takes: uniforms: { ${path}: seqlen }. ${suggestName(name, scope.scalars.keys())}`,
    );
  }
  return null;
}

function checkFit(span: Span, leaf: ScalarLeaf, expression: string, { scope, report }: BindingContext): void {
  const result = evaluateText(expression, scope.scalars);
  const problem = result.ok ? misfit(result.value, leaf.scalar) : null;
  if (!result.ok || problem === null) return;
  report.error(
    'uniform-type',
    span,
    `"${leaf.path}" is ${leaf.scalar}, but "${expression}" is ${result.value}, which is ${problem} for it.`,
    problem === 'not a whole number'
      ? 'Declare the member f32.'
      : problem === 'negative'
        ? 'Declare the member i32.'
        : null,
  );
}

/** Reports names under `uniforms` that are no member of any uniform. */
export function warnUnusedUniforms(uses: ReadonlyMap<Binding, BindingUse>, context: BindingContext): void {
  const { frontMatter, report } = context;
  const known = new Set<string>();
  for (const [binding, use] of uses) {
    if (use.kind !== 'uniform') continue;
    for (const leaf of scalarLeaves(binding.type) ?? []) {
      for (const alias of aliases(binding, leaf)) {
        const steps = alias.split('.');
        for (let length = 1; length <= steps.length; length++) known.add(steps.slice(0, length).join('.'));
      }
    }
  }
  for (const entry of sectionOf(frontMatter, 'uniforms').entries) {
    if (known.has(entry.key)) continue;
    const message = `No uniform of the WGSL has a member "${entry.key}".`;
    report.error('unknown-uniform', entry.keySpan, message, suggestName(entry.key, known));
  }
}
