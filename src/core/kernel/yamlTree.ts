import { isAlias, isMap, isScalar, isSeq, parseDocument, type Node, type Pair, type YAMLMap } from 'yaml';
import type { Span } from '../diagnostic.js';
import type { Report } from './report.js';

/** A leaf. `raw` is the text as written, without quotes, and `rawSpan` its place. */
export interface YamlScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  readonly raw: string;
  readonly span: Span;
  readonly rawSpan: Span;
}

/** A sequence. */
export interface YamlList {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
  readonly span: Span;
}

/** One `key: value`. `span` covers both. */
export interface YamlEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: YamlNode;
  readonly span: Span;
}

/** A mapping; keys are unique. */
export interface YamlMap {
  readonly kind: 'map';
  readonly entries: readonly YamlEntry[];
  readonly span: Span;
}

/** A YAML value with its place in the kernel file. */
export type YamlNode = YamlScalar | YamlList | YamlMap;

/** The entry of a mapping under a key, or null. */
export function entryOf(map: YamlMap, key: string): YamlEntry | null {
  return map.entries.find((entry) => entry.key === key) ?? null;
}

const maxNesting = 24;

/**
 * Parses the YAML that stands at `base` in a file into a tree whose spans are offsets into the file.
 * Commas inside parentheses do not part the items of `[...]` and `{...}`, so that `[max(a, b), 1]` holds two items.
 */
export function parseYaml(yaml: string, base: number, report: Report): YamlNode | null {
  // Deep nesting would exhaust the stack of the YAML library before any limit of ours is reached.
  if (/^(?:[^[\]{}]*[[{]){200}/.test(yaml) || /^[ \t]*(?:[-?] ?){100}/m.test(yaml)) {
    report.error(
      'yaml-syntax',
      { start: base, end: base + yaml.length },
      'The front matter is nested too deeply to be read.',
      'Remove the repeated brackets or dashes.',
    );
    return null;
  }
  const document = parseDocument(yaml, { prettyErrors: false, logLevel: 'silent', uniqueKeys: true });
  const clamp = (offset: number): number => base + Math.min(Math.max(offset, 0), yaml.length);
  for (const error of document.errors) {
    const [from, to] = error.pos;
    const start = clamp(Math.min(from, yaml.trimEnd().length));
    report.error(
      error.code === 'DUPLICATE_KEY' ? 'duplicate-key' : 'yaml-syntax',
      { start, end: Math.max(start, clamp(to)) },
      error.code === 'DUPLICATE_KEY'
        ? 'This key stands twice.'
        : `The front matter is not valid YAML: ${error.message}`,
      syntaxRemedy(error.code, yaml, from),
    );
  }
  return document.contents ? new TreeBuilder(yaml, base, report).node(document.contents, 0) : null;
}

function syntaxRemedy(code: string, yaml: string, at: number): string {
  if (code === 'DUPLICATE_KEY') return 'Keep one of the two.';
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces.';
  const line = yaml.slice(yaml.lastIndexOf('\n', at - 1) + 1, at);
  if (/\b(?:f32|f16|u32|i32)\s*$/.test(line) || /\b(?:f32|f16|u32|i32)\s*\[/.test(line)) {
    return 'Inside braces, put quotes around a size such as "f32[batch, heads]", or give it a line of its own.';
  }
  return 'Write "key: value" lines, with lists as [a, b] and inner keys indented by two spaces.';
}

function isOpen(text: string): boolean {
  let depth = 0;
  for (const character of text) depth += character === '(' ? 1 : character === ')' ? -1 : 0;
  return depth > 0;
}

class TreeBuilder {
  constructor(
    private readonly yaml: string,
    private readonly base: number,
    private readonly report: Report,
  ) {}

  node(node: Node | null, at: number, depth = 0): YamlNode {
    const span = this.spanOf(node, at);
    if (depth > maxNesting || isAlias(node)) {
      this.report.error(
        'yaml-alias',
        span,
        isAlias(node) ? 'Aliases cannot be used in the front matter.' : 'This is nested too deeply.',
        isAlias(node) ? 'Write the value out.' : 'Use fewer levels.',
      );
      return { kind: 'scalar', value: null, raw: '', span, rawSpan: span };
    }
    if (isMap(node)) return { kind: 'map', entries: this.entries(node, depth), span };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.node(item as Node | null, span.start - this.base, depth + 1));
      return { kind: 'list', items: node.flow === true ? this.joinItems(items) : items, span };
    }
    return this.scalar(node, span);
  }

  private spanOf(node: Node | null, at: number): Span {
    const range = node?.range;
    const start = this.base + (range ? range[0] : at);
    return { start, end: Math.max(start, this.base + (range ? range[1] : at)) };
  }

  private scalar(node: Node | null, span: Span): YamlScalar {
    const value: unknown = isScalar(node) ? node.value : null;
    const written = this.yaml.slice(span.start - this.base, span.end - this.base);
    const quoted = /^(["'])([\s\S]*)\1$/.exec(written);
    const known = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
    if (quoted && quoted[2] === value) {
      return {
        kind: 'scalar',
        value: known,
        raw: quoted[2]!,
        span,
        rawSpan: { start: span.start + 1, end: span.end - 1 },
      };
    }
    return { kind: 'scalar', value: known, raw: written, span, rawSpan: span };
  }

  private entries(map: YAMLMap, depth: number): YamlEntry[] {
    const entries: YamlEntry[] = [];
    const seen = new Set<string>();
    for (const item of map.items as Pair<Node | null, Node | null>[]) {
      const keySpan = this.spanOf(item.key, map.range ? map.range[0] : 0);
      const key = isScalar(item.key)
        ? String(item.key.value)
        : this.yaml.slice(keySpan.start - this.base, keySpan.end - this.base);
      const value = this.node(item.value, keySpan.end - this.base, depth + 1);
      const entry = { key, keySpan, value, span: { start: keySpan.start, end: Math.max(keySpan.end, value.span.end) } };
      const last = entries.at(-1);
      if (map.flow === true && last?.value.kind === 'scalar' && isOpen(last.value.raw)) {
        entries[entries.length - 1] = this.extend(last, entry.span.end);
      } else if (!seen.has(key)) {
        seen.add(key);
        entries.push(entry);
      }
    }
    return entries;
  }

  private extend(entry: YamlEntry, end: number): YamlEntry {
    const value = this.written(entry.value.span.start, end);
    return { ...entry, value, span: { start: entry.span.start, end } };
  }

  private written(start: number, end: number): YamlScalar {
    const raw = this.yaml.slice(start - this.base, end - this.base);
    return { kind: 'scalar', value: raw, raw, span: { start, end }, rawSpan: { start, end } };
  }

  private joinItems(items: readonly YamlNode[]): YamlNode[] {
    const joined: YamlNode[] = [];
    for (const item of items) {
      const last = joined.at(-1);
      if (last?.kind === 'scalar' && isOpen(last.raw)) {
        joined[joined.length - 1] = this.written(last.span.start, item.span.end);
      } else {
        joined.push(item);
      }
    }
    return joined;
  }
}
