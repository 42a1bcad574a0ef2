import { completeOptions, completeShape, findMechanism, mechanisms } from '../attention/catalogue.js';
import type {
  Computation,
  Direction,
  Mechanism,
  Options,
  OptionSpec,
  OptionValue,
  Shape,
} from '../attention/mechanism.js';
import type { Span } from '../diagnostic.js';
import { keySpan, sectionOf, type FrontMatter } from './frontMatter.js';
import { impossibleCase } from './limits.js';
import { suggestName } from './nearest.js';
import type { Report } from './report.js';
import { entryOf, type YamlEntry, type YamlMap, type YamlNode } from './yamlTree.js';

/** The largest size a dimension may have: beyond it no buffer could hold a tensor of one column. */
export const maxDimension = 2 ** 28;

/** What a kernel computes and at which size, as its front matter declares it. */
export interface Setting {
  readonly mechanism: Mechanism | null;
  readonly computation: Computation | null;
  /** Complete, once the mechanism is known. */
  readonly shape: Shape;
  readonly options: Options;
  /** What the file itself says, the rest left open. */
  readonly declaredShape: Shape;
  readonly declaredOptions: Options;
  /** The largest sizes the kernel takes, by dimension. */
  readonly limits: Shape;
}

/** Sizes and options given side by side, each known to the mechanism and of the right kind. */
interface PartialCase {
  readonly shape: Shape;
  readonly options: Options;
}

/** Reads mechanism, direction, shape, options and limits. */
export function readSetting(frontMatter: FrontMatter, report: Report): Setting {
  const mechanism = readMechanism(frontMatter, report);
  if (!mechanism) {
    return {
      mechanism: null,
      computation: null,
      shape: {},
      options: {},
      declaredShape: {},
      declaredOptions: {},
      limits: {},
    };
  }
  const computation = readComputation(frontMatter, mechanism, report);
  const declaredShape = readSizes(sectionOf(frontMatter, 'shape'), mechanism, report);
  const declaredOptions = readOptions(sectionOf(frontMatter, 'options'), mechanism, report);
  const limits = readSizes(sectionOf(frontMatter, 'limits'), mechanism, report);
  const shape = completeShape(mechanism, declaredShape);
  const options = completeOptions(mechanism, shape, declaredOptions);
  const problem = impossibleCase(mechanism, shape, options, limits);
  if (problem !== null) {
    const key = entryOf(frontMatter.root, 'shape')
      ? 'shape'
      : entryOf(frontMatter.root, 'options')
        ? 'options'
        : 'mechanism';
    report.error('invalid-shape', keySpan(frontMatter, key), problem, 'Change "shape" or "options" so that it holds.');
  }
  return { mechanism, computation, shape, options, declaredShape, declaredOptions, limits };
}

function readMechanism(frontMatter: FrontMatter, report: Report): Mechanism | null {
  const ids = mechanisms.map(({ id }) => id);
  const node = entryOf(frontMatter.root, 'mechanism')?.value;
  if (node?.kind !== 'scalar' || typeof node.value !== 'string') {
    if (
      !report.diagnostics.some(
        ({ code }) => code === 'missing-value' || code === 'wrong-type' || code === 'yaml-syntax',
      )
    ) {
      report.error(
        'missing-mechanism',
        keySpan(frontMatter, 'mechanism'),
        'The front matter does not say which mechanism this kernel computes.',
        `Add "mechanism: ${ids[0] ?? 'softmax-attention'}" (or ${ids.slice(1).join(', ')}).`,
      );
    }
    return null;
  }
  const mechanism = findMechanism(node.value);
  if (!mechanism) {
    report.error(
      'unknown-mechanism',
      node.span,
      `There is no mechanism "${node.value}".`,
      suggestName(node.value, ids),
    );
  }
  return mechanism;
}

function readComputation(frontMatter: FrontMatter, mechanism: Mechanism, report: Report): Computation | null {
  const node = entryOf(frontMatter.root, 'direction')?.value;
  const direction = (node?.kind === 'scalar' ? node.value : 'forward') as Direction;
  const computation = mechanism.computations.find((candidate) => candidate.direction === direction) ?? null;
  if (!computation) {
    const known = mechanism.computations.map((candidate) => candidate.direction).join(', ');
    report.error(
      'unknown-direction',
      node?.span ?? keySpan(frontMatter, 'mechanism'),
      `${mechanism.title} has no direction "${direction}".`,
      `Choose from: ${known}.`,
    );
  }
  return computation;
}

function readSizes(section: YamlMap, mechanism: Mechanism, report: Report): Shape {
  const shape: Record<string, number> = {};
  for (const entry of section.entries) {
    const names = mechanism.dimensions.map(({ name }) => name);
    if (!names.includes(entry.key)) {
      const isOption = mechanism.options.some(({ name }) => name === entry.key);
      report.error(
        'unknown-dimension',
        entry.keySpan,
        `"${entry.key}" is not a dimension of ${mechanism.title}.`,
        isOption ? 'It is an option: move it to "options".' : suggestName(entry.key, names),
      );
      continue;
    }
    const size = readSize(entry, report);
    if (size !== null) shape[entry.key] = size;
  }
  return shape;
}

function readSize(entry: YamlEntry, report: Report): number | null {
  const value = entry.value.kind === 'scalar' ? entry.value.value : null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= maxDimension) return value;
  const written = entry.value.kind === 'scalar' ? entry.value.raw : 'a list';
  report.error(
    'invalid-size',
    entry.value.span,
    `"${entry.key}" is ${written}, and a size must be a whole number from 1 to ${maxDimension}.`,
    `For example: ${entry.key}: 64`,
  );
  return null;
}

function readOptions(section: YamlMap, mechanism: Mechanism, report: Report): Options {
  const options: Record<string, OptionValue> = {};
  for (const entry of section.entries) {
    const spec = mechanism.options.find(({ name }) => name === entry.key);
    if (!spec) {
      const isDimension = mechanism.dimensions.some(({ name }) => name === entry.key);
      const names = mechanism.options.map(({ name }) => name);
      report.error(
        'unknown-option',
        entry.keySpan,
        `"${entry.key}" is not an option of ${mechanism.title}.`,
        isDimension ? 'It is a dimension: move it to "shape".' : suggestName(entry.key, names),
      );
      continue;
    }
    const value = readOption(spec, entry.value, report);
    if (value !== null) options[entry.key] = value;
  }
  return options;
}

function readOption(spec: OptionSpec, node: YamlNode, report: Report): OptionValue | null {
  const value = node.kind === 'scalar' ? node.value : null;
  const wrong = (span: Span, wanted: string, remedy: string): null => {
    const written = node.kind === 'scalar' ? `"${node.raw}"` : 'this';
    report.error('invalid-option', span, `"${spec.name}" must be ${wanted}; ${written} is not.`, remedy);
    return null;
  };
  switch (spec.kind) {
    case 'boolean':
      return typeof value === 'boolean'
        ? value
        : wrong(node.span, 'true or false', `Write ${spec.name}: true or false.`);
    case 'number':
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      return wrong(node.span, 'a finite number', `For example: ${spec.name}: 1`);
    case 'choice':
      if (typeof value === 'string' && spec.choices.includes(value)) return value;
      return wrong(node.span, `one of ${spec.choices.join(', ')}`, suggestName(String(value), spec.choices));
    case 'window': {
      const sides = node.kind === 'list' ? node.items.map((item) => (item.kind === 'scalar' ? item.value : null)) : [];
      const [left, right] = sides;
      if (sides.length === 2 && isWindowSide(left) && isWindowSide(right)) return [left, right];
      return wrong(
        node.span,
        'two whole numbers [left, right], -1 for unlimited',
        `For example: ${spec.name}: [128, 0]`,
      );
    }
  }
}

function isWindowSide(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= -1 && value <= maxDimension;
}

/** Reads one entry of `cases`: a flat mapping of dimensions and options. */
export function readPartialCase(node: YamlMap, mechanism: Mechanism, report: Report): PartialCase {
  const isOption = (entry: YamlEntry): boolean => mechanism.options.some(({ name }) => name === entry.key);
  const isDimension = (entry: YamlEntry): boolean => mechanism.dimensions.some(({ name }) => name === entry.key);
  for (const entry of node.entries) {
    if (isOption(entry) || isDimension(entry)) continue;
    const names = [...mechanism.dimensions, ...mechanism.options].map(({ name }) => name);
    report.error(
      'unknown-dimension',
      entry.keySpan,
      `"${entry.key}" is neither a dimension nor an option of ${mechanism.title}.`,
      suggestName(entry.key, names),
    );
  }
  return {
    shape: readSizes({ ...node, entries: node.entries.filter(isDimension) }, mechanism, report),
    options: readOptions({ ...node, entries: node.entries.filter(isOption) }, mechanism, report),
  };
}
