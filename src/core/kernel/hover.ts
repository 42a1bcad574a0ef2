import type { Span } from '../diagnostic.js';
import { fieldName } from './complete.js';
import { evaluateExpression, namesIn, parseExpression } from './expression.js';
import { readFrontMatter } from './frontMatter.js';
import { readKernel } from './read.js';
import { Report } from './report.js';
import { frontMatterFields, type FieldSchema, type NameSource, type ValueSchema } from './schema.js';
import { Vocabulary, type KnownName } from './vocabulary.js';
import type { YamlNode, YamlScalar } from './yamlTree.js';

/** An explanation in Markdown and the text it is about. */
export interface Hover {
  readonly markdown: string;
  readonly span: Span;
}

const root: ValueSchema = { kind: 'record', fields: frontMatterFields };

const holds = (span: Span, offset: number): boolean => span.start <= offset && offset <= span.end;

/** What stands at a place of the front matter, explained; null outside it and where there is nothing to say. */
export function hoverAt(source: string, offset: number): Hover | null {
  const frontMatter = readFrontMatter(source, new Report());
  if (!frontMatter || !holds(frontMatter.yaml, offset)) return null;
  const kernel = readKernel(source, '');
  return kernel ? new HoverFinder(offset, new Vocabulary(kernel)).find(frontMatter.root, root, null) : null;
}

class HoverFinder {
  constructor(
    private readonly offset: number,
    private readonly words: Vocabulary,
  ) {}

  find(node: YamlNode, schema: ValueSchema, key: string | null): Hover | null {
    switch (node.kind) {
      case 'map':
        return this.inMap(node.entries, schema);
      case 'list': {
        const inner = node.items.find((item) => holds(item.span, this.offset));
        return inner ? this.find(inner, schema.kind === 'list' ? schema.item : schema, key) : null;
      }
      case 'scalar':
        return holds(node.span, this.offset) ? this.inScalar(node, schema) : null;
    }
  }

  private inMap(entries: (YamlNode & { kind: 'map' })['entries'], given: ValueSchema): Hover | null {
    const schema = given.kind === 'list' && given.single ? given.item : given;
    const entry = entries.find(({ span }) => holds(span, this.offset));
    if (!entry) return null;
    const onKey = holds(entry.keySpan, this.offset);
    if (schema.kind === 'record') {
      const field = schema.fields.find((candidate) => candidate.key === entry.key);
      if (!field) return null;
      return onKey ? this.field(field, entry.keySpan) : this.find(entry.value, field.value, entry.key);
    }
    if (schema.kind !== 'map') return null;
    return onKey ? this.name(entry.key, schema.keys, entry.keySpan) : this.find(entry.value, schema.value, entry.key);
  }

  private field(field: FieldSchema, span: Span): Hover {
    return { markdown: fieldName(field).documentation, span };
  }

  private name(label: string, source: NameSource, span: Span): Hover | null {
    return this.known(this.words.names(source), label, span);
  }

  private known(names: readonly KnownName[], label: string, span: Span): Hover | null {
    const found = names.find((name) => name.label === label);
    return found ? { markdown: found.documentation, span } : null;
  }

  private inScalar(node: YamlScalar, schema: ValueSchema): Hover | null {
    if (schema.kind === 'text') return this.textHover(node, schema.names);
    return schema.kind === 'expression' || schema.kind === 'define' ? this.expressionHover(node) : null;
  }

  private textHover(node: YamlScalar, source: NameSource): Hover | null {
    return source === 'new' ? this.expressionHover(node) : this.name(String(node.value), source, node.span);
  }

  /** In an expression: the name under the cursor, and what the whole comes to at the file's shape. */
  private expressionHover(node: YamlScalar): Hover | null {
    const parsed = parseExpression(node.raw);
    if (!parsed.ok) return this.wordHover(node);
    const result = evaluateExpression(parsed.value, this.words.values);
    const name = namesIn(parsed.value).find(({ span }) =>
      holds({ start: node.rawSpan.start + span.start, end: node.rawSpan.start + span.end }, this.offset),
    );
    const known = name ? this.words.expressionNames().find(({ label }) => label === name.name) : undefined;
    const parts = known ? [known.documentation] : [];
    if (result.ok && parsed.value.kind !== 'number') parts.push(`\`${node.raw.trim()}\` = ${result.value}`);
    return parts.length === 0 ? null : { markdown: parts.join('\n\n'), span: node.rawSpan };
  }

  /** A size such as `f32[batch, ceil(seqlen / CHUNK)]` is no expression as a whole: only its words are explained. */
  private wordHover(node: YamlScalar): Hover | null {
    for (const match of node.raw.matchAll(/[A-Za-z_]\w*/g)) {
      const start = node.rawSpan.start + match.index;
      const span = { start, end: start + match[0].length };
      if (holds(span, this.offset)) return this.known(this.words.expressionNames(), match[0], span);
    }
    return null;
  }
}
