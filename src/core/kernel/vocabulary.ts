import { mechanisms } from '../attention/catalogue.js';
import type { DimensionSpec, Mechanism, OptionSpec, OptionValue, TensorSpec } from '../attention/mechanism.js';
import { typeText } from '../wgsl/abstract-types.js';
import { workgroupSizeOf } from '../wgsl/evaluate.js';
import type { EntryPoint, Override } from '../wgsl/module.js';
import { scalarLeaves } from '../wgsl/layout.js';
import { optionScalars } from './cases.js';
import { resolveConstants } from './constants.js';
import { expressionFunctions } from './expression.js';
import { gpuFeatures } from './features.js';
import type { Kernel } from './model.js';
import type { NameSource } from './schema.js';
import { scalarsOf } from './scope.js';

/** What a name stands for, so that an editor can choose an icon. */
export type NameKind =
  'key' | 'mechanism' | 'value' | 'dimension' | 'option' | 'override' | 'function' | 'variable' | 'tensor' | 'entry';

/** A name that may stand in the front matter. `documentation` is Markdown. */
export interface KnownName {
  readonly label: string;
  readonly kind: NameKind;
  readonly detail: string;
  readonly documentation: string;
}

/** Every name that means something in a kernel's front matter, with its value at the file's own shape. */
export class Vocabulary {
  /** Dimensions, options and overrides by name. */
  readonly values: ReadonlyMap<string, number>;

  constructor(readonly kernel: Kernel) {
    const scalars = scalarsOf(kernel.mechanism, kernel.shape, kernel.options);
    this.values = new Map([...scalars, ...resolveConstants(kernel.module, kernel.constants, scalars).values]);
  }

  /** The names of one kind. */
  names(source: NameSource): readonly KnownName[] {
    const { mechanism, computation, module } = this.kernel;
    switch (source) {
      case 'mechanism':
        return mechanisms.map(mechanismName);
      case 'direction':
        return (mechanism?.computations ?? []).map(({ direction }) => plain(direction, 'value', 'direction'));
      case 'dimension':
        return (mechanism?.dimensions ?? []).map((spec) => this.dimension(spec));
      case 'option':
        return (mechanism?.options ?? []).map((spec) => this.option(spec));
      case 'dimensionOrOption':
        return [...this.names('dimension'), ...this.names('option')];
      case 'entry':
        return module.entryPoints.map((entry) => this.entry(entry));
      case 'override':
        return module.overrides.map((override) => this.override(override));
      case 'binding':
        return module.bindings
          .filter(({ space }) => space === 'storage')
          .map(({ name, type, access }) => plain(name, 'variable', `var<storage, ${access}> ${typeText(type)}`));
      case 'tensor':
        return (computation?.tensors ?? []).map((tensor) => this.tensor(tensor));
      case 'tensorOrScratch':
        return [...this.names('tensor'), ...this.scratch()];
      case 'uniformMember':
        return this.uniformMembers();
      case 'feature':
        return [...gpuFeatures].map(([name, text]) => ({
          ...plain(name, 'value', 'WebGPU feature'),
          documentation: text,
        }));
      case 'new':
        return [];
    }
  }

  /** What an expression may be made of: dimensions, options as numbers, overrides and functions. */
  expressionNames(): readonly KnownName[] {
    const options = (this.kernel.mechanism?.options ?? []).flatMap((spec) =>
      optionScalars(spec).map((name) => ({ ...this.option(spec), label: name, detail: this.valueText(name) })),
    );
    const functions = [...expressionFunctions].map(([name, { description }]) => ({
      ...plain(name, 'function', 'function'),
      documentation: description,
    }));
    return [...this.names('dimension'), ...options, ...this.names('override'), ...functions];
  }

  /** The words a value of an option or dimension may be. */
  optionValues(name: string): readonly KnownName[] {
    const spec = this.kernel.mechanism?.options.find((option) => option.name === name);
    const dimension = this.kernel.mechanism?.dimensions.find((candidate) => candidate.name === name);
    if (dimension) return [plain(String(this.kernel.shape[name] ?? 1), 'value', dimension.description)];
    switch (spec?.kind) {
      case undefined:
        return [];
      case 'boolean':
        return ['true', 'false'].map((word) => plain(word, 'value', spec.name));
      case 'choice':
        return spec.choices.map((word) => plain(word, 'value', spec.name));
      case 'window':
        return ['[-1, -1]', '[128, 0]'].map((word) => plain(word, 'value', '[left, right], -1 for unlimited'));
      case 'number':
        return [plain(String(this.kernel.options[name] ?? 1), 'value', spec.description)];
    }
  }

  private valueText(name: string): string {
    const value = this.values.get(name);
    return value === undefined ? '' : `= ${value}`;
  }

  private dimension(spec: DimensionSpec): KnownName {
    const value = this.kernel.shape[spec.name];
    const fallback = fallbackText(spec);
    return {
      label: spec.name,
      kind: 'dimension',
      detail: value === undefined ? 'dimension' : `= ${value}`,
      documentation: `**${spec.name}**: ${spec.description}\n\nHere ${value ?? '?'}; default ${fallback}.`,
    };
  }

  private option(spec: OptionSpec): KnownName {
    const value = optionText(this.kernel.options[spec.name]);
    const choices = spec.kind === 'choice' ? ` One of ${spec.choices.join(', ')}.` : '';
    return {
      label: spec.name,
      kind: 'option',
      detail: `${spec.kind}, ${value}`,
      documentation: `**${spec.name}** (${spec.kind}): ${spec.description}${choices}\n\nHere ${value}.`,
    };
  }

  private override({ name, scalar, defaultValue, defaultText }: Override): KnownName {
    const fallback = defaultValue ?? defaultText ?? 'none';
    const value = this.values.get(name);
    return {
      label: name,
      kind: 'override',
      detail: value === undefined ? scalar : `= ${value}`,
      documentation: `\`override ${name}: ${scalar}\`\n\nHere ${value ?? 'without a value'}; default ${fallback}.`,
    };
  }

  private entry(entry: EntryPoint): KnownName {
    const size = workgroupSizeOf(this.kernel.module, entry, Object.fromEntries(this.values));
    const text = `@compute @workgroup_size(${size?.join(', ') ?? entry.workgroupSize.join(', ')})`;
    return { label: entry.name, kind: 'entry', detail: text, documentation: `\`${text} fn ${entry.name}\`` };
  }

  private tensor({ name, role, dims, required, description }: TensorSpec): KnownName {
    const sizes = dims.map((dim) => this.kernel.shape[dim] ?? '?');
    return {
      label: name,
      kind: 'tensor',
      detail: `${role} [${dims.join(', ')}]`,
      documentation: `**${name}**: ${description}\n\n${required ? 'Required' : 'Optional'} ${role} \`[${dims.join(', ')}]\` = [${sizes.join(', ')}]`,
    };
  }

  private scratch(): readonly KnownName[] {
    return this.kernel.scratch.map(({ name, format, dims }) =>
      plain(name, 'variable', `${format}[${dims.join(', ')}]`),
    );
  }

  private uniformMembers(): readonly KnownName[] {
    const uniforms = this.kernel.module.bindings.filter(({ space }) => space === 'uniform');
    return uniforms.flatMap(({ name, type }) =>
      (scalarLeaves(type) ?? []).map((leaf) => plain(leaf.path === '' ? name : leaf.path, 'variable', leaf.scalar)),
    );
  }
}

function plain(label: string, kind: NameKind, detail: string): KnownName {
  return { label, kind, detail, documentation: `**${label}**: ${detail}` };
}

/** What a dimension is when it is not given, in words. */
function fallbackText({ fallback }: DimensionSpec): string {
  if (typeof fallback === 'number') return String(fallback);
  return typeof fallback === 'string' ? `as ${fallback}` : fallback.text;
}

function optionText(value: OptionValue | undefined): string {
  return value === undefined ? 'not set' : typeof value === 'object' ? `[${value.join(', ')}]` : String(value);
}

function mechanismName(mechanism: Mechanism): KnownName {
  const tensors = mechanism.computations[0]?.tensors ?? [];
  const rows = tensors.map(({ name, role, dims }) => `| \`${name}\` | ${role} | \`[${dims.join(', ')}]\` |`);
  const table = ['| tensor | role | dimensions |', '|---|---|---|', ...rows].join('\n');
  return {
    label: mechanism.id,
    kind: 'mechanism',
    detail: mechanism.title,
    documentation: `**${mechanism.title}**\n\n${mechanism.summary}\n\n${table}`,
  };
}
