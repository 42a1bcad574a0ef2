import type { Span } from '../diagnostic.js';
import { cursorPlace, type CursorPlace } from './cursor.js';
import { findFrontMatter } from './frontMatter.js';
import { readKernel } from './read.js';
import { frontMatterFields, type FieldSchema, type ValueSchema } from './schema.js';
import { Vocabulary, type KnownName, type NameKind } from './vocabulary.js';

/** One suggestion: `insertText` replaces the span of the completions. `documentation` is Markdown. */
export interface Completion {
  readonly label: string;
  readonly insertText: string;
  readonly detail: string;
  readonly documentation: string;
  readonly kind: NameKind;
}

/** What may stand at a place of the front matter, and the word it replaces. */
export interface Completions {
  readonly items: readonly Completion[];
  readonly span: Span;
}

const root: ValueSchema = { kind: 'record', fields: frontMatterFields };

/** Suggestions for a place in a kernel file; null outside its front matter. Works on half-typed YAML. */
export function completionsAt(source: string, offset: number): Completions | null {
  const found = findFrontMatter(source);
  if (!found || offset < found.yaml.start || offset > found.yaml.end) return null;
  // On the line of the opening fence nothing can be typed.
  const before = source.slice(found.yaml.start, offset);
  if (!before.includes('\n') && source.slice(found.yaml.start, found.yaml.end).includes('\n')) return null;
  const kernel = readKernel(source, '');
  if (!kernel || isComment(before)) return null;
  const place = cursorPlace(before.slice(before.indexOf('\n') + 1));
  const position = schemaAt(place);
  if (!position) return null;
  const span = wordSpan(source, offset, position.schema.kind === 'expression' ? /\w/ : /[\w.-]/);
  const items = suggestions(position, place, new Vocabulary(kernel), source.slice(span.end, found.yaml.end));
  return { items, span };
}

function isComment(before: string): boolean {
  return /(?:^|\s)#/.test(before.slice(before.lastIndexOf('\n') + 1));
}

function wordSpan(source: string, offset: number, part: RegExp): Span {
  let start = offset;
  let end = offset;
  while (start > 0 && part.test(source[start - 1]!)) start--;
  while (end < source.length && part.test(source[end]!)) end++;
  // The closing fence `---*/` on the same line is no part of a word.
  const fence = source.slice(offset, end).indexOf('---');
  return { start, end: fence < 0 ? end : offset + fence };
}

interface Position {
  readonly schema: ValueSchema;
  /** The key whose value is asked for, and its field where it is a key of a record. */
  readonly key: string | null;
  readonly field: FieldSchema | null;
}

/** The form of what stands at a path of keys and list items; null where the path leads nowhere. */
function schemaAt({ path }: CursorPlace): Position | null {
  let position: Position = { schema: root, key: null, field: null };
  for (const step of path) {
    const next = descend(position, step);
    if (!next) return null;
    position = next;
  }
  return position;
}

function descend({ schema, key, field: parent }: Position, step: string): Position | null {
  if (step === '-') {
    if (schema.kind === 'list') return { schema: schema.item, key, field: parent };
    return schema.kind === 'expression' || schema.kind === 'optionValue' ? { schema, key, field: null } : null;
  }
  if (schema.kind === 'list' && schema.single) return descend({ schema: schema.item, key, field: parent }, step);
  if (schema.kind === 'map') return { schema: schema.value, key: step, field: null };
  if (schema.kind !== 'record') return null;
  const field = schema.fields.find((candidate) => candidate.key === step);
  return field ? { schema: field.value, key: step, field } : null;
}

function suggestions(
  { schema, key, field }: Position,
  place: CursorPlace,
  words: Vocabulary,
  after: string,
): readonly Completion[] {
  const colon = /^\s*:/.test(after) ? '' : ': ';
  const unwritten = (name: { readonly label: string }): boolean => !place.siblings.includes(name.label);
  switch (schema.kind) {
    case 'record':
      if (place.afterKey) return exampleItems(field);
      return schema.fields
        .map(fieldName)
        .filter(unwritten)
        .map((name) => item(name, colon));
    case 'map':
      if (place.afterKey) return exampleItems(field);
      return words
        .names(schema.keys)
        .filter(unwritten)
        .map((name) => item(name, colon));
    case 'list': {
      if (schema.single && !place.afterKey)
        return suggestions({ schema: schema.item, key, field }, place, words, after);
      return exampleItems(field);
    }
    case 'text':
      if (schema.choices && schema.names !== 'direction') {
        return schema.choices.map((label) => item({ label, kind: 'value', detail: '', documentation: '' }, ''));
      }
      return words.names(schema.names).map((name) => item(name, ''));
    case 'number':
    case 'optionValue':
      return key === null ? [] : words.optionValues(key).map((name) => item(name, ''));
    case 'expression':
      return words.expressionNames().map((name) => item(name, ''));
    case 'define':
      return words.names('dimension').map((name) => item(name, ''));
  }
}

function item(name: KnownName, suffix: string): Completion {
  return { ...name, insertText: name.label + suffix };
}

function exampleItems(field: FieldSchema | null): readonly Completion[] {
  return (field?.examples ?? []).map((example) => ({
    label: example.trim(),
    insertText: example,
    detail: 'example',
    documentation: field?.description ?? '',
    kind: 'value',
  }));
}

/** A key of the front matter as a name, with its description, default and examples in Markdown. */
export function fieldName(field: FieldSchema): KnownName {
  const examples = field.examples.map((example) => `\`\`\`yaml\n${field.key}: ${example}\n\`\`\``).join('\n');
  return {
    label: field.key,
    kind: 'key',
    detail: field.required ? 'required' : 'optional',
    documentation: `**${field.key}**: ${field.description}\n\nDefault: ${field.fallback}.\n\n${examples}`,
  };
}
