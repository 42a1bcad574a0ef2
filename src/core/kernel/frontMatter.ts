import type { Span } from '../diagnostic.js';
import { suggestName } from './nearest.js';
import { Report } from './report.js';
import { frontMatterFields, type FieldSchema, type ValueSchema } from './schema.js';
import { entryOf, parseYaml, type YamlMap, type YamlNode } from './yamlTree.js';

/** Where the front matter stands in a file. */
export interface FrontMatterBlock {
  /** The whole comment, fences included. */
  readonly block: Span;
  /** The YAML between the fences. */
  readonly yaml: Span;
  readonly closed: boolean;
}

/** The front matter of a file, its form checked against the schema. What did not fit the schema is left out of `root`. */
export interface FrontMatter extends FrontMatterBlock {
  readonly root: YamlMap;
}

// A banner such as `/*--- helpers ---*/` is no front matter: the fence has its line to itself, or a mechanism on it.
const openFence = /^[ \t\uFEFF]*(\/\*---)(?=[ \t]*\r?\n|[^\n]*\bmechanism\b)/m;

/** Finds the first front matter block, a comment between `/*---` and `---*` + `/`, or null. */
export function findFrontMatter(source: string): FrontMatterBlock | null {
  const open = openFence.exec(source);
  if (!open) return null;
  const start = open.index + open[0].length - open[1]!.length;
  const inner = start + open[1]!.length;
  const commentEnd = source.indexOf('*/', inner);
  if (commentEnd < 0)
    return { block: { start, end: source.length }, yaml: { start: inner, end: source.length }, closed: false };
  const closed = source.slice(inner, commentEnd).endsWith('---');
  const end = closed ? commentEnd - 3 : commentEnd;
  return { block: { start, end: commentEnd + 2 }, yaml: { start: inner, end }, closed };
}

/** Reads the front matter of a file and checks its form, reporting what is wrong; null when there is none. */
export function readFrontMatter(source: string, report: Report): FrontMatter | null {
  const found = findFrontMatter(source);
  if (!found) return null;
  const { yaml, block } = found;
  if (!found.closed) {
    report.error(
      'front-matter-unclosed',
      { start: block.start, end: block.start + 5 },
      'This front matter is not closed by "---*/".',
      'End it with "---*/" on a line of its own.',
    );
  }
  const tree = parseYaml(source.slice(yaml.start, yaml.end), yaml.start, report);
  const empty: YamlMap = { kind: 'map', entries: [], span: yaml };
  if (tree === null || (tree.kind === 'scalar' && tree.value === null)) return { ...found, root: empty };
  if (tree.kind !== 'map') {
    report.error(
      'wrong-type',
      tree.span,
      'The front matter must hold "key: value" lines.',
      'Start with "mechanism: softmax-attention".',
    );
    return { ...found, root: empty };
  }
  return { ...found, root: checkRecord(tree, frontMatterFields, 'the front matter', report) };
}

function checkRecord(node: YamlMap, fields: readonly FieldSchema[], where: string, report: Report): YamlMap {
  const keys = fields.map((field) => field.key);
  const entries = node.entries.flatMap((entry) => {
    const field = fields.find((candidate) => candidate.key === entry.key);
    if (!field) {
      const remedy = suggestName(entry.key, keys);
      report.error('unknown-key', entry.keySpan, `"${entry.key}" is not a key of ${where}.`, remedy);
      return [];
    }
    if (isNull(entry.value)) {
      report.error('missing-value', entry.keySpan, `"${entry.key}" has no value.`, example(field));
      return [];
    }
    const value = checkValue(entry.value, field.value, `"${entry.key}"`, example(field), report);
    return value ? [{ ...entry, value }] : [];
  });
  return { ...node, entries };
}

function example(field: FieldSchema): string {
  const [first] = field.examples;
  return first === undefined ? 'Give it a value, or remove it.' : `For example: ${field.key}: ${first.trimEnd()}`;
}

/** Null where there is nothing written at all: `key:` with the value still to be typed. */
function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** The node as far as it fits the schema, null where it does not at all. */
function checkValue(
  node: YamlNode,
  schema: ValueSchema,
  where: string,
  remedy: string,
  report: Report,
): YamlNode | null {
  const wrong = (wanted: string): null => {
    report.error('wrong-type', node.span, `${where} must be ${wanted}, not ${describe(node)}.`, remedy);
    return null;
  };
  switch (schema.kind) {
    case 'text': {
      if (node.kind !== 'scalar' || typeof node.value !== 'string') return wrong('a name');
      if (schema.choices && !schema.choices.includes(node.value)) {
        const code = schema.names === 'direction' ? 'unknown-direction' : 'unknown-value';
        const message = `"${node.value}" is not a value of ${where}.`;
        report.error(code, node.span, message, suggestName(node.value, schema.choices));
        return null;
      }
      return node;
    }
    case 'number':
      return node.kind === 'scalar' && typeof node.value === 'number' ? node : wrong('a number');
    case 'expression':
      return checkExpressionNode(node) ? node : wrong('a number or an expression');
    case 'define':
      return node.kind === 'scalar' && node.value !== null ? node : wrong('a number, a switch or text');
    case 'optionValue':
      return node.kind !== 'map' && !isNull(node) ? node : wrong('a number, a switch, a word or [left, right]');
    case 'list':
      return checkList(node, schema, where, remedy, report);
    case 'map':
      if (node.kind !== 'map') return wrong('"{ name: value }"');
      return checkMap(node, schema.value, where, remedy, report);
    case 'record':
      if (node.kind !== 'map') return wrong('"{ key: value }"');
      return checkRecord(node, schema.fields, where, report);
  }
}

function checkExpressionNode(node: YamlNode): boolean {
  if (node.kind === 'list') return node.items.every(checkExpressionNode);
  return node.kind === 'scalar' && node.value !== null;
}

function checkMap(node: YamlMap, value: ValueSchema, where: string, remedy: string, report: Report): YamlMap {
  const entries = node.entries.flatMap((entry) => {
    if (isNull(entry.value)) {
      report.error('missing-value', entry.keySpan, `"${entry.key}" in ${where} has no value.`, remedy);
      return [];
    }
    const checked = checkValue(entry.value, value, `"${entry.key}" in ${where}`, remedy, report);
    return checked ? [{ ...entry, value: checked }] : [];
  });
  return { ...node, entries };
}

function checkList(
  node: YamlNode,
  schema: ValueSchema & { kind: 'list' },
  where: string,
  remedy: string,
  report: Report,
): YamlNode | null {
  if (node.kind !== 'list' && !schema.single) {
    report.error('wrong-type', node.span, `${where} must be a list, not ${describe(node)}.`, remedy);
    return null;
  }
  const items = node.kind === 'list' ? node.items : [node];
  if (items.length < schema.least || items.length > schema.most) {
    const wanted = schema.least === schema.most ? `${schema.least}` : `${schema.least} to ${schema.most}`;
    report.error('wrong-count', node.span, `${where} takes ${wanted} values, not ${items.length}.`, remedy);
    return null;
  }
  const checked = items.flatMap(
    (item) => checkValue(item, schema.item, `each value of ${where}`, remedy, report) ?? [],
  );
  return { kind: 'list', items: checked, span: node.span };
}

function describe(node: YamlNode): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a mapping';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'string') return `"${node.value.slice(0, 40)}"`;
  return String(node.value);
}

/** The value under a key of the front matter as a mapping, with no entries where the key is absent. */
export function sectionOf(frontMatter: FrontMatter, key: string): YamlMap {
  const value = entryOf(frontMatter.root, key)?.value;
  return value?.kind === 'map' ? value : { kind: 'map', entries: [], span: frontMatter.block };
}

/** The place of a key of the front matter; of its opening fence where the key is absent. */
export function keySpan(frontMatter: FrontMatter, key: string): Span {
  const { start } = frontMatter.block;
  return entryOf(frontMatter.root, key)?.keySpan ?? { start, end: start + 5 };
}

/** The node at a path of keys and indices below the root, or null. A lone item counts as a list of one. */
export function nodeAt(frontMatter: FrontMatter, path: readonly (string | number)[]): YamlNode | null {
  let node: YamlNode | null = frontMatter.root;
  for (const step of path) {
    if (node === null) return null;
    if (typeof step === 'string') node = node.kind === 'map' ? (entryOf(node, step)?.value ?? null) : null;
    else if (node.kind === 'list') node = node.items[step] ?? null;
    else if (step !== 0) return null;
  }
  return node;
}

/**
 * The place of the value at a path of a file's front matter, or null. It parses anew: only findings need places, and a
 * good kernel is planned many times without one.
 */
export function findPlace(source: string, path: readonly (string | number)[]): Span | null {
  const frontMatter = readFrontMatter(source, new Report());
  return frontMatter ? (nodeAt(frontMatter, path)?.span ?? null) : null;
}
